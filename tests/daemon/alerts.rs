//! Alerts by commands and webhooks.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use crate::machine::{Machine, skip, wait_for};

/// Writes a program that finds itself in the directory of the machine; gives its path.
fn write_program(machine: &Machine, name: &str, script: &str) -> String {
    let text = format!("#!/bin/sh\ncd {}\n{script}\n", machine.path("").display());
    machine.write(name, &text);
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(machine.path(name), mode).expect("set");
    machine.path(name).display().to_string()
}

fn add_lines(machine: &Machine, lines: &str) {
    machine.write("ha.cf", &(machine.read("ha.cf") + lines));
}

#[test]
fn a_command_is_told_of_a_dead_node_and_a_stuck_one_delays_nothing() {
    let mut machine = Machine::new("");
    let tell = write_program(
        &machine,
        "tell",
        "cat >> told; echo \"$1 $HA_ALERT_KIND $HA_ALERT_NODE $HA_ALERT_PEER $HA_CURHOST\" >> seen",
    );
    let stuck = write_program(&machine, "stuck", "echo $$ > pid; exec sleep 300");
    add_lines(
        &machine,
        &format!("alert command {tell} 'two words'\nalert command {stuck}\n"),
    );
    machine.write("haresources", "here thing\n");
    fs::create_dir(machine.path("resource.d")).expect("made");
    write_program(
        &machine,
        "resource.d/thing",
        "case $1 in\nstart) touch runs;;\nstop) rm runs;;\nstatus) [ -e runs ] && echo running || echo stopped;;\nesac",
    );
    machine.start();
    machine.wait_for_log("thing: running here");
    let told = wait_for("the alert", || {
        let told = machine.read("told");
        let line = told.lines().find(|line| line.contains("peer-dead"));
        line.map(str::to_owned)
    });
    let letter: serde_json::Value = serde_json::from_str(&told).expect("JSON");
    for (member, expected) in [
        ("kind", "peer-dead"),
        ("severity", "warn"),
        ("node", "here"),
        ("peer", "there"),
        ("text", "node there: is dead"),
    ] {
        assert_eq!(letter[member], expected, "{told}");
    }
    wait_for("its variables", || {
        let seen = machine.read("seen");
        seen.contains("two words peer-dead here there here\n")
            .then_some(())
    });
    wait_for("the stuck one", || {
        machine.read("pid").trim().parse::<i32>().ok()
    });
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert!(!machine.path("runs").exists());
    let pid = machine.read("pid").trim().parse().expect("a number");
    let pid = nix::unistd::Pid::from_raw(pid);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("runs still");
}

#[test]
fn a_test_tells_what_came_of_each_way() {
    let machine = Machine::new("");
    let none = machine.heartbeat(&["alert-test"]);
    assert_eq!(none.exit, 1);
    assert!(none.err.contains("no `alert` line"), "{}", none.err);

    let good = write_program(&machine, "good", "cat > told");
    add_lines(&machine, &format!("alert command {good}\n"));
    let sent = machine.heartbeat(&["alert-test"]);
    assert_eq!(
        (sent.exit, sent.err),
        (0, format!("command {good}: sent\n"))
    );
    assert!(machine.read("told").contains("\"kind\":\"test\""));

    let bad = write_program(&machine, "bad", "echo no such pager; exit 3");
    add_lines(&machine, &format!("alert command {bad}\n"));
    let failed = machine.heartbeat(&["alert-test"]);
    assert_eq!(failed.exit, 1);
    let expected =
        format!("command {good}: sent\ncommand {bad}: failed with exit code 3:\n  no such pager\n");
    assert_eq!(failed.err, expected);
}

/// Answers one request; gives what was asked.
fn serve(listener: &TcpListener, status: &str) -> String {
    let (mut stream, _) = listener.accept().expect("a client");
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    // The alert ends with a brace; a head does not have any.
    while !request.ends_with(b"}") {
        let length = stream.read(&mut buffer).expect("a request");
        assert!(length > 0, "{}", String::from_utf8_lossy(&request));
        request.extend_from_slice(&buffer[..length]);
    }
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(answer.as_bytes()).expect("answered");
    String::from_utf8_lossy(&request).into_owned()
}

#[test]
fn a_webhook_gets_the_alert_and_its_no_is_told_without_its_secret() {
    if !fs::exists("/usr/bin/curl").unwrap_or(false) {
        skip("curl is not installed");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let machine = Machine::new("");
    add_lines(
        &machine,
        &format!("alert webhook http://127.0.0.1:{port}/a-secret?x=\"[1]\n"),
    );
    let server = thread::spawn(move || {
        [
            serve(&listener, "204 No Content"),
            serve(&listener, "500 No"),
        ]
    });
    let sent = machine.heartbeat(&["alert-test"]);
    let failed = machine.heartbeat(&["alert-test"]);
    assert_eq!(
        (sent.exit, sent.err),
        (0, format!("webhook to 127.0.0.1:{port}: sent\n"))
    );
    assert_eq!(failed.exit, 1, "{}", failed.err);
    assert!(
        failed.err.contains("failed with exit code 22"),
        "{}",
        failed.err
    );
    assert!(!failed.err.contains("a-secret"), "{}", failed.err);
    let [request, _] = server.join().expect("served");
    assert!(
        request.starts_with("POST /a-secret?x=\"[1] HTTP/1.1\r\n"),
        "{request}"
    );
    assert!(
        request.contains("Content-Type: application/json\r\n"),
        "{request}"
    );
    let (_, body) = request.split_once("\r\n\r\n").expect("a head");
    let letter: serde_json::Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(letter["kind"], "test");
}
