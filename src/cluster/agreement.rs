//! What a node knows of what both must have equal: what it has itself, what the other has told of it, and what is to be said yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::Instant;
use super::agreement_report::{Difference, differences};
use super::terms::{MOST_LINES, Word, digests, lines};
use crate::config::Term;

/// How often everything is asked for again.
pub(super) const MOST_ATTEMPTS: u32 = 3;

/// How far the nodes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgreementState {
    /// The other node is not heard, or does not hear this one.
    Apart,
    /// The other node runs heartbeat 3.0.6, which tells nothing of the kind.
    Classic,
    /// They are about to tell each other.
    Asking,
    /// The other node hears this one and does not answer: its version tells nothing of the kind.
    Silent,
    /// Everything is equal.
    Equal,
    /// Something is not.
    Differs,
}

/// What is known of what the nodes have equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgreementView {
    /// How far they are. What follows is empty but for [`AgreementState::Differs`].
    pub state: AgreementState,
    /// Where they differ.
    pub differences: Vec<Difference>,
    /// So many more lines differ, which were not told.
    pub more: usize,
}

#[derive(Debug, Default)]
pub(super) struct Agreement {
    pub(super) own: Vec<Term>,
    pub(super) total: u32,
    pub(super) theirs: Theirs,
    pub(super) queue: VecDeque<Word>,
    /// Not before then is anything said.
    pub(super) next: Instant,
    /// When either last said something.
    pub(super) last_word: Instant,
    pub(super) attempts: u32,
    /// The differences that were told, by topic.
    pub(super) told: BTreeMap<String, Difference>,
    pub(super) told_more: usize,
    pub(super) found: Option<(Vec<Difference>, usize)>,
}

/// What the other has told.
#[derive(Debug, Default)]
pub(super) struct Theirs {
    pub(super) generation: u64,
    /// The number of the message that told the total: an older one is no news.
    number: u64,
    pub(super) total: Option<u32>,
    digests: Parts<Vec<u32>>,
    pub(super) lines: Parts<Option<Box<Term>>>,
    /// For which total of ours.
    lines_for: u32,
    more: usize,
}

/// What comes in parts.
#[derive(Debug)]
pub(super) struct Parts<T>(Vec<Option<T>>, bool);

impl<T> Default for Parts<T> {
    fn default() -> Self {
        Self(Vec::new(), false)
    }
}

impl<T> Parts<T> {
    /// One of so many.
    fn put(&mut self, part: usize, parts: usize, value: T) {
        if self.0.len() != parts || !self.1 {
            self.0.clear();
            self.0.resize_with(parts, || None);
            self.1 = true;
        }
        if let Some(place) = self.0.get_mut(part) {
            *place = Some(value);
        }
    }

    /// All of them, once they are there.
    pub(super) fn whole(&self) -> Option<impl Iterator<Item = &T>> {
        let is_whole = self.1 && self.0.iter().all(Option::is_some);
        is_whole.then(|| self.0.iter().flatten())
    }
}

impl Agreement {
    /// Those of ours that the other does not have, once that is known.
    pub(super) fn only_ours(&self) -> Option<Vec<&Term>> {
        let theirs: BTreeSet<u32> = self.theirs.digests.whole()?.flatten().copied().collect();
        let own = self.own.iter();
        Some(own.filter(|term| !theirs.contains(&term.digest)).collect())
    }

    pub(super) fn is_equal(&self) -> bool {
        self.theirs.total == Some(self.total)
    }

    /// Where the nodes differ, and how many lines more; `None` while that is not known.
    pub(super) fn find(&self) -> Option<(Vec<Difference>, usize)> {
        if self.is_equal() {
            return Some((Vec::new(), 0));
        }
        let ours = self.only_ours()?;
        let lines = self.theirs.lines.whole()?.flatten();
        let theirs: Vec<&Term> = lines.map(|term| &**term).collect();
        if self.theirs.lines_for != self.total {
            return None;
        }
        let more = ours.len().saturating_sub(MOST_LINES).max(self.theirs.more);
        let mut found = differences(ours, theirs);
        if more > 0 {
            // One side of these may be among what was not told.
            found.retain(|difference| difference.here.is_some() && difference.there.is_some());
        }
        Some((found, more))
    }

    pub(super) fn say_total(&mut self, again: bool) {
        self.queue.push_back(Word::Total {
            ours: self.total,
            theirs: self.theirs.total,
            again,
        });
    }

    fn say_digests(&mut self) {
        self.queue
            .retain(|word| !matches!(word, Word::Digests { .. }));
        self.queue.extend(digests(self.total, &self.own));
    }

    /// Where it is known what the other does not have.
    fn say_lines(&mut self) {
        self.queue.retain(|word| !matches!(word, Word::Line { .. }));
        let told = self.theirs.total.zip(self.only_ours());
        let told = told.map(|(theirs, terms)| lines(self.total, theirs, &terms));
        self.queue.extend(told.unwrap_or_default());
    }

    /// Everything anew, as far as it is not equal.
    pub(super) fn begin(&mut self, now: Instant, pace: Duration) {
        self.queue.clear();
        if self.own.is_empty() {
            return;
        }
        (self.attempts, self.last_word) = (0, now);
        self.next = self.next.max(now + pace);
        self.say_total(false);
        if self.theirs.total.is_some() && !self.is_equal() {
            self.say_digests();
            self.say_lines();
        }
    }

    /// What an earlier run of the other told is not so any more.
    pub(super) fn meet(&mut self, generation: u64) {
        if self.theirs.generation != generation {
            self.found = None;
            self.theirs = Theirs {
                generation,
                ..Theirs::default()
            };
        }
    }

    /// Words may come in another order than they were said.
    pub(super) fn hear(&mut self, word: Word, number: u64) {
        let (Word::Total { ours: total, .. }
        | Word::Digests { ours: total, .. }
        | Word::Line { ours: total, .. }) = &word;
        let total = *total;
        let is_news = number > self.theirs.number;
        let has_changed = is_news && self.theirs.total != Some(total);
        if has_changed {
            self.theirs = Theirs {
                generation: self.theirs.generation,
                total: Some(total),
                ..Theirs::default()
            };
            self.found = None;
        }
        self.theirs.number = self.theirs.number.max(number);
        if self.theirs.total != Some(total) {
            return; // of another file than the last one
        }
        let mut wants_all = has_changed;
        match word {
            Word::Total { theirs, again, .. } if is_news => {
                wants_all |= again || self.found.is_none();
                if theirs != Some(self.total) && (again || self.attempts > 0) {
                    self.say_total(false);
                }
            }
            Word::Digests {
                part,
                parts,
                digests,
                ..
            } => {
                self.theirs.digests.put(part, parts, digests);
                self.say_lines();
            }
            Word::Line {
                theirs,
                part,
                parts,
                more,
                term,
                ..
            } if theirs == self.total => {
                if self.theirs.lines_for != theirs {
                    self.theirs.lines = Parts::default();
                    self.theirs.lines_for = theirs;
                }
                self.theirs.lines.put(part, parts, term);
                self.theirs.more = more;
            }
            Word::Total { .. } | Word::Line { .. } => {} // no news, or for another file of ours
        }
        if self.is_equal() {
            self.queue.retain(|word| matches!(word, Word::Total { .. }));
        } else if wants_all {
            self.say_digests();
            self.say_lines();
        }
    }
}
