//! Both nodes start.

use std::time::{Duration, Instant};

use super::{each_serves_its_own, held_since};
use crate::stage::{Case, Outcome, Stage};

/// Both at once.
pub const TOGETHER: Case = Case {
    setup: |_| (),
    run: together,
};

fn together(stage: &mut Stage) -> Outcome {
    let began = Instant::now();
    stage.pair.a.start();
    stage.pair.b.start();
    each_serves_its_own(stage)?;
    for node in 0..2 {
        let taken = held_since(stage, node) - began;
        // 3.0.6 waits ten seconds for what a peer may still hold that just started
        let limit = Duration::from_secs(if stage.is_old(node) { 16 } else { 9 });
        stage.check_time(
            "the groups are served in time",
            taken,
            Duration::ZERO..limit,
        );
        let moves = stage.pair.watch.moves(stage.address_of(node));
        stage.check(
            "each group starts once",
            moves == 1,
            format!("{moves} times"),
        );
    }
    for &link in stage.media.links() {
        stage.must("every link is up on both nodes", |pair| {
            let [a, b] = pair.setup.names;
            pair.a.cl_status(&["hblinkstatus", b, link.name()]) == "up"
                && pair.b.cl_status(&["hblinkstatus", a, link.name()]) == "up"
        })?;
    }
    for node in 0..2 {
        let (said, status) = stage.machine(node).command("cl_status", &["hbstatus"]);
        let running = "Heartbeat is running on this machine.\n";
        stage.check(
            "cl_status says that heartbeat runs",
            said == running && status == Some(0),
            format!("{said:?} {status:?}"),
        );
    }
    Ok(())
}
