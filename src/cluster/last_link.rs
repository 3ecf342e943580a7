//! All links are gone, and no device resets the other node. Whether it is dead, or cut off and alive, nobody can tell from
//! silence. The operator has said what to take it for (`last_link`), and both nodes tell each other what they go by while
//! they can, in a field of heartbeats that 3.0.6 ignores: `ll=<answer>[ <watchdog>]`, where the answer is `t`, `m`,
//! `d<time>` for `wait` or `w<time>` for `witness`; times are hex and in milliseconds.
//!
//! - `takeover`: it is dead.
//! - `wait`: it is dead once it was silent for so much longer.
//! - `manual`: a person decides.
//! - `witness`: ping nodes decide, on both nodes at once. Who hears neither the other node nor one of them is cut off: it
//!   gives up what it has, within the time of the directive; should something not stop, the machine is reset where it
//!   has a watchdog. Who sees one asks the network again and again whether anybody answers for the addresses of what it
//!   would take. If somebody does, the other node lives, or its kernel does. If nobody has done so for as long as one that
//!   is cut off needs to notice and to give up, the other node counts as dead: for as long as a ping node answers here,
//!   since it may be alive and do the same. Where neither holds anything, the second of the two waits twice as long, so
//!   that it finds what the first one has taken.
//!
//! `wait` and `manual` are for the last link: who loses several at the same moment lost the node at their other end, more
//! likely than all of them. `witness` counts whenever the other node is silent, since one that is cut off gives up in any
//! case. A doubt outlives a restart of the daemon.

use std::time::Duration;

use super::claims::{Leaving, hex};
use super::doubt::{Doubt, DoubtStage, NetworkAnswer, PeerPolicy};
use super::last_link_report::{Begun, LastLinkReport};
use super::movement::Selection;
use super::report::Report;
use super::time::by_a_faster_clock;
use super::{Action, Cluster, GroupId, Instant, LinkId, NodeStatus, Relation, Settings};
use crate::config::{LastLink, StopFailure};
use crate::message::Message;

/// Name of the field.
const FIELD: &str = "ll";
/// Nobody needs to wait longer, whatever the other says.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);
/// How often the network is asked.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Of the time that a node has for giving up, so much is left for its reset, for clocks that differ and for the messages
/// that were last.
const MARGIN: Duration = Duration::from_millis(500);

impl Cluster {
    /// How far it is known whether the silent peer is down, and since when it is silent.
    pub fn doubt(&self) -> Option<(DoubtStage, Instant)> {
        let is_dead = self.peer.status == NodeStatus::Dead;
        let is_there = is_dead && self.doubt.stage != DoubtStage::None;
        is_there.then_some((self.doubt.stage, self.doubt.since))
    }

    /// Whether this node gave up what it had, because it was cut off.
    pub fn is_cut_off(&self) -> bool {
        self.doubt.gave_up
    }

    /// Whether the peer counts as dead only for as long as a ping node answers here.
    pub fn is_alone_on_sight(&self) -> bool {
        self.doubt.stage == DoubtStage::Witnessed
    }

    /// What the peer said last of the loss of all links; `None` while it has said nothing in this run of ours, or is
    /// heartbeat 3.0.6.
    pub fn peer_policy(&self) -> Option<PeerPolicy> {
        self.peer.policy
    }

    /// Whether the links that were left could have gone by one cut. A peer that this run has never heard may always have
    /// been cut off where only one link can receive, or where it was in doubt before.
    pub(super) fn is_last_link(&self) -> bool {
        if self.doubt.is_unresolved || self.links.count() < 2 {
            return true;
        }
        if self.peer.heard_in_this_run {
            self.jeopardy().is_some()
        } else {
            self.links.that_can_receive() < 2
        }
    }

