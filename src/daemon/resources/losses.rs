//! How often an address was lost lately, and what is to be said about it. A value: it is told the time.

use std::time::Duration;

use crate::cluster::Instant;

/// So many losses within this time are no accident: somebody works against us.
const MANY: u32 = 5;
const LATELY: Duration = Duration::from_secs(60);
/// From then on it is put back no more often than this.
const PACE: Duration = Duration::from_secs(1);
/// Away for so long, it is not only a moment in which an interface is set up anew.
const AWAY: Duration = Duration::from_secs(5);
/// How often it is told that an address does not stay: the other node may be able to take it by now.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// The losses of one address.
#[derive(Debug, Default)]
pub(super) struct Losses {
    lately: u32,
    since: Instant,
    last: Instant,
    /// Since when it can't be put back.
    away_since: Option<Instant>,
    told_at: Option<Instant>,
}

/// What to say of a loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Note {
    /// Nothing new.
    Nothing,
    /// That it happened.
    Loss,
    /// That it happens again and again.
    Contested,
}

impl Losses {
    /// Whether it is time to put it back.
    pub fn may_put_back(&self, now: Instant) -> bool {
        !self.is_contested(now) || now.since(self.last) >= PACE
    }

    /// It was lost and is there again.
    pub fn put_back(&mut self, now: Instant) -> Note {
        self.away_since = None;
        if now.since(self.since) >= LATELY {
            self.since = now;
            self.lately = 0;
        }
        self.last = now;
        self.lately = self.lately.saturating_add(1);
        match self.lately.cmp(&MANY) {
            std::cmp::Ordering::Less => Note::Loss,
            std::cmp::Ordering::Equal => Note::Contested,
            std::cmp::Ordering::Greater => Note::Nothing,
        }
    }

    /// It was lost and can't be put back. Whether this is news.
    pub fn stays_away(&mut self, now: Instant) -> bool {
        let is_news = self.away_since.is_none();
        self.away_since.get_or_insert(now);
        is_news
    }

    /// It is there.
    pub fn is_there(&mut self) {
        self.away_since = None;
    }

    /// Whether it is to be told now that the address is of no use here.
    pub fn is_useless(&mut self, now: Instant) -> bool {
        let is_away = self
            .away_since
            .is_some_and(|since| now.since(since) >= AWAY);
        let useless = is_away || self.is_contested(now);
        let due = self.told_at.is_none_or(|at| now.since(at) >= TELL_AGAIN);
        if useless && due {
            self.told_at = Some(now);
        }
        useless && due
    }

    fn is_contested(&self, now: Instant) -> bool {
        self.lately >= MANY && now.since(self.since) < LATELY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(1_000_000_000 + seconds * 1_000_000)
    }

    #[test]
    fn a_few_losses_are_told_one_by_one_and_many_of_them_once() {
        let mut losses = Losses::default();
        for second in 0..4 {
            assert!(losses.may_put_back(at(second)));
            assert_eq!(losses.put_back(at(second)), Note::Loss);
            assert!(!losses.is_useless(at(second)));
        }
        assert_eq!(losses.put_back(at(4)), Note::Contested);
        assert!(losses.is_useless(at(4)));
        assert!(!losses.is_useless(at(5)), "told");
        assert!(!losses.may_put_back(at(4)) && losses.may_put_back(at(5)));
        assert_eq!(losses.put_back(at(5)), Note::Nothing);
        assert_eq!(losses.put_back(at(60)), Note::Loss, "a minute later");
        assert!(!losses.is_useless(at(70)));
    }

    #[test]
    fn what_can_not_be_put_back_is_told_once_and_useless_once_a_minute() {
        let mut losses = Losses::default();
        assert!(losses.stays_away(at(0)) && !losses.stays_away(at(1)));
        let told: Vec<u64> = (0..200)
            .filter(|&second| losses.is_useless(at(second)))
            .collect();
        assert_eq!(told, [5, 65, 125, 185]);
        losses.is_there();
        assert!(!losses.is_useless(at(300)));
        assert!(losses.stays_away(at(301)), "news again");
    }
}
