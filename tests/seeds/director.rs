//! A pair of load balancers: a floating address and the table of the kernel, which Debian's `ldirectord` keeps.
//!
//! The table is looked at where the kernel has `ip_vs`; in a container it mostly has not, and the emulated machines of
//! `tests/vm` do it there (case `director`). Everything else about the real script is the same.

use std::net::Ipv4Addr;
use std::path::Path;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::namespace::{run, run_script};
use crate::lab::{Demands, Setup, claim_with, eventually, files, sandbox};
use crate::stage::{Files, Stage};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);
const SCRIPT: &str = "/etc/ha.d/resource.d/ldirectord";

const DEMANDS: Demands = Demands {
    possible: || {
        sandbox::possible()?;
        if Path::new(SCRIPT).exists() {
            Ok(())
        } else {
            Err(format!("there is no {SCRIPT} (Debian: ldirectord)"))
        }
    },
    at_once: 4,
};

const HA_CF: &str = "\
keepalive 200ms
deadtime 1500ms
logfile /var/log/ha-log
auto_failback on
serial /dev/ttyS0
bcast eth0
node LVS-1
node LVS-2
";

const HARESOURCES: &str = "LVS-1 IPaddr::10.10.10.100/24/eth0 ldirectord::/var/log/ldirectord.cf\n";

const LDIRECTORD: &str = "\
checktimeout=2
checkinterval=1
quiescent=no
virtual=10.10.10.100:80
\treal=10.10.10.13:80 gate
\treal=10.10.10.14:80 gate
\tscheduler=rr
\tprotocol=tcp
\tchecktype=off
";

/// Whether a machine's `ldirectord` runs, by its own word.
fn runs(machine: &Machine) -> bool {
    let ask = "/mnt/ldirectord /var/log/ldirectord.cf status 2>&1 || true";
    let ask = ask.replace(
        "/mnt/ldirectord",
        &machine
            .file("ha.d/resource.d/ldirectord")
            .display()
            .to_string(),
    );
    let said = machine.namespace.within(|| run("sh", &["-c", &ask]).stdout);
    String::from_utf8_lossy(&said).contains("is running with pid")
}

/// The table of a machine, or nothing where the kernel has none.
fn table(machine: &Machine) -> Option<String> {
    machine.namespace.within(|| {
        Path::new("/proc/net/ip_vs").exists().then(|| {
            let said = run("ipvsadm", &["-Ln"]).stdout;
            String::from_utf8_lossy(&said).into_owned()
        })
    })
}

/// The owner's balancer runs and its table is full, the other's does not and is empty.
#[track_caller]
fn expect_director(stage: &Stage, node: usize) {
    let pair = &stage.pair;
    pair.watch.expect_owner(node, ADDRESS);
    for (index, machine) in [&pair.a, &pair.b].into_iter().enumerate() {
        eventually("ldirectord runs where the address is", || {
            runs(machine) == (index == node)
        });
        let Some(mut seen) = table(machine) else {
            continue;
        };
        let lines = [
            "TCP  10.10.10.100:80 rr",
            "-> 10.10.10.13:80              Route   1",
            "-> 10.10.10.14:80              Route   1",
        ];
        eventually("the owner has the table", || {
            seen = table(machine).unwrap_or_default();
            lines
                .iter()
                .all(|line| seen.contains(line) == (index == node))
        });
    }
}

#[test]
fn ldirectord_runs_on_the_owner_of_the_address_only_and_moves_with_it() {
    claim_with(&DEMANDS, || {
        let setup = Setup {
            names: ["lvs-1", "lvs-2"],
            hosts: [11, 12],
            service: [10, 10, 10],
            ..Setup::default()
        };
        let texts = Files {
            ha_cf: [HA_CF.to_owned(), HA_CF.to_owned()],
            authkeys: "auth 1\n1 sha1 a-key-for-two-load-balancers\n",
            haresources: HARESOURCES,
        };
        let mut stage = Stage::new(&setup, &texts);
        for machine in [&stage.pair.a, &stage.pair.b] {
            files::write(&machine.file("ldirectord.cf"), LDIRECTORD, 0o644);
            let script = machine.file("ha.d/resource.d/ldirectord");
            let own_run = format!(
                "cp {SCRIPT} {}\nmount -t tmpfs run /run\n",
                script.display()
            );
            machine.namespace.within(|| run_script(&own_run));
        }
        if stage
            .pair
            .a
            .namespace
            .within(|| !Path::new("/proc/net/ip_vs").exists())
        {
            println!("this kernel has no ip_vs: the table is not looked at");
        }
        stage.pair.serve_on_a();
        expect_director(&stage, 0);
        let log = stage.pair.a.log();
        log.expect(
            Mark::START,
            "resource.d/ldirectord /var/log/ldirectord.cf start",
        );

        stage.pair.power_off(0);
        expect_director(&stage, 1);
        stage.pair.power_on(0);
        expect_director(&stage, 0);
        stage.pair.a.stop();
        expect_director(&stage, 1);
        stage.pair.assert_never_two_owners();
    });
}
