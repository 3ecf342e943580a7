//! An address is moved while both nodes are well: what a client that pings it sees of that.
//!
//! The client asks every 5 ms. The outage is the longest time between two answers that come one after the other, by the
//! kernel's time on the segment: one of 5 ms means that no question was lost.

use std::thread;
use std::time::Duration;

use super::client::Way;
use super::contest::{ADDRESS, Contest, Move, PATIENCE, Terms};
use super::moment::{self, Moment, millis};
use super::scenario::runs;
use super::segment::Kind;
use super::series::Series;
use super::sheet::{Bar, Sheet};
use super::system::System;

const RUNS: usize = 20;
/// Between two questions of the client.
const PACE: Duration = Duration::from_millis(5);
/// So long the client asks before the move and after the first answer of the new owner.
const MARGIN: Duration = Duration::from_millis(500);
/// The longest outage of ours that is wanted.
const MOST: f64 = 10.0;
const TERMS: Terms = Terms {
    keepalive: Duration::from_millis(200),
    deadtime: Duration::from_secs(1),
    failback: false,
};

/// Measures all systems.
pub fn measure(sheet: &mut Sheet) {
    sheet.remark(
        "Heartbeats are told to move by hb_standby. keepalived knows two ways: its master is stopped, and takes the \
         address back when it is started again; or its master gets a lower priority, and the old one later, each by a \
         reload.",
    );
    for system in sheet.systems() {
        let ways: &[(&str, Means)] = match system {
            System::Ours | System::Original => &[("", Means::Command)],
            System::Keepalived => &[
                (", by a stop", Means::Stop),
                (", by a reload", Means::Reload),
            ],
        };
        for (name, way) in ways {
            let (outages, gaps) = moves(system, *way);
            let figure = format!("longest time between two answers to a ping every 5 ms{name}");
            sheet.add(&figure, system, "ms", outages, &[Bar::Median(MOST)]);
            let figure = format!("address gone here to address present there{name}");
            sheet.add(&figure, system, "ms", gaps, &[]);
        }
    }
}

/// How a move is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Command,
    Stop,
    Reload,
}

/// The milliseconds of outage of each move, and those during which no node had the address.
fn moves(system: System, way: Means) -> (Series, Series) {
    let word = if way == Means::Reload { "pr" } else { "pm" };
    let mut contest = Contest::new(system, word, TERMS);
    contest.start();
    let mut all = Vec::new();
    for run in 0..runs(RUNS) {
        let owner = contest.settled();
        contest.segments.clear();
        let client = contest.client(Way::Ping, PACE);
        let began = moment::now();
        let ready = contest.answered(owner, began);
        thread::sleep(MARGIN);
        let before = moment::now();
        contest.move_away(owner, how(way, 50));
        let arrived = contest.arrived(1 - owner, before);
        let answered = contest.answered(1 - owner, before);
        thread::sleep(MARGIN);
        drop(client);
        let gone = contest.arrivals[owner].first(before, PATIENCE, (ADDRESS, false));
        let (Some(_), Some(arrived), Some(_), Some(gone)) = (ready, arrived, answered, gone) else {
            panic!(
                "{system}, run {run}: the address did not move within {PATIENCE:?}\n{}",
                contest.evidence()
            );
        };
        all.push((outage(&contest, before), millis(gone, arrived)));
        match way {
            Means::Command => {}
            Means::Stop => contest.start_one(owner),
            Means::Reload => contest.move_away(owner, how(way, 150)),
        }
    }
    (
        Series::new(all.iter().map(|(outage, _)| *outage)),
        Series::new(all.iter().map(|(_, gap)| *gap)),
    )
}

fn how(way: Means, priority: u8) -> Move {
    if way == Means::Reload {
        Move::Reload { priority }
    } else {
        Move::Stop
    }
}

/// The longest time between two answers of which the second came after a moment.
fn outage(contest: &Contest, after: Moment) -> f64 {
    let seen = contest.segments.seen();
    let answers = seen
        .iter()
        .filter(|seen| matches!(seen.kind, Kind::Pong(ADDRESS, _)));
    let times: Vec<Moment> = answers.map(|seen| seen.at).collect();
    let pairs = times.windows(2).filter(|pair| pair[1] >= after);
    let pauses = pairs.map(|pair| millis(pair[0], pair[1]));
    pauses.fold(0.0, f64::max)
}
