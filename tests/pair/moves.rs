//! `hb_standby` and `hb_takeover` between two daemons.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};
use std::time::Duration;

use nix::pty::openpty;

use crate::lab::journal::Mark;
use crate::lab::machine::Machine;
use crate::lab::{Pair, Setup, claim, eventually, files, throughout};

/// Two groups, each at home on one of the nodes.
fn two_groups() -> Setup {
    Setup {
        groups: vec![
            "alpha IPaddr::10.77.1.100/24/eth0 disk::left".to_owned(),
            "beta IPaddr::10.77.1.101/24/eth0 disk::right".to_owned(),
        ],
        ..Setup::default()
    }
}

const LEFT: &str = "IPaddr::10.77.1.100/24/eth0";
const RIGHT: &str = "IPaddr::10.77.1.101/24/eth0";

/// One of the commands as it runs.
fn begin(machine: &Machine, words: &[&str], output: impl Into<Stdio>) -> Child {
    let mut command = machine.program.command(words[0], false);
    command.args(&words[1..]);
    if !words
        .iter()
        .any(|word| ["--no-wait", "--timeout"].contains(word))
    {
        command.args(["--timeout", "60"]);
    }
    command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(Stdio::piped());
    machine.namespace.spawn(&mut command)
}

/// What it printed, what it complained about, how it ended.
fn finish(child: Child) -> (String, String, i32) {
    let output = child.wait_with_output().expect("our own child");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let status = output.status.code().unwrap_or(-1);
    (text(output.stdout), text(output.stderr), status)
}

fn run(machine: &Machine, words: &[&str]) -> (String, String, i32) {
    finish(begin(machine, words, Stdio::piped()))
}

/// Starts both and waits until each group is at home.
#[track_caller]
fn serve_at_home(pair: &mut Pair) {
    pair.serve_on_a();
    for (node, address) in pair.setup.floating().into_iter().enumerate() {
        pair.watch.expect_owner(node, address);
    }
    eventually("the disks run", || {
        pair.a.file("runs-left").exists() && pair.b.file("runs-right").exists()
    });
    pair.expect_settled();
}

/// A pair whose group runs on the first node.
fn serving(setup: Setup) -> Pair {
    let mut pair = Pair::alone(setup);
    pair.serve_on_a();
    eventually("the disk runs", || pair.a.file("runs-data").exists());
    pair.expect_settled();
    pair
}

/// Has the first node hand over its group, and keeps it stopping: until `stop-data` is released there, or for ever.
fn stuck_in_a_standby() -> (Pair, Child) {
    let pair = serving(Setup::default());
    pair.a.hold("stop-data");
    let child = begin(&pair.a, &["hb_standby"], Stdio::piped());
    eventually("it has begun", || {
        pair.a.cl_status(&["rscstatus"]) == "transition"
    });
    (pair, child)
}

/// Every command in turn: who is asked, for what, and which nodes have `left` and `right` afterwards.
fn every_way(auto_failback: &'static str) {
    let mut pair = Pair::alone(Setup {
        auto_failback: Some(auto_failback),
        ..two_groups()
    });
    serve_at_home(&mut pair);
    let moves = [
        (0, "hb_standby local", [1, 1]),
        (1, "hb_standby foreign", [0, 1]),
        (0, "hb_standby", [1, 1]),
        (1, "hb_standby failback", [0, 1]),
        (1, "hb_standby all", [0, 0]),
        (0, "hb_standby failback", [0, 1]),
        (0, "hb_takeover foreign", [0, 0]),
        (1, "hb_takeover failback", [0, 1]),
        (1, "hb_takeover", [1, 1]),
        (0, "hb_takeover local", [0, 1]),
        (0, "hb_takeover all", [0, 0]),
        (1, "hb_takeover local", [0, 1]),
    ];
    for (asked, line, owners) in moves {
        let words: Vec<_> = line.split(' ').collect();
        let machine = [&pair.a, &pair.b][asked];
        let result = run(machine, &words);
        assert_eq!(
            result,
            (String::new(), String::new(), 0),
            "{line} on {}",
            machine.name
        );
        for (address, owner) in pair.setup.floating().into_iter().zip(owners) {
            pair.watch.expect_owner(owner, address);
        }
        for (disk, owner) in ["runs-left", "runs-right"].into_iter().zip(owners) {
            let runs = [&pair.a, &pair.b].map(|machine| machine.file(disk).exists());
            assert_eq!(runs, [owner == 0, owner == 1], "{disk} after {line}");
        }
        pair.expect_settled();
    }
    pair.assert_never_two_owners();
}

#[test]
fn every_command_moves_what_it_says_from_either_side() {
    claim(|| every_way("off"));
}

#[test]
fn every_command_moves_what_it_says_with_auto_failback_on_too() {
    claim(|| every_way("on"));
}

