//! Named runs with ping nodes: what moves, and above all what does not.

use heartbeat::config::AutoFailback;

use super::faults::Fault;
use super::plan::{MS, Plan, SECOND, Time};
use super::rng::Rng;
use super::story::Story;

/// A quiet pair with two ping nodes.
fn plan(seed: u64, failback: AutoFailback) -> Plan {
    let rng = &mut Rng::new(seed, 8);
    let keepalive = rng.pick(&[100 * MS, 200 * MS, 250 * MS]);
    Plan {
        keepalive,
        deadping: keepalive * rng.between(3, 10),
        starts: [rng.below(keepalive), rng.below(keepalive)],
        failback,
        pings: 2,
        faults_end: 600 * SECOND,
        ..Plan::quiet(seed)
    }
}

impl Story {
    fn ping_node(&mut self, machine: usize, ping: usize, answers: bool) {
        self.strike(Fault::PingNode {
            machine,
            ping,
            answers,
        });
    }

    /// Until a loss is noticed everywhere and has led to a move.
    fn enough(&self) -> Time {
        let plan = &self.world.plan;
        plan.deadping + plan.keepalive * 6 + plan.action_time.1 * 2
    }
}

#[test]
fn what_both_lose_never_moves_anything() {
    for seed in 0..300 {
        let mut story = Story::settled(plan(seed, AutoFailback::On));
        let keepalive = story.world.plan.keepalive;
        let rng = &mut Rng::new(seed, 9);
        let before = story.moves();
        for _ in 0..5 {
            story.until(story.world.now + rng.below(SECOND));
            let ping = rng.index(2);
            let first = rng.index(2);
            let late = rng.below(keepalive);
            for answers in [false, true] {
                story.ping_node(first, ping, answers);
                story.until(story.world.now + late);
                story.ping_node(1 - first, ping, answers);
                // Sometimes it comes back in the moment in which it would be given up.
                let most = story.enough();
                story.until(story.world.now + rng.below(most));
            }
        }
        if story.moves() != before {
            story.fail(&format!("seed {seed}: something moved"));
        }
        story.owners(&[Some(0), Some(1)]);
    }
}

#[test]
fn what_one_loses_moves_everything_to_the_other_with_one_stop_and_one_start() {
    for seed in 0..300 {
        let mut story = Story::settled(plan(seed, AutoFailback::Off));
        let loser = usize::try_from(seed % 2).unwrap_or(0);
        let (starts, stops) = (story.world.figures.starts, story.world.figures.stops);
        story.ping_node(loser, 0, false);
        let longest = story.enough();
        let took = story.wait_for(&[Some(1 - loser), Some(1 - loser)], longest);
        assert!(took >= story.world.plan.deadping - story.world.plan.keepalive * 2);
        story.until(60 * SECOND);
        assert_eq!(story.world.figures.starts, starts + 1);
        assert_eq!(story.world.figures.stops, stops + 1);
        story.ping_node(loser, 0, true);
        story.until(120 * SECOND);
        story.owners(&[Some(1 - loser), Some(1 - loser)]);
    }
}

#[test]
fn a_few_lost_answers_move_nothing() {
    for seed in 0..100 {
        let mut plan = plan(seed, AutoFailback::On);
        plan.deadping = plan.keepalive * 10;
        plan.ping_loss = 200;
        let mut story = Story::settled(plan);
        let before = story.moves();
        story.until(60 * SECOND);
        assert_eq!(story.moves(), before, "seed {seed}");
    }
}

#[test]
fn with_auto_failback_on_the_groups_come_home_and_then_rest() {
    for seed in 0..100 {
        let mut story = Story::settled(plan(seed, AutoFailback::On));
        story.ping_node(0, 0, false);
        let longest = story.enough();
        story.wait_for(&[Some(1), Some(1)], longest);
        story.ping_node(0, 0, true);
        let longest = story.world.plan.deadping + story.enough();
        let took = story.wait_for(&[Some(0), Some(1)], longest);
        assert!(took >= story.world.plan.deadping);
        let before = story.moves();
        story.until(120 * SECOND);
        assert_eq!(story.moves(), before, "seed {seed}");
    }
}

#[test]
fn the_death_of_the_node_that_has_the_network_leaves_everything_with_the_other() {
    for seed in 0..100 {
        let mut story = Story::settled(plan(seed, AutoFailback::On));
        story.ping_node(0, 0, false);
        story.until(story.world.now + seed * 20 * MS);
        story.strike(Fault::MachineCrash(1));
        let longest = story.world.plan.deadtime * 2 + SECOND;
        story.wait_for(&[Some(0), Some(0)], longest);
        let before = story.moves();
        story.until(30 * SECOND);
        assert_eq!(story.moves(), before, "seed {seed}");
    }
}
