//! What is wrong with a pair, a sentence each, the worst first.

use super::look::{plain, span};
use super::place::{Place, peer_name, place, some_of};
use crate::control::{Group, Link, Maintenance, Status};

/// Everything that is wrong; nothing where all is well.
pub(super) fn troubles(status: &Status) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(maintenance) = &status.maintenance {
        found.push(in_maintenance(maintenance));
    }
    groups(status, &mut found);
    membership(status, &mut found);
    silence(status, &mut found);
    links(status, &mut found);
    devices(status, &mut found);
    found
}

/// What maintenance means now, without its times: nothing moves by itself, which nobody may forget.
pub(super) fn in_maintenance(maintenance: &Maintenance) -> String {
    if maintenance.rests {
        return "maintenance is on, without effect: the other node runs heartbeat 3.0.6".into();
    }
    let mut text =
        "maintenance is on: nothing is started, stopped or moved unless asked for".to_owned();
    if !maintenance.reason.is_empty() {
        text = format!("{text} ({})", plain(&maintenance.reason));
    }
    if maintenance.peer_lost {
        text +=
            "; the other node has fallen silent, and what follows waits for the end of maintenance";
    } else if !maintenance.known_to_peer {
        text += "; the other node does not know yet";
    }
    text
}

/// What a group alone has, with `name` for it.
pub(super) fn of_group(status: &Status, group: &Group) -> Vec<String> {
    let (node, peer) = (status.node.as_str(), peer_name(status));
    let place = place(status, group);
    let mut found = Vec::new();
    match place {
        Place::Both => found.push("BOTH nodes hold it".to_owned()),
        Place::Nowhere if status.communicating => found.push("it runs on NO node".to_owned()),
        Place::Stuck if status.communicating => found.push(format!(
            "it could not be stopped on {node} and counts as running there"
        )),
        Place::Unknown if status.communicating => {
            found.push(format!("whether it runs on {peer} is not known"));
        }
        _ => {}
    }
    for (state, at) in [
        (group.local.as_str(), node),
        (group.peer.as_deref().unwrap_or(""), peer),
    ] {
        if state == "failed" {
            found.push(format!(
                "it could not be started on {at}, or did not work there"
            ));
        }
    }
    if group.retry.as_ref().is_some_and(|retry| retry.frozen) {
        found.push(format!(
            "it is not tried any more: mend it, then run hb_takeover on {}",
            group.preferred
        ));
    }
    let is_lost = |state: &Option<String>| state.as_deref() == Some("lost");
    let (here, there) = (place == Place::Here, place == Place::There);
    if (here && is_lost(&group.carrier)) || (there && is_lost(&group.peer_carrier)) {
        found.push("its interface has no carrier, so it can't be reached".into());
    }
    for monitor in group.monitors.iter().filter(|one| one.works == Some(false)) {
        found.push(format!(
            "{} does not work ({})",
            monitor.resource, monitor.probe
        ));
    }
    for rival in &group.rivals {
        found.push(format!(
            "{} is claimed by another machine too ({}, {} s ago)",
            rival.address, rival.hardware, rival.seconds_ago
        ));
    }
    let readiness = group.readiness.as_deref().filter(|word| *word != "ready");
    match (readiness, group.peer_ready) {
        (Some(why), _) if there => found.push(format!("{node} could not run it: {why}")),
        (_, Some(false)) if here => found.push(format!(
            "{peer} could not run it: `cl_status explain {}` there tells why",
            group.key
        )),
        _ => {}
    }
    found
}

/// One sentence for all groups with the same trouble.
fn groups(status: &Status, found: &mut Vec<String>) {
    let mut kinds: Vec<(&str, Vec<&str>)> = Vec::new();
    let sentences = [
        "BOTH nodes hold",
        "NO node runs",
        "could not be stopped",
        "not known to run",
        "more to tell of",
    ];
    for group in &status.groups {
        if of_group(status, group).is_empty() {
            continue;
        }
        let kind = match place(status, group) {
            Place::Both => 0,
            Place::Nowhere if status.communicating => 1,
            Place::Stuck if status.communicating => 2,
            Place::Unknown if status.communicating => 3,
            _ => 4,
        };
        let Some(sentence) = sentences.get(kind) else {
            continue;
        };
        match kinds.iter_mut().find(|(known, _)| known == sentence) {
            Some((_, keys)) => keys.push(&group.key),
            None => kinds.push((sentence, vec![&group.key])),
        }
    }
    kinds.sort_by_key(|(sentence, _)| sentences.iter().position(|known| known == sentence));
    found.extend(kinds.into_iter().map(|(sentence, keys)| {
        let some = some_of(&keys);
        match sentence {
            "could not be stopped" => format!("{some} could not be stopped"),
            "not known to run" => format!("it is not known whether {some} runs anywhere"),
            "more to tell of" => format!("look at {some} below"),
            _ => format!("{sentence} {some}"),
        }
    }));
}

