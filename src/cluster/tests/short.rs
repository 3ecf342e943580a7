//! Short heartbeats on serial lines: when they go out, what they are taken for, and what they are not.

use super::super::known;
use super::super::refusals::RefusalKind;
use super::old_peer::{old_heartbeat, old_message};
use super::*;
use crate::cluster::Packet;
use crate::message::{Message, SignedShort, is_short};
use std::rc::Rc;

const KEEPALIVE: Duration = Duration::from_millis(200);
const DEADTIME: Duration = Duration::from_secs(1);
const LINE: LinkId = LinkId(0);

/// Both nodes, with one serial line and two networks.
fn with_a_line() -> Pair {
    let mut pair = Pair::new(AutoFailback::On);
    pair.link_names[0] = "/dev/ttyS0";
    pair
}

/// With that line alone.
fn line_alone() -> Pair {
    let mut pair = with_a_line();
    (pair.wires[1], pair.wires[2]) = ([false; 2], [false; 2]);
    pair
}

fn together(mut pair: Pair) -> Pair {
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.texts.clear();
    pair
}

/// How many heartbeats a node sent on the line, and how many of those were short.
fn counted(pair: &Pair, node: usize) -> (usize, usize) {
    let texts = pair.texts.iter().filter(|text| text.0 == node);
    let short = texts.clone().filter(|text| is_short(&text.3));
    (texts.count(), short.count())
}

fn shorts(pair: &Pair, node: usize) -> Vec<Vec<u8>> {
    let texts = pair.texts.iter();
    let texts = texts.filter(|text| text.0 == node && is_short(&text.3));
    texts.map(|text| text.3.clone()).collect()
}

/// A node is given bytes; what it sends then goes nowhere.
fn hears(pair: &mut Pair, node: usize, link: LinkId, bytes: &[u8]) {
    let cluster = pair.nodes[node].as_mut().expect("it runs");
    cluster.handle(pair.now, Event::Received { link, bytes });
    cluster.handle(pair.now, Event::Tick);
    while let Some(action) = cluster.next_action() {
        if let Action::Report(report) = action {
            pair.log.push((node, report.to_string()));
        }
    }
}

fn refused(pair: &Pair, node: usize, kind: RefusalKind) -> u64 {
    pair.nodes[node].as_ref().expect("it runs").refused(kind)
}

fn cut_off(pair: &mut Pair) {
    pair.wires = [[false; 2]; LINKS];
}

#[test]
fn a_line_alone_carries_short_heartbeats_and_nothing_is_late() {
    for pair in [line_alone(), with_a_line()] {
        let mut pair = together(pair);
        pair.run(Duration::from_secs(60));
        for node in 0..2 {
            let (all, short) = counted(&pair, node);
            assert!((299..=301).contains(&all), "{all}");
            assert_eq!(short, all, "nothing has changed");
            for text in shorts(&pair, node) {
                assert!(text.len() <= 48, "{}", String::from_utf8_lossy(&text));
            }
            for kind in refusals::KINDS {
                assert_eq!(refused(&pair, node, kind), 0, "{kind:?}");
            }
            assert_eq!(pair.said(node, "Late heartbeat"), 0, "{:#?}", pair.log);
            assert_eq!(pair.said(node, "is dead"), 0, "{:#?}", pair.log);
            let cluster = pair.nodes[node].as_ref().expect("it runs");
            assert_eq!(cluster.way(LINE), Way::Both);
            assert_eq!(cluster.peer.incoming.missing(), 0);
        }
    }
}

/// What a node sends to acknowledge a number.
fn acknowledgement(pair: &mut Pair, node: usize) -> Option<Rc<Packet>> {
    let cluster = pair.nodes[node].as_mut().expect("it runs");
    cluster.send_acknowledgement(5);
    let mut sent = None;
    while let Some(action) = cluster.next_action() {
        if let Action::Send(packet) = action {
            sent = Some(packet);
        }
    }
    sent
}

