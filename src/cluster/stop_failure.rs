//! A group that does not stop keeps its node from giving it away (S6). Where the operator wants it, the node is reset
//! then: by itself, or by the other node's device. Until it is silent it holds the group, whatever was asked for.
//!
//! What the nodes say of this is in one field of their heartbeats, of letters: `d`, this node has a fencing device; `f`,
//! it asks to be reset.

use super::claims::Leaving;
use super::fencing_report::FencingReport;
use super::node::Plea;
use super::report::Report;
use super::{Action, Cluster, GroupId, NodeStatus, Relation};
use crate::config::StopFailure;
use crate::message::Message;

/// Name of the field.
const FIELD: &str = "hf";

impl Cluster {
    /// A group could not be stopped, although that was tried again.
    pub(super) fn stop_failed(&mut self, group: GroupId, key: String) {
        // One that the file does not have any more the other node would not take either.
        let index = usize::try_from(group.0).unwrap_or(usize::MAX);
        if self.ownership.is_removed(index) {
            return;
        }
        let node = self.peer_name();
        let report = match self.settings.stop_failure {
            StopFailure::Hold => return,
            _ if !self.peer_could_take() => FencingReport::NobodyTakes { key },
            StopFailure::Reboot => {
                self.actions.push_back(Action::ResetMachine);
                FencingReport::ResetsItself { key }
            }
            StopFailure::Fence if self.peer.plea.can_fence => {
                self.wants_reset = true;
                self.heartbeat_is_due = true;
                FencingReport::AsksForReset { key, node }
            }
            StopFailure::Fence => FencingReport::NobodyResets { key, node },
        };
        self.report(Report::Fencing(report));
    }

    /// A reset costs all groups of this node their service: of no use where nobody takes them. A peer that does not
    /// hear this node, or may not, has perhaps taken them already.
    fn peer_could_take(&self) -> bool {
        let standing = self.standing();
        let is_there = matches!(
            standing.relation,
            Relation::Talking | Relation::Halves { .. } | Relation::Deaf { .. }
        );
        is_there && standing.peer_takes
    }

    /// Once everything has stopped after all, there is no reason for a reset any more.
    pub(super) fn review_plea(&mut self) {
        if self.wants_reset && !self.ownership.has_stop_failed() {
            self.wants_reset = false;
            self.heartbeat_is_due = true;
        }
    }

    /// What a heartbeat says of this; nothing where there is nothing to say.
    pub(super) fn stated_plea(&self) -> Option<(&'static str, &'static str)> {
        let letters = match (self.can_fence(), self.wants_reset) {
            (false, false) => return None,
            (true, false) => "d",
            (false, true) => "f",
            (true, true) => "df",
        };
        Some((FIELD, letters))
    }

    /// What a heartbeat of the peer says of this.
    pub(super) fn plea_heard(&mut self, message: &Message) {
        let letters = message.text(FIELD).unwrap_or_default();
        self.peer.plea = Plea {
            can_fence: letters.contains('d'),
            wants_reset: letters.contains('f'),
        };
    }

    /// Whether the peer is alive, asks to be reset, and this node can do that and take its groups. Of two that ask
    /// each other only one does it.
    pub(super) fn heeds_plea(&self) -> bool {
        let is_first = self.settings.local_node < self.settings.peer_node;
        self.peer.plea.wants_reset
            && (is_first || !self.wants_reset)
            && self.can_fence()
            && self.status == NodeStatus::Active
            && self.leaving == Leaving::No
            && self.standing().relation == Relation::Talking
    }
}
