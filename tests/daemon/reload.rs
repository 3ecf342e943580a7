//! `-r`, `SIGHUP` and the other signals.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;

use crate::machine::{AUTHKEYS, Machine};

const OTHER_KEYS: &str = "auth 2\n2 sha1 another-key-that-only-tests-use-987654\n";

#[test]
fn a_good_reload_is_told_by_what_it_changed() {
    let mut machine = Machine::new("");
    machine.start();
    let reload = machine.heartbeat(&["-r"]);
    assert_eq!(reload.exit, 0, "{reload:?}");
    assert!(
        reload
            .err
            .contains(&format!("Signalling heartbeat pid {}", machine.pid())),
        "{reload:?}"
    );
    machine.wait_for_log("Configuration unchanged.");

    machine.write_authkeys(OTHER_KEYS);
    assert_eq!(machine.heartbeat(&["-r"]).exit, 0);
    machine.wait_for_log("Rereading authentication file.");

    machine.write("haresources", "there thing::a\n");
    assert_eq!(machine.heartbeat(&["-r"]).exit, 0);
    machine
        .wait_for_log("Reload: haresources: group thing::a is added, preferring there: thing::a");
}

/// Writes down what is asked of it, but for questions.
const THING: &str = r#"#!/bin/sh
own=$(cd "$(dirname "$0")/.." && pwd)
case $2 in
start) : >"$own/runs-$1"; echo "start $1" >>"$own/calls" ;;
stop) rm -f "$own/runs-$1"; echo "stop $1" >>"$own/calls" ;;
status) if [ -e "$own/runs-$1" ]; then echo running; else echo stopped; fi ;;
esac
"#;

/// With a resource `thing`, of which there can be any number.
fn machine_with_things(haresources: &str) -> Machine {
    let machine = Machine::new("");
    fs::create_dir(machine.path("resource.d")).expect("a directory");
    machine.write("resource.d/thing", THING);
    let script = machine.path("resource.d/thing");
    fs::set_permissions(script, fs::Permissions::from_mode(0o755)).expect("set");
    machine.write("haresources", haresources);
    machine
}

/// Waits until this was asked of things, and nothing else.
fn wait_for_calls(machine: &Machine, expected: &[&str]) {
    crate::machine::wait_for(
        &format!("{expected:?}, not {}", machine.read("calls")),
        || (machine.read("calls").lines().count() >= expected.len()).then_some(()),
    );
    let calls = machine.read("calls");
    assert_eq!(calls.lines().collect::<Vec<_>>(), expected);
}

/// Has it read this `haresources`, and gives what it says.
fn reload(machine: &Machine, haresources: &str) -> String {
    machine.write("haresources", haresources);
    let reload = machine.heartbeat(&["reload"]);
    assert_eq!(reload.exit, 0, "{reload:?}");
    reload.out
}

