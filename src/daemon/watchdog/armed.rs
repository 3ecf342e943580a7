//! A watchdog device that is open, and so armed: it resets this machine unless it is fed.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::facts::{Facts, Found};
use super::feeding::{Feeding, MARGIN, limit, longest_timeout};
use crate::cluster::Instant;
use crate::os::watchdog::{CARD_RESET, MAGIC_CLOSE, boot_status, set_timeout, support, timeout};

/// An open watchdog device.
#[derive(Debug)]
pub struct Armed {
    path: PathBuf,
    facts: Facts,
    device: File,
    feeding: Feeding,
    last_fed: Option<Instant>,
    complained: bool,
}

/// What came of the end of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fed {
    /// No feed was due.
    NotYet,
    /// It was fed.
    Yes,
    /// It was due and not fed: the last heartbeat is so old.
    Withheld(Duration),
    /// The driver refused, for the first time: why.
    Refused(String),
}

/// Checks what is known of a device against the times, without opening it; gives back the seconds to set.
pub fn suits(found: &Found, keepalive: Duration, deadtime: Duration) -> Result<i32, Error> {
    let limit = limit(keepalive, deadtime);
    let Some(longest) = longest_timeout(limit) else {
        let least = keepalive + MARGIN + Duration::from_secs(1);
        return Err(Error::Deadtime(found.path.clone(), least));
    };
    let facts = found.facts.as_ref();
    if let Some(shortest) = facts.and_then(Facts::shortest) {
        let time = Duration::from_secs(shortest.into());
        if time > limit {
            let least = time + keepalive + MARGIN;
            return Err(Error::TooLong(found.path.clone(), shortest, least));
        }
    }
    let most = facts.and_then(|facts| i32::try_from(facts.max_timeout?).ok());
    Ok(most.map_or(longest, |most| longest.min(most)))
}

