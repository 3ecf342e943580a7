//! Changed files as the core is told of them, and why they can't be taken over now.

use std::fmt;
use std::time::Duration;

use super::condition::FailbackCondition;
use super::settings::GroupSettings;
use crate::config::AutoFailback;

/// What may change in a running core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reload {
    /// See `ha.cf`.
    pub keepalive: Duration,
    /// See `ha.cf`.
    pub deadtime: Duration,
    /// See `ha.cf`.
    pub warntime: Duration,
    /// See `ha.cf`.
    pub initdead: Duration,
    /// See `ha.cf`.
    pub deadping: Duration,
    /// See `ha.cf`.
    pub max_rexmit_delay: Duration,
    /// See `ha.cf`. Neither from nor to `legacy`: how a peer of heartbeat 3.0.6 is talked to depends on that.
    pub auto_failback: AutoFailback,
    /// See `ha.cf`: what a failback waits for.
    pub failback: FailbackCondition,
    /// See `ha.cf`; `None` for `off`.
    pub carrier_loss: Option<Duration>,
    /// Whether refused packets are reported.
    pub log_badpack: bool,
    /// The groups by [`GroupId`](super::GroupId), as [`Cluster::places_for`](super::Cluster::places_for) has placed
    /// them.
    pub groups: Vec<GroupPlace>,
}

/// A place among the groups. A group keeps its own for as long as it may run here, whatever becomes of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupPlace {
    /// The group that has it, or had it last.
    pub group: GroupSettings,
    /// It is not in the file any more: what runs of it is stopped, and then the place is free.
    pub is_removed: bool,
}

/// Why files can't be taken over now. Nothing of them is then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReloadRefusal {
    /// This node is about to stop.
    Leaving,
    /// A planned move is under way.
    Busy,
    /// This group, which changes or goes, is just being started, stopped or looked at.
    Moving(String),
    /// This group is just passing from one node to the other.
    Passing(String),
    /// This group, which changes, could not be stopped.
    Stuck(String),
    /// This group would prefer another node than before, and a peer of heartbeat 3.0.6 knows groups by nothing else.
    OldPeer(String),
}

impl fmt::Display for ReloadRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leaving => f.write_str("this node is shutting down"),
            Self::Busy => f.write_str("a planned move is under way; wait for its end"),
            Self::Moving(key) => write!(
                f,
                "the group {key}, which would change, is just being started or stopped; try again in a moment"
            ),
            Self::Passing(key) => write!(
                f,
                "the group {key} is just passing from one node to the other; try again in a moment"
            ),
            Self::Stuck(key) => write!(
                f,
                "the group {key}, which would change, could not be stopped and counts as running here until it is; its \
                 log lines tell why. It can be removed, or changed once it is stopped"
            ),
            Self::OldPeer(key) => write!(
                f,
                "the group {key} would prefer the other node than before, which a node of heartbeat 3.0.6 can't follow \
                 while both run; stop heartbeat on both nodes for that, or upgrade the other one first"
            ),
        }
    }
}
