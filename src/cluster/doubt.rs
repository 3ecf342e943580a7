//! How far it is known whether a silent peer is down, where no device resets it.

use std::time::Duration;

use super::GroupId;
use super::time::Instant;

/// How far that is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DoubtStage {
    /// There is no doubt: it is heard, or counts as dead.
    #[default]
    None,
    /// It counts as dead then (`last_link wait`).
    Waiting(Instant),
    /// The network is asked then, if a ping node answers here, who answers for the addresses of the groups
    /// (`last_link witness`).
    Watching(Instant),
    /// It is being asked.
    Asking,
    /// It counts as dead, but only for as long as a ping node answers here.
    Witnessed,
    /// Only it itself, or a person, ends the doubt.
    Manual,
}

/// What the network has said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NetworkAnswer {
    /// For how many addresses it was asked.
    pub asked: u32,
    /// A group for one of whose addresses somebody has answered.
    pub served: Option<GroupId>,
}

/// The doubt, and what followed from it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Doubt {
    pub(super) stage: DoubtStage,
    /// When the peer was found silent.
    pub(super) since: Instant,
    /// No ping node answered here, so that what this node held was given up for the other to take.
    pub(super) gave_up: bool,
    /// Until when that must be done.
    pub(super) give_up_until: Option<Instant>,
    /// The doubt has begun and was not resolved, whatever the stage is.
    pub(super) is_unresolved: bool,
    /// Since when nobody answers for any of the addresses, however often the network is asked.
    pub(super) unseen_since: Option<Instant>,
    /// When the question was asked that is being answered.
    pub(super) asked_at: Instant,
    /// It was told that no ping node answers.
    pub(super) blind_told: bool,
    /// It was told that somebody answers for an address.
    pub(super) served_told: bool,
    /// Numbers the questions to the network, so that a late answer is not taken for one to a newer question.
    pub(super) request: u64,
}

impl Doubt {
    /// Whether it goes on: nothing of the peer is taken.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.stage, DoubtStage::None | DoubtStage::Witnessed)
    }

    /// It is over; questions keep their numbers.
    pub(super) fn ended(self) -> Self {
        Self {
            request: self.request,
            ..Self::default()
        }
    }
}

/// What the peer says of the loss of all links.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PeerPolicy {
    /// Its `last_link`.
    pub answer: crate::config::LastLink,
    /// The timeout of its watchdog, where it has one.
    pub watchdog: Option<Duration>,
}
