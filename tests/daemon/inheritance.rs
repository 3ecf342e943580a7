//! Nothing that the daemon's starter left open, blocked or ignored reaches the daemon or its services.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::machine::{Machine, finish, wait_for};

/// `heartbeat -C DIR`, started by a program that has treated its signals and descriptors as `wrapper` says.
fn wrapped(machine: &Machine, wrapper: &[&str]) -> Command {
    let plain = machine.command(&[]);
    let (program, rest) = wrapper.split_first().expect("a wrapper");
    let mut command = Command::new(program);
    command
        .args(rest)
        .arg(plain.get_program())
        .args(plain.get_args())
        .stdin(Stdio::null())
        .env("HEARTBEAT_SYSLOG", machine.path("syslog"));
    command
}

#[test]
fn a_daemon_started_with_ignored_child_signals_is_not_taken_for_a_failure() {
    let machine = Machine::new("");
    let started = finish(wrapped(&machine, &["env", "--ignore-signal=CHLD"]));
    assert_eq!(started.exit, 0, "{started:?}");
    assert_eq!(machine.heartbeat(&["-s"]).exit, 0);
}

#[test]
fn a_daemon_started_with_blocked_signals_stops_when_it_is_told_to() {
    let machine = Machine::new("");
    let started = finish(wrapped(&machine, &["env", "--block-signal"]));
    assert_eq!(started.exit, 0, "{started:?}");
    let pid = machine.pid();
    let mut stop = machine.command(&["-k"]).spawn().expect("started");
    let mut looks_in_vain = 0;
    let ended = wait_for("the end of heartbeat -k", || {
        stop.try_wait().expect("a child").or_else(|| {
            // Not to be waited for in vain by whoever cleans up. While a child is started all signals are blocked for
            // a moment.
            let blocked = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let is_free =
                |line: &str| line.starts_with("SigBlk:") && line.ends_with("0000000000000000");
            looks_in_vain = if blocked.lines().any(is_free) {
                0
            } else {
                looks_in_vain + 1
            };
            assert!(looks_in_vain < 300, "signals are blocked: {blocked}");
            None
        })
    });
    assert!(ended.success());
}

#[test]
fn a_low_limit_on_open_files_is_raised_as_far_as_it_may_be() {
    let mut machine = Machine::new("");
    let lower = "ulimit -S -n 40; exec \"$0\" \"$@\"";
    let started = finish(wrapped(&machine, &["sh", "-c", lower]));
    assert_eq!(started.exit, 0, "{started:?}");
    machine.wait_until_up();
    let limits =
        std::fs::read_to_string(format!("/proc/{}/limits", machine.pid())).expect("it runs");
    let files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"))
        .expect("a limit");
    let soft: u64 = files
        .split_whitespace()
        .nth(3)
        .and_then(|word| word.parse().ok())
        .expect("a number");
    assert!(soft > 40, "{files}");
}

#[test]
fn what_the_starter_had_open_is_closed_in_the_daemon_and_in_its_services() {
    let mut machine = Machine::new("");
    machine.write("haresources", "here look\n");
    std::fs::create_dir(machine.path("resource.d")).expect("made");
    let seen = machine.path("seen");
    machine.write(
        "resource.d/look",
        &format!(
            "#!/bin/sh\nreadlink /proc/$$/fd/* >> {}\necho stopped\nexit 0\n",
            seen.display()
        ),
    );
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(machine.path("resource.d/look"), mode).expect("set");
    let held = machine.path("held-open");
    let redirect = format!("exec \"$0\" \"$@\" 7>>{}", held.display());
    let started = finish(wrapped(&machine, &["sh", "-c", &redirect]));
    assert_eq!(started.exit, 0, "{started:?}");
    machine.wait_until_up();

    let held = held.to_str().expect("a plain name");
    let in_daemon: Vec<_> = std::fs::read_dir(format!("/proc/{}/fd", machine.pid()))
        .expect("the daemon runs")
        .flatten()
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .collect();
    assert!(
        !in_daemon.iter().any(|file| file.ends_with("held-open")),
        "{in_daemon:?}"
    );
    let in_service = wait_for("the script", || {
        Some(machine.read("seen")).filter(|seen| !seen.is_empty())
    });
    assert!(!in_service.contains(held), "{in_service}");
}
