//! Paths to the peer that lead nowhere, or that break together.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use super::found;
use super::live::{Live, contains, list};
use crate::config::{Absence, Medium, MediumKind};
use crate::os::netlink::Interface;

/// Where the kernel says what an interface is made of.
const INTERFACES: &str = "/sys/class/net";

/// Whether a path leads to the peer; `link` are all of its name.
pub fn look(live: &Live, medium: &Medium, link: &[&Medium]) -> Option<Absence> {
    if is_serial(medium) {
        return None;
    }
    let interface = live.named(&medium.link)?;
    let of_interface = state(live, medium, interface);
    if of_interface.is_some() {
        // Once is enough, however many lines the link has.
        return of_interface.filter(|_| link.first() == Some(&medium));
    }
    host(live, medium, interface, link)
}

/// Whether its interface can carry anything.
fn state(live: &Live, medium: &Medium, interface: &Interface) -> Option<Absence> {
    let name = &interface.name;
    if !interface.up {
        return found(
            format!("{name} is down"),
            "nothing gets through on this link",
            format!("ip link set {name} up, and see to it that it is so after a boot"),
        );
    }
    if !interface.running {
        return found(
            format!("{name} has no carrier"),
            "no cable, or nobody at the other end: nothing gets through on this link",
            "look at the cable, the switch and the other machine",
        );
    }
    let is_v6 = matches!(
        medium.kind,
        MediumKind::Ucast6 { .. } | MediumKind::Mcast6 { .. }
    );
    let any = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    // Every interface has an IPv6 address of its own wire.
    if !is_v6 && live.addresses_of(interface, any).is_empty() && !has_any_v4(live, interface) {
        return found(
            format!("{name} has no IPv4 address"),
            "nothing can be sent on this link",
            format!(
                "give it one that stays, such as 192.168.254.1/24: see interfaces(5), or whatever sets up {name}"
            ),
        );
    }
    None
}

fn has_any_v4(live: &Live, interface: &Interface) -> bool {
    let mut all = live.addresses.iter();
    all.any(|entry| entry.interface == interface.index && entry.address.is_ipv4())
}

/// Whether the address of the peer is one, and is reached there. Names are not looked up: that may take long.
fn host(live: &Live, medium: &Medium, interface: &Interface, link: &[&Medium]) -> Option<Absence> {
    let address = address(medium)?;
    let is_own = |address: IpAddr| live.addresses.iter().any(|entry| entry.address == address);
    let name = &interface.name;
    if is_own(address) {
        let leads_nowhere = link
            .iter()
            .all(|medium| self::address(medium).is_some_and(is_own));
        let is_first = link.first() == Some(&medium);
        return (leads_nowhere && is_first).then(|| {
            found(
                format!("{name} leads to this machine alone"),
                format!("{address} is its own address"),
                format!("name the address of the other machine, too: `ucast {name} ADDRESS`; both lines may stand on both machines"),
            )
        })?;
    }
    let own = live.addresses_of(interface, address);
    let reaches = |entry: &&&crate::os::netlink::Address| contains(entry, address);
    if own.is_empty() || own.iter().any(|entry| reaches(&entry)) {
        return None;
    }
    if let Some((other, _)) = live.in_network_of(address) {
        return found(
            format!(
                "{address} belongs to the network of {}, not to that of {name}",
                other.name
            ),
            format!("what is sent on {name} does not get there"),
            format!(
                "write `ucast {} {address}`, or the address that the other machine has on {name}",
                other.name
            ),
        );
    }
    found(
        format!("{address} is in no network of {name}"),
        format!(
            "{name} has {}; heartbeats would go by a router, and are lost with it",
            list(&own)
        ),
        format!("write the address that the other machine has on {name}"),
    )
}

