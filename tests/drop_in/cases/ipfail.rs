//! A node loses its network, but not its peer; then both lose the ping node. Each has `ipfail`: 3.0.6 as a program, ours
//! built in.

use std::thread;
use std::time::Duration;

use super::{AT_HOME, both_serve, served};
use crate::lab::namespace::run_batch;
use crate::lab::network::Failure;
use crate::lab::{PATIENCE, Pair};
use crate::stage::{Case, Outcome, SCRIPTS, Stage};

const ROUTER: &str = "10.77.1.254";

/// Longer than either needs to notice a loss and to act on it.
const QUIET: Duration = Duration::from_secs(12);

const LOSSES: Case = Case {
    setup: |setup| {
        setup.deadtime = 6000; // no link is cut, and a busy computer shall cut none
        setup.more = "ping 10.77.1.254\n\
                      deadping 2500ms\n\
                      respawn hacluster /usr/libexec/heartbeat/ipfail\n";
    },
    run: |stage| {
        router("add");
        both_serve(stage)?;
        both_see(stage, "both nodes see the ping node", "ping")?;
        for loser in 0..2 {
            let machine = stage.machine(loser);
            machine.cable("eth0").cut(Failure::Silent);
            let places = [1 - loser; 2];
            let limit = PATIENCE + SCRIPTS;
            served(stage, "the node with a network serves all", places, limit)?;
            stage.machine(loser).cable("eth0").restore();
            let back = "each gets its own back";
            served(stage, back, AT_HOME, limit)?;
        }
        let before = moves(&stage.pair);
        router("del");
        both_see(stage, "both nodes miss the ping node", "dead")?;
        thread::sleep(QUIET); // for somebody to do the wrong thing
        router("add");
        both_see(stage, "both nodes see the ping node again", "ping")?;
        thread::sleep(QUIET);
        let after = moves(&stage.pair);
        stage.check(
            "what both lose moves nothing",
            before == after,
            format!("{before:?} {after:?}"),
        );
        Ok(())
    },
};

/// The ping node is the segment's own address.
fn router(action: &str) {
    run_batch("ip", &[format!("address {action} {ROUTER}/24 dev service")]);
}

fn both_see(stage: &mut Stage, expectation: &'static str, status: &str) -> Outcome {
    stage.must(expectation, |pair| {
        [&pair.a, &pair.b]
            .iter()
            .all(|machine| machine.cl_status(&["nodestatus", ROUTER]) == status)
    })
}

fn moves(pair: &Pair) -> Vec<usize> {
    let addresses = pair.setup.floating();
    addresses.into_iter().map(|a| pair.watch.moves(a)).collect()
}

plays! {
    old_and_old_follow_the_network "ipfail" OLD_AND_OLD Quiet LOSSES;
    ours_and_old_follow_the_network "ipfail" OURS_AND_OLD Quiet LOSSES;
    old_and_ours_follow_the_network "ipfail" OLD_AND_OURS Quiet LOSSES;
    ours_and_ours_follow_the_network "ipfail" OURS_AND_OURS Quiet LOSSES;
}
