//! Floating addresses: which interface they belong on, adding and removing them.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;

use crate::config::AddressSpec;
use crate::os::netlink::{Address, Change, Interface, Netlink, Network};

/// The kernel's limit for names of interfaces and labels.
const LONGEST_LABEL: usize = 15;

/// Why an address could not be added, removed or looked for.
#[derive(Debug)]
pub enum AddressError {
    /// The interface does not exist.
    NoInterface {
        /// Its name.
        interface: String,
        /// What there is instead.
        present: Vec<String>,
    },
    /// No interface was given and none has a network that contains the address, or the given one has none.
    NoNetwork {
        /// The address.
        address: IpAddr,
        /// The interface, when given.
        interface: Option<String>,
    },
    /// The label does not fit into the kernel's field.
    LongLabel {
        /// The label.
        label: String,
    },
    /// The kernel refused.
    Kernel {
        /// What was asked of it.
        wish: String,
        /// Its reason.
        error: io::Error,
    },
}

/// Where an address belongs and how it is to be written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The interface.
    pub interface: Interface,
    /// What to ask the kernel for.
    pub entry: Address,
}

/// As in `Adding inet address 10.0.0.9/24 with broadcast address 10.0.0.255 to device eth0`, without the verb.
impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address {
            address,
            prefix,
            label,
            broadcast,
            ..
        } = &self.entry;
        let family = if address.is_ipv4() { "inet" } else { "inet6" };
        write!(f, "{family} address {address}/{prefix}")?;
        if let Some(broadcast) = broadcast {
            write!(f, " with broadcast address {broadcast}")?;
        }
        write!(f, " to device {}", self.interface.name)?;
        match label {
            Some(label) if *label != self.interface.name => write!(f, " (with label {label})"),
            _ => Ok(()),
        }
    }
}

/// The addresses of this machine, as far as floating ones are concerned.
///
/// What the kernel has is read once and kept until [`forget`](Self::forget), so that a thousand addresses
/// moved in one go do not read a table of a thousand entries a thousand times.
#[derive(Debug)]
pub struct Addresses {
    netlink: Netlink,
    table: Option<Table>,
    networks: BTreeMap<bool, Vec<Network>>,
}

#[derive(Debug, Default)]
struct Table {
    interfaces: Vec<Interface>,
    addresses: BTreeMap<IpAddr, Vec<Address>>,
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

    /// Whether the address is there: on its interface, or without one on any but the loopback, with whatever
    /// prefix length.
    pub fn is_present(&mut self, spec: &AddressSpec) -> Result<bool, AddressError> {
        Ok(!self.table()?.matching(spec).is_empty())
    }

    /// Where the address belongs.
    pub fn place(&mut self, spec: &AddressSpec) -> Result<Placement, AddressError> {
        let is_ipv4 = spec.address.is_ipv4();
        if !self.networks.contains_key(&is_ipv4)
            && (spec.prefix.is_none() || spec.interface.is_none())
        {
            let networks = self
                .netlink
                .networks(spec.address)
                .map_err(kernel("read the routing table"))?;
            self.networks.insert(is_ipv4, networks);
        }
        self.table()?;
        let networks = self.networks.get(&is_ipv4).map_or(&[][..], Vec::as_slice);
        place(
            spec,
            self.table.as_ref().unwrap_or(&Table::default()),
            networks,
        )
    }

    /// Adds the address where it belongs. No error when it is there already.
    pub fn add(&mut self, placement: &Placement) -> Result<Change, AddressError> {
        let entry = &placement.entry;
        let change = self.netlink.add(entry).map_err(kernel(format!(
            "add {}/{} to {}",
            entry.address, entry.prefix, placement.interface.name
        )))?;
        if let Some(table) = &mut self.table {
            table.insert(entry.clone());
        }
        Ok(change)
    }

