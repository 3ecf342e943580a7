//! What `ipfail` knows of the peer, what it is about to do, and what it did.

use super::movement::{MoveRefusal, Selection};
use super::ping::PingCounts;
use super::time::Instant;

/// What is known and intended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ipfail {
    /// What the peer said last of its own, and when it was heard.
    pub(super) theirs: Option<(PingCounts, Instant)>,
    /// What is about to go.
    pub(super) giveup: Option<Giveup>,
    /// How often something was.
    pub(super) giveups: u64,
    /// A question to the peer is under way since.
    pub(super) asked: Option<Instant>,
    /// An operator moved resources here although fewer ping nodes answer here: they stay until as many do.
    pub(super) overruled: bool,
    /// As many answer here as there, or more, since.
    pub(super) even_since: Option<Instant>,
    /// This node gave up while so many answered here, and takes back what prefers it when it sees more again.
    pub(super) gave_with: Option<u32>,
    /// How often it gave up, and when last.
    pub(super) losses: u32,
    pub(super) lost_at: Instant,
    /// The planned move of ours that is under way.
    pub(super) move_number: Option<u64>,
    /// Moves in a row that came to nothing, and when the next may begin.
    pub(super) failures: u32,
    pub(super) again_at: Instant,
    pub(super) differ_told: bool,
    /// See `classic/ipfail.rs`.
    pub(super) old: OldIpfail,
}

/// Towards the `ipfail` of a peer that runs heartbeat 3.0.6.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OldIpfail {
    /// It was told that ours is there.
    pub(super) greeted: bool,
    /// Number of its last message.
    pub(super) number: u64,
    /// How many ping nodes it said it sees, while that waits for an answer.
    pub(super) question: Option<u32>,
    /// It gave what we hold because it sees fewer.
    pub(super) gave: bool,
}

/// Resources are about to go.
#[derive(Debug, Clone, Copy)]
pub(super) struct Giveup {
    /// Not before.
    pub(super) at: Instant,
    /// Which.
    pub(super) what: Selection,
    /// Whether the peer was heard to say so again since; see `classic/ipfail.rs`.
    pub(super) word: Word,
    /// What kept them here, as told.
    pub(super) refused: Option<MoveRefusal>,
}

/// How sure a give-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    /// To be made sure at its time.
    Open,
    /// The peer was asked once more.
    Asked,
    /// It is sure.
    Sure,
}
