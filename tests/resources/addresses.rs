//! Built-in addresses in a network namespace of their own: what the kernel has afterwards, and what the
//! neighbours hear.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use crate::bench::{Bench, Directory, logged, now};
use crate::namespace::{in_namespace, ip};
use heartbeat::cluster::{GroupId, GroupOutcome, Instant};
use heartbeat::daemon::resources::Resources;
use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, LinkAddr, SockFlag, SockProtocol, SockType, recvfrom, setsockopt, socket,
    sockopt,
};

/// The addresses of an interface, one `address/prefix [brd …] scope … label` each, without lifetimes.
pub fn addresses(interface: &str) -> Vec<String> {
    let shown = ip(&format!("-o addr show dev {interface} scope global"));
    let lines = shown.lines().map(|line| {
        let words: Vec<&str> = line.split_whitespace().skip(3).collect();
        words
            .join(" ")
            .split('\\')
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    });
    lines.collect()
}

#[test]
fn addresses_come_and_go_in_every_written_form() {
    in_namespace(
        "addresses::addresses_come_and_go_in_every_written_form",
        || {
            ip("link add vm3 type veth peer name vm4");
            ip("addr add 172.16.1.203/24 brd 172.16.1.255 dev vm3");
            ip("addr add fd00::203/64 dev vm3 nodad");
            ip("link set vm3 up");
            ip("link set vm4 up");
            let before = addresses("vm3");
            for (written, expected) in [
                (
                    "IPaddr::172.16.1.200/24/vm3",
                    "172.16.1.200/24 brd 172.16.1.255 scope global secondary vm3",
                ),
                (
                    "IPaddr::172.16.1.200/24/vm3:0",
                    "172.16.1.200/24 brd 172.16.1.255 scope global secondary vm3:0",
                ),
                (
                    "IPaddr2::172.16.1.200",
                    "172.16.1.200/24 brd 172.16.1.255 scope global secondary vm3",
                ),
                (
                    "172.16.1.200",
                    "172.16.1.200/24 brd 172.16.1.255 scope global secondary vm3",
                ),
                (
                    "172.16.1.200/255.255.255.0",
                    "172.16.1.200/24 brd 172.16.1.255 scope global secondary vm3",
                ),
                (
                    "172.16.1.200/25",
                    "172.16.1.200/25 brd 172.16.1.255 scope global vm3",
                ),
                (
                    "172.16.1.200/24/172.16.1.127",
                    "172.16.1.200/24 brd 172.16.1.127 scope global secondary vm3",
                ),
                (
                    "172.16.1.200/24/vm3/172.16.1.63",
                    "172.16.1.200/24 brd 172.16.1.63 scope global secondary vm3",
                ),
                ("10.5.5.5/32/vm3", "10.5.5.5/32 scope global vm3"),
                ("IPv6addr::fd00::9", "fd00::9/64 scope global nodad"),
                (
                    "IPv6addr::2001:db8::9/128/vm3",
                    "2001:db8::9/128 scope global nodad",
                ),
            ] {
                let directory = Directory::new().group(written);
                let mut bench = Bench::new(&directory);
                assert_eq!(bench.probe(0), GroupOutcome::FoundStopped, "{written}");
                assert_eq!(bench.start(0), GroupOutcome::Started, "{written}");
                let added: Vec<String> = addresses("vm3")
                    .into_iter()
                    .filter(|line| !before.contains(line))
                    .collect();
                assert_eq!(added, [expected], "{written}");
                assert_eq!(bench.probe(0), GroupOutcome::FoundRunning, "{written}");
                assert_eq!(
                    bench.start(0),
                    GroupOutcome::Started,
                    "{written}: a second time"
                );
                assert_eq!(bench.stop(0), GroupOutcome::Stopped, "{written}");
                assert_eq!(addresses("vm3"), before, "{written}");
                assert_eq!(
                    bench.stop(0),
                    GroupOutcome::Stopped,
                    "{written}: a second time"
                );
            }
        },
    );
}

