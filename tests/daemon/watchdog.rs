//! The watchdog, with a pipe in its place.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Command, Stdio};

use nix::sys::stat::Mode;

use crate::machine::{Machine, finish, is_root, skip, wait_for};

/// The reader must be there before the daemon opens the other end.
fn pipe(machine: &Machine) -> File {
    pipe_at(machine, "watchdog")
}

fn pipe_at(machine: &Machine, name: &str) -> File {
    nix::unistd::mkfifo(&machine.path(name), Mode::S_IRWXU).expect("made");
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    File::options()
        .read(true)
        .custom_flags(flags)
        .open(machine.path(name))
        .expect("opens")
}

/// A watchdog with these attributes in the kernel's list, and the pipe that is its device.
fn board(machine: &Machine, attributes: &[(&str, &str)]) -> File {
    let class = "devices/sys/class/watchdog/watchdog0";
    fs::create_dir_all(machine.path(class)).expect("a directory");
    fs::create_dir_all(machine.path("devices/dev")).expect("a directory");
    for (name, text) in attributes {
        machine.write(&format!("{class}/{name}"), &format!("{text}\n"));
    }
    pipe_at(machine, "devices/dev/watchdog0")
}

fn status(machine: &Machine) -> serde_json::Value {
    let json = machine.cl_status(&["hbstatus", "--json"]).out;
    let status: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    status["watchdog"].clone()
}

fn with_watchdog(lines: &str) -> (Machine, File) {
    let machine = Machine::new("");
    let device = pipe(&machine);
    let ha_cf = format!(
        "{}watchdog {}\n{lines}",
        machine.read("ha.cf"),
        machine.path("watchdog").display()
    );
    machine.write("ha.cf", &ha_cf);
    (machine, device)
}

#[test]
fn it_is_fed_while_the_loop_turns_and_disarmed_by_a_clean_stop_alone() {
    let (mut machine, mut device) = with_watchdog("");
    machine.start();
    let mut fed = Vec::new();
    wait_for("three feeds", || {
        let _ = device.read_to_end(&mut fed);
        (fed.len() >= 3).then_some(())
    });
    assert!(fed.iter().all(|&byte| byte == 0), "{fed:?}");
    machine.crash();
    fed.clear();
    device.read_to_end(&mut fed).expect("readable");
    assert!(!fed.contains(&b'V'), "a crash leaves it armed");

    machine.start();
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    fed.clear();
    device.read_to_end(&mut fed).expect("readable");
    assert_eq!(
        fed.iter().position(|&byte| byte == b'V'),
        Some(fed.len() - 1),
        "{fed:?}"
    );
}

#[test]
fn one_that_could_not_fire_before_the_takeover_is_refused_with_a_remedy() {
    let (machine, _device) = with_watchdog("deadtime 1\n");
    let refused = machine.heartbeat(&["-f"]);
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(
        refused.err.contains("set deadtime to 1.7s or more"),
        "{refused:?}"
    );
}

#[test]
fn one_that_cannot_be_opened_is_refused() {
    let machine = Machine::new("watchdog /dev/no-such-watchdog\n");
    let refused = machine.heartbeat(&["-f"]);
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(
        refused
            .err
            .contains("Cannot open watchdog device: /dev/no-such-watchdog"),
        "{refused:?}"
    );
}

#[test]
fn one_that_is_wanted_is_done_without_and_taken_once_it_is_there() {
    let machine = Machine::new("watchdog_policy wanted\n");
    let mut machine = machine;
    let path = machine.path("watchdog");
    let ha_cf = machine.read("ha.cf");
    machine.write("ha.cf", &format!("{ha_cf}watchdog {}\n", path.display()));
    machine.start();
    machine.wait_for_log("WARN: No watchdog: Cannot open watchdog device");
    let before = status(&machine);
    assert_eq!(before["armed"], false, "{before}");
    assert_eq!(before["policy"], "wanted", "{before}");
    let problem = before["problem"].as_str().expect("told");
    assert!(problem.contains("No such file"), "{problem}");

    let mut device = pipe(&machine);
    let mut fed = Vec::new();
    wait_for("a feed", || {
        let _ = device.read_to_end(&mut fed);
        (!fed.is_empty()).then_some(())
    });
    machine.wait_for_log("Using watchdog device");
    let after = status(&machine);
    assert_eq!(
        (&after["armed"], &after["timeout"]),
        (&true.into(), &2.into())
    );
    wait_for("communication", || {
        (machine.cl_status(&["hbstatus"]).exit == 0).then_some(())
    });
    let text = machine.cl_status(&["hbstatus", "-v"]).out;
    let head = format!(
        "\nwatchdog\t{}\tarmed\n\ttimeout\t2 s\n\tfed\t",
        path.display()
    );
    assert!(text.contains(&head), "{text}");
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    let _ = device.read_to_end(&mut fed);
    assert_eq!(fed.last(), Some(&b'V'), "disarmed");
}

