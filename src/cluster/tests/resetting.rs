//! Fencing, decision by decision: when a device is asked, how long that waits, and what ends it.

use std::time::Duration;

use super::*;
use claims::Phase;
use policy::Relation;

const DELAY: Duration = Duration::from_secs(5);

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// Both talk, have devices, and each runs its own; nothing is under way.
fn fencing() -> Pair {
    let mut pair = Pair::new(AutoFailback::Off);
    pair.fencing = FencingSettings {
        has_device: true,
        delay: DELAY,
        takeover_unfenced: None,
    };
    pair.start(0);
    pair.start(1);
    pair.run(seconds(3));
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair
}

fn node(pair: &mut Pair, index: usize) -> &mut Cluster {
    pair.nodes[index].as_mut().expect("it runs")
}

fn reports(node: &mut Cluster) -> Vec<String> {
    let mut lines = Vec::new();
    while let Some(action) = node.next_action() {
        if let Action::Report(report) = action {
            lines.push(report.to_string());
        }
    }
    lines
}

#[test]
fn a_peer_can_be_declared_dead_by_hand_only_while_that_is_waited_for() {
    let (heard, not_yet, nothing) = (
        Some(ConfirmationRefusal::Heard),
        Some(ConfirmationRefusal::NotDeadYet),
        Some(ConfirmationRefusal::NothingWaits),
    );
    for (status, has_left, stage, has_device, expected) in [
        (NodeStatus::Active, false, FencingStage::None, true, heard),
        (NodeStatus::Up, false, FencingStage::Trying, true, heard),
        (NodeStatus::Active, true, FencingStage::None, true, nothing),
        (NodeStatus::Dead, false, FencingStage::Trying, true, None),
        (NodeStatus::Dead, false, FencingStage::Abandoned, true, None),
        (NodeStatus::Dead, false, FencingStage::Done, true, nothing),
        (NodeStatus::Init, false, FencingStage::None, true, not_yet),
        (NodeStatus::Init, false, FencingStage::None, false, nothing),
    ] {
        let mut pair = fencing();
        let node = node(&mut pair, 0);
        (node.peer.status, node.peer.has_left) = (status, has_left);
        node.fencing.stage = stage;
        node.settings.fencing.has_device = has_device;
        let refusal = node.refuses_confirmation();
        assert_eq!(
            refusal, expected,
            "{status} {has_left} {stage:?} {has_device}"
        );
    }
}

#[test]
fn of_two_that_would_reset_each_other_the_one_with_less_to_lose_waits() {
    let running = Claim::held(Phase::Running);
    let silent = Relation::Unheard;
    // What both hold; how many times fence_delay the first and the second node wait.
    for (first, second, is_talking, waits) in [
        (true, false, true, [0, 1]),
        (false, true, true, [1, 0]),
        (true, true, true, [0, 1]),
        (false, false, true, [0, 1]),
        (true, true, false, [2, 3]),
        (false, true, false, [2, 3]),
    ] {
        for (index, times) in waits.into_iter().enumerate() {
            let mut pair = fencing();
            let node = node(&mut pair, index);
            let (mine, theirs) = if index == 0 {
                (first, second)
            } else {
                (second, first)
            };
            for (group, held) in node.ownership.groups.iter_mut().zip([true, false]) {
                let claim = |holds| if holds && held { running } else { Claim::Free };
                group.mine = Some(claim(mine));
                group.theirs = Some(Stated {
                    claim: claim(theirs),
                    prefers_self: false,
                });
            }
            if !is_talking {
                node.peer.status = NodeStatus::Init;
                assert_eq!(node.standing().relation, silent);
            }
            let expected = DELAY * times;
            assert_eq!(
                node.fencing_patience(),
                expected,
                "{first} {second} {is_talking} {index}"
            );
            if is_talking {
                node.told.files_differ = true;
                let unknown = DELAY * (2 + u32::try_from(index).expect("a node"));
                assert_eq!(
                    node.fencing_patience(),
                    unknown,
                    "what it said is of other groups"
                );
            }
        }
    }
}

