//! Ping nodes and `ipfail`: the node that loses its network, but not its peer, gives up what it holds.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::network::Failure;
use crate::lab::{Networks, Pair, Setup, claim, eventually, throughout};

const ROUTER: &str = "10.77.1.254";
/// A router that answers, a second one that answers too, and `ipfail`, which has to move things by itself.
const LINES: &str = "ping 10.77.1.254\n\
                     ping_group gates 10.77.1.253 10.77.1.252\n\
                     deadping 1500ms\n\
                     respawn hacluster /usr/lib/heartbeat/ipfail\n\
                     carrier_loss off\n";
/// Longer than anything takes that might follow from a loss.
const QUIET: Duration = Duration::from_secs(5);
const GIVEN: &str = "giveup() called (timeout worked)";

/// A host that does nothing but answer.
fn host(networks: &Networks, name: &'static str, last: u8) -> Machine {
    let mut machine = Machine::new(name, name);
    let address = Ipv4Addr::new(10, 77, 1, last);
    machine.attach(&networks.service, "eth0", address);
    machine
}

/// A pair with two hosts to ping on its service network.
struct Site {
    pair: Pair,
    router: Machine,
    gate: Machine,
    networks: Networks,
}

impl Site {
    fn serving(setup: Setup) -> Self {
        let networks = Networks::new();
        let router = host(&networks, "router", 254);
        let gate = host(&networks, "gate", 253);
        let mut pair = Pair::new(&networks, setup);
        pair.serve_on_a();
        for machine in [&pair.a, &pair.b] {
            for node in [ROUTER, "gates"] {
                eventually("the ping nodes answer", || {
                    machine.cl_status(&["nodestatus", node]) == "ping"
                });
            }
        }
        Self {
            pair,
            router,
            gate,
            networks,
        }
    }
}

fn setup(failback: &'static str) -> Setup {
    Setup {
        auto_failback: Some(failback),
        more: LINES,
        ..Setup::default()
    }
}

#[test]
fn a_ping_node_is_shown_like_any_other_node() {
    claim(|| {
        // Each node sees the router again at its next request: to be counted alike two keepalives later, as is told
        // below, these must be longer than a busy machine holds one of the nodes up.
        let site = Site::serving(Setup {
            keepalive: 500,
            deadtime: 3000,
            ..setup("on")
        });
        let said = |arguments: &[&str]| site.pair.a.command("cl_status", arguments);
        for (arguments, text, status) in [
            (&["listnodes"][..], "gates\n10.77.1.254\nbeta\nalpha\n", 0),
            (&["listnodes", "-p"], "gates\n10.77.1.254\n", 0),
            (&["nodetype", ROUTER], "ping\n", 0),
            (&["nodetype", "gates"], "ping\n", 0),
            (&["nodestatus", ROUTER], "ping\n", 0),
            (&["listhblinks", ROUTER], "\t10.77.1.254\n", 0),
            (&["hblinkstatus", ROUTER, ROUTER], "up\n", 0),
            (&["hblinkstatus", "gates", "gates"], "up\n", 0),
        ] {
            assert_eq!(
                said(arguments),
                (text.to_owned(), Some(status)),
                "{arguments:?}"
            );
        }
        let (text, _) = said(&["--json", "hbstatus"]);
        let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let node = &json["nodes"][3];
        assert_eq!(node["name"], "gates");
        assert_eq!(node["status"], "ping");
        assert_eq!(node["links"][0]["kind"], "ping_group");

        let mark = site.pair.a.log().mark();
        site.router.cut_all(Failure::Silent);
        eventually("it is dead", || {
            site.pair.a.cl_status(&["nodestatus", ROUTER]) == "dead"
        });
        assert_eq!(said(&["nodestatus", ROUTER]).1, Some(1));
        assert_eq!(
            said(&["hblinkstatus", ROUTER, ROUTER]),
            ("dead\n".to_owned(), Some(1))
        );
        assert_eq!(said(&["nodestatus", "gates"]).0, "ping\n");
        site.router.restore_all();
        let log = site.pair.a.log();
        log.expect(mark, "Status update for node 10.77.1.254: status ping");
        log.assert_order(
            mark,
            &[
                "WARN: node 10.77.1.254: is dead",
                "WARN: Link 10.77.1.254:10.77.1.254 dead.",
                "info: Link 10.77.1.254:10.77.1.254 up.",
                "WARN: Late heartbeat: Node 10.77.1.254: interval ",
                "info: Status update for node 10.77.1.254: status ping",
            ],
        );
        log.expect(mark, "Ping node count is balanced.");
        let deaths = log.since(mark);
        let deaths = deaths.iter().filter(|line| line.contains("is dead"));
        assert_eq!(deaths.count(), 1, "it does not die once more on its return");
        log.assert_order(
            mark,
            &[
                "A ping node just came up.",
                "Asking other side for ping node count.",
                "No giveup timer to abort.",
                "Ping node count is balanced.",
            ],
        );
    });
}

