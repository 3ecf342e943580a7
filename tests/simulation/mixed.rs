//! A pair of which one node runs 3.0.6: seeds, judged by the rules of `invariants/mixed.rs`, and named runs.
//!
//! `HB_SIM_MIXED_SEED=n` runs that seed alone and prints its whole story; `HB_SIM_MIXED_RUNS=n` changes how many
//! are run. In even seeds machine 1 is the old one, in odd seeds machine 0.

use heartbeat::config::AutoFailback;

use super::faults::{Fault, Weather};
use super::machine::Real;
use super::old_peer::{Command, Hold};
use super::plan::{MS, Plan, SECOND, Time};
use super::story::Story;

/// Which machine runs 3.0.6 in the named runs: one after the other.
const SIDES: [[bool; 2]; 2] = [[false, true], [true, false]];
/// Seeds of each named run and side: they differ in when 3.0.6 looks.
const SEEDS: u64 = 6;
/// Both at home, and 3.0.6 past its window.
const READY: Time = 25 * SECOND;
/// After everything works again, everything runs exactly once: the restart of 3.0.6 and its window included.
const SETTLED: Time = 35 * SECOND;

fn plan_of(seed: u64) -> Plan {
    Plan::with_old(seed, [!seed.is_multiple_of(2), seed.is_multiple_of(2)])
}

#[test]
fn no_seed_breaks_a_rule_beside_3_0_6() {
    // No fresh ones: what 3.0.6 itself does wrong in the rarest of them, the judge still blames on ours.
    super::try_seeds("HB_SIM_MIXED", 2_000, 0, plan_of);
}

/// With the times that most pairs in the field have, on links that keep the order: what comes to 3.0.6 in another order
/// than it was said, it believes in that order.
fn pair(seed: u64, old: [bool; 2], failback: AutoFailback) -> Plan {
    let mut plan = Plan {
        keepalive: 500 * MS,
        deadtime: 3 * SECOND,
        faults_end: 3600 * SECOND,
        old,
        failback,
        ..Plan::quiet(seed)
    };
    plan.links.iter_mut().for_each(|link| link.jitter = 0);
    plan
}

/// Tells the same story with each side old, in each of these modes, a few times.
fn each(modes: &[AutoFailback], tell: impl Fn(Plan, usize)) {
    for old in SIDES {
        for &failback in modes {
            for seed in 0..SEEDS {
                let old_node = usize::from(old[1]);
                tell(pair(seed, old, failback), old_node);
            }
        }
    }
}

const ALL_MODES: &[AutoFailback] = &[AutoFailback::On, AutoFailback::Off, AutoFailback::Legacy];
const NICE_MODES: &[AutoFailback] = &[AutoFailback::On, AutoFailback::Off];

/// Every group at home, both nodes content.
fn serving(plan: Plan) -> Story {
    let mut story = Story::new(plan);
    story.until(READY);
    at_home(&mut story);
    story
}

fn at_home(story: &mut Story) {
    let homes: Vec<_> = story
        .world
        .plan
        .preferred
        .iter()
        .copied()
        .map(Some)
        .collect();
    story.owners(&homes);
}

/// Waits until both nodes are content and every group runs exactly once, and sees that it stays so.
fn settles(story: &mut Story) {
    let begin = story.world.now;
    let mut since = begin;
    while story.world.now < since + 4 * SECOND {
        if let Some(text) = story.world.unsettled() {
            since = story.world.now;
            if since > begin + SETTLED {
                story.fail(&format!("not settled: {text}"));
            }
        }
        story.until(story.world.now + 100 * MS);
    }
    let before = story.moves();
    story.until(story.world.now + 15 * SECOND);
    if let Some(text) = story.world.unsettled() {
        story.fail(&format!("not settled for long: {text}"));
    }
    if story.moves() != before {
        story.fail("groups still move");
    }
}

#[test]
fn both_start_together() {
    each(ALL_MODES, |plan, _| {
        let mut story = Story::new(plan);
        story.wait_for(&[Some(0), Some(1)], 15 * SECOND);
        settles(&mut story);
        at_home(&mut story);
    });
}

#[test]
fn the_second_starts_late() {
    for late in 0..2 {
        each(ALL_MODES, |mut plan, _| {
            plan.starts[late] = 30 * SECOND;
            let fails_back = plan.failback != AutoFailback::Off;
            let mut story = Story::new(plan);
            story.until(30 * SECOND);
            story.owners(&[Some(1 - late); 2]);
            settles(&mut story);
            if fails_back {
                at_home(&mut story);
            } else {
                story.owners(&[Some(1 - late); 2]);
            }
        });
    }
}

