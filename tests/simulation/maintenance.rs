//! Maintenance: an operator switches it on and off at any moment, on either node, whatever else goes wrong.
//!
//! **The rule.** Once both nodes have said that they know of it, and until somebody switches it off or its time is over,
//! neither decides to start or to stop a group but for the reasons that stay in force: what a person asks for (a planned
//! move, the stop of a daemon, his word that the other is down), the end of what had begun, and S3, S6 and S7. A restart of a
//! daemon or of a machine ends nothing.

use std::time::Duration;

use heartbeat::cluster::policy::Reason;
use heartbeat::cluster::{MaintenanceMemory, MaintenanceOrder, Report};

use super::faults::Fault;
use super::invariants::Violation;
use super::machine::{Inbound, Real};
use super::plan::{MS, Plan, Time};
use super::rng::Rng;
use super::world::{Happening, STRANGER, World};

/// What is known of it outside the nodes.
#[derive(Debug, Default)]
pub struct Upkeep {
    /// Since when both know, if nobody has ended it since.
    shared_since: Option<Time>,
    /// When it ends by itself.
    ends_at: Option<Time>,
    /// When somebody has switched it off last.
    off_at: Time,
    /// By node: when it was last seen to hold still.
    still_until: [Time; 2],
}

impl Plan {
    /// The run that belongs to a seed with somebody who works on the pair; in some of them silence is not death, or a device
    /// resets the other node.
    pub fn with_maintenance(seed: u64) -> Self {
        let plan = Self::with_operator(seed);
        let plan = match seed % 4 {
            2 => plan.and_doubts(seed),
            3 => plan.and_fencing(seed),
            _ => plan,
        };
        plan.and_maintenance(seed)
    }

    /// The same with such a person.
    pub fn and_maintenance(self, seed: u64) -> Self {
        let mut plan = self;
        let rng = &mut Rng::new(seed, 27);
        // Nothing moves while it is on, so more than usual has to go wrong then.
        let (begin, end) = plan.busy_time();
        let end = end + plan.deadtime * 8;
        let mut more = Vec::new();
        for _ in 0..rng.between(1, 3) {
            let at = rng.between(begin, end);
            let node = rng.index(2);
            let time = plan.deadtime * rng.between(2, 20);
            let lasts = rng.pick(&[None, None, Some(time)]);
            more.push((
                at,
                Fault::Maintenance {
                    node,
                    is_on: true,
                    lasts,
                },
            ));
            let long = rng.between(plan.deadtime, plan.deadtime * 12);
            let (victim, during) = (rng.index(2), at + rng.below(long));
            let hit = match rng.below(5) {
                0 => Fault::MachineCrash(victim),
                1 => Fault::DaemonCrash(victim),
                2 => Fault::StopRequest(victim),
                3 => Fault::Break(victim),
                _ => Fault::Partition,
            };
            more.push((during, hit));
            more.push((during + rng.below(long), Fault::Start(victim)));
            more.push((during + rng.below(long), Fault::HealLinks));
            if rng.chance(700) {
                let node = rng.index(2);
                let lasts = None;
                more.push((
                    at + long,
                    Fault::Maintenance {
                        node,
                        is_on: false,
                        lasts,
                    },
                ));
            }
        }
        plan.add_faults(more);
        plan
    }

    /// Whether somebody does.
    pub fn has_maintenance(&self) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|(_, fault)| matches!(fault, Fault::Maintenance { .. }))
    }

    /// When it is switched off for the last time, after the faults have ended: both nodes hear each other by then.
    fn last_off(&self) -> Time {
        self.initdead * 2 + self.deadtime * 4 + self.stop_time() + self.news_time()
    }

    /// How much later everything finds its place for that.
    pub fn maintenance_settle_time(&self) -> Time {
        if self.has_maintenance() {
            self.last_off() + self.news_time()
        } else {
            0
        }
    }
}

