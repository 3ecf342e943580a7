//! What the lines of `ha.cf` mean together: the checks after reading, and advice.

use std::collections::BTreeSet;
use std::time::Duration;

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::settings::Settings;
use super::silence::Written;
use super::source::{File, Place};
use super::suggest::swallowed_directive;
use super::{AutoFailback, MediumKind, SerialFlow, table, watchdog_line};

/// The directives that name a path to the peer.
const MEDIA: [&str; 7] = [
    "serial", "bcast", "ucast", "mcast", "ucast6", "mcast6", "udp",
];

/// The rates that heartbeat 3.0.6 takes.
const OLD_BAUD_RATES: [u32; 7] = [9600, 19200, 38400, 57600, 115_200, 230_400, 460_800];

/// Whoever has an address answers within milliseconds, and every takeover waits for it.
const LONGEST_CHECK: Duration = Duration::from_secs(10);

/// Checks everything that more than one line decides, and fills in what follows from other values.
pub(super) fn check(settings: &mut Settings, file: &File, local: &str, out: &mut Diagnostics) {
    let Some(end) = file.end() else { return };
    if !settings.says_anything {
        let error = Diagnostic::error(&end, "nothing is configured yet");
        out.push(error.label("this file says nothing").help(
            "it needs at least two lines: `node NAME NAME` with both names as `uname -n` prints them, \
             and a path to the peer such as `bcast eth0`",
        ));
        return;
    }
    fill_in(settings);
    check_media(settings, &end, out);
    check_nodes(settings, &end, local, out);
    check_times(settings, out);
    check_failback(settings, &file.name, out);
    check_logging(settings, &end, &file.name, out);
    advise_on_links(settings, &file.name, out);
    advise_on_serial(settings, out);
    watchdog_line::advise(settings, out);
}

/// The values that others decide.
fn fill_in(settings: &mut Settings) {
    let deadtime = settings.deadtime;
    if settings.text("warntime").is_none() {
        settings.warntime = deadtime / 2;
    }
    if settings.text("deadping").is_none() {
        settings.deadping = deadtime;
    }
    if settings.text("initdead").is_none() {
        settings.initdead = if deadtime > Duration::from_secs(10) {
            deadtime
        } else {
            deadtime.saturating_mul(2).max(Duration::from_secs(12))
        };
    }
    if settings.text("rtprio").is_none() {
        settings.rtprio = 1;
    }
    let port = u16::try_from(settings.udpport).unwrap_or(694);
    let rate = settings.baud;
    let wish = match settings.serial_flow {
        "rtscts" => SerialFlow::RtsCts,
        "none" => SerialFlow::None,
        _ => SerialFlow::Auto,
    };
    for (medium, _) in &mut settings.media {
        match &mut medium.kind {
            MediumKind::Serial { baud, flow, .. } => (*baud, *flow) = (rate, wish),
            MediumKind::Bcast { port: slot }
            | MediumKind::Ucast { port: slot, .. }
            | MediumKind::Ucast6 { port: slot, .. } => *slot = port,
            MediumKind::Mcast { .. } | MediumKind::Mcast6 { .. } => {}
        }
    }
}

fn check_media(settings: &Settings, end: &Place, out: &mut Diagnostics) {
    if MEDIA.iter().all(|name| settings.is_absent(name)) {
        let error = Diagnostic::error(end, "no path to the peer");
        out.push(error.label("a line such as `bcast eth0` or `serial /dev/ttyS0` is missing"));
    }
}

fn check_nodes(settings: &Settings, end: &Place, local: &str, out: &mut Diagnostics) {
    let nodes = &settings.nodes;
    for node in nodes {
        if table::find(&node.text).is_some() {
            let warning = Diagnostic::warning(
                &node.place,
                format!("`{}` as the name of a node", node.text),
            );
            out.push(warning.label("a directive; was a line break lost in front of it?"));
        }
    }
    if settings.is_misread("node") {
        return; // nothing can be said of names that could not be read
    }
    match nodes.as_slice() {
        [] if settings.is_absent("node") => {
            let error = Diagnostic::error(end, "no nodes");
            out.push(error.label("`node NAME NAME` with the names of both machines is missing"));
            return;
        }
        [] => return,
        [only] => {
            let error = Diagnostic::error(&only.place, "only one node");
            out.push(swallowed(
                settings,
                error,
                "a pair needs the name of its other machine too",
            ));
        }
        [_, _] => {}
        [_, _, third, ..] => {
            let error = Diagnostic::error(&third.place, format!("{} nodes", nodes.len()));
            let error = swallowed(settings, error, "heartbeat is for exactly two machines");
            out.push(error.help("for more than two machines use corosync with pacemaker"));
        }
    }
    if let (Some(first), false) = (nodes.first(), nodes.iter().any(|node| node.text == local)) {
        let error = Diagnostic::error(
            &first.place,
            format!("this machine, `{local}`, is not among the nodes"),
        );
        let error = swallowed(settings, error, "nodes are named as `uname -n` names them");
        let same = |node: &str| node.split('.').next() == local.split('.').next();
        out.push(match nodes.iter().find(|node| same(&node.text)) {
            Some(node) => error.help(format!("write `{local}` for `{}`", node.text)),
            None => error,
        });
    }
}

