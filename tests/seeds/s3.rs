//! An address that a provider assigns to one machine or the other: `primary` and `secondary` have no address in
//! common, only a script that tells the provider.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::namespace::run_script;
use crate::lab::{Setup, claim_with, eventually, files, throughout, wait_for};
use crate::stage::{Files, Stage};
use crate::webserver::{self, DEMANDS, page};

const HA_CF: &str = "\
node primary
ucast eth0 104.236.6.11
node secondary
ucast eth0 104.236.6.22
";

/// Nobody wants to wait for the 30 seconds that are the default, and the log shall be in a file.
const MORE: &str = "keepalive 200ms\ndeadtime 1500ms\nlogfile /var/log/ha-log\n";

const AUTHKEYS: &str = "auth 1\n1 sha1 7fd0a4c7a6c94f2b8c1d0e5f6a3b9c8d7e6f5a40\n";

const HARESOURCES: &str = "primary floatip\n";

/// Asks the provider at a start and is content with everything; without the header of a standard script.
const SCRIPT: &str = r#"#!/bin/bash
echo "$1" >>OWN/calls
if [ "$1" = start ]; then
    OWN/assign-ip 45.55.96.8
    exit 0
elif [ "$1" = stop ]; then
    exit 0
elif [ "$1" = status ]; then
    exit 0
fi
echo "not understood: $1"
exit 1
"#;

/// The provider's interface. While it is out of order it fails.
const ASSIGN: &str = r#"#!/bin/sh
echo "$1 NAME" >>SHARED/asked
[ -e SHARED/out-of-order ] && exit 1
echo NAME >SHARED/assigned
"#;

fn provider(file: &str) -> PathBuf {
    files::shared().join(file)
}

/// Which machine the provider sends the address to.
fn assigned() -> String {
    let name = fs::read_to_string(provider("assigned")).unwrap_or_default();
    name.trim().to_owned()
}

/// How often a script was called so.
fn calls(machine: &Machine, action: &str) -> usize {
    let calls = fs::read_to_string(machine.file("calls")).unwrap_or_default();
    calls.lines().filter(|line| *line == action).count()
}

fn stage(more: &str) -> Stage {
    let setup = Setup {
        names: ["primary", "secondary"],
        hosts: [11, 22],
        service: [104, 236, 6],
        ..Setup::default()
    };
    let ha_cf = format!("{HA_CF}{MORE}{more}");
    let texts = Files {
        ha_cf: [ha_cf.clone(), ha_cf],
        authkeys: AUTHKEYS,
        haresources: HARESOURCES,
    };
    let stage = Stage::new(&setup, &texts);
    for (machine, address) in [
        (&stage.pair.a, "104.236.6.11"),
        (&stage.pair.b, "104.236.6.22"),
    ] {
        let page = format!("Droplet: {}, IP Address: {address}", machine.name);
        webserver::install(machine, &page);
        webserver::start(machine);
        let own = machine.file("").display().to_string();
        let own = own.trim_end_matches('/');
        let fill = |text: &str| {
            text.replace("OWN", own)
                .replace("NAME", machine.name)
                .replace("SHARED", &files::shared().display().to_string())
        };
        fs::create_dir(machine.file("init.d")).expect("our own file system");
        files::write(&machine.file("init.d/floatip"), &fill(SCRIPT), 0o755);
        files::write(&machine.file("assign-ip"), &fill(ASSIGN), 0o755);
        let mount = format!("mount --bind {own}/init.d /etc/init.d");
        machine.namespace.within(|| run_script(&mount));
    }
    stage
}

/// What somebody sees who follows the address to where the provider sends it.
fn seen(stage: &Stage) -> Option<String> {
    let owner = assigned();
    let node = stage
        .pair
        .setup
        .names
        .iter()
        .position(|name| *name == owner)?;
    page(
        &stage.client.namespace,
        stage.pair.setup.service_address(node),
    )
}

#[track_caller]
fn expect_seen(stage: &Stage, name: &str, address: Ipv4Addr) {
    let wanted = format!("Droplet: {name}, IP Address: {address}");
    eventually(&wanted, || seen(stage).as_deref() == Some(&*wanted));
}

