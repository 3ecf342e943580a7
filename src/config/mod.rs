//! The three configuration files: text in, a [`Config`] or [`Diagnostics`] out.
//!
//! Nothing here touches a file except through the reader it is given. [`load`] reads everything,
//! [`check`] says what `heartbeat check` prints. Each directive is declared once, in [`DIRECTIVES`].

mod address;
mod alert;
mod assign;
mod authkeys;
mod carrier;
mod changes;
mod check;
mod clients;
mod device;
pub mod diagnostic;
pub mod directive;
mod failback;
mod fencing;
mod ha_cf;
mod haresources;
mod hazards;
mod key_strength;
mod last_link;
mod load;
mod look;
mod media;
mod metrics;
mod monitor;
mod pair;
mod programs;
mod redact;
mod rotation;
mod rules;
mod secrets;
mod serial;
mod settings;
mod silence;
mod source;
mod spelling;
mod suggest;
mod table;
mod telling;
mod terms;
mod time_word;
mod timeouts;
mod value;
mod watchdog;
mod watchdog_line;
mod witnesses;
mod words;

pub use address::{AddressError, parse_address};
pub use changes::{Changes, DirectiveChange, GroupChange, common, merged};
pub use check::{Checked, check};
pub use device::{FenceDevice, FenceParameters, Fencing};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use load::{load, load_keys, load_looking};
pub use look::{Absence, Look, Subject};
pub use programs::{ApiAuth, Respawn};
pub use redact::{Redacted, redacted};
pub use rotation::{Rotation, RotationError, rotate};
pub use silence::LastLink;
pub use source::{Place, Reader, Source};
pub use table::ALL as DIRECTIVES;
pub use telling::{AlertWay, Metrics};
pub use terms::Term;
pub use watchdog::{Watchdog, WatchdogDevice, WatchdogPolicy};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use crate::message::Keys;

/// Everything the three files say, checked and with defaults filled in.
#[derive(Debug, Clone)]
pub struct Config {
    /// Name of this machine, in lower case: `nodeinfo`, else `uname -n`.
    pub local_node: String,
    /// Name of the other machine, in lower case.
    pub peer_node: String,
    /// Both nodes in the order of their `node` lines.
    pub nodes: Vec<String>,
    /// Interval between heartbeats.
    pub keepalive: Duration,
    /// Silence after which the peer counts as dead.
    pub deadtime: Duration,
    /// Silence after which a late heartbeat is reported.
    pub warntime: Duration,
    /// Silence after which a peer never heard counts as dead.
    pub initdead: Duration,
    /// Silence after which a ping node counts as dead.
    pub deadping: Duration,
    /// Whether resources return to their preferred node.
    pub auto_failback: AutoFailback,
    /// What they wait for before they do.
    pub failback: FailbackCondition,
    /// The media in the order of their lines, ping media left out.
    pub media: Vec<Medium>,
    /// Hosts to ping, from `ping`, `ping6` and `ping_group`.
    pub ping_nodes: Vec<PingNode>,
    /// `logfile`.
    pub logfile: Option<PathBuf>,
    /// `debugfile`.
    pub debugfile: Option<PathBuf>,
    /// `logfacility` in lower case; `None` when absent or `none`.
    pub logfacility: Option<String>,
    /// `use_logd yes`, or no logging directive at all: messages go to syslog, facility `user`.
    pub log_to_syslog: bool,
    /// `debug`: 0 is silent.
    pub debug: u8,
    /// `syslogmsgfmt`.
    pub syslogmsgfmt: bool,
    /// `log_badpack`: whether refused packets are reported.
    pub log_badpack: bool,
    /// `watchdog` and `watchdog_policy`.
    pub watchdog: Option<Watchdog>,
    /// `stonith`, `stonith_host`, `fence_delay`, `takeover_unfenced`.
    pub fencing: Fencing,
    /// `last_link`.
    pub last_link: LastLink,
    /// `stop_failure`.
    pub stop_failure: StopFailure,
    /// `realtime`: whether to ask for realtime scheduling.
    pub realtime: bool,
    /// `rtprio`, 1–99.
    pub rtprio: u8,
    /// `coredumps`.
    pub coredumps: bool,
    /// `coreroot`.
    pub coreroot: PathBuf,
    /// `msgfmt`.
    pub msgfmt: MessageFormat,
    /// `compression`.
    pub compression: CompressionMethod,
    /// `compression_threshold`, in KiB.
    pub compression_threshold: u32,
    /// `traditional_compression`.
    pub traditional_compression: bool,
    /// `max_rexmit_delay`.
    pub max_rexmit_delay: Duration,
    /// `hopfudge`, written into `ttl`.
    pub hopfudge: u8,
    /// `hbgenmethod time`: the generation comes from the clock at every start.
    pub generation_from_time: bool,
    /// `uuidfrom nodename`.
    pub uuid_from_node_name: bool,
    /// `env NAME=VALUE` lines.
    pub env: Vec<(String, String)>,
    /// `respawn` and `failfast` lines in order.
    pub respawn: Vec<Respawn>,
    /// `apiauth` lines, the built-in ones included.
    pub apiauth: Vec<ApiAuth>,
    /// `timeout` lines in order.
    pub timeouts: Vec<Timeout>,
    /// `cluster` name; only stored.
    pub cluster: String,
    /// Every recorded plain directive with the text as written (computed ones like `warntime=1500ms`):
    /// what `cl_status hbparameter` prints and scripts see as `HA_<name>`.
    pub parameters: Vec<(String, String)>,
    /// The lines of `ha.cf` that count, directive and text, blanks made single, by directive: what a later reading is
    /// compared with.
    pub lines: Vec<(&'static str, String)>,
    /// `authkeys`.
    pub keys: Keys,
    /// `haresources`: one resource group a line, in file order.
    pub groups: Vec<Group>,
    /// `announce_every`: from one announcement of a floating address to the next; zero for none after the first minute.
    pub announce_every: Duration,
    /// `check_address`: how long it is asked whether anybody has a floating address before it is taken; zero for not at all.
    pub check_address: Duration,
    /// `carrier_loss`: how long an interface must be without a carrier before its groups leave; `None` for `off`.
    pub carrier_loss: Option<Duration>,
    /// `monitor` lines in order.
    pub monitors: Vec<Monitor>,
    /// What the other node must have equal.
    pub terms: Vec<Term>,
    /// `metrics` lines.
    pub metrics: Metrics,
    /// `alert` lines in order.
    pub alerts: Vec<AlertWay>,
    /// The configuration directory, `/etc/ha.d` unless told otherwise.
    pub directory: PathBuf,
}

/// The value of `auto_failback`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AutoFailback {
    /// A group returns to its preferred node as soon as that node is back.
    On,
    /// A group stays where it is.
    Off,
    /// `legacy`, or the directive is missing: behaves like [`AutoFailback::On`].
    Legacy,
}

