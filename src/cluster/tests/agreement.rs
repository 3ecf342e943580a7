//! The nodes tell each other where their files differ.

use super::old_peer::Old;
use super::*;
use crate::config::Term;

fn term(topic: &str, text: &str, line: usize) -> Term {
    let file = if topic.starts_with("group") {
        "haresources"
    } else {
        "ha.cf"
    };
    Term::new(topic, text, &format!("{file}:{line}"))
}

/// Twenty groups and two times.
fn file() -> Vec<Term> {
    let group = |number| term(&format!("group g{number}"), &format!("a g{number}"), number);
    let times = [term("keepalive", "1s", 3), term("deadtime", "10s", 4)];
    times.into_iter().chain((1..=20).map(group)).collect()
}

/// The shell tells its core what the files say.
fn has(pair: &mut Pair, node: usize, terms: Vec<Term>) {
    let now = pair.now;
    let cluster = pair.nodes[node].as_mut().expect("it runs");
    cluster.handle(now, Event::Terms(terms));
    pair.turn(node, None);
}

fn started(files: [Vec<Term>; 2]) -> Pair {
    let mut pair = Pair::new(AutoFailback::On);
    for (node, terms) in files.into_iter().enumerate() {
        pair.start(node);
        has(&mut pair, node, terms);
    }
    pair.run(Duration::from_secs(12));
    pair
}

fn view(pair: &Pair, node: usize) -> AgreementView {
    pair.nodes[node].as_ref().expect("it runs").agreement()
}

fn states(pair: &Pair) -> [AgreementState; 2] {
    [0, 1].map(|node| view(pair, node).state)
}

const EQUAL: [AgreementState; 2] = [AgreementState::Equal; 2];
const DIFFERENT: [AgreementState; 2] = [AgreementState::Differs; 2];

#[test]
fn equal_files_are_found_equal_and_nobody_is_told() {
    let mut other = file();
    other.reverse(); // the order of lines does not matter
    let pair = started([file(), other]);
    assert_eq!(states(&pair), EQUAL);
    assert_eq!(pair.said(0, "qual on both nodes"), 0);
    let (ours, theirs) = pair.nodes[0].as_ref().expect("it runs").terms();
    assert_eq!(ours, theirs);
}

#[test]
fn what_differs_is_named_once_on_both_nodes_with_both_lines_and_so_is_its_end() {
    let mut other = file();
    other[1] = term("deadtime", "30s", 9);
    other[5] = term("group g4", "b g4 x", 40);
    other.remove(10);
    other.push(term("ping 10.0.0.1", "10.0.0.1", 12));
    let mut pair = started([file(), other.clone()]);
    assert_eq!(states(&pair), DIFFERENT);
    for (node, line) in [
        (
            0,
            "deadtime differs: here `10s` (ha.cf:4), on b `30s` (ha.cf:9). Make the files equal on both nodes.",
        ),
        (
            1,
            "deadtime differs: here `30s` (ha.cf:9), on a `10s` (ha.cf:4). Make the files equal on both nodes.",
        ),
        (
            0,
            "group g4 differs: here `a g4` (haresources:4), on b `b g4 x` (haresources:40).",
        ),
        (
            0,
            "group g9: only here, `a g9` (haresources:9); b does not have it.",
        ),
        (
            1,
            "group g9: only on a, `a g9` (haresources:9); this node does not have it.",
        ),
        (
            1,
            "ping 10.0.0.1: only here, `10.0.0.1` (ha.cf:12); a does not have it.",
        ),
    ] {
        let line = format!("Not equal on both nodes: {line}");
        assert_eq!(pair.said(node, &line), 1, "{line}: {:#?}", pair.log);
    }
    assert_eq!(pair.said(0, "Not equal on both nodes"), 4);
    let (_, theirs) = pair.nodes[0].as_ref().expect("it runs").terms();
    assert_eq!(theirs.len(), other.len());
    assert!(other.iter().all(|term| theirs.contains(term)));
    // The cable is cut and mended, and the other node starts anew: all that is told already.
    pair.wires = [[false; 2]; LINKS];
    pair.run(Duration::from_secs(5));
    assert_eq!(states(&pair), [AgreementState::Apart; 2]);
    pair.wires = [[true; 2]; LINKS];
    pair.run(Duration::from_secs(12));
    assert_eq!(states(&pair), DIFFERENT);
    assert_eq!(pair.said(0, "Not equal on both nodes"), 4);
    // One line is mended, then all.
    other[1] = term("deadtime", "10s", 9);
    has(&mut pair, 1, other);
    pair.run(Duration::from_secs(12));
    for (node, name) in [(0, "b"), (1, "a")] {
        let line = format!("Equal on both nodes again: deadtime is as on {name}.");
        assert_eq!(pair.said(node, &line), 1);
        assert_eq!(view(&pair, node).differences.len(), 3);
    }
    has(&mut pair, 1, file());
    pair.run(Duration::from_secs(12));
    assert_eq!(states(&pair), EQUAL);
    for node in [0, 1] {
        assert_eq!(pair.said(node, "Equal on both nodes again"), 4);
        assert_eq!(pair.said(node, "Not equal on both nodes"), 4);
    }
}

