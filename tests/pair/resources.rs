//! Resources that misbehave, and announcements of those that do not.

use std::time::{Duration, Instant};

use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, recv, socket};
use nix::sys::socket::{MsgFlags, setsockopt, sockopt::ReceiveTimeout};
use nix::sys::time::{TimeVal, TimeValLike};
use serde_json::Value;
use std::os::fd::AsRawFd;

use crate::lab::journal::Mark;
use crate::lab::machine::{Machine, here};
use crate::lab::stranger::Stranger;
use crate::lab::{Networks, PATIENCE, Pair, Setup, claim, eventually, files, throughout};

#[test]
fn a_group_that_does_not_start_here_is_offered_to_the_peer() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        files::write(&pair.a.file("fail-start-data"), "", 0o644);
        pair.a.start();
        pair.b.start();
        pair.watch.expect_owner(1, pair.address());
        eventually("all of the group runs there", || {
            pair.b.file("runs-data").exists()
        });
        pair.assert_stays(1, pair.long_enough());
        assert!(files::journal().contains("alpha data start fails"));
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_group_with_an_ocf_agent_moves_like_any_other() {
    const AGENT: &str = "/usr/lib/ocf/resource.d/heartbeat/Dummy";
    claim(|| {
        if !std::path::Path::new(AGENT).exists() {
            let must = std::env::var_os("HB_TEST_REQUIRE_ALL").is_some();
            assert!(!must, "there is no {AGENT}");
            println!("SKIPPED: the package resource-agents is not installed");
            return;
        }
        let setup = Setup::default();
        let group = setup.groups.first().expect("a group").clone();
        let agent = format!("ocf:heartbeat:Dummy::state={}/dummy", here().display());
        let mut pair = Pair::alone(Setup {
            groups: vec![format!("{group} {agent}")],
            ..setup
        });
        pair.serve_on_a();
        eventually("the agent runs", || pair.a.file("dummy").exists());
        assert!(!pair.b.file("dummy").exists());
        pair.a.request_stop();
        pair.watch.expect_owner(1, pair.address());
        eventually("the agent runs there", || pair.b.file("dummy").exists());
        assert!(!pair.a.file("dummy").exists());
        pair.b
            .log()
            .expect(Mark::START, &format!("Running {AGENT} state="));
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_group_that_starts_nowhere_is_not_thrown_back_and_forth() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        for machine in [&pair.a, &pair.b] {
            files::write(&machine.file("fail-start-data"), "", 0o644);
        }
        pair.a.start();
        pair.b.start();
        eventually("both have tried", || {
            let journal = files::journal();
            journal.contains("alpha data start fails") && journal.contains("beta data start fails")
        });
        throughout(Duration::from_secs(6), "attempts are few", || {
            files::journal()
                .lines()
                .filter(|line| line.ends_with("start fails"))
                .count()
                <= 6
        });
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_group_that_starts_nowhere_shows_its_next_try_and_is_tried_at_once_by_a_takeover() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        for machine in [&pair.a, &pair.b] {
            files::write(&machine.file("fail-start-data"), "", 0o644);
        }
        pair.a.start();
        pair.b.start();
        let retry = |machine: &Machine| {
            let (text, _) = machine.command("cl_status", &["rscstatus", "--json"]);
            let status: Value = serde_json::from_str(&text).unwrap_or_default();
            status["groups"][0]["retry"].clone()
        };
        eventually("both have failed", || {
            retry(&pair.a) != Value::Null && retry(&pair.b) != Value::Null
        });
        assert_eq!(retry(&pair.a)["failures"], 1);
        assert_eq!(retry(&pair.a)["frozen"], false);
        assert!(retry(&pair.a)["next"].is_u64(), "{}", retry(&pair.a));
        assert_eq!(
            retry(&pair.b)["next"],
            Value::Null,
            "that is for the preferred node"
        );
        let (said, exit) = pair.b.command("hb_takeover", &[]);
        assert_ne!(exit, Some(0), "{said}");
        assert!(!pair.b.holds(pair.address()));
        for machine in [&pair.a, &pair.b] {
            std::fs::remove_file(machine.file("fail-start-data")).expect("it was there");
        }
        let (said, exit) = pair.a.command("hb_takeover", &[]);
        assert_eq!(exit, Some(0), "{said}");
        assert!(pair.a.holds(pair.address()));
        assert_eq!(retry(&pair.a), Value::Null);
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_group_that_does_not_stop_is_never_started_on_the_peer() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            more: "env STOPRETRYMAX=1\n",
            ..Setup::default()
        });
        pair.serve_on_a();
        eventually("the disk runs", || pair.a.file("runs-data").exists());
        files::write(&pair.a.file("fail-stop-data"), "", 0o644);
        pair.a.request_stop();
        pair.a.log().expect(Mark::START, "could not be stopped");
        throughout(
            pair.long_enough(),
            "the peer does not start it on hope",
            || !files::journal().contains("beta data started") && !pair.b.holds(pair.address()),
        );
        assert!(
            pair.a.ended_within(Duration::ZERO).is_none(),
            "who holds something stays to say so"
        );
        assert_eq!(pair.b.cl_status(&["nodestatus", "alpha"]), "active");
        assert_eq!(files::violations(), "");
    });
}

