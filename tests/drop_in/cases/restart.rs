//! A daemon ends and runs again before the other node has called it dead.

use std::thread;
use std::time::Duration;

use super::planned::ask;
use super::{AT_HOME, both_serve, served};
use crate::lab::journal::Mark;
use crate::lab::{PATIENCE, Setup};
use crate::stage::{Case, Outcome, Stage};

/// The first node holds its own group.
pub const OWN: Case = Case {
    setup,
    run: |stage| {
        both_serve(stage)?;
        stop_and_start(stage)?;
        power_cycle(stage)?;
        stage.check_stays(1, 1);
        Ok(())
    },
};

/// The first node holds everything.
pub const ALL: Case = Case {
    setup,
    run: |stage| {
        both_serve(stage)?;
        ask(stage, 1, "hb_standby", "all", [0, 0])?;
        stop_and_start(stage)?;
        ask(stage, 1, "hb_standby", "all", [0, 0])?;
        power_cycle(stage)
    },
};

/// A dead time with room for the start of a daemon on a busy computer.
fn setup(setup: &mut Setup) {
    (setup.deadtime, setup.initdead) = (30_000, 60_000);
}

fn stop_and_start(stage: &mut Stage) -> Outcome {
    stage.pair.a.request_stop();
    let ended = stage.pair.a.ended_within(PATIENCE);
    stage.check(
        "the stopped daemon ends well",
        ended.is_some_and(|status| status.success()),
        format!("{ended:?}"),
    );
    if stage.is_old(1) {
        // What starts while 3.0.6 still takes over gets nothing back from it.
        stage.must("the other node has taken over", |pair| {
            pair.b.cl_status(&["rscstatus"]) == "all"
        })?;
    }
    stage.pair.a.start();
    returned(
        stage,
        "each node serves its own group after a stop and a start",
    )
}

/// No machine comes back sooner than this. 3.0.6 reads one port with two processes: what it has of the run before is
/// read by then.
const BOOT: Duration = Duration::from_millis(500);

fn power_cycle(stage: &mut Stage) -> Outcome {
    stage.pair.power_off(0);
    thread::sleep(BOOT);
    stage.pair.power_on(0);
    returned(stage, "each node serves its own group after a reset")
}

fn returned(stage: &mut Stage, expectation: &'static str) -> Outcome {
    served(stage, expectation, AT_HOME, PATIENCE)?;
    let log = stage.machine(1).log();
    let dead = log.has(Mark::START, "node alpha: is dead");
    stage.check(
        "the other node does not call it dead",
        !dead,
        "it did: the return was late",
    );
    Ok(())
}
