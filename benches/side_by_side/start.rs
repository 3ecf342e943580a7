//! Both nodes start at once: when both know that both are active, and when the address is there.

use std::time::Duration;

use super::contest::{Contest, PATIENCE, Terms};
use super::moment::millis;
use super::scenario::runs;
use super::series::Series;
use super::sheet::{Bar, Sheet};
use super::system::System;

const RUNS: usize = 20;
/// The most that is wanted of ours, in milliseconds.
const MOST: f64 = 1500.0;
const TERMS: Terms = Terms {
    keepalive: Duration::from_millis(200),
    deadtime: Duration::from_secs(1),
    failback: true,
};

/// Measures all systems.
pub fn measure(sheet: &mut Sheet) {
    sheet.remark(
        "Keepalive 200 ms, deadtime 1 s, initdead 10 s. Of keepalived, which knows nothing of the kind, one becoming \
         master and the other backup stand for both being active.",
    );
    for system in sheet.systems() {
        let (active, served) = starts(system);
        let bars = [Bar::Median(MOST)];
        sheet.add("both started to both active", system, "ms", active, &bars);
        sheet.add(
            "both started to the address present",
            system,
            "ms",
            served,
            &[],
        );
    }
}

/// The milliseconds until both are active, and until the address is there.
fn starts(system: System) -> (Series, Series) {
    let mut contest = Contest::new(system, "st", TERMS);
    let mut all = Vec::new();
    for run in 0..runs(RUNS) {
        let began = contest.start();
        let active = [0, 1].map(|node| contest.knew_both_active(node, began));
        let arrived = contest.arrived(0, began);
        let ([Some(first), Some(second)], Some(arrived)) = (active, arrived) else {
            panic!(
                "{system}, run {run}: after {PATIENCE:?} not both are active, or the address is not there\n{}",
                contest.evidence()
            );
        };
        all.push((millis(began, first.max(second)), millis(began, arrived)));
        contest.settled();
        contest.stop();
    }
    (
        Series::new(all.iter().map(|(active, _)| *active)),
        Series::new(all.iter().map(|(_, served)| *served)),
    )
}
