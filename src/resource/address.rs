//! Floating addresses: looked for, added and removed through the kernel.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::PathBuf;

use super::address_table::Table;
use super::placement::{Machine, Placement, PlacementError};
use crate::config::AddressSpec;
use crate::os::netlink::{Address, Change, Interface, Netlink, Network, Wish};
use crate::os::netlink_news::News;

/// Why an address could not be added, removed or looked for.
#[derive(Debug)]
pub enum AddressError {
    /// It has no place here.
    Placement(PlacementError),
    /// The kernel refused.
    Kernel {
        /// What was asked of it.
        wish: String,
        /// Its reason.
        error: io::Error,
    },
}

/// The addresses of this machine, as far as floating ones are concerned.
///
/// What the kernel has is read once and kept until [`forget`](Self::forget) or until [news](Self::heed) tell of something
/// else, so that a thousand addresses moved in one go do not read a table of a thousand entries a thousand times.
#[derive(Debug)]
pub struct Addresses {
    netlink: Netlink,
    table: Option<Table>,
    /// By family: whether IPv4.
    networks: BTreeMap<bool, Vec<Network>>,
}

/// How an address stands that was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Presence {
    /// As it should, on this interface.
    Right(Interface),
    /// It is there, but with another prefix length, label or broadcast address.
    Changed,
    /// It is there, and the kernel lets nobody use it: it found that another machine has it.
    Refused,
    /// It is not there.
    Missing,
}

/// What became of a removal.
#[derive(Debug, Default)]
pub struct Removed {
    /// The interfaces that had the address.
    pub from: Vec<Interface>,
    /// Something the people should know.
    pub warning: Option<String>,
}

impl Addresses {
    /// Opens the connection to the kernel.
    pub fn open() -> io::Result<Self> {
        Ok(Self {
            netlink: Netlink::open()?,
            table: None,
            networks: BTreeMap::new(),
        })
    }

    /// Forgets what was read: others change addresses too.
    pub fn forget(&mut self) {
        self.table = None;
        self.networks.clear();
    }

    /// Forgets the routes that were read. Of those there are no news.
    pub fn forget_routes(&mut self) {
        self.networks.clear();
    }

    /// Whether news tell of something else than what is known here, such as what was done here; then all is forgotten.
    pub fn heed(&mut self, news: &News) -> bool {
        let is_known = self.table.as_ref().is_some_and(|table| table.agrees(news));
        if !is_known {
            self.forget();
        }
        !is_known
    }

    /// The Ethernet addresses of this machine, those of the interfaces that were there first in front.
    pub fn hardware(&mut self) -> Result<Vec<[u8; 6]>, AddressError> {
        let interfaces = self.netlink.interfaces();
        let mut interfaces = interfaces.map_err(kernel("read the interfaces"))?;
        interfaces.sort_by_key(|interface| interface.index);
        let mut found: Vec<[u8; 6]> = Vec::new();
        for ethernet in interfaces.iter().filter_map(|each| each.ethernet) {
            if ethernet != [0; 6] && !found.contains(&ethernet) {
                found.push(ethernet);
            }
        }
        Ok(found)
    }

    /// The interfaces that have the address, with whatever prefix length: the one that is given, or without
    /// one any but the loopback.
    pub fn holders(&mut self, spec: &AddressSpec) -> Result<Vec<Interface>, AddressError> {
        let table = table(&mut self.table, &mut self.netlink)?;
        let holders = table.matching(spec).into_iter();
        Ok(holders
            .filter_map(|entry| table.interface(entry.interface).cloned())
            .collect())
    }

    /// The address as it is here now, with everything that was not said about it; as it is given where it is not here.
    pub fn exactly(&mut self, spec: &AddressSpec) -> Result<AddressSpec, AddressError> {
        let table = table(&mut self.table, &mut self.netlink)?;
        let found = table.matching(spec).into_iter().find_map(|entry| {
            let interface = table.interface(entry.interface)?;
            Some(AddressSpec {
                address: entry.address,
                prefix: Some(entry.prefix),
                interface: Some(interface.name.clone()),
                label: entry.label,
                broadcast: entry.broadcast,
            })
        });
        Ok(found.unwrap_or_else(|| spec.clone()))
    }

    /// Whether the address is here as [`exactly`](Self::exactly) told it.
    pub fn presence(&mut self, exact: &AddressSpec) -> Result<Presence, AddressError> {
        let table = table(&mut self.table, &mut self.netlink)?;
        let entries = table.matching(exact);
        let right = entries.iter().find(|entry| is_exactly(entry, exact));
        Ok(
            match right.and_then(|entry| table.interface(entry.interface)) {
                Some(interface) => Presence::Right(interface.clone()),
                None if entries.is_empty() => Presence::Missing,
                None if entries.iter().any(|entry| entry.is_refused) => Presence::Refused,
                None => Presence::Changed,
            },
        )
    }

