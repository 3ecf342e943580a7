//! Network media over cables between two namespaces.

use heartbeat::config::Medium;
use heartbeat::daemon::media::report::MediaError;

use crate::bench::{
    Node, PORT, Wire, bcast, in_namespace, ip, mcast, mcast6, now, packet, serial, ucast, ucast6,
    until,
};

/// Sends from one to the other until it arrives; only what may be lost while an interface settles is sent again.
fn assert_hears(from: &mut Node, to: &mut Node, link: u8, number: u32) {
    let wanted = packet(number, true);
    until("a message on its way", |time| {
        from.send(&wanted);
        from.turn(time);
        to.turn(time);
        to.has_received(link, &wanted.datagram)
    });
}

#[test]
fn every_kind_of_network_medium_carries_messages_both_ways() {
    in_namespace(
        "network::every_kind_of_network_medium_carries_messages_both_ways",
        |world| {
            world.cable("hb0", 0);
            let kinds: [(Medium, Medium); 6] = [
                (bcast("hb0"), bcast("hb0")),
                (ucast("hb0", "10.88.0.2"), ucast("hb0", "10.88.0.1")),
                (mcast("hb0"), mcast("hb0")),
                (ucast6("hb0", "fd88:0::2"), ucast6("hb0", "fd88:0::1")),
                (ucast6("hb0", "fe80::0:2"), ucast6("hb0", "fe80::0:1%hb0")),
                (mcast6("hb0"), mcast6("hb0")),
            ];
            for (one, other) in kinds {
                let what = format!("{one:?}");
                let mut a = Node::open(vec![one]).expect(&what);
                let mut b = world.on_b(|| Node::open(vec![other])).expect(&what);
                assert_hears(&mut a, &mut b, 0, 1);
                assert_hears(&mut b, &mut a, 0, 2);
                assert!(
                    !a.media.has_more() && a.media.next_deadline().is_none(),
                    "nothing left to do: {what}"
                );
            }
        },
    );
}

#[test]
fn what_a_node_says_to_everybody_does_not_come_back_to_it() {
    in_namespace(
        "network::what_a_node_says_to_everybody_does_not_come_back_to_it",
        |world| {
            world.cable("hb0", 0);
            let mut node = Node::open(vec![bcast("hb0")]).expect("open");
            let mut beside = Node::open(vec![bcast("hb0")]).expect("open");
            let mut other = world.on_b(|| Node::open(vec![bcast("hb0")])).expect("open");
            assert_hears(&mut node, &mut other, 0, 1);
            assert_hears(&mut node, &mut beside, 0, 2);
            // Whatever comes later would come behind its own words.
            assert_hears(&mut beside, &mut node, 0, 3);
            assert_hears(&mut other, &mut node, 0, 4);
            for number in [1, 2] {
                let own = packet(number, true).datagram.clone();
                assert!(!node.has_received(0, &own), "{number} came back");
            }
        },
    );
}

#[test]
fn an_interface_without_a_broadcast_address_is_heard_all_the_same() {
    in_namespace(
        "network::an_interface_without_a_broadcast_address_is_heard_all_the_same",
        |world| {
            world.cable("hb0", 0);
            let bare = |host| {
                ip("addr flush dev hb0");
                ip(&format!("addr add 10.88.0.{host}/24 dev hb0"));
                Node::open(vec![bcast("hb0")]).expect("open")
            };
            let mut a = bare(1);
            let mut b = world.on_b(|| bare(2));
            assert_hears(&mut a, &mut b, 0, 1);
            assert_hears(&mut b, &mut a, 0, 2);
        },
    );
}

#[test]
fn start_lines_name_port_interface_and_peer() {
    in_namespace(
        "network::start_lines_name_port_interface_and_peer",
        |world| {
            world.cable("hb0", 0);
            let mut a = Node::open(vec![bcast("hb0"), ucast("hb0", "10.88.0.2")]).expect("open");
            a.turn(now());
            let expected = [
                format!("UDP Broadcast heartbeat started on port {PORT} ({PORT}) interface hb0"),
                format!("ucast: started on port {PORT} interface hb0 to 10.88.0.2"),
            ];
            assert_eq!(a.lines(), expected);
            assert_eq!(
                a.media.links(),
                ["hb0"],
                "two media on one interface are one link"
            );
        },
    );
}

