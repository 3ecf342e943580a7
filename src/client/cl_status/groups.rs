//! Which node has which groups, on the screen of `status`: those alike share a line, and trouble comes first.

use super::look::{Look, Mark, count};
use super::place::{Place, peer_name, place, some_of};
use super::troubles::of_group;
use crate::control::{Group, Status};

/// So many lines of groups.
const MOST_LINES: usize = 40;

/// The part of the screen that tells where the groups are.
pub(super) fn groups(status: &Status, look: Look, out: &mut String) {
    let number = |wanted: &[Place]| {
        let all = status.groups.iter();
        all.filter(|group| wanted.contains(&place(status, group)))
            .count()
    };
    let mut parts = vec![
        format!(
            "{} on {}",
            number(&[Place::Here, Place::Stuck]),
            status.node
        ),
        format!("{} on {}", number(&[Place::There]), peer_name(status)),
    ];
    for (places, what) in [
        (&[Place::Both][..], "on BOTH"),
        (&[Place::Nowhere], "on NO node"),
        (&[Place::Moving], "moving"),
        (&[Place::Unknown], "not known"),
    ] {
        let count = number(places);
        if count > 0 {
            parts.push(format!("{count} {what}"));
        }
    }
    look.title(out, &format!("GROUPS: {}", parts.join(", ")));
    let folds = folded(status);
    for fold in folds.iter().take(MOST_LINES) {
        let since = match fold.since {
            Some((first, last)) if first == last => {
                format!(" since {}", look.when(first, status.heartbeat_as_of))
            }
            Some((first, _)) => {
                format!(
                    " since {} or later",
                    look.when(first, status.heartbeat_as_of)
                )
            }
            None => String::new(),
        };
        let text = format!("{}: {}{since}", some_of(&fold.keys), fold.head);
        look.line(out, fold.mark, &text);
        for note in &fold.notes {
            look.note(out, note);
        }
    }
    if folds.len() > MOST_LINES {
        let others = folds.iter().skip(MOST_LINES).map(|fold| fold.keys.len());
        let text = format!(
            "and {} in other states: --json",
            count(others.sum(), "group")
        );
        look.line(out, Mark::Fine, &text);
    }
}

/// Groups that look alike.
struct Fold<'a> {
    mark: Mark,
    head: String,
    notes: Vec<String>,
    keys: Vec<&'a str>,
    since: Option<(u64, u64)>,
}

fn folded(status: &Status) -> Vec<Fold<'_>> {
    let mut folds: Vec<Fold<'_>> = Vec::new();
    for group in &status.groups {
        let (mark, head, since) = head(status, group);
        let notes = notes(status, group);
        let alike = folds
            .iter_mut()
            .find(|fold| fold.mark == mark && fold.head == head && fold.notes == notes);
        match alike {
            Some(fold) => {
                fold.keys.push(&group.key);
                fold.since = match (fold.since, since) {
                    (Some((first, last)), Some(since)) => Some((first.min(since), last.max(since))),
                    (known, since) => known.or(since.map(|since| (since, since))),
                };
            }
            None => folds.push(Fold {
                mark,
                head,
                notes,
                keys: vec![&group.key],
                since: since.map(|since| (since, since)),
            }),
        }
    }
    folds.sort_by_key(|fold| fold.mark);
    folds
}

/// Where a group is, and since when.
fn head(status: &Status, group: &Group) -> (Mark, String, Option<u64>) {
    let (node, peer) = (&status.node, peer_name(status));
    let (here, there) = (group.reasons.since, group.reasons.peer_since);
    let is_troubled = !of_group(status, group).is_empty();
    let waits = group.failback.is_some() || group.retry.is_some();
    let fine = match (is_troubled, waits) {
        (true, _) => Mark::Trouble,
        (false, true) => Mark::Change,
        (false, false) => Mark::Fine,
    };
    let theirs = group.peer.as_deref().unwrap_or("not known");
    match place(status, group) {
        Place::Here => (fine, format!("on {node}"), here),
        Place::There => (fine, format!("on {peer}"), there),
        Place::Both => {
            let states = format!("on BOTH ({} on {node}, {theirs} on {peer})", group.local);
            (Mark::Trouble, states, None)
        }
        Place::Moving => {
            let states = format!("moving ({} on {node}, {theirs} on {peer})", group.local);
            (fine.min(Mark::Change), states, None)
        }
        Place::Nowhere if !status.communicating => (Mark::Change, "not started yet".into(), None),
        Place::Nowhere => {
            let states = format!("on NO node ({} on {node}, {theirs} on {peer})", group.local);
            (Mark::Trouble, states, None)
        }
        Place::Stuck if !status.communicating => (Mark::Change, format!("may run on {node}"), None),
        Place::Stuck => (Mark::Trouble, format!("STUCK on {node}"), here),
        Place::Unknown => {
            let states = format!("not on {node}; on {peer} not known");
            (fine.min(Mark::Change), states, None)
        }
    }
}

/// Why it is there, what is wrong, and what it waits for.
fn notes(status: &Status, group: &Group) -> Vec<String> {
    let mut notes = of_group(status, group);
    let place = place(status, group);
    if matches!(
        place,
        Place::Both | Place::Nowhere | Place::Stuck | Place::Unknown
    ) && !notes.is_empty()
    {
        notes.remove(0); // that is what the line itself says
    }
    if let Some(decision) = &group.reasons.decision {
        let is_here = matches!(place, Place::Here | Place::Moving | Place::Both);
        match decision.step.as_str() {
            "start" if is_here => notes.push(format!("why: {}", decision.reason)),
            "stop" if matches!(place, Place::Moving | Place::Stuck | Place::Both) => {
                notes.push(format!("given up here: {}", decision.reason));
            }
            "stop" => notes.push(format!("was given up here: {}", decision.reason)),
            _ => {}
        }
    }
    if let Some(failback) = &group.failback {
        notes.push(format!(
            "returns to {} once {}",
            group.preferred, failback.awaits
        ));
    }
    if let Some(retry) = group.retry.as_ref().filter(|retry| !retry.frozen) {
        let what = match retry.next {
            Some(_) => "is tried here again",
            None => "is left to the other node",
        };
        let times = count(
            usize::try_from(retry.failures).unwrap_or(usize::MAX),
            "time",
        );
        notes.push(format!("failed here {times} in a row and {what}"));
    }
    notes
}
