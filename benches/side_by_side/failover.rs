//! A node dies: how late the other one sees it, how soon the address is there, and when a client has its answer.
//!
//! The owner's cables are cut and all its processes killed, each time at another place between two heartbeats. The time of
//! the last heartbeat is that of the kernel on the segment, on whichever it came last.

use std::thread;
use std::time::Duration;

use super::client::Way;
use super::contest::{Contest, PATIENCE, Terms};
use super::moment::{self, Moment, millis};
use super::scenario::runs;
use super::series::Series;
use super::sheet::{Bar, Sheet};
use super::system::System;

const RUNS: usize = 20;
/// Between two questions of the client.
const PACE: Duration = Duration::from_millis(2);
const TERMS: Terms = Terms {
    keepalive: Duration::from_millis(200),
    deadtime: Duration::from_secs(1),
    failback: false,
};

/// The moments of one failover.
struct Moments {
    crashed: Moment,
    last_heard: Moment,
    dead: Moment,
    arrived: Moment,
    announced: Moment,
    answered: Moment,
}

/// Measures all systems.
pub fn measure(sheet: &mut Sheet) {
    sheet.remark(
        "Two networks, no serial line; deadtime 1 s, keepalive 200 ms. keepalived: the nearest to that is an interval of \
         280 ms, with which its silence is 1010.6 ms (three intervals and its skew), unsigned (VRRP of version 3 knows no \
         signatures, and version 2 no interval below a second); it counts as declared dead when it says that it becomes \
         master.",
    );
    sheet.remark(
        "The crash is the moment when the first cable begins to be cut, each time elsewhere between two heartbeats; the \
         last of the cables is cut, and the processes are killed, some milliseconds later.",
    );
    for system in sheet.systems() {
        add(sheet, system, &failovers(system));
    }
}

fn add(sheet: &mut Sheet, system: System, all: &[(Duration, Moments)]) {
    let figure = |of: &dyn Fn(&(Duration, Moments)) -> f64| Series::new(all.iter().map(of));
    let late =
        figure(&|(deadtime, at)| millis(at.last_heard, at.dead) - deadtime.as_secs_f64() * 1e3);
    let bar = [Bar::MedianAndMost(1.0, 10.0)];
    sheet.add(
        "last heartbeat to declared dead, less deadtime",
        system,
        "ms",
        late,
        &bar,
    );
    let present = figure(&|(_, at)| millis(at.dead, at.arrived));
    sheet.add(
        "declared dead to address present",
        system,
        "ms",
        present,
        &[Bar::Median(1.0)],
    );
    let announced = figure(&|(_, at)| millis(at.dead, at.announced));
    let name = "declared dead to address present and announced";
    sheet.add(name, system, "ms", announced, &[Bar::Median(1.0)]);
    let whole = figure(&|(deadtime, at)| {
        millis(at.last_heard, at.announced) - deadtime.as_secs_f64() * 1e3
    });
    sheet.add(
        "last heartbeat to announced, less deadtime",
        system,
        "ms",
        whole,
        &[],
    );
    let answered = figure(&|(_, at)| millis(at.crashed, at.answered));
    sheet.add(
        "crash to the new owner's first answer",
        system,
        "ms",
        answered,
        &[],
    );
}

/// The silence after which each was declared dead, and what happened when.
fn failovers(system: System) -> Vec<(Duration, Moments)> {
    let mut contest = Contest::new(system, "fo", TERMS);
    contest.start();
    let count = runs(RUNS);
    let all = (0..count).map(|run| {
        let owner = contest.settled();
        let place = f64::from(u32::try_from(run).expect("few"))
            / f64::from(u32::try_from(count).expect("few"));
        thread::sleep(contest.pace() + contest.pace().mul_f64(place));
        contest.segments.clear();
        let client = contest.client(Way::Arp, PACE);
        // At least one heartbeat is seen, so that the last one can be told.
        thread::sleep(contest.pace() * 2);
        let crashed = moment::now();
        contest.power_off(owner);
        let found = moments(&contest, owner, crashed);
        drop(client);
        let moments = found.unwrap_or_else(|missing| {
            panic!(
                "{system}, run {run}: {missing} is missing after {PATIENCE:?}\n{}",
                contest.evidence()
            )
        });
        contest.power_on(owner);
        (contest.deadtime(), moments)
    });
    all.collect()
}

fn moments(contest: &Contest, dead: usize, crashed: Moment) -> Result<Moments, &'static str> {
    let survivor = 1 - dead;
    let died = contest
        .declared_dead(survivor, crashed)
        .ok_or("the word of its death")?;
    Ok(Moments {
        crashed,
        last_heard: contest.last_heard(dead).ok_or("its last heartbeat")?,
        dead: died,
        arrived: contest.arrived(survivor, crashed).ok_or("the address")?,
        announced: contest
            .announced(survivor, crashed)
            .ok_or("the announcement")?,
        answered: contest.answered(survivor, crashed).ok_or("an answer")?,
    })
}