/// What must be so before a group returns to its preferred node, once that is back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum FailbackCondition {
    /// Nothing.
    #[default]
    Nothing,
    /// `delayed TIME`: that node has been a member without a break for so long.
    Delayed(Duration),
    /// `when COMMAND`: the command ends with exit code 0.
    When(FailbackCommand),
}

/// The command of `auto_failback when`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailbackCommand {
    /// The full path of its program.
    pub program: PathBuf,
    /// All of it, as a shell reads it.
    pub line: String,
}

/// What becomes of a node on which a resource group does not stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopFailure {
    /// The group counts as running there, and stopping is tried again.
    Hold,
    /// The other node resets it, where it can, and takes its groups.
    Fence,
    /// It resets itself.
    Reboot,
}

/// One way to reach the peer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Medium {
    /// The link name: device path or interface name. Two media of one name share one link.
    pub link: String,
    /// What kind of medium, with its parameters.
    pub kind: MediumKind,
}

impl Medium {
    /// The UDP port of a path over a network.
    pub fn udp_port(&self) -> Option<u16> {
        match self.kind {
            MediumKind::Serial { .. } => None,
            MediumKind::Bcast { port }
            | MediumKind::Ucast { port, .. }
            | MediumKind::Mcast { port, .. }
            | MediumKind::Ucast6 { port, .. }
            | MediumKind::Mcast6 { port, .. } => Some(port),
        }
    }
}

/// The kinds of media that carry messages between the nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediumKind {
    /// `serial DEVICE`; the rate is `baud`.
    Serial {
        /// Device path.
        device: PathBuf,
        /// Bits per second.
        baud: u32,
        /// `serial_flow`.
        flow: SerialFlow,
    },
    /// `bcast IF`.
    Bcast {
        /// UDP port.
        port: u16,
    },
    /// `ucast IF HOST`; the host is resolved when the medium is opened.
    Ucast {
        /// Name or address as written.
        host: String,
        /// UDP port.
        port: u16,
    },
    /// `mcast IF GROUP PORT TTL LOOP`.
    Mcast {
        /// Multicast group.
        group: Ipv4Addr,
        /// UDP port.
        port: u16,
        /// 0–4.
        ttl: u8,
        /// Whether our own words come back.
        loopback: bool,
    },
    /// `ucast6 IF ADDR`.
    Ucast6 {
        /// Name or address as written.
        host: String,
        /// UDP port.
        port: u16,
    },
    /// `mcast6 IF GROUP PORT HOPS LOOP`.
    Mcast6 {
        /// Multicast group.
        group: Ipv6Addr,
        /// UDP port.
        port: u16,
        /// 0–4.
        hops: u8,
        /// Whether our own words come back.
        loopback: bool,
    },
}

