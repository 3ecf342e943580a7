//! Networks that are unplugged at a machine: what moves, and above all what does not.

use heartbeat::config::AutoFailback;

use super::faults::Fault;
use super::invariants::Violation;
use super::machine::{Inbound, PlugSeen};
use super::plan::{MS, Plan, SECOND, Time};
use super::rng::Rng;
use super::story::Story;
use super::world::{Happening, World};

/// The longest that a kernel takes to tell of a carrier.
const SLOWEST_NOTICE: Time = SECOND;

impl Plan {
    /// The run that belongs to a seed where networks are unplugged, on one machine or on both, for a moment or for good.
    pub fn with_carriers(seed: u64) -> Self {
        Self::with_operator(seed).and_carriers(seed)
    }

    /// The same with unplugged networks.
    pub fn and_carriers(self, seed: u64) -> Self {
        let mut plan = self;
        let rng = &mut Rng::new(seed, 12);
        let loss = rng.pick(&[2 * SECOND, 3 * SECOND, 5 * SECOND]);
        plan.carrier_loss = Some(loss);
        let begin = plan.starts[0].min(plan.starts[1]);
        let end = plan.faults_end.max(begin + plan.deadtime * 6 + loss * 4);
        for _ in 0..rng.between(1, 5) {
            let mut at = rng.between(begin, end);
            let first = rng.index(2);
            let is_shared = rng.chance(300);
            // A plug that is loose comes and goes.
            for _ in 0..rng.pick(&[1, 1, 1, 3, 6]) {
                let long = match rng.below(3) {
                    0 => rng.below(loss),
                    1 => loss * rng.between(80, 140) / 100,
                    _ => rng.between(loss, loss * 5),
                };
                plan.pulls(first, at, long);
                if is_shared {
                    let late = rng.below(SECOND);
                    plan.pulls(1 - first, at + late, long);
                }
                at += long + rng.below(loss * 2);
            }
        }
        plan.faults.sort_by_key(|&(at, _)| at);
        let last = plan.faults.last().map_or(0, |&(at, _)| at);
        plan.faults_end = plan.faults_end.max(last + plan.keepalive);
        if rng.chance(300) {
            plan.unplugged = Some(rng.index(2));
        }
        plan
    }

    fn pulls(&mut self, machine: usize, at: Time, long: Time) {
        for (at, is_in) in [(at, false), (at + long, true)] {
            self.faults.push((at, Fault::Plug { machine, is_in }));
        }
    }
}

impl World {
    /// Somebody plugs the network in or out.
    pub fn plug(&mut self, machine: usize, is_in: bool) {
        if self.plan.carrier_loss.is_none() || self.machines[machine].is_plugged == is_in {
            return;
        }
        self.machines[machine].is_plugged = is_in;
        self.reach_changes(machine);
        let delay = self.dice.below(SLOWEST_NOTICE);
        self.notice(machine, delay);
    }

    /// The daemon gets to know in a while how the plug is then.
    pub fn notice(&mut self, machine: usize, delay: Time) {
        let run = self.machines[machine].daemon.as_ref();
        if let (Some(run), true) = (
            run.map(|daemon| daemon.run),
            self.plan.carrier_loss.is_some(),
        ) {
            self.at(self.now + delay, Happening::Noticed { machine, run });
        }
    }

    /// It does.
    pub fn noticed(&mut self, machine: usize, run: u64) -> Result<(), Violation> {
        let daemon = self.machines[machine].daemon.as_ref();
        if self.is_old(machine) || daemon.is_none_or(|daemon| daemon.run != run) {
            return Ok(());
        }
        let is_in = self.machines[machine].is_plugged;
        let seen = &mut self.machines[machine].plug_seen;
        if seen.is_in != is_in {
            *seen = PlugSeen {
                is_in,
                since: self.now,
            };
        }
        self.trace
            .step(self.now, &[13, machine as u64, u64::from(is_in)], || {
                let state = if is_in { "in" } else { "out" };
                format!("{machine} sees that its network is plugged {state}")
            });
        self.arrive(machine, Inbound::Carrier(is_in))
    }
}

