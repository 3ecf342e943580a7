//! All links are gone: what the silence of the other node is taken for, and what a node does that is cut off.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// Each runs its group; every link works.
fn pair(answer: LastLink) -> Pair {
    let mut pair = Pair::new(AutoFailback::Off);
    pair.last_link = [answer; 2];
    if matches!(answer, LastLink::Witness(_)) {
        pair.ping = PingSettings {
            nodes: vec![PingNodeSettings {
                name: "router".into(),
                counts: true,
            }],
            deadping: Duration::from_secs(1),
            ipfail: false,
        };
        pair.answers = [vec![true], vec![true]];
    }
    pair.start(0);
    pair.start(1);
    pair.run(SECOND * 3);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.log.clear();
    pair
}

fn all(pair: &mut Pair, works: bool) {
    pair.wires = [[works; 2]; LINKS];
}

/// One after the other, so that the alarm is raised before the last one goes.
fn cut_one_by_one(pair: &mut Pair) {
    for link in 1..LINKS {
        pair.wires[link] = [false; 2];
    }
    pair.run(SECOND * 3);
    assert!(pair.said(0, "Only one link") > 0, "{:#?}", pair.log);
    all(pair, false);
}

fn confirm(pair: &mut Pair, node: usize) -> Option<ConfirmationRefusal> {
    let cluster = pair.nodes[node].as_mut().expect("it runs");
    let refusal = cluster.refuses_confirmation();
    cluster.handle(pair.now, Event::PeerConfirmedDead);
    pair.turn(node, None);
    refusal
}

fn doubt(pair: &Pair, node: usize) -> DoubtStage {
    let doubt = pair.nodes[node].as_ref().and_then(Cluster::doubt);
    doubt.map(|(stage, _)| stage).unwrap_or_default()
}

#[test]
fn the_last_link_is_waited_for_as_long_as_the_file_says() {
    let mut pair = pair(LastLink::Wait(SECOND * 5));
    cut_one_by_one(&mut pair);
    pair.run(SECOND * 2);
    assert_eq!(pair.said(0, "Unless it is heard"), 1, "{:#?}", pair.log);
    pair.run(SECOND * 3);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.run(SECOND * 2);
    assert_eq!(pair.owners(), [[true, true], [true, true]]);
    assert_eq!(pair.said(0, "was silent for 5 s more"), 1);
}

#[test]
fn whoever_loses_several_links_at_once_has_lost_the_node() {
    for answer in [LastLink::Wait(SECOND * 5), LastLink::Manual] {
        let mut pair = pair(answer);
        pair.kill(1);
        pair.run(SECOND * 2);
        assert_eq!(pair.owners()[0], [true, true], "{answer:?}");
    }
}

#[test]
fn a_link_that_comes_back_in_time_moves_nothing() {
    let mut pair = pair(LastLink::Wait(SECOND * 5));
    cut_one_by_one(&mut pair);
    pair.run(SECOND * 4);
    all(&mut pair, true);
    pair.run(SECOND * 10);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    assert_eq!(
        pair.said(0, "nothing of it was taken"),
        1,
        "{:#?}",
        pair.log
    );
    let memory = pair.memory[0].expect("it remembers");
    assert!(!memory.in_doubt, "that is over");
}

#[test]
fn with_manual_only_a_person_decides() {
    let mut pair = pair(LastLink::Manual);
    assert_eq!(
        confirm(&mut pair, 0),
        Some(ConfirmationRefusal::Heard),
        "it is heard"
    );
    cut_one_by_one(&mut pair);
    pair.run(SECOND * 600);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    assert_eq!(doubt(&pair, 0), DoubtStage::Manual);
    pair.kill(1);
    assert_eq!(confirm(&mut pair, 0), None);
    assert_eq!(pair.owners()[0], [true, true], "{:#?}", pair.log);
    assert_eq!(pair.said(0, "it counts as dead."), 1);
}

#[test]
fn a_doubt_outlives_a_restart() {
    let mut pair = pair(LastLink::Manual);
    cut_one_by_one(&mut pair);
    pair.run(SECOND * 3);
    pair.kill(0);
    pair.start(0);
    pair.run(SECOND * 60);
    assert_eq!(pair.owners(), [[false, false], [false, true]]);
    assert_eq!(doubt(&pair, 0), DoubtStage::Manual);
    all(&mut pair, true);
    pair.run(SECOND * 20);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.kill(1);
    pair.run(SECOND * 3);
    assert_eq!(pair.owners()[0], [true, true], "several links at once");
}

