//! Files that change while both nodes run.

use std::time::Duration;

use super::old_peer::{old_heartbeat, old_message};
use super::*;
use crate::cluster::claims::Phase;

/// A group of a file: key, resources, whether it prefers the first node.
type Line = (&'static str, &'static str, bool);

const ONE: Line = ("one", "one", true);
const TWO: Line = ("two", "two", false);
const THREE: Line = ("three", "three", true);
const SECOND: Duration = Duration::from_secs(1);

/// What a file with these groups brings to a node.
fn wanted(cluster: &Cluster, node: usize, lines: &[Line]) -> Reload {
    let groups = lines.iter().map(|(key, resources, first)| GroupSettings {
        key: (*key).into(),
        line: format!("a {resources}"),
        prefers_local: *first == (node == 0),
    });
    let settings = &cluster.settings;
    Reload {
        keepalive: settings.keepalive,
        deadtime: settings.deadtime,
        warntime: settings.warntime,
        initdead: settings.initdead,
        deadping: settings.ping.deadping,
        max_rexmit_delay: settings.max_rexmit_delay,
        auto_failback: settings.auto_failback,
        failback: settings.failback,
        carrier_loss: settings.carrier_loss,
        log_badpack: true,
        groups: cluster.places_for(groups.collect()),
    }
}

impl Pair {
    fn node(&mut self, node: usize) -> &mut Cluster {
        self.nodes[node].as_mut().expect("it runs")
    }

    fn hand_over(&mut self, node: usize, reload: Reload) -> Option<ReloadRefusal> {
        self.running[node].resize(reload.groups.len().max(2), false);
        let other = &mut self.running[1 - node];
        other.resize(other.len().max(reload.groups.len()), false);
        let now = self.now;
        let cluster = self.node(node);
        let refusal = cluster.refuses_reload(&reload);
        let before = cluster.reloads();
        cluster.handle(now, Event::Reloaded(Box::new(reload)));
        assert_eq!(cluster.reloads() > before, refusal.is_none());
        self.turn(node, None);
        refusal
    }

    /// A node reads a file with these groups, and has half a second.
    #[track_caller]
    fn reload(&mut self, node: usize, lines: &[Line]) {
        let reload = wanted(self.node(node), node, lines);
        assert_eq!(self.hand_over(node, reload), None);
        self.run(SECOND / 2);
    }

    fn steps(&self) -> usize {
        let steps = ["starting here", "stopping here"];
        let all = steps.map(|step| self.said(0, step) + self.said(1, step));
        all.iter().sum()
    }
}

#[test]
fn an_added_group_starts_where_it_belongs_once_both_files_have_it_and_nothing_else_moves() {
    for (first, third) in [(0, true), (1, true), (0, false), (1, false)] {
        let mut pair = Pair::together(AutoFailback::On);
        let before = pair.steps();
        let file = [ONE, TWO, ("three", "three", third)];
        pair.reload(first, &file);
        assert_eq!(
            pair.steps(),
            before,
            "only one of them knows it: {:#?}",
            pair.log
        );
        assert_eq!(pair.said(1 - first, "haresources differs"), 1);
        pair.reload(1 - first, &file);
        let owners = [vec![true, false, third], vec![false, true, !third]];
        assert_eq!(pair.owners(), owners, "{:#?}", pair.log);
        assert_eq!(pair.steps(), before + 1);
        assert_eq!(pair.said(0, "is dead") + pair.said(1, "is dead"), 0);
    }
}

#[test]
fn a_removed_group_stops_where_its_file_does_not_have_it_and_starts_nowhere_else() {
    let mut pair = Pair::together(AutoFailback::On);
    let before = pair.steps();
    pair.reload(0, &[TWO]);
    assert_eq!(
        pair.owners(),
        [[false, false], [false, true]],
        "{:#?}",
        pair.log
    );
    assert_eq!(pair.said(0, "haresources does not have it any more"), 1);
    pair.run(SECOND * 20);
    assert_eq!(pair.owners(), [[false, false], [false, true]]);
    pair.reload(1, &[TWO]);
    pair.kill(0);
    pair.run(SECOND * 3);
    assert_eq!(pair.owners()[1], [false, true]);
    assert_eq!(pair.steps(), before + 1);
}

