//! From the configuration directory to a [`Config`], or to everything that is wrong in it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::assign::parameters;
use super::clients::built_in_apiauth;
use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::look::{self, Look, Subject};
use super::serial::SerialPlaces;
use super::settings::Settings;
use super::source::{File, Reader, Source};
use super::{
    AutoFailback, CompressionMethod, Config, FailbackCondition, FenceDevice, Fencing, Group,
    MessageFormat, StopFailure,
};
use super::{
    alert, authkeys, fencing, ha_cf, haresources, hazards, last_link, metrics, monitor, rules,
    terms, timeouts, witnesses,
};
use crate::message::Keys;

/// Reads `nodeinfo`, `ha.cf`, `authkeys` and `haresources` below `directory`.
///
/// `host_name` is what `uname -n` prints. All four files are read to their end whatever is wrong in them.
/// The diagnostics beside a configuration are warnings and remarks.
pub fn load(
    directory: &Path,
    host_name: &str,
    reader: &dyn Reader,
) -> Result<(Config, Diagnostics), Diagnostics> {
    load_looking(directory, host_name, reader, &|_| None)
}

/// The same, with a diagnostic for everything that `look` misses.
pub fn load_looking(
    directory: &Path,
    host_name: &str,
    reader: &dyn Reader,
    look: Look<'_>,
) -> Result<(Config, Diagnostics), Diagnostics> {
    let mut files = Files {
        directory,
        reader,
        names: Vec::new(),
        out: Diagnostics::default(),
    };
    let local = files.local_node(host_name);

    let mut settings = None;
    let mut devices = Vec::new();
    if let Some((path, source)) = files.read("ha.cf", HA_CF_HELP) {
        let file = File::new(&path, &source.text);
        let (mut read, diagnostics) = ha_cf::parse(&file);
        files.out.append(diagnostics);
        rules::check(&mut read, &file, &local, &mut files.out);
        look_for_devices(&read, look, &mut files.out);
        hazards::of_media(&read, look, &mut files.out);
        devices = fencing::check(&mut read, &local, reader, look, &mut files.out);
        settings = Some(read);
    }
    let keys = files
        .read("authkeys", AUTHKEYS_HELP)
        .and_then(|(path, source)| authkeys::parse(&path, &source, &mut files.out));
    let without_nodes = Settings::default();
    let groups = files
        .read("haresources", HARESOURCES_HELP)
        .map(|(path, source)| {
            let settings = settings.as_ref().unwrap_or(&without_nodes);
            let groups = haresources::parse(&path, &source, settings, look, &mut files.out);
            monitor::check(settings, &groups, &mut files.out);
            timeouts::check(settings, &groups, &mut files.out);
            groups
        });

    if let Some(settings) = &mut settings {
        let groups = groups.as_deref().unwrap_or_default();
        witnesses::check(settings, groups, directory, &mut files.out);
        last_link::check(settings, groups, !devices.is_empty(), &mut files.out);
        for (node, place) in settings.ping_nodes.iter().filter(|(node, _)| node.counts) {
            files
                .out
                .extend(look::warning(look, Subject::Ping(node), place));
        }
    }
    hazards::of_file(directory, look, &mut files.out);
    for name in ["ha.cf", "authkeys", "haresources"] {
        hazards::of_file(&directory.join(name), look, &mut files.out);
    }
    let mut out = files.out;
    out.sort(&files.names);
    let (Some(settings), Some(keys), Some(groups), false) =
        (settings, keys, groups, out.has_errors())
    else {
        return Err(out);
    };
    let serial = SerialPlaces::of(&settings);
    match build(directory, local, settings, devices, keys, groups) {
        Some(config) => {
            out.extend(serial.and_then(|places| places.warning(look, &config)));
            out.sort(&files.names);
            Ok((config, out))
        }
        None => Err(out),
    }
}