#[test]
fn an_acknowledgement_is_spared_a_line_between_two_of_ours_and_no_network() {
    let mut pair = together(with_a_line());
    let packet = acknowledgement(&mut pair, 0).expect("for the networks");
    assert!(packet.text.is_empty() && !packet.datagram.is_empty());
    let mut message = Message::new();
    message::open(&packet.datagram, &keys(), &mut message).expect("a good one");
    assert_eq!(message.text("ackseq"), Some("5"));

    let mut pair = with_a_line();
    pair.link_names = ["/dev/ttyS0", "/dev/ttyS1", "/dev/ttyS2"];
    let mut pair = together(pair);
    assert!(acknowledgement(&mut pair, 1).is_none(), "there is none");
}

/// Whatever a peer has shown in a former run: only what this run of it says counts.
#[test]
fn a_peer_that_says_nothing_of_states_gets_acknowledgements_on_a_line() {
    let mut pair = together(line_alone());
    pair.kill(0);
    let bytes = &old_heartbeat(1_000_000, 1, "up");
    hears(&mut pair, 1, LINE, bytes);
    let packet = acknowledgement(&mut pair, 1).expect("for all links");
    let mut message = Message::new();
    message::open(&packet.text, &keys(), &mut message).expect("a good one");
    assert_eq!(message.text("t"), Some("NS_ackmsg"));
}

/// What was lost before anything acknowledged it, and long after, is still sent again.
#[test]
fn what_is_lost_on_a_line_without_acknowledgements_is_sent_again() {
    let mut pair = together(line_alone());
    pair.run(Duration::from_secs(20));
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    assert_eq!(cluster.peer.acknowledged, 0, "nothing was");
    cluster.send_node_list_request();
    while cluster.next_action().is_some() {} // and this is lost
    let lost = cluster.outgoing.last();
    pair.run(Duration::from_secs(2));
    let cluster = pair.nodes[1].as_ref().expect("it runs");
    assert_eq!(cluster.peer.incoming.missing(), 0);
    assert!(cluster.peer.incoming.highest() > lost);
    assert_eq!(pair.said(1, "lost packet"), 1, "{:#?}", pair.log);
}

#[test]
fn what_changes_is_said_in_full_at_once_and_short_ones_follow() {
    let mut pair = together(line_alone());
    let request = Event::MoveRequested(MoveRequest::Standby(Selection::All));
    pair.nodes[0]
        .as_mut()
        .expect("it runs")
        .handle(pair.now, request);
    pair.turn(0, None);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.owners(), [[false, false], [true, true]]);
    for node in 0..2 {
        let (all, short) = counted(&pair, node);
        assert!(short < all && all < 2 * short, "{short} of {all}");
    }
    pair.texts.clear();
    pair.run(Duration::from_secs(2));
    assert_eq!(counted(&pair, 0), (10, 10));
}

#[test]
fn lost_short_ones_are_not_asked_for() {
    let mut pair = together(line_alone());
    pair.wires[0] = [false; 2];
    pair.run(KEEPALIVE * 3);
    pair.wires[0] = [true; 2];
    pair.run(Duration::from_secs(10));
    for node in 0..2 {
        let lines = [pair.said(node, "lost packet"), pair.said(node, "is dead")];
        assert_eq!(lines, [0, 0], "{:#?}", pair.log);
        let cluster = pair.nodes[node].as_ref().expect("it runs");
        assert_eq!(cluster.peer.incoming.missing(), 0);
    }
}

