//! Where a message stands in its sender's stream, and how that is told.

use std::fmt;

/// One way from a sender to us: an index into the table of ways, below 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Way(pub u8);

impl Way {
    /// The bit that stands for it in a set of ways.
    pub fn bit(self) -> u64 {
        1_u64.checked_shl(u32::from(self.0)).unwrap_or(0)
    }
}

/// Where a message stands in its sender's stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The first of this node.
    First,
    /// The next one.
    New,
    /// Numbers before it have not come.
    Gap {
        /// The first of them.
        first: u64,
        /// The last of them.
        last: u64,
    },
    /// So many numbers before it have not come that nobody asks for them.
    LostMany(u64),
    /// Fills a gap without having been asked for.
    Late,
    /// Came before on another way.
    Copy(Way),
    /// Sent again.
    Again {
        /// Somebody had asked for it.
        asked: bool,
    },
    /// Older than anything remembered.
    Old,
    /// The first of a new run.
    Restart {
        /// The run before.
        from: u64,
        /// The new run.
        to: u64,
        /// A heartbeat, as it must be.
        by_heartbeat: bool,
    },
    /// Of a run that is over.
    Replay {
        /// Its run.
        generation: u64,
        /// The run that is on.
        current: u64,
    },
    /// Of the run before, directly after a restart: what it sent last may be overtaken by the first words of the next.
    Leftover,
    /// Carries no number.
    Unnumbered,
}

impl Order {
    /// In one word.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::New => "new",
            Self::Gap { .. } | Self::LostMany(_) => "gap",
            Self::Late => "late",
            Self::Copy(_) => "copy",
            Self::Again { .. } => "again",
            Self::Old => "old",
            Self::Restart { .. } => "restart",
            Self::Replay { .. } => "replay",
            Self::Leftover => "leftover",
            Self::Unnumbered => "unnumbered",
        }
    }

    /// Whether it is the first time that this message was seen.
    pub fn is_first_sight(self) -> bool {
        !matches!(
            self,
            Self::Copy(_)
                | Self::Again { .. }
                | Self::Old
                | Self::Replay { .. }
                | Self::Leftover
                | Self::Unnumbered
        )
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::First => f.write_str("first heard"),
            Self::New => f.write_str("new"),
            Self::Gap { first, last } if first == last => write!(f, "gap (1 missing: {first})"),
            Self::Gap { first, last } => {
                let count = last.saturating_sub(first).saturating_add(1);
                write!(f, "gap ({count} missing: {first}-{last})")
            }
            Self::LostMany(count) => write!(f, "gap (lost a lot of packets: {count})"),
            Self::Late => f.write_str("late (fills a gap)"),
            Self::Copy(_) => f.write_str("copy"),
            Self::Again { asked: true } => f.write_str("again (retransmission)"),
            Self::Again { asked: false } => f.write_str("again (nobody asked for it)"),
            Self::Old => f.write_str("old"),
            Self::Restart {
                from,
                to,
                by_heartbeat,
            } => {
                write!(f, "restart (generation {from:x}->{to:x})")?;
                f.write_str(if by_heartbeat {
                    ""
                } else {
                    ", not by a heartbeat"
                })
            }
            Self::Replay {
                generation,
                current,
            } => {
                write!(
                    f,
                    "replay of an older generation ({generation:x}, now {current:x})"
                )
            }
            Self::Leftover => f.write_str("leftover of the run before"),
            Self::Unnumbered => f.write_str("unnumbered"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_say_how_many_are_missing() {
        assert_eq!(
            Order::Gap {
                first: 33,
                last: 33
            }
            .to_string(),
            "gap (1 missing: 33)"
        );
        assert_eq!(
            Order::Gap {
                first: 32,
                last: 33
            }
            .to_string(),
            "gap (2 missing: 32-33)"
        );
    }
}
