//! The rules one by one, as tables: what one group wants, by how the nodes stand and what each says of it.

use super::*;
use crate::cluster::policy::Group;

const SETTLED: Relation = Relation::Halves { settled: true };
const BUSY: Relation = Relation::Halves { settled: false };
const LATER: Instant = Instant::from_micros(2_000_000);

fn with(relation: Relation) -> Standing {
    Standing {
        relation,
        ..TALKING
    }
}

/// A group that prefers this node, with one claim of each.
fn group(mine: Claim, theirs: Option<Claim>) -> Group {
    Group {
        mine: Some(mine),
        theirs: theirs.map(|claim| Stated {
            claim,
            prefers_self: false,
        }),
        ..Group::new(true)
    }
}

/// One that could not be started here: for others before `retry_at`, of itself before `again_at`.
fn failed(theirs: Option<Claim>, retry_at: Instant, again_at: Instant) -> Group {
    let mut group = group(Claim::Failed, theirs);
    group.retry_at = retry_at;
    group.failures.again_at = again_at;
    group
}

fn start(reason: Reason) -> (Step, Reason) {
    (Step::Start, reason)
}

#[test]
fn what_is_said_of_a_stopped_group_leaves_it_to_one_that_is_free_to_take_it() {
    let free = Some(Claim::Free);
    let held = Some(Claim::held(Phase::Running));
    for (relation, ending, theirs, expected) in [
        (
            Relation::Talking,
            Some(Reason::Standby),
            free,
            Claim::HandedOver,
        ),
        (Relation::Talking, Some(Reason::Standby), held, Claim::Free),
        (
            Relation::Talking,
            Some(Reason::Standby),
            Some(Claim::Failed),
            Claim::Free,
        ),
        (Relation::Talking, Some(Reason::Standby), None, Claim::Free),
        (Relation::Talking, None, free, Claim::Ceded),
        (Relation::Talking, None, held, Claim::Free),
        (Relation::Talking, Some(Reason::Broken), free, Claim::Ceded),
        (
            Relation::Talking,
            Some(Reason::NoCarrier),
            free,
            Claim::Ceded,
        ),
        (
            Relation::Talking,
            Some(Reason::Broken),
            Some(Claim::Failed),
            Claim::Free,
        ),
        (Relation::Talking, Some(Reason::Conflict), free, Claim::Free),
        (Relation::Talking, Some(Reason::Stale), free, Claim::Free),
        (SETTLED, Some(Reason::Standby), free, Claim::Ceded),
        (BUSY, Some(Reason::Failback), free, Claim::Ceded),
        (BUSY, Some(Reason::AskedFor), held, Claim::Ceded),
        (SETTLED, Some(Reason::Conflict), free, Claim::Free),
        (SETTLED, None, free, Claim::Free),
        (Relation::Unheard, None, free, Claim::Free),
        (
            Relation::Gone { died: true },
            Some(Reason::Standby),
            free,
            Claim::Free,
        ),
    ] {
        let mut group = group(Claim::held(Phase::Stopping), theirs);
        group.ending = ending;
        assert_eq!(
            after_stop(&group, relation),
            expected,
            "{relation:?} {ending:?} {theirs:?}"
        );
    }
}

#[test]
fn of_two_owners_the_one_with_less_right_yields() {
    let (starts, runs) = (Claim::held(Phase::Starting), Claim::held(Phase::Running));
    let (stops, unknown) = (Claim::held(Phase::Stopping), Claim::held(Phase::Unknown));
    let took = Claim::taken(Phase::Running);
    let deaf = |for_deadtime| Relation::Deaf { for_deadtime };
    for (relation, mine, theirs, prefers_me, expected) in [
        (Relation::Talking, runs, runs, true, false),
        (Relation::Talking, runs, runs, false, true),
        (Relation::Talking, starts, runs, true, false),
        (Relation::Talking, took, runs, true, true),
        (Relation::Talking, runs, took, false, false),
        (Relation::Talking, stops, unknown, true, true),
        (Relation::Talking, unknown, stops, false, false),
        (Relation::Talking, unknown, took, true, true),
        (Relation::Talking, took, unknown, false, false),
        (Relation::Talking, unknown, unknown, true, false),
        (Relation::Talking, runs, Claim::Free, false, false),
        (deaf(true), runs, runs, true, true),
        (deaf(false), runs, runs, false, false),
        (SETTLED, runs, runs, true, true),
        (Relation::Unheard, runs, runs, false, false),
        (Relation::InDoubt, runs, runs, false, false),
        (Relation::Gone { died: true }, runs, runs, false, false),
    ] {
        let group = group(mine, Some(theirs));
        assert_eq!(
            yields(&group, with(relation), prefers_me),
            expected,
            "{relation:?} {mine:?} {theirs:?} {prefers_me}"
        );
    }
    let old_one_that_stops = Standing {
        peer_takes: false,
        ..with(SETTLED)
    };
    assert!(!yields(&group(runs, Some(runs)), old_one_that_stops, true));
}

