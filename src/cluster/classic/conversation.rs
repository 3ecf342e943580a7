//! A peer that runs heartbeat 3.0.6. It knows groups only by halves, *local* and *foreign*, and tells of them in
//! `starting` and `resource` messages. What it tells becomes claims like any other; what it is told is a
//! projection of ours.
//!
//! It starts its own half when we say that we are settled and don't hold it, everything when we die or leave, and
//! else only what the standby dialogue gives it. It never yields: whatever both hold, we give up.

use std::time::Duration;

use super::halves::{Dialogue, Halves};
use crate::cluster::claims::Leaving;
use crate::cluster::movement::Selection;
use crate::cluster::report::Report;
use crate::cluster::{ClassicPeer, Cluster, Holdings, Instant, NodeStatus, Relation};
use crate::config::AutoFailback;
use crate::message::Message;

/// Pause between two questions for what the peer holds.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// The longest that a takeover of the peer, whose end was not heard, keeps us from calling ourselves settled.
const LONGEST_TAKEOVER: Duration = Duration::from_secs(120);
/// What was said before and comes later, over a slow link or sent again, 3.0.6 believes too: so the last word is
/// repeated once.
const CONFIRM_AFTER: Duration = Duration::from_secs(3);
/// No more often than this it is repeated because old words were sent again.
const SAY_AGAIN: Duration = Duration::from_secs(1);

impl Cluster {
    /// Whether halves are talked about with this peer.
    pub(in crate::cluster) fn speaks_of_halves(&self) -> bool {
        self.peer.is_classic && self.settings.auto_failback != AutoFailback::Legacy
    }

    /// The relation with a living peer of this kind.
    pub(in crate::cluster) fn classic_relation(&self) -> Relation {
        let is_known = self.classic.holds.is_some() || self.questions.is_open();
        if self.peer.status != NodeStatus::Active || !is_known {
            return Relation::Unheard;
        }
        Relation::Halves {
            settled: self.classic.is_settled() && !self.peer.is_leaving,
        }
    }

    /// Whether there is a conversation to be kept going: both are members and stay.
    fn is_conversing(&self) -> bool {
        self.peer.is_classic
            && self.status == NodeStatus::Active
            && self.peer.status == NodeStatus::Active
            && !self.peer.has_left
            && self.leaving == Leaving::No
    }

    /// Keeps the conversation going.
    pub(in crate::cluster) fn converse(&mut self, now: Instant) {
        if !self.is_conversing() {
            return;
        }
        if !self.speaks_of_halves() {
            self.ask_for_groups(now);
            return;
        }
        // Asked once whatever it said before: it fails back to nobody who did not ask.
        let unanswered = self.classic.ask_at.filter(|_| self.classic.holds.is_none());
        if self.classic.ask_at.is_none() || unanswered.is_some_and(|at| at <= now) {
            self.classic.ask_at = Some(now + ASK_AGAIN);
            self.send_starting();
            self.announced = None; // to be asked unsettles the peer until it hears of us again
        }
        self.judge_dialogue(now);
        self.settle_dispute(now);
        if self.classic.confirm_at.is_some_and(|at| at <= now) {
            self.classic.confirm_at = None;
            // In a dialogue it would count as a word of that.
            let said = (self.settled_holdings(), self.is_settled());
            if said.1 && self.announced == Some(said) {
                self.send_holdings(said.0, true, None);
            }
        }
    }

    /// What a peer of heartbeat 3.0.6 said while we stood still, it may have said before it took over. Its words don't
    /// tell what they answer, so only what it says from now on counts.
    pub(in crate::cluster) fn forget_what_waited(&mut self) {
        if self.peer.is_classic {
            self.classic = ClassicPeer::default();
            self.classic.number = self.peer.incoming.highest();
            self.ownership.forget_claims();
        }
    }

    /// `starting`: the peer has become active and asks what we hold.
    pub(in crate::cluster) fn starting_heard(&mut self) {
        if !self.speaks_of_halves() {
            return;
        }
        if self.leaving != Leaving::No {
            self.send_shutdown();
            return;
        }
        self.classic.is_stable = false;
        if self.status == NodeStatus::Active {
            self.announced = None;
            self.announce_now();
        }
    }

