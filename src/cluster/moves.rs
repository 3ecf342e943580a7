//! Planned moves, as an operator asks for them here or through the peer, and how they get on.

use std::time::Duration;

use super::claims::{Claim, Leaving, Phase};
use super::classic::Dialogue;
use super::group_report::GroupReport;
use super::movement::{MoveFailure, MoveProgress, MoveRefusal, MoveRequest, Movement, Selection};
use super::policy::{Group, Reason};
use super::report::Report;
use super::{Cluster, FailbackCondition, Instant, NodeStatus, Relation};
use crate::config::AutoFailback;
use crate::message::Message;

/// How long the peer may take to begin to give what it was asked for.
const BEGIN_WITHIN: Duration = Duration::from_secs(15);

/// What a `hb_takeover` of our `ipfail` says, so that the peer does not take it for an operator's wish.
const BY_IPFAIL: &str = "ipfail";

/// Who wants a planned move.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asker {
    /// A person.
    Operator,
    /// This daemon.
    Ipfail,
}

impl Cluster {
    /// Why a planned move can't begin now; `None` when it can. To be asked directly before
    /// [`Event::MoveRequested`](super::Event::MoveRequested).
    pub fn refuses(&self, request: MoveRequest) -> Option<MoveRefusal> {
        let relation = self.standing().relation;
        let is_busy = self.move_is_under_way() || self.classic.dialogue != Dialogue::None;
        let moves_nothing = match request {
            MoveRequest::Standby(selection) => !self.ownership.holds_of(selection),
            MoveRequest::Takeover(selection) => {
                !self.ownership.peer_holds_of(selection) && !self.ownership.has_to_try(selection)
            }
        };
        let (MoveRequest::Standby(selection) | MoveRequest::Takeover(selection)) = request;
        if self.leaving != Leaving::No {
            Some(MoveRefusal::Leaving)
        } else if self.settings.auto_failback == AutoFailback::Legacy {
            Some(MoveRefusal::Legacy)
        } else if self.status != NodeStatus::Active {
            Some(MoveRefusal::Starting)
        } else if matches!(
            relation,
            Relation::Gone { .. } | Relation::InDoubt | Relation::Deaf { .. }
        ) || self.peer.is_leaving
        {
            Some(MoveRefusal::NobodyThere)
        } else if !self.can_be_answered() {
            Some(MoveRefusal::Unanswered)
        } else if is_busy {
            Some(MoveRefusal::Busy)
        } else if matches!(
            relation,
            Relation::Unheard | Relation::Halves { settled: false }
        ) {
            Some(MoveRefusal::PeerUnsettled)
        } else if self.told.files_differ {
            Some(MoveRefusal::FilesDiffer)
        } else if self.ownership.is_moving()
            || !self.has_settled
            || (self.peer.is_classic && !self.can_offer())
        {
            Some(MoveRefusal::Unsettled)
        } else if matches!(request, MoveRequest::Standby(ours) if self.ownership.is_stuck(ours)) {
            Some(MoveRefusal::Stuck)
        } else if moves_nothing && self.ownership.has_failed_twice(selection) {
            Some(MoveRefusal::FailedOnBoth)
        } else if moves_nothing {
            Some(MoveRefusal::NothingToMove)
        } else {
            None
        }
    }

    /// The planned move that is under way, or the last one of this run.
    pub fn movement(&self) -> Option<Movement> {
        self.movement
    }

    /// The operator of this node, or through a `hb_takeover` message the other one, wants groups moved.
    pub(super) fn begin_move(&mut self, request: MoveRequest, now: Instant) {
        if self.refuses(request).is_none() {
            self.operator_moves(request);
        }
        self.start_move(request, Asker::Operator, now);
    }

