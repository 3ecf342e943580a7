//! What the core needs to know to begin with.

use std::time::Duration;

use super::action::PeerMemory;
use super::condition::FailbackCondition;
use super::maintenance::MaintenanceMemory;
use crate::config::{AutoFailback, LastLink, StopFailure};
use crate::message::Keys;

/// Everything from the configuration, and what earlier runs left.
#[derive(Debug, Clone)]
pub struct Settings {
    /// This node's name.
    pub local_node: String,
    /// The other node's name.
    pub peer_node: String,
    /// Both names in the order of their `node` lines, for `repnodes`.
    pub nodes: Vec<String>,
    /// This node's uuid.
    pub uuid: [u8; 16],
    /// The generation of this run.
    pub generation: u64,
    /// The run may go on as later generations, up to this one: no later run uses them.
    pub last_generation: u64,
    /// What an earlier run saw of the peer.
    pub remembered_peer: Option<PeerMemory>,
    /// What an earlier run knew of maintenance.
    pub maintenance: Option<MaintenanceMemory>,
    /// Source of all jitter; anything random.
    pub seed: u64,
    /// See `ha.cf`.
    pub keepalive: Duration,
    /// See `ha.cf`.
    pub deadtime: Duration,
    /// See `ha.cf`.
    pub warntime: Duration,
    /// See `ha.cf`.
    pub initdead: Duration,
    /// See `ha.cf`.
    pub max_rexmit_delay: Duration,
    /// See `ha.cf`.
    pub auto_failback: AutoFailback,
    /// What a failback waits for where there is one.
    pub failback: FailbackCondition,
    /// How long an interface must be without a carrier before its groups leave; `None` where they don't for that.
    pub carrier_loss: Option<Duration>,
    /// The value of the `ttl` field: hopfudge plus the number of configured nodes.
    pub ttl: u32,
    /// `msgfmt classic`: netstrings carry the inner signature too.
    pub inner_auth: bool,
    /// Whether refused packets are reported.
    pub log_badpack: bool,
    /// Link names by [`LinkId`](super::LinkId); at most 64.
    pub links: Vec<String>,
    /// Groups by [`GroupId`](super::GroupId).
    pub groups: Vec<GroupSettings>,
    /// The ping nodes.
    pub ping: PingSettings,
    /// How the peer is reset when it is dead.
    pub fencing: FencingSettings,
    /// See `ha.cf`.
    pub last_link: LastLink,
    /// See `ha.cf`.
    pub stop_failure: StopFailure,
    /// The keys.
    pub keys: Keys,
}

/// How a dead peer is reset, and when its groups are taken.
#[derive(Debug, Clone, Default)]
pub struct FencingSettings {
    /// Whether this node has a device for it.
    pub has_device: bool,
    /// See `fence_delay` in `ha.cf`.
    pub delay: Duration,
    /// After this time without success the groups are taken all the same; `None` for never.
    pub takeover_unfenced: Option<Duration>,
}

/// What is pinged, and what follows from it.
#[derive(Debug, Clone, Default)]
pub struct PingSettings {
    /// Ping nodes by [`PingId`](super::PingId).
    pub nodes: Vec<PingNodeSettings>,
    /// Silence after which one of them is dead.
    pub deadping: Duration,
    /// Whether resources leave a node that sees fewer of them than the other.
    pub ipfail: bool,
}

/// A ping node as far as the core is concerned.
#[derive(Debug, Clone)]
pub struct PingNodeSettings {
    /// As `ha.cf` names it.
    pub name: String,
    /// Whether its answers tell anything: an address of the pair itself answers wherever it is.
    pub counts: bool,
}

/// A resource group as far as the core is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSettings {
    /// Unique in the cluster.
    pub key: String,
    /// The `haresources` line without comment, single blanks: for the log.
    pub line: String,
    /// Whether this node is the preferred one.
    pub prefers_local: bool,
}

impl GroupSettings {
    /// What the group consists of: the line without its first word, the preferred node.
    pub(crate) fn resources(&self) -> &str {
        self.line
            .split_once(' ')
            .map_or("", |(_, resources)| resources)
    }
}