#[test]
fn nothing_is_started_by_a_node_that_is_no_member_or_leaves_nor_what_is_not_in_the_file() {
    let mut one = group(Claim::Free, Some(Claim::Ceded));
    assert_eq!(wanted(&one, TALKING, true, NOW), Some(start(Reason::Ceded)));
    let joining = Standing {
        is_active: false,
        ..TALKING
    };
    assert_eq!(wanted(&one, joining, true, NOW), None);
    assert_eq!(wanted(&one, LEAVING, true, NOW), None);
    one.is_removed = true;
    assert_eq!(wanted(&one, TALKING, true, NOW), None);
}

#[test]
fn a_group_is_started_only_where_the_other_node_is_known_not_to_hold_it() {
    let running = Claim::held(Phase::Running);
    let gone = |died| Relation::Gone { died };
    for (relation, mine, theirs, prefers_me, expected) in [
        (
            gone(true),
            Claim::Free,
            None,
            false,
            Some(start(Reason::PeerDied)),
        ),
        (
            gone(false),
            Claim::Free,
            None,
            false,
            Some(start(Reason::PeerLeft)),
        ),
        (
            Relation::Unheard,
            Claim::Free,
            Some(Claim::Ceded),
            true,
            None,
        ),
        (
            Relation::InDoubt,
            Claim::Free,
            Some(Claim::Ceded),
            true,
            None,
        ),
        (Relation::Talking, Claim::Free, None, true, None),
        (Relation::Talking, Claim::Free, Some(running), true, None),
        (
            Relation::Talking,
            Claim::Free,
            Some(Claim::Ceded),
            false,
            Some(start(Reason::Ceded)),
        ),
        (
            Relation::Talking,
            Claim::Free,
            Some(Claim::HandedOver),
            false,
            Some(start(Reason::Ceded)),
        ),
        (
            Relation::Talking,
            Claim::Free,
            Some(Claim::Failed),
            false,
            Some(start(Reason::FailedThere)),
        ),
        (
            Relation::Talking,
            Claim::Free,
            Some(Claim::Free),
            true,
            Some(start(Reason::Preferred)),
        ),
        (
            Relation::Talking,
            Claim::Waived,
            Some(Claim::Free),
            true,
            Some(start(Reason::Preferred)),
        ),
        (
            Relation::Talking,
            Claim::Free,
            Some(Claim::Waived),
            true,
            Some(start(Reason::Preferred)),
        ),
        (
            Relation::Talking,
            Claim::Free,
            Some(Claim::Free),
            false,
            None,
        ),
        (
            Relation::Talking,
            Claim::Ceded,
            Some(Claim::Free),
            true,
            None,
        ),
        (
            BUSY,
            Claim::Free,
            Some(Claim::Free),
            true,
            Some(start(Reason::Preferred)),
        ),
        (BUSY, Claim::Free, Some(Claim::Free), false, None),
        (
            BUSY,
            Claim::Free,
            Some(Claim::Ceded),
            false,
            Some(start(Reason::Ceded)),
        ),
        (BUSY, Claim::Free, Some(running), true, None),
        (
            SETTLED,
            Claim::Free,
            Some(Claim::Free),
            false,
            Some(start(Reason::Orphaned)),
        ),
        (
            SETTLED,
            Claim::Ceded,
            Some(Claim::Free),
            true,
            Some(start(Reason::Orphaned)),
        ),
        (SETTLED, Claim::Free, Some(running), true, None),
    ] {
        let group = group(mine, theirs);
        assert_eq!(
            wanted(&group, with(relation), prefers_me, NOW),
            expected,
            "{relation:?} {mine:?} {theirs:?} {prefers_me}"
        );
    }
}