    /// Removes the address from its interface, or without one from any but the loopback. No error when it is
    /// not there. Returns the interfaces it was removed from, and a warning if one is called for.
    pub fn remove(
        &mut self,
        spec: &AddressSpec,
    ) -> Result<(Vec<Interface>, Option<String>), AddressError> {
        let mut removed = Vec::new();
        let mut warning = None;
        for entry in self.table()?.matching(spec) {
            let table = self.table()?;
            let Some(interface) = table.interface(entry.interface).cloned() else {
                continue;
            };
            let keeper = table
                .has_secondaries(&entry)
                .then(|| Promotion::enable(&interface.name));
            if let Some(Err(error)) = &keeper {
                warning = Some(format!(
                    "other addresses of that network on {0} may vanish along with {1}: cannot set \
                     net.ipv4.conf.{0}.promote_secondaries to 1: {error}",
                    interface.name, entry.address,
                ));
            }
            let wish = || {
                format!(
                    "remove {}/{} from {}",
                    entry.address, entry.prefix, interface.name
                )
            };
            self.netlink
                .remove(&entry)
                .map_err(|error| AddressError::Kernel {
                    wish: wish(),
                    error,
                })?;
            match keeper {
                None => self.table.iter_mut().for_each(|table| table.delete(&entry)),
                Some(_) => self.table = None, // another address is the first of its network now
            }
            removed.push(interface);
        }
        Ok((removed, warning))
    }

    fn table(&mut self) -> Result<&Table, AddressError> {
        let table = match self.table.take() {
            Some(table) => table,
            None => self
                .read()
                .map_err(kernel("read the interfaces and addresses"))?,
        };
        Ok(self.table.insert(table))
    }

    fn read(&mut self) -> io::Result<Table> {
        let mut table = Table {
            interfaces: self.netlink.interfaces()?,
            ..Table::default()
        };
        for entry in self.netlink.addresses()? {
            table.insert(entry);
        }
        Ok(table)
    }
}

impl Table {
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

    /// Whether this is the first address of its network on its interface and others hang on it: without
    /// `promote_secondaries` the kernel removes those together with it.
    fn has_secondaries(&self, entry: &Address) -> bool {
        !entry.secondary
            && self.addresses.values().flatten().any(|other| {
                other.secondary
                    && other.interface == entry.interface
                    && other.prefix == entry.prefix
                    && network_of(other.address, other.prefix)
                        == network_of(entry.address, entry.prefix)
            })
    }
}

fn place(
    spec: &AddressSpec,
    table: &Table,
    networks: &[Network],
) -> Result<Placement, AddressError> {
    if let Some(label) = spec
        .label
        .as_ref()
        .filter(|label| label.len() > LONGEST_LABEL)
    {
        return Err(AddressError::LongLabel {
            label: label.clone(),
        });
    }
    let given = match &spec.interface {
        Some(name) => Some(
            table
                .interfaces
                .iter()
                .find(|interface| interface.name == *name)
                .ok_or_else(|| {
                    let present = table
                        .interfaces
                        .iter()
                        .map(|interface| interface.name.clone())
                        .collect();
                    AddressError::NoInterface {
                        interface: name.clone(),
                        present,
                    }
                })?,
        ),
        None => None,
    };
    let (interface, prefix) = match (given, spec.prefix) {
        (Some(interface), Some(prefix)) => (interface, prefix),
        _ => {
            let (index, prefix) = find(spec.address, given, table, networks).ok_or_else(|| {
                AddressError::NoNetwork {
                    address: spec.address,
                    interface: spec.interface.clone(),
                }
            })?;
            let interface = table
                .interface(index)
                .ok_or_else(|| AddressError::NoNetwork {
                    address: spec.address,
                    interface: None,
                })?;
            (interface, spec.prefix.unwrap_or(prefix))
        }
    };
    let label = spec
        .address
        .is_ipv4()
        .then(|| spec.label.clone().unwrap_or_else(|| interface.name.clone()));
    let entry = Address {
        interface: interface.index,
        address: spec.address,
        prefix,
        label,
        broadcast: spec.broadcast.or_else(|| broadcast(spec.address, prefix)),
        secondary: false,
    };
    Ok(Placement {
        interface: interface.clone(),
        entry,
    })
}

/// The interface and prefix length of the narrowest network that contains the address. Interfaces that are
/// down have no routes, so the networks of addresses count as well.
fn find(
    address: IpAddr,
    given: Option<&Interface>,
    table: &Table,
    networks: &[Network],
) -> Option<(u32, u8)> {
    let of_addresses = table.addresses.values().flatten().map(|entry| Network {
        interface: entry.interface,
        destination: entry.address,
        prefix: entry.prefix,
        metric: u32::MAX,
    });
    networks
        .iter()
        .cloned()
        .chain(of_addresses)
        .filter(|network| {
            network.prefix > 0 && network.prefix < if address.is_ipv4() { 32 } else { 128 }
        })
        .filter(|network| {
            network_of(network.destination, network.prefix) == network_of(address, network.prefix)
        })
        .filter(|network| match given {
            Some(interface) => network.interface == interface.index,
            None => table
                .interface(network.interface)
                .is_some_and(|interface| !interface.loopback),
        })
        .min_by_key(|network| {
            (
                u8::MAX.saturating_sub(network.prefix),
                network.metric,
                network.interface,
            )
        })
        .map(|network| (network.interface, network.prefix))
}