#[test]
fn the_side_that_sees_no_witness_yields_before_the_other_takes_over() {
    let mut pair = pair(LastLink::Witness(SECOND * 4));
    all(&mut pair, false);
    pair.answers[0] = vec![false];
    let mut seen = Vec::new();
    for _ in 0..240 {
        pair.run(SECOND / 20);
        let owners = pair.owners();
        for (here, there) in owners[0].iter().zip(&owners[1]) {
            assert!(!(*here && *there), "{:#?}", pair.log);
        }
        if seen.last() != Some(&owners) {
            seen.push(owners);
        }
    }
    let history: Vec<[Vec<bool>; 2]> = vec![
        [vec![true, false], vec![false, true]],
        [vec![false, false], vec![false, true]],
        [vec![false, false], vec![true, true]],
    ];
    assert_eq!(seen, history);
    assert_eq!(
        pair.said(0, "It gives up 1 resource group"),
        1,
        "{:#?}",
        pair.log
    );
    assert_eq!(pair.said(1, "it counts as dead while"), 1);
    // While the links are still cut: somebody answers for what was given up.
    pair.answers[0] = vec![true];
    pair.served[0] = true;
    pair.run(SECOND * 60);
    assert_eq!(pair.owners(), [[false, false], [true, true]]);
    assert_eq!(pair.said(0, "silent, not dead"), 1, "{:#?}", pair.log);
    all(&mut pair, true);
    pair.run(SECOND * 10);
    assert_eq!(pair.owners(), [[false, false], [true, true]]);
}

#[test]
fn where_both_see_the_witness_addresses_that_are_answered_for_are_left_alone() {
    let mut pair = pair(LastLink::Witness(SECOND * 4));
    all(&mut pair, false);
    pair.served = [true; 2];
    pair.run(SECOND * 60);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    assert_eq!(pair.said(0, "silent, not dead"), 1, "{:#?}", pair.log);
    pair.kill(1);
    pair.served[0] = false;
    pair.run(SECOND * 8);
    assert_eq!(pair.owners()[0], [true, true], "its power is gone at last");
}

#[test]
fn a_dead_node_is_replaced_once_it_would_have_given_up() {
    let mut pair = pair(LastLink::Witness(SECOND * 4));
    pair.kill(1);
    pair.run(SECOND * 5);
    assert_eq!(pair.owners()[0], [true, false]);
    pair.run(SECOND * 3);
    assert_eq!(pair.owners()[0], [true, true], "{:#?}", pair.log);
}

#[test]
fn what_does_not_stop_in_time_is_reset_where_that_is_possible() {
    for (watchdog, resets) in [(Some(SECOND * 2), 1), (None, 0)] {
        let mut pair = pair(LastLink::Witness(SECOND * 4));
        pair.watchdog = watchdog;
        pair.kill(0);
        pair.start(0);
        pair.run(SECOND * 3);
        assert_eq!(pair.owners()[0], [true, false], "{:#?}", pair.log);
        pair.fails_to_stop[0] = true;
        all(&mut pair, false);
        pair.answers[0] = vec![false];
        // Silence of deadtime, and then four seconds less two heartbeats and what reserves there are.
        let limit = Duration::from_millis(1000 + 4000 - 400 - 500);
        pair.run(limit + SECOND / 5);
        assert_eq!(pair.resets[0], resets, "{:#?}", pair.log);
        assert_eq!(pair.owners()[1], [false, true], "not before");
        let told = if resets > 0 {
            "it is reset before"
        } else {
            "may run it too"
        };
        assert_eq!(pair.said(0, told), 1);
    }
}

#[test]
fn what_was_given_up_and_can_not_be_seen_is_not_taken_back() {
    let mut pair = pair(LastLink::Witness(SECOND * 4));
    pair.has_addresses = false;
    all(&mut pair, false);
    pair.answers[0] = vec![false];
    pair.run(SECOND * 10);
    assert_eq!(pair.owners(), [[false, false], [true, true]]);
    pair.answers[0] = vec![true];
    pair.run(SECOND * 100);
    assert_eq!(pair.owners(), [[false, false], [true, true]]);
    assert_eq!(doubt(&pair, 0), DoubtStage::Manual);
    assert_eq!(pair.said(0, "no address would show that"), 1);
}

#[test]
fn of_two_that_have_both_given_up_the_first_one_comes_first() {
    let mut pair = pair(LastLink::Witness(SECOND * 4));
    all(&mut pair, false);
    pair.answers = [vec![false], vec![false]];
    pair.run(SECOND * 10);
    assert_eq!(pair.owners(), [[false, false], [false, false]]);
    pair.answers = [vec![true], vec![true]];
    pair.run(SECOND * 8);
    assert_eq!(
        pair.owners(),
        [[true, true], [false, false]],
        "{:#?}",
        pair.log
    );
    pair.served[1] = true;
    pair.run(SECOND * 60);
    assert_eq!(pair.owners(), [[true, true], [false, false]]);
}

