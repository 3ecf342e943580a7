//! Named runs: what a pair does in the situations that its owner has in mind.

use heartbeat::cluster::NodeStatus;
use heartbeat::config::AutoFailback;

use super::faults::{Fault, Weather};
use super::machine::Real;
use super::old_peer::{Command, Hold};
use super::plan::{MS, Plan, SECOND, Stranger};
use super::story::Story;

#[test]
fn both_started_together_serve_within_two_seconds() {
    for seed in 0..50 {
        let mut plan = Plan::quiet(seed);
        plan.starts = [0, seed * 20 * MS];
        let mut story = Story::new(plan);
        story.until(seed * 20 * MS);
        let took = story.wait_for(&[Some(0), Some(1)], 2 * SECOND);
        assert!(took < 2 * SECOND);
        story.until(story.world.now + 2 * SECOND);
        let sent = story.world.figures.sent;
        assert!(sent < 120, "{sent} packets to find each other");
    }
}

#[test]
fn a_node_alone_serves_after_initdead_and_not_before() {
    let mut story = Story::new(Plan {
        starts: [0, 100 * SECOND],
        ..Plan::quiet(1)
    });
    story.until(10 * SECOND - 1);
    story.owners(&[None, None]);
    story.wait_for(&[Some(0), Some(0)], 500 * MS);
}

#[test]
fn a_second_node_that_comes_late_gets_its_groups_back_or_not_as_configured() {
    for (failback, owner) in [
        (AutoFailback::On, 1),
        (AutoFailback::Legacy, 1),
        (AutoFailback::Off, 0),
    ] {
        let plan = Plan {
            starts: [0, 15 * SECOND],
            failback,
            faults_end: 60 * SECOND,
            ..Plan::quiet(1)
        };
        let mut story = Story::new(plan);
        story.until(15 * SECOND);
        story.owners(&[Some(0), Some(0)]);
        story.until(18 * SECOND);
        story.owners(&[Some(0), Some(owner)]);
    }
}

#[test]
fn what_works_on_neither_node_moves_once_and_stays() {
    for failback in [AutoFailback::On, AutoFailback::Off] {
        let mut story = Story::settled(Plan {
            failback,
            faults_end: 300 * SECOND,
            ..Plan::quiet(1)
        });
        let before = story.moves();
        story.strike(Fault::Break(0));
        story.wait_for(&[Some(1), Some(1)], SECOND);
        for _ in 0..60 {
            story.strike(Fault::Break(0));
            story.strike(Fault::Break(1));
            story.until(story.world.now + 2 * SECOND);
        }
        // The second group fails on its own node too, and has not been on the other.
        story.owners(&[Some(1), Some(0)]);
        assert_eq!(story.moves() - before, 4);
        // What is left when the other node dies is tried at once.
        story.strike(Fault::MachineCrash(1));
        story.wait_for(&[Some(0), Some(0)], 2 * SECOND);
    }
}

#[test]
fn one_working_link_of_three_moves_nothing() {
    for left in 0..3 {
        let mut story = Story::settled(Plan::quiet(left as u64));
        let before = story.moves();
        for link in (0..3).filter(|&link| link != left) {
            story.cut(link);
        }
        story.until(12 * SECOND);
        for node in 0..2 {
            for link in 0..3_u8 {
                assert_eq!(
                    story.link_is_up(node, link),
                    usize::from(link) == left,
                    "node {node} link {link}"
                );
            }
        }
        story.strike(Fault::HealLinks);
        story.until(15 * SECOND);
        assert!((0..3).all(|link| story.link_is_up(0, link) && story.link_is_up(1, link)));
        assert_eq!(story.moves(), before);
    }
}

#[test]
fn two_links_that_work_in_one_direction_each_keep_the_pair_together() {
    let mut story = Story::settled(Plan::quiet(1));
    let before = story.moves();
    story.cut(2);
    story.strike(Fault::Wire {
        link: 0,
        from: 0,
        weather: Weather::CUT,
    });
    story.strike(Fault::Wire {
        link: 1,
        from: 1,
        weather: Weather::CUT,
    });
    story.until(15 * SECOND);
    assert_eq!(story.moves(), before);
}