#[test]
fn the_owner_that_loses_its_network_gives_up_and_gets_back_with_auto_failback() {
    claim(|| {
        let site = Site::serving(setup("on"));
        let pair = &site.pair;
        let marks = pair.marks();
        pair.a.cable("eth0").cut(Failure::Silent);
        pair.watch.expect_owner(1, pair.address());
        pair.a.log().assert_order(
            marks[0],
            &[
                ": is dead", // whichever of the two is missed first
                "Giving up because we have less visible ping nodes.",
                "Delayed giveup in 0 seconds.",
                GIVEN,
                "alpha wants to go standby [all]",
            ],
        );
        for node in [ROUTER, "gates"] {
            pair.a
                .log()
                .expect(marks[0], &format!("node {node}: is dead"));
        }
        eventually("the disk is there", || pair.b.file("runs-data").exists());
        throughout(QUIET, "it stays there", || {
            pair.watch.owners(pair.address()) == [1]
        });
        pair.a.cable("eth0").restore();
        pair.watch.expect_owner(0, pair.address());
        pair.a.log().expect(marks[0], "taking local resources back");
        for (machine, mark) in [(&pair.a, marks[0]), (&pair.b, marks[1])] {
            let log = machine.log();
            let peer = if machine.name == "alpha" {
                "beta"
            } else {
                "alpha"
            };
            assert!(!log.has(mark, &format!("node {peer}: is dead")));
        }
        pair.expect_settled();
        pair.assert_never_two_owners();
    });
}

