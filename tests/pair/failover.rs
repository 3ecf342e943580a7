//! A node goes, in every way, and comes back.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::lab::journal::Mark;
use crate::lab::stranger::Stranger;
use crate::lab::web::{Client, serve_on};
use crate::lab::{Networks, Pair, Setup, claim, eventually, files, throughout};

#[test]
fn the_address_moves_when_the_owner_loses_power() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        let mark = pair.b.log().mark();
        let before = Instant::now();
        let died = pair.power_off(0);
        let moved = pair.watch.expect_owner(1, pair.address());
        println!(
            "deadtime of 1.5 s: the address moved {:?} after the loss of power",
            moved - died
        );
        // Nothing of it is heard from the moment on when its first cable is cut, and that takes its time.
        assert!(
            moved - before > Duration::from_secs(1),
            "not before the dead time has passed"
        );
        pair.b.log().assert_order(
            mark,
            &[
                "node alpha: is dead",
                "Resources being acquired from alpha.",
            ],
        );
        eventually("the disk runs there too", || {
            files::journal().contains("beta data started")
        });
        assert_eq!(pair.b.cl_status(&["nodestatus", "alpha"]), "dead");
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_client_of_the_service_sees_a_short_gap_and_then_the_other_machine() {
    claim(|| {
        let networks = Networks::new();
        let mut pair = Pair::new(&networks, Setup::default());
        let client = Stranger::new(&networks.service, [10, 77, 1, 50].into(), 694);
        serve_on(&pair.a.namespace, "alpha");
        serve_on(&pair.b.namespace, "beta");
        pair.serve_on_a();
        let client = Client::new(
            &client.namespace,
            (pair.address(), 80).into(),
            Duration::from_millis(100),
        );
        let page = || {
            client
                .answers()
                .last()
                .and_then(|answer| answer.page.clone())
                .unwrap_or_default()
        };
        eventually("the client is answered by alpha", || page() == "alpha");
        let died = pair.power_off(0);
        eventually("the client is answered by beta", || page() == "beta");
        let first = client
            .answers()
            .into_iter()
            .find(|answer| answer.page.as_deref() == Some("beta"));
        println!(
            "first answer {:?} after the loss of power",
            first.map(|answer| answer.at - died)
        );
        pair.power_on(0);
        eventually("the client is answered by alpha again", || {
            page() == "alpha"
        });
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_graceful_stop_hands_over_at_once_and_leaves_nothing_behind() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            deadtime: 12_000,
            initdead: 12_000,
            ..Setup::default()
        });
        pair.serve_on_a();
        let mark = pair.b.log().mark();
        let asked = Instant::now();
        pair.a.request_stop();
        let moved = pair.watch.expect_owner(1, pair.address());
        println!("graceful stop: the address moved after {:?}", moved - asked);
        assert!(
            moved - asked < Duration::from_secs(12),
            "no wait for the dead time of 12 s"
        );
        assert!(pair.a.wait_stopped().success());
        assert!(!pair.a.holds(pair.address()));
        assert!(!pair.a.file("runs-data").exists());
        pair.b
            .log()
            .expect(mark, "Received shutdown notice from 'alpha'.");
        eventually("the disk runs there", || pair.b.file("runs-data").exists());
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_standby_that_stops_and_returns_moves_nothing() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        pair.b.stop();
        pair.assert_stays(0, pair.long_enough());
        pair.b.start();
        pair.expect_settled();
        assert_eq!(pair.watch.moves(pair.address()), 1);
        pair.assert_never_two_owners();
    });
}

/// Lets the owner crash and return, and tells who owns the address when all is settled.
fn owner_after_return(auto_failback: Option<&'static str>) -> usize {
    let mut pair = Pair::alone(Setup {
        auto_failback,
        ..Setup::default()
    });
    pair.serve_on_a();
    pair.power_off(0);
    pair.watch.expect_owner(1, pair.address());
    pair.power_on(0);
    pair.expect_settled();
    if auto_failback == Some("off") {
        pair.assert_stays(1, pair.long_enough());
    } else {
        pair.watch.expect_owner(0, pair.address());
    }
    pair.expect_settled();
    pair.assert_never_two_owners();
    let owners = pair.watch.owners(pair.address());
    assert_eq!(owners.len(), 1, "one owner, not {owners:?}");
    owners[0]
}

#[test]
fn with_auto_failback_on_the_service_returns_to_its_node() {
    claim(|| assert_eq!(owner_after_return(Some("on")), 0));
}

#[test]
fn with_auto_failback_off_the_service_stays() {
    claim(|| assert_eq!(owner_after_return(Some("off")), 1));
}

