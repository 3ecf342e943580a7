//! What follows from carriers of the interfaces, between two of ours.

use std::time::Duration;

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const LOSS: Duration = Duration::from_secs(5);
/// Not quite so long.
const SHORT: Duration = Duration::from_millis(4900);
/// Until a loss has lasted, the peer has said so, and everything has moved.
const MOVED: Duration = Duration::from_millis(5600);

const AT_HOME: [[bool; 2]; 2] = [[true, false], [false, true]];
const ALL_ON_B: [[bool; 2]; 2] = [[false, false], [true, true]];
const ALL_ON_A: [[bool; 2]; 2] = [[true, true], [false, false]];

/// Each group at home, and a carrier for both groups on both nodes.
fn settled(failback: AutoFailback) -> Pair {
    let mut pair = Pair::new(failback);
    pair.carrier_loss = Some(LOSS);
    settle(pair)
}

fn settle(mut pair: Pair) -> Pair {
    for node in 0..2 {
        pair.start(node);
        pair.carrier(node, Some(true));
    }
    pair.run(SECOND);
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
    pair
}

impl Pair {
    /// The network of all groups is plugged in or out.
    fn carrier(&mut self, node: usize, here: Option<bool>) {
        for group in 0..2 {
            let group = GroupId(group);
            if let Some(core) = &mut self.nodes[node] {
                core.handle(self.now, Event::Carrier { group, here });
            }
        }
        self.turn(node, None);
    }

    fn wish(&mut self, node: usize, request: MoveRequest) {
        let core = self.nodes[node].as_mut().expect("it runs");
        assert_eq!(core.refuses(request), None);
        core.handle(self.now, Event::MoveRequested(request));
        self.turn(node, None);
    }
}

#[test]
fn what_has_lost_its_carrier_for_long_goes_to_the_other_node_and_only_that() {
    for failback in [AutoFailback::On, AutoFailback::Off, AutoFailback::Legacy] {
        let mut pair = settled(failback);
        let group = GroupId(0);
        let core = pair.nodes[0].as_mut().expect("it runs");
        let here = Some(false);
        core.handle(pair.now, Event::Carrier { group, here });
        pair.run(SHORT);
        assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
        pair.run(Duration::from_millis(700));
        assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
        let why = "its interface has no carrier here, and that of the other node has one";
        assert_eq!(pair.said(0, why), 1, "{:#?}", pair.log);
        assert_eq!(pair.said(0, "It stays here"), 0);
        pair.run(SECOND * 200);
        assert_eq!(pair.owners(), ALL_ON_B, "not back to where there is none");

        pair.carrier(0, Some(true));
        pair.run(SECOND * 59);
        assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
        pair.run(SECOND * 2);
        let expected = match failback {
            AutoFailback::Off => ALL_ON_B,
            _ => AT_HOME,
        };
        assert_eq!(pair.owners(), expected, "{failback:?} {:#?}", pair.log);
    }
}

#[test]
fn a_loss_that_does_not_last_moves_nothing() {
    let mut pair = settled(AutoFailback::On);
    for _ in 0..100 {
        pair.carrier(0, Some(false));
        pair.run(SHORT);
        pair.carrier(0, Some(true));
        pair.run(SECOND);
    }
    assert_eq!(pair.owners(), AT_HOME);
    assert_eq!(pair.said(0, "carrier"), 0, "{:#?}", pair.log);
}

