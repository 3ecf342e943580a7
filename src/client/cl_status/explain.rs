//! `explain`: why a group is where it is: the last decision, what decisions depend on, and the rules that apply.

use serde::Serialize;
use std::fmt::Write as _;

use super::look::{Look, Mark, plain, seconds, span};
use super::place::{Place, peer_name, place};
use super::screen::what_is_due;
use super::troubles::{in_maintenance, of_group};
use crate::control::{Group, Peer, Status};

/// Everything that speaks for where a group is.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Explanation {
    /// When this was true, in seconds since 1970.
    as_of: u64,
    node: String,
    other_node: String,
    /// `here`, `there`, `both`, `nowhere`, `moving`, `stuck` or `unknown`.
    place: &'static str,
    troubles: Vec<String>,
    inputs: Vec<Input>,
    rules: Vec<String>,
    group: Group,
    peer: Option<Peer>,
}

/// Something that decisions depend on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Input {
    name: String,
    value: String,
}

/// The group that is called so: by its first resource, else by any resource that only one group has.
pub(super) fn find<'a>(status: &'a Status, name: &str) -> Result<&'a Group, String> {
    if let Some(group) = status.groups.iter().find(|group| group.key == name) {
        return Ok(group);
    }
    let has = |group: &&Group| group.resources.iter().any(|resource| resource == name);
    let mut found = status.groups.iter().filter(has);
    match (found.next(), found.next()) {
        (Some(group), None) => Ok(group),
        (Some(_), Some(_)) => Err(format!(
            "ERROR: {}: several resource groups have this resource. Name the first resource of one of them.\n",
            plain(name)
        )),
        (None, _) => {
            const MOST: usize = 10;
            let keys = status.groups.iter().take(MOST);
            let keys: Vec<String> = keys.map(|group| plain(&group.key)).collect();
            let others = match status.groups.len().saturating_sub(MOST) {
                0 => String::new(),
                others => format!(" and {others} more"),
            };
            Err(format!(
                "ERROR: {}: no resource group of haresources has this as its first resource. There are: {}{others}.\n",
                plain(name),
                keys.join(", ")
            ))
        }
    }
}

impl Explanation {
    pub fn of(status: &Status, group: &Group) -> Self {
        Self {
            as_of: status.heartbeat_as_of,
            node: status.node.clone(),
            other_node: peer_name(status).into(),
            place: place(status, group).word(),
            troubles: of_group(status, group),
            inputs: inputs(status, group),
            rules: rules(status, group),
            group: group.clone(),
            peer: status.peer.clone(),
        }
    }

    pub fn text(&self, look: Look) -> String {
        let mut out = String::new();
        let Self {
            group,
            node,
            other_node,
            ..
        } = self;
        let at = match self.place {
            "here" => format!("on {node}"),
            "there" => format!("on {other_node}"),
            "both" => "on BOTH nodes".into(),
            "nowhere" => "on NO node".into(),
            "moving" => "being started or stopped".into(),
            "stuck" => format!("counts as running on {node}"),
            _ => "not known where".into(),
        };
        let since = match self.place {
            "here" | "stuck" => group.reasons.since,
            "there" => group.reasons.peer_since,
            _ => None,
        };
        let since = since.map_or(String::new(), |since| {
            format!(" since {}", look.when(since, self.as_of))
        });
        let key = plain(&group.key);
        look.paint(&mut out, "1", &format!("{key}: {at}{since}"));
        let _ = write!(
            out,
            "\nwhat {} knows, as of {}\n",
            plain(node),
            (look.clock)(self.as_of)
        );
        for trouble in &self.troubles {
            look.line(&mut out, Mark::Trouble, trouble);
        }
        self.decision(look, &mut out);
        look.title(&mut out, "WHAT DECISIONS DEPEND ON");
        let rows = self.inputs.iter();
        let rows = rows.map(|input| (Mark::Fine, vec![input.name.clone(), input.value.clone()]));
        look.table(&mut out, &rows.collect::<Vec<_>>());
        look.title(&mut out, "RULES THAT APPLY");
        for rule in &self.rules {
            look.line(&mut out, Mark::Fine, rule);
        }
        out
    }

    fn decision(&self, look: Look, out: &mut String) {
        let reasons = &self.group.reasons;
        look.title(out, &format!("LAST DECISION OF {}", self.node));
        let told = reasons.outcome.as_ref().map(|outcome| {
            let when = look.when_exactly(outcome.at, self.as_of);
            (outcome.at, format!("{when} told: {}", outcome.text))
        });
        let decided = reasons.decision.as_ref().map_or(0, |decision| decision.at);
        if let Some((_, before)) = told.as_ref().filter(|(at, _)| *at < decided) {
            look.line(out, Mark::Fine, before);
        }
        match &reasons.decision {
            Some(decision) => {
                let when = look.when_exactly(decision.at, self.as_of);
                let text = format!("{when} {}: {}", decision.step, decision.reason);
                look.line(out, Mark::Fine, &text);
                for evidence in &decision.evidence {
                    look.note(out, evidence);
                }
            }
            None => look.line(out, Mark::Fine, "none since the daemon was started"),
        }
        if let Some((_, after)) = told.as_ref().filter(|(at, _)| *at >= decided) {
            look.line(out, Mark::Fine, after);
        }
    }
}