#[test]
fn with_nothing_but_the_serial_line_left_the_owner_hands_over_in_order() {
    claim(|| {
        let site = Site::serving(Setup {
            baud: 19_200,
            keepalive: 500,
            deadtime: 3000,
            ..setup("on")
        });
        let pair = &site.pair;
        let marks = pair.marks();
        pair.a.cut_all(Failure::Unplugged);
        pair.watch.expect_owner(1, pair.address());
        pair.a.log().expect(marks[0], GIVEN);
        eventually("the disk is there", || pair.b.file("runs-data").exists());
        throughout(QUIET, "it stays there", || {
            pair.watch.owners(pair.address()) == [1]
        });
        for (machine, peer, mark) in [(&pair.a, "beta", marks[0]), (&pair.b, "alpha", marks[1])] {
            assert_eq!(machine.cl_status(&["nodestatus", peer]), "active");
            assert!(!machine.log().has(mark, &format!("node {peer}: is dead")));
        }
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_group_of_hosts_answers_while_any_of_them_does_and_counts_as_one() {
    claim(|| {
        let site = Site::serving(setup("off"));
        let pair = &site.pair;
        let marks = pair.marks();
        site.gate.cut_all(Failure::Silent);
        for machine in [&pair.a, &pair.b] {
            eventually("the group is dead", || {
                machine.cl_status(&["nodestatus", "gates"]) == "dead"
            });
        }
        // Its second host comes up.
        let mut other = Machine::new("other", "other");
        other.attach(
            &site.networks.service,
            "eth0",
            Ipv4Addr::new(10, 77, 1, 252),
        );
        for machine in [&pair.a, &pair.b] {
            eventually("the group answers", || {
                machine.cl_status(&["nodestatus", "gates"]) == "ping"
            });
        }
        assert_eq!(pair.watch.moves(pair.address()), 1);
        for (machine, mark) in [(&pair.a, marks[0]), (&pair.b, marks[1])] {
            assert!(!machine.log().has(mark, GIVEN));
        }
    });
}

/// Both nodes lose all ping nodes, and get them back.
fn both_lose(failure: Failure) {
    let site = Site::serving(setup("on"));
    let pair = &site.pair;
    let marks = pair.marks();
    site.router.cut_all(failure);
    site.gate.cut_all(failure);
    for (machine, mark) in [(&pair.a, marks[0]), (&pair.b, marks[1])] {
        machine.log().expect(mark, "node 10.77.1.254: is dead");
        machine.log().expect(mark, "node gates: is dead");
        machine.log().expect(mark, "We are dead. :<");
    }
    throughout(QUIET, "everything stays", || {
        pair.watch.owners(pair.address()) == [0]
    });
    site.router.restore_all();
    site.gate.restore_all();
    for machine in [&pair.a, &pair.b] {
        eventually("the ping nodes answer again", || {
            machine.cl_status(&["nodestatus", "gates"]) == "ping"
        });
    }
    throughout(QUIET, "everything stays", || {
        pair.watch.owners(pair.address()) == [0]
    });
    for (machine, mark) in [(&pair.a, marks[0]), (&pair.b, marks[1])] {
        assert!(!machine.log().has(mark, "Giving up"));
    }
    assert_eq!(pair.watch.moves(pair.address()), 1);
}

#[test]
fn what_both_nodes_lose_moves_nothing() {
    claim(|| both_lose(Failure::Silent));
}

#[test]
fn what_loses_its_own_cable_moves_nothing_either() {
    claim(|| both_lose(Failure::Unplugged));
}

#[test]
fn with_auto_failback_off_nothing_comes_back_by_itself() {
    claim(|| {
        let site = Site::serving(setup("off"));
        let pair = &site.pair;
        pair.a.cable("eth0").cut(Failure::Unplugged);
        pair.watch.expect_owner(1, pair.address());
        pair.a.cable("eth0").restore();
        eventually("the network is back", || {
            pair.a.cl_status(&["nodestatus", ROUTER]) == "ping"
        });
        throughout(QUIET, "it stays there", || {
            pair.watch.owners(pair.address()) == [1]
        });
        pair.assert_never_two_owners();
    });
}

#[test]
fn silent_ping_nodes_hold_up_no_start() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            initdead: 16_000,
            ..setup("on")
        });
        let begun = pair.a.start();
        pair.b.start();
        let served = pair.watch.expect_owner(0, pair.address());
        let took = served - begun;
        let initdead = Duration::from_millis(u64::from(pair.setup.initdead));
        assert!(took < initdead / 2, "{took:?}");
        assert_eq!(pair.a.cl_status(&["nodestatus", ROUTER]), "init");
        pair.a
            .log()
            .expect(Mark::START, "node 10.77.1.254: is dead");
    });
}

/// A ping node that is an address of the pair, and the node, `a` or `b`, that has to notice.
fn one_of_the_pair(address: &str, more: &'static str, on_a: bool) {
    let mut pair = Pair::alone(Setup {
        more,
        ..setup("on")
    });
    pair.serve_on_a();
    let log = if on_a { pair.a.log() } else { pair.b.log() };
    let up = format!("Status update for node {address}: status ping");
    log.expect(Mark::START, &up);
    let lines = log.since(Mark::START);
    let warnings = lines
        .iter()
        .filter(|line| line.contains(address) && line.contains("not counted"));
    assert_eq!(warnings.count(), 1, "{lines:#?}");
    pair.a.cable("eth0").cut(Failure::Silent);
    throughout(QUIET, "it stays", || {
        pair.watch.owners(pair.address()) == [0]
    });
}

