//! What follows when a group does not stop.

use super::*;

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// Both run; the first node has the first group and does not get rid of it.
fn stuck(stop_failure: StopFailure, has_device: bool) -> Pair {
    let mut pair = Pair::new(AutoFailback::On);
    pair.stop_failure = stop_failure;
    pair.fencing = FencingSettings {
        has_device,
        ..FencingSettings::default()
    };
    pair.start(0);
    pair.start(1);
    pair.run(seconds(2));
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.fails_to_stop[0] = true;
    pair.gives(0);
    pair.run(seconds(1));
    pair
}

impl Pair {
    /// An operator wants everything of this node on the other.
    fn gives(&mut self, node: usize) {
        let request = Event::MoveRequested(MoveRequest::Standby(Selection::All));
        let cluster = self.nodes[node].as_mut().expect("it runs");
        cluster.handle(self.now, request);
        self.turn(node, None);
    }
}

#[test]
fn hold_resets_nobody() {
    let mut pair = stuck(StopFailure::Hold, true);
    pair.run(seconds(100));
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    assert_eq!((pair.resets, pair.fenced[1].len()), ([0, 0], 0));
    assert!(pair.said(0, "could not be stopped") > 1, "told again");
}

#[test]
fn reboot_resets_the_node_itself_and_the_group_is_held_until_it_is_silent() {
    let mut pair = stuck(StopFailure::Reboot, false);
    assert_eq!(pair.resets, [1, 0], "{:#?}", pair.log);
    assert_eq!(
        pair.said(0, "this node resets itself (stop_failure reboot)"),
        1
    );
    pair.run(seconds(20));
    assert_eq!(pair.owners(), [[true, false], [false, true]], "not on hope");
    pair.kill(0);
    pair.run(seconds(3));
    assert_eq!(pair.owners()[1], [true, true]);
}

#[test]
fn a_node_whose_peer_is_gone_is_not_reset() {
    let mut pair = stuck(StopFailure::Reboot, false);
    assert_eq!(pair.resets[0], 1);
    pair.kill(1);
    pair.run(seconds(100));
    assert_eq!(pair.resets[0], 1, "nobody would take the group");
    assert!(pair.said(0, "the other node could not take it") > 0);
}

#[test]
fn fence_has_the_other_node_reset_this_one_and_take_the_group() {
    let mut pair = stuck(StopFailure::Fence, true);
    assert_eq!(
        pair.said(0, "b is asked to reset this node"),
        1,
        "{:#?}",
        pair.log
    );
    assert_eq!(pair.said(1, "asks to be reset (stop_failure fence)"), 1);
    assert_eq!((pair.fenced[0].len(), pair.fenced[1].len()), (0, 1));
    pair.run(seconds(20));
    assert_eq!(
        pair.owners(),
        [[true, false], [false, true]],
        "not before it is reset"
    );
    let request = pair.fenced[1][0];
    let done = Event::Fenced {
        request,
        is_reset: true,
    };
    pair.kill(0);
    let now = pair.now;
    pair.nodes[1].as_mut().expect("it runs").handle(now, done);
    pair.turn(1, None);
    pair.run(seconds(3));
    assert_eq!(pair.owners()[1], [true, true]);
    assert_eq!(pair.said(1, "node a now reset."), 1);
    assert_eq!(pair.fenced[1].len(), 1, "once is enough");
}

#[test]
fn a_device_that_resets_something_else_is_found_out() {
    let mut pair = stuck(StopFailure::Fence, true);
    let done = |request| Event::Fenced {
        request,
        is_reset: true,
    };
    let now = pair.now;
    let request = pair.fenced[1][0];
    pair.nodes[1]
        .as_mut()
        .expect("it runs")
        .handle(now, done(request));
    pair.turn(1, None);
    pair.run(seconds(10));
    assert_eq!(pair.said(1, "a is heard although a device says"), 1);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    // So its word counts for nothing when the node is silent.
    pair.wires = [[false; 2]; LINKS];
    pair.run(seconds(30));
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.run(seconds(60));
    assert_eq!(pair.fenced[1].len(), 2, "it is reset once more");
}

#[test]
fn what_stops_after_all_needs_no_reset() {
    let mut pair = stuck(StopFailure::Fence, true);
    assert_eq!(pair.fenced[1].len(), 1);
    pair.fails_to_stop[0] = false;
    pair.run(seconds(35));
    assert_eq!(
        pair.said(1, "a does not ask to be reset any more."),
        1,
        "{:#?}",
        pair.log
    );
    assert_eq!((pair.halted[1], pair.fenced[1].len()), (1, 1));
    pair.run(seconds(20));
    assert_eq!(pair.fenced[1].len(), 1);
}

#[test]
fn of_two_nodes_that_ask_each_other_one_is_reset() {
    let mut pair = stuck(StopFailure::Fence, true);
    pair.fenced = [Vec::new(), Vec::new()];
    pair.fails_to_stop[1] = true;
    for node in 0..2 {
        let cluster = pair.nodes[node].as_mut().expect("it runs");
        cluster.halt_fencing(FencingStage::None);
        cluster.wants_reset = true;
        cluster.heartbeat_is_due = true;
    }
    pair.gives(1);
    pair.run(seconds(2));
    let asked = pair.fenced.clone().map(|asked| asked.len());
    assert_eq!(asked, [1, 0], "{:#?}", pair.log);
}

#[test]
fn without_a_device_over_there_the_group_is_held() {
    let mut pair = stuck(StopFailure::Fence, false);
    pair.run(seconds(60));
    assert!(pair.said(0, "b has no fencing device") > 0);
    assert_eq!(
        (pair.fenced[1].len(), pair.said(1, "asks to be reset")),
        (0, 0)
    );
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
}

#[test]
fn heartbeats_of_a_pair_without_devices_are_as_they_were() {
    let mut pair = Pair::together(AutoFailback::On);
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    cluster.handle(pair.now + Duration::from_secs(1), Event::Tick);
    let mut sent = 0;
    while let Some(action) = cluster.next_action() {
        if let Action::Send(packet) = action {
            sent += 1;
            let text = String::from_utf8_lossy(&packet.datagram).into_owned();
            assert!(text.contains("hr=") && !text.contains("hf="), "{text}");
        }
    }
    assert!(sent > 0);
}