#[test]
fn without_an_auto_failback_line_the_service_returns_to_its_node() {
    claim(|| assert_eq!(owner_after_return(None), 0));
}

#[test]
fn a_daemon_restarted_within_the_dead_time_leaves_no_group_without_owner() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            auto_failback: Some("off"),
            deadtime: 8000,
            groups: vec![
                "alpha IPaddr::10.77.1.100/24/eth0 disk::left".to_owned(),
                "beta IPaddr::10.77.1.101/24/eth0 disk::right".to_owned(),
            ],
            ..Setup::default()
        });
        let [left, right] = [0, 1].map(|index| pair.setup.floating()[index]);
        pair.serve_on_a();
        pair.watch.expect_owner(1, right);
        pair.b.stop();
        pair.watch.expect_owner(0, right);
        pair.b.start();
        pair.expect_settled();
        assert_eq!(pair.watch.owners(right), [0]);

        pair.power_off(0); // it held both groups, and is back before anybody misses it
        pair.power_on(0);
        for address in [left, right] {
            eventually("the group has an owner again", || {
                pair.watch.owners(address).len() == 1
            });
        }
        pair.expect_settled();
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_killed_daemon_that_returns_ends_with_one_owner() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        pair.a.kill_daemon(); // the address and the disk stay behind without anybody who minds them
        eventually("the other node has taken over", || {
            pair.b.holds(pair.address())
        });
        pair.a.start();
        pair.expect_settled();
        // Back at its preferred node; on the way there is a moment without owner.
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        pair.assert_stays(0, pair.long_enough());
        let runs = [&pair.a, &pair.b].map(|machine| machine.file("runs-data").exists());
        let holds = [&pair.a, &pair.b].map(|machine| machine.holds(pair.address()));
        assert_eq!(runs, holds, "the whole group is on one machine");
    });
}

#[test]
fn a_node_that_was_stopped_for_long_yields_when_it_goes_on() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        pair.a.signal(Signal::SIGSTOP);
        eventually("the other node has taken over", || {
            pair.b.holds(pair.address())
        });
        throughout(pair.long_enough(), "the new owner keeps it", || {
            pair.b.holds(pair.address())
        });
        let resumed = Instant::now();
        pair.a.signal(Signal::SIGCONT);
        let settled = || pair.watch.owners(pair.address()).len() == 1;
        eventually("one owner is left", settled);
        println!("after the resume two owners for {:?}", resumed.elapsed());
        // Back at its preferred node; on the way there is a moment without owner.
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        pair.assert_stays(0, pair.long_enough());
        let double = pair.watch.double_ownership(pair.address());
        assert_eq!(double.len(), 1, "only while it was stopped: {double:?}");
        let grace = Duration::from_secs(5);
        assert!(
            double[0].1 < resumed + grace,
            "it yields at once, not after {:?}",
            double[0].1 - resumed
        );
    });
}

/// Whoever stood still for almost deadtime finds the heartbeats of the living peer behind what strangers sent meanwhile.
#[test]
fn heartbeats_behind_noise_are_heard_before_a_silence_is_judged() {
    claim(|| {
        const NOISE: usize = 300;
        let networks = Networks::new();
        let stranger = Stranger::new(&networks.service, [10, 77, 1, 66].into(), 694);
        let mut pair = Pair::new(
            &networks,
            Setup {
                keepalive: 700,
                deadtime: 1500,
                media: Some("bcast eth0\n"),
                ..Setup::default()
            },
        );
        pair.a.start();
        // Else they speak at the same time, and either both have been silent for long when one of them goes on or none has.
        throughout(Duration::from_millis(350), "half of keepalive", || true);
        pair.b.start();
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        for _ in 0..5 {
            // So the peer has been silent for longer when it goes on, and it itself for less than deadtime.
            let said = stranger.heard_from("alpha").len();
            eventually("its next heartbeat", || {
                stranger.heard_from("alpha").len() > said
            });
            pair.a.signal(Signal::SIGSTOP);
            let stopped = Instant::now();
            for _ in 0..NOISE {
                stranger.say(b"noise");
            }
            let still = Duration::from_millis(1300);
            throughout(
                still.saturating_sub(stopped.elapsed()),
                "it stands still",
                || true,
            );
            pair.a.signal(Signal::SIGCONT);
            pair.expect_settled();
        }
        let lines = pair.a.log().since(Mark::START);
        let deaths = lines.iter().filter(|line| line.contains("is dead"));
        assert_eq!(deaths.count(), 0, "{lines:#?}");
        pair.assert_stays(0, pair.long_enough());
        pair.assert_never_two_owners();
    });
}
