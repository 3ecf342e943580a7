//! Questions about several groups at once, and what a planned move or an operator's word does to them.

use super::*;
use crate::cluster::policy::Group;

const LATER: Instant = Instant::from_micros(2_000_000);

/// Two groups: one that prefers this node, with these claims, and one of the other node that nobody holds.
fn two(mine: Claim, theirs: Option<Claim>) -> Ownership {
    let settings =
        [("10.0.0.1", true), ("10.0.0.2", false)].map(|(key, prefers_local)| GroupSettings {
            key: key.into(),
            line: String::new(),
            prefers_local,
        });
    let mut node = Ownership::new(&settings, true);
    node.groups[0].mine = Some(mine);
    node.groups[0].theirs = theirs.map(said);
    node.groups[1].mine = Some(Claim::Free);
    node
}

fn said(claim: Claim) -> Stated {
    Stated {
        claim,
        prefers_self: false,
    }
}

fn running() -> Claim {
    Claim::held(Phase::Running)
}

#[test]
fn an_old_peer_that_holds_a_half_has_got_what_was_left_to_it_and_one_that_speaks_knows_what_we_hold()
 {
    for (mine, theirs, expected) in [
        (Claim::Ceded, Some(running()), Claim::Free),
        (Claim::HandedOver, Some(running()), Claim::Waived),
        (Claim::Ceded, Some(Claim::Free), Claim::Ceded),
        (Claim::Ceded, None, Claim::Ceded),
        (Claim::taken(Phase::Running), Some(Claim::Free), running()),
        (
            Claim::taken(Phase::Running),
            None,
            Claim::taken(Phase::Running),
        ),
    ] {
        let mut node = two(mine, None);
        node.hear_halves(|local| theirs.filter(|_| local));
        assert_eq!(node.mine(GroupId(0)), Some(expected), "{mine:?} {theirs:?}");
        assert_eq!(node.theirs(GroupId(0)), theirs.map(said));
        assert_eq!(node.theirs(GroupId(1)), None);
    }
    let mut node = two(Claim::Free, None);
    node.groups[0].is_removed = true;
    node.hear_one(0, Some(running()));
    assert_eq!(node.theirs(GroupId(0)), None, "not in the file any more");
}

#[test]
fn a_group_can_run_here_when_it_does_or_nothing_forbids_a_start() {
    for (mine, found, ending, retry_at, expected) in [
        (Claim::Free, false, None, NOW, true),
        (Claim::Failed, false, None, LATER, false),
        (Claim::Failed, false, None, NOW, true),
        (running(), false, None, NOW, true),
        (running(), false, Some(Reason::Stale), NOW, false),
        (Claim::held(Phase::Unknown), false, None, NOW, false),
        (Claim::held(Phase::Unknown), true, None, NOW, true),
    ] {
        let mut node = two(mine, None);
        let group = &mut node.groups[0];
        (group.found, group.ending, group.retry_at) = (found, ending, retry_at);
        assert_eq!(
            node.can_run_one(0, NOW),
            expected,
            "{mine:?} {found} {ending:?}"
        );
        assert_eq!(node.tries_one_at(0, NOW), retry_at);
    }
    let mut node = two(Claim::Free, None);
    node.groups[0].mine = None;
    assert!(!node.can_run_one(0, NOW) && !node.can_run_one(9, NOW));
    node.groups[0].retry_at = NOW;
    assert_eq!(node.tries_one_at(0, LATER), LATER, "that is over");
    assert_eq!(node.tries_one_at(9, NOW), NOW);
}

#[test]
fn only_what_yields_to_the_other_owner_is_given_up() {
    for (ending, expected) in [
        (Some(Reason::Conflict), true),
        (Some(Reason::Standby), false),
        (None, false),
    ] {
        let mut node = two(running(), None);
        node.groups[0].ending = ending;
        assert_eq!(node.is_given_up(0), expected, "{ending:?}");
    }
    let mut node = two(running(), None);
    node.give_up_all();
    assert!(node.is_given_up(0));
    assert!(!node.is_given_up(1), "it is not held");
}