#[test]
fn the_group_of_the_other_node_stops_there_and_not_before_its_file_says_so() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.reload(0, &[ONE]);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair.reload(1, &[ONE]);
    assert_eq!(pair.owners(), [[true, false], [false, false]]);
}

#[test]
fn a_group_keeps_its_place_until_it_is_stopped_and_another_one_takes_it_then() {
    let mut pair = Pair::together(AutoFailback::On);
    pair.fails_to_stop[0] = true;
    pair.reload(0, &[TWO]);
    let places = pair.node(0).places();
    assert!(places[0].is_removed && !places[1].is_removed);
    assert_eq!(pair.node(0).group(GroupId(0)).local, GroupState::Unknown);
    // What runs here still may not be forgotten, and comes back as what it is.
    let reload = wanted(pair.node(0), 0, &[THREE, TWO]);
    let keys: Vec<&str> = reload
        .groups
        .iter()
        .map(|place| place.group.key.as_str())
        .collect();
    assert_eq!(keys, ["one", "two", "three"]);
    let changed = wanted(pair.node(0), 0, &[("one", "one more", true), TWO]);
    let refusal = pair.hand_over(0, changed);
    assert_eq!(refusal, Some(ReloadRefusal::Stuck("one".into())));
    pair.reload(0, &[ONE, TWO]);
    assert_eq!(
        pair.node(0)
            .ownership
            .mine(GroupId(0))
            .and_then(Claim::phase),
        Some(Phase::Unknown)
    );
    pair.reload(0, &[TWO]);
    pair.fails_to_stop[0] = false;
    pair.run(SECOND * 31);
    assert_eq!(pair.owners()[0], [false, false]);
    for node in 0..2 {
        pair.reload(node, &[THREE, TWO]);
    }
    let keys: Vec<String> = pair
        .node(0)
        .places()
        .into_iter()
        .map(|place| place.group.key)
        .collect();
    assert_eq!(keys, ["three", "two"]);
    assert_eq!(
        pair.owners(),
        [[true, false], [false, true]],
        "{:#?}",
        pair.log
    );
}

#[test]
fn an_added_group_that_runs_already_is_kept_where_nobody_else_has_it() {
    let mut pair = Pair::together(AutoFailback::On);
    for node in 0..2 {
        let reload = wanted(pair.node(node), node, &[ONE, TWO, THREE]);
        let now = pair.now;
        let cluster = pair.node(node);
        cluster.handle(now, Event::Reloaded(Box::new(reload)));
        // It is stated as one that may run for as long as nobody has looked.
        assert_eq!(
            cluster
                .ownership
                .stated()
                .filter(|stated| stated.claim.is_held())
                .count(),
            2
        );
        while let Some(action) = cluster.next_action() {
            assert!(
                !matches!(action, Action::StopGroup(_) | Action::StartGroup(_)),
                "{action:?}"
            );
        }
        let outcome = if node == 0 {
            GroupOutcome::FoundRunning
        } else {
            GroupOutcome::FoundStopped
        };
        let group = GroupId(2);
        cluster.handle(now, Event::Group { group, outcome });
        pair.running[node].resize(3, node == 0);
    }
    pair.run(SECOND);
    assert_eq!(
        pair.owners(),
        [vec![true, false, true], vec![false, true, false]]
    );
    assert_eq!(pair.said(0, "three: stopping here"), 0, "{:#?}", pair.log);
}

