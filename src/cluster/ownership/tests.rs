//! Tests of who holds which group.

mod many;
mod rules;

use super::*;
use crate::cluster::movement::Selection;
use crate::cluster::policy::{Breakdowns, Stillness};

const TALKING: Standing = Standing {
    relation: Relation::Talking,
    is_active: true,
    is_leaving: false,
    peer_takes: true,
    fails_back: true,
    stillness: Stillness::None,
};
const LEAVING: Standing = Standing {
    is_leaving: true,
    ..TALKING
};
const GONE: Standing = Standing {
    relation: Relation::Gone { died: true },
    ..TALKING
};
const NOW: Instant = Instant::from_micros(1_000_000);
const G: GroupId = GroupId(0);

fn node(prefers_local: bool) -> Ownership {
    let settings = [GroupSettings {
        key: "10.0.0.1".into(),
        line: String::new(),
        prefers_local,
    }];
    let mut node = Ownership::new(&settings, prefers_local);
    node.ended(G, GroupOutcome::FoundStopped, TALKING, NOW);
    node
}

fn step(node: &mut Ownership, standing: Standing) -> Option<(Step, Reason)> {
    node.next_step(standing, NOW)
        .map(|(_, step, reason)| (step, reason))
}

fn tell(from: &Ownership, to: &mut Ownership) {
    let states: Vec<Stated> = from.stated().collect();
    assert!(to.hear(Some(from.digest()), &states, true));
}

/// The group runs on `a`, which prefers it.
fn running_on_a() -> (Ownership, Ownership) {
    let (mut a, b) = (node(true), node(false));
    tell(&b, &mut a);
    step(&mut a, TALKING);
    a.ended(G, GroupOutcome::Started, TALKING, NOW);
    (a, b)
}

#[test]
fn the_preferred_node_starts_a_group_only_after_the_other_said_that_it_does_not_hold_it() {
    let (mut a, mut b) = (node(true), node(false));
    assert_eq!(step(&mut a, TALKING), None, "nothing heard yet");
    tell(&a, &mut b);
    tell(&b, &mut a);
    assert_eq!(step(&mut b, TALKING), None);
    assert_eq!(
        step(&mut a, TALKING),
        Some((Step::Start, Reason::Preferred))
    );
    assert_eq!(step(&mut a, TALKING), None);
}

#[test]
fn a_group_passes_only_after_it_was_stopped() {
    let (mut a, mut b) = running_on_a();
    assert_eq!(step(&mut a, LEAVING), Some((Step::Stop, Reason::Leaving)));
    tell(&a, &mut b);
    assert_eq!(step(&mut b, TALKING), None);
    a.ended(G, GroupOutcome::Stopped, LEAVING, NOW);
    assert_eq!(step(&mut a, LEAVING), None);
    tell(&a, &mut b);
    assert_eq!(step(&mut b, TALKING), Some((Step::Start, Reason::Ceded)));
    tell(&b, &mut a);
    assert_eq!(a.mine(G), Some(Claim::Free));
}

#[test]
fn the_end_of_a_start_is_not_taken_for_the_end_of_the_stop_that_overtook_it() {
    let (mut a, b) = (node(true), node(false));
    tell(&b, &mut a);
    step(&mut a, TALKING);
    assert_eq!(step(&mut a, LEAVING), Some((Step::Stop, Reason::Leaving)));
    a.ended(G, GroupOutcome::StartFailed, LEAVING, NOW);
    assert!(a.holds_any(), "the stop still runs");
    a.ended(G, GroupOutcome::StopFailed, LEAVING, NOW);
    assert!(a.holds_any(), "the failed start could not be undone");
    a.ended(G, GroupOutcome::Stopped, LEAVING, NOW);
    assert!(!a.holds_any());
}

#[test]
fn a_group_that_did_not_stop_is_never_taken_for_released() {
    let (mut a, mut b) = running_on_a();
    step(&mut a, LEAVING);
    a.ended(G, GroupOutcome::StopFailed, LEAVING, NOW);
    tell(&a, &mut b);
    assert_eq!(step(&mut b, TALKING), None);
    assert!(a.holds_any());
    assert_eq!(step(&mut a, LEAVING), None);
    let later = a.next_retry(NOW).expect("a retry is due");
    assert_eq!(
        a.next_step(LEAVING, later).map(|(_, step, _)| step),
        Some(Step::Stop)
    );
}