#[test]
fn the_log_has_the_lines_that_people_know() {
    in_namespace("addresses::the_log_has_the_lines_that_people_know", || {
        ip("link add eth0 type veth peer name eth1");
        ip("link set eth0 up");
        let directory = Directory::new().group("IPaddr::172.16.1.200/24/eth0");
        let mut bench = Bench::new(&directory);
        bench.start(0);
        bench.stop(0);
        let lines: Vec<String> = logged("172.16.1.200");
        assert_eq!(
            lines.join("\n").replace(
                directory.path("").to_str().expect("plain text"),
                "/etc/ha.d/"
            ),
            "ResourceManager(default) INFO Acquiring resource group: ba IPaddr::172.16.1.200/24/eth0\n\
             IPaddr(IPaddr_172.16.1.200) INFO Resource is stopped\n\
             ResourceManager(default) INFO Running /etc/ha.d/resource.d/IPaddr 172.16.1.200/24/eth0 start\n\
             IPaddr(IPaddr_172.16.1.200) INFO Adding inet address 172.16.1.200/24 with broadcast address 172.16.1.255 to device eth0\n\
             IPaddr(IPaddr_172.16.1.200) INFO send_arp -i 200 -r 5 eth0 172.16.1.200 auto not_used not_used\n\
             IPaddr(IPaddr_172.16.1.200) INFO Success\n\
             ResourceManager(default) INFO Releasing resource group: ba IPaddr::172.16.1.200/24/eth0\n\
             ResourceManager(default) INFO Running /etc/ha.d/resource.d/IPaddr 172.16.1.200/24/eth0 stop\n\
             IPaddr(IPaddr_172.16.1.200) INFO Removed 172.16.1.200 from device eth0"
        );
    });
}

#[test]
fn what_cannot_be_added_fails_with_its_reason() {
    in_namespace(
        "addresses::what_cannot_be_added_fails_with_its_reason",
        || {
            ip("link add vm3 type veth peer name vm4");
            let directory = Directory::new()
                .group("10.1.1.1")
                .group("10.1.1.2/24/eth7")
                .group("10.1.1.3/24/vm3")
                .group("10.1.1.4/24/vm3 10.1.1.5/24/eth7");
            let mut bench = Bench::new(&directory);
            for (group, reason) in [
                (0, "no interface has a network that contains 10.1.1.1"),
                (1, "there is no interface eth7 (there is lo"),
                (3, "Giving up resources due to failure of 10.1.1.5/24/eth7"),
            ] {
                assert_eq!(bench.start(group), GroupOutcome::StartFailed);
                assert!(!logged(reason).is_empty(), "{reason}");
                assert_eq!(bench.stop(group), GroupOutcome::Stopped);
            }
            assert!(addresses("vm3").is_empty());
            assert_eq!(bench.start(2), GroupOutcome::Started);
            assert_eq!(
                logged("vm3 is down: nobody can reach 10.1.1.3 before it is up").len(),
                1
            );
        },
    );
}

#[test]
fn the_first_address_of_a_network_leaves_without_the_others() {
    in_namespace(
        "addresses::the_first_address_of_a_network_leaves_without_the_others",
        || {
            ip("link add vm3 type veth peer name vm4");
            ip("link set vm3 up");
            let setting = "/proc/sys/net/ipv4/conf/vm3/promote_secondaries";
            for promotes in ["0", "1"] {
                std::fs::write("/proc/sys/net/ipv4/conf/all/promote_secondaries", "0")
                    .expect("set");
                std::fs::write(setting, promotes).expect("set");
                let directory = Directory::new()
                    .group("10.0.0.1/24/vm3")
                    .group("10.0.0.2/24/vm3")
                    .group("10.0.0.3/24/vm3");
                let mut bench = Bench::new(&directory);
                for group in 0..3 {
                    assert_eq!(bench.start(group), GroupOutcome::Started);
                }
                assert_eq!(bench.stop(0), GroupOutcome::Stopped);
                assert_eq!(addresses("vm3").len(), 2, "{promotes}");
                assert_eq!(bench.stop(1), GroupOutcome::Stopped);
                assert_eq!(
                    addresses("vm3"),
                    ["10.0.0.3/24 brd 10.0.0.255 scope global vm3"],
                    "{promotes}"
                );
                assert_eq!(bench.stop(2), GroupOutcome::Stopped);
                assert_eq!(
                    std::fs::read_to_string(setting).expect("read").trim(),
                    promotes,
                    "left as it was"
                );
            }
        },
    );
}

/// Everything that arrives on an interface.
pub struct Ear {
    pub socket: OwnedFd,
    pub interface: usize,
}