#[test]
fn what_was_moved_on_request_stays_where_it_is() {
    let mut pair = Pair::together(AutoFailback::On);
    let now = pair.now;
    let request = MoveRequest::Standby(Selection::All);
    pair.node(0).handle(now, Event::MoveRequested(request));
    pair.turn(0, None);
    pair.run(SECOND);
    assert_eq!(pair.owners(), [[false, false], [true, true]]);
    for node in 0..2 {
        pair.reload(node, &[ONE, TWO, ("four", "four", false)]);
    }
    pair.run(SECOND * 5);
    let owners = [vec![false; 3], vec![true; 3]];
    assert_eq!(pair.owners(), owners, "{:#?}", pair.log);
}

#[test]
fn what_is_on_the_move_is_left_alone() {
    let mut pair = Pair::together(AutoFailback::On);
    let now = pair.now;
    let request = MoveRequest::Standby(Selection::All);
    // The wish, without a turn in which anything could follow from it.
    pair.node(0).handle(now, Event::MoveRequested(request));
    let reload = wanted(pair.node(0), 0, &[TWO]);
    assert_eq!(pair.hand_over(0, reload), Some(ReloadRefusal::Busy));
    pair.run(SECOND);
    assert_eq!(
        pair.owners(),
        [[false, false], [true, true]],
        "{:#?}",
        pair.log
    );
    let reload = wanted(pair.node(1), 1, &[TWO]);
    pair.node(1).ownership.groups[0].mine = Some(Claim::held(Phase::Starting));
    let refusal = pair.node(1).refuses_reload(&reload);
    assert_eq!(refusal, Some(ReloadRefusal::Moving("one".into())));
    let untouched = wanted(pair.node(1), 1, &[ONE, TWO, THREE]);
    assert_eq!(pair.node(1).refuses_reload(&untouched), None);
    let passing = pair.node(0).ownership.groups[1].mine.replace(Claim::Ceded);
    pair.node(0).ownership.groups[1].theirs = Some(Stated {
        claim: Claim::Free,
        prefers_self: true,
    });
    let reload = wanted(pair.node(0), 0, &[ONE, TWO, THREE]);
    let refusal = pair.node(0).refuses_reload(&reload);
    assert_eq!(refusal, Some(ReloadRefusal::Passing("two".into())));
    pair.node(0).ownership.groups[1].mine = passing;
    let now = pair.now;
    pair.node(0).handle(now, Event::StopRequested);
    let refusal = pair.node(0).refuses_reload(&reload);
    assert_eq!(refusal, Some(ReloadRefusal::Leaving));
}

#[test]
fn a_move_ends_when_the_other_node_has_read_another_file() {
    let mut pair = Pair::together(AutoFailback::On);
    let now = pair.now;
    let request = MoveRequest::Takeover(Selection::Foreign);
    pair.node(0).handle(now, Event::MoveRequested(request));
    let movement = |pair: &mut Pair| pair.node(0).movement().map(|movement| movement.progress);
    assert_eq!(movement(&mut pair), Some(MoveProgress::Asked));
    pair.node(0).actions.clear(); // the wish gets lost
    pair.reload(1, &[ONE, TWO, THREE]);
    let ended = Some(MoveProgress::Failed(MoveFailure::FilesDiffer));
    assert_eq!(movement(&mut pair), ended, "{:#?}", pair.log);
    assert_eq!(
        pair.owners(),
        [vec![true, false, false], vec![false, true, false]]
    );
}

#[test]
fn another_preferred_node_moves_a_group_once_both_say_so_and_never_has_two_owners() {
    for first in 0..2 {
        let mut pair = Pair::together(AutoFailback::On);
        let file = [("one", "one", false), TWO];
        pair.reload(first, &file);
        pair.reload(1 - first, &file);
        pair.run(SECOND);
        assert_eq!(
            pair.owners(),
            [[false, false], [true, true]],
            "{:#?}",
            pair.log
        );
    }
}