#[test]
fn who_holds_a_file_system_that_does_not_unmount_is_named() {
    claim(|| {
        // The program that is forgotten in it runs where the file system is: each machine has mounts of its own.
        const VOLUME: &str = r"#!/bin/sh
case $2 in
    start) mkdir -p $1; mount -t tmpfs volume $1; cd $1; sleep 1000 </dev/null >/dev/null 2>&1 & ;;
    stop) ! mountpoint -q $1 || umount $1;;
    status) mountpoint -q $1 && echo running || echo stopped;;
esac
";
        let place = files::shared().join("volume");
        let mut pair = Pair::alone(Setup {
            groups: vec![format!("alpha volume::{}", place.display())],
            more: "env STOPRETRYMAX=1\n",
            ..Setup::default()
        });
        files::write(&pair.a.file("ha.d/resource.d/volume"), VOLUME, 0o755);
        pair.a.start();
        pair.b.start();
        let log = pair.a.log();
        log.expect(Mark::START, "running here.");
        pair.a.request_stop();
        let told = log.expect(Mark::START, "is held by");
        let (start, what) = told.split_once(" (process ").expect("its number");
        assert!(
            start.ends_with(&format!("{} is held by sleep", place.display())),
            "{told}"
        );
        assert!(
            what.ends_with(&format!("): working directory {}", place.display())),
            "{told}"
        );
    });
}

#[test]
fn a_group_that_does_not_stop_does_not_fail_back() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            more: "env STOPRETRYMAX=1\n",
            ..Setup::default()
        });
        pair.serve_on_a();
        pair.power_off(0);
        pair.watch.expect_owner(1, pair.address());
        eventually("the disk runs there", || pair.b.file("runs-data").exists());
        files::write(&pair.b.file("fail-stop-data"), "", 0o644);
        pair.power_on(0);
        pair.b.log().expect(Mark::START, "could not be stopped");
        throughout(
            pair.long_enough(),
            "the returned node does not start it on hope",
            || !pair.a.file("runs-data").exists() && !pair.a.holds(pair.address()),
        );
        pair.assert_never_two_owners();
    });
}

#[test]
fn the_peer_serves_when_the_owner_dies_in_the_middle_of_a_start() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        files::write(&pair.a.file("slow-start-data"), "30", 0o644);
        pair.a.start();
        pair.b.start();
        eventually("the owner is starting", || pair.a.holds(pair.address()));
        pair.power_off(0);
        pair.watch.expect_owner(1, pair.address());
        eventually("the disk runs there", || pair.b.file("runs-data").exists());
        pair.assert_never_two_owners();
    });
}

#[test]
fn an_address_that_came_is_announced_five_times() {
    claim(|| {
        let networks = Networks::new();
        let mut pair = Pair::new(&networks, Setup::default());
        let listener = Stranger::new(&networks.service, [10, 77, 1, 60].into(), 9999);
        let ear = listener.namespace.within(|| {
            let ear = socket(
                AddressFamily::Packet,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                SockProtocol::EthAll,
            );
            let ear = ear.expect("the sandbox may listen");
            setsockopt(&ear, ReceiveTimeout, &TimeVal::milliseconds(100)).expect("a plain socket");
            ear
        });
        pair.a.start();
        pair.b.start();
        let end = Instant::now() + PATIENCE;
        let [mut requests, mut replies] = [0, 0];
        let mut frame = [0; 2048];
        while Instant::now() < end && (requests < 5 || replies < 5) {
            let Ok(length) = recv(ear.as_raw_fd(), &mut frame, MsgFlags::empty()) else {
                continue;
            };
            match announced(&frame[..length], pair.address().octets()) {
                Some(1) => requests += 1,
                Some(2) => replies += 1,
                _ => {}
            }
        }
        assert!(
            requests >= 5 && replies >= 5,
            "{requests} ARP requests and {replies} replies announced it"
        );
    });
}

/// The operation of an ARP packet that announces this address: sender and target are the same.
fn announced(frame: &[u8], address: [u8; 4]) -> Option<u16> {
    let arp = frame
        .strip_prefix(&[0xff; 6])?
        .get(6..)?
        .strip_prefix(&[8, 6, 0, 1, 8, 0, 6, 4])?;
    let operation = u16::from_be_bytes([*arp.first()?, *arp.get(1)?]);
    let sender = arp.get(8..12)?;
    let target = arp.get(18..22)?;
    (sender == address && target == address).then_some(operation)
}
