//! What somebody removes under a running daemon.

use std::fs;

use crate::machine::{Machine, skip};

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

#[test]
fn the_whole_program_stays_in_memory_and_what_is_only_reserved_takes_none() {
    let mut machine = Machine::new("realtime on\n");
    machine.start();
    if machine.read("ha-log").contains("Cannot lock ourselves") {
        return skip("locking memory needs a privilege");
    }
    let text = fs::read_to_string(format!("/proc/{}/smaps", machine.pid())).expect("the kernel");
    let all = mappings(&text);
    let of_files = |mapping: &&Mapping| mapping.name.starts_with('/') && mapping.is_readable;
    let program: Vec<&Mapping> = all.iter().filter(of_files).collect();
    assert!(program.len() >= 8, "the program and its libraries: {text}");
    for mapping in program {
        assert!(
            mapping.is_locked && mapping.resident == mapping.size,
            "{mapping:?}"
        );
    }
    let of_the_loop = all.iter().find(|mapping| mapping.name == "[stack]");
    let has_room = |stack: &Mapping| stack.is_locked && stack.resident >= 64;
    assert!(of_the_loop.is_some_and(has_room), "{of_the_loop:?}");
    let stacks = |mapping: &&Mapping| mapping.name.is_empty() && mapping.is_readable;
    let reserved = |mapping: &&Mapping| mapping.is_locked && mapping.resident < mapping.size / 2;
    let stacks = all.iter().filter(stacks).filter(reserved).count();
    assert!(stacks >= 2, "of its threads, used in part: {text}");
}

/// A part of a program's memory; sizes in KiB.
#[derive(Debug, Default)]
struct Mapping {
    name: String,
    is_readable: bool,
    size: u64,
    resident: u64,
    is_locked: bool,
}

fn mappings(smaps: &str) -> Vec<Mapping> {
    let mut all: Vec<Mapping> = Vec::new();
    for line in smaps.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let value = || words.get(1).and_then(|word| word.parse().ok()).unwrap_or(0);
        match (words.first().copied(), all.last_mut()) {
            (Some("Size:"), Some(mapping)) => mapping.size = value(),
            (Some("Rss:"), Some(mapping)) => mapping.resident = value(),
            (Some("VmFlags:"), Some(mapping)) => mapping.is_locked = words.contains(&"lo"),
            (Some(first), _) if !first.ends_with(':') => all.push(Mapping {
                name: words.get(5).copied().unwrap_or_default().to_owned(),
                is_readable: words.get(1).is_some_and(|modes| modes.starts_with('r')),
                ..Mapping::default()
            }),
            _ => {}
        }
    }
    all
}