#[test]
fn no_seed_with_unplugged_networks_breaks_a_rule() {
    super::try_seeds("HB_SIM_CARRIER", 200, 10, Plan::with_carriers);
}

const LOSS: Time = 5 * SECOND;

/// A quiet pair that watches its carriers.
fn plan(seed: u64, failback: AutoFailback) -> Plan {
    let rng = &mut Rng::new(seed, 13);
    let keepalive = rng.pick(&[100 * MS, 250 * MS, SECOND]);
    Plan {
        keepalive,
        deadtime: keepalive * 5,
        starts: [rng.below(keepalive), rng.below(keepalive)],
        failback,
        carrier_loss: Some(LOSS),
        faults_end: 3600 * SECOND,
        ..Plan::quiet(seed)
    }
}

impl Story {
    fn plug(&mut self, machine: usize, is_in: bool) {
        self.strike(Fault::Plug { machine, is_in });
    }

    /// Until a loss is noticed, has lasted, the other node has spoken, and everything has moved.
    fn enough_for_carrier(&self) -> Time {
        let plan = &self.world.plan;
        LOSS + SLOWEST_NOTICE + plan.keepalive * 3 + plan.action_time.1 * 2 + SECOND / 2
    }
}

#[test]
fn a_network_that_is_unplugged_costs_one_stop_and_one_start() {
    for seed in 0..50 {
        let mut story = Story::settled(plan(seed, AutoFailback::Off));
        let before = story.moves();
        story.plug(0, false);
        let longest = story.enough_for_carrier();
        let took = story.wait_for(&[Some(1), Some(1)], longest);
        assert!(took >= LOSS);
        story.until(100 * SECOND);
        assert_eq!(story.moves() - before, 2, "seed {seed}");
        story.owners(&[Some(1), Some(1)]);
    }
}

#[test]
fn networks_that_are_unplugged_together_move_nothing() {
    for seed in 0..100 {
        let mut story = Story::settled(plan(seed, AutoFailback::On));
        let rng = &mut Rng::new(seed, 14);
        let before = story.moves();
        for _ in 0..5 {
            let first = rng.index(2);
            let long = rng.below(LOSS * 4);
            let late = rng.below(SECOND);
            for is_in in [false, true] {
                story.plug(first, is_in);
                story.until(story.world.now + late);
                story.plug(1 - first, is_in);
                story.until(story.world.now + long);
            }
        }
        assert_eq!(story.moves(), before, "seed {seed}");
    }
}

#[test]
fn with_auto_failback_on_a_group_comes_home_when_the_carrier_has_lasted_and_then_rests() {
    for seed in 0..20 {
        let mut story = Story::settled(plan(seed, AutoFailback::On));
        story.plug(0, false);
        let longest = story.enough_for_carrier();
        story.wait_for(&[Some(1), Some(1)], longest);
        story.until(100 * SECOND);
        story.plug(0, true);
        let took = story.wait_for(&[Some(0), Some(1)], 65 * SECOND);
        assert!(took >= 60 * SECOND);
        let before = story.moves();
        story.until(300 * SECOND);
        assert_eq!(story.moves(), before, "seed {seed}");
    }
}

#[test]
fn the_death_of_the_node_that_has_the_network_leaves_everything_with_the_other() {
    for seed in 0..100 {
        let mut story = Story::settled(plan(seed, AutoFailback::On));
        story.plug(0, false);
        story.until(story.world.now + seed * 80 * MS);
        story.strike(Fault::MachineCrash(1));
        let longest = story.world.plan.deadtime * 2 + SECOND;
        story.wait_for(&[Some(0), Some(0)], longest);
        let before = story.moves();
        story.until(60 * SECOND);
        assert_eq!(story.moves(), before, "seed {seed}");
    }
}