#[test]
fn a_dead_owner_is_replaced_within_deadtime_and_a_keepalive() {
    for seed in 0..50 {
        let mut story = Story::settled(Plan::quiet(seed));
        story.until(5 * SECOND + seed * 7 * MS);
        story.strike(Fault::MachineCrash(0));
        let limit = story.world.plan.deadtime + story.world.plan.action_time.1 + 10 * MS;
        story.wait_for(&[Some(1), Some(1)], limit);
    }
}

#[test]
fn a_clean_stop_moves_the_groups_at_once() {
    let mut story = Story::settled(Plan::quiet(1));
    story.strike(Fault::StopRequest(0));
    story.wait_for(&[Some(1), Some(1)], 300 * MS);
    story.until(8 * SECOND);
    assert!(story.world.machines[0].daemon.is_none());
    story.owners(&[Some(1), Some(1)]);
}

#[test]
fn both_stop_together_and_leave_nothing_behind() {
    let mut story = Story::settled(Plan::quiet(1));
    story.strike(Fault::StopRequest(0));
    story.strike(Fault::StopRequest(1));
    story.until(9 * SECOND);
    story.owners(&[None, None]);
    assert!(
        story.world.machines[..2]
            .iter()
            .all(|machine| machine.daemon.is_none())
    );
}

#[test]
fn a_machine_that_reboots_within_deadtime_orphans_nothing() {
    for failback in [AutoFailback::On, AutoFailback::Off] {
        let plan = Plan {
            failback,
            deadtime: 3 * SECOND,
            faults_end: 60 * SECOND,
            ..Plan::quiet(1)
        };
        let mut story = Story::settled(plan);
        story.strike(Fault::MachineCrash(0));
        story.until(6 * SECOND);
        story.strike(Fault::Start(0));
        story.until(10 * SECOND);
        let owner = usize::from(story.world.machines[0].real(0) != Real::Running);
        story.owners(&[Some(owner), Some(1)]);
    }
}

#[test]
fn a_killed_daemon_finds_what_it_left_running() {
    let mut story = Story::settled(Plan {
        deadtime: 3 * SECOND,
        ..Plan::quiet(1)
    });
    story.strike(Fault::DaemonCrash(0));
    story.until(6 * SECOND);
    story.strike(Fault::Start(0));
    story.until(10 * SECOND);
    story.owners(&[Some(0), Some(1)]);
}

#[test]
fn after_a_partition_one_side_yields_and_the_other_never_stops() {
    for seed in 0..20 {
        let mut story = Story::settled(Plan {
            faults_end: 60 * SECOND,
            ..Plan::quiet(seed)
        });
        story.strike(Fault::Partition);
        story.until(8 * SECOND);
        assert!((0..2).all(|node| {
            (0..2).all(|group| story.world.machines[node].real(group) == Real::Running)
        }));
        let before = story.world.figures.stops;
        story.strike(Fault::HealLinks);
        story.wait_for(&[Some(0), Some(1)], 2 * SECOND);
        story.until(15 * SECOND);
        assert_eq!(
            story.world.figures.stops - before,
            2,
            "one stop for each group"
        );
    }
}

#[test]
fn a_node_that_nobody_hears_yields() {
    let mut story = Story::settled(Plan {
        faults_end: 60 * SECOND,
        ..Plan::quiet(1)
    });
    for link in 0..3 {
        story.strike(Fault::Wire {
            link,
            from: 0,
            weather: Weather::CUT,
        });
    }
    story.wait_for(&[Some(1), Some(1)], 3 * SECOND);
    story.until(12 * SECOND);
    story.owners(&[Some(1), Some(1)]);
}

#[test]
fn two_that_stood_still_together_serve_again() {
    let mut story = Story::settled(Plan::quiet(1));
    story.strike(Fault::StallBoth(10 * SECOND));
    story.until(18 * SECOND);
    story.owners(&[Some(0), Some(1)]);
}

