//! Hearing machines say that an address is theirs: ARP, and the neighbour advertisements of IPv6.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, RawFd};

use nix::sys::socket::{LinkAddr, recvfrom};
use socket2::{Domain, SockFilter, Socket, Type};

use super::packet::address;

const ETH_P_ARP: u16 = 0x0806;
const ETH_P_IPV6: u16 = 0x86dd;
/// What is read of a packet is at its beginning.
const GLANCE: usize = 128;
/// The kernel's jumps are short.
const MOST_COMPARISONS: usize = 200;

const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const AND: u16 = 0x54; // BPF_ALU | BPF_AND | BPF_K
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// A socket that hears of all interfaces who claims one of some addresses, IPv4 or IPv6. What this machine sends is
/// not heard.
#[derive(Debug)]
pub struct ClaimTap {
    socket: Socket,
    is_ipv4: bool,
}

/// Somebody says that an address is at this hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// Where it was heard.
    pub interface: u32,
    /// The address.
    pub address: IpAddr,
    /// Who has it, as he says himself.
    pub ethernet: [u8; 6],
}

impl ClaimTap {
    /// Opens the socket in the network namespace of the calling thread; it hears nothing yet. Needs `CAP_NET_RAW`.
    pub fn open(is_ipv4: bool) -> io::Result<Self> {
        // Protocol 0: nothing comes before the filter is in place.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        let tap = Self { socket, is_ipv4 };
        tap.only(std::iter::empty())?;
        let protocol = if is_ipv4 { ETH_P_ARP } else { ETH_P_IPV6 };
        tap.socket.bind(&address(0, protocol.to_be()))?;
        Ok(tap)
    }

    /// From now on the kernel hands over claims of these addresses; of very many also those of their neighbours. Those
    /// of the other family are passed over.
    pub fn only(&self, addresses: impl Iterator<Item = IpAddr>) -> io::Result<()> {
        let instruction = |(code, yes, no, number)| SockFilter::new(code, yes, no, number);
        let program = filter(self.is_ipv4, addresses);
        self.socket
            .attach_filter(&program.into_iter().map(instruction).collect::<Vec<_>>())
    }

    /// The next claim; nothing when what came is none after all. An error of kind `WouldBlock` when nothing came.
    pub fn receive(&self) -> io::Result<Option<Claim>> {
        let mut buffer = [0; GLANCE];
        let (length, from) = recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer)?;
        let Some((packet, from)) = buffer.get(..length).zip(from) else {
            return Ok(None);
        };
        let claimed = if self.is_ipv4 {
            of_arp(packet)
        } else {
            of_advertisement(packet).map(|(address, told)| (address, told.or(from.addr())))
        };
        let interface = u32::try_from(from.ifindex()).unwrap_or_default();
        Ok(claimed.and_then(|(address, ethernet)| {
            Some(Claim {
                interface,
                address,
                ethernet: ethernet?,
            })
        }))
    }
}

impl AsRawFd for ClaimTap {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

/// An address, and the hardware address that it is said to be at.
pub type Told = (IpAddr, Option<[u8; 6]>);

/// The sender of an ARP packet, whether it asks or answers.
pub fn of_arp(packet: &[u8]) -> Option<Told> {
    // Ethernet, IPv4, and the lengths of their addresses.
    let rest = packet.strip_prefix(&[0, 1, 8, 0, 6, 4])?;
    let (ethernet, rest) = rest.get(2..)?.split_first_chunk::<6>()?;
    let address = rest.first_chunk::<4>()?;
    Some((Ipv4Addr::from(*address).into(), Some(*ethernet)))
}

/// The target of an IPv6 neighbour advertisement without extension headers, and its hardware address where it is told.
pub fn of_advertisement(packet: &[u8]) -> Option<Told> {
    let message = packet.get(40..)?;
    let (address, options) = message.get(8..)?.split_first_chunk::<16>()?;
    let is_advertisement = packet.get(6..8) == Some(&[58, 255]) && message.first() == Some(&136);
    let ethernet = options.strip_prefix(&[2, 1]); // the target's, in units of eight bytes
    let ethernet = ethernet.and_then(|told| told.first_chunk::<6>().copied());
    is_advertisement.then_some((Ipv6Addr::from(*address).into(), ethernet))
}

/// The part of an address that the filter looks at.
fn last_word(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            u32::from_be_bytes([a, b, c, d])
        }
    }
}

/// The longest mask under which these are few enough to be compared, and what they are under it.
fn narrowest(mut values: Vec<u32>) -> (u32, Vec<u32>) {
    values.sort_unstable();
    for mask in (0..32).map(|host_bits| u32::MAX << host_bits) {
        // Those that are sorted stay so.
        for word in &mut values {
            *word &= mask;
        }
        values.dedup();
        if values.len() <= MOST_COMPARISONS {
            return (mask, values);
        }
    }
    (0, vec![0])
}

/// What to do, how many instructions to leave out if a comparison holds and if it does not, and a number.
pub type Instruction = (u16, u8, u8, u32);

/// A program for the kernel that lets through claims of these addresses, as far as they are of this family; of very many
/// also those of their neighbours.
pub fn filter(is_ipv4: bool, addresses: impl Iterator<Item = IpAddr>) -> Vec<Instruction> {
    let words = addresses.filter(|address| address.is_ipv4() == is_ipv4);
    let (mask, values) = narrowest(words.map(last_word).collect());
    program(is_ipv4, mask, &values)
}

