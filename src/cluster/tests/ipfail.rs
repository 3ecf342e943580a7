//! What follows from ping nodes, between two of ours.

use std::time::Duration;

use super::*;

const DEADPING: Duration = Duration::from_millis(1500);
/// Until a loss has been noticed, the peer was compared with, and everything has moved.
const MOVED: Duration = Duration::from_secs(4);

fn nodes(counts: &[bool]) -> PingSettings {
    PingSettings {
        nodes: counts
            .iter()
            .zip(["router", "gate", "vip"])
            .map(|(&counts, name)| PingNodeSettings {
                name: name.into(),
                counts,
            })
            .collect(),
        deadping: DEADPING,
        ipfail: true,
    }
}

fn pair(failback: AutoFailback, ping: PingSettings) -> Pair {
    let mut pair = Pair::new(failback);
    pair.answers = [vec![true; ping.nodes.len()], vec![true; ping.nodes.len()]];
    pair.ping = ping;
    pair
}

/// Two ping nodes that answer both, and each group at home.
fn settled(failback: AutoFailback) -> Pair {
    settle(pair(failback, nodes(&[true, true])))
}

/// The same with `auto_failback on`, where a failback waits for something.
pub(super) fn settled_with(conditions: [FailbackCondition; 2]) -> Pair {
    let mut pair = pair(AutoFailback::On, nodes(&[true, true]));
    pair.conditions = conditions;
    settle(pair)
}

fn settle(mut pair: Pair) -> Pair {
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
    pair
}

const AT_HOME: [[bool; 2]; 2] = [[true, false], [false, true]];
const ALL_ON_B: [[bool; 2]; 2] = [[false, false], [true, true]];

impl Pair {
    fn loses(&mut self, node: usize, ping: usize) {
        self.answers[node][ping] = false;
    }

    /// Its monitors find that a group does not work.
    fn breaks(&mut self, node: usize, group: GroupId) {
        let broken = Event::Group {
            group,
            outcome: GroupOutcome::Broken,
        };
        if let Some(cluster) = &mut self.nodes[node] {
            cluster.handle(self.now, broken);
        }
        self.turn(node, None);
    }

    fn regains(&mut self, node: usize, ping: usize) {
        self.answers[node][ping] = true;
    }

    /// The lines of a node that contain one of these, in order.
    fn lines(&self, node: usize, texts: &[&str]) -> Vec<&str> {
        let lines = self.log.iter().filter(|(who, _)| *who == node);
        let lines = lines.map(|(_, line)| line.as_str());
        lines
            .filter(|line| texts.iter().any(|text| line.contains(text)))
            .collect()
    }
}

#[test]
fn who_sees_fewer_gives_up_everything_by_a_planned_move() {
    for failback in [AutoFailback::On, AutoFailback::Off] {
        let mut pair = settled(failback);
        pair.loses(0, 1);
        pair.run(MOVED);
        assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
        let told = [
            "node gate: is dead",
            "Link gate:gate dead.",
            "Checking remote count of ping nodes.",
            "Giving up because we have less visible ping nodes.",
            "Delayed giveup in 0 seconds.",
            "giveup() called (timeout worked)",
            "a wants to go standby [all]",
            "Standby [all] is done.",
        ];
        assert_eq!(pair.lines(0, &told), told, "{:#?}", pair.log);
        pair.run(Duration::from_secs(600));
        assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
        assert_eq!(pair.said(0, "giveup() called"), 1);
    }
}

#[test]
fn what_both_lose_moves_nothing_whoever_notices_first() {
    for first in 0..2 {
        for between in [0, 100, 190] {
            let mut pair = settled(AutoFailback::On);
            pair.loses(first, 0);
            pair.run(Duration::from_millis(between));
            pair.loses(1 - first, 0);
            pair.run(Duration::from_secs(60));
            assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
            for node in 0..2 {
                assert_eq!(pair.said(node, "is dead"), 1, "{:#?}", pair.log);
                assert_eq!(pair.said(node, "Giving up"), 0, "{:#?}", pair.log);
            }
        }
    }
}

#[test]
fn who_loses_one_and_regains_it_in_time_keeps_everything() {
    let mut pair = settled(AutoFailback::On);
    pair.loses(0, 0);
    let begun = "Delayed giveup in";
    while pair.said(0, begun) == 0 {
        pair.run(Duration::from_millis(50));
    }
    pair.regains(0, 0);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
    assert_eq!(pair.said(0, "Aborted delayed giveup (1)"), 1);
    assert_eq!(pair.said(0, "giveup() called"), 0);
}