#[test]
fn hundreds_of_lines_that_differ_are_told_in_short_messages_and_only_some_of_them() {
    let group =
        |text: &'static str| move |number: usize| term(&format!("group g{number}"), text, number);
    let files = ["one", "two"].map(|text| (1..400).map(group(text)).collect::<Vec<_>>());
    let mut pair = Pair::new(AutoFailback::On);
    pair.link_names = ["/dev/ttyS0", "link1", "link2"];
    pair.wires = [[true; 2], [false; 2], [false; 2]];
    for (node, terms) in files.into_iter().enumerate() {
        pair.start(node);
        has(&mut pair, node, terms);
    }
    pair.run(Duration::from_secs(300));
    assert_eq!(states(&pair), DIFFERENT);
    for node in [0, 1] {
        let AgreementView {
            differences, more, ..
        } = view(&pair, node);
        assert_eq!(differences.len() + more, 399);
        assert_eq!(pair.said(node, "g24 differs: here"), 1);
        assert_eq!(pair.said(node, "375 more line(s)"), 1);
    }
}

#[test]
fn a_slow_line_alone_gets_short_messages_seldom_and_few_of_them_where_all_is_equal() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.link_names = ["/dev/ttyS0", "link1", "link2"];
    let mut other = file();
    other[0] = term("keepalive", "2s", 3);
    for (node, terms) in [file(), other].into_iter().enumerate() {
        pair.start(node);
        has(&mut pair, node, terms);
    }
    pair.run(Duration::from_secs(60));
    assert_eq!(states(&pair), DIFFERENT);
    let sent = pair.sent_terms(0);
    assert!((3..=6).contains(&sent.len()), "{sent:?}");
    for (at, bytes) in &sent {
        assert!(*bytes < 560, "{bytes}");
        let before = sent
            .iter()
            .map(|(earlier, _)| *earlier)
            .filter(|earlier| earlier < at);
        assert!(
            before
                .max()
                .is_none_or(|before| at.since(before) >= Duration::from_secs(4))
        );
    }
    let quiet = sent.len();
    pair.run(Duration::from_secs(300));
    assert_eq!(pair.sent_terms(0).len(), quiet, "nothing is repeated");
}

#[test]
fn a_node_that_does_not_answer_is_asked_three_times_and_is_silent() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(0);
    pair.start(1);
    has(&mut pair, 0, file());
    pair.run(Duration::from_secs(30));
    assert_eq!(view(&pair, 0).state, AgreementState::Asking);
    pair.run(Duration::from_secs(300));
    assert_eq!(view(&pair, 0).state, AgreementState::Silent);
    assert_eq!(pair.sent_terms(0).len(), 4);
    // It is brought to a version that answers.
    has(&mut pair, 1, file());
    pair.run(Duration::from_secs(12));
    assert_eq!(states(&pair), EQUAL);
}

#[test]
fn what_was_lost_for_good_is_asked_for_again() {
    let mut pair = Pair::new(AutoFailback::On);
    let mut other = file();
    other[0] = term("keepalive", "2s", 3);
    for (node, terms) in [file(), other].into_iter().enumerate() {
        pair.start(node);
        has(&mut pair, node, terms);
    }
    pair.lost_kind = Some("hb_terms");
    pair.run(Duration::from_secs(30));
    assert_eq!(states(&pair), [AgreementState::Asking; 2]);
    pair.lost_kind = None;
    pair.run(Duration::from_secs(80));
    assert_eq!(states(&pair), DIFFERENT);
}

#[test]
fn heartbeat_3_0_6_is_sent_nothing_of_it() {
    let mut old = Old::settled(AutoFailback::On);
    has(&mut old.pair, 1, file());
    old.pair.run(Duration::from_millis(600));
    assert_eq!(view(&old.pair, 1).state, AgreementState::Classic);
    assert_eq!(old.pair.sent_terms(1).len(), 0);
    old.says(&[("t", "hb_terms"), ("hb_terms", "total")]);
    old.says(&[("t", "hb_terms"), ("hb_terms", "line 1 2 0 1 0")]);
    assert_eq!(view(&old.pair, 1).differences, []);
}
