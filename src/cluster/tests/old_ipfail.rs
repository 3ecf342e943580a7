//! Ours beside the `ipfail` of heartbeat 3.0.6. Ours is `b`, which prefers group two.

use std::time::Duration;

use super::old_peer::Old;
use super::*;

/// One ping node that answers ours.
fn settled(failback: AutoFailback) -> Old {
    let mut pair = Pair::new(failback);
    pair.ping = PingSettings {
        nodes: vec![PingNodeSettings {
            name: "router".into(),
            counts: true,
        }],
        deadping: Duration::from_millis(1500),
        ipfail: true,
    };
    pair.answers = [vec![true], vec![true]];
    let mut old = Old::settled_in(pair);
    old.count("1");
    assert_eq!(old.pair.said(1, "Ping node count is balanced."), 1);
    old
}

impl Old {
    fn ipfail(&mut self, fields: &[(&str, &str)]) {
        let whom = [("dest", "b"), ("from_id", "ipfail"), ("to_id", "ipfail")];
        self.says(&[fields, &whom].concat());
    }

    fn count(&mut self, count: &str) {
        self.ipfail(&[("t", "num_ping_nodes"), ("num_ping", count)]);
    }

    /// Waits until ours asks once more than so many times.
    fn is_asked_after(&mut self, questions: usize) {
        for _ in 0..50 {
            if self.pair.said(1, "Asking other side") > questions {
                return;
            }
            self.lives(Duration::from_millis(100));
        }
        panic!("{:#?}", self.pair.log);
    }

    fn questions(&self) -> usize {
        self.pair.said(1, "Asking other side")
    }

    /// Ours has lost its ping node, has asked, is told that it sees fewer, and has asked once more.
    fn has_told_once(&mut self, how: &[(&str, &str)]) {
        self.pair.answers[1] = vec![false];
        let questions = self.questions();
        self.is_asked_after(questions);
        self.ipfail(how);
        assert_eq!(
            self.pair.said(1, "Delayed giveup"),
            1,
            "{:#?}",
            self.pair.log
        );
        self.is_asked_after(questions + 1);
        assert_eq!(self.pair.said(1, "wants to go standby"), 0);
    }
}

const YOU_ARE_DEAD: [(&str, &str); 1] = [("t", "you_are_dead")];
const SEES_ONE: [(&str, &str); 2] = [("t", "num_ping_nodes"), ("num_ping", "1")];
const ABORT: [(&str, &str); 1] = [("t", "abort_giveup")];

#[test]
fn nothing_goes_before_the_other_has_said_twice_that_it_sees_more() {
    for (first, second) in [
        (&YOU_ARE_DEAD[..], &YOU_ARE_DEAD[..]),
        (&SEES_ONE, &YOU_ARE_DEAD),
        (&YOU_ARE_DEAD, &SEES_ONE),
    ] {
        let mut old = settled(AutoFailback::On);
        old.has_told_once(first);
        old.ipfail(second);
        let told = "b wants to go standby [all]";
        assert_eq!(old.pair.said(1, told), 1, "{:#?}", old.pair.log);
    }
}

#[test]
fn what_it_takes_back_or_does_not_say_again_moves_nothing() {
    let mut old = settled(AutoFailback::On);
    old.has_told_once(&YOU_ARE_DEAD);
    old.ipfail(&ABORT);
    assert_eq!(old.pair.said(1, "Aborted delayed giveup (1)"), 1);
    let mut silent = settled(AutoFailback::On);
    silent.has_told_once(&YOU_ARE_DEAD);
    for mut old in [old, silent] {
        old.lives(Duration::from_secs(60));
        assert_eq!(old.running(), [false, true], "{:#?}", old.pair.log);
        assert_eq!(old.pair.said(1, "wants to go standby"), 0);
        assert_eq!(old.pair.said(1, "Aborted delayed giveup (1)"), 1);
    }
}

#[test]
fn an_old_word_that_comes_late_is_not_believed() {
    let mut old = settled(AutoFailback::On);
    old.number += 1;
    let (generation, late) = (old.generation, old.number);
    old.has_told_once(&YOU_ARE_DEAD);
    let fields = [("t", "you_are_dead"), ("to_id", "ipfail"), ("dest", "b")];
    let bytes = super::old_peer::old_message(generation, late, &fields);
    old.pair.turn(1, Some((LinkId(1), bytes)));
    assert_eq!(old.pair.said(1, "wants to go standby"), 0);
}

#[test]
fn it_is_told_when_it_sees_fewer_and_gets_back_what_it_gave() {
    for failback in [AutoFailback::On, AutoFailback::Off] {
        let mut old = settled(failback);
        old.count("0");
        let told = "Telling other node that we have more visible ping nodes.";
        assert_eq!(old.pair.said(1, told), 1, "{:#?}", old.pair.log);
        old.standby("all", "me");
        old.holds("none", "0", Some("standby"));
        old.standby("all", "done");
        old.lives(Duration::from_secs(1));
        old.holds("none", "1", None);
        old.lives(Duration::from_secs(5));
        assert_eq!(old.running(), [true, true], "{:#?}", old.pair.log);
        assert_eq!(old.pair.said(1, "wants to go standby [foreign]"), 0);
        old.count("1");
        old.lives(Duration::from_secs(2));
        let is_on = failback == AutoFailback::On;
        for line in [
            "Giving up foreign resources (auto_failback).",
            "b wants to go standby [foreign]",
        ] {
            let said = old.pair.said(1, line);
            assert_eq!(said, usize::from(is_on), "{line}: {:#?}", old.pair.log);
        }
    }
}

#[test]
fn it_is_asked_when_its_client_joins_and_words_without_sense_are_refused() {
    let mut old = settled(AutoFailback::On);
    let questions = old.questions();
    let join = [("t", "hbapi-clstat"), ("st", "join"), ("from_id", "ipfail")];
    old.says(&join);
    assert_eq!(old.questions(), questions + 1);
    for count in ["", "-1", "many", "4294967296"] {
        old.count(count);
    }
    old.says(&[
        ("t", "num_ping_nodes"),
        ("to_id", "other"),
        ("num_ping", "7"),
    ]);
    old.lives(Duration::from_secs(20));
    assert_eq!(old.running(), [false, true], "{:#?}", old.pair.log);
    assert_eq!(old.pair.said(1, "Delayed giveup"), 0, "{:#?}", old.pair.log);
    let kind = refusals::RefusalKind::OutOfPlace;
    assert_eq!(old.node().refused(kind), 4);
}

#[test]
fn what_may_be_dead_for_both_is_answered_once_that_is_clear() {
    let told = "Telling other node that we have more visible ping nodes.";
    for comes_back in [false, true] {
        let mut old = settled(AutoFailback::On);
        old.lives(Duration::from_secs(2));
        let balanced = old.pair.said(1, "Ping node count is balanced.");
        old.pair.answers[1] = vec![false];
        old.lives(Duration::from_millis(700)); // no longer fresh, and not dead
        old.count("0");
        assert_eq!(old.pair.said(1, told), 0, "{:#?}", old.pair.log);
        old.pair.answers[1] = vec![comes_back];
        old.lives(Duration::from_secs(2));
        let balanced = old.pair.said(1, "Ping node count is balanced.") - balanced;
        let said = (old.pair.said(1, told), balanced);
        let expected = if comes_back { (1, 0) } else { (0, 1) };
        assert_eq!(said, expected, "{:#?}", old.pair.log);
        assert_eq!(old.pair.said(1, "wants to go standby"), 0);
    }
}