    /// The peer was found silent. Without a device, what follows is what `last_link` says.
    pub(super) fn judge_silence(&mut self, patience: Duration, was_last: bool, now: Instant) {
        if !self.peer.heard_in_this_run && self.links.that_can_receive() == 0 {
            let node = self.peer_name();
            self.report(Report::LastLink(LastLinkReport::NoCarrier { node }));
        }
        if self.can_fence() {
            self.begin_fencing(patience, now);
        } else if !self.begin_doubt(was_last, now) {
            let node = self.peer_name();
            self.report(Report::NoFencing);
            self.report(Report::TakingOver { node });
        }
    }

    fn begin_doubt(&mut self, was_last: bool, now: Instant) -> bool {
        let (stage, begun) = match self.settings.last_link {
            LastLink::Wait(time) if was_last => {
                (DoubtStage::Waiting(now + time), Begun::Waits(time))
            }
            LastLink::Manual if was_last => (DoubtStage::Manual, Begun::Manual),
            // In maintenance one that is cut off gives up nothing.
            LastLink::Witness(_) if self.maintenance.peer_holds_still => {
                (DoubtStage::Manual, Begun::AfterMaintenance)
            }
            LastLink::Witness(_) => (DoubtStage::Watching(now), Begun::Witness(self.unseen_for())),
            _ => return false,
        };
        let has_groups = self.ownership.has_any(Selection::All);
        self.doubt = Doubt {
            stage: if has_groups { stage } else { DoubtStage::None },
            since: now,
            is_unresolved: true,
            ..self.doubt.ended()
        };
        self.remember_peer();
        if has_groups {
            let node = self.peer_name();
            self.report(Report::LastLink(LastLinkReport::Begun { node, begun }));
        }
        has_groups
    }

    /// Takes up the doubt where it is due.
    pub(super) fn pursue_doubt(&mut self, now: Instant) {
        if self.leaving != Leaving::No {
            return;
        }
        if self.peer.status != NodeStatus::Dead {
            self.give_up_unheard(now);
            self.insist_on_giving_up(now);
            return;
        }
        match self.doubt.stage {
            DoubtStage::Waiting(at) if at <= now => {
                let node = self.peer_name();
                let after = now.since(self.doubt.since);
                self.settle_doubt(LastLinkReport::Waited { node, after });
            }
            DoubtStage::Watching(_) | DoubtStage::Asking | DoubtStage::Witnessed
                if self.sees_no_witness(now) =>
            {
                self.lose_the_network(now);
            }
            DoubtStage::Watching(at) if at <= now => self.ask_network(now),
            DoubtStage::None if self.maintenance.silence.is_some() && !self.can_fence() => {
                self.give_up_cut_off(now);
            }
            _ => {}
        }
        self.insist_on_giving_up(now);
    }

    fn ask_network(&mut self, now: Instant) {
        if self.ping_counts(now).fresh == 0 {
            self.doubt.stage = DoubtStage::Watching(now + self.settings.keepalive);
            return;
        }
        self.doubt.request += 1;
        self.doubt.stage = DoubtStage::Asking;
        self.doubt.asked_at = now;
        self.doubt.blind_told = false;
        let request = self.doubt.request;
        let groups = self.ownership.not_held().collect();
        self.actions
            .push_back(Action::AskNetwork { request, groups });
    }

    /// No ping node answers here: whatever this node holds nobody can use, and the other may take it.
    fn lose_the_network(&mut self, now: Instant) {
        self.doubt.stage = DoubtStage::Watching(now + self.settings.keepalive);
        self.doubt.unseen_since = None;
        if self.doubt.gave_up || !self.ownership.holds_any() {
            self.tell_blindness();
            return;
        }
        self.give_up(now);
    }

    /// The other node is heard and has not heard this one for deadtime: to it this one is silent, and it may take everything.
    fn give_up_unheard(&mut self, now: Instant) {
        let is_unheard = self.standing().relation == Relation::Deaf { for_deadtime: true };
        if is_unheard {
            self.give_up_cut_off(now);
        }
    }

    /// Where no ping node answers either, and the other goes by that: it does not while both are in maintenance.
    fn give_up_cut_off(&mut self, now: Instant) {
        let is_witness = matches!(self.settings.last_link, LastLink::Witness(_));
        let has_more = !self.doubt.gave_up && self.ownership.holds_any();
        let may_keep = self.both_hold_still();
        if is_witness && has_more && !may_keep && self.sees_no_witness(now) {
            self.give_up(now);
        }
    }

