//! From what the daemon knows of itself to the text of its metrics.

use std::time::Duration;

use super::exposition::{Exposition, Family, Form};
use super::families as f;
use super::tally::{Counts, Histogram, Tally};
use crate::control::{Group, Link, Monitor, Node, Status, Watchdog};

/// What there is to tell. The text is made when somebody asks for it, and from nothing that was prepared before.
#[derive(Debug)]
pub struct Facts<'a> {
    /// The state, as `cl_status` gets it.
    pub status: &'a Status,
    /// What was counted.
    pub tally: &'a Tally,
    /// Packets refused, by reason.
    pub refused: &'a [(&'static str, u64)],
    /// Links that were told to be degraded.
    pub degraded: &'a [String],
    /// Alerts by what became of them.
    pub alerts: &'a Counts,
}

/// The whole text.
pub fn render(facts: &Facts<'_>, form: Form) -> String {
    let mut out = Exposition::new(form);
    let Facts { status, tally, .. } = facts;
    daemon(&mut out, status);
    nodes(&mut out, &status.nodes, &status.node);
    links(&mut out, facts);
    serial_lines(&mut out, &status.nodes);
    out.single(&f::JEOPARDY, u8::from(status.jeopardy.is_some()));
    groups(&mut out, &status.groups, &status.node);
    monitors(&mut out, &status.groups);
    events(&mut out, tally);
    if let Some(last_link) = &status.last_link {
        out.single(&f::DOUBT, u8::from(last_link.state != "none"));
        out.single(&f::CUT_OFF, u8::from(last_link.cut_off));
    }
    watchdog(&mut out, status.watchdog.as_ref(), status.heartbeat_as_of);
    out.single(&f::SENT, tally.sent);
    by_word(
        &mut out,
        &f::REFUSED,
        "reason",
        facts.refused.iter().copied(),
    );
    out.single(&f::LATE, tally.late);
    histogram(&mut out, &f::LATENESS, &tally.lateness);
    histogram(&mut out, &f::TURNS, &tally.turns);
    by_word(&mut out, &f::ALERTS, "result", words(facts.alerts));
    out.finish()
}

fn daemon(out: &mut Exposition, status: &Status) {
    let labels = [("version", status.version.as_str()), ("node", &status.node)];
    out.family(&f::BUILD).sample(&labels, 1);
    out.single(&f::START_TIME, status.since);
    out.single(&f::TIMESTAMP, status.heartbeat_as_of);
    out.single(&f::GENERATION, status.generation);
    out.single(&f::COMMUNICATING, u8::from(status.communicating));
}

fn nodes(out: &mut Exposition, nodes: &[Node], local: &str) {
    let mut samples = out.family(&f::NODE_STATUS);
    for node in nodes {
        let (role, all): (_, &[&str]) = match node.kind.as_str() {
            "ping" => ("ping", &["ping", "dead"]),
            _ if node.name == local => ("local", &["init", "up", "active", "dead"]),
            _ => ("peer", &["init", "up", "active", "dead"]),
        };
        for status in all {
            let labels = [
                ("node", node.name.as_str()),
                ("role", role),
                ("status", status),
            ];
            samples.truth(&labels, node.status == *status);
        }
    }
}

/// The links to the other node; a ping node has its status.
fn all_links(nodes: &[Node]) -> impl Iterator<Item = (&Node, &Link)> {
    let normal = nodes.iter().filter(|node| node.kind == "normal");
    normal.flat_map(|node| node.links.iter().map(move |link| (node, link)))
}

fn links(out: &mut Exposition, facts: &Facts<'_>) {
    let all = || all_links(&facts.status.nodes);
    let mut samples = out.family(&f::LINK_UP);
    for (node, link) in all() {
        let labels = [
            ("node", node.name.as_str()),
            ("link", &link.name),
            ("kind", &link.kind),
        ];
        samples.truth(&labels, link.up);
    }
    let mut samples = out.family(&f::LINK_WAY);
    for (node, link) in all() {
        for way in ["both", "in", "out", "none", "unknown"] {
            let labels = [
                ("node", node.name.as_str()),
                ("link", &link.name),
                ("way", way),
            ];
            samples.truth(&labels, link.way.as_deref() == Some(way));
        }
    }
    let mut samples = out.family(&f::LINK_DEGRADED);
    for (node, link) in all() {
        let is_degraded = facts.degraded.contains(&link.name);
        samples.truth(&[("node", &node.name), ("link", &link.name)], is_degraded);
    }
    let known = || all().filter_map(|(node, link)| Some((node, link, link.quality?)));
    let mut samples = out.family(&f::LINK_AGE);
    for (node, link, quality) in known() {
        if let Some(millis) = quality.heard_ago {
            let labels = [("node", node.name.as_str()), ("link", &link.name)];
            samples.sample(&labels, Duration::from_millis(millis).as_secs_f64());
        }
    }
    let mut samples = out.family(&f::LINK_RECEIVED);
    for (node, link, quality) in known() {
        samples.sample(
            &[("node", &node.name), ("link", &link.name)],
            quality.received,
        );
    }
    let mut samples = out.family(&f::LINK_LOSS);
    for (node, link, quality) in known().filter(|(_, _, quality)| quality.expected > 0) {
        let ratio = f64::from(quality.missed) / f64::from(quality.expected);
        samples.sample(&[("node", &node.name), ("link", &link.name)], ratio);
    }
    let mut samples = out.family(&f::LINK_JITTER);
    for (node, link, quality) in known() {
        if let Some(micros) = quality.jitter {
            let labels = [("node", node.name.as_str()), ("link", &link.name)];
            samples.sample(&labels, Duration::from_micros(micros).as_secs_f64());
        }
    }
}

