//! What keeps a node from taking anything of the other one.

use serde::{Deserialize, Serialize};

/// Nothing moves unless somebody asks for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Maintenance {
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// When it ends by itself, in seconds since 1970; none where it does not.
    pub until: Option<u64>,
    /// Who switched it on; empty where that is not known yet.
    pub by: String,
    /// The node on which that was done.
    pub node: String,
    /// Why; may be empty.
    pub reason: String,
    /// Whether the other node has said that it knows.
    pub known_to_peer: bool,
    /// Whether it has no effect, because the other node runs heartbeat 3.0.6.
    pub rests: bool,
    /// Whether the other node has fallen silent meanwhile: what follows from that is put off.
    pub peer_lost: bool,
}

/// What the loss of all links is taken for (`last_link` in `ha.cf`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LastLink {
    /// `takeover`, `witness`, `manual` or `wait`.
    pub answer: String,
    /// The time of `witness` or `wait`, in milliseconds.
    pub milliseconds: Option<u64>,
    /// What the other node goes by, as its `ha.cf` would write it; none while it has not said so.
    pub peer: Option<String>,
    /// The timeout of the other node's watchdog in milliseconds, where it has one and says so.
    pub peer_watchdog: Option<u64>,
    /// `none` while the other node is heard or counts as dead for sure; `waiting` until it counts as dead; `watching`: the
    /// network is asked who answers for its addresses; `manual`: a person has to say that it is down; `alone`: it counts as
    /// dead for as long as a ping node answers here.
    pub state: String,
    /// When the other node was found silent, in seconds since 1970; none in the state `none`.
    pub since: Option<u64>,
    /// This node saw no ping node either, and gave up what it held.
    pub cut_off: bool,
}

/// The fencing devices, and what they are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Fencing {
    /// `none` while nobody is to be reset; `waiting` for the next attempt, or `resetting`: nothing of the other node is
    /// taken; `done` once it was reset or counts as that; `abandoned` by a node that stops.
    pub state: String,
    /// How often all devices have failed since the other node was found dead.
    pub failures: u32,
    /// In the order in which they are tried.
    pub devices: Vec<FencingDevice>,
}

/// A device that resets the other node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct FencingDevice {
    /// Its type, as in `ha.cf`.
    pub kind: String,
    /// What came of it when it was asked last; none before.
    pub works: Option<bool>,
}
