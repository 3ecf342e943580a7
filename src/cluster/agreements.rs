//! Whether both nodes have equal what they must have equal, found out once they hear each other, and after a reload of
//! either.
//!
//! Each tells a number of all that it has. Where the numbers differ, each tells the digests of the single things, and then the
//! lines that the other does not have. This is for people: nothing that a node decides depends on it. So it is told slowly,
//! one short message at a time, and given up after some attempts where it is not answered.

use std::time::Duration;

use super::agreement::{Agreement, AgreementState, AgreementView, MOST_ATTEMPTS};
use super::agreement_report::AgreementReport;
use super::claims::Leaving;
use super::report::Report;
use super::terms::{KIND, Word, total};
use super::{Cluster, Instant, NodeStatus};
use crate::config::Term;
use crate::message::Message;

/// From one message to the next. A slow line alone has heartbeats to carry, too.
const BETWEEN_WORDS: Duration = Duration::from_secs(1);
const BETWEEN_WORDS_ON_SERIAL: Duration = Duration::from_secs(5);
/// How long the next word of the other is waited for before everything is asked for again.
const PATIENCE: Duration = Duration::from_secs(60);

impl Cluster {
    /// What is known of what the nodes have equal.
    pub fn agreement(&self) -> AgreementView {
        let agreement = &self.agreement;
        let state = match &agreement.found {
            _ if self.peer.is_classic && self.peer.status != NodeStatus::Dead => {
                AgreementState::Classic
            }
            _ if !self.may_agree() || agreement.theirs.generation != self.peer.generation => {
                AgreementState::Apart
            }
            Some((differences, _)) if differences.is_empty() && agreement.is_equal() => {
                AgreementState::Equal
            }
            Some(_) => AgreementState::Differs,
            None if agreement.theirs.total.is_none() && agreement.attempts >= MOST_ATTEMPTS => {
                AgreementState::Silent
            }
            None => AgreementState::Asking,
        };
        let found = agreement.found.clone();
        let (differences, more) = found
            .filter(|_| state == AgreementState::Differs)
            .unwrap_or_default();
        AgreementView {
            state,
            differences,
            more,
        }
    }

    /// What this node has, and what the other has as far as it was told; cut off where lines are long.
    pub fn terms(&self) -> (Vec<Term>, Vec<Term>) {
        let Agreement { own, theirs, .. } = &self.agreement;
        let view = self.agreement();
        let theirs = match view.state {
            AgreementState::Equal => own.clone(),
            AgreementState::Differs => {
                let only_ours = self.agreement.only_ours().unwrap_or_default();
                let is_common = |term: &&Term| !only_ours.contains(term);
                let lines = theirs.lines.whole().into_iter().flatten().flatten();
                let common = own.iter().filter(is_common);
                common.chain(lines.map(|term| &**term)).cloned().collect()
            }
            _ => Vec::new(),
        };
        (own.clone(), theirs)
    }

    /// This node has these from now on.
    pub(super) fn terms_changed(&mut self, terms: Vec<Term>, now: Instant) {
        let total = total(&terms);
        let is_new = self.agreement.total != total || self.agreement.own.is_empty();
        self.agreement.own = terms; // the places may be others all the same
        if is_new {
            self.agreement.total = total;
            self.agreement.found = None;
            self.begin_agreement(now);
            self.tell_agreement();
        }
    }

    /// Each has heard the other, or this node has something new to tell.
    pub(super) fn begin_agreement(&mut self, now: Instant) {
        self.agreement.meet(self.peer.generation);
        if self.is_agreed {
            let pace = self.pace_of_words();
            self.agreement.begin(now, pace);
        }
    }

    fn pace_of_words(&self) -> Duration {
        if self.links.has_serial() {
            BETWEEN_WORDS_ON_SERIAL
        } else {
            BETWEEN_WORDS
        }
    }

    /// False when it can't be read.
    pub(super) fn terms_heard(&mut self, message: &Message, number: u64, now: Instant) -> bool {
        let Some(word) = Word::read(message) else {
            return false;
        };
        let agreement = &mut self.agreement;
        if agreement.own.is_empty() {
            return true;
        }
        agreement.meet(self.peer.generation);
        agreement.last_word = now;
        agreement.next = agreement.next.max(now);
        agreement.hear(word, number);
        self.tell_agreement();
        true
    }

    /// What has come to differ, and what does not any more.
    fn tell_agreement(&mut self) {
        let Some((differences, more)) = self.agreement.find() else {
            return;
        };
        let told = std::mem::take(&mut self.agreement.told);
        let node = self.peer_name();
        for difference in &differences {
            // A report of its own tells of this one, with what follows.
            let is_told = difference.topic() == "last_link"
                || told.get(difference.topic()) == Some(difference);
            let all = &mut self.agreement.told;
            all.insert(difference.topic().to_owned(), difference.clone());
            if !is_told {
                self.report(Report::Agreement(AgreementReport::Differs {
                    node: node.clone(),
                    difference: difference.clone(),
                }));
            }
        }
        let is_more = std::mem::replace(&mut self.agreement.told_more, more) != more;
        if is_more && more > 0 {
            let (node, count) = (node.clone(), more);
            self.report(Report::Agreement(AgreementReport::More { node, count }));
        }
        for topic in told.into_keys() {
            if !self.agreement.told.contains_key(&topic) && more == 0 {
                let node = node.clone();
                self.report(Report::Agreement(AgreementReport::Mended { node, topic }));
            }
        }
        self.agreement.found = Some((differences, more));
    }

    /// The end of a turn: perhaps there is something to say.
    pub(super) fn pursue_agreement(&mut self, now: Instant) {
        if self.next_word_of_terms().is_none_or(|at| at > now) {
            return;
        }
        if self.agreement.queue.is_empty() {
            self.agreement.attempts = self.agreement.attempts.saturating_add(1);
            self.agreement.say_total(true);
        }
        let Some(word) = self.agreement.queue.pop_front() else {
            return;
        };
        word.push(self.begin_to_peer(KIND));
        self.finish(false);
        self.agreement.next = now + self.pace_of_words();
        self.agreement.last_word = now;
    }

    /// Whether the other node is there and hears this one.
    fn may_agree(&self) -> bool {
        self.is_agreed && !self.peer.has_left && self.peer.status != NodeStatus::Dead
    }

    /// When it is said.
    pub(super) fn next_word_of_terms(&self) -> Option<Instant> {
        let agreement = &self.agreement;
        if !self.may_agree() || self.leaving != Leaving::No {
            return None;
        }
        if !agreement.queue.is_empty() {
            return Some(agreement.next);
        }
        let waits = agreement.found.is_none() && !agreement.own.is_empty();
        let waits = waits && agreement.attempts < MOST_ATTEMPTS;
        waits.then(|| agreement.last_word + PATIENCE)
    }
}