fn serial_lines(out: &mut Exposition, nodes: &[Node]) {
    let all = || all_links(nodes).filter_map(|(_, link)| Some((link, link.serial.as_ref()?)));
    let mut samples = out.family(&f::SERIAL_NOISE);
    for (link, line) in all() {
        samples.sample(&[("link", &link.name)], line.noise);
    }
    let mut samples = out.family(&f::SERIAL_ERRORS);
    for (link, line) in all() {
        let Some(errors) = line.errors else { continue };
        for (error, count) in [
            ("framing", errors.framing),
            ("parity", errors.parity),
            ("overrun", errors.overruns),
            ("break", errors.breaks),
        ] {
            samples.sample(&[("link", &link.name), ("error", error)], count.max(0));
        }
    }
    let mut samples = out.family(&f::SERIAL_STRANGER);
    for (link, line) in all() {
        samples.truth(&[("link", &link.name)], line.stranger.is_some());
    }
}

fn groups(out: &mut Exposition, groups: &[Group], local: &str) {
    let mut samples = out.family(&f::GROUP_STATE);
    for group in groups {
        let states = [("local", Some(&group.local)), ("peer", group.peer.as_ref())];
        for (role, state) in states {
            if let Some(state) = state {
                samples.sample(
                    &[("group", &group.key), ("role", role), ("state", state)],
                    1,
                );
            }
        }
    }
    let mut samples = out.family(&f::GROUP_HELD);
    for group in groups {
        let is_held = !["stopped", "failed"].contains(&group.local.as_str());
        let role = if group.preferred == local {
            "preferred"
        } else {
            "other"
        };
        samples.truth(&[("group", &group.key), ("role", role)], is_held);
    }
    let mut samples = out.family(&f::GROUP_FAILURES);
    for group in groups {
        let failures = group.retry.as_ref().map_or(0, |retry| retry.failures);
        samples.sample(&[("group", &group.key)], failures);
    }
    let mut samples = out.family(&f::GROUP_FROZEN);
    for group in groups {
        let is_frozen = group.retry.as_ref().is_some_and(|retry| retry.frozen);
        samples.truth(&[("group", &group.key)], is_frozen);
    }
    let mut samples = out.family(&f::GROUP_READY);
    for group in groups {
        if let Some(word) = &group.readiness {
            samples.truth(&[("group", &group.key)], word == "ready");
        }
    }
    let mut samples = out.family(&f::GROUP_CARRIER);
    for group in groups {
        if let Some(carrier) = &group.carrier {
            samples.truth(&[("group", &group.key)], carrier == "up");
        }
    }
    let mut samples = out.family(&f::GROUP_RIVALS);
    for group in groups {
        samples.sample(&[("group", &group.key)], group.rivals.len());
    }
}

fn monitors(out: &mut Exposition, groups: &[Group]) {
    let all = || groups.iter().flat_map(of_group);
    let mut samples = out.family(&f::MONITOR_UP);
    for (group, monitor) in all() {
        if let Some(works) = monitor.works {
            samples.truth(
                &[("group", &group.key), ("resource", &monitor.resource)],
                works,
            );
        }
    }
    let mut samples = out.family(&f::MONITOR_FAILURES);
    for (group, monitor) in all() {
        samples.sample(
            &[("group", &group.key), ("resource", &monitor.resource)],
            monitor.failures,
        );
    }
    let mut samples = out.family(&f::MONITOR_RESTARTS);
    for (group, monitor) in all() {
        samples.sample(
            &[("group", &group.key), ("resource", &monitor.resource)],
            monitor.restarts,
        );
    }
}

fn of_group(group: &Group) -> impl Iterator<Item = (&Group, &Monitor)> {
    group.monitors.iter().map(move |monitor| (group, monitor))
}

fn events(out: &mut Exposition, tally: &Tally) {
    by_word(out, &f::STARTS, "reason", words(&tally.starts));
    by_word(out, &f::STOPS, "reason", words(&tally.stops));
    by_word(out, &f::FAILURES, "action", words(&tally.failures));
    out.single(&f::PEER_DEATHS, tally.peer_deaths);
    out.single(&f::STALLS, tally.stalls);
    by_word(out, &f::FENCING, "result", words(&tally.fencing));
    by_word(out, &f::INCIDENTS, "cause", words(&tally.incidents));
    out.single(&f::TWO_OWNERS, tally.two_owners.as_secs_f64());
    out.single(&f::CONFLICTS, tally.conflicts);
}

/// One that is not in `ha.cf` is not armed either.
fn watchdog(out: &mut Exposition, watchdog: Option<&Watchdog>, now: u64) {
    let is_armed = watchdog.is_some_and(|watchdog| watchdog.armed);
    out.single(&f::WATCHDOG_ARMED, u8::from(is_armed));
    if let Some(timeout) = watchdog.and_then(|watchdog| watchdog.timeout) {
        out.single(&f::WATCHDOG_TIMEOUT, timeout);
    }
    if let Some(fed) = watchdog.and_then(|watchdog| watchdog.last_fed) {
        out.single(&f::WATCHDOG_AGE, now.saturating_sub(fed));
    }
}

fn words(counts: &Counts) -> impl Iterator<Item = (&'static str, u64)> {
    counts.iter().map(|(word, count)| (*word, *count))
}

fn by_word(
    out: &mut Exposition,
    family: &'static Family,
    label: &'static str,
    counts: impl Iterator<Item = (&'static str, u64)>,
) {
    let mut samples = out.family(family);
    for (word, count) in counts {
        samples.sample(&[(label, word)], count);
    }
}

fn histogram(out: &mut Exposition, family: &'static Family, histogram: &Histogram) {
    let (count, sum) = (histogram.count(), histogram.sum());
    out.family(family)
        .histogram(histogram.buckets(), count, sum);
}