/// Tells of a lost line break where a wrong number of nodes may come from one.
fn swallowed(settings: &Settings, error: Diagnostic, label: &str) -> Diagnostic {
    let lost = settings.nodes.iter().find_map(|node| {
        let (rest, name) = swallowed_directive(&node.text)?;
        (MEDIA.contains(&name) || name == "node" || name == "ping").then_some((node, rest, name))
    });
    match lost {
        Some((node, rest, name)) => error.label(label).help(format!(
            "was a line break lost in `{}`? Write `{rest}`, and `{name} ...` on a line of its own",
            node.text
        )),
        None => error.label(label),
    }
}

fn check_times(settings: &Settings, out: &mut Diagnostics) {
    let sound = |names: &[&str]| names.iter().all(|name| settings.is_sound(name));
    let keepalive = settings.keepalive;
    let twice = keepalive.saturating_mul(2);
    for (name, value) in [
        ("deadtime", settings.deadtime),
        ("deadping", settings.deadping),
    ] {
        let place = settings.place(name).or(settings.place("keepalive"));
        let follows = name == "deadping" && settings.text(name).is_none();
        if let (true, true, false, Some(place)) =
            (sound(&[name, "keepalive"]), value <= twice, follows, place)
        {
            let message = format!(
                "{name} of {} is too small for keepalive of {}",
                seconds(value),
                seconds(keepalive)
            );
            let label = format!("must be above {}, twice keepalive", seconds(twice));
            out.push(with_keepalive(
                settings,
                place,
                Diagnostic::error(place, message).label(label),
            ));
        }
    }
    if let (true, Some(place)) = (sound(&["initdead", "deadtime"]), settings.place("initdead")) {
        check_initdead(settings, place, out);
    }
    if let (true, Some(place)) = (
        settings.check_address > LONGEST_CHECK,
        settings.place("check_address"),
    ) {
        let message = format!(
            "check_address of {} is too long",
            seconds(settings.check_address)
        );
        let label = format!(
            "at most {}: every start of an address waits for it",
            seconds(LONGEST_CHECK)
        );
        let error = Diagnostic::error(place, message).label(label);
        out.push(error.help("500ms is enough on a local network"));
    }
    if let (true, Some(place)) = (
        sound(&["warntime", "deadtime", "keepalive"]),
        settings.place("warntime"),
    ) {
        let warntime = settings.warntime;
        let message = format!("warntime of {} has no effect", seconds(warntime));
        if warntime >= settings.deadtime {
            let label = format!(
                "the peer is dead after {} already",
                seconds(settings.deadtime)
            );
            out.push(Diagnostic::warning(place, message).label(label));
        } else if warntime <= keepalive {
            let message = format!(
                "every heartbeat is late with warntime of {}",
                seconds(warntime)
            );
            let label = format!("should be well above {}, keepalive", seconds(keepalive));
            out.push(with_keepalive(
                settings,
                place,
                Diagnostic::warning(place, message).label(label),
            ));
        }
    }
}

fn check_initdead(settings: &Settings, place: &Place, out: &mut Diagnostics) {
    let (initdead, deadtime) = (settings.initdead, settings.deadtime);
    let message = |what: &str| format!("initdead of {} is {what}", seconds(initdead));
    if initdead < deadtime {
        let label = format!("must not be below {}, deadtime", seconds(deadtime));
        out.push(Diagnostic::error(place, message("smaller than deadtime")).label(label));
    } else if initdead < Duration::from_secs(10) {
        let label = "networks may need longer than that after a reboot; 10 seconds at least";
        out.push(Diagnostic::warning(place, message("hardly enough")).label(label));
    } else if initdead < deadtime.saturating_mul(2) {
        let label = format!(
            "should be {} at least, twice deadtime",
            seconds(deadtime.saturating_mul(2))
        );
        out.push(Diagnostic::warning(place, message("hardly enough")).label(label));
    }
}

/// Shows the line of keepalive too, when it has one of its own.
fn with_keepalive(settings: &Settings, place: &Place, diagnostic: Diagnostic) -> Diagnostic {
    match settings
        .place("keepalive")
        .filter(|other| other.line != place.line)
    {
        Some(other) => diagnostic.related(other, "keepalive"),
        None => diagnostic,
    }
}

