//! What the kernel says of this machine's interfaces and addresses, asked once.

use std::cell::{OnceCell, RefCell};
use std::io;
use std::net::IpAddr;

use super::found;
use super::ruleset::Ruleset;
use crate::config::{Absence, AddressSpec};
use crate::os::netlink::{Address, Interface, Netlink};
use crate::os::proc;
use crate::resource::address::Addresses;

/// A running machine.
#[derive(Debug)]
pub struct Live {
    /// All interfaces.
    pub interfaces: Vec<Interface>,
    /// All addresses.
    pub addresses: Vec<Address>,
    /// Finds the place of an address.
    pub placement: RefCell<Addresses>,
    /// Whether a heartbeat runs, which may well hold what it is there for.
    pub has_heartbeat: bool,
    rules: OnceCell<Option<Ruleset>>,
}

impl Live {
    /// Asks the kernel. `has_heartbeat`: one that has said so; others are looked for among the processes.
    ///
    /// # Errors
    /// When the kernel does not answer.
    pub fn ask(has_heartbeat: bool) -> io::Result<Self> {
        let mut netlink = Netlink::open()?;
        Ok(Self {
            interfaces: netlink.interfaces()?,
            addresses: netlink.addresses()?,
            placement: RefCell::new(Addresses::open()?),
            has_heartbeat: has_heartbeat || is_any_heartbeat(),
            rules: OnceCell::new(),
        })
    }

    /// The interface of this name.
    pub fn named(&self, name: &str) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.name == name)
    }

    /// The interface of this number.
    pub fn numbered(&self, index: u32) -> Option<&Interface> {
        self.interfaces
            .iter()
            .find(|interface| interface.index == index)
    }

    /// The addresses of an interface that are of the same family as another one and reach further than its own wire.
    pub fn addresses_of(&self, interface: &Interface, like: IpAddr) -> Vec<&Address> {
        let own = self.addresses.iter().filter(|entry| {
            entry.interface == interface.index
                && entry.address.is_ipv4() == like.is_ipv4()
                && !is_link_local(entry.address)
        });
        own.collect()
    }

    /// The interface, other than the loopback, that has a network with this address, which itself does not count.
    pub fn in_network_of(&self, address: IpAddr) -> Option<(&Interface, &Address)> {
        let mut entries = self
            .addresses
            .iter()
            .filter(|entry| entry.address != address);
        entries.find_map(|entry| {
            let interface = self.numbered(entry.interface)?;
            (!interface.loopback && contains(entry, address)).then_some((interface, entry))
        })
    }

    /// Whether the machine has the address although no heartbeat runs that could have given it.
    pub fn holder(&self, spec: &AddressSpec) -> Option<Absence> {
        let mut entries = self.addresses.iter();
        let entry = entries.find(|entry| entry.address == spec.address && !self.has_heartbeat)?;
        let name = &self.numbered(entry.interface)?.name;
        let address = spec.address;
        found(
            format!("{address} is on {name} already, and no heartbeat runs"),
            "left behind, or given by something else: the other machine may have it at the same time",
            format!(
                "ip address del {address}/{} dev {name}; if it comes back, find out from where",
                entry.prefix
            ),
        )
    }

    /// The packet filter, where there is one that can be read.
    pub fn rules(&self) -> Option<&Ruleset> {
        self.rules.get_or_init(Ruleset::read).as_ref()
    }
}

/// Ours, or one of 3.0.6.
fn is_any_heartbeat() -> bool {
    let own = i32::try_from(std::process::id()).ok();
    let all = proc::all().unwrap_or_default();
    all.into_iter()
        .filter(|pid| Some(*pid) != own)
        .any(|pid| proc::name(pid).is_some_and(|name| name == "heartbeat"))
}

/// Whether an address is in the network of another one.
pub fn contains(entry: &Address, address: IpAddr) -> bool {
    match (entry.address, address) {
        (IpAddr::V4(ours), IpAddr::V4(address)) => {
            let shift = 32_u32.saturating_sub(entry.prefix.into());
            let network = |bits: u32| bits.checked_shr(shift).unwrap_or(0);
            entry.prefix < 32 && network(ours.to_bits()) == network(address.to_bits())
        }
        (IpAddr::V6(ours), IpAddr::V6(address)) => {
            let shift = 128_u32.saturating_sub(entry.prefix.into());
            let network = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
            entry.prefix < 128 && network(ours.to_bits()) == network(address.to_bits())
        }
        _ => false,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

/// As in `10.0.0.1/24, 10.0.1.1/24`.
pub fn list(entries: &[&Address]) -> String {
    let words: Vec<String> = entries
        .iter()
        .map(|entry| format!("{}/{}", entry.address, entry.prefix))
        .collect();
    words.join(", ")
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// A machine with these interfaces, up and with a carrier unless a `!` stands before the name, and the addresses behind them.
    pub fn live(lines: &[&str]) -> Live {
        let mut live = Live {
            interfaces: Vec::new(),
            addresses: Vec::new(),
            placement: RefCell::new(Addresses::open().expect("a socket")),
            has_heartbeat: false,
            rules: OnceCell::from(None),
        };
        for (line, index) in lines.iter().zip(1..) {
            let mut words = line.split(' ');
            let word = words.next().expect("a name");
            let name = word.trim_start_matches(['!', '?']);
            live.interfaces.push(Interface {
                index,
                name: name.to_owned(),
                up: !word.starts_with('!'),
                running: !word.starts_with(['!', '?']),
                loopback: name == "lo",
                ethernet: None,
            });
            for word in words {
                let (address, prefix) = word.split_once('/').expect("a prefix");
                live.addresses.push(Address {
                    interface: index,
                    address: address.parse().expect("an address"),
                    prefix: prefix.parse().expect("a number"),
                    label: None,
                    broadcast: None,
                    secondary: false,
                    is_refused: false,
                });
            }
        }
        live
    }

    #[test]
    fn an_address_is_in_the_network_that_begins_like_it() {
        let live = live(&["lo 127.0.0.1/8", "eth0 10.0.0.1/24 fd00::1/64 10.9.9.9/32"]);
        for (address, inside) in [
            ("10.0.0.200", true),
            ("10.0.1.200", false),
            ("fd00::ffff", true),
            ("fd01::1", false),
            ("127.0.0.5", false),
            ("10.0.0.1", false),
        ] {
            let found = live.in_network_of(address.parse().expect("an address"));
            assert_eq!(found.is_some(), inside, "{address}");
        }
    }

    #[test]
    fn an_address_without_a_heartbeat_is_told() {
        let mut live = live(&["eth0 10.0.0.9/24"]);
        let spec = AddressSpec::bare("10.0.0.9".parse().expect("an address"));
        let said = live.holder(&spec).expect("told");
        assert!(said.help.starts_with("ip address del 10.0.0.9/24 dev eth0"));
        live.has_heartbeat = true;
        assert_eq!(live.holder(&spec), None);
    }
}
