//! What no single step shows: that stops end, that a lone node serves, and that everything finds its place
//! once nothing goes wrong any more.

use heartbeat::cluster::{LinkId, NodeStatus};
use heartbeat::config::AutoFailback;

use super::invariants::Violation;
use super::machine::{Real, Resource};
use super::plan::Quarrel;
use super::world::{Happening, World};

impl World {
    /// Looks at what no single step shows. True when the run is over.
    pub fn check(&mut self) -> Result<bool, Violation> {
        self.at(self.now + self.plan.keepalive, Happening::Check);
        self.judge.clashes_end(&self.machines, self.now)?;
        self.witness_looks()?;
        self.look_at_maintenance();
        self.stops_end()?;
        self.lone_nodes_serve()?;
        self.ways_are_right()?;
        if !self.calm {
            return Ok(false);
        }
        let calm_at = self.plan.faults_end + self.plan.deadtime + self.plan.news_time();
        if self.now < calm_at {
            return Ok(false);
        }
        match (self.unsettled(), self.settled_since) {
            (None, None) => {
                self.figures.settled = self.now.saturating_sub(self.plan.faults_end);
                self.settled_since = Some(self.now);
                Ok(false)
            }
            (None, Some(since)) => Ok(self.now - since > self.plan.deadtime * 2),
            (Some(text), Some(_))
                if (self.plan.has_old()
                    || self.plan.pings > 0
                    || self.plan.carrier_loss.is_some()
                    || self.plan.resets_late())
                    && self.now > self.deadline =>
            {
                Err(self.violation("settling", text))
            }
            (Some(_), Some(_))
                if self.plan.has_failures()
                    || self.plan.has_operator()
                    || self.plan.has_old()
                    || self.plan.pings > 0
                    || self.plan.carrier_loss.is_some()
                    || self.plan.longest_wait() > 0
                    || self.plan.resets_late() =>
            {
                // A group that somebody moved may be anywhere, and return when what it waits for is there.
                // What a node gave up for want of a network comes back when that has been there for a while. A failed stop that succeeds later lets its group go home; and the scripts of 3.0.6 queue up, so that
                // it does long after what it decided in haste.
                self.settled_since = None;
                Ok(false)
            }
            (Some(text), Some(_)) => {
                Err(self.violation("settling", format!("not for long: {text}")))
            }
            (Some(text), None) if self.now > self.deadline => Err(self.violation("settling", text)),
            (Some(_), None) => Ok(false),
        }
    }

    /// Who was asked to stop has stopped in time, if its groups can be stopped.
    fn stops_end(&self) -> Result<(), Violation> {
        for (node, machine) in self.machines[..2].iter().enumerate() {
            let Some(daemon) = machine
                .daemon
                .as_ref()
                .filter(|daemon| daemon.busy_until <= self.now)
            else {
                continue;
            };
            let failed = machine
                .resources
                .iter()
                .any(|resource| resource.failures > 0);
            let late = !self.is_old(node)
                && daemon
                    .stop_requested
                    .is_some_and(|at| self.now - at > self.plan.stop_time());
            if late && !failed && !daemon.stalled_lately(self.now, self.plan.stop_time()) {
                return Err(self.violation("stop", format!("node {node} does not stop")));
            }
        }
        Ok(())
    }

