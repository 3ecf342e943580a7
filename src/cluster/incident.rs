//! An incident: the nodes lost each other, and met again. What each held meanwhile goes into one record, which both nodes
//! make (S7).

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::tenure::{Placed, Tenure};
use super::time::{Instant, Moment};

/// The type of the message that tells of one. A node of heartbeat 3.0.6 is sent none.
pub(super) const KIND: &str = "hb_incident";
/// The arrival of so many heartbeats is remembered.
const REMEMBERED: usize = 32;

/// Two clocks are apart by one part in so many at most.
const DRIFT: u32 = 50;

/// How an incident began, as this node sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The peer fell silent on all links.
    Silence,
    /// This node stood still.
    Stall,
    /// The peer is heard, and has not heard this node for deadtime.
    Unheard,
    /// The peer says that there is one: it did not hear this node, or an earlier run of it.
    Told,
}

impl Cause {
    /// As it goes over the wire.
    pub(super) const fn letter(self) -> char {
        match self {
            Self::Silence => 's',
            Self::Stall => 'p',
            Self::Unheard => 'd',
            Self::Told => 't',
        }
    }

    pub(super) fn parse(letter: &str) -> Option<Self> {
        Some(match letter {
            "s" | "S" => Self::Silence,
            "p" | "P" => Self::Stall,
            "d" | "D" => Self::Unheard,
            "t" | "T" => Self::Told,
            _ => return None,
        })
    }
}

/// What a word about an incident says first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Story {
    pub(super) cause: Cause,
    pub(super) lost: Moment,
    pub(super) begun: Moment,
}

/// What the peer says of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PeerWord {
    /// It has told what it held.
    Told {
        /// How it began there.
        cause: Cause,
        /// When it heard this node last, or stood still.
        lost: Moment,
        /// Since when its daemon runs: what an earlier one held, nobody has noted.
        runs_since: Moment,
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
    pub lost: Moment,
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
    pub(super) lost: Moment,
    /// When this was found out.
    pub(super) begun: Instant,
    /// When each had heard the other again, since they lost each other last.
    pub(super) met: Option<Instant>,
    /// What the peer says, and the tenures that it tells of.
    pub(super) peer: PeerWord,
    pub(super) theirs: Vec<Placed>,
    /// Up to when they go: its word was sent by then.
    pub(super) theirs_until: Instant,
    /// The end of one of them is our guess, and the peer will say better.
    pub(super) has_guessed: bool,
    /// There is something that the peer has not been told.
    pub(super) has_news: bool,
    /// When it was told last.
    pub(super) told: Option<Instant>,
    /// How often, since they have met.
    pub(super) words: u32,
    /// When both were last seen to hold the same.
    pub(super) clashed_at: Option<Instant>,
    /// Groups that both were seen to hold, and when last where the peer did not just ask its script.
    pub(super) clashed: BTreeMap<usize, Option<Instant>>,
}

/// The one that goes on, and what is known of those before.
#[derive(Debug, Default)]
pub(super) struct Incidents {
    pub(super) open: Option<Incident>,
    /// When this run began.
    pub(super) began: Instant,
    /// When the last one was over: what the peer says of it later is no news.
    pub(super) settled: Option<Moment>,
    /// What it was about.
    pub(super) last: Option<Story>,
    /// When a question about one that was over was answered last.
    pub(super) answered: Option<Instant>,
    /// Generation and number of what the peer said last.
    pub(super) heard: (u64, u64),
    /// Numbers of the newest heartbeats of the peer, and when they came.
    heartbeats: VecDeque<(u64, Instant)>,
}

