//! What a stranger on a segment throws at a machine: frames made of what the pair itself has said.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use heartbeat::message::{self, Key, Keys, Message, Method};

use super::lab::namespace::Namespace;
use super::outgoing::everything;

/// What is thrown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No messages: noise, and beginnings of messages.
    Garbage,
    /// Messages of the pair with a changed field, signed with another key.
    Forged,
    /// Messages of the pair as they were.
    Replayed,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Garbage, Self::Forged, Self::Replayed];

    /// In a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Garbage => "garbage",
            Self::Forged => "forged",
            Self::Replayed => "replayed",
        }
    }
}

/// Whom the frames are for and who they say that they are from.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The victim's interface.
    pub ethernet: [u8; 6],
    /// Its address.
    pub to: Ipv4Addr,
    /// The other node's.
    pub from: Ipv4Addr,
}

/// The secret of the pairs of the laboratory, with which the stranger reads what it changes.
const KEY: &str = "a-secret-of-the-laboratory";
/// How many different frames of a kind there are.
const FRAMES: usize = 1000;
/// The most bytes of garbage in one.
const LONGEST: u64 = 1400;

const ETHERNET: usize = 14;
const IP: usize = 20;
const UDP: usize = 8;
const PORT: [u8; 2] = 694_u16.to_be_bytes();
/// The group of VRRP.
const VRRP: ([u8; 6], [u8; 4]) = ([0x01, 0, 0x5e, 0, 0, 18], [224, 0, 0, 18]);
/// Protocols of IP.
const PROTOCOL_UDP: u8 = 17;
const PROTOCOL_AH: u8 = 51;
const PROTOCOL_VRRP: u8 = 112;

/// All frames that come to a host in a time. The networks of the laboratory hide nothing from any host.
pub fn record(host: &Namespace, time: Duration) -> Vec<Vec<u8>> {
    host.within(|| {
        let mut socket = everything();
        let end = Instant::now() + time;
        let mut frames = Vec::new();
        let mut buffer = [0; 2048];
        while Instant::now() < end {
            if let Ok(length) = socket.read(&mut buffer) {
                frames.push(buffer[..length].to_vec());
            }
        }
        frames
    })
}

/// Frames for a node of heartbeat, made of a recording.
pub fn for_heartbeat(kind: Kind, recording: &[Vec<u8>], route: Route) -> Vec<Vec<u8>> {
    let said: BTreeSet<&[u8]> = recording
        .iter()
        .filter_map(|frame| datagram(frame))
        .collect();
    let payloads: Vec<Vec<u8>> = match kind {
        Kind::Garbage => {
            let mut noise = Noise(7);
            (0..FRAMES).map(|number| noise.garbage(number)).collect()
        }
        Kind::Forged => {
            let mut all = said.iter().cycle();
            let forged = (0..FRAMES).filter_map(|number| forge(all.next()?, number));
            forged.collect()
        }
        Kind::Replayed => said.iter().map(|bytes| bytes.to_vec()).collect(),
    };
    payloads.iter().map(|payload| route.udp(payload)).collect()
}

/// Frames for the second node of keepalived, made of a recording.
pub fn for_keepalived(kind: Kind, recording: &[Vec<u8>], route: Route) -> Vec<Vec<u8>> {
    let is_vrrp = |frame: &&Vec<u8>| {
        matches!(
            frame.get(ETHERNET + 9),
            Some(&(PROTOCOL_AH | PROTOCOL_VRRP))
        )
    };
    let said = recording.iter().filter(is_vrrp);
    match kind {
        Kind::Garbage => {
            let mut noise = Noise(7);
            let garbage = (0..FRAMES).map(|number| {
                let protocol = [PROTOCOL_VRRP, PROTOCOL_AH][number % 2];
                route.vrrp(protocol, &noise.garbage(number))
            });
            garbage.collect()
        }
        Kind::Forged => {
            let forged = said.cycle().zip(0..FRAMES);
            forged
                .map(|(frame, number)| advertise(frame, number))
                .collect()
        }
        Kind::Replayed => said.cloned().collect(),
    }
}

/// What a frame carries for heartbeat.
fn datagram(frame: &[u8]) -> Option<&[u8]> {
    let is_udp = frame.get(ETHERNET + 9) == Some(&PROTOCOL_UDP);
    let port = frame.get(ETHERNET + IP + 2..ETHERNET + IP + 4)?;
    let length = frame
        .get(ETHERNET + IP + 4..ETHERNET + IP + 6)?
        .first_chunk()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let payload = frame.get(ETHERNET + IP + UDP..ETHERNET + IP + length)?;
    (is_udp && port == PORT).then_some(payload)
}

