//! Ping nodes on one machine: who may ping, and what is said where nobody answers.

use std::process::Command;

use crate::machine::{Machine, finish, is_root, skip, wait_for};

#[test]
fn without_the_right_to_open_raw_sockets_there_is_no_start() {
    let machine = Machine::new("ping 127.0.0.2\n");
    let heartbeat = machine.command(&["-f"]);
    let mut command = if is_root() {
        let mut command = Command::new("setpriv");
        command.arg("--bounding-set=-net_raw").arg("--");
        command.arg(heartbeat.get_program());
        command.args(heartbeat.get_args());
        for (name, value) in heartbeat.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
    } else {
        heartbeat
    };
    command.stdin(std::process::Stdio::null());
    let ended = finish(command);
    assert_eq!(ended.exit, 4, "{ended:?}");
    let log = machine.read("ha-log");
    let line = "cannot ping 127.0.0.2: a raw socket needs the capability CAP_NET_RAW (Operation not permitted";
    assert!(log.contains(line), "{log}");
    assert!(log.contains("remove the lines ping, ping6 and ping_group from ha.cf"));
}

#[test]
fn ping_nodes_are_nodes_of_their_own_kind() {
    if !is_root() {
        return skip("only root may ping");
    }
    let mut machine = Machine::new(
        "ping 127.0.0.2 127.0.0.1\nping6 ::1\nping_group loops 192.0.2.1 127.0.0.3\nping no-such-host.invalid\n",
    );
    machine.start();
    wait_for("communication", || {
        (machine.cl_status(&["hbstatus"]).exit == 0).then_some(())
    });
    for name in ["127.0.0.2", "127.0.0.1", "::1", "loops"] {
        wait_for("an answer", || {
            (machine.cl_status(&["nodestatus", name]).out == "ping\n").then_some(())
        });
        assert_eq!(machine.cl_status(&["nodetype", name]).out, "ping\n");
        let links = machine.cl_status(&["listhblinks", "-v", name]);
        assert_eq!(links.out, format!("\t{name}\tup\n"));
    }
    let nodes = machine.cl_status(&["listnodes", "-p"]);
    assert_eq!(
        nodes.out,
        "no-such-host.invalid\nloops\n::1\n127.0.0.1\n127.0.0.2\n"
    );
    let name = "no-such-host.invalid";
    wait_for("the end of its time", || {
        (machine.cl_status(&["nodestatus", name]).out == "dead\n").then_some(())
    });
    assert_eq!(machine.cl_status(&["nodestatus", name]).exit, 1);
    let log = machine.read("ha-log");
    for (line, times) in [
        ("cannot ping no-such-host.invalid: cannot resolve it: ", 1),
        ("ping node 127.0.0.1 is an address of this machine", 1),
        ("ping node ::1 is an address of this machine", 1),
        ("ping heartbeat started.", 5),
    ] {
        assert_eq!(log.matches(line).count(), times, "{line}\n{log}");
    }
}