#[test]
fn what_could_not_be_started_rests_and_is_tried_again_where_it_can_run_nowhere_else() {
    let gone = Relation::Gone { died: true };
    let (free, ceded, handed) = (Claim::Free, Claim::Ceded, Claim::HandedOver);
    // Until when it rests for others, and of itself: over at NOW, or not.
    for (relation, theirs, prefers_me, for_others, of_itself, expected) in [
        (gone, free, true, NOW, LATER, None),
        (gone, free, false, LATER, NOW, Some(start(Reason::Retry))),
        (Relation::Talking, ceded, true, NOW, NOW, None),
        (Relation::Talking, handed, false, LATER, NOW, None),
        (
            Relation::Talking,
            handed,
            false,
            NOW,
            LATER,
            Some(start(Reason::Ceded)),
        ),
        (BUSY, ceded, false, LATER, NOW, None),
        (BUSY, ceded, false, NOW, LATER, Some(start(Reason::Ceded))),
        (
            Relation::Talking,
            Claim::Failed,
            true,
            LATER,
            NOW,
            Some(start(Reason::Retry)),
        ),
        (Relation::Talking, Claim::Failed, true, NOW, LATER, None),
        (Relation::Talking, Claim::Failed, false, NOW, NOW, None),
        (Relation::Talking, free, true, NOW, NOW, None),
        (BUSY, free, true, LATER, NOW, Some(start(Reason::Retry))),
        (BUSY, free, true, NOW, LATER, None),
        (BUSY, free, false, NOW, NOW, None),
        (SETTLED, free, false, LATER, NOW, Some(start(Reason::Retry))),
        (SETTLED, free, false, NOW, LATER, None),
        (SETTLED, free, true, NOW, LATER, None),
    ] {
        let group = failed(Some(theirs), for_others, of_itself);
        assert_eq!(
            wanted(&group, with(relation), prefers_me, NOW),
            expected,
            "{relation:?} {theirs:?} {prefers_me} {for_others:?} {of_itself:?}"
        );
    }
    // One that was never tried rests for nobody.
    let mut fresh = group(free, Some(handed));
    fresh.retry_at = LATER;
    assert_eq!(
        wanted(&fresh, TALKING, false, NOW),
        Some(start(Reason::Ceded))
    );
}

#[test]
fn a_stop_that_failed_is_tried_again_when_it_is_due_whatever_else_is_wanted() {
    let mut stuck = group(Claim::held(Phase::Unknown), Some(Claim::Free));
    stuck.retry_at = LATER;
    for standing in [TALKING, LEAVING, GONE] {
        assert_eq!(wanted(&stuck, standing, true, NOW), None);
        let again = Some((Step::Stop, Reason::Retry));
        assert_eq!(wanted(&stuck, standing, true, LATER), again);
    }
}

#[test]
fn it_fails_back_only_to_a_node_that_has_nothing_against_it() {
    let one = |theirs| group(Claim::held(Phase::Running), Some(theirs));
    assert!(fails_back(&one(Claim::Free), TALKING, false));
    assert!(!fails_back(&one(Claim::Free), TALKING, true));
    for theirs in [Claim::Waived, Claim::Failed, Claim::Ceded] {
        assert!(!fails_back(&one(theirs), TALKING, false), "{theirs:?}");
    }
    for standing in [
        Standing {
            fails_back: false,
            ..TALKING
        },
        Standing {
            peer_takes: false,
            ..TALKING
        },
        with(BUSY),
    ] {
        assert!(!fails_back(&one(Claim::Free), standing, false));
    }
    for (there, expected) in [(None, true), (Some(true), true), (Some(false), false)] {
        let mut one = one(Claim::Free);
        one.carrier.there = there;
        assert_eq!(fails_back(&one, TALKING, false), expected, "{there:?}");
    }
}