/// `serial_flow`: whether the handshake wires RTS and CTS are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SerialFlow {
    /// Once CTS has been seen up.
    Auto,
    /// Always, as 3.0.6 does.
    RtsCts,
    /// Never.
    None,
}

/// A pseudo node that is alive while one of its hosts answers an echo request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingNode {
    /// Name as written; the host itself for `ping` and `ping6`.
    pub name: String,
    /// Hosts, several for `ping_group`.
    pub hosts: Vec<String>,
    /// Whether the hosts are reached by `ICMPv6`.
    pub v6: bool,
    /// Written as `ping_group`.
    pub is_group: bool,
    /// Whether its answers tell anything: not those of an address that belongs to the pair, wherever it is.
    pub counts: bool,
}

/// `msgfmt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageFormat {
    /// Netstrings over UDP with both signatures.
    Classic,
    /// Netstrings over UDP with the trailer only.
    Netstring,
}

/// `compression`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompressionMethod {
    /// RFC 1950.
    Zlib,
    /// bzip2.
    Bz2,
}

/// A `timeout` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeout {
    /// A word of `haresources`, or the part of it before `::`, or `*` for every resource.
    pub resource: String,
    /// One of `start`, `stop`, `status`.
    pub action: &'static str,
    /// How long it may take, above zero.
    pub limit: Duration,
}

/// One line of `haresources`: resources that live on one node together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The node that the line names, in lower case.
    pub preferred: String,
    /// Left to right: start order.
    pub resources: Vec<ResourceWord>,
    /// Line number in the file, from 1.
    pub line: usize,
}

impl Group {
    /// The first resource exactly as written; unique in the file.
    pub fn key(&self) -> &str {
        self.resources.first().map_or("", |word| word.text.as_str())
    }
}

/// One resource of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceWord {
    /// Exactly as written, e.g. `IPaddr::10.0.0.1/24/eth0:0`.
    pub text: String,
    /// The script name; `IPaddr` for a bare address.
    pub name: String,
    /// What stands between the `::`.
    pub arguments: Vec<String>,
}

/// A `monitor` line: a resource that is asked how it does for as long as its group runs here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// A word of `haresources` as written, or the name in it.
    pub resource: String,
    /// From the beginning of one probe to that of the next.
    pub every: Duration,
    /// From a start to the first probe, where the service needs time to get ready; [`every`](Self::every) without it.
    pub after: Option<Duration>,
    /// A probe that takes longer has failed.
    pub timeout: Duration,
    /// So many failures in a row mean that the resource does not work. At least 1.
    pub fall: u32,
    /// How often the resource is started again here before its group is left to the other node.
    pub restarts: u32,
    /// How it is asked.
    pub probe: Probe,
}

impl Monitor {
    /// Whether this is one of its resources.
    pub fn is_about(&self, word: &ResourceWord) -> bool {
        word.text == self.resource || word.name == self.resource
    }
}

/// How a resource is asked whether it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// By its own `status`.
    Status,
    /// By a connection.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// By a page.
    Http(HttpProbe),
    /// By a command for the shell, which ends with 0 while all is well.
    Exec(String),
    /// By the name of a process that runs.
    Process(String),
}

/// A page that is asked for, and what is expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpProbe {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query, with its `/`.
    pub path: String,
    /// The status of the answer, 100–599.
    pub expect: u16,
    /// What the answer has to contain.
    pub body: Option<String>,
}

/// An address in the forms that `haresources` allows after `IPaddr::`, `IPaddr2::`, `IPv6addr::` or bare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressSpec {
    /// The address.
    pub address: IpAddr,
    /// Prefix length, when given.
    pub prefix: Option<u8>,
    /// Interface, when given.
    pub interface: Option<String>,
    /// Alias label such as `eth0:0`, when given.
    pub label: Option<String>,
    /// Broadcast address, when given.
    pub broadcast: Option<Ipv4Addr>,
}

impl AddressSpec {
    /// The address alone.
    pub fn bare(address: IpAddr) -> Self {
        Self {
            address,
            prefix: None,
            interface: None,
            label: None,
            broadcast: None,
        }
    }
}
