//! Everything that can happen to the core.

use std::time::Duration;

use super::doubt::NetworkAnswer;
use super::ethernet::Ethernet;
use super::maintenance::MaintenanceOrder;
use super::movement::MoveRequest;
use super::reload::Reload;
use super::script_message::ScriptMessage;
use super::{GroupId, LinkId, PingId};
use crate::config::Term;
use crate::message::Keys;

/// What the shell tells the core.
#[derive(Debug, Clone)]
pub enum Event<'a> {
    /// Bytes arrived on a link: one datagram, or one message text from a serial line. Nothing of them is
    /// trusted yet.
    Received {
        /// The link they came on.
        link: LinkId,
        /// As they came.
        bytes: &'a [u8],
    },
    /// All devices were read; judge deadlines now. The shell gives exactly one at the end of every turn.
    Tick,
    /// The wall clock, in seconds since 1970. Given before the first tick and whenever a turn begins in a
    /// new second; used for the `ts` field only.
    WallClock {
        /// Seconds since 1970.
        seconds: u64,
    },
    /// A group action that the core asked for has ended, or a probe's answer.
    Group {
        /// Which group.
        group: GroupId,
        /// How it ended.
        outcome: GroupOutcome,
    },
    /// The operator asked for a clean stop.
    StopRequested,
    /// The operator asked for a planned move. [`Cluster::refuses`](super::Cluster::refuses) tells beforehand
    /// whether it can begin; one that can't is ignored.
    MoveRequested(MoveRequest),
    /// A host of a ping node answered an echo request of this run.
    PingAnswered {
        /// Which ping node.
        node: PingId,
    },
    /// The command of `auto_failback when` has answered, or could not.
    FailbackAnswered {
        /// It ended with exit code 0.
        agrees: bool,
    },
    /// It was looked whether this node could run a group that it does not hold.
    Readiness {
        /// Which group.
        group: GroupId,
        /// Whether it could; `None` where that is not known, or not any more.
        ready: Option<bool>,
    },
    /// It was looked whether the interfaces that a group's addresses live on have a carrier.
    Carrier {
        /// Which group.
        group: GroupId,
        /// Whether all of them have one here; `None` where the group has no address, or that is not known.
        here: Option<bool>,
    },
    /// The answer to `Action::Fence`.
    Fenced {
        /// Which request.
        request: u64,
        /// A device says that it has reset the peer; else none did.
        is_reset: bool,
    },
    /// An operator says that the peer is down. [`Cluster::refuses_confirmation`](super::Cluster::refuses_confirmation)
    /// tells beforehand whether that counts; where it does not it is ignored.
    PeerConfirmedDead,
    /// The answer to `Action::AskNetwork`.
    NetworkAnswered {
        /// Which request.
        request: u64,
        /// What was found.
        answer: NetworkAnswer,
    },
    /// The watchdog of this machine was armed, has another timeout, or is not there any more.
    WatchdogArmed {
        /// After so long without a feed it resets the machine; `None` without a watchdog.
        timeout: Option<Duration>,
    },
    /// It was looked whether a link has a carrier.
    LinkCarrier {
        /// Which link.
        link: LinkId,
        /// Whether it has one; `None` where that can't be known, as on a serial line.
        has: Option<bool>,
    },
    /// `authkeys` was read again.
    KeysChanged(Box<Keys>),
    /// The Ethernet addresses of this machine, in any order, but in the same one for the same addresses. At most
    /// [`MOST_ETHERNET`](super::MOST_ETHERNET) count.
    Hardware(Vec<Ethernet>),
    /// What the other node must have equal, from the files as they are in force: at the start, and after a reload.
    Terms(Vec<Term>),
    /// `ha.cf` and `haresources` were read again. [`Cluster::refuses_reload`](super::Cluster::refuses_reload) tells
    /// beforehand whether they can be taken over now; what can't is ignored.
    Reloaded(Box<Reload>),
    /// A person switches maintenance on or off. [`Cluster::refuses_maintenance`](super::Cluster::refuses_maintenance) tells
    /// beforehand whether that can be; what can't, and off where it is not on, is ignored.
    Maintenance(Box<MaintenanceOrder>),
    /// A script of this node has a message for the scripts of both.
    Say(Box<ScriptMessage>),
}

/// How an action on a resource group ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupOutcome {
    /// Every resource runs.
    Started,
    /// A resource did not start; all of the group is stopped again.
    StartFailed,
    /// Every resource is stopped.
    Stopped,
    /// A resource did not stop (or a failed start could not be undone): it must be taken as still running.
    StopFailed,
    /// Probe: nothing of the group runs here.
    FoundStopped,
    /// Probe: at least one resource of the group runs here.
    FoundRunning,
    /// A group that runs does not work: a monitor says so, and starting its resource again here is of no use. Nothing
    /// of the group was stopped. Told again now and then for as long as it is so.
    Broken,
}