/// Tells of ports, interfaces, a watchdog, users and programs that are missing.
fn look_for_devices(settings: &Settings, look: Look<'_>, out: &mut Diagnostics) {
    for (medium, place) in &settings.media {
        out.extend(look::warning(look, Subject::Medium(medium), place));
    }
    if let (Some(watchdog), Some(place)) = (settings.watchdog(), settings.place("watchdog")) {
        let subject = Subject::Watchdog {
            watchdog: &watchdog,
            keepalive: settings.keepalive,
            deadtime: settings.deadtime,
        };
        out.extend(look::warning(look, subject, place));
    }
    look_for_command(settings, look, out);
    metrics::check(settings, look, out);
    alert::check(settings, look, out);
    for (client, [user, program]) in &settings.respawn {
        if !client.is_ipfail() {
            out.extend(look::error(look, Subject::User(&client.user), user));
            let subject = Subject::Program(&client.program);
            out.extend(look::error(look, subject, program));
        }
    }
}

/// Tells of a command of `auto_failback when` that can't be run.
fn look_for_command(settings: &Settings, look: Look<'_>, out: &mut Diagnostics) {
    if let (FailbackCondition::When(command), Some(place)) =
        (&settings.failback, &settings.failback_command)
    {
        let subject = Subject::FailbackCommand(&command.program);
        out.extend(look::warning(look, subject, place));
    }
}

/// Reads `authkeys` alone, as it is done when the file changes under a running daemon.
pub fn load_keys(
    directory: &Path,
    reader: &dyn Reader,
) -> Result<(Keys, Diagnostics), Diagnostics> {
    let mut files = Files {
        directory,
        reader,
        names: Vec::new(),
        out: Diagnostics::default(),
    };
    let keys = files
        .read("authkeys", AUTHKEYS_HELP)
        .and_then(|(path, source)| authkeys::parse(&path, &source, &mut files.out));
    let mut out = files.out;
    out.sort(&files.names);
    keys.map_or_else(|| Err(out.clone()), |keys| Ok((keys, out.clone())))
}

const HA_CF_HELP: &str = "see ha.cf(5) for a small configuration to begin with";
const AUTHKEYS_HELP: &str =
    "it holds the key that both nodes share, with mode 600; see authkeys(5)";
const HARESOURCES_HELP: &str =
    "it may be empty when the pair has no resources yet; see haresources(5)";

/// The configuration directory and what was found in it.
struct Files<'a> {
    directory: &'a Path,
    reader: &'a dyn Reader,
    names: Vec<Arc<str>>,
    out: Diagnostics,
}

impl Files<'_> {
    /// Name of this machine in lower case.
    fn local_node(&mut self, host_name: &str) -> String {
        let path = self.directory.join("nodeinfo");
        let name: Arc<str> = path.display().to_string().into();
        self.names.push(Arc::clone(&name));
        let source = match self.reader.read(&path) {
            Ok(source) => source,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    self.out.push(unreadable(&name, &error));
                }
                return host_name.to_lowercase();
            }
        };
        let file = File::new(&path, &source.text);
        let text = file
            .lines
            .first()
            .map(|line| line.text.trim().to_owned())
            .unwrap_or_default();
        if text.is_empty() {
            return host_name.to_lowercase();
        }
        if !source.text.contains(&b'\n') {
            if let Some(end) = file.end() {
                let warning = Diagnostic::warning(&end, "`nodeinfo` is ignored");
                self.out
                    .push(warning.label("its line does not end; heartbeat 3.0.6 ignores that too"));
            }
            return host_name.to_lowercase();
        }
        text.to_lowercase()
    }

    fn read(&mut self, name: &str, help: &str) -> Option<(PathBuf, Source)> {
        let path = self.directory.join(name);
        let shown: Arc<str> = path.display().to_string().into();
        self.names.push(Arc::clone(&shown));
        match self.reader.read(&path) {
            Ok(source) => Some((path, source)),
            Err(error) => {
                let diagnostic = unreadable(&shown, &error);
                self.out.push(match error.kind() {
                    io::ErrorKind::NotFound => diagnostic.help(help),
                    io::ErrorKind::PermissionDenied => diagnostic.help("are you root?"),
                    _ => diagnostic,
                });
                None
            }
        }
    }
}

fn unreadable(file: &Arc<str>, error: &io::Error) -> Diagnostic {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    let permission_denied = error.kind() == io::ErrorKind::PermissionDenied;
    let diagnostic = Diagnostic::about(
        Severity::Error,
        file,
        format!("cannot open `{file}`: {reason}"),
    );
    Diagnostic {
        permission_denied,
        ..diagnostic
    }
}

