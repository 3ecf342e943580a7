//! What is said over the control socket, and where everything of one daemon is found.
//!
//! A client connects, writes one [`Request`] as a line of JSON, and reads one [`Answer`] as JSON until the
//! daemon closes the connection.

mod agreement;
mod files;
mod holds;
mod incident;
mod movement;
mod shown;

use std::path::{Path, PathBuf};

pub use agreement::{Agreement, Difference, Line, Term, Terms};
pub use files::{File, Files, Plan};
pub use holds::{Fencing, FencingDevice, LastLink, Maintenance};
pub use incident::{HeldGroups, Incident, Tenure};
pub use movement::{Direction, MoveProgress, Movement, Selection};
use serde::{Deserialize, Serialize};
pub use shown::{Decision, Event, EventLine, Outcome, Peer, Reasons, Timer};

/// The longest request line that the daemon reads, but for a reload.
pub const MAX_REQUEST: usize = 4096;
/// The longest with the files of a reload, of those who may do everything. It begins with the name of the request.
pub const MAX_RELOAD: usize = 16 * 1024 * 1024;

/// What a client can ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// `{"request":"status"}`
    Status,
    /// `{"request":"incidents"}`: what was held by whom while the nodes had lost each other.
    Incidents,
    /// `{"request":"events","follow":true}`: what has happened. Answered by one [`Event`] a line, without an [`Answer`]
    /// around it; see [`EventLine`].
    Events {
        /// Go on with what happens from now on, until the client leaves.
        follow: bool,
    },
    /// `{"request":"terms"}`: what both nodes must have equal, as each has it.
    Terms,
    /// `{"request":"standby","selection":"all"}`: give these groups to the other node.
    Standby {
        /// Which groups.
        selection: Selection,
    },
    /// `{"request":"takeover","selection":"all"}`: have the other node give these groups to this one.
    Takeover {
        /// Which groups.
        selection: Selection,
    },
    /// `{"request":"confirm-dead","node":"beta"}`: an operator has seen to it that the other node is down.
    ConfirmDead {
        /// Its name.
        node: String,
    },
    /// `{"request":"maintenance-on","by":"root","reason":"disk change","until":null}`: nothing moves unless somebody asks for
    /// it.
    MaintenanceOn {
        /// Who asks.
        by: String,
        /// Why; may be empty.
        reason: String,
        /// When it ends by itself, in seconds since 1970.
        until: Option<u64>,
    },
    /// `{"request":"maintenance-off","by":"root"}`
    MaintenanceOff {
        /// Who asks.
        by: String,
    },
    /// `{"request":"reload","dry_run":false,"files":{…},"mistakes":[]}`: go on with these files.
    Reload {
        /// Only tell what would change.
        dry_run: bool,
        /// The files as they were read, by their names.
        files: Files,
        /// What is wrong with them, a line each. Where there is anything, it goes into the daemon's log and nothing changes.
        mistakes: Vec<String>,
    },
}

impl Request {
    /// Whether it asks for more than an answer.
    pub const fn changes_something(&self) -> bool {
        !matches!(
            self,
            Self::Status | Self::Incidents | Self::Events { .. } | Self::Terms
        )
    }
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// The answer to [`Request::Status`].
    Status(Box<Status>),
    /// The answer to [`Request::Incidents`], the oldest first.
    Incidents(Vec<Incident>),
    /// The answer to [`Request::Terms`].
    Terms(Terms),
    /// The answer to [`Request::Standby`] and [`Request::Takeover`]: the move has begun. [`Status::movement`] tells
    /// from then on how far it is.
    Movement(Movement),
    /// The answer to [`Request::ConfirmDead`]: this node counts as reset.
    Confirmed(String),
    /// The answer to [`Request::MaintenanceOn`] and [`Request::MaintenanceOff`].
    Maintenance {
        /// As it is now; none where it is off.
        maintenance: Option<Maintenance>,
        /// What to think of.
        warnings: Vec<String>,
    },
    /// The answer to [`Request::Reload`].
    Reload(Plan),
    /// The answer to [`Request::Events`]: these are begun with, a line each.
    #[serde(skip)]
    Events {
        /// Go on with what happens.
        follow: bool,
    },
    /// Why there is none.
    Error(String),
}

