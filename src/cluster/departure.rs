//! A clean stop: everything is released, the peer is told, and asked-for messages are sent again for a while.

use std::time::Duration;

use super::claims::Leaving;
use super::maintenance_report::MaintenanceReport;
use super::movement::MoveFailure;
use super::report::Report;
use super::{Action, Cluster, Instant, NodeStatus};

/// How long a node that has released everything stays to answer requests for lost messages (as 3.0.6).
const LINGER: Duration = Duration::from_secs(2);

impl Cluster {
    /// The operator wants a clean stop.
    pub(super) fn leave(&mut self) {
        if self.leaving == Leaving::No {
            self.leaving = Leaving::Stopping;
            self.heartbeat_is_due = true;
            self.report(Report::GivingUpAll);
            if self.holds_still() && self.ownership.holds_any() {
                let node = self.peer_name();
                self.report(Report::Maintenance(MaintenanceReport::LeavesAlone { node }));
            }
            self.fail_move(MoveFailure::Leaving);
            if self.speaks_of_halves() {
                self.send_shutdown();
            }
        }
    }

    /// Goes on with that, once nothing is held any more.
    pub(super) fn finish_leaving(&mut self, now: Instant) {
        if self.leaving == Leaving::Stopping && !self.ownership.holds_any() {
            self.leaving = Leaving::Stopped;
            self.report(Report::AllGivenUp);
            if self.speaks_of_halves() {
                self.send_shutdown();
            }
            self.send_goodbye();
            self.heartbeat_is_due = true;
            let somebody_listens = matches!(self.peer.status, NodeStatus::Up | NodeStatus::Active)
                && !self.peer.has_left;
            self.exit_at = Some(if somebody_listens { now + LINGER } else { now });
        }
        if self.exit_at.is_some_and(|at| at <= now) {
            self.exit_at = None;
            self.close_incident(now);
            self.remember_peer();
            self.actions.push_back(Action::Exit);
        }
    }
}
