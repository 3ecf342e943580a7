//! Packets that were refused: counted always, told once in a while.

use super::quiet::Quiet;
use super::time::Instant;

/// Why a packet was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RefusalKind {
    /// Not a message, or damaged.
    Malformed,
    /// The signature is missing, wrong, or by a key that we don't accept.
    NotAuthentic,
    /// A well-signed message without the fields that every message has.
    Incomplete,
    /// A well-signed message of a node that is not configured.
    UnknownNode,
    /// A well-signed message in our own name that we did not send.
    OurName,
    /// A message of an earlier run, or one that was heard before.
    Replay,
    /// A message of the peer that makes no sense in the present state.
    OutOfPlace,
}

/// All kinds, in the order of the counters.
pub const KINDS: [RefusalKind; 7] = [
    RefusalKind::Malformed,
    RefusalKind::NotAuthentic,
    RefusalKind::Incomplete,
    RefusalKind::UnknownNode,
    RefusalKind::OurName,
    RefusalKind::Replay,
    RefusalKind::OutOfPlace,
];

/// Counters of refused packets by kind.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    totals: [u64; KINDS.len()],
    told: [Quiet; KINDS.len()],
}

impl Refusals {
    /// Counts one. `Some(n)` when it is time to tell: `n` were refused since the last line, this one included.
    pub fn count(&mut self, kind: RefusalKind, now: Instant) -> Option<u64> {
        *self.totals.get_mut(kind as usize)? += 1;
        self.told.get_mut(kind as usize)?.count(now)
    }

    /// How many of a kind were refused in this run.
    pub fn total(&self, kind: RefusalKind) -> u64 {
        self.totals.get(kind as usize).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_gets_one_line_a_minute_and_the_next_line_tells_how_many() {
        let mut refusals = Refusals::default();
        let mut lines = Vec::new();
        for millisecond in 0..61_000_u64 {
            let now = Instant::from_micros(millisecond * 1000);
            lines.extend(refusals.count(RefusalKind::NotAuthentic, now));
        }
        assert_eq!(lines, [1, 60_000]);
        assert_eq!(refusals.total(RefusalKind::NotAuthentic), 61_000);
        assert_eq!(refusals.total(RefusalKind::Replay), 0);
    }
}
