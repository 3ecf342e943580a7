//! The standby dialogue of heartbeat 3.0.6: `ask_resources` with `me`, `other`, `done`, `done`. A half, or both,
//! pass from the node that asks to the other, which starts nothing before it was told that all is stopped.

use std::time::Duration;

use super::halves::{Dialogue, Dispute, Offer};
use crate::cluster::claims::Leaving;
use crate::cluster::movement::{MoveFailure, MoveProgress, Selection};
use crate::cluster::moves::Asker;
use crate::cluster::policy::Reason;
use crate::cluster::report::Report;
use crate::cluster::{Cluster, Instant, NodeStatus, Relation};
use crate::config::AutoFailback;
use crate::message::Message;

/// How long the peer may take to agree (as 3.0.6).
const AGREE_WITHIN: Duration = Duration::from_secs(10);
/// How long an offer of the peer is good: it waits for ten seconds.
const ANSWER_WITHIN: Duration = Duration::from_secs(8);
/// How long an agreement may be on its way after an offer that was made later.
const CROSS_WITHIN: Duration = Duration::from_secs(2);
/// How long the peer may take to begin to stop what it offered; it does so at once, or has taken the offer back.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);
/// How long each side may take to stop or start everything (as 3.0.6).
const WORK_WITHIN: Duration = Duration::from_secs(3600);
/// How long a peer may take to give once more what it gave and claims all the same.
const GIVE_AGAIN_WITHIN: Duration = Duration::from_secs(10);
/// Pause before a failback that came to nothing is tried again.
const OFFER_AGAIN: Duration = Duration::from_secs(20);
/// The longest such pause: it doubles each time.
const OFFER_SELDOM: Duration = Duration::from_secs(600);

impl Cluster {
    /// Offers groups to the peer.
    pub(in crate::cluster) fn offer(&mut self, ours: Selection, reason: Reason, now: Instant) {
        self.report(Report::StandbyWanted {
            node: self.settings.local_node.clone(),
            selection: ours,
        });
        self.send_standby(ours, "me");
        self.classic.dialogue = Dialogue::Asked {
            ours,
            reason,
            until: now + AGREE_WITHIN,
        };
    }

    /// Whether both want nothing more, and the peer was told so: else it would ignore an offer.
    pub(in crate::cluster) fn can_offer(&self) -> bool {
        self.standing().relation == Relation::Halves { settled: true }
            && self.announced == Some((self.settled_holdings(), true))
            && !self.ownership.is_moving()
    }

    /// What returned from a death goes back to its preferred node.
    pub(in crate::cluster) fn offer_failback(&mut self, now: Instant) {
        if self.would_offer_failback() && self.can_offer_failback(now) && self.failback_is_due() {
            self.offer_again_after(now);
            self.offer(Selection::Foreign, Reason::Failback, now);
        }
    }

    /// Whether anything is to go back to its preferred node, as soon as that can be.
    pub(in crate::cluster) fn would_offer_failback(&self) -> bool {
        let classic = &self.classic;
        self.settings.auto_failback == AutoFailback::On
            && matches!(self.standing().relation, Relation::Halves { .. })
            && !self.peer_sees_less()
            && !classic.waived.has(Selection::Foreign)
            && classic
                .holds
                .is_some_and(|halves| !halves.has(Selection::Foreign))
            && !self.ownership.is_stuck(Selection::Foreign)
            && self.ownership.holds_of(Selection::Foreign)
    }

    /// Whether that can be now.
    pub(in crate::cluster) fn can_offer_failback(&self, now: Instant) -> bool {
        self.can_offer() && self.classic.offer_at.is_none_or(|at| at <= now)
    }

    /// A half of which nothing could be started here: perhaps the peer can.
    pub(in crate::cluster) fn offer_what_failed(&mut self, now: Instant) {
        if !self.can_offer() || self.classic.offer_at.is_some_and(|at| at > now) {
            return;
        }
        let theirs = self.classic.holds.unwrap_or_default();
        let failed = [Selection::Local, Selection::Foreign]
            .into_iter()
            .find(|half| !theirs.has(*half) && self.ownership.has_failed(*half));
        if let Some(half) = failed {
            self.offer_again_after(now);
            self.offer(half, Reason::Standby, now);
        }
    }

