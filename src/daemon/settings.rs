//! From what the files say to what the core and the log need to know.

use std::path::PathBuf;

use super::log;
use super::ping;
use super::state::State;
use crate::cluster::{
    FailbackCondition, FencingSettings, GroupPlace, GroupSettings, MaintenanceMemory, PingId,
    PingNodeSettings, PingSettings, Reload, Settings,
};
use crate::config::{self, AutoFailback, Config, MediumKind, MessageFormat, Respawn, Term};

/// Where the system's log daemon listens, unless the environment says otherwise (for tests).
const SYSLOG_SOCKET: &str = "/dev/log";

/// What the core needs to know to begin with; `own` are ping nodes that turned out to belong to the pair.
pub fn of_core(
    config: &Config,
    state: &State,
    maintenance: Option<MaintenanceMemory>,
    seed: u64,
    own: &[PingId],
) -> Settings {
    let nodes = u32::try_from(config.nodes.len()).unwrap_or(u32::MAX);
    Settings {
        local_node: config.local_node.clone(),
        peer_node: config.peer_node.clone(),
        nodes: config.nodes.clone(),
        uuid: state.uuid,
        generation: state.generation,
        last_generation: state.last_generation,
        remembered_peer: state.peer,
        maintenance,
        seed,
        keepalive: config.keepalive,
        deadtime: config.deadtime,
        warntime: config.warntime,
        initdead: config.initdead,
        max_rexmit_delay: config.max_rexmit_delay,
        auto_failback: config.auto_failback,
        failback: failback(config),
        carrier_loss: config.carrier_loss,
        ttl: u32::from(config.hopfudge).saturating_add(nodes),
        inner_auth: config.msgfmt == MessageFormat::Classic,
        log_badpack: config.log_badpack,
        links: links(config),
        groups: groups(config),
        ping: pings(config, own),
        fencing: FencingSettings {
            has_device: !config.fencing.devices.is_empty(),
            delay: config.fencing.delay,
            takeover_unfenced: config.fencing.takeover_unfenced,
        },
        last_link: config.last_link,
        stop_failure: config.stop_failure,
        keys: config.keys.clone(),
    }
}

fn failback(config: &Config) -> FailbackCondition {
    match config.failback {
        config::FailbackCondition::Nothing => FailbackCondition::Nothing,
        config::FailbackCondition::Delayed(time) => FailbackCondition::Steady(time),
        config::FailbackCondition::When(_) => FailbackCondition::Agreed,
    }
}

/// What a reload brings to the core, with the groups in the places that it has found for them.
pub fn of_reload(config: &Config, places: Vec<GroupPlace>) -> Reload {
    Reload {
        keepalive: config.keepalive,
        deadtime: config.deadtime,
        warntime: config.warntime,
        initdead: config.initdead,
        deadping: config.deadping,
        max_rexmit_delay: config.max_rexmit_delay,
        auto_failback: config.auto_failback,
        failback: failback(config),
        carrier_loss: config.carrier_loss,
        log_badpack: config.log_badpack,
        groups: places,
    }
}

/// What the other node must have equal.
pub fn terms(config: &Config) -> Vec<Term> {
    let version = Term::new("version", crate::VERSION, "the program");
    std::iter::once(version)
        .chain(config.terms.iter().cloned())
        .collect()
}

/// The resource groups in the order of the file.
pub fn groups(config: &Config) -> Vec<GroupSettings> {
    let groups = config.groups.iter().map(|group| GroupSettings {
        key: group.key().to_owned(),
        line: line(group),
        prefers_local: group.preferred == config.local_node,
    });
    groups.collect()
}

fn pings(config: &Config, own: &[PingId]) -> PingSettings {
    let nodes = config.ping_nodes.iter().zip(0..=u8::MAX);
    let nodes = nodes.map(|(node, id)| PingNodeSettings {
        name: node.name.clone(),
        counts: ping::counts(node, PingId(id), own),
    });
    PingSettings {
        nodes: nodes.collect(),
        deadping: config.deadping,
        ipfail: config.respawn.iter().any(Respawn::is_ipfail)
            && config.auto_failback != AutoFailback::Legacy,
    }
}

/// Where log lines go. `more_debug` comes from the command line.
pub fn of_log(config: &Config, more_debug: u8) -> log::Settings {
    log::Settings {
        host: crate::os::process::host_name(),
        old_form: !config.syslogmsgfmt,
        facility: config
            .logfacility
            .clone()
            .or_else(|| config.log_to_syslog.then(|| "user".into())),
        syslog_socket: syslog_socket(),
        logfile: config.logfile.clone(),
        debugfile: config.debugfile.clone(),
        debug: config.debug.saturating_add(more_debug),
    }
}

/// `/dev/log`, or what `HEARTBEAT_SYSLOG` names.
pub fn syslog_socket() -> PathBuf {
    std::env::var_os("HEARTBEAT_SYSLOG").map_or_else(|| SYSLOG_SOCKET.into(), PathBuf::from)
}

/// The names of the links in the order of the file, each once: the index is the core's `LinkId`.
pub fn links(config: &Config) -> Vec<String> {
    let mut links: Vec<String> = Vec::new();
    for medium in &config.media {
        if !links.contains(&medium.link) {
            links.push(medium.link.clone());
        }
    }
    links
}

/// The directives that make up a link, such as `bcast` or `bcast ucast`.
pub fn kinds_of_link(config: &Config, link: &str) -> String {
    let kinds: Vec<_> = config
        .media
        .iter()
        .filter(|medium| medium.link == link)
        .map(|medium| directive(&medium.kind))
        .collect();
    kinds.join(" ")
}

fn directive(kind: &MediumKind) -> &'static str {
    match kind {
        MediumKind::Serial { .. } => "serial",
        MediumKind::Bcast { .. } => "bcast",
        MediumKind::Ucast { .. } => "ucast",
        MediumKind::Mcast { .. } => "mcast",
        MediumKind::Ucast6 { .. } => "ucast6",
        MediumKind::Mcast6 { .. } => "mcast6",
    }
}

fn line(group: &crate::config::Group) -> String {
    let mut line = group.preferred.clone();
    for word in &group.resources {
        line.push(' ');
        line.push_str(&word.text);
    }
    line
}
