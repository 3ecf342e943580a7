//! Groups that can't be started: tried later each time, and frozen where neither node can.

use std::time::Duration;

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const FROZEN: &str =
    "could be started on neither node, 8 times in a row here: it is not tried any more.";

/// Neither node can start anything.
fn failing() -> Pair {
    let mut pair = Pair::new(AutoFailback::On);
    pair.slowness = 50;
    pair.fails_to_start = [true; 2];
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(1));
    pair
}

impl Pair {
    fn retry(&self, node: usize, group: u32) -> Option<RetryView> {
        let node = self.nodes[node].as_ref().expect("it runs");
        node.retry_of(GroupId(group))
    }

    fn tries(&self, node: usize, key: &str) -> usize {
        self.said(node, &format!("Resource group {key}: starting here"))
    }

    fn asks(&mut self, node: usize, request: MoveRequest) -> Option<MoveRefusal> {
        let mut core = self.nodes[node].take().expect("it runs");
        let refusal = core.refuses(request);
        if refusal.is_none() {
            core.handle(self.now, Event::MoveRequested(request));
        }
        self.nodes[node] = Some(core);
        self.turn(node, None);
        refusal
    }
}

#[test]
fn what_starts_on_neither_node_is_tried_later_each_time_and_then_frozen_with_an_alarm() {
    let mut pair = failing();
    let first = pair.retry(0, 0).expect("it failed");
    assert_eq!((first.failures, first.frozen), (1, false));
    let next = first.next.expect("it is for this node");
    assert!(next.since(pair.now) > Duration::from_secs(55));
    let other = pair.retry(1, 0).expect("it failed there too");
    assert_eq!((other.failures, other.next), (1, None));
    for (seconds, tries) in [(50, 1), (20, 2), (100, 2), (20, 3), (220, 3), (20, 4)] {
        pair.run(Duration::from_secs(seconds));
        assert_eq!(pair.tries(0, "one"), tries, "{:#?}", pair.log);
    }
    pair.run(HOUR * 2);
    let frozen = RetryView {
        failures: 8,
        next: None,
        frozen: true,
    };
    assert_eq!(
        (pair.retry(0, 0), pair.retry(1, 1)),
        (Some(frozen), Some(frozen))
    );
    let tries = |pair: &Pair| {
        [(0, "one"), (1, "one"), (0, "two"), (1, "two")].map(|(node, key)| pair.tries(node, key))
    };
    assert_eq!(tries(&pair), [8; 4], "each time on both nodes");
    pair.run(HOUR * 24);
    assert_eq!(tries(&pair), [8; 4], "and never again");
    assert_eq!([pair.said(0, FROZEN), pair.said(1, FROZEN)], [1, 1]);
    let crit = Report::Group(GroupReport::Frozen {
        key: "one".into(),
        failures: 8,
    });
    assert_eq!(crit.severity(), Severity::Crit);
}

#[test]
fn a_takeover_on_the_preferred_node_tries_at_once_frozen_or_not() {
    for wait in [Duration::from_secs(10), HOUR * 3] {
        let mut pair = failing();
        pair.run(wait);
        let local = MoveRequest::Takeover(Selection::Local);
        let before = pair.tries(0, "one");
        assert_eq!(pair.asks(0, local), None);
        assert_eq!(pair.tries(0, "one"), before + 1);
        assert_eq!(
            pair.said(0, "Takeover [local] failed: a group could not be started"),
            1
        );
        let after = pair.retry(0, 0).expect("it failed again");
        assert_eq!((after.failures, after.frozen), (1, false), "it counts anew");
        // The other node can't begin with it, and says who can.
        let foreign = MoveRequest::Takeover(Selection::Foreign);
        assert_eq!(pair.asks(1, foreign), Some(MoveRefusal::FailedOnBoth));
        let standby = MoveRequest::Standby(Selection::All);
        assert_eq!(pair.asks(0, standby), Some(MoveRefusal::FailedOnBoth));
        pair.fails_to_start = [false; 2];
        assert_eq!(pair.asks(0, local), None);
        pair.run(Duration::from_secs(1));
        assert_eq!(
            pair.said(0, "Takeover [local] is done."),
            1,
            "{:#?}",
            pair.log
        );
        assert_eq!(pair.asks(1, local), None);
        pair.run(Duration::from_secs(1));
        assert_eq!(pair.owners(), [[true, false], [false, true]]);
        assert_eq!(pair.retry(0, 0), None);
    }
}

#[test]
fn a_restart_of_either_node_tries_again_there_and_an_alarm_follows_if_that_is_of_no_use() {
    for node in 0..2 {
        let mut pair = failing();
        pair.run(HOUR * 3);
        let before = pair.tries(node, "one");
        pair.kill(node);
        pair.start(node);
        pair.run(Duration::from_secs(5));
        assert!(pair.tries(node, "one") > before, "{:#?}", pair.log);
        let alarms = pair.said(0, FROZEN) + pair.said(1, FROZEN);
        pair.run(HOUR * 3);
        let again = |node, failures| {
            pair.said(
                node,
                &format!("{failures} times in a row here: it is not tried any more"),
            )
        };
        let more = (0..2).map(|node| again(node, 8) + again(node, 9) + again(node, 10));
        assert!(more.sum::<usize>() > alarms, "{:#?}", pair.log);
        pair.fails_to_start[node] = false;
        pair.kill(node);
        pair.start(node);
        pair.run(Duration::from_secs(5));
        let owners = pair.owners();
        assert_eq!(owners[node], [true; 2], "{:#?}", pair.log);
    }
}

#[test]
fn a_node_alone_tries_for_ever() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.slowness = 50;
    pair.fails_to_start[0] = true;
    pair.start(0);
    pair.run(HOUR * 12);
    assert!(pair.tries(0, "one") > 20);
    assert_eq!(pair.said(0, "not tried any more"), 0);
    let told = "could not be started here; nobody else is there; it is tried again in 1800 s.";
    assert!(pair.said(0, told) > 10, "{:#?}", pair.log);
    pair.fails_to_start[0] = false;
    pair.run(Duration::from_secs(1801));
    assert_eq!(pair.owners(), [[true; 2], [false; 2]]);
}

#[test]
fn what_the_other_node_runs_is_not_counted_any_more() {
    let mut pair = failing();
    pair.run(HOUR);
    pair.kill(1);
    pair.fails_to_start[1] = false;
    pair.start(1);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.owners(), [[false; 2], [true; 2]], "{:#?}", pair.log);
    assert_eq!(pair.retry(0, 0), None);
}