fn check_failback(settings: &mut Settings, file: &std::sync::Arc<str>, out: &mut Diagnostics) {
    let nice = settings.place("nice_failback").cloned();
    // `nice_failback on` meant "do not fail back".
    let converted = if settings.nice_failback {
        AutoFailback::Off
    } else {
        AutoFailback::On
    };
    if let (Some(nice), true) = (&nice, settings.is_sound("auto_failback")) {
        match (settings.place("auto_failback"), settings.auto_failback) {
            (Some(place), Some(value)) if value != converted => {
                let warning =
                    Diagnostic::warning(nice, "`nice_failback` contradicts `auto_failback`");
                out.push(
                    warning
                        .label("ignored; remove this line")
                        .related(place, "this counts"),
                );
            }
            (Some(_), _) => {}
            (None, _) => settings.auto_failback = Some(converted),
        }
    }
    if settings.auto_failback != Some(AutoFailback::Legacy) || !settings.is_sound("auto_failback") {
        return;
    }
    let effect = "resources return to their preferred node, as with `auto_failback on`";
    out.push(match settings.place("auto_failback") {
        Some(place) => {
            Diagnostic::warning(place, "`auto_failback legacy` is out of date").label(effect)
        }
        None => Diagnostic::about(
            Severity::Warning,
            file,
            format!("no `auto_failback`: {effect}"),
        )
        .help("write `auto_failback on`, or `off` to let resources stay where they are"),
    });
}

fn check_logging(
    settings: &Settings,
    end: &Place,
    file: &std::sync::Arc<str>,
    out: &mut Diagnostics,
) {
    let names = ["logfile", "debugfile", "logfacility"];
    if names.iter().any(|name| !settings.is_sound(name)) || !settings.is_sound("use_logd") {
        return;
    }
    let entry = names.iter().find_map(|name| settings.place(name));
    match (settings.place("use_logd"), settings.logs_somewhere()) {
        (Some(place), false) if !settings.use_logd => {
            let error = Diagnostic::error(place, "messages go nowhere");
            out.push(
                error.label("remove this line, or add `logfile PATH` or `logfacility FACILITY`"),
            );
        }
        (Some(place), true) if settings.use_logd => {
            let warning =
                Diagnostic::warning(place, "messages go to syslog and to the files named here");
            let warning =
                warning.label("heartbeat 3.0.6 would leave the files to its logging daemon");
            out.push(match entry {
                Some(entry) => warning.related(entry, "still used"),
                None => warning,
            });
        }
        (None, false) => {
            let message = "messages go to syslog, facility `user`";
            let about = match entry {
                Some(_) => Diagnostic::info(end, message),
                None => Diagnostic::about(Severity::Info, file, message),
            };
            out.push(about.help(
                "to choose, write for example `logfacility daemon` or `logfile /var/log/ha-log`",
            ));
        }
        _ => {}
    }
}

fn advise_on_links(settings: &Settings, file: &std::sync::Arc<str>, out: &mut Diagnostics) {
    let links: BTreeSet<&str> = settings
        .media
        .iter()
        .map(|(medium, _)| medium.link.as_str())
        .collect();
    let unread = MEDIA.iter().any(|name| settings.is_misread(name));
    if let (Some(link), 1, false) = (links.first(), links.len(), unread) {
        let message = format!("`{link}` is the only link to the peer");
        let warning = match settings.media.first() {
            Some((_, place)) => Diagnostic::warning(place, message)
                .label(format!("when it is cut, {}", once_cut(settings.last_link))),
            None => Diagnostic::about(Severity::Warning, file, message),
        };
        out.push(
            warning
                .help("add a second, independent one, such as `serial /dev/ttyS0` or `bcast eth1`"),
        );
    }
}

/// What follows from the loss of all links.
fn once_cut(last_link: Written) -> String {
    match last_link {
        Written::Takeover => "both nodes start all resources".to_owned(),
        Written::Wait(time) => format!(
            "both nodes start all resources after {} more",
            seconds(time)
        ),
        Written::Manual => "nothing moves before a person decides".to_owned(),
        Written::Witness(_) => "ping nodes decide which node has the resources".to_owned(),
    }
}

fn advise_on_serial(settings: &Settings, out: &mut Diagnostics) {
    let baud = settings.place("baud");
    if let (Some(place), false) = (baud, OLD_BAUD_RATES.contains(&settings.baud)) {
        let info = Diagnostic::info(
            place,
            format!("heartbeat 3.0.6 does not know {} baud", settings.baud),
        );
        out.push(info.label("the port and its driver must know it"));
    }
}

/// A time as people write it: `2 s`, `500 ms`.
fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 {
        format!("{} s", time.as_secs())
    } else {
        format!("{} ms", time.as_millis())
    }
}