impl Ear {
    pub fn new(interface: &str) -> Self {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let socket = socket(
            AddressFamily::Packet,
            SockType::Raw,
            flags,
            SockProtocol::EthAll,
        )
        .expect("a socket");
        // Hundreds of frames come in a row, and what has no room is not heard.
        let room = 4 << 20;
        setsockopt(&socket, sockopt::RcvBufForce, &room)
            .or_else(|_| setsockopt(&socket, sockopt::RcvBuf, &room))
            .expect("a limit");
        let shown = ip(&format!("-o link show dev {interface}"));
        let interface = shown
            .split(':')
            .next()
            .and_then(|number| number.trim().parse().ok())
            .expect("a number");
        Self { socket, interface }
    }

    pub fn next(&self) -> Option<Vec<u8>> {
        let mut buffer = [0; 2048];
        loop {
            match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer) {
                Ok((length, Some(from))) if from.ifindex() == self.interface => {
                    return buffer.get(..length).map(<[u8]>::to_vec);
                }
                Ok(_) => {}
                Err(Errno::EAGAIN) => return None,
                Err(error) => panic!("{error}"),
            }
        }
    }
}

/// What of a frame matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announcement {
    Arp {
        operation: u8,
        sender: Ipv4Addr,
        target: Ipv4Addr,
    },
    Neighbour {
        target: Ipv6Addr,
        is_override: bool,
    },
}

fn announcement(frame: &[u8]) -> Option<Announcement> {
    let quad = |at: usize| {
        <[u8; 4]>::try_from(frame.get(at..at + 4)?)
            .ok()
            .map(Ipv4Addr::from)
    };
    match frame.get(12..14)? {
        [8, 6] => Some(Announcement::Arp {
            operation: *frame.get(21)?,
            sender: quad(28)?,
            target: quad(38)?,
        }),
        [0x86, 0xdd] if frame.get(20) == Some(&58) && frame.get(54) == Some(&136) => {
            let target = <[u8; 16]>::try_from(frame.get(62..78)?).ok()?.into();
            Some(Announcement::Neighbour {
                target,
                is_override: frame.get(58)? & 0x20 != 0,
            })
        }
        _ => None,
    }
}

/// Listens until `count` announcements of interest were heard, with the times they came.
fn hear(
    bench: &mut Bench,
    ear: &Ear,
    count: usize,
    of: impl Fn(&Announcement) -> bool,
) -> Vec<(Instant, Announcement)> {
    let mut heard = Vec::new();
    bench.until("announcements", |_| {
        while let Some(frame) = ear.next() {
            heard.extend(
                announcement(&frame)
                    .filter(&of)
                    .map(|announcement| (now(), announcement)),
            );
        }
        (heard.len() >= count).then_some(())
    });
    heard
}

#[test]
fn five_announcements_200_ms_apart_are_seen_on_the_wire() {
    in_namespace(
        "addresses::five_announcements_200_ms_apart_are_seen_on_the_wire",
        || {
            ip("link add vm3 type veth peer name vm4");
            ip("link set vm3 up");
            ip("link set vm4 up");
            let directory = Directory::new()
                .group("172.16.1.200/24/vm3")
                .group("IPv6addr::fd00::9/64/vm3");
            let mut bench = Bench::new(&directory);
            let ear = Ear::new("vm4");
            bench.watch(ear.socket.as_raw_fd());

            let floating = Ipv4Addr::new(172, 16, 1, 200);
            let begin = now();
            assert_eq!(bench.start(0), GroupOutcome::Started);
            let ours = |heard: &Announcement| matches!(heard, Announcement::Arp { sender, .. } if *sender == floating);
            let heard = hear(&mut bench, &ear, 10, ours);
            for (number, (_, announcement)) in heard.iter().enumerate() {
                let operation = if number % 2 == 0 { 1 } else { 2 };
                assert_eq!(
                    *announcement,
                    Announcement::Arp {
                        operation,
                        sender: floating,
                        target: floating
                    }
                );
            }
            let times: Vec<Instant> = heard.iter().step_by(2).map(|(time, _)| *time).collect();
            let gaps: Vec<Duration> = times
                .windows(2)
                .map(|pair| pair[1].since(pair[0]))
                .collect();
            println!("gaps between announcements: {gaps:?}");
            // The time is taken when we got round to listening, hence too late by any time.
            let mut soonest = begin;
            for time in times {
                assert!(time >= soonest, "{gaps:?}");
                soonest = soonest + Duration::from_millis(200);
            }
            let longest = Duration::from_secs(5);
            assert!(gaps.iter().all(|gap| *gap < longest), "{gaps:?}");

            assert_eq!(bench.start(1), GroupOutcome::Started);
            let target = "fd00::9".parse().expect("an address");
            let unsolicited = |heard: &Announcement| {
                matches!(
                    heard,
                    Announcement::Neighbour {
                        is_override: true,
                        ..
                    }
                )
            };
            let heard = hear(&mut bench, &ear, 5, unsolicited);
            assert!(
                heard.iter().all(|(_, one)| *one
                    == Announcement::Neighbour {
                        target,
                        is_override: true
                    }),
                "{heard:?}"
            );
        },
    );
}

