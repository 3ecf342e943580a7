//! `cl_status` and the control socket, with clients of every kind.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::tcgetattr;
use nix::unistd::Pid;

use crate::machine::{Machine, copy_program, finish, is_root, skip, wait_for};

fn connect(machine: &Machine) -> UnixStream {
    UnixStream::connect(machine.path("run/control")).expect("connects")
}

fn ask(mut stream: UnixStream, request: &[u8]) -> String {
    stream.write_all(request).expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn the_old_commands_work_against_the_real_daemon() {
    let mut machine = Machine::new("");
    machine.start();
    // The peer is silent: at initdead it counts as dead, and this node is in service.
    wait_for("communication", || {
        (machine.cl_status(&["hbstatus"]).exit == 0).then_some(())
    });
    let cases = [
        (
            &["hbstatus"][..],
            "Heartbeat is running on this machine.\n",
            0,
        ),
        (&["listnodes", "-n"], "there\nhere\n", 0),
        (&["listnodes"], "there\nhere\n", 0),
        (&["nodestatus", "here"], "active\n", 0),
        (&["nodestatus", "there"], "dead\n", 1),
        (&["rscstatus"], "all\n", 0),
        (&["hbparameter", "-p", "keepalive"], "200ms\n", 0),
        (&["hbparameter", "-p", "nothing"], "", 1),
        (&["nodestatus", "nobody"], "", 11),
        (&["hblinkstatus", "there", "eth7"], "", 13),
    ];
    for (arguments, out, exit) in cases {
        let reply = machine.cl_status(arguments);
        assert_eq!(
            (reply.out.as_str(), reply.exit),
            (out, exit),
            "{arguments:?}: {reply:?}"
        );
    }
    let links = machine.cl_status(&["listhblinks", "there"]);
    assert!(links.out.starts_with("\t/dev/pts/"), "{links:?}");
    let json: serde_json::Value =
        serde_json::from_str(&machine.cl_status(&["hbstatus", "--json"]).out).expect("JSON");
    assert_eq!(json["node"], "here");
    assert!(json["heartbeat-as-of"].as_u64() >= json["since"].as_u64());
}

#[test]
fn a_starting_daemon_is_stopped_for_scripts_and_starting_for_people() {
    let mut machine = Machine::new("initdead 600\n");
    machine.start();
    let status = machine.cl_status(&["hbstatus"]);
    assert_eq!(
        (status.exit, status.out.as_str()),
        (1, "Heartbeat is stopped on this machine.\n")
    );
    assert!(
        status.err.contains("starting: not yet heard from there"),
        "{status:?}"
    );
}

#[test]
fn slow_and_silent_clients_delay_nobody() {
    let mut machine = Machine::new("");
    machine.start();
    let crowd: Vec<_> = (0..64)
        .map(|number| {
            let mut stream = connect(&machine);
            if number % 2 == 0 {
                stream.write_all(b"{\"requ").expect("taken");
            }
            stream
        })
        .collect();
    assert!(ask(connect(&machine), b"{\"request\":\"status\"}\n").starts_with("{\"status\":"));
    machine.wait_for_heartbeat();
    assert_eq!(
        machine
            .cl_status(&["nodestatus", "here", "-v"])
            .out
            .lines()
            .count(),
        1
    );
    drop(crowd);
}

#[test]
fn whatever_a_client_says_the_daemon_goes_on() {
    let mut machine = Machine::new("");
    machine.start();
    for request in [
        &b"\n"[..],
        b"{}\n",
        b"[[[[[[[[\n",
        b"\xff\xfe\0\n",
        b"{\"request\":\"stop\"}\n",
    ] {
        assert!(
            ask(connect(&machine), request).starts_with("{\"error\":"),
            "{request:?}"
        );
    }
    assert!(ask(connect(&machine), &b"[".repeat(4097)).starts_with("{\"error\":"));
    drop(connect(&machine));
    assert!(machine.answers());
}

#[test]
fn only_those_whom_apiauth_names_get_an_answer() {
    if !is_root() {
        return skip("needs root, to become another user");
    }
    let mut machine = Machine::new("apiauth anon uid=4711\n");
    machine.start();
    let program = copy_program(env!("CARGO_BIN_EXE_cl_status"), &machine.path("")).expect("copied");
    let ask_as = |user: u32| {
        let mut command = Command::new(&program);
        command.args(["listnodes", "-C"]).arg(machine.path(""));
        command.uid(user).gid(65534);
        finish(command)
    };
    let outside = ask_as(65534);
    assert_eq!(outside.exit, 1, "{outside:?}");
    assert!(
        outside.err.contains("Permission denied"),
        "by the directory: {outside:?}"
    );
    for name in ["run", "run/control"] {
        std::fs::set_permissions(machine.path(name), std::fs::Permissions::from_mode(0o777))
            .expect("set");
    }
    let inside = ask_as(65534);
    assert_eq!(inside.exit, 1, "{inside:?}");
    assert!(
        inside.err.contains("apiauth anon"),
        "by the daemon: {inside:?}"
    );
    assert_eq!(ask_as(4711).exit, 0);
}

#[test]
fn a_line_that_leads_back_to_this_machine_is_named_in_the_log_and_in_the_status() {
    let mut machine = Machine::new("");
    machine.start();
    let words = "what this node says comes back to it";
    machine.echo_until("the words of this node come back", || {
        machine.read("ha-log").contains(words).then_some(())
    });
    machine.wait_for_log("WARN: serial /dev/pts/");
    let json = machine.cl_status(&["listhblinks", "there", "--json"]).out;
    let links: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    let line = &links[0]["serial"];
    assert_eq!(line["stranger"], "ourselves", "{line}");
    assert_eq!(
        (&line["noise"], line["errors"].is_null()),
        (&0.into(), true),
        "{line}"
    );
    wait_for("communication", || {
        (machine.cl_status(&["hbstatus"]).exit == 0).then_some(())
    });
    let text = machine.cl_status(&["hbstatus", "-v"]).out;
    assert!(text.contains("\nserial lines\n\t/dev/pts/"), "{text}");
    assert_eq!(machine.cl_status(&["nodestatus", "there"]).exit, 1);
}

#[test]
fn of_a_daemon_that_stands_still_or_is_dead_nothing_is_known() {
    let mut machine = Machine::new("");
    machine.start();
    let shown = |machine: &Machine| {
        ["status", "reboot-safe"].map(|question| {
            let reply = machine.cl_status(&[question]);
            let json = machine.cl_status(&[question, "--json"]);
            let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
            (reply, json)
        })
    };
    machine.signal(Signal::SIGSTOP);
    let stopped = shown(&machine);
    machine.signal(Signal::SIGCONT);
    machine.crash();
    let dead = shown(&machine);
    for ([(status, json), (reboot, verdict)], exit) in [(stopped, 12), (dead, 1)] {
        assert!(status.out.starts_with("UNKNOWN: "), "{status:?}");
        assert!(!status.out.contains("NODES"), "{status:?}");
        assert_eq!((status.exit, reboot.exit), (exit, 1));
        assert_eq!(json["verdict"], "unknown", "{json}");
        assert!(json["as-of"].is_u64() && json["nodes"].is_null(), "{json}");
        assert!(reboot.out.starts_with("NO: "), "{reboot:?}");
        assert_eq!(verdict["safe"], false, "{verdict}");
    }
}

fn follow(machine: &Machine) -> BufReader<UnixStream> {
    let mut stream = connect(machine);
    let request = b"{\"request\":\"events\",\"follow\":true}\n";
    stream.write_all(request).expect("taken");
    let limit = std::time::Duration::from_secs(60);
    stream.set_read_timeout(Some(limit)).expect("set");
    BufReader::new(stream)
}

fn next_line(reader: &mut BufReader<UnixStream>) -> String {
    let mut line = String::new();
    reader.read_line(&mut line).expect("a line or the end");
    line
}

#[test]
fn events_are_followed_by_eight_at_a_time_until_they_leave_or_the_daemon_does() {
    let mut machine = Machine::new("");
    machine.start();
    let mut readers: Vec<_> = (0..8).map(|_| follow(&machine)).collect();
    for reader in &mut readers {
        let line = next_line(reader);
        assert!(line.starts_with("{\"number\":1,\"at\":"), "{line}");
    }
    let refused = next_line(&mut follow(&machine));
    assert!(refused.contains("too many clients follow"), "{refused}");
    assert!(machine.answers(), "whoever only asks has a place still");
    readers.pop();
    let mut ninth = None;
    wait_for("the place of one that has left", || {
        let mut reader = follow(&machine);
        let line = next_line(&mut reader);
        ninth = Some(reader);
        line.starts_with("{\"number\":1,").then_some(())
    });
    // The peer is silent: at initdead this node goes on alone, which those are told who wait for it.
    let mut found = false;
    while !found {
        let line = next_line(&mut readers[0]);
        assert!(!line.is_empty(), "the daemon has not left");
        found = line.contains("node there: is dead");
    }
    let history = machine.cl_status(&["events", "--no-follow", "--since", "1h"]);
    assert!(
        history.out.contains(" WARN   node there: is dead\n"),
        "{history:?}"
    );
    let nothing = machine.cl_status(&["events", "--no-follow", "--since", "@99999999999"]);
    assert_eq!((nothing.out.as_str(), nothing.exit), ("", 0));
    let wrong = machine.cl_status(&["events", "--since", "noon"]);
    assert!(wrong.exit == 11 && wrong.err.contains("90s"), "{wrong:?}");
    machine.crash();
    while !next_line(&mut readers[0]).is_empty() {}
    let gone = machine.cl_status(&["events"]);
    assert!(
        gone.exit == 1 && gone.err.contains("no heartbeat runs here"),
        "{gone:?}"
    );
}

/// `cl_status watch` on a terminal of its own, what it has drawn, and the terminal.
fn watch(machine: &Machine) -> (Child, File, File) {
    let size = Winsize {
        ws_row: 10,
        ws_col: 60,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    let OpenptyResult { master, slave } = openpty(Some(&size), None).expect("a pty");
    let mut command = Command::new(env!("CARGO_BIN_EXE_cl_status"));
    command.args(["watch", "-C"]).arg(machine.path(""));
    command.env("NO_COLOR", "1");
    fcntl(&master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).expect("set");
    let end = || slave.try_clone().expect("another descriptor");
    let child = command.stdin(end()).stdout(end()).spawn().expect("started");
    (child, master.into(), slave.into())
}

/// Reads until these words have been drawn.
fn drawn(terminal: &mut File, page: &mut String, words: &str) {
    let mut buffer = [0; 4096];
    wait_for(words, || {
        let length = terminal.read(&mut buffer).unwrap_or(0); // nothing yet
        page.push_str(&String::from_utf8_lossy(&buffer[..length]));
        page.contains(words).then_some(())
    });
}

fn ended(child: &mut Child) -> bool {
    let status = wait_for("the end of watch", || child.try_wait().expect("a child"));
    status.success()
}

#[test]
fn watch_leaves_the_terminal_as_it_was_however_it_ends() {
    const LEAVE: &str = "\x1b[?25h\x1b[?1049l";
    let mut machine = Machine::new("");
    machine.start();
    for signal in [None, Some(Signal::SIGINT), Some(Signal::SIGTERM)] {
        let (mut child, mut terminal, slave) = watch(&machine);
        let mut page = String::new();
        drawn(&mut terminal, &mut page, "NODES");
        assert!(page.starts_with("\x1b[?1049h\x1b[?25l\x1b[H"), "{page:?}");
        assert!(page.contains(": what here knows, as of "), "{page:?}");
        let during = tcgetattr(slave.as_fd()).expect("a terminal");
        match signal {
            // That the key for it sends it, is for a terminal with a session.
            Some(signal) => {
                let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
                kill(pid, signal).expect("signalled");
            }
            None => terminal.write_all(b"q").expect("typed"),
        }
        assert!(ended(&mut child), "{signal:?}");
        drawn(&mut terminal, &mut page, LEAVE);
        assert!(page.ends_with(LEAVE), "{page:?}");
        let after = tcgetattr(slave.as_fd()).expect("a terminal");
        let (was, is) = (during.local_flags, after.local_flags);
        let echo = nix::sys::termios::LocalFlags::ECHO;
        assert!(!was.contains(echo) && is.contains(echo), "{was:?} {is:?}");
    }
}

#[test]
fn watch_says_unknown_once_the_daemon_is_dead_and_needs_a_terminal() {
    let mut machine = Machine::new("");
    machine.start();
    let (mut child, mut terminal, _slave) = watch(&machine);
    let mut page = String::new();
    drawn(&mut terminal, &mut page, "NODES");
    machine.crash();
    drawn(&mut terminal, &mut page, "UNKNOWN: ");
    terminal.write_all(b"q").expect("typed");
    assert!(ended(&mut child));
    let reply = machine.cl_status(&["watch"]);
    assert_eq!((reply.exit, reply.out.as_str()), (11, ""));
    assert!(reply.err.contains("needs a terminal"), "{reply:?}");
}
