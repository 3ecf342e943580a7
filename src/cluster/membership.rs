//! Who is alive: our own way from `init` to `active`, the peer's heartbeats, its death, return and farewell.

use std::time::Duration;

use super::claims::{self, Leaving};
use super::classic::Dialogue;
use super::fence_state::FencingStage;
use super::incident::Cause;
use super::movement::MoveFailure;
use super::node::Plea;
use super::report::Report;
use super::time::by_a_faster_clock;
use super::{
    ASK_NODES_AGAIN, Action, ClassicPeer, Cluster, Instant, NodeStatus, Questions, Relation,
    Standing,
};
use crate::message::Message;

/// A peer may announce any dead time, but not one that keeps it alive for ever.
const LONGEST_DEADTIME: Duration = Duration::from_secs(3600);

impl Cluster {
    /// The end of a turn: every device was read, so what is silent now is silent.
    pub(super) fn tick(&mut self, now: Instant) {
        if self.status == NodeStatus::Init {
            self.send_heartbeat(now); // the first message of a run is a heartbeat that says `init`
            self.set_status(NodeStatus::Up);
        }
        if std::mem::take(&mut self.is_catching_up) {
            self.forget_what_waited();
        }
        self.judge_links(now);
        self.judge_directions(now);
        self.judge_degradation(now);
        self.judge_peer(now);
        self.pursue_maintenance(now);
        self.pursue_fencing(now);
        self.pursue_doubt(now);
        self.review_plea();
        self.judge_pings(now);
        self.join(now);
        self.send_retransmission_requests(now);
        self.converse(now);
        self.pursue_move();
        self.ownership.forget_failures(now);
        self.pursue_carriers(now);
        self.weigh_failback(now);
        self.move_groups(now);
        self.offer_failback(now);
        self.offer_what_failed(now);
        self.judge_move(now);
        self.pursue_incident(now);
        self.pursue_agreement(now);
        self.pursue_ipfail(now);
        self.finish_leaving(now);
        if self.next_heartbeat <= now {
            self.next_heartbeat = self.next_heartbeat + self.settings.keepalive;
            if self.next_heartbeat <= now {
                self.next_heartbeat = now + self.settings.keepalive;
            }
            self.heartbeat_is_due = true;
            if !self.pings.is_empty() {
                self.actions.push_back(Action::Ping);
            }
        }
        if self.heartbeat_is_due {
            self.send_heartbeat(now);
        }
    }