/// Everything one daemon can tell of itself and its peer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// When this was true, in seconds since 1970.
    pub heartbeat_as_of: u64,
    /// When the daemon was started, in seconds since 1970.
    pub since: u64,
    /// Name of the node that answers.
    pub node: String,
    /// Its uuid.
    pub uuid: String,
    /// Its generation: how often it was started.
    pub generation: u64,
    /// Whether all nodes have been heard or given up since the start; until then nothing is decided.
    pub communicating: bool,
    /// `none`, `local`, `foreign`, `all`, or `transition` while something moves.
    pub holdings: String,
    /// All nodes in the order of their declaration.
    pub nodes: Vec<Node>,
    /// All resource groups in the order of `haresources`.
    pub groups: Vec<Group>,
    /// The planned move that is under way, or the last one of this run.
    pub movement: Option<Movement>,
    /// How the other node is reset; none on a node without a device for that.
    #[serde(default)]
    pub fencing: Option<Fencing>,
    /// The alarm that no second link to the other node is left, while it lasts.
    #[serde(default)]
    pub jeopardy: Option<Jeopardy>,
    /// What the loss of all links is taken for, and whether the other node is in doubt.
    #[serde(default)]
    pub last_link: Option<LastLink>,
    /// The Ethernet addresses of the other node; empty where it has not told them.
    #[serde(default)]
    pub peer_ethernet: Vec<String>,
    /// Whether both nodes have equal what they must.
    #[serde(default)]
    pub agreement: Option<Agreement>,
    /// Maintenance, while it is on.
    #[serde(default)]
    pub maintenance: Option<Maintenance>,
    /// The watchdog; none on a node whose `ha.cf` has none.
    #[serde(default)]
    pub watchdog: Option<Watchdog>,
    /// The other node, as far as decisions depend on it.
    #[serde(default)]
    pub peer: Option<Peer>,
    /// What is waited for, beside the failback and the next attempts of groups.
    #[serde(default)]
    pub timers: Vec<Timer>,
    /// Recorded directives of `ha.cf` with the text as written, in the order of the file.
    pub parameters: Vec<Parameter>,
}

/// A node as one daemon sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Node {
    /// Name in lower case.
    pub name: String,
    /// `normal`, or `ping` for a host that is only pinged.
    pub kind: String,
    /// `init`, `up`, `active`, `dead`, or `ping`.
    pub status: String,
    /// The paths to it; none for the node that answers.
    pub links: Vec<Link>,
    /// Since when it has this status, in seconds since 1970; none for a ping node.
    #[serde(default)]
    pub since: Option<u64>,
}

/// A path to a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Link {
    /// Device or interface.
    pub name: String,
    /// The directive: `serial`, `bcast`, `ucast`, …; several when several media share the link.
    pub kind: String,
    /// Whether the node was heard on it lately.
    pub up: bool,
    /// In which directions it works: `both`, `in` (we hear the node, it does not hear us), `out` (it hears us, we do not
    /// hear it), `none`, or `unknown` where the node is heard and does not say what it hears; none for a ping node.
    #[serde(default)]
    pub way: Option<String>,
    /// What to look for where it works in one direction only.
    #[serde(default)]
    pub cause: Option<String>,
    /// What is known of a serial line; none for a link of another kind.
    #[serde(default)]
    pub serial: Option<SerialLine>,
    /// How well it carries what the node says; none for a ping node.
    #[serde(default)]
    pub quality: Option<LinkQuality>,
}

