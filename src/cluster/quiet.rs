//! What would fill the log is told once in a while, with how often it was.

use std::time::Duration;

use super::time::Instant;

/// The shortest time between two lines of one kind.
const PAUSE: Duration = Duration::from_secs(60);

/// Counts what is not told.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet {
    untold: u64,
    told_at: Option<Instant>,
}

impl Quiet {
    /// Counts one. `Some(n)` when it is time to tell: there were `n` since the last line, this one included.
    pub fn count(&mut self, now: Instant) -> Option<u64> {
        self.untold += 1;
        if self.told_at.is_some_and(|told| now.since(told) < PAUSE) {
            return None;
        }
        self.told_at = Some(now);
        Some(std::mem::take(&mut self.untold))
    }

    /// Counts one that is not to be told now, whenever the last line was.
    pub fn count_untold(&mut self) {
        self.untold += 1;
    }
}