#[test]
fn a_group_that_cannot_be_started_is_offered_to_the_other_node_once() {
    let (mut a, mut b) = (node(true), node(false));
    tell(&b, &mut a);
    step(&mut a, TALKING);
    a.ended(G, GroupOutcome::StartFailed, TALKING, NOW);
    tell(&a, &mut b);
    assert_eq!(
        step(&mut b, TALKING),
        Some((Step::Start, Reason::FailedThere))
    );
    b.ended(G, GroupOutcome::StartFailed, TALKING, NOW);
    tell(&b, &mut a);
    tell(&a, &mut b);
    assert_eq!((step(&mut a, TALKING), step(&mut b, TALKING)), (None, None));
    assert_eq!(
        b.next_step(TALKING, NOW + START_AGAIN),
        None,
        "one node tries again, not both"
    );
    assert!(a.next_step(TALKING, NOW + START_AGAIN).is_some());
}

#[test]
fn a_group_that_does_not_work_goes_to_the_other_node_and_stays_where_it_fails_too() {
    let (mut a, mut b) = running_on_a();
    tell(&a, &mut b);
    assert_eq!(a.broke(G, TALKING, NOW), Some(true));
    assert_eq!(a.broke(G, TALKING, NOW), None, "it is on its way");
    assert_eq!(step(&mut a, TALKING), Some((Step::Stop, Reason::Broken)));
    tell(&a, &mut b);
    assert_eq!(
        step(&mut b, TALKING),
        None,
        "not before it is stopped there"
    );
    a.ended(G, GroupOutcome::Stopped, TALKING, NOW);
    tell(&a, &mut b);
    assert_eq!(step(&mut b, TALKING), Some((Step::Start, Reason::Ceded)));
    b.ended(G, GroupOutcome::Started, TALKING, NOW);
    tell(&b, &mut a);
    tell(&a, &mut b);
    assert_eq!(step(&mut b, TALKING), None, "no failback to where it broke");
    assert_eq!(b.broke(G, TALKING, NOW), Some(false), "it stays");
    assert_eq!(b.broke(G, TALKING, NOW), None, "told once");
    assert_eq!((step(&mut a, TALKING), step(&mut b, TALKING)), (None, None));
    for minutes in [1, 9] {
        a.forget_failures(NOW + Duration::from_secs(60 * minutes));
        assert_eq!(a.mine(G), Some(Claim::Failed), "after {minutes} minutes");
    }
    // The one that is left does what it can, at once.
    assert_eq!(step(&mut a, GONE), Some((Step::Start, Reason::Retry)));
}

#[test]
fn a_group_that_does_not_work_here_and_cannot_be_started_there_comes_back_and_stays() {
    for prefers_local in [true, false] {
        let (mut a, mut b) = (node(prefers_local), node(!prefers_local));
        step(&mut a, GONE);
        a.ended(G, GroupOutcome::Started, GONE, NOW);
        tell(&b, &mut a);
        tell(&a, &mut b);
        let mut now = NOW;
        for _ in 0..3 {
            assert_eq!(a.broke(G, TALKING, now), Some(true));
            step(&mut a, TALKING);
            a.ended(G, GroupOutcome::Stopped, TALKING, now);
            tell(&a, &mut b);
            assert!(step(&mut b, TALKING).is_some());
            b.ended(G, GroupOutcome::StartFailed, TALKING, now);
            tell(&b, &mut a);
            tell(&a, &mut b);
            assert_eq!(
                step(&mut a, TALKING),
                Some((Step::Start, Reason::FailedThere))
            );
            a.ended(G, GroupOutcome::Started, TALKING, now);
            tell(&a, &mut b);
            for minutes in 1..10 {
                b.forget_failures(now + Duration::from_secs(60 * minutes));
                tell(&b, &mut a);
                assert_ne!(
                    a.broke(G, TALKING, now),
                    Some(true),
                    "after {minutes} minutes"
                );
            }
            now = now + Duration::from_secs(3 * 24 * 3600);
            for node in [&mut a, &mut b] {
                node.forget_failures(now);
            }
            tell(&b, &mut a);
            tell(&a, &mut b);
        }
    }
}