    fn give_up(&mut self, now: Instant) {
        self.doubt.gave_up = true;
        self.doubt.blind_told = true;
        let groups = self.ownership.cut_off();
        let room = self.settings.keepalive * 2 + MARGIN;
        let time = by_a_slower_clock(self.time_to_yield()).saturating_sub(room);
        self.doubt.give_up_until = Some(now + time);
        let node = self.peer_name();
        self.report(Report::LastLink(LastLinkReport::CutOff { node, groups }));
    }

    fn tell_blindness(&mut self) {
        if !std::mem::replace(&mut self.doubt.blind_told, true) {
            let node = self.peer_name();
            self.report(Report::LastLink(LastLinkReport::Blind { node }));
        }
    }

    /// What is not given up in time the other takes all the same: then the machine has to be reset.
    fn insist_on_giving_up(&mut self, now: Instant) {
        if self.doubt.give_up_until.is_none_or(|until| until > now) {
            return;
        }
        self.doubt.give_up_until = None;
        if !self.ownership.holds_any() {
            return;
        }
        let can_reset =
            self.watchdog.is_some() || self.settings.stop_failure == StopFailure::Reboot;
        if can_reset {
            self.actions.push_back(Action::ResetMachine);
        }
        let node = self.peer_name();
        let report = LastLinkReport::StillHeld {
            node,
            resets: can_reset,
        };
        self.report(Report::LastLink(report));
    }

    /// The network was asked. An answer to an earlier question counts for nothing.
    pub(super) fn network_answered(&mut self, request: u64, answer: NetworkAnswer, now: Instant) {
        let is_awaited = self.doubt.stage == DoubtStage::Asking && request == self.doubt.request;
        if !is_awaited || self.peer.status != NodeStatus::Dead {
            return;
        }
        let node = self.peer_name();
        if let Some(group) = answer.served {
            self.doubt.stage = DoubtStage::Watching(now + ASK_AGAIN);
            self.doubt.unseen_since = None;
            if !std::mem::replace(&mut self.doubt.served_told, true) {
                let key = self.key_of(group);
                self.report(Report::LastLink(LastLinkReport::Served { node, key }));
            }
            return;
        }
        if self.doubt.gave_up && answer.asked == 0 {
            // The other node has most likely taken what was given up, and nothing of that can be seen from here.
            self.doubt.stage = DoubtStage::Manual;
            self.report(Report::LastLink(LastLinkReport::Unseen { node }));
            return;
        }
        let asked_at = self.doubt.asked_at;
        let unseen = asked_at.since(*self.doubt.unseen_since.get_or_insert(asked_at));
        let needed = self.unseen_for();
        if unseen < needed {
            self.doubt.stage =
                DoubtStage::Watching(now + ASK_AGAIN.min(needed.saturating_sub(unseen)));
            return;
        }
        self.doubt = Doubt {
            stage: DoubtStage::Witnessed,
            since: self.doubt.since,
            is_unresolved: true,
            ..self.doubt.ended()
        };
        self.go_without_peer(LastLinkReport::Witnessed { node, time: unseen });
    }

    /// From now on it counts as dead.
    pub(super) fn settle_doubt(&mut self, proof: LastLinkReport) {
        self.doubt = self.doubt.ended();
        self.remember_peer();
        self.go_without_peer(proof);
    }

    fn go_without_peer(&mut self, proof: LastLinkReport) {
        self.report(Report::LastLink(proof));
        if self.leaving == Leaving::No {
            let node = self.peer_name();
            self.report(Report::TakingOver { node });
        }
    }

    /// The peer is heard. What is heard may be a recording: the doubt is over once it answers.
    pub(super) fn end_doubt(&mut self) {
        if self.doubt.is_open() {
            let node = self.peer_name();
            self.report(Report::LastLink(LastLinkReport::Heard { node }));
        }
        self.suspend_doubt();
    }

