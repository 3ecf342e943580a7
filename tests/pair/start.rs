//! How a pair comes to life, in every order.

use std::time::{Duration, Instant};

use crate::lab::journal::Mark;
use crate::lab::{Pair, Setup, claim, eventually, throughout};

/// What two nodes that hear each other need has nothing to do with either of these.
const INITDEAD: u32 = 60_000;
const WINDOW_OF_306: Duration = Duration::from_secs(10);

fn pair() -> Pair {
    Pair::alone(Setup {
        initdead: INITDEAD,
        ..Setup::default()
    })
}

#[test]
fn both_started_together_serve_without_a_wait() {
    claim(|| {
        let mut pair = pair();
        let began = Instant::now();
        let served = pair.serve_on_a();
        println!(
            "both started together: the address is there after {:?}",
            served - began
        );
        assert!(
            served - began < WINDOW_OF_306,
            "no fixed wait of ten seconds"
        );
        assert_eq!(pair.watch.moves(pair.address()), 1);
        pair.assert_never_two_owners();
    });
}

#[test]
fn the_preferred_node_started_first_serves_when_the_other_comes() {
    claim(|| {
        let mut pair = pair();
        pair.a.start();
        pair.a
            .log()
            .expect(Mark::START, "Local status now set to: 'up'");
        throughout(
            Duration::from_secs(1),
            "a lone node waits for initdead",
            || !pair.a.holds(pair.address()),
        );
        let began = pair.b.start();
        let served = pair.watch.expect_owner(0, pair.address());
        println!(
            "the second started: the address is there after {:?}",
            served - began
        );
        assert!(served - began < WINDOW_OF_306);
        pair.expect_settled();
        assert_eq!(pair.watch.moves(pair.address()), 1);
        pair.assert_never_two_owners();
    });
}

#[test]
fn the_preferred_node_started_second_serves_at_once() {
    claim(|| {
        let mut pair = pair();
        pair.b.start();
        pair.b
            .log()
            .expect(Mark::START, "Local status now set to: 'up'");
        let began = pair.a.start();
        let served = pair.watch.expect_owner(0, pair.address());
        assert!(served - began < WINDOW_OF_306);
        pair.expect_settled();
        assert_eq!(
            pair.watch.moves(pair.address()),
            1,
            "it was never on the other node"
        );
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_node_alone_serves_everything_after_initdead_and_not_before() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            initdead: 3000,
            ..Setup::default()
        });
        let began = pair.b.start();
        let served = pair.watch.expect_owner(1, pair.address());
        println!(
            "initdead of 3 s: the address is there after {:?}",
            served - began
        );
        assert!(
            served - began >= Duration::from_millis(2900),
            "it served after {:?}",
            served - began
        );
        pair.b.log().expect(Mark::START, "node alpha: is dead");
        pair.a.start();
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        pair.assert_never_two_owners();
    });
}

#[test]
fn two_groups_run_on_the_two_nodes_that_prefer_them() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            groups: vec![
                "alpha IPaddr::10.77.1.100/24/eth0 disk::left".to_owned(),
                "beta IPaddr::10.77.1.101/24/eth0 disk::right".to_owned(),
            ],
            ..Setup::default()
        });
        let [left, right] = [0, 1].map(|index| pair.setup.floating()[index]);
        pair.serve_on_a();
        pair.watch.expect_owner(1, right);
        for machine in [&pair.a, &pair.b] {
            eventually("each node holds its own half", || {
                machine.cl_status(&["rscstatus"]) == "local"
            });
        }

        pair.power_off(0);
        pair.watch.expect_owner(1, left);
        eventually("the survivor holds both halves", || {
            pair.b.cl_status(&["rscstatus"]) == "all"
        });
        assert!(pair.b.holds(right));

        pair.power_on(0);
        pair.watch.expect_owner(0, left);
        pair.watch.expect_owner(1, right);
        pair.expect_settled();
        assert_eq!(
            pair.watch.moves(right),
            1,
            "the survivor's own group never moved"
        );
        pair.assert_never_two_owners();
    });
}