    /// The peer gave a half and claims it all the same. A takeover of its own that ended meanwhile makes it do so,
    /// whether that takeover still started something or not, and only a stop there makes both sides sure: it is asked to
    /// give it once more. If it does not, it has it.
    pub(in crate::cluster) fn settle_dispute(&mut self, now: Instant) {
        let Some(ours) = self.classic.claims_what_it_gave() else {
            if self.classic.dialogue == Dialogue::None {
                self.classic.dispute = None;
            }
            return;
        };
        let dispute = *self.classic.dispute.get_or_insert(Dispute {
            until: now + GIVE_AGAIN_WITHIN,
            is_asked: false,
        });
        if dispute.until <= now {
            self.classic.believe_disowned();
            self.apply_claims();
        } else if !dispute.is_asked && self.can_offer() {
            self.classic.dispute = Some(Dispute {
                is_asked: true,
                ..dispute
            });
            self.report(Report::ClaimsWhatItGave {
                node: self.peer_name(),
                selection: ours.seen_by_the_other(),
            });
            self.ask_for_half(ours, Asker::Operator);
        }
    }

    /// A peer that was interrupted in a dialogue listens to no other for an hour.
    fn offer_again_after(&mut self, now: Instant) {
        let classic = &mut self.classic;
        let pause = OFFER_AGAIN * 2_u32.saturating_pow(classic.offers.min(8));
        classic.offer_at = Some(now + pause.min(OFFER_SELDOM));
        classic.offers = classic.offers.saturating_add(1);
    }

    /// `ask_resources`. False when it does not fit.
    pub(in crate::cluster) fn standby_heard(
        &mut self,
        message: &Message,
        number: u64,
        now: Instant,
    ) -> bool {
        let word = message.text("rsc_hold").unwrap_or("all");
        let Some(said) = Selection::from_word(word) else {
            return false;
        };
        if !self.speaks_of_halves() || self.leaving != Leaving::No {
            return true;
        }
        match (message.text("info"), self.classic.dialogue) {
            (Some("me"), Dialogue::None | Dialogue::Asked { .. }) => {
                self.classic.offered = Some(Offer {
                    ours: said.seen_by_the_other(),
                    number,
                    until: now + ANSWER_WITHIN,
                });
                self.accept_offer(now);
            }
            (Some("other"), Dialogue::Asked { ours, reason, .. }) if ours == said => {
                self.give_half(ours, reason, number);
            }
            // The end of an earlier dialogue may come late.
            (Some("done"), Dialogue::Accepted { since, .. } | Dialogue::Given { since, .. })
                if number <= since => {}
            (Some("done"), Dialogue::Accepted { ours, .. }) if ours.seen_by_the_other() == said => {
                if let Dialogue::Accepted { done, .. } = &mut self.classic.dialogue {
                    *done = Some(number);
                }
                self.take_what_is_done();
            }
            (Some("done"), Dialogue::Given { ours, .. }) if ours == said => {
                self.report(Report::StandbyGiven { selection: ours });
                self.classic.has_taken(ours, number);
                self.end_dialogue();
                self.progress_move(MoveProgress::Done);
            }
            // 3.0.6 says this to itself, and aloud, after a peer has left.
            (Some("done"), Dialogue::None) => {}
            _ => return false,
        }
        true
    }

    /// Takes what the peer offers, once both want nothing else. An offer of ours that crossed it is void: the peer
    /// ignores it.
    pub(in crate::cluster) fn accept_offer(&mut self, now: Instant) {
        let Some(Offer {
            ours,
            number,
            until,
        }) = self.classic.offered
        else {
            return;
        };
        let is_ready =
            self.status == NodeStatus::Active && self.has_settled && !self.ownership.is_moving();
        let node = self.peer_name();
        if !is_ready || !self.classic.is_stable || self.peer.status != NodeStatus::Active {
            if until <= now {
                self.classic.offered = None;
                self.report(Report::StandbyIgnored {
                    node,
                    ours: !is_ready,
                });
            }
            return;
        }
        match self.classic.dialogue {
            Dialogue::None => {}
            // It may have agreed to our offer before it made its own, which it then has taken back.
            Dialogue::Asked { .. } if now + ANSWER_WITHIN < until + CROSS_WITHIN => return,
            Dialogue::Asked { .. } => self.fail_move(MoveFailure::Refused),
            _ => {
                self.classic.offered = None;
                return;
            }
        }
        self.classic.offered = None;
        let said = ours.seen_by_the_other();
        self.report(Report::StandbyWanted {
            node,
            selection: said,
        });
        self.send_standby(said, "other");
        self.classic.expect_release(ours);
        self.classic.dialogue = Dialogue::Accepted {
            ours,
            since: number,
            has_begun: false,
            done: None,
            until: now + BEGIN_WITHIN,
        };
        self.apply_claims();
        self.progress_move(MoveProgress::Releasing);
    }

