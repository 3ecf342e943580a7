//! From a frame to a UDP datagram, or to the piece of one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::capture::LinkLayer;

const VLAN: [u16; 3] = [0x8100, 0x88a8, 0x9100];
const MOST_VLANS: usize = 4;
const UDP: u8 = 17;
const FRAGMENT: u8 = 44;
/// IPv6 headers before the one that matters.
const MOST_EXTENSIONS: usize = 8;
const UDP_HEADER: usize = 8;

/// Which way a packet went, as seen from the machine that captured it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// It came in.
    In,
    /// It went out.
    Out,
}

/// A frame without what its link put around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unwrapped<'a> {
    /// Where the capture tells.
    pub direction: Option<Direction>,
    /// The number of the interface, where the capture tells.
    pub interface: Option<u32>,
    /// From the IP header on.
    pub packet: &'a [u8],
}

/// Takes the link layer off; `None` for what is no IP.
pub fn unwrap(layer: LinkLayer, bytes: &[u8]) -> Option<Unwrapped<'_>> {
    let plain = |packet| Unwrapped {
        direction: None,
        interface: None,
        packet,
    };
    match layer {
        LinkLayer::Ip => Some(plain(bytes)),
        LinkLayer::Ethernet => after_ethertype(bytes, 12).map(plain),
        LinkLayer::Cooked => Some(Unwrapped {
            direction: Some(direction(u16_at(bytes, 0)?)),
            ..plain(after_ethertype(bytes, 14)?)
        }),
        LinkLayer::Cooked2 => Some(Unwrapped {
            direction: Some(direction(u16::from(*bytes.get(10)?))),
            interface: Some(u32_at(bytes, 4)?),
            packet: is_ip(u16_at(bytes, 0)?).then(|| bytes.get(20..))??,
        }),
    }
}

/// The packet types of the kernel: 4 is what this machine sent.
fn direction(kind: u16) -> Direction {
    if kind == 4 {
        Direction::Out
    } else {
        Direction::In
    }
}

fn after_ethertype(bytes: &[u8], mut place: usize) -> Option<&[u8]> {
    for _ in 0..MOST_VLANS {
        let kind = u16_at(bytes, place)?;
        if !VLAN.contains(&kind) {
            return is_ip(kind).then(|| bytes.get(place + 2..))?;
        }
        place += 4;
    }
    None
}

fn is_ip(ethertype: u16) -> bool {
    matches!(ethertype, 0x0800 | 0x86dd)
}

/// What an IP packet carries, as far as it concerns us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried<'a> {
    /// A whole UDP datagram.
    Datagram(Datagram<'a>),
    /// A piece of one.
    Fragment(Fragment<'a>),
}

/// A UDP datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it is for.
    pub destination: SocketAddr,
    /// What it says, as far as it was captured.
    pub payload: &'a [u8],
    /// The capture has less of it than went over the wire.
    pub is_cut: bool,
}

/// A piece of a UDP datagram that was too long for one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// What the pieces of one datagram have in common.
    pub of: Whole,
    /// Where its bytes belong.
    pub offset: usize,
    /// Others follow it.
    pub has_more: bool,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// What the pieces of one datagram have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Whole {
    /// Who sent it.
    pub source: IpAddr,
    /// Whom it is for.
    pub destination: IpAddr,
    /// The sender's number for it.
    pub identification: u32,
}

/// What an IP packet carries; `None` for what is no UDP, or damaged.
pub fn carried(packet: &[u8]) -> Option<Carried<'_>> {
    match packet.first()? >> 4 {
        4 => carried_by_v4(packet),
        6 => carried_by_v6(packet),
        _ => None,
    }
}

fn carried_by_v4(packet: &[u8]) -> Option<Carried<'_>> {
    let head = usize::from(packet.first()? & 15) * 4;
    let total = usize::from(u16_at(packet, 2)?);
    if head < 20 || *packet.get(9)? != UDP {
        return None;
    }
    // A network card that cuts packets up by itself has the length filled in later; until then it is 0.
    let end = if total == 0 { packet.len() } else { total };
    let address = |place| {
        let bytes: [u8; 4] = packet.get(place..place + 4)?.try_into().ok()?;
        Some(IpAddr::V4(Ipv4Addr::from(bytes)))
    };
    let whole = Whole {
        source: address(12)?,
        destination: address(16)?,
        identification: u32::from(u16_at(packet, 4)?),
    };
    let piece = u16_at(packet, 6)?;
    let body = packet.get(head..end.min(packet.len()))?;
    let place = Place {
        offset: usize::from(piece & 0x1fff) * 8,
        has_more: piece & 0x2000 != 0,
    };
    place.of(whole, body)
}

