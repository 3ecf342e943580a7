//! The watchdog device: resets this machine when the event loop hangs, before the peer takes over. When it is fed is
//! decided in `feeding.rs`.

pub mod feeding;

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::cluster::Instant;
use crate::os::watchdog::{set_timeout, timeout};
use feeding::{Feeding, MARGIN, limit, longest_timeout};

/// An open watchdog device.
#[derive(Debug)]
pub struct Watchdog {
    path: PathBuf,
    device: File,
    feeding: Feeding,
    complained: bool,
}

/// Why the daemon must not start with this watchdog.
#[derive(Debug)]
pub enum Error {
    /// It can't be opened.
    Open(PathBuf, io::Error),
    /// deadtime is too short for any watchdog: they count in whole seconds.
    Deadtime(PathBuf, Duration),
    /// The driver refuses the time asked for.
    Refused(PathBuf, i32, io::Error),
    /// The driver insists on a longer time.
    TooLong(PathBuf, i32, Duration),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(path, error) => write!(
                f,
                "Cannot open watchdog device: {}: {error}",
                path.display()
            ),
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

impl Watchdog {
    /// Opens the device and sets its time: from the last heartbeat of a hung node, at most one keepalive
    /// before its last turn, to its reset takes less than deadtime.
    ///
    /// # Errors
    /// When it can't be opened, or can't be as quick as that. The machine is then not reset.
    pub fn open(
        path: &Path,
        keepalive: Duration,
        deadtime: Duration,
        now: Instant,
    ) -> Result<Self, Error> {
        let limit = limit(keepalive, deadtime);
        let Some(seconds) = longest_timeout(limit) else {
            return Err(Error::Deadtime(
                path.into(),
                keepalive + MARGIN + Duration::from_secs(1),
            ));
        };
        let device = File::options()
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(path)
            .map_err(|error| Error::Open(path.into(), error))?;
        let mut this = Self {
            path: path.into(),
            device,
            feeding: Feeding::new(Duration::ZERO, deadtime, now),
            complained: false,
        };
        match this.agree(seconds, keepalive, limit) {
            Ok(seconds) => {
                let timeout = Duration::from_secs(u64::try_from(seconds).unwrap_or(1));
                this.feeding = Feeding::new(timeout, deadtime, now);
                log::info!(
                    "Using watchdog device: {} (timeout {seconds} s)",
                    path.display()
                );
                Ok(this)
            }
            Err(error) => {
                this.close();
                Err(error)
            }
        }
    }

    /// `deadtime` or `keepalive` is another one. Where the peer takes over sooner than before, so does the reset come; it
    /// never comes later than it was set to at the start.
    ///
    /// # Errors
    /// When the device can't be as quick as that. It is then set as it was.
    pub fn follow(&mut self, keepalive: Duration, deadtime: Duration) -> Result<(), Error> {
        let limit = limit(keepalive, deadtime);
        let in_force = self.feeding.timeout();
        if in_force <= limit {
            self.feeding.set_deadtime(deadtime);
            return Ok(());
        }
        let Some(seconds) = longest_timeout(limit) else {
            let least = keepalive + MARGIN + Duration::from_secs(1);
            return Err(Error::Deadtime(self.path.clone(), least));
        };
        match self.agree(seconds, keepalive, limit) {
            Ok(seconds) => {
                let timeout = Duration::from_secs(u64::try_from(seconds).unwrap_or(1));
                self.feeding = Feeding::new(timeout, deadtime, Instant::default()); // the next turn feeds it
                log::info!(
                    "Using watchdog device: {} (timeout {seconds} s)",
                    self.path.display()
                );
                Ok(())
            }
            Err(error) => {
                let before = i32::try_from(in_force.as_secs()).unwrap_or(i32::MAX);
                let _ = set_timeout(&self.device, before); // what was refused changed nothing
                Err(error)
            }
        }
    }

    /// To be called at the end of a completed turn and nowhere else, with the moment of the last heartbeat sent.
    pub fn feed(&mut self, now: Instant, last_heartbeat: Instant) {
        if !self.feeding.is_wanted(now, last_heartbeat) {
            return;
        }
        self.feeding.fed(now);
        match self.device.write(&[0]) {
            Ok(_) => self.complained = false,
            Err(error) if !self.complained => {
                self.complained = true;
                log::error!(
                    "Cannot feed watchdog device {}: {error}. It will reset this machine",
                    self.path.display()
                );
            }
            Err(_) => {}
        }
    }

