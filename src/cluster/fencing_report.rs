//! What is told of fencing, where it can be in the words of heartbeat 3.0.6.

use std::fmt;
use std::time::Duration;

use super::severity::Severity;

/// One thing to tell. `Display` is the text of the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are what the sentence of their variant speaks of"
)]
pub enum FencingReport {
    /// The peer is to be reset, but not at once.
    Delayed { node: String, delay: Duration },
    /// A device has reset the peer.
    Reset { node: String },
    /// No device could.
    Failed {
        node: String,
        failures: u32,
        pause: Duration,
        taken_in: Option<Duration>,
    },
    /// A group does not stop, and this node is reset for that.
    ResetsItself { key: String },
    /// A group does not stop, and the peer is asked to reset this node.
    AsksForReset { key: String, node: String },
    /// A group does not stop, and the peer can't reset this node.
    NobodyResets { key: String, node: String },
    /// A group does not stop, and nobody would take it.
    NobodyTakes { key: String },
    /// The peer asks to be reset.
    Requested { node: String },
    /// The peer does not ask for it any more.
    Withdrawn { node: String },
    /// The peer is heard although a device has reset it.
    StillHeard { node: String },
    /// The peer is heard while it is to be reset.
    Cancelled { node: String },
    /// An operator says that the peer is down.
    Confirmed { node: String },
    /// What the peer held is taken although nothing has reset it.
    TakenUnfenced { node: String, after: Duration },
}

impl FencingReport {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Reset { .. } => Severity::Info,
            Self::Delayed { .. }
            | Self::Cancelled { .. }
            | Self::Confirmed { .. }
            | Self::Requested { .. }
            | Self::Withdrawn { .. } => Severity::Warn,
            Self::Failed { .. } | Self::StillHeard { .. } => Severity::Error,
            Self::TakenUnfenced { .. }
            | Self::ResetsItself { .. }
            | Self::AsksForReset { .. }
            | Self::NobodyResets { .. }
            | Self::NobodyTakes { .. } => Severity::Crit,
        }
    }
}

impl fmt::Display for FencingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Delayed { node, delay } => write!(
                f,
                "{node} is reset in {} s (fence_delay): if it is alive, it comes first.",
                delay.as_secs_f64()
            ),
            Self::Reset { node } => write!(f, "node {node} now reset."),
            Self::Failed {
                node,
                failures,
                pause,
                taken_in,
            } => {
                write!(
                    f,
                    "STONITH of {node} failed.  Retrying... in {} s, after {failures} failure(s). ",
                    pause.as_secs()
                )?;
                if let Some(time) = taken_in {
                    let seconds = time.as_secs();
                    write!(
                        f,
                        "In {seconds} s its resources are taken all the same (takeover_unfenced)."
                    )
                } else {
                    write!(
                        f,
                        "Nothing of it is taken before. If you know for sure that it is down: heartbeat confirm-dead \
                         {node}"
                    )
                }
            }
            Self::ResetsItself { key } => write!(
                f,
                "Resource group {key} does not stop: this node resets itself (stop_failure reboot)."
            ),
            Self::AsksForReset { key, node } => write!(
                f,
                "Resource group {key} does not stop: {node} is asked to reset this node (stop_failure fence)."
            ),
            Self::NobodyResets { key, node } => write!(
                f,
                "Resource group {key} does not stop, and {node} has no fencing device to reset this node with \
                 (stop_failure fence): the group is held."
            ),
            Self::NobodyTakes { key } => write!(
                f,
                "Resource group {key} does not stop, and the other node could not take it: this node is not reset for \
                 that."
            ),
            Self::Requested { node } => write!(
                f,
                "A resource group on {node} does not stop, and {node} asks to be reset (stop_failure fence)."
            ),
            Self::Withdrawn { node } => {
                write!(f, "{node} does not ask to be reset any more.")
            }
            Self::StillHeard { node } => write!(
                f,
                "{node} is heard although a device says that it has reset it: the device resets something else."
            ),
            Self::Cancelled { node } => {
                write!(f, "{node} is heard again: it is not reset any more.")
            }
            Self::Confirmed { node } => {
                write!(
                    f,
                    "An operator says that {node} is down: it counts as reset."
                )
            }
            Self::TakenUnfenced { node, after } => write!(
                f,
                "{node} was not reset within {} s: its resources are taken all the same (takeover_unfenced). Shared \
                 disks are not protected.",
                after.as_secs()
            ),
        }
    }
}
