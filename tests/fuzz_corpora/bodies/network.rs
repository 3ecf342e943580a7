//! What the kernel hands over: answers about interfaces and addresses, and packets that are read raw.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use heartbeat::cluster::{MOST_ETHERNET, read_ethernet, write_ethernet};
use heartbeat::daemon::ping::echo::Echo;
use heartbeat::os::claim_tap::{Instruction, filter, of_advertisement, of_arp};
use heartbeat::os::netlink;

use super::steered;

/// Any datagram of the kernel: not more parts than there is room for, and nothing in them that is not in the bytes.
pub fn netlink(input: &[u8]) {
    let (sequence, datagram) = steered(input);
    let sequence = u32::from_ne_bytes(sequence);
    let (mut whole, mut parts) = (true, 0);
    let mut part = |_, payload: &[u8]| {
        parts += 1;
        decode(payload);
    };
    let _ = netlink::read_answer(datagram, sequence, &mut whole, &mut part);
    assert!(parts * 16 <= datagram.len(), "{parts} parts");
    decode(datagram);
}

fn decode(payload: &[u8]) {
    let is_text = |text: &str| text.len() <= payload.len() * 3 && !text.contains('\0');
    if let Some(found) = netlink::interface(payload) {
        assert!(is_text(&found.name));
    }
    if let Some(found) = netlink::address(payload) {
        assert!(found.label.as_deref().is_none_or(is_text));
        assert!(found.address.is_ipv4() || !found.secondary);
        assert!(found.address.is_ipv6() || !found.is_refused);
    }
    for like in [
        IpAddr::from(Ipv4Addr::UNSPECIFIED),
        Ipv6Addr::UNSPECIFIED.into(),
    ] {
        let _ = netlink::network(payload, like);
    }
}

/// Any packet as ARP and as a neighbour advertisement, and any text as the Ethernet addresses of a node: the filter in the
/// kernel keeps no claim back that would be read, and only what is at the beginning counts.
pub fn ethernet(input: &[u8]) {
    let ([neighbours], packet) = steered(input);
    let glance = packet.get(..128).unwrap_or(packet);
    assert_eq!(of_arp(packet), of_arp(glance));
    assert_eq!(of_advertisement(packet), of_advertisement(glance));
    for (is_ipv4, claim) in [(true, of_arp(packet)), (false, of_advertisement(packet))] {
        let nothing = filter(is_ipv4, std::iter::empty());
        assert!(!lets_through(&nothing, packet));
        let Some((address, _)) = claim else { continue };
        assert_eq!(address.is_ipv4(), is_ipv4);
        let others = (0..u32::from(neighbours) * 4).map(|number| match address {
            IpAddr::V4(_) => IpAddr::from(Ipv4Addr::from_bits(number.wrapping_mul(0x9e37_79b9))),
            IpAddr::V6(_) => Ipv6Addr::from_bits(u128::from(number) * 0x1_0001).into(),
        });
        let watched: BTreeSet<IpAddr> = others.chain([address]).collect();
        let program = filter(is_ipv4, watched.into_iter());
        assert!(program.len() < 256, "no jump is that long");
        assert!(lets_through(&program, packet), "{address}");
    }
    if let Some(all) = std::str::from_utf8(packet).ok().and_then(read_ethernet) {
        assert!((1..=MOST_ETHERNET).contains(&all.len()));
        assert_eq!(write_ethernet(&all).as_bytes(), packet.to_ascii_lowercase());
    }
}

/// What the kernel does with such a program; a load from outside of the packet lets nothing through.
fn lets_through(program: &[Instruction], packet: &[u8]) -> bool {
    let (mut place, mut loaded) = (0, 0);
    loop {
        let (code, yes, no, number) = program[place];
        let start = usize::try_from(number).expect("32 bits fit");
        let load = |size: usize| {
            let bytes = packet.get(start..start.checked_add(size)?)?;
            Some(
                bytes
                    .iter()
                    .fold(0, |all, &byte| all << 8 | u32::from(byte)),
            )
        };
        place += 1;
        let value = match code {
            0x30 => load(1),
            0x28 => load(2),
            0x20 => load(4),
            0x54 => Some(loaded & number),
            0x15 => {
                place += usize::from(if loaded == number { yes } else { no });
                continue;
            }
            0x06 => return number != 0,
            other => panic!("unknown instruction {other:#x}"),
        };
        match value {
            Some(value) => loaded = value,
            None => return false,
        }
    }
}

/// The answer of a pinged host with any bytes of it changed, and any other packet: nothing counts that a host could not
/// know from our request.
pub fn echo(input: &[u8]) {
    const SECRET: [u8; 16] = *b"0123456789abcdef";
    let echo = Echo::new(SECRET);
    for v6 in [false, true] {
        if echo.answered(input, v6, 3).is_some() {
            assert!(input.windows(SECRET.len()).any(|part| part == SECRET));
        }
    }
    let ([flags, a, b, c, d], changes) = steered(input);
    let v6 = flags & 1 != 0;
    let number = u64::from(u32::from_be_bytes([a, b, c, d])) << (flags >> 3);
    let mut packet = echo.request(v6, 3, number);
    packet[0] = if v6 { 129 } else { 0 };
    let header = if v6 {
        0
    } else {
        20 + 4 * usize::from(flags >> 1 & 3)
    };
    let words = u8::try_from(header / 4).expect("a few");
    packet.splice(0..0, std::iter::repeat_n(0x40 | words, header));
    let whole = packet.clone();
    for change in changes.chunks_exact(2) {
        let place = usize::from(change[0]) % packet.len();
        packet[place] ^= change[1];
    }
    let differs = |place: usize| packet[place] != whole[place];
    // Its own header, the checksum that the kernel has looked at, and the number that stands there once more.
    let matters =
        |place: usize| place >= header && !matches!(place - header, 2..4 | 6..8) || place == 0;
    let answered = echo.answered(&packet, v6, 3);
    if !(0..packet.len()).any(|place| matters(place) && differs(place)) {
        assert_eq!(answered, Some(number));
    } else if !differs(0) {
        assert_ne!(answered, Some(number), "{packet:?}");
    }
}