#[test]
fn a_group_does_not_fail_back_to_where_it_did_not_work_whatever_happens_meanwhile() {
    let (mut a, mut b) = running_on_a();
    tell(&a, &mut b);
    a.broke(G, TALKING, NOW);
    step(&mut a, TALKING);
    a.ended(G, GroupOutcome::StopFailed, TALKING, NOW);
    let later = NOW + STOP_AGAIN;
    assert!(a.next_step(TALKING, later).is_some());
    a.ended(G, GroupOutcome::Stopped, TALKING, later);
    tell(&a, &mut b);
    assert_eq!(step(&mut b, TALKING), Some((Step::Start, Reason::Ceded)));
    b.ended(G, GroupOutcome::Started, TALKING, later);
    for node in [&mut a, &mut b] {
        node.begin_anew();
    }
    tell(&a, &mut b);
    tell(&b, &mut a);
    assert_eq!(step(&mut b, TALKING), None);
    // Whoever wants it there gets it.
    a.pardon(Selection::All, later);
    b.plan_giving(Selection::All);
    tell(&a, &mut b);
    b.release_planned();
    assert_eq!(step(&mut b, TALKING), Some((Step::Stop, Reason::Standby)));
}

#[test]
fn a_node_is_unfit_for_a_group_longer_each_time_that_it_does_not_work() {
    let hours = |hours: u64| Duration::from_secs(3600 * hours);
    let mut now = NOW;
    let mut breakdowns = Breakdowns::default();
    assert!(breakdowns.are_over(now));
    for minutes in [10, 20, 40, 80, 160, 320, 640, 1280, 1440, 1440] {
        breakdowns.add(now);
        let until = now + Duration::from_secs(60 * minutes);
        assert!(!breakdowns.are_over(until - Duration::from_secs(1)));
        assert!(breakdowns.are_over(until), "{minutes}");
        now = until;
    }
    now = now + hours(24);
    breakdowns.add(now);
    assert!(breakdowns.are_over(now + Duration::from_secs(600)));
}

#[test]
fn a_group_that_does_not_work_stays_where_nobody_can_take_it() {
    let standings = [
        GONE,
        LEAVING,
        Standing {
            peer_takes: false,
            ..TALKING
        },
        Standing {
            relation: Relation::Halves { settled: true },
            ..TALKING
        },
        Standing {
            relation: Relation::Deaf {
                for_deadtime: false,
            },
            ..TALKING
        },
    ];
    for standing in standings {
        let (mut a, _) = running_on_a();
        assert_ne!(a.broke(G, standing, NOW), Some(true), "{standing:?}");
        assert_eq!(a.mine(G), Some(Claim::held(Phase::Running)));
    }
}

#[test]
fn a_resource_that_cannot_be_started_again_is_a_failed_start() {
    for (outcome, expected) in [
        (GroupOutcome::Started, Claim::held(Phase::Running)),
        (GroupOutcome::StartFailed, Claim::Failed),
        (GroupOutcome::StopFailed, Claim::held(Phase::Unknown)),
    ] {
        let (mut a, _) = running_on_a();
        a.ended(G, outcome, TALKING, NOW);
        assert_eq!(a.mine(G), Some(expected), "{outcome:?}");
    }
}

#[test]
fn what_was_ceded_is_taken_once_and_goes_back_when_it_cannot_be_started() {
    let (mut a, mut b) = running_on_a();
    step(&mut a, LEAVING);
    a.ended(G, GroupOutcome::Stopped, TALKING, NOW);
    tell(&a, &mut b);
    assert_eq!(step(&mut b, TALKING), Some((Step::Start, Reason::Ceded)));
    b.ended(G, GroupOutcome::StartFailed, TALKING, NOW);
    assert_eq!(step(&mut b, TALKING), None, "a has not yet heard of it");
    tell(&b, &mut a);
    assert_eq!(
        step(&mut a, TALKING),
        Some((Step::Start, Reason::FailedThere))
    );
}

