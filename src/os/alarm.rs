//! A descriptor that becomes readable at a moment, by a clock that goes on while the machine is suspended.

use std::cell::Cell;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::time::Duration;

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};

/// A timer that counts suspends, as the timeout of a `poll` does not: what is due while the machine sleeps is due at its
/// awakening. It need not be read: setting it again for a later moment makes it unreadable.
#[derive(Debug)]
pub struct Alarm {
    timer: TimerFd,
    /// What the kernel was told last: most waits end before their time, and the next one is for the same moment.
    set_for: Cell<Option<Duration>>,
}

impl Alarm {
    /// One that is not set.
    ///
    /// # Errors
    /// When there are too many open files.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK;
        Ok(Self {
            timer: TimerFd::new(ClockId::CLOCK_BOOTTIME, flags)?,
            set_for: Cell::new(None),
        })
    }

    /// Becomes readable so long after boot, as `clock::since_boot` counts it; at once where that is over. For the moment that
    /// it is set for already, or was set for last and became readable at, nothing is done.
    ///
    /// # Errors
    /// When the kernel refuses the time, as it does after some hundred years.
    pub fn set(&self, since_boot: Duration) -> io::Result<()> {
        if self.set_for.replace(None) != Some(since_boot) {
            // None at all would stop it.
            let at = TimeSpec::from_duration(since_boot.max(Duration::from_nanos(1)));
            let absolute = TimerSetTimeFlags::TFD_TIMER_ABSTIME;
            self.timer.set(Expiration::OneShot(at), absolute)?;
        }
        self.set_for.set(Some(since_boot));
        Ok(())
    }
}

impl AsRawFd for Alarm {
    fn as_raw_fd(&self) -> RawFd {
        self.timer.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mio::unix::SourceFd;
    use mio::{Events, Interest, Poll, Token};

    use super::*;
    use crate::os::clock::since_boot;

    #[test]
    fn it_wakes_a_wait_at_its_moment_and_again_when_it_is_set_again() {
        let alarm = Alarm::new().expect("few files are open");
        let mut poll = Poll::new().expect("few files are open");
        let fd = alarm.as_raw_fd();
        let registry = poll.registry();
        registry
            .register(&mut SourceFd(&fd), Token(7), Interest::READABLE)
            .expect("it can be waited for");
        let mut events = Events::with_capacity(8);
        for delay in [20, 0, 10] {
            let due = since_boot() + Duration::from_millis(delay);
            alarm.set(due).expect("a time near to now");
            poll.poll(&mut events, Some(Duration::from_secs(60)))
                .expect("it waits");
            let woken: Vec<Token> = events.iter().map(mio::event::Event::token).collect();
            assert_eq!(woken, [Token(7)], "in {delay} ms");
            assert!(since_boot() >= due);
        }
        alarm.set(Duration::ZERO).expect("long ago");
        poll.poll(&mut events, Some(Duration::from_secs(60)))
            .expect("it waits");
        assert!(!events.is_empty(), "what is over is due");
    }

    #[test]
    fn what_it_is_set_for_again_it_still_wakes_at() {
        let alarm = Alarm::new().expect("few files are open");
        let mut poll = Poll::new().expect("few files are open");
        let fd = alarm.as_raw_fd();
        let registry = poll.registry();
        registry
            .register(&mut SourceFd(&fd), Token(7), Interest::READABLE)
            .expect("it can be waited for");
        let mut events = Events::with_capacity(8);
        let due = since_boot() + Duration::from_millis(30);
        for other in [None, Some(due + Duration::from_secs(60)), None] {
            if let Some(other) = other {
                alarm.set(other).expect("a time near to now");
            }
            alarm.set(due).expect("a time near to now");
        }
        poll.poll(&mut events, Some(Duration::from_secs(60)))
            .expect("it waits");
        assert!(!events.is_empty() && since_boot() >= due);
        assert!(since_boot() < due + Duration::from_secs(50), "not later");
    }

    #[test]
    fn it_goes_by_the_clock_that_counts_suspends() {
        let alarm = Alarm::new().expect("few files are open");
        let told = fs::read_to_string(format!("/proc/self/fdinfo/{}", alarm.as_raw_fd()));
        let told = told.expect("the kernel tells of descriptors");
        let clock = told
            .lines()
            .find_map(|line| line.strip_prefix("clockid: "))
            .map(str::trim);
        assert_eq!(clock, Some(libc::CLOCK_BOOTTIME.to_string().as_str()));
    }
}
