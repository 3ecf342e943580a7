//! The nodes tell each other where their files differ.

use serde_json::Value;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::{Pair, Setup, claim, eventually, files};

/// Networks only: a serial line is spared, and has the words go slowly.
const MEDIA: &str = "bcast eth0\nbcast eth1\n";

/// As the other node must not see it in the clear.
const SECRET: &str = "hunter2-of-the-laboratory";

fn agreement(machine: &Machine) -> Value {
    let (text, _) = machine.command("cl_status", &["hbstatus", "--json"]);
    let status: Value = serde_json::from_str(&text).unwrap_or_default();
    status["agreement"].clone()
}

/// Changes a file of one machine.
fn change(machine: &Machine, name: &str, from: &str, to: &str) {
    let path = machine.file(&format!("ha.d/{name}"));
    let text = std::fs::read_to_string(&path).expect("it is there");
    assert!(text.contains(from), "{from}: {text}");
    files::write(&path, &text.replace(from, to), 0o644);
}

#[track_caller]
fn reload(machine: &Machine) {
    let (said, status) = machine.complaint("heartbeat", &["reload"]);
    assert_eq!(status, Some(0), "{}: {said}", machine.name);
}

#[test]
fn files_that_differ_are_named_on_both_nodes_start_nothing_twice_and_are_compared_before_they_are_used()
 {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            media: Some(MEDIA),
            warntime: Some(700),
            groups: vec![format!("alpha IPaddr::10.77.1.100/24/eth0 disk::{SECRET}")],
            ..Setup::default()
        });
        let (said, exit) = pair.a.complaint("heartbeat", &["check", "--peer"]);
        assert_eq!(exit, Some(3), "{said}");
        assert!(
            said.ends_with("no heartbeat runs here, so beta can't be asked what it goes by\n"),
            "{said}"
        );
        change(
            &pair.b,
            "ha.cf",
            "deadtime 1500ms",
            "# two lines\n\ndeadtime 1400ms",
        );
        pair.serve_on_a();
        let line = "Not equal on both nodes: deadtime differs: here `1.5s` (ha.cf:3), on beta `1.4s` (ha.cf:5).";
        pair.a.log().expect(Mark::START, line);
        let line = "Not equal on both nodes: deadtime differs: here `1.4s` (ha.cf:5), on alpha `1.5s` (ha.cf:3).";
        pair.b.log().expect(Mark::START, line);
        let found = agreement(&pair.a);
        assert_eq!(found["state"], "differs");
        assert_eq!(found["differences"][0]["topic"], "deadtime");
        assert_eq!(found["differences"][0]["there"]["place"], "ha.cf:5");
        let shown = pair.a.command("cl_status", &["hbstatus", "-v"]).0;
        let line = "\nfiles\tnot equal on both nodes\n\tdeadtime differs: here `1.5s` (ha.cf:3), on beta `1.4s` (ha.cf:5)\n";
        assert!(shown.contains(line), "{shown}");

        // Compared before it is used, and after.
        let (said, exit) = pair.b.complaint("heartbeat", &["check", "--peer"]);
        assert_eq!(exit, Some(1), "{said}");
        assert!(
            said.contains("\ndeadtime differs: here `1.4s` (ha.cf:5), on alpha `1.5s` (ha.cf:3)\n"),
            "{said}"
        );
        change(&pair.b, "ha.cf", "deadtime 1400ms", "deadtime 1500ms");
        let (said, exit) = pair.b.complaint("heartbeat", &["check", "--peer"]);
        assert_eq!(exit, Some(0), "{said}");
        assert!(
            said.ends_with("alpha goes by the same as these files\n"),
            "{said}"
        );
        reload(&pair.b);
        for machine in [&pair.a, &pair.b] {
            let log = machine.log();
            log.expect(Mark::START, "Equal on both nodes again: deadtime is as on ");
            eventually("equal", || agreement(machine)["state"] == "equal");
            assert_eq!(
                log.lines_with(Mark::START, "Not equal on both nodes").len(),
                1,
            );
        }

        // Another group, on one node only: it is named, and starts nowhere while the files differ.
        let marks = pair.marks();
        change(&pair.b, "haresources", SECRET, &format!("{SECRET}2"));
        change(
            &pair.b,
            "haresources",
            "\n",
            "\nbeta IPaddr::10.77.1.109/24/eth0\n",
        );
        reload(&pair.b);
        let of_a = pair.a.log().expect(
            marks[0],
            "Not equal on both nodes: group IPaddr::10.77.1.100/24/eth0 differs: here",
        );
        assert!(
            of_a.contains("(haresources:1), on beta `alpha IPaddr::10.77.1.100/24/eth0 disk::#"),
            "{of_a}"
        );
        pair.b.log().expect(marks[1], "group IPaddr::10.77.1.109/24/eth0: only here, `beta IPaddr::10.77.1.109/24/eth0` (haresources:2)");
        pair.b
            .log()
            .expect(marks[1], "haresources differs between the nodes");
        assert!(!pair.b.holds([10, 77, 1, 109].into()));
        for machine in [&pair.a, &pair.b] {
            for line in machine.log().lines_with(Mark::START, "qual on both nodes") {
                assert!(!line.contains("hunter2"), "{line}");
            }
            assert!(!agreement(machine).to_string().contains("hunter2"));
        }
        pair.b.stop();
        eventually("the other one is gone", || {
            agreement(&pair.a)["state"] == "apart"
        });
        let (said, exit) = pair.a.complaint("heartbeat", &["check", "--peer"]);
        assert_eq!(exit, Some(3), "{said}");
        assert!(
            said.ends_with(
                "what beta goes by is not known: it is not heard, or does not hear this node\n"
            ),
            "{said}"
        );
        pair.assert_never_two_owners();
    });
}