#[test]
fn what_was_handed_over_goes_back_only_once_the_other_node_knows_that_it_runs_here() {
    let pursue = |node: &mut Ownership| {
        node.release_planned();
        step(node, TALKING)
    };
    let (mut a, mut b) = running_on_a();
    tell(&a, &mut b);
    a.plan_giving(Selection::All);
    assert_eq!(pursue(&mut a), Some((Step::Stop, Reason::Standby)));
    a.ended(G, GroupOutcome::Stopped, TALKING, NOW);
    a.forget_plan();
    tell(&a, &mut b);
    assert_eq!(step(&mut b, TALKING), Some((Step::Start, Reason::Ceded)));
    b.ended(G, GroupOutcome::Started, TALKING, NOW);
    b.plan_giving(Selection::All);
    assert_eq!(pursue(&mut b), None, "a still offers it");
    tell(&b, &mut a);
    tell(&a, &mut b);
    assert_eq!(pursue(&mut b), Some((Step::Stop, Reason::Standby)));
    b.ended(G, GroupOutcome::Stopped, TALKING, NOW);
    assert_eq!(step(&mut b, TALKING), None, "b had its turn");
    tell(&b, &mut a);
    assert_eq!(step(&mut a, TALKING), Some((Step::Start, Reason::Ceded)));
}

#[test]
fn after_a_partition_the_one_that_held_the_group_all_along_keeps_it() {
    let (mut a, mut b) = (node(false), node(true));
    tell(&a, &mut b);
    step(&mut b, TALKING);
    b.ended(G, GroupOutcome::Started, TALKING, NOW);
    assert_eq!(step(&mut a, GONE), Some((Step::Start, Reason::PeerDied)));
    a.ended(G, GroupOutcome::Started, GONE, NOW);
    tell(&a, &mut b);
    tell(&b, &mut a);
    assert_eq!(b.next_conflict(TALKING), Some((G, Conflict::Begins)));
    assert_eq!(step(&mut b, TALKING), None);
    assert_eq!(step(&mut a, TALKING), Some((Step::Stop, Reason::Conflict)));
    tell(&a, &mut b);
    assert_eq!(b.next_conflict(TALKING), None, "it has not stopped yet");
    a.ended(G, GroupOutcome::Stopped, TALKING, NOW);
    assert_eq!(a.mine(G), Some(Claim::Free));
    tell(&a, &mut b);
    assert_eq!(b.next_conflict(TALKING), Some((G, Conflict::Ends)));
    assert_eq!(b.next_conflict(TALKING), None);
    assert_eq!(a.next_conflict(TALKING), None);
}

#[test]
fn two_owners_never_both_yield_and_never_both_stay() {
    let phases = [
        Phase::Starting,
        Phase::Running,
        Phase::Stopping,
        Phase::Unknown,
    ];
    let claims: Vec<Claim> = phases
        .into_iter()
        .flat_map(|phase| [true, false].map(|taken| Claim::Held { phase, taken }))
        .collect();
    for mine in &claims {
        for theirs in &claims {
            for (a_prefers, b_prefers) in
                [(true, false), (false, true), (true, true), (false, false)]
            {
                let group = |mine, theirs, prefers_local, theirs_prefer| Group {
                    mine: Some(mine),
                    theirs: Some(Stated {
                        claim: theirs,
                        prefers_self: theirs_prefer,
                    }),
                    ..Group::new(prefers_local)
                };
                let (a, b) = (node(true), node(false));
                let (ga, gb) = (
                    group(*mine, *theirs, a_prefers, b_prefers),
                    group(*theirs, *mine, b_prefers, a_prefers),
                );
                let a_yields = yields(&ga, TALKING, prefers_me(&ga, a.wins_ties));
                let b_yields = yields(&gb, TALKING, prefers_me(&gb, b.wins_ties));
                assert!(
                    a_yields != b_yields,
                    "{mine:?} {theirs:?} {a_prefers} {b_prefers}"
                );
            }
        }
    }
}