#[test]
fn an_address_that_was_given_up_is_not_announced_any_more() {
    in_namespace(
        "addresses::an_address_that_was_given_up_is_not_announced_any_more",
        || {
            ip("link add vm3 type veth peer name vm4");
            ip("link set vm3 up");
            ip("link set vm4 up");
            let directory = Directory::new()
                .group("10.0.0.1/24/vm3")
                .group("10.0.0.2/24/vm3");
            let mut bench = Bench::new(&directory);
            let ear = Ear::new("vm4");
            bench.watch(ear.socket.as_raw_fd());
            assert_eq!(bench.start(0), GroupOutcome::Started);
            hear(&mut bench, &ear, 2, |_| true);
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            while ear.next().is_some() {} // it may have been announced until then
            // The other's five take long enough for one of the first to slip in.
            assert_eq!(bench.start(1), GroupOutcome::Started);
            let gone = Ipv4Addr::new(10, 0, 0, 1);
            let heard = hear(&mut bench, &ear, 10, |heard| {
                matches!(heard, Announcement::Arp { .. })
            });
            assert!(
                !heard.iter().any(
                    |(_, one)| matches!(one, Announcement::Arp { sender, .. } if *sender == gone)
                ),
                "{heard:?}"
            );
        },
    );
}

#[test]
fn an_address_that_somebody_else_removed_comes_back_and_one_that_was_stopped_does_not() {
    in_namespace(
        "addresses::an_address_that_somebody_else_removed_comes_back_and_one_that_was_stopped_does_not",
        || {
            ip("link add vm3 type veth peer name vm4");
            ip("link set vm3 up");
            ip("link set vm4 up");
            let directory = Directory::new()
                .group("10.0.0.1/24/vm3 IPv6addr::fd00::9/64/vm3")
                .group("10.0.0.2/24/vm3");
            let mut bench = Bench::new(&directory);
            for group in [0, 1] {
                assert_eq!(bench.start(group), GroupOutcome::Started);
            }
            let complete = addresses("vm3");
            assert_eq!(complete.len(), 3);
            let ear = Ear::new("vm4");
            bench.watch(ear.socket.as_raw_fd());

            // As by a person, and as by a program that sets up the interface anew.
            ip("addr del 10.0.0.2/24 dev vm3");
            bench.until("its return", |_| {
                (addresses("vm3").len() == 3).then_some(())
            });
            ip("addr flush dev vm3 scope global");
            bench.until("the return of all", |_| {
                (addresses("vm3").len() == 3).then_some(())
            });
            let told = |address: &str| {
                let lines = logged(&format!("Somebody removed {address}; it is added again"));
                assert!(
                    lines.iter().all(|line| line.contains(" WARN ")),
                    "{lines:?}"
                );
                lines.len()
            };
            assert_eq!(
                [told("10.0.0.1"), told("fd00::9"), told("10.0.0.2")],
                [1, 1, 2]
            );
            let floating = Ipv4Addr::new(10, 0, 0, 1);
            hear(
                &mut bench,
                &ear,
                2,
                |heard| matches!(heard, Announcement::Arp { sender, .. } if *sender == floating),
            );

            // Without its interface it cannot come back before that does.
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            ip("link del vm3");
            bench.until("a complaint", |_| {
                (!logged("Somebody removed 10.0.0.2. It cannot be added again").is_empty())
                    .then_some(())
            });
            ip("link add vm3 type veth peer name vm4");
            ip("link set vm3 up");
            bench.until("its return", |_| {
                (!addresses("vm3").is_empty()).then_some(())
            });
            assert_eq!(
                addresses("vm3"),
                ["10.0.0.2/24 brd 10.0.0.255 scope global vm3"]
            );
            assert_eq!(logged("It cannot be added again").len(), 1);

            assert_eq!(bench.stop(1), GroupOutcome::Stopped);
            // But for the Ethernet addresses of this machine, a moment after an interface came, and every ten seconds for
            // carriers.
            bench.until("nothing is looked after any more", |resources| {
                let soon = now() + Duration::from_secs(2);
                let deadline = resources.next_deadline();
                deadline.is_none_or(|at| at > soon).then_some(())
            });
            assert_eq!(told("10.0.0.2"), 3);
        },
    );
}

