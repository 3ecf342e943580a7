//! Which links a node hears the other one on, and how soon it knows that it does not.
//!
//! A link is *up* for deadtime after the last word that came on it. That is what the peer's life depends on; a person, and
//! the peer, want to know sooner that a link is silent, and can: the peer sends each heartbeat on every link, so a link on
//! which one has not come that came on another is silent. A heartbeat that comes on none is missed when it is due.
//!
//! A slow line is late by nature. Each is given twice what its copies have lately been late by.

use std::time::Duration;

use super::time::Instant;

/// The most links of a node.
pub(super) const MOST_LINKS: usize = 64;

/// One link, or one that the peer sends on.
#[derive(Debug, Clone, Copy, Default)]
struct Ear {
    is_open: bool,
    /// Number of the newest heartbeat that came here.
    newest: u64,
    /// Since when a heartbeat is known, or due, that has not come here, nor any newer one.
    behind: Option<Instant>,
    /// How late copies come here after the first one, lately at most.
    lag: Duration,
}

impl Ear {
    /// When it counts as silent if nothing comes, after `patience` at the soonest; `due` is when the next heartbeat is.
    fn closes_at(&self, patience: Duration, due: Option<Instant>) -> Option<Instant> {
        let since = self.behind.or(due).filter(|_| self.is_open)?;
        Some(since + patience.max(self.lag * 2))
    }
}

/// A link on which a heartbeat is so late is silent, unless it is slow by nature.
fn least_patience(keepalive: Duration) -> Duration {
    keepalive * 3 / 4
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Ears {
    all: Vec<Ear>,
    /// Number of the newest heartbeat.
    newest: u64,
    /// When it first came; `None` before there is one.
    newest_at: Option<Instant>,
    /// How far heartbeats are apart, lately at most.
    rhythm: Duration,
}

/// A copy of a heartbeat that came in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Copy {
    /// Its number.
    pub(super) number: u64,
    /// When its first copy came.
    pub(super) first: Instant,
    /// When this one did.
    pub(super) now: Instant,
    /// It has the short form: a full one takes a slow line much longer, and nobody announces it.
    pub(super) is_short: bool,
}

impl Ears {
    /// A copy came on the link with this place. Places beyond [`MOST_LINKS`] do not count.
    pub(super) fn hear(
        &mut self,
        place: usize,
        copy: Copy,
        keepalive: Duration,
        longest: Duration,
    ) {
        if place >= MOST_LINKS {
            return;
        }
        if self.all.len() <= place {
            self.all.resize(place + 1, Ear::default());
        }
        let Copy {
            number,
            first,
            now,
            is_short,
        } = copy;
        // What full ones took is not forgotten over short ones.
        let fading = |time: Duration| {
            if is_short {
                time
            } else {
                time.saturating_sub(time / 8)
            }
        };
        if number > self.newest {
            let interval = self.newest_at.map_or(keepalive, |at| now.since(at));
            self.rhythm = interval
                .max(fading(self.rhythm))
                .max(keepalive)
                .min(longest);
            (self.newest, self.newest_at) = (number, Some(now));
            for ear in &mut self.all {
                ear.behind.get_or_insert(now);
            }
        }
        if let Some(ear) = self.all.get_mut(place) {
            ear.is_open = true;
            ear.lag = now.since(first).max(fading(ear.lag)).min(longest);
            ear.newest = ear.newest.max(number);
            ear.behind = (ear.newest < self.newest).then_some(now);
        }
    }

    /// Everything was read: who is silent now is silent.
    pub(super) fn judge(&mut self, keepalive: Duration, now: Instant) {
        let (patience, due) = (least_patience(keepalive), self.due());
        for ear in &mut self.all {
            if ear.closes_at(patience, due).is_some_and(|at| at <= now) {
                ear.is_open = false;
            }
        }
    }

    /// When the next one would be silent.
    pub(super) fn next(&self, keepalive: Duration) -> Option<Instant> {
        let (patience, due) = (least_patience(keepalive), self.due());
        let all = self.all.iter();
        all.filter_map(|ear| ear.closes_at(patience, due)).min()
    }

    /// We did not listen for so long: that is nobody's silence but ours.
    pub(super) fn excuse(&mut self, pause: Duration) {
        self.newest_at = self.newest_at.map(|at| at + pause);
        for ear in &mut self.all {
            ear.behind = ear.behind.map(|at| at + pause);
        }
    }

    /// Whether something is heard there.
    pub(super) fn is_open(&self, place: usize) -> bool {
        self.all.get(place).is_some_and(|ear| ear.is_open)
    }

    /// Whether something is heard anywhere.
    pub(super) fn any_is_open(&self) -> bool {
        self.all.iter().any(|ear| ear.is_open)
    }