#[test]
fn what_both_lose_stays_whoever_notices_first_and_is_told_once() {
    for first in 0..2 {
        let mut pair = settled(AutoFailback::On);
        pair.carrier(first, Some(false));
        pair.run(SECOND);
        pair.carrier(1 - first, Some(false));
        pair.run(SECOND * 200);
        assert_eq!(pair.owners(), AT_HOME);
        for (node, key, other) in [(0, "one", "b"), (1, "two", "a")] {
            let told = format!(
                "Resource group {key}: its interface has no carrier, so it can't be reached. It stays here: that of \
                 {other} has none either, or not for long."
            );
            assert_eq!(pair.said(node, &told), 1, "{:#?}", pair.log);
        }
        // A switch lets its ports come up one after the other.
        pair.carrier(1 - first, Some(true));
        pair.run(SECOND * 20);
        pair.carrier(first, Some(true));
        pair.run(SECOND * 200);
        assert_eq!(pair.owners(), AT_HOME);
        for node in 0..2 {
            assert_eq!(pair.said(node, "its interface has a carrier again."), 1);
            assert_eq!(pair.said(node, "It stays here"), 1);
        }
    }
}

#[test]
fn it_goes_once_the_carrier_of_the_other_node_has_lasted() {
    let mut pair = settled(AutoFailback::On);
    pair.carrier(0, Some(false));
    pair.carrier(1, Some(false));
    pair.run(SECOND * 10);
    pair.carrier(1, Some(true));
    pair.run(SECOND * 29);
    assert_eq!(pair.owners(), AT_HOME);
    pair.run(SECOND * 2);
    assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
}

#[test]
fn nothing_goes_to_a_node_that_does_not_say_what_it_has() {
    let mut pair = settled(AutoFailback::On);
    pair.carrier(1, None);
    pair.carrier(0, Some(false));
    pair.run(SECOND * 100);
    assert_eq!(pair.owners(), AT_HOME);
    let told = "It stays here: b does not say whether its own has one.";
    assert_eq!(pair.said(0, told), 1, "{:#?}", pair.log);
    let core = pair.nodes[0].as_ref().expect("it runs");
    let lost = Some(CarrierState::Lost);
    assert_eq!(core.carriers_of(GroupId(0)), (lost, None));
}

#[test]
fn without_a_peer_everything_stays_and_the_peer_that_returns_takes_it() {
    let mut pair = settled(AutoFailback::Off);
    pair.kill(1);
    pair.run(SECOND * 3);
    assert_eq!(pair.owners(), ALL_ON_A);
    pair.carrier(0, Some(false));
    pair.run(SECOND * 100);
    assert_eq!(pair.owners(), ALL_ON_A);
    assert_eq!(
        pair.said(0, "It stays here: b is not there to take it."),
        2,
        "{:#?}",
        pair.log
    );
    pair.start(1);
    pair.carrier(1, Some(true));
    pair.run(SECOND * 2);
    assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
}

#[test]
fn with_off_nothing_is_said_heard_or_done() {
    for off in 0..2 {
        let mut pair = Pair::new(AutoFailback::On);
        for node in 0..2 {
            pair.carrier_loss = (node != off).then_some(LOSS);
            pair.start(node);
            pair.carrier(node, Some(true));
        }
        pair.run(SECOND);
        pair.carrier(0, Some(false));
        pair.run(SECOND * 100);
        assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
        let told = usize::from(off == 1);
        assert_eq!(
            pair.said(0, "It stays here: b does not say"),
            told,
            "{:#?}",
            pair.log
        );
    }
}

#[test]
fn an_operator_has_the_last_word_until_there_is_a_carrier_again() {
    for (node, request) in [
        (0, MoveRequest::Takeover(Selection::Local)),
        (1, MoveRequest::Standby(Selection::Foreign)),
    ] {
        let mut pair = settled(AutoFailback::Off);
        pair.carrier(0, Some(false));
        pair.run(MOVED);
        assert_eq!(pair.owners(), ALL_ON_B);
        pair.wish(node, request);
        pair.run(SECOND * 100);
        assert_eq!(pair.owners(), AT_HOME, "node {node}: {:#?}", pair.log);
        let warned = "The interface of resource group one has no carrier at a, or not for long; it goes there all the same.";
        assert!(pair.said(node, warned) == 1, "{:#?}", pair.log);
        assert_eq!(pair.said(0, "It stays here"), 0);
        pair.carrier(0, Some(true));
        pair.run(SECOND);
        pair.carrier(0, Some(false));
        pair.run(MOVED);
        assert_eq!(pair.owners(), ALL_ON_B, "node {node}: {:#?}", pair.log);
    }
}

