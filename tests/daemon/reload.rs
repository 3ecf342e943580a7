//! `-r`, `SIGHUP` and the other signals.

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

    machine.write("haresources", "here 10.255.255.1/32/lo\n");
    assert_eq!(machine.heartbeat(&["-r"]).exit, 0);
    machine.wait_for_log("haresources changed and is valid, but needs a restart");
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