    /// Somebody wants groups moved.
    pub(super) fn start_move(&mut self, request: MoveRequest, asker: Asker, now: Instant) {
        if let Some(refusal) = self.refuses(request) {
            self.report(Report::MoveRefused { request, refusal });
            return;
        }
        let is_classic = self.peer.is_classic;
        let progress = match request {
            MoveRequest::Standby(_) if !is_classic => MoveProgress::Releasing,
            _ => MoveProgress::Asked,
        };
        self.movement = Some(Movement {
            number: self.movement.map_or(0, |movement| movement.number) + 1,
            request,
            progress,
        });
        match request {
            MoveRequest::Standby(ours) if is_classic => self.offer(ours, Reason::Standby, now),
            MoveRequest::Standby(ours) => {
                self.report(Report::StandbyWanted {
                    node: self.settings.local_node.clone(),
                    selection: ours,
                });
                for key in self.unready_for(ours, true) {
                    let node = self.peer_name();
                    self.report(Report::Group(GroupReport::MovesToUnready { node, key }));
                }
                self.warn_of_carriers(ours, true);
                self.ownership.plan_giving(ours);
                self.move_until = Some(now + BEGIN_WITHIN);
            }
            MoveRequest::Takeover(ours) => {
                if asker == Asker::Operator {
                    self.ownership.pardon(ours, now);
                    self.heartbeat_is_due = true; // the other node gives only to one that can take
                }
                self.ownership.plan_taking(ours);
                if asker == Asker::Operator && !is_classic {
                    self.ownership.try_at_once(ours);
                }
                self.move_until = Some(now + BEGIN_WITHIN);
                if is_classic || self.ownership.peer_holds_of(ours) {
                    self.report(Report::TakeoverWanted { selection: ours });
                    self.warn_of_carriers(ours, false);
                    self.ask_for_half(ours, asker);
                }
            }
        }
    }

    /// Asks the other node to give groups.
    pub(super) fn ask_for_half(&mut self, ours: Selection, asker: Asker) {
        let message = self.outgoing.begin("hb_takeover");
        message.push_text("rsc_hold", ours.word());
        if asker == Asker::Ipfail {
            message.push_text("info", BY_IPFAIL);
        }
        self.finish(false);
    }

    /// `hb_takeover`: the peer's operator wants groups there.
    pub(super) fn takeover_heard(&mut self, message: &Message, now: Instant) -> bool {
        let said = match message.text("rsc_hold") {
            Some("failback") => Some(Selection::Local), // what it had before
            Some(word) => Selection::from_word(word),
            None => None,
        };
        if let Some(said) = said {
            let request = MoveRequest::Standby(said.seen_by_the_other());
            if message.text("info") != Some(BY_IPFAIL) {
                self.begin_move(request, now);
            } else if self.holds_still() {
                let refusal = MoveRefusal::Maintenance;
                self.report(Report::MoveRefused { request, refusal });
            } else if self.settings.failback == FailbackCondition::Nothing {
                self.start_move(request, Asker::Ipfail, now);
            } else {
                let refusal = MoveRefusal::Failback;
                self.report(Report::MoveRefused { request, refusal });
            }
        }
        said.is_some()
    }

    /// Between two nodes of ours, each group is stopped as soon as the peer can take it.
    pub(super) fn pursue_move(&mut self) {
        let gives = self
            .movement
            .is_some_and(|movement| matches!(movement.request, MoveRequest::Standby(_)));
        if gives && self.move_is_under_way() && !self.peer.is_classic {
            self.ownership.release_planned();
        }
    }

    /// How far the planned move is; between two nodes of ours each group moves on its own.
    pub(super) fn judge_move(&mut self, now: Instant) {
        let Some(movement) = self.movement.filter(|_| self.move_is_under_way()) else {
            return;
        };
        if self.move_until.is_some_and(|until| until <= now) {
            self.move_until = None;
            if !self.has_all_begun(movement) {
                self.fail_move(MoveFailure::NoAnswer);
                return;
            }
        }
        if self.peer.is_classic {
            return; // the dialogue tells
        }
        match movement.request {
            MoveRequest::Standby(_) => self.judge_given(),
            MoveRequest::Takeover(_) => {
                let theirs: Vec<Claim> = self
                    .ownership
                    .planned()
                    .filter_map(Group::their_claim)
                    .collect();
                let is_stuck = |claim: &Claim| claim.phase() == Some(Phase::Unknown);
                let is_moving =
                    |claim: &Claim| !is_stuck(claim) && claim.phase() != Some(Phase::Running);
                if movement.progress != MoveProgress::Asked && theirs.iter().any(is_stuck) {
                    self.fail_move(MoveFailure::StopFailed);
                } else if movement.progress == MoveProgress::Asked && theirs.iter().any(is_moving) {
                    self.progress_move(MoveProgress::Releasing);
                }
                self.judge_taken();
            }
        }
    }

