//! Seeing what goes over an interface without taking it from anybody.

use std::io::{self, IoSliceMut};
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket2::{Domain, SockFilter, Socket, Type};

use super::packet::address;

/// Packets of this protocol are all packets.
const ETH_P_ALL: u16 = 0x0003;
const ETH_P_IP: u16 = 0x0800;
const ETH_P_IPV6: u16 = 0x86dd;
/// Room for packets that come faster than they are read.
const BUFFER: usize = 4 << 20;

/// A copy of what one interface receives and sends: UDP to some ports, and the later pieces of any datagram.
#[derive(Debug)]
pub struct PacketTap(Socket);

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tapped {
    /// How many bytes of the buffer it fills, from its IP header on.
    pub length: usize,
    /// When the kernel saw it, since 1970.
    pub time: Option<Duration>,
    /// This machine sends it.
    pub is_outgoing: bool,
    /// It is IP.
    pub is_ip: bool,
}

impl PacketTap {
    /// Opens the tap in the network namespace of the calling thread. Needs `CAP_NET_RAW`.
    pub fn open(interface: u32, ports: &[u16]) -> io::Result<Self> {
        if ports.len() > MOST_PORTS {
            let reason = format!("no more than {MOST_PORTS} ports can be listened to at once");
            return Err(io::Error::other(reason));
        }
        // Protocol 0: nothing comes before the filter is in place.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(&filter(ports))?;
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
        // Without it packets may be dropped, which is counted and told.
        let _ = socket.set_recv_buffer_size(BUFFER);
        let index = i32::try_from(interface).map_err(io::Error::other)?;
        socket.bind(&address(index, ETH_P_ALL.to_be()))?;
        Ok(Self(socket))
    }

    /// The next packet, or an error of kind `WouldBlock`.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<Tapped> {
        let mut control = nix::cmsg_space!(TimeSpec);
        let mut parts = [IoSliceMut::new(buffer)];
        let received = recvmsg::<LinkAddr>(
            self.0.as_raw_fd(),
            &mut parts,
            Some(&mut control),
            MsgFlags::empty(),
        )?;
        let time = received.cmsgs()?.find_map(|message| match message {
            ControlMessageOwned::ScmTimestampns(time) => Some(time),
            _ => None,
        });
        let protocol = received
            .address
            .map_or(0, |from| u16::from_be(from.protocol()));
        let kind = received.address.map_or(0, |from| from.pkttype());
        Ok(Tapped {
            length: received.bytes,
            time: time.map(Duration::from),
            is_outgoing: kind == libc::PACKET_OUTGOING,
            is_ip: matches!(protocol, ETH_P_IP | ETH_P_IPV6),
        })
    }

    /// How many packets there was no room for since this was last asked.
    pub fn dropped(&self) -> u64 {
        let mut statistics = MaybeUninit::<libc::tpacket_stats>::zeroed();
        let mut length =
            libc::socklen_t::try_from(mem::size_of::<libc::tpacket_stats>()).unwrap_or_default();
        // SAFETY: the pointer and the length are those of `statistics`, and the kernel writes no more than that. It is
        // two integers, for which zeroes are valid should nothing be written.
        let statistics = unsafe {
            libc::getsockopt(
                self.0.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                statistics.as_mut_ptr().cast(),
                &raw mut length,
            );
            statistics.assume_init()
        };
        u64::from(statistics.tp_drops)
    }
}

impl AsFd for PacketTap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// One instruction of the kernel's packet filter: what to do, where to go on if a comparison holds and if it does not,
/// and a number.
type Instruction = (u16, u8, u8, u32);

/// Where a comparison leads.
#[derive(Clone, Copy, PartialEq, Eq)]
enum To {
    Next,
    V6,
    No,
    Yes,
}

const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
const LOAD_HALF_BEHIND: u16 = 0x48; // BPF_LD | BPF_H | BPF_IND
const LOAD_HEADER_LENGTH: u16 = 0xb1; // BPF_LDX | BPF_B | BPF_MSH
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const IF_ANY: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// The kernel's jumps are short.
const MOST_PORTS: usize = 64;

fn filter(ports: &[u16]) -> Vec<SockFilter> {
    let instruction = |(code, yes, no, number)| SockFilter::new(code, yes, no, number);
    program(ports).into_iter().map(instruction).collect()
}

