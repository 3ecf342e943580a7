//! `auto_failback legacy` with a peer of heartbeat 3.0.6: no halves and no dialogue. A node that has become active
//! asks for each of its own groups (`ip-request`), the other stops it if it has it and says so
//! (`ip-request-resp`), and then it is started.

use std::time::Duration;

use super::questions::{Asking, Questions};
use crate::cluster::claims::{Claim, Leaving, Phase};
use crate::cluster::policy::Reason;
use crate::cluster::report::Report;
use crate::cluster::{Cluster, GroupId, Instant, NodeStatus};
use crate::message::Message;

/// A question that stays unanswered is asked again, more and more slowly: the peer may have had no ear for it yet,
/// or still stops.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// The longest pause between two such questions.
const ASK_SELDOM: Duration = Duration::from_secs(32);
/// A group that does not run here is asked for this much later when the peer has just come back.
const LATE: Duration = Duration::from_secs(10);
/// An answered question is asked once more: a takeover that the peer had begun before may have come after it.
const MAKE_SURE: Duration = Duration::from_secs(30);

/// What the peer does with a group that we don't have.
const HELD: Claim = Claim::held(Phase::Running);

impl Cluster {
    /// Asks for our own groups, and answers what can be answered by now.
    pub(in crate::cluster) fn ask_for_groups(&mut self, now: Instant) {
        if !self.questions.is_open() {
            if self.peer.came_as_member && self.ownership.has_taken() {
                // It was there all along while we took it for dead, and does not ask for what it has.
                self.questions.is_return = true;
                self.ownership.give_back_taken();
            }
            self.questions.since = self.peer.incoming.highest();
            self.questions.groups = vec![Asking::default(); self.settings.groups.len()];
            for index in 0..self.settings.groups.len() {
                if self.ownership.is_removed(index) {
                    continue;
                }
                if self.prefers_local(index) {
                    let is_contested =
                        self.questions.is_return || self.ownership.is_given_up(index);
                    let is_late = is_contested && !self.ownership.runs_one(index);
                    let pause = if is_late { LATE } else { Duration::ZERO };
                    self.set_asking(index, |asking| asking.ask_at = Some(now + pause));
                } else {
                    // It asks before it starts what we have, unless it held us for dead; what we don't have, it has.
                    let has_its_own = self.questions.is_return || self.peer.came_as_member;
                    let asks = !has_its_own && self.peer.takes_over_until.is_none();
                    let claim = if asks && self.ownership.runs_one(index) {
                        Claim::Free
                    } else {
                        HELD
                    };
                    let is_on_its_way = !self.ownership.runs_one(index);
                    if (has_its_own || is_on_its_way) && self.ownership.holds_one(index) {
                        // It may wait for an answer that it did not get; one too many does nothing.
                        self.set_asking(index, |asking| asking.owed = Some(true));
                    }
                    self.ownership.hear_one(index, Some(claim));
                }
            }
        }
        for index in 0..self.questions.groups.len() {
            if self.ownership.is_removed(index) {
                self.set_asking(index, |asking| asking.ask_at = None);
            }
            let Some(asking) = self.questions.groups.get(index).copied() else {
                continue;
            };
            if asking.ask_at.is_some_and(|at| at <= now) {
                // One question is repeated often, to notice the moment when the peer begins to answer.
                let is_first = self.questions.first_open() == Some(index);
                let patience = if is_first { 0 } else { asking.asked.min(8) };
                let pause = (ASK_AGAIN * 2_u32.saturating_pow(patience)).min(ASK_SELDOM);
                self.set_asking(index, |asking| {
                    asking.asked = asking.asked.saturating_add(1);
                    asking.ask_at = (!asking.is_sure).then_some(now + pause);
                });
                self.send_group_request(index);
            }
            if let Some(was_running) = asking.owed
                && !self.ownership.holds_one(index)
            {
                self.set_asking(index, |asking| asking.owed = None);
                self.send_group_answer(index, was_running);
                self.ownership.hear_one(index, Some(HELD));
            }
        }
    }

    /// The peer held us for dead: it asks for none of its own groups, and has ours. The questions begin anew.
    pub(in crate::cluster) fn groups_are_taken(&mut self) {
        self.questions = Questions::default();
    }

