//! How often failures to write to a medium are told. A value: no descriptor, no clock.

use std::time::Duration;

use crate::cluster::Instant;

/// After so many in a row single failures are no longer told.
const IN_A_ROW: u64 = 10;
/// The hint is repeated after so many.
const HINT_EVERY: u64 = 1000;
/// A medium that fails and works by turns gets its lines from a budget over this time.
const WINDOW: Duration = Duration::from_secs(600);

/// The failures of one medium.
#[derive(Debug, Clone, Copy, Default)]
pub struct WriteFailures {
    in_a_row: u64,
    told: u64,
    suppressed: bool,
    window: Option<Instant>,
}

/// What to tell about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Notice {
    /// The failure itself.
    pub failure: bool,
    /// That further ones are not told.
    pub suppressing: bool,
    /// Where to look.
    pub hint: bool,
}

impl WriteFailures {
    /// Counts one more.
    pub fn failed(&mut self, now: Instant) -> Notice {
        self.in_a_row = self.in_a_row.saturating_add(1);
        if self.window.is_none_or(|start| now.since(start) >= WINDOW) {
            self.window = Some(now);
            // Within one long run the budget is not given out again.
            self.told = if self.in_a_row > IN_A_ROW {
                IN_A_ROW
            } else {
                0
            };
        }
        let failure = self.in_a_row <= IN_A_ROW && self.told < IN_A_ROW;
        if failure {
            self.told = self.told.saturating_add(1);
        }
        let last_told = failure && self.told == IN_A_ROW;
        self.suppressed |= last_told;
        Notice {
            failure,
            suppressing: last_told,
            hint: last_told || self.in_a_row.is_multiple_of(HINT_EVERY),
        }
    }

    /// A write went out; gives the length of the run that ends here when suppressing was told in it.
    pub fn worked(&mut self) -> Option<u64> {
        let run = std::mem::take(&mut self.in_a_row);
        std::mem::take(&mut self.suppressed).then_some(run)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::default() + Duration::from_secs(seconds)
    }

    #[test]
    fn ten_in_a_row_are_told_then_a_hint_and_one_more_hint_every_thousand() {
        let mut failures = WriteFailures::default();
        let notices: Vec<Notice> = (0..2000)
            .map(|second| failures.failed(at(second)))
            .collect();
        assert_eq!(notices.iter().filter(|notice| notice.failure).count(), 10);
        assert!(notices[9].suppressing && notices[9].hint);
        assert_eq!(
            notices.iter().filter(|notice| notice.suppressing).count(),
            1
        );
        assert_eq!(notices.iter().filter(|notice| notice.hint).count(), 3);
        assert_eq!(failures.worked(), Some(2000));
        assert_eq!(failures.worked(), None);
    }

    #[test]
    fn a_medium_that_fails_every_other_time_cannot_flood_the_log() {
        let mut failures = WriteFailures::default();
        let mut lines = 0;
        for second in 0..3600 {
            lines += usize::from(failures.failed(at(second)).failure);
            lines += usize::from(failures.worked().is_some());
        }
        assert_eq!(lines, 66, "eleven in ten minutes");
    }

    #[test]
    fn a_new_run_after_a_quiet_time_is_told_again() {
        let mut failures = WriteFailures::default();
        for _ in 0..20 {
            failures.failed(at(0));
        }
        failures.worked();
        assert!(failures.failed(at(700)).failure);
    }
}
