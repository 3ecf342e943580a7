//! An echo request as bytes, and which of all packets answers it.

use std::io;
use std::net::SocketAddr;

use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};

/// More than any reply to us has.
pub const BUFFER: usize = 512;
/// Type, code, checksum, identifier, sequence.
const HEADER: usize = 8;
const SECRET: usize = 16;
/// Behind the header: the secret, the number of the host, the number of the request.
const PAYLOAD: usize = SECRET + 2 + 8;

// What a filter in the kernel is made of.
const LOAD_INDEX: u16 = 0x01; // BPF_LDX | BPF_W | BPF_IMM
const LOAD_HEADER_LENGTH: u16 = 0xb1; // BPF_LDX | BPF_B | BPF_MSH
const LOAD_BYTE_BEHIND: u16 = 0x50; // BPF_LD | BPF_B | BPF_IND
const LOAD_HALF_BEHIND: u16 = 0x48; // BPF_LD | BPF_H | BPF_IND
const IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

/// The type of an answer, in ICMP and in ICMPv6.
const REPLY: [u8; 2] = [0, 129];

/// What marks the requests of this run.
#[derive(Debug)]
pub struct Echo {
    identifier: u16,
    secret: [u8; SECRET],
}

impl Echo {
    /// With a secret that nobody can guess.
    pub fn new(secret: [u8; SECRET]) -> Self {
        // The low half of the process id, as 3.0.6.
        let identifier = u16::try_from(std::process::id() & 0xffff).unwrap_or_default();
        Self { identifier, secret }
    }

    /// A socket for one host that gets nothing but its answers to this process. Nothing on it waits.
    pub fn socket(&self, target: SocketAddr) -> io::Result<Socket> {
        let v6 = target.is_ipv6();
        let socket = raw_socket(v6)?;
        socket.set_nonblocking(true)?;
        socket.attach_filter(&self.filter(v6))?;
        socket.connect(&SockAddr::from(target))?;
        Ok(socket)
    }

    /// A request to the `index`-th host.
    pub fn request(&self, v6: bool, index: usize, number: u64) -> Vec<u8> {
        let number = number.to_be_bytes();
        let [.., high, low] = number;
        let [id_high, id_low] = self.identifier.to_be_bytes();
        let kind = if v6 { 128 } else { 8 };
        let mut packet = vec![kind, 0, 0, 0, id_high, id_low, high, low];
        packet.extend(self.secret);
        packet.extend(number_of(index));
        packet.extend(number);
        if !v6 {
            let sum = checksum(&packet); // for the other kind the kernel does it
            if let Some(place) = packet.get_mut(2..4) {
                place.copy_from_slice(&sum.to_be_bytes());
            }
        }
        packet
    }

    /// The number of the request to the `index`-th host that a packet answers, if it does.
    pub fn answered(&self, packet: &[u8], v6: bool, index: usize) -> Option<u64> {
        let packet = if v6 {
            packet
        } else {
            let header = usize::from(packet.first()? & 0x0f) * 4; // a raw socket of IPv4 shows the header too
            packet.get(header..)?
        };
        let [kind, 0, _, _, id_high, id_low, ..] = *packet else {
            return None;
        };
        let [reply, reply6] = REPLY;
        let is_ours = kind == if v6 { reply6 } else { reply }
            && [id_high, id_low] == self.identifier.to_be_bytes()
            && packet.len() == HEADER + PAYLOAD;
        let payload = packet.get(HEADER..).filter(|_| is_ours)?;
        let payload = payload.strip_prefix(&self.secret)?;
        let number = payload.strip_prefix(&number_of(index))?;
        Some(u64::from_be_bytes(number.try_into().ok()?))
    }