/// How well a link carries what the other node says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LinkQuality {
    /// How many milliseconds ago it was last heard there; none where it was not heard since the daemon was started.
    pub heard_ago: Option<u64>,
    /// How many of its numbered messages came there since the daemon was started, each counted once.
    pub received: u64,
    /// How many of its latest messages should have come there: 124 at most, fewer after a start of the other node.
    pub expected: u32,
    /// How many of those did not, or came only when they were asked for again.
    pub missed: u32,
    /// By how many microseconds the pause between two of its heartbeats differs from the one before, on average over the
    /// last dozens; none before three have come in a row.
    pub jitter: Option<u64>,
}

/// What is known of a serial line on the node that answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct SerialLine {
    /// Whether RTS/CTS flow control is used; none while the port is closed.
    pub flow_control: Option<bool>,
    /// Bytes that belonged to no message, since the daemon was started.
    pub noise: u64,
    /// What the port's driver has counted since the port was opened; none where it does not count.
    pub errors: Option<LineErrors>,
    /// Who or what else talks there: `login`, `modem`, `ourselves`, `rubbish` or `unknown`.
    pub stranger: Option<String>,
    /// The same in words, with what to do.
    pub remedy: Option<String>,
}

/// What the driver of a serial port has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LineErrors {
    /// Bytes without a stop bit.
    pub framing: i32,
    /// Bytes of the wrong parity.
    pub parity: i32,
    /// Bytes lost because they were not fetched in time.
    pub overruns: i32,
    /// Breaks.
    pub breaks: i32,
}

/// The device that resets the node that answers when its daemon hangs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Watchdog {
    /// As it is named in `ha.cf`.
    pub device: String,
    /// As the kernel names it: `watchdog0`; none where that is not known.
    pub name: Option<String>,
    /// What it calls itself; none where that is not known.
    pub identity: Option<String>,
    /// Whether it would reset the machine.
    pub armed: bool,
    /// From a feed to the reset, in seconds; none while it is not armed.
    pub timeout: Option<u64>,
    /// Whether it can't be disarmed any more; none where that is not known.
    pub nowayout: Option<bool>,
    /// `watchdog_policy`: `required` or `wanted`.
    pub policy: String,
    /// When it was fed last, in seconds since 1970; none before the first time.
    pub last_fed: Option<u64>,
    /// Why it is not armed.
    pub problem: Option<String>,
}

/// No second link to the other node works in both directions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Jeopardy {
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// The link that does; none where what gets through takes different links there and back.
    pub link: Option<String>,
}

/// A resource group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Group {
    /// Its first resource as written.
    pub key: String,
    /// The node it belongs to.
    pub preferred: String,
    /// All its resources as written, in start order.
    pub resources: Vec<String>,
    /// `stopped`, `starting`, `running`, `stopping`, `failed`, `unknown`.
    pub local: String,
    /// The same on the peer, when it said so.
    pub peer: Option<String>,
    /// Its monitors on the node that answers, in the order of `ha.cf`.
    pub monitors: Vec<Monitor>,
    /// Why it does not return to its preferred node yet, while it waits for that.
    pub failback: Option<Failback>,
    /// What comes next where it could not be started on the node that answers.
    pub retry: Option<Retry>,
    /// Whether the node that answers could run it: `ready`, or in words what keeps it from that. None where it is here,
    /// or where nobody has looked yet.
    pub readiness: Option<String>,
    /// Whether the other node says of itself that it could; none where it is there, or where that is not known.
    pub peer_ready: Option<bool>,
    /// Whether the interfaces of its addresses have a carrier on the node that answers: `up` or `lost`; none where it has
    /// no address, or where that is not known.
    #[serde(default)]
    pub carrier: Option<String>,
    /// What the other node says of its own; `lost` also for one that has come back lately.
    #[serde(default)]
    pub peer_carrier: Option<String>,
    /// Other machines that claim its addresses while they are on the node that answers.
    pub rivals: Vec<Rival>,
    /// Since when it is where it is, and why.
    #[serde(default)]
    pub reasons: Reasons,
}

/// A group that could not be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Retry {
    /// How often in a row.
    pub failures: u32,
    /// When it is tried again on this node, in seconds since 1970; none where that is for the other node, or for nobody.
    pub next: Option<u64>,
    /// Whether it is not tried any more before somebody asks for it.
    pub frozen: bool,
}

