//! What a node says of its resource groups in every heartbeat, in one field that heartbeat 3.0.6 ignores.
//!
//! `hr=<epoch> <answering> <digest> <states> <superseded> <leaving>`, for example
//! `hr=2 6b008f1f.1 1a2b3c4d Rn4 3 0`:
//!
//! - *epoch*, hex: how often this run of the sender lost or met the peer anew. What was said in an earlier
//!   epoch is not valid any more.
//! - *answering*: generation and epoch of the peer that the sender has heard, or `-`. Claims count only
//!   when they answer the receiver's own current epoch, so nothing that was recorded earlier can pass for them.
//! - *digest*, hex: CRC-32 over the sorted group keys; `-` while the sender does not know its own groups
//!   yet. With different digests the states have no meaning.
//! - *states*: a letter for each group in the order of the sorted keys, followed by a repeat count above 1.
//!   A capital says that the sender takes itself for the preferred node.
//! - *superseded*, hex: how many numbers directly before this message were heartbeats too. Each heartbeat
//!   says everything again, so nobody needs to ask for an older one.
//! - *leaving*: 0, 1 (stopping; give it nothing), 2 (stopped; it holds nothing).

use std::fmt::{self, Write as _};

/// Name of the field.
pub const FIELD: &str = "hr";

/// The most groups that a heartbeat describes, whatever its repeat counts say.
const MOST_GROUPS: usize = 100_000;

/// What one node says of one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Does not hold it.
    Free,
    /// Does not hold it and leaves it to the other node.
    Ceded,
    /// Does not hold it, leaves it to the other node on an operator's request, and does not want it back.
    HandedOver,
    /// Does not hold it and does not want it back: the other node has it on an operator's request.
    Waived,
    /// Could not start it, does not hold it, leaves it to the other node.
    Failed,
    /// Holds it.
    Held {
        /// What it does with it.
        phase: Phase,
        /// It was taken because the other node was thought dead.
        taken: bool,
    },
}

/// What a holder does with a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Being started.
    Starting,
    /// Running.
    Running,
    /// Being stopped.
    Stopping,
    /// Found running at start, or could not be stopped: must be taken as running.
    Unknown,
}

impl Claim {
    const LETTERS: [(u8, Self); 13] = [
        (b'n', Self::Free),
        (b'c', Self::Ceded),
        (b'd', Self::HandedOver),
        (b'w', Self::Waived),
        (b'f', Self::Failed),
        (b's', Self::held(Phase::Starting)),
        (b'r', Self::held(Phase::Running)),
        (b'p', Self::held(Phase::Stopping)),
        (b'u', Self::held(Phase::Unknown)),
        (b't', Self::taken(Phase::Starting)),
        (b'o', Self::taken(Phase::Running)),
        (b'q', Self::taken(Phase::Stopping)),
        (b'v', Self::taken(Phase::Unknown)),
    ];

    /// Held, and not taken from a node that was thought dead.
    pub const fn held(phase: Phase) -> Self {
        Self::Held {
            phase,
            taken: false,
        }
    }

    /// Held because the other node was thought dead.
    pub const fn taken(phase: Phase) -> Self {
        Self::Held { phase, taken: true }
    }

    /// What the holder does with the group; `None` when it is not held.
    pub const fn phase(self) -> Option<Phase> {
        match self {
            Self::Held { phase, .. } => Some(phase),
            _ => None,
        }
    }

    /// Whether it is held because the other node was thought dead.
    pub const fn is_taken(self) -> bool {
        matches!(self, Self::Held { taken: true, .. })
    }

    /// Whether the group may be running at the claimant.
    pub const fn is_held(self) -> bool {
        matches!(self, Self::Held { .. })
    }

    /// Neither held, nor left to the other node, nor failed.
    pub const fn is_free(self) -> bool {
        matches!(self, Self::Free | Self::Waived)
    }

    /// The same once the other node holds the group: what was left to it has arrived.
    #[must_use]
    pub const fn once_taken(self) -> Self {
        match self {
            Self::Ceded => Self::Free,
            Self::HandedOver => Self::Waived,
            other => other,
        }
    }

    fn letter(self) -> u8 {
        Self::LETTERS
            .iter()
            .find(|(_, claim)| *claim == self)
            .map_or(b'u', |(letter, _)| *letter)
    }

    fn from_letter(letter: u8) -> Option<Self> {
        Self::LETTERS
            .iter()
            .find(|(known, _)| *known == letter)
            .map(|(_, claim)| *claim)
    }
}

/// A claim together with whether the claimant takes itself for the preferred node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated {
    /// The claim.
    pub claim: Claim,
    /// The claimant is the preferred node by its own file.
    pub prefers_self: bool,
}

/// Whether a node is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Leaving {
    /// It stays.
    No,
    /// It stops what it holds.
    Stopping,
    /// It holds nothing any more.
    Stopped,
}

/// The field without its states.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Heading {
    /// The sender's epoch.
    pub epoch: u64,
    /// Generation and epoch of the peer that the sender has heard.
    pub answering: Option<(u64, u64)>,
    /// CRC-32 over the sorted group keys, once the sender knows what it holds.
    pub digest: Option<u32>,
    /// How many numbers directly before were heartbeats.
    pub superseded: u64,
    /// Whether the sender is on its way out.
    pub leaving: Leaving,
}

/// The whole field, ready to be written.
pub struct Field<'a, I> {
    /// All but the states.
    pub heading: &'a Heading,
    /// The states in the order of the sorted keys.
    pub states: I,
}

