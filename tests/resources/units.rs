//! Units of systemd as resources, with a systemctl of our own in a mount namespace.

use std::path::Path;
use std::process::Command;

use crate::bench::{Bench, Directory, logged};
use crate::namespace::{in_namespace, put_over, skip};
use heartbeat::cluster::GroupOutcome;

#[test]
fn a_systemd_unit_is_started_and_stopped() {
    in_namespace("units::a_systemd_unit_is_started_and_stopped", || {
        let directory = Directory::new();
        for needed in ["/usr/bin/systemctl", "/etc/systemd/system"] {
            if !Path::new(needed).exists() {
                return skip(&format!("there is no {needed} to put ours over"));
            }
        }
        // The real systemctl has nobody to talk to here; ours takes its place in this mount namespace.
        let state = directory.path("state");
        let body = format!(
            "state={}; case $1 in start) echo active > $state;; stop) rm -f $state;; \
             is-active) cat $state 2>/dev/null || {{ echo inactive; exit 3; }};; esac",
            state.display()
        );
        let directory = directory.script("systemctl", &body).group("test-webserver");
        put_over(
            &directory.path("resource.d/systemctl"),
            "/usr/bin/systemctl",
        );
        std::fs::create_dir_all(directory.path("units")).expect("a directory");
        std::fs::write(directory.path("units/test-webserver.service"), "").expect("a unit");
        put_over(&directory.path("units"), "/etc/systemd/system");
        let mut bench = Bench::new(&directory);
        assert_eq!(bench.probe(0), GroupOutcome::FoundStopped);
        assert_eq!(bench.start(0), GroupOutcome::Started);
        assert_eq!(bench.probe(0), GroupOutcome::FoundRunning);
        assert_eq!(
            logged("Running systemctl start test-webserver.service").len(),
            1
        );
        std::fs::write(&state, "deactivating\n").expect("written");
        assert_eq!(bench.probe(0), GroupOutcome::FoundRunning);
        assert_eq!(bench.stop(0), GroupOutcome::Stopped);
    });
}

#[test]
fn a_unit_that_is_enabled_or_runs_makes_a_node_unready() {
    in_namespace(
        "units::a_unit_that_is_enabled_or_runs_makes_a_node_unready",
        || {
            let directory = Directory::new();
            for needed in ["/usr/bin/systemctl", "/etc/systemd/system"] {
                if !Path::new(needed).exists() {
                    return skip(&format!("there is no {needed} to put ours over"));
                }
            }
            let said = directory.path("said");
            let body = format!("cat {}-$1", said.display());
            let directory = directory.script("systemctl", &body);
            put_over(
                &directory.path("resource.d/systemctl"),
                "/usr/bin/systemctl",
            );
            std::fs::create_dir_all(directory.path("units")).expect("a directory");
            std::fs::write(directory.path("units/test-webserver.service"), "").expect("a unit");
            put_over(&directory.path("units"), "/etc/systemd/system");
            let unit = "test-webserver.service";
            let enabled = format!("0 {unit} is started at boot, too (systemctl disable {unit})\n");
            let runs = format!("0 {unit} runs already (systemctl stop {unit})\n");
            let masked = format!("0 {unit} is masked (systemctl unmask {unit})\n");
            for (is_enabled, is_active, expected) in [
                ("disabled", "inactive", String::new()),
                ("static", "failed", String::new()),
                ("", "", String::new()), // no systemd to ask
                ("enabled", "inactive", enabled.clone()),
                ("disabled", "active", runs.clone()),
                ("enabled", "activating", enabled + &runs),
                ("masked", "inactive", masked),
            ] {
                for (verb, answer) in [("is-enabled", is_enabled), ("is-active", is_active)] {
                    let path = format!("{}-{verb}", said.display());
                    std::fs::write(path, format!("{answer}\n")).expect("written");
                }
                let output = Command::new(env!("CARGO_BIN_EXE_heartbeat"))
                    .args(["probe", "ready", "/nowhere", "test-webserver"])
                    .output()
                    .expect("it runs");
                let found = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success());
                assert_eq!(found, expected, "{is_enabled} {is_active}");
            }
        },
    );
}
