//! What `ha.cf` says, before anything is compared with anything. How it gets here is in `assign`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::device::FenceLine;
use super::source::{Place, Word};
use super::{
    AlertWay, ApiAuth, AutoFailback, FailbackCondition, Medium, Metrics, Monitor, PingNode,
    Respawn, Timeout, Watchdog, WatchdogDevice, WatchdogPolicy,
};

/// The values of all directives. Those with a default have it before the first line is read.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) nodes: Vec<Word>,
    pub(super) cluster: String,
    pub(super) keepalive: Duration,
    pub(super) deadtime: Duration,
    pub(super) warntime: Duration,
    pub(super) initdead: Duration,
    pub(super) deadping: Duration,
    pub(super) auto_failback: Option<AutoFailback>,
    pub(super) failback: FailbackCondition,
    /// Where its command is named.
    pub(super) failback_command: Option<Place>,
    pub(super) nice_failback: bool,
    pub(super) media: Vec<(Medium, Place)>,
    pub(super) baud: u32,
    pub(super) serial_flow: &'static str,
    pub(super) udpport: u32,
    pub(super) ping_nodes: Vec<(PingNode, Place)>,
    pub(super) logfile: Option<PathBuf>,
    pub(super) debugfile: Option<PathBuf>,
    pub(super) logfacility: &'static str,
    pub(super) use_logd: bool,
    pub(super) conn_logd_time: Duration,
    pub(super) debug: u32,
    pub(super) syslogmsgfmt: bool,
    pub(super) log_badpack: bool,
    /// With the places of user and program.
    pub(super) respawn: Vec<(Respawn, [Place; 2])>,
    pub(super) announce_every: Duration,
    pub(super) check_address: Duration,
    pub(super) carrier_loss: Option<Duration>,
    /// With the word that names the resource.
    pub(super) monitors: Vec<(Monitor, Word)>,
    pub(super) metrics: Metrics,
    /// Where each way of `metrics` is named.
    pub(super) metrics_places: Vec<(&'static str, Place)>,
    /// With the word that names whom to tell.
    pub(super) alerts: Vec<(AlertWay, Place)>,
    /// By client.
    pub(super) apiauth: BTreeMap<String, (ApiAuth, Place)>,
    pub(super) env: Vec<(String, String)>,
    pub(super) timeouts: Vec<(Timeout, Place)>,
    pub(super) watchdog: Option<WatchdogDevice>,
    pub(super) watchdog_policy: &'static str,
    pub(super) fence_lines: Vec<FenceLine>,
    pub(super) fence_delay: Duration,
    pub(super) takeover_unfenced: Option<Duration>,
    pub(super) last_link: super::silence::Written,
    pub(super) stop_failure: &'static str,
    pub(super) realtime: bool,
    pub(super) rtprio: u32,
    pub(super) coredumps: bool,
    pub(super) coreroot: Option<PathBuf>,
    pub(super) msgfmt: &'static str,
    pub(super) compression: &'static str,
    pub(super) compression_threshold: u32,
    pub(super) traditional_compression: bool,
    pub(super) max_rexmit_delay: u32,
    pub(super) hopfudge: u32,
    pub(super) hbgenmethod: &'static str,
    pub(super) uuidfrom: &'static str,
    /// By directive: the lines that count, without its name, blanks made single.
    pub(super) lines: BTreeMap<&'static str, Vec<String>>,
    /// Whether there is anything but comments in the file.
    pub(super) says_anything: bool,
    /// The accepted text of each directive that was written, and where.
    written: BTreeMap<&'static str, (String, Place)>,
    /// The directives that somebody tried to write, well or badly.
    attempted: BTreeSet<&'static str>,
    /// Those of them whose lines could not even be told from others.
    misread: BTreeSet<&'static str>,
}

impl Settings {
    /// Where a directive was last written and accepted.
    pub(super) fn place(&self, name: &str) -> Option<&Place> {
        self.written.get(name).map(|(_, place)| place)
    }

    /// The accepted text of a directive.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.written.get(name).map(|(text, _)| text.as_str())
    }

    /// Remembers the accepted text of a directive; gives what was remembered before.
    pub(super) fn remember(
        &mut self,
        name: &'static str,
        text: String,
        place: Place,
    ) -> Option<(String, Place)> {
        self.written.insert(name, (text, place))
    }

    /// Keeps a line for those who compare one file with another; one that takes the place of an earlier one does so here.
    pub(super) fn keep_line(&mut self, name: &'static str, adds: bool, text: String) {
        let lines = self.lines.entry(name).or_default();
        if !adds {
            lines.clear();
        }
        lines.push(text);
    }

    /// Notes that somebody meant to write this directive.
    pub(super) fn attempt(&mut self, name: &'static str) {
        self.attempted.insert(name);
    }

    /// Notes that a line was probably meant as this directive, but could not be taken for it.
    pub(super) fn misread(&mut self, name: &'static str) {
        self.attempt(name);
        self.misread.insert(name);
    }

    /// Whether lines of this directive may be among those that could not be read.
    pub(super) fn is_misread(&self, name: &str) -> bool {
        self.misread.contains(name)
    }

    /// Whether a directive is missing for sure: not even a broken line looks like it.
    pub(super) fn is_absent(&self, name: &str) -> bool {
        !self.attempted.contains(name)
    }

    /// Whether the value of a directive is its default or was read well.
    pub(super) fn is_sound(&self, name: &str) -> bool {
        !self.is_misread(name) && (self.is_absent(name) || self.written.contains_key(name))
    }

    /// The watchdog of this machine, where `ha.cf` names one.
    pub(super) fn watchdog(&self) -> Option<Watchdog> {
        let policy = WatchdogPolicy::from_word(self.watchdog_policy);
        let device = self.watchdog.clone()?;
        Some(Watchdog { device, policy })
    }

    /// Whether a file or a facility for messages is named; `kern` counts as none, as in heartbeat 3.0.6.
    pub(super) fn logs_somewhere(&self) -> bool {
        self.logfile.is_some()
            || self.debugfile.is_some()
            || !matches!(self.logfacility, "" | "none" | "kern")
    }
}
