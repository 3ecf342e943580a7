//! Ping nodes: hosts outside the pair whose answers tell whether this node has a network.
//!
//! They are no members. They keep nobody alive, hold up no start, and own nothing. How many of them answer is what
//! `ipfail` compares between the nodes.

use std::fmt;
use std::time::Duration;

use super::PingId;
use super::settings::PingSettings;
use super::time::Instant;

/// The status of a ping node, in the words of `cl_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PingStatus {
    /// Has not answered in this run, and has time yet.
    Init,
    /// Answers.
    Ping,
    /// Has not answered for deadping.
    Dead,
}

impl fmt::Display for PingStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Init => "init",
            Self::Ping => "ping",
            Self::Dead => "dead",
        })
    }
}

/// How many ping nodes a node sees. Those that belong to the pair itself are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PingCounts {
    /// Those that are not silent for deadping.
    pub answering: u32,
    /// Those of them that have answered steadily, and within the last moments.
    pub fresh: u32,
    /// Those that are configured.
    pub all: u32,
}

impl fmt::Display for PingCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.answering, self.fresh, self.all)
    }
}

impl PingCounts {
    /// From the field of a heartbeat; words that follow are for a later version and ignored. `None` when it is not
    /// well-formed.
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(' ').map(|word| {
            let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| word.parse().ok()).flatten()
        });
        let mut next = || numbers.next().flatten();
        let counts = Self {
            answering: next()?,
            fresh: next()?,
            all: next()?,
        };
        let is_possible = counts.fresh <= counts.answering && counts.answering <= counts.all;
        is_possible.then_some(counts)
    }
}

/// What an answer changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    /// The ping node did not answer before.
    pub(super) came_up: bool,
    /// Since its last answer in this run.
    pub(super) interval: Option<Duration>,
}

/// All ping nodes as this node sees them.
#[derive(Debug, Clone)]
pub(super) struct PingNodes {
    nodes: Vec<PingNode>,
    deadping: Duration,
    /// Since when one that never answered is waited for, and how long.
    started: Instant,
    initdead: Duration,
}

#[derive(Debug, Clone)]
struct PingNode {
    name: String,
    counts: bool,
    status: PingStatus,
    answered: Option<Instant>,
    /// When it last came up.
    up_since: Instant,
}

impl PingNodes {
    /// None has answered yet.
    pub(super) fn new(settings: &PingSettings, initdead: Duration, now: Instant) -> Self {
        let nodes = settings.nodes.iter().map(|node| PingNode {
            name: node.name.clone(),
            counts: node.counts,
            status: PingStatus::Init,
            answered: None,
            up_since: now,
        });
        Self {
            nodes: nodes.collect(),
            deadping: settings.deadping,
            started: now,
            initdead: initdead.max(settings.deadping),
        }
    }