    /// The interface of this number, while there is one.
    pub fn interface(&mut self, index: u32) -> Result<Option<Interface>, AddressError> {
        let table = table(&mut self.table, &mut self.netlink)?;
        Ok(table.interface(index).cloned())
    }

    /// The interface of this name, while there is one.
    pub fn interface_named(&mut self, name: &str) -> Result<Option<Interface>, AddressError> {
        let table = table(&mut self.table, &mut self.netlink)?;
        let mut all = table.interfaces().iter();
        Ok(all.find(|interface| interface.name == name).cloned())
    }

    /// Where the address belongs.
    pub fn place(&mut self, spec: &AddressSpec) -> Result<Placement, AddressError> {
        let is_ipv4 = spec.address.is_ipv4();
        let is_complete = spec.prefix.is_some() && spec.interface.is_some();
        if !is_complete && !self.networks.contains_key(&is_ipv4) {
            let networks = self.netlink.networks(spec.address);
            self.networks
                .insert(is_ipv4, networks.map_err(kernel("read the routing table"))?);
        }
        let table = table(&mut self.table, &mut self.netlink)?;
        let machine = Machine {
            interfaces: table.interfaces(),
            addresses: if is_complete {
                Vec::new()
            } else {
                table.one_of_each_network().collect()
            },
            networks: self.networks.get(&is_ipv4).map_or(&[][..], Vec::as_slice),
        };
        machine.place(spec).map_err(AddressError::Placement)
    }

    /// Adds the address where it belongs. No error when it is there already.
    pub fn add(&mut self, placement: &Placement) -> Result<Change, AddressError> {
        let mut changes = self.add_all(std::slice::from_ref(placement));
        changes.pop().unwrap_or(Ok(Change::AlreadySo))
    }

    /// Adds addresses where they belong, in this order: what became of each.
    pub fn add_all(&mut self, placements: &[Placement]) -> Vec<Result<Change, AddressError>> {
        let entries = placements.iter().map(|placement| &placement.entry);
        let (changes, is_answered) = self.netlink.change(Wish::Add, entries);
        // Of an answer that was lost each address may be there, and a stop must find it. So must it where somebody else was first.
        let is_there = |change: &io::Result<Change>| matches!(change, Ok(Change::AlreadySo));
        if !is_answered || changes.iter().any(is_there) {
            self.table = None;
        }
        let each = changes.into_iter().zip(placements);
        each.map(|(change, placement)| {
            let entry = &placement.entry;
            if let (Ok(Change::Made), Some(table)) = (&change, &mut self.table) {
                table.add(entry.clone());
            }
            change.map_err(|error| AddressError::Kernel {
                wish: format!(
                    "add {}/{} to {}",
                    entry.address, entry.prefix, placement.interface.name
                ),
                error,
            })
        })
        .collect()
    }

    /// Removes the address from its interface, or without one from any but the loopback. No error when it is
    /// not there.
    pub fn remove(&mut self, spec: &AddressSpec) -> Result<Removed, AddressError> {
        let mut removed = self.remove_all(&[spec]);
        removed.pop().unwrap_or(Ok(Removed::default()))
    }

    /// Removes addresses, in this order: what became of each.
    pub fn remove_all(&mut self, specs: &[&AddressSpec]) -> Vec<Result<Removed, AddressError>> {
        let mut removed: Vec<Result<Removed, AddressError>> = Vec::new();
        let mut wishes = Vec::new();
        let mut promotions: BTreeMap<String, io::Result<Promotion>> = BTreeMap::new();
        for (place, spec) in specs.iter().enumerate() {
            let mut told = Removed::default();
            let table = match table(&mut self.table, &mut self.netlink) {
                Ok(table) => table,
                Err(error) => {
                    removed.push(Err(error));
                    continue;
                }
            };
            for entry in table.matching(spec) {
                let Some(interface) = table.interface(entry.interface).cloned() else {
                    continue;
                };
                if table.has_secondaries(&entry) {
                    let promotion = promotions.entry(interface.name.clone());
                    let promotion = promotion.or_insert_with(|| Promotion::begin(&interface.name));
                    told.warning = promotion.as_ref().err().map(|error| {
                        let (address, name) = (entry.address, &interface.name);
                        format!(
                            "other addresses of its network on {name} may vanish together with {address}: cannot set \
                             net.ipv4.conf.{name}.promote_secondaries to 1: {error}"
                        )
                    });
                }
                table.delete(&entry);
                wishes.push((place, entry, interface));
            }
            removed.push(Ok(told));
        }
        let entries = wishes.iter().map(|(_, entry, _)| entry);
        let (changes, _) = self.netlink.change(Wish::Remove, entries);
        let mut is_known = promotions.is_empty(); // else another address is the first of that network now
        let mut denied = Vec::new();
        for (change, (place, entry, interface)) in changes.into_iter().zip(wishes) {
            let Some(removed) = removed.get_mut(place) else {
                continue;
            };
            is_known &= matches!(change, Ok(Change::Made));
            match (change, removed.as_mut()) {
                (Ok(change), Ok(removed)) => {
                    removed.from.push(interface);
                    denied.extend((change == Change::AlreadySo).then_some(place));
                }
                (Ok(_), Err(_)) => {}
                (Err(error), _) => *removed = Err(not_removed(&entry, &interface.name, error)),
            }
        }
        if !is_known {
            self.table = None;
        }
        for place in denied {
            let left = specs.get(place).and_then(|spec| self.left_of(spec));
            if let (Some(error), Some(removed)) = (left, removed.get_mut(place)) {
                *removed = Err(error);
            }
        }
        removed
    }