impl Incidents {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            began: now,
            heartbeats: VecDeque::with_capacity(REMEMBERED),
            ..Self::default()
        }
    }

    /// A new heartbeat of the peer has come.
    pub(super) fn note_heartbeat(&mut self, number: u64, now: Instant) {
        if self
            .heartbeats
            .back()
            .is_some_and(|(last, _)| *last >= number)
        {
            self.heartbeats.clear(); // another run counts anew
        }
        if self.heartbeats.len() == REMEMBERED {
            self.heartbeats.pop_front();
        }
        self.heartbeats.push_back((number, now));
    }

    /// The moment before which a message with this number was sent, where a later heartbeat came first.
    pub(super) fn sent_before(&self, number: u64) -> Option<Instant> {
        let mut later = self.heartbeats.iter().filter(|(other, _)| *other > number);
        later.next().map(|(_, at)| *at)
    }
}

impl Incident {
    pub(super) fn new(cause: Cause, lost: Moment, begun: Instant) -> Self {
        Self {
            cause,
            lost,
            begun,
            met: None,
            peer: PeerWord::Nothing,
            theirs: Vec::new(),
            theirs_until: begun,
            has_guessed: false,
            has_news: false,
            told: None,
            words: 0,
            clashed_at: None,
            clashed: BTreeMap::new(),
        }
    }

    pub(super) fn story(&self) -> Story {
        Story {
            cause: self.cause,
            lost: self.lost,
            begun: self.begun.into(),
        }
    }

    /// Since when there is nothing to wait for but words; `None` before the nodes have met.
    pub(super) fn waits_since(&self) -> Option<Instant> {
        let told = self.told.filter(|_| self.peer == PeerWord::Nothing);
        self.met
            .map(|met| Some(met).max(self.clashed_at).max(told).unwrap_or(met))
    }

