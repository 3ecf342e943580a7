//! Damaged state files, and a disk without room.

use std::process::{Command, Stdio};

use crate::machine::{Machine, skip, wait_for};

/// Starts the daemon and waits until what it says of its state is in the log: a crash loses what is not written yet.
fn start_and_tell(machine: &mut Machine) {
    let told = |machine: &Machine| {
        machine
            .read("ha-log")
            .matches("Heartbeat generation: ")
            .count()
    };
    let before = told(machine);
    machine.start();
    wait_for("the generation in the log", || {
        (told(machine) > before).then_some(())
    });
}

#[test]
fn a_damaged_file_of_maintenance_counts_as_on_until_somebody_ends_it() {
    let mut machine = Machine::new("");
    start_and_tell(&mut machine);
    assert_eq!(machine.cl_status(&["maintenance"]).out, "off\n");
    for damage in ["", "garbage\n"] {
        machine.crash();
        machine.write("state/maintenance", damage);
        start_and_tell(&mut machine);
        let said = machine.cl_status(&["maintenance"]).out;
        assert!(said.starts_with("on\n"), "{said}");
        assert!(
            said.contains("\treason\tits file in the state directory is damaged"),
            "{said}"
        );
        let log = machine.read("ha-log");
        assert!(
            log.contains("state/maintenance: it is damaged. Whether maintenance is on"),
            "{log}"
        );
        assert_eq!(machine.cl_status(&["maintenance", "off"]).out, "off\n");
        wait_for("the file is sound again", || {
            machine
                .read("state/maintenance")
                .contains(" off\n")
                .then_some(())
        });
    }
    machine.crash();
    start_and_tell(&mut machine);
    assert_eq!(machine.cl_status(&["maintenance"]).out, "off\n");
}

#[test]
fn damaged_files_are_told_and_never_lower_the_generation() {
    let mut machine = Machine::new("");
    start_and_tell(&mut machine);
    let mut last: u64 = machine
        .read("state/hb_generation")
        .trim()
        .parse()
        .expect("a number");
    for damage in ["", "garbage\n", "              1\n"] {
        machine.crash();
        machine.write("state/hb_generation", damage);
        start_and_tell(&mut machine);
        let generation = machine
            .read("state/hb_generation")
            .trim()
            .parse()
            .expect("a number");
        assert!(generation > last, "{damage:?}: {generation} after {last}");
        last = generation;
    }
    let log = machine.read("ha-log");
    assert!(
        log.contains("WARN: No Previous generation - starting at"),
        "{log}"
    );
    assert!(
        log.contains("WARN: BROKEN previous generation - starting at"),
        "{log}"
    );

    machine.crash();
    machine.write("state/hb_uuid", "short");
    machine.write("state/hostcache", "garbage");
    start_and_tell(&mut machine);
    let log = machine.read("ha-log");
    assert!(
        log.contains("hb_uuid is damaged: making a new uuid"),
        "{log}"
    );
    assert!(log.contains("hostcache is damaged"), "{log}");
    assert_eq!(
        std::fs::read(machine.path("state/hb_uuid"))
            .expect("readable")
            .len(),
        16
    );
}

/// Runs `heartbeat -f` in a mount namespace of its own where the state directory has no room left.
fn start_on_full_disk(machine: &Machine, before: &str) -> Option<Command> {
    let script = format!(
        "mount -t tmpfs -o size=16k none '{state}' || exit 99\n{before}\n\
         cat /dev/zero > '{state}/filler' 2>/dev/null\n\
         exec \"$@\"",
        state = machine.path("state").display()
    );
    std::fs::create_dir_all(machine.path("state")).expect("made");
    let unshare = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--map-root-user", "sh", "-c", script, "sh"]);
        command
    };
    let probe = unshare(&script).arg("true").stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        skip("no mount namespaces here");
        return None;
    }
    let mut command = unshare(&script);
    let heartbeat = machine.command(&["-f"]);
    command
        .arg(heartbeat.get_program())
        .args(heartbeat.get_args());
    Some(command)
}

#[test]
fn a_start_that_cannot_store_its_generation_is_refused() {
    let machine = Machine::new("");
    let Some(command) = start_on_full_disk(&machine, "") else {
        return;
    };
    let refused = crate::machine::finish(command);
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(
        refused.err.contains("cannot store the") && refused.err.contains("No space left"),
        "{refused:?}"
    );
    assert!(!machine.path("run/heartbeat.pid").exists());
}

#[test]
fn a_generation_file_that_exists_is_enough_on_a_full_disk() {
    let mut machine = Machine::new("");
    let state = machine.path("state");
    let before = format!(
        "printf '%15d\\n' 41 > '{state}/hb_generation'; head -c 16 /dev/urandom > '{state}/hb_uuid'",
        state = state.display()
    );
    let Some(command) = start_on_full_disk(&machine, &before) else {
        return;
    };
    machine.start_with(command);
    machine.wait_for_log("was written in place, there is no room for a new file");
    machine.wait_for_log("Heartbeat generation: 42");
    machine.wait_for_heartbeat();
}
