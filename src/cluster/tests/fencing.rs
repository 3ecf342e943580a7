//! A dead peer is reset before anything of it is taken.

use super::*;

const DELAY: Duration = Duration::from_secs(5);

fn pair() -> Pair {
    let mut pair = Pair::new(AutoFailback::Off);
    pair.fencing = FencingSettings {
        has_device: true,
        delay: DELAY,
        takeover_unfenced: None,
    };
    pair
}

/// Both run, and the first node has everything.
fn one_holds_all(mut pair: Pair) -> Pair {
    pair.device = [Some(true); 2];
    pair.start(0);
    pair.run(Duration::from_secs(20));
    assert_eq!(pair.owners()[0], [true, true], "{:#?}", pair.log);
    pair.start(1);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.owners(), [[true, true], [false, false]]);
    pair.log.clear();
    pair.fenced = [Vec::new(), Vec::new()];
    pair.device = [None; 2];
    pair.halted = [0; 2];
    pair
}

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

impl Pair {
    fn cut(&mut self) {
        self.wires = [[false; 2]; LINKS];
    }

    fn heal(&mut self) {
        self.wires = [[true; 2]; LINKS];
    }

    /// The device of a node answers its last request.
    fn answer(&mut self, node: usize, is_reset: bool) {
        let request = *self.fenced[node].last().expect("it was asked");
        let event = Event::Fenced { request, is_reset };
        let cluster = self.nodes[node].as_mut().expect("it runs");
        cluster.handle(self.now, event);
        self.turn(node, None);
    }

    fn confirm(&mut self, node: usize) -> Option<ConfirmationRefusal> {
        let cluster = self.nodes[node].as_mut().expect("it runs");
        let refusal = cluster.refuses_confirmation();
        cluster.handle(self.now, Event::PeerConfirmedDead);
        self.turn(node, None);
        refusal
    }
}

#[test]
fn nothing_of_a_dead_peer_is_taken_before_it_is_reset() {
    let mut pair = one_holds_all(pair());
    pair.kill(0);
    pair.run(seconds(60));
    assert_eq!(pair.owners()[1], [false, false]);
    assert_eq!(pair.fenced[1].len(), 1, "asked once while the device works");
    assert_eq!(pair.said(1, "No STONITH device"), 0);
    pair.answer(1, true);
    assert_eq!(pair.owners()[1], [true, true]);
    let texts: Vec<&str> = pair.log.iter().map(|(_, line)| line.as_str()).collect();
    let place = |text: &str| texts.iter().position(|line| line.contains(text));
    let order = [
        "node a: is dead",
        "a is reset in 5 s (fence_delay)",
        "node a now reset.",
        "Resources being acquired from a.",
        "Resource group one: starting here: the other node is dead.",
    ];
    let places = order.map(place);
    assert!(places.is_sorted() && places[0].is_some(), "{texts:#?}");
}

#[test]
fn a_node_that_was_never_heard_is_reset_too() {
    let mut pair = pair();
    pair.start(0);
    pair.run(seconds(9));
    assert!(pair.fenced[0].is_empty());
    pair.run(seconds(20));
    assert_eq!(pair.owners()[0], [false, false]);
    assert_eq!(pair.fenced[0].len(), 1);
    pair.answer(0, true);
    assert_eq!(pair.owners()[0], [true, true]);
}

#[test]
fn a_peer_that_left_needs_no_fencing() {
    let mut pair = one_holds_all(pair());
    let now = pair.now;
    pair.nodes[0]
        .as_mut()
        .expect("it runs")
        .handle(now, Event::StopRequested);
    pair.turn(0, None);
    pair.run(seconds(30));
    assert!(pair.exited[0] && pair.fenced[1].is_empty());
    assert_eq!(pair.owners()[1], [true, true]);
}