    /// A bit for each place where something is heard; `None` before anything was.
    pub(super) fn bits(&self) -> Option<u64> {
        let open = (0_u32..).zip(&self.all).filter(|(_, ear)| ear.is_open);
        let bits = open.fold(0, |bits, (place, _)| {
            bits | 1_u64.checked_shl(place).unwrap_or(0)
        });
        (!self.all.is_empty()).then_some(bits)
    }

    fn due(&self) -> Option<Instant> {
        self.newest_at.map(|at| at + self.rhythm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPALIVE: Duration = Duration::from_millis(200);
    const LONGEST: Duration = Duration::from_secs(1);

    fn at(millis: u64) -> Instant {
        Instant::from_micros(1_000_000 + millis * 1000)
    }

    /// One copy on each of these links, late by so many milliseconds.
    fn beat(ears: &mut Ears, number: u64, millis: u64, links: &[(usize, u64)]) {
        for &(place, late) in links {
            let copy = Copy {
                number,
                first: at(millis),
                now: at(millis + late),
                is_short: false,
            };
            ears.hear(place, copy, KEEPALIVE, LONGEST);
        }
    }

    #[test]
    fn a_link_that_others_outrun_is_silent_before_the_next_heartbeat_but_one() {
        let mut ears = Ears::default();
        assert_eq!(ears.bits(), None, "nothing was ever heard");
        for number in 1..4 {
            beat(&mut ears, number, number * 200, &[(0, 0), (2, 1)]);
        }
        assert_eq!(ears.bits(), Some(0b101));
        beat(&mut ears, 4, 800, &[(0, 0)]);
        ears.judge(KEEPALIVE, at(949));
        assert!(ears.is_open(2));
        assert_eq!(ears.next(KEEPALIVE), Some(at(950)));
        ears.judge(KEEPALIVE, at(950));
        assert_eq!(ears.bits(), Some(0b001));
        beat(&mut ears, 5, 1000, &[(2, 0)]);
        assert_eq!(ears.bits(), Some(0b101), "one copy opens it");
    }

    #[test]
    fn a_slow_line_is_given_twice_the_time_that_it_takes() {
        let mut ears = Ears::default();
        for number in 1..20 {
            beat(&mut ears, number, number * 200, &[(0, 0)]);
            if number > 2 {
                // Each is there when the next but one has come elsewhere.
                let (first, now) = (at((number - 2) * 200), at(number * 200 + 10));
                let number = number - 2;
                let copy = Copy {
                    number,
                    first,
                    now,
                    is_short: false,
                };
                ears.hear(1, copy, KEEPALIVE, LONGEST);
                ears.judge(KEEPALIVE, now + KEEPALIVE * 3 / 4);
                assert!(ears.is_open(1), "{number}");
            }
        }
        ears.judge(KEEPALIVE, at(19 * 200 + 10 + 821));
        assert!(!ears.is_open(1), "silent for twice 410 ms");
    }

    #[test]
    fn two_that_change_places_on_the_way_leave_nothing_behind() {
        let mut ears = Ears::default();
        beat(&mut ears, 2, 3, &[(0, 0), (1, 0)]);
        beat(&mut ears, 1, 0, &[(1, 4), (0, 5)]);
        ears.judge(KEEPALIVE, at(200));
        assert_eq!(ears.bits(), Some(0b11));
    }

    #[test]
    fn a_heartbeat_that_comes_nowhere_is_missed_when_it_is_due() {
        let mut ears = Ears::default();
        beat(&mut ears, 1, 0, &[(0, 0), (1, 0)]);
        beat(&mut ears, 2, 200, &[(0, 0), (1, 0)]);
        ears.judge(KEEPALIVE, at(549));
        assert_eq!(ears.bits(), Some(0b11));
        ears.judge(KEEPALIVE, at(550));
        assert_eq!(ears.bits(), Some(0));
        assert_eq!(ears.next(KEEPALIVE), None);
        // A peer with a longer keepalive has its own rhythm.
        let mut ears = Ears::default();
        for number in 1..4 {
            beat(&mut ears, number, number * 500, &[(0, 0)]);
        }
        ears.judge(KEEPALIVE, at(2100));
        assert!(ears.is_open(0));
    }

    #[test]
    fn a_pause_of_our_own_is_no_silence_of_theirs() {
        let mut ears = Ears::default();
        beat(&mut ears, 1, 0, &[(0, 0), (1, 0)]);
        beat(&mut ears, 2, 200, &[(0, 0)]);
        ears.excuse(Duration::from_secs(5));
        ears.judge(KEEPALIVE, at(5300));
        assert_eq!(ears.bits(), Some(0b11));
    }

    #[test]
    fn what_a_peer_calls_its_links_takes_no_room() {
        let mut ears = Ears::default();
        beat(&mut ears, 1, 0, &[(MOST_LINKS, 0), (usize::MAX, 0)]);
        assert_eq!(ears.bits(), None);
        beat(&mut ears, 1, 0, &[(MOST_LINKS - 1, 0)]);
        assert_eq!(ears.bits(), Some(1 << 63));
    }
}
