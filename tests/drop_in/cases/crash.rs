//! A node loses its power.

use std::time::{Duration, Instant};

use super::both_serve;
use crate::stage::{Case, DEADTIME, Outcome, SCRIPTS, Stage};

/// The first node dies and stays away.
pub const CRASH: Case = Case {
    setup: |_| (),
    run: crash,
};

fn crash(stage: &mut Stage) -> Outcome {
    both_serve(stage)?;
    let left = stage.address_of(0);
    let before = Instant::now(); // what it says is lost from the first cut cable on
    stage.pair.power_off(0);
    stage.must("the survivor takes over", |pair| {
        pair.watch.owners(left) == [1]
    })?;
    let taken = stage.pair.watch.expect_owner(1, left) - before;
    // 3.0.6 announces two seconds more than its deadtime while it starts, and looks every half second
    let soonest = DEADTIME.saturating_sub(Duration::from_millis(500));
    let extra = Duration::from_secs(if stage.is_old(0) { 2 } else { 0 });
    stage.check_time(
        "the takeover comes after the dead time and soon",
        taken,
        soonest..DEADTIME + extra + Duration::from_secs(1) + SCRIPTS,
    );
    stage.must("the survivor says that it holds all", |pair| {
        pair.b.cl_status(&["rscstatus"]) == "all"
    })?;
    let (said, status) = stage
        .machine(1)
        .command("cl_status", &["nodestatus", "alpha"]);
    stage.check(
        "the survivor calls the other dead",
        said == "dead\n" && status == Some(1),
        format!("{said:?} {status:?}"),
    );
    let moves = stage.pair.watch.moves(stage.address_of(1));
    stage.check(
        "the survivor's own group stays",
        moves == 1,
        format!("{moves} times"),
    );
    Ok(())
}