#[test]
fn an_address_of_the_pair_is_told_once_at_start_and_moves_nothing() {
    let lines = "ping 10.77.1.100\ndeadping 1500ms\nrespawn hacluster /x/ipfail\n";
    claim(|| one_of_the_pair("10.77.1.100", lines, true));
}

#[test]
fn so_is_the_address_of_a_machine_by_that_machine() {
    let lines = "ping 10.77.1.2\ndeadping 1500ms\nrespawn hacluster /x/ipfail\n";
    claim(|| one_of_the_pair("10.77.1.2", lines, false));
}

#[test]
fn the_lines_of_the_well_known_guide_come_in_their_order() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            names: ["vm3", "vm4"],
            hosts: [203, 204],
            service: [172, 16, 1],
            key: "1 sha1 HI!",
            auto_failback: Some("off"),
            groups: vec!["vm3 IPaddr::172.16.1.200/24/eth0".to_owned()],
            more: "ping 172.16.1.200\nrespawn hacluster /usr/lib64/heartbeat/ipfail\n",
            ..Setup::default()
        });
        pair.serve_on_a();
        let log = pair.a.log();
        log.expect(Mark::START, "Ping node count is balanced.");
        log.assert_order(
            Mark::START,
            &[
                "info: /usr/lib64/heartbeat/ipfail: ipfail is part of this daemon",
                "info: Link 172.16.1.200:172.16.1.200 up.",
                "info: Link Status update: Link 172.16.1.200/172.16.1.200 now has status up",
                "info: Status update for node 172.16.1.200: status ping",
                "info: Status update: Node 172.16.1.200 now has status ping",
                "info: A ping node just came up.",
                "info: Asking other side for ping node count.",
                "info: No giveup timer to abort.",
                "info: Ping node count is balanced.",
            ],
        );
        pair.assert_stays(0, pair.long_enough());
        pair.assert_never_two_owners();
    });
}

/// Sends a node answers that it did not ask for, as many as go out.
fn flood(from: &Machine, to: Ipv4Addr, period: Duration) -> u32 {
    from.namespace.within(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4));
        let socket = socket.expect("a raw socket is for root");
        let to = SockAddr::from(SocketAddr::from((to, 0)));
        let end = Instant::now() + period;
        let mut sent = 0_u32;
        while Instant::now() < end {
            let mut packet = [0; 42]; // an answer, as long as a true one
            packet[4..8].copy_from_slice(&sent.to_be_bytes()); // identifier and sequence
            sent += u32::from(socket.send_to(&packet, &to).is_ok());
        }
        sent
    })
}

#[test]
fn a_flood_of_answers_from_a_ping_node_disturbs_nothing() {
    claim(|| {
        let site = Site::serving(setup("on"));
        let pair = &site.pair;
        let marks = pair.marks();
        let sent = flood(&site.router, pair.setup.service_address(0), QUIET);
        println!("{sent} answers in {QUIET:?}");
        assert!(sent > 10_000, "{sent}");
        for (machine, mark) in [(&pair.a, marks[0]), (&pair.b, marks[1])] {
            assert_eq!(machine.cl_status(&["nodestatus", ROUTER]), "ping");
            assert!(!machine.log().has(mark, "is dead"));
        }
        // Nor do they keep it alive.
        site.router.cut_all(Failure::Silent);
        pair.a.log().expect(marks[0], "node 10.77.1.254: is dead");
        assert_eq!(pair.watch.moves(pair.address()), 1);
    });
}