    /// What the groups with these keys were to whom; `held` are the tenures of this node.
    pub(super) fn groups(
        &self,
        keys: impl Iterator<Item = String>,
        held: &[Placed],
        certain: Duration,
        now: Instant,
    ) -> Vec<HeldGroups> {
        let (mut mine_of, mut theirs_of) = (by_group(held), by_group(&self.theirs));
        let mut groups: Vec<HeldGroups> = Vec::new();
        let mut known: BTreeMap<(Vec<Tenure>, Vec<Tenure>, Duration), usize> = BTreeMap::new();
        for (group, key) in keys.enumerate() {
            let mine = mine_of.remove(&group).unwrap_or_default();
            let theirs = theirs_of.remove(&group).unwrap_or_default();
            if mine.is_empty() && theirs.is_empty() {
                continue;
            }
            let clashed = self.clashed.get(&group).copied().flatten();
            let both = self.overlap(&mine, &theirs, clashed, certain, now);
            let place = *known
                .entry((mine.clone(), theirs.clone(), both))
                .or_insert(groups.len());
            match groups.get_mut(place) {
                Some(alike) => alike.keys.push(key),
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

    /// For how long both held a group, which was last seen so at `clashed`. The end of a tenure of the peer may be known too
    /// late, by as much as `certain`, and one that goes on is sure up to its word. Its begin is known as well as two clocks agree.
    fn overlap(
        &self,
        mine: &[Tenure],
        theirs: &[Tenure],
        clashed: Option<Instant>,
        certain: Duration,
        now: Instant,
    ) -> Duration {
        let pairs = mine
            .iter()
            .flat_map(|mine| theirs.iter().map(move |theirs| (mine, theirs)));
        pairs
            .map(|(mine, theirs)| {
                let until = |tenure: &Tenure| tenure.until.unwrap_or(now.into());
                let since = mine.since.max(theirs.since);
                let word = Moment::from(self.theirs_until);
                let sure = theirs
                    .until
                    .map_or(word, |until| until.less(certain).min(word));
                let was_seen = clashed.is_some_and(|at| since <= at.into());
                let drift = if theirs.since > mine.since {
                    word.since(theirs.since) / DRIFT
                } else {
                    Duration::ZERO
                };
                let is_certain = was_seen || until(mine).min(sure).since(since) > drift;
                let length = until(mine).min(until(theirs)).since(since);
                if is_certain { length } else { Duration::ZERO }
            })
            .sum()
    }
}

fn by_group(all: &[Placed]) -> BTreeMap<usize, Vec<Tenure>> {
    let mut groups: BTreeMap<usize, Vec<Tenure>> = BTreeMap::new();
    for (group, tenure) in all {
        groups.entry(*group).or_default().push(*tenure);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn held(since: u64, until: impl Into<Option<u64>>) -> Tenure {
        Tenure {
            since: at(since).into(),
            until: until.into().map(|until| at(until).into()),
            is_older: false,
        }
    }

    #[test]
    fn what_both_held_at_the_same_time_is_counted_and_a_hand_over_is_not() {
        let second = Duration::from_secs(1);
        let mut incident = Incident::new(Cause::Silence, at(0).into(), at(0));
        incident.theirs_until = at(10_000);
        let both = |mine, theirs, clashed: bool| {
            let clashed = clashed.then_some(at(2000));
            incident.overlap(&[mine], &[theirs], clashed, second, at(10_000))
        };
        let millis = Duration::from_millis;
        assert_eq!(both(held(0, 5000), held(2000, None), false), millis(3000));
        assert_eq!(both(held(2000, None), held(0, 5000), false), millis(3000));
        assert_eq!(both(held(0, 2000), held(2000, None), true), millis(0));
        // The end of a tenure of this node is certain, that of the other's is known only as well as messages travel,
        // and its begin as well as clocks agree.
        assert_eq!(both(held(0, 2200), held(2000, None), false), millis(200));
        assert_eq!(both(held(0, 2100), held(2000, None), false), millis(0));
        assert_eq!(both(held(2000, None), held(0, 2100), false), millis(0));
        assert_eq!(both(held(2000, None), held(0, 2100), true), millis(100));
        assert_eq!(both(held(2000, 2050), held(0, 2100), false), millis(0));
        // Its word is older than what we did.
        let old = |mine| {
            let incident = Incident::new(Cause::Silence, at(0).into(), at(1000));
            incident.overlap(&[mine], &[held(0, None)], None, second, at(10_000))
        };
        assert_eq!(old(held(2000, 3000)), millis(0));
        assert_eq!(old(held(500, 3000)), millis(2500));
        // What was seen before does not make it certain.
        assert_eq!(both(held(2001, None), held(0, 2100), true), millis(0));
        // Heard of in the moment in which it is reckoned up.
        assert_eq!(both(held(9900, None), held(0, 10_000), false), millis(0));
    }

    #[test]
    fn a_message_that_comes_late_was_sent_before_the_heartbeat_that_overtook_it() {
        let mut incidents = Incidents::new(at(0));
        for number in 5..100 {
            incidents.note_heartbeat(number, at(number * 10));
        }
        assert_eq!(incidents.sent_before(90), Some(at(910)));
        assert_eq!(incidents.sent_before(99), None, "it comes in its turn");
        incidents.note_heartbeat(3, at(5000));
        assert_eq!(incidents.sent_before(2), Some(at(5000)));
        assert_eq!(incidents.sent_before(50), None);
    }

    #[test]
    fn groups_that_fared_alike_are_one_entry() {
        let mut incident = Incident::new(Cause::Silence, at(0).into(), at(0));
        incident.theirs_until = at(9000);
        incident.theirs = (0..4).map(|group| (group, held(1000, None))).collect();
        let keys = ["a", "b", "c", "d", "e"].map(String::from).into_iter();
        let groups = incident.groups(
            keys,
            &[(2, held(0, 3000)), (4, held(0, None))],
            Duration::from_secs(1),
            at(9000),
        );
        let told: Vec<_> = groups
            .iter()
            .map(|groups| (groups.keys.join(" "), groups.both.as_millis()))
            .collect();
        let expected = [("a b d", 0), ("c", 2000), ("e", 0)];
        assert_eq!(told, expected.map(|(keys, both)| (keys.to_owned(), both)));
    }
}