/// A line on which nothing long gets through: both live on, and neither believes anything of the other that it
/// has not said in full.
#[test]
fn where_the_full_one_is_lost_short_ones_prove_life_and_nothing_else() {
    let mut pair = together(line_alone());
    pair.carries_text = is_short;
    pair.fails_to_start = [true; 2];
    let broken = Event::Group {
        group: GroupId(0),
        outcome: GroupOutcome::Broken,
    };
    pair.nodes[0]
        .as_mut()
        .expect("it runs")
        .handle(pair.now, broken);
    pair.turn(0, None);
    pair.run(DEADTIME * 5);
    assert_eq!(pair.owners(), [[false, false], [false, true]]);
    for node in 0..2 {
        assert_eq!(pair.said(node, "is dead"), 0, "{:#?}", pair.log);
        assert_eq!(pair.said(node, "ttyS0 dead"), 0, "{:#?}", pair.log);
    }
    let view = |pair: &Pair| {
        let cluster = pair.nodes[1].as_ref().expect("it runs");
        format!("{:?}", cluster.group(GroupId(0)))
    };
    let before = view(&pair);
    // The full one goes out again and again, in between its signs of life.
    let (all, short) = counted(&pair, 0);
    assert!((8..=11).contains(&(all - short)), "{short} of {all}");
    pair.carries_text = |_| true;
    pair.run(Duration::from_secs(1));
    assert_ne!(view(&pair), before, "now it has heard");
    for node in 0..2 {
        assert_eq!(pair.said(node, "Late heartbeat"), 0, "{:#?}", pair.log);
    }
}

/// A node that has just begun: its first heartbeat gets through, then nothing long for longer than deadtime.
#[test]
fn short_ones_of_a_node_that_begins_prove_its_life_too() {
    let mut pair = together(line_alone());
    pair.kill(1);
    pair.carries_text = |text| {
        let full = String::from_utf8_lossy(text);
        is_short(text) || full.contains("src=a\n") || full.contains("st=init\n")
    };
    pair.start(1);
    pair.run(DEADTIME * 3);
    let restarted = pair.said(0, "Heartbeat restart on node b");
    assert_eq!(restarted, 1, "{:#?}", pair.log);
    assert!(!shorts(&pair, 1).is_empty());
    assert_eq!(pair.said(0, "is dead"), 0, "{:#?}", pair.log);
}

#[test]
fn a_recorded_one_proves_no_life_on_whatever_link_it_is_sent_again() {
    let mut pair = together(with_a_line());
    pair.run(Duration::from_secs(2));
    let recorded = shorts(&pair, 0);
    assert!(recorded.len() >= 10);
    cut_off(&mut pair);
    pair.run(KEEPALIVE / 2);
    let died = pair.now + DEADTIME + KEEPALIVE;
    for place in (0..recorded.len()).cycle() {
        pair.now = pair.now + Duration::from_millis(20);
        let link = LinkId(u8::try_from(place % LINKS).expect("small"));
        hears(&mut pair, 1, link, &recorded[place]);
        if pair.said(1, "node a: is dead") > 0 {
            break;
        }
        assert!(pair.now < died, "it is kept alive");
    }
    for line in recorded {
        hears(&mut pair, 1, LINE, &line);
    }
    let cluster = pair.nodes[1].as_ref().expect("it runs");
    assert_eq!(cluster.peer.status, NodeStatus::Dead);
}

/// The same for those whose state was not known when they came first.
#[test]
fn a_sign_of_life_counts_once() {
    let mut pair = together(line_alone());
    pair.carries_text = is_short;
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    cluster.send_node_list_request(); // another state begins, and the full one that tells it is lost
    pair.turn(0, None);
    pair.texts.clear();
    pair.run(KEEPALIVE * 3);
    let recorded = shorts(&pair, 0);
    let highest = |pair: &Pair| {
        let cluster = pair.nodes[1].as_ref().expect("it runs");
        (cluster.peer.incoming.highest(), cluster.peer.last_heard)
    };
    let (number, heard) = highest(&pair);
    assert!(heard + KEEPALIVE >= pair.now, "{:#?}", pair.log);
    cut_off(&mut pair);
    for line in recorded.iter().rev().cycle().take(50) {
        pair.now = pair.now + Duration::from_millis(1);
        hears(&mut pair, 1, LINE, line);
    }
    assert_eq!(highest(&pair), (number, heard), "nothing is new");
}

