//! S1 and S3 at their limits: who lives, who is a member, who stood still for too long.

use std::time::Duration;

use super::old_peer::{Old, old_heartbeat};
use super::words::said;
use super::*;
use classic::{Asking, Dialogue};

const STALLED: &str = "This node did not run for";

#[test]
fn the_peer_counts_as_dead_by_the_deadtime_that_it_states_within_reason() {
    let mut old = Old::settled(AutoFailback::On);
    let mut deadtime = |dt| {
        old.says(&[("t", "status"), ("st", "active"), ("dt", dt)]);
        old.node().peer.deadtime.as_millis()
    };
    assert_eq!(deadtime("7d0"), 2000);
    for nonsense in ["0", "", "-1", "many"] {
        assert_eq!(deadtime(nonsense), 2000, "{nonsense:?}");
    }
    assert_eq!(deadtime("1"), 200, "not before it could beat");
    assert_eq!(deadtime("ffffffffff"), 3_600_000, "not for ever");
}

#[test]
fn a_heartbeat_is_late_after_warntime() {
    for (millis, lines) in [(500, 0), (501, 1)] {
        let mut old = Old::settled(AutoFailback::On);
        old.beats("active");
        let before = old.pair.said(1, "Late heartbeat");
        old.pair.run(Duration::from_millis(millis));
        old.beats("active");
        assert_eq!(
            old.pair.said(1, "Late heartbeat") - before,
            lines,
            "{millis}"
        );
    }
}

#[test]
fn an_old_peer_that_may_have_stood_still_has_to_be_asked_anew() {
    // Three quarters of deadtime are 750 ms.
    for (millis, is_classic, is_open) in [(749, true, true), (750, true, false), (900, false, true)]
    {
        let mut old = Old::settled(AutoFailback::On);
        old.beats("active");
        let node = old.node_mut();
        node.peer.is_classic = is_classic;
        node.questions.groups.resize(2, Asking::default());
        old.pair.now = old.pair.now + Duration::from_millis(millis);
        let classic = old_heartbeat(old.generation, old.number + 1, "active");
        let ours = {
            let node = old.node();
            let (generation, epoch) = (node.settings.generation, node.epoch);
            format!("1 {generation:x}.{epoch:x} 0 - 0 0")
        };
        if is_classic {
            old.hears(&classic);
        } else {
            let fields = [
                ("t", "status"),
                ("st", "active"),
                ("dt", "3e8"),
                ("hr", &*ours),
            ];
            old.answers(&fields);
        }
        assert_eq!(old.node().questions.is_open(), is_open, "{millis}");
    }
}

#[test]
fn groups_go_only_to_a_peer_that_is_a_member_and_stays() {
    for (status, is_leaving, expected) in [
        (NodeStatus::Active, false, true),
        (NodeStatus::Active, true, false),
        (NodeStatus::Up, false, false),
        (NodeStatus::Up, true, false),
    ] {
        let mut old = Old::settled(AutoFailback::On);
        old.node_mut().peer.status = status;
        old.node_mut().peer.is_leaving = is_leaving;
        assert_eq!(
            old.node().standing().peer_takes,
            expected,
            "{status} {is_leaving}"
        );
    }
}

#[test]
fn who_was_not_agreed_with_is_waited_for_as_long_as_one_that_was_never_heard() {
    let begun = Instant::from_micros(1_000_000_000);
    let heard = begun + Duration::from_secs(2);
    for (status, is_heard, expected) in [
        (NodeStatus::Active, true, 3),
        (NodeStatus::Active, false, 10),
        (NodeStatus::Up, true, 10),
        (NodeStatus::Up, false, 10),
    ] {
        let mut old = Old::settled(AutoFailback::On);
        let node = old.node_mut();
        (node.status, node.started) = (status, begun);
        (node.peer.heard_in_this_run, node.peer.last_heard) = (is_heard, heard);
        let at = Some(begun + Duration::from_secs(expected));
        assert_eq!(node.peer_silent_at(), at, "{status} {is_heard}");
    }
}

#[test]
fn an_old_peer_is_a_member_with_us_once_it_has_named_both_and_what_we_hold_is_known() {
    let mut old = Old {
        pair: Pair::new(AutoFailback::On),
        generation: 7,
        number: 0,
    };
    old.pair.start(1);
    let asked = |words: Vec<String>| words.iter().filter(|word| *word == "reqnodes").count();
    let hears_it = old.hears(&old_heartbeat(7, 1, "up"));
    assert_eq!(asked(said(&hears_it)), 1);
    old.number = 1;
    // Once each second.
    assert_eq!(
        asked(said(&old.sends_within(Duration::from_millis(900)))),
        0
    );
    assert_eq!(asked(said(&old.sends_within(Duration::from_secs(3)))), 3);
    old.answers(&[("t", "repnodes"), ("nodelist", "a c ")]);
    assert_eq!(old.node().status, NodeStatus::Up, "it does not know us");
    old.node_mut().ownership.groups[0].mine = None;
    old.answers(&[("t", "repnodes"), ("nodelist", "a b ")]);
    assert_eq!(
        old.node().status,
        NodeStatus::Up,
        "a probe has not answered"
    );
    old.node_mut().peer.is_classic = false;
    old.node_mut().ownership.groups[0].mine = Some(Claim::Free);
    old.sends();
    assert_eq!(
        old.node().status,
        NodeStatus::Up,
        "one of our kind has to answer"
    );
    assert_eq!(old.node().ask_nodes_at, None, "and is not asked");
    old.node_mut().peer.is_classic = true;
    old.sends();
    assert_eq!(old.node().status, NodeStatus::Active);
    assert_eq!(asked(said(&old.sends_within(Duration::from_secs(3)))), 0);
}