#[test]
fn with_auto_failback_on_the_groups_return_once_all_has_been_well_for_a_while() {
    let mut pair = settled(AutoFailback::On);
    let mut took = Vec::new();
    for _ in 0..3 {
        pair.loses(0, 0);
        pair.run(MOVED);
        assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
        pair.regains(0, 0);
        let since = pair.now;
        while pair.owners() != AT_HOME {
            pair.run(Duration::from_millis(100));
            let waited = pair.now.since(since);
            assert!(waited < DEADPING * 8, "{:#?}", pair.log);
        }
        took.push(pair.now.since(since));
        pair.run(Duration::from_secs(5));
    }
    assert!(took[0] >= DEADPING && took[1] >= DEADPING * 2 && took[2] >= DEADPING * 4);
    let told = ["taking local resources back", "Takeover [local] is done."];
    let lines = pair.lines(0, &told);
    assert_eq!(lines.len(), 6, "{lines:?}");
}

#[test]
fn with_auto_failback_off_they_stay() {
    let mut pair = settled(AutoFailback::Off);
    pair.loses(0, 0);
    pair.run(MOVED);
    pair.regains(0, 0);
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.owners(), ALL_ON_B);
}

#[test]
fn balance_at_a_lower_count_brings_nothing_back() {
    let mut pair = settled(AutoFailback::On);
    pair.loses(0, 0);
    pair.run(MOVED);
    pair.loses(1, 0);
    pair.run(Duration::from_secs(600));
    assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
    pair.regains(1, 0);
    pair.regains(0, 0);
    pair.run(Duration::from_secs(30));
    assert_eq!(pair.owners(), AT_HOME);
}

#[test]
fn the_groups_follow_the_network_to_and_fro() {
    let mut pair = settled(AutoFailback::Off);
    for round in 0..3 {
        let loser = round % 2;
        pair.loses(loser, 0);
        pair.run(MOVED);
        let all = vec![true, true];
        assert_eq!(pair.owners()[1 - loser], all, "{:#?}", pair.log);
        pair.regains(loser, 0);
        pair.run(MOVED);
    }
}

#[test]
fn to_a_dead_or_deaf_peer_nothing_goes() {
    let mut pair = settled(AutoFailback::On);
    pair.kill(1);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.said(0, "NS: We are still alive!"), 1);
    pair.loses(0, 0);
    pair.loses(0, 1);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.owners()[0], [true, true], "{:#?}", pair.log);
    assert_eq!(pair.said(0, "Giving up because"), 0);

    let mut pair = settled(AutoFailback::On);
    pair.wires = [[true, false]; LINKS]; // a does not hear b
    pair.loses(0, 0);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.said(0, "giveup() called"), 0, "{:#?}", pair.log);
}

#[test]
fn without_ipfail_on_both_nodes_nothing_moves() {
    let mut pair = pair(AutoFailback::On, nodes(&[true]));
    pair.start(0);
    pair.ping.ipfail = false;
    pair.start(1);
    pair.run(Duration::from_secs(3));
    pair.loses(0, 0);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
    for node in 0..2 {
        assert_eq!(
            pair.said(node, "Status update for node router: status ping"),
            1
        );
    }
    assert_eq!(pair.said(1, "ping node"), 0, "{:#?}", pair.log);
}

#[test]
fn in_legacy_mode_there_is_no_ipfail() {
    let mut pair = settled(AutoFailback::Legacy);
    pair.loses(0, 0);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
}

#[test]
fn nodes_that_count_differently_are_told_once_and_compare_nothing() {
    let mut pair = pair(AutoFailback::On, nodes(&[true, true]));
    pair.start(0);
    pair.ping = nodes(&[true]);
    pair.start(1);
    pair.run(Duration::from_secs(3));
    pair.loses(0, 0);
    pair.loses(0, 1);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
    let line = "b counts 1 ping node(s) and this node 2: nothing moves";
    assert_eq!(pair.said(0, line), 1, "{:#?}", pair.log);
}

