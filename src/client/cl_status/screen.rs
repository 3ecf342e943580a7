//! `status`: everything about a pair on one screen, what is wrong first.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::groups::groups;
use super::look::{Look, Mark, plain, seconds, span};
use super::place::{peer_name, some_of};
use super::troubles::troubles;
use crate::control::{Incident, Link, Status, Timer};

/// So many incidents are shown.
const INCIDENTS: usize = 3;
/// And so many of what is waited for.
const MOST_TIMERS: usize = 8;

/// What `status` shows.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Overview {
    /// When this was true, in seconds since 1970.
    as_of: u64,
    /// `well`, `trouble` or `starting`.
    verdict: &'static str,
    troubles: Vec<String>,
    /// The last ones, the newest last.
    incidents: Vec<Incident>,
    #[serde(flatten)]
    status: Status,
}

impl Overview {
    pub fn new(status: Status, incidents: Vec<Incident>) -> Self {
        let troubles = troubles(&status);
        let verdict = match (status.communicating, troubles.is_empty()) {
            (false, _) => "starting",
            (true, true) => "well",
            (true, false) => "trouble",
        };
        let surplus = incidents.len().saturating_sub(INCIDENTS);
        Self {
            as_of: status.heartbeat_as_of,
            verdict,
            troubles,
            incidents: incidents.into_iter().skip(surplus).collect(),
            status,
        }
    }

    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.verdict == "well"
    }

    /// The screen.
    pub fn text(&self, look: Look) -> String {
        let mut out = String::new();
        self.headline(look, &mut out);
        nodes(&self.status, look, &mut out);
        groups(&self.status, look, &mut out);
        safety(&self.status, look, &mut out);
        timers(&self.status, look, &mut out);
        if !self.incidents.is_empty() {
            look.title(&mut out, "INCIDENTS (cl_status incidents tells all)");
            for incident in self.incidents.iter().rev() {
                let mark = if incident.had_two_owners() {
                    Mark::Trouble
                } else {
                    Mark::Fine
                };
                look.line(&mut out, mark, &in_a_line(incident, look, self.as_of));
            }
        }
        out
    }

    fn headline(&self, look: Look, out: &mut String) {
        let (word, colour) = match self.verdict {
            "well" => ("ALL IS WELL", "32;1"),
            "starting" => ("STARTING", "33;1"),
            _ => ("TROUBLE", "31;1"),
        };
        look.paint(out, colour, word);
        let node = plain(&self.status.node);
        let as_of = (look.clock)(self.as_of);
        let _ = writeln!(out, ": what {node} knows, as of {as_of}");
        for trouble in &self.troubles {
            look.line(out, Mark::Trouble, trouble);
        }
    }
}

fn nodes(status: &Status, look: Look, out: &mut String) {
    look.title(out, "NODES");
    let as_of = status.heartbeat_as_of;
    let rows = status.nodes.iter().map(|node| {
        let mark = match node.status.as_str() {
            "active" | "ping" => Mark::Fine,
            "init" | "up" if node.kind == "normal" => Mark::Change,
            _ => Mark::Trouble,
        };
        let since = node.since.map(|since| look.when(since, as_of));
        let since = since.map_or(String::new(), |since| format!("since {since}"));
        let what = match (&status.peer, node.kind.as_str()) {
            (_, "ping") => String::new(),
            _ if node.name == status.node => format!("this node, heartbeat-rs {}", status.version),
            (Some(peer), _) => {
                let heard = peer.heard_ago.map_or("never heard".to_owned(), |ago| {
                    format!("heard {} ago", span(ago))
                });
                match peer.program.as_str() {
                    "unknown" => heard,
                    program => format!("{heard}, {}", program.replace("-3", " 3")),
                }
            }
            (None, _) => String::new(),
        };
        let word = match (node.kind.as_str(), node.status.as_str()) {
            ("ping", "ping") => "answers",
            ("ping", "init") => "not heard yet",
            ("ping", _) => "does not answer",
            (_, word) => word,
        };
        (mark, vec![node.name.clone(), word.into(), since, what])
    });
    look.table(out, &rows.collect::<Vec<_>>());
    for node in &status.nodes {
        if node.kind == "normal" && !node.links.is_empty() {
            look.title(out, &format!("LINKS TO {}", node.name));
            let rows = node.links.iter().map(|link| link_row(status, link));
            look.table(out, &rows.collect::<Vec<_>>());
        }
    }
}

