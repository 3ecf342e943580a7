//! The numbered stream of one node as somebody sees it who listens on all links: what is new, what a copy, what is missing.
//!
//! The daemon's own rules are in `cluster::incoming`. They judge what one receiver may believe; this says what went over
//! the wires, for both nodes, and gives nothing up.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::order::{Order, Way};

/// A jump over more numbers than this is not followed, as in the daemon.
const LARGEST_GAP: u64 = 250;
/// So many of the newest numbers remember where they came.
const WINDOW: usize = 1024;
/// So many numbers may be missing or asked for at a time.
const MOST_MISSING: usize = 1024;
/// A number that was asked for so often was asked for in vain. Requests and answers cross, so one or two say nothing.
const IN_VAIN: u32 = 5;

/// How often each thing happened in a stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Numbers seen for the first time.
    #[serde(skip)]
    pub new: u64,
    /// Of these, those that came after higher ones without having been asked for.
    pub late: u64,
    /// Numbers that were given up: too many at a time, or of a run that ended.
    #[serde(skip)]
    lost: u64,
    /// Copies on other ways.
    pub copies: u64,
    /// Sent again after somebody had asked.
    pub again: u64,
    /// Seen twice on one way although nobody had asked.
    pub unasked: u64,
    /// Older than anything remembered.
    pub old: u64,
    /// Of runs that were over.
    pub replays: u64,
    /// New runs.
    pub restarts: u64,
}

#[derive(Debug, Clone, Copy)]
struct Seen {
    first: Way,
    ways: u64,
}

/// The stream of one node.
#[derive(Debug, Clone, Default)]
pub struct Stream {
    generation: Option<u64>,
    /// The run before.
    former: Option<u64>,
    /// What is left of it may still come.
    awaits_leftovers: bool,
    highest: u64,
    missing: BTreeSet<u64>,
    /// How often each number was asked for since it was last sent.
    asked: BTreeMap<u64, u32>,
    window: BTreeMap<u64, Seen>,
    counts: Counts,
}

