//! When a resource does not stop: who keeps its file system busy. A child looks; what it finds goes into the log.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;

use super::{TAG, TAG_CRIT};
use crate::cluster::Instant;
use crate::config::{Config, ResourceWord};
use crate::daemon::children::{ChildId, Children, Ended, Order};
use crate::resource::Invocation;

/// A machine with thousands of processes needs a fraction of a second; one that hangs is no use waiting for.
const LIMIT: Duration = Duration::from_secs(20);
/// A stop that fails is tried again every half minute; who holds it is told as often only while that changes.
const TELL_AGAIN: Duration = Duration::from_secs(600);

/// The searches, one at a time. A child that can't be ended, because the process it looks at hangs in the kernel, is the
/// last one until it is gone.
#[derive(Debug)]
pub(super) struct Searches {
    children: Children,
    running: Option<(ChildId, String)>,
    wanted: VecDeque<String>,
    /// By resource: what was found, and when it was told.
    told: BTreeMap<String, (Instant, Vec<u8>)>,
}

impl Searches {
    /// With children of their own, so that no group waits for one.
    pub fn new(children: Children) -> Self {
        Self {
            children,
            running: None,
            wanted: VecDeque::new(),
            told: BTreeMap::new(),
        }
    }

    /// What the searches find around them, from the next one on.
    pub fn surround(&mut self, config: &Config) {
        self.children.surround(config);
    }

    /// Asks for those who hold what this word names, if it names a file system.
    pub fn want(&mut self, word: &ResourceWord) {
        // Most scripts have nothing to do with file systems, and no child is needed to see that.
        let names_a_path = word.text.contains('/') || word.text.contains(".mount");
        if names_a_path && !self.wanted.contains(&word.text) {
            self.wanted.push_back(word.text.clone());
        }
    }

    /// Goes on. Call it in every turn of the event loop.
    pub fn turn(&mut self, now: Instant) {
        self.children.turn(now);
        while let Some(ended) = self.children.next_ended() {
            self.end(now, &ended);
        }
        if self.running.is_none()
            && self.children.undead() == 0
            && let Some(word) = self.wanted.pop_front()
        {
            self.begin(now, word);
        }
    }

    /// When [`turn`](Self::turn) has something to do without being woken.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.children.next_deadline()
    }

    fn begin(&mut self, now: Instant, word: String) {
        let arguments = vec!["probe".to_owned(), "holders".to_owned(), word.clone()];
        let order = Order {
            invocation: &Invocation::new(PathBuf::from("/proc/self/exe"), arguments),
            tag: TAG.to_owned(),
            limit: LIMIT,
        };
        match self.children.spawn(now, order) {
            Ok(child) => self.running = Some((child, word)),
            Err(error) => log::warn!(target: TAG, "Cannot look who holds {word}: {error}"),
        }
    }

    fn end(&mut self, now: Instant, ended: &Ended) {
        let Some((_, word)) = self.running.take_if(|(child, _)| *child == ended.child) else {
            return;
        };
        let known = self.told.get(&word);
        let is_news =
            known.is_none_or(|(at, found)| now.since(*at) >= TELL_AGAIN || *found != ended.stdout);
        if is_news {
            for line in String::from_utf8_lossy(&ended.stdout).lines() {
                log::error!(target: TAG_CRIT, "{line}");
            }
            self.told.insert(word, (now, ended.stdout.clone()));
        }
    }
}