/// A program for the kernel that lets through UDP to these ports, later pieces of datagrams, and what has IPv6
/// extension headers; so that a busy network costs next to nothing.
fn program(ports: &[u16]) -> Vec<Instruction> {
    let comparisons = || {
        let ports = ports.iter();
        ports.map(|port| (IF_EQUAL, To::Yes, To::Next, u32::from(*port)))
    };
    let plain = |code, number| (code, To::Next, To::Next, number);
    let mut code = vec![
        plain(LOAD_BYTE, 0),
        plain(AND, 0xf0),
        (IF_EQUAL, To::Next, To::V6, 0x40),
        plain(LOAD_BYTE, 9),
        (IF_EQUAL, To::Next, To::No, 17),
        plain(LOAD_HALF, 6),
        (IF_ANY, To::Yes, To::Next, 0x1fff),
        plain(LOAD_HEADER_LENGTH, 0),
        plain(LOAD_HALF_BEHIND, 2),
    ];
    code.extend(comparisons());
    code.push((IF_EQUAL, To::No, To::No, 0));
    let v6 = code.len();
    // What is loaded is still the version.
    code.extend([
        (IF_EQUAL, To::Next, To::No, 0x60),
        plain(LOAD_BYTE, 6),
        (IF_EQUAL, To::Yes, To::Next, 44),
        (IF_EQUAL, To::Yes, To::Next, 0),
        (IF_EQUAL, To::Yes, To::Next, 60),
        (IF_EQUAL, To::Next, To::No, 17),
        plain(LOAD_HALF, 42),
    ]);
    code.extend(comparisons());
    let end = code.len();
    let distance = |from: usize, to: To| {
        let next = from.saturating_add(1);
        let target = match to {
            To::Next => next,
            To::V6 => v6,
            To::No => end,
            To::Yes => end.saturating_add(1),
        };
        u8::try_from(target.saturating_sub(next)).unwrap_or(u8::MAX)
    };
    let places = code.into_iter().enumerate();
    let mut program: Vec<Instruction> = places
        .map(|(place, (code, yes, no, number))| {
            (code, distance(place, yes), distance(place, no), number)
        })
        .collect();
    program.extend([(RETURN, 0, 0, 0), (RETURN, 0, 0, u32::MAX)]);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel does with the program; a load from outside of the packet lets nothing through.
    fn lets_through(program: &[Instruction], packet: &[u8]) -> bool {
        let (mut place, mut loaded, mut header) = (0_usize, 0_u32, 0_usize);
        let byte = |at: usize| packet.get(at).copied().map(u32::from);
        let half = |at: usize| Some(byte(at)? << 8 | byte(at + 1)?);
        loop {
            let (code, yes, no, number) = program[place];
            let at = usize::try_from(number).expect("small");
            place += 1;
            let jump = |holds: bool| usize::from(if holds { yes } else { no });
            let value = match code {
                LOAD_BYTE => byte(at),
                LOAD_HALF => half(at),
                LOAD_HALF_BEHIND => half(header + at),
                AND => Some(loaded & number),
                IF_EQUAL => {
                    place += jump(loaded == number);
                    continue;
                }
                IF_ANY => {
                    place += jump(loaded & number != 0);
                    continue;
                }
                LOAD_HEADER_LENGTH => {
                    header = packet.get(at).map_or(0, |byte| usize::from(byte & 15) * 4);
                    continue;
                }
                RETURN => return number != 0,
                other => panic!("unknown instruction {other:#x}"),
            };
            match value {
                Some(value) => loaded = value,
                None => return false,
            }
        }
    }

    fn v4(protocol: u8, piece: [u8; 2], port: u16) -> Vec<u8> {
        let mut packet = vec![0x46, 0, 0, 0, 0, 0, piece[0], piece[1], 64, protocol];
        packet.resize(26, 0);
        packet.extend(port.to_be_bytes());
        packet
    }

    fn v6(next: u8, port: u16) -> Vec<u8> {
        let mut packet = vec![0x60, 0, 0, 0, 0, 0, next];
        packet.resize(42, 0);
        packet.extend(port.to_be_bytes());
        packet
    }

    #[test]
    fn the_filter_lets_through_what_may_be_ours_and_nothing_else() {
        let many: Vec<u16> = (1000..1064).collect();
        for (ports, ours) in [
            (&[694][..], 694),
            (&[694, 695, 7000][..], 7000),
            (&many[..], 1063),
        ] {
            let program = program(ports);
            assert!(lets_through(&program, &v4(17, [0x40, 0], ours)));
            assert!(
                lets_through(&program, &v4(17, [0x20, 0], ours)),
                "first piece"
            );
            assert!(lets_through(&program, &v4(17, [0, 5], 1)), "later piece");
            assert!(!lets_through(&program, &v4(17, [0, 0], 53)));
            assert!(!lets_through(&program, &v4(6, [0, 0], ours)));
            assert!(lets_through(&program, &v6(17, ours)));
            assert!(lets_through(&program, &v6(44, 1)), "piece");
            assert!(lets_through(&program, &v6(0, 1)), "extension header");
            assert!(!lets_through(&program, &v6(17, 53)));
            assert!(!lets_through(&program, &v6(6, ours)));
            assert!(!lets_through(&program, &[0; 60]), "ARP and others");
            assert!(!lets_through(&program, &[0x45]));
        }
        assert!(!lets_through(&program(&[]), &v4(17, [0, 0], 694)));
    }

    #[test]
    fn more_ports_than_the_filter_can_tell_apart_are_refused_and_not_left_out() {
        let ports: Vec<u16> = (1000..1065).collect();
        let refused = PacketTap::open(1, &ports).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|reason| reason.contains("no more than 64 ports")));
    }
}