    /// S3: when we did not run for so long that the peer may have taken over, what we hold is given up
    /// before anything else is looked at, and every claim has to be heard anew.
    ///
    /// Judged only when we have just not run for a `pause`: what is read after a stall may bring back a peer
    /// that had long been dead, and that makes the stall no worse.
    pub(super) fn notice_stall(&mut self, pause: Duration, now: Instant) {
        let gap = now.since(self.last_heartbeat);
        // A peer that was heard may have become active since, whatever it said then.
        let knows_us = self.peer.heard_in_this_run
            && self.peer.status != NodeStatus::Dead
            && !self.peer.has_left;
        let peer_waits = if knows_us {
            self.patience_of_the_peer()
        } else {
            by_a_faster_clock(self.settings.initdead).max(self.patience_of_the_peer())
        };
        let has_paused = pause >= self.settings.keepalive / 2;
        if !has_paused || gap < peer_waits || self.status == NodeStatus::Init {
            return;
        }
        self.begin_incident(Cause::Stall, self.last_heartbeat);
        self.last_heartbeat = now;
        self.heartbeat_is_due = true;
        let groups = self.ownership.mark_stale();
        self.halt_fencing(FencingStage::None); // whatever was found out is old by now
        self.suspend_doubt();
        self.report(Report::Stalled { gap, groups });
        self.has_settled = false;
        self.fail_move(MoveFailure::PeerLost);
        // It may hold us for dead, and must not give up what it took.
        let is_new_run = self.peer.is_classic && self.renew_generation();
        self.next_epoch();
        self.is_catching_up = true;
        if matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active) && !self.peer.has_left {
            self.peer.last_heard = now; // its silence may be ours
            self.forget_rhythm();
            self.links.excuse_silence(now);
        } else {
            self.peer.status = NodeStatus::Init; // it may have come and started everything: listen first
            self.forget_missing();
            self.peer.heard_in_this_run = false;
            self.peer.has_left = false;
            self.started = now;
        }
        self.move_groups(now);
        if is_new_run {
            self.send_heartbeat(now);
        }
    }

    /// How we stand with the peer now.
    pub(super) fn standing(&self) -> Standing {
        let relation = match self.peer.status {
            _ if self.peer.has_left => Relation::Gone { died: false },
            NodeStatus::Dead if self.is_in_doubt() => Relation::InDoubt,
            NodeStatus::Dead => Relation::Gone { died: true },
            NodeStatus::Init => Relation::Unheard,
            _ if self.peer.is_classic => self.classic_relation(),
            NodeStatus::Active if self.is_agreed => Relation::Talking,
            NodeStatus::Up | NodeStatus::Active => match self.unanswered_since {
                Some(_) => Relation::Deaf {
                    for_deadtime: self.is_peer_deaf(),
                },
                None => Relation::Unheard,
            },
        };
        Standing {
            relation,
            is_active: self.status == NodeStatus::Active,
            is_leaving: self.leaving != Leaving::No,
            peer_takes: self.peer.status == NodeStatus::Active && !self.peer.is_leaving,
            fails_back: self.has_failback() && self.failback_is_due(),
            stillness: self.stillness(),
        }
    }

    /// An authentic, fresh message of the peer came in: it lives (S1).
    pub(super) fn note_life(&mut self, now: Instant) {
        self.peer.last_heard = now;
    }

    /// A new heartbeat of the peer.
    pub(super) fn heartbeat_heard(&mut self, message: &Message, number: u64, now: Instant) {
        if number <= self.claims_number {
            return; // overtaken by a newer one that said everything again
        }
        let status = message
            .text("st")
            .and_then(NodeStatus::from_word)
            .unwrap_or(match self.peer.status {
                NodeStatus::Active => NodeStatus::Active,
                _ => NodeStatus::Up, // a word that nobody knows
            });
        self.claims_number = number;
        self.incidents.note_heartbeat(number, now);
        self.note_rhythm(now);
        if let Some(millis) = message
            .text("dt")
            .and_then(claims::hex)
            .filter(|millis| *millis > 0)
        {
            let deadtime = Duration::from_millis(millis).min(LONGEST_DEADTIME);
            self.peer.deadtime = deadtime.max(self.settings.keepalive);
        }
        if self.peer.status != status {
            let node = self.peer_name();
            if self.peer.status == NodeStatus::Dead {
                self.spare_peer();
                self.classic.number = number; // what is missing from before, it said to nobody
            }
            if self.peer.status == NodeStatus::Dead && self.peer.is_classic {
                self.ownership.give_back_taken();
                self.questions.is_return = true;
            }
            if self.peer.status == NodeStatus::Init {
                self.remember_peer();
            }
            if matches!(self.peer.status, NodeStatus::Init | NodeStatus::Dead) {
                self.peer.came_as_member = status == NodeStatus::Active;
            }
            self.peer.status = status;
            self.report(Report::StatusUpdate { node, status });
        }
        let mut states = std::mem::take(&mut self.heard_states);
        match message
            .text(claims::FIELD)
            .and_then(|text| claims::parse(text, &mut states))
        {
            Some(heading) => {
                let answering = heading.answering.map(|(run, _)| run);
                self.links_heard(message, answering);
                self.known_state_heard(message, answering);
                self.claims_heard(heading, &states, number, now);
                self.pings_heard(message, now);
                self.readiness_heard(message);
                self.carriers_heard(message, now);
                self.plea_heard(message);
                self.policy_heard(message);
                self.stillness_heard(message);
            }
            None => self.no_claims_heard(),
        }
        self.heard_states = states;
    }

    /// The peer runs anew: what its former run claimed is void, and it holds what it will say.
    pub(super) fn peer_runs_anew(&mut self) {
        if self.peer.heard_in_this_run {
            self.report(Report::NodeRestarted {
                node: self.peer_name(),
            });
        }
        self.spare_peer();
        self.peer.status = NodeStatus::Init;
        self.peer.has_left = false;
        self.peer.is_leaving = false;
        self.peer.acknowledged = 0;
        self.peer.plea = Plea::default();
        self.forget_rhythm();
        self.peer.takes_over_until = None;
        self.peer.takeover_ended = 0;
        self.claims_number = 0;
        self.forget_directions();
        self.qualities.begin_anew();
        self.ask_nodes_at = None;
        self.next_epoch();
        self.remember_peer();
    }

    /// The peer says that it has stopped everything.
    pub(super) fn peer_left(&mut self) {
        if self.peer.has_left || matches!(self.peer.status, NodeStatus::Dead | NodeStatus::Init) {
            return;
        }
        self.peer.has_left = true;
        self.forget_directions();
        self.report(Report::ShutdownNotice {
            node: self.peer_name(),
        });
        self.next_epoch();
    }

    /// Any node list that names both nodes is an agreement.
    pub(super) fn node_list_heard(&mut self, message: &Message) {
        let list = message.text("nodelist").unwrap_or_default();
        let names = |node: &String| list.split(' ').any(|name| name.eq_ignore_ascii_case(node));
        if self.settings.nodes.iter().all(names) {
            self.has_node_list = true;
        }
    }

    /// When the peer will count as dead if nothing more is heard of it. A peer never heard has initdead;
    /// so has one that we have not agreed with yet, because what we heard may be a recording. While another
    /// machine talks in our own name, a peer that was never heard is most likely just that machine.
    pub(super) fn peer_silent_at(&self) -> Option<Instant> {
        let silent_at = self.peer.last_heard + self.peer.deadtime;
        match self.peer.status {
            NodeStatus::Dead => None,
            _ if self.peer.heard_in_this_run && self.status == NodeStatus::Active => {
                Some(silent_at)
            }
            _ => {
                let silent_at = silent_at.max(self.waited_for_until());
                let namesake = self.namesake_heard.filter(|_| !self.peer.heard_in_this_run);
                Some(namesake.map_or(silent_at, |at| silent_at.max(at + self.settings.deadtime)))
            }
        }
    }

    fn judge_links(&mut self, now: Instant) {
        while let Some(link) = self.links.take_down_silent(self.peer.deadtime, now) {
            let (node, link) = (self.peer_name(), self.links.name(link).to_owned());
            self.report(Report::LinkDown { node, link });
            self.failback.break_off();
        }
        let is_late = now >= self.started.max(self.epoch_began) + self.settings.initdead;
        if is_late && self.is_agreed && self.peer.status == NodeStatus::Active {
            while let Some(link) = self.links.take_never_up() {
                let (node, link) = (self.peer_name(), self.links.name(link).to_owned());
                self.report(Report::LinkNeverUp { node, link });
            }
        }
    }

    fn judge_peer(&mut self, now: Instant) {
        let Some(silent_at) = self.peer_silent_at() else {
            return;
        };
        if now < silent_at {
            self.judge_deafness();
            return;
        }
        let node = self.peer_name();
        let patience = self.fencing_patience();
        let was_last = self.is_last_link();
        self.peer.status = NodeStatus::Dead;
        self.peer.is_leaving = false;
        self.forget_missing();
        self.forget_directions();
        self.remember_peer(); // what is heard of this run later is a recording, also after our own restart
        self.report(Report::NodeDead { node: node.clone() });
        self.next_epoch();
        self.answering = None;
        if self.peer.has_left {
            self.report(Report::DeadNodeHeldNothing { node });
        } else {
            self.begin_incident(Cause::Silence, self.peer.last_heard);
            if self.peer.is_classic {
                self.begin_new_run();
            }
            if self.holds_still() {
                self.put_off_silence(patience, was_last);
            } else {
                self.judge_silence(patience, was_last, now);
            }
        }
    }

    fn judge_deafness(&mut self) {
        if self.is_peer_deaf() && !std::mem::replace(&mut self.told.deaf, true) {
            if let Some(since) = self.unanswered_since {
                self.begin_incident(Cause::Unheard, since);
            }
            self.report(Report::PeerIsDeaf {
                node: self.peer_name(),
            });
        }
    }

    /// Whether the peer went on for deadtime without answering us. Its heartbeats must show it: where few
    /// get through, the answer may be among the lost ones.
    fn is_peer_deaf(&self) -> bool {
        let heard = self.peer.last_heartbeat.unwrap_or_default();
        self.unanswered_since
            .is_some_and(|since| heard.since(since) >= self.patience_of_the_peer())
    }

    /// From `up` to `active`: the peer is dead, or both have shown that they hear each other.
    fn join(&mut self, now: Instant) {
        if self.status != NodeStatus::Up {
            return;
        }
        let is_joined = match self.peer.status {
            NodeStatus::Init => false,
            NodeStatus::Dead => true,
            // A node list can be a recording, an answer to this run can't; old nodes give no answers.
            NodeStatus::Up | NodeStatus::Active => {
                let knows = self.ownership.is_known(); // 3.0.6 believes an active node what it does not say
                self.is_agreed || (self.has_node_list && self.peer.is_classic && knows)
            }
        };
        if is_joined {
            self.ask_nodes_at = None;
            self.report(Report::CommunicationUp);
            self.set_status(NodeStatus::Active);
            self.send_heartbeat(now);
        } else if self.peer.status == NodeStatus::Init || !self.peer.is_classic {
            self.ask_nodes_at = None; // nobody to ask, or one whose heartbeats answer
        } else if self.ask_nodes_at.is_none_or(|at| at <= now) {
            self.ask_nodes_at = Some(now + ASK_NODES_AGAIN);
            self.send_node_list_request();
        }
    }

    fn set_status(&mut self, status: NodeStatus) {
        self.status = status;
        self.heartbeat_is_due = true;
        self.report(Report::LocalStatus(status));
    }

    /// Everything said so far was said to an earlier us: the peer has to answer this epoch before its
    /// claims count again.
    pub(super) fn next_epoch(&mut self) {
        self.epoch += 1;
        self.epoch_began = self.now;
        self.is_agreed = false;
        self.unanswered_since = None;
        self.told.deaf = false;
        self.told.settled = false;
        self.heartbeat_is_due = true;
        self.failback.break_off();
        self.ownership.begin_anew();
        if self.classic.dialogue != Dialogue::None {
            self.report(Report::StandbyCancelled);
        }
        self.classic = ClassicPeer::default();
        self.questions = Questions::default();
        self.forget_peer_s_pings();
        self.fail_move(MoveFailure::PeerLost);
    }

    /// Whatever comes next is not late: the pause is ours, or another run begins.
    fn forget_rhythm(&mut self) {
        (self.peer.last_heartbeat, self.shorts.lived) = (None, None);
    }

    fn note_rhythm(&mut self, now: Instant) {
        let Some(last) = self.peer.last_heartbeat.replace(now) else {
            return;
        };
        let interval = now.since(last);
        if self.peer.is_classic && interval >= self.settings.deadtime * 3 / 4 {
            // Perhaps it stood still: then it holds us for dead the moment it goes on, without a word.
            self.questions = Questions::default();
        }
        if self.peer.status == NodeStatus::Dead {
            self.report(Report::ReturnedAfterPartition {
                node: self.peer_name(),
                silence: interval,
            });
            self.unanswered_since = None;
        } else {
            self.tell_late(self.shorts.lived.max(Some(last)), now);
        }
    }

    /// Tells of a heartbeat that comes now, long after the one before.
    pub(super) fn tell_late(&mut self, last: Option<Instant>, now: Instant) {
        let interval = last.map_or(Duration::ZERO, |last| now.since(last));
        if interval > self.settings.warntime {
            self.report(Report::LateHeartbeat {
                node: self.peer_name(),
                interval,
            });
        }
    }
}
