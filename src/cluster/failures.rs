//! The failed starts of one group: it is tried again later each time, and after many times on neither node no more before
//! somebody says so.

use std::fmt;
use std::time::Duration;

use super::time::Instant;

/// Pause after the first failure; it doubles each time.
const START_AGAIN: Duration = Duration::from_secs(60);
/// But not beyond this.
const START_SELDOM: Duration = Duration::from_secs(1800);
/// A group that could be started on neither node is not tried again after so many failures in a row on one of them:
/// an hour and a half.
const FREEZE_AFTER: u32 = 8;

/// The failures of one group on this node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failures {
    /// In a row.
    pub(super) count: u32,
    /// Not of itself before.
    pub(super) again_at: Instant,
    pub(super) is_frozen: bool,
}

impl Failures {
    /// One more.
    pub(super) fn add(&mut self, now: Instant) {
        self.count = self.count.saturating_add(1);
        self.again_at = now + pause(self.count);
    }

    /// The other node could not start it either. Whether that freezes it.
    pub(super) fn freeze(&mut self) -> bool {
        let was_frozen = std::mem::replace(&mut self.is_frozen, self.count >= FREEZE_AFTER);
        self.is_frozen && !was_frozen
    }

    /// Whether it is not to be tried now.
    pub(super) fn rest(&self, now: Instant) -> bool {
        self.is_frozen || self.again_at > now
    }

    /// It started, here or on the other node.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The nodes meet anew: each tries once more whatever was before.
    pub(super) fn thaw(&mut self) {
        self.is_frozen = false;
    }

    /// When it is due, for as long as that is to come.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        (!self.is_frozen && self.again_at > now).then_some(self.again_at)
    }
}

/// What follows the failure with this number.
fn pause(count: u32) -> Duration {
    let doublings = count.saturating_sub(1).min(16);
    let pause = START_AGAIN.saturating_mul(2_u32.saturating_pow(doublings));
    pause.min(START_SELDOM)
}

/// What comes after a failed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// The other node may try.
    Left,
    /// The other node could not start it either, and is the one to try again.
    LeftAgain,
    /// It is tried again here after this time.
    Again {
        /// From now on.
        pause: Duration,
        /// Where else it might have been started.
        elsewhere: Elsewhere,
    },
}

/// Why the other node is of no help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// It could not start it either.
    Failed,
    /// It is not there.
    Nobody,
    /// It runs heartbeat 3.0.6.
    Classic,
}

impl fmt::Display for AfterFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Left => f.write_str("it is left to the other node"),
            Self::LeftAgain => f.write_str(
                "the other node could not start it either and, as its preferred one, tries it again",
            ),
            Self::Again { pause, elsewhere } => {
                f.write_str(match elsewhere {
                    Elsewhere::Failed => "nor could it on the other node",
                    Elsewhere::Nobody => "nobody else is there",
                    Elsewhere::Classic => {
                        "a node of heartbeat 3.0.6 can take only all groups of a node together"
                    }
                })?;
                write!(f, "; it is tried again in {} s", pause.as_secs())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_half_an_hour() {
        for (count, seconds) in [
            (1, 60),
            (2, 120),
            (3, 240),
            (5, 960),
            (6, 1800),
            (7, 1800),
            (u32::MAX, 1800),
        ] {
            assert_eq!(pause(count).as_secs(), seconds, "after {count}");
        }
    }

    #[test]
    fn it_takes_many_failures_on_both_nodes_to_freeze_and_a_success_forgets_them() {
        let now = Instant::from_micros(1_000_000);
        let late = now + START_SELDOM * 10;
        let mut failures = Failures::default();
        for _ in 1..FREEZE_AFTER {
            failures.add(now);
            assert!(!failures.freeze() && !failures.rest(late));
        }
        failures.add(now);
        assert!(!failures.rest(late), "the other node may start it yet");
        assert!(failures.freeze() && failures.rest(late));
        assert!(!failures.freeze(), "told once");
        failures.thaw();
        assert!(!failures.rest(late));
        assert!(failures.freeze(), "and soon frozen again");
        failures.forget();
        assert!(!failures.rest(now) && !failures.freeze());
    }

    #[test]
    fn a_failure_is_due_again_after_its_pause_unless_it_is_frozen() {
        let now = Instant::from_micros(1_000_000);
        let mut failures = Failures::default();
        assert_eq!(failures.next(now), None);
        failures.add(now);
        let due = now + START_AGAIN;
        assert_eq!((failures.next(now), failures.next(due)), (Some(due), None));
        failures.is_frozen = true;
        assert_eq!(failures.next(now), None);
    }
}
