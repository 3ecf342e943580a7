//! Where a floating address belongs: on which interface, with which prefix length, label and broadcast address.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::AddressSpec;
use crate::os::netlink::{Address, Interface, Network};

/// The kernel's limit for names of interfaces and labels.
const LONGEST_LABEL: usize = 15;

/// Why an address has no place on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlacementError {
    /// The interface does not exist.
    NoInterface {
        /// Its name.
        interface: String,
        /// What there is instead.
        present: Vec<String>,
    },
    /// No interface has a network that contains the address, or the given one has none.
    NoNetwork {
        /// The address.
        address: IpAddr,
        /// The interface, when given.
        interface: Option<String>,
    },
    /// The label does not fit into the kernel's field.
    LongLabel(String),
}

/// Where an address belongs and how it is to be written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The interface.
    pub interface: Interface,
    /// What to ask the kernel for.
    pub entry: Address,
}

impl Placement {
    /// The address as it is once it was added here.
    pub fn exactly(&self) -> AddressSpec {
        AddressSpec {
            address: self.entry.address,
            prefix: Some(self.entry.prefix),
            interface: Some(self.interface.name.clone()),
            label: self.entry.label.clone(),
            broadcast: self.entry.broadcast,
        }
    }
}

/// What a place is chosen from.
#[derive(Debug)]
pub struct Machine<'a> {
    /// All interfaces.
    pub interfaces: &'a [Interface],
    /// All addresses, or of each network on each interface one. May be left out for an address that is given with interface
    /// and prefix length.
    pub addresses: Vec<&'a Address>,
    /// All networks of the address's family. May be left out likewise.
    pub networks: &'a [Network],
}

impl Machine<'_> {
    /// Where the address belongs. What is given is taken as it is; what is not is found by the narrowest
    /// network that contains the address. Without a label it bears the interface's name, as the kernel has it.
    pub fn place(&self, spec: &AddressSpec) -> Result<Placement, PlacementError> {
        if let Some(label) = spec
            .label
            .as_ref()
            .filter(|label| label.len() > LONGEST_LABEL)
        {
            return Err(PlacementError::LongLabel(label.clone()));
        }
        let given = spec
            .interface
            .as_ref()
            .map(|name| self.named(name))
            .transpose()?;
        let (interface, prefix) = if let (Some(interface), Some(prefix)) = (given, spec.prefix) {
            (interface, prefix)
        } else {
            let (interface, prefix) =
                self.narrowest(spec.address, given)
                    .ok_or_else(|| PlacementError::NoNetwork {
                        address: spec.address,
                        interface: spec.interface.clone(),
                    })?;
            (interface, spec.prefix.unwrap_or(prefix))
        };
        let label = || spec.label.clone().unwrap_or_else(|| interface.name.clone());
        let entry = Address {
            interface: interface.index,
            address: spec.address,
            prefix,
            label: spec.address.is_ipv4().then(label),
            broadcast: spec.broadcast.or_else(|| broadcast(spec.address, prefix)),
            secondary: false,
            is_refused: false,
        };
        Ok(Placement {
            interface: interface.clone(),
            entry,
        })
    }

    fn named(&self, name: &str) -> Result<&Interface, PlacementError> {
        self.interfaces
            .iter()
            .find(|interface| interface.name == name)
            .ok_or_else(|| PlacementError::NoInterface {
                interface: name.to_owned(),
                present: self
                    .interfaces
                    .iter()
                    .map(|interface| interface.name.clone())
                    .collect(),
            })
    }

    /// Routes come first. An interface that is down has none, so the networks of addresses count as well.
    fn narrowest(&self, address: IpAddr, given: Option<&Interface>) -> Option<(&Interface, u8)> {
        let of_addresses = self.addresses.iter().map(|entry| Network {
            interface: entry.interface,
            destination: entry.address,
            prefix: entry.prefix,
            metric: u32::MAX,
        });
        let whole = if address.is_ipv4() { 32 } else { 128 };
        self.networks
            .iter()
            .cloned()
            .chain(of_addresses)
            .filter(|network| (1..whole).contains(&network.prefix))
            .filter(|network| {
                network_of(network.destination, network.prefix)
                    == network_of(address, network.prefix)
            })
            .filter_map(|network| {
                let index = network.interface;
                let interface = self
                    .interfaces
                    .iter()
                    .find(|interface| interface.index == index)?;
                let is_wanted = given.map_or(!interface.loopback, |given| given.index == index);
                is_wanted.then_some((interface, network))
            })
            .min_by_key(|(_, network)| {
                (
                    u8::MAX.saturating_sub(network.prefix),
                    network.metric,
                    network.interface,
                )
            })
            .map(|(interface, network)| (interface, network.prefix))
    }
}