#[test]
fn the_second_starts_within_the_window_of_the_first() {
    for late in 0..2 {
        each(ALL_MODES, |mut plan, _| {
            plan.starts[late] = 14 * SECOND;
            let mut story = Story::new(plan);
            story.until(20 * SECOND);
            settles(&mut story);
        });
    }
}

#[test]
fn either_machine_crashes_and_comes_back() {
    for victim in 0..2 {
        each(ALL_MODES, |plan, _| {
            let fails_back = plan.failback != AutoFailback::Off;
            let mut story = serving(plan);
            story.strike(Fault::MachineCrash(victim));
            story.wait_for(&[Some(1 - victim); 2], 5 * SECOND);
            story.until(60 * SECOND);
            story.owners(&[Some(1 - victim); 2]);
            story.strike(Fault::Start(victim));
            settles(&mut story);
            if fails_back {
                at_home(&mut story);
            }
        });
    }
}

#[test]
fn either_machine_crashes_and_is_back_within_deadtime() {
    for victim in 0..2 {
        each(ALL_MODES, |plan, _| {
            let mut story = serving(plan);
            story.strike(Fault::MachineCrash(victim));
            story.until(READY + SECOND);
            story.strike(Fault::Start(victim));
            settles(&mut story);
        });
    }
}

#[test]
fn who_held_everything_crashes_and_is_back_within_deadtime() {
    // Two of 3.0.6 leave the group of the other node to nobody.
    for victim in 0..2 {
        each(&[AutoFailback::Off], |plan, _| {
            let mut story = serving(plan);
            story.strike(Fault::MachineCrash(1 - victim));
            story.until(40 * SECOND);
            story.strike(Fault::Start(1 - victim));
            story.until(60 * SECOND);
            story.owners(&[Some(victim); 2]);
            story.strike(Fault::MachineCrash(victim));
            story.until(61 * SECOND);
            story.strike(Fault::Start(victim));
            settles(&mut story);
        });
    }
}

#[test]
fn either_is_stopped_and_started() {
    for victim in 0..2 {
        each(ALL_MODES, |plan, _| {
            let fails_back = plan.failback != AutoFailback::Off;
            let mut story = serving(plan);
            story.strike(Fault::StopRequest(victim));
            story.wait_for(&[Some(1 - victim); 2], 2500 * MS);
            story.until(READY + 6 * SECOND);
            assert!(story.world.machines[victim].daemon.is_none());
            story.until(60 * SECOND);
            story.owners(&[Some(1 - victim); 2]);
            story.strike(Fault::Start(victim));
            settles(&mut story);
            if fails_back {
                at_home(&mut story);
            }
        });
    }
}

#[test]
fn either_is_restarted_at_once() {
    for victim in 0..2 {
        each(ALL_MODES, |plan, _| {
            let mut story = serving(plan);
            story.strike(Fault::StopRequest(victim));
            story.strike(Fault::Start(victim));
            settles(&mut story);
        });
    }
}

#[test]
fn either_daemon_is_killed_and_started_again() {
    for victim in 0..2 {
        for pause in [500 * MS, 8 * SECOND] {
            each(NICE_MODES, |plan, _| {
                let mut story = serving(plan);
                story.strike(Fault::DaemonCrash(victim));
                story.until(READY + pause);
                story.strike(Fault::Start(victim));
                settles(&mut story);
            });
        }
    }
}

#[test]
fn the_old_one_gives_on_request() {
    for what in [Hold::ALL, Hold::LOCAL] {
        each(NICE_MODES, |plan, old| {
            let mut story = serving(plan);
            story.strike(Fault::Command(old, Command::Standby(what)));
            story.wait_for(&[Some(1 - old); 2], 4 * SECOND);
            settles(&mut story);
            story.owners(&[Some(1 - old); 2]);
            // And gets it back by the other command.
            story.strike(Fault::Command(old, Command::Takeover(Hold::LOCAL)));
            story.wait_for(&[Some(0), Some(1)], 4 * SECOND);
            settles(&mut story);
        });
    }
}

