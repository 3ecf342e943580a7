//! S4, packet by packet: what is for somebody else, old, early, or of another run changes nothing.

use std::time::Duration;

use super::old_peer::{Old, old_heartbeat, old_message};
use super::words::said;
use super::*;
use crate::message::Message;
use refusals::RefusalKind;

/// A message of the peer without a number.
fn unnumbered(generation: u64, fields: &[(&str, &str)]) -> Vec<u8> {
    sealed(generation, fields, None)
}

fn sealed(generation: u64, fields: &[(&str, &str)], uuid: Option<(&str, [u8; 16])>) -> Vec<u8> {
    let mut message = Message::new();
    for (name, value) in fields {
        message.push_text(name, value);
    }
    if let Some((name, uuid)) = uuid {
        message.push_binary(name, &uuid);
    }
    if !fields.iter().any(|(name, _)| *name == "src") {
        message.push_text("src", "a");
    }
    message.push_text("hg", &format!("{generation:x}"));
    message.push_text("ts", "1");
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    message::seal(&message, &keys(), 1, true, &mut datagram, &mut text).unwrap();
    datagram
}

/// A heartbeat of a node of our own kind that answers this generation and epoch of ours.
fn answering(generation: u64, number: u64, (ours, epoch): (u64, u64)) -> Vec<u8> {
    let claims = format!("1 {ours:x}.{epoch:x} 0 - 0 0");
    let fields = [
        ("t", "status"),
        ("st", "active"),
        ("dt", "3e8"),
        ("hr", claims.as_str()),
    ];
    old_message(generation, number, &fields)
}

impl Old {
    fn replays(&self) -> u64 {
        self.node().refused(RefusalKind::Replay)
    }
}

#[test]
fn a_question_is_answered_only_by_the_node_that_is_asked() {
    let (ours, nobody, other) = ([2; 16], [0; 16], [9; 16]);
    for (dest, uuid, expected) in [
        (Some("b"), Some(other), true),
        (Some("B"), None, true),
        (Some("c"), Some(ours), false),
        (None, Some(ours), true),
        (None, Some(nobody), true),
        (None, Some(other), false),
        (None, None, true),
    ] {
        let mut old = Old::settled(AutoFailback::On);
        let number = format!("{:x}", old.number + 1);
        let mut fields = vec![("t", "reqnodes"), ("seq", &number)];
        fields.extend(dest.map(|name| ("dest", name)));
        let uuid = uuid.map(|uuid| ("destuuid", uuid));
        let bytes = sealed(old.generation, &fields, uuid);
        let is_answered = said(&old.hears(&bytes)) == ["repnodes"];
        assert_eq!(is_answered, expected, "{dest:?} {uuid:?}");
    }
}

#[test]
fn what_the_peer_acknowledges_must_have_been_sent_to_it() {
    let mut old = Old::settled(AutoFailback::On);
    let last = old.node().outgoing.last();
    assert!(last > 5);
    let mut acknowledged = |dest, number: u64| {
        let number = format!("{number:x}");
        let fields = [("t", "NS_ackmsg"), ("dest", dest), ("ackseq", &number)];
        let bytes = unnumbered(old.generation, &fields);
        old.hears(&bytes);
        old.node().peer.acknowledged
    };
    assert_eq!(acknowledged("b", 3), 3);
    assert_eq!(acknowledged("b", 2), 3, "an old one");
    assert_eq!(acknowledged("c", 4), 3, "for another node");
    assert_eq!(acknowledged("b", last + 100), 3, "never sent");
    assert_eq!(acknowledged("b", last), last);
    old.node_mut().peer.acknowledged = 0;
    old.node_mut().peer.status = NodeStatus::Dead;
    let fields = [("t", "NS_ackmsg"), ("dest", "b"), ("ackseq", "3")];
    let bytes = unnumbered(old.generation, &fields);
    old.hears(&bytes);
    assert_eq!(
        old.node().peer.acknowledged,
        0,
        "what a dead node says is a recording"
    );
}

#[test]
fn what_is_asked_for_again_must_be_a_range_of_numbers() {
    let mut old = Old::settled(AutoFailback::On);
    for (first, last, expected) in [
        ("0", "1", false),
        ("3", "2", false),
        ("1", "x", false),
        ("2", "3", true),
        ("4", "4", true),
    ] {
        let fields = [
            ("t", "NS_rexmit"),
            ("dest", "b"),
            ("firstseq", first),
            ("lastseq", last),
        ];
        let bytes = unnumbered(old.generation, &fields);
        let is_answered = !old.hears(&bytes).is_empty();
        assert_eq!(is_answered, expected, "{first} to {last}");
    }
}

