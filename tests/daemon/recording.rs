//! `--record` and `heartbeat replay` on the real program.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::machine::{Machine, finish, wait_for};

/// Starts the daemon with these words, lets it live, and stops it.
fn record(machine: &mut Machine, words: &[&str]) {
    let mut all = vec!["-f"];
    all.extend(words);
    let command = machine.command(&all);
    machine.start_with(command);
    machine.wait_for_log("Local status now set to: 'active'");
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
    assert_eq!(machine.wait_for_end(), 0);
}

#[test]
fn a_recording_is_replayed_with_the_keys_of_the_configuration_and_holds_none() {
    let mut machine = Machine::new("");
    let path = machine.path("recording");
    let file = path.to_str().expect("text").to_owned();
    record(&mut machine, &["--record", &file]);
    let mode = fs::metadata(&path).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = machine.read("recording");
    assert!(
        text.starts_with("heartbeat-recording 1\nprogram "),
        "{text}"
    );
    assert!(!text.contains("only-tests-use"), "{text}");

    let replay = machine.heartbeat(&["replay", &file]);
    assert_eq!((replay.exit, replay.err.as_str()), (0, ""));
    for decision in [
        "info: Local status now set to: 'up'",
        "WARN: node there: is dead",
        "here is active, there is dead; holding: ",
        "< stop requested",
        "send shutdone st=dead",
        "exit",
    ] {
        assert!(replay.out.contains(decision), "{decision}: {}", replay.out);
    }
    assert!(!replay.out.contains("send status"), "{}", replay.out);

    let full = machine.heartbeat(&["replay", "-v", &file]).out;
    assert!(full.contains("send status st=init"), "{full}");
    assert!(full.contains("< tick"), "{full}");
    let begin = machine.heartbeat(&["replay", "--until", "0.5", &file]).out;
    assert!(!begin.contains("is dead"), "{begin}");
    assert!(
        replay
            .out
            .starts_with(begin.lines().next().unwrap_or("nothing"))
    );

    machine.write_authkeys("auth 1\n1 sha1 another-key-that-only-tests-use\n");
    let refused = machine.heartbeat(&["replay", &file]);
    assert_eq!(refused.exit, 1);
    assert!(
        refused.err.contains("key 1 (sha1, check value "),
        "{refused:?}"
    );
    fs::remove_file(machine.path("authkeys")).expect("removed");
    let refused = machine.heartbeat(&["replay", &file]);
    assert_eq!(refused.exit, 1);
    assert!(refused.err.contains("authkeys"), "{refused:?}");
}

#[test]
fn a_recording_with_its_keys_needs_no_configuration_and_one_that_is_there_is_kept() {
    let mut machine = Machine::new("");
    let file = machine.path("recording");
    let file = file.to_str().expect("text").to_owned();
    machine.write("recording", "of the run before");
    record(&mut machine, &["--record", &file, "--record-keys"]);
    assert_eq!(machine.read("recording.old"), "of the run before");
    let nowhere = machine.path("nowhere");
    let nowhere = nowhere.to_str().expect("text");
    let replay = machine.heartbeat(&["replay", &file, "-C", nowhere]);
    assert_eq!((replay.exit, replay.err.as_str()), (0, ""));
    assert!(replay.out.contains("exit\n"), "{}", replay.out);
}

#[test]
fn new_keys_are_recorded_and_replayed() {
    let mut machine = Machine::new("");
    let file = machine.path("recording");
    let file = file.to_str().expect("text").to_owned();
    let command = machine.command(&["-f", "--record", &file]);
    machine.start_with(command);
    let old = machine.read("authkeys").replace("auth 1", "auth 2");
    machine.write_authkeys(&format!("{old}2 md5 a-newer-key\n"));
    machine.signal(Signal::SIGHUP);
    machine.wait_for_log("Rereading authentication file.");
    wait_for("the new keys", || {
        let recording = machine.read("recording");
        recording.contains(" keys-changed auth=2 ").then_some(())
    });
    machine.wait_for_heartbeat();
    // What a crash tears is left out, and the rest is good.
    machine.crash();
    let mut recording = machine.read("recording");
    recording += "99.0000";
    machine.write("recording", &recording);
    let replay = machine.heartbeat(&["replay", "-v", &file]);
    assert_eq!((replay.exit, replay.err.as_str()), (0, ""));
    assert!(
        replay.out.contains("< keys changed: key 2 signs"),
        "{}",
        replay.out
    );
    assert!(
        replay
            .out
            .ends_with("the last line is not complete and was left out\n")
    );
}

#[test]
fn a_daemon_in_the_background_records_where_it_was_told_to() {
    let machine = Machine::new("");
    let mut command = machine.command(&["--record", "recording"]);
    command.current_dir(machine.path(""));
    assert_eq!(finish(command).exit, 0);
    machine.wait_for_log("recorded in ");
    wait_for("events", || {
        machine
            .read("recording")
            .contains(" wall-clock ")
            .then_some(())
    });
    assert_eq!(machine.heartbeat(&["-k"]).exit, 0);
}

#[test]
fn a_full_disk_or_a_limit_ends_the_recording_and_not_the_daemon() {
    for (words, line) in [
        (
            &["--record", "/dev/full"][..],
            "ERROR: The recording /dev/full ends here: cannot write: No space left on device",
        ),
        (
            &["--record", "/nowhere/recording"],
            "ERROR: The recording /nowhere/recording ends here: cannot write: No such file",
        ),
        (
            &["--record", "/dev/null", "--record-limit", "1K"],
            "WARN: The recording /dev/null ends here: it has 1024 bytes (--record-limit)",
        ),
    ] {
        let mut machine = Machine::new("");
        let mut all = vec!["-f"];
        all.extend(words);
        let command = machine.command(&all);
        machine.start_with(command);
        machine.wait_for_log(line);
        machine.wait_for_heartbeat();
        assert!(machine.answers());
        let told = machine.read("ha-log").matches("The recording ").count();
        assert_eq!(told, 1, "{}", machine.read("ha-log"));
    }
}

#[test]
fn what_is_no_recording_is_refused() {
    let machine = Machine::new("");
    machine.write("strange", "hello\n");
    machine.write("newer", "heartbeat-recording 99\n");
    for (name, reason) in [
        ("strange", "this is no recording"),
        ("newer", "the form \"99\""),
        ("missing", "No such file"),
        ("", "Is a directory"),
    ] {
        let path = machine.path(name);
        let refused = machine.heartbeat(&["replay", path.to_str().expect("text")]);
        assert_eq!((refused.exit, refused.out.as_str()), (1, ""));
        assert!(refused.err.contains(reason), "{refused:?}");
    }
}
