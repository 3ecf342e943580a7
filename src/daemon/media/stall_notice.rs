//! How often it is told that a serial line stands still. A value: no clock.

use std::time::Duration;

use crate::cluster::Instant;

/// A line that does not move is told once in this time.
const STILL: Duration = Duration::from_secs(3600);
/// One that moved again since is told sooner: it is another outage.
const ANEW: Duration = Duration::from_secs(60);

/// When a stalled line was last told, and whether it moved since.
#[derive(Debug, Default)]
pub struct StallNotice {
    told: Option<Instant>,
    moved: bool,
}

impl StallNotice {
    /// To be asked after each write: whether the line was found standing still just now, and that is to be told.
    /// `moves`: since it last stood still, bytes have left.
    pub fn is_due(&mut self, stalled: bool, moves: bool, now: Instant) -> bool {
        self.moved |= moves;
        let pause = if self.moved { ANEW } else { STILL };
        let due = stalled && self.told.is_none_or(|told| now.since(told) >= pause);
        if due {
            self.told = Some(now);
            self.moved = false;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At which of these seconds (each with: does it stand still) a line is written.
    fn told(seconds: impl Iterator<Item = (u64, bool)>) -> Vec<u64> {
        let mut notice = StallNotice::default();
        seconds
            .filter(|&(second, stands)| {
                let now = Instant::from_micros(second * 1_000_000);
                notice.is_due(stands, !stands, now)
            })
            .map(|(second, _)| second)
            .collect()
    }

    #[test]
    fn a_line_that_stays_still_is_told_once_an_hour() {
        assert_eq!(
            told((0..7300).map(|second| (second, second >= 10))),
            [10, 3610, 7210]
        );
    }

    #[test]
    fn each_outage_is_told_but_not_more_than_once_a_minute() {
        let outages = (0..600).map(|second| (second, second % 200 >= 150));
        assert_eq!(told(outages), [150, 350, 550]);
        let flaps = (0..180).map(|second| (second, second % 2 == 1));
        assert_eq!(told(flaps), [1, 61, 121]);
    }
}