#[test]
fn auto_failback_does_not_undo_a_standby() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        for (command, owner) in [("hb_standby", 1), ("hb_takeover", 0)] {
            assert_eq!(run(&pair.a, &[command]).2, 0);
            pair.watch.expect_owner(owner, pair.address());
            pair.assert_stays(owner, pair.long_enough());
        }
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_move_is_shown_line_by_line_and_ends_with_who_has_what() {
    claim(|| {
        let mut pair = Pair::alone(two_groups());
        serve_at_home(&mut pair);
        for (machine, action) in [
            (&pair.a, "stop-left"),
            (&pair.b, "start-left"),
            (&pair.b, "stop-left"),
            (&pair.a, "start-left"),
        ] {
            machine.hold(action);
        }
        let mut child = begin(&pair.a, &["hb_standby", "-v"], Stdio::piped());
        let out = child.stdout.take().expect("a pipe");
        let out = read_along(
            out,
            [
                ("alpha stops them", &pair.a, "stop-left"),
                ("beta starts them", &pair.b, "start-left"),
            ],
        );
        let (_, err, status) = finish(child);
        assert_eq!((err.as_str(), status), ("", 0), "{out}");
        assert_told(
            &out,
            "Going standby [all].",
            &["alpha stops them", "beta starts them", "done"],
            &format!("Now alpha runs nothing; beta runs {LEFT}, {RIGHT}."),
        );
        pair.expect_settled();

        let pty = openpty(None, None).expect("a pty");
        let child = begin(&pair.a, &["hb_takeover", "local"], pty.slave);
        let shown = read_along(
            File::from(pty.master),
            [
                ("beta stops them", &pair.b, "stop-left"),
                ("alpha starts them", &pair.a, "start-left"),
            ],
        );
        let (_, err, status) = finish(child);
        assert_eq!((err.as_str(), status), ("", 0));
        assert_told(
            &shown,
            "Taking over [local].",
            &["beta stops them", "alpha starts them", "done"],
            &format!("Now alpha runs {LEFT}; beta runs {RIGHT}."),
        );
        let json = pair.a.command("cl_status", &["hbstatus", "--json"]).0;
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        let movement = &json["movement"];
        assert_eq!(movement["request"], "takeover", "{movement}");
        assert_eq!(movement["selection"], "local");
        assert_eq!(movement["progress"], "done");
        assert_eq!(movement["number"], 2);
    });
}

/// What is printed, to its end. Once a line tells of a state, what was held in it is released.
fn read_along(output: impl Read, states: [(&str, &Machine, &str); 2]) -> String {
    let mut states = states.into_iter().peekable();
    let mut told = String::new();
    // A pty ends with an error when its other side is closed.
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let line = line.trim_end_matches('\r');
        if let Some((_, machine, action)) = states.next_if(|(state, ..)| line.ends_with(state)) {
            machine.release(action);
        }
        told.push_str(line);
        told.push('\n');
    }
    told
}

/// The first line, then at least these states in this order with times that never go back, then the last line.
#[track_caller]
fn assert_told(out: &str, first: &str, states: &[&str], last: &str) {
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.first(), Some(&first), "{out}");
    assert_eq!(lines.last(), Some(&last), "{out}");
    let mut between = lines[1..lines.len() - 1].iter();
    let mut before = 0.0;
    for line in between.clone() {
        let (time, _) = line
            .trim()
            .split_once(" s  ")
            .unwrap_or_else(|| panic!("{out}"));
        let time: f64 = time.parse().expect("seconds");
        assert!(time >= before, "{out}");
        before = time;
    }
    for state in states {
        assert!(
            between.any(|line| line.ends_with(state)),
            "no {state:?} in its place in:\n{out}"
        );
    }
}

#[test]
fn no_wait_returns_at_once_and_a_second_request_has_to_wait() {
    claim(|| {
        let pair = serving(Setup::default());
        pair.a.hold("stop-data");
        let begun = run(&pair.a, &["hb_standby", "all", "--no-wait"]);
        assert_eq!(begun, (String::new(), String::new(), 0));
        assert!(pair.a.file("runs-data").exists(), "it has only begun");
        let (out, err, status) = run(&pair.a, &["hb_standby"]);
        assert_eq!((out.as_str(), status), ("", 2), "{err}");
        assert!(
            err.starts_with("hb_standby: refused: another planned move"),
            "{err}"
        );
        pair.a.release("stop-data");
        pair.watch.expect_owner(1, pair.address());
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_time_limit_ends_the_waiting_and_not_the_move() {
    claim(|| {
        let pair = serving(Setup::default());
        pair.a.hold("stop-data");
        let (out, err, status) = run(&pair.a, &["hb_standby", "--timeout", "3"]);
        assert_eq!((out.as_str(), status), ("", 12), "{err}");
        assert!(
            err.starts_with("hb_standby: timed out (alpha stops them)"),
            "{err}"
        );
        pair.a.release("stop-data");
        pair.watch.expect_owner(1, pair.address());
        pair.assert_never_two_owners();
    });
}

#[test]
fn what_can_not_be_done_is_refused_with_the_reason() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        pair.expect_settled();
        let refused = |machine: &Machine, words: &[&str], reason: &str| {
            let (out, err, status) = run(machine, words);
            assert_eq!((out.as_str(), status), ("", 2), "{words:?}: {err}");
            assert!(
                err.starts_with(&format!("{}: refused: {reason}", words[0])),
                "{words:?}: {err}"
            );
        };
        refused(&pair.b, &["hb_standby", "-v"], "none of these groups");
        refused(&pair.a, &["hb_standby", "foreign"], "none of these groups");
        refused(&pair.a, &["hb_takeover"], "none of these groups");
        pair.b.stop();
        refused(&pair.a, &["hb_standby"], "the other node is not there");
        refused(&pair.a, &["hb_takeover"], "the other node is not there");
        pair.assert_stays(0, Duration::from_millis(500));
        pair.assert_never_two_owners();
    });
}

