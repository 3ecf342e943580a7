//! What is told of a node that is silent on all links.

use std::fmt;
use std::time::Duration;

use super::severity::Severity;
use crate::config::LastLink;

/// One thing to tell. `Display` is the text of the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are what the sentence of their variant speaks of"
)]
pub enum LastLinkReport {
    /// Nobody can tell whether the peer is dead or cut off.
    Begun { node: String, begun: Begun },
    /// It was silent for long enough.
    Waited { node: String, after: Duration },
    /// A ping node answers, and nobody answers for what the peer had.
    Witnessed { node: String, time: Duration },
    /// An operator says that it is down.
    Confirmed { node: String },
    /// It is heard.
    Heard { node: String },
    /// No ping node answers here either, and what this node held is given up.
    CutOff { node: String, groups: usize },
    /// No ping node answers, and there is nothing to give up.
    Blind { node: String },
    /// Not everything was given up in time.
    StillHeld {
        node: String,
        /// This machine is reset.
        resets: bool,
    },
    /// Somebody answers for an address of a group that this node does not run.
    Served { node: String, key: String },
    /// What was given up has no address, so that nobody can see who has it.
    Unseen { node: String },
    /// No link of this node has a carrier: it could not hear the peer if it talked.
    NoCarrier { node: String },
    /// The nodes don't go by the same.
    Differs {
        node: String,
        mine: LastLink,
        theirs: LastLink,
    },
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It counts as dead after so much more silence.
    Waits(Duration),
    /// A person decides.
    Manual,
    /// A person decides, since the node may be in maintenance.
    AfterMaintenance,
    /// Ping nodes decide, after this time.
    Witness(Duration),
}

impl LastLinkReport {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Begun { .. }
            | Self::CutOff { .. }
            | Self::StillHeld { .. }
            | Self::Served { .. }
            | Self::Unseen { .. }
            | Self::NoCarrier { .. } => Severity::Crit,
            Self::Waited { .. }
            | Self::Witnessed { .. }
            | Self::Confirmed { .. }
            | Self::Heard { .. }
            | Self::Blind { .. }
            | Self::Differs { .. } => Severity::Warn,
        }
    }
}

impl fmt::Display for LastLinkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun { node, begun } => match begun {
                Begun::Waits(time) => write!(
                    f,
                    "{node} fell silent on the last link: a cut is likelier than its death. Unless it is heard, its \
                     resources are taken in {time:?} (last_link wait)."
                ),
                Begun::Manual => write!(
                    f,
                    "{node} fell silent on the last link: a cut is likelier than its death. Nothing of it is taken \
                     (last_link manual). If you know for sure that it is down: heartbeat confirm-dead {node}"
                ),
                Begun::AfterMaintenance => write!(
                    f,
                    "{node} is silent. It may be in maintenance and keep what it has although it is cut off, so nothing of \
                     it is taken (last_link witness). If you know for sure that it is down: heartbeat confirm-dead {node}"
                ),
                Begun::Witness(time) => write!(
                    f,
                    "{node} is silent. If for {time:?} ping nodes answer here, and nobody for its addresses, its \
                     resources are taken (last_link witness)."
                ),
            },
            Self::Waited { node, after } => write!(
                f,
                "{node} was silent for {} s more: it counts as dead (last_link wait).",
                after.as_secs()
            ),
            Self::Witnessed { node, time } => write!(
                f,
                "Ping nodes answer here, and for {time:?} nobody has answered for an address of {node}: it counts as dead \
                 while that is so (last_link witness). Once you have made sure that it is down: heartbeat confirm-dead \
                 {node}"
            ),
            Self::Confirmed { node } => write!(
                f,
                "An operator says that {node} is down: it counts as dead."
            ),
            Self::Heard { node } => write!(
                f,
                "{node} is heard again: it was cut off, and nothing of it was taken."
            ),
            Self::CutOff { node, groups } => write!(
                f,
                "No ping node answers and nothing gets through to {node}: this node is cut off. It gives up {groups} resource group(s), \
                 and {node} may take them (last_link witness)."
            ),
            Self::Blind { node } => write!(
                f,
                "No ping node answers and {node} is silent: this node may be cut off, and takes nothing (last_link \
                 witness)."
            ),
            Self::StillHeld { node, resets: true } => write!(
                f,
                "This node is cut off, and not everything that it held has stopped in time: it is reset before {node} \
                 takes over."
            ),
            Self::StillHeld { node, .. } => write!(
                f,
                "This node is cut off, and not everything that it held has stopped in time: {node} may run it too. With a \
                 watchdog this machine would be reset now."
            ),
            Self::Served { node, key } => write!(
                f,
                "Somebody answers for an address of resource group {key}: {node} is silent, not dead. Nothing of it is \
                 taken while that is so (last_link witness). Once you have made sure that it is down: heartbeat \
                 confirm-dead {node}"
            ),
            Self::Unseen { node } => write!(
                f,
                "Ping nodes answer here again, and {node} is still silent. It has most likely what this node gave up, \
                 and no address would show that: nothing is taken before it is heard. If you know for sure that it is \
                 down: heartbeat confirm-dead {node}"
            ),
            Self::NoCarrier { node } => write!(
                f,
                "No link of this node has had a carrier since it started: it could not hear {node} if that one talked. \
                 Plug in the cables."
            ),
            Self::Differs { node, mine, theirs } => write!(
                f,
                "When all links are gone this node goes by `last_link {mine}`, {node} by `last_link {theirs}`: each must know what \
                 the other does. Make the lines equal in both ha.cf files."
            ),
        }
    }
}