#[test]
fn the_last_words_of_a_former_run_are_no_replay_for_as_long_as_they_may_be_on_their_way() {
    // Deadtime is a second.
    for (millis, expected) in [(0, 0), (999, 0), (1000, 1), (1500, 1)] {
        let mut old = Old::settled(AutoFailback::On);
        old.generation = 8;
        old.number = 0;
        old.beats("up");
        let left_at = old.pair.now;
        old.node_mut().now = left_at;
        old.pair.now = left_at + Duration::from_millis(millis);
        let bytes = unnumbered(7, &[("t", "NS_ackmsg"), ("ackseq", "1")]);
        old.hears(&bytes);
        assert_eq!(old.replays(), expected, "after {millis} ms");
        let bytes = unnumbered(6, &[("t", "NS_ackmsg"), ("ackseq", "1")]);
        old.hears(&bytes);
        assert_eq!(old.replays(), expected + 1, "one that was before that");
    }
}

#[test]
fn only_a_generation_that_was_never_heard_may_be_a_new_run() {
    let mut old = Old::settled(AutoFailback::On);
    // Its generation went back from 9 to 7, and it has shown that it is no recording.
    old.node_mut().peer.highest_generation = 9;
    let early = |generation| unnumbered(generation, &[("t", "NS_ackmsg"), ("ackseq", "1")]);
    old.hears(&early(10));
    assert_eq!(old.replays(), 0, "its first heartbeat may come later");
    old.hears(&early(9));
    assert_eq!(old.replays(), 1);
    old.hears(&old_heartbeat(9, 1_000, "active"));
    assert_eq!(old.replays(), 2);
    assert_eq!(old.node().peer.generation, 7);
    old.hears(&old_heartbeat(10, 1, "up"));
    assert_eq!(old.replays(), 2);
    assert_eq!(old.node().peer.generation, 10);
}

#[test]
fn a_lower_generation_is_heard_only_when_it_answers_this_very_moment() {
    let mut old = Old::settled(AutoFailback::On);
    let (ours, epoch) = (old.node().settings.generation, old.node().epoch);
    for (said, expected) in [
        ((ours, epoch + 1), 7),
        ((ours, epoch - 1), 7),
        ((ours - 1, epoch), 7),
        ((ours, epoch), 5),
    ] {
        old.hears(&answering(5, 900, said));
        assert_eq!(old.node().peer.generation, expected, "{said:?}");
    }
    assert_eq!(old.replays(), 3);
}

#[test]
fn what_was_agreed_in_an_earlier_conversation_is_not_agreed_in_the_next() {
    let mut old = Old::settled(AutoFailback::On);
    let first = old.node().epoch;
    (old.generation, old.number) = (8, 0);
    old.beats("up");
    assert!(old.node().epoch > first, "it restarted");
    let second = old.node().epoch;
    old.pair.run(Duration::from_secs(3));
    assert!(old.node().epoch > second, "it died");
}

#[test]
fn an_echo_is_no_other_machine_and_what_another_machine_says_counts_once() {
    let mut old = Old::settled(AutoFailback::On);
    let (generation, last) = (old.node().settings.generation, old.node().outgoing.last());
    let in_our_name = |generation: u64, number: u64, uuid| {
        let number = format!("{number:x}");
        let fields = [
            ("t", "status"),
            ("src", "b"),
            ("st", "active"),
            ("seq", number.as_str()),
        ];
        sealed(generation, &fields, Some(("srcuuid", uuid)))
    };
    let total = |old: &Old| old.node().refused(RefusalKind::OurName);
    let ours = [2; 16];
    for (generation, number) in [
        (generation, last),
        (generation, 1),
        (generation - 1, last + 9),
    ] {
        old.hears(&in_our_name(generation, number, ours));
        assert_eq!(total(&old), 0, "{generation} {number}");
    }
    old.hears(&in_our_name(generation, 1, [9; 16]));
    assert_eq!(total(&old), 1, "the uuid of another machine");
    let stranger = in_our_name(generation + 1, 1, ours);
    let at = old.pair.now;
    old.hears(&stranger);
    assert_eq!((total(&old), old.node().namesake_heard), (2, Some(at)));
    old.pair.now = at + Duration::from_millis(100);
    old.hears(&stranger);
    assert_eq!(
        (total(&old), old.node().namesake_heard),
        (3, Some(at)),
        "a recording"
    );
    old.hears(&in_our_name(generation + 1, 2, ours));
    assert_eq!(old.node().namesake_heard, Some(old.pair.now));
}