#[test]
fn groups_and_resources_come_and_go_and_nothing_else_is_touched() {
    let mut machine = machine_with_things("here thing::a thing::b\n");
    machine.start();
    let mut calls = vec!["start a", "start b"];
    wait_for_calls(&machine, &calls);

    let file = "here thing::a thing::b thing::c\n";
    let changes = "haresources: group thing::a changes: where it runs, start thing::c, and the first 2 stay as they are\n";
    machine.write("haresources", file);
    let plan = machine.heartbeat(&["reload", "--dry-run"]);
    assert_eq!(
        (plan.exit, plan.out.as_str()),
        (
            0,
            format!("{changes}This would change; nothing was changed.\n").as_str()
        )
    );
    assert_eq!(reload(&machine, file), format!("{changes}Done.\n"));
    calls.push("start c");
    wait_for_calls(&machine, &calls);
    assert_eq!(reload(&machine, file), "Nothing changes.\n");

    // Behind the first difference all is stopped and started, and before it nothing.
    let said = reload(&machine, "here thing::a thing::c\n");
    assert!(
        said.contains("stop thing::c thing::b, start thing::c, and the first 1 stay"),
        "{said}"
    );
    calls.extend(["stop c", "stop b", "start c"]);
    wait_for_calls(&machine, &calls);

    // A bare signal does the same. Another group, and back.
    machine.write("haresources", "here thing::x\nhere thing::a thing::c\n");
    machine.signal(Signal::SIGHUP);
    calls.push("start x");
    wait_for_calls(&machine, &calls);
    machine.wait_for_log("Reload: haresources: group thing::x is added, preferring here: thing::x");
    reload(&machine, "here thing::x\n");
    calls.extend(["stop c", "stop a"]);
    wait_for_calls(&machine, &calls);
    machine.wait_for_log(
        "Resource group thing::a: stopping here: haresources does not have it any more.",
    );

    // A monitor begins with the reload, and ends with one.
    let ha_cf = machine.read("ha.cf");
    let asked = machine.path("asked");
    let monitor = format!(
        "monitor thing::x every=100ms exec=echo>{}\n",
        asked.display()
    );
    machine.write("ha.cf", &format!("{ha_cf}{monitor}"));
    assert_eq!(machine.heartbeat(&["reload"]).exit, 0);
    crate::machine::wait_for("a probe", || asked.exists().then_some(()));
    machine.write("ha.cf", &ha_cf);
    assert_eq!(machine.heartbeat(&["reload"]).exit, 0);
    let status = machine.cl_status(&["hbstatus", "--json"]).out;
    assert!(!status.contains("exec="), "{status}");

    // What goes from one group to another would be stopped by one while the other looks at it.
    machine.write("haresources", "here thing::y thing::x\n");
    let refused = machine.heartbeat(&["reload"]);
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(
        refused
            .err
            .contains("thing::x goes from the group thing::x to the group thing::y"),
        "{refused:?}"
    );
    // A place that is free is taken by another group.
    assert_eq!(
        reload(&machine, "here thing::z\nhere thing::x\n")
            .lines()
            .count(),
        2
    );
    calls.push("start z");
    wait_for_calls(&machine, &calls);
    let status = machine.cl_status(&["hbstatus", "--json"]).out;
    let status: serde_json::Value = serde_json::from_str(&status).expect("JSON");
    let groups = status["groups"].as_array().expect("a list");
    let keys: Vec<_> = groups.iter().map(|group| &group["key"]).collect();
    assert_eq!(keys, ["thing::z", "thing::x"]);
}

#[test]
fn a_file_with_a_mistake_is_refused_whole_with_its_place_and_a_restart_is_said_to_be_needed() {
    let mut machine = machine_with_things("there thing::a\n");
    machine.start();
    let ha_cf = machine.read("ha.cf");
    machine.write(
        "ha.cf",
        &ha_cf.replace("keepalive 200ms", "keepalive 100ms\nserail /dev/ttyS1"),
    );
    machine.write("haresources", "there thing::b\n");
    for words in [&["reload", "--dry-run"][..], &["reload"]] {
        let refused = machine.heartbeat(words);
        assert_eq!(refused.exit, 6, "{refused:?}");
        for said in [
            "unknown directive `serail`",
            "did you mean `serial`",
            "nothing was changed",
        ] {
            assert!(refused.err.contains(said), "{said}: {refused:?}");
        }
    }
    machine.wait_for_log("everything goes on as before");
    assert!(machine.read("ha-log").contains("serail"));
    assert!(!machine.read("ha-log").contains("Reload:"));
    let keepalive = || machine.cl_status(&["hbparameter", "-p", "keepalive"]).out;
    assert_eq!(keepalive().trim(), "200ms");

    let other = machine.path("ha-log-2");
    let changed = ha_cf.replace("keepalive 200ms", "keepalive 100ms\nrtprio 5");
    let changed = changed.replace("ha-log", "ha-log-2");
    machine.write("ha.cf", &changed);
    for changes in [5, 1] {
        let done = machine.heartbeat(&["reload"]);
        assert_eq!(done.exit, 0, "{done:?}");
        assert!(
            done.out
                .contains("ha.cf: `rtprio 5` is added: wants a restart of heartbeat, for "),
            "{done:?}"
        );
        assert!(
            done.out.ends_with("Done, but for what wants a restart.\n"),
            "{done:?}"
        );
        assert_eq!(done.out.lines().count(), changes + 1, "{done:?}");
    }
    assert_eq!(keepalive().trim(), "100ms");
    crate::machine::wait_for("lines in the new log", || {
        let log = fs::read_to_string(&other).unwrap_or_default();
        log.contains("Reload: ha.cf: `keepalive 200ms` becomes `keepalive 100ms`")
            .then_some(())
    });
    machine.write(
        "ha.cf",
        &changed.replace("node here there", "node here elsewhere"),
    );
    machine.write("haresources", "elsewhere thing::b\n");
    let refused = machine.heartbeat(&["reload"]);
    assert_eq!(refused.exit, 1, "{refused:?}");
    assert!(
        refused.err.contains("the pair is made of other nodes"),
        "{refused:?}"
    );
}

