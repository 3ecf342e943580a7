//! What each node says of being ready, and who hears of it.

use std::time::Duration;

use super::*;

const SOON: Duration = Duration::from_millis(500);

impl Pair {
    fn finds(&mut self, node: usize, group: u32, ready: Option<bool>) {
        let mut core = self.nodes[node].take().expect("it runs");
        let group = GroupId(group);
        core.handle(self.now, Event::Readiness { group, ready });
        self.nodes[node] = Some(core);
        self.turn(node, None);
        self.run(SOON);
    }

    fn peer_ready(&self, node: usize, group: u32) -> Option<bool> {
        let core = self.nodes[node].as_ref().expect("it runs");
        core.peer_is_ready(GroupId(group))
    }
}

#[test]
fn the_holder_hears_once_that_the_other_node_is_not_ready_and_once_that_it_is() {
    let mut pair = Pair::together(AutoFailback::On);
    assert_eq!(pair.peer_ready(0, 0), None);
    let not_ready = "b is not ready to run resource group one";
    let is_ready = "b is ready to run resource group one.";
    for (found, told) in [
        (Some(true), (0, 0)),
        (Some(false), (1, 0)),
        (Some(false), (1, 0)),
        (None, (1, 0)),
        (Some(false), (1, 0)),
        (Some(true), (1, 1)),
        (Some(true), (1, 1)),
        (Some(false), (2, 1)),
    ] {
        pair.finds(1, 0, found);
        assert_eq!(pair.peer_ready(0, 0), found);
        assert_eq!(
            (pair.said(0, not_ready), pair.said(0, is_ready)),
            told,
            "{found:?}"
        );
    }
    assert_eq!((pair.peer_ready(0, 1), pair.peer_ready(1, 0)), (None, None));
    // What a former run said is not said any more.
    pair.kill(1);
    pair.start(1);
    pair.run(SOON);
    assert_eq!(pair.peer_ready(0, 0), None);
}

#[test]
fn a_node_that_is_not_ready_is_warned_of_and_gets_what_an_operator_gives_it() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.finds(1, 0, Some(false));
    let mut core = pair.nodes[0].take().expect("it runs");
    assert_eq!(core.unready_for(Selection::Local, true), ["one"]);
    assert!(core.unready_for(Selection::Foreign, true).is_empty());
    let request = MoveRequest::Standby(Selection::All);
    assert_eq!(core.refuses(request), None);
    core.handle(pair.now, Event::MoveRequested(request));
    pair.nodes[0] = Some(core);
    pair.turn(0, None);
    pair.run(SOON);
    assert_eq!(pair.owners(), [[false; 2], [true; 2]]);
    let warned = "b is not ready to run resource group one, which goes there all the same.";
    assert_eq!(pair.said(0, warned), 1, "{:#?}", pair.log);
}

#[test]
fn who_is_not_ready_takes_over_all_the_same_when_the_other_node_dies() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.finds(1, 0, Some(false));
    pair.kill(0);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.owners(), [[false; 2], [true; 2]]);
}
