//! What a failback waits for: a peer that holds still, or a command.

use std::time::Duration;

use super::old_peer::Old;
use super::*;
use crate::cluster::FailbackCondition::{Agreed, Nothing, Steady};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Node 0 has died and is back, so node 1 holds everything and decides by this.
fn back(condition: FailbackCondition) -> Pair {
    let mut pair = Pair::new(AutoFailback::On);
    pair.conditions[1] = condition;
    pair.agrees[1] = Some(false);
    pair.start(0);
    pair.start(1);
    pair.run(seconds(1));
    pair.kill(0);
    pair.run(seconds(2));
    assert_eq!(pair.owners(), [[false; 2], [true; 2]]);
    pair.start(0);
    pair.run(seconds(1));
    pair
}

impl Pair {
    /// The command has answered at last.
    fn answer_when(&mut self, node: usize, agrees: bool) {
        let mut core = self.nodes[node].take().expect("it runs");
        core.handle(self.now, Event::FailbackAnswered { agrees });
        self.nodes[node] = Some(core);
        self.turn(node, None);
    }

    fn view(&self, node: usize, group: u32) -> Option<FailbackView> {
        let node = self.nodes[node].as_ref().expect("it runs");
        node.failback_of(GroupId(group))
    }
}

#[test]
fn a_delayed_failback_waits_for_as_long_as_the_holder_says_and_is_seen_to() {
    for other in [Nothing, Steady(seconds(1)), Steady(seconds(500))] {
        let mut pair = back(Steady(seconds(30)));
        pair.conditions[0] = other; // of no consequence: it holds nothing that prefers the other
        let view = pair.view(1, 0).expect("it waits");
        let until = view.until.expect("known");
        assert!(until > pair.now + seconds(28) && until < pair.now + seconds(30));
        assert_eq!((view.awaits, pair.view(1, 1)), (Steady(seconds(30)), None));
        pair.run(seconds(28));
        assert_eq!(pair.owners(), [[false; 2], [true; 2]]);
        pair.run(seconds(2));
        assert_eq!(pair.owners(), [[true, false], [false, true]]);
        assert_eq!(pair.view(1, 0), None);
        let waits = "Resource groups of a stay here until a has been steady for 30 s";
        let begins = "Resource groups of a return to it: a has been steady for 30 s";
        assert_eq!((pair.said(1, waits), pair.said(1, begins)), (1, 1));
    }
}

#[test]
fn whatever_the_preferred_node_does_but_holding_still_begins_the_time_anew() {
    // How it is disturbed, and whether that is told as a break.
    type Disturb = fn(&mut Pair);
    let link_dies: Disturb = |pair| {
        pair.wires[2] = [false; 2];
        pair.run(seconds(2));
        pair.wires[2] = [true; 2];
    };
    let restarts: Disturb = |pair| {
        pair.kill(0);
        pair.start(0);
        pair.run(seconds(2));
    };
    let dies: Disturb = |pair| {
        pair.wires = [[false; 2]; LINKS];
        pair.kill(0);
        pair.run(seconds(2));
        pair.wires = [[true; 2]; LINKS];
        pair.start(0);
    };
    for (name, disturb) in [("link", link_dies), ("restart", restarts), ("death", dies)] {
        let mut pair = back(Steady(seconds(30)));
        pair.run(seconds(25));
        disturb(&mut pair);
        pair.run(seconds(24));
        assert_eq!(pair.owners(), [[false; 2], [true; 2]], "{name}");
        pair.run(seconds(10));
        assert_eq!(pair.owners(), [[true, false], [false, true]], "{name}");
        let anew = pair.said(1, "the time before its resource groups return begins anew");
        assert_eq!(anew, usize::from(name == "link"), "{name}: {:#?}", pair.log);
    }
}

#[test]
fn a_link_that_stays_dead_does_not_keep_a_group_away_for_ever() {
    let mut pair = back(Steady(seconds(30)));
    pair.wires[2] = [false; 2];
    pair.run(seconds(40));
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
}

#[test]
fn a_command_is_asked_only_while_something_waits_and_moves_it_once_it_agrees() {
    let mut pair = back(Agreed);
    assert_eq!(pair.asked, [0, 1]);
    pair.run(seconds(18));
    assert_eq!(pair.asked, [0, 4], "every five seconds");
    assert_eq!(pair.owners(), [[false; 2], [true; 2]]);
    let view = pair.view(1, 0).expect("it waits");
    assert_eq!((view.awaits, view.until), (Agreed, None));
    pair.agrees[1] = Some(true);
    pair.run(seconds(10));
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    let asked = pair.asked;
    pair.run(seconds(60));
    assert_eq!(pair.asked, asked, "nothing waits any more");
    // A yes is good for one move: the next is asked for anew.
    pair.agrees[1] = Some(false);
    pair.kill(0);
    pair.run(seconds(2));
    pair.start(0);
    pair.run(seconds(60));
    assert_eq!(pair.owners(), [[false; 2], [true; 2]]);
}

