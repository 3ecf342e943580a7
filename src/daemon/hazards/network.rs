//! Floating addresses that do not fit the networks of this machine.

use std::net::{IpAddr, Ipv4Addr};

use super::found;
use super::live::{Live, contains, list};
use crate::config::{Absence, AddressSpec};
use crate::resource::address::AddressError;
use crate::resource::placement::PlacementError;

/// What is wrong with the place of an address.
pub fn look(live: &Live, spec: &AddressSpec) -> Option<Absence> {
    let address = spec.address;
    let Some(name) = &spec.interface else {
        let place = live.placement.borrow_mut().place(spec);
        if let Err(AddressError::Placement(PlacementError::NoNetwork { .. })) = place {
            let length = if address.is_ipv4() { 24 } else { 64 };
            return found(
                format!("no interface has a network that contains {address}"),
                "its group can't be started here",
                format!(
                    "correct it, or write prefix length and interface, as in {address}/{length}/eth0"
                ),
            );
        }
        return no_host(spec);
    };
    let interface = live.named(name)?;
    let own: Vec<_> = live
        .addresses_of(interface, address)
        .into_iter()
        .filter(|entry| entry.address != address)
        .collect();
    if own.iter().any(|entry| contains(entry, address)) {
        return no_host(spec);
    }
    if let Some((other, entry)) = live.in_network_of(address) {
        let prefix = spec.prefix.unwrap_or(entry.prefix);
        return found(
            format!(
                "{address} belongs to the network of {}, not to that of {name}",
                other.name
            ),
            format!("clients of {} would not reach it on {name}", list(&[entry])),
            format!("write {address}/{prefix}/{}", other.name),
        );
    }
    // One without addresses of its own can have floating ones all the same.
    if own.is_empty() {
        return no_host(spec);
    }
    found(
        format!("{address} is in no network of {name}"),
        format!("{name} has {}; no router leads there", list(&own)),
        "correct the address or the interface".to_owned(),
    )
}

/// What a machine can't have: the address of a network, or that of all machines in it.
pub fn no_host(spec: &AddressSpec) -> Option<Absence> {
    let (IpAddr::V4(address), Some(prefix @ 1..=30)) = (spec.address, spec.prefix) else {
        return None;
    };
    let hosts = u32::MAX.checked_shr(prefix.into()).unwrap_or(0);
    let network = address.to_bits() & !hosts;
    let what = match address.to_bits() & hosts {
        0 => "the network itself",
        bits if bits == hosts => "all machines of the network",
        _ => return None,
    };
    let first = Ipv4Addr::from_bits(network.saturating_add(1));
    let last = Ipv4Addr::from_bits((network | hosts).saturating_sub(1));
    found(
        format!("{address}/{prefix} stands for {what}"),
        "no client can use it",
        format!("take one from {first} to {last}"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::live::tests::live;
    use super::*;
    use crate::config::{ResourceWord, parse_address};

    #[test]
    fn an_address_fits_where_its_interface_has_its_network() {
        let live = live(&[
            "lo 127.0.0.1/8",
            "eth0 10.0.0.1/24",
            "eth1 192.168.9.1/24",
            "eth2",
            "eth3 169.254.3.3/16",
        ]);
        for (word, expected) in [
            ("10.0.0.9/24/eth0", None),
            ("10.0.0.9/24/eth0:0", None),
            ("10.9.0.9/24/eth2", None),
            ("10.9.0.9/24/eth3", None),
            ("10.0.0.9/24/no-such", None),
            (
                "192.168.9.9/24/eth0",
                Some("192.168.9.9 belongs to the network of eth1, not to that of eth0"),
            ),
            (
                "10.9.0.9/24/eth0",
                Some("10.9.0.9 is in no network of eth0"),
            ),
            (
                "10.0.0.255/24/eth0",
                Some("10.0.0.255/24 stands for all machines of the network"),
            ),
            (
                "10.0.0.0/24/eth0",
                Some("10.0.0.0/24 stands for the network itself"),
            ),
        ] {
            let spec = parse_address(&ResourceWord::new(word)).expect("an address");
            let said = look(&live, &spec.expect("valid"));
            let said = said.map(|absence| absence.message);
            assert_eq!(said.as_deref(), expected, "{word}");
        }
    }
}