    /// The peer lives, for sure.
    pub(super) fn resolve_doubt(&mut self) {
        (self.doubt.gave_up, self.doubt.give_up_until) = (false, None);
        if std::mem::take(&mut self.doubt.is_unresolved) {
            self.remember_peer();
        }
    }

    /// Whether this node goes by something else than silence alone.
    pub(super) fn may_doubt(&self) -> bool {
        self.settings.last_link != LastLink::Takeover
    }

    /// We stood still: what was found out is old by now, but the doubt stays.
    pub(super) fn suspend_doubt(&mut self) {
        self.forget_silence();
        let is_unresolved = self.doubt.is_unresolved;
        self.doubt = Doubt {
            is_unresolved,
            ..self.doubt.ended()
        };
    }

    /// When there is something to do about it.
    pub(super) fn next_doubt(&self) -> Option<Instant> {
        let next = match self.doubt.stage {
            DoubtStage::Waiting(at) | DoubtStage::Watching(at) => Some(at),
            DoubtStage::None | DoubtStage::Asking | DoubtStage::Witnessed | DoubtStage::Manual => {
                None
            }
        };
        [next, self.doubt.give_up_until]
            .into_iter()
            .flatten()
            .min()
            .filter(|_| self.peer.status == NodeStatus::Dead && self.leaving == Leaving::No)
    }

    /// A link has a carrier, or has none.
    pub(super) fn link_carrier(&mut self, link: LinkId, has: Option<bool>, now: Instant) {
        self.links.set_carrier(link, has);
        if self.links.that_can_receive() == 0 {
            self.receives_since = None;
        } else {
            self.receives_since.get_or_insert(now);
        }
    }

    /// Until when a peer that was never heard is waited for: `initdead`, counted from when a link of this node can receive
    /// (a switch may need half a minute before it forwards). Without any carrier, twice that time after the start: a
    /// machine whose only neighbour has no power has none, and is to serve all the same.
    pub(super) fn waited_for_until(&self) -> Instant {
        let initdead = self.settings.initdead;
        let latest = self.started + initdead;
        let from = self
            .receives_since
            .map_or(latest, |since| since.min(latest));
        from.max(self.started) + initdead
    }

    /// How long a node that is cut off has for giving up. Where the two say different times, the one that takes waits for
    /// the longer one, and the one that gives up has the shorter one.
    fn time_to_yield(&self) -> Duration {
        let LastLink::Witness(mine) = self.settings.last_link else {
            return Duration::ZERO;
        };
        let theirs = match self.peer.policy {
            Some(PeerPolicy {
                answer: LastLink::Witness(theirs),
                ..
            }) => theirs,
            _ => mine,
        };
        if self.doubt.gave_up {
            mine.min(theirs)
        } else {
            mine.max(theirs)
        }
    }

    /// How long nobody must have answered for an address before the other node counts as dead: one that is cut off has
    /// noticed by then, and given up. Where neither may hold anything, nothing can be seen of the one that takes it in the
    /// same moment: the second one comes later.
    fn unseen_for(&self) -> Duration {
        let notice = no_witness(
            self.peer.deadtime.max(self.settings.deadtime),
            &self.settings,
        );
        let time = by_a_faster_clock(self.time_to_yield() + notice);
        let is_first = self.settings.local_node < self.settings.peer_node;
        let may_be_unheld = self.doubt.gave_up || !self.peer.heard_in_this_run;
        if may_be_unheld && !is_first {
            time * 2
        } else {
            time
        }
    }

    /// Whether no ping node has answered for so long that this node is cut off.
    fn sees_no_witness(&self, now: Instant) -> bool {
        let wait = no_witness(self.settings.deadtime, &self.settings);
        self.pings
            .last_answer()
            .is_some_and(|last| now.since(last) >= wait)
    }

    fn key_of(&self, group: GroupId) -> String {
        let index = usize::try_from(group.0).unwrap_or(usize::MAX);
        let group = self.settings.groups.get(index);
        group.map_or_else(String::new, |group| group.key.clone())
    }