#[test]
fn each_link_is_heard_on_its_own() {
    in_namespace("network::each_link_is_heard_on_its_own", |world| {
        world.cable("hb0", 0);
        world.cable("hb1", 1);
        for kind in [bcast, mcast, mcast6] {
            let media = || vec![kind("hb0"), kind("hb1")];
            let mut a = Node::open(media()).expect("open");
            let mut b = world.on_b(|| Node::open(media())).expect("open");
            assert_eq!(b.media.links(), ["hb0", "hb1"]);
            assert_hears(&mut a, &mut b, 0, 1);
            assert_hears(&mut a, &mut b, 1, 1);
            ip("link set hb1 down");
            b.received.clear();
            assert_hears(&mut a, &mut b, 0, 2);
            let strays = b
                .received
                .iter()
                .filter(|(link, bytes)| *link == 1 && bytes == b"datagram 2")
                .count();
            assert_eq!(
                strays,
                0,
                "what came on one link counted for the other: {kind:?}",
                kind = kind("hb0")
            );
            ip("link set hb1 up");
            world.on_b(|| ip("addr replace fd88:1::2/64 dev hb1 nodad"));
            ip("addr replace fd88:1::1/64 dev hb1 nodad");
            ip("addr replace fe80::1:1/64 dev hb1 nodad");
            assert_hears(&mut a, &mut b, 1, 3);
            assert!(
                !a.has_told("failed"),
                "an interface that comes back needs no new sockets: {:?}",
                a.lines()
            );
        }
    });
}

#[test]
fn a_unicast_line_that_names_this_machine_is_left_out() {
    in_namespace(
        "network::a_unicast_line_that_names_this_machine_is_left_out",
        |world| {
            world.cable("hb0", 0);
            world.cable("hb1", 1);
            let media = || {
                vec![
                    ucast("hb0", "10.88.0.1"),
                    ucast("hb0", "10.88.0.2"),
                    ucast6("hb1", "fe80::1:1"),
                    ucast6("hb1", "fe80::1:2"),
                ]
            };
            let mut a = Node::open(media()).expect("open");
            let mut b = world.on_b(|| Node::open(media())).expect("open");
            assert_hears(&mut a, &mut b, 0, 1);
            assert_hears(&mut b, &mut a, 1, 2);
            assert!(
                a.has_told("ucast hb0 10.88.0.1 is this machine's own address"),
                "{:?}",
                a.lines()
            );
            assert!(
                b.has_told("ucast6 hb1 fe80::1:2 is this machine's own address"),
                "{:?}",
                b.lines()
            );
            assert!(
                !a.has_received(0, b"datagram 1"),
                "own words do not come back"
            );

            let refused = Node::open(vec![ucast("hb0", "10.88.0.1")]).err();
            assert!(
                matches!(refused, Some(MediaError::OnlyOwnAddresses)),
                "{refused:?}"
            );
        },
    );
}

#[test]
fn nothing_that_works_is_an_error_with_every_reason() {
    in_namespace(
        "network::nothing_that_works_is_an_error_with_every_reason",
        |_| {
            ip("link add bare0 type veth peer name bare1");
            let media = vec![
                bcast("eth9"),
                ucast("eth9", "10.1.1.1"),
                mcast("bare0"),
                bcast("bare0"),
                ucast("bare0", "no-such-host.invalid"),
                serial("/dev/no-such-port".as_ref(), 19_200),
            ];
            let refused = Node::open(media).err().expect("nothing works").to_string();
            let expected = [
                "bcast eth9: bcast: interface [eth9] does not exist: ",
                "ucast eth9: ucast: interface [eth9] does not exist: ",
                "mcast bare0: mcast device [bare0] is invalid or not set up properly: it has no IPv4 address",
                "bcast bare0: Get broadcast for interface bare0 failed: it has no broadcast address",
                "ucast bare0: cannot resolve its host: ",
                "serial /dev/no-such-port: cannot open /dev/no-such-port: No such file or directory",
            ];
            for reason in expected {
                assert!(refused.contains(reason), "{reason:?} is not in\n{refused}");
            }
        },
    );
}

