//! The watchdog, with a pipe in its place.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;

use nix::sys::stat::Mode;

use crate::machine::{Machine, wait_for};

/// The reader must be there before the daemon opens the other end.
fn pipe(machine: &Machine) -> File {
    nix::unistd::mkfifo(&machine.path("watchdog"), Mode::S_IRWXU).expect("made");
    let flags = nix::fcntl::OFlag::O_NONBLOCK.bits();
    File::options()
        .read(true)
        .custom_flags(flags)
        .open(machine.path("watchdog"))
        .expect("opens")
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
