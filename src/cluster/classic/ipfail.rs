//! What the `ipfail` of heartbeat 3.0.6 says and wants to hear: `num_ping_nodes`, answered by `you_are_dead` or
//! `abort_giveup`.
//!
//! It tells how many ping nodes it sees when something happens, and by then the other node may just not have noticed
//! the same. So nothing goes on its first word: it is asked once more, and must say the same again.

use std::time::Duration;

use crate::cluster::claims::Leaving;
use crate::cluster::giveup::{Giveup, Word};
use crate::cluster::movement::Selection;
use crate::cluster::ping::PingCounts;
use crate::cluster::ping_report::PingReport;
use crate::cluster::report::Report;
use crate::cluster::{Cluster, Instant, NodeStatus};
use crate::config::AutoFailback;
use crate::message::Message;

use super::Dialogue;

/// The name of the client, as both ends of its messages.
const CLIENT: &str = "ipfail";
/// How long it may take to answer: it takes up to a second for every message that waits.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

impl Cluster {
    /// Does what is due towards the `ipfail` of the peer.
    pub(in crate::cluster) fn pursue_old_ipfail(&mut self, now: Instant) {
        let is_member = self.status == NodeStatus::Active && self.leaving == Leaving::No;
        let is_peer_there = self.peer.status == NodeStatus::Active && !self.peer.has_left;
        if !is_member || !is_peer_there {
            self.abort_giveup();
            return;
        }
        if !std::mem::replace(&mut self.ipfail.old.greeted, true) {
            self.send_join();
            self.ask_for_count(now);
        }
        self.answer_count(now);
        let sees_less = self.sees_less();
        self.note_overruling(sees_less);
        if matches!(self.classic.dialogue, Dialogue::Taking { .. }) && self.peer_sees_less() {
            self.ipfail.old.gave = true;
        }
        if sees_less && self.may_give_up(now) {
            self.report(Report::Ping(PingReport::Fewer));
            self.delay_giveup(Selection::All, Word::Open, now);
        }
        match self.ipfail.giveup.filter(|giveup| giveup.at <= now) {
            Some(giveup) if giveup.word == Word::Open => {
                self.ipfail.giveup = Some(Giveup {
                    at: now + ANSWER_WITHIN,
                    word: Word::Asked,
                    ..giveup
                });
                self.ask_for_count(now);
            }
            Some(giveup) if giveup.word == Word::Asked => {
                self.ipfail.theirs = None; // it does not answer: what it said is not worth anything
                self.abort_giveup();
            }
            _ => self.give_up_in_time(now),
        }
    }

    /// A message of the peer's `ipfail`. False when it says nothing that can be understood.
    pub(in crate::cluster) fn ipfail_heard(
        &mut self,
        kind: &str,
        message: &Message,
        number: u64,
        now: Instant,
    ) -> bool {
        let is_for_ipfail = message.text("to_id").is_none_or(|name| name == CLIENT);
        let is_member = self.status == NodeStatus::Active && self.leaving == Leaving::No;
        if !self.has_ipfail() || !self.peer.is_classic || !is_for_ipfail || !is_member {
            return true;
        }
        let count = message.text("num_ping").map(str::parse::<u32>);
        if kind == "num_ping_nodes" && !matches!(count, Some(Ok(_))) {
            return false;
        }
        if number <= self.ipfail.old.number {
            return true; // overtaken by a newer one
        }
        self.ipfail.old.number = number;
        let mine = self.ping_counts(now);
        match (kind, count) {
            ("num_ping_nodes", Some(Ok(theirs))) => {
                self.believe(mine, theirs, now);
                self.ipfail.old.question = Some(theirs);
                self.answer_count(now);
            }
            ("you_are_dead", _) => {
                self.believe(mine, mine.answering.saturating_add(1), now);
                self.fewer_here(PingReport::ToldOfFewer, now);
            }
            _ => {
                self.believe(mine, mine.answering, now);
                if self.ipfail.giveup.is_none() {
                    self.report(Report::Ping(PingReport::NothingToAbort));
                }
                self.even_again();
                self.abort_giveup();
            }
        }
        true
    }