    /// What is not yet as it should be when nothing goes wrong any more.
    pub fn unsettled(&self) -> Option<String> {
        for (node, machine) in self.machines[..2].iter().enumerate() {
            let Some(daemon) = &machine.daemon else {
                return Some(format!("node {node} does not run"));
            };
            if self.waits_in_vain(node) {
                continue;
            }
            if daemon.core.maintenance().is_some() {
                return Some(format!("node {node} is in maintenance"));
            }
            let lately = self.plan.deadtime + self.plan.news_time();
            // Until the other has heard that it is ready, nothing returns to it.
            let began_lately = self.now < daemon.started + lately;
            if daemon.stop_requested.is_some()
                || began_lately
                || daemon.stalled_lately(self.now, lately)
            {
                return Some(format!(
                    "node {node} is stopping, or has just begun or gone on"
                ));
            }
            if daemon.file != machine.file {
                return Some(format!("node {node} has not read its files"));
            }
            if daemon.core.local_status() != NodeStatus::Active {
                return Some(format!("node {node} is {:?}", daemon.core.local_status()));
            }
            // A half that could not be given whole leaves 3.0.6 waiting for it.
            // And in legacy mode each question that ours asks makes it look.
            let may_wait = self.is_old(node)
                && (self.plan.stop_failures > 0 || self.plan.failback == AutoFailback::Legacy);
            if !daemon.core.is_stable() && !may_wait {
                return Some(format!("node {node} is in transition"));
            }
            if daemon.core.peer_status() != NodeStatus::Active {
                return Some(format!(
                    "node {node} takes its peer for {:?}",
                    daemon.core.peer_status()
                ));
            }
            for link in (0..self.links.len()).filter(|&link| {
                !self.is_old(node) && self.plan.links[link].is_ample(self.plan.keepalive)
            }) {
                if !daemon
                    .core
                    .link_is_up(LinkId(u8::try_from(link).unwrap_or(0)))
                {
                    return Some(format!("node {node} takes link {link} for down"));
                }
            }
        }
        (0..self.plan.preferred.len())
            .find_map(|group| self.group_unsettled(group))
            .or_else(|| self.unrecorded())
    }

    fn group_unsettled(&self, group: usize) -> Option<String> {
        if self.plan.has_old() {
            return self.mixed_group_unsettled(group);
        }
        if self.plan.quarrel == Some(Quarrel::Groups) {
            return None; // different files move nothing: each keeps what it has
        }
        let real = [0, 1].map(|node| self.machines[node].real(group));
        let home = self.plan.home(group);
        // Where it could not be started it is not tried again while the other node runs it.
        // Where the plug is in for one, it runs there, wherever it prefers to be.
        let lit = self.plan.unplugged.map(|dark| 1 - dark);
        let stays = |node: usize| {
            if let Some(lit) = lit {
                let resources = &self.machines[lit].resources[group];
                return node == lit || self.plan.has_operator() || resources.failures > 0;
            }
            node == home
                || self.plan.failback_of(node) == AutoFailback::Off
                || self.plan.has_operator()
                || (self.plan.pings > 0 && self.plan.quarrel.is_some())
                || self.machines[home].resources[group].failures > 0
        };
        let runs_once = match real {
            [Real::Running, Real::Stopped] => stays(0),
            [Real::Stopped, Real::Running] => stays(1),
            _ => false,
        };
        let text = || {
            format!(
                "group {group} of node {home} is {:?} and {:?}",
                real[0], real[1]
            )
        };
        (!runs_once).then(text)
    }

    /// A node whose peer is gone runs everything after initdead at the latest.
    fn lone_nodes_serve(&self) -> Result<(), Violation> {
        for (node, machine) in self.machines[..2].iter().enumerate() {
            let other = &self.machines[1 - node];
            let Some(daemon) = &machine.daemon else {
                continue;
            };
            if self.is_old(node)
                || other.daemon.is_some()
                || daemon.stop_requested.is_some()
                || daemon.stalled
            {
                continue;
            }
            let last_words = other.gone_since + self.plan.longest_delay();
            let replays = self.last_replay.unwrap_or(0);
            let begin = last_words
                .max(daemon.started)
                .max(daemon.went_on)
                .max(daemon.file_since)
                .max(self.still_until(node))
                .max(replays);
            let Some(fencing) = self.fence_time() else {
                continue; // its devices fail, and nothing else ends the waiting
            };
            let Some(doubt) = self.plan.doubt_time() else {
                continue;
            };
            // Without a carrier it is waited for one that long.
            let carrier = self.plan.carrier_loss.map_or(0, |_| self.plan.initdead);
            let enough =
                self.plan.initdead + self.plan.action_time.1 * 3 + self.plan.news_time() + fencing;
            let enough = enough + doubt + carrier;
            let enough = enough + self.plan.hardware.slack(enough);
            let idle =
                |resource: &Resource| resource.failures == 0 && resource.real != Real::Running;
            let mut groups = machine.resources.iter().enumerate();
            let is_missed = |(group, resource): &(usize, &Resource)| {
                daemon.file.has(*group, &self.plan) && idle(resource)
            };
            if self.now > begin + enough
                && let Some((group, _)) = groups.find(is_missed)
            {
                let text = format!("node {node} is alone and does not run group {group}");
                return Err(self.violation("service", text));
            }
        }
        Ok(())
    }
}
