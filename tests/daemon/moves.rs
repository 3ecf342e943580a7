//! `hb_standby` and `hb_takeover` at a daemon whose peer is silent, and without one.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use crate::machine::{Finished, Machine, copy_program, finish, is_root, skip, wait_for};

const COMMANDS: [(&str, &str); 2] = [
    ("hb_standby", env!("CARGO_BIN_EXE_hb_standby")),
    ("hb_takeover", env!("CARGO_BIN_EXE_hb_takeover")),
];

fn run(program: &str, machine: &Machine, words: &[&str]) -> Finished {
    let mut command = Command::new(program);
    command.args(words).arg("-C").arg(machine.path(""));
    if !words.contains(&"--no-wait") {
        command.args(["--timeout", "30"]); // a move that begins against all odds must not hang the test
    }
    command.stdin(Stdio::null());
    finish(command)
}

fn ask(machine: &Machine, request: &str) -> String {
    let mut stream = UnixStream::connect(machine.path("run/control")).expect("connects");
    writeln!(stream, "{request}").expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn wrong_words_are_refused_as_ever_also_where_nothing_runs() {
    let machine = Machine::new("");
    for (name, program) in COMMANDS {
        let wrong = run(program, &machine, &["x"]);
        assert_eq!((wrong.exit, wrong.out.as_str()), (1, ""), "{wrong:?}");
        let first =
            format!("{name}: wrong resources(x).\nusage:\n{name} [all|foreign|local|failback]");
        assert!(wrong.err.starts_with(&first), "{wrong:?}");
        let many = run(program, &machine, &["all", "local"]);
        assert_eq!(many.exit, 1, "{many:?}");
        let first = format!("{name}: too many arguments\nusage:\n");
        assert!(many.err.starts_with(&first), "{many:?}");
        for word in ["--help", "-h"] {
            let help = run(program, &machine, &[word]);
            assert_eq!((help.exit, help.err.as_str()), (0, ""), "{help:?}");
            assert!(
                help.out.contains(name) && help.out.contains("--timeout"),
                "{help:?}"
            );
        }
        let version = run(program, &machine, &["--version"]);
        assert_eq!(version.exit, 0);
        assert!(version.out.contains(heartbeat::SUCCEEDS), "{version:?}");
    }
}

#[test]
fn without_a_daemon_it_says_so() {
    let machine = Machine::new("");
    for (name, program) in COMMANDS {
        for words in [&[][..], &["local", "--no-wait"]] {
            let stopped = run(program, &machine, words);
            assert_eq!((stopped.exit, stopped.out.as_str()), (4, ""), "{stopped:?}");
            assert!(
                stopped
                    .err
                    .starts_with(&format!("{name}: no heartbeat runs here")),
                "{stopped:?}"
            );
        }
    }
}

#[test]
fn nothing_moves_to_or_from_a_peer_that_is_not_there() {
    let mut machine = Machine::new("");
    machine.start();
    wait_for("service without the peer", || {
        (machine.cl_status(&["hbstatus"]).exit == 0).then_some(())
    });
    for (name, program) in COMMANDS {
        for words in [
            &[][..],
            &["all", "-v"],
            &["foreign", "--no-wait"],
            &["failback"],
        ] {
            let refused = run(program, &machine, words);
            assert_eq!(
                (refused.exit, refused.out.as_str()),
                (2, ""),
                "{words:?}: {refused:?}"
            );
            let first = format!("{name}: refused: the other node is not there");
            assert!(refused.err.starts_with(&first), "{refused:?}");
            assert_eq!(refused.err.lines().count(), 1, "{refused:?}");
        }
        machine.wait_for_log(&format!(
            "{name} [foreign] refused: the other node is not there"
        ));
    }
    let status = ask(&machine, r#"{"request":"status"}"#);
    assert!(status.contains(r#""movement":null"#), "{status}");
}

#[test]
fn a_node_that_has_just_started_moves_nothing() {
    let mut machine = Machine::new("initdead 600\n");
    machine.start();
    let refused = run(COMMANDS[0].1, &machine, &[]);
    assert_eq!(refused.exit, 2, "{refused:?}");
    assert!(refused.err.contains("has just started"), "{refused:?}");
}

#[test]
fn requests_that_are_none_are_errors() {
    let mut machine = Machine::new("");
    machine.start();
    for request in [
        r#"{"request":"standby"}"#,
        r#"{"request":"standby","selection":"failback"}"#,
        r#"{"request":"takeover","selection":["all"]}"#,
    ] {
        let answer = ask(&machine, request);
        assert!(answer.starts_with(r#"{"error":"not a request"#), "{answer}");
    }
}

#[test]
fn who_may_only_ask_can_not_move_anything() {
    if !is_root() {
        return skip("needs root, to become another user");
    }
    let mut machine = Machine::new("apiauth anon uid=4711\n");
    machine.start();
    let directory = tempfile::tempdir_in(machine.path("")).expect("a directory");
    std::fs::set_permissions(directory.path(), std::fs::Permissions::from_mode(0o755))
        .expect("set");
    let program = copy_program(COMMANDS[0].1, directory.path()).expect("copied");
    let ask_as = |user: u32| {
        let mut command = Command::new(&program);
        command.args(["all", "-C"]).arg(machine.path(""));
        command.uid(user).gid(65534);
        finish(command)
    };
    let outside = ask_as(4711);
    assert_eq!(outside.exit, 2, "{outside:?}");
    assert!(
        outside.err.contains("Only root, hacluster"),
        "by the directory: {outside:?}"
    );
    for name in ["run", "run/control"] {
        std::fs::set_permissions(machine.path(name), std::fs::Permissions::from_mode(0o777))
            .expect("set");
    }
    let inside = ask_as(4711);
    assert_eq!(inside.exit, 2, "{inside:?}");
    assert!(
        inside.err.contains("may move resources"),
        "by the daemon: {inside:?}"
    );
    assert!(ask_as(65534).err.contains("apiauth anon"));
    assert!(!machine.read("ha-log").contains("hb_standby"));
}