    /// `ip-request`: the peer wants to start a group of its own.
    pub(in crate::cluster) fn group_request_heard(
        &mut self,
        message: &Message,
        number: u64,
    ) -> bool {
        let Some(index) = self.group_named(message) else {
            return false;
        };
        if self.leaving != Leaving::No {
            return true; // it will hear that we have left
        }
        if self.speaks_of_halves() || self.status != NodeStatus::Active {
            if self.speaks_of_halves() {
                self.tell_modes_differ();
            }
            return true;
        }
        if !self.questions.is_open() {
            self.ask_for_groups(self.now); // the word that it is active was overtaken
        }
        if self.questions.is_return && number <= self.questions.since {
            return true;
        }
        let is_running = self.ownership.holds_one(index);
        if is_running {
            self.ownership.give_one(index, Reason::AskedFor);
        }
        self.set_asking(index, |asking| asking.owed = Some(is_running));
        true
    }

    /// `ip-request-resp`: the peer does not run a group, or not any more.
    pub(in crate::cluster) fn group_answer_heard(
        &mut self,
        message: &Message,
        number: u64,
    ) -> bool {
        let Some(index) = self.group_named(message) else {
            return false;
        };
        let is_ok = message
            .text("ok")
            .is_some_and(|ok| ok.eq_ignore_ascii_case("ok"));
        let now = self.now;
        let is_news = number > self.questions.since && self.questions.is_open();
        // It counts for now: what can't be started now is asked for again.
        let is_of_use = self.ownership.can_run_one(index, now);
        if is_ok && is_news && is_of_use && self.prefers_local(index) {
            self.set_asking(index, |asking| {
                if !std::mem::replace(&mut asking.is_sure, true) {
                    asking.ask_at = Some(now + MAKE_SURE);
                }
            });
            self.questions.hurry(now);
            self.ownership.hear_one(index, Some(Claim::Free));
        }
        true
    }

    /// A group has come by a reload. It is asked for when it is ours; else the peer, which reads its file whenever it
    /// acts, may have it.
    pub(in crate::cluster) fn ask_for_new_group(&mut self, index: usize, now: Instant) {
        if !self.questions.is_open() {
            return; // to be asked with all others
        }
        let length = self.settings.groups.len();
        self.questions.groups.resize(length, Asking::default());
        let is_ours = self.prefers_local(index);
        self.set_asking(index, |asking| {
            *asking = Asking {
                ask_at: is_ours.then_some(now),
                ..Asking::default()
            };
        });
        self.ownership.hear_one(index, Some(HELD));
    }

    /// One of our own groups could not be started, or stopped: what the peer said of it may not be true any more when
    /// it is tried again.
    pub(in crate::cluster) fn ask_for_one_again(&mut self, group: GroupId, now: Instant) {
        let Ok(index) = usize::try_from(group.0) else {
            return;
        };
        let is_answered = self.questions.groups.get(index).is_some_and(|a| a.is_sure);
        if is_answered && self.prefers_local(index) && !self.ownership.runs_one(index) {
            let at = self.ownership.tries_one_at(index, now);
            self.set_asking(index, |asking| {
                *asking = Asking {
                    ask_at: Some(at),
                    owed: asking.owed,
                    ..Asking::default()
                };
            });
            self.ownership.hear_one(index, Some(HELD));
        }
    }

    fn tell_modes_differ(&mut self) {
        if !std::mem::replace(&mut self.told.modes_differ, true) {
            self.report(Report::ModesDiffer {
                node: self.peer_name(),
            });
        }
    }

    fn send_group_request(&mut self, index: usize) {
        let key = self.key_at(index);
        self.outgoing.begin("ip-request").push_text("ipaddr", &key);
        self.finish(false);
    }

    fn send_group_answer(&mut self, index: usize, was_running: bool) {
        let key = self.key_at(index);
        let message = self.begin_to_peer("ip-request-resp");
        message.push_text("ipaddr", &key);
        message.push_text("weown", if was_running { "yes" } else { "no" });
        message.push_text("ok", "OK");
        self.finish(false);
    }

    fn group_named(&self, message: &Message) -> Option<usize> {
        let name = message.text("ipaddr")?;
        let is_known =
            |index: &usize| !self.ownership.is_removed(*index) || self.ownership.holds_one(*index);
        let mut groups = self.settings.groups.iter().enumerate();
        groups
            .find(|(index, group)| group.key == name && is_known(index))
            .map(|(index, _)| index)
    }

    fn prefers_local(&self, index: usize) -> bool {
        self.settings
            .groups
            .get(index)
            .is_some_and(|group| group.prefers_local)
    }

    fn key_at(&self, index: usize) -> String {
        let group = self.settings.groups.get(index);
        group.map(|group| group.key.clone()).unwrap_or_default()
    }

    fn set_asking(&mut self, index: usize, set: impl FnOnce(&mut Asking)) {
        if let Some(asking) = self.questions.groups.get_mut(index) {
            set(asking);
        }
    }
}
