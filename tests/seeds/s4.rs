//! nginx on masternginx and slavenginx with a network of their own for the heartbeats, and a ping node in it.

use std::net::Ipv4Addr;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::namespace::{run, run_input};
use crate::lab::{Setup, claim_with, eventually, throughout};
use crate::stage::{Files, Stage, check, ip_address_show, with_words};
use crate::webserver::{self, DEMANDS, expect_page};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 168, 171, 100);
const WITNESS: Ipv4Addr = Ipv4Addr::new(192, 168, 17, 1);

const HA_CF: &str = "\
debugfile /var/log/ha-debug
logfile /var/log/ha-log
logfacility local0
keepalive 200ms
deadtime DEADTIME
warntime 1
initdead 16
udpport 694
ucast eth1 PEER
auto_failback on
node masternginx
node slavenginx
ping 192.168.17.1
respawn hacluster /usr/lib64/heartbeat/ipfail
";

const AUTHKEYS: &str = "auth 3\n#1 crc\n#2 sha1 HI!\n3 md5 Hello!\n";

const HARESOURCES: &str = "masternginx 192.168.171.100/24/eth0:0 nginx\n";

const PAGES: [&str; 2] = ["1111111111111master Server", "222222222222 slave Server"];

struct Site {
    stage: Stage,
    _witness: Machine,
}

/// `before` comes in front of the links: `baud` and `serial`, or nothing. On a busy computer the wires of the laboratory
/// may rest for a second or two: where none may be taken for a dead node, `deadtime` has to be longer.
fn site(before: &str, deadtime: u32) -> Site {
    let setup = Setup {
        names: ["masternginx", "slavenginx"],
        hosts: [50, 51],
        service: [192, 168, 171],
        private: [192, 168, 17],
        deadtime: deadtime * 1000,
        ..Setup::default()
    };
    let ha_cf = HA_CF
        .replace("ucast", &format!("{before}ucast"))
        .replace("DEADTIME", &deadtime.to_string());
    let texts = Files {
        ha_cf: with_words(&ha_cf, "PEER", ["192.168.17.51", "192.168.17.50"]),
        authkeys: AUTHKEYS,
        haresources: HARESOURCES,
    };
    let stage = Stage::new(&setup, &texts);
    for (machine, page) in [&stage.pair.a, &stage.pair.b].into_iter().zip(PAGES) {
        webserver::install(machine, page);
    }
    let witness = stage.host("witness", WITNESS, true);
    Site {
        stage,
        _witness: witness,
    }
}

impl Site {
    fn expect_witness(&self) {
        for machine in [&self.stage.pair.a, &self.stage.pair.b] {
            eventually("the ping node answers", || {
                machine.cl_status(&["nodestatus", "192.168.17.1"]) == "ping"
            });
        }
    }

    /// Everything is on the machine with this number and nothing on the other.
    #[track_caller]
    fn expect_all_on(&self, node: usize) {
        let pair = &self.stage.pair;
        pair.watch.expect_owner(node, ADDRESS);
        expect_page(&self.stage.client.namespace, ADDRESS, PAGES[node]);
        for (index, machine) in [&pair.a, &pair.b].into_iter().enumerate() {
            eventually("nginx runs where the address is", || {
                webserver::runs(machine) == (index == node)
            });
            let has_label = ip_address_show(machine).contains("secondary eth0:0");
            assert_eq!(has_label, index == node);
        }
    }
}

/// Changes what the firewall of a machine does.
fn firewall(machine: &Machine, rules: &str) {
    machine
        .namespace
        .within(|| run_input("nft", &["-f", "-"], rules));
}

