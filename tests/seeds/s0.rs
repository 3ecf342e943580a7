//! nginx on vm3 and vm4 behind 172.16.1.200, with `ucast`, `ipfail`, and the address itself as the ping node.

use std::net::Ipv4Addr;

use crate::lab::journal::Mark;
use crate::lab::{Setup, claim_with, eventually, throughout};
use crate::stage::{Files, Stage, check, with_words};
use crate::webserver::{self, DEMANDS, expect_page, requests};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(172, 16, 1, 200);

const HA_CF: &str = "\
debugfile /var/log/ha-debug
logfile /var/log/ha-log
logfacility    local0
keepalive 200ms
deadtime 3
warntime 1
initdead 6
udpport 694
ucast eth0 PEER
auto_failback off
node    vm3
node    vm4
ping 172.16.1.200
respawn hacluster /usr/lib64/heartbeat/ipfail
";

const AUTHKEYS: &str = "auth 2\n#1 crc\n2 sha1 HI!\n#3 md5 Hello!\n";

const HARESOURCES: &str = "vm3 IPaddr::172.16.1.200/24/eth0:0 nginx\n";

fn stage() -> Stage {
    let setup = Setup {
        names: ["vm3", "vm4"],
        hosts: [203, 204],
        service: [172, 16, 1],
        deadtime: 3000,
        ..Setup::default()
    };
    let stage = Stage::new(
        &setup,
        &Files {
            ha_cf: with_words(HA_CF, "PEER", ["172.16.1.204", "172.16.1.203"]),
            authkeys: AUTHKEYS,
            haresources: HARESOURCES,
        },
    );
    for machine in [&stage.pair.a, &stage.pair.b] {
        webserver::install(machine, &format!("this is {}", machine.name));
    }
    stage
}

#[test]
fn nginx_answers_from_vm3_then_from_vm4_and_stays_there() {
    claim_with(&DEMANDS, || {
        let mut stage = stage();
        for machine in [&stage.pair.a, &stage.pair.b] {
            let (said, status) = check(machine);
            assert_eq!(status, Some(0), "{said}");
        }
        assert!(!stage.is_pinged(ADDRESS));
        stage.pair.serve_on_a();
        eventually("the address answers a ping", || stage.is_pinged(ADDRESS));
        expect_page(&stage.client.namespace, ADDRESS, "this is vm3");
        let asked = requests(&stage.pair.a);
        assert!(asked > 0);
        assert_eq!(requests(&stage.pair.b), 0);

        stage.pair.a.stop();
        expect_page(&stage.client.namespace, ADDRESS, "this is vm4");
        assert_eq!(requests(&stage.pair.a), asked);
        assert!(requests(&stage.pair.b) > 0);
        assert!(!webserver::runs(&stage.pair.a));

        stage.pair.a.start();
        stage.pair.expect_settled();
        stage.pair.assert_stays(1, stage.pair.long_enough() / 2);
        assert!(!webserver::runs(&stage.pair.a) && webserver::runs(&stage.pair.b));
        stage.pair.assert_never_two_owners();
    });
}

#[test]
fn vm3_logs_the_lines_that_the_guide_shows() {
    claim_with(&DEMANDS, || {
        let mut stage = stage();
        stage.pair.serve_on_a();
        expect_page(&stage.client.namespace, ADDRESS, "this is vm3");
        let log = stage.pair.a.log();
        let lines = [
            "info: Link vm4:eth0 up.",
            "info: Status update for node vm4: status up",
            "info: Local status now set to: 'active'",
            "info: remote resource transition completed.",
            "info: Initial resource acquisition complete (T_RESOURCES(us))",
            "info: Acquiring resource group: vm3 IPaddr::172.16.1.200/24/eth0:0 nginx",
            "/ha.d/resource.d/IPaddr 172.16.1.200/24/eth0:0 start",
            "Adding inet address 172.16.1.200/24 with broadcast address 172.16.1.255 to device eth0",
            "/ha.d/resource.d/nginx  start",
        ];
        log.assert_order(Mark::START, &lines[2..]);
        log.assert_order(Mark::START, &lines[..2]);
        let pinged = [
            "Adding inet address 172.16.1.200/24",
            "info: Link 172.16.1.200:172.16.1.200 up.",
            "info: Status update: Node 172.16.1.200 now has status ping",
            "info: A ping node just came up.",
            "info: Ping node count is balanced.",
        ];
        log.assert_order(Mark::START, &pinged);
        // Which of the two is active first is up to them.
        log.expect(
            Mark::START,
            "info: Status update for node vm4: status active",
        );
        log.expect(
            Mark::START,
            "info: Comm_now_up(): updating status to active",
        );
        log.expect(Mark::START, "info: Asking other side for ping node count.");
        log.expect(Mark::START, "info: No giveup timer to abort.");
        // What it can't be: the address of the pair tells nothing of the network, and nobody gives up because of it.
        let warned = log.lines_with(Mark::START, "not counted");
        assert_eq!(warned.len(), 1, "{warned:?}");
        stage.pair.assert_stays(0, stage.pair.long_enough() / 2);
        assert!(!log.has(Mark::START, "Giving up because"));
    });
}

#[test]
fn a_reader_who_names_each_node_in_its_own_file_is_told_on_both_and_gets_one_owner() {
    claim_with(&DEMANDS, || {
        let mut stage = stage();
        let other = HARESOURCES.replace("vm3", "vm4");
        std::fs::write(stage.pair.b.file("ha.d/haresources"), other).expect("our own file system");
        stage.pair.a.start();
        stage.pair.b.start();
        for machine in [&stage.pair.a, &stage.pair.b] {
            let log = machine.log();
            log.expect(Mark::START, "haresources differs between the nodes:");
        }
        eventually("one node serves", || {
            stage.pair.watch.owners(ADDRESS).len() == 1
        });
        throughout(stage.pair.long_enough() / 2, "and no other does", || {
            stage.pair.watch.owners(ADDRESS).len() == 1
        });
        stage.pair.assert_never_two_owners();
    });
}
