//! Packets that were refused: counted always, told once in a while.

use std::fmt;
use std::time::Duration;

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

/// The shortest time between two lines of any kinds: who floods us with all of them shall not fill the log either.
const BETWEEN: Duration = Duration::from_secs(1);

/// Counters of refused packets by kind.
#[derive(Debug, Clone, Default)]
pub struct Refusals {
    totals: [u64; KINDS.len()],
    told: [Quiet; KINDS.len()],
    /// When a packet of any kind was told.
    told_at: Option<Instant>,
}

impl Refusals {
    /// Counts one. `Some(n)` when it is time to tell: `n` were refused since the last line, this one included.
    pub fn count(&mut self, kind: RefusalKind, now: Instant) -> Option<u64> {
        *self.totals.get_mut(kind as usize)? += 1;
        let told = self.told.get_mut(kind as usize)?;
        if self.told_at.is_some_and(|at| now.since(at) < BETWEEN) {
            told.count_untold(); // its line comes with one of those that follow
            return None;
        }
        let count = told.count(now);
        if count.is_some() {
            self.told_at = Some(now);
        }
        count
    }

    /// How many of a kind were refused in this run.
    pub fn total(&self, kind: RefusalKind) -> u64 {
        self.totals.get(kind as usize).copied().unwrap_or(0)
    }
}

const NOT_AUTHENTIC: &str = "they don't authenticate; authkeys differs between the nodes, or another cluster uses this port";
/// What was cut in two there, as after a pause of this machine, is no message any more.
const NOT_AUTHENTIC_ON_SERIAL: &str = "they don't authenticate; bytes were lost on the line, authkeys differs between the nodes, or another cluster \
     uses the line";

impl RefusalKind {
    /// Why packets were refused that came on this link.
    pub(super) fn on_link(self, link: &str) -> String {
        match self {
            Self::NotAuthentic if link.starts_with('/') => NOT_AUTHENTIC_ON_SERIAL.to_owned(),
            kind => kind.to_string(),
        }
    }
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not heartbeat messages, or damaged",
            Self::NotAuthentic => NOT_AUTHENTIC,
            Self::Incomplete => "without the fields that every message has",
            Self::UnknownNode => "bad node: it is not in ha.cf",
            Self::OurName => {
                "another machine uses the name of this node. Where it is the peer, nothing starts before one of them is renamed"
            }
            Self::OutOfPlace => "they make no sense in the present state",
            Self::Replay => "attempted replay attack, or a node whose hb_generation file went back",
        })
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

    #[test]
    fn a_flood_of_all_kinds_gets_one_line_a_second_and_no_packet_is_left_out_of_the_counts() {
        let mut refusals = Refusals::default();
        let mut lines = Vec::new();
        for millisecond in 0..62_000_u64 {
            let now = Instant::from_micros(millisecond * 1000);
            for kind in KINDS {
                let count = refusals.count(kind, now);
                lines.extend(count.map(|count| (millisecond, kind, count)));
            }
        }
        assert_eq!(lines.len(), KINDS.len() + 2, "{lines:?}");
        for pair in lines.windows(2) {
            assert!(pair[1].0 - pair[0].0 >= 1000, "{pair:?}");
        }
        let firsts = lines.iter().zip(KINDS).zip(0..);
        for ((line, kind), second) in firsts {
            // Those of the first second of its flood are told, too.
            assert_eq!(*line, (second * 1000, kind, second * 1000 + 1));
        }
        assert_eq!(lines[KINDS.len()], (60_000, KINDS[0], 60_000));
    }
}
