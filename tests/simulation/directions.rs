//! One-way links are named right: what a node says of its networks is what they are, within two keepalives; and it says
//! that only one is left when that is so.
//!
//! Judged where the truth is plain: both nodes have been members for a while, nothing but clean cuts and mendings has
//! happened for so long, and a network that carries brings the other's word. A serial line is late by what waits in it,
//! and its part is in the named runs.

use heartbeat::cluster::{LinkId, NodeStatus, Way};

use super::faults::{Fault, Weather};
use super::invariants::Violation;
use super::plan::Time;
use super::virtual_link::VirtualLink;
use super::world::World;

/// So many heartbeats after foul weather its traces in a node's patience are gone.
const TRACES: Time = 40;

/// Since when the truth is plain.
#[derive(Debug, Clone, Copy, Default)]
pub struct Skies {
    /// Nothing has happened since.
    changed: Time,
    /// Links lost or delayed messages until then, or somebody stood still.
    foul_until: Time,
    /// Both have been members since.
    together: Option<Time>,
}

impl Skies {
    /// Something happens.
    pub fn note(&mut self, fault: Fault, now: Time, keepalive: Time) {
        self.changed = now;
        if !matches!(
            fault,
            Fault::Wire { .. } | Fault::Partition | Fault::HealLinks | Fault::WallJump(..)
        ) {
            self.foul_until = now + keepalive * TRACES;
        }
    }
}

impl World {
    /// What the nodes say of their links is true.
    pub fn ways_are_right(&mut self) -> Result<(), Violation> {
        if self.plan.has_old() || self.plan.has_reloads() {
            return Ok(());
        }
        let (now, keepalive) = (self.now, self.plan.keepalive);
        let is_clean = |weather: &Weather| [Weather::CUT, Weather::default()].contains(weather);
        let mut links = self.links.iter();
        if !links.all(|link| link.weather.iter().all(is_clean)) {
            self.skies.foul_until = now + keepalive * TRACES;
        }
        if !self.are_members() {
            self.skies.together = None;
            return Ok(());
        }
        let together = *self.skies.together.get_or_insert(now);
        let limit = self.time_to_name();
        let is_plain = now >= self.skies.foul_until
            && now - self.skies.changed > limit
            && now - together > limit + keepalive * 3;
        if !is_plain {
            return Ok(());
        }
        if self.tells_slow_from_silent() {
            (0..2).try_for_each(|node| self.node_names_its_links(node))?;
        }
        let steady = now - self.skies.changed.max(together);
        if steady > limit + self.plan.deadtime + keepalive * 4 {
            return (0..2).try_for_each(|node| self.node_knows_its_last_link(node));
        }
        Ok(())
    }

    /// Whether no network is so much slower than another one that a node has to learn first how late its copies are.
    fn tells_slow_from_silent(&self) -> bool {
        let networks = self.links.iter().filter(|link| !link.is_serial());
        let slowest = networks
            .map(|link| link.plan.delay + link.plan.jitter)
            .max();
        let keepalive = (0..2).map(|node| self.plan.keepalive_of(node)).min();
        slowest.unwrap_or(0) + self.plan.turn_time < keepalive.unwrap_or(0) * 3 / 4
    }

    /// Two keepalives, and what the fastest of links takes.
    fn time_to_name(&self) -> Time {
        let networks = self.links.iter().filter(|link| !link.is_serial());
        let latency = networks
            .map(|link| link.plan.delay + link.plan.jitter)
            .max();
        let latency = latency.unwrap_or(0) + self.plan.turn_time * 2;
        let limit = self.plan.keepalive * 2 + latency * 4;
        limit + self.plan.hardware.slack(limit) * 2
    }

    fn are_members(&self) -> bool {
        self.machines[..2].iter().all(|machine| {
            let daemon = machine.daemon.as_ref();
            machine.is_attentive(self.now)
                && daemon.is_some_and(|daemon| {
                    let core = &daemon.core;
                    !daemon.stalled
                        && daemon.stop_requested.is_none()
                        && [core.local_status(), core.peer_status()] == [NodeStatus::Active; 2]
                })
        })
    }

    /// Whether a network carries what this node sends, and nothing else is slower than it.
    fn carries(&self, link: usize, from: usize) -> bool {
        !self.links[link].weather[from].cut
    }

    fn any_network_carries(&self, from: usize) -> bool {
        let mut links = 0..self.links.len();
        links.any(|link| !self.links[link].is_serial() && self.carries(link, from))
    }

    fn node_names_its_links(&self, node: usize) -> Result<(), Violation> {
        let peer = 1 - node;
        if !self.any_network_carries(peer) {
            return Ok(()); // nobody tells it anything, or late
        }
        let is_judged_there = self.any_network_carries(node);
        for link in (0..self.links.len()).filter(|&link| !self.links[link].is_serial()) {
            let Some(way) = self.way(node, link) else {
                continue;
            };
            let (hears, is_heard) = (self.carries(link, peer), self.carries(link, node));
            let right: &[Way] = match (hears, is_heard, is_judged_there) {
                (true, true, true) => &[Way::Both],
                (true, false, true) => &[Way::OnlyIn],
                (false, true, true) => &[Way::OnlyOut],
                (false, false, true) => &[Way::Neither],
                (true, _, false) => &[Way::Both, Way::OnlyIn, Way::Heard],
                (false, _, false) => &[Way::OnlyOut, Way::Neither],
            };
            if !right.contains(&way) {
                let text = format!(
                    "node {node} calls link {link} {way:?}, and it carries: to it {hears}, from it {is_heard}"
                );
                return Err(self.violation("one-way", text));
            }
        }
        Ok(())
    }

    fn way(&self, node: usize, link: usize) -> Option<Way> {
        let link = LinkId(u8::try_from(link).ok()?);
        self.machines[node].daemon.as_ref()?.core.way(link)
    }

    /// The alarm is there exactly where no second link works in both directions.
    fn node_knows_its_last_link(&self, node: usize) -> Result<(), Violation> {
        let has_serial = self.links.iter().any(VirtualLink::is_serial);
        let is_heard = self.any_network_carries(0) && self.any_network_carries(1);
        if has_serial || !is_heard || self.links.len() < 2 {
            return Ok(());
        }
        let links = 0..self.links.len();
        let works = links.filter(|&link| self.carries(link, 0) && self.carries(link, 1));
        let works = works.count();
        let daemon = self.machines[node].daemon.as_ref();
        let alarm = daemon.and_then(|daemon| daemon.core.in_jeopardy());
        match alarm {
            Some(alarm) if alarm != (works < 2) => Err(self.violation(
                "jeopardy",
                format!("node {node} says {alarm}, and {works} links work in both directions"),
            )),
            _ => Ok(()),
        }
    }
}
