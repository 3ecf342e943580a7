//! What children, scripts and programs have to tell the core.

use super::super::clock;
use super::super::programs::Failure;
use super::super::watchdog::Watchdog;
use super::Daemon;
use crate::cluster::{Event, Instant, NodeStatus};

impl Daemon {
    /// For the service manager.
    pub(super) fn summary(&self) -> String {
        let Self {
            identity, cluster, ..
        } = self;
        let maintenance = if cluster.maintenance().is_some() {
            "maintenance; "
        } else {
            ""
        };
        format!(
            "{maintenance}{} is {}, {} is {}; holding: {}",
            identity.config.local_node,
            cluster.local_status(),
            identity.config.peer_node,
            cluster.peer_status(),
            cluster.holdings()
        )
    }

    /// Goes on with everything that others do for this node, and tells the core what came of it.
    pub(super) fn collect_news(&mut self, now: Instant) {
        self.devices.hooks.turn(now);
        self.devices.failback.turn(now);
        if let Some(agrees) = self.devices.failback.next_answer() {
            self.cluster
                .handle(clock::now(), Event::FailbackAnswered { agrees });
        }
        self.devices.readiness.turn(now, &self.cluster);
        while let Some((group, ready)) = self.devices.readiness.next_news() {
            self.cluster
                .handle(clock::now(), Event::Readiness { group, ready });
        }
        while let Some((group, here)) = self.devices.resources.next_carrier() {
            self.cluster
                .handle(clock::now(), Event::Carrier { group, here });
            self.devices.readiness.look_soon(now);
        }
        while let Some((link, has)) = self.devices.resources.next_link_carrier() {
            self.cluster
                .handle(clock::now(), Event::LinkCarrier { link, has });
        }
        while let Some((request, answer)) = self.devices.resources.next_network_answer() {
            let answered = Event::NetworkAnswered { request, answer };
            self.cluster.handle(clock::now(), answered);
        }
        self.devices.fencer.turn(now);
        while let Some((request, is_reset)) = self.devices.fencer.next_answer() {
            self.cluster
                .handle(clock::now(), Event::Fenced { request, is_reset });
        }
        while let Some(message) = self.devices.fifo.next_message(now) {
            if self.cluster.local_status() != NodeStatus::Active {
                let kind = message.kind();
                ::log::warn!("A message of type {kind} is not sent: this node is not active");
            }
            let said = Event::Say(Box::new(message));
            self.cluster.handle(clock::now(), said);
        }
        let failure = self.devices.programs.turn(now);
        if let Some(failure) = failure {
            self.give_up(&failure);
        }
        let timeout = self.devices.watchdog.as_ref().and_then(Watchdog::timeout);
        if std::mem::replace(&mut self.watchdog_told, timeout) != timeout {
            self.cluster
                .handle(clock::now(), Event::WatchdogArmed { timeout });
        }
        let hardware = self.devices.resources.news_of_hardware(now);
        if let Some(own) = hardware {
            self.cluster.handle(clock::now(), Event::Hardware(own));
        }
        self.collect_outcomes();
        for (group, outcome) in std::mem::take(&mut self.outcomes) {
            self.cluster
                .handle(clock::now(), Event::Group { group, outcome });
        }
    }

    /// What became of actions on groups.
    pub(super) fn collect_outcomes(&mut self) {
        while let Some(outcome) = self.devices.resources.next_outcome() {
            self.outcomes.push_back(outcome);
        }
    }

    /// A program has failed without which this node must not serve. The peer can have everything as soon as it is
    /// stopped here; a reset would cost it deadtime.
    fn give_up(&mut self, failure: &Failure) {
        ::log::error!(target: "CRIT:heartbeat", "{failure}: this node gives up its resources and stops");
        if self.failfast.fail(clock::now()) {
            self.devices.service_manager.stopping();
            self.cluster.handle(clock::now(), Event::StopRequested);
        }
    }
}
