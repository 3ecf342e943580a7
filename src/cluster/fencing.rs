//! Fencing. A peer that fell silent may be alive and serve, so where there is a device, it resets the peer before
//! anything of it is taken. Only success, an operator's word, or a limit that the operator has set end the waiting.
//!
//! When both nodes live and nothing gets through between them, each resets the other. The one that has less to lose
//! waits for `fence_delay`, so that the other is not reset too. Both know who that is without a word.

use std::time::Duration;

use super::claims::Leaving;
use super::fence_state::{ConfirmationRefusal, Fencing, FencingStage};
use super::fencing_report::FencingReport;
use super::last_link_report::LastLinkReport;
use super::movement::Selection;
use super::report::Report;
use super::{Action, Cluster, Instant, NodeStatus, Relation};

/// Pause after the first failure, as in 3.0.6, and the longest one: it doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

impl Cluster {
    /// How far the fencing of the peer is.
    pub fn fencing_stage(&self) -> FencingStage {
        self.fencing.stage
    }

    /// How often the devices have failed since the peer was found dead.
    pub fn fencing_failures(&self) -> u32 {
        self.fencing.failures
    }

    /// Why the peer can't be declared dead by hand now; `None` when it can. To be asked directly before
    /// [`Event::PeerConfirmedDead`](super::Event::PeerConfirmedDead).
    pub fn refuses_confirmation(&self) -> Option<ConfirmationRefusal> {
        match self.peer.status {
            NodeStatus::Up | NodeStatus::Active if !self.peer.has_left => {
                Some(ConfirmationRefusal::Heard)
            }
            NodeStatus::Dead if self.is_in_doubt() || self.is_alone_on_sight() => None,
            NodeStatus::Init if self.can_fence() || self.may_doubt() => {
                Some(ConfirmationRefusal::NotDeadYet)
            }
            _ => Some(ConfirmationRefusal::NothingWaits),
        }
    }

    /// Who has no resources has no reason to reset anybody.
    pub(super) fn can_fence(&self) -> bool {
        self.settings.fencing.has_device && self.ownership.has_any(Selection::All)
    }

    /// How long to wait before the peer is reset, in case that it lives and resets this node. To be asked before what
    /// it claimed is forgotten. One that was never heard may be serving while this node has just been started.
    pub(super) fn fencing_patience(&self) -> Duration {
        let mine = self.ownership.holds_stated();
        let is_talking = matches!(
            self.standing().relation,
            Relation::Talking | Relation::Halves { .. }
        );
        // With different files neither has heard what the other holds.
        let is_known = is_talking && !self.told.files_differ;
        let theirs = is_known.then(|| self.ownership.peer_holds_of(Selection::All));
        let is_first = self.settings.local_node < self.settings.peer_node;
        let times = match theirs {
            Some(theirs) if theirs != mine => u32::from(theirs),
            Some(_) => u32::from(!is_first),
            // Longer than one that knows, whatever that knows: it may be the other one.
            None => 2 + u32::from(!is_first),
        };
        self.settings.fencing.delay.saturating_mul(times)
    }

    /// The peer has been found dead and did not say that it holds nothing.
    pub(super) fn begin_fencing(&mut self, patience: Duration, now: Instant) {
        let node = self.peer_name();
        let is_on_request = std::mem::take(&mut self.fencing.is_on_request);
        match self.fencing.stage {
            // The reset that it asked for has come.
            FencingStage::Done if is_on_request => {
                self.report(Report::Fencing(FencingReport::Reset { node: node.clone() }));
                self.report(Report::TakingOver { node });
                return;
            }
            // That is under way, and wanted all the more.
            FencingStage::Waiting(_) | FencingStage::Trying => {
                self.fencing.since = now;
                return;
            }
            _ => {}
        }
        let stage = if self.leaving == Leaving::No {
            FencingStage::Waiting(now + patience)
        } else {
            FencingStage::Abandoned
        };
        self.fencing = Fencing {
            stage,
            since: now,
            request: self.fencing.request,
            ..Fencing::default()
        };
        if !patience.is_zero() && stage != FencingStage::Abandoned {
            let delay = patience;
            self.report(Report::Fencing(FencingReport::Delayed { node, delay }));
        }
    }

    /// Asks the devices when it is time, and goes on without them when that is what the operator wants.
    pub(super) fn pursue_fencing(&mut self, now: Instant) {
        self.pursue_request(now);
        if !self.fencing.is_open() {
            return;
        }
        if self.leaving != Leaving::No {
            self.halt_fencing(FencingStage::Abandoned);
            return;
        }
        if self.unfenced_at().is_some_and(|at| at <= now) {
            let after = now.since(self.fencing.since);
            self.halt_fencing(FencingStage::Done);
            let node = self.peer_name();
            self.settle_fencing(FencingReport::TakenUnfenced { node, after });
            return;
        }
        if matches!(self.fencing.stage, FencingStage::Waiting(at) if at <= now) {
            self.fencing.stage = FencingStage::Trying;
            self.fencing.request += 1;
            self.actions.push_back(Action::Fence {
                request: self.fencing.request,
            });
        }
    }

