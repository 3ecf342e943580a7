//! A service network that is unplugged: the group goes to the node whose own is plugged in, and nowhere else.

use std::time::Duration;

use serde_json::Value;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::network::{Cable, Failure};
use crate::lab::{Pair, Setup, claim, eventually, files, throughout};

const GROUP: &str = "IPaddr::10.77.1.100/24/eth0";
const LEAVES: &str = "its interface has no carrier here, and that of the other node has one";

/// The group with what one node knows of both carriers.
fn carriers(machine: &Machine) -> [Value; 2] {
    let (text, _) = machine.command("cl_status", &["rscstatus", "--json"]);
    let status: Value = serde_json::from_str(&text).unwrap_or_default();
    ["carrier", "peer-carrier"].map(|name| status["groups"][0][name].clone())
}

#[track_caller]
fn expect_carriers(machine: &Machine, expected: [&str; 2]) {
    eventually(
        &format!("{} sees that they are {expected:?}", machine.name),
        || carriers(machine) == expected,
    );
}

fn serving(more: &'static str) -> Pair {
    let mut pair = Pair::alone(Setup {
        auto_failback: Some("off"),
        more,
        ..Setup::default()
    });
    pair.serve_on_a();
    for machine in [&pair.a, &pair.b] {
        expect_carriers(machine, ["up", "up"]);
    }
    pair
}

fn service(machine: &Machine) -> &Cable {
    machine.cable("eth0")
}

#[test]
fn an_owner_that_is_unplugged_hands_over_and_a_flap_moves_nothing() {
    claim(|| {
        let mut pair = serving("carrier_loss 5min\n");
        service(&pair.a).cut(Failure::Unplugged);
        expect_carriers(&pair.a, ["lost", "up"]);
        expect_carriers(&pair.b, ["up", "lost"]);
        service(&pair.a).restore();
        expect_carriers(&pair.a, ["up", "up"]);
        assert_eq!(pair.watch.owners(pair.address()), [0]);
        assert_eq!(pair.watch.moves(pair.address()), 1);

        // A shorter time counts at once.
        pair.setup.more = "carrier_loss 2\n";
        for machine in [&pair.a, &pair.b] {
            files::write(&machine.file("ha.d/ha.cf"), &pair.setup.ha_cf(), 0o644);
            let (said, status) = machine.command("heartbeat", &["reload"]);
            assert_eq!(status, Some(0), "{said}");
        }
        let marks = pair.marks();
        service(&pair.a).cut(Failure::Unplugged);
        pair.watch.expect_owner(1, pair.address());
        pair.a.log().expect(marks[0], LEAVES);
        eventually("the disk is there, too", || {
            pair.b.file("runs-data").exists()
        });
        expect_carriers(&pair.a, ["lost", "up"]);
        let (text, _) = pair.b.command("cl_status", &["hbstatus", "-v"]);
        let shown = format!("\ncarriers\n\t{GROUP}\tbeta up\talpha lost\n");
        assert!(text.contains(&shown), "{text}");
        service(&pair.a).restore();
        expect_carriers(&pair.a, ["up", "up"]);
        assert_eq!(
            pair.watch.owners(pair.address()),
            [1],
            "auto_failback is off"
        );
        for (machine, peer) in [(&pair.a, "beta"), (&pair.b, "alpha")] {
            assert_eq!(machine.cl_status(&["nodestatus", peer]), "active");
        }
        pair.assert_never_two_owners();
    });
}

#[test]
fn what_is_unplugged_at_both_nodes_stays_and_is_told_once() {
    claim(|| {
        let pair = serving("carrier_loss 2\n");
        service(&pair.b).cut(Failure::Unplugged);
        expect_carriers(&pair.a, ["up", "lost"]);
        service(&pair.a).cut(Failure::Unplugged);
        let told = format!(
            "Resource group {GROUP}: its interface has no carrier, so it can't be reached. It stays here: that of beta has \
             none either, or not for long."
        );
        let line = pair.a.log().expect(Mark::START, &told);
        assert!(line.contains("CRIT"), "{line}");
        throughout(Duration::from_secs(2), "it stays", || {
            pair.watch.owners(pair.address()) == [0]
        });
        service(&pair.a).restore();
        let back = format!("Resource group {GROUP}: its interface has a carrier again.");
        pair.a.log().expect(Mark::START, &back);
        assert_eq!(pair.a.log().lines_with(Mark::START, &told).len(), 1);

        // Nor does it go to where nobody reaches it unless somebody wants that, and there it stays.
        let (said, exit) = pair.a.complaint("hb_standby", &[]);
        assert_eq!(exit, Some(0), "{said}");
        let unready = format!("hb_standby: WARNING: the other node is not ready to run {GROUP}; ");
        let unplugged =
            format!("hb_standby: WARNING: the interface of {GROUP} has no carrier there, ");
        assert!(
            said.starts_with(&unready) || said.starts_with(&unplugged),
            "{said}"
        );
        pair.watch.expect_owner(1, pair.address());
        throughout(Duration::from_secs(4), "it stays there", || {
            pair.watch.owners(pair.address()) == [1]
        });
        pair.assert_never_two_owners();
    });
}
