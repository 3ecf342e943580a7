//! What somebody removes under a running daemon.

use std::fs;

use crate::machine::Machine;

#[test]
fn a_removed_run_directory_is_made_again_and_the_daemon_is_found_in_it() {
    let mut machine = Machine::new("");
    machine.start();
    let pid = machine.pid();
    fs::remove_dir_all(machine.path("run")).expect("removed");
    machine.wait_until_up();
    machine.wait_for_log("Somebody removed the control socket");
    machine.wait_for_log("Somebody removed the pid file");
    assert_eq!(machine.pid(), pid);
    assert_eq!(machine.heartbeat(&["-s"]).exit, 0);
    assert_eq!(
        machine.heartbeat(&["-k"]).exit,
        0,
        "it is stopped by its pid file"
    );
    assert_eq!(machine.wait_for_end(), 0);
    assert_eq!(
        fs::read_dir(machine.path("run"))
            .expect("a directory")
            .count(),
        0
    );
}

#[test]
fn a_control_socket_that_cannot_be_made_again_is_told_once_and_made_later() {
    let mut machine = Machine::new("");
    machine.start();
    let socket = machine.path("run/control");
    fs::remove_file(&socket).expect("removed");
    fs::create_dir(&socket).expect("made");
    machine.wait_for_log("It cannot be made again: ");
    machine.wait_for_heartbeat();
    fs::remove_dir(&socket).expect("removed");
    machine.wait_until_up();
    let log = machine.read("ha-log");
    let count = |text| log.lines().filter(|line| line.contains(text)).count();
    assert_eq!(count("cannot be made again"), 1, "{log}");
    machine.wait_for_log("it is made again");
}
