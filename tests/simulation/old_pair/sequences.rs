//! What two of 3.0.6 say and do when all goes as it should, as it was recorded.

use heartbeat::cluster::NodeStatus;
use heartbeat::config::AutoFailback;

use super::super::faults::Fault;
use super::super::machine::Real;
use super::super::old_peer::{Command, Hold};
use super::super::plan::{MS, Plan, SECOND};
use super::super::story::Story;
use super::super::strike::GENERATIONS_OF_A_RUN;
use super::{pair, serving, words};

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
        let runs = story.world.machines[..2].iter();
        let next: Vec<u64> = runs.map(|machine| machine.generation).collect();
        assert_eq!(next, [1 + 2 * GENERATIONS_OF_A_RUN; 2], "each had two runs");
    }
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