    /// From now on one that is silent for so long is dead, or for `initdead` where it never answered.
    pub(super) fn set_deadping(&mut self, deadping: Duration, initdead: Duration) {
        self.deadping = deadping;
        self.initdead = initdead.max(deadping);
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// A host of this ping node has answered; `None` when there is no such ping node.
    pub(super) fn answer(&mut self, id: PingId, now: Instant) -> Option<Answer> {
        let node = self.nodes.get_mut(usize::from(id.0))?;
        let before = std::mem::replace(&mut node.status, PingStatus::Ping);
        let last = node.answered.replace(now);
        let came_up = before != PingStatus::Ping;
        if came_up {
            node.up_since = now;
        }
        Some(Answer {
            came_up,
            interval: last.map(|last| now.since(last)),
        })
    }

    /// We did not run, and asked nobody, for so long: that silence was ours.
    pub(super) fn excuse_silence(&mut self, pause: Duration) {
        self.started = self.started + pause;
        for node in &mut self.nodes {
            node.answered = node.answered.map(|at| at + pause);
        }
    }

    /// The next ping node that has been silent for too long, each once.
    pub(super) fn take_silent(&mut self, now: Instant) -> Option<PingId> {
        let index = self
            .nodes
            .iter()
            .position(|node| self.silent_at(node).is_some_and(|at| at <= now))?;
        self.nodes.get_mut(index)?.status = PingStatus::Dead;
        u8::try_from(index).ok().map(PingId)
    }

    /// When the next one will have been.
    pub(super) fn next_silence(&self) -> Option<Instant> {
        let times = self.nodes.iter().filter_map(|node| self.silent_at(node));
        times.min()
    }

    /// When one that counts answered last, or since when an answer of the first one is waited for; `None` where none
    /// counts.
    pub(super) fn last_answer(&self) -> Option<Instant> {
        let counting = self.nodes.iter().filter(|node| node.counts);
        counting
            .map(|node| node.answered.unwrap_or(self.started))
            .max()
    }

    /// How many answer; `recently` is as old as a fresh answer may be. One that came up counts as fresh after twice
    /// that time: what answers for a moment only, the other node may have missed.
    pub(super) fn counts(&self, recently: Duration, now: Instant) -> PingCounts {
        let mut counts = PingCounts::default();
        let long = recently * 2;
        for node in self.nodes.iter().filter(|node| node.counts) {
            let answers = node.status == PingStatus::Ping;
            let is_steady = now.since(node.up_since) >= long;
            let is_fresh = node.answered.is_some_and(|at| now.since(at) <= recently) && is_steady;
            counts.all += 1;
            counts.answering += u32::from(answers);
            counts.fresh += u32::from(answers && is_fresh);
        }
        counts
    }

    /// What is known of one; `Init` when there is no such ping node.
    pub(super) fn status(&self, id: PingId) -> PingStatus {
        let node = self.nodes.get(usize::from(id.0));
        node.map_or(PingStatus::Init, |node| node.status)
    }

    /// Its name.
    pub(super) fn name(&self, id: PingId) -> String {
        let node = self.nodes.get(usize::from(id.0));
        node.map(|node| node.name.clone()).unwrap_or_default()
    }

    fn silent_at(&self, node: &PingNode) -> Option<Instant> {
        match (node.status, node.answered) {
            (PingStatus::Dead, _) => None,
            (_, Some(at)) => Some(at + self.deadping),
            (_, None) => Some(self.started + self.initdead),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::settings::PingNodeSettings;
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn nodes(counts: &[bool]) -> PingNodes {
        let settings = PingSettings {
            nodes: counts
                .iter()
                .map(|&counts| PingNodeSettings {
                    name: "router".into(),
                    counts,
                })
                .collect(),
            deadping: Duration::from_secs(3),
            ipfail: true,
        };
        PingNodes::new(&settings, Duration::from_secs(10), at(0))
    }

    #[test]
    fn one_that_answers_is_up_until_deadping_and_comes_back_without_dying_again() {
        let mut nodes = nodes(&[true]);
        let id = PingId(0);
        assert_eq!(nodes.status(id), PingStatus::Init);
        let answer = |came_up, interval: Option<u64>| {
            Some(Answer {
                came_up,
                interval: interval.map(Duration::from_millis),
            })
        };
        assert_eq!(nodes.answer(id, at(1000)), answer(true, None));
        assert_eq!(nodes.answer(id, at(2000)), answer(false, Some(1000)));
        assert_eq!(nodes.next_silence(), Some(at(5000)));
        assert_eq!(nodes.take_silent(at(4999)), None);
        assert_eq!(nodes.take_silent(at(5000)), Some(id));
        assert_eq!(nodes.take_silent(at(5000)), None);
        assert_eq!(
            (nodes.status(id), nodes.next_silence()),
            (PingStatus::Dead, None)
        );
        assert_eq!(nodes.answer(id, at(60_000)), answer(true, Some(58_000)));
        assert_eq!(nodes.take_silent(at(60_000)), None);
        assert_eq!(nodes.answer(PingId(1), at(60_000)), None);
    }

    #[test]
    fn one_that_never_answered_has_initdead() {
        let mut nodes = nodes(&[true]);
        assert_eq!(nodes.take_silent(at(9_999)), None);
        assert_eq!(nodes.take_silent(at(10_000)), Some(PingId(0)));
    }

    #[test]
    fn a_pause_of_ours_is_no_silence_of_theirs() {
        let mut nodes = nodes(&[true, true]);
        nodes.answer(PingId(0), at(1000));
        nodes.excuse_silence(Duration::from_secs(60));
        assert_eq!(nodes.take_silent(at(63_000)), None);
        assert_eq!(nodes.take_silent(at(64_000)), Some(PingId(0)));
        assert_eq!(nodes.take_silent(at(70_000)), Some(PingId(1)));
    }

    #[test]
    fn those_that_belong_to_the_pair_are_not_counted() {
        let mut nodes = nodes(&[true, false, true]);
        for id in 0..3 {
            nodes.answer(PingId(id), at(1000));
        }
        nodes.answer(PingId(0), at(2500));
        let counts = |answering, fresh| PingCounts {
            answering,
            fresh,
            all: 2,
        };
        let recently = Duration::from_secs(1);
        assert_eq!(
            nodes.counts(recently, at(2999)),
            counts(2, 0),
            "for a moment"
        );
        assert_eq!(nodes.counts(recently, at(3000)), counts(2, 1));
        nodes.answer(PingId(2), at(3000));
        assert_eq!(nodes.counts(recently, at(3500)), counts(2, 2));
        assert_eq!(nodes.counts(recently, at(3501)), counts(2, 1));
        for _ in 0..2 {
            nodes.take_silent(at(5500));
        }
        assert_eq!(nodes.counts(recently, at(5500)), counts(1, 0));
    }

    #[test]
    fn counts_survive_the_wire_and_nonsense_does_not() {
        let counts = PingCounts {
            answering: 2,
            fresh: 1,
            all: 3,
        };
        assert_eq!(PingCounts::parse(&counts.to_string()), Some(counts));
        assert_eq!(PingCounts::parse("2 1 3 and more"), Some(counts));
        for text in [
            "",
            "1",
            "1 1",
            "1 1 x",
            "+1 1 1",
            "1  1 1",
            "1 2 3",
            "3 1 2",
            "1 1 4294967296",
        ] {
            assert_eq!(PingCounts::parse(text), None, "{text}");
        }
    }
}
