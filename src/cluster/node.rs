//! What a node is: its status, and what is known of the peer.

use std::fmt;
use std::time::Duration;

use super::doubt::PeerPolicy;
use super::former_run::FormerRun;
use super::incoming::Incoming;
use super::time::Instant;

/// The status of a node, in the words of `status` messages and `cl_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeStatus {
    /// Not heard in this run; also the first status that a starting node announces.
    Init,
    /// Its daemon runs; the nodes have not agreed yet.
    Up,
    /// A full member.
    Active,
    /// Silent on every link for its dead time.
    Dead,
}

impl NodeStatus {
    /// From the `st` field; case does not matter. `None` for words that a node does not say of itself.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Init, Self::Up, Self::Active]
            .into_iter()
            .find(|status| word.eq_ignore_ascii_case(status.word()))
    }

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::Up => "up",
            Self::Active => "active",
            Self::Dead => "dead",
        }
    }
}

impl fmt::Display for NodeStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What the peer says of fencing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Plea {
    /// It has a fencing device.
    pub(super) can_fence: bool,
    /// It asks to be reset.
    pub(super) wants_reset: bool,
}

/// What is known of the peer.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Its name.
    pub name: String,
    /// Its uuid, once heard.
    pub uuid: Option<[u8; 16]>,
    /// What it said, or `Dead`.
    pub status: NodeStatus,
    /// The generation of its current run.
    pub generation: u64,
    /// The run before that one, as far as this run of ours heard it, or what came before a jump in its numbers.
    pub former: Option<FormerRun>,
    /// It was a member already when it was first heard, or heard again: it did not become one through us.
    pub came_as_member: bool,
    /// The highest generation heard of it, over its death and our restart. Its current run has a lower one
    /// when its `hb_generation` file went back (a restored backup) and it has shown that it is no recording.
    pub highest_generation: u64,
    /// Whether anything of its current generation was heard in this run of ours.
    pub heard_in_this_run: bool,
    /// Its numbered stream.
    pub incoming: Incoming,
    /// When an authentic, fresh message of it last came in, on whatever link (S1).
    pub last_heard: Instant,
    /// When its last heartbeat came in.
    pub last_heartbeat: Option<Instant>,
    /// The silence after which it says that it should count as dead.
    pub deadtime: Duration,
    /// It stopped cleanly and holds nothing.
    pub has_left: bool,
    /// It is about to stop: nothing should be given to it.
    pub is_leaving: bool,
    /// The highest number of ours that it acknowledged.
    pub acknowledged: u64,
    /// Which key entry it signs with.
    pub key: Option<u8>,
    /// Until when it is taken to be busy taking over what we had, because it held us for dead: what it gives
    /// meanwhile, its own script may start again.
    pub takes_over_until: Option<Instant>,
    /// Number of its message that the last takeover has ended.
    pub takeover_ended: u64,
    /// It does not state its groups in its heartbeats: it runs heartbeat 3.0.6.
    pub is_classic: bool,
    /// What it says of fencing.
    pub(super) plea: Plea,
    /// What it says of the loss of all links.
    pub(super) policy: Option<PeerPolicy>,
}