#[test]
fn what_a_former_run_said_is_ignored_for_a_while_and_refused_later() {
    let mut pair = together(line_alone());
    pair.run(Duration::from_secs(1));
    let recorded = shorts(&pair, 0);
    pair.kill(0);
    pair.start(0);
    pair.run(KEEPALIVE);
    let last_heard = |pair: &Pair| {
        let cluster = pair.nodes[1].as_ref().expect("it runs");
        (cluster.peer.generation, cluster.peer.last_heard)
    };
    for refusals in [0, u64::try_from(recorded.len()).expect("few")] {
        let before = last_heard(&pair);
        for line in &recorded {
            hears(&mut pair, 1, LINE, line);
        }
        assert_eq!(last_heard(&pair), before);
        assert_eq!(refused(&pair, 1, RefusalKind::NotAuthentic), refusals);
        pair.run(Duration::from_secs(3));
    }
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
}

#[test]
fn a_run_of_ours_that_has_just_begun_takes_nothing_of_what_was_said_to_the_last() {
    let mut pair = together(line_alone());
    pair.run(Duration::from_secs(1));
    let recorded = shorts(&pair, 0);
    pair.kill(1);
    pair.wires[0] = [false; 2];
    pair.start(1);
    for line in &recorded {
        hears(&mut pair, 1, LINE, line);
    }
    let cluster = pair.nodes[1].as_ref().expect("it runs");
    assert_eq!(cluster.peer.status, NodeStatus::Init);
    assert!(!cluster.peer.heard_in_this_run && !cluster.links.is_up(LINE));
    pair.wires[0] = [true; 2];
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.texts.clear();
    pair.run(Duration::from_secs(2));
    assert_eq!(counted(&pair, 0), (10, 10));
}

/// What is sent while nobody knows of a new run must be able to make it known (seed 51 of the long runs).
#[test]
fn a_new_run_sends_full_ones_until_the_other_node_has_heard_of_it() {
    let mut pair = together(line_alone());
    pair.run(Duration::from_secs(1));
    pair.kill(0);
    pair.wires[0][0] = false;
    pair.start(0);
    pair.texts.clear();
    pair.run(KEEPALIVE * 2);
    assert_eq!(counted(&pair, 0).1, 0, "none is short");
    pair.wires[0][0] = true;
    pair.run(KEEPALIVE + KEEPALIVE / 4);
    for node in 0..2 {
        assert_eq!(pair.said(node, "is dead"), 0, "{:#?}", pair.log);
        assert_eq!(refused(&pair, node, RefusalKind::NotAuthentic), 0);
    }
    let cluster = pair.nodes[1].as_ref().expect("it runs");
    assert_eq!(cluster.peer.generation, pair.generation);
}

#[test]
fn one_damaged_byte_is_refused_and_changes_nothing() {
    let mut pair = together(line_alone());
    pair.run(Duration::from_secs(1));
    pair.wires[0] = [false; 2];
    pair.texts.clear();
    pair.run(KEEPALIVE);
    let line = shorts(&pair, 0).pop().expect("it was not carried");
    let heard = |pair: &Pair| {
        let cluster = pair.nodes[1].as_ref().expect("it runs");
        (cluster.peer.last_heard, cluster.peer.incoming.highest())
    };
    let before = heard(&pair);
    for place in 0..line.len() {
        let mut damaged = line.clone();
        damaged[place] ^= 1;
        hears(&mut pair, 1, LINE, &damaged);
    }
    assert_eq!(heard(&pair), before);
    let refusals = [RefusalKind::Malformed, RefusalKind::NotAuthentic];
    let refusals = refusals.map(|kind| refused(&pair, 1, kind));
    assert_eq!(
        refusals.iter().sum::<u64>(),
        u64::try_from(line.len()).expect("short")
    );
    // As it is, it is good; on a network it is not even looked at, and neither is our own that comes back.
    let own = shorts(&pair, 1).pop().expect("it was not carried");
    hears(&mut pair, 1, LINE, &own);
    hears(&mut pair, 1, LinkId(1), &line);
    assert_eq!(heard(&pair), before);
    assert_eq!(refused(&pair, 1, RefusalKind::NotAuthentic), refusals[1]);
    assert_eq!(refused(&pair, 1, RefusalKind::Malformed), refusals[0] + 1);
    hears(&mut pair, 1, LINE, &line);
    assert_eq!(heard(&pair).0, pair.now);
}

