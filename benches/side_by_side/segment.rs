//! What goes over the segments, with the kernel's time for each packet, so that it does not matter how late it is read.

use std::io::IoSliceMut;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::thread;
use std::time::Duration;

use heartbeat::os::interface;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::lab::namespace::run_batch;
use super::lab::stranger::contains;
use super::moment::Moment;
use super::record::Record;

/// Packets of this protocol are all packets.
const ETH_P_ALL: u16 = 0x0003;
/// Room for packets that come faster than they are read.
const BUFFER: usize = 4 << 20;
/// Longer packets are cut.
const GLANCE: usize = 2048;
/// What all heartbeats have in them. Other messages are signs of life only where they have a number: acknowledgements and
/// requests to send again have none and may be recordings.
const HEARTBEAT: &[u8] = b"t=status";

/// What a packet is, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Of a pair: a heartbeat, or VRRP, signed or not. From this address.
    SignOfLife(Ipv4Addr),
    /// Somebody tells, unasked, that it has this address.
    Announcement(Ipv4Addr),
    /// Somebody answers a question of ARP for this address.
    Answer(Ipv4Addr),
    /// The answer to a ping from this address, and its number.
    Pong(Ipv4Addr, u16),
}

/// A packet that was seen.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// When it passed the switch.
    pub at: Moment,
    /// Who sent it.
    pub ethernet: [u8; 6],
    /// What it is.
    pub kind: Kind,
}

/// All packets of some segments.
#[derive(Clone)]
pub struct Segments(Record<Seen>);

impl Segments {
    /// Sees everything that passes these switches.
    pub fn watch(switches: &[&str]) -> Self {
        let promiscuous = switches
            .iter()
            .map(|switch| format!("link set {switch} promisc on"));
        run_batch("ip", &promiscuous.collect::<Vec<_>>());
        let indexes = switches
            .iter()
            .map(|switch| interface::index(switch).expect("a switch of ours"));
        let socket = open(&indexes.collect::<Vec<_>>());
        let segments = Self(Record::new());
        let store = segments.clone();
        thread::spawn(move || {
            let mut buffer = [0; GLANCE];
            while let Some((at, length, _)) = receive(&socket, &mut buffer) {
                let frame = buffer.get(..length).unwrap_or_default();
                if let Some((ethernet, kind)) = read(frame) {
                    store.0.add([Seen { at, ethernet, kind }]);
                }
            }
        });
        segments
    }

    /// Forgets what was seen so far.
    pub fn clear(&self) {
        self.0.clear();
    }

    /// Everything since that, in the order in which it was seen.
    pub fn seen(&self) -> Vec<Seen> {
        self.0.all()
    }

    /// The first of these packets after a moment, waited for.
    pub fn first(
        &self,
        after: Moment,
        limit: Duration,
        is_it: impl Fn(&Seen) -> bool,
    ) -> Option<Seen> {
        self.0
            .first(limit, |packet| packet.at >= after && is_it(packet))
    }
}

/// A socket that sees the packets of these interfaces and of no others.
fn open(indexes: &[u32]) -> Socket {
    let protocol = Protocol::from(i32::from(ETH_P_ALL.to_be()));
    let socket =
        Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).expect("root of the sandbox");
    socket
        .attach_filter(&filter(indexes))
        .expect("a small program");
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("any socket can");
    socket.set_recv_buffer_size(BUFFER).expect("any socket can");
    socket
}

/// Lets through what these interfaces see.
fn filter(indexes: &[u32]) -> Vec<SockFilter> {
    const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const INTERFACE: u32 = 0xffff_f008; // SKF_AD_OFF + SKF_AD_IFINDEX
    const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K
    let mut program = vec![SockFilter::new(LOAD_WORD, 0, 0, INTERFACE)];
    for (place, index) in indexes.iter().enumerate() {
        let to_end = u8::try_from(indexes.len() - place).expect("few switches");
        program.push(SockFilter::new(IF_EQUAL, to_end, 0, *index));
    }
    program.push(SockFilter::new(RETURN, 0, 0, 0));
    program.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
    program
}

/// The next packet: when the kernel saw it, how much of the buffer it fills, and the number of the interface that it went by.
pub fn receive(socket: &Socket, buffer: &mut [u8]) -> Option<(Moment, usize, u32)> {
    let mut control = nix::cmsg_space!(TimeSpec);
    let mut parts = [IoSliceMut::new(buffer)];
    let received = recvmsg::<LinkAddr>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control),
        MsgFlags::empty(),
    )
    .ok()?;
    let time = received.cmsgs().ok()?.find_map(|message| match message {
        ControlMessageOwned::ScmTimestampns(time) => Some(time),
        _ => None,
    });
    let interface = u32::try_from(received.address?.ifindex()).ok()?;
    Some((time?.into(), received.bytes, interface))
}

/// Who sent an Ethernet frame, and what is in it.
fn read(frame: &[u8]) -> Option<([u8; 6], Kind)> {
    let ethernet = *frame.get(6..)?.first_chunk()?;
    let (protocol, packet) = frame.get(12..)?.split_first_chunk::<2>()?;
    let kind = match u16::from_be_bytes(*protocol) {
        0x0806 => arp(packet),
        0x0800 => ip(packet),
        _ => None,
    };
    Some((ethernet, kind?))
}

fn arp(packet: &[u8]) -> Option<Kind> {
    let is_reply = packet.get(6..8)? == [0, 2];
    let address = |at: usize| {
        let bytes: [u8; 4] = *packet.get(at..)?.first_chunk()?;
        Some(Ipv4Addr::from(bytes))
    };
    let (sender, target) = (address(14)?, address(24)?);
    if sender == target {
        Some(Kind::Announcement(sender))
    } else {
        is_reply.then_some(Kind::Answer(sender))
    }
}

fn ip(packet: &[u8]) -> Option<Kind> {
    const ICMP: u8 = 1;
    const UDP: u8 = 17;
    const AH: u8 = 51;
    const VRRP: u8 = 112;
    const HEARTBEAT_PORT: [u8; 2] = 694_u16.to_be_bytes();
    let source: [u8; 4] = *packet.get(12..)?.first_chunk()?;
    let source = Ipv4Addr::from(source);
    let payload = packet.get(usize::from(packet.first()? & 15) * 4..)?;
    match packet.get(9)? {
        &VRRP | &AH => Some(Kind::SignOfLife(source)),
        &UDP if payload.get(2..4)? == HEARTBEAT_PORT => {
            contains(payload, HEARTBEAT).then_some(Kind::SignOfLife(source))
        }
        &ICMP if payload.first()? == &0 => {
            let number = *payload.get(6..)?.first_chunk()?;
            Some(Kind::Pong(source, u16::from_be_bytes(number)))
        }
        _ => None,
    }
}
