//! `auto_failback legacy` with 3.0.6, question by question: what is asked for, what is answered, and when.

use std::time::Duration;

use super::old_peer::{Old, old_heartbeat};
use super::words::said;
use super::*;
use claims::Phase;
use classic::Asking;
use policy::Reason;

const HELD: Claim = Claim::held(Phase::Running);

/// Both are members; ours is `b`, prefers group two, and what it holds is this. Nothing was asked yet.
fn members(mine: [Claim; 2]) -> Old {
    let mut old = Old::settled(AutoFailback::Off);
    let node = old.node_mut();
    node.settings.auto_failback = AutoFailback::Legacy;
    node.questions = classic::Questions::default();
    for (group, claim) in node.ownership.groups.iter_mut().zip(mine) {
        (group.mine, group.theirs) = (Some(claim), None);
    }
    old
}

fn theirs(old: &Old, group: usize) -> Option<Claim> {
    old.node().ownership.groups[group].their_claim()
}

fn asking(old: &Old, group: usize) -> Asking {
    old.node().questions.groups[group]
}

/// The questions and answers of the old protocol among what was sent, with what they are about.
fn talk(sent: &[crate::message::Message]) -> Vec<String> {
    let of_groups = sent
        .iter()
        .filter(|message| message.text("ipaddr").is_some());
    of_groups
        .map(|message| {
            let word = |name| message.text(name).unwrap_or("-").to_owned();
            [word("t"), word("ipaddr"), word("weown"), word("ok")].join(" ")
        })
        .collect()
}

fn ask(old: &mut Old) -> Vec<String> {
    let now = old.pair.now;
    old.node_mut().ask_for_groups(now);
    let mut sent = Vec::new();
    while let Some(action) = old.node_mut().next_action() {
        if let Action::Send(packet) = action {
            let mut message = crate::message::Message::new();
            message::open(&packet.datagram, &keys(), &mut message).expect("our own");
            sent.push(message);
        }
    }
    talk(&sent)
}

#[test]
fn a_member_asks_for_its_own_groups_and_takes_the_others_for_the_peer_s() {
    let mut old = members([Claim::Free, Claim::Free]);
    assert_eq!(ask(&mut old), ["ip-request two - -"]);
    assert_eq!((theirs(&old, 0), theirs(&old, 1)), (Some(HELD), None));
    let since = old.node().peer.incoming.highest();
    assert_eq!(old.node().questions.since, since);
    let again = Some(old.pair.now + Duration::from_secs(2));
    assert_eq!(asking(&old, 1).ask_at, again, "until it answers");
    assert_eq!(asking(&old, 0).ask_at, None);
    assert!(ask(&mut old).is_empty(), "not sooner");
}

#[test]
fn the_first_open_question_is_repeated_often_and_the_others_more_and_more_slowly() {
    let mut old = members([Claim::Free, Claim::Free]);
    old.node_mut().settings.groups[0].prefers_local = true;
    old.node_mut().ownership.groups[0].prefers_local = true;
    let begun = old.pair.now;
    let mut asked = [Vec::new(), Vec::new()];
    for second in 0..70 {
        old.pair.now = begun + Duration::from_secs(second);
        for line in ask(&mut old) {
            asked[usize::from(line.contains(" two "))].push(second);
        }
    }
    assert!(
        asked[0].windows(2).all(|pair| pair[1] - pair[0] == 2),
        "{asked:?}"
    );
    assert_eq!(asked[1], [0, 2, 6, 14, 30, 62]);
}

#[test]
fn where_the_peer_never_stopped_what_it_has_is_asked_for_late_unless_it_runs_here() {
    for (is_return, ending, mine, is_late) in [
        (false, None, Claim::Free, false),
        (true, None, Claim::Free, true),
        (false, Some(Reason::Conflict), HELD, true),
        (true, None, HELD, false),
    ] {
        let mut old = members([Claim::Free, mine]);
        let node = old.node_mut();
        node.questions.is_return = is_return;
        node.ownership.groups[1].ending = ending;
        let asked = ask(&mut old);
        assert_eq!(asked.is_empty(), is_late, "{is_return} {ending:?} {mine:?}");
        if is_late {
            let late = old.pair.now + Duration::from_secs(10);
            assert_eq!(asking(&old, 1).ask_at, Some(late));
        }
    }
}

