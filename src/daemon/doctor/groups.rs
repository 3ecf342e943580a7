//! Where the groups run, and whether the other node could take them over.

use super::addresses::Owner;
use super::finding::Finding;
use crate::control::{Group, Status};

/// So many groups are named in one list.
const MOST_NAMES: usize = 20;

/// Where it runs.
pub fn owner(group: &Group) -> Owner {
    let is_still = |state: &str| matches!(state, "stopped" | "failed");
    match (group.local.as_str(), group.peer.as_deref()) {
        ("running", None) => Owner::Here,
        ("running", Some(peer)) if is_still(peer) => Owner::Here,
        (local, Some("running")) if is_still(local) => Owner::There,
        (local, None) if is_still(local) => Owner::Nobody,
        (local, Some(peer)) if is_still(local) && is_still(peer) => Owner::Nobody,
        _ => Owner::Unsettled,
    }
}

/// All groups.
pub fn judge(status: &Status, peer: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let groups = &status.groups;
    let count = |owner_is| {
        groups
            .iter()
            .filter(|group| owner(group) == owner_is)
            .count()
    };
    let peer_is_there = status
        .nodes
        .iter()
        .any(|node| node.name == peer && node.status == "active");
    for group in groups {
        found.extend(state(group, peer, peer_is_there));
        found.extend(rivals(group));
    }
    if found.len() > MOST_NAMES {
        let more = found.len().saturating_sub(MOST_NAMES);
        found.truncate(MOST_NAMES);
        let words = format!("{more} more are like these");
        found.push(Finding::problem(
            "groups",
            words,
            "`cl_status rscstatus --json` lists all",
        ));
    }
    if found.is_empty() {
        let (here, there) = (count(Owner::Here), count(Owner::There));
        let words = format!("{here} run here, {there} on {peer}");
        found.push(Finding::ok("groups", words));
    }
    if peer_is_there && !groups.is_empty() {
        takeover(groups, peer, &mut found);
    }
    found
}

/// What is wrong with one.
fn state(group: &Group, peer: &str, peer_is_there: bool) -> Option<Finding> {
    let item = format!("group {}", group.key);
    let (local, theirs) = (group.local.as_str(), group.peer.as_deref());
    if local == "running" && theirs == Some("running") {
        return Some(Finding::problem(
            &item,
            "both nodes run it",
            "one gives it up by itself; the log says which",
        ));
    }
    if local == "unknown" || theirs == Some("unknown") {
        let node = if local == "unknown" { "here" } else { peer };
        return Some(Finding::problem(
            &item,
            format!(
                "not known whether it runs ({node}): it could not be stopped, or nobody has looked yet"
            ),
            "the log of that node says why; stopping it is tried again",
        ));
    }
    if let Some(retry) = &group.retry {
        let next = if retry.frozen {
            "not tried any more"
        } else {
            "tried again later, or by the other node"
        };
        let words = format!("failed to start here {} time(s); {next}", retry.failures);
        return Some(Finding::problem(
            &item,
            words,
            "the log says why; then `hb_takeover`",
        ));
    }
    match owner(group) {
        Owner::Here | Owner::There => None,
        // Where the other node is not there, nothing is known of it.
        Owner::Nobody => Some(Finding::problem(
            &item,
            if peer_is_there {
                "runs on neither node"
            } else {
                "does not run here"
            },
            "the logs of both nodes say why",
        )),
        Owner::Unsettled => Some(Finding::warning(
            &item,
            format!("{local} here, {} on {peer}", theirs.unwrap_or("not known")),
            "ask again in a minute",
        )),
    }
}

fn rivals(group: &Group) -> impl Iterator<Item = Finding> {
    group.rivals.iter().map(|rival| {
        let who = match rival.is_other_node {
            Some(true) => "the other node",
            Some(false) => "a stranger",
            None => "another machine",
        };
        Finding::problem(
            &format!("address {}", rival.address),
            format!(
                "{who} ({}) has claimed it {} time(s), the last {} s ago",
                rival.hardware, rival.claims, rival.seconds_ago
            ),
            "take it away from that machine",
        )
    })
}

/// Whether the node that does not run a group could.
fn takeover(groups: &[Group], peer: &str, found: &mut Vec<Finding>) {
    let item = "takeover";
    let mut count = 0_usize;
    let mut unlooked = 0_usize;
    for group in groups {
        let key = &group.key;
        let finding = match owner(group) {
            Owner::Here => match group.peer_ready {
                Some(true) => None,
                Some(false) => Some(Finding::warning(
                    item,
                    format!("{peer} could not run {key} now"),
                    format!("`heartbeat doctor` on {peer} tells why"),
                )),
                None => {
                    unlooked = unlooked.saturating_add(1);
                    None
                }
            },
            Owner::There => match group.readiness.as_deref() {
                Some("ready") => None,
                Some(why) => Some(Finding::warning(
                    item,
                    format!("this node could not run {key} now: {why}"),
                    "mend that here",
                )),
                None => {
                    unlooked = unlooked.saturating_add(1);
                    None
                }
            },
            Owner::Nobody | Owner::Unsettled => continue,
        };
        count = count.saturating_add(usize::from(finding.is_some()));
        found.extend(finding.filter(|_| count <= MOST_NAMES));
    }
    match (count, unlooked) {
        (0, 0) => found.push(Finding::ok(
            item,
            "the other node of each group could run it now",
        )),
        (0, _) => found.push(Finding::ok(
            item,
            "nothing is known against it; not everything was looked at yet",
        )),
        (count, _) if count > MOST_NAMES => {
            let more = count.saturating_sub(MOST_NAMES);
            found.push(Finding::warning(
                item,
                format!("{more} more groups are like these"),
                "",
            ));
        }
        _ => {}
    }
}