fn claim_in_words(claim: &str) -> &'static str {
    match claim {
        "free" => "does not hold it",
        "ceded" => "does not hold it, and leaves it to the other node",
        "handed-over" => "does not hold it; an operator wants it on the other node",
        "waived" => "does not hold it, and does not want it back",
        "failed" => "could not start it, or it did not work there",
        "starting" => "starts it",
        "running" => "runs it",
        "stopping" => "stops it",
        "unknown" => "counts as running it",
        _ => "says a word that is not known here",
    }
}

fn inputs(status: &Status, group: &Group) -> Vec<Input> {
    let (node, peer) = (&status.node, peer_name(status));
    let mut inputs = Vec::new();
    let mut add = |name: &str, value: String| {
        inputs.push(Input {
            name: name.into(),
            value,
        });
    };
    let claim = |claim: &Option<String>| match claim {
        Some(claim) => format!("{claim}: {}", claim_in_words(claim)),
        None => "none that is valid now".into(),
    };
    let reasons = &group.reasons;
    let taken = if reasons.is_taken {
        "; taken because the other node was thought dead"
    } else {
        ""
    };
    add(
        &format!("claim of {node}"),
        format!("{}{taken}", claim(&reasons.claim)),
    );
    add(&format!("claim of {peer}"), claim(&reasons.peer_claim));
    add("preferred node", group.preferred.clone());
    add(
        "auto_failback",
        parameter(status, "auto_failback")
            .unwrap_or("not set, as legacy")
            .into(),
    );
    if let Some(other) = &status.peer {
        add(&format!("{peer} is"), relation(&other.relation, other));
    }
    if let Some(agree) = status.peer.as_ref().and_then(|peer| peer.files_agree) {
        add(
            "haresources",
            if agree {
                "the same on both nodes"
            } else {
                "DIFFERS between the nodes"
            }
            .into(),
        );
    }
    if let Some(failback) = &group.failback {
        add("failback waits", format!("until {}", failback.awaits));
    }
    carriers_and_pings(status, group, &mut add);
    failures_and_readiness(status, group, &mut add);
    holds(status, &mut add);
    inputs
}

fn carriers_and_pings(status: &Status, group: &Group, add: &mut impl FnMut(&str, String)) {
    let (node, peer) = (&status.node, peer_name(status));
    if group.carrier.is_some() || group.peer_carrier.is_some() {
        let word = |state: &Option<String>| state.clone().unwrap_or("not known".into());
        let (here, there) = (word(&group.carrier), word(&group.peer_carrier));
        add("carrier", format!("{node} {here}, {peer} {there}"));
    }
    let pings = status.nodes.iter().filter(|node| node.kind == "ping");
    let (all, answering) = (
        pings.clone().count(),
        pings.filter(|node| node.status == "ping").count(),
    );
    if all > 0 {
        add("ping nodes", format!("{answering} of {all} answer {node}"));
    }
}

fn failures_and_readiness(status: &Status, group: &Group, add: &mut impl FnMut(&str, String)) {
    let (node, peer) = (&status.node, peer_name(status));
    if let Some(retry) = &group.retry {
        let next = match (retry.frozen, retry.next) {
            (true, _) => "frozen: not tried any more",
            (false, Some(_)) => "tried again here",
            (false, None) => "left to the other node",
        };
        add(
            "failed starts",
            format!("{} in a row on {node}; {next}", retry.failures),
        );
    }
    if group.reasons.is_unfit {
        add(
            "fitness",
            format!("it did not work on {node}, which counts as unfit for a while"),
        );
    }
    for monitor in &group.monitors {
        let works = match monitor.works {
            Some(true) => "works",
            Some(false) => "DOES NOT WORK",
            None => "not asked: it is not here",
        };
        let text = format!(
            "{works} ({}), {} restarts lately",
            monitor.probe, monitor.restarts
        );
        add(&format!("monitor {}", monitor.resource), text);
    }
    if let Some(readiness) = &group.readiness {
        add(&format!("readiness of {node}"), readiness.clone());
    }
    if let Some(is_ready) = group.peer_ready {
        let word = if is_ready { "ready" } else { "NOT ready" };
        add(&format!("readiness of {peer}"), word.into());
    }
}