#[test]
fn what_the_peer_has_or_may_wait_for_is_answered_once_it_is_stopped_here() {
    for (is_return, came_as_member, busy, mine, claim, is_owed) in [
        (false, false, false, HELD, Claim::Free, false),
        (true, false, false, HELD, HELD, true),
        (false, true, false, HELD, HELD, true),
        (false, false, true, HELD, HELD, false),
        (
            false,
            false,
            false,
            Claim::held(Phase::Stopping),
            HELD,
            true,
        ),
        (true, false, false, Claim::Free, HELD, false),
        (false, false, false, Claim::Free, HELD, false),
    ] {
        let mut old = members([mine, HELD]);
        let until = old.pair.now + Duration::from_secs(60);
        let node = old.node_mut();
        node.questions.is_return = is_return;
        node.peer.came_as_member = came_as_member;
        node.peer.takes_over_until = busy.then_some(until);
        let lines = ask(&mut old);
        assert!(!lines.iter().any(|line| line.contains("resp")), "{lines:?}");
        let what = format!("{is_return} {came_as_member} {busy} {mine:?}");
        assert_eq!(theirs(&old, 0), Some(claim), "{what}");
        assert_eq!(asking(&old, 0).owed, is_owed.then_some(true), "{what}");
        old.node_mut().ownership.groups[0].mine = Some(Claim::Free);
        let answered = ask(&mut old).contains(&"ip-request-resp one yes OK".to_owned());
        assert_eq!(answered, is_owed, "{what}");
        assert_eq!(asking(&old, 0).owed, None);
    }
}

fn request(name: &str) -> [(&str, &str); 2] {
    [("t", "ip-request"), ("ipaddr", name)]
}

#[test]
fn a_question_for_what_runs_here_is_answered_after_the_stop_and_for_the_rest_at_once() {
    let mut old = members([HELD, HELD]);
    old.pair.running[1] = vec![true, true];
    let words = talk(&old.answers(&request("one")));
    assert!(
        words.contains(&"ip-request-resp one yes OK".to_owned()),
        "{words:?}"
    );
    assert_eq!(old.running(), [false, true], "it was stopped first");
    let words = talk(&old.answers(&request("one")));
    assert_eq!(words, ["ip-request-resp one no OK"]);
    let misfits = old.node().refused(refusals::RefusalKind::OutOfPlace);
    assert!(talk(&old.answers(&request("three"))).is_empty());
    let found = old.node().refused(refusals::RefusalKind::OutOfPlace);
    assert_eq!(found, misfits + 1, "nobody knows that group");
}

#[test]
fn a_question_is_not_answered_by_one_that_leaves_is_no_member_or_speaks_of_halves() {
    type Change = fn(&mut Cluster);
    for (change, lines) in [
        ((|node| node.leaving = Leaving::Stopping) as Change, 0),
        (|node| node.status = NodeStatus::Up, 0),
        (|node| node.settings.auto_failback = AutoFailback::On, 1),
    ] {
        let mut old = members([HELD, HELD]);
        old.node_mut().questions.groups = vec![Asking::default(); 2];
        change(old.node_mut());
        for _ in 0..2 {
            let now = old.pair.now;
            old.number += 1;
            let bytes = super::old_peer::old_message(old.generation, old.number, &request("one"));
            let link = LinkId(1);
            let bytes = &bytes;
            old.node_mut().handle(now, Event::Received { link, bytes });
            assert_eq!(asking(&old, 0).owed, None);
            assert_eq!(old.node().ownership.groups[0].ending, None);
        }
        while let Some(action) = old.node_mut().next_action() {
            if let Action::Report(report) = action {
                old.pair.log.push((1, report.to_string()));
            }
        }
        assert_eq!(
            old.pair.said(1, "auto_failback differs"),
            lines,
            "told once"
        );
    }
}

#[test]
fn what_was_asked_before_the_peer_came_back_is_not_answered() {
    for (is_return, is_before, expected) in [
        (true, true, false),
        (true, false, true),
        (false, true, true),
    ] {
        let mut old = members([HELD, HELD]);
        let number = old.number + 1;
        let node = old.node_mut();
        node.questions.groups = vec![Asking::default(); 2];
        node.questions.is_return = is_return;
        node.questions.since = number - u64::from(!is_before);
        let words = talk(&old.answers(&request("one")));
        assert_eq!(
            !words.is_empty(),
            expected,
            "{is_return} {is_before}: {words:?}"
        );
    }
}

