//! Named runs of the model of 3.0.6 against itself: the sequences, times and mishaps that were observed on pairs
//! of the real one. What the model does wrong here, 3.0.6 does wrong.

use heartbeat::cluster::{GroupState, NodeStatus};
use heartbeat::config::AutoFailback;

use super::carry_out::group_id;
use super::faults::{Fault, Weather};
use super::machine::Real;
use super::old_peer::{Command, Hold};
use super::plan::{MS, Plan, SECOND, Time};
use super::story::Story;

/// A pair of 3.0.6 with the times of the recordings, on links that keep the order.
fn pair(seed: u64) -> Plan {
    let mut plan = Plan {
        keepalive: SECOND,
        deadtime: 6 * SECOND,
        faults_end: 600 * SECOND,
        old: [true, true],
        ..Plan::quiet(seed)
    };
    plan.links.iter_mut().for_each(|link| link.jitter = 0);
    plan
}

/// Both groups at home, and nothing more to be said.
fn serving(plan: Plan) -> Story {
    let mut story = Story::new(plan);
    story.until(20 * SECOND);
    story.owners(&[Some(0), Some(1)]);
    story
}

/// What a node has sent since then, heartbeats and delivery left out.
fn words(story: &Story, node: usize, since: Time) -> Vec<String> {
    let mark = format!(" {node} sends ");
    let lines = story.world.trace.lines().iter();
    lines
        .filter_map(|line| {
            let (time, gist) = line.split_once(&mark)?;
            let time: f64 = time.trim().parse().ok()?;
            let is_late = time >= std::time::Duration::from_micros(since).as_secs_f64();
            let gist = gist.split_once(" t=")?.1;
            let is_routine = gist.starts_with("status") || gist.starts_with("NS_");
            (is_late && !is_routine).then(|| {
                let wanted = gist
                    .split(' ')
                    .filter(|field| !["seq=", "hg="].iter().any(|name| field.starts_with(name)));
                wanted.collect::<Vec<_>>().join(" ")
            })
        })
        .collect()
}

/// Whether the story has a line that ends so.
fn told(story: &Story, node: usize, text: &str) -> bool {
    let mark = format!(" {node} says: ");
    let mut lines = story.world.trace.lines().iter();
    lines.any(|line| line.contains(&mark) && line.contains(text))
}

fn claims(story: &Story, node: usize, group: usize) -> bool {
    let daemon = story.world.machines[node].daemon.as_ref();
    daemon.is_some_and(|daemon| daemon.core.group(group_id(group)).local == GroupState::Running)
}

#[test]
fn both_started_together_serve_when_the_window_ends() {
    for seed in 0..40 {
        let mut story = Story::new(Plan {
            starts: [0, seed * 25 * MS],
            ..pair(seed)
        });
        story.until(10 * SECOND);
        story.owners(&[None, None]);
        story.wait_for(&[Some(0), Some(1)], 5 * SECOND);
    }
}

#[test]
fn both_say_what_was_recorded_when_they_start() {
    let mut story = Story::new(pair(1));
    story.until(20 * SECOND);
    let mut heads = Vec::new();
    for node in 0..2 {
        let said = words(&story, node, 0);
        let (own, other) = [("alpha", "beta"), ("beta", "alpha")][node];
        assert!(said.contains(&format!("reqnodes dest={other}")), "{said:?}");
        assert!(said.contains(&format!("repnodes dest={other}")), "{said:?}");
        assert!(said.contains(&"starting".to_owned()), "{said:?}");
        let note = format!("ip-request-resp dest={own} ipaddr=10.0.0.{node}");
        let end = "resource rsc_hold=local isstable=1 info=req_our_resources()";
        assert!(
            said.contains(&note) && said.contains(&end.to_owned()),
            "{said:?}"
        );
        heads.push(words(&story, node, 5 * SECOND));
    }
    heads.sort_by_key(|said| said[0].contains("none"));
    // Whose window ends first takes its own; the other follows on its word.
    assert_eq!(heads[0][0], "resource rsc_hold=local isstable=1");
    assert_eq!(heads[1][0], "resource rsc_hold=none isstable=0");
    assert_eq!(heads[1][1], "resource rsc_hold=local isstable=1");
}

