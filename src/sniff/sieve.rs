//! Which datagrams of a link are looked at: those to the ports of heartbeat, whole or in pieces.

use std::net::SocketAddr;
use std::time::Duration;

use super::packet::{Carried, carried, datagram};
use super::reassembly::Reassembly;

/// How every message begins, in either form.
const STARTS: [&[u8]; 2] = [b"###\n", b">>>\n"];

/// A datagram to one of the ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caught {
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it is for.
    pub destination: SocketAddr,
    /// What it says.
    pub payload: Vec<u8>,
    /// In how many pieces it came.
    pub pieces: u16,
    /// The capture has less of it than went over the wire.
    pub is_cut: bool,
}

/// Picks the datagrams out of IP packets.
#[derive(Debug, Default)]
pub struct Sieve {
    ports: Vec<u16>,
    /// Also what goes to other ports and begins like a message.
    any_port: bool,
    reassembly: Reassembly,
}

impl Sieve {
    /// Datagrams to `ports`; with `any_port` also others that begin like a message.
    pub fn new(ports: Vec<u16>, any_port: bool) -> Self {
        Self {
            ports,
            any_port,
            reassembly: Reassembly::default(),
        }
    }

    /// Looks at an IP packet that came on the link with this number.
    pub fn take(&mut self, link: u32, time: Option<Duration>, packet: &[u8]) -> Option<Caught> {
        let (joined, whole, pieces);
        let found = match carried(packet)? {
            Carried::Datagram(found) => {
                pieces = 1;
                found
            }
            Carried::Fragment(piece) => {
                joined = self.reassembly.take(link, time, &piece)?;
                (whole, pieces) = (piece.of, joined.pieces);
                datagram(whole.source, whole.destination, &joined.bytes)?
            }
        };
        let is_ours = self.ports.contains(&found.destination.port())
            || self.any_port && STARTS.iter().any(|start| found.payload.starts_with(start));
        is_ours.then(|| Caught {
            source: found.source,
            destination: found.destination,
            payload: found.payload.to_vec(),
            pieces,
            is_cut: found.is_cut,
        })
    }

    /// How many datagrams came in pieces that never became a whole.
    pub fn incomplete(&self) -> u64 {
        self.reassembly.incomplete()
    }
}

#[cfg(test)]
mod tests {
    use super::super::packet::tests::{udp, v4};
    use super::*;

    #[test]
    fn other_ports_count_only_where_a_message_begins() {
        let message = v4(&udp(b"###\nx"), 0);
        let noise = v4(&udp(b"noise"), 0);
        let caught = |ports: &[u16], any_port, packet: &[u8]| {
            Sieve::new(ports.to_vec(), any_port)
                .take(0, None, packet)
                .is_some()
        };
        assert!(caught(&[694], false, &noise));
        assert!(!caught(&[695], false, &message));
        assert!(caught(&[], true, &message));
        assert!(!caught(&[], true, &noise));
    }

    #[test]
    fn a_datagram_in_pieces_is_one_datagram() {
        let whole = udp(&[b'x'; 100]);
        let mut sieve = Sieve::new(vec![694], false);
        assert_eq!(sieve.take(0, None, &v4(&whole[..64], 0x2000)), None);
        let caught = sieve.take(0, None, &v4(&whole[64..], 8)).expect("whole");
        assert_eq!(
            (caught.payload.len(), caught.pieces, caught.is_cut),
            (100, 2, false)
        );
        assert_eq!(caught.destination.port(), 694);
    }
}
