//! IP fragments put together again. Memory is bounded: when too many datagrams are incomplete, the oldest is given up.

use std::collections::BTreeMap;
use std::time::Duration;

use super::packet::{Fragment, Whole};

/// So many incomplete datagrams at a time.
const MOST: usize = 64;
/// A datagram cannot be longer.
const LONGEST: usize = 65_535;
/// Fragments lie at multiples of this.
const BLOCK: usize = 8;
/// A datagram whose pieces take longer is incomplete (30 s in Linux).
const PATIENCE: Duration = Duration::from_secs(30);

/// Incomplete datagrams of all links.
#[derive(Debug, Default)]
pub struct Reassembly {
    partial: BTreeMap<(u32, Whole), Partial>,
    /// Arrivals so far: tells the oldest.
    turn: u64,
    given_up: u64,
}

#[derive(Debug)]
struct Partial {
    begun: u64,
    time: Option<Duration>,
    bytes: Vec<u8>,
    /// Which blocks have come.
    blocks: Vec<bool>,
    length: Option<usize>,
    pieces: u16,
}

/// A datagram that is complete.
#[derive(Debug, PartialEq, Eq)]
pub struct Joined {
    /// From its UDP header on.
    pub bytes: Vec<u8>,
    /// Of how many pieces it was made.
    pub pieces: u16,
}

impl Reassembly {
    /// Takes a piece that came on the link with this number; gives the datagram if it was the last one missing.
    pub fn take(
        &mut self,
        link: u32,
        time: Option<Duration>,
        piece: &Fragment<'_>,
    ) -> Option<Joined> {
        let end = piece.offset.checked_add(piece.bytes.len())?;
        if piece.bytes.is_empty() || end > LONGEST {
            return None;
        }
        self.turn = self.turn.saturating_add(1);
        self.forget(time);
        let key = (link, piece.of);
        let turn = self.turn;
        let partial = self.partial.entry(key).or_insert_with(|| Partial {
            begun: turn,
            time,
            bytes: Vec::new(),
            blocks: Vec::new(),
            length: None,
            pieces: 0,
        });
        partial.add(piece, end);
        if partial.is_complete() {
            let whole = self.partial.remove(&key)?;
            return Some(Joined {
                bytes: whole.bytes,
                pieces: whole.pieces,
            });
        }
        if self.partial.len() > MOST {
            let oldest = self.partial.iter().min_by_key(|(_, partial)| partial.begun);
            if let Some(key) = oldest.map(|(key, _)| *key) {
                self.partial.remove(&key);
                self.given_up = self.given_up.saturating_add(1);
            }
        }
        None
    }

    /// How many datagrams never became complete, those included that still wait.
    pub fn incomplete(&self) -> u64 {
        let waiting = u64::try_from(self.partial.len()).unwrap_or(u64::MAX);
        self.given_up.saturating_add(waiting)
    }

    fn forget(&mut self, now: Option<Duration>) {
        let Some(now) = now else { return };
        let before = self.partial.len();
        self.partial.retain(|_, partial| {
            partial
                .time
                .is_none_or(|time| now.saturating_sub(time) < PATIENCE)
        });
        let gone = before.saturating_sub(self.partial.len());
        let gone = u64::try_from(gone).unwrap_or(u64::MAX);
        self.given_up = self.given_up.saturating_add(gone);
    }
}

impl Partial {
    fn add(&mut self, piece: &Fragment<'_>, end: usize) {
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
            self.blocks.resize(end.div_ceil(BLOCK), false);
        }
        if let Some(place) = self.bytes.get_mut(piece.offset..end) {
            place.copy_from_slice(piece.bytes);
        }
        let blocks = piece.offset / BLOCK..end.div_ceil(BLOCK);
        if let Some(blocks) = self.blocks.get_mut(blocks) {
            blocks.fill(true);
        }
        if !piece.has_more {
            self.length = Some(end);
        }
        self.pieces = self.pieces.saturating_add(1);
    }

    fn is_complete(&self) -> bool {
        self.length == Some(self.bytes.len()) && self.blocks.iter().all(|has_come| *has_come)
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;

    fn piece(identification: u32, offset: usize, bytes: &[u8], has_more: bool) -> Fragment<'_> {
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let of = Whole {
            source: address,
            destination: address,
            identification,
        };
        Fragment {
            of,
            offset,
            has_more,
            bytes,
        }
    }

    #[test]
    fn pieces_are_joined_in_any_order() {
        let pieces = [
            piece(1, 0, b"01234567", true),
            piece(1, 8, b"89abcdef", true),
            piece(1, 16, b"tail", false),
        ];
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut reassembly = Reassembly::default();
            let joined: Vec<_> = order
                .iter()
                .filter_map(|&index| reassembly.take(0, None, &pieces[index]))
                .collect();
            let bytes = b"0123456789abcdeftail".to_vec();
            assert_eq!(joined, [Joined { bytes, pieces: 3 }]);
            assert_eq!(reassembly.incomplete(), 0);
        }
    }

    #[test]
    fn pieces_of_different_links_and_datagrams_are_kept_apart() {
        let mut reassembly = Reassembly::default();
        assert_eq!(
            reassembly.take(0, None, &piece(1, 0, b"01234567", true)),
            None
        );
        assert_eq!(reassembly.take(1, None, &piece(1, 8, b"x", false)), None);
        assert_eq!(reassembly.take(0, None, &piece(2, 8, b"x", false)), None);
        assert_eq!(reassembly.incomplete(), 3);
    }

    #[test]
    fn a_flood_of_first_pieces_costs_bounded_memory() {
        let mut reassembly = Reassembly::default();
        for number in 0..10_000 {
            assert_eq!(
                reassembly.take(0, None, &piece(number, 65_000, b"01234567", true)),
                None
            );
        }
        assert!(reassembly.partial.len() <= MOST);
        assert_eq!(reassembly.incomplete(), 10_000);
    }

    #[test]
    fn what_does_not_come_within_half_a_minute_is_given_up() {
        let mut reassembly = Reassembly::default();
        let at = |seconds| Some(Duration::from_secs(seconds));
        reassembly.take(0, at(0), &piece(1, 0, b"01234567", true));
        assert_eq!(reassembly.take(0, at(31), &piece(1, 8, b"x", false)), None);
        assert_eq!(reassembly.incomplete(), 2);
    }
}
