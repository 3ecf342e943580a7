//! The questions of the witness as Ethernet frames, and the answers.
//!
//! Each question is broadcast, so that it reaches all machines at once and no cache of anybody takes part. An address is
//! asked for in two ways: who has it (ARP, or neighbour discovery), as a client does before its first packet, and an echo
//! (ping), whose answer shows that the machine takes packets for it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::answers::Mac;

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub struct Asker {
    /// The Ethernet address.
    pub mac: Mac,
    /// Where echoes come from: answers to them pass through this machine's kernel, which must have the address.
    pub v4: Ipv4Addr,
    /// The same for IPv6.
    pub v6: Ipv6Addr,
}

/// What a frame says to the witness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// Whose address it is.
    pub address: IpAddr,
    /// The machine that sent it.
    pub by: Mac,
    /// The end of the question's number.
    pub question: u16,
    /// Only so many bits of it are there.
    pub bits: u32,
}

const EVERYBODY: Mac = [0xff; 6];
const ARP: [u8; 2] = [8, 6];
const IPV4: [u8; 2] = [8, 0];
const IPV6: [u8; 2] = [0x86, 0xdd];
const ICMP: u8 = 1;
const ICMPV6: u8 = 58;
/// Tells our echoes from those of others.
const IDENTIFIER: [u8; 2] = *b"HB";
/// So many bits of a question's number are in the address that asks who has another. Each such address is an entry in the
/// neighbour tables of the machines: few.
const BITS: u32 = 6;
/// The first of those addresses, by its last byte.
const ASKERS: u8 = 128;

/// Both ways to ask for an address.
pub fn questions(asker: &Asker, address: IpAddr, question: u64) -> [Vec<u8>; 2] {
    let sequence = u16::try_from(question & 0xffff).unwrap_or_default();
    match address {
        IpAddr::V4(v4) => [arp(asker, v4, sequence), echo(asker, v4, sequence)],
        IpAddr::V6(v6) => [
            solicitation(asker, v6, sequence),
            echo6(asker, v6, sequence),
        ],
    }
}

/// The last byte of the address that asks.
fn mark(sequence: u16) -> u8 {
    let low = sequence & ((1 << BITS) - 1);
    ASKERS + u8::try_from(low).unwrap_or_default()
}

fn ethernet(to: Mac, asker: &Asker, kind: [u8; 2]) -> Vec<u8> {
    [&to[..], &asker.mac, &kind].concat()
}

fn arp(asker: &Asker, address: Ipv4Addr, sequence: u16) -> Vec<u8> {
    let [a, b, c, _] = asker.v4.octets();
    let mut frame = ethernet(EVERYBODY, asker, ARP);
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(asker.mac);
    frame.extend([a, b, c, mark(sequence)]);
    frame.extend([0; 6]);
    frame.extend(address.octets());
    frame
}

fn echo(asker: &Asker, address: Ipv4Addr, sequence: u16) -> Vec<u8> {
    let mut message = [&[8, 0, 0, 0][..], &IDENTIFIER, &sequence.to_be_bytes()].concat();
    fill_in(&mut message, 2, &[]);
    let length = u16::try_from(20 + message.len()).unwrap_or_default();
    let mut header = vec![0x45, 0];
    header.extend(length.to_be_bytes());
    header.extend([0, 0, 0, 0, 64, ICMP, 0, 0]);
    header.extend(asker.v4.octets());
    header.extend(address.octets());
    fill_in(&mut header, 10, &[]);
    [ethernet(EVERYBODY, asker, IPV4), header, message].concat()
}

fn solicitation(asker: &Asker, address: Ipv6Addr, sequence: u16) -> Vec<u8> {
    let [.., x, y, z] = address.octets();
    let from = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0x4842, u16::from(mark(sequence)));
    let group = Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(x),
        u16::from_be_bytes([y, z]),
    );
    let mut message = vec![135, 0, 0, 0, 0, 0, 0, 0];
    message.extend(address.octets());
    message.extend([1, 1]);
    message.extend(asker.mac);
    let to = [0x33, 0x33, 0xff, x, y, z];
    [
        ethernet(to, asker, IPV6),
        packet6(from, group, 255, message),
    ]
    .concat()
}

fn echo6(asker: &Asker, address: Ipv6Addr, sequence: u16) -> Vec<u8> {
    let message = [&[128, 0, 0, 0][..], &IDENTIFIER, &sequence.to_be_bytes()].concat();
    let to = ethernet(EVERYBODY, asker, IPV6);
    [to, packet6(asker.v6, address, 64, message)].concat()
}

fn packet6(from: Ipv6Addr, to: Ipv6Addr, hops: u8, mut message: Vec<u8>) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap_or_default();
    let addresses = [from.octets(), to.octets()].concat();
    let [high, low] = length.to_be_bytes();
    let summed = [&addresses[..], &[0, 0, high, low, 0, 0, 0, ICMPV6]].concat();
    fill_in(&mut message, 2, &summed);
    let header = [0x60, 0, 0, 0, high, low, ICMPV6, hops];
    [&header[..], &addresses, &message].concat()
}

