//! An address that moves between www.centos1.com and www.centos2.com, where nginx runs all the time; three lines of
//! `ha.cf`, and the system log.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::namespace::run_script;
use crate::lab::{Setup, claim_with, eventually, files};
use crate::stage::{Files, Stage, check, ip_address_show};
use crate::webserver::{self, DEMANDS, expect_page, page};
use crate::{stage, syslog};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);

/// To the letter.
const HA_CF: &str = "\
bcast eth0
node www.centos1.com
node www.centos2.com
";

/// Where a machine dies, nobody wants to wait for the 30 seconds that are the default.
const SOONER: &str = "keepalive 200ms\ndeadtime 1500ms\n";

const AUTHKEYS: &str = "auth 1\n1 md5 0c29a1b6d0f44c9bb1cf1d9e6f0a7e35\n";

const HARESOURCES: &str = "www.centos1.com IPaddr::10.10.10.100/24/eth0:0\n";

/// Both machines have a web server that nobody but `init` looks after.
fn stage(times: &str, haresources: &'static str) -> Stage {
    let setup = Setup {
        names: ["www.centos1.com", "www.centos2.com"],
        hosts: [11, 12],
        service: [10, 10, 10],
        ..Setup::default()
    };
    let ha_cf = format!("{HA_CF}{times}");
    let texts = Files {
        ha_cf: [ha_cf.clone(), ha_cf],
        authkeys: AUTHKEYS,
        haresources,
    };
    let stage = Stage::new(&setup, &texts);
    for (machine, page) in [
        (&stage.pair.a, "This is the nginx1"),
        (&stage.pair.b, "This is the nginx2"),
    ] {
        webserver::install(machine, page);
        webserver::start(machine);
        expect_page(&machine.namespace, Ipv4Addr::LOCALHOST, page);
    }
    stage
}

/// The line of `ip address show eth0` with the floating address.
fn shown(machine: &Machine) -> String {
    let text = ip_address_show(machine);
    let line = text.lines().find(|line| line.contains("10.10.10.100"));
    line.unwrap_or_default().trim().to_owned()
}

#[test]
fn three_lines_of_ha_cf_are_enough_and_the_address_moves_and_returns_as_shown() {
    claim_with(&DEMANDS, || {
        let mut stage = stage("", HARESOURCES);
        let client = stage.client.namespace.share();
        let (said, status) = check(&stage.pair.a);
        assert_eq!(status, Some(0), "{said}");
        let advice = "add a second, independent one, such as";
        assert!(said.contains(advice), "{said}");
        let messages = [&stage.pair.a, &stage.pair.b].map(syslog::keep);

        stage.pair.serve_on_a();
        assert_eq!(
            shown(&stage.pair.a),
            "inet 10.10.10.100/24 brd 10.10.10.255 scope global secondary eth0:0"
        );
        expect_page(&client, ADDRESS, "This is the nginx1");

        stage.pair.a.stop();
        expect_page(&client, ADDRESS, "This is the nginx2");
        assert_eq!(
            shown(&stage.pair.b),
            "inet 10.10.10.100/24 brd 10.10.10.255 scope global secondary eth0:0"
        );
        assert_eq!(shown(&stage.pair.a), "");

        // Nothing is said of auto_failback: it returns.
        stage.pair.a.start();
        stage.pair.watch.expect_owner(0, ADDRESS);
        expect_page(&client, ADDRESS, "This is the nginx1");
        eventually("it is gone from the second", || {
            shown(&stage.pair.b).is_empty()
        });
        messages[0].assert_order(
            Mark::START,
            &[
                "IPaddr 10.10.10.100/24/eth0:0 start",
                "IPaddr 10.10.10.100/24/eth0:0 stop",
                "Heartbeat shutdown complete",
                "IPaddr 10.10.10.100/24/eth0:0 start",
            ],
        );
        messages[1].assert_order(
            Mark::START,
            &[
                "Received shutdown notice from 'www.centos1.com'",
                "IPaddr 10.10.10.100/24/eth0:0 start",
                "IPaddr 10.10.10.100/24/eth0:0 stop",
            ],
        );
        stage.pair.assert_never_two_owners();
    });
}