#[test]
fn a_node_alone_serves_while_it_sees_a_witness_or_somebody_says_that_the_other_is_down() {
    let mut pair = pair(LastLink::Witness(SECOND * 4));
    pair.kill(1);
    pair.run(SECOND * 8);
    assert_eq!(pair.owners()[0], [true, true]);
    pair.answers[0] = vec![false];
    pair.run(SECOND * 60);
    // Perhaps the other one lives, and has taken it.
    assert_eq!(pair.owners()[0], [false, false], "{:#?}", pair.log);
    pair.answers[0] = vec![true];
    pair.run(SECOND * 8);
    assert_eq!(pair.owners()[0], [true, true], "{:#?}", pair.log);
    assert_eq!(confirm(&mut pair, 0), None);
    assert_eq!(
        confirm(&mut pair, 0),
        Some(ConfirmationRefusal::NothingWaits)
    );
    pair.answers[0] = vec![false];
    pair.run(SECOND * 60);
    assert_eq!(pair.owners()[0], [true, true]);
}

#[test]
fn each_knows_what_the_other_goes_by() {
    let mut pair = Pair::new(AutoFailback::Off);
    pair.last_link = [LastLink::Manual, LastLink::Takeover];
    pair.start(0);
    pair.start(1);
    pair.run(SECOND * 3);
    for node in 0..2 {
        assert_eq!(
            pair.said(node, "Make the lines equal"),
            1,
            "{:#?}",
            pair.log
        );
    }
    let mut same = self::pair(LastLink::Witness(SECOND * 4));
    same.run(SECOND * 3);
    assert_eq!(same.said(0, "Make the lines equal"), 0, "{:#?}", same.log);
    let policy = same.nodes[0].as_ref().and_then(Cluster::peer_policy);
    let expected = PeerPolicy {
        answer: LastLink::Witness(SECOND * 4),
        watchdog: None,
    };
    assert_eq!(policy, Some(expected));
}

#[test]
fn who_has_no_carrier_waits_for_one_and_not_for_ever() {
    let carrier = |pair: &mut Pair, has| {
        let now = pair.now;
        let node = pair.nodes[0].as_mut().expect("it runs");
        for link in (0..LINKS).map(|link| LinkId(u8::try_from(link).unwrap())) {
            let has = Some(has);
            node.handle(now, Event::LinkCarrier { link, has });
        }
        pair.turn(0, None);
    };
    let mut pair = Pair::new(AutoFailback::Off);
    pair.start(0);
    carrier(&mut pair, false);
    pair.run(SECOND * 6);
    carrier(&mut pair, true); // a switch that needs its time
    pair.run(SECOND * 9);
    assert_eq!(
        pair.owners()[0],
        [false, false],
        "initdead from the carrier on"
    );
    pair.run(SECOND * 2);
    assert_eq!(pair.owners()[0], [true, true]);
    assert_eq!(pair.said(0, "No link of this node has had a carrier"), 0);

    let mut pair = Pair::new(AutoFailback::Off);
    pair.start(0);
    carrier(&mut pair, false);
    pair.run(SECOND * 19);
    assert_eq!(pair.owners()[0], [false, false]);
    pair.run(SECOND * 2);
    assert_eq!(pair.owners()[0], [true, true], "{:#?}", pair.log);
    assert_eq!(pair.said(0, "No link of this node has had a carrier"), 1);

    let mut pair = Pair::new(AutoFailback::Off);
    pair.last_link = [LastLink::Manual; 2];
    pair.start(0);
    carrier(&mut pair, false);
    pair.run(SECOND * 600);
    assert_eq!(pair.owners()[0], [false, false], "it could hear nobody");
    assert_eq!(confirm(&mut pair, 0), None);
    assert_eq!(pair.owners()[0], [true, true]);
}

/// To the other node it is silent, which it can't know from its own silence.
#[test]
fn who_is_not_heard_and_sees_no_witness_gives_up_as_well() {
    let mut pair = pair(LastLink::Witness(SECOND * 4));
    for wire in &mut pair.wires {
        wire[0] = false;
    }
    pair.run(SECOND * 3);
    assert_eq!(pair.owners()[0], [true, false], "a ping node answers");
    pair.answers[0] = vec![false];
    pair.run(SECOND * 3);
    assert_eq!(pair.owners()[0], [false, false], "{:#?}", pair.log);
    all(&mut pair, true);
    pair.run(SECOND * 10);
    let served = pair.owners();
    assert!(
        served[0].iter().zip(&served[1]).all(|(a, b)| a != b),
        "{served:?}"
    );
}
