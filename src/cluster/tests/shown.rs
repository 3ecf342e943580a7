//! What is shown of a node, how bad what it tells is, and what it says with every message.

use std::time::Duration;

use super::old_peer::{Old, old_message};
use super::words::said;
use super::*;
use crate::message::Message;
use claims::Phase;
use movement::MoveProgress;

const DEAD: NodeStatus = NodeStatus::Dead;

fn node() -> String {
    "a".into()
}

#[test]
fn how_bad_it_is_follows_from_what_it_may_cost() {
    let key = || "one".to_owned();
    let link = || "link0".to_owned();
    let movement = |progress| {
        Report::MoveEnded(Movement {
            number: 1,
            request: MoveRequest::Standby(Selection::All),
            progress,
        })
    };
    let broken = |is_left| Report::GroupBroken {
        key: key(),
        is_left,
    };
    let frozen = GroupReport::Frozen {
        key: key(),
        failures: 8,
    };
    let readiness = |is_ready| {
        Report::Group(GroupReport::PeerReadiness {
            node: node(),
            key: key(),
            is_ready,
        })
    };
    for (report, expected) in [
        (Report::Group(frozen), Severity::Crit),
        (readiness(false), Severity::Warn),
        (readiness(true), Severity::Info),
        (Report::NodeDead { node: node() }, Severity::Warn),
        (Report::NoFencing, Severity::Warn),
        (Report::PeerIsDeaf { node: node() }, Severity::Warn),
        (
            Report::LinkDown {
                node: node(),
                link: link(),
            },
            Severity::Warn,
        ),
        (
            Report::LinkUp {
                node: node(),
                link: link(),
            },
            Severity::Info,
        ),
        (Report::FilesDiffer { node: node() }, Severity::Error),
        (broken(true), Severity::Error),
        (broken(false), Severity::Crit),
        (Report::GroupStopFailed { key: key() }, Severity::Crit),
        (
            Report::Stalled {
                gap: Duration::from_secs(3),
                groups: 1,
            },
            Severity::Crit,
        ),
        (
            movement(MoveProgress::Failed(MoveFailure::NoAnswer)),
            Severity::Error,
        ),
        (movement(MoveProgress::Done), Severity::Info),
        (
            Report::Fencing(FencingReport::Reset { node: node() }),
            FencingReport::Reset { node: node() }.severity(),
        ),
        (
            Report::Fencing(FencingReport::StillHeard { node: node() }),
            FencingReport::StillHeard { node: node() }.severity(),
        ),
        (
            Report::Ping(PingReport::Dead { node: node() }),
            Severity::Warn,
        ),
        (Report::Ping(PingReport::Balanced), Severity::Info),
        (Report::CommunicationUp, Severity::Info),
    ] {
        assert_eq!(report.severity(), expected, "{report}");
    }
    assert!(FencingReport::StillHeard { node: node() }.severity() > Severity::Info);
}

#[test]
fn every_word_that_an_operator_reads_is_there() {
    let words = [
        Severity::Debug,
        Severity::Info,
        Severity::Notice,
        Severity::Warn,
        Severity::Error,
        Severity::Crit,
    ];
    let words = words.map(Severity::word);
    assert_eq!(words, ["debug", "info", "notice", "WARN", "ERROR", "CRIT"]);
    assert_eq!(
        [CarrierState::Up, CarrierState::Lost].map(|state| state.to_string()),
        ["up", "lost"]
    );
    let states = [
        GroupState::Stopped,
        GroupState::Running,
        GroupState::Unknown,
    ];
    assert_eq!(
        states.map(|state| state.to_string()),
        ["stopped", "running", "unknown"]
    );
    let refusals = [
        ConfirmationRefusal::Heard.to_string(),
        ConfirmationRefusal::NotDeadYet.to_string(),
        ConfirmationRefusal::NothingWaits.to_string(),
        ReloadRefusal::Leaving.to_string(),
        ReloadRefusal::Passing("one".into()).to_string(),
        Unsendable::NoType.to_string(),
        Unsendable::TooLarge.to_string(),
    ];
    for (index, text) in refusals.iter().enumerate() {
        assert!(text.len() > 10, "{text}");
        assert!(!refusals[..index].contains(text), "{text}");
    }
    for (count, expected) in [(1, false), (2, true)] {
        let report = Report::IrretrievablyLost {
            node: node(),
            number: 7,
            count,
        };
        let text = report.to_string();
        assert_eq!(
            text.contains("since the last such line"),
            expected,
            "{text}"
        );
    }
}