/// The same for claims of addresses that end so.
fn program(is_ipv4: bool, mask: u32, values: &[u32]) -> Vec<Instruction> {
    let checks: &[(u16, u32, u32)] = if is_ipv4 {
        &[(LOAD_HALF, 0, 1), (LOAD_HALF, 2, 0x0800)]
    } else {
        &[
            (LOAD_BYTE, 6, 58),
            (LOAD_BYTE, 7, 255),
            (LOAD_BYTE, 40, 136),
        ]
    };
    let short = |distance: usize| u8::try_from(distance).unwrap_or(u8::MAX);
    // Behind the comparisons stand first the refusal, then the permission.
    let refusal = checks
        .len()
        .saturating_mul(2)
        .saturating_add(2)
        .saturating_add(values.len());
    let mut program = Vec::with_capacity(refusal.saturating_add(2));
    for (load, place, expected) in checks {
        program.push((*load, 0, 0, *place));
        let next = program.len().saturating_add(1);
        let to_refusal = short(refusal.saturating_sub(next));
        program.push((IF_EQUAL, 0, to_refusal, *expected));
    }
    program.push((LOAD_WORD, 0, 0, if is_ipv4 { 14 } else { 60 }));
    program.push((AND, 0, 0, mask));
    for (index, value) in values.iter().enumerate() {
        let to_permission = short(values.len().saturating_sub(index));
        program.push((IF_EQUAL, to_permission, 0, *value));
    }
    program.extend([(RETURN, 0, 0, 0), (RETURN, 0, 0, u32::MAX)]);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel does with the program; a load from outside of the packet lets nothing through.
    fn lets_through(program: &[Instruction], packet: &[u8]) -> bool {
        let (mut place, mut loaded) = (0, 0);
        loop {
            let (code, yes, no, number) = program[place];
            place += 1;
            let width = match code {
                LOAD_BYTE => 1,
                LOAD_HALF => 2,
                LOAD_WORD => 4,
                AND => {
                    loaded &= number;
                    continue;
                }
                IF_EQUAL => {
                    place += usize::from(if loaded == number { yes } else { no });
                    continue;
                }
                RETURN => return number != 0,
                other => panic!("unknown instruction {other:#x}"),
            };
            let start = usize::try_from(number).expect("small");
            let Some(bytes) = packet.get(start..start + width) else {
                return false;
            };
            loaded = bytes
                .iter()
                .fold(0, |sum, byte| sum << 8 | u32::from(*byte));
        }
    }

    fn arp(sender: [u8; 4]) -> Vec<u8> {
        let mut packet = vec![0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 0x66];
        packet.extend(sender);
        packet.extend([0; 28]);
        packet
    }

    fn advertisement(target: &str, options: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 40];
        packet[..8].copy_from_slice(&[0x60, 0, 0, 0, 0, 32, 58, 255]);
        packet.extend([136, 0, 0, 0, 0x20, 0, 0, 0]);
        let target: Ipv6Addr = target.parse().expect("an address");
        packet.extend(target.octets());
        packet.extend(options);
        packet
    }

    fn filter(addresses: &[IpAddr]) -> Vec<Instruction> {
        let words = addresses.iter().copied().map(last_word).collect();
        let (mask, values) = narrowest(words);
        program(addresses[0].is_ipv4(), mask, &values)
    }

    #[test]
    fn the_filter_lets_through_claims_of_these_addresses_and_no_others() {
        let ours = [[10, 0, 0, 1], [192, 168, 1, 200]].map(IpAddr::from);
        let v4 = filter(&ours);
        assert!(lets_through(&v4, &arp([10, 0, 0, 1])));
        assert!(lets_through(&v4, &arp([192, 168, 1, 200])));
        assert!(!lets_through(&v4, &arp([10, 0, 0, 2])));
        assert!(!lets_through(&v4, &arp([0, 0, 0, 0])), "only asks");
        assert!(!lets_through(&v4, &arp([10, 0, 0, 1])[..16]));
        let v6 = filter(&["fd00::9".parse().expect("an address")]);
        assert!(lets_through(&v6, &advertisement("fd00::9", &[])));
        assert!(!lets_through(&v6, &advertisement("fd00::8", &[])));
        let mut forwarded = advertisement("fd00::9", &[]);
        forwarded[7] = 254; // a router has had it
        assert!(!lets_through(&v6, &forwarded));
        let none = program(true, u32::MAX, &[]);
        assert!(!lets_through(&none, &arp([10, 0, 0, 1])));
    }

    #[test]
    fn of_a_thousand_addresses_each_is_heard() {
        let all: Vec<IpAddr> = (0..1000_u32)
            .map(|number| Ipv4Addr::from_bits(0x0a00_0000 + number * 7).into())
            .collect();
        let program = filter(&all);
        assert!(program.len() < 256, "{}", program.len());
        for address in &all {
            let IpAddr::V4(v4) = address else { continue };
            assert!(lets_through(&program, &arp(v4.octets())), "{v4}");
        }
        assert!(!lets_through(&program, &arp([10, 1, 0, 1])));
    }

    #[test]
    fn who_claims_what_is_read_and_what_is_cut_short_is_nothing() {
        let stranger = Some([2, 0, 0, 0, 0, 0x66]);
        let expected = (IpAddr::from([10, 0, 0, 1]), stranger);
        assert_eq!(of_arp(&arp([10, 0, 0, 1])), Some(expected));
        assert_eq!(of_arp(&arp([10, 0, 0, 1])[..17]), None);
        let target = "fd00::9".parse().expect("an address");
        let told = advertisement("fd00::9", &[2, 1, 2, 0, 0, 0, 0, 0x66]);
        assert_eq!(of_advertisement(&told), Some((target, stranger)));
        let untold = advertisement("fd00::9", &[]);
        assert_eq!(of_advertisement(&untold), Some((target, None)));
        for length in 0..64 {
            assert_eq!(of_advertisement(&told[..length]), None, "{length}");
        }
    }
}
