//! Why a watchdog can't be used, and what to do about it.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::facts::NotFound;
use super::user::User;

/// Why the daemon has no use of a watchdog. `Display` says what to do.
#[derive(Debug)]
pub enum Error {
    /// No device is called so, or several are: the word of `ha.cf`.
    NotFound(String, NotFound),
    /// It can't be opened. The watchdogs of this machine, in words.
    Open(PathBuf, io::Error, Vec<String>),
    /// Another process has it, where it is known which.
    Busy(PathBuf, Option<User>),
    /// deadtime is too short for any watchdog: they count in whole seconds.
    Deadtime(PathBuf, Duration),
    /// The driver refuses the time asked for.
    Refused(PathBuf, i32, io::Error),
    /// The driver can't be quicker than this many seconds. What deadtime would have to be.
    TooLong(PathBuf, u32, Duration),
}

impl Error {
    /// Whether the device is somebody else's or missing, which another program may change at any time.
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::NotFound(..) | Self::Open(..) | Self::Busy(..))
    }

    /// Whether both say the same but for what else is known.
    pub fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Open(_, one, _), Self::Open(_, other, _)) => one.kind() == other.kind(),
            _ => std::mem::discriminant(self) == std::mem::discriminant(other),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(word, NotFound::None(others)) => {
                write!(f, "no watchdog {word}: {}", rest(others))
            }
            Self::NotFound(word, NotFound::Several(all)) => write!(
                f,
                "watchdog {word} may be any of {}: name one by its path",
                all.join(", ")
            ),
            Self::Open(path, error, others) => {
                let path = path.display();
                write!(f, "Cannot open watchdog device: {path}: {error}")?;
                if error.kind() == io::ErrorKind::PermissionDenied {
                    return Ok(());
                }
                write!(f, ": {}", rest(others))
            }
            Self::Busy(path, user) => {
                let path = path.display();
                write!(
                    f,
                    "Cannot open watchdog device: {path}: another program uses it: "
                )?;
                match user {
                    Some(user) => user.fmt(f),
                    None => f.write_str(
                        "`fuser -v /dev/watchdog*` may tell which; end that, or name another device",
                    ),
                }
            }
            Self::Deadtime(path, least) => write!(
                f,
                "watchdog {} counts in whole seconds and must reset a hung node before its peer takes over: \
                 set deadtime to {least:?} or more, or remove the watchdog line",
                path.display()
            ),
            Self::Refused(path, seconds, error) => write!(
                f,
                "watchdog {} refuses a timeout of {seconds} s: {error}. It must be half a second shorter than \
                 deadtime less keepalive: change deadtime so that the driver can follow",
                path.display()
            ),
            Self::TooLong(path, seconds, least) => write!(
                f,
                "watchdog {} resets a hung node only after {seconds} s, when its peer may have taken over: \
                 set deadtime to {least:?} or more, or set a shorter timeout in the driver",
                path.display()
            ),
        }
    }
}

/// What to do where the device that is meant is not there.
pub fn rest(others: &[String]) -> String {
    if others.is_empty() {
        "this machine shows none; load the driver of the board's watchdog with modprobe(8), or `softdog`".into()
    } else {
        format!(
            "this machine has {}; name one of them, or load the driver that is meant with modprobe(8)",
            others.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_told_with_what_is_there() {
        let soft = || vec!["watchdog0 (Software Watchdog, driver softdog)".to_owned()];
        let missing = || io::Error::from_raw_os_error(libc::ENOENT);
        for (error, words) in [
            (
                Error::NotFound("driver:iTCO_wdt".into(), NotFound::None(soft())),
                "no watchdog driver:iTCO_wdt: this machine has watchdog0 (Software Watchdog, driver softdog); name one of \
                 them, or load the driver that is meant with modprobe(8)",
            ),
            (
                Error::NotFound(
                    "identity:x".into(),
                    NotFound::Several(vec!["watchdog0".into(), "watchdog1".into()]),
                ),
                "watchdog identity:x may be any of watchdog0, watchdog1: name one by its path",
            ),
            (
                Error::Open("/dev/watchdog".into(), missing(), Vec::new()),
                "Cannot open watchdog device: /dev/watchdog: No such file or directory (os error 2): this machine shows \
                 none; load the driver of the board's watchdog with modprobe(8), or `softdog`",
            ),
            (
                Error::Busy("/dev/watchdog".into(), None),
                "Cannot open watchdog device: /dev/watchdog: another program uses it: `fuser -v /dev/watchdog*` may tell \
                 which; end that, or name another device",
            ),
        ] {
            assert_eq!(error.to_string(), words);
            assert!(error.is_absence() && error.is_like(&error));
        }
        let busy = Error::Busy("/dev/watchdog".into(), None);
        let gone = Error::Open("/dev/watchdog".into(), missing(), soft());
        assert!(!busy.is_like(&gone));
    }
}
