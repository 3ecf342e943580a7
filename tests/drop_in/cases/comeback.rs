//! A node that lost its power comes back after the other has taken over.

use std::time::{Duration, Instant};

use super::{AT_HOME, Places, both_serve, served};
use crate::lab::PATIENCE;
use crate::stage::{Case, Outcome, SCRIPTS, Stage};

/// Its group returns to it.
pub const ON: Case = Case {
    setup: |setup| setup.auto_failback = Some("on"),
    run: |stage| come_back(stage, AT_HOME),
};

/// Its group stays where it is.
pub const OFF: Case = Case {
    setup: |setup| setup.auto_failback = Some("off"),
    run: |stage| come_back(stage, [1, 1]),
};

/// It asks for its group.
pub const LEGACY: Case = Case {
    setup: |setup| setup.auto_failback = Some("legacy"),
    run: |stage| come_back(stage, AT_HOME),
};

fn come_back(stage: &mut Stage, places: Places) -> Outcome {
    both_serve(stage)?;
    let left = stage.address_of(0);
    stage.pair.power_off(0);
    stage.must("the survivor takes over", |pair| {
        pair.watch.owners(left) == [1]
    })?;
    if stage.pair.setup.auto_failback != Some("legacy") {
        stage.must("the survivor says that it holds all", |pair| {
            pair.b.cl_status(&["rscstatus"]) == "all"
        })?;
    }
    let returned = Instant::now();
    stage.pair.power_on(0);
    served(
        stage,
        "the groups are where auto_failback wants them",
        places,
        PATIENCE,
    )?;
    let moves = stage.pair.watch.moves(left);
    let wanted = if places == AT_HOME { 3 } else { 2 };
    stage.check(
        "nothing moves more than it must",
        moves == wanted,
        format!("{moves} times"),
    );
    if let Some(back) = stage.pair.watch.holds(0, left).get(1).copied() {
        stage.check_time(
            "the group returns soon",
            back.from - returned,
            Duration::ZERO..Duration::from_secs(6) + SCRIPTS,
        );
        let given = stage.pair.watch.holds(1, left);
        let given = given.last().map_or(back.from, |hold| hold.until);
        stage.check_time(
            "the gap is short",
            back.from.saturating_duration_since(given),
            Duration::ZERO..Duration::from_secs(1) + SCRIPTS,
        );
    }
    stage.check_stays(1, 1);
    Ok(())
}
