//! Words of yesterday: everything the pair ever said is recorded and said again.

use std::time::Duration;

use crate::lab::stranger::Stranger;
use crate::lab::{Link, Networks, Pair, Setup, claim, eventually, throughout};

fn stage(setup: Setup) -> (Stranger, Pair) {
    let networks = Networks::new();
    let stranger = Stranger::new(&networks.service, [10, 77, 1, 66].into(), 694);
    (stranger, Pair::new(&networks, setup))
}

fn say_again(stranger: &Stranger, words: &[Vec<u8>]) {
    for word in words {
        stranger.say(word);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn a_replayed_life_of_both_nodes_moves_nothing() {
    claim(|| {
        // On a busy machine a heartbeat may be late by so much that a shorter dead time makes it worth a line.
        let (stranger, mut pair) = stage(Setup {
            deadtime: 4000,
            ..Setup::default()
        });
        // A life with everything in it: start, a crash, a return, a graceful stop and a start again.
        pair.serve_on_a();
        pair.power_off(0);
        pair.watch.expect_owner(1, pair.address());
        pair.power_on(0);
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        pair.a.stop();
        pair.watch.expect_owner(1, pair.address());
        let mark = pair.a.log().mark();
        pair.a.start();
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        // What comes of the start is told before the marks are set.
        pair.a.log().expect(mark, ": running here.");
        for link in Link::ALL {
            let up = format!("Link beta:{} up.", link.name());
            pair.a.log().expect(mark, &up);
        }
        let words = stranger.heard();
        println!("{} recorded words", words.len());
        let marks = pair.marks();
        let moves = pair.watch.moves(pair.address());
        for _ in 0..3 {
            say_again(&stranger, &words);
        }
        pair.assert_stays(0, pair.long_enough());
        assert_eq!(pair.watch.moves(pair.address()), moves);
        pair.expect_settled();
        for (machine, mark) in [(&pair.a, marks[0]), (&pair.b, marks[1])] {
            let log = machine.log().since(mark);
            assert!(
                log.len() <= 8,
                "{} lines in the log of {}:\n{}",
                log.len(),
                machine.name,
                log.join("\n")
            );
        }
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_dead_node_is_not_woken_by_its_recorded_words() {
    claim(|| {
        let (stranger, mut pair) = stage(Setup::default());
        pair.serve_on_a();
        pair.power_off(0);
        pair.watch.expect_owner(1, pair.address());
        let words = stranger.heard_from("alpha");
        let mark = pair.b.log().mark();
        say_again(&stranger, &words);
        throughout(pair.long_enough(), "the dead stay dead", || {
            pair.watch.owners(pair.address()) == [1]
                && pair.b.cl_status(&["nodestatus", "alpha"]) == "dead"
        });
        assert!(!pair.b.log().has(mark, "Status update for node alpha"));
        pair.power_on(0);
        pair.watch.expect_owner(0, pair.address());
        pair.assert_never_two_owners();
    });
}

#[test]
fn recorded_words_do_not_keep_a_dead_owner_alive() {
    claim(|| {
        let (stranger, mut pair) = stage(Setup::default());
        pair.serve_on_a();
        let words = stranger.heard_from("alpha");
        let mark = pair.b.log().mark();
        pair.power_off(0);
        eventually("the node is declared dead in spite of the replay", || {
            say_again(&stranger, &words);
            pair.b.log().has(mark, "node alpha: is dead")
        });
        pair.watch.expect_owner(1, pair.address());
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_restarted_node_remembers_what_it_heard_before() {
    claim(|| {
        let (stranger, mut pair) = stage(Setup::default());
        pair.serve_on_a();
        let words = stranger.heard_from("alpha");
        pair.a.stop();
        pair.b.stop();
        // Beta starts alone and hears alpha's recorded life, which must not pass for alpha.
        let mark = pair.b.log().mark();
        pair.b.start();
        pair.b.log().expect(mark, "Local status now set to: 'up'");
        for _ in 0..3 {
            say_again(&stranger, &words);
        }
        throughout(Duration::from_secs(2), "the past is not the peer", || {
            !pair.b.log().has(mark, "Status update for node alpha")
        });
        pair.a.start();
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        pair.assert_never_two_owners();
    });
}