#[test]
fn it_is_found_by_what_it_is_and_what_cannot_be_disarmed_is_told_at_start_and_stop() {
    let mut machine = Machine::new("watchdog identity:A_Board\n");
    let refused = machine.heartbeat(&["-f"]);
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(
        refused.err.contains("no watchdog identity:A_Board")
            && refused
                .err
                .contains("With `watchdog_policy wanted` heartbeat starts without it"),
        "{refused:?}"
    );
    let _device = board(
        &machine,
        &[
            ("identity", "A Board"),
            ("nowayout", "1"),
            ("bootstatus", "32"),
        ],
    );
    let checked = machine.heartbeat(&["check"]);
    assert!(
        checked
            .err
            .contains("watchdog `identity:A_Board` can't be disarmed (nowayout)")
            || checked
                .out
                .contains("watchdog `identity:A_Board` can't be disarmed (nowayout)"),
        "{checked:?}"
    );
    machine.start();
    machine.wait_for_log("(timeout 2 s; watchdog0, A Board)");
    machine.wait_for_log("a clean stop of heartbeat resets this machine 2 s later");
    machine.wait_for_log("The last reset of this machine came from its watchdog");
    assert_eq!(status(&machine)["nowayout"], true);
    machine.crash();
    machine.start();
    machine.wait_for_log("The last run of heartbeat was killed or died, some time after");
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    machine.wait_for_log("this machine is reset in 2 s unless something feeds it");
    assert!(machine.read("state/last_breath").starts_with("stopped "));
}

#[test]
fn one_that_is_too_slow_is_refused_without_being_armed() {
    let machine = Machine::new("watchdog driver:softdog\n");
    let attributes = [("identity", "Software Watchdog"), ("min_timeout", "3")];
    let mut device = board(&machine, &attributes);
    let refused = machine.heartbeat(&["-f"]);
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(
        refused.err.contains("set deadtime to 3.7s or more"),
        "{refused:?}"
    );
    let mut written = Vec::new();
    let _ = device.read_to_end(&mut written);
    assert!(written.is_empty(), "never opened: {written:?}");
}

#[test]
fn whoever_has_it_is_named_with_both_ways_out() {
    if !is_root() {
        return skip("a device that is busy needs root");
    }
    // A terminal that somebody has for himself is busy for whoever may not administer the system.
    let flags = nix::fcntl::OFlag::O_RDWR | nix::fcntl::OFlag::O_NOCTTY;
    let pty = nix::pty::posix_openpt(flags).expect("a pty");
    nix::pty::grantpt(&pty).expect("granted");
    nix::pty::unlockpt(&pty).expect("unlocked");
    let path = nix::pty::ptsname_r(&pty).expect("its name");
    let mut user = Command::new("python3")
        .args([
            "-c",
            "import fcntl, sys, termios\nport = open(sys.argv[1], 'wb', 0)\nfcntl.ioctl(port, termios.TIOCEXCL)\n\
             print(flush=True)\nsys.stdin.read()",
            &path,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 runs");
    let out = user.stdout.take().expect("piped");
    BufReader::new(out)
        .read_line(&mut String::new())
        .expect("it is open");
    let machine = Machine::new(&format!("watchdog {path}\n"));
    let plain = machine.command(&["-f"]);
    let mut command = Command::new("setpriv");
    command
        .args(["--bounding-set", "-sys_admin", "--"])
        .arg(plain.get_program())
        .args(plain.get_args())
        .stdin(Stdio::null());
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let refused = finish(command);
    user.kill().expect("ours");
    user.wait().expect("ours");
    assert_eq!(refused.exit, 1, "{refused:?}");
    let words = format!(
        "{path}: another program uses it: python3 (process {}) has it; either `kill {}` frees it",
        user.id(),
        user.id()
    );
    assert!(refused.err.contains(&words), "{words}\n{refused:?}");
    assert!(
        refused.err.contains("or leave it to that program"),
        "{refused:?}"
    );
}