/// The remedy of the tutorial for what 3.0.6 can't notice: every minute a script like this asks the own page.
const WATCHER: &str = r#"#!/bin/sh
code=$(curl -o /dev/null -s -w '%{http_code}' http://127.0.0.1/index.html)
[ "$code" = 200 ] || service heartbeat stop
"#;

#[test]
fn a_script_that_stops_heartbeat_when_its_page_is_gone_still_works() {
    claim_with(&DEMANDS, || {
        let mut stage = stage(SOONER, HARESOURCES);
        let client = stage.client.namespace.share();
        stage.pair.serve_on_a();
        let own = stage.pair.a.file("");
        // `service` leads to the init script, and that to this.
        let heartbeat = crate::lab::program::built("heartbeat");
        let service = format!(
            "#!/bin/sh\n[ \"$*\" = 'heartbeat stop' ] && exec {} -C {} -k\n",
            heartbeat.display(),
            crate::lab::machine::here().join("ha.d").display()
        );
        files::write(&own.join("service"), &service, 0o755);
        files::write(&own.join("80.sh"), WATCHER, 0o755);
        let once = format!("PATH={own}:$PATH {own}/80.sh", own = own.display());
        let crond = |machine: &Machine| machine.namespace.within(|| run_script(&once));

        crond(&stage.pair.a);
        assert_eq!(
            page(&client, ADDRESS).as_deref(),
            Some("This is the nginx1"),
            "all is well, so nothing is done"
        );
        webserver::kill(&stage.pair.a);
        crond(&stage.pair.a);
        expect_page(&client, ADDRESS, "This is the nginx2");
        let ended = stage.pair.a.ended_within(Duration::from_secs(10));
        assert!(ended.is_some_and(|status| status.success()), "{ended:?}");
        stage.pair.assert_never_two_owners();
    });
}

#[test]
fn of_two_addresses_each_node_has_one_and_takes_the_other_only_while_it_is_alone() {
    claim_with(&DEMANDS, || {
        let second = Ipv4Addr::new(10, 10, 10, 101);
        let mut stage = stage(
            SOONER,
            "www.centos1.com IPaddr::10.10.10.100/24/eth0:0\n\
             www.centos2.com IPaddr::10.10.10.101/24/eth0:0\n",
        );
        let client = stage.client.namespace.share();
        stage.pair.serve_on_a();
        stage.pair.watch.expect_owner(1, second);
        expect_page(&client, second, "This is the nginx2");
        stage.pair.power_off(0);
        for address in [ADDRESS, second] {
            stage.pair.watch.expect_owner(1, address);
            expect_page(&client, address, "This is the nginx2");
        }
        stage.pair.power_on(0);
        webserver::start(&stage.pair.a);
        stage.pair.watch.expect_owner(0, ADDRESS);
        expect_page(&client, ADDRESS, "This is the nginx1");
        assert_eq!(stage.pair.watch.owners(second), [1]);
        stage.pair.assert_never_two_owners();
    });
}

#[test]
fn nginx_as_a_resource_with_a_monitor_is_served_by_the_other_node_when_it_dies() {
    claim_with(&DEMANDS, || {
        let lines = "monitor nginx every=300ms fall=2 restarts=0 http=http://127.0.0.1/\n";
        let mut stage = stage::Stage::new(
            &Setup {
                names: ["www.centos1.com", "www.centos2.com"],
                hosts: [11, 12],
                service: [10, 10, 10],
                ..Setup::default()
            },
            &Files {
                ha_cf: [0, 1].map(|_| format!("{HA_CF}{SOONER}{lines}")),
                authkeys: AUTHKEYS,
                haresources: "www.centos1.com IPaddr::10.10.10.100/24/eth0:0 nginx\n",
            },
        );
        webserver::install(&stage.pair.a, "This is the nginx1");
        webserver::install(&stage.pair.b, "This is the nginx2");
        stage.pair.serve_on_a();
        let client = stage.client.namespace.share();
        expect_page(&client, ADDRESS, "This is the nginx1");
        webserver::kill(&stage.pair.a);
        expect_page(&client, ADDRESS, "This is the nginx2");
        assert_eq!(stage.pair.watch.owners(ADDRESS), [1]);
        stage.pair.assert_never_two_owners();
    });
}
