//! What runs is looked after: addresses that somebody takes away, services that do not work.

use std::net::IpAddr;

use super::Resources;
use super::floating::RivalView;
use super::monitors::{MonitorView, Remedy};
use crate::cluster::{Ethernet, GroupId, GroupOutcome, Instant};
use crate::resource::group::Sequence;

impl Resources {
    /// Something may have happened that was signalled under our token. Call it before the next [`turn`](Self::turn).
    pub fn stir(&mut self) {
        self.floating.stir();
    }

    /// Tells the neighbours once more where the addresses of a group are.
    pub fn announce(&mut self, now: Instant, id: GroupId) {
        let group = usize::try_from(id.0)
            .ok()
            .and_then(|index| self.groups.get(index));
        if let Some(group) = group {
            self.floating
                .announce_again(now, &group.addresses(0).collect());
        }
    }

    /// The other node's Ethernet addresses: from now on it is told from strangers.
    pub fn know_peer(&mut self, hardware: Vec<Ethernet>) {
        self.floating.know_peer(hardware);
    }

    /// The other node's Ethernet addresses, as far as it has told them.
    pub fn peer_ethernet(&self) -> Vec<String> {
        self.floating.peer_ethernet()
    }

    /// The Ethernet addresses of this machine, when they are not what they were when this was asked last.
    pub fn news_of_hardware(&mut self, now: Instant) -> Option<Vec<Ethernet>> {
        self.floating.news_of_hardware(now)
    }

    /// Who else was heard to claim the addresses of a group, since it was started.
    pub fn rivals_of(&self, now: Instant, id: GroupId) -> Vec<RivalView> {
        let group = usize::try_from(id.0).ok();
        let group = group.and_then(|index| self.groups.get(index));
        let addresses = group.into_iter().flat_map(|group| group.addresses(0));
        addresses
            .flat_map(|address| self.floating.rivals_of(now, address))
            .collect()
    }

    /// In maintenance a resource that does not work is told of and left alone.
    pub fn hold_still(&mut self, is_still: bool) {
        self.monitors.hold_still(is_still);
    }

    /// Puts back, announces and asks what is due.
    pub(super) fn look_after_running(&mut self, now: Instant) {
        let useless = self.floating.restore(now);
        self.tell_useless(&useless);
        self.floating.announce(now, !self.ready.is_empty());
        for remedy in self.monitors.turn(now, &self.groups) {
            self.remedy(remedy);
        }
    }

    /// Something is done about a resource that does not work, unless its group is busy with something else.
    fn remedy(&mut self, remedy: Remedy) {
        let (Remedy::Restart { group: index, .. } | Remedy::Leave { group: index }) = remedy;
        let Some(group) = self
            .groups
            .get_mut(index)
            .filter(|group| group.sequence.is_none())
        else {
            return;
        };
        let Remedy::Restart { resource, .. } = remedy else {
            self.outcomes.push_back((group.id, GroupOutcome::Broken));
            return;
        };
        self.monitors.rest(self.last_turn, index);
        for address in group.addresses(resource) {
            self.floating.let_go(address);
        }
        let length = group.resources.len();
        group.forget_row();
        group.sequence = Some(Sequence::restart(resource, length, self.stop_retries));
        self.ready.push_back(index);
    }

    /// Addresses that don't stay here make their groups useless.
    fn tell_useless(&mut self, addresses: &[IpAddr]) {
        if addresses.is_empty() {
            return;
        }
        for group in self.groups.iter().filter(|group| group.sequence.is_none()) {
            if group
                .addresses(0)
                .any(|address| addresses.contains(&address))
            {
                self.outcomes.push_back((group.id, GroupOutcome::Broken));
            }
        }
    }

    /// What the monitors of a group have seen.
    pub fn monitors_of(&self, group: GroupId) -> Vec<MonitorView> {
        self.monitors.views(group)
    }
}