#[test]
fn one_alone_takes_everything_after_initdead_and_is_stable_ten_seconds_later() {
    let mut story = Story::new(Plan {
        starts: [0, 500 * SECOND],
        ..pair(1)
    });
    story.until(10 * SECOND);
    story.owners(&[None, None]);
    story.wait_for(&[Some(0), Some(0)], 2 * SECOND);
    story.until(30 * SECOND);
    assert_eq!(
        words(&story, 0, 0),
        [
            "stonith",
            "starting",
            "ip-request-resp dest=alpha ipaddr=10.0.0.0",
            "resource rsc_hold=all isstable=1 info=req_our_resources()",
            "resource rsc_hold=foreign info=mach_down",
            "resource rsc_hold=all isstable=1",
        ]
    );
}

#[test]
fn a_dead_node_is_replaced_after_its_dead_time() {
    for seed in 0..20 {
        let mut story = serving(pair(seed));
        story.strike(Fault::MachineCrash(1));
        let took = story.wait_for(&[Some(0), Some(0)], 8 * SECOND);
        assert!((5 * SECOND..7500 * MS).contains(&took), "{took}");
        story.until(30 * SECOND);
        // Two scripts at once: either may end first.
        let mut said = words(&story, 0, 20 * SECOND);
        said[1..].sort();
        assert_eq!(
            said,
            [
                "stonith",
                "resource rsc_hold=all isstable=1 info=req_our_resources()",
                "resource rsc_hold=foreign info=mach_down",
            ]
        );
    }
}

#[test]
fn a_node_that_returns_gets_its_groups_by_the_dialogue() {
    for seed in 0..20 {
        let mut story = serving(pair(seed));
        story.strike(Fault::MachineCrash(1));
        story.until(40 * SECOND);
        story.strike(Fault::Start(1));
        let took = story.wait_for(&[Some(0), Some(1)], 6 * SECOND);
        assert!(took > SECOND, "{took}");
        story.until(50 * SECOND);
        assert_eq!(
            words(&story, 0, 40 * SECOND),
            [
                "repnodes dest=beta",
                "resource rsc_hold=all isstable=1",
                "resource rsc_hold=all isstable=1",
                "ask_resources rsc_hold=foreign info=me",
                "resource rsc_hold=local isstable=0 info=standby",
                "ask_resources rsc_hold=foreign info=done",
                "resource rsc_hold=local isstable=1",
                "resource rsc_hold=local isstable=1",
            ],
            "seed {seed}"
        );
        assert_eq!(
            words(&story, 1, 40 * SECOND),
            [
                "reqnodes dest=alpha",
                "starting",
                "resource rsc_hold=none isstable=0",
                "resource rsc_hold=none isstable=1",
                "ask_resources rsc_hold=foreign info=other",
                "resource rsc_hold=local isstable=1",
                "ask_resources rsc_hold=foreign info=done",
                "resource rsc_hold=local isstable=1",
            ],
            "seed {seed}"
        );
    }
}

#[test]
fn without_failback_a_node_that_returns_gets_nothing() {
    let mut story = serving(Plan {
        failback: AutoFailback::Off,
        ..pair(1)
    });
    story.strike(Fault::MachineCrash(1));
    story.until(40 * SECOND);
    story.strike(Fault::Start(1));
    story.until(80 * SECOND);
    story.owners(&[Some(0), Some(0)]);
}

#[test]
fn standby_gives_everything_in_four_words() {
    for seed in 0..20 {
        let mut story = serving(pair(seed));
        story.strike(Fault::Command(0, Command::Standby(Hold::ALL)));
        let took = story.wait_for(&[Some(1), Some(1)], 3 * SECOND);
        assert!(took > 20 * MS, "{took}");
        story.until(40 * SECOND);
        story.owners(&[Some(1), Some(1)]);
        assert_eq!(
            words(&story, 0, 20 * SECOND),
            [
                "ask_resources rsc_hold=all info=me",
                "resource rsc_hold=none isstable=0 info=standby",
                "ask_resources rsc_hold=all info=done",
                "resource rsc_hold=none isstable=1",
                "resource rsc_hold=none isstable=1",
            ]
        );
        // What the last `done` makes it say leaves before that `done`.
        assert_eq!(
            words(&story, 1, 20 * SECOND),
            [
                "ask_resources rsc_hold=all info=other",
                "resource rsc_hold=all isstable=1",
                "ask_resources rsc_hold=all info=done",
                "resource rsc_hold=all isstable=1",
            ]
        );
    }
}