#[test]
fn that_nothing_is_missing_any_more_is_told_once_after_a_loss_was() {
    let mut old = Old::settled(AutoFailback::On);
    let (told, lost) = ("No pkts missing", "lost packet(s)");
    old.lives(Duration::from_secs(3));
    assert_eq!((old.pair.said(1, told), old.pair.said(1, lost)), (0, 0));
    let missing = old.number + 1;
    old.number += 1;
    old.lives(Duration::from_secs(1));
    assert_eq!(
        (old.pair.said(1, told), old.pair.said(1, lost)),
        (0, 1),
        "{:#?}",
        old.pair.log
    );
    let late = old_heartbeat(old.generation, missing, "active");
    old.pair.turn(1, Some((LinkId(1), late)));
    assert_eq!(old.pair.said(1, told), 1);
    old.lives(Duration::from_secs(3));
    assert_eq!(old.pair.said(1, told), 1);
    // The next loss within a minute is not told, nor its end.
    let missing = old.number + 1;
    old.number += 1;
    old.beats("active");
    old.pair.turn(
        1,
        Some((LinkId(1), old_heartbeat(old.generation, missing, "active"))),
    );
    assert_eq!((old.pair.said(1, told), old.pair.said(1, lost)), (1, 1));
}

#[test]
fn a_former_track_is_taken_up_again_only_when_the_new_one_has_been_silent() {
    let mut old = Old::settled(AutoFailback::On);
    let now = old.pair.now;
    old.hears(&old_heartbeat(700, 1, "active"));
    // Half of deadtime is 500 ms. Two of these would convince.
    for millis in [100, 200, 300, 400] {
        old.pair.now = now + Duration::from_millis(millis);
        old.number += 1;
        let bytes = old_heartbeat(old.generation, old.number, "active");
        old.hears(&bytes);
        assert_eq!(old.node().peer.generation, 700, "after {millis} ms");
    }
    old.pair.now = now + Duration::from_millis(600);
    old.number += 1;
    let bytes = old_heartbeat(old.generation, old.number, "active");
    old.hears(&bytes);
    assert_eq!(old.node().peer.generation, 7);
    assert_eq!(old.pair.said(1, "is followed by none"), 1);
}

#[test]
fn to_a_run_that_was_no_member_no_way_leads_back() {
    for (status, heard, expected) in [
        (NodeStatus::Active, NodeStatus::Active, 7),
        (NodeStatus::Active, NodeStatus::Up, 700),
        (NodeStatus::Up, NodeStatus::Active, 700),
    ] {
        let mut old = Old::settled(AutoFailback::On);
        old.node_mut().status = status;
        old.node_mut().peer.status = heard;
        let now = old.pair.now;
        old.hears(&old_heartbeat(700, 1, "active"));
        for millis in [300, 600, 700] {
            old.pair.now = now + Duration::from_millis(millis);
            old.number += 1;
            let bytes = old_heartbeat(7, old.number, "active");
            old.hears(&bytes);
        }
        assert_eq!(old.node().peer.generation, expected, "{status} {heard}");
    }
}

#[test]
fn what_a_line_may_have_damaged_is_not_put_down_to_the_keys_alone() {
    let told = |link: &str| {
        let (link, detail) = (link.to_owned(), "wrong signature".to_owned());
        let kind = RefusalKind::NotAuthentic;
        let report = Report::Refused {
            kind,
            count: 1,
            link,
            detail,
        };
        report.to_string()
    };
    assert!(told("/dev/ttyS0").contains("bytes were lost on the line, authkeys differs"));
    assert!(told("eth0").contains("they don't authenticate; authkeys differs"));
}

/// After such a packet the loop waits on as it did: nothing may be due before what it knows of.
#[test]
fn what_needs_no_tick_is_counted_and_moves_no_deadline() {
    let mut old = Old::settled(AutoFailback::On);
    let (generation, number, now) = (old.generation, old.number + 1, old.pair.now);
    let beat = old_heartbeat(generation, number, "active");
    let node = old.node_mut();
    let mut hear = |bytes: &[u8]| {
        let before = node.unheeded();
        let link = LinkId(0);
        node.handle(now, Event::Received { link, bytes });
        let is_quiet = !node.has_actions();
        while node.next_action().is_some() {}
        (node.unheeded() - before, is_quiet, node.next_deadline())
    };
    let (unheeded, _, deadline) = hear(&beat);
    assert_eq!(unheeded, 0, "news");
    let mut forged = beat.clone();
    if let Some(byte) = forged.iter_mut().find(|byte| **byte == b'a') {
        *byte = b'b';
    }
    let former = old_heartbeat(generation - 1, number + 1, "active");
    let noise = [&beat[..], &forged, &former, b"noise", b"", &[7; 1400]];
    for round in 0..2 {
        for bytes in noise {
            let (unheeded, is_quiet, due) = hear(bytes);
            assert_eq!((unheeded, due), (1, deadline), "{}", bytes.escape_ascii());
            // The first of a kind is told.
            assert!(is_quiet || round == 0, "{}", bytes.escape_ascii());
        }
    }
    assert_eq!(hear(&old_heartbeat(generation, number + 1, "active")).0, 0);
}
