//! Adds to the status what explains it: since when, why, and what is waited for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clock;
use super::journal::Journal;
use super::settings::links;
use super::status::wall;
use crate::cluster::claims::Claim;
use crate::cluster::policy::Relation;
use crate::cluster::{Cluster, GroupId, Wait};
use crate::config::Config;
use crate::control::{Peer, Reasons, Status, Timer};

/// Fills in what the status does not have yet.
pub fn add(status: &mut Status, config: &Config, cluster: &Cluster, journal: &Journal) {
    let [local, peer] = journal.nodes_since();
    for node in status.nodes.iter_mut().filter(|node| node.kind == "normal") {
        let since = if node.name == status.node {
            local
        } else {
            peer
        };
        node.since = Some(since.as_secs());
    }
    let ids: BTreeMap<&str, u32> = cluster.group_keys().zip(0..).collect();
    for group in &mut status.groups {
        if let Some(id) = ids.get(group.key.as_str()) {
            group.reasons = reasons(&group.key, GroupId(*id), cluster, journal);
        }
    }
    status.peer = Some(other_node(cluster));
    status.timers = timers(config, cluster);
}

fn reasons(key: &str, id: GroupId, cluster: &Cluster, journal: &Journal) -> Reasons {
    let memory = journal.of(key);
    let inputs = cluster.group_inputs(id);
    let claim = |claim: Option<Claim>| claim.map(|claim| claim.word().to_owned());
    Reasons {
        since: inputs
            .and_then(|inputs| inputs.held)
            .map(|tenure| wall_of(tenure.since)),
        peer_since: memory.peer_since().map(|since| since.as_secs()),
        claim: claim(inputs.and_then(|inputs| inputs.mine)),
        peer_claim: claim(inputs.and_then(|inputs| inputs.theirs)),
        is_taken: matches!(
            inputs.and_then(|inputs| inputs.mine),
            Some(Claim::Held { taken: true, .. })
        ),
        is_unfit: inputs.is_some_and(|inputs| inputs.is_unfit),
        decision: memory.decision,
        outcome: memory.outcome,
    }
}

/// A moment, which may be before the boot of this machine, in seconds since 1970.
fn wall_of(moment: crate::cluster::Moment) -> u64 {
    let now = crate::cluster::Moment::from(clock::now());
    let at = (clock::wall() + moment.since(now)).saturating_sub(now.since(moment));
    at.as_secs()
}

fn other_node(cluster: &Cluster) -> Peer {
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let now = clock::now();
    Peer {
        program: match cluster.peer_is_classic() {
            Some(true) => "heartbeat-3.0.6",
            Some(false) => "heartbeat-rs",
            None => "unknown",
        }
        .into(),
        heard_ago: cluster.peer_heard().map(|heard| millis(now.since(heard))),
        deadtime: millis(cluster.peer_deadtime()),
        relation: match cluster.relation() {
            Relation::Unheard => "unheard",
            Relation::Deaf { .. } => "deaf",
            Relation::Talking => "talking",
            Relation::Halves { .. } => "halves",
            Relation::InDoubt => "in-doubt",
            Relation::Gone { died: true } => "dead",
            Relation::Gone { died: false } => "left",
        }
        .into(),
        is_leaving: cluster.peer_is_leaving(),
        files_agree: cluster.files_agree(),
    }
}

fn timers(config: &Config, cluster: &Cluster) -> Vec<Timer> {
    let names = links(config);
    let timer = |(wait, at)| {
        let (what, subject) = match wait {
            Wait::NeverHeard => ("initdead", None),
            Wait::PeerDead => ("deadtime", None),
            Wait::LinkDead(link) => ("link", names.get(usize::from(link.0)).cloned()),
            Wait::Doubt => ("doubt", None),
            Wait::GiveUp => ("give-up", None),
            Wait::Fencing => ("fencing", None),
            Wait::Unfenced => ("unfenced", None),
            Wait::Move => ("move", None),
        };
        Timer {
            what: what.into(),
            subject,
            at: wall(at),
        }
    };
    cluster.waits().into_iter().map(timer).collect()
}
