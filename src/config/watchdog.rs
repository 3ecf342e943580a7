//! `watchdog`: which device, and what follows where it can't be had.

use std::fmt;
use std::path::PathBuf;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::settings::Settings;
use super::value::{self, Fault, Remark};

/// A name of a driver follows.
const DRIVER: &str = "driver:";
/// What a watchdog calls itself follows.
const IDENTITY: &str = "identity:";

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

/// `watchdog DEVICE | driver:NAME | identity:NAME`.
pub(super) fn watchdog(settings: &mut Settings, text: &str) -> Result<Option<Remark>, Fault> {
    let name = |name: &str, what: &str| {
        let fault = || Fault {
            span: 0..text.len(),
            reason: format!("the name of {what} must follow the colon, without a blank"),
        };
        (!name.is_empty())
            .then(|| name.to_owned())
            .ok_or_else(fault)
    };
    let (device, remark) = if let Some(driver) = text.strip_prefix(DRIVER) {
        (WatchdogDevice::Driver(name(driver, "a driver")?), None)
    } else if let Some(identity) = text.strip_prefix(IDENTITY) {
        let identity = name(identity, "a watchdog")?;
        (WatchdogDevice::Identity(identity), None)
    } else {
        let reading = value::path(text);
        (WatchdogDevice::Path(reading.value), reading.remark)
    };
    settings.watchdog = Some(device);
    Ok(remark)
}

/// A policy alone protects nothing.
pub(super) fn advise(settings: &Settings, out: &mut Diagnostics) {
    if let Some(place) = settings.place("watchdog_policy")
        && settings.is_absent("watchdog")
    {
        let warning = Diagnostic::warning(place, "`watchdog_policy` without `watchdog`");
        out.push(
            warning
                .label("it has no effect: no device is named")
                .help("add `watchdog DEVICE`, or remove this line"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<(WatchdogDevice, bool), Fault> {
        let mut settings = Settings::default();
        let remark = watchdog(&mut settings, text)?;
        Ok((settings.watchdog.expect("set"), remark.is_some()))
    }

    #[test]
    fn a_path_is_what_it_was_and_two_prefixes_name_what_stays() {
        let path = |path: &str| WatchdogDevice::Path(path.into());
        for (text, device, is_odd) in [
            ("/dev/watchdog", path("/dev/watchdog"), false),
            ("/dev/driver:x", path("/dev/driver:x"), false),
            ("softdog", path("softdog"), true),
            (
                "driver:iTCO_wdt",
                WatchdogDevice::Driver("iTCO_wdt".into()),
                false,
            ),
            (
                "identity:Software_Watchdog",
                WatchdogDevice::Identity("Software_Watchdog".into()),
                false,
            ),
        ] {
            assert_eq!(read(text), Ok((device.clone(), is_odd)));
            assert_eq!(device.to_string(), text);
        }
        for text in ["driver:", "identity:"] {
            let fault = read(text).expect_err("no name");
            assert!(fault.reason.contains("must follow the colon"), "{fault:?}");
        }
    }

    #[test]
    fn a_policy_is_shown_as_it_is_written() {
        for word in ["required", "wanted"] {
            assert_eq!(WatchdogPolicy::from_word(word).to_string(), word);
        }
    }
}
