//! One node starts long before the other.

use std::time::{Duration, Instant};

use super::{AT_HOME, held_since, served};
use crate::lab::PATIENCE;
use crate::stage::{Case, Outcome, SCRIPTS, Stage};

/// The time that a node waits for one that it never heard.
const INITDEAD: Duration = Duration::from_secs(5);

/// The second node starts when the first serves everything.
pub const LATE: Case = Case {
    setup: |setup| setup.initdead = 5000,
    run: late,
};

fn late(stage: &mut Stage) -> Outcome {
    let addresses = [0, 1].map(|node| stage.address_of(node));
    let began = stage.pair.a.start();
    stage.must("the first node serves everything", |pair| {
        addresses.map(|address| pair.watch.owners(address)) == [[0], [0]]
    })?;
    let first = stage.pair.watch.holds(0, addresses[0]);
    let taken = first
        .first()
        .map_or(Duration::ZERO, |hold| hold.from - began);
    stage.check_time(
        "it does so when it has waited for the other, and soon then",
        taken,
        INITDEAD.saturating_sub(Duration::from_millis(500))
            ..INITDEAD + Duration::from_secs(2) + SCRIPTS,
    );
    let began = Instant::now();
    stage.pair.b.start();
    served(
        stage,
        "the late node gets the group that prefers it",
        AT_HOME,
        PATIENCE,
    )?;
    let taken = held_since(stage, 1) - began;
    // 3.0.6 gives nothing away before ten seconds have passed since it took everything
    let limit = Duration::from_secs(if stage.is_old(0) { 15 } else { 5 });
    stage.check_time(
        "the late node gets it in time",
        taken,
        Duration::ZERO..limit + SCRIPTS,
    );
    let gap = stage.longest_gap(addresses[1]);
    stage.check_time(
        "the gap is short",
        gap,
        Duration::ZERO..Duration::from_secs(1) + SCRIPTS,
    );
    stage.check_stays(0, 1);
    Ok(())
}
