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
pub mod crash;
mod fields;
pub mod links;
pub mod loss;
pub mod many;
mod replacement;
pub mod start;
pub mod stop;

use std::time::Instant;

use crate::stage::{Outcome, Stage};

/// Starts both nodes together and waits until each serves its own group.
pub fn both_serve(stage: &mut Stage) -> Outcome {
    stage.pair.a.start();
    stage.pair.b.start();
    each_serves_its_own(stage)
}

/// Waits until each node holds its own group and says so.
pub fn each_serves_its_own(stage: &mut Stage) -> Outcome {
    let addresses = [0, 1].map(|node| stage.address_of(node));
    stage.must("each node serves the group that prefers it", |pair| {
        [0, 1]
            .iter()
            .all(|&node| pair.watch.owners(addresses[node]) == [node])
    })?;
    settled(stage, ["local", "local"])
}

/// Waits until the two nodes call each other active and hold what these words say.
pub fn settled(stage: &mut Stage, words: [&str; 2]) -> Outcome {
    stage.must("both nodes say what they hold", |pair| {
        let held = [&pair.a, &pair.b].map(|machine| machine.cl_status(&["rscstatus"]));
        held == words
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

/// When a machine came to hold an address last.
pub fn held_since(stage: &Stage, node: usize) -> Instant {
    let holds = stage.pair.watch.holds(node, stage.address_of(node));
    holds.last().map_or_else(Instant::now, |hold| hold.from)
}
