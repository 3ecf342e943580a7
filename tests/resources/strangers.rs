//! Other machines that have an address of ours, or say so.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;
use std::process::Command;
use std::time::Duration;

use crate::addresses::{Ear, addresses};
use crate::bench::{Bench, Directory, logged, now};
use crate::namespace::{in_namespace, ip};
use heartbeat::cluster::{GroupId, GroupOutcome};
use heartbeat::os::packet::PacketSocket;

type Ethernet = [u8; 6];

const STRANGER: Ethernet = [2, 0, 0, 0, 0, 0x66];
const PEER: Ethernet = [2, 0, 0, 0, 0, 0x77];
const CHECK: Duration = Duration::from_millis(600);

/// A machine at the other end of `vm3` that says whatever it is told to.
struct Neighbour {
    ear: Ear,
    mouth: PacketSocket,
}

impl Neighbour {
    /// Makes the cable; what this machine hears wakes the bench.
    fn new() -> Self {
        ip("link add vm3 type veth peer name vm4");
        ip("link set vm3 up");
        ip("link set vm4 up");
        Self {
            ear: Ear::new("vm4"),
            mouth: PacketSocket::open().expect("a namespace of our own"),
        }
    }

    fn bench(&self, directory: &Directory) -> Bench {
        let mut bench = Bench::new(directory);
        bench.watch(self.ear.socket.as_raw_fd());
        bench
    }

    /// Claims an address, as an answer to nobody.
    fn claim(&self, address: &str, ethernet: Ethernet) {
        let frame = match address.parse().expect("an address") {
            IpAddr::V4(v4) => arp(v4, ethernet),
            IpAddr::V6(v6) => advertisement(v6, ethernet),
        };
        let interface = u32::try_from(self.ear.interface).expect("small");
        self.mouth.send(interface, &frame).expect("sent");
    }

    /// What was heard since this was asked last: the addresses that somebody asks for, and those that are announced.
    fn heard(&self) -> (Vec<IpAddr>, Vec<IpAddr>) {
        let (mut asked, mut announced) = (Vec::new(), Vec::new());
        while let Some(frame) = self.ear.next() {
            match read(&frame) {
                Some((address, true)) => asked.push(address),
                Some((address, false)) => announced.push(address),
                None => {}
            }
        }
        (asked, announced)
    }
}

fn arp(address: Ipv4Addr, ethernet: Ethernet) -> Vec<u8> {
    let mut frame = [&[0xff; 6], &ethernet[..], &[8, 6, 0, 1, 8, 0, 6, 4, 0, 2]].concat();
    frame.extend(ethernet);
    frame.extend(address.octets());
    frame.extend([0xff; 6]);
    frame.extend(address.octets());
    frame
}

fn advertisement(address: Ipv6Addr, ethernet: Ethernet) -> Vec<u8> {
    let all_nodes: Ipv6Addr = "ff02::1".parse().expect("an address");
    let mut frame = [&[0x33, 0x33, 0, 0, 0, 1], &ethernet[..], &[0x86, 0xdd]].concat();
    frame.extend([0x60, 0, 0, 0, 0, 32, 58, 255]);
    frame.extend(address.octets());
    frame.extend(all_nodes.octets());
    frame.extend([136, 0, 0, 0, 0x20, 0, 0, 0]); // without a checksum: nobody but us reads it
    frame.extend(address.octets());
    frame.extend([2, 1]);
    frame.extend(ethernet);
    frame
}

/// The address that a frame asks for without naming a sender, or announces; and which of the two.
fn read(frame: &[u8]) -> Option<(IpAddr, bool)> {
    let v4 = |at: usize| Some(Ipv4Addr::from(*frame.get(at..)?.first_chunk::<4>()?));
    let v6 = |at: usize| Some(Ipv6Addr::from(*frame.get(at..)?.first_chunk::<16>()?));
    match (frame.get(12..14)?, frame.get(54)) {
        ([8, 6], _) if v4(28)?.is_unspecified() => Some((v4(38)?.into(), true)),
        ([8, 6], _) if v4(28) == v4(38) => Some((v4(28)?.into(), false)),
        ([0x86, 0xdd], Some(135)) if v6(22)?.is_unspecified() => Some((v6(62)?.into(), true)),
        ([0x86, 0xdd], Some(136)) => Some((v6(62)?.into(), false)),
        _ => None,
    }
}

