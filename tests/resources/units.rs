//! Units of systemd as resources, with a systemctl of our own in a mount namespace.

use std::path::Path;

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
