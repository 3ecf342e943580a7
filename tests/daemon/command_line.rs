//! Flags, their output and their exit statuses.

use std::os::unix::process::CommandExt;

use crate::machine::{Machine, copy_program, finish, is_root, skip};

#[test]
fn a_valid_configuration_is_told_to_be_valid() {
    let machine = Machine::new("");
    let check = machine.heartbeat(&["check"]);
    assert_eq!(check.exit, 0, "{check:?}");
    assert!(check.err.contains("configuration is valid"), "{check:?}");
    assert!(!machine.path("state").exists(), "a check touches nothing");
}

#[test]
fn a_check_warns_of_what_this_machine_does_not_have() {
    let machine = Machine::new("bcast no-such-if\nwatchdog /dev/no-such-watchdog\n");
    machine.write(
        "haresources",
        "there 10.0.0.9/24/other-if no-such-script::x\nhere no-such-script\n",
    );
    let check = machine.heartbeat(&["check"]);
    assert_eq!(check.exit, 0, "{check:?}");
    for (file, line, column, text) in [
        ("ha.cf", 9, 7, "no interface `no-such-if`"),
        ("ha.cf", 10, 10, "no watchdog `/dev/no-such-watchdog`"),
        ("haresources", 1, 7, "no interface `other-if`"),
        (
            "haresources",
            1,
            28,
            "no script, OCF agent or unit called `no-such-script`",
        ),
        (
            "haresources",
            2,
            6,
            "no script, OCF agent or unit called `no-such-script`",
        ),
    ] {
        let place = format!("{}:{line}:{column}\n", machine.path(file).display());
        let pictures = check.err.split("\n\n");
        let found = pictures.filter(|picture| picture.contains(&place) && picture.contains(text));
        assert_eq!(found.count(), 1, "{place}{text}: {}", check.err);
    }
    assert!(
        !check.err.contains("cannot open"),
        "the port that is there is not mentioned: {}",
        check.err
    );
}

#[test]
fn a_bad_configuration_stops_every_way_to_start_with_status_6() {
    for arguments in [&["check"][..], &["-f"], &[]] {
        let machine = Machine::new("serail /dev/ttyS0\nkeepalife 2\n");
        let refused = machine.heartbeat(arguments);
        assert_eq!(refused.exit, 6, "{arguments:?}: {refused:?}");
        assert!(
            refused.err.contains("serail") && refused.err.contains("keepalife"),
            "all at once: {refused:?}"
        );
        assert!(
            !machine.path("state").exists() && !machine.path("run").exists(),
            "nothing is touched"
        );
    }
}

#[test]
fn files_that_may_not_be_read_end_with_status_4() {
    if !is_root() {
        return skip("needs root, to become another user");
    }
    let machine = Machine::new("");
    let program = copy_program(env!("CARGO_BIN_EXE_heartbeat"), &machine.path("")).expect("copied");
    let mut command = std::process::Command::new(program);
    command
        .arg("-C")
        .arg(machine.path(""))
        .arg("check")
        .uid(65534)
        .gid(65534);
    let refused = finish(command);
    assert_eq!(refused.exit, 4, "{refused:?}");
    assert!(refused.err.contains("authkeys"), "{refused:?}");
}

#[test]
fn a_check_tells_of_scripts_that_cannot_be_run_or_read() {
    if !is_root() {
        return skip("needs root, to become another user");
    }
    let machine = Machine::new("");
    std::fs::create_dir(machine.path("resource.d")).expect("a directory");
    for (name, mode, text) in [
        ("sound", 0o755, "#!/bin/sh\n: status\n"),
        ("locked", 0o711, "#!/bin/sh\n"),
        ("windows", 0o755, "#!/bin/sh\r\n"),
        ("unmarked", 0o755, "echo\n"),
        ("plain", 0o644, "#!/bin/sh\n"),
    ] {
        let path = format!("resource.d/{name}");
        machine.write(&path, text);
        set_mode(&machine.path(&path), mode);
    }
    machine.write("haresources", "here sound locked windows unmarked plain\n");
    std::os::unix::fs::chown(machine.path("authkeys"), Some(65534), None).expect("given away");
    let program = copy_program(env!("CARGO_BIN_EXE_heartbeat"), &machine.path("")).expect("copied");
    let mut command = std::process::Command::new(program);
    command.arg("-C").arg(machine.path("")).arg("check");
    command.uid(65534).gid(65534);
    let check = finish(command);
    assert_eq!(check.exit, 0, "{check:?}");
    let scripts = machine.path("resource.d");
    let scripts = scripts.display();
    for text in [
        format!("cannot read {scripts}/locked: Permission denied"),
        format!("{scripts}/windows has the line ends of Windows"),
        format!("{scripts}/unmarked does not begin with `#!`"),
        format!("{scripts}/plain (is not executable)"),
    ] {
        assert_eq!(check.err.matches(&text).count(), 1, "{text}: {}", check.err);
    }
    assert!(
        !check.err.contains(&format!("{scripts}/sound")),
        "{}",
        check.err
    );
}

fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("set");
}

#[test]
fn version_help_and_defaults_end_with_status_0() {
    let machine = Machine::new("");
    let version = machine.heartbeat(&["-V"]);
    assert_eq!(
        (version.exit, version.out.contains("3.0.6")),
        (0, true),
        "{version:?}"
    );
    assert_eq!(machine.heartbeat(&["--help"]).exit, 0);
    let defaults = machine.heartbeat(&["-D"]);
    assert_eq!(defaults.exit, 0);
    for directive in heartbeat::config::DIRECTIVES {
        assert!(defaults.out.contains(directive.name), "{}", directive.name);
    }
    assert!(machine.heartbeat(&["-DW"]).out.starts_with("||"));
}

#[test]
fn words_that_are_not_understood_end_with_status_2_and_the_usage() {
    let machine = Machine::new("");
    for arguments in [&["-x"][..], &["start"], &["-k", "-s"]] {
        let refused = machine.heartbeat(arguments);
        assert_eq!(
            (refused.exit, refused.err.contains("usage: heartbeat")),
            (2, true),
            "{refused:?}"
        );
    }
}

#[test]
fn continuing_after_exec_is_refused_with_a_sentence() {
    let refused = Machine::new("").heartbeat(&["-R"]);
    assert_eq!(refused.exit, 1);
    assert!(refused.err.contains("Use -r"), "{refused:?}");
}

#[test]
fn a_stopped_daemon_is_status_3_and_stopping_it_again_is_no_error() {
    let machine = Machine::new("");
    let status = machine.heartbeat(&["-s"]);
    assert_eq!(
        (status.exit, status.out.as_str()),
        (3, "heartbeat is stopped. No process\n")
    );
    let stop = machine.heartbeat(&["-k"]);
    assert_eq!(
        (stop.exit, stop.err.as_str()),
        (0, "INFO: Heartbeat already stopped.\n")
    );
}

#[test]
fn start_in_the_background_returns_when_the_daemon_answers() {
    let machine = Machine::new("");
    let start = machine.heartbeat(&[]);
    assert_eq!(start.exit, 0, "{start:?}");
    assert!(machine.answers(), "it answers at once");
    let status = machine.heartbeat(&["-s"]);
    let expected = format!("heartbeat OK [pid {} et al] is running on ", machine.pid());
    assert_eq!(status.exit, 0, "{status:?}");
    assert!(
        status.out.starts_with(&expected) && status.out.ends_with(" [here]...\n"),
        "{status:?}"
    );

    let again = machine.heartbeat(&[]);
    assert_eq!(again.exit, 0);
    assert!(
        again
            .err
            .contains(&format!("already running [pid {}]", machine.pid())),
        "{again:?}"
    );

    let stop = machine.heartbeat(&["-k"]);
    assert_eq!(stop.exit, 0, "{stop:?}");
    assert!(
        machine
            .read("ha-log")
            .contains("here Heartbeat shutdown complete.")
    );
    assert!(!machine.path("run/heartbeat.pid").exists() && !machine.path("run/control").exists());
    assert_eq!(machine.heartbeat(&["-s"]).exit, 3);
}

#[test]
fn what_fails_while_starting_reaches_the_terminal_and_the_exit_status() {
    let machine = Machine::new("");
    machine.write("state", "a file in the way");
    for arguments in [&[][..], &["-f"]] {
        let refused = machine.heartbeat(arguments);
        assert_eq!(refused.exit, 1, "{refused:?}");
        assert!(refused.err.contains("state directory"), "{refused:?}");
        assert!(
            !machine.path("run/heartbeat.pid").exists(),
            "nothing stays behind"
        );
    }
}

#[test]
fn without_resource_management_no_group_is_known() {
    let mut machine = Machine::new("");
    machine.write("haresources", "here no-such-script-anywhere\n");
    let command = machine.command(&["-f", "-M"]);
    machine.start_with(command);
    let groups = machine.cl_status(&["rscstatus", "--json"]);
    assert!(groups.out.contains("\"groups\": []"), "{groups:?}");
}
