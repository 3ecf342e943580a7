//! Well-signed messages that can't be true: a node gone wrong, or another machine in the peer's name.

use std::time::Duration;

use super::old_peer::{Old, old_heartbeat, old_message};
use super::*;

/// Says this in the peer's name; the peer goes on as if nothing had happened, and nothing moves.
fn survives(stray: &[u8], old: &mut Old) {
    let before = old.running();
    old.pair.turn(1, Some((LinkId(0), stray.to_vec())));
    old.lives(Duration::from_secs(20));
    assert_eq!(old.running(), before, "{:#?}", old.pair.log);
    assert_eq!(old.pair.said(1, "is dead"), 0, "{:#?}", old.pair.log);
    assert_eq!(old.node().peer_status(), NodeStatus::Active);
}

#[test]
fn a_message_from_the_far_future_makes_no_living_peer_dead() {
    for status in ["up", "active"] {
        let mut old = Old::settled(AutoFailback::On);
        let (generation, number) = (old.generation, old.number);
        survives(&old_heartbeat(u64::MAX, 1, status), &mut old);
        assert_eq!(old.pair.said(1, "is followed by none"), 1);
        survives(&old_heartbeat(generation, u64::MAX, status), &mut old);
        assert_eq!(old.pair.said(1, "is followed by none"), 2);
        survives(
            &old_heartbeat(generation, number + 100_000, status),
            &mut old,
        );
        let claim = [("t", "resource"), ("rsc_hold", "local"), ("rtype", "full")];
        survives(&old_message(generation, u64::MAX - 1, &claim), &mut old);
        let memory = old.node().peer_memory();
        assert_eq!(memory.generation, generation, "our next run hears it too");
    }
}

#[test]
fn many_such_messages_make_no_living_peer_dead_either() {
    let mut old = Old::settled(AutoFailback::On);
    for round in 0..40 {
        let stray = old_heartbeat(u64::MAX - 100 + round, 1, "active");
        old.pair.turn(1, Some((LinkId(0), stray)));
        old.lives(Duration::from_millis(700));
        assert_eq!(old.running(), [false, true], "{:#?}", old.pair.log);
    }
    assert_eq!(old.pair.said(1, "is dead"), 0);
}

#[test]
fn a_recording_of_the_run_before_brings_no_dead_peer_back() {
    let mut old = Old::settled(AutoFailback::On);
    let (former, number) = (old.generation, old.number);
    (old.generation, old.number) = (former + 1, 0); // it restarted
    old.lives(Duration::from_secs(10));
    let end = old.pair.now + Duration::from_secs(30);
    for unheard in number + 1.. {
        if old.pair.now > end {
            break;
        }
        old.pair.run(Duration::from_millis(200));
        let recording = old_heartbeat(former, unheard, "active");
        old.pair.turn(1, Some((LinkId(0), recording)));
    }
    assert_eq!(old.pair.said(1, "a: is dead"), 1, "{:#?}", old.pair.log);
    assert_eq!(old.running(), [true, true]);
}

#[test]
fn another_machine_in_the_peer_s_name_that_comes_and_goes_makes_no_living_peer_dead() {
    let mut old = Old::settled(AutoFailback::On);
    for number in 1..300 {
        old.lives(Duration::from_millis(100));
        let namesake = old_heartbeat(old.generation + 1, number, "up");
        old.pair.turn(1, Some((LinkId(0), namesake)));
    }
    old.lives(Duration::from_secs(20));
    assert_eq!(old.running(), [false, true], "{:#?}", old.pair.log);
    assert_eq!(old.pair.said(1, "is dead"), 0, "{:#?}", old.pair.log);
    assert_eq!(old.node().peer_status(), NodeStatus::Active);
}

#[test]
fn only_a_new_message_tells_which_key_the_peer_uses_today() {
    let mut old = Old::settled(AutoFailback::On);
    let recording = old_heartbeat(old.generation, old.number, "active");
    assert_eq!(old.node().peer.key, Some(1));
    old.pair.nodes[1].as_mut().expect("it runs").peer.key = Some(2);
    old.pair.turn(1, Some((LinkId(0), recording)));
    assert_eq!(old.node().peer.key, Some(2), "that was an old one");
    old.beats("active");
    assert_eq!(old.node().peer.key, Some(1));
}

#[test]
fn numbers_that_are_given_up_one_by_one_make_one_line() {
    let mut old = Old::settled(AutoFailback::On);
    old.number += 200;
    old.beats("active");
    let generation = format!("{:x}", old.generation);
    for number in old.number - 190..old.number - 5 {
        let mut message = message::Message::new();
        let number = format!("{number:x}");
        for (name, value) in [
            ("t", "NS_nak_rexmit"),
            ("dest", "b"),
            ("firstseq", &number),
            ("src", "a"),
            ("hg", &generation),
            ("ts", "1"),
        ] {
            message.push_text(name, value);
        }
        let (mut datagram, mut text) = (Vec::new(), Vec::new());
        message::seal(&message, &keys(), 1, true, &mut datagram, &mut text).unwrap();
        old.pair.turn(1, Some((LinkId(1), datagram)));
    }
    assert_eq!(old.pair.said(1, "Irretrievably lost packet"), 1);
}