/// Puts the checksum of the internet into bytes that have zeroes there, over something else beside them.
fn fill_in(bytes: &mut [u8], place: usize, beside: &[u8]) {
    let words = beside.chunks(2).chain(bytes.chunks(2));
    let mut sum: u32 = words
        .map(|word| match *word {
            [high, low] => u32::from(u16::from_be_bytes([high, low])),
            [high] => u32::from(high) << 8,
            _ => 0,
        })
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = !u16::try_from(sum).unwrap_or_default();
    bytes[place..place + 2].copy_from_slice(&sum.to_be_bytes());
}

/// What a frame answers, if it is an answer to the witness.
pub fn reply(asker: &Asker, frame: &[u8]) -> Option<Reply> {
    let by: Mac = *frame.get(6..)?.first_chunk()?;
    if by == asker.mac {
        return None;
    }
    let packet = frame.get(14..)?;
    let (address, question, bits) = match *frame.get(12..)?.first_chunk()? {
        ARP => of_arp(asker, packet)?,
        IPV4 => of_echo(packet)?,
        IPV6 => of_icmpv6(packet)?,
        _ => return None,
    };
    Some(Reply {
        address,
        by,
        question,
        bits,
    })
}

type Told = (IpAddr, u16, u32);

fn of_arp(asker: &Asker, packet: &[u8]) -> Option<Told> {
    let rest = packet.strip_prefix(&[0, 1, 8, 0, 6, 4, 0, 2])?;
    let address: [u8; 4] = *rest.get(6..)?.first_chunk()?;
    let [a, b, c, last]: [u8; 4] = *rest.get(16..)?.first_chunk()?;
    let is_ours = [a, b, c] == asker.v4.octets()[..3];
    let question = u16::from(last.checked_sub(ASKERS)?);
    (is_ours && question < 1 << BITS).then_some((Ipv4Addr::from(address).into(), question, BITS))
}

fn of_echo(packet: &[u8]) -> Option<Told> {
    let address: [u8; 4] = *packet.get(12..)?.first_chunk()?;
    let is_icmp = packet.first() == Some(&0x45) && packet.get(9) == Some(&ICMP);
    let [kind, _, _, _, rest @ ..]: [u8; 8] = *packet.get(20..)?.first_chunk()?;
    let [x, y, sequence @ ..] = rest;
    let is_ours = is_icmp && kind == 0 && [x, y] == IDENTIFIER;
    is_ours.then_some((
        Ipv4Addr::from(address).into(),
        u16::from_be_bytes(sequence),
        16,
    ))
}

fn of_icmpv6(packet: &[u8]) -> Option<Told> {
    let from: [u8; 16] = *packet.get(8..)?.first_chunk()?;
    let to: [u8; 16] = *packet.get(24..)?.first_chunk()?;
    let message = packet.get(40..)?;
    if packet.get(6) != Some(&ICMPV6) {
        return None;
    }
    match *message {
        [129, _, _, _, x, y, s, t, ..] if [x, y] == IDENTIFIER => {
            Some((Ipv6Addr::from(from).into(), u16::from_be_bytes([s, t]), 16))
        }
        [136, _, _, _, ref rest @ ..] => {
            let target: [u8; 16] = *rest.get(4..)?.first_chunk()?;
            let [0xfe, 0x80, .., 0x48, 0x42, 0, last] = to else {
                return None;
            };
            let question = u16::from(last.checked_sub(ASKERS)?);
            Some((Ipv6Addr::from(target).into(), question, BITS))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        let mut bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7, 0, 0];
        fill_in(&mut bytes, 8, &[]);
        assert_eq!(bytes[8..], [0x22, 0x0d]);
    }

    #[test]
    fn what_is_no_answer_or_cut_short_is_nothing() {
        let asker = Asker {
            mac: [2, 0, 0, 0, 0, 9],
            v4: [10, 0, 0, 9].into(),
            v6: "fd00::9".parse().expect("an address"),
        };
        for address in ["10.0.0.1", "fd00::1"] {
            let address = address.parse().expect("an address");
            for mut frame in questions(&asker, address, 70_000) {
                assert_eq!(reply(&asker, &frame), None, "its own");
                frame[11] = 1;
                assert_eq!(reply(&asker, &frame), None, "a question of another");
                for length in 0..frame.len() {
                    assert_eq!(reply(&asker, &frame[..length]), None);
                }
            }
        }
    }

    #[test]
    fn an_answer_by_arp_names_its_question() {
        let mac = [2, 0, 0, 0, 0, 9];
        let (v4, v6) = ([10, 0, 0, 9].into(), Ipv6Addr::LOCALHOST);
        let asker = Asker { mac, v4, v6 };
        let owner = [2, 0, 0, 0, 0, 1];
        let asked = &questions(&asker, [10, 0, 0, 1].into(), 67)[0];
        let mut frame = [&mac[..], &owner, &ARP, &[0, 1, 8, 0, 6, 4, 0, 2], &owner].concat();
        frame.extend([10, 0, 0, 1]);
        frame.extend(mac);
        frame.extend(&asked[28..32]); // to the address that asked
        let expected = Reply {
            address: [10, 0, 0, 1].into(),
            by: owner,
            question: 3,
            bits: 6,
        };
        assert_eq!(reply(&asker, &frame), Some(expected));
        frame[41] = 7; // to somebody else
        assert_eq!(reply(&asker, &frame), None);
    }
}