#[test]
fn a_takeover_request_makes_the_peer_begin_the_dialogue() {
    let mut story = serving(pair(1));
    story.strike(Fault::Command(0, Command::Standby(Hold::ALL)));
    story.until(30 * SECOND);
    story.strike(Fault::Command(0, Command::Takeover(Hold::LOCAL)));
    story.wait_for(&[Some(0), Some(1)], 4 * SECOND);
    assert_eq!(
        words(&story, 0, 30 * SECOND)[0],
        "hb_takeover rsc_hold=local"
    );
    assert_eq!(
        words(&story, 1, 30 * SECOND)[0],
        "ask_resources rsc_hold=foreign info=me"
    );
}

#[test]
fn a_standby_without_a_peer_is_given_up() {
    let mut story = serving(pair(1));
    story.strike(Fault::MachineCrash(1));
    story.until(30 * SECOND);
    story.strike(Fault::Command(0, Command::Standby(Hold::ALL)));
    story.until(50 * SECOND);
    assert!(told(&story, 0, "No reply to standby request"));
    story.owners(&[Some(0), Some(0)]);
}

#[test]
fn a_clean_stop_moves_the_groups_at_the_last_word() {
    for seed in 0..20 {
        let mut story = serving(pair(seed));
        story.strike(Fault::StopRequest(1));
        let took = story.wait_for(&[Some(0), Some(0)], 2 * SECOND);
        assert!(took < 1500 * MS, "{took}");
        story.until(24 * SECOND);
        assert!(story.world.machines[1].daemon.is_none());
        assert_eq!(story.peer_status(0), NodeStatus::Active);
        story.until(35 * SECOND);
        assert_eq!(story.peer_status(0), NodeStatus::Dead);
        assert_eq!(
            words(&story, 1, 20 * SECOND),
            [
                "resource rsc_hold=none isstable=0 info=shutdown",
                "shutdone st=dead"
            ]
        );
        let mut said = words(&story, 0, 20 * SECOND);
        assert_eq!(said.pop().as_deref(), Some("stonith"));
        said.sort();
        assert_eq!(
            said,
            [
                "ask_resources rsc_hold=foreign info=done",
                "resource rsc_hold=all isstable=1",
                "resource rsc_hold=all isstable=1 info=req_our_resources()",
                "resource rsc_hold=foreign info=mach_down",
            ]
        );
    }
}

#[test]
fn an_unstable_peer_delays_a_stop() {
    let mut story = Story::new(pair(1));
    story.until(5 * SECOND);
    story.strike(Fault::StopRequest(0));
    story.until(9 * SECOND);
    assert!(told(&story, 0, "Shutdown delayed"));
    assert!(story.world.machines[0].daemon.is_some());
    story.until(20 * SECOND);
    assert!(story.world.machines[0].daemon.is_none());
    story.owners(&[Some(1), Some(1)]);
}

#[test]
fn after_a_partition_both_give_everything_up_and_begin_again() {
    for seed in 0..20 {
        let mut story = serving(pair(seed));
        story.strike(Fault::Partition);
        story.until(40 * SECOND);
        let both = story.world.machines[..2].iter();
        assert!(
            both.flat_map(|machine| &machine.resources)
                .all(|resource| resource.real == Real::Running)
        );
        story.strike(Fault::HealLinks);
        let released = story.wait_for(&[None, None], 6 * SECOND);
        assert!(released > 2 * SECOND, "{released}");
        let took = story.wait_for(&[Some(0), Some(1)], 25 * SECOND);
        assert!((17 * SECOND..24 * SECOND).contains(&took), "{took}");
        let machines = &story.world.machines;
        assert!(machines[..2].iter().all(|machine| machine.generation == 3));
    }
}

#[test]
fn a_paused_node_wins_over_the_one_that_took_over() {
    for seed in 0..20 {
        let mut story = serving(pair(seed));
        story.strike(Fault::Stall(0, 9 * SECOND));
        story.until(28900 * MS);
        assert_eq!(story.world.machines[1].real(0), Real::Running);
        assert_eq!(story.world.machines[0].real(0), Real::Running);
        story.until(36 * SECOND);
        assert!(told(&story, 0, "Late heartbeat"));
        assert!(told(&story, 1, "returning after partition"));
        assert!(!told(&story, 0, "returning after partition"));
        story.owners(&[Some(0), Some(0)]);
        story.until(60 * SECOND);
        story.owners(&[Some(0), Some(1)]);
    }
}

