//! What scripts of one node send to those of both.

use super::old_peer::Old;
use super::*;

fn message(fields: &[(&str, &str)]) -> ScriptMessage {
    let fields = fields.iter();
    let owned = fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    ScriptMessage::new("mine", owned.collect()).expect("a good one")
}

fn say(pair: &mut Pair, node: usize, fields: &[(&str, &str)]) {
    let now = pair.now;
    let cluster = pair.nodes[node].as_mut().expect("it runs");
    cluster.handle(now, Event::Say(Box::new(message(fields))));
    pair.turn(node, None);
}

fn settled() -> Pair {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(0);
    pair.start(1);
    pair.run(Duration::from_secs(10));
    pair
}

#[test]
fn a_message_is_told_to_the_scripts_of_both_nodes_once_and_in_order() {
    let mut pair = settled();
    let sent: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    for number in &sent {
        say(&mut pair, 0, &[("number", number)]);
    }
    pair.run(Duration::from_secs(10));
    for node in [0, 1] {
        let told: Vec<_> = pair.delivered[node].clone();
        let expected = sent
            .iter()
            .map(|number| ("a".to_owned(), message(&[("number", number)])));
        assert_eq!(told, expected.collect::<Vec<_>>(), "node {node}");
    }
}

#[test]
fn a_message_that_was_lost_on_the_way_is_sent_again() {
    let mut pair = settled();
    let wires = std::mem::replace(&mut pair.wires, [[false; 2]; LINKS]);
    say(&mut pair, 0, &[("number", "1")]);
    pair.wires = wires;
    pair.run(Duration::from_secs(5));
    assert_eq!(
        pair.delivered[1],
        [("a".to_owned(), message(&[("number", "1")]))]
    );
}

#[test]
fn a_message_for_one_node_is_told_to_its_scripts_alone() {
    let mut pair = settled();
    say(&mut pair, 0, &[("dest", "b")]);
    say(&mut pair, 1, &[("dest", "B"), ("x", "1")]);
    say(&mut pair, 0, &[("dest", "elsewhere")]);
    let expected = [
        ("a".to_owned(), message(&[("dest", "b")])),
        ("b".to_owned(), message(&[("dest", "B"), ("x", "1")])),
    ];
    assert_eq!(pair.delivered[1], expected);
    assert!(pair.delivered[0].is_empty());
}

#[test]
fn before_the_nodes_have_joined_nothing_is_sent() {
    let mut pair = Pair::new(AutoFailback::On);
    pair.start(0);
    say(&mut pair, 0, &[("number", "1")]);
    pair.start(1);
    pair.run(Duration::from_secs(10));
    assert_eq!(pair.delivered, [vec![], vec![]]);
}

#[test]
fn of_a_node_of_3_0_6_scripts_see_what_no_variable_of_ours_is_named_like() {
    let mut old = Old::settled(AutoFailback::On);
    old.says(&[
        ("t", "mine"),
        ("FUNCS", "/tmp/evil"),
        ("what", "x"),
        ("load", "a\nb"),
    ]);
    old.says(&[("t", "../../tmp/evil"), ("what", "x")]);
    old.says(&[("t", "hbapi-req"), ("what", "x")]);
    assert_eq!(
        old.pair.delivered[1],
        [("a".to_owned(), message(&[("what", "x")]))]
    );
}
