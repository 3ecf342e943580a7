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