#[test]
fn what_was_found_running_is_kept_only_by_a_member_that_knows_the_other_has_it_not() {
    let mut found = group(Claim::held(Phase::Unknown), Some(Claim::Free));
    found.found = true;
    let adopted = Some(start(Reason::FoundRunning));
    let joining = |relation| Standing {
        is_active: false,
        ..with(relation)
    };
    for (standing, expected) in [
        (TALKING, adopted),
        (with(BUSY), adopted),
        (GONE, adopted),
        (joining(Relation::Talking), None),
        (joining(Relation::Gone { died: true }), None),
        (with(Relation::Unheard), None),
        (with(Relation::InDoubt), None),
    ] {
        assert_eq!(
            wanted(&found, standing, true, NOW),
            expected,
            "{standing:?}"
        );
    }
    found.theirs = None;
    assert_eq!(wanted(&found, TALKING, true, NOW), None, "nothing heard");
    assert_eq!(wanted(&found, GONE, true, NOW), adopted);
}

#[test]
fn before_every_probe_has_answered_it_is_not_known_what_is_held() {
    let settings = [GroupSettings {
        key: "10.0.0.1".into(),
        line: String::new(),
        prefers_local: true,
    }];
    let mut a = Ownership::new(&settings, true);
    assert!(!a.is_known() && a.is_moving() && a.holds_any());
    a.ended(G, GroupOutcome::FoundStopped, TALKING, NOW);
    assert!(a.is_known() && !a.is_moving() && !a.holds_any());
}

#[test]
fn who_learns_that_what_it_left_has_arrived_says_so_once() {
    let (mut a, mut b) = running_on_a();
    tell(&b, &mut a);
    assert!(!a.take_news());
    step(&mut a, LEAVING);
    a.ended(G, GroupOutcome::Stopped, TALKING, NOW);
    assert_eq!(a.mine(G), Some(Claim::Ceded));
    tell(&a, &mut b);
    assert!(!b.take_news());
    step(&mut b, TALKING);
    tell(&b, &mut a);
    assert_eq!(a.mine(G), Some(Claim::Free));
    assert!(a.take_news());
    assert!(!a.take_news(), "said once");
    tell(&b, &mut a);
    assert!(!a.take_news(), "nothing new");
}

#[test]
fn a_new_conversation_begins_with_nothing_that_was_said_or_left_before() {
    let (mut a, mut b) = running_on_a();
    tell(&a, &mut b);
    assert!(b.theirs(G).is_some());
    b.begin_anew();
    assert_eq!(b.theirs(G), None);
    step(&mut a, LEAVING);
    a.ended(G, GroupOutcome::Stopped, TALKING, NOW);
    assert_eq!(a.mine(G), Some(Claim::Ceded));
    a.begin_anew();
    assert_eq!(a.mine(G), Some(Claim::Free));
    step(&mut a, GONE);
    a.begin_anew();
    let held = Claim::taken(Phase::Starting);
    assert_eq!(a.mine(G), Some(held), "what is held stays held");
}

#[test]
fn what_was_said_of_other_groups_makes_void_what_was_said_before() {
    let (a, mut b) = running_on_a();
    tell(&a, &mut b);
    let states: Vec<Stated> = a.stated().collect();
    let digest = a.digest();
    assert!(b.hear(None, &[], true), "it does not know yet");
    assert!(b.theirs(G).is_some());
    assert!(!b.hear(Some(digest), &[], true), "too few");
    assert_eq!(b.theirs(G), None);
    tell(&a, &mut b);
    assert!(!b.hear(Some(digest ^ 1), &states, true));
    assert_eq!(b.theirs(G), None);
}

#[test]
fn where_files_differ_what_was_taken_goes_back_to_one_that_had_any_all_along() {
    let had = [Stated {
        claim: Claim::held(Phase::Running),
        prefers_self: false,
    }];
    for (is_agreed, wanted) in [(true, Some((Step::Stop, Reason::Conflict))), (false, None)] {
        let (mut a, _) = running_on_a();
        a.groups[0].mine = Some(Claim::taken(Phase::Running));
        a.hear(Some(a.digest() ^ 1), &had, is_agreed);
        assert_eq!(step(&mut a, TALKING), wanted, "{is_agreed}");
        a.forget_claims();
        assert_eq!(step(&mut a, TALKING), None, "forgotten");
    }
    // One that knows our groups as well, and holds none of them, takes nothing back.
    let (mut a, _) = running_on_a();
    a.groups[0].mine = Some(Claim::taken(Phase::Running));
    let free = [Stated {
        claim: Claim::Free,
        prefers_self: false,
    }];
    a.hear(Some(a.digest() ^ 1), &free, false);
    assert!(a.groups[0].is_taken());
    a.hear(Some(a.digest() ^ 1), &free, true);
    assert!(!a.groups[0].is_taken());
}