#[test]
fn what_was_to_go_and_has_not_gone_stays_when_the_other_node_does_not_want_it() {
    for (before, after) in [
        (Claim::Ceded, Claim::Free),
        (Claim::HandedOver, Claim::Free),
        (Claim::Failed, Claim::Failed),
        (Claim::Waived, Claim::Waived),
        (running(), running()),
    ] {
        let mut node = two(before, None);
        node.take_back();
        assert_eq!(node.mine(GroupId(0)), Some(after), "{before:?}");
    }
    for (before, after) in [
        (Reason::Standby, None),
        (Reason::Failback, None),
        (Reason::Conflict, Some(Reason::Conflict)),
        (Reason::Stale, Some(Reason::Stale)),
    ] {
        let mut node = two(running(), None);
        node.groups[0].ending = Some(before);
        node.take_back();
        assert_eq!(node.groups[0].ending, after, "{before:?}");
    }
}

#[test]
fn what_was_taken_from_one_thought_dead_goes_back_and_nothing_else() {
    let mut node = two(Claim::taken(Phase::Running), None);
    assert!(node.has_taken());
    node.give_back_taken();
    assert!(node.is_given_up(0) && !node.is_given_up(1));
    let mut node = two(running(), None);
    assert!(!node.has_taken());
    node.give_back_taken();
    assert!(!node.is_given_up(0));
}

#[test]
fn a_half_has_failed_when_one_of_it_could_not_be_started_and_none_of_it_runs() {
    let mut node = two(Claim::Failed, None);
    assert!(node.has_failed(Selection::Local) && node.has_failed(Selection::All));
    assert!(!node.has_failed(Selection::Foreign));
    node.groups[1].mine = Some(running());
    assert!(!node.has_failed(Selection::All), "another one runs");
    node.groups[0].mine = Some(Claim::Free);
    assert!(!node.has_failed(Selection::Local), "nothing has failed");
}

#[test]
fn a_group_is_being_taken_from_when_it_is_left_until_it_runs_or_has_failed() {
    let left = Some(Claim::Ceded);
    for (mine, theirs, expected) in [
        (Claim::Free, left, true),
        (Claim::Free, Some(Claim::Free), false),
        (Claim::held(Phase::Starting), left, true),
        (running(), left, false),
        (Claim::Failed, left, false),
        (Claim::Failed, None, false),
    ] {
        let node = two(mine, theirs);
        assert_eq!(
            node.is_taking(Selection::Local),
            expected,
            "{mine:?} {theirs:?}"
        );
        assert!(!node.is_taking(Selection::Foreign));
    }
    let mut node = two(Claim::Free, None);
    node.groups[0].mine = None;
    assert!(node.is_taking(Selection::Local), "what is not known may be");
}

#[test]
fn an_operator_s_word_makes_a_node_fit_again_but_settles_no_failure_of_both() {
    for (theirs, retry_at, expected) in [
        (Claim::Free, NOW, Claim::Waived),
        (Claim::Free, LATER, Claim::Failed),
        (Claim::Failed, NOW, Claim::Failed),
    ] {
        let mut node = two(Claim::Failed, Some(theirs));
        node.groups[0].retry_at = retry_at;
        node.groups[0].note_breakdown(NOW);
        node.pardon(Selection::Foreign, NOW);
        assert!(node.groups[0].is_unfit, "another group was meant");
        node.pardon(Selection::Local, NOW);
        assert!(!node.groups[0].is_unfit && node.groups[0].breakdowns.are_over(NOW));
        assert_eq!(
            node.mine(GroupId(0)),
            Some(expected),
            "{theirs:?} {retry_at:?}"
        );
    }
    let mut node = two(running(), None);
    node.pardon(Selection::All, NOW);
    assert_eq!(node.mine(GroupId(0)), Some(running()));
}

#[test]
fn what_was_left_by_request_is_wanted_back_where_it_worked() {
    for (mine, is_unfit, expected) in [
        (Claim::Waived, false, Claim::Free),
        (Claim::Waived, true, Claim::Waived),
        (Claim::Failed, false, Claim::Failed),
    ] {
        let mut node = two(mine, None);
        node.groups[0].is_unfit = is_unfit;
        node.want_back();
        assert_eq!(node.mine(GroupId(0)), Some(expected), "{mine:?} {is_unfit}");
    }
}

#[test]
fn what_the_other_node_says_of_any_group_is_seen() {
    for (theirs, has_failed, is_handed, holds) in [
        (Claim::Failed, true, false, false),
        (Claim::HandedOver, false, true, false),
        (running(), false, false, true),
        (Claim::Free, false, false, false),
    ] {
        let node = two(Claim::Free, Some(theirs));
        assert_eq!(node.peer_has_failed(), has_failed, "{theirs:?}");
        assert_eq!(node.is_handed_over(), is_handed, "{theirs:?}");
        assert_eq!(node.peer_holds_of(Selection::Local), holds, "{theirs:?}");
        assert!(!node.peer_holds_of(Selection::Foreign) && !node.peer_holds_all());
    }
    let mut node = two(Claim::Free, Some(running()));
    node.groups[1].theirs = Some(said(running()));
    assert!(node.peer_holds_all());
}

