//! What a test has seen. A value: no descriptor, no clock.

use std::time::Duration;

use super::super::media::line_errors::Errors;
use super::ear::Ear;
use crate::os::tty::ModemLines;

/// Everything that a verdict and a report are made of.
#[derive(Debug, Default)]
pub struct Findings {
    /// Lines that asked for an answer.
    pub asked: u64,
    /// Of those, the ones that another test answered.
    pub answered: u64,
    /// Of those asked once another test had been heard, the ones that got none.
    pub unanswered: u64,
    /// Whole lines of another test, answers left out.
    pub heard: u64,
    /// Lines of it whose numbers are missing between others.
    pub lost: u64,
    /// The other test has ended.
    pub has_ended: bool,
    /// Our own lines that came back.
    pub echoes: u64,
    /// From a probe to its answer, where nothing else was on the line.
    pub round_trips: Vec<Duration>,
    /// What came as fast as the other end could send it: bytes, and how long that took.
    pub bulk: (u64, Duration),
    /// The handshake wires; none where the port has no such wires.
    pub wires: Option<Wires>,
    /// What the driver counted meanwhile; none where it does not count.
    pub errors: Option<Errors>,
    /// What came in.
    pub ear: Ear,
    /// The rate at which the other end was understood, when it was not at ours.
    pub their_rate: Option<u32>,
}

/// How the handshake wires behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wires {
    /// When the test began.
    pub at_rest: ModemLines,
    /// Those that were ever up here.
    pub here: ModemLines,
    /// Those that the other test has ever seen up.
    pub there: ModemLines,
    /// Whether the other test's port has such wires.
    pub there_known: bool,
    /// CTS here against RTS there.
    pub cts_here: Follows,
    /// CTS there against RTS here.
    pub cts_there: Follows,
    /// CTS here against RTS here: joined in the plug, where it follows.
    pub cts_own: Follows,
    /// How often the wires changed while nothing was changed here.
    pub moved: u32,
}

/// Whether one wire does what another does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Follows {
    both_up: u32,
    both_down: u32,
    different: u32,
    /// Whether the other was ever up, and ever down.
    other: (bool, bool),
}

impl Follows {
    /// Takes note of both at one time.
    pub fn note(&mut self, one: bool, other: bool) {
        let place = match (one, other) {
            (true, true) => &mut self.both_up,
            (false, false) => &mut self.both_down,
            _ => &mut self.different,
        };
        *place = place.saturating_add(1);
        self.other.0 |= other;
        self.other.1 |= !other;
    }

    /// Whether enough was tried for an answer.
    pub fn is_known(self) -> bool {
        self.other == (true, true)
    }

    /// Whether it was seen up and down with the other, and not otherwise but for a moment.
    pub fn is_shown(self) -> bool {
        let same = self.both_up.saturating_add(self.both_down);
        self.both_up > 0 && self.both_down > 0 && self.different.saturating_mul(8) <= same
    }
}

impl Wires {
    /// Takes note of what is seen here.
    pub fn note_here(&mut self, seen: ModemLines) {
        self.here = either(self.here, seen);
    }

    /// Takes note of what the other test sees.
    pub fn note_there(&mut self, seen: ModemLines) {
        self.there_known = true;
        self.there = either(self.there, seen);
    }
}

impl Findings {
    /// The median of the round trips.
    pub fn round_trip(&self) -> Option<Duration> {
        let mut sorted = self.round_trips.clone();
        sorted.sort_unstable();
        let middle = sorted.len() / 2;
        sorted.get(middle).copied()
    }

    /// Bytes a second that came at full speed.
    pub fn throughput(&self) -> Option<u64> {
        let (bytes, time) = self.bulk;
        let micros = u64::try_from(time.as_micros()).ok()?;
        bytes.checked_mul(1_000_000)?.checked_div(micros)
    }
}

fn either(one: ModemLines, other: ModemLines) -> ModemLines {
    ModemLines {
        cts: one.cts || other.cts,
        dsr: one.dsr || other.dsr,
        dcd: one.dcd || other.dcd,
    }
}