#[test]
fn who_claims_an_address_is_answered_at_once_and_told_once() {
    in_namespace(
        "strangers::who_claims_an_address_is_answered_at_once_and_told_once",
        || {
            let neighbour = Neighbour::new();
            let directory = Directory::new()
                .setting("announce_every 0")
                .group("10.0.0.1/24/vm3 IPv6addr::fd00::9/64/vm3");
            let mut bench = neighbour.bench(&directory);
            bench.resources.know_peer(vec![PEER]);
            assert_eq!(bench.start(0), GroupOutcome::Started);
            let mut announced = [0, 0];
            bench.until("those of the beginning", |_| {
                for address in neighbour.heard().1 {
                    announced[usize::from(address.is_ipv4())] += 1;
                }
                (announced[0] >= 5 && announced[1] >= 10).then_some(())
            });
            let own: Vec<Ethernet> = heartbeat::os::netlink::Netlink::open()
                .and_then(|mut netlink| netlink.interfaces())
                .expect("read")
                .into_iter()
                .filter_map(|interface| interface.ethernet)
                .collect();
            for (floating, stranger) in [("10.0.0.1", STRANGER), ("fd00::9", [2, 0, 0, 0, 0, 0x67])]
            {
                let address: IpAddr = floating.parse().expect("an address");
                neighbour.heard();
                for ethernet in own.iter().copied() {
                    neighbour.claim(floating, ethernet); // nobody but ourselves
                }
                neighbour.claim("10.0.0.2", stranger);
                neighbour.claim("fd00::8", stranger);
                for _ in 0..3 {
                    neighbour.claim(floating, stranger);
                }
                let mut answers = 0;
                bench.until("an answer", |_| {
                    let heard = neighbour.heard().1;
                    // Its own claims are heard too.
                    answers += heard.iter().filter(|heard| **heard == address).count();
                    (answers > own.len() + 3).then_some(())
                });
                bench.until("word of it", |resources| {
                    let rivals = resources.rivals_of(now(), GroupId(0));
                    let rivals = rivals.iter().filter(|rival| rival.address == address);
                    let seen: Vec<_> = rivals.map(|rival| (rival.claims, rival.is_peer)).collect();
                    (seen == [(3, Some(false))]).then_some(())
                });
            }
            for (mac, address) in [
                ("02:00:00:00:00:66", "10.0.0.1"),
                ("02:00:00:00:00:67", "fd00::9"),
            ] {
                let told = logged(&format!(
                    "{mac} on vm3 claims {address}, and is neither node"
                ));
                assert_eq!(told.len(), 1, "{told:?}");
            }
            neighbour.claim("10.0.0.1", PEER);
            bench.until("word of the other node", |_| {
                let told = "Both nodes have 10.0.0.1: the other node claims it with 02:00:00:00:00:77 on vm3";
                (!logged(told).is_empty()).then_some(())
            });
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            assert!(bench.resources.rivals_of(now(), GroupId(0)).is_empty());
        },
    );
}

#[test]
fn a_flood_of_claims_is_not_listened_to() {
    in_namespace("strangers::a_flood_of_claims_is_not_listened_to", || {
        let neighbour = Neighbour::new();
        let mut bench = neighbour.bench(&Directory::new().group("10.0.0.1/24/vm3"));
        bench.resources.know_peer(vec![PEER]);
        assert_eq!(bench.start(0), GroupOutcome::Started);
        let (begin, mut said) = (now(), 0_u64);
        let heard = |resources: &heartbeat::daemon::resources::Resources| -> u64 {
            let rivals = resources.rivals_of(now(), GroupId(0));
            rivals.iter().map(|rival| rival.claims).sum()
        };
        bench.until("two seconds of it", |_| {
            for _ in 0..1000 {
                neighbour.claim("10.0.0.1", STRANGER);
            }
            said += 1000;
            neighbour.heard();
            (now().since(begin) >= Duration::from_secs(2)).then_some(())
        });
        let most = (now().since(begin).as_secs() + 2) * 400;
        let heard_of_it = heard(&bench.resources);
        assert!(said > 2 * most, "no flood: {said}");
        assert!((1..most).contains(&heard_of_it), "{heard_of_it} of {said}");
        neighbour.claim("10.0.0.1", PEER);
        let mut claims = 0;
        bench.until("an open ear again", |_| {
            claims += 1;
            neighbour.claim("10.0.0.1", PEER);
            neighbour.heard();
            (!logged("Both nodes have 10.0.0.1").is_empty()).then_some(())
        });
        println!(
            "{heard_of_it} of {said} claims were heard, and the other node after {claims} more"
        );
    });
}

