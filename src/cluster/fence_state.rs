//! How far the fencing of a peer is.

use std::fmt;

use super::time::Instant;

/// How far the fencing of a dead peer is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FencingStage {
    /// The peer is not dead, or needs no fencing.
    #[default]
    None,
    /// A device is asked then.
    Waiting(Instant),
    /// The devices are being asked.
    Trying,
    /// This node is about to leave: no device is asked any more, and nothing of the peer is taken.
    Abandoned,
    /// It was reset, or counts as that.
    Done,
}

/// How far it is, and what was tried.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fencing {
    pub(super) stage: FencingStage,
    /// When the peer was found dead.
    pub(super) since: Instant,
    pub(super) failures: u32,
    /// The peer lives and asks for it.
    pub(super) is_on_request: bool,
    /// When a device said that it has reset the peer.
    pub(super) done_at: Instant,
    /// Numbers the requests of this run, so that a late answer is not taken for one to a newer request.
    pub(super) request: u64,
}

/// Why a peer can't be declared dead by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmationRefusal {
    /// It talks.
    Heard,
    /// It may still be heard: its time is not over.
    NotDeadYet,
    /// Nothing waits for that.
    NothingWaits,
}

impl fmt::Display for ConfirmationRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Heard => "it is heard, so it is not down; nothing was done",
            Self::NotDeadYet => {
                "it does not count as dead yet; wait for deadtime, or initdead after a start"
            }
            Self::NothingWaits => "nothing waits for it to be reset",
        })
    }
}

impl Fencing {
    /// Whether the peer is dead and nobody knows whether it really is.
    pub(super) fn is_open(&self) -> bool {
        matches!(
            self.stage,
            FencingStage::Waiting(_) | FencingStage::Trying | FencingStage::Abandoned
        )
    }
}
