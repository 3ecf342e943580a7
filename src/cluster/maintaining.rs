//! Goes by what was said of maintenance. What that means is in [`maintenance`](super::maintenance).

use std::time::Duration;

use super::claims::Leaving;
use super::doubt::Doubt;
use super::fence_state::FencingStage;
use super::maintenance::{
    MaintenanceMemory, MaintenanceOrder, MaintenanceRefusal, MaintenanceView, Silence, Stamp,
    Statement,
};
use super::maintenance_report::MaintenanceReport;
use super::policy::Stillness;
use super::report::Report;
use super::time::Moment;
use super::{Action, Cluster, Instant, NodeStatus};
use crate::config::LastLink;

impl Cluster {
    /// Whether nothing moves by this node's own decision.
    pub fn holds_still(&self) -> bool {
        self.maintenance.is_on(self.now) && !self.is_beside_classic()
    }

    /// What is to be shown of maintenance, while it is on.
    pub fn maintenance(&self) -> Option<MaintenanceView> {
        let maintenance = &self.maintenance;
        let statement = maintenance.statement.as_ref();
        let statement = statement.filter(|statement| statement.holds(self.now))?;
        Some(MaintenanceView {
            since: statement.since,
            until: statement.until,
            said_here: statement.stamp.by_second == self.is_second(),
            by: statement.by.clone(),
            reason: statement.reason.clone(),
            is_shared: maintenance.is_shared(),
            rests: self.is_beside_classic(),
            awaits_death: maintenance.silence.is_some(),
        })
    }

    /// Why this can't be done; `None` when it can. To be asked directly before
    /// [`Event::Maintenance`](super::Event::Maintenance).
    pub fn refuses_maintenance(&self, order: &MaintenanceOrder) -> Option<MaintenanceRefusal> {
        let speaks_classic = self.peer.heard_in_this_run && self.peer.is_classic;
        if !order.is_on {
            None
        } else if self.leaving != Leaving::No {
            Some(MaintenanceRefusal::Leaving)
        } else if speaks_classic && !self.peer.has_left {
            Some(MaintenanceRefusal::Classic)
        } else {
            None
        }
    }

