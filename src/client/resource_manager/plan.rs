//! Which planned move brings one group where it is wanted. Planned moves know halves: the groups that prefer one node.
//! So a group moves by itself only when no other group of its half would move along.

use crate::control::{Direction, Group, Selection, Status};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// It is so already.
    Nothing,
    Move(Selection),
    /// With reason and remedy.
    Refuse(String),
}

/// How to move the group with this key.
pub(super) fn plan(direction: Direction, key: &str, status: &Status) -> Plan {
    let Some(group) = status.groups.iter().find(|group| group.key == key) else {
        return Plan::Refuse(no_group(key));
    };
    let is_here = group.local != "stopped";
    match direction {
        Direction::Takeover if group.local == "running" => return Plan::Nothing,
        Direction::Standby if !is_here => return Plan::Nothing,
        Direction::Takeover if is_here => {
            let state = &group.local;
            return Plan::Refuse(format!(
                "{key} is {state} here: heartbeat is at it, or its log says why not"
            ));
        }
        Direction::Takeover if group.peer.as_deref() == Some("stopped") => {
            return Plan::Refuse(format!(
                "{key} runs on neither node; heartbeat starts it where it may run, and its log says why it does not"
            ));
        }
        Direction::Takeover | Direction::Standby => {}
    }
    let others: Vec<_> = status
        .groups
        .iter()
        .filter(|other| other.key != key && other.preferred == group.preferred)
        .filter(|other| moves_along(direction, other))
        .map(|other| other.key.as_str())
        .collect();
    let selection = if group.preferred == status.node {
        Selection::Local
    } else {
        Selection::Foreign
    };
    if others.is_empty() {
        Plan::Move(selection)
    } else {
        let command = match direction {
            Direction::Takeover => "hb_takeover",
            Direction::Standby => "hb_standby",
        };
        Plan::Refuse(format!(
            "{} would move with it, because groups that prefer the same node move together. To move them all: \
             {command} {selection}",
            others.join(", ")
        ))
    }
}

pub(super) fn no_group(key: &str) -> String {
    format!("no resource group {key} in haresources; ResourceManager allkeys shows their names")
}

fn moves_along(direction: Direction, other: &Group) -> bool {
    let is_here = other.local != "stopped";
    match direction {
        Direction::Takeover => !is_here,
        Direction::Standby => is_here,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Reasons;
    use Direction::{Standby, Takeover};

    fn status(groups: &[(&str, &str, &str, Option<&str>)]) -> Status {
        let group = |&(key, preferred, local, peer): &(&str, &str, &str, Option<&str>)| Group {
            key: key.into(),
            preferred: preferred.into(),
            resources: vec![key.into()],
            local: local.into(),
            peer: peer.map(str::to_owned),
            monitors: Vec::new(),
            failback: None,
            retry: None,
            readiness: None,
            peer_ready: None,
            carrier: None,
            peer_carrier: None,
            rivals: Vec::new(),
            reasons: Reasons::default(),
        };
        Status {
            version: String::new(),
            heartbeat_as_of: 0,
            since: 0,
            node: "here".into(),
            uuid: String::new(),
            generation: 1,
            communicating: true,
            holdings: "all".into(),
            nodes: Vec::new(),
            groups: groups.iter().map(group).collect(),
            movement: None,
            fencing: None,
            jeopardy: None,
            last_link: None,
            agreement: None,
            peer_ethernet: Vec::new(),
            maintenance: None,
            watchdog: None,
            peer: None,
            timers: Vec::new(),
            parameters: Vec::new(),
        }
    }

    #[test]
    fn a_group_moves_when_it_moves_alone() {
        let status = status(&[
            ("ours", "here", "running", Some("stopped")),
            ("theirs", "there", "stopped", Some("running")),
            ("theirs-here", "there", "running", Some("stopped")),
        ]);
        for (direction, key, expected) in [
            (Takeover, "ours", Plan::Nothing),
            (Standby, "ours", Plan::Move(Selection::Local)),
            (Takeover, "theirs", Plan::Move(Selection::Foreign)),
            (Standby, "theirs", Plan::Nothing),
            (Standby, "theirs-here", Plan::Move(Selection::Foreign)),
        ] {
            assert_eq!(
                plan(direction, key, &status),
                expected,
                "{direction:?} {key}"
            );
        }
    }

    #[test]
    fn a_group_that_would_take_others_along_stays() {
        let status = status(&[
            ("one", "here", "running", Some("stopped")),
            ("two", "here", "running", Some("stopped")),
            ("three", "here", "failed", Some("stopped")),
        ]);
        let Plan::Refuse(reason) = plan(Direction::Standby, "one", &status) else {
            panic!("moves others");
        };
        assert!(
            reason.starts_with("two, three would move with it"),
            "{reason}"
        );
        assert!(reason.ends_with("hb_standby local"), "{reason}");
    }

    #[test]
    fn what_nobody_has_or_knows_is_not_moved() {
        let status = status(&[
            ("failed", "here", "failed", Some("stopped")),
            ("nowhere", "here", "stopped", Some("stopped")),
            ("old-peer", "there", "stopped", None),
        ]);
        for (key, expected) in [
            ("failed", "failed is failed here"),
            ("nowhere", "nowhere runs on neither node"),
            ("missing", "no resource group missing in haresources"),
        ] {
            let Plan::Refuse(reason) = plan(Direction::Takeover, key, &status) else {
                panic!("{key} moves");
            };
            assert!(reason.starts_with(expected), "{reason}");
        }
        // A peer of 3.0.6 does not tell: the daemon knows.
        let planned = plan(Direction::Takeover, "old-peer", &status);
        assert_eq!(planned, Plan::Move(Selection::Foreign));
    }
}
