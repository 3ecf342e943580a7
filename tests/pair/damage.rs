//! Damage to a machine that serves, and files that are wrong.

use std::fs;
use std::io::Write;

use crate::lab::machine::here;
use crate::lab::namespace::run_script;
use crate::lab::{Pair, Setup, claim, eventually, files};

#[test]
fn a_full_disk_under_the_state_directory_does_not_stop_the_service() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        for machine in [&pair.a, &pair.b] {
            let state = here().join("ha.d/state");
            machine.namespace.within(|| {
                run_script(&format!(
                    "mkdir -p {0} && mount -t tmpfs -o size=64k disk {0}",
                    state.display()
                ));
            });
        }
        pair.serve_on_a();
        for machine in [&pair.a, &pair.b] {
            machine
                .namespace
                .within(|| fill(&here().join("ha.d/state/filler")));
        }
        pair.assert_stays(0, pair.long_enough());
        pair.power_off(0);
        pair.watch.expect_owner(1, pair.address());
        eventually("the disk runs there", || pair.b.file("runs-data").exists());
        pair.power_on(0); // with a full disk: a generation cannot be kept, and the pair must still be one
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        pair.assert_never_two_owners();
    });
}

/// Writes until nothing more fits.
fn fill(path: &std::path::Path) {
    let mut file = fs::File::create(path).expect("the file system is there");
    for size in [4096, 1] {
        while file.write_all(&vec![b'x'; size]).is_ok() {}
    }
}

#[test]
fn a_malformed_file_stops_the_start_with_every_error_and_touches_nothing() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        let good = pair.setup.ha_cf();
        let bad = good
            .replace("keepalive", "KeepAlive")
            .replace("deadtime", "daedtime")
            + "serail /dev/ttyS1\n";
        files::write(&pair.b.file("ha.d/ha.cf"), &bad, 0o644);
        pair.b.stop();
        pair.b.start();
        let status = pair.b.wait_stopped();
        assert_eq!(status.code(), Some(6));
        let told = fs::read_to_string(pair.b.file("stderr")).expect("it said something");
        for word in ["KeepAlive", "daedtime", "serail", "did you mean `serial`"] {
            assert!(
                told.contains(word),
                "{word} is not among the errors:\n{told}"
            );
        }
        pair.assert_stays(0, pair.long_enough());
        assert_eq!(pair.watch.moves(pair.address()), 1);

        files::write(&pair.b.file("ha.d/ha.cf"), &good, 0o644);
        pair.b.start();
        pair.expect_settled();
        pair.assert_never_two_owners();
    });
}

#[test]
fn a_second_start_beside_a_running_daemon_changes_nothing() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        let (_, status) = pair.a.command("heartbeat", &["-f"]);
        assert_eq!(status, Some(0), "already running is not an error");
        pair.assert_stays(0, pair.long_enough());
        assert_eq!(pair.a.cl_status(&["rscstatus"]), "local");
        pair.assert_never_two_owners();
    });
}

#[test]
fn damaged_state_files_do_not_lock_a_node_out() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        pair.serve_on_a();
        for damage in [
            "",
            "not a number at all",
            "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            pair.b.stop();
            let state = pair.b.file("ha.d/state");
            for entry in fs::read_dir(&state).expect("the daemon made it").flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_file()) {
                    fs::write(entry.path(), damage).expect("our own file system");
                }
            }
            pair.b.start();
            pair.expect_settled();
        }
        pair.assert_stays(0, pair.long_enough());
        assert_eq!(pair.watch.moves(pair.address()), 1);
        pair.assert_never_two_owners();
    });
}

#[test]
fn two_machines_with_one_copied_uuid_are_a_pair_all_the_same() {
    claim(|| {
        let mut pair = Pair::alone(Setup::default());
        for machine in [&pair.a, &pair.b] {
            let state = machine.file("ha.d/state");
            fs::create_dir_all(&state).expect("our own file system");
            fs::write(state.join("hb_uuid"), [7; 16]).expect("our own file system");
        }
        pair.serve_on_a();
        pair.assert_stays(0, pair.long_enough());
        pair.power_off(0);
        pair.watch.expect_owner(1, pair.address());
        for machine in [&pair.a, &pair.b] {
            let uuid = fs::read(machine.file("ha.d/state/hb_uuid")).expect("it is kept");
            assert_eq!(uuid, [7; 16], "each has the copy");
        }
        pair.assert_never_two_owners();
    });
}
