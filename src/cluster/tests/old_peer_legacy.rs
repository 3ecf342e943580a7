//! Ours beside a node of heartbeat 3.0.6 with `auto_failback legacy`: no claims, only questions and answers.

use std::time::Duration;

use super::old_peer::{BOTH, Old, old_message};
use super::*;

/// Ours has waited in vain and runs everything; nothing of `a` was heard so far.
fn alone(failback: AutoFailback) -> Old {
    let mut old = Old {
        pair: Pair::new(failback),
        generation: 7,
        number: 0,
    };
    old.pair.start(1);
    old.pair.run(Duration::from_secs(11));
    assert_eq!(old.running(), BOTH);
    old
}

#[test]
fn a_member_that_was_there_before_we_heard_it_has_its_groups_in_legacy_mode() {
    let mut old = alone(AutoFailback::Legacy);
    old.beats("active"); // it stood still while we started; it asks for nothing
    assert_eq!(old.running(), [false; 2], "{:#?}", old.pair.log);
    // What it left us before it is its own again, too.
    let mut old = alone(AutoFailback::Legacy);
    old.beats("up");
    old.beats("active");
    old.says(&[("t", "shutdone"), ("st", "dead")]);
    (old.generation, old.number) = (8, 40);
    old.beats("active");
    assert!(!old.running()[0], "{:#?}", old.pair.log);
    // One that has just started asks for what it wants.
    let mut old = alone(AutoFailback::Legacy);
    old.beats("up");
    old.beats("active");
    assert_eq!(old.running(), BOTH);
    old.says(&[("t", "ip-request"), ("ipaddr", "one")]);
    assert_eq!(old.running(), [false, true]);
}

#[test]
fn who_takes_us_for_dead_without_ever_hearing_us_gets_everything_in_legacy_mode() {
    let mut old = alone(AutoFailback::Legacy);
    let generation = old.node().generation();
    let obituary = [("t", "stonith"), ("node", "b"), ("result", "n_stnth")];
    old.beats("up");
    old.says(&obituary); // no news: it was said of an earlier run of ours
    assert_eq!(old.running(), BOTH);
    old.beats("active");
    assert_eq!(old.running(), [false, true], "it does not ask for its own");
    let mut old = alone(AutoFailback::Legacy);
    old.beats("up");
    let overtaken = old.number + 1;
    old.number += 1;
    old.beats("active");
    let late = old_message(old.generation, overtaken, &obituary);
    let own_words = old.node().outgoing.last();
    old.pair.turn(1, Some((LinkId(1), late)));
    assert_eq!(old.running(), [false, true]);
    assert!(
        old.node().outgoing.last() > own_words,
        "it has ours as well, and is asked for it"
    );
    let mut old = alone(AutoFailback::Legacy);
    for _ in 0..20 {
        old.pair.run(Duration::from_millis(500));
        old.beats("up");
    }
    old.says(&obituary);
    assert_eq!(old.running(), [false; 2], "{:#?}", old.pair.log);
    assert_eq!(old.node().generation(), generation + 1);
}

#[test]
fn what_could_not_be_started_is_asked_for_again_before_it_is_tried_again_in_legacy_mode() {
    let mut old = Old {
        pair: Pair::new(AutoFailback::Legacy),
        generation: 7,
        number: 0,
    };
    let answer = [
        ("t", "ip-request-resp"),
        ("dest", "b"),
        ("ipaddr", "two"),
        ("ok", "OK"),
    ];
    old.pair.start(1);
    old.beats("up");
    old.says(&[("t", "repnodes"), ("nodelist", "a b ")]);
    old.beats("active");
    old.pair.fails_to_start[1] = true;
    old.says(&answer);
    old.pair.fails_to_start[1] = false;
    assert_eq!(old.pair.said(1, "could not be started"), 1);
    old.lives(Duration::from_secs(30));
    old.says(&answer); // what is true now need not be true when it is tried again
    old.lives(Duration::from_secs(60));
    assert_eq!(old.running(), [false; 2], "its own script may run it now");
    old.says(&answer);
    assert_eq!(old.running(), [false, true]);
}

#[test]
fn what_runs_here_when_the_other_returns_is_given_up_and_answered_for_in_legacy_mode() {
    let mut old = alone(AutoFailback::Legacy);
    old.beats("up");
    old.beats("active");
    old.lives(Duration::from_secs(1));
    assert_eq!(old.running(), BOTH, "it has not asked yet");
    old.pair.run(Duration::from_secs(5));
    let own_words = old.node().outgoing.last();
    old.beats("active"); // it may hold us for dead, or have asked in vain
    assert_eq!(old.running(), [false; 2], "{:#?}", old.pair.log);
    assert!(old.node().outgoing.last() > own_words, "an answer");
}
