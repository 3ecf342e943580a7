//! The cases, and what several of them begin with.

/// Makes tests of cases that are not for every pairing.
macro_rules! plays {
    ($($test:ident $case:literal $pairing:ident $media:ident $script:ident;)+) => {$(
        #[test]
        fn $test() {
            crate::lab::claim_with(&crate::pairing::DEMANDS, || {
                let media = crate::pairing::Media::$media;
                crate::stage::play($case, crate::pairing::$pairing, media, &$script);
            });
        }
    )+};
}

mod big;
pub mod comeback;
pub mod crash;
mod fields;
pub mod identity;
mod ipfail;
pub mod late;
pub mod links;
pub mod loss;
pub mod many;
pub mod pause;
pub mod planned;
mod replacement;
pub mod restart;
mod scripts;
pub mod soak;
pub mod start;
pub mod stop;

use std::time::{Duration, Instant};

use crate::lab::PATIENCE;
use crate::stage::{Outcome, Stage};

/// Which node serves the group of the first node, and which that of the second.
pub type Places = [usize; 2];

/// Each node serves the group that prefers it.
pub const AT_HOME: Places = [0, 1];

/// Starts both nodes together and waits until each serves its own group.
pub fn both_serve(stage: &mut Stage) -> Outcome {
    stage.pair.a.start();
    stage.pair.b.start();
    each_serves_its_own(stage)
}

/// Waits until each node holds its own group and says so.
pub fn each_serves_its_own(stage: &mut Stage) -> Outcome {
    served(
        stage,
        "each node serves the group that prefers it",
        AT_HOME,
        PATIENCE,
    )
}

/// Waits until each group is served in its place, by nobody else, and both nodes say so.
pub fn served(
    stage: &mut Stage,
    expectation: &'static str,
    places: Places,
    limit: Duration,
) -> Outcome {
    let addresses = [0, 1].map(|node| stage.address_of(node));
    stage.must_within(limit, expectation, |pair| {
        [0, 1]
            .iter()
            .all(|&group| pair.watch.owners(addresses[group]) == [places[group]])
    })?;
    settled(stage, places)
}

/// Waits until the two nodes call each other active and say that they hold what they do.
pub fn settled(stage: &mut Stage, places: Places) -> Outcome {
    let is_told = stage.pair.setup.auto_failback != Some("legacy"); // where 3.0.6 does not tell
    stage.must("both nodes say what they hold", |pair| {
        let held = [&pair.a, &pair.b].map(|machine| machine.cl_status(&["rscstatus"]));
        !is_told || held == [0, 1].map(|node| word(places, node))
    })?;
    stage.must("both nodes call each other active", |pair| {
        [&pair.a, &pair.b].iter().all(|machine| {
            let names = pair.setup.names;
            names
                .iter()
                .all(|node| machine.cl_status(&["nodestatus", node]) == "active")
        })
    })
}

/// What a node says that it holds.
fn word(places: Places, node: usize) -> &'static str {
    match (places[node] == node, places[1 - node] == node) {
        (false, false) => "none",
        (true, false) => "local",
        (false, true) => "foreign",
        (true, true) => "all",
    }
}

/// When a machine came to hold an address last.
pub fn held_since(stage: &Stage, node: usize) -> Instant {
    let holds = stage.pair.watch.holds(node, stage.address_of(node));
    holds.last().map_or_else(Instant::now, |hold| hold.from)
}