impl World {
    /// Somebody gives an order; where the daemon does not answer he sees that.
    pub fn order_maintenance(
        &mut self,
        node: usize,
        is_on: bool,
        lasts: Option<Time>,
    ) -> Result<(), Violation> {
        let daemon = self.machines[node].daemon.as_ref();
        if daemon.is_none_or(|daemon| daemon.stalled) {
            return Ok(());
        }
        let order = if is_on {
            MaintenanceOrder::on("somebody", "to mend it", lasts.map(Duration::from_micros))
        } else {
            MaintenanceOrder::off("somebody")
        };
        if is_on {
            let end = lasts.map(|lasts| self.now + lasts);
            // The order may get lost, and what was ordered before goes on then.
            let before = self.upkeep.ends_at.filter(|at| *at > self.now);
            self.upkeep.ends_at = before.into_iter().chain(end).min();
        } else {
            self.upkeep.shared_since = None;
            self.upkeep.off_at = self.now;
            // It may be older than an order that the other node has meanwhile.
            self.upkeep.ends_at = self.upkeep.ends_at.filter(|at| *at > self.now);
        }
        let order = order.expect("a good one");
        self.arrive(node, Inbound::Maintenance(Box::new(order)))
    }

    /// The faults have ended: it is switched off, and once more when both nodes hear each other.
    pub fn end_maintenance(&mut self) -> Result<(), Violation> {
        if !self.plan.has_maintenance() {
            return Ok(());
        }
        let later = self.now + self.plan.last_off();
        for node in 0..2 {
            let off = Fault::Maintenance {
                node,
                is_on: false,
                lasts: None,
            };
            self.strike(off)?;
            self.at(later, Happening::Fault(off));
        }
        Ok(())
    }

    /// What a node wants to be kept.
    pub fn remember_maintenance(&mut self, node: usize, memory: MaintenanceMemory) {
        self.machines[node].maintenance = Some((memory, self.now));
    }

    /// What it finds when it starts.
    pub fn maintenance_of(&self, node: usize) -> Option<MaintenanceMemory> {
        let (memory, at) = self.machines[node].maintenance.as_ref()?;
        let passed = Duration::from_micros(self.now - at);
        Some(MaintenanceMemory {
            age: memory.age + passed,
            left: memory.left.map(|left| left.saturating_sub(passed)),
            ..memory.clone()
        })
    }

    /// Time to look around.
    pub fn look_at_maintenance(&mut self) {
        let said = [0, 1].map(|node| {
            let daemon = self.machines[node].daemon.as_ref();
            daemon.and_then(|daemon| daemon.core.maintenance())
        });
        let upkeep = &mut self.upkeep;
        for (until, said) in upkeep.still_until.iter_mut().zip(said) {
            if said.is_some() {
                *until = self.now;
            }
        }
        let is_off_done = self.now > upkeep.off_at + self.plan.deadtime;
        if said == [Some(true); 2] && is_off_done {
            upkeep.shared_since.get_or_insert(self.now);
        }
        let slack = self.plan.deadtime + self.plan.news_time();
        if upkeep.ends_at.is_some_and(|at| self.now + slack >= at) {
            upkeep.shared_since = None;
        }
    }

    /// When a node was last seen to hold still.
    pub fn still_until(&self, node: usize) -> Time {
        self.upkeep.still_until[node]
    }

    /// A node tells what it does, and why.
    pub fn judge_maintenance(&self, node: usize, report: &Report) -> Result<(), Violation> {
        let since = self.upkeep.shared_since.filter(|_| node < STRANGER);
        let known = self.plan.news_time() + self.plan.keepalive * 2 + MS;
        if since.is_none_or(|since| self.now < since + known) {
            return Ok(());
        }
        let (key, verb, reason) = match report {
            Report::GroupStarting { key, reason } => (key, "starts", *reason),
            Report::GroupStopping { key, reason } => (key, "stops", *reason),
            _ => return Ok(()),
        };
        let is_allowed = match reason {
            Reason::Ceded
            | Reason::FailedThere
            | Reason::Leaving
            | Reason::Conflict
            | Reason::Stale
            | Reason::Removed
            // One that was started again, or meets the other anew, has not heard yet that the other knows.
            | Reason::CutOff => true,
            Reason::Standby => self.plan.has_operator(),
            Reason::Retry => self.plan.has_operator() || self.has_stuck(node),
            Reason::PeerDied | Reason::FoundRunning => self.was_confirmed,
            _ => false,
        };
        if is_allowed {
            return Ok(());
        }
        let text = format!("node {node} {verb} {key} in maintenance: {reason}");
        Err(self.violation("maintenance", text))
    }

    /// Whether a group did not stop there when somebody asked for it.
    fn has_stuck(&self, node: usize) -> bool {
        let mut resources = self.machines[node].resources.iter();
        resources.any(|resource| resource.real == Real::Broken)
    }
}

#[test]
fn no_seed_with_maintenance_breaks_a_rule() {
    super::try_seeds("HB_SIM_MAINTENANCE", 200, 10, Plan::with_maintenance);
}
