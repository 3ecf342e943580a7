//! Many groups: each node has more of them than 3.0.6 starts in a few seconds.

use std::fs;
use std::time::{Duration, Instant};

use super::{AT_HOME, settled};
use crate::lab::Pair;
use crate::lab::machine::Machine;
use crate::stage::{Case, DEADTIME, Outcome, Stage};

/// Sixty-four groups start, are taken over, return, and are given away and taken back.
pub const MANY: Case = Case {
    setup: |setup| {
        let groups = (0..EACH).flat_map(|number| {
            setup
                .names
                .map(|name| format!("{name} disk::{name}{number}"))
        });
        setup.groups = groups.collect();
    },
    run: many,
};

/// How many groups prefer each node.
const EACH: usize = 32;

/// How long one group may take in the scripts of 3.0.6, stop and start together, on a busy computer.
const SCRIPT: Duration = Duration::from_secs(2);

fn many(stage: &mut Stage) -> Outcome {
    let began = Instant::now();
    stage.pair.a.start();
    stage.pair.b.start();
    runs(stage, "each node starts its groups", [EACH, EACH], began)?;
    settled(stage, AT_HOME)?;

    let died = stage.pair.power_off(0);
    runs(stage, "the survivor starts the others", [0, 2 * EACH], died)?;
    stage.must("the survivor says that it holds all", |pair| {
        pair.b.cl_status(&["rscstatus"]) == "all"
    })?;

    let returned = stage.pair.power_on(0);
    runs(stage, "groups return to their node", [EACH, EACH], returned)?;
    settled(stage, AT_HOME)?;

    let asked = Instant::now();
    stage.machine(0).command("hb_standby", &["all"]);
    runs(stage, "standby gives the groups away", [0, 2 * EACH], asked)?;
    settled(stage, [1, 1])?;
    let asked = Instant::now();
    stage.machine(1).command("hb_standby", &["foreign"]);
    runs(stage, "standby gives them back", [EACH, EACH], asked)?;
    settled(stage, AT_HOME)
}

/// Waits until each machine runs so many groups.
fn runs(
    stage: &mut Stage,
    expectation: &'static str,
    counts: [usize; 2],
    since: Instant,
) -> Outcome {
    let groups = u32::try_from(EACH * 2).expect("few");
    let limit = DEADTIME + Duration::from_secs(15) + SCRIPT * groups;
    stage.must_within(limit, expectation, |pair| running(pair) == counts)?;
    println!("{expectation}: {:.1?}", since.elapsed());
    Ok(())
}

fn running(pair: &Pair) -> [usize; 2] {
    [&pair.a, &pair.b].map(count)
}

fn count(machine: &Machine) -> usize {
    let Ok(entries) = fs::read_dir(machine.file("")) else {
        return 0;
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    names
        .filter(|name| name.to_string_lossy().starts_with("runs-"))
        .count()
}
