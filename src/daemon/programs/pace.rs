//! When a program that has ended is started again.

use std::time::Duration;

/// A life that is shorter counts as one that ended quickly.
const SHORT_LIFE: Duration = Duration::from_secs(30);
/// The wait after such a life.
const PAUSE: Duration = Duration::from_secs(1);
/// So many of them in a row are put down to chance.
const QUICK_ENDS: u32 = 10;
/// The wait from then on. Heartbeat 3.0.6 gives up for good, which on a machine that nobody visits means for ever.
pub const REST: Duration = Duration::from_secs(600);

/// How a program has fared lately.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pace {
    quick_ends: u32,
}

/// What becomes of a program that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is started again after this time.
    Again(Duration),
    /// It has ended too quickly too often for the first time since it last lived for long, and has a rest of [`REST`].
    Rest,
}

impl Pace {
    /// Judges a program that has ended after so long a life.
    pub fn ended(&mut self, life: Duration) -> Verdict {
        if life >= SHORT_LIFE {
            self.quick_ends = 0;
            return Verdict::Again(Duration::ZERO);
        }
        self.quick_ends = self.quick_ends.saturating_add(1);
        match self.quick_ends {
            ..=QUICK_ENDS => Verdict::Again(PAUSE),
            ends if ends == QUICK_ENDS.saturating_add(1) => Verdict::Rest,
            _ => Verdict::Again(REST),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_millis(29_999);

    #[test]
    fn ten_quick_ends_in_a_row_are_forgiven_and_the_eleventh_brings_a_rest() {
        let mut pace = Pace::default();
        for _ in 0..10 {
            assert_eq!(pace.ended(SHORT), Verdict::Again(PAUSE));
        }
        assert_eq!(pace.ended(Duration::ZERO), Verdict::Rest);
        for _ in 0..3 {
            assert_eq!(pace.ended(SHORT), Verdict::Again(REST), "said once");
        }
        assert_eq!(pace.ended(SHORT_LIFE), Verdict::Again(Duration::ZERO));
        assert_eq!(pace.ended(SHORT), Verdict::Again(PAUSE));
    }

    #[test]
    fn one_long_life_among_short_ones_is_enough() {
        let mut pace = Pace::default();
        for round in 0..50 {
            let (life, wait) = if round % 10 == 9 {
                (SHORT_LIFE, Duration::ZERO)
            } else {
                (SHORT, PAUSE)
            };
            assert_eq!(pace.ended(life), Verdict::Again(wait), "{round}");
        }
    }
}