    /// `resource`: what the peer holds. False when it says nothing that can be understood.
    pub(in crate::cluster) fn holdings_heard(&mut self, message: &Message, number: u64) -> bool {
        let Some(said) = message.text("rsc_hold").and_then(Halves::from_the_other) else {
            return false;
        };
        let info = message.text("info");
        if info == Some("mach_down") {
            self.takeover_ended(number);
        }
        if info == Some("standby") {
            self.hear_progress(info, false, number);
        }
        if !self.speaks_of_halves() || number <= self.classic.number {
            return true; // overtaken by a newer one
        }
        let was_stable = self.classic.is_stable;
        if matches!(info, Some("mach_down" | "req_our_resources()")) {
            self.classic.takes_over();
        }
        let is_full = message.text("rtype") == Some("full");
        let is_stable = message.text("isstable").map(|word| word == "1");
        if self.classic.holds.is_none() && matches!(info, Some("shutdown" | "standby")) {
            self.peer.is_leaving |= info == Some("shutdown");
            return true; // it is about to stop something that we have not heard of
        }
        self.classic.told(number, said, is_full, is_stable);
        self.hear_progress(info, is_stable == Some(true), number);
        if info == Some("shutdown") {
            self.peer.is_leaving = true;
        }
        self.apply_claims();
        if self.classic.is_stable && !was_stable {
            self.report(Report::PeerSettled);
            self.announced = None;
        }
        true
    }

    /// The peer has taken over what it held us for dead with. It counts us as settled from then on, whatever we said,
    /// and moves groups back only when we become so.
    fn takeover_ended(&mut self, number: u64) {
        self.peer.takeover_ended = number;
        let was_told = self.peer.takes_over_until.take().is_some();
        let is_member = self.status == NodeStatus::Active && self.leaving == Leaving::No;
        let is_idle = self.classic.dialogue == Dialogue::None; // in a dialogue it would count as a word of that
        if was_told && is_member && is_idle && self.speaks_of_halves() {
            self.send_holdings(self.settled_holdings(), false, None);
            self.announced = None;
        }
    }

    /// What the peer told becomes its claims on the groups.
    pub(in crate::cluster) fn apply_claims(&mut self) {
        let classic = &self.classic;
        self.ownership.hear_halves(|local| classic.claim_of(local));
    }

    /// Tells the peer what we hold, when that has changed.
    pub(in crate::cluster) fn announce(&mut self) {
        let is_of_use = self.speaks_of_halves()
            && self.status == NodeStatus::Active
            && self.leaving == Leaving::No
            && self.classic.dialogue == Dialogue::None
            && self.classic.holds.is_some()
            && !matches!(self.standing().relation, Relation::Gone { .. });
        if is_of_use {
            self.announce_now();
        }
        self.tell_what_was_taken();
    }

    /// A node of 3.0.6 that we don't hear may hear us, and takes its groups after ten seconds unless it knows that we
    /// have them. What 3.0.6 itself says when it takes over calls nothing stable or unstable.
    fn tell_what_was_taken(&mut self) {
        let is_alone = matches!(
            self.standing().relation,
            Relation::Gone { died: true } | Relation::InDoubt
        );
        let is_member = self.status == NodeStatus::Active && self.leaving == Leaving::No;
        if !is_alone || !is_member || !self.speaks_of_halves() {
            return;
        }
        let said = (self.settled_holdings(), false);
        // Once more later: it drops what comes before the first heartbeat of a run that it reads.
        let is_repeated = self.classic.confirm_at.is_some_and(|at| at <= self.now);
        if self.announced != Some(said) || is_repeated {
            self.announced = Some(said);
            self.classic.confirm_at = (!is_repeated).then_some(self.now + CONFIRM_AFTER);
            self.send_holdings(said.0, None, None);
        }
    }

    fn announce_now(&mut self) {
        let now = (self.settled_holdings(), self.is_settled());
        if self.announced != Some(now) {
            self.announced = Some(now);
            self.send_holdings(now.0, now.1, None);
            self.classic.confirm_at = now.1.then_some(self.now + CONFIRM_AFTER);
        }
    }

    /// Old words were sent again. 3.0.6 believes what comes last, also where it is what was said first, so what is true
    /// now follows; but not after each of them, for that may get lost and be asked for as well.
    pub(in crate::cluster) fn say_again(&mut self, now: Instant) {
        if !self.speaks_of_halves() {
            return;
        }
        let classic = &mut self.classic;
        match classic.said_again_at.map(|at| at + SAY_AGAIN) {
            Some(at) if at > now => {
                classic.confirm_at = Some(classic.confirm_at.map_or(at, |other| other.min(at)));
            }
            _ => {
                classic.said_again_at = Some(now);
                self.announced = None;
            }
        }
    }

    /// This node is about to stop; it holds what could not be stopped yet.
    pub(in crate::cluster) fn send_shutdown(&mut self) {
        let local = self.ownership.holds_of(Selection::Local);
        let foreign = self.ownership.holds_of(Selection::Foreign) && !self.is_alone();
        self.send_holdings(Holdings::new(local, foreign), false, Some("shutdown"));
    }

    /// Whether nobody else is there who could hold anything.
    fn is_alone(&self) -> bool {
        self.peer.has_left || self.peer.status == NodeStatus::Dead
    }