#[test]
fn a_group_that_failed_and_was_mended_is_tried_at_once() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.fails_to_start = [true; 2];
    pair.start(0);
    pair.start(1);
    pair.run(SECOND * 2);
    assert_eq!(pair.owners(), [[false; 2]; 2]);
    pair.fails_to_start = [false; 2];
    for node in 0..2 {
        pair.reload(node, &[("one", "one mended", true), TWO]);
    }
    assert_eq!(
        pair.owners(),
        [[true, false], [false, false]],
        "{:#?}",
        pair.log
    );
}

#[test]
fn what_failed_before_it_was_mended_counts_no_more() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.fails_to_start = [true; 2];
    pair.start(0);
    pair.start(1);
    pair.run(SECOND * 300);
    let failures = |pair: &mut Pair| {
        let retry = pair.node(0).retry_of(GroupId(0));
        retry.expect("it could not be started").failures
    };
    assert!(failures(&mut pair) > 2, "{:#?}", pair.log);
    for node in 0..2 {
        pair.reload(node, &[("one", "one mended", true), TWO]);
    }
    assert!(failures(&mut pair) < 3, "{:#?}", pair.log);
}

#[test]
fn a_longer_deadtime_counts_once_the_other_node_has_heard_of_it() {
    for (hears, stalls) in [(true, 0), (false, 1)] {
        let mut pair = Pair::together(AutoFailback::On);
        pair.wires = [[hears; 2]; LINKS];
        let reload = Reload {
            deadtime: SECOND * 10,
            ..wanted(pair.node(0), 0, &[ONE, TWO])
        };
        assert_eq!(pair.hand_over(0, reload), None);
        pair.turn(0, None);
        // Something happens after two seconds in which it did not run.
        let later = pair.now + SECOND * 2;
        let cluster = pair.node(0);
        cluster.handle(later, Event::WallClock { seconds: 1 });
        let told = std::iter::from_fn(|| cluster.next_action())
            .filter(|action| matches!(action, Action::Report(Report::Stalled { .. })));
        assert_eq!(told.count(), stalls, "{hears}");
    }
}

#[test]
fn times_count_at_once() {
    let mut pair = Pair::together(AutoFailback::Off);
    let reload = Reload {
        keepalive: Duration::from_millis(50),
        auto_failback: AutoFailback::On,
        ..wanted(pair.node(0), 0, &[ONE, TWO])
    };
    assert_eq!(pair.hand_over(0, reload), None);
    assert!(pair.node(0).next_deadline() <= pair.now + Duration::from_millis(50));
    assert!(pair.node(0).standing().fails_back);
    let legacy = Reload {
        auto_failback: AutoFailback::Legacy,
        ..wanted(pair.node(0), 0, &[ONE, TWO])
    };
    assert_eq!(pair.hand_over(0, legacy), None);
    assert_eq!(pair.node(0).settings.auto_failback, AutoFailback::On);
}

/// Ours is `b`, and the other node runs 3.0.6 and holds its own half.
fn beside_an_old_one() -> Pair {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(1);
    let holds = [
        ("t", "resource"),
        ("rsc_hold", "local"),
        ("rtype", "full"),
        ("isstable", "1"),
    ];
    let nodes = [("t", "repnodes"), ("nodelist", "a b ")];
    for bytes in [
        old_heartbeat(7, 1, "active"),
        old_message(7, 2, &nodes),
        old_message(7, 3, &holds),
    ] {
        pair.turn(1, Some((LinkId(1), bytes)));
    }
    assert_eq!(pair.owners()[1], [false, true], "{:#?}", pair.log);
    pair
}

#[test]
fn beside_an_old_node_ours_starts_what_is_added_to_its_half_and_leaves_the_other_half_alone() {
    let mut pair = beside_an_old_one();
    let file = [ONE, TWO, ("three", "three", false), ("four", "four", true)];
    let reload = wanted(pair.node(1), 1, &file);
    assert_eq!(pair.hand_over(1, reload), None);
    assert_eq!(
        pair.owners()[1],
        [false, true, true, false],
        "{:#?}",
        pair.log
    );
    let reload = wanted(pair.node(1), 1, &[ONE, ("three", "three", false)]);
    assert_eq!(pair.hand_over(1, reload), None);
    assert_eq!(
        pair.owners()[1],
        [false, false, true, false],
        "{:#?}",
        pair.log
    );
}

