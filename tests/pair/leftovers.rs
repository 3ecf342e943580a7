//! A daemon that was killed in the middle of an action, and the one that is started after it.

use std::time::Duration;

use crate::lab::journal::Mark;
use crate::lab::{Pair, Setup, claim, eventually, files, program, throughout};

#[test]
fn a_start_that_outlives_its_daemon_makes_no_second_owner() {
    claim(|| {
        // The slow resource stands first: until it runs, nothing of the group is found running.
        let mut pair = Pair::alone(Setup {
            initdead: 2000,
            groups: vec!["alpha disk::data IPaddr::10.77.1.100/24/eth0".to_owned()],
            ..Setup::default()
        });
        pair.b.hold("start-data");
        pair.b.start();
        pair.b
            .log()
            .expect(Mark::START, "resource.d/disk data start");
        // The daemon has other children too, for what it stores and looks after.
        eventually("the script runs, which is told before", || {
            let all = pair.b.namespace.processes();
            all.into_iter().any(|pid| program::name(pid) == "disk")
        });
        pair.b.kill_daemon();
        let mark = pair.b.log().mark();
        pair.b.start();
        pair.a.start();
        pair.b
            .log()
            .expect(mark, "which the daemon before this one began, still runs");
        let period = Duration::from_secs(2);
        throughout(period, "the other node does not start it on hope", || {
            !pair.a.file("runs-data").exists() && !pair.a.holds(pair.address())
        });
        pair.b.release("start-data");
        eventually("the old start has ended", || {
            files::journal().contains("beta data started")
        });
        // Then all goes its usual way: it is found running, adopted, and returns to its node.
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        pair.assert_stays(0, period);
        assert!(!pair.b.file("runs-data").exists());
        assert!(pair.a.file("runs-data").exists());
        pair.assert_never_two_owners();
    });
}