#[test]
fn what_is_shown_of_a_node_is_what_it_has() {
    let mut old = Old::settled(AutoFailback::On);
    assert!(old.node().link_is_up(LinkId(1)) && !old.node().link_is_up(LinkId(0)));
    assert!(old.node().is_communicating());
    assert_eq!(old.node().holdings(), Holdings::Local);
    old.node_mut().status = NodeStatus::Up;
    assert!(!old.node().is_communicating());
    assert_eq!(old.node().holdings(), Holdings::Transition);
    old.node_mut().status = NodeStatus::Active;
    old.node_mut().ownership.groups[0].mine = Some(Claim::held(Phase::Starting));
    assert_eq!(old.node().holdings(), Holdings::Transition);
    old.node_mut().ownership.groups[0].mine = Some(Claim::Free);
    // Whether the peer is down is not known; one that leaves waits for nothing.
    old.node_mut().peer.status = DEAD;
    assert_eq!(old.node().holdings(), Holdings::Local);
    old.node_mut().fencing.stage = FencingStage::Trying;
    assert_eq!(old.node().holdings(), Holdings::Transition);
    old.node_mut().leaving = Leaving::Stopping;
    assert_eq!(old.node().holdings(), Holdings::Local);
}

#[test]
fn of_a_peer_is_remembered_what_keeps_its_recordings_old() {
    let mut old = Old::settled(AutoFailback::On);
    let memory = old.node().peer_memory();
    assert_eq!((memory.generation, memory.sequence), (7, old.number));
    old.node_mut().peer.highest_generation = 9;
    let memory = old.node().peer_memory();
    assert_eq!((memory.generation, memory.sequence), (9, u64::MAX));
}

#[test]
fn the_highest_number_is_remembered_once_in_a_while_and_when_the_peer_restarts() {
    let mut old = Old::settled(AutoFailback::On);
    let remembered = |node: &mut Cluster| {
        let mut count = 0;
        while let Some(action) = node.next_action() {
            count += usize::from(matches!(action, Action::RememberPeer(_)));
        }
        count
    };
    for (number, expected) in [
        (255, 0),
        (256, 1),
        (265, 1),
        (266, 0),
        (511, 0),
        (512, 1),
        (1000, 0),
    ] {
        old.node_mut().send_acknowledgement(number);
        assert_eq!(remembered(old.node_mut()), expected, "{number}");
    }
    old.node_mut().peer_runs_anew();
    assert_eq!(remembered(old.node_mut()), 1);
}

#[test]
fn an_old_peer_is_spoken_to_with_the_key_that_it_signs_with_itself() {
    let mut old = Old::settled(AutoFailback::On);
    let mut entries = keys();
    entries.entries[3] = entries.entries[1].clone();
    entries.entries[2] = entries.entries[1].clone();
    entries.signing = 2;
    old.node_mut().settings.keys = entries;
    let mut key = |is_classic, theirs| {
        let node = old.node_mut();
        (node.peer.is_classic, node.peer.key) = (is_classic, theirs);
        node.send_goodbye();
        let mut found = None;
        while let Some(action) = node.next_action() {
            if let Action::Send(packet) = action {
                let mut message = Message::new();
                let opened = message::open(&packet.datagram, &node.settings.keys, &mut message);
                assert_eq!(message.text("t"), Some("shutdone"));
                found = opened.ok().map(|opened| opened.key);
            }
        }
        found
    };
    assert_eq!(key(true, Some(3)), Some(3));
    assert_eq!(key(true, Some(9)), Some(2), "we have no such entry");
    assert_eq!(key(true, None), Some(2));
    assert_eq!(
        key(false, Some(3)),
        Some(2),
        "our own kind needs no such thing"
    );
}

