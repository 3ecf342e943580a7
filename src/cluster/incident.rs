//! An incident: the nodes lost each other, and met again. What each held meanwhile goes into one record, which both nodes
//! make (S7).

use std::collections::BTreeSet;
use std::time::Duration;

use super::tenure::{Placed, Tenure};
use super::time::Instant;

/// The type of the message that tells of one. A node of heartbeat 3.0.6 is sent none.
pub(super) const KIND: &str = "hb_incident";
/// Of the tenures that ended while an incident lasts, so many are kept: a group that can't be started has many.
const MOST_ENDED: usize = 1000;
/// What the peer tells of its past reaches us late by what its message took. An overlap that rests on that alone counts from
/// this length on.
const CERTAIN: Duration = Duration::from_secs(1);

/// How an incident began, as this node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The peer fell silent on all links.
    Silence,
    /// This node stood still.
    Stall,
    /// The peer says that there is one: it did not hear this node, or had taken over from an earlier run of it.
    Told,
}

/// What the peer says of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerWord {
    /// It has told what it held.
    Told {
        /// How it began there.
        cause: Cause,
        /// When it heard this node last, or stood still.
        lost: Instant,
        /// Since when its daemon runs: what an earlier one held, nobody has noted.
        runs_since: Instant,
        /// It held more than it could tell.
        has_more: bool,
    },
    /// Its files differ, so its groups have no names here.
    OtherFiles,
    /// It runs heartbeat 3.0.6, which keeps no record.
    Classic,
    /// Nothing: it was not heard again, or said nothing.
    Nothing,
}

/// Groups that were held from when to when by whom, all alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldGroups {
    /// Which groups.
    pub keys: Vec<String>,
    /// When this node held each of them.
    pub mine: Vec<Tenure>,
    /// When the peer did, by its own word.
    pub theirs: Vec<Tenure>,
    /// For how long both did at the same time; zero where that is not certain.
    pub both: Duration,
}

/// All that one node knows of an incident once it is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentRecord {
    /// Name of the peer.
    pub node: String,
    /// How it began.
    pub cause: Cause,
    /// When the peer was heard last, or this node stood still.
    pub lost: Instant,
    /// When each had heard the other again; `None` where this node stops before.
    pub met: Option<Instant>,
    /// When nothing was held by both any more.
    pub settled: Instant,
    /// What the peer says.
    pub peer: PeerWord,
    /// The groups that either held meanwhile.
    pub groups: Vec<HeldGroups>,
}

/// One that is not over.
#[derive(Debug)]
pub(super) struct Incident {
    pub(super) cause: Cause,
    pub(super) lost: Instant,
    /// When each had heard the other again, since they lost each other last.
    pub(super) met: Option<Instant>,
    /// Tenures of this node that have ended since `lost`, with their groups.
    pub(super) ended: Vec<Placed>,
    /// What the peer says, and the tenures that it tells of.
    pub(super) peer: PeerWord,
    pub(super) theirs: Vec<Placed>,
    /// Groups that both were seen to hold.
    pub(super) clashed: BTreeSet<usize>,
}

/// The one that goes on, and what is known of those before.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    pub(super) open: Option<Incident>,
    /// When this run began.
    pub(super) began: Instant,
    /// When the last one was over: what the peer says of it later is no news.
    pub(super) settled: Instant,
    /// Generation and number of what the peer said last.
    pub(super) heard: (u64, u64),
}

impl Incidents {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            ..Self::default()
        }
    }
}

impl Incident {
    pub(super) fn new(cause: Cause, lost: Instant) -> Self {
        Self {
            cause,
            lost,
            met: None,
            ended: Vec::new(),
            peer: PeerWord::Nothing,
            theirs: Vec::new(),
            clashed: BTreeSet::new(),
        }
    }

    pub(super) fn has_ended(&mut self, placed: Placed) {
        if self.ended.len() < MOST_ENDED {
            self.ended.push(placed);
        }
    }

    /// What the groups with these keys were to whom; `held` are the tenures of this node that go on.
    pub(super) fn groups(
        &self,
        keys: impl Iterator<Item = String>,
        held: &[Placed],
        now: Instant,
    ) -> Vec<HeldGroups> {
        let mut groups: Vec<HeldGroups> = Vec::new();
        for (group, key) in keys.enumerate() {
            let of = |all: &[Placed]| {
                let own = all.iter().filter(|(place, _)| *place == group);
                own.map(|(_, tenure)| *tenure).collect::<Vec<_>>()
            };
            let (mut mine, theirs) = (of(&self.ended), of(&self.theirs));
            mine.extend(of(held));
            if mine.is_empty() && theirs.is_empty() {
                continue;
            }
            let both = overlap(&mine, &theirs, self.clashed.contains(&group), now);
            let alike = groups
                .iter_mut()
                .find(|known| known.mine == mine && known.theirs == theirs && known.both == both);
            match alike {
                Some(known) => known.keys.push(key),
                None => groups.push(HeldGroups {
                    keys: vec![key],
                    mine,
                    theirs,
                    both,
                }),
            }
        }
        groups
    }
}

/// For how long both held a group. Where `clashed`, they were seen to.
fn overlap(mine: &[Tenure], theirs: &[Tenure], clashed: bool, now: Instant) -> Duration {
    let pairs = mine
        .iter()
        .flat_map(|mine| theirs.iter().map(move |theirs| (mine, theirs)));
    pairs
        .map(|(mine, theirs)| {
            let until = |tenure: &Tenure| tenure.until.unwrap_or(now);
            let end = until(mine).min(until(theirs));
            let length = end.since(mine.since.max(theirs.since));
            let is_certain = clashed || until(mine) == end || length >= CERTAIN;
            if is_certain { length } else { Duration::ZERO }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn held(since: u64, until: impl Into<Option<u64>>) -> Tenure {
        Tenure {
            since: at(since),
            until: until.into().map(at),
            is_older: false,
        }
    }

    #[test]
    fn what_both_held_at_the_same_time_is_counted_and_a_hand_over_is_not() {
        let both = |mine, theirs, clashed| overlap(&[mine], &[theirs], clashed, at(10_000));
        let millis = Duration::from_millis;
        assert_eq!(both(held(0, 5000), held(2000, None), false), millis(3000));
        assert_eq!(both(held(2000, None), held(0, 5000), false), millis(3000));
        assert_eq!(both(held(0, 2000), held(2000, None), true), millis(0));
        // The end of a tenure of this node is certain, that of the other's is known only as well as messages travel.
        assert_eq!(both(held(0, 2100), held(2000, None), false), millis(100));
        assert_eq!(both(held(2000, None), held(0, 2100), false), millis(0));
        assert_eq!(both(held(2000, None), held(0, 2100), true), millis(100));
    }

    #[test]
    fn groups_that_fared_alike_are_one_entry() {
        let mut incident = Incident::new(Cause::Silence, at(0));
        incident.theirs = (0..4).map(|group| (group, held(1000, None))).collect();
        incident.has_ended((2, held(0, 3000)));
        let keys = ["a", "b", "c", "d", "e"].map(String::from).into_iter();
        let groups = incident.groups(keys, &[(4, held(0, None))], at(9000));
        let told: Vec<_> = groups
            .iter()
            .map(|groups| (groups.keys.join(" "), groups.both.as_millis()))
            .collect();
        let expected = [("a b d", 0), ("c", 2000), ("e", 0)];
        assert_eq!(told, expected.map(|(keys, both)| (keys.to_owned(), both)));
    }
}
