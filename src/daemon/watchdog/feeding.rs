//! How quick a watchdog has to be, and when it may be fed (S5): numbers alone, so that the simulator goes by the same.
//!
//! A hung node is reset before it has a rival when, from the last heartbeat that it sent to its reset, less than deadtime
//! passes. So much time has the device where the last heartbeat is at most one `keepalive` older than the last feed. A
//! turn of the loop may take longer than that: the daemon can be held up in the middle of one, behind its timers and
//! before the feed. Then the device is not fed at the end of that turn. The next one comes at once, and says
//! something first.

use std::time::Duration;

use crate::cluster::Instant;

/// Feeding happens this much more often than needed.
const FEEDS_PER_TIMEOUT: u32 = 5;
/// Devices are late themselves: they count in coarse ticks, and the kernel feeds them once more when their
/// daemon dies. Between the reset and the takeover there must be room for that, and for clocks that differ.
pub(super) const MARGIN: Duration = Duration::from_millis(500);

/// When a device is fed that resets this machine after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feeding {
    timeout: Duration,
    deadtime: Duration,
    next: Instant,
}

impl Feeding {
    /// A device that resets the machine so long after it was fed last; the first feed is due now.
    pub fn new(timeout: Duration, deadtime: Duration, now: Instant) -> Self {
        Self {
            timeout,
            deadtime,
            next: now,
        }
    }

    /// The time in force.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// When the next feed is due.
    pub fn next_deadline(&self) -> Instant {
        self.next
    }

    /// Whether the device is to be fed at the end of a turn, by a node that sent its last heartbeat then: when that is
    /// due, and not later than a reset would come in time.
    pub fn is_wanted(&self, now: Instant, last_heartbeat: Instant) -> bool {
        let most = self.deadtime.saturating_sub(self.timeout + MARGIN / 2);
        self.next <= now && now.since(last_heartbeat) <= most
    }

    /// It was fed now.
    pub fn fed(&mut self, now: Instant) {
        self.next = now + self.timeout / FEEDS_PER_TIMEOUT;
    }

    /// The peer takes over after another time from now on.
    pub(super) fn set_deadtime(&mut self, deadtime: Duration) {
        self.deadtime = deadtime;
    }
}

/// The longest time that a device may have.
pub fn limit(keepalive: Duration, deadtime: Duration) -> Duration {
    deadtime.saturating_sub(keepalive + MARGIN)
}

/// In whole seconds, no longer than `limit`; `None` where that leaves no second.
pub fn longest_timeout(limit: Duration) -> Option<i32> {
    // Nothing is gained from waiting longer than a minute.
    let whole = i32::try_from(limit.as_secs().min(60)).ok()?;
    match whole {
        0 => None,
        1 => Some(1),
        // ib700wdt counts in steps of two seconds, rounds up and does not tell.
        _ => Some(whole & !1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_is_shorter_than_the_time_to_takeover() {
        assert_eq!(longest_timeout(Duration::from_millis(2500)), Some(2));
        assert_eq!(longest_timeout(Duration::from_millis(1999)), Some(1));
        assert_eq!(longest_timeout(Duration::from_secs(1)), Some(1));
        assert_eq!(longest_timeout(Duration::from_millis(999)), None);
        assert_eq!(longest_timeout(Duration::MAX), Some(60));
    }

    #[test]
    fn an_odd_timeout_is_left_to_no_driver_that_rounds_it_up() {
        for millis in 2000..65_000 {
            let seconds = longest_timeout(Duration::from_millis(millis)).expect("long enough");
            assert_eq!(seconds % 2, 0);
        }
    }

    #[test]
    fn a_turn_that_was_held_up_behind_its_timers_does_not_feed() {
        let millis = Duration::from_millis;
        let start = Instant::from_micros(5_000_000);
        for (keepalive, deadtime) in [(500, 2000), (1000, 8000), (2000, 30_000)] {
            let (keepalive, deadtime) = (millis(keepalive), millis(deadtime));
            let seconds = longest_timeout(limit(keepalive, deadtime)).expect("long enough");
            let timeout = Duration::from_secs(u64::try_from(seconds).expect("positive"));
            let feeding = Feeding::new(timeout, deadtime, start);
            for late in 0..40_000 {
                let end = start + millis(late);
                let in_time = end + timeout + MARGIN / 2 <= start + deadtime;
                assert_eq!(feeding.is_wanted(end, start), in_time, "{late} ms");
            }
            // Whoever says something once in a keepalive is fed, even if its turns take a while.
            assert!(feeding.is_wanted(start + keepalive + MARGIN / 2, start));
        }
    }

    #[test]
    fn the_next_feed_is_due_five_times_within_the_timeout() {
        let start = Instant::from_micros(5_000_000);
        let mut feeding = Feeding::new(Duration::from_secs(2), Duration::from_secs(3), start);
        assert!(feeding.is_wanted(start, start));
        feeding.fed(start);
        assert_eq!(feeding.next_deadline(), start + Duration::from_millis(400));
        assert!(!feeding.is_wanted(start + Duration::from_millis(399), start));
        assert!(feeding.is_wanted(start + Duration::from_millis(400), start));
    }
}