fn link_row(status: &Status, link: &Link) -> (Mark, Vec<String>) {
    let way = match (link.up, link.way.as_deref()) {
        (_, Some("both")) => "both ways",
        (_, Some("in")) => "IN ONLY",
        (_, Some("out")) => "OUT ONLY",
        (true, Some("none")) => "silent",
        (true, _) => "heard",
        (false, _) => "dead",
    };
    let is_due = status
        .timers
        .iter()
        .any(|timer| timer.what == "link" && timer.subject.as_ref() == Some(&link.name));
    let mark = match way {
        "both ways" | "heard" if !is_due => Mark::Fine,
        "both ways" | "heard" | "silent" => Mark::Change,
        _ => Mark::Trouble,
    };
    let mut cells = vec![link.name.clone(), link.kind.clone(), way.to_owned()];
    if let Some(quality) = link.quality {
        cells.push(quality.heard_ago.map_or("never heard".into(), |ago| {
            format!("heard {} ago", span(ago))
        }));
        // A node that says nothing loses nothing.
        let relation = status.peer.as_ref().map(|peer| peer.relation.as_str());
        if !matches!(relation, Some("dead" | "left" | "in-doubt")) {
            cells.push(format!("lost {} of {}", quality.missed, quality.expected));
            cells.extend(quality.jitter.map(|jitter| {
                let micros = jitter % 1000 / 100;
                format!("jitter {}.{micros} ms", jitter / 1000)
            }));
        }
    }
    (mark, cells)
}

fn safety(status: &Status, look: Look, out: &mut String) {
    let as_of = status.heartbeat_as_of;
    let mut rows = Vec::new();
    if let Some(watchdog) = &status.watchdog {
        let (mark, text) = if watchdog.armed {
            let timeout = watchdog.timeout.unwrap_or(0);
            let fed = watchdog.last_fed.map_or(String::new(), |fed| {
                format!(
                    ", fed {} ago",
                    span(as_of.saturating_sub(fed).saturating_mul(1000))
                )
            });
            (Mark::Fine, format!("armed, {timeout} s{fed}"))
        } else {
            (Mark::Trouble, format!("MISSING ({})", watchdog.policy))
        };
        rows.push((mark, vec!["watchdog".into(), text]));
    }
    if let Some(fencing) = &status.fencing {
        let state = match fencing.state.as_str() {
            "none" => "nobody is to be reset",
            "waiting" => "waits for the next attempt",
            "resetting" => "being asked to reset the other node",
            "done" => "the other node was reset, or counts as that",
            _ => "given up: this node stops",
        };
        let devices = fencing.devices.iter().map(|device| {
            let works = match device.works {
                Some(true) => "works",
                Some(false) => "FAILS",
                None => "not asked yet",
            };
            format!("{} {works}", device.kind)
        });
        let devices = devices.collect::<Vec<_>>().join(", ");
        let mark = match fencing.state.as_str() {
            "none" | "done" => Mark::Fine,
            _ => Mark::Change,
        };
        rows.push((mark, vec!["fencing".into(), format!("{devices}; {state}")]));
    }
    if let Some(silence) = &status.last_link {
        let time = silence
            .milliseconds
            .map_or(String::new(), |time| format!(" {}", span(time)));
        let state = match silence.state.as_str() {
            "none" => "",
            "waiting" => "; waits until the silent node counts as dead",
            "watching" => "; looks who answers for the addresses of the silent node",
            "alone" => "; the silent node counts as dead while a ping node answers here",
            _ => "; waits for `heartbeat confirm-dead`",
        };
        let mark = if silence.state == "none" {
            Mark::Fine
        } else {
            Mark::Change
        };
        let text = format!("{}{time}{state}", silence.answer);
        rows.push((mark, vec!["last_link".into(), text]));
    }
    if let Some(jeopardy) = &status.jeopardy {
        let text = format!("since {}", look.when(jeopardy.since, as_of));
        rows.push((Mark::Trouble, vec!["jeopardy".into(), text]));
    }
    if !rows.is_empty() {
        look.title(out, "SAFETY");
        look.table(out, &rows);
    }
}