#[test]
fn with_another_key_nothing_counts_that_the_former_one_signed() {
    let mut pair = together(line_alone());
    pair.run(Duration::from_secs(1));
    let mut others = keys();
    others.entries[1].as_mut().expect("a key").text = b"another".to_vec();
    let reload = |pair: &mut Pair, node: usize| {
        let event = Event::KeysChanged(Box::new(others.clone()));
        pair.nodes[node]
            .as_mut()
            .expect("it runs")
            .handle(pair.now, event);
    };
    reload(&mut pair, 1);
    pair.texts.clear();
    pair.run(KEEPALIVE * 2);
    assert!(refused(&pair, 1, RefusalKind::NotAuthentic) >= 2);
    reload(&mut pair, 0);
    pair.texts.clear();
    pair.run(Duration::from_secs(2));
    for node in 0..2 {
        assert_eq!(pair.said(node, "is dead"), 0, "{:#?}", pair.log);
        let (all, short) = counted(&pair, node);
        assert!(short < all, "the state was told anew");
    }
    pair.texts.clear();
    pair.run(Duration::from_secs(2));
    assert_eq!(counted(&pair, 0), (10, 10));
}

/// To 3.0.6 a node with a serial line says what one without says, byte for byte.
#[test]
fn with_a_peer_of_heartbeat_3_0_6_nothing_is_short_and_nothing_is_added() {
    let said = |names: [&'static str; LINKS]| {
        let mut pair = Pair::new(AutoFailback::On);
        pair.link_names = names;
        pair.start(1);
        let mut sent = Vec::new();
        for number in 1..30 {
            pair.now = pair.now + KEEPALIVE;
            let cluster = pair.nodes[1].as_mut().expect("it runs");
            let bytes = &old_heartbeat(7, number, "active");
            let link = LINE;
            cluster.handle(pair.now, Event::Received { link, bytes });
            cluster.handle(pair.now, Event::Tick);
            while let Some(action) = cluster.next_action() {
                if let Action::Send(packet) = action {
                    assert_eq!((packet.link, packet.is_short), (None, false));
                    sent.push(packet.text.clone());
                }
            }
        }
        sent
    };
    let with_a_line = said(["/dev/ttyS0", "link1", "link2"]);
    assert!(with_a_line.len() > 29);
    assert_eq!(with_a_line, said(["link0", "link1", "link2"]));
}

#[test]
fn a_peer_that_comes_back_as_heartbeat_3_0_6_gets_full_ones() {
    let mut pair = together(line_alone());
    pair.run(Duration::from_secs(1));
    pair.kill(0);
    pair.texts.clear();
    let generation = 1_000_000;
    for number in 1..20 {
        pair.now = pair.now + KEEPALIVE;
        let cluster = pair.nodes[1].as_mut().expect("it runs");
        let bytes = &old_heartbeat(generation, number, "up");
        cluster.handle(pair.now, Event::Received { link: LINE, bytes });
        cluster.handle(pair.now, Event::Tick);
        while let Some(action) = cluster.next_action() {
            let Action::Send(packet) = action else {
                continue;
            };
            assert!(!packet.is_short, "{number}");
            let mut message = Message::new();
            message::open(&packet.text, &keys(), &mut message).expect("a full one");
            assert_eq!(message.text(known::FIELD), None, "{number}");
        }
    }
}

/// The last word of a node that comes back as the old program, out of its former run, is for nobody.
#[test]
fn a_peer_of_heartbeat_3_0_6_can_t_say_anything_short() {
    let mut pair = together(line_alone());
    pair.run(KEEPALIVE);
    let recorded = shorts(&pair, 0);
    pair.kill(0);
    let bytes = old_message(
        1_000_000,
        1,
        &[("t", "status"), ("st", "up"), ("dt", "3e8")],
    );
    hears(&mut pair, 1, LINE, &bytes);
    pair.now = pair.now + KEEPALIVE;
    for line in &recorded {
        hears(&mut pair, 1, LINE, line);
    }
    let cluster = pair.nodes[1].as_ref().expect("it runs");
    assert_eq!(cluster.peer.last_heard + KEEPALIVE, pair.now);
}

