//! `cl_status` and the control socket, with clients of every kind.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::Command;

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
