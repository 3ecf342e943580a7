//! What this run remembers of its own decisions, for those who ask why: of each group the last one, with what was known
//! then, and since when each node is what it is.

use std::collections::BTreeMap;
use std::time::Duration;

use super::clock;
use super::events::EventLog;
use crate::cluster::policy::{Reason, Relation};
use crate::cluster::{Cluster, FencingStage, GroupId, GroupState, NodeStatus, Report, Severity};
use crate::control::{Decision, Incident, Outcome};
use crate::os::local_time;

/// So many sentences of an incident are events; `cl_status incidents` has all.
const MOST_LINES: usize = 5;

/// What is remembered of a group.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// The last decision about it.
    pub decision: Option<Decision>,
    /// What was last told of it.
    pub outcome: Option<Outcome>,
    /// What the peer says of it, and since when.
    peer: Option<(GroupState, Duration)>,
}

impl Memory {
    /// Since when the peer says what it says; time since 1970.
    pub fn peer_since(&self) -> Option<Duration> {
        self.peer.map(|(_, since)| since)
    }
}

/// What this run remembers.
#[derive(Debug)]
pub struct Journal {
    /// What has happened.
    pub events: EventLog,
    names: [String; 2],
    groups: BTreeMap<String, Memory>,
    /// This node and the other, each with what it is and since when.
    nodes: [(NodeStatus, Duration); 2],
}

impl Journal {
    /// Nothing has happened yet between these two, of which the first is this node.
    pub fn new(local: &str, peer: &str) -> Self {
        Self {
            events: EventLog::default(),
            names: [local.into(), peer.into()],
            groups: BTreeMap::new(),
            nodes: [(NodeStatus::Init, clock::wall()); 2],
        }
    }

    /// Of this group; nothing where nothing was decided or told.
    pub fn of(&self, key: &str) -> Memory {
        self.groups.get(key).cloned().unwrap_or_default()
    }

    /// Since when this node and the other have their status; time since 1970.
    pub fn nodes_since(&self) -> [Duration; 2] {
        self.nodes.map(|(_, since)| since)
    }

    /// The core has told this.
    pub fn note(&mut self, report: &Report, cluster: &Cluster) {
        let now = clock::wall();
        let text = report.to_string();
        let group = report.group();
        self.note_event(now, report.severity(), group, &text);
        let Some(key) = group else { return };
        let decided = match report {
            Report::GroupStarting { reason, .. } => Some(("start", *reason)),
            Report::GroupStopping { reason, .. } => Some(("stop", *reason)),
            _ => None,
        };
        let decision = decided.map(|(step, reason)| Decision {
            at: millis(now),
            step: step.into(),
            reason: reason.to_string(),
            evidence: self.evidence(key, reason, cluster),
        });
        let memory = self.groups.entry(key.into()).or_default();
        if decision.is_some() {
            memory.decision = decision;
        } else {
            let prefix = format!("Resource group {key}: ");
            let text = text.strip_prefix(&prefix).unwrap_or(&text);
            memory.outcome = Some(Outcome {
                at: millis(now),
                text: text.into(),
            });
        }
    }

    /// The nodes had lost each other.
    pub fn note_incident(&mut self, incident: &Incident) {
        let now = clock::wall();
        for sentence in incident
            .sentences(local_time::moment)
            .iter()
            .take(MOST_LINES)
        {
            let severity = if sentence.is_alarm {
                Severity::Crit
            } else {
                Severity::Info
            };
            let text = format!("Incident: {}", sentence.text);
            self.note_event(now, severity, None, &text);
        }
    }

    /// Something else was told.
    pub fn note_event(
        &mut self,
        now: Duration,
        severity: Severity,
        group: Option<&str>,
        text: &str,
    ) {
        if severity > Severity::Debug {
            self.events.note(now, severity, group, text);
        }
    }

    /// Notices since when each node is what it is; to be called after reports and now and then.
    pub fn look(&mut self, cluster: &Cluster) {
        let now = clock::wall();
        let found = [cluster.local_status(), cluster.peer_status()];
        for (node, status) in self.nodes.iter_mut().zip(found) {
            if node.0 != status {
                *node = (status, now);
            }
        }
        let mut keys = 0_usize;
        for (key, id) in cluster.group_keys().zip(0..) {
            keys += 1;
            let state = cluster.group(GroupId(id)).peer;
            match (self.groups.get_mut(key), state) {
                (Some(memory), state) if memory.peer.map(|(known, _)| known) != state => {
                    memory.peer = state.map(|state| (state, now));
                }
                (None, Some(state)) => {
                    let memory = Memory {
                        peer: Some((state, now)),
                        ..Memory::default()
                    };
                    self.groups.insert(key.into(), memory);
                }
                _ => {}
            }
        }
        if self.groups.len() > keys.saturating_mul(2).saturating_add(8) {
            let known: Vec<&str> = cluster.group_keys().collect();
            self.groups.retain(|key, _| known.contains(&key.as_str())); // reloads have left the others behind
        }
    }

    /// What is known now and speaks for a decision.
    fn evidence(&self, key: &str, reason: Reason, cluster: &Cluster) -> Vec<String> {
        let [_, peer] = &self.names;
        let mut evidence = vec![standing(cluster, peer)];
        if cluster.fencing_stage() == FencingStage::Done {
            evidence.push(format!("{peer} was reset, or counts as that"));
        }
        let id = cluster.group_keys().position(|known| known == key);
        let id = id.and_then(|index| u32::try_from(index).ok()).map(GroupId);
        let Some((id, inputs)) = id.and_then(|id| Some((id, cluster.group_inputs(id)?))) else {
            return evidence;
        };
        if let Some(claim) = inputs.theirs {
            evidence.push(format!("{peer} claims: {}", claim.word()));
        }
        let preferred = &self.names[usize::from(!inputs.is_preferred)];
        evidence.push(format!("its preferred node is {preferred}"));
        if let (Reason::Retry, Some(retry)) = (reason, cluster.retry_of(id)) {
            evidence.push(format!(
                "it has failed here {} times in a row",
                retry.failures
            ));
        }
        if reason == Reason::NoCarrier {
            let (here, there) = cluster.carriers_of(id);
            for (node, state) in self.names.iter().zip([here, there]) {
                if let Some(state) = state {
                    evidence.push(format!("the carrier of its interface on {node} is {state}"));
                }
            }
        }
        evidence
    }
}

/// How we stand with the peer, in words.
fn standing(cluster: &Cluster, peer: &str) -> String {
    match cluster.relation() {
        Relation::Unheard => format!("{peer} has not told yet what it holds"),
        Relation::Deaf { .. } => format!("{peer} is heard and does not hear this node"),
        Relation::Talking => format!("{peer} is heard and hears this node"),
        Relation::Halves { .. } => {
            format!("{peer} runs heartbeat 3.0.6 and has told what it holds")
        }
        Relation::InDoubt => format!("{peer} is silent and may be alive"),
        Relation::Gone { died: false } => format!("{peer} has stopped and holds nothing"),
        Relation::Gone { died: true } => match cluster.peer_heard() {
            Some(heard) => format!(
                "{peer} was last heard {} s before; its deadtime is {} s",
                seconds(clock::now().since(heard)),
                seconds(cluster.peer_deadtime())
            ),
            None => format!("{peer} was not heard since this node started"),
        },
    }
}

fn seconds(time: Duration) -> String {
    format!("{}.{:03}", time.as_secs(), time.subsec_millis())
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
