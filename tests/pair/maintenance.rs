//! `cl_status maintenance`: two real daemons that hold still while somebody works on them.

use std::time::Duration;

use serde_json::Value;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::{Pair, Setup, claim, eventually};

fn maintenance(machine: &Machine) -> Value {
    let (text, exit) = machine.command("cl_status", &["maintenance", "--json"]);
    assert_eq!(exit, Some(0), "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// Whether a node knows that it is on, and that the other one knows.
fn is_shared(machine: &Machine) -> bool {
    maintenance(machine)["maintenance"]["known-to-peer"] == true
}

#[test]
fn a_dead_owner_is_not_replaced_before_somebody_ends_maintenance_and_a_restart_ends_nothing() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            auto_failback: Some("on"),
            ..Setup::default()
        });
        pair.serve_on_a();
        assert_eq!(
            pair.a.command("cl_status", &["maintenance"]),
            ("off\n".to_owned(), Some(0))
        );
        let words = [
            "maintenance",
            "on",
            "--reason",
            "disk change",
            "--until",
            "+2h",
        ];
        let (text, exit) = pair.b.command("cl_status", &words);
        assert_eq!(exit, Some(0), "{text}");
        assert!(text.starts_with("on\n\tsince\t"), "{text}");
        eventually("both know", || is_shared(&pair.a) && is_shared(&pair.b));
        for machine in [&pair.a, &pair.b] {
            let told = machine
                .log()
                .expect(Mark::START, "Maintenance is on, said by ");
            assert!(
                told.contains(" on beta, for ") && told.contains(": disk change. "),
                "{told}"
            );
            let said = maintenance(machine);
            assert_eq!(said["on"], true);
            let said = &said["maintenance"];
            assert_eq!(
                (&said["reason"], &said["node"]),
                (&"disk change".into(), &"beta".into())
            );
            let [since, until] =
                ["since", "until"].map(|name| said[name].as_u64().expect("a time"));
            assert!((7190..=7210).contains(&(until - since)), "{said}");
            let (verbose, _) = machine.command("cl_status", &["hbstatus", "-v"]);
            assert!(
                verbose.contains("\nmaintenance\ton\n\tsince\t"),
                "{verbose}"
            );
        }
        // Its state is on the disk by now: it was asked for before the other node heard of it.
        let file = pair.b.file("ha.d/state/maintenance");
        eventually("it is kept", || {
            std::fs::read_to_string(&file).is_ok_and(|text| text.contains("reason disk change\n"))
        });
        pair.b.kill_daemon();
        let mark = pair.b.log().mark();
        pair.b.start();
        pair.b.log().expect(mark, "Maintenance is on, said by ");
        eventually("both know again", || {
            is_shared(&pair.a) && is_shared(&pair.b)
        });
        let mark = pair.b.log().mark();
        pair.power_off(0);
        pair.b
            .log()
            .expect(mark, "nothing of alpha is taken, and it is not reset");
        pair.b.log().expect(
            mark,
            "Without it: alpha is silent, and what it held would be taken; start ",
        );
        assert_eq!(pair.watch.owners(pair.address()), [] as [usize; 0]);
        let (text, exit) = pair.b.command("cl_status", &["maintenance", "off"]);
        assert_eq!((text.as_str(), exit), ("off\n", Some(0)));
        pair.watch.expect_owner(1, pair.address());
        pair.b.log().expect(mark, "Maintenance is off, said by ");
        // The machine that was off remembers that it is on, and hears that it is not.
        pair.power_on(0);
        pair.watch.expect_owner(0, pair.address());
        assert_eq!(maintenance(&pair.a)["on"], false);
        pair.assert_never_two_owners();
    });
}

#[test]
fn what_a_person_asks_for_is_done_and_a_stop_says_that_nobody_takes_over() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            auto_failback: Some("on"),
            ..Setup::default()
        });
        pair.serve_on_a();
        let (_, exit) = pair.a.command("cl_status", &["maintenance", "on"]);
        assert_eq!(exit, Some(0));
        eventually("both know", || is_shared(&pair.a) && is_shared(&pair.b));
        let (text, exit) = pair.a.command("hb_standby", &["all"]);
        assert_eq!(exit, Some(0), "{text}");
        pair.watch.expect_owner(1, pair.address());
        pair.assert_stays(1, Duration::from_millis(500)); // no failback
        let mark = pair.b.log().mark();
        pair.b.stop();
        pair.b.log().expect(
            mark,
            "alpha does not take the resource groups that are stopped here now",
        );
        pair.a.log().expect(Mark::START, "Without it: start ");
        assert_eq!(pair.watch.owners(pair.address()), [] as [usize; 0]);
        for (words, expected) in [
            (
                &["maintenance", "on", "--reason", "a\nb"][..],
                "control characters",
            ),
            (
                &["maintenance", "on", "--until", "yesterday"],
                "not a time in the future",
            ),
            (
                &["maintenance", "of"],
                "write maintenance on, maintenance off",
            ),
            (
                &["maintenance", "off", "--reason", "x"],
                "are for maintenance on",
            ),
        ] {
            let (text, exit) = pair.a.complaint("cl_status", words);
            assert!(
                text.contains(expected) && exit != Some(0),
                "{words:?}: {text}"
            );
        }
        let (_, exit) = pair.a.command("cl_status", &["maintenance", "off"]);
        assert_eq!(exit, Some(0));
        pair.watch.expect_owner(0, pair.address());
        pair.assert_never_two_owners();
    });
}