#[test]
fn nobody_reloads_what_does_not_run() {
    let machine = Machine::new("");
    let refused = machine.heartbeat(&["reload"]);
    assert_eq!(refused.exit, 3, "{refused:?}");
    assert!(
        refused.err.contains("no heartbeat runs here"),
        "{refused:?}"
    );
}

#[test]
fn a_bad_file_is_refused_before_the_daemon_hears_of_it() {
    let mut machine = Machine::new("");
    machine.start();
    machine.write("authkeys", "auth 7\n");
    let reload = machine.heartbeat(&["-r"]);
    assert_eq!(reload.exit, 1, "{reload:?}");
    assert!(
        reload.err.contains(&format!(
            "Config errors: Heartbeat pid {} NOT restarted",
            machine.pid()
        )),
        "{reload:?}"
    );
    assert!(!machine.read("ha-log").contains("Rereading"));
}

#[test]
fn a_bad_file_and_a_bare_signal_change_nothing_and_every_error_is_logged() {
    let mut machine = Machine::new("");
    machine.start();
    machine.write("authkeys", "auth 7\n");
    let ha_cf = machine.read("ha.cf");
    machine.write("ha.cf", &format!("{ha_cf}serail x\n"));
    machine.signal(Signal::SIGHUP);
    machine.wait_for_log("everything goes on as before");
    let log = machine.read("ha-log");
    assert!(log.contains("serail") && log.contains("authkeys"), "{log}");
    machine.wait_for_heartbeat();
    // And once the files are mended, the keys are the old ones.
    machine.write("ha.cf", &ha_cf);
    machine.write_authkeys(AUTHKEYS);
    machine.signal(Signal::SIGHUP);
    machine.wait_for_log("Configuration unchanged.");
}

#[test]
fn reload_of_a_stopped_daemon_starts_it() {
    let machine = Machine::new("");
    let reload = machine.heartbeat(&["-r"]);
    assert_eq!(reload.exit, 0, "{reload:?}");
    assert!(machine.answers());
}

#[test]
fn debug_goes_up_and_down_and_an_interrupt_is_ignored() {
    let mut machine = Machine::new("");
    let debugfile = format!(
        "{}debugfile {}\n",
        machine.read("ha.cf"),
        machine.path("ha-debug").display()
    );
    machine.write("ha.cf", &debugfile);
    machine.start();
    let wait = |text: &str| {
        crate::machine::wait_for(text, || {
            machine.read("ha-debug").contains(text).then_some(())
        });
    };
    machine.signal(Signal::SIGUSR1);
    wait(&format!(
        "debug: debug now set to 1 [pid {}]",
        machine.pid()
    ));
    machine.signal(Signal::SIGUSR2);
    wait(&format!(
        "debug: debug now set to 0 [pid {}]",
        machine.pid()
    ));
    machine.signal(Signal::SIGINT);
    machine.wait_for_heartbeat();
    assert!(machine.answers());
    assert!(
        !machine.read("ha-log").contains("debug:"),
        "debug lines belong into the debug file"
    );
}