#[test]
fn an_address_of_the_pair_counts_for_nothing_and_its_lines_are_those_of_old() {
    let mut pair = pair(AutoFailback::On, nodes(&[false]));
    pair.loses(1, 0); // who holds it sees it
    pair.loses(0, 0);
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(12));
    pair.regains(0, 0);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
    let told = [
        "Link router:router up.",
        "Link Status update: Link router/router now has status up",
        "Status update for node router: status ping",
        "Status update: Node router now has status ping",
        "A ping node just came up.",
        "Asking other side for ping node count.",
        "No giveup timer to abort.",
        "Ping node count is balanced.",
    ];
    let lines = pair.lines(0, &told);
    assert_eq!(lines[lines.len() - told.len()..], told, "{:#?}", pair.log);
}

#[test]
fn a_silent_ping_node_holds_up_no_start() {
    let mut pair = pair(AutoFailback::On, nodes(&[true]));
    pair.answers = [vec![false], vec![false]];
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(1));
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
    assert_eq!(pair.said(0, "node router: is dead"), 0);
    pair.run(Duration::from_secs(10));
    assert_eq!(
        pair.said(0, "node router: is dead"),
        1,
        "initdead has passed"
    );
}

#[test]
fn a_node_that_comes_back_without_its_network_gets_nothing_back() {
    let mut pair = settled(AutoFailback::On);
    pair.kill(0);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.owners()[1], [true, true]);
    pair.loses(0, 0);
    pair.start(0);
    pair.run(Duration::from_secs(60));
    assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
    pair.regains(0, 0);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.owners(), AT_HOME, "{:#?}", pair.log);
}

#[test]
fn what_cannot_go_now_goes_later() {
    let mut pair = settled(AutoFailback::On);
    pair.fails_to_start[1] = true;
    pair.loses(0, 0);
    pair.run(MOVED);
    assert_eq!(pair.said(0, "Standby [all] failed"), 1, "{:#?}", pair.log);
    assert_eq!(
        pair.owners()[0],
        [true, false],
        "it came back to where it can run"
    );
    pair.run(Duration::from_secs(30));
    assert_eq!(pair.said(0, "giveup() called"), 1, "not over and over");
    pair.fails_to_start[1] = false;
    pair.run(Duration::from_secs(120));
    assert_eq!(pair.owners(), ALL_ON_B, "{:#?}", pair.log);
}

#[test]
fn what_does_not_stop_is_not_given_and_told_once() {
    let mut pair = settled(AutoFailback::On);
    pair.fails_to_stop[0] = true;
    pair.loses(0, 0);
    pair.run(Duration::from_secs(300));
    assert!(pair.owners()[0][0], "{:#?}", pair.log);
    assert!(!pair.owners()[1][0]);
    let attempts = pair.said(0, "giveup() called");
    assert!((1..=4).contains(&attempts), "{attempts}: {:#?}", pair.log);
}

#[test]
fn an_operator_has_the_last_word_until_the_counts_are_even_again() {
    for node in 0..2 {
        let mut pair = settled(AutoFailback::Off);
        pair.loses(0, 0);
        pair.run(MOVED);
        assert_eq!(pair.owners(), ALL_ON_B);
        let request = [
            MoveRequest::Takeover(Selection::Local),
            MoveRequest::Standby(Selection::Foreign),
        ][node];
        let cluster = pair.nodes[node].as_mut().expect("it runs");
        assert_eq!(cluster.refuses(request), None);
        cluster.handle(pair.now, Event::MoveRequested(request));
        pair.run(Duration::from_secs(600));
        assert_eq!(pair.owners(), AT_HOME, "node {node}: {:#?}", pair.log);
        pair.regains(0, 0);
        pair.run(MOVED);
        pair.loses(0, 0);
        pair.run(MOVED);
        assert_eq!(pair.owners(), ALL_ON_B, "node {node}: {:#?}", pair.log);
    }
}

#[test]
fn a_node_that_stood_still_takes_no_ping_node_for_dead() {
    let mut pair = settled(AutoFailback::On);
    for node in 0..2 {
        pair.turn(node, None);
    }
    pair.now = pair.now + Duration::from_secs(30);
    for node in 0..2 {
        pair.turn(node, None);
    }
    pair.run(Duration::from_millis(1400));
    for node in 0..2 {
        for name in ["router", "gate"] {
            let line = format!("node {name}: is dead");
            assert_eq!(pair.said(node, &line), 0, "{:#?}", pair.log);
        }
    }
}

#[test]
fn ping_nodes_keep_no_peer_alive() {
    let mut pair = settled(AutoFailback::On);
    pair.kill(0);
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.owners()[1], [true, true], "{:#?}", pair.log);
}