impl Stream {
    /// The run that is on.
    pub fn generation(&self) -> Option<u64> {
        self.generation
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// How many numbers never came.
    pub fn missing(&self) -> u64 {
        self.counts.lost.saturating_add(count(self.missing.len()))
    }

    /// How many numbers were asked for again and again and neither sent nor refused.
    pub fn unanswered(&self) -> u64 {
        let in_vain = self.asked.values().filter(|&&times| times >= IN_VAIN);
        count(in_vain.count())
    }

    /// A message with this generation and number came.
    pub fn arrive(
        &mut self,
        generation: u64,
        number: Option<u64>,
        way: Way,
        is_heartbeat: bool,
    ) -> Order {
        let order = self.judge(generation, number, way, is_heartbeat);
        let counts = &mut self.counts;
        let counter = match order {
            Order::Copy(_) => Some(&mut counts.copies),
            Order::Again { asked: true } => Some(&mut counts.again),
            Order::Again { asked: false } => Some(&mut counts.unasked),
            Order::Old => Some(&mut counts.old),
            Order::Replay { .. } => Some(&mut counts.replays),
            Order::Restart { .. } => Some(&mut counts.restarts),
            Order::Late => Some(&mut counts.late),
            _ => None,
        };
        if let Some(counter) = counter {
            *counter = counter.saturating_add(1);
        }
        if order.is_first_sight() {
            counts.new = counts.new.saturating_add(1);
        }
        order
    }

    /// The run that is on has lasted long enough for everything of the one before to have come.
    pub fn expect_no_leftovers(&mut self) {
        self.awaits_leftovers = false;
    }

    /// Somebody asked for these numbers again.
    pub fn ask(&mut self, first: u64, last: u64) {
        for number in first..=last.min(self.highest) {
            if self.asked.len() >= MOST_MISSING {
                return;
            }
            let times = self.asked.entry(number).or_insert(0);
            *times = times.saturating_add(1);
        }
    }

    /// The node said that it will not send this number again.
    pub fn refuse(&mut self, number: u64) {
        self.asked.remove(&number);
    }

    fn judge(
        &mut self,
        generation: u64,
        number: Option<u64>,
        way: Way,
        is_heartbeat: bool,
    ) -> Order {
        let current = self.generation;
        if let Some(current) = current.filter(|current| generation < *current) {
            if self.awaits_leftovers && self.former == Some(generation) {
                return Order::Leftover;
            }
            return Order::Replay {
                generation,
                current,
            };
        }
        let Some(number) = number else {
            return Order::Unnumbered;
        };
        if let Some(from) = current.filter(|current| generation > *current) {
            self.begin(generation, number, way);
            (self.former, self.awaits_leftovers) = (Some(from), true);
            // Every run begins with number 1, and what overtakes that is not the first.
            if number <= LARGEST_GAP {
                self.missing.extend(1..number);
            }
            return Order::Restart {
                from,
                to: generation,
                by_heartbeat: is_heartbeat,
            };
        }
        if current.is_none() {
            self.begin(generation, number, way);
            return Order::First;
        }
        if number > self.highest {
            return self.go_on(number, way);
        }
        self.look_back(number, way)
    }

    fn begin(&mut self, generation: u64, number: u64, way: Way) {
        self.counts.lost = self.missing();
        self.generation = Some(generation);
        self.highest = number;
        self.missing.clear();
        self.asked.clear();
        self.window.clear();
        self.remember(number, way);
    }

    fn go_on(&mut self, number: u64, way: Way) -> Order {
        let first = self.highest.saturating_add(1);
        let skipped = number.saturating_sub(first);
        self.highest = number;
        self.remember(number, way);
        if skipped == 0 {
            return Order::New;
        }
        if skipped > LARGEST_GAP {
            self.counts.lost = self.counts.lost.saturating_add(skipped);
            return Order::LostMany(skipped);
        }
        for lost in first..number {
            self.missing.insert(lost);
            if self.missing.len() > MOST_MISSING {
                self.missing.pop_first();
                self.counts.lost = self.counts.lost.saturating_add(1);
            }
        }
        Order::Gap {
            first,
            last: number.saturating_sub(1),
        }
    }

    fn look_back(&mut self, number: u64, way: Way) -> Order {
        if self.missing.remove(&number) {
            let asked = self.asked.remove(&number).is_some();
            self.remember(number, way);
            if asked {
                // Counted as sent again; it is new all the same.
                self.counts.new = self.counts.new.saturating_add(1);
                return Order::Again { asked };
            }
            return Order::Late;
        }
        let asked = self.asked.contains_key(&number);
        let Some(seen) = self.window.get_mut(&number) else {
            return Order::Old;
        };
        if seen.ways & way.bit() == 0 {
            seen.ways |= way.bit();
            return Order::Copy(seen.first);
        }
        if asked {
            // From here on it is a message that has just been sent, with copies of its own.
            *seen = Seen {
                first: way,
                ways: way.bit(),
            };
            self.asked.remove(&number);
        }
        Order::Again { asked }
    }

    fn remember(&mut self, number: u64, way: Way) {
        let seen = Seen {
            first: way,
            ways: way.bit(),
        };
        self.window.insert(number, seen);
        if self.window.len() > WINDOW {
            self.window.pop_first();
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Way = Way(0);
    const B: Way = Way(1);

    fn stream(numbers: &[u64]) -> Stream {
        let mut stream = Stream::default();
        for number in numbers {
            stream.arrive(5, Some(*number), A, true);
        }
        stream
    }

    #[test]
    fn copies_name_the_way_on_which_the_first_one_came() {
        let mut stream = Stream::default();
        assert_eq!(stream.arrive(5, Some(7), A, true), Order::First);
        assert_eq!(stream.arrive(5, Some(7), B, true), Order::Copy(A));
        assert_eq!(stream.arrive(5, Some(8), B, true), Order::New);
        assert_eq!(stream.arrive(5, Some(8), A, true), Order::Copy(B));
        assert_eq!(
            stream.arrive(5, Some(8), A, true),
            Order::Again { asked: false }
        );
        assert_eq!(stream.arrive(5, Some(3), A, true), Order::Old);
        assert_eq!(stream.counts().copies, 2);
    }

    #[test]
    fn what_fills_a_gap_is_late_or_sent_again() {
        let mut stream = stream(&[1, 2]);
        assert_eq!(
            stream.arrive(5, Some(6), A, true),
            Order::Gap { first: 3, last: 5 }
        );
        assert_eq!(stream.arrive(5, Some(4), A, true), Order::Late);
        stream.ask(3, 3);
        assert_eq!(
            stream.arrive(5, Some(3), A, true),
            Order::Again { asked: true }
        );
        assert_eq!(stream.missing, BTreeSet::from([5]));
        stream.ask(5, 5);
        assert_eq!(stream.unanswered(), 0);
        (0..10).for_each(|_| stream.ask(5, 5));
        assert_eq!(stream.unanswered(), 1);
        stream.refuse(5);
        assert_eq!(stream.unanswered(), 0);
        assert_eq!(stream.counts().new, 5);
    }

    #[test]
    fn a_retransmission_of_what_we_had_heard_has_copies_of_its_own() {
        let mut stream = stream(&[1, 2]);
        stream.arrive(5, Some(2), B, true);
        stream.ask(2, 2);
        assert_eq!(
            stream.arrive(5, Some(2), A, true),
            Order::Again { asked: true }
        );
        assert_eq!(stream.arrive(5, Some(2), B, true), Order::Copy(A));
    }

    #[test]
    fn a_higher_generation_is_a_restart_and_a_lower_one_a_replay() {
        let mut stream = stream(&[1, 9]);
        let restart = Order::Restart {
            from: 5,
            to: 6,
            by_heartbeat: true,
        };
        assert_eq!(stream.arrive(6, Some(1), A, true), restart);
        assert_eq!(stream.arrive(6, Some(2), A, true), Order::New);
        stream.expect_no_leftovers();
        let replay = Order::Replay {
            generation: 5,
            current: 6,
        };
        assert_eq!(stream.arrive(5, Some(10), A, true), replay);
        assert_eq!(stream.arrive(5, None, A, false), replay);
        assert_eq!(stream.arrive(6, None, A, false), Order::Unnumbered);
        assert_eq!(
            stream.counts().lost,
            7,
            "nobody will send what was missing of the old run"
        );
    }

    #[test]
    fn the_first_words_of_a_run_may_overtake_each_other_and_the_last_of_the_run_before() {
        let mut stream = stream(&[8, 9]);
        let early = stream.arrive(6, Some(2), A, false);
        assert!(matches!(
            early,
            Order::Restart {
                by_heartbeat: false,
                ..
            }
        ));
        assert_eq!(stream.arrive(6, Some(1), A, true), Order::Late);
        assert_eq!(stream.arrive(5, Some(10), A, true), Order::Leftover);
        stream.expect_no_leftovers();
        let late = stream.arrive(5, Some(11), A, true);
        assert!(matches!(late, Order::Replay { .. }));
        assert_eq!(stream.counts().replays, 1);
    }

    #[test]
    fn numbers_of_any_size_cost_bounded_memory() {
        let mut stream = stream(&[1]);
        assert_eq!(
            stream.arrive(5, Some(u64::MAX), A, true),
            Order::LostMany(u64::MAX - 2)
        );
        let mut stream = Stream::default();
        stream.arrive(0, Some(1), A, true);
        for number in (1..100_000).map(|step| step * 200) {
            stream.arrive(0, Some(number), A, true);
            stream.ask(0, u64::MAX);
        }
        assert!(stream.missing.len() <= MOST_MISSING);
        assert!(stream.asked.len() <= MOST_MISSING);
        assert!(stream.window.len() <= WINDOW);
    }
}