#[test]
fn a_machine_back_within_deadtime_orphans_what_it_held_for_the_other() {
    let mut story = serving(Plan {
        failback: AutoFailback::Off,
        ..pair(1)
    });
    story.strike(Fault::Command(0, Command::Standby(Hold::ALL)));
    story.until(30 * SECOND);
    story.owners(&[Some(1), Some(1)]);
    story.strike(Fault::MachineCrash(1));
    story.until(32 * SECOND);
    story.strike(Fault::Start(1));
    story.until(100 * SECOND);
    story.owners(&[None, Some(1)]);
}

#[test]
fn a_group_that_does_not_start_is_claimed_and_tried_no_more() {
    let mut story = Story::new(Plan {
        start_failures: 1000,
        preferred: vec![0],
        ..pair(2)
    });
    story.until(13 * SECOND);
    story.world.plan.start_failures = 0;
    story.until(25 * SECOND);
    if story.world.machines[0].real(0) == Real::Stopped {
        assert!(claims(&story, 0, 0));
    }
    story.until(60 * SECOND);
    assert!(
        words(&story, 0, 25 * SECOND).contains(&"ask_resources rsc_hold=foreign info=me".into())
    );
    story.owners(&[None]);
}

#[test]
fn a_group_that_does_not_stop_costs_the_machine_a_reboot() {
    let mut story = serving(Plan {
        stop_failures: 1000,
        ..pair(1)
    });
    story.strike(Fault::Command(0, Command::Standby(Hold::ALL)));
    story.until(29 * SECOND);
    assert!(story.world.machines[0].powered);
    assert_ne!(story.world.machines[1].real(0), Real::Running);
    story.until(34 * SECOND);
    assert!(!story.world.machines[0].powered);
    story.world.plan.stop_failures = 0;
    story.wait_for(&[Some(1), Some(1)], 9 * SECOND);
    story.wait_for(&[Some(0), Some(1)], 12 * SECOND);
}

#[test]
fn in_legacy_mode_each_takes_its_own_at_once_and_asks_for_it_on_return() {
    for seed in 0..20 {
        let mut story = Story::new(Plan {
            failback: AutoFailback::Legacy,
            ..pair(seed)
        });
        story.wait_for(&[Some(0), Some(1)], 4 * SECOND);
        story.until(20 * SECOND);
        story.strike(Fault::MachineCrash(1));
        let took = story.wait_for(&[Some(0), Some(0)], 8 * SECOND);
        assert!(took > 5 * SECOND, "{took}");
        story.until(40 * SECOND);
        story.strike(Fault::Start(1));
        let took = story.wait_for(&[Some(0), Some(1)], 6 * SECOND);
        assert!(took > 500 * MS, "{took}");
        assert_eq!(
            words(&story, 1, 40 * SECOND),
            ["reqnodes dest=alpha", "ip-request ipaddr=10.0.0.1"]
        );
        assert_eq!(
            words(&story, 0, 40 * SECOND),
            [
                "repnodes dest=beta",
                "ip-request-resp dest=beta ipaddr=10.0.0.1"
            ]
        );
        story.until(60 * SECOND);
        story.strike(Fault::StopRequest(0));
        story.wait_for(&[Some(1), Some(1)], 4 * SECOND);
    }
}

#[test]
fn what_is_lost_is_asked_for_and_nothing_moves() {
    for seed in 0..10 {
        let mut story = serving(pair(seed));
        let before = story.moves();
        let weather = Weather {
            loss: 300,
            ..Weather::default()
        };
        for (link, from) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
            story.strike(Fault::Wire {
                link,
                from,
                weather,
            });
        }
        for from in 0..2 {
            story.strike(Fault::Wire {
                link: 2,
                from,
                weather: Weather::CUT,
            });
        }
        story.until(80 * SECOND);
        story.strike(Fault::HealLinks);
        story.until(90 * SECOND);
        let lines = story.world.trace.lines();
        let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
        assert!(count("t=NS_rexmit") > 0, "seed {seed}");
        assert!(count("t=NS_ackmsg") > 10, "seed {seed}");
        if story.moves() != before {
            assert!(told(&story, 0, "node is dead") || told(&story, 1, "node is dead"));
        }
    }
}
