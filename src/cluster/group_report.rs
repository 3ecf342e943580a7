//! What is told of groups that wait for something before they move, or that would move to where they can't run.

use std::fmt;

use super::condition::FailbackCondition;

/// Why a group stays where its interface has no carrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stay {
    /// The peer is dead, has left or is about to.
    Alone,
    /// The peer has none either, or not for long.
    LostToo,
    /// It did not start at the peer, or did not work there.
    Unable,
    /// The peer does not say whether it has one.
    Unknown,
    /// Maintenance is on.
    Maintenance,
}

/// One thing to tell. `Display` is the text of the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are what the sentence of their variant speaks of"
)]
pub enum GroupReport {
    /// What prefers the peer waits before it returns there.
    FailbackWaits {
        node: String,
        condition: FailbackCondition,
    },
    /// The peer did not hold still meanwhile.
    FailbackBeginsAnew { node: String },
    /// The wait is over.
    FailbackBegins {
        node: String,
        condition: FailbackCondition,
    },
    /// The peer says whether it could run a group that runs here, if that is news.
    PeerReadiness {
        node: String,
        key: String,
        is_ready: bool,
    },
    /// A planned move gives a group to a node that is not ready for it.
    MovesToUnready { node: String, key: String },
    /// A planned move gives a group to a node, this one or the peer, whose interface for it has no carrier.
    MovesWithoutCarrier { node: String, key: String },
    /// The interface of a group that runs here has no carrier, and the group can't leave.
    StaysWithoutCarrier {
        key: String,
        node: String,
        why: Stay,
    },
    /// It has one again.
    CarrierBack { key: String },
    /// Neither node could start a group, and so often that it is not tried any more.
    Frozen { key: String, failures: u32 },
}

impl GroupReport {
    /// Whether something degraded.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::PeerReadiness {
                is_ready: false,
                ..
            } | Self::MovesToUnready { .. }
                | Self::MovesWithoutCarrier { .. }
        )
    }
}

impl GroupReport {
    /// Whether a service is down for good, or for nobody knows how long.
    pub fn is_alarm(&self) -> bool {
        matches!(self, Self::Frozen { .. } | Self::StaysWithoutCarrier { .. })
    }
}

impl fmt::Display for GroupReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FailbackWaits { node, condition } => write!(
                f,
                "Resource groups of {node} stay here until {} (auto_failback).",
                condition.to_come(node)
            ),
            Self::FailbackBeginsAnew { node } => write!(
                f,
                "{node} did not hold still: the time before its resource groups return begins anew (auto_failback)."
            ),
            Self::FailbackBegins { node, condition } => write!(
                f,
                "Resource groups of {node} return to it: {} (auto_failback).",
                condition.come(node)
            ),
            Self::PeerReadiness {
                node,
                key,
                is_ready: false,
            } => write!(
                f,
                "{node} is not ready to run resource group {key}: its log and `cl_status rscstatus --json` there tell why."
            ),
            Self::PeerReadiness { node, key, .. } => {
                write!(f, "{node} is ready to run resource group {key}.")
            }
            Self::Frozen { key, failures } => write!(
                f,
                "Resource group {key}: could be started on neither node, {failures} times in a row here: it is not tried any \
                 more. Mend what its log lines tell of, then run hb_takeover on this node, or restart heartbeat on either."
            ),
            Self::MovesToUnready { node, key } => write!(
                f,
                "{node} is not ready to run resource group {key}, which goes there all the same."
            ),
            Self::MovesWithoutCarrier { node, key } => write!(
                f,
                "The interface of resource group {key} has no carrier at {node}, or not for long; it goes there all the \
                 same."
            ),
            Self::StaysWithoutCarrier { key, node, why } => {
                write!(
                    f,
                    "Resource group {key}: its interface has no carrier, so it can't be reached. It stays here: "
                )?;
                match why {
                    Stay::Alone => write!(f, "{node} is not there to take it."),
                    Stay::LostToo => write!(f, "that of {node} has none either, or not for long."),
                    Stay::Unable => write!(f, "{node} could not run it."),
                    Stay::Maintenance => f.write_str("maintenance is on."),
                    Stay::Unknown => write!(f, "{node} does not say whether its own has one."),
                }
            }
            Self::CarrierBack { key } => {
                write!(
                    f,
                    "Resource group {key}: its interface has a carrier again."
                )
            }
        }
    }
}