fn carried_by_v6(packet: &[u8]) -> Option<Carried<'_>> {
    let address = |place| {
        let bytes: [u8; 16] = packet.get(place..place + 16)?.try_into().ok()?;
        Some(IpAddr::V6(Ipv6Addr::from(bytes)))
    };
    let mut whole = Whole {
        source: address(8)?,
        destination: address(24)?,
        identification: 0,
    };
    let length = usize::from(u16_at(packet, 4)?);
    let end = if length == 0 {
        packet.len()
    } else {
        40 + length
    };
    let mut rest = packet.get(40..end.min(packet.len()))?;
    let mut place = Place {
        offset: 0,
        has_more: false,
    };
    let mut next = *packet.get(6)?;
    for _ in 0..MOST_EXTENSIONS {
        let length = match next {
            UDP => return place.of(whole, rest),
            FRAGMENT => {
                let piece = u16_at(rest, 2)?;
                whole.identification = u32_at(rest, 4)?;
                place = Place {
                    offset: usize::from(piece & 0xfff8),
                    has_more: piece & 1 != 0,
                };
                8
            }
            0 | 43 | 60 if place.offset == 0 => usize::from(*rest.get(1)?) * 8 + 8,
            _ => return None,
        };
        next = *rest.first()?;
        rest = rest.get(length..)?;
    }
    None
}

/// Where in its datagram a packet's body belongs.
#[derive(Clone, Copy)]
struct Place {
    offset: usize,
    has_more: bool,
}

impl Place {
    fn of(self, whole: Whole, body: &[u8]) -> Option<Carried<'_>> {
        if self.offset == 0 && !self.has_more {
            return datagram(whole.source, whole.destination, body).map(Carried::Datagram);
        }
        Some(Carried::Fragment(Fragment {
            of: whole,
            offset: self.offset,
            has_more: self.has_more,
            bytes: body,
        }))
    }
}

/// What follows an IP header, or was put together from pieces.
pub fn datagram(source: IpAddr, destination: IpAddr, udp: &[u8]) -> Option<Datagram<'_>> {
    let length = usize::from(u16_at(udp, 4)?);
    let payload = udp.get(UDP_HEADER..)?;
    let stated = length.saturating_sub(UDP_HEADER);
    Some(Datagram {
        source: SocketAddr::new(source, u16_at(udp, 0)?),
        destination: SocketAddr::new(destination, u16_at(udp, 2)?),
        payload: payload.get(..stated).unwrap_or(payload),
        is_cut: payload.len() < stated,
    })
}

fn u16_at(bytes: &[u8], place: usize) -> Option<u16> {
    let number = bytes.get(place..place.checked_add(2)?)?;
    Some(u16::from_be_bytes(number.try_into().ok()?))
}