#[test]
fn whoever_starts_first_the_master_serves_and_the_slave_takes_over_when_it_stops() {
    claim_with(&DEMANDS, || {
        let mut site = site("", 3);
        for machine in [&site.stage.pair.a, &site.stage.pair.b] {
            let (said, status) = check(machine);
            assert_eq!(status, Some(0), "{said}");
        }
        // Only heartbeats may come in, and what belongs to what went out.
        for machine in [&site.stage.pair.a, &site.stage.pair.b] {
            firewall(
                machine,
                "add table inet f\n\
                 add chain inet f input { type filter hook input priority 0; policy drop; }\n\
                 add rule inet f input iif lo accept\n\
                 add rule inet f input ct state established,related accept\n\
                 add rule inet f input icmp type echo-request accept\n\
                 add rule inet f input tcp dport 80 accept\n\
                 add rule inet f input ct state new udp dport 694 accept\n",
            );
        }
        site.stage.pair.b.start();
        let log = site.stage.pair.b.log();
        log.expect(Mark::START, "Local status now set to: 'up'");
        site.stage.pair.a.start();
        site.stage.pair.expect_settled();
        site.expect_all_on(0);
        for machine in [&site.stage.pair.a, &site.stage.pair.b] {
            let differs = machine.log().lines_with(Mark::START, "differs");
            assert!(differs.is_empty(), "ucast may differ: {differs:?}");
        }

        site.stage.pair.a.stop();
        site.expect_all_on(1);
        site.stage.pair.a.start();
        site.expect_all_on(0);
        site.stage.pair.assert_never_two_owners();
    });
}

#[test]
fn a_master_that_drops_all_icmp_hands_over_and_gets_everything_back() {
    claim_with(&DEMANDS, || {
        let mut site = site("", 3);
        site.stage.pair.serve_on_a();
        site.expect_witness();
        site.expect_all_on(0);
        let mark = site.stage.pair.a.log().mark();
        firewall(
            &site.stage.pair.a,
            "add table ip f\n\
             add chain ip f input { type filter hook input priority 0; }\n\
             add rule ip f input ip protocol icmp drop\n",
        );
        site.expect_all_on(1);
        let log = site.stage.pair.a.log();
        log.expect(mark, "Giving up because we have less visible ping nodes.");
        firewall(&site.stage.pair.a, "delete table ip f\n");
        site.expect_all_on(0);
        site.stage.pair.assert_never_two_owners();
    });
}

/// `ifdown eth1`, or up again, on both.
fn set_heartbeat_network(site: &Site, state: &str) {
    for machine in [&site.stage.pair.a, &site.stage.pair.b] {
        machine
            .namespace
            .within(|| drop(run("ip", &["link", "set", "eth1", state])));
    }
}

#[test]
fn without_the_heartbeat_network_both_serve_and_after_its_return_one_does() {
    claim_with(&DEMANDS, || {
        let mut site = site("", 3);
        site.stage.pair.serve_on_a();
        set_heartbeat_network(&site, "down");
        // Nobody can tell this from the other machine's death: the reason for a second link.
        eventually("both serve", || {
            site.stage.pair.watch.owners(ADDRESS) == [0, 1]
        });
        let marks = site.stage.pair.marks();
        set_heartbeat_network(&site, "up");
        eventually("one serves", || {
            site.stage.pair.watch.owners(ADDRESS).len() == 1
        });
        let told = |machine: &Machine, mark| machine.log().has(mark, "Both machines own");
        eventually("it is told", || {
            told(&site.stage.pair.a, marks[0]) || told(&site.stage.pair.b, marks[1])
        });
        site.stage.pair.expect_settled();
        site.expect_all_on(0);
    });
}

#[test]
fn with_a_serial_line_beside_it_the_loss_of_the_heartbeat_network_moves_nothing() {
    claim_with(&DEMANDS, || {
        let mut site = site("baud 115200\nserial /dev/ttyS0\n", 8);
        site.stage.pair.serve_on_a();
        site.expect_all_on(0);
        let mark = site.stage.pair.b.log().mark();
        set_heartbeat_network(&site, "down");
        let log = site.stage.pair.b.log();
        log.expect(mark, "Link masternginx:eth1 dead");
        throughout(site.stage.pair.long_enough() / 4, "nothing moves", || {
            site.stage.pair.watch.owners(ADDRESS) == [0]
        });
        site.stage.pair.assert_never_two_owners();
    });
}
