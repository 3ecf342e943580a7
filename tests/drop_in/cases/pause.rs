//! A daemon does not run for a while, and its machine keeps what it had.

use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::{AT_HOME, both_serve, settled};
use crate::lab::PATIENCE;
use crate::stage::{Case, DEADTIME, Outcome, Stage, stretched};

/// The first node's daemon is stopped for twice the dead time.
pub const PAUSE: Case = Case {
    // A disk can't be taken from a machine that has it still; an address can, and is given up when it goes on.
    setup: |setup| {
        for group in &mut setup.groups {
            if let Some((address, _)) = group.split_once(" disk::") {
                *group = address.to_owned();
            }
        }
    },
    run: pause,
};

/// After this time 3.0.6 has made up its mind.
const SECOND_THOUGHTS: Duration = Duration::from_millis(3500);

fn pause(stage: &mut Stage) -> Outcome {
    both_serve(stage)?;
    let left = stage.address_of(0);
    let stopped = Instant::now();
    stage.pair.a.signal_all(Signal::SIGSTOP);
    // Without a watchdog the machine keeps its address: the other node has it beside it.
    stage.must("the other node takes over", |pair| {
        pair.watch.owners(left).contains(&1)
    })?;
    thread::sleep((DEADTIME * 2).saturating_sub(stopped.elapsed()));
    stage.pair.a.signal_all(Signal::SIGCONT);
    let resumed = Instant::now();
    // Ours knows that it was stopped. 3.0.6 takes what it lacks, and the other can only yield when it hears of that.
    let allowance = Duration::from_millis(if stage.is_old(0) { 2000 } else { 1000 });
    let allowance = if stage.is_old_alone() {
        allowance // which never is enough
    } else {
        stretched(allowance)
    };
    stage.excuse(stopped, resumed + allowance);
    // Whatever lay in its buffers makes 3.0.6 believe in a healed partition, and two seconds later it starts anew.
    let mut well_since = None;
    let addresses = [0, 1].map(|node| stage.address_of(node));
    stage.must_within(
        PATIENCE * 3,
        "in the end each node serves the group that prefers it, and goes on so",
        |pair| {
            let is_well = addresses.map(|address| pair.watch.owners(address)) == [[0], [1]];
            well_since = well_since
                .filter(|_| is_well)
                .or(is_well.then(Instant::now));
            well_since.is_some_and(|since| since.elapsed() > SECOND_THOUGHTS)
        },
    )?;
    println!(
        "all was well after {:.1?}",
        resumed.elapsed().saturating_sub(SECOND_THOUGHTS)
    );
    settled(stage, AT_HOME)
}
