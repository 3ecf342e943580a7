//! A script of one's own on HA-01 and HA-02, with a watchdog, a gateway to ping, and a serial line that is a comment at
//! first.

use std::fs::File;
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt;

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;

use crate::lab::journal::{Journal, Mark};
use crate::lab::machine::Machine;
use crate::lab::network::Failure;
use crate::lab::{Setup, claim_with, eventually, files, throughout};
use crate::stage::{Files, Stage, check};
use crate::syslog;
use crate::webserver::DEMANDS;

const GATEWAY: Ipv4Addr = Ipv4Addr::new(192, 168, 0, 254);

/// The comments are our own.
const HA_CF: &str = "\
debugfile /var/log/ha-debug # what developers want to see
logfile /var/log/ha-log # what happens
logfacility local0
keepalive 200ms # a heartbeat
watchdog /dev/watchdog
deadtime 3 # silence that means death
warntime 1
initdead 12 # while networks come up
udpport 694
#baud 19200
#serial /dev/ttyS0 # a null-modem cable
bcast eth0 # and the network
auto_failback on
watchdog /dev/watchdog # once more
node HA-01
node HA-02 # as uname -n prints it
ping 192.168.0.254
respawn hacluster /usr/local/heartbeat/lib64/heartbeat/ipfail
apiauth ipfail gid=haclient uid=hacluster
";

const AUTHKEYS: &str = "auth 1\n1 md5 password\n";

/// Tells what it was called with, and is always content.
const SCRIPT: &str = r#"#!/bin/sh
logger "$0 called with $1"
case "$1" in
start) echo "start!!!" ;;
stop) echo "stop!!!" ;;
status) echo "status!!!" ;;
esac
"#;

struct Site {
    stage: Stage,
    /// Of each node.
    messages: [Journal; 2],
    _gateway: Machine,
    /// The ends of the watchdogs that a machine does not see.
    _watchdogs: [File; 2],
}

fn site(ha_cf: &str, haresources: &'static str) -> Site {
    let setup = Setup {
        names: ["ha-01", "ha-02"],
        hosts: [1, 2],
        service: [192, 168, 0],
        baud: 19_200,
        deadtime: 3000,
        ..Setup::default()
    };
    let texts = Files {
        ha_cf: [ha_cf.to_owned(), ha_cf.to_owned()],
        authkeys: AUTHKEYS,
        haresources,
    };
    let stage = Stage::new(&setup, &texts);
    for (machine, name) in [(&stage.pair.a, "HA-01"), (&stage.pair.b, "HA-02")] {
        files::write(&machine.file("ha.d/nodeinfo"), &format!("{name}\n"), 0o644);
        files::write(&machine.file("ha.d/resource.d/test1"), SCRIPT, 0o755);
    }
    let gateway = stage.host("gateway", GATEWAY, false);
    let messages = [&stage.pair.a, &stage.pair.b].map(syslog::keep);
    let watchdogs = [&stage.pair.a, &stage.pair.b].map(watchdog);
    Site {
        stage,
        messages,
        _gateway: gateway,
        _watchdogs: watchdogs,
    }
}

/// Puts a pipe in the place of a machine's watchdog.
fn watchdog(machine: &Machine) -> File {
    let path = machine.file("dev/watchdog");
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).expect("there is none yet");
    let flags = OFlag::O_NONBLOCK.bits();
    File::options()
        .read(true)
        .custom_flags(flags)
        .open(path)
        .expect("opens")
}

/// How often a machine's script was called so.
fn calls(messages: &Journal, action: &str) -> usize {
    let call = format!("test1 called with {action}");
    messages.lines_with(Mark::START, &call).len()
}

#[test]
fn a_script_that_is_always_content_is_started_on_the_owner_and_stopped_when_it_leaves() {
    claim_with(&DEMANDS, || {
        let mut site = site(HA_CF, "HA-01 test1\n");
        let (said, status) = check(&site.stage.pair.a);
        assert_eq!(status, Some(0), "{said}");
        assert!(!said.contains("watchdog"), "a line given twice: {said}");

        site.stage.pair.a.start();
        site.stage.pair.b.start();
        eventually("it is started", || calls(&site.messages[0], "start") == 1);
        site.stage.pair.expect_settled();
        assert_eq!(calls(&site.messages[1], "start"), 0);
        let log = site.stage.pair.a.log();
        log.expect(Mark::START, "/ha.d/resource.d/test1  start");
        assert_eq!(site.stage.pair.a.cl_status(&["rscstatus"]), "local");
        let (keys, status) = site
            .stage
            .pair
            .a
            .command("ResourceManager", &["listkeys", "HA-01"]);
        assert_eq!((keys.as_str(), status), ("test1\n", Some(0)));

        site.stage.pair.a.stop();
        eventually("the other starts it", || {
            calls(&site.messages[1], "start") == 1
        });
        assert_eq!(calls(&site.messages[0], "stop"), 1);
        let other = site.stage.pair.b.log();
        other.expect(Mark::START, "Received shutdown notice from 'ha-01'");

        site.stage.pair.a.start();
        eventually("it returns", || calls(&site.messages[0], "start") == 2);
        other.expect(Mark::START, "Heartbeat restart on node ha-01");
        eventually("it is stopped there", || {
            calls(&site.messages[1], "stop") == 1
        });
        site.stage.pair.expect_settled();
        assert_eq!(
            [
                calls(&site.messages[0], "start"),
                calls(&site.messages[1], "start")
            ],
            [2, 1],
            "and it is started no more"
        );
    });
}

#[test]
fn with_the_serial_line_a_cable_of_the_standby_moves_nothing_and_one_of_the_owner_hands_over() {
    claim_with(&DEMANDS, || {
        let ha_cf = HA_CF
            .replace("#baud", "baud")
            .replace("#serial", "serial")
            .replace("keepalive 200ms", "keepalive 500ms")
            + "carrier_loss off\n"; // or it would be first to move
        let mut site = site(&ha_cf, "HA-01 IPaddr::192.168.0.100/24/eth0 test1\n");
        let pair = &mut site.stage.pair;
        pair.serve_on_a();
        for machine in [&pair.a, &pair.b] {
            eventually("the gateway answers", || {
                machine.cl_status(&["nodestatus", "192.168.0.254"]) == "ping"
            });
            let peer = if machine.name == "ha-01" {
                "ha-02"
            } else {
                "ha-01"
            };
            eventually("the serial line is up", || {
                machine.cl_status(&["hblinkstatus", peer, "/dev/ttyS0"]) == "up"
            });
        }
        let mark = pair.b.log().mark();
        pair.b.cable("eth0").cut(Failure::Unplugged);
        pair.b.log().expect(mark, "Link ha-01:eth0 dead");
        throughout(pair.long_enough() / 2, "nothing moves", || {
            pair.watch.owners(pair.address()) == [0]
        });
        pair.b.cable("eth0").restore();
        eventually("the gateway answers the standby again", || {
            pair.b.cl_status(&["nodestatus", "192.168.0.254"]) == "ping"
        });

        let mark = pair.a.log().mark();
        pair.a.cable("eth0").cut(Failure::Unplugged);
        pair.watch.expect_owner(1, pair.address());
        let log = pair.a.log();
        log.expect(mark, "Giving up because we have less visible ping nodes.");
        assert!(!log.has(mark, "node ha-02: is dead"));
        pair.assert_never_two_owners();
        eventually("the script was started there", || {
            calls(&site.messages[1], "start") == 1
        });
    });
}