#[test]
fn what_is_lost_is_asked_for_when_it_is_due_and_of_no_dead_peer() {
    let mut old = Old::settled(AutoFailback::On);
    assert_eq!(old.node().next_request_at(), None);
    old.number += 2;
    old.beats("active");
    let due = old.node().next_request_at().expect("two are missing");
    assert!(due > old.pair.now && due <= old.pair.now + Duration::from_millis(250));
    assert!(old.node().next_deadline() <= due);
    old.pair.now = due;
    let words = said(&old.sends());
    assert_eq!(words, ["NS_rexmit"]);
    old.node_mut().peer.status = DEAD;
    assert_eq!(old.node().next_request_at(), None);
    old.pair.now = due + Duration::from_secs(1);
    old.node_mut()
        .send_retransmission_requests(due + Duration::from_secs(1));
    assert!(old.node_mut().next_action().is_none());
}

#[test]
fn a_loss_is_told_once_a_minute() {
    let mut old = Old::settled(AutoFailback::On);
    for (seconds, lines) in [(0, 1), (59, 1), (2, 2)] {
        old.lives(Duration::from_secs(seconds));
        old.number += 1;
        old.lives(Duration::from_millis(600));
        let found = old.pair.said(1, "lost packet(s) for [a]");
        assert_eq!(found, lines, "{:#?}", old.pair.log);
    }
}

#[test]
fn a_question_that_overtakes_the_end_of_the_run_before_is_answered_to_whom_it_belongs() {
    let mut old = Old::settled(AutoFailback::On);
    let question = [("t", "reqnodes"), ("dest", "b")];
    let bytes = old_message(old.generation, old.number + 1, &question);
    let sent = old.hears(&bytes);
    let answer = sent
        .iter()
        .find(|message| message.text("t") == Some("repnodes"));
    let answer = answer.expect("it is answered");
    assert_eq!(answer.text("nodelist"), Some("a b "));
    assert_eq!(answer.text("dest"), Some("a"));
}

#[test]
fn what_follows_a_failed_start_depends_on_who_could_try_instead() {
    let mut pair = Pair::together(AutoFailback::Off);
    let now = pair.now;
    let ownership = &mut pair.nodes[0].as_mut().expect("it runs").ownership;
    let failed = Some(Claim::Failed);
    for (relation, theirs, prefers, expected) in [
        (Relation::Talking, Claim::Free, true, "Left"),
        (Relation::Talking, Claim::Failed, false, "LeftAgain"),
        (Relation::Talking, Claim::Failed, true, "Failed"),
        (
            Relation::Halves { settled: true },
            Claim::Free,
            true,
            "Classic",
        ),
        (Relation::Gone { died: true }, Claim::Free, false, "Nobody"),
        (Relation::Unheard, Claim::Failed, true, "Left"),
        (Relation::InDoubt, Claim::Failed, true, "Left"),
    ] {
        let group = &mut ownership.groups[0];
        (group.mine, group.prefers_local) = (failed, prefers);
        group.failures = failures::Failures::default();
        group.failures.add(now);
        group.theirs = Some(Stated {
            claim: theirs,
            prefers_self: !prefers,
        });
        let found = match ownership.after_failure(GroupId(0), relation, now) {
            AfterFailure::Left => "Left".to_owned(),
            AfterFailure::LeftAgain => "LeftAgain".to_owned(),
            AfterFailure::Again { pause, elsewhere } => {
                assert_eq!(pause.as_secs(), 60);
                format!("{elsewhere:?}")
            }
        };
        assert_eq!(found, expected, "{relation:?} {theirs:?} {prefers}");
        // What both have failed with is for the one that prefers it.
        let has_failed_twice = theirs == Claim::Failed;
        assert_eq!(ownership.has_failed_twice(Selection::All), has_failed_twice);
        assert_eq!(
            ownership.has_to_try(Selection::All),
            has_failed_twice && prefers
        );
        ownership.groups[0].planned = false;
        ownership.try_at_once(Selection::All);
        assert_eq!(ownership.groups[0].planned, has_failed_twice && prefers);
        let count = ownership.groups[0].failures.count;
        assert_eq!(count == 0, has_failed_twice && prefers);
    }
    ownership.groups[0].mine = Some(Claim::Free);
    assert!(
        !ownership.has_failed_twice(Selection::All),
        "it did not fail here"
    );
}