    /// Whether this node has what it wants and nothing is on the move.
    pub(in crate::cluster) fn is_settled(&self) -> bool {
        self.has_settled
            && !self.ownership.is_moving()
            && self.ownership.is_known()
            && self.classic.dialogue == Dialogue::None
            && self
                .peer
                .takes_over_until
                .is_none_or(|until| until <= self.now)
    }

    /// What we hold when nothing is on the move. A half without groups is held by nobody; it is claimed where
    /// the peer would otherwise complain that nobody has it.
    pub(in crate::cluster) fn settled_holdings(&self) -> Holdings {
        let theirs = self.classic.holds.unwrap_or_default();
        let waived = self.classic.waived;
        let local = if self.ownership.has_any(Selection::Local) {
            self.ownership.holds_of(Selection::Local)
        } else {
            !theirs.has(Selection::Local)
        };
        let foreign = if self.ownership.has_any(Selection::Foreign) {
            self.ownership.holds_of(Selection::Foreign)
        } else {
            self.is_alone() || (waived.has(Selection::Foreign) && !theirs.has(Selection::Foreign))
        };
        Holdings::new(local, foreign)
    }

    /// The peer has declared us dead, although we hear it: it does not hear us, and takes everything.
    pub(in crate::cluster) fn obituary_heard(&mut self, message: &Message, number: u64) {
        let is_ours = message
            .text("node")
            .is_some_and(|node| node.eq_ignore_ascii_case(&self.settings.local_node));
        let result = message.text("result").unwrap_or_default();
        let takes_over = !matches!(result, "unneeded" | "bad" | "badhost");
        if is_ours && takes_over && self.peer.is_classic && number > self.peer.takeover_ended {
            self.peer.takes_over_until = Some(self.now + LONGEST_TAKEOVER);
            self.groups_are_taken();
        }
        // Only news: what comes late tells of a death that was over before we talked, and nobody is held for dead
        // sooner than after deadtime.
        let is_here = matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active);
        let is_news = number == self.peer.incoming.highest()
            && self.peer.is_classic
            && is_here
            && !self.peer.has_left
            && self.now.since(self.epoch_began) >= self.settings.deadtime;
        if is_ours && is_news && self.leaving == Leaving::No {
            self.report(Report::PeerHoldsUsForDead {
                node: self.peer_name(),
            });
            self.begin_new_run();
            self.next_epoch();
            self.ownership.give_up_all();
        }
    }

    /// Goes on as a new run in the eyes of a peer of heartbeat 3.0.6. One that has held us for dead and then
    /// hears the same run again gives up everything and restarts; a new run it takes for a restarted node.
    pub(in crate::cluster) fn begin_new_run(&mut self) {
        if self.renew_generation() {
            self.send_heartbeat(self.now); // only a heartbeat may begin a run
        }
    }

    /// The first part of that; what is sent next must be a heartbeat. False when no generation is left.
    pub(in crate::cluster) fn renew_generation(&mut self) -> bool {
        let next = self.settings.generation.saturating_add(1);
        if next > self.settings.last_generation {
            if !std::mem::replace(&mut self.told.generations_used_up, true) {
                self.report(Report::GenerationsUsedUp);
            }
            return false;
        }
        self.settings.generation = next;
        self.outgoing.renew(next);
        self.peer.acknowledged = 0;
        self.report(Report::NewRun {
            node: self.peer_name(),
            generation: next,
        });
        true
    }

    /// When the conversation with a peer of heartbeat 3.0.6 has to go on.
    pub(in crate::cluster) fn next_word(&self) -> Option<Instant> {
        let classic = &self.classic;
        let ask_at = classic.ask_at.filter(|_| classic.holds.is_none());
        let offer_at = classic.offer_at.filter(|at| *at > self.now);
        let dispute_ends = classic.dispute.map(|dispute| dispute.until);
        let dispute_ends = dispute_ends.filter(|at| *at > self.now);
        let times = [
            ask_at,
            offer_at,
            classic.dialogue.until(),
            classic.confirm_at,
            dispute_ends,
            self.peer.takes_over_until.filter(|at| *at > self.now),
            classic.offered.map(|offer| offer.until),
            self.questions.next_question(),
        ];
        let next = times.into_iter().flatten().min();
        next.filter(|_| self.is_conversing())
    }

    /// `query-cstatus`: whether a program is connected to this node. None ever is; `ipfail` is part of the daemon.
    pub(in crate::cluster) fn answer_client_query(&mut self, message: &Message) {
        let (Some(client), Some(asking)) = (message.text("cn"), message.text("from_id")) else {
            return;
        };
        let is_there = client == "ipfail" && self.has_ipfail();
        let answer = self.begin_to_peer("respond-cstatus");
        answer.push_text("result", "OK");
        answer.push_text("cn", client);
        answer.push_text("to_id", asking);
        answer.push_text("cs", if is_there { "online" } else { "offline" });
        self.finish(false);
    }
}
