//! Whether this node could run the groups that it does not hold: a child looks, now and then, and nobody waits for it.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::{Registry, Token};

use super::children::{ChildId, Children, End, Ended, Kind, Order, Owner, Surroundings, reason};
use super::unready::NEXT_GROUP;
use crate::cluster::{Cluster, GroupId, GroupPlace, GroupState, Instant};
use crate::config::{Config, Group};
use crate::resource::Invocation;

/// From one look to the next.
const EVERY: Duration = Duration::from_secs(180);
/// After a group turned out not to be here: what its stop leaves behind is gone by then.
const SOON: Duration = Duration::from_secs(2);
/// After an interface has lost its carrier or got it back.
const AFTER_CHANGES: Duration = Duration::from_secs(10);
/// A look that takes longer is ended.
const LIMIT: Duration = Duration::from_secs(30);
/// So much of what is wrong with a group is kept.
const MOST_REASONS: usize = 8;
const LONGEST_REASON: usize = 300;

/// The name that lines in the log bear.
const TAG: &str = "readiness";

/// What is known of all groups.
#[derive(Debug)]
pub struct Readiness {
    directory: PathBuf,
    groups: Vec<Known>,
    children: Children,
    /// The look that is under way.
    running: Option<Looking>,
    /// When the next is due.
    look_at: Option<Instant>,
    /// The core does not know yet.
    news: VecDeque<(GroupId, Option<bool>)>,
    /// That nothing can be found out was told.
    is_blind: bool,
}

#[derive(Debug)]
struct Known {
    key: String,
    /// Its resources; none once the file does not have it any more.
    words: Vec<String>,
    /// It does not run here, nor is anything done with it.
    is_away: bool,
    /// Counts the times that it came and went, so that an answer from before means nothing.
    round: u64,
    /// What is wrong; empty where nothing is.
    reasons: Option<Vec<String>>,
}

#[derive(Debug)]
struct Looking {
    child: ChildId,
    /// Group and round, in the order of the arguments.
    asked: Vec<(usize, u64)>,
}

impl Known {
    fn new(key: &str, words: Vec<String>) -> Self {
        Self {
            key: key.to_owned(),
            words,
            is_away: false,
            round: 0,
            reasons: None,
        }
    }
}

fn words(group: &Group) -> Vec<String> {
    let words = group.resources.iter();
    words.map(|word| word.text.clone()).collect()
}

impl Readiness {
    /// Child output is signalled under `token`.
    pub fn new(config: &Config, owner: Owner, registry: Registry, token: Token) -> Self {
        let groups = config.groups.iter();
        let groups = groups.map(|group| Known::new(group.key(), words(group)));
        let surroundings = Surroundings::new(config, owner, Kind::Probe);
        Self {
            directory: config.directory.clone(),
            groups: groups.collect(),
            children: Children::new(registry, token, surroundings),
            running: None,
            look_at: None,
            news: VecDeque::new(),
            is_blind: false,
        }
    }

    /// The files were read again, and the groups are in these places now.
    pub fn reload(&mut self, now: Instant, config: &Config, places: &[GroupPlace]) {
        self.children.surround(config);
        let lines: BTreeMap<&str, &Group> = config
            .groups
            .iter()
            .map(|group| (group.key(), group))
            .collect();
        for (place, id) in places.iter().zip(0..) {
            let key = place.group.key.as_str();
            let listed = lines.get(key).filter(|_| !place.is_removed);
            let new = Known::new(key, listed.map_or_else(Vec::new, |group| words(group)));
            match self
                .groups
                .get_mut(usize::try_from(id).unwrap_or(usize::MAX))
            {
                Some(known) if known.key == new.key && known.words == new.words => {}
                Some(known) => {
                    if known.reasons.is_some() {
                        self.news.push_back((GroupId(id), None));
                    }
                    let round = known.round.wrapping_add(1);
                    *known = Known { round, ..new };
                }
                None => self.groups.push(new),
            }
        }
        self.look_again(now);
    }

    /// Goes on as far as possible. Call it in every turn of the event loop.
    pub fn turn(&mut self, now: Instant, cluster: &Cluster) {
        self.note_moves(now, cluster);
        self.children.turn(now);
        while let Some(ended) = self.children.next_ended() {
            self.take(&ended);
        }
        if self.running.is_none() && self.look_at.is_some_and(|at| at <= now) {
            self.look(now);
        }
    }

    /// Looks again soon, as when the files are read again.
    pub fn look_again(&mut self, now: Instant) {
        if self.groups.iter().any(|group| group.is_away) {
            self.look_at = Some(now);
        }
    }

    /// Something has changed that may matter, and may change again in a moment.
    pub fn look_soon(&mut self, now: Instant) {
        let at = now + AFTER_CHANGES;
        self.look_at = self.look_at.map(|look| look.min(at));
    }

    /// Takes what the core has to know: whether this node could run a group; `None` where that is not known.
    pub fn next_news(&mut self) -> Option<(GroupId, Option<bool>)> {
        self.news.pop_front()
    }

