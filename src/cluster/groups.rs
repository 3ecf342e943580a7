//! Carries out what [`ownership`](super::ownership) decides, and tells of it.

use super::event::GroupOutcome;
use super::group_report::GroupReport;
use super::ownership::Conflict;
use super::policy::{Reason, Standing, Step};
use super::report::Report;
use super::{Action, Claim, Cluster, GroupId, Instant, NodeStatus, Relation};

impl Cluster {
    /// Starts and stops what has to be started or stopped now.
    pub(super) fn move_groups(&mut self, now: Instant) {
        if !self.ownership.is_known() {
            return;
        }
        let standing = self.standing();
        self.tell_settled(standing.relation);
        while let Some((group, conflict)) = self.ownership.next_conflict(standing) {
            if conflict == Conflict::Ends {
                self.actions.push_back(Action::AnnounceGroup(group));
                continue;
            }
            let (key, node) = (self.key(group), self.peer_name());
            self.report(Report::TwoOwners {
                key,
                node,
                yields: false,
            });
        }
        while let Some((group, failures)) = self.ownership.next_frozen(standing.relation) {
            let key = self.key(group);
            self.report(Report::Group(GroupReport::Frozen { key, failures }));
        }
        while let Some((group, step, reason)) = self.ownership.next_step(standing, now) {
            let key = self.key(group);
            match step {
                Step::Start => {
                    self.tell_initial(true);
                    self.report(Report::GroupStarting { key, reason });
                    self.actions.push_back(Action::StartGroup(group));
                }
                Step::Stop => {
                    if reason == Reason::Conflict {
                        self.report(Report::TwoOwners {
                            key: key.clone(),
                            node: self.peer_name(),
                            yields: true,
                        });
                    }
                    self.report(Report::GroupStopping { key, reason });
                    self.actions.push_back(Action::StopGroup(group));
                }
            }
            self.heartbeat_is_due = true;
        }
        self.note_settled(standing.relation);
        self.announce();
    }

    /// An action or probe has ended.
    pub(super) fn group_ended(&mut self, group: GroupId, outcome: GroupOutcome, now: Instant) {
        let standing = self.standing();
        if outcome == GroupOutcome::Broken {
            // Where a node sees fewer ping nodes than this one, its services work for nobody.
            let peer_takes = standing.peer_takes && !self.peer_sees_less();
            let standing = Standing {
                peer_takes,
                ..standing
            };
            if let Some(is_left) = self.ownership.broke(group, standing, now) {
                let key = self.key(group);
                self.report(Report::GroupBroken { key, is_left });
            }
            return;
        }
        let before = self.ownership.mine(group);
        self.ownership.ended(group, outcome, standing, now);
        self.note_tenure(group, now);
        let after = self.ownership.mine(group);
        if before == after {
            return;
        }
        self.ask_for_one_again(group, now);
        self.heartbeat_is_due = true;
        let key = self.key(group);
        match outcome {
            GroupOutcome::Started => self.report(Report::GroupStarted { key }),
            GroupOutcome::StartFailed if after == Some(Claim::Failed) => {
                let next = self.ownership.after_failure(group, standing.relation, now);
                self.report(Report::GroupStartFailed { key, next });
            }
            GroupOutcome::Stopped | GroupOutcome::StartFailed => {
                self.report(Report::GroupStopped { key });
            }
            GroupOutcome::StopFailed => {
                self.report(Report::GroupStopFailed { key: key.clone() });
                self.stop_failed(group, key);
            }
            GroupOutcome::FoundRunning => self.report(Report::GroupFoundRunning { key }),
            GroupOutcome::FoundStopped | GroupOutcome::Broken => {}
        }
    }

    /// Nothing is wanted any more, and that was decided with knowledge of the peer.
    fn note_settled(&mut self, relation: Relation) {
        let is_informed = matches!(
            relation,
            Relation::Talking | Relation::Halves { .. } | Relation::Gone { .. }
        );
        if is_informed && self.status == NodeStatus::Active && !self.ownership.is_moving() {
            self.has_settled = true;
        }
    }

    fn tell_settled(&mut self, relation: Relation) {
        let is_known = matches!(relation, Relation::Talking | Relation::Halves { .. });
        if !is_known || self.status != NodeStatus::Active || self.told.settled {
            return;
        }
        self.told.settled = true;
        if relation == Relation::Talking {
            self.report(Report::PeerSettled); // one of 3.0.6 says itself when it is
        }
        if self.ownership.peer_holds_all() {
            self.tell_initial(false);
        }
    }

    fn tell_initial(&mut self, ours: bool) {
        if !std::mem::replace(&mut self.told.initial, true) {
            self.report(Report::InitialAcquisition { ours });
        }
    }

    pub(super) fn key(&self, group: GroupId) -> String {
        let settings = usize::try_from(group.0)
            .ok()
            .and_then(|index| self.settings.groups.get(index));
        settings.map(|group| group.key.clone()).unwrap_or_default()
    }
}