#[test]
fn an_answer_counts_when_it_is_new_says_yes_and_is_about_what_can_be_started_here() {
    let free = Some(Claim::Free);
    for (name, ok, is_open, is_before, mine, expected) in [
        ("two", "OK", true, false, Claim::Free, free),
        ("two", "ok", true, false, Claim::Free, free),
        ("two", "no", true, false, Claim::Free, None),
        ("two", "OK", true, true, Claim::Free, None),
        ("two", "OK", false, false, Claim::Free, None),
        ("two", "OK", true, false, Claim::held(Phase::Unknown), None),
    ] {
        let mut old = members([Claim::Free, mine]);
        let number = old.number + 1;
        let at = old.pair.now + Duration::from_secs(500);
        let node = old.node_mut();
        node.ownership.groups[1].retry_at = at;
        if is_open {
            let asked = Asking {
                ask_at: Some(at),
                ..Asking::default()
            };
            node.questions.groups = vec![Asking::default(), asked];
        }
        node.questions.since = number - u64::from(!is_before);
        let mut message = crate::message::Message::new();
        for (field, value) in [("t", "ip-request-resp"), ("ipaddr", name), ("ok", ok)] {
            message.push_text(field, value);
        }
        assert!(node.group_answer_heard(&message, number));
        assert_eq!(
            theirs(&old, 1),
            expected,
            "{ok} {is_open} {is_before} {mine:?}"
        );
        if expected.is_some() {
            // Asked once more in half a minute: a takeover may have come after it.
            let sure = old.node().now + Duration::from_secs(30);
            assert!(asking(&old, 1).is_sure);
            assert_eq!(asking(&old, 1).ask_at, Some(sure));
            old.node_mut().group_answer_heard(&message, number + 1);
            assert_eq!(asking(&old, 1).ask_at, Some(sure), "and then no more");
        }
    }
}

#[test]
fn a_question_that_was_answered_is_asked_once_more_and_then_rests() {
    let mut old = members([Claim::Free, HELD]);
    let now = old.pair.now;
    let sure = Asking {
        ask_at: Some(now),
        is_sure: true,
        ..Asking::default()
    };
    old.node_mut().questions.groups = vec![Asking::default(), sure];
    assert_eq!(ask(&mut old), ["ip-request two - -"]);
    assert_eq!(asking(&old, 1).ask_at, None);
}

#[test]
fn a_group_that_came_by_a_reload_is_asked_for_where_it_is_ours_and_else_is_the_peer_s() {
    for (index, is_open) in [(0, true), (1, true), (1, false)] {
        let mut old = members([Claim::Free, Claim::Free]);
        let now = old.pair.now;
        if is_open {
            old.node_mut().questions.groups = vec![Asking::default()];
        }
        old.node_mut().ask_for_new_group(index, now);
        let questions = &old.node().questions;
        assert_eq!(
            questions.is_open(),
            is_open,
            "else it is asked with all others"
        );
        assert_eq!(theirs(&old, index), is_open.then_some(HELD));
        if is_open {
            assert_eq!(questions.groups.len(), 2);
            assert_eq!(asking(&old, index).ask_at, (index == 1).then_some(now));
        }
    }
}

#[test]
fn what_failed_here_is_asked_for_again_when_it_is_tried_again() {
    for (is_sure, group, mine, expected) in [
        (true, 1, Claim::Failed, true),
        (false, 1, Claim::Failed, false),
        (true, 0, Claim::Failed, false),
        (true, 1, HELD, false),
    ] {
        let mut old = members([mine, mine]);
        let now = old.pair.now;
        let due = now + Duration::from_secs(60);
        let answered = Asking {
            is_sure,
            owed: Some(true),
            ..Asking::default()
        };
        let node = old.node_mut();
        node.ownership.groups[group].retry_at = due;
        node.questions.groups = vec![answered; 2];
        node.ask_for_one_again(GroupId(u32::try_from(group).expect("two")), now);
        let found = asking(&old, group);
        assert_eq!(
            found.ask_at,
            Some(due).filter(|_| expected),
            "{is_sure} {group} {mine:?}"
        );
        assert_eq!(found.owed, Some(true), "an answer is owed all the same");
        assert_eq!(found.is_sure, is_sure && !expected);
        assert_eq!(theirs(&old, group), expected.then_some(HELD));
    }
}

#[test]
fn what_is_not_in_the_file_any_more_is_asked_for_no_more() {
    let mut old = members([Claim::Free, Claim::Free]);
    ask(&mut old);
    old.node_mut().ownership.groups[1].is_removed = true;
    old.pair.now = old.pair.now + Duration::from_secs(60);
    assert!(ask(&mut old).is_empty());
    assert_eq!(asking(&old, 1).ask_at, None);
}

#[test]
fn an_old_peer_in_legacy_mode_that_is_heard_again_after_a_while_is_asked_anew() {
    let mut old = members([Claim::Free, HELD]);
    assert!(!ask(&mut old).is_empty());
    old.pair.now = old.pair.now + Duration::from_millis(800);
    old.number += 1;
    let bytes = old_heartbeat(old.generation, old.number, "active");
    let words = talk(&old.hears(&bytes));
    assert_eq!(words, ["ip-request two - -"]);
    assert!(said(&old.sends()).is_empty(), "once");
}