#[test]
fn failures_are_told_and_tried_again_ever_more_slowly() {
    let mut pair = one_holds_all(pair());
    pair.device[1] = Some(false);
    pair.kill(0);
    pair.run(seconds(7));
    let begun = pair.now;
    assert_eq!(pair.fenced[1].len(), 1);
    let mut pauses = Vec::new();
    let mut last = begun;
    while pauses.len() < 7 {
        let before = pair.fenced[1].len();
        pair.run(Duration::from_millis(100));
        if pair.fenced[1].len() > before {
            pauses.push(pair.now.since(last).as_secs_f64().round());
            last = pair.now;
        }
    }
    let expected: [f64; 6] = [10.0, 20.0, 40.0, 60.0, 60.0, 60.0];
    assert!(pauses[1..] == expected, "{pauses:?}");
    assert_eq!(pair.said(1, "STONITH of a failed.  Retrying... in 60 s"), 4);
    assert_eq!(pair.said(1, "heartbeat confirm-dead a"), 8);
    assert_eq!(pair.owners()[1], [false, false]);
    pair.device[1] = Some(true);
    pair.run(seconds(61));
    assert_eq!(
        pair.owners()[1],
        [true, true],
        "success counts whenever it comes"
    );
}

#[test]
fn who_holds_more_comes_first_and_survives_when_both_nodes_live() {
    for holder in 0..2 {
        let mut pair = one_holds_all(pair());
        if holder == 1 {
            pair.nodes[0].as_mut().expect("it runs").handle(
                pair.now,
                Event::MoveRequested(MoveRequest::Standby(Selection::All)),
            );
            pair.turn(0, None);
            pair.run(seconds(3));
        }
        assert_eq!(pair.owners()[holder], [true, true]);
        pair.device = [Some(true); 2];
        pair.cut();
        pair.run(seconds(4));
        assert_eq!(pair.fenced[holder].len(), 1, "the holder does not wait");
        assert!(pair.nodes[1 - holder].is_none(), "the other is reset");
        pair.run(seconds(20));
        assert_eq!(pair.owners()[holder], [true, true]);
        assert!(pair.fenced[1 - holder].is_empty());
    }
}

#[test]
fn where_both_hold_something_the_name_decides() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.fencing.has_device = true;
    pair.fencing.delay = DELAY;
    pair.start(0);
    pair.start(1);
    pair.run(seconds(2));
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.cut();
    pair.run(seconds(4));
    assert_eq!((pair.fenced[0].len(), pair.fenced[1].len()), (1, 0));
    pair.run(DELAY);
    assert_eq!(pair.fenced[1].len(), 1, "and the other one after a while");
}

#[test]
fn a_peer_that_is_heard_again_is_not_reset_any_more() {
    let mut pair = one_holds_all(pair());
    pair.cut();
    pair.run(seconds(4));
    assert_eq!(pair.fenced[0].len(), 1);
    pair.heal();
    pair.run(seconds(2));
    assert_eq!(pair.halted[0], 1, "{:#?}", pair.log);
    assert_eq!(
        pair.said(0, "b is heard again: it is not reset any more."),
        1
    );
    pair.run(seconds(20));
    assert_eq!(pair.fenced.clone().map(|asked| asked.len()), [1, 0]);
    assert_eq!(pair.owners(), [[true, true], [false, false]]);
    // What the device says now it says of the death before.
    pair.answer(0, true);
    pair.kill(0);
    pair.run(seconds(20));
    assert_eq!(
        pair.owners()[1],
        [false, false],
        "the next death is a new one"
    );
    assert_eq!(pair.fenced[1].len(), 1);
}

#[test]
fn a_late_answer_counts_for_nothing() {
    let mut pair = one_holds_all(pair());
    pair.cut();
    pair.run(seconds(12));
    assert_eq!(pair.fenced[1], [1]);
    pair.heal();
    pair.run(seconds(3));
    pair.cut();
    pair.run(seconds(12));
    assert_eq!(pair.fenced[1], [1, 2]);
    let late = Event::Fenced {
        request: 1,
        is_reset: true,
    };
    let now = pair.now;
    pair.nodes[1].as_mut().expect("it runs").handle(now, late);
    pair.turn(1, None);
    assert_eq!(pair.owners()[1], [false, false]);
    pair.kill(0);
    pair.answer(1, true);
    assert_eq!(pair.owners()[1], [true, true]);
}