    /// A living peer that asks to be reset. Success is believed once it is silent: it counts as dead by its silence
    /// alone, like any other.
    fn pursue_request(&mut self, now: Instant) {
        if !matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active) {
            return;
        }
        let slack = self.peer.deadtime / 2; // what it said before may come late
        match self.fencing.stage {
            FencingStage::None if self.heeds_plea() => {
                let node = self.peer_name();
                self.report(Report::Fencing(FencingReport::Requested { node }));
                self.fencing = Fencing {
                    stage: FencingStage::Waiting(now),
                    since: now,
                    is_on_request: true,
                    request: self.fencing.request,
                    ..Fencing::default()
                };
            }
            FencingStage::Waiting(_) | FencingStage::Trying if !self.peer.plea.wants_reset => {
                let node = self.peer_name();
                self.report(Report::Fencing(FencingReport::Withdrawn { node }));
                self.halt_fencing(FencingStage::None);
            }
            FencingStage::Done if self.peer.last_heard > self.fencing.done_at + slack => {
                let node = self.peer_name();
                self.report(Report::Fencing(FencingReport::StillHeard { node }));
                self.fencing.stage = FencingStage::Waiting(now + LONGEST_PAUSE);
            }
            _ => {}
        }
    }

    /// When there is something to do about it.
    pub(super) fn next_fencing(&self) -> Option<Instant> {
        let next = match self.fencing.stage {
            FencingStage::Waiting(at) => Some(at),
            _ => None,
        };
        [next, self.unfenced_at()].into_iter().flatten().min()
    }

    /// When resources are taken whatever the devices say.
    pub(super) fn unfenced_at(&self) -> Option<Instant> {
        let waits = matches!(
            self.fencing.stage,
            FencingStage::Waiting(_) | FencingStage::Trying
        );
        let limit = self.settings.fencing.takeover_unfenced?;
        let is_dead = self.peer.status == NodeStatus::Dead;
        (waits && is_dead).then(|| self.fencing.since + limit)
    }

    /// The devices have answered. What they say to an earlier request counts for nothing.
    pub(super) fn fencing_answered(&mut self, request: u64, is_reset: bool, now: Instant) {
        if self.fencing.stage != FencingStage::Trying || request != self.fencing.request {
            return;
        }
        let node = self.peer_name();
        if is_reset {
            self.fencing.done_at = now;
            if self.peer.status == NodeStatus::Dead {
                self.settle_fencing(FencingReport::Reset { node });
            } else {
                self.fencing.stage = FencingStage::Done;
            }
            return;
        }
        let doublings = 1_u32.checked_shl(self.fencing.failures).unwrap_or(u32::MAX);
        let pause = FIRST_PAUSE.saturating_mul(doublings).min(LONGEST_PAUSE);
        self.fencing.failures = self.fencing.failures.saturating_add(1);
        self.fencing.stage = FencingStage::Waiting(now + pause);
        self.report(Report::Fencing(FencingReport::Failed {
            node,
            failures: self.fencing.failures,
            pause,
            taken_in: self.unfenced_at().map(|at| at.since(now)),
        }));
    }

    /// An operator has seen to it that the peer is down.
    pub(super) fn death_confirmed(&mut self) {
        if self.refuses_confirmation().is_none() {
            let node = self.peer_name();
            if self.confirm_silence() || self.doubt.is_open() || self.is_alone_on_sight() {
                self.settle_doubt(LastLinkReport::Confirmed { node });
                return;
            }
            self.halt_fencing(FencingStage::Done);
            self.settle_fencing(FencingReport::Confirmed { node });
        }
    }

    fn settle_fencing(&mut self, proof: FencingReport) {
        self.fencing.stage = FencingStage::Done;
        self.report(Report::Fencing(proof));
        if self.leaving == Leaving::No {
            let node = self.peer_name();
            self.report(Report::TakingOver { node });
        }
    }

    /// The peer is heard: it must not be reset any more. An order that a device has already got may still reset it.
    pub(super) fn spare_peer(&mut self) {
        if self.fencing.is_open() {
            let node = self.peer_name();
            self.report(Report::Fencing(FencingReport::Cancelled { node }));
        }
        self.halt_fencing(FencingStage::None);
        self.end_doubt();
    }

    /// Whether nobody knows if the peer, which does not talk, is down.
    pub(super) fn is_in_doubt(&self) -> bool {
        let is_open =
            self.fencing.is_open() || self.doubt.is_open() || self.maintenance.silence.is_some();
        is_open && self.peer.status == NodeStatus::Dead
    }

    /// From now on the stage is this one, and no device is asked in this matter.
    pub(super) fn halt_fencing(&mut self, stage: FencingStage) {
        if std::mem::replace(&mut self.fencing.stage, stage) == FencingStage::Trying {
            self.actions.push_back(Action::StopFencing);
        }
    }
}