/// A directory with a check, and groups with these resources.
fn checked(groups: &[&str]) -> Directory {
    let setting = format!("check_address {}ms", CHECK.as_millis());
    let directory = Directory::new().setting(&setting);
    groups
        .iter()
        .fold(directory, |directory, group| directory.group(group))
}

#[test]
fn an_address_that_nobody_has_is_asked_for_three_times_and_taken() {
    in_namespace(
        "strangers::an_address_that_nobody_has_is_asked_for_three_times_and_taken",
        || {
            let neighbour = Neighbour::new();
            for (word, floating) in [
                ("10.0.0.1/24/vm3", "10.0.0.1"),
                ("IPv6addr::fd00::9/64/vm3", "fd00::9"),
            ] {
                let address: IpAddr = floating.parse().expect("an address");
                let mut bench = neighbour.bench(&checked(&[word]));
                neighbour.heard();
                let begin = now();
                assert_eq!(bench.start(0), GroupOutcome::Started);
                assert!(now().since(begin) >= CHECK, "{:?}", now().since(begin));
                let asked = neighbour.heard().0;
                assert_eq!(
                    asked.iter().filter(|one| **one == address).count(),
                    3,
                    "{asked:?}"
                );
                assert_eq!(bench.start(0), GroupOutcome::Started, "it is here");
                assert!(
                    !neighbour.heard().0.contains(&address),
                    "nobody else is asked"
                );
                assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            }
        },
    );
}

#[test]
fn an_address_that_a_stranger_has_is_not_taken_and_its_group_fails_to_start() {
    in_namespace(
        "strangers::an_address_that_a_stranger_has_is_not_taken_and_its_group_fails_to_start",
        || {
            let neighbour = Neighbour::new();
            let groups = [
                "disk::one 10.0.0.1/24/vm3",
                "disk::two IPv6addr::fd00::9/64/vm3",
                "10.0.0.2/24/vm3",
            ];
            let script = r#"note "disk $2"; [ "$2" != status ] || echo stopped"#;
            let directory = checked(&groups).script("disk", script);
            let mut bench = neighbour.bench(&directory);
            bench.resources.know_peer(vec![PEER]);
            for (group, floating) in [(0, "10.0.0.1"), (1, "fd00::9")] {
                let address: IpAddr = floating.parse().expect("an address");
                bench.resources.start(GroupId(group));
                let (found, outcome) = bench.until("the end of the start", |resources| {
                    if neighbour.heard().0.contains(&address) {
                        neighbour.claim(floating, STRANGER);
                    }
                    resources.next_outcome()
                });
                assert_eq!(
                    (found, outcome),
                    (GroupId(group), GroupOutcome::StartFailed)
                );
                let told = format!(
                    "{floating} is not taken: 02:00:00:00:00:66 on vm3 has it, which is neither node"
                );
                let lines = logged(&told);
                assert_eq!(lines.len(), 1, "{lines:?}");
                assert!(lines[0].starts_with("CRIT:IP"), "{lines:?}");
            }
            assert!(addresses("vm3").is_empty(), "{:?}", addresses("vm3"));
            // What never began is not stopped, what did is.
            let journal = "disk status, disk start, disk stop, disk status, disk start, disk stop";
            assert_eq!(directory.journal(), journal);
            assert_eq!(
                bench.start(2),
                GroupOutcome::Started,
                "others are not affected"
            );
        },
    );
}

#[test]
fn an_address_that_the_other_node_has_is_taken_all_the_same() {
    in_namespace(
        "strangers::an_address_that_the_other_node_has_is_taken_all_the_same",
        || {
            let neighbour = Neighbour::new();
            let mut bench = neighbour.bench(&checked(&["10.0.0.1/24/vm3", "10.0.0.2/24/vm3"]));
            for (group, floating, whose) in [
                (0, "10.0.0.1", "the other node, or a stranger"),
                (1, "10.0.0.2", "the other node. It is taken"),
            ] {
                let address: IpAddr = floating.parse().expect("an address");
                bench.resources.start(GroupId(group));
                let (_, outcome) = bench.until("the end of the start", |resources| {
                    if neighbour.heard().0.contains(&address) {
                        neighbour.claim(floating, PEER);
                    }
                    resources.next_outcome()
                });
                assert_eq!(outcome, GroupOutcome::Started, "{floating}");
                let told = logged(&format!("02:00:00:00:00:77 on vm3 has {floating}: {whose}"));
                assert_eq!(told.len(), 1, "{told:?}");
                bench.resources.know_peer(vec![PEER]); // it had not told before
            }
        },
    );
}