fn timers(status: &Status, look: Look, out: &mut String) {
    let peer = peer_name(status);
    let mut due: Vec<(u64, String)> = status
        .timers
        .iter()
        .map(|timer| (timer.at, what_is_due(timer, peer)))
        .collect();
    due.extend(of_groups(status));
    if due.is_empty() {
        return;
    }
    due.sort();
    look.title(out, "WAITING FOR");
    for (at, what) in due.iter().take(MOST_TIMERS) {
        let left = at.saturating_sub(status.heartbeat_as_of);
        let when = look.when(*at, status.heartbeat_as_of);
        let text = format!("{when} (in {}): {what}", seconds(left));
        look.line(out, Mark::Change, &text);
    }
    if due.len() > MOST_TIMERS {
        let others = due.len().saturating_sub(MOST_TIMERS);
        look.line(out, Mark::Fine, &format!("and {others} more"));
    }
}

/// What groups wait for, those together that wait for the same.
fn of_groups(status: &Status) -> impl Iterator<Item = (u64, String)> {
    let mut waits: BTreeMap<(u64, String), Vec<&str>> = BTreeMap::new();
    for group in &status.groups {
        let failback = group.failback.as_ref().and_then(|failback| failback.until);
        let retry = group.retry.as_ref().and_then(|retry| retry.next);
        let back = failback.map(|at| (at, format!("back to {}", group.preferred)));
        let again = retry.map(|at| (at, "tried again here".to_owned()));
        for wait in back.into_iter().chain(again) {
            waits.entry(wait).or_default().push(&group.key);
        }
    }
    let waits = waits.into_iter();
    waits.map(|((at, what), keys)| (at, format!("{what}: {}", some_of(&keys))))
}

/// What happens at the end of a timer.
pub(super) fn what_is_due(timer: &Timer, peer: &str) -> String {
    let subject = timer.subject.as_deref().unwrap_or_default();
    match timer.what.as_str() {
        "initdead" => format!("{peer} counts as dead if it is not heard before (initdead)"),
        "deadtime" => format!("{peer} counts as dead if it is not heard before (deadtime)"),
        "link" => format!("link {subject} counts as dead if {peer} is not heard there before"),
        "doubt" => format!("what the silence of {peer} is taken for (last_link)"),
        "give-up" => "what this node gives up must be stopped (last_link witness)".into(),
        "fencing" => format!("the devices are asked again to reset {peer}"),
        "unfenced" => format!("the resources of {peer} are taken although it was not reset"),
        "move" => "the planned move fails if it has not begun".into(),
        other => other.to_owned(),
    }
}

/// An incident in a line.
fn in_a_line(incident: &Incident, look: Look, as_of: u64) -> String {
    let lost = look.when(incident.lost / 1000, as_of);
    let Incident { node, peer, .. } = incident;
    let what = match incident.cause.as_str() {
        "stall" => format!("{node} stood still"),
        "unheard" => format!("{peer} did not hear {node}"),
        "told" => format!("{peer} lost {node}"),
        _ => format!("{node} heard nothing of {peer}"),
    };
    let met = match incident.met {
        Some(met) => format!(
            ", met again {} later",
            span(met.saturating_sub(incident.lost))
        ),
        None => ", not met again".into(),
    };
    let both = incident.groups.iter().filter(|groups| groups.both > 0);
    let keys: Vec<&str> = both
        .flat_map(|groups| &groups.keys)
        .map(String::as_str)
        .collect();
    let both = if keys.is_empty() {
        String::new()
    } else {
        format!("; BOTH held {}", some_of(&keys))
    };
    format!("{lost}: {what}{met}{both}")
}