/// What a node says of a pause, that comes back after it with nothing read.
fn stall(pair: &mut Pair, node: usize, pause: Duration) -> usize {
    let before = pair.said(node, STALLED);
    let stalled = pair.nodes[node].take();
    pair.now = pair.now + pause;
    pair.nodes[node] = stalled;
    pair.turn(node, None);
    pair.said(node, STALLED) - before
}

#[test]
fn where_nobody_could_have_taken_anything_a_pause_as_long_as_deadtime_gives_nothing_up() {
    for leaves in [false, true] {
        let mut pair = Pair::together(AutoFailback::Off);
        if leaves {
            let now = pair.now;
            let node = pair.nodes[1].as_mut().expect("it runs");
            node.handle(now, Event::StopRequested);
            pair.turn(1, None);
        }
        pair.kill(1);
        pair.run(Duration::from_secs(5));
        assert_eq!(pair.owners()[0], [true, true], "{:#?}", pair.log);
        let node = pair.nodes[0].as_mut().expect("it runs");
        node.peer.has_left = leaves;
        if leaves {
            node.peer.status = NodeStatus::Active;
            node.peer.last_heard = pair.now + Duration::from_secs(60);
        }
        assert_eq!(stall(&mut pair, 0, Duration::from_secs(3)), 0, "{leaves}");
        assert_eq!(pair.owners()[0], [true, true]);
        // A peer that was started in that time would have taken everything after initdead.
        assert_eq!(stall(&mut pair, 0, Duration::from_secs(11)), 1, "{leaves}");
    }
}

#[test]
fn a_pause_of_exactly_the_peer_s_patience_is_too_long() {
    for (less, lines) in [(1, 0), (0, 1)] {
        let mut pair = Pair::together(AutoFailback::Off);
        let node = pair.nodes[0].as_ref().expect("it runs");
        let patience = node.patience_of_the_peer();
        let end = node.last_heartbeat + patience - Duration::from_micros(less);
        let pause = end.since(pair.now);
        let generation = node.settings.generation;
        let found = stall(&mut pair, 0, pause);
        assert_eq!(found, lines);
        let node = pair.nodes[0].as_ref().expect("it runs");
        assert_eq!(
            node.settings.generation, generation,
            "to our own kind it is one run"
        );
    }
}

#[test]
fn to_an_old_peer_a_node_that_stood_still_is_a_new_run() {
    let mut old = Old::settled(AutoFailback::On);
    let generation = old.node().settings.generation;
    assert_eq!(stall(&mut old.pair, 1, Duration::from_secs(3)), 1);
    assert_eq!(old.node().settings.generation, generation + 1);
    assert_eq!(
        old.running(),
        [false, false],
        "everything is given up first"
    );
}

#[test]
fn heartbeats_keep_their_rhythm_when_a_turn_is_late() {
    let mut old = Old::settled(AutoFailback::On);
    let due = old.node().next_heartbeat;
    old.pair.now = due + Duration::from_millis(50);
    old.sends();
    assert_eq!(old.node().next_heartbeat, due + Duration::from_millis(200));
    old.pair.now = old.pair.now + Duration::from_millis(900);
    old.sends();
    let next = old.pair.now + Duration::from_millis(200);
    assert_eq!(old.node().next_heartbeat, next, "none is made up for");
}

#[test]
fn a_broken_off_dialogue_is_told_and_nothing_else_is_called_one() {
    for is_in_dialogue in [false, true] {
        let mut old = Old::settled(AutoFailback::On);
        if is_in_dialogue {
            old.node_mut().classic.dialogue = Dialogue::Taking {
                ours: Selection::Foreign,
            };
        }
        old.node_mut().next_epoch();
        old.sends();
        let lines = old.pair.said(1, "Cancelling pending standby operation");
        assert_eq!(lines, usize::from(is_in_dialogue));
    }
}

#[test]
fn a_peer_of_our_kind_has_left_when_it_says_so_and_states_that_it_holds_nothing() {
    for (states, leaving, expected) in [
        ("n2", 2, true),
        ("rn", 2, false),
        ("n2", 1, false),
        ("n2", 0, false),
    ] {
        let mut old = Old::settled(AutoFailback::On);
        let node = old.node();
        let digest = node.ownership.digest();
        let (generation, epoch) = (node.settings.generation, node.epoch);
        let claims = format!("1 {generation:x}.{epoch:x} {digest:x} {states} 0 {leaving}");
        old.says(&[
            ("t", "status"),
            ("st", "active"),
            ("dt", "3e8"),
            ("hr", &claims),
        ]);
        assert_eq!(old.node().peer.has_left, expected, "{states} {leaving}");
        assert_eq!(old.node().peer.is_leaving, leaving > 0);
    }
}

#[test]
fn that_the_files_name_other_preferred_nodes_is_told_once() {
    let differ = "names another preferred node";
    let mut old = Old::settled(AutoFailback::On);
    for (states, lines) in [("nN", 1), ("nN", 1), ("Nn", 1), ("nN", 2)] {
        let node = old.node();
        let digest = node.ownership.digest();
        let (generation, epoch) = (node.settings.generation, node.epoch);
        let claims = format!("1 {generation:x}.{epoch:x} {digest:x} {states} 0 0");
        old.says(&[
            ("t", "status"),
            ("st", "active"),
            ("dt", "3e8"),
            ("hr", &claims),
        ]);
        assert_eq!(
            old.pair.said(1, differ),
            lines,
            "{states}: {:#?}",
            old.pair.log
        );
    }
}
