//! `ResourceManager` on one machine, with and without a daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::machine::{Finished, Machine, finish};

fn resource_manager(machine: &Machine, words: &[&str]) -> Finished {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ResourceManager"));
    command.arg("-C").arg(machine.path("")).args(words);
    command.stdin(Stdio::null());
    finish(command)
}

/// Adds a script that says what stands in the file `NAME.says`, and its exit code.
fn add_script(machine: &Machine, name: &str, says: &str) {
    let _ = fs::create_dir(machine.path("resource.d"));
    let directory = machine.path("");
    machine.write(&format!("{name}.says"), says);
    let script = format!("resource.d/{name}");
    machine.write(
        &script,
        &format!(
            "#!/bin/sh\ncd {}\ncase $2$1 in\nstart) echo running > {name}.says;;\n\
             stop) echo stopped > {name}.says;;\n*) cat {name}.says; env > environment;;\nesac\n",
            directory.display()
        ),
    );
    let mode = fs::Permissions::from_mode(0o755);
    fs::set_permissions(machine.path(&script), mode).expect("set");
}

#[test]
fn keys_are_listed_whoever_may_read_the_key_file() {
    let machine = Machine::new("");
    machine.write(
        "haresources",
        "here 10.0.0.9 thing::x \\\n other\n# there comment\nHERE IPaddr::10.0.0.10/24/eth0\nthere alone\n",
    );
    machine.write("authkeys", "not one line of it is right\n");
    for (words, expected) in [
        (
            &["listkeys", "here"][..],
            "10.0.0.9\nIPaddr::10.0.0.10/24/eth0\n",
        ),
        (&["listkeys", "There"], "alone\n"),
        (&["listkeys", "elsewhere"], ""),
        (
            &["listkeys", ".*"],
            "10.0.0.9\nIPaddr::10.0.0.10/24/eth0\nalone\n",
        ),
        (&["allkeys"], "10.0.0.9\nIPaddr::10.0.0.10/24/eth0\nalone\n"),
        (
            &["ourkeys"],
            "10.0.0.9 thing::x other\nIPaddr::10.0.0.10/24/eth0\n",
        ),
        (&["otherkeys"], "alone\n"),
    ] {
        let listed = resource_manager(&machine, words);
        assert_eq!(
            (listed.out.as_str(), listed.err.as_str(), listed.exit),
            (expected, "", 0),
            "{words:?}"
        );
    }
    machine.write("haresources", "nowhere thing\n");
    let refused = resource_manager(&machine, &["allkeys"]);
    assert_eq!((refused.exit, refused.out.as_str()), (1, ""));
    assert!(refused.err.contains("nowhere"), "{refused:?}");
    let usage = resource_manager(&machine, &["start"]);
    assert_eq!(usage.exit, 1);
    assert!(usage.err.contains("usage: ResourceManager"), "{usage:?}");
}

#[test]
fn resources_are_asked_themselves() {
    let machine = Machine::new("");
    add_script(&machine, "one", "running\n");
    add_script(&machine, "two", "not running\n");
    add_script(&machine, "three", "Status: OK\n");
    machine.write(
        "haresources",
        "here one two\nhere two one\nhere three one\nhere 192.0.2.77\n",
    );
    for (resource, exit) in [
        ("one", 0),
        ("two", 3),
        ("one::argument", 0),
        ("three", 0),
        ("IPaddr::192.0.2.77/24/eth0", 3),
        ("no-such-script-anywhere", 3),
    ] {
        let status = resource_manager(&machine, &["status", resource]);
        assert_eq!(
            (status.exit, status.out.as_str()),
            (exit, ""),
            "{resource}: {status:?}"
        );
        assert_eq!(
            status.err.is_empty(),
            !resource.starts_with("no-"),
            "{status:?}"
        );
    }
    let environment = machine.read("environment");
    assert!(environment.contains("HA_CURHOST=here\n"), "{environment}");
    for (key, word) in [
        ("one", "SOME\n"),
        ("three", "ALL\n"),
        ("192.0.2.77", "NONE\n"),
    ] {
        let group = resource_manager(&machine, &["statgroup", key]);
        assert_eq!(
            (group.exit, group.out.as_str()),
            (0, word),
            "{key}: {group:?}"
        );
    }
    assert_eq!(resource_manager(&machine, &["statgroup", "none"]).exit, 1);
    let idle = resource_manager(&machine, &["verifyallidle"]);
    assert_eq!(idle.exit, 2, "{idle:?}");
    assert!(
        idle.err
            .contains("CRITICAL: Resource one is active, and should not be!"),
        "{idle:?}"
    );
}

#[test]
fn nothing_is_moved_without_a_daemon() {
    let machine = Machine::new("");
    add_script(&machine, "one", "stopped\n");
    machine.write("haresources", "here one\n");
    for verb in ["takegroup", "givegroup"] {
        let refused = resource_manager(&machine, &[verb, "one"]);
        assert_eq!((refused.exit, refused.out.as_str()), (4, ""), "{refused:?}");
        assert!(
            refused.err.contains("nobody knows what the other node has"),
            "{refused:?}"
        );
    }
    assert_eq!(machine.read("one.says"), "stopped\n");
}

#[test]
fn a_daemon_without_a_peer_gives_nothing_away() {
    let mut machine = Machine::new("");
    add_script(&machine, "one", "stopped\n");
    machine.write("haresources", "here one\n");
    machine.start();
    machine.wait_for_log("group one: running here");
    let taken = resource_manager(&machine, &["takegroup", "one"]);
    assert_eq!(
        (taken.exit, taken.err.as_str()),
        (0, ""),
        "it runs here already"
    );
    let given = resource_manager(&machine, &["givegroup", "one"]);
    assert_eq!(given.exit, 2, "{given:?}");
    assert!(
        given.err.starts_with("ResourceManager: refused: "),
        "{given:?}"
    );
    let missing = resource_manager(&machine, &["takegroup", "two"]);
    assert_eq!(missing.exit, 2);
    assert!(
        missing.err.contains("no resource group two in haresources"),
        "{missing:?}"
    );
    assert_eq!(machine.read("one.says"), "running\n");
}
