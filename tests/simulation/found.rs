//! Named runs that seeds asked for: each tells a mistake that the core once made.

use heartbeat::cluster::NodeStatus;
use heartbeat::config::AutoFailback;

use super::faults::{Fault, Weather};
use super::machine::Real;
use super::plan::{MS, Plan, SECOND};
use super::story::Story;

#[test]
fn a_node_that_says_init_long_after_our_own_start_is_not_taken_for_dead() {
    let plan = Plan {
        deadtime: 3 * SECOND,
        initdead: 4 * SECOND,
        faults_end: 60 * SECOND,
        ..Plan::quiet(1)
    };
    for fault in [Fault::MachineCrash(0), Fault::DaemonCrash(0)] {
        let mut story = Story::settled(plan.clone());
        story.strike(fault);
        story.until(6 * SECOND);
        story.strike(Fault::Start(0));
        story.until(10 * SECOND);
        assert_eq!(story.peer_status(1), NodeStatus::Active);
    }
}

#[test]
fn a_stall_while_the_peer_was_dead_anyway_gives_nothing_up() {
    let mut story = Story::settled(Plan {
        faults_end: 60 * SECOND,
        ..Plan::quiet(1)
    });
    story.strike(Fault::Partition);
    story.until(7 * SECOND);
    let before = story.world.figures.stops;
    story.strike(Fault::Stall(0, 3 * SECOND));
    story.until(8 * SECOND);
    story.strike(Fault::HealLinks);
    story.until(15 * SECOND);
    story.owners(&[Some(0), Some(1)]);
    let stops = story.world.figures.stops - before;
    assert_eq!(stops, 2, "each group is given up once");
}

#[test]
fn a_lost_heartbeat_sent_again_takes_no_place_from_a_new_one() {
    // The world itself sees to it that no old heartbeat replaces a new one on the line.
    for seed in 0..20 {
        let mut plan = Plan::quiet(seed);
        plan.preferred = vec![0, 1, 0, 1, 0, 1];
        plan.links = vec![plan.links[0], plan.links[2]];
        plan.links[1].rate = Some(960);
        let mut story = Story::new(plan);
        let weather = Weather {
            loss: 500,
            ..Weather::default()
        };
        for from in 0..2 {
            story.strike(Fault::Wire {
                link: 0,
                from,
                weather,
            });
        }
        story.until(10 * SECOND);
    }
}

#[test]
fn recordings_heard_at_the_start_do_not_hasten_a_takeover() {
    let mut story = Story::settled(Plan {
        faults_end: 60 * SECOND,
        ..Plan::quiet(1)
    });
    story.strike(Fault::MachineCrash(0));
    story.strike(Fault::MachineCrash(1));
    story.world.machines[1].remembered = None; // its disk is new
    story.strike(Fault::Start(1));
    let started = story.world.now;
    for round in 0..10 {
        story.strike(Fault::Replay { to: 1, count: 50 });
        story.until(started + round * 200 * MS);
    }
    story.until(started + 10 * SECOND - 1);
    story.owners(&[None, None]);
    story.wait_for(&[Some(1), Some(1)], 5 * SECOND);
}

#[test]
fn who_is_heard_for_a_moment_is_not_taken_for_deaf() {
    let mut story = Story::settled(Plan {
        faults_end: 60 * SECOND,
        ..Plan::quiet(1)
    });
    story.strike(Fault::Partition);
    story.until(8 * SECOND);
    let before = story.world.figures.stops;
    for link in 0..3 {
        story.strike(Fault::Wire {
            link,
            from: 0,
            weather: Weather::default(),
        });
    }
    story.until(8 * SECOND + 500 * MS);
    story.strike(Fault::Partition);
    story.until(12 * SECOND);
    assert_eq!(
        story.world.figures.stops, before,
        "nobody yields to silence"
    );
}

#[test]
fn a_stalled_owner_yields_to_the_one_that_took_over() {
    let mut story = Story::settled(Plan {
        failback: AutoFailback::Off,
        ..Plan::quiet(1)
    });
    story.strike(Fault::Stall(0, 3 * SECOND));
    story.until(8 * SECOND - 1);
    assert_eq!(story.world.machines[1].real(0), Real::Running);
    let stops_before = story.world.figures.stops;
    story.until(12 * SECOND);
    story.owners(&[Some(1), Some(1)]);
    assert_eq!(story.world.figures.stops - stops_before, 1);
}

#[test]
fn a_node_that_stalls_while_its_peer_starts_yields_to_it() {
    // The peer is heard to say `init`, becomes active meanwhile, and takes over.
    // A serial line alone is so slow that there is a moment between two words.
    let mut found = 0;
    for wait in 0..60 {
        let mut plan = Plan::quiet(1);
        plan.faults_end = 60 * SECOND;
        plan.links = vec![plan.links[2]];
        let mut story = Story::settled(plan);
        story.strike(Fault::MachineCrash(0));
        story.until(8 * SECOND);
        story.owners(&[Some(1), Some(1)]);
        story.strike(Fault::Start(0));
        story.until(8 * SECOND + wait * MS);
        story.strike(Fault::Stall(1, 2 * SECOND));
        story.until(9 * SECOND + 900 * MS);
        found += u64::from(story.world.machines[0].real(1) == Real::Running);
        story.until(25 * SECOND);
        story.owners(&[Some(0), Some(1)]);
    }
    assert!(found > 0, "none of the stalls came at the right moment");
}
