//! Asking a network whether anybody has an address, without claiming it: an ARP probe for IPv4, the question of
//! duplicate address detection for IPv6. No neighbour learns anything from either.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::announce::{ARP, ARP_REQUEST, BROADCAST, arp, header, icmp};

/// The Ethernet frame of one question from this Ethernet address.
pub fn question(address: IpAddr, ethernet: [u8; 6]) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => {
            let mut frame = header(BROADCAST, ethernet, ARP);
            arp(
                &mut frame,
                ARP_REQUEST,
                (ethernet, Ipv4Addr::UNSPECIFIED),
                ([0; 6], address),
            );
            frame
        }
        IpAddr::V6(address) => solicitation(address, ethernet),
    }
}

/// To the group that who has the address listens to. Without a source it is no news of where anybody is.
fn solicitation(address: Ipv6Addr, ethernet: [u8; 6]) -> Vec<u8> {
    let [.., high, middle, low] = address.octets();
    let mut group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0).octets();
    for (byte, ours) in group.iter_mut().rev().zip([low, middle, high]) {
        *byte = ours;
    }
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(address.octets());
    icmp(
        ([0x33, 0x33, 0xff, high, middle, low], group.into()),
        (ethernet, Ipv6Addr::UNSPECIFIED),
        message,
    )
}

#[cfg(test)]
mod tests {
    use super::super::announce::checksum;
    use super::*;

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 9];

    fn hex(frame: &[u8]) -> String {
        let bytes = frame.iter().map(|byte| format!("{byte:02x}"));
        bytes.collect()
    }

    #[test]
    fn an_arp_probe_names_no_sender() {
        let frame = question(IpAddr::from([172, 16, 1, 200]), MAC);
        assert_eq!(
            hex(&frame),
            "ffffffffffff0200000000090806000108000604000102000000000900000000000000000000ac1001c8"
        );
    }

    #[test]
    fn a_solicitation_goes_to_the_group_of_its_target_and_adds_up() {
        let frame = question("fd00::12:3456".parse().expect("an address"), MAC);
        assert_eq!(
            hex(&frame[..54]),
            "3333ff12345602000000000986dd6000000000183aff\
             00000000000000000000000000000000ff0200000000000000000001ff123456"
        );
        assert_eq!((frame[54], frame.len()), (135, 54 + 24));
        let whole = [&frame[22..54], &[0, 24, 0, 58], &frame[54..]].concat();
        assert_eq!(checksum(whole.iter()), 0);
    }
}
