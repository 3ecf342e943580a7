//! The programs of `failfast` on one node of two.

use std::fs;
use std::time::{Duration, Instant};

use crate::lab::machine::here;
use crate::lab::{Pair, Setup, claim, eventually, files};

#[test]
fn a_failfast_program_that_fails_has_the_other_node_serve_without_waiting_for_deadtime() {
    claim(|| {
        let deadtime = Duration::from_secs(20);
        let mut pair = Pair::alone(Setup {
            deadtime: u32::try_from(deadtime.as_millis()).expect("not long"),
            initdead: 20_000,
            ..Setup::default()
        });
        let own = here();
        let own = own.display();
        let script = format!(
            "#!/bin/sh\ntouch {own}/guarded\nwhile ! [ -e {own}/fail ]; do sleep 0.05; done\nexit 1\n"
        );
        files::write(&pair.a.file("guard"), &script, 0o755);
        let ha_cf = fs::read_to_string(pair.a.file("ha.d/ha.cf")).expect("our own file system");
        let ha_cf = format!("{ha_cf}failfast root {own}/guard\n");
        files::write(&pair.a.file("ha.d/ha.cf"), &ha_cf, 0o644);
        pair.serve_on_a();
        eventually("the program runs", || pair.a.file("guarded").exists());
        eventually("the disk runs", || pair.a.file("runs-data").exists());

        let since = Instant::now();
        files::write(&pair.a.file("fail"), "", 0o644);
        let served = pair.watch.expect_owner(1, pair.address());
        assert!(served.duration_since(since) < deadtime / 2);
        eventually("the disk has moved", || pair.b.file("runs-data").exists());
        assert!(!pair.a.file("runs-data").exists());
        assert_eq!(pair.a.wait_stopped().code(), Some(1));
        pair.assert_never_two_owners();
    });
}