    /// After so long without a feed it resets this machine.
    pub fn timeout(&self) -> Duration {
        self.feeding.timeout()
    }

    /// When the next feed is due.
    pub fn next_deadline(&self) -> Instant {
        self.feeding.next_deadline()
    }

    /// Disarms the device, unless its driver was told never to be disarmed.
    pub fn close(mut self) {
        if let Err(error) = self.device.write(b"V") {
            log::error!(
                "Cannot disarm watchdog device {}: {error}. It will reset this machine",
                self.path.display()
            );
        }
    }

    /// Gives back the timeout in force.
    fn agree(&self, seconds: i32, keepalive: Duration, limit: Duration) -> Result<i32, Error> {
        let answer = match set_timeout(&self.device, seconds) {
            Err(error) if is_unsupported(&error) => timeout(&self.device).ok(),
            Err(error) => return Err(Error::Refused(self.path.clone(), seconds, error)),
            Ok(answer) => Some(answer),
        };
        let Some(answer) = answer else {
            log::warn!(
                "watchdog {} does not tell its timeout: make sure that it is {seconds} s or less",
                self.path.display()
            );
            return Ok(seconds);
        };
        let in_force = Duration::from_secs(u64::try_from(answer).unwrap_or(0));
        if in_force.is_zero() || in_force > limit {
            return Err(Error::TooLong(
                self.path.clone(),
                answer,
                in_force + keepalive + MARGIN,
            ));
        }
        Ok(answer)
    }
}

/// Drivers without a settable timeout, and the pipe that stands in for one, say either.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EOPNOTSUPP))
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const KEEPALIVE: Duration = Duration::from_millis(500);
    const DEADTIME: Duration = Duration::from_secs(3);

    fn pipe() -> (tempfile::TempDir, PathBuf, File) {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("watchdog");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("made");
        let reader = File::options()
            .read(true)
            .custom_flags(libc::O_NONBLOCK)
            .open(&path)
            .expect("opens");
        (directory, path, reader)
    }

    #[test]
    fn it_is_fed_in_time_and_disarmed_at_the_end() {
        let (_directory, path, mut reader) = pipe();
        let start = Instant::from_micros(5_000_000);
        let mut watchdog = Watchdog::open(&path, KEEPALIVE, DEADTIME, start).expect("opens");
        watchdog.feed(start, start);
        watchdog.feed(start + Duration::from_millis(1), start);
        assert_eq!(watchdog.next_deadline(), start + Duration::from_millis(400));
        watchdog.feed(start + Duration::from_secs(1), start); // held up in this turn
        watchdog.feed(watchdog.next_deadline(), start);
        watchdog.close();
        let mut written = Vec::new();
        reader.read_to_end(&mut written).expect("readable");
        assert_eq!(written, b"\0\0V");
    }

    #[test]
    fn a_deadtime_that_leaves_no_whole_second_is_refused_with_a_remedy() {
        let (_directory, path, _reader) = pipe();
        let error = Watchdog::open(
            &path,
            Duration::from_millis(200),
            Duration::from_secs(1),
            Instant::default(),
        )
        .expect_err("too short");
        assert!(
            error.to_string().contains("set deadtime to 1.7s or more"),
            "{error}"
        );
    }

    #[test]
    fn it_follows_a_shorter_deadtime_and_no_longer_one() {
        let (_directory, path, _reader) = pipe();
        let start = Instant::from_micros(5_000_000);
        let seconds = Duration::from_secs;
        let mut watchdog = Watchdog::open(&path, KEEPALIVE, seconds(10), start).expect("opens");
        let mut interval_after = |deadtime| {
            let followed = watchdog.follow(KEEPALIVE, deadtime);
            (followed.is_ok(), watchdog.feeding.timeout())
        };
        assert_eq!(interval_after(seconds(20)), (true, seconds(8)));
        assert_eq!(interval_after(seconds(5)), (true, seconds(4)));
        assert_eq!(interval_after(seconds(1)), (false, seconds(4)));
        assert_eq!(interval_after(seconds(10)), (true, seconds(4)));
    }

    #[test]
    fn a_missing_device_is_refused_by_name() {
        let error = Watchdog::open(
            Path::new("/dev/no-such-watchdog"),
            KEEPALIVE,
            DEADTIME,
            Instant::default(),
        )
        .expect_err("missing");
        assert!(
            error
                .to_string()
                .contains("/dev/no-such-watchdog: No such file"),
            "{error}"
        );
    }
}