#[test]
fn an_operator_s_word_counts_as_a_reset_but_not_of_a_peer_that_is_heard() {
    let mut pair = one_holds_all(pair());
    assert_eq!(pair.confirm(1), Some(ConfirmationRefusal::Heard));
    pair.device[1] = Some(false);
    pair.kill(0);
    pair.run(Duration::from_millis(500));
    assert_eq!(
        pair.confirm(1),
        Some(ConfirmationRefusal::Heard),
        "not dead yet"
    );
    pair.run(seconds(30));
    assert_eq!(pair.owners()[1], [false, false]);
    assert_eq!(pair.confirm(1), None);
    assert_eq!(pair.owners()[1], [true, true]);
    assert_eq!(pair.said(1, "An operator says that a is down"), 1);
    assert_eq!(pair.confirm(1), Some(ConfirmationRefusal::NothingWaits));
    let asked = pair.fenced[1].len();
    pair.run(seconds(200));
    assert_eq!(pair.fenced[1].len(), asked, "no device is asked any more");
}

#[test]
fn a_node_that_has_just_started_waits_before_it_believes_anybody() {
    let mut pair = pair();
    pair.start(0);
    pair.run(seconds(2));
    assert_eq!(pair.confirm(0), Some(ConfirmationRefusal::NotDeadYet));
}

#[test]
fn takeover_unfenced_takes_after_its_time_and_not_before() {
    let mut pair = pair();
    pair.fencing.takeover_unfenced = Some(seconds(90));
    let mut pair = one_holds_all(pair);
    pair.device[1] = Some(false);
    pair.kill(0);
    pair.run(seconds(85));
    assert_eq!(pair.owners()[1], [false, false]);
    assert!(pair.said(1, "all the same (takeover_unfenced).") > 0);
    pair.run(seconds(10));
    assert_eq!(pair.owners()[1], [true, true]);
    assert_eq!(pair.said(1, "a was not reset within 90 s"), 1);
}

#[test]
fn a_node_that_is_asked_to_stop_meanwhile_stops() {
    let mut pair = one_holds_all(pair());
    pair.kill(0);
    pair.run(seconds(20));
    let now = pair.now;
    pair.nodes[1]
        .as_mut()
        .expect("it runs")
        .handle(now, Event::StopRequested);
    pair.turn(1, None);
    pair.run(seconds(3));
    assert!(pair.exited[1]);
    assert_eq!(pair.halted[1], 1);
    assert_eq!(pair.owners()[1], [false, false]);
}

#[test]
fn a_node_that_stood_still_forgets_what_it_knew_of_the_dead() {
    let mut pair = one_holds_all(pair());
    pair.kill(0);
    pair.run(seconds(20));
    pair.answer(1, true);
    assert_eq!(pair.owners()[1], [true, true]);
    // Long enough for the other to have come back and taken everything.
    pair.now = pair.now + seconds(60);
    pair.turn(1, None);
    assert_eq!(pair.owners()[1], [false, false]);
    pair.run(seconds(25));
    assert_eq!(pair.owners()[1], [false, false]);
    assert_eq!(pair.fenced[1].len(), 2, "{:#?}", pair.log);
}

#[test]
fn without_groups_nobody_is_reset() {
    let mut pair = pair();
    pair.start(0);
    let mut settings = pair.nodes[0].take().expect("it runs").settings;
    settings.groups.clear();
    settings.generation += 1;
    pair.nodes[0] = Some(Cluster::new(pair.now, settings));
    pair.turn(0, None);
    pair.run(seconds(30));
    assert!(pair.fenced[0].is_empty());
    assert_eq!(pair.said(0, "No STONITH device configured."), 1);
}
