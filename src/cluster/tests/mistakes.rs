//! Pairs that somebody set up wrongly: two machines must not use one disk for all that.

use std::time::Duration;

use super::old_peer::old_heartbeat;
use super::*;

const NOTHING: [bool; 2] = [false; 2];

#[test]
fn two_machines_of_one_name_start_nothing_while_they_hear_each_other() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.names = ["a", "a"];
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.owners(), [NOTHING, NOTHING], "{:#?}", pair.log);
    assert!(pair.said(0, "another machine uses the name of this node") > 0);
    // Once it is silent, the peer really is dead.
    pair.kill(1);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.owners()[0], [true; 2], "{:#?}", pair.log);
}

#[test]
fn a_recording_in_our_name_delays_a_start_only_once() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(0);
    let recording = old_heartbeat(200, 7, "active");
    for _ in 0..150 {
        pair.run(Duration::from_millis(100));
        pair.turn(0, Some((LinkId(0), recording.clone())));
    }
    assert_eq!(pair.owners()[0], [true; 2], "{:#?}", pair.log);
}

#[test]
fn groups_of_one_name_with_other_resources_are_other_groups() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.contents = ["one disk::x", "one disk::y"];
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(30));
    assert_eq!(pair.owners(), [NOTHING, NOTHING], "{:#?}", pair.log);
    assert_eq!(pair.said(0, "haresources differs"), 1);
}

#[test]
fn where_the_files_differ_whoever_took_over_in_a_partition_gives_it_up_again() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.contents = ["one disk::x", "one disk::y"];
    pair.start(0);
    pair.run(Duration::from_secs(12));
    pair.start(1);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.owners(), [[true; 2], NOTHING], "{:#?}", pair.log);
    pair.wires = [[false; 2]; LINKS];
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.owners(), [[true; 2], [true; 2]], "{:#?}", pair.log);
    pair.wires = [[true; 2]; LINKS];
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.owners(), [[true; 2], NOTHING], "{:#?}", pair.log);
}
