//! The shortest deadtime that holds on a quiet machine: over two networks, and over a serial line alone.

use std::time::{Duration, Instant};

use super::keepalived::{Keepalived, Wanted};
use super::lab::Networks;
use super::quiet_pair::{QuietPair, setup};
use super::scenario::runs;
use super::series::Series;
use super::sheet::{Bar, Sheet};
use super::system::System;

/// A setting holds that has held for so long: for each of the runs, and there are twenty.
const WHILE: Duration = Duration::from_secs(3);
/// Between the first moment when a pair has settled and the look at it: what comes with the start is over.
const BREATH: Duration = Duration::from_secs(3);

/// Deadtimes in milliseconds, longest first; keepalive is a third. They are tried until one does not hold.
const NETWORKS: &[u32] = &[60, 45, 30, 24, 18, 15, 12, 9];
const OLD_NETWORKS: &[u32] = &[900, 600, 450, 300, 240, 180, 120, 90, 60, 45, 30];
const KEEPALIVED: &[u32] = &[300, 150, 90, 60, 45, 30];
const LINE: &[u32] = &[1500, 900, 600, 450, 300, 240, 180, 150, 120];
const OLD_LINE: &[u32] = &[3000, 2100, 1500, 900, 600, 450, 300];
/// The same with a keepalive of [`PACE`], on the serial line.
const PACED: &[u32] = &[1000, 600, 300, 250];
/// Milliseconds.
const PACE: u32 = 100;
/// Of the serial line.
const BAUD: u32 = 19_200;

const ON_NETWORKS: &str = "shortest deadtime that holds, two networks";
const ON_LINE: &str = "the same, 19200 baud serial alone";
const ON_LINE_PACED: &str = "the same at keepalive 100 ms, 19200 baud serial alone";

/// Measures all of it.
pub fn measure(sheet: &mut Sheet) {
    let networks = Networks::new();
    let time = WHILE * u32::try_from(runs(20)).unwrap_or(1);
    sheet.remark(format!(
        "A setting holds when for {time:?} no node and no link is declared dead and the pair stays as it was; keepalive is a third."
    ));
    for system in sheet.systems() {
        let (names, hosts, ladders) = match system {
            System::Keepalived => {
                let found = keepalived(&networks, time, sheet);
                sheet.add(ON_NETWORKS, system, "ms", Series::new(found), &[]);
                continue;
            }
            System::Ours => (
                [["fasta", "fastb"], ["linea", "lineb"]],
                [11, 12, 13, 14],
                (NETWORKS, LINE),
            ),
            System::Original => (
                [["olda", "oldb"], ["oldc", "oldd"]],
                [15, 16, 17, 18],
                (OLD_NETWORKS, OLD_LINE),
            ),
        };
        let [first, second, third, fourth] = hosts;
        let media = match system {
            System::Ours => "bcast eth0\nucast eth1 192.168.9.11\nucast eth1 192.168.9.12\n",
            _ => "bcast eth0\nucast eth1 192.168.9.15\nucast eth1 192.168.9.16\n",
        };
        let bar = |limit| match system {
            System::Ours => vec![Bar::Median(limit)],
            _ => Vec::new(),
        };
        let of_networks = setup(names[0], [first, second], Some(media));
        let mut pair = QuietPair::new(&networks, system, of_networks);
        let rungs = ladders.0.iter().map(|&deadtime| (deadtime / 3, deadtime));
        let found = shortest(&mut pair, rungs, time, (system, ON_NETWORKS), sheet);
        sheet.add(ON_NETWORKS, system, "ms", Series::new(found), &bar(30.0));
        drop(pair);

        let of_line = setup(names[1], [third, fourth], Some("serial /dev/ttyS0\n"));
        let mut pair = QuietPair::new(&networks, system, of_line);
        let rungs = ladders.1.iter().map(|&deadtime| (deadtime / 3, deadtime));
        let found = shortest(&mut pair, rungs, time, (system, ON_LINE), sheet);
        sheet.add(ON_LINE, system, "ms", Series::new(found), &bar(300.0));
        let rungs = PACED.iter().map(|&deadtime| (PACE, deadtime));
        let found = shortest(&mut pair, rungs, time, (system, ON_LINE_PACED), sheet);
        sheet.add(ON_LINE_PACED, system, "ms", Series::new(found), &bar(300.0));
    }
}

/// Goes down the rungs of keepalive and deadtime, both in milliseconds, and gives the deadtime of the last that holds.
fn shortest(
    pair: &mut QuietPair,
    rungs: impl Iterator<Item = (u32, u32)>,
    time: Duration,
    (system, figure): (System, &str),
    sheet: &mut Sheet,
) -> Option<f64> {
    let mut found = None;
    for (keepalive, deadtime) in rungs {
        let broken = holds(pair, keepalive, deadtime, time);
        pair.end();
        if let Err(why) = broken {
            sheet.remark(format!(
                "{system}, {figure}: keepalive {keepalive} ms, deadtime {deadtime} ms does not hold: {why}"
            ));
            break;
        }
        found = Some(f64::from(deadtime));
    }
    found
}

/// Whether a setting holds; what breaks it where it does not.
fn holds(
    pair: &mut QuietPair,
    keepalive: u32,
    deadtime: u32,
    time: Duration,
) -> Result<(), String> {
    if !pair.start(keepalive, deadtime, BAUD) {
        return Err("the pair does not settle".to_owned());
    }
    std::thread::sleep(BREATH);
    let marks = pair.marks();
    if let Some(line) = pair.death_within(marks, time) {
        return Err(line);
    }
    if pair.is_settled() {
        Ok(())
    } else {
        Err("the pair is not settled at the end".to_owned())
    }
}

/// The same with advertisements: a node is dead after three of them, and up to one more by its priority.
fn keepalived(networks: &Networks, time: Duration, sheet: &mut Sheet) -> Option<f64> {
    let (names, hosts) = (["kepta", "keptb"], [19, 20]);
    let mut pair = None;
    let mut found = None;
    for &deadtime in KEEPALIVED {
        let wanted = Wanted {
            interval: Duration::from_millis(u64::from(deadtime / 3)),
            addresses: vec![[10, 77, 1, 120].into()],
            signed: false,
            failback: true,
        };
        let pair = pair.get_or_insert_with(|| Keepalived::new(networks, names, hosts, &wanted));
        pair.write(&wanted);
        let started = Instant::now();
        for node in &mut pair.nodes {
            node.start();
        }
        let is_master = "Entering MASTER STATE";
        let broken = if pair.nodes[0]
            .line_after(started, is_master, BREATH * 3)
            .is_none()
        {
            Some("there is no master".to_owned())
        } else {
            std::thread::sleep(BREATH);
            let since = Instant::now();
            let change = |index: usize, time| pair.nodes[index].line_after(since, " STATE", time);
            let change = change(1, time).or_else(|| change(0, Duration::ZERO));
            change.map(|_| "a node changes its state".to_owned())
        };
        for node in &mut pair.nodes {
            node.power_off();
            node.machine.restore_all();
        }
        if let Some(why) = broken {
            sheet.remark(format!(
                "keepalived, {ON_NETWORKS}: advertisements every {} ms do not hold: {why}",
                deadtime / 3
            ));
            break;
        }
        found = Some(f64::from(deadtime));
    }
    found
}