fn network_of(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX
                .checked_shl(32_u32.saturating_sub(prefix.into()))
                .unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(v4.to_bits() & mask))
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX
                .checked_shl(128_u32.saturating_sub(prefix.into()))
                .unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

/// A network of one or two addresses has none.
fn broadcast(address: IpAddr, prefix: u8) -> Option<Ipv4Addr> {
    let IpAddr::V4(v4) = address else { return None };
    let host_bits = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    (prefix < 31).then(|| Ipv4Addr::from_bits(v4.to_bits() | host_bits))
}

fn kernel<W: Into<String>>(wish: W) -> impl FnOnce(io::Error) -> AddressError {
    move |error| AddressError::Kernel {
        wish: wish.into(),
        error,
    }
}

/// While this lives, the kernel keeps the other addresses of a network when the first of them goes.
struct Promotion {
    setting: PathBuf,
    before: String,
}

impl Promotion {
    fn enable(interface: &str) -> io::Result<Self> {
        let setting = PathBuf::from("/proc/sys/net/ipv4/conf")
            .join(interface)
            .join("promote_secondaries");
        let before = std::fs::read_to_string(&setting)?;
        if before.trim() == "0" {
            std::fs::write(&setting, "1")?;
        }
        Ok(Self { setting, before })
    }
}

impl Drop for Promotion {
    fn drop(&mut self) {
        if self.before.trim() == "0" {
            let _ = std::fs::write(&self.setting, &self.before); // was writable a moment ago; harmless if left on
        }
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInterface { interface, present } => {
                write!(
                    f,
                    "there is no interface {interface} (there is {})",
                    present.join(", ")
                )
            }
            Self::NoNetwork {
                address,
                interface: None,
            } => write!(
                f,
                "no interface has a network that contains {address}; write prefix length and interface, as in \
                 {address}/{}/eth0",
                if address.is_ipv4() { 24 } else { 64 },
            ),
            Self::NoNetwork {
                address,
                interface: Some(interface),
            } => write!(
                f,
                "{interface} has no network that contains {address}; write the prefix length, as in {address}/{}/{interface}",
                if address.is_ipv4() { 24 } else { 64 },
            ),
            Self::LongLabel { label } => {
                write!(
                    f,
                    "the label {label} has {} characters, {LONGEST_LABEL} is the most",
                    label.len()
                )
            }
            Self::Kernel { wish, error } => write!(f, "cannot {wish}: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interface(index: u32, name: &str) -> Interface {
        Interface {
            index,
            name: name.to_owned(),
            up: true,
            loopback: name == "lo",
            ethernet: (name != "lo").then_some([2, 0, 0, 0, 0, 1]),
        }
    }

    fn entry(interface: u32, address: &str, prefix: u8) -> Address {
        let address = address.parse().expect("a test address");
        Address {
            interface,
            address,
            prefix,
            label: None,
            broadcast: None,
            secondary: false,
        }
    }

    fn table() -> Table {
        let mut table = Table {
            interfaces: vec![
                interface(1, "lo"),
                interface(2, "eth0"),
                interface(3, "eth1"),
            ],
            ..Table::default()
        };
        table.insert(entry(1, "127.0.0.1", 8));
        table.insert(entry(1, "10.9.9.9", 32));
        table.insert(entry(2, "172.16.1.203", 24));
        table.insert(entry(3, "172.16.0.1", 16));
        table.insert(entry(3, "fd00::1", 64));
        table
    }

    fn network(interface: u32, destination: &str, prefix: u8, metric: u32) -> Network {
        Network {
            interface,
            destination: destination.parse().expect("a test address"),
            prefix,
            metric,
        }
    }

    /// `address[/prefix][@interface]`
    fn spec(text: &str) -> AddressSpec {
        let (text, interface) = text
            .split_once('@')
            .map_or((text, None), |(text, name)| (text, Some(name.to_owned())));
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(text, prefix)| (text, prefix.parse().ok()));
        let address = address.parse().expect("a test address");
        AddressSpec {
            address,
            prefix,
            interface,
            label: None,
            broadcast: None,
        }
    }