/// What keeps this node from taking anything of the other one.
fn holds(status: &Status, add: &mut impl FnMut(&str, String)) {
    if let Some(maintenance) = &status.maintenance {
        add("maintenance", in_maintenance(maintenance));
    }
    if let Some(fencing) = &status.fencing {
        add("fencing", fencing.state.clone());
    }
    if let Some(silence) = status
        .last_link
        .as_ref()
        .filter(|silence| silence.state != "none")
    {
        add(
            "last_link",
            format!("{}: {}", silence.answer, silence.state),
        );
    }
    if let Some(movement) = &status.movement {
        let word = serde_json::to_value(movement.progress).unwrap_or_default();
        let word = word.as_str().unwrap_or_default();
        add(
            "planned move",
            format!("the last one of this run is {word}"),
        );
    }
    for timer in &status.timers {
        let left = timer.at.saturating_sub(status.heartbeat_as_of);
        let what = what_is_due(timer, peer_name(status));
        add("waits", format!("{} more: {what}", seconds(left)));
    }
}

fn relation(word: &str, peer: &Peer) -> String {
    let heard = peer
        .heard_ago
        .map_or(String::new(), |ago| format!(" ({} ago)", span(ago)));
    let what = match word {
        "talking" => "heard, and hears this node: what it claims counts",
        "halves" => "heard; it runs heartbeat 3.0.6 and holds groups by halves",
        "deaf" => "heard, and does not hear this node: nothing moves",
        "in-doubt" => "silent, and may be alive: nothing of it is taken",
        "dead" => "dead: what it had is taken",
        "left" => "stopped, and holds nothing",
        _ => "not heard, or has not told what it holds",
    };
    format!("{what}{heard}")
}

fn parameter<'a>(status: &'a Status, name: &str) -> Option<&'a str> {
    let found = status
        .parameters
        .iter()
        .find(|one| one.name.eq_ignore_ascii_case(name));
    found.map(|parameter| parameter.value.as_str())
}

/// Words of `auto_failback` for off.
const OFF: [&str; 5] = ["off", "no", "false", "n", "0"];

fn rules(status: &Status, group: &Group) -> Vec<String> {
    let (node, peer) = (&status.node, peer_name(status));
    let preferred = &group.preferred;
    let mut rules = vec![
        "One node holds it at a time: the other one starts it only once the holder has stopped it, could not start it, is \
         dead, or has left."
            .to_owned(),
    ];
    let failback = parameter(status, "auto_failback").unwrap_or("legacy");
    let place = place(status, group);
    let holder = match place {
        Place::Here => Some(node.as_str()),
        Place::There => Some(peer),
        _ => None,
    };
    let is_off = OFF.iter().any(|word| failback.eq_ignore_ascii_case(word));
    let absent = match place {
        Place::Here => group.reasons.peer_claim.as_deref(),
        Place::There => group.reasons.claim.as_deref(),
        _ => None,
    };
    let is_waived = matches!(absent, Some("waived" | "handed-over"));
    rules.push(match holder {
        _ if is_off => format!(
            "It stays where it runs until that node stops or dies, or somebody moves it (auto_failback off). What nobody \
             holds is started by {preferred}."
        ),
        Some(_) if is_waived => "It does not return by itself: an operator has moved it, or it did not work on the other \
            node (claim waived)."
            .into(),
        Some(holder) if holder == preferred => {
            format!("It is on its preferred node, {preferred}, and stays there while that is well.")
        }
        Some(_) => format!(
            "It returns to {preferred} when that is back and well (auto_failback {failback})."
        ),
        None => format!(
            "It belongs on {preferred} while that is well (auto_failback {failback})."
        ),
    });
    let deadtime = status.peer.as_ref().map_or(0, |peer| peer.deadtime);
    let fenced = if status.fencing.is_some() {
        ", once a device has reset it or somebody says that it is down"
    } else {
        ""
    };
    let silence = match status
        .last_link
        .as_ref()
        .map(|silence| silence.answer.as_str())
    {
        Some("manual") => {
            "; but while all links are silent only a person says so (last_link manual)"
        }
        Some("witness") => {
            "; but only while a ping node answers here and nobody for its addresses (last_link witness)"
        }
        Some("wait") => "; but only after the time of last_link wait",
        _ => "",
    };
    rules.push(format!(
        "What a silent {peer} holds is taken after {}{fenced}{silence}.",
        span(deadtime)
    ));
    rules.push(
        "A group that does not start is left to the other node; one that does not stop is never started elsewhere.".into(),
    );
    if group.carrier.is_some() {
        rules.push("It leaves a node whose interface has no carrier, when the other node's has one and it could run it there.".into());
    }
    rules
}
