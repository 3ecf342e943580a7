//! What the silence of the other node on all links may be taken for.

use std::fmt;
use std::time::Duration;

/// The answer to the silence of the other node on all links, where no device resets it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LastLink {
    /// It is dead, and what it had is taken: as in heartbeat 3.0.6.
    #[default]
    Takeover,
    /// Ping nodes decide: who sees none gives up what it has within this time, who sees one takes over after it.
    Witness(Duration),
    /// A person decides.
    Manual,
    /// It is dead once it was silent for so much longer.
    Wait(Duration),
}

/// What a node that is cut off has at least for giving up, where nothing else is said.
const TIME_TO_STOP: Duration = Duration::from_secs(10);

/// As `ha.cf` writes it.
impl fmt::Display for LastLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Takeover => f.write_str("takeover"),
            Self::Manual => f.write_str("manual"),
            Self::Wait(time) => write!(f, "wait {time:?}"),
            Self::Witness(time) => write!(f, "witness {time:?}"),
        }
    }
}

/// What was written, before the times are known that others decide.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Written {
    #[default]
    Takeover,
    /// With deadtime, or ten seconds, for the time that is not written.
    Witness(Option<Duration>),
    Manual,
    Wait(Duration),
}

impl Written {
    /// With the times that follow from others.
    pub(super) fn complete(self, deadtime: Duration) -> LastLink {
        match self {
            Self::Takeover => LastLink::Takeover,
            Self::Witness(time) => LastLink::Witness(time.unwrap_or(deadtime.max(TIME_TO_STOP))),
            Self::Manual => LastLink::Manual,
            Self::Wait(time) => LastLink::Wait(time),
        }
    }
}