#[test]
fn a_planned_move_is_about_what_runs_where_it_begins_and_gives_each_group_once() {
    let mut node = two(running(), Some(Claim::Free));
    assert!(!node.waits_to_give());
    node.plan_giving(Selection::All);
    let planned = |node: &Ownership| {
        node.groups
            .iter()
            .map(|group| group.planned)
            .collect::<Vec<_>>()
    };
    assert_eq!(planned(&node), [true, false]);
    assert!(node.waits_to_give());
    node.release_planned();
    assert_eq!(node.groups[0].ending, Some(Reason::Standby));
    assert!(!node.waits_to_give());
    node.groups[0].ending = None;
    node.release_planned();
    assert_eq!(node.groups[0].ending, None, "it came back");
    node.forget_plan();
    assert_eq!(planned(&node), [false, false]);
    let mut node = two(Claim::Free, Some(running()));
    node.plan_taking(Selection::All);
    assert_eq!(planned(&node), [true, false]);
    for theirs in [None, Some(Claim::Ceded), Some(running())] {
        let mut node = two(running(), theirs);
        node.plan_giving(Selection::All);
        node.release_planned();
        assert_eq!(
            node.groups[0].ending, None,
            "{theirs:?}: it can't be given yet"
        );
    }
}

#[test]
fn to_an_old_peer_a_half_is_given_as_a_whole_and_what_cannot_be_stopped_is_not_offered() {
    for (mine, after, ending) in [
        (running(), running(), Some(Reason::Standby)),
        (
            Claim::held(Phase::Starting),
            Claim::held(Phase::Starting),
            Some(Reason::Standby),
        ),
        (
            Claim::held(Phase::Unknown),
            Claim::held(Phase::Unknown),
            None,
        ),
        (Claim::Free, Claim::Ceded, None),
        (Claim::Failed, Claim::Ceded, None),
    ] {
        let mut node = two(mine, None);
        node.give(Selection::Local, Reason::Standby);
        assert_eq!(node.mine(GroupId(0)), Some(after), "{mine:?}");
        assert_eq!(node.groups[0].ending, ending, "{mine:?}");
        assert_eq!(node.groups[0].planned, ending.is_some());
        assert_eq!(node.mine(GroupId(1)), Some(Claim::Free));
    }
}

#[test]
fn a_stop_has_failed_while_its_group_counts_as_running_or_is_stopped_once_more() {
    for (phase, found, expected) in [
        (Phase::Unknown, false, true),
        (Phase::Unknown, true, false),
        (Phase::Stopping, false, true),
        (Phase::Running, false, false),
    ] {
        let mut node = two(Claim::held(phase), None);
        node.groups[0].found = found;
        assert_eq!(node.has_stop_failed(), expected, "{phase:?} {found}");
        assert_eq!(node.is_stuck(Selection::Local), phase == Phase::Unknown);
        assert!(!node.is_stuck(Selection::Foreign));
    }
}

#[test]
fn a_failure_is_forgotten_where_the_group_runs_on_the_other_node_and_this_one_is_fit() {
    for (theirs, retry_at, is_unfit, expected) in [
        (running(), NOW, false, Claim::Waived),
        (running(), LATER, false, Claim::Failed),
        (running(), NOW, true, Claim::Failed),
        (Claim::Free, NOW, false, Claim::Failed),
    ] {
        let mut node = two(Claim::Failed, Some(theirs));
        let group: &mut Group = &mut node.groups[0];
        group.retry_at = retry_at;
        if is_unfit {
            group.note_breakdown(NOW);
        }
        group.failures.add(NOW);
        node.forget_failures(NOW);
        assert_eq!(
            node.mine(GroupId(0)),
            Some(expected),
            "{theirs:?} {is_unfit}"
        );
        let count = u32::from(theirs != running());
        assert_eq!(node.groups[0].failures.count, count, "{theirs:?}");
    }
    let mut node = two(Claim::Failed, Some(Claim::held(Phase::Starting)));
    node.groups[0].failures.add(NOW);
    node.forget_failures(NOW);
    assert_eq!(
        node.groups[0].failures.count, 1,
        "being started is no success"
    );
}
