//! The watchdog of a configuration: which device, and what follows where it can't be had.

use std::fmt;
use std::path::PathBuf;

/// A name of a driver follows.
pub(super) const DRIVER: &str = "driver:";
/// What a watchdog calls itself follows.
pub(super) const IDENTITY: &str = "identity:";

/// The watchdog of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watchdog {
    /// Which device.
    pub device: WatchdogDevice,
    /// `watchdog_policy`: what follows where it can't be used.
    pub policy: WatchdogPolicy,
}

/// How a watchdog is named. `Display` is as it stands in `ha.cf`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WatchdogDevice {
    /// By its path: the device itself or a link to it.
    Path(PathBuf),
    /// By the name of its driver or of the driver's module.
    Driver(String),
    /// By what it calls itself, each blank written as `_`.
    Identity(String),
}

impl fmt::Display for WatchdogDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::Driver(name) => write!(f, "{DRIVER}{name}"),
            Self::Identity(name) => write!(f, "{IDENTITY}{name}"),
        }
    }
}

/// What follows where the watchdog can't be used. `Display` is the word in `ha.cf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WatchdogPolicy {
    /// The daemon does not start.
    Required,
    /// The daemon starts without it and tries again now and then.
    Wanted,
}

impl WatchdogPolicy {
    pub(super) fn from_word(word: &str) -> Self {
        match word {
            "wanted" => Self::Wanted,
            _ => Self::Required,
        }
    }
}

impl fmt::Display for WatchdogPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Required => "required",
            Self::Wanted => "wanted",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_shown_as_it_is_written() {
        for word in ["required", "wanted"] {
            assert_eq!(WatchdogPolicy::from_word(word).to_string(), word);
        }
    }
}
