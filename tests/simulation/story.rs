//! A pair in the hands of a test: what the named runs are told with.

use heartbeat::cluster::{LinkId, NodeStatus};

use super::faults::{Fault, Weather};
use super::machine::Real;
use super::node;
use super::plan::{MS, Plan, SECOND, Time};
use super::trace::Trace;
use super::world::World;

/// A pair under the hands of a test, judged by the same rules as the seeds.
pub struct Story {
    /// Everything.
    pub world: World,
}

impl Story {
    pub fn new(plan: Plan) -> Self {
        Self {
            world: World::new(plan, node::honest, true),
        }
    }

    /// Both daemons started together, and both groups at home.
    pub fn settled(plan: Plan) -> Self {
        let mut story = Self::new(plan);
        story.until(5 * SECOND);
        let owners: Vec<_> = story
            .world
            .plan
            .preferred
            .iter()
            .copied()
            .map(Some)
            .collect();
        story.owners(&owners);
        story
    }

    /// Lets time pass until this moment. No rule may break.
    pub fn until(&mut self, end: Time) {
        if let Err(violation) = self.world.run_until(end) {
            self.fail(&violation.to_string());
        }
    }

    /// Now.
    pub fn strike(&mut self, fault: Fault) {
        if let Err(violation) = self.world.strike(fault) {
            self.fail(&violation.to_string());
        }
    }

    /// Cuts a link in both directions.
    pub fn cut(&mut self, link: usize) {
        for from in 0..2 {
            self.strike(Fault::Wire {
                link,
                from,
                weather: Weather::CUT,
            });
        }
    }

    /// Which machine runs each group; all others must not.
    pub fn owners(&mut self, owners: &[Option<usize>]) {
        for (group, &owner) in owners.iter().enumerate() {
            for node in 0..2 {
                let wanted = if owner == Some(node) {
                    Real::Running
                } else {
                    Real::Stopped
                };
                let real = self.world.machines[node].real(group);
                if real != wanted {
                    self.fail(&format!(
                        "group {group} is {real:?} on node {node}, not {wanted:?}"
                    ));
                }
            }
        }
    }

    /// Waits for these owners; returns how long that took.
    pub fn wait_for(&mut self, owners: &[Option<usize>], longest: Time) -> Time {
        let begin = self.world.now;
        while self.world.now < begin + longest {
            let met = owners.iter().enumerate().all(|(group, &owner)| {
                (0..2).all(|node| {
                    let runs = self.world.machines[node].real(group) == Real::Running;
                    let stopped = self.world.machines[node].real(group) == Real::Stopped;
                    if owner == Some(node) { runs } else { stopped }
                })
            });
            if met {
                return self.world.now - begin;
            }
            self.until(self.world.now + MS);
        }
        self.fail(&format!("still not {owners:?}"))
    }

    pub fn peer_status(&self, node: usize) -> NodeStatus {
        self.world.machines[node]
            .daemon
            .as_ref()
            .map_or(NodeStatus::Dead, |daemon| daemon.core.peer_status())
    }

    pub fn link_is_up(&self, node: usize, link: u8) -> bool {
        self.world.machines[node]
            .daemon
            .as_ref()
            .is_some_and(|daemon| daemon.core.link_is_up(LinkId(link)))
    }

    /// Starts and stops so far.
    pub fn moves(&self) -> u64 {
        self.world.figures.starts + self.world.figures.stops
    }

    pub fn fail(&mut self, text: &str) -> ! {
        let trace = std::mem::replace(&mut self.world.trace, Trace::new(false));
        let lines = trace.into_lines();
        panic!(
            "{}\n{text}",
            lines[lines.len().saturating_sub(number_of_lines())..].join("\n")
        );
    }
}

/// How many of the last lines a failure shows: `HB_SIM_LINES`, else 120.
fn number_of_lines() -> usize {
    let lines = std::env::var("HB_SIM_LINES").ok();
    lines.and_then(|lines| lines.parse().ok()).unwrap_or(120)
}
