//! Floating addresses: looked for, added and removed through the kernel.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

use super::placement::{Machine, Placement, PlacementError, network_of};
use crate::config::AddressSpec;
use crate::os::netlink::{Address, Change, Interface, Netlink, Network};

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
/// What the kernel has is read once and kept until [`forget`](Self::forget), so that a thousand addresses
/// moved in one go do not read a table of a thousand entries a thousand times.
#[derive(Debug)]
pub struct Addresses {
    netlink: Netlink,
    table: Option<Table>,
    /// By family: whether IPv4.
    networks: BTreeMap<bool, Vec<Network>>,
}

#[derive(Debug, Default)]
struct Table {
    interfaces: Vec<Interface>,
    addresses: BTreeMap<IpAddr, Vec<Address>>,
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
        let mut all = table.interfaces.iter();
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
            interfaces: &table.interfaces,
            addresses: if is_complete {
                Vec::new()
            } else {
                table.addresses.values().flatten().collect()
            },
            networks: self.networks.get(&is_ipv4).map_or(&[][..], Vec::as_slice),
        };
        machine.place(spec).map_err(AddressError::Placement)
    }

    /// Adds the address where it belongs. No error when it is there already.
    pub fn add(&mut self, placement: &Placement) -> Result<Change, AddressError> {
        let entry = &placement.entry;
        let change = self
            .netlink
            .add(entry)
            .map_err(|error| AddressError::Kernel {
                wish: format!(
                    "add {}/{} to {}",
                    entry.address, entry.prefix, placement.interface.name
                ),
                error,
            })?;
        if let Some(table) = self.table.as_mut().filter(|_| change == Change::Made) {
            table.insert(entry.clone());
        }
        Ok(change)
    }

    /// Removes the address from its interface, or without one from any but the loopback. No error when it is
    /// not there.
    pub fn remove(&mut self, spec: &AddressSpec) -> Result<Removed, AddressError> {
        let mut removed = Removed::default();
        for entry in table(&mut self.table, &mut self.netlink)?.matching(spec) {
            let table = table(&mut self.table, &mut self.netlink)?;
            let Some(interface) = table.interface(entry.interface).cloned() else {
                continue;
            };
            let name = &interface.name;
            let promotion = table
                .has_secondaries(&entry)
                .then(|| Promotion::begin(name));
            if let Some(Err(error)) = &promotion {
                removed.warning = Some(format!(
                    "other addresses of its network on {name} may vanish together with {}: cannot set \
                     net.ipv4.conf.{name}.promote_secondaries to 1: {error}",
                    entry.address,
                ));
            }
            self.netlink
                .remove(&entry)
                .map_err(|error| AddressError::Kernel {
                    wish: format!("remove {}/{} from {name}", entry.address, entry.prefix),
                    error,
                })?;
            match (&promotion, &mut self.table) {
                (None, Some(table)) => table.delete(&entry),
                _ => self.table = None, // another address is the first of that network now
            }
            removed.from.push(interface);
        }
        Ok(removed)
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
) -> Result<&'a Table, AddressError> {
    let known = match table.take() {
        Some(known) => known,
        None => Table::read(netlink).map_err(kernel("read the interfaces and addresses"))?,
    };
    Ok(table.insert(known))
}

impl Table {
    fn read(netlink: &mut Netlink) -> io::Result<Self> {
        let mut table = Self {
            interfaces: netlink.interfaces()?,
            ..Self::default()
        };
        for entry in netlink.addresses()? {
            table.insert(entry);
        }
        Ok(table)
    }

    fn insert(&mut self, entry: Address) {
        self.addresses.entry(entry.address).or_default().push(entry);
    }

    fn delete(&mut self, entry: &Address) {
        if let Some(entries) = self.addresses.get_mut(&entry.address) {
            entries.retain(|other| other != entry);
        }
    }

    fn interface(&self, index: u32) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.index == index)
    }

    fn matching(&self, spec: &AddressSpec) -> Vec<Address> {
        let fits = |entry: &&Address| {
            self.interface(entry.interface)
                .is_some_and(|interface| match &spec.interface {
                    Some(name) => interface.name == *name,
                    None => !interface.loopback,
                })
        };
        self.addresses
            .get(&spec.address)
            .into_iter()
            .flatten()
            .filter(fits)
            .cloned()
            .collect()
    }

    /// Whether this is the first address of its network on its interface and others hang on it: unless told
    /// otherwise, the kernel removes those together with it.
    fn has_secondaries(&self, entry: &Address) -> bool {
        let network = |entry: &Address| {
            (
                entry.interface,
                entry.prefix,
                network_of(entry.address, entry.prefix),
            )
        };
        let mut others = self.addresses.values().flatten();
        !entry.secondary && others.any(|other| other.secondary && network(other) == network(entry))
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
    use crate::resource::placement::tests::{entry, interface};

    fn table() -> Table {
        let interfaces = vec![
            interface(1, "lo"),
            interface(2, "eth0"),
            interface(3, "eth1"),
        ];
        let mut table = Table {
            interfaces,
            ..Table::default()
        };
        table.insert(entry(1, "10.9.9.9", 32));
        table.insert(entry(2, "172.16.1.203", 24));
        table.insert(entry(3, "172.16.0.1", 16));
        table
    }

    fn matches(address: &str, interface: Option<&str>) -> usize {
        let address = address.parse().expect("a test address");
        let interface = interface.map(str::to_owned);
        let spec = AddressSpec {
            prefix: Some(30),
            interface,
            ..AddressSpec::bare(address)
        };
        table().matching(&spec).len()
    }

    #[test]
    fn an_address_on_the_loopback_is_not_the_floating_one() {
        assert_eq!(matches("10.9.9.9", None), 0);
        assert_eq!(matches("10.9.9.9", Some("lo")), 1);
    }

    #[test]
    fn an_address_is_found_with_any_prefix_but_on_its_interface_only() {
        assert_eq!(matches("172.16.1.203", None), 1);
        assert_eq!(matches("172.16.1.203", Some("eth0")), 1);
        assert_eq!(matches("172.16.1.203", Some("eth1")), 0);
    }

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

    #[test]
    fn only_the_first_address_of_a_network_holds_others() {
        let mut table = table();
        let floating = Address {
            secondary: true,
            ..entry(2, "172.16.1.200", 24)
        };
        table.insert(floating.clone());
        assert!(table.has_secondaries(&entry(2, "172.16.1.203", 24)));
        assert!(!table.has_secondaries(&entry(3, "172.16.0.1", 16)));
        assert!(!table.has_secondaries(&floating));
    }
}