#[test]
fn of_two_opposite_moves_at_once_each_gives_a_group_once_and_both_end() {
    let mut pair = settled(AutoFailback::Off);
    let request = MoveRequest::Standby(Selection::All);
    for node in 0..2 {
        let cluster = pair.nodes[node].as_mut().expect("it runs");
        assert_eq!(cluster.refuses(request), None);
        cluster.handle(pair.now, Event::MoveRequested(request));
    }
    pair.run(Duration::from_secs(30));
    for node in 0..2 {
        let stops = pair.said(node, "stopping here");
        assert!(stops <= 2, "{:#?}", pair.log);
        let cluster = pair.nodes[node].as_ref().expect("it runs");
        let progress = cluster.movement().map(|movement| movement.progress);
        let has_ended = matches!(progress, Some(MoveProgress::Done | MoveProgress::Failed(_)));
        assert!(has_ended, "{progress:?}: {:#?}", pair.log);
    }
    let owners = pair.owners();
    assert!((0..2).all(|group| owners[0][group] != owners[1][group]));
}

#[test]
fn what_the_peer_could_not_stop_is_waited_for_by_no_move() {
    let mut pair = settled(AutoFailback::Off);
    let takeover = |pair: &mut Pair| {
        let request = MoveRequest::Takeover(Selection::All);
        let cluster = pair.nodes[0].as_mut().expect("it runs");
        assert_eq!(cluster.refuses(request), None);
        cluster.handle(pair.now, Event::MoveRequested(request));
    };
    pair.fails_to_stop[1] = true;
    takeover(&mut pair);
    pair.run(Duration::from_secs(20));
    assert_eq!(pair.said(0, "Takeover [all] failed"), 1, "{:#?}", pair.log);
    // It counts as running there, and is not offered.
    takeover(&mut pair);
    pair.run(Duration::from_secs(20));
    assert_eq!(pair.said(0, "Takeover [all] failed"), 2, "{:#?}", pair.log);
    pair.fails_to_stop[1] = false;
    pair.run(Duration::from_secs(40));
    assert_eq!(
        pair.owners(),
        [[true, true], [false, false]],
        "{:#?}",
        pair.log
    );
}

#[test]
fn a_move_of_which_only_a_part_comes_ends_too() {
    let mut pair = settled(AutoFailback::Off);
    let request = MoveRequest::Standby(Selection::All);
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    cluster.handle(pair.now, Event::MoveRequested(request));
    pair.run(Duration::from_secs(2));
    assert_eq!(pair.owners(), ALL_ON_B);
    // One of them can't be stopped there, so the other waits, too.
    pair.fails_to_stop[1] = true;
    let request = MoveRequest::Takeover(Selection::Local);
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    cluster.handle(pair.now, Event::MoveRequested(request));
    pair.run(Duration::from_secs(20));
    pair.fails_to_stop[1] = false;
    let request = MoveRequest::Takeover(Selection::All);
    let cluster = pair.nodes[0].as_mut().expect("it runs");
    assert_eq!(cluster.refuses(request), None);
    cluster.handle(pair.now, Event::MoveRequested(request));
    pair.run(Duration::from_secs(40));
    assert_eq!(
        pair.owners(),
        [[true, false], [false, true]],
        "{:#?}",
        pair.log
    );
    let cluster = pair.nodes[0].as_ref().expect("it runs");
    let progress = cluster.movement().map(|movement| movement.progress);
    let failed = Some(MoveProgress::Failed(MoveFailure::NoAnswer));
    assert_eq!(progress, failed, "{:#?}", pair.log);
}

#[test]
fn a_group_that_does_not_work_is_not_left_to_a_node_without_a_network() {
    let mut pair = settled(AutoFailback::Off);
    pair.loses(1, 1);
    pair.run(MOVED);
    assert_eq!(pair.owners(), [[true; 2], [false; 2]], "{:#?}", pair.log);
    pair.breaks(0, GroupId(0));
    pair.run(MOVED);
    assert_eq!(pair.owners(), [[true; 2], [false; 2]]);
    assert_eq!(pair.lines(0, &["does not work here; it stays"]).len(), 1);
    pair.regains(1, 1);
    pair.run(MOVED);
    pair.breaks(0, GroupId(0));
    pair.run(MOVED);
    assert_eq!(pair.owners(), [[false, true], [true, false]]);
}