#[test]
fn what_is_under_way_when_the_peer_falls_silent_goes_on_and_what_is_over_begins_anew() {
    let at = Instant::from_micros(2_000_000_000);
    let later = at + seconds(9);
    let waiting = FencingStage::Waiting(at + seconds(60));
    for (stage, is_on_request, expected) in [
        (
            FencingStage::None,
            false,
            FencingStage::Waiting(later + DELAY),
        ),
        (FencingStage::Done, true, FencingStage::Done),
        (
            FencingStage::Done,
            false,
            FencingStage::Waiting(later + DELAY),
        ),
        (waiting, true, waiting),
        (FencingStage::Trying, true, FencingStage::Trying),
        (
            FencingStage::Abandoned,
            false,
            FencingStage::Waiting(later + DELAY),
        ),
    ] {
        let mut pair = fencing();
        let node = node(&mut pair, 0);
        node.fencing.stage = stage;
        (node.fencing.since, node.fencing.request) = (at, 7);
        node.fencing.is_on_request = is_on_request;
        node.begin_fencing(DELAY, later);
        assert_eq!(node.fencing_stage(), expected, "{stage:?} {is_on_request}");
        assert_eq!(node.fencing.request, 7, "a late answer is to none of this");
        let since = if stage == FencingStage::Done && is_on_request {
            at
        } else {
            later
        };
        assert_eq!(node.fencing.since, since, "{stage:?}");
        assert!(!node.fencing.is_on_request);
        let is_new = expected == FencingStage::Waiting(later + DELAY);
        let lines = reports(node);
        let delayed = lines.iter().any(|line| line.contains("fence_delay"));
        assert_eq!(delayed, is_new, "{stage:?}: {lines:?}");
        let next = match expected {
            FencingStage::Waiting(at) => Some(at),
            _ => None,
        };
        assert_eq!(node.next_fencing(), next);
    }
}

#[test]
fn one_that_leaves_resets_nobody_and_says_nothing_of_a_delay() {
    let mut pair = fencing();
    let now = pair.now;
    let node = node(&mut pair, 0);
    node.leaving = Leaving::Stopping;
    node.begin_fencing(DELAY, now);
    assert_eq!(node.fencing_stage(), FencingStage::Abandoned);
    assert!(reports(node).is_empty());
    node.leaving = Leaving::No;
    node.fencing.stage = FencingStage::None;
    node.begin_fencing(Duration::ZERO, now);
    assert_eq!(node.fencing_stage(), FencingStage::Waiting(now));
    assert!(reports(node).is_empty(), "there is none");
}

#[test]
fn a_peer_that_is_heard_after_its_reset_is_reset_again_in_a_minute() {
    // Half of deadtime is 500 ms: what it said before may come late.
    for (millis, is_over) in [(500, false), (501, true)] {
        let mut pair = fencing();
        let now = pair.now;
        let node = node(&mut pair, 0);
        node.fencing.stage = FencingStage::Done;
        node.fencing.done_at = now;
        node.peer.last_heard = now + Duration::from_millis(millis);
        let later = now + seconds(1);
        node.pursue_fencing(later);
        let expected = if is_over {
            FencingStage::Waiting(later + seconds(60))
        } else {
            FencingStage::Done
        };
        assert_eq!(node.fencing_stage(), expected, "{millis} ms");
    }
}

#[test]
fn a_plea_begins_a_request_of_its_own_and_a_plea_that_ends_ends_it() {
    let mut pair = fencing();
    pair.stop_failure = StopFailure::Fence;
    let now = pair.now + seconds(1);
    let node = node(&mut pair, 0);
    node.settings.stop_failure = StopFailure::Fence;
    node.fencing.request = 7;
    node.fencing.failures = 3;
    node.peer.plea = node::Plea {
        can_fence: true,
        wants_reset: true,
    };
    node.now = now;
    node.pursue_fencing(now);
    assert_eq!(node.fencing_stage(), FencingStage::Trying);
    assert_eq!((node.fencing.since, node.fencing.request), (now, 8));
    assert_eq!(node.fencing_failures(), 0, "those were of another matter");
    let asks = |node: &mut Cluster| {
        let mut requests = Vec::new();
        while let Some(action) = node.next_action() {
            if let Action::Fence { request } = action {
                requests.push(request);
            }
        }
        requests
    };
    assert_eq!(asks(node), [8]);
    node.peer.plea.wants_reset = false;
    node.pursue_fencing(now);
    assert_eq!(node.fencing_stage(), FencingStage::None);
    assert!(asks(node).is_empty());
}

#[test]
fn failures_are_counted_and_a_late_answer_to_an_earlier_request_is_none() {
    let mut pair = fencing();
    let now = pair.now;
    let node = node(&mut pair, 0);
    node.peer.status = NodeStatus::Dead;
    for failures in 1..4 {
        (node.fencing.stage, node.fencing.request) = (FencingStage::Trying, 7);
        node.fencing_answered(6, true, now);
        assert_eq!(node.fencing_stage(), FencingStage::Trying);
        node.fencing_answered(7, false, now);
        assert_eq!(node.fencing_failures(), failures);
        let pause = seconds(5 << (failures - 1));
        assert_eq!(node.fencing_stage(), FencingStage::Waiting(now + pause));
        node.fencing_answered(7, true, now);
        assert_eq!(
            node.fencing_stage(),
            FencingStage::Waiting(now + pause),
            "it has answered"
        );
    }
    node.fencing.stage = FencingStage::Trying;
    node.fencing_answered(7, true, now);
    assert_eq!(node.fencing_stage(), FencingStage::Done);
}
