//! What administrators and their tools do to an interface that has a floating address.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::lab::machine::Machine;
use crate::lab::namespace::{run, run_script};
use crate::lab::{Demands, Setup, claim_with, eventually, files, sandbox, throughout};
use crate::stage::{Files, Stage, ip_address_show};
use crate::webserver::{self, expect_page, page};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 10, 10, 100);
const NETWORKD: &str = "/usr/lib/systemd/systemd-networkd";
const PAGE: &str = "This is the nginx1";
const SHOWN: &str = "inet 10.10.10.100/24 brd 10.10.10.255 scope global secondary eth0:0";
/// How long an address may be away.
const LONGEST: Duration = Duration::from_secs(1);

const HA_CF: &str = "\
logfile /var/log/ha-log
keepalive 200ms
deadtime 3
serial /dev/ttyS0
bcast eth0
auto_failback on
node www.centos1.com
node www.centos2.com
";

fn stage() -> Stage {
    let setup = Setup {
        names: ["www.centos1.com", "www.centos2.com"],
        hosts: [11, 12],
        service: [10, 10, 10],
        deadtime: 3000,
        ..Setup::default()
    };
    let texts = Files {
        ha_cf: [HA_CF.to_owned(), HA_CF.to_owned()],
        authkeys: "auth 1\n1 sha1 a-key-for-an-address\n",
        haresources: "www.centos1.com IPaddr::10.10.10.100/24/eth0:0 nginx\n",
    };
    let mut stage = Stage::new(&setup, &texts);
    webserver::install(&stage.pair.a, PAGE);
    webserver::install(&stage.pair.b, "This is the nginx2");
    stage.pair.serve_on_a();
    expect_page(&stage.client.namespace, ADDRESS, PAGE);
    stage
}

fn ip(machine: &Machine, words: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    machine.namespace.within(|| drop(run("ip", &words)));
}

/// The shortest of three times from what is done to `is_well`. A busy computer may delay anything once.
fn shortest(what: &str, does: impl Fn(), is_well: impl Fn() -> bool) -> Duration {
    let time = |_| {
        does();
        let since = Instant::now();
        eventually(what, &is_well);
        since.elapsed()
    };
    (0..3).map(time).min().expect("three")
}

#[test]
fn an_address_is_back_within_a_second_after_a_flush_and_after_its_interface_was_down() {
    claim_with(&webserver::DEMANDS, || {
        let stage = stage();
        let (owner, client) = (&stage.pair.a, &stage.client.namespace);
        let is_shown = || ip_address_show(owner).contains(SHOWN);
        let serves = || is_shown() && page(client, ADDRESS).as_deref() == Some(PAGE);
        assert!(is_shown());
        let fixed = "address add 10.10.10.11/24 broadcast + dev eth0";
        let flush = || {
            ip(owner, "address flush dev eth0 scope global");
            ip(owner, fixed); // as whoever flushes it does next
        };
        let is_here = || owner.holds(ADDRESS);
        let flushed = shortest("it is back after a flush", flush, is_here);
        let is_reached = || page(client, ADDRESS).as_deref() == Some(PAGE);
        eventually("and it answers", is_reached);
        let down_and_up = || {
            ip(owner, "link set eth0 down");
            ip(owner, "link set eth0 up");
        };
        let cycled = shortest("it answers after down and up", down_and_up, is_reached);
        println!("back after {flushed:?} and {cycled:?}");
        assert!(
            flushed < LONGEST && cycled < LONGEST,
            "{flushed:?} {cycled:?}"
        );
        eventually("it is as it was, and serves", serves);
        stage.pair.watch.expect_owner(0, ADDRESS);
        stage.pair.assert_never_two_owners();
    });
}

const DEMANDS: Demands = Demands {
    possible: || {
        (webserver::DEMANDS.possible)()?;
        if !nix::unistd::geteuid().is_root() {
            return Err("systemd-networkd runs for root only".to_owned());
        }
        if Path::new(NETWORKD).exists() {
            Ok(())
        } else {
            Err(format!("there is no {NETWORKD} (Debian: systemd)"))
        }
    },
    at_once: 4,
};

/// What systemd-networkd makes of eth0.
const NETWORK: &str = "\
[Match]
Name=eth0
[Network]
Address=10.10.10.11/24
LinkLocalAddressing=no
IPv6AcceptRA=no
";

/// The real one. It takes a read-only /sys for a container, where it does not wait for udev.
fn start_networkd(machine: &Machine) -> Child {
    let mut command = Command::new(NETWORKD);
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let log = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(machine.file("networkd"));
    command.stderr(log.expect("our own file system"));
    machine.namespace.spawn(&mut command)
}

/// How often it has set up eth0, by its own word.
fn configured(machine: &Machine) -> usize {
    let said = std::fs::read_to_string(machine.file("networkd")).unwrap_or_default();
    said.matches("eth0: Configuring with").count()
}

#[test]
fn a_restart_of_systemd_networkd_costs_an_address_a_second_at_most() {
    claim_with(&DEMANDS, || {
        assert!(sandbox::is_inside());
        let stage = stage();
        let owner = &stage.pair.a;
        files::write(&owner.file("10-eth0.network"), NETWORK, 0o644);
        let prepare = format!(
            "mount -t tmpfs -o mode=755 run /run\n\
             mkdir -p /run/systemd/network\n\
             cp {} /run/systemd/network/\n\
             mount -t sysfs -o ro sysfs /sys\n",
            owner.file("10-eth0.network").display()
        );
        owner.namespace.within(|| run_script(&prepare));
        for times in 1..=3 {
            let mut networkd = start_networkd(owner);
            eventually("it has set up eth0", || configured(owner) == times);
            // Time for it to do what it does to addresses that it does not know.
            throughout(LONGEST, "nothing has moved", || {
                stage.pair.watch.owners(ADDRESS) != [1]
            });
            eventually("the address is there", || owner.holds(ADDRESS));
            networkd.kill().expect("our own child");
            networkd.wait().expect("our own child");
        }
        expect_page(&stage.client.namespace, ADDRESS, PAGE);
        eventually("it is as it was", || ip_address_show(owner).contains(SHOWN));
        stage.pair.watch.expect_owner(0, ADDRESS);
        let gaps = stage.pair.watch.gaps(ADDRESS);
        assert!(
            gaps.iter().all(|(from, until)| *until - *from < LONGEST),
            "{gaps:?}"
        );
    });
}