/// What a group waits for before it returns to its preferred node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failback {
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// For what, in words.
    pub awaits: String,
    /// When it goes, in seconds since 1970, if nothing happens to the other node; none where that can't be told.
    pub until: Option<u64>,
}

/// Another machine that claims a floating address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Rival {
    /// The address.
    pub address: String,
    /// The Ethernet address of that machine.
    pub hardware: String,
    /// Whether it is the other node; none when that node has not told its Ethernet addresses.
    pub is_other_node: Option<bool>,
    /// How often it was heard to claim the address.
    pub claims: u64,
    /// How long ago it was heard last.
    pub seconds_ago: u64,
}

/// A resource that is asked how it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Monitor {
    /// The resource as the monitor names it.
    pub resource: String,
    /// How it is asked: `status`, `tcp=…`, `http=…`, `exec=…`, `process=…`.
    pub probe: String,
    /// Whether it works; none while its group does not run on this node.
    pub works: Option<bool>,
    /// How often in a row it failed.
    pub failures: u32,
    /// How often it was started again lately.
    pub restarts: u32,
}

/// A directive that programs may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Parameter {
    /// The directive.
    pub name: String,
    /// Its value as written.
    pub value: String,
}

/// Where one daemon keeps its things. One option moves them all, so that several pairs run on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// `ha.cf`, `authkeys`, `haresources`.
    pub configuration: PathBuf,
    /// Generation, uuid, host cache: what outlives a reboot.
    pub state: PathBuf,
    /// Sockets: what does not.
    pub run: PathBuf,
    /// The pid file.
    pub pid_file: PathBuf,
    /// Whether these are the places of a directory of its own.
    pub moved: bool,
}

impl Places {
    /// The usual places, or those under `directory`.
    pub fn new(directory: Option<&Path>) -> Self {
        match directory {
            None => Self {
                configuration: "/etc/ha.d".into(),
                state: "/var/lib/heartbeat".into(),
                run: "/run/heartbeat".into(),
                pid_file: "/run/heartbeat.pid".into(),
                moved: false,
            },
            Some(directory) => Self {
                configuration: directory.into(),
                state: directory.join("state"),
                run: directory.join("run"),
                pid_file: directory.join("run/heartbeat.pid"),
                moved: true,
            },
        }
    }

    /// Where scripts put messages for the scripts of both nodes.
    pub fn fifo(&self) -> PathBuf {
        self.state.join("fifo")
    }

    /// The control socket.
    pub fn control_socket(&self) -> PathBuf {
        self.run.join("control")
    }

    /// The socket that metrics are served on.
    pub fn metrics_socket(&self) -> PathBuf {
        self.run.join("metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_the_documented_line() {
        assert_eq!(
            serde_json::to_string(&Request::Status).expect("serializes"),
            r#"{"request":"status"}"#
        );
    }

    #[test]
    fn a_node_is_declared_dead_by_the_documented_line() {
        let node = "beta".to_owned();
        let request = Request::ConfirmDead { node: node.clone() };
        assert!(request.changes_something());
        assert_eq!(
            serde_json::to_string(&request).expect("serializes"),
            r#"{"request":"confirm-dead","node":"beta"}"#
        );
        assert_eq!(
            serde_json::to_string(&Answer::Confirmed(node)).expect("serializes"),
            r#"{"confirmed":"beta"}"#
        );
    }

    #[test]
    fn an_error_is_one_member() {
        let answer = Answer::Error("no".into());
        assert_eq!(
            serde_json::to_string(&answer).expect("serializes"),
            r#"{"error":"no"}"#
        );
    }

    #[test]
    fn one_option_moves_everything() {
        let places = Places::new(Some(Path::new("/srv/pair")));
        for path in [
            &places.state,
            &places.run,
            &places.pid_file,
            &places.control_socket(),
        ] {
            assert!(path.starts_with("/srv/pair"), "{path:?}");
        }
    }
}
