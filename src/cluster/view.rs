//! What may be asked of the core: nothing here changes it.

use super::action::PeerMemory;
use super::claims::{Claim, Leaving, Phase};
use super::policy::Relation;
use super::refusals::RefusalKind;
use super::{Cluster, GroupId, Holdings, LinkId, LinkQuality, NodeStatus};

/// What is happening to a group on one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupState {
    /// Not held.
    Stopped,
    /// Being started.
    Starting,
    /// Running.
    Running,
    /// Being stopped.
    Stopping,
    /// Could not be started; not running.
    Failed,
    /// Not known yet, or could not be stopped: counts as running.
    Unknown,
}

impl std::fmt::Display for GroupState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Stopped => "stopped",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        })
    }
}

impl From<Claim> for GroupState {
    fn from(claim: Claim) -> Self {
        match claim {
            Claim::Free | Claim::Ceded | Claim::HandedOver | Claim::Waived => Self::Stopped,
            Claim::Failed => Self::Failed,
            Claim::Held { phase, .. } => phase.into(),
        }
    }
}

impl From<Phase> for GroupState {
    fn from(phase: Phase) -> Self {
        match phase {
            Phase::Starting => Self::Starting,
            Phase::Running => Self::Running,
            Phase::Stopping => Self::Stopping,
            Phase::Unknown => Self::Unknown,
        }
    }
}

/// A group as both nodes see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupView {
    /// Here.
    pub local: GroupState,
    /// At the peer, if it said so in the current conversation.
    pub peer: Option<GroupState>,
}

impl Cluster {
    /// This node's own status.
    pub fn local_status(&self) -> NodeStatus {
        self.status
    }

    /// The peer's status as this node sees it.
    pub fn peer_status(&self) -> NodeStatus {
        self.peer.status
    }

    /// Whether the peer is heard on `link`.
    pub fn link_is_up(&self, link: LinkId) -> bool {
        self.links.is_up(link)
    }

    /// How well `link` carries what the peer says.
    pub fn link_quality(&self, link: LinkId) -> LinkQuality {
        self.qualities.of(link)
    }

    /// Whether the nodes have agreed, or nobody is there to agree with.
    pub fn is_communicating(&self) -> bool {
        self.status == NodeStatus::Active
    }

    /// What happens to a group on both nodes.
    pub fn group(&self, id: GroupId) -> GroupView {
        let is_valid = matches!(
            self.standing().relation,
            Relation::Talking | Relation::Halves { .. }
        );
        let peer = self.ownership.theirs(id).filter(|_| is_valid);
        GroupView {
            local: self
                .ownership
                .mine(id)
                .map_or(GroupState::Unknown, GroupState::from),
            peer: peer.map(|stated| stated.claim.into()),
        }
    }

    /// What this node holds, in the old words.
    pub fn holdings(&self) -> Holdings {
        let is_unsure = self.is_in_doubt() && self.leaving == Leaving::No;
        if self.status != NodeStatus::Active || self.ownership.is_moving() || is_unsure {
            return Holdings::Transition;
        }
        self.settled_holdings()
    }

    /// The generation that this node's messages carry now.
    pub fn generation(&self) -> u64 {
        self.settings.generation
    }

    /// How many packets of a kind were refused in this run.
    pub fn refused(&self, kind: RefusalKind) -> u64 {
        self.refusals.total(kind)
    }

    /// How many packets came that changed nothing but counters, be they no messages, not authentic, or copies that tell of no
    /// link, ours or the peer's, what was not known. Such a packet needs no `Tick`.
    pub fn unheeded(&self) -> u64 {
        self.unheeded
    }

    /// What is to be remembered of the peer over our own restart.
    pub fn peer_memory(&self) -> PeerMemory {
        let is_highest = self.peer.generation == self.peer.highest_generation;
        let sequence = if is_highest {
            self.newest_heard()
        } else {
            u64::MAX // all of that run has been heard that ever will be
        };
        PeerMemory {
            uuid: self.peer.uuid,
            generation: self.peer.highest_generation,
            sequence,
            in_doubt: self.doubt.is_unresolved,
        }
    }
}
