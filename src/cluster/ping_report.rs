//! What is told of ping nodes and of what follows from them, in the words of heartbeat 3.0.6 and its `ipfail`.

use std::fmt;

use super::movement::MoveRefusal;

/// One thing to tell. `Display` is the text of the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are what the sentence of their variant speaks of"
)]
pub enum PingReport {
    /// A ping node answers.
    Up { node: String },
    /// A ping node was silent for deadping.
    Dead { node: String },
    /// A node has a new status.
    NodeStatus { node: String, status: &'static str },
    /// A link has a new status.
    LinkStatus {
        node: String,
        link: String,
        is_up: bool,
    },
    /// A ping node answers again, or for the first time.
    CameUp,
    /// One of several is silent.
    Checking,
    /// None answers here.
    AllSilent,
    /// The other node died; whether any ping node answers here.
    PeerDied { is_alive: bool },
    /// The other node is to tell how many answer there.
    Asking,
    /// As many answer there as here.
    Balanced,
    /// Fewer answer there.
    More,
    /// Fewer answer here.
    Fewer,
    /// The other node says that fewer answer here.
    ToldOfFewer,
    /// Resources go unless things change.
    Delayed { seconds: u64 },
    /// They go now.
    Called,
    /// They stay.
    Aborted { number: u64 },
    /// Nothing was about to go.
    NothingToAbort,
    /// They can't go now.
    Waits { refusal: MoveRefusal },
    /// What the other node gave goes back.
    GivingBack,
    /// What this node gave comes back.
    TakingBack,
    /// The nodes don't have equally many.
    Differ {
        node: String,
        ours: u32,
        theirs: u32,
    },
}

impl PingReport {
    /// Whether something degraded.
    pub fn is_warning(&self) -> bool {
        matches!(
            self,
            Self::Dead { .. } | Self::AllSilent | Self::Waits { .. } | Self::Differ { .. }
        )
    }
}

impl fmt::Display for PingReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Up { node } => write!(f, "Status update for node {node}: status ping"),
            Self::Dead { node } => write!(f, "node {node}: is dead"),
            Self::NodeStatus { node, status } => {
                write!(f, "Status update: Node {node} now has status {status}")
            }
            Self::LinkStatus { node, link, is_up } => {
                let status = if *is_up { "up" } else { "dead" };
                write!(
                    f,
                    "Link Status update: Link {node}/{link} now has status {status}"
                )
            }
            Self::CameUp => f.write_str("A ping node just came up."),
            Self::Checking => f.write_str("Checking remote count of ping nodes."),
            Self::AllSilent => f.write_str("We are dead. :<"),
            Self::PeerDied { is_alive: true } => f.write_str("NS: We are still alive!"),
            Self::PeerDied { is_alive: false } => f.write_str("NS: We are dead. :<"),
            Self::Asking => f.write_str("Asking other side for ping node count."),
            Self::Balanced => f.write_str("Ping node count is balanced."),
            Self::More => {
                f.write_str("Telling other node that we have more visible ping nodes.")
            }
            Self::Fewer => f.write_str("Giving up because we have less visible ping nodes."),
            Self::ToldOfFewer => {
                f.write_str("Giving up because we were told that we have less ping nodes.")
            }
            Self::Delayed { seconds } => write!(f, "Delayed giveup in {seconds} seconds."),
            Self::Called => f.write_str("giveup() called (timeout worked)"),
            Self::Aborted { number } => write!(f, "Aborted delayed giveup ({number})"),
            Self::NothingToAbort => f.write_str("No giveup timer to abort."),
            Self::Waits { refusal } => write!(
                f,
                "Resources can't be given up now: {refusal}. This is tried again."
            ),
            Self::GivingBack => f.write_str("Giving up foreign resources (auto_failback)."),
            Self::TakingBack => f.write_str(
                "As many ping nodes answer here again: taking local resources back (auto_failback).",
            ),
            Self::Differ { node, ours, theirs } => write!(
                f,
                "{node} counts {theirs} ping node(s) and this node {ours}: nothing moves because of them before both \
                 count as many. Compare ping, ping6 and ping_group in ha.cf; one that is an address of the pair is \
                 not counted."
            ),
        }
    }
}