/// The configuration; none when what the checks found sound is not so.
fn build(
    directory: &Path,
    local_node: String,
    settings: Settings,
    devices: Vec<FenceDevice>,
    keys: Keys,
    groups: Vec<Group>,
) -> Option<Config> {
    let nodes: Vec<String> = settings
        .nodes
        .iter()
        .map(|node| node.text.clone())
        .collect();
    let peer_node = nodes.iter().find(|node| **node != local_node)?.clone();
    let byte = |value: u32| u8::try_from(value).ok();
    let mut apiauth: Vec<_> = built_in_apiauth()
        .into_iter()
        .filter(|entry| !settings.apiauth.contains_key(&entry.client))
        .collect();
    apiauth.extend(settings.apiauth.values().map(|(entry, _)| entry.clone()));
    let watchdog = settings.watchdog();
    Some(Config {
        terms: terms::of(&settings, &groups),
        local_node,
        peer_node,
        nodes,
        keepalive: settings.keepalive,
        deadtime: settings.deadtime,
        warntime: settings.warntime,
        initdead: settings.initdead,
        deadping: settings.deadping,
        auto_failback: settings.auto_failback.unwrap_or(AutoFailback::Legacy),
        log_to_syslog: settings.use_logd || !settings.logs_somewhere(),
        debug: byte(settings.debug)?,
        rtprio: byte(settings.rtprio)?,
        hopfudge: byte(settings.hopfudge)?,
        msgfmt: match settings.msgfmt {
            "netstring" => MessageFormat::Netstring,
            _ => MessageFormat::Classic,
        },
        compression: match settings.compression {
            "bz2" => CompressionMethod::Bz2,
            _ => CompressionMethod::Zlib,
        },
        max_rexmit_delay: Duration::from_millis(u64::from(settings.max_rexmit_delay)),
        generation_from_time: settings.hbgenmethod == "time",
        uuid_from_node_name: settings.uuidfrom == "nodename",
        parameters: parameters(&settings),
        failback: settings.failback,
        fencing: Fencing {
            devices,
            delay: settings.fence_delay,
            takeover_unfenced: settings.takeover_unfenced,
        },
        last_link: settings.last_link.complete(settings.deadtime),
        stop_failure: match settings.stop_failure {
            "fence" => StopFailure::Fence,
            "reboot" => StopFailure::Reboot,
            _ => StopFailure::Hold,
        },
        lines: settings
            .lines
            .into_iter()
            .flat_map(|(name, texts)| texts.into_iter().map(move |text| (name, text)))
            .collect(),
        logfacility: Some(settings.logfacility)
            .filter(|name| !matches!(*name, "" | "none"))
            .map(str::to_owned),
        coreroot: settings
            .coreroot
            .unwrap_or_else(|| PathBuf::from("/var/lib/heartbeat/cores")),
        media: settings
            .media
            .into_iter()
            .map(|(medium, _)| medium)
            .collect(),
        ping_nodes: settings
            .ping_nodes
            .into_iter()
            .map(|(node, _)| node)
            .collect(),
        logfile: settings.logfile,
        debugfile: settings.debugfile,
        syslogmsgfmt: settings.syslogmsgfmt,
        log_badpack: settings.log_badpack,
        watchdog,
        realtime: settings.realtime,
        coredumps: settings.coredumps,
        compression_threshold: settings.compression_threshold,
        traditional_compression: settings.traditional_compression,
        env: settings.env,
        respawn: settings
            .respawn
            .into_iter()
            .map(|(client, _)| client)
            .collect(),
        announce_every: settings.announce_every,
        check_address: settings.check_address,
        carrier_loss: settings.carrier_loss,
        monitors: settings
            .monitors
            .into_iter()
            .map(|(monitor, _)| monitor)
            .collect(),
        metrics: settings.metrics,
        alerts: settings.alerts.into_iter().map(|(way, _)| way).collect(),
        apiauth,
        timeouts: settings
            .timeouts
            .into_iter()
            .map(|(line, _)| line)
            .collect(),
        cluster: settings.cluster,
        keys,
        groups,
        directory: directory.to_owned(),
    })
}
