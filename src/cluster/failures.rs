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
    /// One more. With nobody who could start it either it is frozen in the end.
    pub(super) fn add(&mut self, both_failed: bool, now: Instant) {
        self.count = self.count.saturating_add(1);
        self.again_at = now + pause(self.count);
        self.is_frozen = both_failed && self.count >= FREEZE_AFTER;
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
    /// It is not tried any more.
    Frozen {
        /// How often in a row it failed here.
        failures: u32,
    },
}

impl AfterFailure {
    /// Whether nobody tries any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Frozen { .. })
    }
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
            Self::Frozen { failures } => write!(
                f,
                "nor could it on the other node, and this was failure {failures} in a row: it is not tried any more. Mend \
                 what its log lines tell of, then run hb_takeover on this node, or restart heartbeat on either"
            ),
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
    fn only_what_failed_on_both_nodes_is_frozen_and_a_success_forgets_it() {
        let now = Instant::from_micros(1_000_000);
        for (both, frozen) in [(false, false), (true, true)] {
            let mut failures = Failures::default();
            for _ in 0..FREEZE_AFTER {
                assert!(!failures.is_frozen);
                failures.add(both, now);
            }
            assert_eq!(failures.is_frozen, frozen);
            let late = now + START_SELDOM * 10;
            assert_eq!(failures.rest(late), frozen);
            failures.forget();
            assert!(!failures.rest(now));
        }
    }
}
