//! Captures, read and written in every format.

use std::time::Duration;

/// A frame without its link layer.
#[derive(Debug, Clone)]
pub struct Packet {
    pub time: Duration,
    /// Number of the interface, where the format has it.
    pub interface: u32,
    /// From the IP header on.
    pub ip: Vec<u8>,
}

/// Byte order and units of a classic capture.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    pub big_endian: bool,
    pub nanoseconds: bool,
    pub layer: Layer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    Ethernet,
    Tagged,
    Cooked,
    Cooked2,
    Raw,
}

impl Style {
    pub const PLAIN: Self = Self {
        big_endian: false,
        nanoseconds: false,
        layer: Layer::Raw,
    };
}

impl Layer {
    fn number(self) -> u32 {
        match self {
            Self::Ethernet | Self::Tagged => 1,
            Self::Cooked => 113,
            Self::Cooked2 => 276,
            Self::Raw => 101,
        }
    }

    fn wrap(self, packet: &Packet) -> Vec<u8> {
        let kind: [u8; 2] = if packet.ip[0] >> 4 == 6 {
            [0x86, 0xdd]
        } else {
            [8, 0]
        };
        let head = match self {
            Self::Ethernet => [&[0xff; 12][..], &kind].concat(),
            Self::Tagged => [&[0xff; 12][..], &[0x81, 0, 0, 5], &kind].concat(),
            Self::Cooked => [&[0, 0, 0, 1, 0, 6][..], &[0; 8], &kind].concat(),
            Self::Cooked2 => {
                let interface = packet.interface.to_be_bytes();
                [&kind[..], &[0, 0], &interface, &[0, 1, 0, 6], &[0; 8]].concat()
            }
            Self::Raw => Vec::new(),
        };
        [head, packet.ip.clone()].concat()
    }
}

/// The IP packets of a little-endian Ethernet capture with microseconds, as those under `tests/wire` are.
pub fn packets(capture: &[u8]) -> Vec<Packet> {
    let number = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("four bytes"));
    let mut rest = &capture[24..];
    let mut packets = Vec::new();
    while rest.len() >= 16 {
        let length = number(&rest[8..12]) as usize;
        let time = Duration::new(number(&rest[..4]).into(), number(&rest[4..8]) * 1000);
        let frame = &rest[16..16 + length];
        rest = &rest[16 + length..];
        if frame[12..14] == [8, 0] {
            packets.push(Packet {
                time,
                interface: 2,
                ip: frame[14..].to_vec(),
            });
        }
    }
    packets
}

/// A classic capture.
pub fn pcap(packets: &[Packet], style: Style) -> Vec<u8> {
    let number = |value: u32| {
        if style.big_endian {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    };
    let magic = if style.nanoseconds {
        0xa1b2_3c4d
    } else {
        0xa1b2_c3d4
    };
    let version = if style.big_endian {
        0x0002_0004
    } else {
        0x0004_0002
    };
    let header = [magic, version, 0, 0, 262_144, style.layer.number()];
    let mut bytes = header.map(number).concat();
    for packet in packets {
        let frame = style.layer.wrap(packet);
        let length = u32::try_from(frame.len()).expect("short");
        let unit = if style.nanoseconds { 1 } else { 1000 };
        let seconds = u32::try_from(packet.time.as_secs()).expect("before 2106");
        let record = [seconds, packet.time.subsec_nanos() / unit, length, length];
        bytes.extend(record.map(number).concat());
        bytes.extend(frame);
    }
    bytes
}

/// A capture of Wireshark's with one Ethernet interface of that name.
pub fn pcapng(packets: &[Packet], interface: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut block = |kind: u32, mut body: Vec<u8>| {
        body.resize(body.len().next_multiple_of(4), 0);
        let length = u32::try_from(body.len() + 12).expect("short").to_le_bytes();
        bytes.extend([&kind.to_le_bytes()[..], &length, &body, &length].concat());
    };
    block(
        0x0a0d_0d0a,
        [&[0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0][..], &[0xff; 8]].concat(),
    );
    let mut name = interface.as_bytes().to_vec();
    let length = u8::try_from(name.len()).expect("short");
    name.resize(name.len().next_multiple_of(4), 0);
    block(
        1,
        [
            &[1, 0, 0, 0, 0, 0, 0, 0, 2, 0, length, 0][..],
            &name,
            &[0; 4],
        ]
        .concat(),
    );
    for packet in packets {
        let frame = Layer::Ethernet.wrap(packet);
        let time = u64::try_from(packet.time.as_micros())
            .expect("not that late")
            .to_le_bytes();
        let length = u32::try_from(frame.len()).expect("short").to_le_bytes();
        block(
            6,
            [
                &[0; 4][..],
                &time[4..],
                &time[..4],
                &length,
                &length,
                &frame,
            ]
            .concat(),
        );
    }
    bytes
}

/// The IPv4 packets that carry a datagram to port 694, several where one has not room enough.
pub fn datagram(time: Duration, interface: u32, payload: &[u8]) -> Vec<Packet> {
    let length = u16::try_from(payload.len() + 8).expect("a datagram");
    let udp = [
        &[0xc0, 0, 2, 0xb6][..],
        &length.to_be_bytes(),
        &[0, 0],
        payload,
    ]
    .concat();
    let pieces: Vec<&[u8]> = udp.chunks(1480).collect();
    let count = pieces.len();
    let packet = |(place, piece): (usize, &&[u8])| {
        let total = u16::try_from(piece.len() + 20)
            .expect("short")
            .to_be_bytes();
        let more = if place + 1 < count { 0x2000 } else { 0 };
        let offset = (u16::try_from(place * 185).expect("short") | more).to_be_bytes();
        let identification = time.as_secs().to_be_bytes();
        let head = [
            &[0x45, 0][..],
            &total,
            &identification[6..],
            &offset,
            &[64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 255],
        ]
        .concat();
        Packet {
            time,
            interface,
            ip: [&head[..], piece].concat(),
        }
    };
    pieces.iter().enumerate().map(packet).collect()
}
