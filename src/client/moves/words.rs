//! What people read while resource groups move.

use std::time::Duration;

use crate::control::{Direction, Group, MoveProgress, Movement, Selection, Status};

/// Groups of one node that are named; of the others there is a number.
const NAMED: usize = 8;

/// The first line.
pub(super) fn opening(direction: Direction, selection: Selection) -> String {
    match direction {
        Direction::Standby => format!("Going standby [{selection}].\n"),
        Direction::Takeover => format!("Taking over [{selection}].\n"),
    }
}

/// The line for a state that has just begun.
pub(super) fn progress(movement: &Movement, status: &Status, elapsed: Duration) -> String {
    format!(
        "{:>7.1} s  {}\n",
        elapsed.as_secs_f64(),
        state(movement, status)
    )
}

/// What is happening, in a few words.
pub(super) fn state(movement: &Movement, status: &Status) -> String {
    let (here, there) = (status.node.as_str(), peer(status));
    let (giver, taker) = match movement.request {
        Direction::Standby => (here, there),
        Direction::Takeover => (there, here),
    };
    match (movement.progress, movement.request) {
        (MoveProgress::Asked, Direction::Standby) => format!("{there} is asked to take them"),
        (MoveProgress::Asked, Direction::Takeover) => format!("{there} is asked to give them"),
        (MoveProgress::Releasing, _) => format!("{giver} stops them"),
        (MoveProgress::Acquiring, _) => format!("{taker} starts them"),
        (MoveProgress::Done, _) => "done".into(),
        (MoveProgress::Failed, _) => "failed".into(),
    }
}

/// The last line: which groups run where.
pub(super) fn placement(status: &Status) -> String {
    let (here, there) = (status.node.as_str(), peer(status));
    let is_there = |group: &Group| group.peer.as_deref() == Some("running");
    let is_here = |group: &Group| group.local == "running";
    let on = |node: &str, runs: &dyn Fn(&Group) -> bool| {
        let keys = status.groups.iter().filter(|group| runs(group));
        format!("{node} runs {}", list(keys.map(|group| group.key.as_str())))
    };
    let mut clauses = vec![on(here, &is_here), on(there, &is_there)];
    let nowhere = |group: &&Group| !is_here(group) && !is_there(group);
    for group in status.groups.iter().filter(nowhere).take(NAMED) {
        clauses.push(format!(
            "{} is {} on {here} and {} on {there}",
            group.key,
            group.local,
            group.peer.as_deref().unwrap_or("unknown")
        ));
    }
    let more = status.groups.iter().filter(nowhere).skip(NAMED).count();
    if more > 0 {
        clauses.push(format!("{more} more groups do not run"));
    }
    format!("Now {}.\n", clauses.join("; "))
}

fn peer(status: &Status) -> &str {
    status
        .nodes
        .iter()
        .find(|node| node.kind == "normal" && node.name != status.node)
        .map_or("the other node", |node| node.name.as_str())
}

fn list<'a>(keys: impl Iterator<Item = &'a str>) -> String {
    let keys: Vec<_> = keys.collect();
    if keys.is_empty() {
        return "nothing".into();
    }
    let named = keys.iter().take(NAMED).copied().collect::<Vec<_>>();
    let named = named.join(", ");
    match keys.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}
