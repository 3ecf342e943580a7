//! What interfaces and addresses this machine has, as far as it was read.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;

use super::placement::network_of;
use crate::config::AddressSpec;
use crate::os::netlink::{Address, Interface, Netlink};
use crate::os::netlink_news::News;

/// An interface, a prefix length, and the address with its host bits cleared.
type NetworkKey = (u32, u8, IpAddr);

/// All of them, found by address and by network.
#[derive(Debug, Default)]
pub(super) struct Table {
    interfaces: Vec<Interface>,
    addresses: BTreeMap<IpAddr, Vec<Address>>,
    networks: BTreeMap<NetworkKey, Members>,
}

/// The addresses of one network on one interface.
#[derive(Debug)]
struct Members {
    /// One that is or was among them.
    one: Address,
    all: usize,
    secondary: usize,
}

impl Table {
    /// Without any address.
    pub fn new(interfaces: Vec<Interface>) -> Self {
        Self {
            interfaces,
            ..Self::default()
        }
    }

    /// As the kernel tells it.
    pub fn read(netlink: &mut Netlink) -> io::Result<Self> {
        let mut table = Self::new(netlink.interfaces()?);
        for entry in netlink.addresses()? {
            table.insert(entry);
        }
        Ok(table)
    }

    /// An address was added: to a network that has one already, as a secondary one.
    pub fn add(&mut self, mut entry: Address) {
        let is_joining = self.networks.contains_key(&network(&entry));
        entry.secondary = entry.address.is_ipv4() && is_joining;
        self.insert(entry);
    }

    /// Takes in an address as it is.
    pub fn insert(&mut self, entry: Address) {
        let members = self.networks.entry(network(&entry));
        let members = members.or_insert_with(|| Members {
            one: entry.clone(),
            all: 0,
            secondary: 0,
        });
        members.all = members.all.saturating_add(1);
        members.secondary = members.secondary.saturating_add(entry.secondary.into());
        self.addresses.entry(entry.address).or_default().push(entry);
    }

    /// An address was removed.
    pub fn delete(&mut self, entry: &Address) {
        let Some(entries) = self.addresses.get_mut(&entry.address) else {
            return;
        };
        let Some(place) = entries.iter().position(|other| is_same(other, entry)) else {
            return;
        };
        let gone = entries.remove(place);
        if entries.is_empty() {
            self.addresses.remove(&entry.address);
        }
        let key = network(&gone);
        if let Some(members) = self.networks.get_mut(&key) {
            members.all = members.all.saturating_sub(1);
            members.secondary = members.secondary.saturating_sub(gone.secondary.into());
            if members.all == 0 {
                self.networks.remove(&key);
            }
        }
    }

    /// Every interface.
    pub fn interfaces(&self) -> &[Interface] {
        &self.interfaces
    }

    /// The interface of this number.
    pub fn interface(&self, index: u32) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.index == index)
    }

    /// For each network on each interface an address that is in it.
    pub fn one_of_each_network(&self) -> impl Iterator<Item = &Address> {
        self.networks.values().map(|members| &members.one)
    }

    /// The entries for an address on the given interface, or without one on any but the loopback; whatever their prefix
    /// length is.
    pub fn matching(&self, spec: &AddressSpec) -> Vec<Address> {
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
    pub fn has_secondaries(&self, entry: &Address) -> bool {
        let members = self.networks.get(&network(entry));
        !entry.secondary && members.is_some_and(|members| members.secondary > 0)
    }

    /// Whether news tell what is known here already.
    pub fn agrees(&self, news: &News) -> bool {
        let known = |entry: &Address| self.addresses.get(&entry.address).into_iter().flatten();
        match news {
            News::Added(entry) => known(entry).any(|other| other == entry),
            News::Removed(entry) => !known(entry).any(|other| is_same(other, entry)),
            News::Other => false,
        }
    }
}

/// The kernel has no two of these.
fn is_same(one: &Address, other: &Address) -> bool {
    let key = |entry: &Address| (entry.interface, entry.address, entry.prefix);
    key(one) == key(other)
}

fn network(entry: &Address) -> NetworkKey {
    let network = network_of(entry.address, entry.prefix);
    (entry.interface, entry.prefix, network)
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
        let mut table = Table::new(interfaces);
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

    #[test]
    fn the_kernel_s_word_of_what_was_done_here_is_no_news() {
        let mut table = table();
        let floating = |secondary| Address {
            label: Some("eth0".into()),
            secondary,
            ..entry(2, "172.16.1.200", 24)
        };
        assert!(table.agrees(&News::Removed(floating(true))));
        assert!(!table.agrees(&News::Added(floating(true))), "of somebody");
        table.add(floating(false));
        assert!(table.agrees(&News::Added(floating(true))));
        assert!(
            !table.agrees(&News::Added(floating(false))),
            "the first of its network now"
        );
        let relabelled = Address {
            label: Some("eth0:1".into()),
            ..floating(true)
        };
        assert!(!table.agrees(&News::Added(relabelled)));
        assert!(!table.agrees(&News::Removed(floating(true))));
        table.delete(&floating(true));
        assert!(table.agrees(&News::Removed(floating(true))));
        assert!(!table.agrees(&News::Other));
    }

    #[test]
    fn each_network_is_known_by_one_address_as_long_as_it_has_any() {
        let mut table = table();
        let of_eth0 = |table: &Table| {
            let all = table.one_of_each_network();
            all.filter(|entry| entry.interface == 2).count()
        };
        table.add(entry(2, "172.16.1.200", 24));
        table.add(entry(2, "172.16.1.201", 24));
        assert_eq!(of_eth0(&table), 1);
        table.delete(&entry(2, "172.16.1.203", 24));
        table.delete(&entry(2, "172.16.1.200", 24));
        assert_eq!(of_eth0(&table), 1);
        table.delete(&entry(2, "172.16.1.201", 24));
        assert_eq!(of_eth0(&table), 0);
    }
}