#[test]
fn a_stalled_owner_stops_before_anything_else_and_waits_to_hear_who_has_it() {
    let mut a = node(true);
    step(&mut a, GONE);
    a.ended(G, GroupOutcome::Started, GONE, NOW);
    assert_eq!(a.mark_stale(), 1);
    let unheard = Standing {
        relation: Relation::Unheard,
        ..TALKING
    };
    assert_eq!(step(&mut a, unheard), Some((Step::Stop, Reason::Stale)));
    a.ended(G, GroupOutcome::Stopped, unheard, NOW);
    assert_eq!(step(&mut a, unheard), None);
    assert_eq!(a.mine(G), Some(Claim::Free));
}

#[test]
fn where_files_differ_and_both_took_everything_each_keeps_what_prefers_it() {
    let settings = |prefers_local| {
        ["10.0.0.1", "10.0.0.2"].map(|key| GroupSettings {
            key: key.into(),
            line: String::new(),
            prefers_local: prefers_local == (key == "10.0.0.1"),
        })
    };
    let mut nodes = [true, false].map(|first| Ownership::new(&settings(first), first));
    for node in &mut nodes {
        for group in [GroupId(0), GroupId(1)] {
            node.ended(group, GroupOutcome::FoundStopped, GONE, NOW);
            assert!(node.next_step(GONE, NOW).is_some());
            node.ended(group, GroupOutcome::Started, GONE, NOW);
        }
    }
    let [mut a, mut b] = nodes;
    let (of_a, of_b): (Vec<_>, Vec<_>) = (a.stated().collect(), b.stated().collect());
    a.hear(Some(b.digest() ^ 1), &of_b, true);
    b.hear(Some(a.digest() ^ 1), &of_a, true);
    let stops = |node: &mut Ownership| {
        let step = node.next_step(TALKING, NOW);
        assert_eq!(node.next_step(TALKING, NOW), None);
        step
    };
    assert_eq!(
        stops(&mut a),
        Some((GroupId(1), Step::Stop, Reason::Conflict))
    );
    assert_eq!(
        stops(&mut b),
        Some((GroupId(0), Step::Stop, Reason::Conflict))
    );
}

#[test]
fn where_files_differ_what_was_found_running_yields_to_one_who_may_run_it_too() {
    let settings = [GroupSettings {
        key: "10.0.0.1".into(),
        line: String::new(),
        prefers_local: true,
    }];
    let mut found = Ownership::new(&settings, true);
    found.ended(G, GroupOutcome::FoundRunning, TALKING, NOW);
    let held = |taken| Claim::Held {
        phase: Phase::Running,
        taken,
    };
    let stop = Some((Step::Stop, Reason::Conflict));
    for (claim, wanted) in [(Claim::Free, None), (held(false), stop), (held(true), stop)] {
        let mut a = found.clone();
        let theirs = Stated {
            claim,
            prefers_self: false,
        };
        a.hear(Some(a.digest() ^ 1), &[theirs], true);
        assert_eq!(step(&mut a, TALKING), wanted, "{claim:?}");
    }
}

#[test]
fn different_files_move_nothing() {
    let (mut a, b) = (node(true), node(false));
    let states: Vec<Stated> = b.stated().collect();
    assert!(!a.hear(Some(b.digest() ^ 1), &states, true));
    assert_eq!(step(&mut a, TALKING), None);
}

#[test]
fn what_was_found_running_is_adopted_when_nobody_else_holds_it_and_yields_otherwise() {
    let settings = [GroupSettings {
        key: "10.0.0.1".into(),
        line: String::new(),
        prefers_local: true,
    }];
    let mut a = Ownership::new(&settings, true);
    a.ended(G, GroupOutcome::FoundRunning, TALKING, NOW);
    let mut b = node(false);
    let mut adopting = a.clone();
    tell(&b, &mut adopting);
    assert_eq!(
        step(&mut adopting, TALKING),
        Some((Step::Start, Reason::FoundRunning))
    );
    step(&mut b, GONE);
    b.ended(G, GroupOutcome::Started, GONE, NOW);
    tell(&a, &mut b);
    tell(&b, &mut a);
    let (mine, theirs) = (step(&mut a, TALKING), step(&mut b, TALKING));
    assert!(
        mine.is_some() != theirs.is_some(),
        "exactly one yields: {mine:?} {theirs:?}"
    );
}