/// The address of the peer, where it is written as one and is no matter of the wire alone.
fn address(medium: &Medium) -> Option<IpAddr> {
    let (MediumKind::Ucast { host, .. } | MediumKind::Ucast6 { host, .. }) = &medium.kind else {
        return None;
    };
    let address: IpAddr = host.parse().ok()?;
    match address {
        IpAddr::V6(v6) if v6.is_unicast_link_local() => None,
        _ => Some(address),
    }
}

fn is_serial(medium: &Medium) -> bool {
    matches!(medium.kind, MediumKind::Serial { .. })
}

/// Whether several links are one cable, or one network.
pub fn shared(live: &Live, media: &[&Medium]) -> Option<Absence> {
    if media.iter().any(|medium| is_serial(medium)) {
        return None;
    }
    let links: BTreeSet<&str> = media.iter().map(|medium| medium.link.as_str()).collect();
    let names: Vec<&str> = links.iter().copied().collect();
    let names = names.join(" and ");
    let help = "add an independent one, such as `serial /dev/ttyS0`, or a network with a switch of its own";
    let cables: BTreeSet<String> = links
        .iter()
        .map(|link| carrier_of(Path::new(INTERFACES), link))
        .collect();
    if let (1, Some(cable)) = (cables.len(), cables.first()) {
        return found(
            format!("all links go over {cable}"),
            format!("{names} break together, as one link would"),
            help,
        );
    }
    let networks: BTreeSet<String> = links
        .iter()
        .filter_map(|link| network_of(live, link))
        .collect();
    let all_known = links.iter().all(|link| network_of(live, link).is_some());
    let network = networks
        .first()
        .filter(|_| all_known && networks.len() == 1)?;
    found(
        format!("all links are in the network {network}"),
        format!("{names} most likely end at one switch, and break with it"),
        help,
    )
}

/// The interface below a VLAN and the like, down to the one with the cable.
fn carrier_of(interfaces: &Path, name: &str) -> String {
    let mut name = name.to_owned();
    // No stack is higher.
    for _ in 0..8 {
        let entries = std::fs::read_dir(interfaces.join(&name))
            .into_iter()
            .flatten();
        let lower: Vec<String> = entries
            .flatten()
            .filter_map(|entry| {
                Some(
                    entry
                        .file_name()
                        .to_str()?
                        .strip_prefix("lower_")?
                        .to_owned(),
                )
            })
            .collect();
        match lower.as_slice() {
            [one] => one.clone_into(&mut name),
            // Several cables, as of a bond, or its own.
            _ => break,
        }
    }
    name
}

