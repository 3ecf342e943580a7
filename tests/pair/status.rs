//! What the commands say about a running pair.

use crate::lab::{Pair, Setup, claim};

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
