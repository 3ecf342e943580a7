//! What is shown of reasons: decisions with their evidence, events, and what is waited for.

use serde::{Deserialize, Serialize};

/// The other node, as far as decisions depend on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Peer {
    /// `heartbeat-rs`, `heartbeat-3.0.6`, or `unknown` before it was heard.
    pub program: String,
    /// How many milliseconds ago it was last heard, on whatever link; none where it was not since the daemon was started.
    pub heard_ago: Option<u64>,
    /// The silence in milliseconds after which it counts as dead.
    pub deadtime: u64,
    /// How this node stands with it: `unheard`; `deaf`, it is heard and does not hear this node; `talking`; `halves`, it runs
    /// heartbeat 3.0.6 and has told what it holds; `in-doubt`, it is silent and may be alive; `dead`; or `left`, it has
    /// stopped and holds nothing.
    pub relation: String,
    /// It is about to stop.
    pub is_leaving: bool,
    /// Whether its `haresources` has the same groups; none where that can't be known.
    pub files_agree: Option<bool>,
}

/// Something that happens at a known moment if nothing else happens before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Timer {
    /// `initdead`, `deadtime`, `link`, `doubt`, `give-up`, `fencing`, `unfenced` or `move`.
    pub what: String,
    /// The link, for `link`.
    pub subject: Option<String>,
    /// When, in seconds since 1970.
    pub at: u64,
}

/// What is known of a group beside its state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", default)]
pub struct Reasons {
    /// Since when the node that answers holds it, in seconds since 1970; none where it does not.
    pub since: Option<u64>,
    /// Since when the other node is known to be in the state that it told last, in seconds since 1970.
    pub peer_since: Option<u64>,
    /// What the node that answers claims: `free`, `ceded` (the other node may have it), `handed-over` (it shall, an operator
    /// wants it), `waived` (this one does not want it back), `failed`, `starting`, `running`, `stopping` or `unknown` (it
    /// counts as running); none before it has looked.
    pub claim: Option<String>,
    /// What the other node claims, where that is valid now.
    pub peer_claim: Option<String>,
    /// It was taken because the other node was thought dead, which that node has not acknowledged.
    pub is_taken: bool,
    /// It did not work on the node that answers, and that is not forgotten yet.
    pub is_unfit: bool,
    /// What the node that answers last decided about it in this run.
    pub decision: Option<Decision>,
    /// What was last told of it in this run.
    pub outcome: Option<Outcome>,
}

/// A decision about a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Decision {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// `start` or `stop`.
    pub step: String,
    /// Why.
    pub reason: String,
    /// What was known then, a sentence each.
    pub evidence: Vec<String>,
}

/// What was told of a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Outcome {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The sentence, without the name of the group.
    pub text: String,
}

/// Something that has happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Event {
    /// Counts from 1 since the daemon was started.
    pub number: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// `debug`, `info`, `notice`, `WARN`, `ERROR` or `CRIT`.
    pub severity: String,
    /// The first resource of the group that it is about, where it is about one.
    pub group: Option<String>,
    /// The sentence, as it is in the log.
    pub text: String,
}

/// A line of the answer to a request for events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum EventLine {
    /// Something has happened.
    Event(Event),
    /// The last line, where there is more than that to say.
    End {
        /// Why nothing more comes.
        end: String,
    },
    /// There are no events: the request was refused.
    Error {
        /// Why.
        error: String,
    },
}