#[test]
fn beside_an_old_node_no_group_changes_its_half() {
    let mut pair = beside_an_old_one();
    let reload = wanted(pair.node(1), 1, &[ONE, ("two", "two", true)]);
    let refusal = pair.hand_over(1, reload);
    assert_eq!(refusal, Some(ReloadRefusal::OldPeer("two".into())));
    assert_eq!(pair.owners()[1], [false, true]);
}

/// Both nodes have a device that does not answer.
fn with_devices() -> Pair {
    let mut pair = Pair::new(AutoFailback::On);
    pair.fencing = FencingSettings {
        has_device: true,
        delay: SECOND,
        takeover_unfenced: None,
    };
    pair.start(0);
    pair.start(1);
    pair.run(SECOND);
    assert_eq!(pair.owners(), [[true, false], [false, true]]);
    pair
}

#[test]
fn nodes_with_different_files_do_not_reset_each_other_in_the_same_moment() {
    for first in 0..2 {
        let mut pair = with_devices();
        pair.reload(first, &[ONE, TWO, THREE]);
        pair.wires = [[false; 2]; LINKS];
        let begun = pair.now;
        let mut asked = [None; 2];
        while asked.contains(&None) && pair.now.since(begun) < SECOND * 20 {
            pair.run(SECOND / 10);
            for (asked, requests) in asked.iter_mut().zip(&pair.fenced) {
                if !requests.is_empty() {
                    asked.get_or_insert(pair.now);
                }
            }
        }
        let [a, b] = asked.map(|at| at.expect("it asks its device"));
        let apart = a.since(b).max(b.since(a));
        assert!(apart >= SECOND / 2, "{apart:?}");
    }
}

#[test]
fn groups_that_come_after_the_other_node_died_wait_for_its_reset() {
    let mut pair = with_devices();
    pair.reload(0, &[]);
    pair.kill(1);
    pair.run(SECOND * 5);
    assert!(pair.fenced[0].is_empty(), "there is nothing to take");
    pair.reload(0, &[ONE, TWO]);
    pair.run(SECOND * 5);
    assert_eq!(pair.fenced[0].len(), 1, "{:#?}", pair.log);
    assert_eq!(pair.owners()[0], [false, false]);
}

#[test]
fn a_removed_group_that_does_not_stop_costs_nobody_a_reset() {
    for policy in [StopFailure::Reboot, StopFailure::Fence] {
        let mut pair = Pair::new(AutoFailback::On);
        pair.stop_failure = policy;
        pair.start(0);
        pair.start(1);
        pair.run(SECOND);
        pair.fails_to_stop[0] = true;
        pair.reload(0, &[TWO]);
        pair.run(SECOND * 40);
        assert_eq!(pair.resets[0], 0);
        assert_eq!(pair.said(0, "reset"), 0, "{:#?}", pair.log);
    }
}

#[test]
fn a_group_that_loses_its_address_forgets_what_its_interface_had() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.carrier_loss = Some(SECOND * 5);
    for node in 0..2 {
        pair.start(node);
        let now = pair.now;
        let core = pair.node(node);
        for (group, here) in [(0, node == 1), (1, true)] {
            let (group, here) = (GroupId(group), Some(here));
            core.handle(now, Event::Carrier { group, here });
        }
    }
    pair.run(SECOND);
    let before = pair.owners();
    // Now the first group is nothing but a program.
    for node in 0..2 {
        pair.reload(node, &[("one", "program", true), TWO]);
        assert_eq!(pair.node(node).carriers_of(GroupId(0)), (None, None));
    }
    pair.run(SECOND * 60);
    assert_eq!(pair.owners(), before, "{:#?}", pair.log);
}