/// A message with a number that is still to come, signed by somebody who does not have the key.
fn forge(bytes: &[u8], number: usize) -> Option<Vec<u8>> {
    let keys = |text: &str| {
        let mut entries = [const { None }; 16];
        entries[1] = Some(Key {
            method: Method::Sha1,
            text: text.as_bytes().to_vec(),
        });
        Keys {
            entries,
            signing: 1,
        }
    };
    let (mut original, mut forged) = (Message::new(), Message::new());
    message::open(bytes, &keys(KEY), &mut original).ok()?;
    for field in original.fields() {
        match field.name {
            b"auth" => {}
            b"seq" => {
                let sequence = u64::from_str_radix(original.text("seq")?, 16).ok()?;
                let sequence = sequence + u64::try_from(number).ok()?;
                forged.push_fmt("seq", format_args!("{sequence:x}"));
            }
            _ => forged.push(field).ok()?,
        }
    }
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    let stranger = keys("a secret of somebody else");
    message::seal(&forged, &stranger, 1, true, &mut datagram, &mut text).ok()?;
    Some(datagram)
}

/// An advertisement with another priority, which the sum is right for and the signature is not.
fn advertise(frame: &[u8], number: usize) -> Vec<u8> {
    let mut frame = frame.to_vec();
    let is_signed = frame.get(ETHERNET + 9) == Some(&PROTOCOL_AH);
    let vrrp = ETHERNET + IP + if is_signed { 24 } else { 0 };
    frame[vrrp + 2] = [0, 90, 255][number % 3];
    if is_signed {
        let sequence = u32::try_from(number).expect("few").to_be_bytes();
        frame[ETHERNET + IP + 8..ETHERNET + IP + 12].copy_from_slice(&sequence);
        frame[ETHERNET + IP + 12] ^= 1;
    }
    frame[vrrp + 6..vrrp + 8].fill(0);
    let length = usize::from(u16::from_be_bytes([
        frame[ETHERNET + 2],
        frame[ETHERNET + 3],
    ]));
    let mut covered = frame[vrrp..ETHERNET + length].to_vec();
    if covered[0] >> 4 == 3 {
        let size = u16::try_from(covered.len()).expect("short").to_be_bytes();
        covered.extend_from_slice(&frame[ETHERNET + 12..ETHERNET + 20]);
        covered.extend([0, PROTOCOL_VRRP, size[0], size[1]]);
    }
    let sum = checksum(&covered);
    frame[vrrp + 6..vrrp + 8].copy_from_slice(&sum);
    frame
}

impl Route {
    fn udp(&self, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(UDP + payload.len()).expect("a datagram");
        let mut udp = [PORT, PORT, length.to_be_bytes(), [0, 0]].concat();
        udp.extend_from_slice(payload);
        self.ip(self.ethernet, self.to.octets(), PROTOCOL_UDP, &udp)
    }

    fn vrrp(&self, protocol: u8, payload: &[u8]) -> Vec<u8> {
        self.ip(VRRP.0, VRRP.1, protocol, payload)
    }

    fn ip(&self, ethernet: [u8; 6], to: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
        let length = u16::try_from(IP + payload.len())
            .expect("a packet")
            .to_be_bytes();
        let mut head = vec![
            0x45, 0, length[0], length[1], 0, 0, 0x40, 0, 255, protocol, 0, 0,
        ];
        head.extend(self.from.octets());
        head.extend(to);
        let sum = checksum(&head);
        head[10..12].copy_from_slice(&sum);
        let host = [0x02, 0, 0, 0, 0, 0x66];
        [&ethernet[..], &host, &[0x08, 0x00], &head, payload].concat()
    }
}

/// The sum of IP and its relatives.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let sum = u16::try_from(sum).expect("folded");
    (!sum).to_be_bytes()
}

/// The same noise every time.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// 1 to 1400 bytes; every second one begins like a message.
    fn garbage(&mut self, number: usize) -> Vec<u8> {
        let length = usize::try_from(1 + self.next() % LONGEST).expect("short");
        let beginnings: [&[u8]; 4] = [
            b"###\n",
            b">>>\n",
            b"###\n10:(0)t=statu,999999999:",
            b">>>\nt=status\nst=active\n",
        ];
        let beginning = match number % 8 {
            odd if odd % 2 == 1 => beginnings[odd / 2],
            _ => b"",
        };
        let mut bytes = beginning.to_vec();
        while bytes.len() < length {
            bytes.push(self.next().to_le_bytes()[0]);
        }
        bytes.truncate(length);
        bytes
    }
}