    /// Why an address does not count as removed of which the kernel said that it was not there: it is listed still. So it is
    /// with one that has another address as its peer, and with one of an interface that was made anew meanwhile.
    fn left_of(&mut self, spec: &AddressSpec) -> Option<AddressError> {
        let table = match table(&mut self.table, &mut self.netlink) {
            Ok(table) => table,
            Err(error) => return Some(error),
        };
        let left = table.matching(spec);
        let left = left.first()?;
        let interface = table.interface(left.interface);
        let name = interface.map_or("its interface", |interface| &interface.name);
        let reason = io::Error::other("the kernel says that it is not there, and lists it");
        Some(not_removed(left, name, reason))
    }
}

/// What was never said of it may be anything.
fn is_exactly(entry: &Address, exact: &AddressSpec) -> bool {
    let same_label = exact.label.is_none() || entry.label == exact.label;
    let same_broadcast = exact.broadcast.is_none() || entry.broadcast == exact.broadcast;
    let same_prefix = exact.prefix.is_none_or(|prefix| prefix == entry.prefix);
    same_prefix && same_label && same_broadcast && !entry.is_refused
}

fn table<'a>(
    table: &'a mut Option<Table>,
    netlink: &mut Netlink,
) -> Result<&'a mut Table, AddressError> {
    if table.is_none() {
        let read = Table::read(netlink).map_err(kernel("read the interfaces and addresses"))?;
        *table = Some(read);
    }
    Ok(table.get_or_insert_default())
}

fn not_removed(entry: &Address, interface: &str, error: io::Error) -> AddressError {
    AddressError::Kernel {
        wish: format!("remove {}/{} from {interface}", entry.address, entry.prefix),
        error,
    }
}

fn kernel(wish: &str) -> impl FnOnce(io::Error) -> AddressError {
    move |error| AddressError::Kernel {
        wish: wish.to_owned(),
        error,
    }
}

/// While this lives, the kernel keeps the other addresses of a network when the first of them goes.
struct Promotion {
    setting: PathBuf,
    was_off: bool,
}

impl Promotion {
    fn begin(interface: &str) -> io::Result<Self> {
        let setting = PathBuf::from("/proc/sys/net/ipv4/conf")
            .join(interface)
            .join("promote_secondaries");
        let was_off = std::fs::read_to_string(&setting)?.trim() == "0";
        if was_off {
            std::fs::write(&setting, "1")?;
        }
        Ok(Self { setting, was_off })
    }
}

impl Drop for Promotion {
    fn drop(&mut self) {
        if self.was_off {
            let _ = std::fs::write(&self.setting, "0"); // could be written a moment ago, and does no harm
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Placement(error) => error.fmt(f),
            Self::Kernel { wish, error } => write!(f, "cannot {wish}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resource::placement::tests::entry;

    #[test]
    fn an_address_is_right_only_with_its_prefix_label_and_broadcast() {
        let exact = AddressSpec {
            prefix: Some(24),
            interface: Some("eth0".into()),
            label: Some("eth0:0".into()),
            broadcast: Some([172, 16, 1, 255].into()),
            ..AddressSpec::bare([172, 16, 1, 200].into())
        };
        let right = Address {
            label: exact.label.clone(),
            broadcast: exact.broadcast,
            ..entry(2, "172.16.1.200", 24)
        };
        assert!(is_exactly(&right, &exact));
        for wrong in [
            Address {
                prefix: 32,
                ..right.clone()
            },
            Address {
                label: Some("eth0".into()),
                ..right.clone()
            },
            Address {
                broadcast: None,
                ..right.clone()
            },
            Address {
                is_refused: true,
                ..right.clone()
            },
        ] {
            assert!(!is_exactly(&wrong, &exact), "{wrong:?}");
        }
        assert!(is_exactly(&right, &AddressSpec::bare(right.address)));
    }
}