#[test]
fn what_a_dead_node_once_said_does_not_bring_it_back() {
    let mut story = Story::settled(Plan {
        faults_end: 60 * SECOND,
        ..Plan::quiet(1)
    });
    story.strike(Fault::MachineCrash(0));
    story.until(8 * SECOND);
    assert_eq!(story.peer_status(1), NodeStatus::Dead);
    for round in 0..10 {
        story.strike(Fault::Replay { to: 1, count: 200 });
        story.until(9 * SECOND + round * 200 * MS);
    }
    assert_eq!(story.peer_status(1), NodeStatus::Dead);
    story.owners(&[Some(1), Some(1)]);
    // Nor for a node that was started again meanwhile.
    story.strike(Fault::DaemonCrash(1));
    story.strike(Fault::Start(1));
    for round in 0..10 {
        story.strike(Fault::Replay { to: 1, count: 200 });
        story.until(12 * SECOND + round * 200 * MS);
    }
    assert_ne!(story.peer_status(1), NodeStatus::Active);
}

#[test]
fn another_pair_on_the_segment_changes_nothing() {
    for stranger in [Stranger::SameNamesOtherKeys, Stranger::OtherNamesSameKeys] {
        let mut story = Story::settled(Plan {
            stranger: Some(stranger),
            ..Plan::quiet(1)
        });
        let before = story.moves();
        story.until(15 * SECOND);
        assert_eq!(story.moves(), before);
    }
}

#[test]
fn a_wall_clock_that_jumps_moves_nothing() {
    let mut story = Story::settled(Plan::quiet(1));
    let before = story.moves();
    for (node, seconds) in [(0, -86_400), (1, 86_400 * 365), (0, 3600)] {
        story.strike(Fault::WallJump(node, seconds));
        story.until(story.world.now + 2 * SECOND);
    }
    assert_eq!(story.moves(), before);
}

#[test]
fn keys_are_changed_one_node_after_the_other_without_a_moment_of_deafness() {
    let mut story = Story::settled(Plan::quiet(1));
    let before = story.moves();
    for node in [0, 1, 1, 0] {
        story.strike(Fault::Rekey(node));
        story.until(story.world.now + 3 * SECOND);
        assert!((0..2).all(|node| story.peer_status(node) == NodeStatus::Active));
    }
    assert_eq!(story.moves(), before);
}

#[test]
fn a_slow_serial_line_alone_keeps_the_pair_together() {
    let mut plan = Plan::quiet(1);
    plan.links[2].rate = Some(1920);
    let mut story = Story::settled(plan);
    let before = story.moves();
    story.cut(0);
    story.cut(1);
    story.until(15 * SECOND);
    assert_eq!(story.moves(), before);
}

#[test]
fn a_quiet_pair_says_little_more_than_its_heartbeats() {
    let mut story = Story::settled(Plan::quiet(1));
    let before = story.world.figures.sent;
    story.until(15 * SECOND);
    let sent = story.world.figures.sent - before;
    assert!(
        (100..130).contains(&sent),
        "{sent} packets in ten seconds of two nodes that beat five times a second"
    );
}

#[test]
fn what_starts_nowhere_is_frozen_after_a_few_tries_and_thawed_by_a_takeover() {
    let mut story = Story::new(Plan {
        impossible: true,
        keepalive: 5 * SECOND,
        deadtime: 25 * SECOND,
        initdead: 60 * SECOND,
        faults_end: 7300 * SECOND,
        ..Plan::quiet(1)
    });
    story.until(6000 * SECOND);
    // Each group eight times where it belongs, and hardly as often on the other node.
    let starts = story.world.figures.starts;
    assert!((18..=32).contains(&starts), "{starts}");
    story.until(7301 * SECOND);
    assert_eq!(story.world.figures.starts, starts);
    story.owners(&[None, None]);
    for node in 0..2 {
        let takeover = Command::Takeover(Hold::LOCAL);
        story.strike(Fault::Command(node, takeover));
    }
    story.wait_for(&[Some(0), Some(1)], 10 * SECOND);
}
