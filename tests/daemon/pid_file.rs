//! The lock decides who runs, not a number in a file.

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};

use crate::machine::Machine;

#[test]
fn a_number_left_behind_is_neither_believed_nor_signalled() {
    let mut machine = Machine::new("");
    let mut stranger = Command::new("sleep").arg("600").spawn().expect("started");
    std::fs::create_dir(machine.path("run")).expect("made");
    machine.write("run/heartbeat.pid", &format!("{:10}\n", stranger.id()));

    let status = machine.heartbeat(&["-s"]);
    let stop = machine.heartbeat(&["-k"]);
    let stranger_lives = stranger.try_wait().expect("a child").is_none();
    machine.start();
    stranger.kill().expect("killed");
    stranger.wait().expect("ended");

    assert_eq!(
        status.exit, 1,
        "a daemon that left its pid file behind is dead: {status:?}"
    );
    assert_eq!(stop.exit, 0, "{stop:?}");
    assert!(stranger_lives, "the number belongs to somebody else");
    assert_ne!(machine.pid(), i32::try_from(stranger.id()).expect("a pid"));
}

#[test]
fn after_a_crash_everything_says_stopped_and_a_new_start_works() {
    let mut machine = Machine::new("");
    machine.start();
    let first: u64 = machine
        .read("state/hb_generation")
        .trim()
        .parse()
        .expect("a number");
    machine.crash();
    assert_eq!(machine.heartbeat(&["-s"]).exit, 1);
    let status = machine.cl_status(&["hbstatus"]);
    assert_eq!(
        (status.exit, status.out.as_str()),
        (1, "Heartbeat is stopped on this machine.\n")
    );
    machine.start();
    let second: u64 = machine
        .read("state/hb_generation")
        .trim()
        .parse()
        .expect("a number");
    assert!(second > first, "{second} after {first}");
}

#[test]
fn a_start_waits_for_a_child_that_a_killed_daemon_had_just_forked() {
    let mut machine = Machine::new("");
    machine.start();
    let dead = machine.pid();
    machine.crash();
    // Stands for the child: it has the lock of the dead one until it becomes another program.
    let path = machine.path("run/heartbeat.pid");
    let child = File::options().read(true).write(true).open(&path);
    let child = child.expect("left behind");
    let whole = libc::flock {
        l_type: libc::c_short::try_from(libc::F_WRLCK).expect("small"),
        l_whence: 0,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    fcntl(&child, FcntlArg::F_OFD_SETLK(&whole)).expect("nobody holds it");
    let holds_it_for_a_while = std::thread::spawn(move || {
        heartbeat::os::process::pause(Duration::from_millis(500));
        drop(child);
    });
    machine.start();
    holds_it_for_a_while.join().expect("ended");
    assert_ne!(machine.pid(), dead);
}

#[test]
fn a_removed_pid_file_does_not_let_a_second_daemon_in() {
    let mut machine = Machine::new("");
    machine.start();
    std::fs::remove_file(machine.path("run/heartbeat.pid")).expect("removed");
    let second = machine.heartbeat(&["-f"]);
    assert_eq!(second.exit, 1, "{second:?}");
    assert!(
        second
            .err
            .contains("another heartbeat uses the state directory"),
        "{second:?}"
    );
    assert!(machine.answers(), "the first is not disturbed");
}
