//! Many addresses changed at once: what the kernel is asked for, before each of them has its turn. Their turns come within
//! the same turn of the event loop, so that whoever looks finds either none of it done or all of it told.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::config::AddressSpec;
use crate::os::netlink::{Address, Change};
use crate::resource::address::{AddressError, Removed};
use crate::resource::placement::{Placement, network_of};

/// An address that was added, for this group.
pub(super) type Added = (usize, Placement, Result<Change, AddressError>);

/// What is wanted next, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// To be added next.
    pub adding: Vec<(usize, Placement)>,
    /// To be removed next.
    pub removing: Vec<(usize, AddressSpec)>,
    /// What became of those that were added.
    pub added: BTreeMap<IpAddr, Added>,
    /// What became of those that were removed.
    pub removed: BTreeMap<IpAddr, (usize, Result<Removed, AddressError>)>,
}

impl Ahead {
    /// Whether nothing that was done waits for its turn.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty()
    }

    /// Whether an address was added for a group, and that is not told yet.
    pub fn has_added(&self, group: usize, address: IpAddr) -> bool {
        let added = self.added.get(&address);
        added.is_some_and(|(owner, ..)| *owner == group)
    }

    /// What became of an address that was added for a group.
    pub fn take_added(&mut self, group: usize, address: IpAddr) -> Option<Added> {
        let is_its = self.has_added(group, address);
        is_its.then(|| self.added.remove(&address)).flatten()
    }

    /// What became of an address that was removed for a group.
    pub fn take_removed(
        &mut self,
        group: usize,
        address: IpAddr,
    ) -> Option<Result<Removed, AddressError>> {
        let is_its = self.has_removed(group, address);
        let removed = is_its.then(|| self.removed.remove(&address)).flatten();
        removed.map(|(_, removed)| removed)
    }

    /// Nothing of this address holds any more: it is given up.
    pub fn forget(&mut self, address: IpAddr) {
        self.added.remove(&address);
    }

    /// Nothing that was done for a group holds any more.
    pub fn forget_group(&mut self, group: usize) {
        self.added.retain(|_, (owner, ..)| *owner != group);
        self.removed.retain(|_, (owner, _)| *owner != group);
    }

    /// Whether one that will be added brings a network in which this one belongs rather than where it would be placed now.
    pub fn makes_room_for(&self, entry: &Address) -> bool {
        self.adding.iter().any(|(_, placement)| {
            let Address {
                address, prefix, ..
            } = placement.entry;
            prefix > entry.prefix
                && address.is_ipv4() == entry.address.is_ipv4()
                && network_of(address, prefix) == network_of(entry.address, prefix)
        })
    }

    /// Whether an address was removed for a group, and that is not told yet.
    pub fn has_removed(&self, group: usize, address: IpAddr) -> bool {
        let removed = self.removed.get(&address);
        removed.is_some_and(|(owner, _)| *owner == group)
    }

    /// Whether something is wanted of an address, or was done with it.
    pub fn knows(&self, address: IpAddr) -> bool {
        let adding = self.adding.iter().map(|(_, place)| place.entry.address);
        let removing = self.removing.iter().map(|(_, spec)| spec.address);
        self.added.contains_key(&address)
            || self.removed.contains_key(&address)
            || adding.chain(removing).any(|other| other == address)
    }
}
