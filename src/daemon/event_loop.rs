//! The loop: wait, read everything, let the core judge, do what it says. Nothing in here blocks.

use std::time::Duration;

use mio::{Events, Poll};

use super::control::ControlServer;
use super::media::Media;
use super::reload::Loaded;
use super::resources::Resources;
use super::service_manager::ServiceManager;
use super::signals::{Signal, Signals};
use super::state::{Recorder, State};
use super::watchdog::Watchdog;
use super::{clock, command, log, status};
use crate::cluster::{Action, Cluster, Event, Instant};
use crate::config::Config;
use crate::control::{Answer, Places, Request};

/// Which tokens belong to whom.
pub mod tokens {
    use std::ops::Range;

    use crate::daemon::control;

    /// The signals.
    pub const SIGNALS: usize = 0;
    /// The control socket and its clients.
    pub const CONTROL: Range<usize> = 1..1 + control::TOKENS;
    /// The media.
    pub const MEDIA: Range<usize> = 1000..2000;
    /// Children and netlink.
    pub const RESOURCES: Range<usize> = 2000..usize::MAX;
}

/// Packets taken in one turn; what remains is read in the next, after deadlines were looked at.
const PACKETS_PER_TURN: usize = 256;
/// How long what was sent last may take to leave.
const FAREWELL: Duration = Duration::from_secs(3);

/// Everything with a descriptor.
#[derive(Debug)]
pub struct Devices {
    /// The one place where the daemon waits.
    pub poll: Poll,
    /// Signals.
    pub signals: Signals,
    /// The control socket.
    pub control: ControlServer,
    /// The links.
    pub media: Media,
    /// The resources.
    pub resources: Resources,
    /// The service manager.
    pub service_manager: ServiceManager,
}

/// The running daemon.
#[derive(Debug)]
pub struct Daemon {
    config: Config,
    places: Places,
    no_resources: bool,
    loaded: Loaded,
    state: State,
    cluster: Cluster,
    devices: Devices,
    recorder: Recorder,
    watchdog: Option<Watchdog>,
    /// Wall clock at the start.
    since: u64,
    /// The second that the core knows of.
    wall_seconds: u64,
    /// Set once the core is done: when to leave at the latest.
    leave_at: Option<Instant>,
}
