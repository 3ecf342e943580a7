//! A daemon killed while resources run or start, and started again.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::machine::{Machine, wait_for};

const LEFTOVER: &str = "which the daemon before this one began";

/// A node with one resource, made by this script; its peer is given up after three seconds.
fn machine(script: &str) -> Machine {
    let machine = Machine::new("");
    machine.write("haresources", "here thing\n");
    std::fs::create_dir(machine.path("resource.d")).expect("made");
    let directory = machine.path("");
    let text = format!("#!/bin/sh\ncd {}\n{script}\n", directory.display());
    machine.write("resource.d/thing", &text);
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(machine.path("resource.d/thing"), mode).expect("set");
    machine
}

#[test]
fn a_service_in_the_group_of_its_script_does_not_hold_up_the_next_daemon() {
    let mut machine = machine(
        "case $1 in
        start) [ -e pid ] || { sleep 300 & echo $! > pid; };;
        stop) kill $(cat pid); rm pid;;
        status) if [ -e pid ]; then echo running; else echo stopped; fi;;
        esac",
    );
    machine.start();
    machine.wait_for_log("thing: running here");
    let service: i32 = machine.read("pid").trim().parse().expect("a number");
    machine.crash();
    machine.start();
    machine.wait_for_log("thing: runs here although");
    assert!(!machine.read("ha-log").contains(LEFTOVER));
    kill(Pid::from_raw(service), Signal::SIGKILL).expect("it was left alone");
}

#[test]
fn nothing_is_known_of_a_group_while_its_start_outlives_a_daemon() {
    let mut machine = machine(
        "case $1 in
        start) echo $$ > starting; while ! [ -e go ]; do sleep 0.1; done; touch runs;;
        stop) rm runs;;
        status) if [ -e runs ]; then echo running; else echo stopped; fi;;
        esac",
    );
    machine.start();
    let pid = wait_for("the script", || {
        machine.read("starting").trim().parse::<i32>().ok()
    });
    machine.crash();
    machine.start();
    let warning = format!("resource.d/thing  start [pid {pid}], {LEFTOVER}, still runs.");
    machine.wait_for_log(&warning);
    machine.wait_for_log("node there: is dead");
    let answer = machine.cl_status(&["rscstatus"]);
    assert_eq!(answer.out.trim(), "transition", "{answer:?}");
    assert!(!machine.read("ha-log").contains("runs here although"));
    machine.write("go", "");
    machine.wait_for_log("thing: runs here although");
    machine.wait_for_log("thing: running here");
    assert!(machine.read("ha-log").contains("has ended"));
}