    /// Whether the nodes hear each other, so that what is said here is known there in a moment.
    pub fn peer_is_met(&self) -> bool {
        let is_there = matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active);
        is_there && self.is_agreed && !self.peer.has_left
    }

    /// How far groups may move.
    pub(super) fn stillness(&self) -> Stillness {
        match self.holds_still() {
            false => Stillness::None,
            true if self.maintenance.is_confirmed => Stillness::ButForTheDead,
            true => Stillness::Full,
        }
    }

    /// Whether both are known to hold still: then neither takes anything, whatever it hears of the other.
    pub(super) fn both_hold_still(&self) -> bool {
        self.holds_still() && self.maintenance.is_shared()
    }

    pub(super) fn is_second(&self) -> bool {
        self.settings.local_node > self.settings.peer_node
    }

    fn is_beside_classic(&self) -> bool {
        let is_there = matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active);
        self.peer.is_classic && is_there && !self.peer.has_left
    }

    /// A person says that it is on or off.
    pub(super) fn maintenance_ordered(&mut self, order: MaintenanceOrder, now: Instant) {
        let was_on = self.maintenance.is_on(now);
        if self.refuses_maintenance(&order).is_some() || !(order.is_on || was_on) {
            return;
        }
        let known = [self.maintenance.stamp(), self.maintenance.known_there];
        let highest = known.into_iter().flatten().map(|stamp| stamp.counter).max();
        let since = self.maintenance.statement.as_ref().map(|last| last.since);
        let since = since.filter(|_| was_on && order.is_on);
        self.go_by(Statement {
            stamp: Stamp {
                counter: highest.unwrap_or(0).saturating_add(1),
                by_second: self.is_second(),
            },
            is_on: order.is_on,
            since: since.unwrap_or(now.into()),
            until: order.lasts.map(|lasts| now + lasts),
            by: order.by,
            reason: order.reason,
            is_whole: true,
            is_from_file: false,
        });
    }

    /// From now on this counts.
    pub(super) fn go_by(&mut self, statement: Statement) {
        let was_on = self.maintenance.is_on(self.now);
        let is_whole = statement.is_whole;
        self.maintenance.statement = Some(statement);
        self.maintenance.words = 0;
        self.heartbeat_is_due = true;
        if is_whole {
            self.tell_statement(was_on);
        }
        self.remember_maintenance();
    }

    /// Tells people what was said last; `was_on` before that.
    pub(super) fn tell_statement(&mut self, was_on: bool) {
        let is_on = self.maintenance.is_on(self.now);
        let is_second = self.is_second();
        let Some(statement) = &self.maintenance.statement else {
            return;
        };
        let is_here = statement.stamp.by_second == is_second;
        let node = if is_here {
            self.settings.local_node.clone()
        } else {
            self.peer.name.clone()
        };
        let (by, reason) = (statement.by.clone(), statement.reason.clone());
        let report = if is_on {
            self.maintenance.told_on = true;
            MaintenanceReport::On {
                node,
                by,
                reason,
                left: statement.until.map(|until| until.since(self.now)),
            }
        } else if was_on || self.maintenance.told_on {
            self.maintenance.told_on = false;
            MaintenanceReport::Off { node, by }
        } else {
            return;
        };
        self.report(Report::Maintenance(report));
    }

    pub(super) fn remember_maintenance(&mut self) {
        let is_second = self.is_second();
        let Some(statement) = &self.maintenance.statement else {
            return;
        };
        let memory = MaintenanceMemory {
            counter: statement.stamp.counter,
            said_here: statement.stamp.by_second == is_second,
            is_on: statement.is_on,
            age: Moment::from(self.now).since(statement.since),
            left: statement.until.map(|until| until.since(self.now)),
            by: statement.by.clone(),
            reason: statement.reason.clone(),
            peer_holds_still: self.maintenance.peer_holds_still,
        };
        self.actions
            .push_back(Action::RememberMaintenance(Box::new(memory)));
    }

    /// Notices that it begins or ends, before anything is decided.
    pub(super) fn pursue_maintenance(&mut self, now: Instant) {
        let is_still = self.holds_still();
        let was_still = std::mem::replace(&mut self.maintenance.held_still, is_still);
        if self.maintenance.told_on && !self.maintenance.is_on(now) {
            self.maintenance.told_on = false;
            self.report(Report::Maintenance(MaintenanceReport::Ended));
        }
        if is_still && !was_still {
            self.hold_still();
        } else if was_still && !is_still {
            self.go_on(now);
        }
        if is_still {
            self.tell_what_is_held_back(now);
        }
        self.tell_maintenance(now);
    }

    fn hold_still(&mut self) {
        self.maintenance.look_at = self.now + self.settings.keepalive;
        self.expect_stillness();
        self.heartbeat_is_due = true;
        if self.peer.status == NodeStatus::Dead && self.is_in_doubt() {
            let patience = self.fencing_patience();
            self.halt_fencing(FencingStage::None);
            self.put_off_silence(patience, true);
        }
    }

    /// From now on the peer may be in maintenance, until it says otherwise.
    pub(super) fn expect_stillness(&mut self) {
        if !std::mem::replace(&mut self.maintenance.peer_holds_still, true) {
            self.remember_maintenance();
        }
    }

    fn go_on(&mut self, now: Instant) {
        self.heartbeat_is_due = true;
        self.maintenance.is_confirmed = false;
        if self.is_beside_classic() && self.maintenance.is_on(now) {
            let node = self.peer_name();
            self.report(Report::Maintenance(MaintenanceReport::Rests { node }));
        }
        let silence = self.maintenance.silence.take();
        if let Some(Silence { patience, was_last }) = silence {
            self.judge_silence(patience, was_last, now);
        }
    }

    /// The peer was found silent, and nothing follows from that before maintenance ends.
    pub(super) fn put_off_silence(&mut self, patience: Duration, was_last: bool) {
        let is_unsure = match self.settings.last_link {
            LastLink::Takeover => false,
            LastLink::Wait(_) | LastLink::Manual => was_last,
            LastLink::Witness(_) => true,
        };
        // What this node gave up before it is still to be given up in time.
        self.doubt = Doubt {
            is_unresolved: self.doubt.is_unresolved || is_unsure,
            gave_up: self.doubt.gave_up,
            give_up_until: self.doubt.give_up_until,
            ..self.doubt.ended()
        };
        self.remember_peer();
        self.maintenance.silence = Some(Silence { patience, was_last });
        let node = self.peer_name();
        self.report(Report::Maintenance(MaintenanceReport::DeathPutOff { node }));
    }

    /// The peer is heard, or this node stood still: what was put off is of no matter any more.
    pub(super) fn forget_silence(&mut self) {
        self.maintenance.silence = None;
        self.maintenance.is_confirmed = false;
    }

    /// A person says that the peer is down. Whether that ends what was put off.
    pub(super) fn confirm_silence(&mut self) -> bool {
        let was_put_off = self.maintenance.silence.take().is_some();
        self.maintenance.is_confirmed |= was_put_off;
        was_put_off
    }

    /// When there is something to do about it.
    pub(super) fn next_maintenance(&self) -> Option<Instant> {
        let statement = self.maintenance.statement.as_ref();
        let end = statement.filter(|statement| statement.holds(self.now));
        let end = end.and_then(|statement| statement.until);
        let look = self.holds_still().then_some(self.maintenance.look_at);
        let times = [end, look, self.next_word_of_maintenance()];
        times.into_iter().flatten().min()
    }
}