    #[test]
    fn an_address_belongs_to_the_narrowest_network_that_contains_it() {
        for (written, expected) in [
            (
                "172.16.1.200",
                "inet address 172.16.1.200/24 with broadcast address 172.16.1.255 to device eth0",
            ),
            (
                "172.16.2.200",
                "inet address 172.16.2.200/16 with broadcast address 172.16.255.255 to device eth1",
            ),
            (
                "172.16.1.200/28",
                "inet address 172.16.1.200/28 with broadcast address 172.16.1.207 to device eth0",
            ),
            (
                "172.16.1.200@eth1",
                "inet address 172.16.1.200/16 with broadcast address 172.16.255.255 to device eth1",
            ),
            (
                "10.0.0.9/32@eth1",
                "inet address 10.0.0.9/32 to device eth1",
            ),
            ("fd00::9", "inet6 address fd00::9/64 to device eth1"),
            (
                "192.168.7.7",
                "inet address 192.168.7.7/24 with broadcast address 192.168.7.255 to device eth1",
            ),
        ] {
            let routes = [
                network(2, "192.168.7.0", 24, 200),
                network(3, "192.168.7.0", 24, 100),
            ];
            assert_eq!(
                place(&spec(written), &table(), &routes)
                    .map(|place| place.to_string())
                    .ok()
                    .as_deref(),
                Some(expected)
            );
        }
    }

    #[test]
    fn what_cannot_be_placed_is_explained() {
        let long = AddressSpec {
            label: Some("interface0:virtual".to_owned()),
            ..spec("172.16.1.200")
        };
        for (spec, expected) in [
            (
                spec("10.1.1.1"),
                "no interface has a network that contains 10.1.1.1; write prefix length and interface, as in 10.1.1.1/24/eth0",
            ),
            (
                spec("10.1.1.1/24"),
                "no interface has a network that contains 10.1.1.1; write prefix length and interface, as in 10.1.1.1/24/eth0",
            ),
            (
                spec("10.1.1.1@eth1"),
                "eth1 has no network that contains 10.1.1.1; write the prefix length, as in 10.1.1.1/24/eth1",
            ),
            (
                spec("10.1.1.1/24@eth7"),
                "there is no interface eth7 (there is lo, eth0, eth1)",
            ),
            (
                long,
                "the label interface0:virtual has 18 characters, 15 is the most",
            ),
        ] {
            let error = place(&spec, &table(), &[])
                .err()
                .map(|error| error.to_string());
            assert_eq!(error.as_deref(), Some(expected));
        }
    }

    #[test]
    fn an_address_on_the_loopback_is_not_the_floating_one() {
        assert!(table().matching(&spec("10.9.9.9")).is_empty());
        assert_eq!(table().matching(&spec("10.9.9.9@lo")).len(), 1);
        assert_eq!(table().matching(&spec("172.16.1.203/30")).len(), 1);
        assert!(table().matching(&spec("172.16.1.203@eth1")).is_empty());
    }

    #[test]
    fn label_and_broadcast_stand_as_written() {
        let wanted = AddressSpec {
            label: Some("eth0:0".to_owned()),
            broadcast: Some(Ipv4Addr::new(172, 16, 1, 127)),
            ..spec("172.16.1.200/24@eth0")
        };
        let placed = place(&wanted, &table(), &[])
            .map(|place| place.to_string())
            .ok();
        let expected = "inet address 172.16.1.200/24 with broadcast address 172.16.1.127 to device eth0 (with label eth0:0)";
        assert_eq!(placed.as_deref(), Some(expected));
    }

    #[test]
    fn only_the_first_address_of_a_network_holds_others() {
        let mut table = table();
        table.insert(Address {
            secondary: true,
            ..entry(2, "172.16.1.200", 24)
        });
        assert!(table.has_secondaries(&entry(2, "172.16.1.203", 24)));
        assert!(!table.has_secondaries(&entry(3, "172.16.0.1", 16)));
        assert!(!table.has_secondaries(&Address {
            secondary: true,
            ..entry(2, "172.16.1.200", 24)
        }));
    }
}
