//! The track that the peer's messages left. A message of a higher generation, or one far ahead of the last, is followed
//! at once: a restart and a long loss look like that. So does a node gone wrong, or another machine in its name. Where
//! the track that was left goes on and the new one does not, the new one was none: the peer lives (S2).

use super::incoming::{Incoming, LARGEST_GAP};
use super::time::Instant;

/// After so many heartbeats that go on with it, and silence on the new one, the former track is the true one.
const CONVINCING: u32 = 2;

/// The run, or the part of it, that was heard before.
#[derive(Debug, Clone)]
pub struct FormerRun {
    /// Its generation.
    pub generation: u64,
    /// Its stream, as it was when it was left.
    pub incoming: Incoming,
    /// Generation and number of the message by which it was left.
    pub left_by: (u64, u64),
    /// Whether it may be taken up again.
    may_return: bool,
    /// The highest number heard of it, and when. A recording of it would have to begin at once and to go on without a
    /// pause.
    heard: u64,
    heard_at: Instant,
    /// How many heartbeats of it were heard since the last message of the new track.
    heartbeats: u32,
}

impl FormerRun {
    /// What was heard until `now`, when the message `left_by` left it.
    pub fn new(
        generation: u64,
        incoming: Incoming,
        left_by: (u64, u64),
        may_return: bool,
        now: Instant,
    ) -> Self {
        Self {
            generation,
            heard: incoming.highest(),
            incoming,
            left_by,
            may_return,
            heard_at: now,
            heartbeats: 0,
        }
    }

    /// When something of it was heard last.
    pub fn heard_at(&self) -> Instant {
        self.heard_at
    }

    /// Whether more of it was heard since it was left: then the track that was followed instead is in doubt.
    pub fn has_gone_on(&self) -> bool {
        self.heard > self.incoming.highest()
    }

    /// The other track goes on.
    pub fn doubt(&mut self) {
        self.heartbeats = 0;
    }

    /// A heartbeat that the other track takes for an old one. Whether this one goes on with it, for long enough.
    pub fn hear(&mut self, generation: u64, number: u64, now: Instant) -> bool {
        let goes_on = self.heard < number && number <= self.heard.saturating_add(LARGEST_GAP);
        if !self.may_return || self.generation != generation || !goes_on {
            return false;
        }
        (self.heard, self.heard_at) = (number, now);
        self.heartbeats = self.heartbeats.saturating_add(1);
        self.heartbeats >= CONVINCING
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::random::Jitter;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    /// It was heard up to number 10.
    fn run(may_return: bool) -> FormerRun {
        let mut jitter = Jitter::new(1);
        let incoming = Incoming::new(10, &mut jitter);
        FormerRun::new(7, incoming, (8, 1), may_return, at(1))
    }

    #[test]
    fn two_heartbeats_that_go_on_with_it_convince_and_nothing_less() {
        let mut former = run(true);
        assert!(!former.has_gone_on());
        assert!(!former.hear(7, 11, at(2)));
        assert!(former.has_gone_on());
        assert_eq!(former.heard_at(), at(2));
        former.doubt(); // the new track was heard meanwhile
        assert!(!former.hear(7, 12, at(3)));
        assert!(former.hear(7, 13, at(4)));
    }

    #[test]
    fn what_does_not_go_on_with_it_proves_nothing() {
        for (may_return, generation, number) in [
            (false, 7, 11),
            (true, 8, 11),
            (true, 7, 10),
            (true, 7, 9),
            (true, 7, 11 + LARGEST_GAP),
        ] {
            let mut former = run(may_return);
            for _ in 0..3 {
                assert!(!former.hear(generation, number, at(2)), "{number}");
            }
            assert!(!former.has_gone_on());
            assert_eq!(former.heard_at(), at(1));
        }
        assert!(!run(true).hear(7, 10 + LARGEST_GAP, at(2)));
        let mut former = run(true);
        former.hear(7, 10 + LARGEST_GAP, at(2));
        assert!(former.has_gone_on(), "a gap that is still followed");
    }
}
