//! Who else says that an address of ours is his, and what is to be said about it. Values: they are told the time.

use std::time::Duration;

use crate::cluster::{Ethernet, Instant};

/// More rivals for one address than these are only counted.
const MOST: usize = 4;
/// How often it is told that a rival goes on.
const TELL_AGAIN: Duration = Duration::from_secs(600);
/// Time between two answers to claims of one address: two machines that both insist must not fill the network.
const PACE: Duration = Duration::from_secs(1);
/// More lines than these within a minute, over all addresses, are not written.
const MOST_LINES: u32 = 20;
const MINUTE: Duration = Duration::from_secs(60);

/// Whose hardware address it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The other node's.
    Peer,
    /// Neither node's.
    Stranger,
    /// Not this node's; the other has not told its own.
    Unknown,
}

/// The rivals for one address.
#[derive(Debug, Default)]
pub(super) struct Rivals {
    seen: Vec<Rival>,
    answered_at: Option<Instant>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rival {
    pub ethernet: Ethernet,
    pub who: Who,
    /// How often it was heard to claim the address.
    pub claims: u64,
    pub last: Instant,
    told_at: Instant,
    told_claims: u64,
}

/// What to say of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// Nothing new.
    Nothing,
    /// A rival that was not known.
    First,
    /// It claimed the address so many times since that was told.
    Again(u64),
}

impl Rivals {
    /// Somebody claims the address.
    pub fn claim(&mut self, now: Instant, ethernet: Ethernet, who: Who) -> Word {
        let known = self.seen.iter_mut().find(|one| one.ethernet == ethernet);
        if let Some(rival) = known {
            rival.claims = rival.claims.saturating_add(1);
            rival.last = now;
            if std::mem::replace(&mut rival.who, who) != who {
                return rival.tell(now, Word::First);
            }
            let since = rival.claims.saturating_sub(rival.told_claims);
            return if now.since(rival.told_at) >= TELL_AGAIN {
                rival.tell(now, Word::Again(since))
            } else {
                Word::Nothing
            };
        }
        if self.seen.len() >= MOST && !self.make_room(now, who) {
            return Word::Nothing;
        }
        self.seen.push(Rival {
            ethernet,
            who,
            claims: 1,
            last: now,
            told_at: now,
            told_claims: 1,
        });
        Word::First
    }

    /// For one who was not heard for long, and for the other node in any case.
    fn make_room(&mut self, now: Instant, who: Who) -> bool {
        let oldest = self.seen.iter().enumerate().min_by_key(|(_, one)| one.last);
        let Some((place, oldest)) = oldest else {
            return true;
        };
        let is_due = who == Who::Peer || now.since(oldest.last) >= TELL_AGAIN;
        if is_due {
            self.seen.remove(place);
        }
        is_due
    }

    /// When the claim that was just heard is to be answered by an announcement.
    pub fn answer_at(&mut self, now: Instant) -> Instant {
        let at = match self.answered_at {
            None => now,
            Some(waits) if waits > now => waits, // it answers this claim too
            Some(last) => now.max(last + PACE),
        };
        *self.answered_at.insert(at)
    }

    /// All that are known.
    pub fn seen(&self) -> &[Rival] {
        &self.seen
    }
}

impl Rival {
    fn tell(&mut self, now: Instant, word: Word) -> Word {
        (self.told_at, self.told_claims) = (now, self.claims);
        word
    }
}

/// Keeps those who invent hardware addresses from filling the log.
#[derive(Debug, Default)]
pub(super) struct Lines {
    since: Instant,
    written: u32,
}

/// What becomes of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line {
    /// It is written.
    Written,
    /// It is written, and the next ones of this minute are not.
    Last,
    /// It is not.
    Dropped,
}

impl Lines {
    /// Whether another line may be written.
    pub fn take(&mut self, now: Instant) -> Line {
        if self.written == 0 || now.since(self.since) >= MINUTE {
            (self.since, self.written) = (now, 0);
        }
        self.written = self.written.saturating_add(1);
        match self.written.cmp(&MOST_LINES) {
            std::cmp::Ordering::Less => Line::Written,
            std::cmp::Ordering::Equal => Line::Last,
            std::cmp::Ordering::Greater => Line::Dropped,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        Instant::from_micros((1_000_000 + milliseconds) * 1000)
    }

    fn mac(number: u8) -> Ethernet {
        [2, 0, 0, 0, 0, number]
    }

    #[test]
    fn a_rival_is_told_once_and_then_how_often_every_ten_minutes() {
        let mut rivals = Rivals::default();
        let mut told = Vec::new();
        for second in 0..1500 {
            match rivals.claim(at(second * 1000), mac(1), Who::Stranger) {
                Word::Nothing => {}
                word => told.push((second, word)),
            }
        }
        assert_eq!(
            told,
            [
                (0, Word::First),
                (600, Word::Again(600)),
                (1200, Word::Again(600))
            ]
        );
        assert_eq!(rivals.seen()[0].claims, 1500);
        let turned_out = rivals.claim(at(1_500_000), mac(1), Who::Peer);
        assert_eq!(turned_out, Word::First, "it is the other node after all");
    }

    #[test]
    fn a_thousand_invented_rivals_take_no_room_and_hide_not_the_other_node() {
        let mut rivals = Rivals::default();
        let mut told = 0;
        for number in 0..1000_u16 {
            let [high, low] = number.to_be_bytes();
            let ethernet = [6, 6, 6, 6, high, low];
            let word = rivals.claim(at(number.into()), ethernet, Who::Stranger);
            told += usize::from(word != Word::Nothing);
        }
        assert_eq!((told, rivals.seen().len()), (MOST, MOST));
        assert_eq!(rivals.claim(at(2000), mac(1), Who::Peer), Word::First);
        assert_eq!(rivals.seen().len(), MOST);
        let later = at(2_000_000);
        assert_eq!(rivals.claim(later, mac(2), Who::Stranger), Word::First);
    }

    #[test]
    fn claims_are_answered_at_once_and_then_once_a_second() {
        let mut rivals = Rivals::default();
        for (claimed, answered) in [
            (0, 0),
            (10, 1000),
            (500, 1000),
            (1000, 2000),
            (1900, 2000),
            (3500, 3500),
        ] {
            assert_eq!(rivals.answer_at(at(claimed)), at(answered), "{claimed}");
        }
    }

    #[test]
    fn a_minute_has_twenty_lines() {
        let mut lines = Lines::default();
        let taken: Vec<Line> = (0..100).map(|number| lines.take(at(number))).collect();
        assert_eq!(taken[..19], [Line::Written; 19]);
        assert_eq!(taken[19], Line::Last);
        assert!(taken[20..].iter().all(|line| *line == Line::Dropped));
        assert_eq!(lines.take(at(60_000)), Line::Written);
    }
}
