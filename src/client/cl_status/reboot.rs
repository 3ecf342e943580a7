//! `reboot-safe`: may this node be rebooted now without loss of service?

use serde::Serialize;
use std::fmt::Write as _;

use super::look::{Look, Mark, count, plain};
use super::place::{is_here, peer_name, some_of};
use crate::control::{Group, MoveProgress, Status};

/// The answer with its reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Verdict {
    /// When this was true, in seconds since 1970.
    as_of: u64,
    node: Option<String>,
    /// It may be rebooted.
    safe: bool,
    /// What keeps it from that.
    reasons: Vec<String>,
    /// What else is good to know.
    notes: Vec<String>,
}

impl Verdict {
    /// Nobody answers, so nothing is known.
    pub fn unknown(as_of: u64, reason: String) -> Self {
        Self {
            as_of,
            node: None,
            safe: false,
            reasons: vec![reason],
            notes: vec!["What runs here, and whether the other node lives, is not known".into()],
        }
    }

    /// The verdict about the node that has answered.
    pub fn of(status: &Status) -> Self {
        let (mut reasons, mut notes) = (Vec::new(), Vec::new());
        let held: Vec<&Group> = status
            .groups
            .iter()
            .filter(|group| is_here(group))
            .collect();
        unsettled(status, &mut reasons);
        if held.is_empty() {
            if status.communicating {
                notes.push(format!("{} holds nothing", status.node));
            }
        } else {
            of_peer(status, &mut reasons);
            of_groups(status, &held, &mut reasons, &mut notes);
            if reasons.is_empty() {
                notes.push(format!(
                    "{} takes over what {} holds: {}",
                    peer_name(status),
                    status.node,
                    count(held.len(), "group")
                ));
            }
        }
        let has_nowayout = status
            .watchdog
            .as_ref()
            .and_then(|watchdog| watchdog.nowayout);
        if has_nowayout == Some(true) {
            notes.push(
                "The watchdog can't be disarmed: it resets a machine that hangs in its shutdown"
                    .into(),
            );
        }
        Self {
            as_of: status.heartbeat_as_of,
            node: Some(status.node.clone()),
            safe: reasons.is_empty(),
            reasons,
            notes,
        }
    }

    pub fn is_safe(&self) -> bool {
        self.safe
    }

    pub fn text(&self, look: Look) -> String {
        let mut out = String::new();
        let (word, colour) = if self.safe {
            ("YES", "32;1")
        } else {
            ("NO", "31;1")
        };
        let node = plain(self.node.as_deref().unwrap_or("this node"));
        look.paint(&mut out, colour, word);
        let may = if self.safe { "may" } else { "must not" };
        let _ = writeln!(
            out,
            ": {node} {may} be rebooted now, as of {}",
            (look.clock)(self.as_of)
        );
        for reason in &self.reasons {
            look.line(&mut out, Mark::Trouble, reason);
        }
        for note in &self.notes {
            look.line(&mut out, Mark::Fine, note);
        }
        out
    }
}

/// Something is under way, or not known.
fn unsettled(status: &Status, reasons: &mut Vec<String>) {
    let peer = peer_name(status);
    if !status.communicating {
        reasons.push(format!(
            "{} is starting: it is not settled who holds what",
            status.node
        ));
    }
    if status.maintenance.as_ref().is_some_and(|one| !one.rests) {
        reasons.push(format!("maintenance is on: {peer} would take nothing"));
    }
    let is_moving = |movement: &crate::control::Movement| {
        !matches!(movement.progress, MoveProgress::Done | MoveProgress::Failed)
    };
    if status.movement.as_ref().is_some_and(is_moving) {
        reasons.push("a planned move is under way".into());
    }
    let moves = |state: &str| matches!(state, "starting" | "stopping");
    let moving = status
        .groups
        .iter()
        .filter(|group| moves(&group.local) || group.peer.as_deref().is_some_and(moves));
    let moving: Vec<&str> = moving.map(|group| group.key.as_str()).collect();
    if !moving.is_empty() {
        reasons.push(format!(
            "being started or stopped just now: {}",
            some_of(&moving)
        ));
    }
    let is_doubted = status
        .last_link
        .as_ref()
        .is_some_and(|silence| silence.state != "none");
    let is_fenced = status
        .fencing
        .as_ref()
        .is_some_and(|fencing| matches!(fencing.state.as_str(), "waiting" | "resetting"));
    if is_doubted || is_fenced {
        reasons.push(format!("whether {peer} is down is not settled"));
    }
}