    /// When [`turn`](Self::turn) has something to do without being woken.
    pub fn next_deadline(&self) -> Option<Instant> {
        let look = self.look_at.filter(|_| self.running.is_none());
        [look, self.children.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// In words: `ready`, or what is wrong. `None` for a group that is here, or that was not looked at yet.
    pub fn of(&self, id: GroupId) -> Option<String> {
        let index = usize::try_from(id.0).ok()?;
        let reasons = self.groups.get(index)?.reasons.as_ref()?;
        Some(if reasons.is_empty() {
            "ready".to_owned()
        } else {
            reasons.join("; ")
        })
    }

    fn note_moves(&mut self, now: Instant, cluster: &Cluster) {
        for (group, id) in self.groups.iter_mut().zip(0..) {
            let state = cluster.group(GroupId(id)).local;
            let is_away = !group.words.is_empty()
                && matches!(state, GroupState::Stopped | GroupState::Failed);
            if is_away == group.is_away {
                continue;
            }
            group.is_away = is_away;
            group.round = group.round.wrapping_add(1);
            if is_away {
                self.look_at = Some(now + SOON);
            } else if group.reasons.take().is_some() {
                self.news.push_back((GroupId(id), None));
            }
        }
    }

    fn look(&mut self, now: Instant) {
        self.look_at = None;
        let mut arguments = vec!["probe".to_owned(), "ready".to_owned()];
        arguments.push(self.directory.display().to_string());
        let mut asked = Vec::new();
        for (index, group) in self.groups.iter().enumerate() {
            if group.is_away {
                if !asked.is_empty() {
                    arguments.push(NEXT_GROUP.to_owned());
                }
                arguments.extend(group.words.iter().cloned());
                asked.push((index, group.round));
            }
        }
        if asked.is_empty() {
            return;
        }
        self.look_at = Some(now + EVERY);
        let order = Order {
            invocation: &Invocation::new(Path::new("/proc/self/exe").into(), arguments),
            tag: TAG.to_owned(),
            limit: LIMIT,
        };
        match self.children.spawn(now, order) {
            Ok(child) => self.running = Some(Looking { child, asked }),
            Err(error) => self.learn_nothing(&asked, &format!("cannot look: {error}")),
        }
    }

    fn take(&mut self, ended: &Ended) {
        let Some(looking) = self.running.take_if(|looking| looking.child == ended.child) else {
            return;
        };
        match ended.end {
            End::Exited(0) => {}
            End::Exited(code) => {
                return self.learn_nothing(&looking.asked, &format!("the look ended with {code}"));
            }
            End::Killed(signal) => {
                return self
                    .learn_nothing(&looking.asked, &format!("signal {signal} ended the look"));
            }
            End::NeverRan(number) => {
                let why = format!("cannot look: {}", reason(number));
                return self.learn_nothing(&looking.asked, &why);
            }
            End::TimedOut => {
                let seconds = LIMIT.as_secs();
                return self.learn_nothing(
                    &looking.asked,
                    &format!("the look did not end within {seconds} s: a disk or a service hangs"),
                );
            }
        }
        self.is_blind = false;
        let mut found: Vec<Vec<String>> = vec![Vec::new(); looking.asked.len()];
        for line in String::from_utf8_lossy(&ended.stdout).lines() {
            let Some((number, reason)) = line.split_once(' ') else {
                continue;
            };
            let number: Option<usize> = number.parse().ok();
            if let Some(reasons) = number.and_then(|number| found.get_mut(number))
                && reasons.len() < MOST_REASONS
            {
                reasons.push(reason.chars().take(LONGEST_REASON).collect());
            }
        }
        for ((index, round), reasons) in looking.asked.into_iter().zip(found) {
            self.learn(index, round, reasons);
        }
    }

    fn learn(&mut self, index: usize, round: u64, reasons: Vec<String>) {
        let Some(group) = self
            .groups
            .get_mut(index)
            .filter(|group| group.round == round)
        else {
            return;
        };
        let key = &group.key;
        let is_ready = reasons.is_empty();
        let was_ready = group.reasons.as_ref().map(Vec::is_empty);
        if group.reasons.as_ref() != Some(&reasons) {
            if !is_ready {
                let why = reasons.join("; ");
                log::warn!(target: TAG, "This node is not ready to run resource group {key}: {why}");
            } else if was_ready.is_some() {
                log::info!(target: TAG, "This node is ready to run resource group {key}");
            }
        }
        group.reasons = Some(reasons);
        if was_ready != Some(is_ready)
            && let Ok(id) = u32::try_from(index)
        {
            self.news.push_back((GroupId(id), Some(is_ready)));
        }
    }

    /// What was known is not known any more.
    fn learn_nothing(&mut self, asked: &[(usize, u64)], why: &str) {
        if !std::mem::replace(&mut self.is_blind, true) {
            log::warn!(target: TAG, "Whether this node is ready for what it does not run is not known: {why}");
        }
        for (index, _) in asked {
            let group = self.groups.get_mut(*index);
            if group.is_some_and(|group| group.reasons.take().is_some())
                && let Ok(id) = u32::try_from(*index)
            {
                self.news.push_back((GroupId(id), None));
            }
        }
    }
}