#[test]
fn what_both_have_failed_with_too_often_is_frozen_once_on_the_preferred_node() {
    for (relation, prefers, theirs, expected) in [
        (
            Relation::Talking,
            true,
            Claim::Failed,
            Some((GroupId(0), 8)),
        ),
        (Relation::Talking, false, Claim::Failed, None),
        (Relation::Talking, true, Claim::Free, None),
        (Relation::Unheard, true, Claim::Failed, None),
    ] {
        let mut pair = Pair::together(AutoFailback::Off);
        let now = pair.now;
        let ownership = &mut pair.nodes[0].as_mut().expect("it runs").ownership;
        let group = &mut ownership.groups[0];
        (group.mine, group.prefers_local) = (Some(Claim::Failed), prefers);
        group.theirs = Some(Stated {
            claim: theirs,
            prefers_self: !prefers,
        });
        for _ in 0..8 {
            group.failures.add(now);
        }
        assert_eq!(ownership.next_frozen(relation), expected);
        assert_eq!(ownership.next_frozen(relation), None, "once");
    }
}

#[test]
fn when_a_failed_start_is_tried_again_is_shown_where_it_will_be() {
    for (theirs, frozen, peer, shown) in [
        (Claim::Failed, false, NodeStatus::Active, true),
        (Claim::Failed, true, NodeStatus::Active, false),
        (Claim::Free, false, NodeStatus::Active, false),
        (Claim::Free, false, DEAD, true),
    ] {
        let mut pair = Pair::together(AutoFailback::Off);
        let node = pair.nodes[0].as_mut().expect("it runs");
        node.peer.status = peer;
        let now = node.now;
        let group = &mut node.ownership.groups[0];
        group.mine = Some(Claim::Failed);
        group.theirs = Some(Stated {
            claim: theirs,
            prefers_self: false,
        });
        assert!(node.retry_of(GroupId(0)).is_none(), "it never failed");
        let group = &mut node.ownership.groups[0];
        group.failures.add(now);
        group.failures.is_frozen = frozen;
        let retry = node.retry_of(GroupId(0)).expect("it failed");
        assert_eq!((retry.failures, retry.frozen), (1, frozen));
        let at = Some(now + Duration::from_secs(60)).filter(|_| shown);
        assert_eq!(retry.next, at, "{theirs:?} {frozen} {peer}");
        node.fencing.stage = FencingStage::Trying;
        if peer == DEAD {
            let retry = node.retry_of(GroupId(0)).expect("it failed");
            assert_eq!(retry.next, None, "the peer has to be reset first");
        }
        node.ownership.groups[0].mine = Some(Claim::Free);
        assert!(
            node.retry_of(GroupId(0)).is_none(),
            "it is no failure any more"
        );
    }
}

#[test]
fn a_planned_move_is_warned_of_for_what_would_go_to_a_node_that_is_not_ready() {
    let mut pair = Pair::together(AutoFailback::Off);
    let node = pair.nodes[0].as_mut().expect("it runs");
    let mut unready = |there, is_ready: Option<bool>| {
        for group in &mut node.ownership.groups {
            (group.readiness.here, group.readiness.there) = (None, None);
            if there {
                group.readiness.there = is_ready;
            } else {
                group.readiness.here = is_ready;
            }
        }
        node.unready_for(Selection::All, there)
    };
    assert_eq!(unready(true, Some(false)), ["one"], "the other runs there");
    assert_eq!(unready(false, Some(false)), ["two"], "the other runs here");
    for is_ready in [Some(true), None] {
        assert!(unready(true, is_ready).is_empty() && unready(false, is_ready).is_empty());
    }
}