#[test]
fn a_conflict_ends_when_the_other_stops_and_not_because_nothing_is_heard_any_more() {
    let conflict = || {
        let (mut a, mut b) = (node(true), node(false));
        step(&mut a, GONE);
        a.ended(G, GroupOutcome::Started, GONE, NOW);
        step(&mut b, GONE);
        b.ended(G, GroupOutcome::Started, GONE, NOW);
        tell(&b, &mut a);
        assert_eq!(a.next_conflict(TALKING), Some((G, Conflict::Begins)));
        (a, b)
    };
    let (mut a, _) = conflict();
    assert_eq!(
        a.next_conflict(GONE),
        None,
        "it died while it held the group"
    );
    let (mut a, _) = conflict();
    let unheard = with(Relation::Unheard);
    assert_eq!(a.next_conflict(unheard), None, "nothing is known now");
    let (mut a, mut b) = conflict();
    step(&mut b, LEAVING);
    b.ended(G, GroupOutcome::Stopped, LEAVING, NOW);
    a.groups[0].ending = Some(Reason::Leaving);
    tell(&b, &mut a);
    assert_eq!(a.next_conflict(TALKING), None, "it is given up here too");
}

#[test]
fn a_start_overrules_a_lost_carrier_only_where_somebody_wants_the_group_here() {
    for (theirs, here, expected) in [
        (Claim::HandedOver, Some(false), true),
        (Claim::HandedOver, Some(true), false),
        (Claim::Ceded, Some(false), false),
    ] {
        let mut a = node(true);
        a.groups[0].theirs = Some(Stated {
            claim: theirs,
            prefers_self: false,
        });
        a.groups[0].carrier.found(here, NOW);
        assert_eq!(step(&mut a, TALKING), Some(start(Reason::Ceded)));
        assert_eq!(
            a.groups[0].carrier.overruled, expected,
            "{theirs:?} {here:?}"
        );
    }
}

#[test]
fn a_failed_stop_ends_every_intention_but_that_of_a_stale_owner() {
    for (ending, expected) in [
        (Some(Reason::Stale), Some(Reason::Stale)),
        (Some(Reason::Standby), None),
        (None, None),
    ] {
        let (mut a, _) = running_on_a();
        a.groups[0].ending = ending;
        a.groups[0].mine = Some(Claim::taken(Phase::Stopping));
        a.ended(G, GroupOutcome::StopFailed, TALKING, NOW);
        assert_eq!(a.groups[0].ending, expected);
        assert_eq!(a.mine(G), Some(Claim::taken(Phase::Unknown)));
        assert_eq!(a.next_retry(NOW), Some(NOW + STOP_AGAIN));
        assert_eq!(a.next_retry(NOW + STOP_AGAIN), None, "it is due");
    }
}

#[test]
fn a_retry_is_due_for_what_failed_and_for_nothing_else() {
    let (mut a, _) = running_on_a();
    a.groups[0].retry_at = LATER;
    a.groups[0].failures.again_at = LATER;
    assert_eq!(a.next_retry(NOW), None, "it runs");
    a.groups[0].mine = Some(Claim::Failed);
    a.groups[0].failures.again_at = NOW + Duration::from_secs(5);
    assert_eq!(a.next_retry(NOW), Some(LATER));
    assert_eq!(a.next_retry(LATER), Some(NOW + Duration::from_secs(5)));
    a.groups[0].mine = Some(Claim::held(Phase::Unknown));
    assert_eq!(a.next_retry(NOW), Some(LATER));
    a.groups[0].found = true;
    assert_eq!(a.next_retry(NOW), None, "it is adopted or stopped at once");
}