/// Whether the other node can take anything.
fn of_peer(status: &Status, reasons: &mut Vec<String>) {
    let peer = peer_name(status);
    let Some(other) = &status.peer else {
        reasons.push(format!("what {peer} does is not known"));
        return;
    };
    match other.relation.as_str() {
        "talking" | "halves" => {}
        "dead" => reasons.push(format!("{peer} is dead: nobody would take over")),
        "left" => reasons.push(format!("{peer} has stopped: nobody would take over")),
        "deaf" => reasons.push(format!(
            "{peer} does not hear this node: it could not be told"
        )),
        "in-doubt" => reasons.push(format!("{peer} is silent")),
        _ => reasons.push(format!("{peer} has not told yet what it holds")),
    }
    if other.is_leaving && other.relation != "left" {
        reasons.push(format!("{peer} is about to stop"));
    }
    if other.files_agree == Some(false) {
        reasons.push(format!(
            "haresources differs between the nodes: {peer} would not know what to take"
        ));
    }
    if !matches!(other.relation.as_str(), "talking" | "halves") {
        return;
    }
    if status.timers.iter().any(|timer| timer.what == "deadtime") {
        reasons.push(format!("{peer} is silent just now"));
    }
    let node = status.nodes.iter().find(|node| node.name == peer);
    let mut ways = node
        .iter()
        .flat_map(|node| &node.links)
        .filter_map(|link| link.way.as_deref());
    let wanted = if other.program == "heartbeat-3.0.6" {
        "unknown" // it does not say what it hears
    } else {
        "both"
    };
    if !ways.any(|way| way == wanted || way == "both") {
        reasons.push("no link works in both directions".into());
    }
    if node.is_some_and(|node| node.status != "active") {
        reasons.push(format!("{peer} is not active yet"));
    }
}

/// Whether the other node can run what is here.
fn of_groups(status: &Status, held: &[&Group], reasons: &mut Vec<String>, notes: &mut Vec<String>) {
    let peer = peer_name(status);
    let is_talking = status
        .peer
        .as_ref()
        .is_some_and(|peer| peer.relation == "talking");
    let named = |wanted: &dyn Fn(&Group) -> bool| {
        let found = held.iter().filter(|group| wanted(group));
        let keys: Vec<&str> = found.map(|group| group.key.as_str()).collect();
        (!keys.is_empty()).then(|| some_of(&keys))
    };
    let theirs = |group: &Group, state: &str| group.peer.as_deref() == Some(state);
    if let Some(keys) = named(&|group| group.local == "unknown") {
        reasons.push(format!(
            "could not be stopped, so the shutdown would hang: {keys}"
        ));
    }
    if let Some(keys) = named(&|group| theirs(group, "running") || theirs(group, "unknown")) {
        reasons.push(format!("BOTH nodes hold {keys}"));
    }
    if let Some(keys) = named(&|group| theirs(group, "failed")) {
        reasons.push(format!("{peer} has failed to start, or to run, {keys}"));
    }
    if let Some(keys) = named(&|group| group.peer_ready == Some(false)) {
        reasons.push(format!("{peer} says that it could not run {keys}"));
    }
    if let Some(keys) = named(&|group| group.peer_carrier.as_deref() == Some("lost")) {
        reasons.push(format!(
            "the interface has no carrier on {peer}, or not for long, for {keys}"
        ));
    }
    if let Some(keys) = named(&|group| group.peer_ready.is_none() && !theirs(group, "failed")) {
        if is_talking {
            reasons.push(format!(
                "it is not known yet whether {peer} could run {keys}"
            ));
        } else if status
            .peer
            .as_ref()
            .is_some_and(|peer| peer.relation == "halves")
        {
            notes.push(format!("{peer} does not say whether it could run {keys}"));
        }
    }
}