#[test]
fn the_old_one_takes_on_request_and_gives_the_foreign_back() {
    each(NICE_MODES, |plan, old| {
        let mut story = serving(plan);
        story.strike(Fault::Command(old, Command::Takeover(Hold::ALL)));
        story.wait_for(&[Some(old); 2], 4 * SECOND);
        settles(&mut story);
        story.strike(Fault::Command(old, Command::Standby(Hold::FOREIGN)));
        story.wait_for(&[Some(0), Some(1)], 4 * SECOND);
        settles(&mut story);
    });
}

#[test]
fn all_links_are_cut_and_healed() {
    for long in [4 * SECOND, 20 * SECOND] {
        each(ALL_MODES, |plan, _| {
            let mut story = serving(plan);
            story.strike(Fault::Partition);
            story.until(READY + long);
            story.strike(Fault::HealLinks);
            settles(&mut story);
        });
    }
}

/// One node hears nothing of the other for a while, on any link.
fn is_deaf_until(plan: Plan, deaf: usize, until: Time) {
    let mut story = serving(plan);
    for link in 0..3 {
        story.strike(Fault::Wire {
            link,
            from: 1 - deaf,
            weather: Weather::CUT,
        });
    }
    story.until(until);
    story.strike(Fault::HealLinks);
    settles(&mut story);
}

#[test]
fn one_direction_is_cut_and_healed() {
    for deaf in 0..2 {
        each(ALL_MODES, |plan, _| {
            is_deaf_until(plan, deaf, READY + 10 * SECOND);
        });
    }
}

#[test]
fn one_link_of_three_is_enough() {
    for left in 0..3 {
        each(ALL_MODES, |plan, _| {
            let mut story = serving(plan);
            let before = story.moves();
            for link in (0..3).filter(|&link| link != left) {
                story.cut(link);
            }
            story.until(READY + 20 * SECOND);
            story.strike(Fault::HealLinks);
            story.until(READY + 30 * SECOND);
            assert_eq!(story.moves(), before);
        });
    }
}

#[test]
fn either_stands_still_for_twice_deadtime() {
    for victim in 0..2 {
        each(ALL_MODES, |plan, _| {
            let mut story = serving(plan);
            story.strike(Fault::Stall(victim, 6 * SECOND));
            story.until(READY + 6 * SECOND);
            settles(&mut story);
        });
    }
}

#[test]
fn a_heartbeat_that_is_late_for_the_old_one_costs_no_second_owner_for_long() {
    // It announces to be dead two seconds later in its first five; ours beats every half second. What it hears
    // after more than deadtime makes it take everything, and nobody tells ours but its own claims.
    each(NICE_MODES, |plan, old| {
        is_deaf_until(plan, old, READY + 2900 * MS);
    });
}

#[test]
fn a_third_of_everything_is_lost_while_groups_move() {
    each(NICE_MODES, |plan, old| {
        let mut story = serving(plan);
        let weather = Weather {
            loss: 300,
            ..Weather::default()
        };
        for link in 0..2 {
            for from in 0..2 {
                story.strike(Fault::Wire {
                    link,
                    from,
                    weather,
                });
            }
        }
        story.cut(2);
        for round in 1..6 {
            let command = if round % 2 == 1 {
                Command::Standby(Hold::LOCAL)
            } else {
                Command::Takeover(Hold::LOCAL)
            };
            story.strike(Fault::Command(old, command));
            story.until(READY + round * 24 * SECOND);
        }
        story.strike(Fault::HealLinks);
        settles(&mut story);
    });
}

#[test]
fn what_the_old_one_cannot_stop_reboots_it_and_ours_serves() {
    each(NICE_MODES, |plan, old| {
        let mut story = serving(plan);
        story.world.plan.stop_failures = 1000;
        story.strike(Fault::Command(old, Command::Standby(Hold::ALL)));
        story.until(READY + 14 * SECOND);
        assert!(!story.world.machines[old].powered);
        story.world.plan.stop_failures = 0;
        story.wait_for(&[Some(1 - old); 2], 5 * SECOND);
        settles(&mut story);
    });
}

#[test]
fn many_groups_change_sides() {
    for victim in 0..2 {
        each(&[AutoFailback::On], |mut plan, _| {
            plan.preferred = (0..64).map(|group| group % 2).collect();
            plan.action_time = (MS, 20 * MS);
            let mut story = serving(plan);
            story.strike(Fault::MachineCrash(victim));
            story.until(50 * SECOND);
            let machine = &story.world.machines[1 - victim];
            let mut all = machine.resources.iter();
            assert!(all.all(|resource| resource.real == Real::Running));
            story.strike(Fault::Start(victim));
            settles(&mut story);
            at_home(&mut story);
        });
    }
}