impl Armed {
    /// Opens the device and sets its time: from the last heartbeat of a hung node, at most one keepalive
    /// before its last turn, to its reset takes less than deadtime.
    ///
    /// # Errors
    /// When it can't be opened, or can't be as quick as that. The machine is then not reset.
    pub fn open(
        found: Found,
        keepalive: Duration,
        deadtime: Duration,
        now: Instant,
    ) -> Result<Self, Error> {
        let seconds = suits(&found, keepalive, deadtime)?;
        let Found { path, facts } = found;
        let device = File::options()
            .write(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open(&path)
            .map_err(|error| match error.raw_os_error() {
                Some(libc::EBUSY) => Error::Busy(path.clone(), None),
                _ => Error::Open(path.clone(), error, Vec::new()),
            })?;
        let mut this = Self {
            path,
            facts: facts.unwrap_or_default(),
            device,
            feeding: Feeding::new(Duration::ZERO, deadtime, now),
            last_fed: None,
            complained: false,
        };
        match this.agree(seconds, keepalive, limit(keepalive, deadtime)) {
            Ok(timeout) => {
                this.feeding = Feeding::new(timeout, deadtime, now);
                this.ask_device();
                this.tell();
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
        let found = Found {
            path: self.path.clone(),
            facts: Some(self.facts.clone()),
        };
        let seconds = suits(&found, keepalive, deadtime)?;
        match self.agree(seconds, keepalive, limit) {
            Ok(timeout) => {
                self.feeding = Feeding::new(timeout, deadtime, Instant::default()); // the next turn feeds it
                self.tell();
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
    pub fn feed(&mut self, now: Instant, last_heartbeat: Instant) -> Fed {
        if !self.feeding.is_wanted(now, last_heartbeat) {
            // Before the first heartbeat of a run there is nothing to be late with.
            return if self.feeding.next_deadline() <= now && self.last_fed.is_some() {
                Fed::Withheld(now.since(last_heartbeat))
            } else {
                Fed::NotYet
            };
        }
        self.feeding.fed(now);
        match self.device.write(&[0]) {
            Ok(_) => {
                self.complained = false;
                self.last_fed = Some(now);
                Fed::Yes
            }
            Err(error) if !self.complained => {
                self.complained = true;
                log::error!(
                    "Cannot feed watchdog device {}: {error}. It will reset this machine",
                    self.path.display()
                );
                Fed::Refused(error.to_string())
            }
            Err(_) => Fed::NotYet,
        }
    }

    /// When the next feed is due.
    pub fn next_deadline(&self) -> Instant {
        self.feeding.next_deadline()
    }

    /// The time from a feed to the reset.
    pub fn timeout(&self) -> Duration {
        self.feeding.timeout()
    }

    /// What is known of it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// When it was fed last; none before the first feed.
    pub fn last_fed(&self) -> Option<Instant> {
        self.last_fed
    }

    /// Whether the driver says that it reset this machine before it booted; none where it does not tell.
    pub fn has_fired(&self) -> Option<bool> {
        let asked = || Some(boot_status(&self.device).ok()? & CARD_RESET != 0);
        self.facts.has_fired().or_else(asked)
    }

    /// Disarms the device, unless its driver was told never to be disarmed.
    pub fn close(mut self) {
        if let Err(error) = self.device.write(b"V") {
            log::error!(
                "Cannot disarm watchdog device {}: {error}. It will reset this machine",
                self.path.display()
            );
        } else if self.facts.nowayout == Some(true) {
            log::warn!(
                "watchdog {} can't be disarmed (nowayout): this machine is reset in {} s unless something feeds it, as \
                 heartbeat does when it is started again before that",
                self.path.display(),
                self.feeding.timeout().as_secs()
            );
        }
    }

    /// What the kernel shows of it is little where its driver is old; the device itself may tell.
    fn ask_device(&mut self) {
        let Ok(said) = support(&self.device) else {
            return;
        };
        let Facts {
            identity, options, ..
        } = &mut self.facts;
        options.get_or_insert(said.options);
        let named = identity.take();
        let plain = said.identity.replace(char::is_control, "?");
        *identity = named.or(Some(plain).filter(|name| !name.is_empty()));
    }

    fn tell(&self) {
        let (path, seconds) = (self.path.display(), self.feeding.timeout().as_secs());
        let Facts { name, identity, .. } = &self.facts;
        let names = [name.as_str(), identity.as_deref().unwrap_or_default()];
        let names: Vec<_> = names.into_iter().filter(|name| !name.is_empty()).collect();
        let names = if names.is_empty() {
            String::new()
        } else {
            format!("; {}", names.join(", "))
        };
        log::info!("Using watchdog device: {path} (timeout {seconds} s{names})");
        if self.facts.nowayout == Some(true) {
            log::warn!(
                "watchdog {path} can't be disarmed (nowayout): a clean stop of heartbeat resets this machine {seconds} s \
                 later, unless heartbeat is started again before that. To have it otherwise, load its driver with \
                 nowayout=0"
            );
        } else if let Some(options) = self.facts.options
            && options & MAGIC_CLOSE == 0
        {
            log::warn!(
                "watchdog {path} is disarmed whenever it is closed (no magic close): it does not reset this machine when \
                 heartbeat is killed, only when it hangs"
            );
        }
    }

    /// Gives back the timeout in force.
    fn agree(&self, seconds: i32, keepalive: Duration, limit: Duration) -> Result<Duration, Error> {
        let asked_for = || Duration::from_secs(u64::try_from(seconds).unwrap_or(1));
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
            return Ok(asked_for());
        };
        let answer = u32::try_from(answer).unwrap_or(0);
        let in_force = Duration::from_secs(answer.into());
        if in_force.is_zero() || in_force > limit {
            let least = in_force + keepalive + MARGIN;
            return Err(Error::TooLong(self.path.clone(), answer, least));
        }
        Ok(in_force)
    }
}

/// Drivers without a settable timeout, and the pipe that stands in for one, say either.
fn is_unsupported(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOTTY | libc::EOPNOTSUPP))
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::path::Path;

    use super::super::tests::pipe;
    use super::*;

    const KEEPALIVE: Duration = Duration::from_millis(500);
    const DEADTIME: Duration = Duration::from_secs(3);

    fn open(path: &Path, deadtime: Duration, now: Instant) -> Result<Armed, Error> {
        open_with(path, Facts::default(), deadtime, now)
    }

    fn open_with(
        path: &Path,
        facts: Facts,
        deadtime: Duration,
        now: Instant,
    ) -> Result<Armed, Error> {
        let (path, facts) = (path.to_owned(), Some(facts));
        Armed::open(Found { path, facts }, KEEPALIVE, deadtime, now)
    }

    #[test]
    fn it_is_fed_in_time_and_disarmed_at_the_end() {
        let (_directory, path, mut reader) = pipe();
        let start = Instant::from_micros(5_000_000);
        let mut watchdog = open(&path, DEADTIME, start).expect("opens");
        assert_eq!(
            watchdog.feed(start, Instant::default()),
            Fed::NotYet,
            "nothing was said yet"
        );
        assert_eq!(watchdog.feed(start, start), Fed::Yes);
        let soon = start + Duration::from_millis(1);
        assert_eq!(watchdog.feed(soon, start), Fed::NotYet);
        assert_eq!(watchdog.next_deadline(), start + Duration::from_millis(400));
        let late = start + Duration::from_secs(1); // held up in this turn
        let withheld = Fed::Withheld(Duration::from_secs(1));
        assert_eq!(watchdog.feed(late, start), withheld);
        assert_eq!(watchdog.last_fed(), Some(start));
        assert_eq!(watchdog.feed(watchdog.next_deadline(), start), Fed::Yes);
        watchdog.close();
        let mut written = Vec::new();
        reader.read_to_end(&mut written).expect("readable");
        assert_eq!(written, b"\0\0V");
    }

    #[test]
    fn a_feed_that_is_refused_is_told_once() {
        let (_directory, path, reader) = pipe();
        let start = Instant::from_micros(5_000_000);
        let mut watchdog = open(&path, DEADTIME, start).expect("opens");
        drop(reader);
        assert!(matches!(watchdog.feed(start, start), Fed::Refused(_)));
        assert_eq!(watchdog.feed(watchdog.next_deadline(), start), Fed::NotYet);
        assert_eq!(watchdog.last_fed(), None);
    }

    #[test]
    fn a_deadtime_that_leaves_no_whole_second_is_refused_with_a_remedy() {
        let (_directory, path, _reader) = pipe();
        let error = open(&path, Duration::from_millis(1900), Instant::default());
        let error = error.expect_err("too short").to_string();
        assert!(error.contains("set deadtime to 2s or more"), "{error}");
    }

    #[test]
    fn it_follows_a_shorter_deadtime_and_no_longer_one() {
        let (_directory, path, _reader) = pipe();
        let start = Instant::from_micros(5_000_000);
        let seconds = Duration::from_secs;
        let mut watchdog = open(&path, seconds(10), start).expect("opens");
        let mut interval_after = |deadtime| {
            let followed = watchdog.follow(KEEPALIVE, deadtime);
            (followed.is_ok(), watchdog.timeout())
        };
        assert_eq!(interval_after(seconds(20)), (true, seconds(8)));
        assert_eq!(interval_after(seconds(5)), (true, seconds(4)));
        assert_eq!(interval_after(seconds(1)), (false, seconds(4)));
        assert_eq!(interval_after(seconds(10)), (true, seconds(4)));
    }

    #[test]
    fn what_the_kernel_tells_keeps_a_device_from_being_armed_in_vain() {
        let (_directory, path, mut reader) = pipe();
        let slow = Facts {
            min_timeout: Some(3),
            ..Facts::default()
        };
        let error = open_with(&path, slow, DEADTIME, Instant::default());
        let error = error.expect_err("too slow").to_string();
        assert!(
            error.contains("only after 3 s") && error.contains("set deadtime to 4s or more"),
            "{error}"
        );
        let mut written = Vec::new();
        let _ = reader.read_to_end(&mut written);
        assert!(written.is_empty(), "never opened, so nothing to disarm");
        let short = Facts {
            max_timeout: Some(7),
            ..Facts::default()
        };
        let limited = open_with(&path, short, Duration::from_secs(30), Instant::default());
        let timeout = limited.expect("opens").timeout();
        assert_eq!(timeout, Duration::from_secs(7));
    }

    #[test]
    fn a_missing_device_is_refused_by_name() {
        let path = Path::new("/dev/no-such-watchdog");
        let error = open(path, DEADTIME, Instant::default()).expect_err("missing");
        let error = error.to_string();
        assert!(
            error.contains("/dev/no-such-watchdog: No such file"),
            "{error}"
        );
    }
}