#[test]
fn a_stop_overtakes_a_check_and_nothing_is_taken() {
    in_namespace(
        "strangers::a_stop_overtakes_a_check_and_nothing_is_taken",
        || {
            let neighbour = Neighbour::new();
            let mut bench = neighbour.bench(&checked(&["10.0.0.1/24/vm3"]));
            bench.resources.start(GroupId(0));
            bench.until("a question", |_| {
                (!neighbour.heard().0.is_empty()).then_some(())
            });
            let begin = now();
            assert_eq!(bench.stop(0), GroupOutcome::Stopped);
            println!("stopped within {:?}", now().since(begin));
            bench.until("more than the time of the check", |_| {
                (now().since(begin) >= CHECK).then_some(())
            });
            assert!(addresses("vm3").is_empty());
            assert_eq!(bench.start(0), GroupOutcome::Started, "and then as ever");
        },
    );
}

#[test]
fn a_thousand_addresses_are_checked_at_once() {
    in_namespace(
        "strangers::a_thousand_addresses_are_checked_at_once",
        || {
            let neighbour = Neighbour::new();
            let words: Vec<String> = (0..1000)
                .map(|number| format!("10.0.{}.{}/16/vm3", number / 250, number % 250 + 1))
                .collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            let mut bench = neighbour.bench(&checked(&words));
            bench.resources.know_peer(vec![PEER]);
            let begin = now();
            (0..1000).for_each(|group| bench.resources.start(GroupId(group)));
            let taken: IpAddr = "10.0.3.7".parse().expect("an address");
            let mut outcomes = Vec::new();
            bench.until("a thousand outcomes", |resources| {
                if neighbour.heard().0.contains(&taken) {
                    neighbour.claim("10.0.3.7", STRANGER);
                }
                outcomes.extend(std::iter::from_fn(|| resources.next_outcome()));
                (outcomes.len() == 1000).then_some(())
            });
            println!(
                "a thousand addresses checked and taken in {:?}",
                now().since(begin)
            );
            let failed: Vec<_> = outcomes
                .iter()
                .filter(|(_, outcome)| *outcome == GroupOutcome::StartFailed)
                .collect();
            assert_eq!(failed, [&(GroupId(756), GroupOutcome::StartFailed)]);
            assert_eq!(addresses("vm3").len(), 999);
        },
    );
}

#[test]
fn what_the_kernel_found_to_be_a_duplicate_is_told_and_added_again() {
    in_namespace(
        "strangers::what_the_kernel_found_to_be_a_duplicate_is_told_and_added_again",
        || {
            let neighbour = Neighbour::new();
            ip("addr add fd00::9/64 dev vm4 nodad");
            let mut bench = neighbour.bench(&Directory::new().group("IPv6addr::fd00::9/64/vm3"));
            ip("addr add fd00::9/64 dev vm3"); // somebody who does not know better
            bench.until("the kernel's verdict", |_| {
                addresses("vm3")[0].contains("dadfailed").then_some(())
            });
            assert_eq!(bench.start(0), GroupOutcome::Started);
            bench.until("an address that can be used", |_| {
                (addresses("vm3") == ["fd00::9/64 scope global nodad"]).then_some(())
            });
            assert!(!logged("The kernel lets nobody use fd00::9").is_empty());
        },
    );
}

#[test]
fn without_the_privilege_to_listen_an_address_is_taken_and_that_is_told() {
    const NAME: &str =
        "strangers::without_the_privilege_to_listen_an_address_is_taken_and_that_is_told";
    const MARK: &str = "HB_TEST_WITHOUT_RAW";
    in_namespace(NAME, || {
        if std::env::var_os(MARK).is_none() {
            ip("link add vm3 type veth peer name vm4");
            ip("link set vm3 up");
            ip("link set vm4 up");
            let again = Command::new("setpriv")
                .arg("--bounding-set=-net_raw")
                .arg(std::env::current_exe().expect("a path"))
                .args(["--exact", NAME, "--nocapture"])
                .env(MARK, "1")
                .output()
                .expect("setpriv is of util-linux, as unshare is");
            let [stdout, stderr] =
                [&again.stdout, &again.stderr].map(|text| String::from_utf8_lossy(text));
            assert!(again.status.success(), "{stdout}{stderr}");
            return;
        }
        let mut bench = Bench::new(&checked(&["10.0.0.1/24/vm3", "10.0.0.2/24/vm3"]));
        assert_eq!(bench.start(0), GroupOutcome::Started);
        assert_eq!(bench.start(1), GroupOutcome::Started);
        let told = logged("Cannot hear whether other machines have floating addresses");
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(addresses("vm3").len(), 2);
    });
}
