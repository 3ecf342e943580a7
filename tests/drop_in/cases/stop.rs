//! A node is stopped as one should.

use std::time::{Duration, Instant};

use super::both_serve;
use crate::lab::PATIENCE;
use crate::stage::{Case, Outcome, SCRIPTS, Stage};

/// The first node stops and hands over.
pub const STOP: Case = Case {
    setup: |setup| (setup.deadtime, setup.initdead) = (DEADTIME, 2 * DEADTIME),
    run: stop,
};

/// In milliseconds: more than a busy computer takes for the takeover, which must not wait for it.
const DEADTIME: u32 = 10_000;

fn stop(stage: &mut Stage) -> Outcome {
    both_serve(stage)?;
    let left = stage.address_of(0);
    let asked = Instant::now();
    stage.pair.a.request_stop();
    stage.must("the other node takes over", |pair| {
        pair.watch.owners(left) == [1]
    })?;
    let taken = stage.pair.watch.expect_owner(1, left) - asked;
    stage.check_time(
        "the takeover does not wait for the dead time",
        taken,
        Duration::ZERO..Duration::from_millis(1500) + SCRIPTS,
    );
    let gap = stage.longest_gap(left);
    stage.check_time(
        "the gap is short",
        gap,
        Duration::ZERO..Duration::from_secs(1) + SCRIPTS,
    );
    let ended = stage.pair.a.ended_within(PATIENCE);
    stage.check(
        "the stopped daemon ends well",
        ended.is_some_and(|status| status.success()),
        format!("{ended:?}"),
    );
    let left_over = stage.pair.a.holds(left) || stage.pair.a.file("runs-left").exists();
    stage.check(
        "the stopped node holds nothing",
        !left_over,
        "something is left",
    );
    let (said, status) = stage.machine(0).command("cl_status", &["hbstatus"]);
    stage.check(
        "cl_status says that heartbeat is stopped",
        said == "Heartbeat is stopped on this machine.\n" && status == Some(1),
        format!("{said:?} {status:?}"),
    );
    stage.must("the other node says that it holds all", |pair| {
        pair.b.cl_status(&["rscstatus"]) == "all"
    })?;
    stage.must_within(
        Duration::from_millis(DEADTIME.into()) + PATIENCE,
        "the other node calls the stopped one dead in the end",
        |pair| pair.b.cl_status(&["nodestatus", "alpha"]) == "dead",
    )?;
    let moves = stage.pair.watch.moves(stage.address_of(1));
    stage.check(
        "the other node's own group stays",
        moves == 1,
        format!("{moves} times"),
    );
    Ok(())
}