#[test]
fn an_interface_that_comes_later_is_used_when_it_comes() {
    in_namespace(
        "network::an_interface_that_comes_later_is_used_when_it_comes",
        |world| {
            world.cable("hb0", 0);
            let media = || vec![bcast("hb0"), bcast("hb1"), ucast6("hb2", "fd88:2::2")];
            let mut a = Node::open(media()).expect("one of them works");
            a.turn(now());
            assert!(
                a.has_told("bcast hb1 does not work: bcast: interface [hb1] does not exist"),
                "{:?}",
                a.lines()
            );
            assert_eq!(a.media.links(), ["hb0", "hb1", "hb2"]);
            world.cable("hb1", 1);
            world.cable("hb2", 2);
            let mut b = world
                .on_b(|| Node::open(vec![bcast("hb0"), bcast("hb1"), ucast6("hb2", "fd88:2::1")]))
                .expect("open");
            assert_hears(&mut a, &mut b, 1, 1);
            assert_hears(&mut b, &mut a, 1, 2);
            assert_hears(&mut a, &mut b, 2, 3);
            assert!(a.has_told("heartbeat started on port 6694 (6694) interface hb1"));
        },
    );
}

#[test]
fn an_interface_that_is_made_anew_is_used_again() {
    in_namespace(
        "network::an_interface_that_is_made_anew_is_used_again",
        |world| {
            for kind in [
                bcast,
                mcast,
                mcast6,
                |name: &str| ucast(name, "10.88.1.2"),
                |name: &str| ucast6(name, "fd88:1::2"),
            ] {
                world.cable("hb0", 0);
                world.cable("hb1", 1);
                let what = format!("{:?}", kind("hb1"));
                let mut a = Node::open(vec![bcast("hb0"), kind("hb1")]).expect(&what);
                ip("link del hb1");
                until("the loss is noticed", |time| {
                    a.send(&packet(1, true));
                    a.turn(time);
                    a.has_told("hb1 failed: the interface is gone or was made anew")
                });
                world.cable("hb1", 1);
                let (one, other) = (kind("hb1"), kind("hb1"));
                let other = match one.kind {
                    heartbeat::config::MediumKind::Ucast { .. } => ucast("hb1", "10.88.1.1"),
                    heartbeat::config::MediumKind::Ucast6 { .. } => ucast6("hb1", "fd88:1::1"),
                    _ => other,
                };
                let mut b = world
                    .on_b(|| Node::open(vec![bcast("hb0"), other]))
                    .expect(&what);
                assert_hears(&mut a, &mut b, 1, 2);
                assert_hears(&mut b, &mut a, 1, 3);
                ip("link del hb0");
                ip("link del hb1");
            }
        },
    );
}

#[test]
fn a_changed_broadcast_address_is_found_by_itself() {
    in_namespace(
        "network::a_changed_broadcast_address_is_found_by_itself",
        |world| {
            world.cable("hb0", 0);
            let mut a = Node::open(vec![bcast("hb0")]).expect("open");
            let mut b = world.on_b(|| Node::open(vec![bcast("hb0")])).expect("open");
            assert_hears(&mut a, &mut b, 0, 1);
            for node in [
                "addr flush dev hb0",
                "addr add 10.99.0.7/16 broadcast + dev hb0",
            ] {
                ip(node);
            }
            world.on_b(|| ip("addr add 10.99.0.8/16 broadcast + dev hb0"));
            let later = now() + std::time::Duration::from_secs(3600);
            a.turn(later);
            assert!(
                a.has_told("the broadcast address of the interface changed"),
                "{:?}",
                a.lines()
            );
            a.turn(later + std::time::Duration::from_secs(2));
            assert_hears(&mut a, &mut b, 0, 2);
        },
    );
}

#[test]
fn floating_addresses_that_come_and_go_do_not_disturb_a_broadcast_link() {
    in_namespace(
        "network::floating_addresses_that_come_and_go_do_not_disturb_a_broadcast_link",
        |world| {
            world.cable("hb0", 0);
            for own in ["", " broadcast +"] {
                ip("addr flush dev hb0");
                ip(&format!("addr add 10.88.0.1/24{own} dev hb0"));
                let mut a = Node::open(vec![bcast("hb0")]).expect("open");
                for (hours, change) in [
                    "addr add 10.88.0.100/24 broadcast + dev hb0",
                    "addr add 10.77.0.100/24 broadcast + dev hb0",
                    "addr del 10.88.0.100/24 dev hb0",
                ]
                .into_iter()
                .enumerate()
                {
                    ip(change);
                    let hours = u64::try_from(hours).expect("few") + 1;
                    a.turn(now() + std::time::Duration::from_secs(3600 * hours));
                    assert!(!a.has_told("failed"), "{change}: {:?}", a.lines());
                }
            }
        },
    );
}