impl<I: Iterator<Item = Stated> + Clone> fmt::Display for Field<'_, I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let heading = self.heading;
        write!(f, "{:x} ", heading.epoch)?;
        match heading.answering {
            Some((generation, epoch)) => write!(f, "{generation:x}.{epoch:x} ")?,
            None => f.write_str("- ")?,
        }
        match heading.digest {
            Some(digest) => {
                write!(f, "{digest:x} ")?;
                write_states(f, self.states.clone())?;
            }
            None => f.write_str("- -")?,
        }
        write!(f, " {:x} {}", heading.superseded, heading.leaving as u8)
    }
}

fn write_states(
    f: &mut fmt::Formatter<'_>,
    mut states: impl Iterator<Item = Stated>,
) -> fmt::Result {
    let Some(mut current) = states.next() else {
        return f.write_char('-');
    };
    let mut count = 1_usize;
    loop {
        let next = states.next();
        if next == Some(current) {
            count += 1;
            continue;
        }
        let letter = current.claim.letter();
        f.write_char(char::from(if current.prefers_self {
            letter.to_ascii_uppercase()
        } else {
            letter
        }))?;
        if count > 1 {
            write!(f, "{count}")?;
        }
        let Some(next) = next else { return Ok(()) };
        (current, count) = (next, 1);
    }
}

/// Reads the field; the states go into `states`. `None` when it is not well-formed. Words that follow are
/// for a later version and ignored.
pub fn parse(text: &str, states: &mut Vec<Stated>) -> Option<Heading> {
    states.clear();
    let mut words = text.split(' ');
    let epoch = hex(words.next()?)?;
    let answering = match words.next()? {
        "-" => None,
        pair => {
            let (generation, epoch) = pair.split_once('.')?;
            Some((hex(generation)?, hex(epoch)?))
        }
    };
    let digest = match words.next()? {
        "-" => None,
        digest => Some(u32::try_from(hex(digest)?).ok()?),
    };
    parse_states(words.next()?, states)?;
    let superseded = hex(words.next()?)?;
    let leaving = match words.next()? {
        "0" => Leaving::No,
        "1" => Leaving::Stopping,
        "2" => Leaving::Stopped,
        _ => return None,
    };
    Some(Heading {
        epoch,
        answering,
        digest,
        superseded,
        leaving,
    })
}

fn parse_states(text: &str, states: &mut Vec<Stated>) -> Option<()> {
    let mut rest = if text == "-" { &[] } else { text.as_bytes() };
    while let Some((&letter, after)) = rest.split_first() {
        let claim = Claim::from_letter(letter.to_ascii_lowercase())?;
        let digits = after
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let (number, after) = after.split_at(digits);
        let count: usize = if digits == 0 {
            1
        } else {
            std::str::from_utf8(number).ok()?.parse().ok()?
        };
        if count == 0 || count > MOST_GROUPS - states.len() {
            return None;
        }
        let stated = Stated {
            claim,
            prefers_self: letter.is_ascii_uppercase(),
        };
        states.extend(std::iter::repeat_n(stated, count));
        rest = after;
    }
    Some(())
}

/// A hexadecimal number as the protocol writes it: digits only.
pub fn hex(text: &str) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = char::from(byte).to_digit(16)?;
        Some(number.checked_mul(16)? | u64::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_survives_the_wire() {
        let states: Vec<Stated> = Claim::LETTERS
            .iter()
            .flat_map(|(_, claim)| {
                [true, true, false].map(|prefers_self| Stated {
                    claim: *claim,
                    prefers_self,
                })
            })
            .collect();
        let heading = Heading {
            epoch: 3,
            answering: Some((0x6b00_8f1f, 1)),
            digest: Some(0x1a2b_3c4d),
            superseded: 17,
            leaving: Leaving::Stopping,
        };
        let text = Field {
            heading: &heading,
            states: states.iter().copied(),
        }
        .to_string();
        assert_eq!(
            text,
            "3 6b008f1f.1 1a2b3c4d N2nC2cD2dW2wF2fS2sR2rP2pU2uT2tO2oQ2qV2v 11 1"
        );
        let mut read = Vec::new();
        assert_eq!(parse(&text, &mut read), Some(heading));
        assert_eq!(read, states);
    }

    #[test]
    fn a_node_that_knows_nothing_says_so() {
        let heading = Heading {
            epoch: 1,
            answering: None,
            digest: None,
            superseded: 0,
            leaving: Leaving::No,
        };
        let text = Field {
            heading: &heading,
            states: std::iter::empty(),
        }
        .to_string();
        assert_eq!(text, "1 - - - 0 0");
        assert_eq!(parse(&text, &mut Vec::new()), Some(heading));
    }

    #[test]
    fn nonsense_is_refused_and_allocates_nothing_by_a_sender_s_number() {
        let mut states = Vec::new();
        for text in [
            "",
            "1",
            "1 - - r99999999999 0 0",
            "1 - - r100001 0 0",
            "1 - - r0 0 0",
            "1 - - x 0 0",
            "1 - - n 0 3",
            "+1 - - - 0 0",
        ] {
            assert_eq!(parse(text, &mut states), None, "{text}");
        }
        assert!(states.capacity() < 1000);
        assert!(parse("1 - - n 0 0 later words", &mut states).is_some());
    }

    #[test]
    fn as_many_groups_as_anybody_may_have_are_read_and_not_one_more() {
        let mut states = Vec::new();
        for (text, expected) in [
            ("1 - - n100000 0 0", true),
            ("1 - - n60000r40000 0 0", true),
            ("1 - - n60000r40001 0 0", false),
            ("1 - - n100000r 0 0", false),
        ] {
            assert_eq!(parse(text, &mut states).is_some(), expected, "{text}");
        }
    }
}