    /// `hbapi-clstat`: a program has connected to the peer, or gone.
    pub(in crate::cluster) fn client_heard(&mut self, message: &Message, now: Instant) {
        let has_joined =
            message.text("from_id") == Some(CLIENT) && message.text("st") == Some("join");
        if has_joined && self.ipfail.old.greeted && self.peer.is_classic && self.has_ipfail() {
            self.ask_for_count(now);
        }
    }

    /// Tells the peer's `ipfail` how many ping nodes are seen here.
    pub(in crate::cluster) fn send_count(&mut self, now: Instant) {
        let mine = self.ping_counts(now);
        let message = self.begin_to_peer("num_ping_nodes");
        message.push_fmt("num_ping", format_args!("{}", mine.answering));
        self.finish_for_ipfail();
    }

    /// The peer tells how many it sees, and acts on what it is answered. Where one that it misses has just not answered
    /// here either, it may be dead for both: then the answer waits until that is clear.
    fn answer_count(&mut self, now: Instant) {
        let Some(theirs) = self.ipfail.old.question else {
            return;
        };
        let mine = self.ping_counts(now);
        if mine.answering > theirs && mine.fresh <= theirs {
            return;
        }
        self.ipfail.old.question = None;
        match mine.answering.cmp(&theirs) {
            std::cmp::Ordering::Greater => {
                self.abort_giveup();
                self.report(Report::Ping(PingReport::More));
                self.send_to_ipfail("you_are_dead");
            }
            std::cmp::Ordering::Less => self.fewer_here(PingReport::Fewer, now),
            std::cmp::Ordering::Equal => {
                self.report(Report::Ping(PingReport::Balanced));
                self.send_to_ipfail("abort_giveup");
                self.even_again();
                if self.ipfail.giveup.is_some() {
                    self.abort_giveup();
                } else {
                    self.give_back(now);
                }
            }
        }
    }

    /// What the peer said, as if it were one of ours: it counts what is configured here.
    fn believe(&mut self, mine: PingCounts, theirs: u32, now: Instant) {
        let counts = PingCounts {
            answering: theirs,
            fresh: theirs,
            all: mine.all,
        };
        self.ipfail.theirs = Some((counts, now));
    }

    /// Fewer ping nodes answer here, the peer says.
    fn fewer_here(&mut self, report: PingReport, now: Instant) {
        match self.ipfail.giveup {
            Some(giveup) if giveup.word == Word::Asked && giveup.what == Selection::All => {
                self.ipfail.giveup = Some(Giveup {
                    at: now,
                    word: Word::Sure,
                    ..giveup
                });
            }
            Some(giveup) if giveup.what == Selection::All => {}
            _ if self.may_give_up(now) => {
                self.report(Report::Ping(report));
                self.delay_giveup(Selection::All, Word::Open, now);
            }
            _ => {}
        }
    }

    /// With `auto_failback on`, what the peer gave because it saw fewer goes back to it.
    fn give_back(&mut self, now: Instant) {
        if self.would_give_back() && self.can_offer() && self.failback_is_due() {
            self.ipfail.old.gave = false;
            self.report(Report::Ping(PingReport::GivingBack));
            self.delay_giveup(Selection::Foreign, Word::Sure, now);
        }
    }

    /// Whether something is to go back because the peer gave it for want of a network.
    pub(in crate::cluster) fn would_give_back(&self) -> bool {
        self.settings.auto_failback == AutoFailback::On
            && self.ipfail.old.gave
            && !self.peer_sees_less()
            && self.ownership.holds_of(Selection::Foreign)
    }

    fn send_to_ipfail(&mut self, kind: &str) {
        self.begin_to_peer(kind);
        self.finish_for_ipfail();
    }

    /// Tells that our `ipfail` is there: the peer's then asks it.
    fn send_join(&mut self) {
        let message = self.outgoing.begin("hbapi-clstat");
        message.push_text("st", "join");
        message.push_text("info", "signon");
        self.finish_for_ipfail();
    }

    fn finish_for_ipfail(&mut self) {
        let message = self.outgoing.message();
        message.push_text("from_id", CLIENT);
        message.push_text("to_id", CLIENT);
        message.push_text("client_gen", "0");
        self.finish(false);
    }
}