    /// Adds the field to the heartbeat begun last, where there is something to say and somebody who understands it.
    pub(super) fn push_policy(&mut self) {
        let (answer, watchdog) = (self.settings.last_link, self.watchdog);
        if !self.says_links() || (answer == LastLink::Takeover && watchdog.is_none()) {
            return;
        }
        let (letter, time) = match answer {
            LastLink::Takeover => ("t", None),
            LastLink::Manual => ("m", None),
            LastLink::Wait(time) => ("d", Some(time)),
            LastLink::Witness(time) => ("w", Some(time)),
        };
        let message = self.outgoing.message();
        message.push_fmt(
            FIELD,
            format_args!("{letter}{}{}", Millis("", time), Millis(" ", watchdog)),
        );
    }

    /// What a heartbeat of a peer of ours says of this.
    pub(super) fn policy_heard(&mut self, message: &Message) {
        if !self.is_agreed {
            return; // it has not heard yet that we understand the field
        }
        // A word of a later version is no reason for anything.
        let policy = message
            .text(FIELD)
            .map_or_else(|| Some(PeerPolicy::default()), parse);
        let before = std::mem::replace(&mut self.peer.policy, policy);
        let Some(theirs) = policy.map(|policy| policy.answer) else {
            return;
        };
        let mine = self.settings.last_link;
        let is_news = before.map(|policy| policy.answer) != Some(theirs);
        if is_news && theirs != mine && !self.can_fence() {
            let node = self.peer_name();
            self.report(Report::LastLink(LastLinkReport::Differs {
                node,
                mine,
                theirs,
            }));
        }
    }
}

/// After so long without an answer of a ping node, a node with this deadtime is cut off: one lost answer is none.
fn no_witness(deadtime: Duration, settings: &Settings) -> Duration {
    deadtime.max(settings.keepalive * 4)
}

/// So much of a time passes at least while a clock that is up to a hundredth too fast shows all of it.
fn by_a_slower_clock(time: Duration) -> Duration {
    time * 99 / 100
}

/// A time after a word, where there is one.
struct Millis(&'static str, Option<Duration>);

impl std::fmt::Display for Millis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self(_, None) => Ok(()),
            Self(before, Some(time)) => write!(f, "{before}{:x}", time.as_millis()),
        }
    }
}

fn parse(text: &str) -> Option<PeerPolicy> {
    let mut words = text.split(' ');
    let time = |word: &str| {
        let time = Duration::from_millis(hex(word)?);
        Some(time.min(LONGEST))
    };
    let word = words.next()?;
    let answer = match (word.get(..1)?, word.get(1..)?) {
        ("t", "") => LastLink::Takeover,
        ("m", "") => LastLink::Manual,
        ("d", rest) => LastLink::Wait(time(rest)?),
        ("w", rest) => LastLink::Witness(time(rest)?),
        _ => return None,
    };
    let watchdog = match words.next() {
        Some(word) => Some(time(word)?),
        None => None,
    };
    Some(PeerPolicy { answer, watchdog })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood_and_nothing_else_is() {
        let seconds = Duration::from_secs;
        let policy = |answer, watchdog| Some(PeerPolicy { answer, watchdog });
        assert_eq!(parse("t"), policy(LastLink::Takeover, None));
        assert_eq!(parse("m 7d0"), policy(LastLink::Manual, Some(seconds(2))));
        assert_eq!(parse("d7d0"), policy(LastLink::Wait(seconds(2)), None));
        assert_eq!(
            parse("w2710 fa0"),
            policy(LastLink::Witness(seconds(10)), Some(seconds(4)))
        );
        assert_eq!(
            parse("wffffffffffff"),
            policy(LastLink::Witness(LONGEST), None)
        );
        for nonsense in ["", "w", "x", "wg", "t1", "m 7d0x", "é", "w-1", " t"] {
            assert_eq!(parse(nonsense), None, "{nonsense:?}");
        }
    }
}