fn u32_at(bytes: &[u8], place: usize) -> Option<u32> {
    let number = bytes.get(place..place.checked_add(4)?)?;
    Some(u32::from_be_bytes(number.try_into().ok()?))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// An IPv4 packet with this part of a UDP datagram.
    pub fn v4(body: &[u8], piece: u16) -> Vec<u8> {
        let length = u16::try_from(20 + body.len()).expect("short");
        let mut packet = vec![0x45, 0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 7]);
        packet.extend(piece.to_be_bytes());
        packet.extend([64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 255]);
        packet.extend(body);
        packet
    }

    /// An IPv6 packet with this body.
    fn v6(next: u8, body: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0];
        packet.extend(u16::try_from(body.len()).expect("short").to_be_bytes());
        packet.extend([next, 64]);
        packet.extend("fe80::1".parse::<Ipv6Addr>().expect("an address").octets());
        packet.extend(
            "ff02::694"
                .parse::<Ipv6Addr>()
                .expect("an address")
                .octets(),
        );
        packet.extend(body);
        packet
    }

    /// A UDP datagram from port 1000 to port 694.
    pub fn udp(payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(8 + payload.len()).expect("short");
        let mut body = [1000_u16, 694, length, 0].map(u16::to_be_bytes).concat();
        body.extend(payload);
        body
    }

    fn payload(packet: &[u8]) -> Option<(String, Vec<u8>, bool)> {
        match carried(packet)? {
            Carried::Datagram(datagram) => Some((
                format!("{} {}", datagram.source, datagram.destination),
                datagram.payload.to_vec(),
                datagram.is_cut,
            )),
            Carried::Fragment(_) => None,
        }
    }

    #[test]
    fn datagrams_are_found_behind_both_versions_of_ip() {
        let expected = |who: &str| Some((who.to_owned(), b"hello".to_vec(), false));
        let v4_names = "10.0.0.1:1000 10.0.0.255:694";
        let v6_names = "[fe80::1]:1000 [ff02::694]:694";
        let plain = v4(&udp(b"hello"), 0x4000);
        assert_eq!(payload(&plain), expected(v4_names));
        let padded = [plain, vec![0; 30]].concat();
        assert_eq!(
            payload(&padded),
            expected(v4_names),
            "short frames are padded"
        );
        assert_eq!(payload(&v6(17, &udp(b"hello"))), expected(v6_names));
        let options = [&[17, 0, 1, 4, 0, 0, 0, 0][..], &udp(b"hello")].concat();
        assert_eq!(payload(&v6(0, &options)), expected(v6_names));
    }

    #[test]
    fn a_frame_that_the_capture_cut_says_so() {
        let packet = v4(&udp(b"hello"), 0);
        let (_, bytes, is_cut) = payload(&packet[..packet.len() - 2]).expect("a datagram");
        assert_eq!((bytes.as_slice(), is_cut), (b"hel".as_slice(), true));
    }

    #[test]
    fn pieces_say_where_they_belong() {
        let first = v4(&[1; 16], 0x2000);
        let Some(Carried::Fragment(first)) = carried(&first) else {
            panic!("no fragment");
        };
        assert_eq!(
            (first.offset, first.has_more, first.bytes.len()),
            (0, true, 16)
        );
        let last = v6(44, &[&[17, 0, 0, 16, 0, 0, 0, 9][..], b"rest"].concat());
        let Some(Carried::Fragment(last)) = carried(&last) else {
            panic!("no fragment");
        };
        assert_eq!(
            (last.offset, last.has_more, last.bytes),
            (16, false, b"rest".as_slice())
        );
        assert_eq!(last.of.identification, 9);
    }

    #[test]
    fn every_link_layer_is_taken_off() {
        let packet = v4(&udp(b"x"), 0);
        let wrap = |head: &[u8]| [head, &packet].concat();
        let unwrapped = |layer, head: &[u8]| {
            let bytes = wrap(head);
            unwrap(layer, &bytes).map(|found| {
                assert_eq!(found.packet, packet);
                (found.direction, found.interface)
            })
        };
        let ethernet = [&[0; 12][..], &[8, 0]].concat();
        let tagged = [&[0; 12][..], &[0x81, 0, 0, 5, 8, 0]].concat();
        assert_eq!(unwrapped(LinkLayer::Ip, &[]), Some((None, None)));
        assert_eq!(
            unwrapped(LinkLayer::Ethernet, &ethernet),
            Some((None, None))
        );
        assert_eq!(unwrapped(LinkLayer::Ethernet, &tagged), Some((None, None)));
        let cooked = [&[0, 4][..], &[0; 12], &[8, 0]].concat();
        let out = Some(Direction::Out);
        assert_eq!(unwrapped(LinkLayer::Cooked, &cooked), Some((out, None)));
        let cooked2 = [&[8, 0, 0, 0, 0, 0, 0, 3, 0, 1, 0][..], &[0; 9]].concat();
        let incoming = Some(Direction::In);
        assert_eq!(
            unwrapped(LinkLayer::Cooked2, &cooked2),
            Some((incoming, Some(3)))
        );
        let arp = [&[0; 12][..], &[8, 6]].concat();
        assert!(unwrap(LinkLayer::Ethernet, &wrap(&arp)).is_none());
    }
}
