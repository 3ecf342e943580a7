//! Every kind of link alone carries a pair, and links that cannot be opened do what they should.

use std::net::Ipv6Addr;

use crate::lab::journal::Mark;
use crate::lab::namespace::run_batch;
use crate::lab::{Pair, Setup, claim, eventually};

/// A pair that these media lines alone join: both start, the owner dies, the other takes over.
fn carries_a_pair(media: &'static str) {
    println!("only {media:?}");
    let mut pair = Pair::alone(Setup {
        media: Some(media),
        ..Setup::default()
    });
    for (host, machine) in (1..).zip([&mut pair.a, &mut pair.b]) {
        machine.add_address("eth1", Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, host));
    }
    pair.serve_on_a();
    assert_eq!(pair.watch.moves(pair.address()), 1);
    pair.power_off(0);
    pair.watch.expect_owner(1, pair.address());
    pair.power_on(0);
    pair.watch.expect_owner(0, pair.address());
    pair.assert_never_two_owners();
}

#[test]
fn serial_alone_carries_a_pair() {
    claim(|| carries_a_pair("serial /dev/ttyS0\n"));
}

#[test]
fn broadcast_alone_carries_a_pair() {
    claim(|| carries_a_pair("bcast eth0\n"));
}

#[test]
fn ucast_alone_carries_a_pair() {
    claim(|| carries_a_pair("ucast eth1 192.168.9.1\nucast eth1 192.168.9.2\n"));
}

#[test]
fn mcast_alone_carries_a_pair() {
    claim(|| carries_a_pair("mcast eth1 239.7.7.7 694 1 0\n"));
}

#[test]
fn ucast6_alone_carries_a_pair() {
    claim(|| carries_a_pair("ucast6 eth1 fd77::1\nucast6 eth1 fd77::2\n"));
}

#[test]
fn mcast6_alone_carries_a_pair() {
    claim(|| carries_a_pair("mcast6 eth1 ff12::77 694 1 0\n"));
}

#[test]
fn several_media_of_each_kind_work_side_by_side() {
    claim(|| {
        let media = "serial /dev/ttyS0\nbcast eth0 eth1\nucast eth0 10.77.1.1\nucast eth0 10.77.1.2\n\
                     ucast eth1 192.168.9.1\nucast eth1 192.168.9.2\nmcast eth0 239.7.7.7 694 1 0\n\
                     mcast eth1 239.7.7.8 695 1 1\n";
        carries_a_pair(media);
    });
}

#[test]
fn a_start_without_any_link_that_opens_is_an_error() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            media: Some("serial /dev/ttyS7\n"),
            ..Setup::default()
        });
        pair.a.start();
        let status = pair.a.wait_stopped();
        assert!(!status.success(), "it ended with {status}");
        let told = std::fs::read_to_string(pair.a.file("stderr")).unwrap_or_default();
        assert!(told.contains("/dev/ttyS7"), "it names the port: {told}");
    });
}

#[test]
fn an_interface_that_is_missing_at_start_comes_up_when_it_appears() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            media: Some("bcast eth0\nbcast late0\n"),
            ..Setup::default()
        });
        rename(&pair, "eth1", "spare1");
        pair.a.start();
        pair.b.start();
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        pair.a.log().expect(Mark::START, "late0");
        assert_eq!(pair.a.cl_status(&["hblinkstatus", "beta", "late0"]), "dead");
        rename(&pair, "spare1", "late0");
        eventually("the link is up", || {
            pair.a.cl_status(&["hblinkstatus", "beta", "late0"]) == "up"
        });
        pair.assert_never_two_owners();
    });
}

/// Gives an interface of both machines another name.
fn rename(pair: &Pair, from: &str, to: &str) {
    for machine in [&pair.a, &pair.b] {
        let lines = [
            format!("link set {from} down"),
            format!("link set {from} name {to}"),
            format!("link set {to} up"),
        ];
        machine.namespace.within(|| run_batch("ip", &lines));
    }
}