#[test]
fn nothing_moves_by_hand_with_auto_failback_legacy() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            auto_failback: None,
            ..Setup::default()
        });
        pair.serve_on_a();
        for words in [&["hb_standby"][..], &["hb_standby", "all", "--no-wait"]] {
            let (_, err, status) = run(&pair.a, words);
            assert_eq!(status, 2, "{err}");
            assert!(err.contains("auto_failback legacy"), "{err}");
        }
        pair.assert_stays(0, pair.long_enough());
    });
}

#[test]
fn nothing_moves_while_the_haresources_differ() {
    claim(|| {
        let mut pair = Pair::alone(Setup {
            initdead: 3000,
            ..Setup::default()
        });
        pair.a.start();
        pair.watch.expect_owner(0, pair.address());
        files::write(
            &pair.b.file("ha.d/haresources"),
            "alpha IPaddr::10.77.1.100/24/eth0 disk::another\n",
            0o644,
        );
        pair.b.start();
        pair.a.log().expect(Mark::START, "haresources differs");
        pair.expect_settled();
        for machine in [&pair.a, &pair.b] {
            let (_, err, status) = run(machine, &["hb_standby"]);
            assert_eq!(status, 2, "{err}");
            assert!(err.contains("different haresources"), "{err}");
        }
        pair.assert_stays(0, pair.long_enough());
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_group_that_does_not_stop_fails_the_move_and_stays() {
    claim(|| {
        let pair = serving(Setup {
            more: "env STOPRETRYMAX=1\n",
            ..Setup::default()
        });
        files::write(&pair.a.file("fail-stop-data"), "", 0o644);
        let (_, err, status) = run(&pair.a, &["hb_standby"]);
        assert_eq!(status, 3, "{err}");
        assert!(
            err.starts_with("hb_standby: failed: a group could not be stopped"),
            "{err}"
        );
        throughout(
            pair.long_enough(),
            "the other node does not start it on hope",
            || !pair.b.file("runs-data").exists() && !pair.b.holds(pair.address()),
        );
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_group_that_does_not_start_there_fails_the_move_and_returns() {
    claim(|| {
        let pair = serving(Setup::default());
        files::write(&pair.b.file("fail-start-data"), "", 0o644);
        let (_, err, status) = run(&pair.b, &["hb_takeover"]);
        assert_eq!(status, 3, "{err}");
        assert!(
            err.starts_with("hb_takeover: failed: a group could not be started"),
            "{err}"
        );
        pair.watch.expect_owner(0, pair.address());
        eventually("the disk runs again", || pair.a.file("runs-data").exists());
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_peer_that_dies_meanwhile_fails_the_move_and_the_service_goes_on() {
    claim(|| {
        let (mut pair, child) = stuck_in_a_standby();
        pair.power_off(1);
        pair.a.log().expect(Mark::START, "node beta: is dead");
        pair.a.release("stop-data");
        let (_, err, status) = finish(child);
        assert_eq!(status, 3, "{err}");
        assert!(
            err.starts_with("hb_standby: failed: the other node died"),
            "{err}"
        );
        pair.watch.expect_owner(0, pair.address());
        eventually("the disk runs again", || pair.a.file("runs-data").exists());
    });
}

#[test]
fn a_daemon_that_dies_meanwhile_is_told() {
    claim(|| {
        let (mut pair, child) = stuck_in_a_standby();
        pair.a.kill_daemon();
        let (_, err, status) = finish(child);
        assert_eq!(status, 3, "{err}");
        assert!(err.contains("heartbeat was stopped on this node"), "{err}");
    });
}

#[test]
fn a_stop_in_the_middle_of_a_move_is_told_and_hands_everything_over() {
    claim(|| {
        let (mut pair, child) = stuck_in_a_standby();
        let mark = pair.a.log().mark();
        pair.a.request_stop();
        pair.a.log().expect(mark, "Heartbeat shutdown in progress.");
        pair.a.release("stop-data");
        let (_, err, status) = finish(child);
        assert_eq!(status, 3, "{err}");
        assert!(
            err.contains("this node was told to stop") || err.contains("was stopped on this node"),
            "{err}"
        );
        assert!(pair.a.wait_stopped().success());
        pair.watch.expect_owner(1, pair.address());
        pair.assert_never_two_owners();
    });
}
