//! Whether the node that does not hold a group could run it: what is said and heard of it.

use super::group_report::GroupReport;
use super::movement::Selection;
use super::ownership::Ownership;
use super::policy::Group;
use super::ready::{FIELD, Letters, Readiness, parse};
use super::report::Report;
use super::{Cluster, GroupId, Relation};
use crate::message::Message;

impl Ownership {
    fn readiness(&self) -> impl Iterator<Item = Option<bool>> + Clone {
        let groups = self.order.iter().map(|index| self.groups.get(*index));
        groups.map(|group| group.and_then(|group| group.readiness.here))
    }

    fn note_readiness(&mut self, id: GroupId, ready: Option<bool>) {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        if let Some(group) = self.groups.get_mut(index) {
            group.readiness.here = ready;
        }
    }

    fn hear_readiness(&mut self, text: Option<&str>) {
        let (order, groups) = (&self.order, &mut self.groups);
        let length = order.len();
        let set = |place: usize, state| {
            let index = order.get(place);
            if let Some(group) = index.and_then(|index| groups.get_mut(*index)) {
                group.readiness.there = state;
            }
        };
        let is_heard = text.and_then(|text| parse(text, length, set)).is_some();
        if !is_heard {
            self.groups
                .iter_mut()
                .for_each(|group| group.readiness.forget_peer());
        }
    }

    /// The next group that runs here and that the other node is not ready for, or is ready for again, each once.
    fn next_readiness(&mut self) -> Option<(GroupId, bool)> {
        let is_news = |group: &Group| match group.readiness {
            Readiness {
                there: Some(false),
                is_told: false,
                ..
            } => group.is_wanted_here(),
            Readiness {
                there: Some(true),
                is_told: true,
                ..
            } => true,
            _ => false,
        };
        let index = self.groups.iter().position(is_news)?;
        let group = self.groups.get_mut(index)?;
        group.readiness.is_told = !group.readiness.is_told;
        let id = u32::try_from(index).ok()?;
        Some((GroupId(id), !group.readiness.is_told))
    }

    /// The groups that would go to a node that is not ready for them.
    fn unready(&self, selection: Selection, there: bool) -> Vec<GroupId> {
        let all = (0_u32..).zip(&self.groups);
        let meant = all.filter(|(_, group)| selection.includes(group.prefers_local));
        let unready = meant.filter(|(_, group)| {
            if there {
                group.is_wanted_here() && group.readiness.there == Some(false)
            } else {
                group.peer_holds() && group.readiness.here == Some(false)
            }
        });
        unready.map(|(id, _)| GroupId(id)).collect()
    }
}

impl Cluster {
    /// The shell has looked whether this node could run a group that it does not hold.
    pub(super) fn readiness_found(&mut self, group: GroupId, ready: Option<bool>) {
        self.ownership.note_readiness(group, ready);
        self.heartbeat_is_due |= !self.peer.is_classic;
    }

    /// Adds the field to the heartbeat begun last, where there is something to say to somebody who understands it.
    pub(super) fn push_readiness(&mut self) {
        let listens = self.peer.heard_in_this_run && !self.peer.is_classic;
        let states = self.ownership.readiness();
        if listens && states.clone().any(|state| state.is_some()) {
            let letters = Letters(states);
            self.outgoing
                .message()
                .push_fmt(FIELD, format_args!("{letters}"));
        }
    }

    /// What a heartbeat of the peer says of it.
    pub(super) fn readiness_heard(&mut self, message: &Message) {
        let is_talking = self.standing().relation == Relation::Talking && !self.told.files_differ;
        let text = message.text(FIELD).filter(|_| is_talking);
        self.ownership.hear_readiness(text);
        while let Some((group, is_ready)) = self.ownership.next_readiness() {
            let (key, node) = (self.key(group), self.peer_name());
            self.report(Report::Group(GroupReport::PeerReadiness {
                node,
                key,
                is_ready,
            }));
        }
    }

    /// Whether the peer says that it could run a group; `None` where it runs there or is not known.
    pub fn peer_is_ready(&self, id: GroupId) -> Option<bool> {
        let index = usize::try_from(id.0).ok()?;
        self.ownership.groups.get(index)?.readiness.there
    }

    /// The keys of the groups that a planned move of these would give to the peer (`there`), or to this node, although it
    /// says that it is not ready for them.
    pub fn unready_for(&self, selection: Selection, there: bool) -> Vec<String> {
        let groups = self.ownership.unready(selection, there).into_iter();
        groups.map(|group| self.key(group)).collect()
    }
}
