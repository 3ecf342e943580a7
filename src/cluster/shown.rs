//! What people are shown of the reasons of this node: how it stands with the peer, what is claimed, and what is waited for.
//! Nothing here changes the core.

use std::time::Duration;

use super::claims::{Claim, Phase};
use super::doubt::DoubtStage;
use super::fence_state::FencingStage;
use super::group_report::GroupReport;
use super::policy::prefers_me;
use super::report::Report;
use super::{Cluster, GroupId, Instant, LinkId, NodeStatus, Relation, Tenure};

/// Something that happens at a known moment if nothing else happens before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// The peer, which was never heard, counts as dead.
    NeverHeard,
    /// The peer, which is silent, counts as dead.
    PeerDead,
    /// A link, which is silent, counts as dead.
    LinkDead(LinkId),
    /// The doubt about the silent peer is looked at: it counts as dead, or the network is asked.
    Doubt,
    /// What this node, which is cut off, gives up must be stopped.
    GiveUp,
    /// The devices are asked again to reset the peer.
    Fencing,
    /// The peer's resources are taken although no device has reset it.
    Unfenced,
    /// A planned move fails if it has not begun.
    Move,
}

/// What is known of a group, as far as decisions depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupInputs {
    /// What this node claims; `None` before it has looked.
    pub mine: Option<Claim>,
    /// What the peer claims; `None` where nothing valid was heard.
    pub theirs: Option<Claim>,
    /// This node is the preferred one, by the files of both.
    pub is_preferred: bool,
    /// Since when this node holds it.
    pub held: Option<Tenure>,
    /// It did not work here, and that is not forgotten yet.
    pub is_unfit: bool,
}

impl Cluster {
    /// How this node stands with the peer.
    pub fn relation(&self) -> Relation {
        self.standing().relation
    }

    /// When the peer was last heard, on whatever link; `None` where it was not in this run.
    pub fn peer_heard(&self) -> Option<Instant> {
        let is_heard = self.peer.heard_in_this_run;
        is_heard.then_some(self.peer.last_heard)
    }

    /// Whether the peer runs heartbeat 3.0.6; `None` before it has said enough.
    pub fn peer_is_classic(&self) -> Option<bool> {
        let is_known = self.peer.is_classic || self.peer.last_heartbeat.is_some();
        is_known.then_some(self.peer.is_classic)
    }

    /// The silence after which the peer counts as dead.
    pub fn peer_deadtime(&self) -> Duration {
        self.peer.deadtime
    }

    /// Whether the peer is about to stop.
    pub fn peer_is_leaving(&self) -> bool {
        self.peer.is_leaving
    }

    /// Whether the files of both nodes have the same groups; `None` where that can't be known.
    pub fn files_agree(&self) -> Option<bool> {
        let is_talking = self.relation() == Relation::Talking;
        is_talking.then_some(!self.told.files_differ)
    }

    /// The keys of all groups, by their [`GroupId`].
    pub fn group_keys(&self) -> impl Iterator<Item = &str> {
        self.settings.groups.iter().map(|group| group.key.as_str())
    }

    /// What decisions about a group depend on.
    pub fn group_inputs(&self, id: GroupId) -> Option<GroupInputs> {
        let index = usize::try_from(id.0).ok()?;
        let group = self.ownership.groups.get(index)?;
        let is_valid = matches!(self.relation(), Relation::Talking | Relation::Halves { .. });
        Some(GroupInputs {
            mine: group.mine,
            theirs: group.their_claim().filter(|_| is_valid),
            is_preferred: prefers_me(group, self.ownership.wins_ties),
            held: group.tenure,
            is_unfit: group.is_unfit,
        })
    }

    /// What is waited for, beside the failback and the next attempts of groups. The silence of a peer or a link is
    /// one only once it is longer than two heartbeats.
    pub fn waits(&self) -> Vec<(Wait, Instant)> {
        let mut waits = Vec::new();
        let patience = self.settings.keepalive * 2;
        let is_silent = |heard: Instant| self.now.since(heard) > patience;
        let is_there = self.peer.status != NodeStatus::Dead && !self.peer.has_left;
        if let Some(at) = self.peer_silent_at().filter(|_| is_there) {
            if !self.peer.heard_in_this_run {
                waits.push((Wait::NeverHeard, at));
            } else if is_silent(self.peer.last_heard) {
                waits.push((Wait::PeerDead, at));
            }
        }
        for link in (0..self.links.count()).map(LinkId) {
            if let Some(heard) = self.links.heard_at(link).filter(|heard| is_silent(*heard)) {
                waits.push((Wait::LinkDead(link), heard + self.peer.deadtime));
            }
        }
        if self.peer.status == NodeStatus::Dead
            && let DoubtStage::Waiting(at) | DoubtStage::Watching(at) = self.doubt.stage
        {
            waits.push((Wait::Doubt, at));
        }
        waits.extend(self.doubt.give_up_until.map(|at| (Wait::GiveUp, at)));
        if let FencingStage::Waiting(at) = self.fencing.stage {
            waits.push((Wait::Fencing, at));
        }
        waits.extend(self.unfenced_at().map(|at| (Wait::Unfenced, at)));
        waits.extend(self.move_until.map(|at| (Wait::Move, at)));
        waits
    }
}

impl Claim {
    /// The claim in a word, for people and programs.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Ceded => "ceded",
            Self::HandedOver => "handed-over",
            Self::Waived => "waived",
            Self::Failed => "failed",
            Self::Held { phase, .. } => match phase {
                Phase::Starting => "starting",
                Phase::Running => "running",
                Phase::Stopping => "stopping",
                Phase::Unknown => "unknown",
            },
        }
    }
}

impl Report {
    /// The first resource of the group that it is about; `None` where it is about something else.
    pub fn group(&self) -> Option<&str> {
        match self {
            Self::GroupStarting { key, .. }
            | Self::GroupStarted { key }
            | Self::GroupStartFailed { key, .. }
            | Self::GroupBroken { key, .. }
            | Self::GroupStopping { key, .. }
            | Self::GroupStopped { key }
            | Self::GroupStopFailed { key }
            | Self::GroupFoundRunning { key }
            | Self::TwoOwners { key, .. } => Some(key),
            Self::Group(report) => match report {
                GroupReport::PeerReadiness { key, .. }
                | GroupReport::MovesToUnready { key, .. }
                | GroupReport::MovesWithoutCarrier { key, .. }
                | GroupReport::StaysWithoutCarrier { key, .. }
                | GroupReport::CarrierBack { key }
                | GroupReport::Frozen { key, .. } => Some(key),
                GroupReport::FailbackWaits { .. }
                | GroupReport::FailbackBeginsAnew { .. }
                | GroupReport::FailbackBegins { .. } => None,
            },
            _ => None,
        }
    }
}