#[test]
fn an_address_that_is_gone_is_back_at_once() {
    in_namespace("addresses::an_address_that_is_gone_is_back_at_once", || {
        ip("link add vm3 type veth peer name vm4");
        ip("link set vm3 up");
        ip("link set vm4 up");
        let mut bench = Bench::new(&Directory::new().group("10.0.0.1/24/vm3"));
        assert_eq!(bench.start(0), GroupOutcome::Started);
        let mut took = Vec::new();
        for _ in 0..3 {
            // Far from the time when it would be looked at anyway.
            let quiet = now() + Duration::from_millis(300);
            bench.until("a quiet moment", |_| (now() >= quiet).then_some(()));
            ip("addr flush dev vm3 scope global");
            let since = now();
            bench.until("its return", |_| {
                (!addresses("vm3").is_empty()).then_some(())
            });
            took.push(now().since(since));
        }
        took.sort_unstable();
        assert!(took[0] < Duration::from_secs(1), "{took:?}");
    });
}

#[test]
fn an_address_that_somebody_else_changed_is_as_it_was() {
    in_namespace(
        "addresses::an_address_that_somebody_else_changed_is_as_it_was",
        || {
            ip("link add vm3 type veth peer name vm4");
            ip("addr add 10.0.0.9/24 brd + dev vm3");
            ip("link set vm3 up");
            ip("link set vm4 up");
            let mut bench = Bench::new(&Directory::new().group("IPaddr::10.0.0.1/24/vm3:0"));
            assert_eq!(bench.start(0), GroupOutcome::Started);
            let right = addresses("vm3");
            assert_eq!(
                right[1],
                "10.0.0.1/24 brd 10.0.0.255 scope global secondary vm3:0"
            );
            for wrong in [
                "10.0.0.1/32 dev vm3 label vm3:0",
                "10.0.0.1/24 brd + dev vm3",
                "10.0.0.1/24 brd 10.0.0.127 dev vm3 label vm3:0",
            ] {
                ip("addr del 10.0.0.1/24 dev vm3");
                ip(&format!("addr add {wrong}"));
                bench.until("its return", |_| (addresses("vm3") == right).then_some(()));
            }
            assert!(!logged("Somebody changed 10.0.0.1; it is added again").is_empty());
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            assert_eq!(addresses("vm3"), right[..1]);
        },
    );
}

#[test]
fn an_address_that_does_not_stay_is_put_back_without_end_and_told_of_as_useless() {
    in_namespace(
        "addresses::an_address_that_does_not_stay_is_put_back_without_end_and_told_of_as_useless",
        || {
            ip("link add vm3 type veth peer name vm4");
            ip("link set vm3 up");
            ip("link set vm4 up");
            let mut bench = Bench::new(&Directory::new().group("10.0.0.1/24/vm3"));
            assert_eq!(bench.start(0), GroupOutcome::Started);
            let mut removals = 0;
            bench.until("word that it is of no use here", |resources| {
                if !addresses("vm3").is_empty() && removals < 8 {
                    ip("addr del 10.0.0.1/24 dev vm3");
                    removals += 1;
                }
                resources.next_outcome().filter(|&(group, outcome)| {
                    assert_eq!((group, outcome), (GroupId(0), GroupOutcome::Broken));
                    removals == 8 || outcome == GroupOutcome::Broken
                })
            });
            bench.until("its return", |_| {
                (!addresses("vm3").is_empty()).then_some(())
            });
            assert!(logged("Somebody removed 10.0.0.1; it is added again").len() < 5);
            assert_eq!(logged("10.0.0.1 is removed again and again").len(), 1);
        },
    );
}

#[test]
fn an_address_is_announced_again_when_its_cable_is_back() {
    in_namespace(
        "addresses::an_address_is_announced_again_when_its_cable_is_back",
        || {
            ip("link add vm3 type veth peer name vm4");
            ip("link set vm3 up");
            ip("link set vm4 up");
            let mut bench = Bench::new(&Directory::new().group("10.0.0.1/24/vm3"));
            assert_eq!(bench.start(0), GroupOutcome::Started);
            let is_ours = |heard: &Announcement| matches!(heard, Announcement::Arp { sender, .. } if *sender == Ipv4Addr::new(10, 0, 0, 1));
            let ear = Ear::new("vm4");
            bench.watch(ear.socket.as_raw_fd());
            hear(&mut bench, &ear, 8, is_ours); // those of the beginning
            ip("link set vm4 down");
            let without = now() + Duration::from_millis(500);
            bench.until("a look at it", |_| (now() >= without).then_some(()));
            ip("link set vm4 up");
            bench.until("word of it", |_| {
                (!logged("vm3 has a carrier again").is_empty()).then_some(())
            });
            let ear = Ear::new("vm4");
            bench.watch(ear.socket.as_raw_fd());
            hear(&mut bench, &ear, 6, is_ours);
        },
    );
}