/// The address with its host bits cleared.
pub(crate) fn network_of(address: IpAddr, prefix: u8) -> IpAddr {
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

impl fmt::Display for PlacementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInterface { interface, present } => {
                write!(
                    f,
                    "there is no interface {interface} (there is {})",
                    present.join(", ")
                )
            }
            Self::NoNetwork { address, interface } => {
                let length = if address.is_ipv4() { 24 } else { 64 };
                match interface {
                    None => write!(
                        f,
                        "no interface has a network that contains {address}; write prefix length and interface, as \
                         in {address}/{length}/eth0"
                    ),
                    Some(interface) => write!(
                        f,
                        "{interface} has no network that contains {address}; write the prefix length, as in \
                         {address}/{length}/{interface}"
                    ),
                }
            }
            Self::LongLabel(label) => {
                write!(
                    f,
                    "the label {label} has {} characters, {LONGEST_LABEL} is the most",
                    label.len()
                )
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn interface(index: u32, name: &str) -> Interface {
        Interface {
            index,
            name: name.to_owned(),
            up: true,
            running: true,
            loopback: name == "lo",
            ethernet: None,
        }
    }

    pub fn entry(interface: u32, address: &str, prefix: u8) -> Address {
        Address {
            interface,
            address: address.parse().expect("a test address"),
            prefix,
            label: None,
            broadcast: None,
            secondary: false,
            is_refused: false,
        }
    }

    fn network(interface: u32, destination: &str, prefix: u8, metric: u32) -> Network {
        Network {
            interface,
            destination: destination.parse().expect("a test address"),
            prefix,
            metric,
        }
    }

    fn place(spec: &AddressSpec) -> Result<String, String> {
        let addresses = [
            entry(1, "127.0.0.1", 8),
            entry(2, "172.16.1.203", 24),
            entry(2, "10.1.1.1", 32),
            entry(3, "172.16.0.1", 16),
            entry(3, "fd00::1", 64),
        ];
        let machine = Machine {
            interfaces: &[
                interface(1, "lo"),
                interface(2, "eth0"),
                interface(3, "eth1"),
            ],
            addresses: addresses.iter().collect(),
            networks: &[
                network(2, "192.168.7.0", 24, 200),
                network(3, "192.168.7.0", 24, 100),
            ],
        };
        machine
            .place(spec)
            .map(|place| place.to_string())
            .map_err(|error| error.to_string())
    }

    /// `address[/prefix][@interface]`
    fn spec(text: &str) -> AddressSpec {
        let (text, interface) = text
            .split_once('@')
            .map_or((text, None), |(text, name)| (text, Some(name)));
        let (address, prefix) = text
            .split_once('/')
            .map_or((text, None), |(text, prefix)| (text, prefix.parse().ok()));
        let address = address.parse().expect("a test address");
        AddressSpec {
            prefix,
            interface: interface.map(str::to_owned),
            ..AddressSpec::bare(address)
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
            (
                "10.0.0.9/31@eth1",
                "inet address 10.0.0.9/31 to device eth1",
            ),
            ("fd00::9", "inet6 address fd00::9/64 to device eth1"),
            (
                "192.168.7.7",
                "inet address 192.168.7.7/24 with broadcast address 192.168.7.255 to device eth1",
            ),
        ] {
            assert_eq!(place(&spec(written)).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_has_no_place_is_explained() {
        let nowhere = "no interface has a network that contains 10.1.1.1; write prefix length and interface, as in \
                       10.1.1.1/24/eth0";
        for (spec, expected) in [
            (spec("10.1.1.1"), nowhere),
            (spec("10.1.1.1/24"), nowhere),
            (
                spec("10.1.1.1@eth1"),
                "eth1 has no network that contains 10.1.1.1; write the prefix length, as in 10.1.1.1/24/eth1",
            ),
            (
                spec("10.1.1.1/24@eth7"),
                "there is no interface eth7 (there is lo, eth0, eth1)",
            ),
            (
                AddressSpec {
                    label: Some("interface0:virtual".to_owned()),
                    ..spec("172.16.1.200")
                },
                "the label interface0:virtual has 18 characters, 15 is the most",
            ),
        ] {
            assert_eq!(place(&spec).err().as_deref(), Some(expected));
        }
    }

    #[test]
    fn label_and_broadcast_stand_as_written() {
        let wanted = AddressSpec {
            label: Some("eth0:0".to_owned()),
            broadcast: Some(Ipv4Addr::new(172, 16, 1, 127)),
            ..spec("172.16.1.200/24@eth0")
        };
        let expected = "inet address 172.16.1.200/24 with broadcast address 172.16.1.127 to device eth0 (with label eth0:0)";
        assert_eq!(place(&wanted).as_deref(), Ok(expected));
    }
}
