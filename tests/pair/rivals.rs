//! A floating address that somebody else has: the other node, whose network works while its heartbeats do not arrive,
//! or a stranger.

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::namespace::run;
use crate::lab::network::Failure;
use crate::lab::stranger::Stranger;
use crate::lab::{Link, Networks, Pair, Setup, claim, eventually};

/// No heartbeats where the clients are.
const MEDIA: &str = "serial /dev/ttyS0\nucast eth1 192.168.9.1\nucast eth1 192.168.9.2\n";

/// What `cl_status` says of the first that claims an address of the first group: whether it is the other node.
fn rival_of(machine: &Machine) -> Option<bool> {
    let (text, _) = machine.command("cl_status", &["--json", "rscstatus"]);
    let status: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    status["groups"][0]["rivals"][0]["is-other-node"].as_bool()
}

#[test]
fn what_the_other_node_has_is_taken_and_two_owners_are_told_of() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            media: Some(MEDIA),
            more: "check_address 300ms\n",
            ..Setup::default()
        });
        pair.serve_on_a();
        let marks = pair.marks();
        for link in [Link::Serial, Link::Eth1] {
            pair.cut(link, Failure::Silent);
        }
        // The one that is thought dead answers for the address, and that keeps nobody from taking it.
        let taken = "has 10.77.1.100: the other node. It is taken all the same";
        pair.b.log().expect(marks[1], taken);
        let told = "Both nodes have 10.77.1.100: the other node claims it with";
        pair.a.log().expect(marks[0], told);
        eventually("it is in the status", || rival_of(&pair.a) == Some(true));
        for link in [Link::Serial, Link::Eth1] {
            pair.restore(link);
        }
        eventually("one of them has given it up", || {
            pair.watch.owners(pair.address()).len() == 1
        });
    });
}

#[test]
fn what_a_stranger_has_is_taken_by_neither_node() {
    claim(|| {
        let networks = Networks::new();
        let stranger = Stranger::new(&networks.service, [10, 77, 1, 60].into(), 9999);
        let shown = stranger.namespace.within(|| {
            let own = ["addr", "add", "10.77.1.100/24", "dev", "eth0"];
            run("ip", &own);
            run("ip", &["-o", "link", "show", "dev", "eth0"]).stdout
        });
        let shown = String::from_utf8_lossy(&shown).into_owned();
        let hardware = shown.split("link/ether ").nth(1).expect("Ethernet");
        let hardware = hardware.split(' ').next().expect("an address");
        let mut pair = Pair::new(
            &networks,
            Setup {
                more: "check_address 300ms\n",
                ..Setup::default()
            },
        );
        pair.a.start();
        pair.b.start();
        let told =
            format!("10.77.1.100 is not taken: {hardware} on eth0 has it, which is neither node");
        for machine in [&pair.a, &pair.b] {
            let line = machine.log().expect(Mark::START, &told);
            assert!(line.contains("CRIT"), "{line}");
        }
        assert_eq!(pair.watch.moves(pair.address()), 0);
        pair.assert_never_two_owners();
    });
}