    /// Whether nothing of a move waits any more where it was. That one group has gone proves little: it may have had a
    /// reason of its own.
    fn has_all_begun(&self, movement: Movement) -> bool {
        let waits_there = |group: &Group| {
            let theirs = group.their_claim().and_then(Claim::phase);
            theirs.is_some_and(|phase| phase != Phase::Stopping) && !group.may_run()
        };
        match movement.request {
            MoveRequest::Standby(_) => !self.ownership.waits_to_give(),
            MoveRequest::Takeover(_) if self.peer.is_classic => {
                movement.progress != MoveProgress::Asked
            }
            MoveRequest::Takeover(_) => !self.ownership.planned().any(waits_there),
        }
    }

    fn judge_given(&mut self) {
        let planned: Vec<(Option<Phase>, Option<Claim>)> = self
            .ownership
            .planned()
            .map(|group| (group.phase(), group.their_claim()))
            .collect();
        let is_stuck = |(mine, _): &(_, _)| *mine == Some(Phase::Unknown);
        let has_failed = |(_, theirs): &(_, _)| *theirs == Some(Claim::Failed);
        let is_here = |(mine, _): &(Option<Phase>, _)| mine.is_some();
        let is_there = |(_, theirs): &(_, Option<Claim>)| {
            theirs.and_then(Claim::phase) == Some(Phase::Running)
        };
        let has_come_back = |group: &Group| group.given && group.is_wanted_here();
        if self.ownership.planned().any(has_come_back) {
            self.fail_move(MoveFailure::Refused); // the other node gave it back, as for a move of its own
        } else if planned.iter().any(is_stuck) {
            self.fail_move(MoveFailure::StopFailed);
        } else if planned.iter().any(has_failed) {
            self.fail_move(MoveFailure::StartFailed);
        } else if planned
            .iter()
            .all(|group| is_there(group) && !is_here(group))
        {
            self.progress_move(MoveProgress::Done);
        } else if !planned.iter().any(is_here) {
            self.progress_move(MoveProgress::Acquiring);
        }
    }

    /// Whether what this node was to get runs here.
    pub(super) fn judge_taken(&mut self) {
        // One that did not start and could not be stopped again counts as running, and will not be what was wanted.
        let is_stuck = |group: &Group| group.phase() == Some(Phase::Unknown);
        let failed = |group: &Group| group.mine == Some(Claim::Failed) || is_stuck(group);
        let runs = |group: &Group| group.phase() == Some(Phase::Running);
        if self.ownership.planned().any(failed) {
            self.fail_move(MoveFailure::StartFailed);
        } else if self.ownership.planned().all(runs) {
            self.progress_move(MoveProgress::Done);
        } else if self
            .ownership
            .planned()
            .any(|group| group.phase().is_some())
        {
            self.progress_move(MoveProgress::Acquiring);
        }
    }

    pub(super) fn move_is_under_way(&self) -> bool {
        self.movement.is_some_and(|movement| {
            !matches!(
                movement.progress,
                MoveProgress::Done | MoveProgress::Failed(_)
            )
        })
    }

    pub(super) fn progress_move(&mut self, progress: MoveProgress) {
        if !self.move_is_under_way() {
            return;
        }
        let Some(movement) = &mut self.movement else {
            return;
        };
        if movement.progress == progress {
            return;
        }
        movement.progress = progress;
        let movement = *movement;
        if matches!(progress, MoveProgress::Done | MoveProgress::Failed(_)) {
            self.move_until = None;
            self.ownership.forget_plan();
            self.report(Report::MoveEnded(movement));
        }
    }

    pub(super) fn fail_move(&mut self, failure: MoveFailure) {
        self.progress_move(MoveProgress::Failed(failure));
    }
}
