//! Ping nodes come and go: what is told of it, and by whom.

use super::ping::{PingCounts, PingStatus};
use super::ping_report::PingReport;
use super::report::Report;
use super::{Cluster, Instant, NodeStatus, PingId};

impl Cluster {
    /// A host of a ping node has answered.
    pub(super) fn ping_answered(&mut self, id: PingId, now: Instant) {
        let Some(answer) = self.pings.answer(id, now) else {
            return;
        };
        let node = self.pings.name(id);
        if answer.came_up {
            let link = node.clone();
            self.report(Report::LinkUp {
                node: node.clone(),
                link,
            });
        }
        if let Some(interval) = answer.interval.filter(|i| *i > self.settings.warntime) {
            self.report(Report::LateHeartbeat {
                node: node.clone(),
                interval,
            });
        }
        if answer.came_up {
            self.report(Report::Ping(PingReport::Up { node }));
            self.heartbeat_is_due = true;
            if self.attends_pings() {
                self.report(Report::Ping(PingReport::CameUp));
                self.ask_for_count(now);
            }
        }
    }

    /// Ping nodes that were silent for too long.
    pub(super) fn judge_pings(&mut self, now: Instant) {
        while let Some(id) = self.pings.take_silent(now) {
            let node = self.pings.name(id);
            self.report(Report::Ping(PingReport::Dead { node: node.clone() }));
            let link = node.clone();
            self.report(Report::LinkDown { node, link });
            self.heartbeat_is_due = true;
            if self.attends_pings() {
                let sees_any = self.ping_counts(now).answering > 0;
                self.report(Report::Ping(if sees_any {
                    PingReport::Checking
                } else {
                    PingReport::AllSilent
                }));
                self.ask_for_count(now);
            }
        }
    }

    /// The status of a ping node.
    pub fn ping_status(&self, node: PingId) -> PingStatus {
        self.pings.status(node)
    }

    /// How many ping nodes answer here.
    pub(super) fn ping_counts(&self, now: Instant) -> PingCounts {
        self.pings.counts(self.settings.keepalive * 2, now)
    }

    /// What `ipfail` of 3.0.6 says about what the daemon has just told.
    pub(super) fn comment(&self, report: &Report) -> Option<PingReport> {
        if !self.has_ipfail() || self.status != NodeStatus::Active {
            return None;
        }
        let node_status = |node: &String, status| {
            Some(PingReport::NodeStatus {
                node: node.clone(),
                status,
            })
        };
        let link_status = |node: &String, link: &String, is_up| {
            Some(PingReport::LinkStatus {
                node: node.clone(),
                link: link.clone(),
                is_up,
            })
        };
        match report {
            Report::StatusUpdate { node, status } => node_status(node, status.word()),
            Report::Ping(PingReport::Up { node }) => node_status(node, "ping"),
            Report::Ping(PingReport::Dead { node }) => node_status(node, "dead"),
            Report::NodeDead { .. } => Some(PingReport::PeerDied {
                is_alive: self.ping_counts(self.now).answering > 0,
            }),
            Report::LinkUp { node, link } => link_status(node, link, true),
            Report::LinkDown { node, link } => link_status(node, link, false),
            _ => None,
        }
    }

    /// Whether there is somebody to compare with.
    fn attends_pings(&self) -> bool {
        let is_there = self.peer.status == NodeStatus::Active && !self.peer.has_left;
        self.has_ipfail() && self.status == NodeStatus::Active && is_there
    }
}