/// The one network of an interface, where it has one.
fn network_of(live: &Live, link: &str) -> Option<String> {
    let interface = live.named(link)?;
    let entries = live.addresses_of(interface, IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let entry = entries.first()?;
    let IpAddr::V4(address) = entry.address else {
        return None;
    };
    let hosts = u32::MAX.checked_shr(entry.prefix.into()).unwrap_or(0);
    let network = Ipv4Addr::from_bits(address.to_bits() & !hosts);
    Some(format!("{network}/{}", entry.prefix))
}

/// Several links of one kind.
pub fn of_one_kind(media: &[&Medium]) -> Option<Absence> {
    let serial = media.iter().filter(|medium| is_serial(medium)).count();
    let (message, label, help) = if serial == 0 {
        (
            "all links are networks",
            "a switch, a power strip or a driver that they share breaks all of them at once",
            "see to it that they share nothing, or add a null-modem cable: `serial /dev/ttyS0`",
        )
    } else if serial == media.len() {
        (
            "all links are serial lines",
            "an adapter, a card or a driver that they share breaks all of them at once",
            "add a network, such as `bcast eth1`",
        )
    } else {
        return None;
    };
    found(message, label, help)
}

#[cfg(test)]
mod tests {
    use super::super::live::tests::live;
    use super::*;

    fn ucast(link: &str, host: &str) -> Medium {
        Medium {
            link: link.to_owned(),
            kind: MediumKind::Ucast {
                host: host.to_owned(),
                port: 694,
            },
        }
    }

    #[test]
    fn a_path_leads_to_the_peer_or_is_told() {
        let live = live(&[
            "lo 127.0.0.1/8",
            "eth0 10.0.0.1/24",
            "eth1 192.168.9.1/24",
            "!eth2 10.2.0.1/24",
            "?eth3 10.3.0.1/24",
            "eth4",
            "eth5 169.254.1.1/16",
        ]);
        for (link, hosts, expected) in [
            ("eth0", &["10.0.0.2"][..], None),
            ("eth0", &["10.0.0.1", "10.0.0.2"], None),
            ("eth0", &["beta"], None),
            ("no-such", &["10.0.0.2"], None),
            ("eth5", &["169.254.1.2"], None),
            (
                "eth0",
                &["10.0.0.1"],
                Some("eth0 leads to this machine alone"),
            ),
            (
                "eth0",
                &["192.168.9.2"],
                Some("192.168.9.2 belongs to the network of eth1, not to that of eth0"),
            ),
            (
                "eth1",
                &["10.9.0.2"],
                Some("10.9.0.2 is in no network of eth1"),
            ),
            ("eth2", &["10.2.0.2"], Some("eth2 is down")),
            ("eth3", &["10.3.0.2"], Some("eth3 has no carrier")),
            ("eth4", &["10.4.0.2"], Some("eth4 has no IPv4 address")),
        ] {
            let media: Vec<Medium> = hosts.iter().map(|host| ucast(link, host)).collect();
            let all: Vec<&Medium> = media.iter().collect();
            let said = media.iter().find_map(|medium| look(&live, medium, &all));
            let said = said.map(|absence| absence.message);
            assert_eq!(said.as_deref(), expected, "{link} {hosts:?}");
        }
    }

    #[test]
    fn links_in_one_network_are_told() {
        let live = live(&["eth0 10.0.0.1/24", "eth1 10.0.0.5/24", "eth2 10.2.0.1/24"]);
        let said = |links: &[&str]| {
            let media: Vec<Medium> = links.iter().map(|link| ucast(link, "x")).collect();
            let all: Vec<&Medium> = media.iter().collect();
            shared(&live, &all).map(|absence| absence.message)
        };
        assert_eq!(
            said(&["eth0", "eth1"]).as_deref(),
            Some("all links are in the network 10.0.0.0/24")
        );
        assert_eq!(said(&["eth0", "eth1", "eth2"]), None);
        assert_eq!(said(&["eth0", "no-such"]), None);
    }

    #[test]
    fn a_vlan_is_its_cable_and_a_bond_is_itself() {
        let root = tempfile::tempdir().expect("a directory");
        for path in [
            "v1/lower_v0",
            "v0/lower_eth0",
            "eth0",
            "bond0/lower_eth1",
            "bond0/lower_eth2",
        ] {
            std::fs::create_dir_all(root.path().join(path)).expect("a directory");
        }
        for (name, expected) in [
            ("v1", "eth0"),
            ("eth0", "eth0"),
            ("bond0", "bond0"),
            ("x", "x"),
        ] {
            assert_eq!(carrier_of(root.path(), name), expected);
        }
    }

    #[test]
    fn links_of_one_kind_are_told() {
        let network = ucast("eth0", "x");
        let serial = Medium {
            link: "/dev/ttyS0".into(),
            kind: MediumKind::Serial {
                device: "/dev/ttyS0".into(),
                baud: 9600,
                flow: crate::config::SerialFlow::Auto,
            },
        };
        for (media, told) in [
            (vec![&network, &network], Some("all links are networks")),
            (vec![&serial, &serial], Some("all links are serial lines")),
            (vec![&network, &serial], None),
        ] {
            let said = of_one_kind(&media).map(|absence| absence.message);
            assert_eq!(said.as_deref(), told);
        }
    }
}