#[test]
fn a_message_too_large_for_udp_is_told_once_and_harms_nothing() {
    in_namespace(
        "network::a_message_too_large_for_udp_is_told_once_and_harms_nothing",
        |world| {
            world.cable("hb0", 0);
            world.cable("hb1", 1);
            let media = || vec![bcast("hb0"), mcast("hb1")];
            let mut a = Node::open(media()).expect("open");
            let mut b = world.on_b(|| Node::open(media())).expect("open");
            let sized = |bytes: usize| {
                let datagram = vec![b'y'; bytes];
                std::rc::Rc::new(heartbeat::cluster::Packet {
                    generation: 1,
                    datagram,
                    text: Vec::new(),
                    is_heartbeat: false,
                    is_short: false,
                    link: None,
                })
            };
            for _ in 0..50 {
                a.send(&sized(65_508));
            }
            let largest = sized(65_507);
            until("the largest datagram arrives", |time| {
                a.send(&largest);
                a.turn(time);
                b.turn(time);
                b.has_received(0, &largest.datagram) && b.has_received(1, &largest.datagram)
            });
            let told = a
                .lines()
                .iter()
                .filter(|line| line.contains("a message of 65508 bytes is too large"))
                .count();
            assert_eq!(told, 1, "{:?}", a.lines());
            assert!(!a.has_told("write failure"), "{:?}", a.lines());
            assert!(b.received.iter().all(|(_, bytes)| bytes.len() == 65_507));
        },
    );
}

#[test]
fn write_failures_are_told_ten_times_then_a_hint_and_then_the_end() {
    in_namespace(
        "network::write_failures_are_told_ten_times_then_a_hint_and_then_the_end",
        |world| {
            world.cable("hb0", 0);
            let wire = Wire::new();
            let mut a = Node::open(vec![bcast("hb0"), serial(wire.path(), 115_200)]).expect("open");
            let mut b = world.on_b(|| Node::open(vec![bcast("hb0")])).expect("open");
            ip("link set hb0 down");
            for number in 0..100 {
                a.send(&packet(number, true));
            }
            a.turn(now());
            let failures: Vec<String> = a
                .lines()
                .into_iter()
                .filter(|line| line.contains("write_child"))
                .collect();
            assert_eq!(failures.len(), 10);
            assert!(
                failures[0].starts_with(
                    "write_child: write failure on bcast hb0.: Network is unreachable"
                ),
                "{failures:?}"
            );
            assert!(a.has_told("Temporarily Suppressing write error messages"));
            assert!(a.has_told("Is a cable unplugged on bcast hb0?"));
            ip("link set hb0 up");
            assert_hears(&mut a, &mut b, 0, 101);
            assert!(
                a.has_told("bcast hb0 sends again, after"),
                "{:?}",
                a.lines()
            );
        },
    );
}

#[test]
fn a_peer_whose_name_is_known_later_is_reached_then() {
    in_namespace(
        "network::a_peer_whose_name_is_known_later_is_reached_then",
        |world| {
            world.cable("hb0", 0);
            world.cable("hb1", 1);
            let mut a =
                Node::open(vec![bcast("hb0"), ucast("hb1", "hb-test-beta")]).expect("one works");
            a.turn(now());
            assert!(
                a.has_told("ucast hb1 does not work: cannot resolve its host"),
                "{:?}",
                a.lines()
            );
            let hosts = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(hosts.path(), "10.88.1.2 hb-test-beta\n").expect("written");
            let mounted = std::process::Command::new("mount")
                .arg("--bind")
                .arg(hosts.path())
                .arg("/etc/hosts")
                .status();
            assert!(mounted.expect("mount runs").success());
            let mut b = world
                .on_b(|| Node::open(vec![bcast("hb0"), ucast("hb1", "10.88.1.1")]))
                .expect("open");
            assert_hears(&mut a, &mut b, 1, 1);
            assert!(a.has_told("interface hb1 to 10.88.1.2"), "{:?}", a.lines());
        },
    );
}