    /// Keeps all but answers with our identifier out of the socket's buffer: a host may send other things, too, and many
    /// of them.
    fn filter(&self, v6: bool) -> [SockFilter; 7] {
        let [reply, reply6] = REPLY;
        let identifier = u32::from(self.identifier);
        // The message begins behind the IPv4 header, or at once.
        let (to_message, kind) = if v6 {
            (LOAD_INDEX, reply6)
        } else {
            (LOAD_HEADER_LENGTH, reply)
        };
        let instructions = [
            (to_message, 0, 0, 0),
            (LOAD_BYTE_BEHIND, 0, 0, 0), // the type
            (IF_EQUAL, 0, 3, u32::from(kind)),
            (LOAD_HALF_BEHIND, 0, 0, 4), // the identifier
            (IF_EQUAL, 0, 1, identifier),
            (RETURN, 0, 0, u32::MAX), // all of it
            (RETURN, 0, 0, 0),
        ];
        instructions.map(|(code, yes, no, number)| SockFilter::new(code, yes, no, number))
    }
}

/// A socket that needs `CAP_NET_RAW`.
pub fn raw_socket(v6: bool) -> io::Result<Socket> {
    let (domain, protocol) = if v6 {
        (Domain::IPV6, Protocol::ICMPV6)
    } else {
        (Domain::IPV4, Protocol::ICMPV4)
    };
    Socket::new(domain, Type::RAW, Some(protocol))
}

/// The number of a host as its packets have it.
fn number_of(index: usize) -> [u8; 2] {
    u16::try_from(index).unwrap_or(u16::MAX).to_be_bytes()
}

/// The checksum of the internet (RFC 1071) of a packet whose own is zero.
fn checksum(packet: &[u8]) -> u16 {
    let words = packet.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded & 0xffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn echo() -> Echo {
        Echo {
            identifier: 0xabcd,
            secret: *b"0123456789abcdef",
        }
    }

    /// What a host makes of a request.
    fn answer(v6: bool, number: u64) -> Vec<u8> {
        let mut request = echo().request(v6, 3, number);
        request[0] = if v6 { 129 } else { 0 };
        let header: &[u8] = if v6 { &[] } else { &[0x46; 24] }; // an IPv4 header with options
        [header, &request].concat()
    }

    #[test]
    fn an_answer_tells_which_request_it_is_for() {
        for v6 in [false, true] {
            for number in [1, 77, 70_000, u64::MAX] {
                let packet = answer(v6, number);
                assert_eq!(echo().answered(&packet, v6, 3), Some(number));
            }
        }
    }

    #[test]
    fn nothing_else_is_an_answer() {
        for v6 in [false, true] {
            let packet = answer(v6, 77);
            assert_eq!(echo().answered(&packet, v6, 4), None, "another host");
            assert_eq!(echo().answered(&packet, !v6, 3), None);
            assert_eq!(echo().answered(&echo().request(v6, 3, 77), v6, 3), None);
            for length in 0..packet.len() {
                let cut = &packet[..length];
                assert_eq!(echo().answered(cut, v6, 3), None, "{length} bytes");
            }
            let begin = if v6 { 0 } else { 24 };
            for place in (begin..packet.len() - 8).filter(|at| !(2..4).contains(&(at - begin))) {
                let mut other = packet.clone();
                other[place] ^= 1;
                let is_sequence = (6..8).contains(&(place - begin)); // the number says that better
                let is_answer = echo().answered(&other, v6, 3).is_some();
                assert_eq!(is_answer, is_sequence, "byte {place}");
            }
            let mut longer = packet.clone();
            longer.push(0);
            assert_eq!(echo().answered(&longer, v6, 3), None);
        }
    }

    #[test]
    fn the_checksum_is_that_of_the_internet() {
        // The request that is printed in RFC 1071 as an example, and one of odd length.
        let example = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&example), !0xddf2);
        assert_eq!(checksum(&[0xff, 0xff, 0x01]), !0x0100);
        let mut whole = vec![8, 0, 0, 0, 1, 2, 3, 4, 5, 6];
        let sum = checksum(&whole).to_be_bytes();
        whole[2..4].copy_from_slice(&sum);
        assert_eq!(checksum(&whole), 0);
    }
}