#[test]
fn an_address_taken_without_a_carrier_is_announced_when_there_is_one() {
    in_namespace(
        "addresses::an_address_taken_without_a_carrier_is_announced_when_there_is_one",
        || {
            ip("link add vm3 type veth peer name vm4");
            ip("link set vm3 up");
            let resources = "10.0.0.2/24/vm3 10.0.0.1/24/vm3"; // what comes first is looked at at once
            let mut bench = Bench::new(&Directory::new().group(resources));
            assert_eq!(bench.start(0), GroupOutcome::Started);
            ip("link set vm4 up");
            bench.until("word of it", |_| {
                let told = logged("vm3 has a carrier again");
                let of_second = told.iter().any(|line| line.contains("10.0.0.1"));
                of_second.then_some(())
            });
        },
    );
}

#[test]
fn after_a_pause_nothing_is_done_before_the_core_was_asked() {
    let directory = Directory::new().group("192.0.2.1/32/none0");
    let mut resources = Bench::new(&directory).resources;
    let mut turn = |after: u64| {
        resources.probe(GroupId(0));
        resources.turn(now() + Duration::from_secs(after));
        let deadline = resources.next_deadline();
        (resources.next_outcome().is_some(), deadline.is_some())
    };
    assert_eq!(turn(0), (true, true));
    assert_eq!(turn(60), (false, true), "put off, and due at once");
    assert_eq!(turn(60), (true, true));
    assert_eq!(turn(120), (false, true));
    assert_eq!(turn(180), (true, true), "never twice in a row");
}

#[test]
fn what_is_asked_for_is_begun_in_the_same_turn_but_not_after_a_pause() {
    let directory = Directory::new().group("192.0.2.1/32/none0");
    let mut resources = Bench::new(&directory).resources;
    let began = now();
    resources.turn(began);
    resources.probe(GroupId(0));
    resources.begin_at_once(began);
    assert!(resources.next_outcome().is_some());

    let after = began + Duration::from_secs(60);
    resources.probe(GroupId(0));
    resources.begin_at_once(after);
    assert!(resources.next_outcome().is_none(), "the core was not asked");
    resources.turn(after);
    assert!(
        resources.next_outcome().is_none(),
        "the pause is not forgotten"
    );
    resources.begin_at_once(after);
    assert!(
        resources.next_outcome().is_none(),
        "nor in the turn that found it"
    );
    resources.turn(after);
    assert!(resources.next_outcome().is_some());
}

#[test]
fn a_thousand_addresses_move_at_once() {
    in_namespace("addresses::a_thousand_addresses_move_at_once", || {
        ip("link add vm3 type veth peer name vm4");
        ip("addr add 10.0.255.1/16 dev vm3");
        ip("link set vm3 up");
        ip("link set vm4 up");
        let mut directory = Directory::new();
        for number in 0..1000 {
            directory = directory.group(&format!(
                "10.0.{}.{}/16/vm3",
                number / 250,
                number % 250 + 1
            ));
        }
        let mut bench = Bench::new(&directory);
        let everything =
            |bench: &mut Bench, ask: fn(&mut Resources, GroupId), expected: GroupOutcome| {
                let begin = now();
                (0..1000).for_each(|group| ask(&mut bench.resources, GroupId(group)));
                for _ in 0..1000 {
                    let (_, outcome) = bench.until("an outcome", Resources::next_outcome);
                    assert_eq!(outcome, expected);
                }
                now().since(begin)
            };
        let started = everything(&mut bench, Resources::start, GroupOutcome::Started);
        assert_eq!(addresses("vm3").len(), 1001);
        let probed = everything(&mut bench, Resources::probe, GroupOutcome::FoundRunning);
        let stopped = everything(&mut bench, Resources::stop, GroupOutcome::Stopped);
        assert_eq!(addresses("vm3").len(), 1);
        println!(
            "a thousand addresses: started in {started:?}, probed in {probed:?}, stopped in {stopped:?}"
        );
    });
}