/// While a peer is not told of states in short, they may come and go and come again.
#[test]
fn a_state_begins_anew_after_another_one_whoever_was_told_of_that() {
    let mut pair = together(line_alone());
    pair.run(KEEPALIVE);
    let since = |pair: &Pair| {
        let line = shorts(pair, 0).pop().expect("a short one");
        SignedShort::parse(&line).expect("our own").short.since
    };
    let first = since(&pair);
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    cluster.shorts.forget(); // as if the peer had not said that it understands
    cluster.send_heartbeat(pair.now);
    let between = cluster.outgoing.last();
    pair.run(Duration::from_secs(2));
    assert!(first < between && between < since(&pair));
}

#[test]
fn every_other_message_begins_a_state_anew() {
    let mut pair = together(line_alone());
    pair.run(KEEPALIVE);
    pair.texts.clear();
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    cluster.send_hardware();
    cluster.send_node_list_request();
    let number = cluster.outgoing.last();
    pair.run(Duration::from_secs(2));
    for line in shorts(&pair, 0) {
        let short = SignedShort::parse(&line).expect("our own").short;
        assert!(short.since > number, "{short}");
    }
    assert_eq!(counted(&pair, 0), (10, 9), "one full one");
}

/// A full heartbeat that was lost, with a sign of life behind it.
fn lost_before_a_sign_of_life() -> (Pair, Vec<Vec<u8>>) {
    let mut pair = together(line_alone());
    pair.carries_text = is_short;
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    cluster.send_node_list_request(); // another state begins, and the full one that tells it is lost
    pair.turn(0, None);
    pair.texts.clear();
    pair.run(KEEPALIVE * 3);
    let texts = pair.texts.iter();
    let full = texts.filter(|text| text.0 == 0 && !is_short(&text.3));
    let full: Vec<_> = full.map(|text| text.3.clone()).collect();
    assert!(!full.is_empty() && !shorts(&pair, 0).is_empty());
    (pair, full)
}

#[test]
fn what_was_lost_before_a_sign_of_life_brings_no_dead_node_back() {
    let (mut pair, full) = lost_before_a_sign_of_life();
    pair.kill(0);
    pair.run(DEADTIME * 2);
    for text in full {
        hears(&mut pair, 1, LINE, &text);
    }
    let cluster = pair.nodes[1].as_ref().expect("it runs");
    assert_eq!(cluster.peer.status, NodeStatus::Dead, "{:#?}", pair.log);
}

#[test]
fn nor_does_it_to_a_node_that_was_started_again() {
    let (pair, _) = lost_before_a_sign_of_life();
    let node = pair.nodes[1].as_ref().expect("it runs");
    let counted = node.shorts.counted;
    assert!(counted.1 > node.peer.incoming.highest());
    let memory = node.peer_memory();
    assert_eq!((memory.generation, memory.sequence), counted);
}

#[test]
fn a_pause_of_our_own_makes_no_sign_of_life_late() {
    let (mut pair, _) = lost_before_a_sign_of_life();
    cut_off(&mut pair);
    pair.texts.clear();
    pair.run(KEEPALIVE * 2);
    let line = shorts(&pair, 0).pop().expect("it was not carried");
    pair.now = pair.now + DEADTIME * 3;
    hears(&mut pair, 1, LINE, &line);
    let cluster = pair.nodes[1].as_ref().expect("it runs");
    assert_eq!(cluster.shorts.lived, Some(pair.now));
    assert_eq!(pair.said(1, "This node did not run for"), 1);
    assert_eq!(pair.said(1, "Late heartbeat"), 0, "{:#?}", pair.log);
}