const PRIMARY: Ipv4Addr = Ipv4Addr::new(104, 236, 6, 11);
const SECONDARY: Ipv4Addr = Ipv4Addr::new(104, 236, 6, 22);

#[test]
fn the_provider_is_told_of_every_move_by_a_script_that_says_nothing() {
    claim_with(&DEMANDS, || {
        let mut stage = stage("");
        stage.pair.a.start();
        stage.pair.b.start();
        expect_seen(&stage, "primary", PRIMARY);
        stage.pair.expect_settled();
        // Its status says nothing and ends with 0: it was started all the same, and only there.
        assert!(calls(&stage.pair.a, "status") > 0);
        assert_eq!(
            [calls(&stage.pair.a, "start"), calls(&stage.pair.b, "start")],
            [1, 0]
        );
        assert_eq!(stage.pair.a.cl_status(&["rscstatus"]), "local");
        // One's own address in a ucast line is no link.
        let own = "is this machine's own address: the line is for the other node";
        stage.pair.a.log().expect(Mark::START, own);

        let mut seen_meanwhile = Vec::new();
        stage.pair.power_off(0);
        let moved = wait_for(crate::lab::PATIENCE, || {
            let page = seen(&stage);
            let is_other = page
                .as_deref()
                .is_some_and(|page| page.contains("secondary"));
            seen_meanwhile.push(page);
            is_other.then_some(())
        });
        assert!(moved.is_some());
        assert!(
            seen_meanwhile.iter().any(Option::is_none),
            "between the two nobody answers"
        );

        stage.pair.power_on(0);
        webserver::start(&stage.pair.a);
        expect_seen(&stage, "primary", PRIMARY);
        stage.pair.expect_settled();

        stage.pair.a.stop();
        expect_seen(&stage, "secondary", SECONDARY);
        assert_eq!(calls(&stage.pair.a, "stop"), 1);
        stage.pair.a.start();
        expect_seen(&stage, "primary", PRIMARY);
        assert_eq!(
            [calls(&stage.pair.a, "start"), calls(&stage.pair.b, "start")],
            [3, 2],
            "each move is one start"
        );
    });
}

/// What the tutorial lacks: somebody who looks whether the provider did it.
const MONITOR: &str =
    "monitor floatip every=300ms fall=2 restarts=9 exec=grep -qx NAME SHARED/assigned\n";

/// With that line in both files, each about its own machine.
fn monitored() -> Stage {
    let stage = stage("");
    for machine in [&stage.pair.a, &stage.pair.b] {
        let line = MONITOR
            .replace("NAME", machine.name)
            .replace("SHARED", &files::shared().display().to_string());
        let path = machine.file("ha.d/ha.cf");
        let text = fs::read_to_string(&path).expect("written before");
        files::write(&path, &(text + &line), 0o644);
    }
    stage
}

#[test]
fn a_provider_that_was_out_of_order_is_asked_until_the_address_is_here() {
    claim_with(&DEMANDS, || {
        let mut stage = monitored();
        files::write(&provider("out-of-order"), "", 0o644);
        stage.pair.a.start();
        stage.pair.b.start();
        // The script ends with 0 although nothing was assigned.
        eventually("it is tried once more", || {
            calls(&stage.pair.a, "start") >= 2
        });
        assert_eq!(assigned(), "");
        fs::remove_file(provider("out-of-order")).expect("our own file");
        expect_seen(&stage, "primary", PRIMARY);
        let log = stage.pair.a.log();
        log.expect(Mark::START, "is started again here");
        assert_eq!(calls(&stage.pair.b, "start"), 0, "nothing has moved");
    });
}

#[test]
fn an_address_that_a_short_split_left_with_the_wrong_machine_is_asked_for_again() {
    claim_with(&DEMANDS, || {
        let mut stage = monitored();
        stage.pair.a.start();
        stage.pair.b.start();
        expect_seen(&stage, "primary", PRIMARY);
        stage.pair.expect_settled();
        // As if both had asked for it, and the wrong one last.
        fs::write(provider("assigned"), "secondary\n").expect("our own file");
        eventually("it is asked for again", || assigned() == "primary");
        throughout(stage.pair.long_enough() / 2, "it stays", || {
            assigned() == "primary"
        });
        assert_eq!(calls(&stage.pair.b, "start"), 0, "nothing has moved");
    });
}