#[test]
fn a_yes_to_what_has_changed_meanwhile_moves_nothing() {
    let mut pair = back(Agreed);
    pair.agrees[1] = None; // the command takes its time
    pair.run(seconds(10));
    let asked = pair.asked[1];
    pair.kill(0);
    pair.start(0);
    pair.run(seconds(2));
    assert_eq!(pair.asked[1], asked, "one question at a time");
    pair.answer_when(1, true);
    pair.run(seconds(1));
    assert_eq!(pair.owners(), [[false; 2], [true; 2]]);
    pair.run(seconds(5));
    assert_eq!(pair.asked[1], asked + 1, "it is asked anew");
    pair.answer_when(1, true);
    pair.run(seconds(1));
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
}

#[test]
fn what_a_node_gave_up_for_want_of_a_network_comes_back_by_the_condition() {
    for condition in [Steady(seconds(60)), Agreed] {
        let mut pair = super::ipfail::settled_with([condition; 2]);
        pair.agrees[1] = Some(false);
        pair.answers[0][0] = false;
        pair.run(seconds(20));
        assert_eq!(pair.owners(), [[false; 2], [true; 2]], "{:#?}", pair.log);
        pair.answers[0][0] = true;
        pair.run(seconds(100));
        let comes = pair.said(0, "taking local resources back");
        assert_eq!((comes, pair.said(0, "Takeover")), (1, 0), "{:#?}", pair.log);
        pair.agrees[1] = Some(true);
        pair.run(seconds(10));
        assert_eq!(pair.owners(), [[true, false], [false, true]]);
    }
}

#[test]
fn a_node_without_the_condition_of_the_other_cannot_take_back_at_once() {
    let mut pair = super::ipfail::settled_with([Nothing, Steady(seconds(3600))]);
    pair.answers[0][0] = false;
    pair.run(seconds(20));
    pair.answers[0][0] = true;
    pair.run(seconds(60));
    assert_eq!(pair.owners(), [[false; 2], [true; 2]], "{:#?}", pair.log);
    let refused = "refused: auto_failback of this node is delayed or asks a command";
    assert!(pair.said(1, refused) > 0, "{:#?}", pair.log);
}

#[test]
fn a_peer_that_could_not_start_something_is_not_steady() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.conditions = [Steady(seconds(30)); 2];
    pair.fails_to_start[0] = true;
    pair.start(0);
    pair.start(1);
    pair.run(seconds(2));
    assert_eq!(pair.owners(), [[false; 2], [true; 2]]);
    pair.fails_to_start[0] = false;
    pair.run(seconds(300));
    // What failed there is not to fail back of itself, by any rule.
    assert_eq!(pair.owners(), [[false; 2], [true; 2]]);
    assert_eq!(pair.view(1, 0), None);
}

#[test]
fn an_operator_need_not_wait() {
    for condition in [Steady(seconds(3000)), Agreed] {
        let mut pair = back(condition);
        let now = pair.now;
        let mut node = pair.nodes[1].take().expect("it runs");
        let request = MoveRequest::Standby(Selection::Foreign);
        assert_eq!(node.refuses(request), None);
        node.handle(now, Event::MoveRequested(request));
        pair.nodes[1] = Some(node);
        pair.turn(1, None);
        pair.run(seconds(1));
        assert_eq!(pair.owners(), [[true, false], [false, true]]);
    }
}

#[test]
fn beside_a_node_of_3_0_6_the_condition_delays_the_offer() {
    for condition in [Steady(seconds(30)), Agreed] {
        let mut pair = Pair::new(AutoFailback::On);
        pair.conditions = [condition; 2];
        pair.agrees[1] = Some(false);
        let mut old = Old::settled_in(pair);
        // It dies and returns with nothing.
        old.pair.run(seconds(3));
        assert_eq!(old.running(), [true; 2]);
        (old.generation, old.number) = (8, 0);
        old.beats("up");
        old.says(&[("t", "repnodes"), ("nodelist", "a b ")]);
        old.beats("active");
        old.says(&[("t", "starting")]);
        old.holds("none", "1", None);
        let offers = |old: &Old| old.pair.said(1, "b wants to go standby [foreign]");
        old.lives(seconds(25));
        assert_eq!(offers(&old), 0, "{:#?}", old.pair.log);
        assert!(old.pair.view(1, 0).is_some(), "it waits");
        assert_eq!(old.pair.view(1, 1), None);
        old.pair.agrees[1] = Some(true);
        old.lives(seconds(11));
        assert_eq!(offers(&old), 1, "{condition:?} {:#?}", old.pair.log);
    }
}