fn membership(status: &Status, found: &mut Vec<String>) {
    let peer = peer_name(status);
    if !status.communicating {
        found.push(format!(
            "{} is starting: {peer} was not heard yet, and nothing is decided before",
            status.node
        ));
    }
    let Some(other) = &status.peer else { return };
    match other.relation.as_str() {
        "dead" => found.push(format!("{peer} is dead: there is no second node")),
        "left" => found.push(format!("{peer} has stopped: there is no second node")),
        "in-doubt" => found.push(format!(
            "{peer} is silent and may be alive: what it had is not taken yet"
        )),
        "deaf" => found.push(format!(
            "{peer} is heard and does not hear {}: no group moves",
            status.node
        )),
        "unheard" if status.communicating => {
            found.push(format!("{peer} has not told yet what it holds"));
        }
        _ => {}
    }
    if other.is_leaving && other.relation != "left" {
        found.push(format!("{peer} is about to stop"));
    }
    if other.files_agree == Some(false) {
        found.push(format!(
            "haresources differs between the nodes: nothing moves before {peer} has the same file"
        ));
    }
    let agreement = status.agreement.iter();
    let differences = agreement.flat_map(|agreement| &agreement.differences);
    found.extend(differences.map(|difference| format!("not equal: {}", difference.words)));
}

fn silence(status: &Status, found: &mut Vec<String>) {
    let peer = peer_name(status);
    if status
        .last_link
        .as_ref()
        .is_some_and(|silence| silence.cut_off)
    {
        found.push(format!(
            "{} was cut off and gave up what it had",
            status.node
        ));
    }
    if let Some(silence) = &status.last_link {
        match silence.state.as_str() {
            "manual" => found.push(format!(
                "is {peer} down? Then say `heartbeat confirm-dead {peer}`"
            )),
            "alone" => found.push(format!(
                "{peer} counts as dead only while a ping node answers here"
            )),
            _ => {}
        }
    }
    if let Some(fencing) = &status.fencing {
        let is_open = matches!(fencing.state.as_str(), "waiting" | "resetting");
        if is_open && fencing.failures > 0 {
            found.push(format!(
                "{peer} could not be reset, {} times: nothing of it is taken. If it is down, say `heartbeat \
                 confirm-dead {peer}`",
                fencing.failures
            ));
        } else if is_open {
            found.push(format!(
                "{peer} is to be reset; nothing of it is taken before"
            ));
        }
    }
    let overdue = status.timers.iter().any(|timer| timer.what == "deadtime");
    if let (true, Some(heard)) = (
        overdue,
        status.peer.as_ref().and_then(|peer| peer.heard_ago),
    ) {
        found.push(format!("{peer} is silent for {}", span(heard)));
    }
}

fn links(status: &Status, found: &mut Vec<String>) {
    let is_peer = |name: &str| name != status.node;
    for node in &status.nodes {
        if node.kind != "normal" && node.status != "ping" {
            found.push(format!("ping node {} does not answer", node.name));
        }
    }
    let is_there = matches!(
        status.peer.as_ref().map(|peer| peer.relation.as_str()),
        Some("talking" | "halves" | "deaf")
    );
    let peers = status.nodes.iter();
    let peers = peers.filter(|node| node.kind == "normal" && is_peer(&node.name));
    for node in peers.filter(|_| is_there) {
        found.extend(
            node.links
                .iter()
                .filter_map(|link| of_link(&node.name, link)),
        );
    }
    if let Some(jeopardy) = &status.jeopardy {
        found.push(match &jeopardy.link {
            Some(link) => {
                format!("only one link is left, {link}: the next failure splits the pair")
            }
            None => "no link works in both directions".into(),
        });
    }
}

fn of_link(node: &str, link: &Link) -> Option<String> {
    let cause = link.cause.as_deref().unwrap_or_default();
    match link.way.as_deref() {
        Some("in") => Some(format!(
            "link {} is one-way: {node} is heard there and does not hear us. {cause}",
            link.name
        )),
        Some("out") => Some(format!(
            "link {} is one-way: {node} hears us and is not heard there. {cause}",
            link.name
        )),
        _ if !link.up => Some(format!("link {} is dead", link.name)),
        _ => None,
    }
}

fn devices(status: &Status, found: &mut Vec<String>) {
    if let Some(watchdog) = status.watchdog.as_ref().filter(|watchdog| !watchdog.armed) {
        let problem = watchdog.problem.as_deref().unwrap_or("it is not armed");
        found.push(format!(
            "the watchdog {} is missing: {problem}",
            watchdog.device
        ));
    }
    let devices = status.fencing.iter().flat_map(|fencing| &fencing.devices);
    for device in devices.filter(|device| device.works == Some(false)) {
        found.push(format!("the fencing device {} fails", device.kind));
    }
    let lines = status.nodes.iter().flat_map(|node| &node.links);
    for line in lines.filter_map(|link| link.serial.as_ref()) {
        found.extend(line.remedy.clone());
    }
}
