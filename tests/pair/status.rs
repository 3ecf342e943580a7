//! What the commands say about a running pair.

use crate::lab::{Pair, Setup, claim, eventually};

#[test]
fn cl_status_answers_in_the_words_of_the_original() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        let stopped = pair.a.command("cl_status", &["hbstatus"]);
        assert_eq!(
            stopped,
            (
                "Heartbeat is stopped on this machine.\n".to_owned(),
                Some(1)
            )
        );
        pair.serve_on_a();
        let said = |arguments: &[&str]| pair.a.command("cl_status", arguments);
        assert_eq!(
            said(&["hbstatus"]),
            (
                "Heartbeat is running on this machine.\n".to_owned(),
                Some(0)
            )
        );
        assert_eq!(said(&["listnodes"]), ("beta\nalpha\n".to_owned(), Some(0)));
        assert_eq!(
            said(&["nodestatus", "beta"]),
            ("active\n".to_owned(), Some(0))
        );
        assert_eq!(
            said(&["nodetype", "beta"]),
            ("normal\n".to_owned(), Some(0))
        );
        assert_eq!(
            said(&["listhblinks", "beta"]),
            ("\teth1\n\teth0\n\t/dev/ttyS0\n".to_owned(), Some(0))
        );
        assert_eq!(
            said(&["hblinkstatus", "beta", "eth0"]),
            ("up\n".to_owned(), Some(0))
        );
        assert_eq!(said(&["rscstatus"]), ("local\n".to_owned(), Some(0)));
        assert_eq!(
            pair.b.command("cl_status", &["rscstatus"]),
            ("local\n".to_owned(), Some(0))
        );
        assert_eq!(said(&["nodestatus", "gamma"]).1, Some(11));
        assert_eq!(said(&["hblinkstatus", "beta", "eth7"]).1, Some(13));
    });
}

#[test]
fn cl_status_speaks_json_for_every_question() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        for question in [
            &["hbstatus"][..],
            &["listnodes"],
            &["nodestatus", "beta"],
            &["nodetype", "beta"],
            &["listhblinks", "beta"],
            &["hblinkstatus", "beta", "eth0"],
            &["rscstatus"],
        ] {
            let arguments = [&["--json"], question].concat();
            let (text, status) = pair.a.command("cl_status", &arguments);
            assert_eq!(status, Some(0), "{question:?}: {text}");
            let value: Result<serde_json::Value, _> = serde_json::from_str(&text);
            assert!(value.is_ok(), "{question:?} is no JSON: {text}");
        }
    });
}

#[test]
fn status_explain_and_reboot_safe_follow_a_planned_move_and_a_death() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        let json = |machine: &crate::lab::machine::Machine, arguments: &[&str]| {
            let (text, status) = machine.command("cl_status", &[arguments, &["--json"]].concat());
            let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            (value, status)
        };
        let (groups, _) = json(&pair.a, &["rscstatus"]);
        let key = groups["groups"][0]["key"]
            .as_str()
            .expect("a key")
            .to_owned();
        eventually("all is well and either may be rebooted", || {
            let well = |machine| json(machine, &["status"]).0["verdict"] == "well";
            let safe = |machine| json(machine, &["reboot-safe"]).1 == Some(0);
            [&pair.a, &pair.b]
                .into_iter()
                .all(|one| well(one) && safe(one))
        });
        let (text, _) = pair.a.command("cl_status", &["status"]);
        assert!(
            text.starts_with("ALL IS WELL: what alpha knows, as of "),
            "{text}"
        );
        let (why, status) = json(&pair.a, &["explain", &key]);
        assert_eq!((&why["place"], status), (&"here".into(), Some(0)), "{why}");
        let decision = &why["group"]["reasons"]["decision"];
        assert_eq!(decision["step"], "start", "{why}");
        assert!(
            decision["evidence"]
                .as_array()
                .is_some_and(|all| !all.is_empty()),
            "{why}"
        );

        assert_eq!(pair.a.command("hb_standby", &["all"]).1, Some(0));
        eventually("both know that it is on beta", || {
            let place = |machine| json(machine, &["explain", &key]).0["place"].clone();
            place(&pair.a) == "there" && place(&pair.b) == "here"
        });
        let (text, _) = pair.a.command("cl_status", &["explain", &key]);
        assert!(
            text.contains("stop: an operator wants it on the other node"),
            "{text}"
        );
        let (text, _) = pair.b.command("cl_status", &["explain", &key]);
        assert!(text.contains("start: the other node released it"), "{text}");
        let (text, status) = pair.a.command("cl_status", &["events", "--no-follow"]);
        assert!(
            text.contains(": stopping here: an operator wants it"),
            "{text}"
        );
        assert_eq!(status, Some(0));

        pair.power_off(0);
        eventually("beta must not be rebooted: alpha is dead", || {
            let (text, status) = pair.b.command("cl_status", &["reboot-safe"]);
            status == Some(1) && text.contains("alpha is dead: nobody would take over")
        });
        let (status, exit) = json(&pair.b, &["status"]);
        assert_eq!(
            (&status["verdict"], exit),
            (&"trouble".into(), Some(1)),
            "{status}"
        );
        assert!(
            status["troubles"][0]
                .as_str()
                .is_some_and(|text| text.contains("alpha is dead")),
            "{status}"
        );
    });
}