    /// The peer tells in passing where it is in the dialogue.
    pub(in crate::cluster) fn hear_progress(
        &mut self,
        info: Option<&str>,
        is_stable: bool,
        number: u64,
    ) {
        let now = self.now;
        let holds = self.classic.holds.unwrap_or_default();
        match &mut self.classic.dialogue {
            Dialogue::Accepted {
                since,
                until,
                has_begun,
                ..
            } if info == Some("standby") && number > *since => {
                (*until, *has_begun) = (now + WORK_WITHIN, true);
                self.take_what_is_done();
            }
            // It has what was given and says so, before the word that belongs here or without it.
            Dialogue::Given { ours, since, .. }
                if is_stable && number > *since && holds.has(*ours) =>
            {
                let selection = *ours;
                self.report(Report::StandbyGiven { selection });
                self.end_dialogue();
                self.progress_move(MoveProgress::Done);
            }
            _ => {}
        }
    }

    fn give_half(&mut self, ours: Selection, reason: Reason, since: u64) {
        self.report(Report::StandbyAgreed {
            node: self.peer_name(),
            selection: ours,
        });
        self.ownership.give(ours, reason);
        self.classic.offered = None;
        self.classic.dialogue = Dialogue::Giving { ours, since };
        let rest = self.settled_holdings().without(ours);
        self.send_holdings(rest, false, Some("standby"));
        self.progress_move(MoveProgress::Releasing);
    }

    /// Takes what the peer gives, once it has said both that it began to stop it and that it is done.
    fn take_what_is_done(&mut self) {
        let Dialogue::Accepted {
            ours,
            has_begun: true,
            done: Some(number),
            ..
        } = self.classic.dialogue
        else {
            return;
        };
        self.report(Report::StandbyTaking {
            node: self.peer_name(),
            selection: ours.seen_by_the_other(),
        });
        self.classic.has_given(ours, number);
        self.classic.dialogue = Dialogue::Taking { ours };
        self.apply_claims();
        self.progress_move(MoveProgress::Acquiring);
    }

    /// What has come to its end, or taken too long.
    pub(in crate::cluster) fn judge_dialogue(&mut self, now: Instant) {
        self.accept_offer(now);
        match self.classic.dialogue {
            Dialogue::Giving { ours, .. } if self.ownership.is_stuck(ours) => {
                self.report(Report::StandbyCancelled);
                self.ownership.take_back();
                self.end_dialogue();
                self.fail_move(MoveFailure::StopFailed);
            }
            Dialogue::Giving { ours, since } if !self.ownership.holds_of(ours) => {
                self.report(Report::StandbyReleased { selection: ours });
                self.send_standby(ours, "done");
                let classic = &mut self.classic;
                classic.holds = classic.holds.map(|halves| halves.joined(ours.into()));
                classic.waived = classic.waived.without(ours.into());
                classic.dialogue = Dialogue::Given {
                    ours,
                    since,
                    until: now + WORK_WITHIN,
                };
                self.apply_claims();
                self.progress_move(MoveProgress::Acquiring);
            }
            Dialogue::Taking { ours } if !self.ownership.is_taking(ours) => {
                let word = ours.seen_by_the_other();
                self.report(Report::StandbyTaken { selection: word });
                self.send_standby(word, "done");
                self.end_dialogue();
                self.judge_taken();
            }
            dialogue if dialogue.until().is_some_and(|until| until <= now) => {
                self.report(Report::StandbyUnanswered);
                self.end_dialogue();
                self.fail_move(MoveFailure::NoAnswer);
            }
            _ => {}
        }
    }

    fn end_dialogue(&mut self) {
        self.classic.dialogue = Dialogue::None;
        self.apply_claims();
        self.announced = None;
    }

    fn send_standby(&mut self, said: Selection, info: &str) {
        let message = self.outgoing.begin("ask_resources");
        message.push_text("rsc_hold", said.word());
        message.push_text("info", info);
        self.finish(false);
    }
}