#[test]
fn what_does_not_work_is_not_left_to_a_node_without_a_carrier() {
    let mut pair = settled(AutoFailback::On);
    pair.carrier(1, Some(false));
    pair.run(SECOND);
    let core = pair.nodes[0].as_mut().expect("it runs");
    let (group, outcome) = (GroupId(0), GroupOutcome::Broken);
    core.handle(pair.now, Event::Group { group, outcome });
    pair.run(SECOND * 3);
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
}

#[test]
fn what_the_other_node_cannot_start_comes_back_and_is_not_given_over_and_over() {
    let mut pair = settled(AutoFailback::Off);
    pair.fails_to_start[1] = true;
    pair.carrier(0, Some(false));
    pair.run(SECOND * 500);
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
    assert_eq!(
        pair.said(0, "Resource group one: stopping here"),
        1,
        "{:#?}",
        pair.log
    );
    assert_eq!(
        pair.said(0, "It stays here: b could not run it."),
        1,
        "{:#?}",
        pair.log
    );
    pair.fails_to_start[1] = false;
    pair.run(SECOND * 700);
    assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
}

#[test]
fn what_does_not_stop_stays() {
    let mut pair = settled(AutoFailback::On);
    pair.fails_to_stop[0] = true;
    pair.carrier(0, Some(false));
    pair.run(SECOND * 100);
    assert!(
        pair.owners()[0][0] && !pair.owners()[1][0],
        "{:#?}",
        pair.log
    );
}

#[test]
fn two_carriers_that_come_and_go_in_turn_move_a_group_less_and_less() {
    let mut pair = settled(AutoFailback::Off);
    pair.carrier(0, Some(true));
    // One of them is always without: an hour of that, a minute and a half each.
    for turn in 0..40 {
        let node = turn % 2;
        pair.carrier(node, Some(false));
        pair.carrier(1 - node, Some(true));
        pair.run(SECOND * 90);
    }
    let moves = pair.said(0, "one: starting here") + pair.said(1, "one: starting here");
    assert!((3..10).contains(&moves), "{moves}: {:#?}", pair.log);
}

#[test]
fn a_failback_waits_for_the_carrier_and_asks_nobody_before() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.carrier_loss = Some(LOSS);
    pair.conditions = [FailbackCondition::Agreed; 2];
    let mut pair = settle(pair);
    pair.carrier(0, Some(false));
    pair.run(SECOND * 100);
    assert_eq!(
        (pair.owners(), pair.asked),
        (ALL_ON_B.map(Vec::from), [0, 0])
    );
    pair.carrier(0, Some(true));
    pair.run(SECOND * 70);
    assert_eq!(
        (pair.owners(), pair.asked),
        (AT_HOME.map(Vec::from), [0, 1])
    );
}

#[test]
fn a_loose_plug_fills_no_log() {
    let mut pair = settled(AutoFailback::On);
    pair.carrier(1, Some(false));
    pair.run(SECOND);
    for _ in 0..10 {
        pair.carrier(0, Some(false));
        pair.run(LOSS + SECOND);
        pair.carrier(0, Some(true));
        pair.run(SECOND);
    }
    // Seventy seconds: at the beginning, after 35 and no more.
    let stays = pair.said(0, "It stays here");
    assert!((2..=3).contains(&stays), "{stays} {:#?}", pair.log);
    assert_eq!(pair.said(0, "its interface has a carrier again"), stays);
    // One that lasts is told in the end.
    pair.carrier(0, Some(false));
    pair.run(SECOND * 60);
    assert_eq!(pair.said(0, "It stays here"), stays + 1);
}
