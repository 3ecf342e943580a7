//! Addresses of several resources and groups, added or removed with one word to the kernel.

use std::net::IpAddr;

use super::FloatingAddresses;
use crate::config::AddressSpec;
use crate::daemon::resources::ahead::Ahead;
use crate::resource::Action;
use crate::resource::placement::Placement;

/// Addresses that are changed before it is looked again how much time that took.
const MOST: usize = 64;

impl FloatingAddresses {
    /// Whether a start or stop for a group was carried out ahead of its turn.
    pub fn is_done_ahead(&self, group: usize, action: Action, address: IpAddr) -> bool {
        match action {
            Action::Start => self.ahead.has_added(group, address),
            Action::Stop => self.ahead.has_removed(group, address),
            Action::Status => false,
        }
    }

    /// A start or stop that comes next if all goes well. False when nothing that comes behind it for the same group may be
    /// carried out ahead of its turn.
    pub fn want(&mut self, group: usize, action: Action, spec: &AddressSpec) -> bool {
        if action == Action::Stop {
            // From now on it is not put back if it is missed, and what was added for it does not count any more.
            self.let_go(spec.address);
        }
        match action {
            _ if self.ahead.knows(spec.address) => false,
            Action::Start => self.want_added(group, spec),
            Action::Stop => {
                self.ahead.removing.push((group, spec.clone()));
                true
            }
            Action::Status => false,
        }
    }

    fn want_added(&mut self, group: usize, spec: &AddressSpec) -> bool {
        // What has to be asked for first is taken when that is over.
        if !self.checks.time().is_zero() || self.checks.has(spec.address) {
            return false;
        }
        match self.addresses.holders(spec) {
            Ok(holders) if holders.is_empty() => {}
            // There is nothing to do for it.
            Ok(_) => return true,
            Err(_) => return false,
        }
        // Why it has no place is told when its turn comes.
        let Ok(placement) = self.addresses.place(spec) else {
            return false;
        };
        let is_complete = spec.prefix.is_some() && spec.interface.is_some();
        if !is_complete && self.ahead.makes_room_for(&placement.entry) {
            return false;
        }
        self.ahead.adding.push((group, placement));
        true
    }

    /// What was carried out for a group ahead of its turn counts for nothing any more: not everything went well. What comes next
    /// for it finds what is there.
    pub fn forget_ahead(&mut self, group: usize) {
        self.ahead.forget_group(group);
    }

    /// Whether no more are to be wanted before these are carried out.
    pub fn wants_enough(&self) -> bool {
        let Ahead {
            adding, removing, ..
        } = &self.ahead;
        adding.len().saturating_add(removing.len()) >= MOST
    }

    /// Carries out what is wanted.
    pub fn carry_out(&mut self) {
        let (groups, specs): (Vec<usize>, Vec<AddressSpec>) =
            std::mem::take(&mut self.ahead.removing).into_iter().unzip();
        let removed = self.addresses.remove_all(&specs.iter().collect::<Vec<_>>());
        for ((group, spec), removed) in groups.into_iter().zip(&specs).zip(removed) {
            self.ahead.removed.insert(spec.address, (group, removed));
        }
        let (groups, placements): (Vec<usize>, Vec<Placement>) =
            std::mem::take(&mut self.ahead.adding).into_iter().unzip();
        let changes = self.addresses.add_all(&placements);
        for ((group, placement), change) in groups.into_iter().zip(placements).zip(changes) {
            let address = placement.entry.address;
            self.ahead.added.insert(address, (group, placement, change));
        }
    }

    /// The turn of the event loop is over. What was carried out for a turn that did not come is done again when it comes, or
    /// undone by a stop: what others do meanwhile must not be missed.
    pub fn end_turn(&mut self) {
        self.ahead = Ahead::default();
    }
}
