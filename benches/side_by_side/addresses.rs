//! Many floating addresses at once: how long it takes until the last one is there, and until the last one is announced.

mod pairs;
mod sightings;
mod tight_loop;

use std::fs;
use std::net::Ipv4Addr;
use std::thread;
use std::time::Duration;

use super::lab::machine::Machine;
use super::lab::network::Failure;
use super::lab::usage::Usage;
use super::lab::{Networks, Program};
use super::scenario::runs;
use super::series::Series;
use super::sheet::{Bar, Sheet};
use super::system::System;
use super::tap::Tap;
use pairs::{Other, Ours, Shape, addresses};
use sightings::{Sightings, Times, now};
use tight_loop::TightLoop;

const RUNS: usize = 20;
const NUMBERS: [u16; 5] = [1, 10, 100, 1000, 5000];
/// 3.0.6 takes a third of a second for each.
const NUMBERS_OLD: [u16; 2] = [10, 100];
const RUNS_OLD: usize = 3;
const GROUPS: [u16; 4] = [1, 10, 100, 500];
/// The same system calls, in a loop.
const TIGHT_LOOP: &str = "tight loop";
const BARS: [Bar; 2] = [
    Bar::NotAbove(System::Keepalived),
    Bar::TimesReference(TIGHT_LOOP, 1.5),
];

/// The scenario `addresses`.
pub fn measure(sheet: &mut Sheet) {
    let networks = Networks::new();
    let sightings = Sightings::of("service");
    let place = (&networks, &sightings);
    let systems = sheet.systems();
    for number in NUMBERS {
        add_reference(sheet, number, &bare(place, number));
        let times = ours(place, number, Shape::OneLine, runs(RUNS));
        add(sheet, number, System::Ours, &times, &BARS);
        if systems.contains(&System::Keepalived) {
            let (times, double) = keepalived(place, number);
            add(sheet, number, System::Keepalived, &times, &[]);
            if double > 0 {
                sheet.remark(format!(
                    "keepalived, {number} addresses: in {double} of {} runs the other node had become the master while the owner lived",
                    runs(RUNS)
                ));
            }
        }
        if systems.contains(&System::Original) && NUMBERS_OLD.contains(&number) {
            let mut pair = Ours::new(
                &networks,
                &sightings,
                (number, Shape::OneLine),
                Program::Old306,
            );
            let times = rounds(runs(RUNS_OLD), || (pair.take_over(), pair.mend()).0);
            add(sheet, number, System::Original, &times, &[]);
        }
    }
    for number in GROUPS {
        let times = ours(place, number, Shape::Lines, runs(RUNS));
        let [present, announced, _] = series(&times);
        let figure = format!("{number} groups of one: dead to last present");
        sheet.add(&figure, System::Ours, "ms", present, &[]);
        let figure = format!("{number} groups of one: dead to last announced");
        sheet.add(&figure, System::Ours, "ms", announced, &[]);
    }
    sheet.remark(format!(
        "dead: our line \"is dead\", keepalived's \"Entering MASTER STATE\", as it comes out of the daemon. present: the \
         kernel's word to a netlink socket. announced: the first gratuitous ARP for the address, by the kernel's clock at the \
         switch. 3.0.6 was given {NUMBERS_OLD:?} addresses and {RUNS_OLD} runs: it takes a third of a second for each."
    ));
    sheet.remark(format!(
        "{TIGHT_LOOP}: the same netlink messages and both forms of gratuitous ARP, made ready and sent in a row."
    ));
}

/// The scenario `growth_addresses`.
pub fn growth(sheet: &mut Sheet) {
    let networks = Networks::new();
    let sightings = Sightings::of("service");
    let tap = Tap::new("service").expect("our own switch");
    for (shape, numbers) in [(Shape::OneLine, &NUMBERS[..]), (Shape::Lines, &GROUPS[..])] {
        let what = match shape {
            Shape::OneLine => "addresses in one group",
            Shape::Lines => "groups of one address",
        };
        let mut medians = Vec::new();
        for &number in numbers {
            let mut pair = Ours::new(&networks, &sightings, (number, shape), Program::Ours);
            let (mut times, mut memory, mut late) = (Vec::new(), Vec::new(), Vec::new());
            for run in 0..runs(5) {
                if run > 0 {
                    pair.mend();
                }
                let began = now();
                times.push(pair.take_over());
                thread::sleep(Duration::from_secs(3)); // the repeats of the announcements, and a look at the addresses
                let until = now();
                thread::sleep(Duration::from_millis(100)); // the tap is read now and then
                let sender = pair.pair.setup.service_address(pair.owner_number());
                let pauses = tap.pauses(sender, [began, until]);
                late.push(pauses.longest.saturating_sub(Duration::from_millis(100)));
                memory.push([Usage::of(pair.owner()).resident, proportional(pair.owner())]);
            }
            let [present, announced, _] = series(&times);
            medians.extend(announced.median().map(|median| (number, median)));
            let add = |sheet: &mut Sheet, figure: &str, unit, series| {
                let figure = format!("{number} {what}: {figure}");
                sheet.add(&figure, System::Ours, unit, series, &[]);
            };
            add(sheet, "dead to last present", "ms", present);
            add(sheet, "dead to last announced", "ms", announced);
            let [resident, proportional] =
                [0, 1].map(|place| Series::new(memory.iter().map(|both| mib(both[place]))));
            add(sheet, "resident memory of the owner", "MiB", resident);
            add(
                sheet,
                "proportional memory of the owner",
                "MiB",
                proportional,
            );
            add(
                sheet,
                "latest heartbeat, keepalive 100 ms",
                "ms",
                Series::millis(late),
            );
        }
        for pair in medians.windows(2) {
            if let [(from, before), (to, after)] = *pair {
                let exponent = (after / before).ln() / (f64::from(to) / f64::from(from)).ln();
                sheet.remark(format!(
                    "{what}, {from} to {to}: the time to the last announcement grows with the power {exponent:.2}"
                ));
            }
        }
    }
}

fn add(sheet: &mut Sheet, number: u16, system: System, times: &[Times], bars: &[Bar]) {
    let [present, announced, twice] = series(times);
    let bars = if matches!(number, 100 | 1000) {
        bars
    } else {
        &[]
    };
    sheet.add(&figure(number, "last present"), system, "ms", present, bars);
    sheet.add(
        &figure(number, "last announced"),
        system,
        "ms",
        announced,
        bars,
    );
    if system == System::Ours {
        sheet.add(
            &figure(number, "last announced twice"),
            system,
            "ms",
            twice,
            &[],
        );
    }
}

fn add_reference(sheet: &mut Sheet, number: u16, times: &[Times]) {
    let whats = ["last present", "last announced", "last announced twice"];
    for (what, series) in whats.into_iter().zip(series(times)) {
        sheet.add_reference(&figure(number, what), TIGHT_LOOP, "ms", series);
    }
}

fn figure(number: u16, what: &str) -> String {
    format!("{number} addresses in one group: dead to {what}")
}

fn series(times: &[Times]) -> [Series; 3] {
    [
        Series::millis(times.iter().map(|times| times.present)),
        Series::millis(times.iter().map(|times| times.announced)),
        Series::millis(times.iter().filter_map(|times| times.twice)),
    ]
}

fn rounds(number: usize, mut round: impl FnMut() -> Times) -> Vec<Times> {
    (0..number).map(|_| round()).collect()
}

type Place<'a> = (&'a Networks, &'a Sightings);

fn ours((networks, sightings): Place<'_>, number: u16, shape: Shape, runs: usize) -> Vec<Times> {
    let mut pair = Ours::new(networks, sightings, (number, shape), Program::Ours);
    rounds(runs, || (pair.take_over(), pair.mend()).0)
}

/// The times, and in how many runs there was none to take because both nodes were masters before the death.
fn keepalived((networks, sightings): Place<'_>, number: u16) -> (Vec<Times>, usize) {
    let mut pair = None;
    let mut times = Vec::new();
    for _ in 0..runs(RUNS) {
        let standing = pair.get_or_insert_with(|| Other::new(networks, sightings, number));
        match standing.take_over() {
            Some(taken) => {
                times.push(taken);
                standing.mend();
            }
            None => pair = None,
        }
    }
    let double = runs(RUNS) - times.len();
    (times, double)
}

fn bare((networks, sightings): Place<'_>, number: u16) -> Vec<Times> {
    let mut machine = Machine::new("bare", &format!("bare-{number}"));
    machine.attach(&networks.service, "eth0", Ipv4Addr::new(10, 77, 1, 31));
    machine.add_wide_address("eth0", Ipv4Addr::new(10, 78, 253, 1));
    let all = addresses(number);
    sightings.watch_addresses(0, &machine);
    let mut tight = TightLoop::new(&machine, &all);
    let times = rounds(runs(RUNS), || {
        sightings.clear();
        let began = tight.run();
        let times = sightings.times(0, all.len(), 2, began, Duration::from_secs(60));
        tight.undo();
        times.expect("all were added and announced")
    });
    machine.cut_all(Failure::Silent);
    times
}

/// KiB of memory, shared ones counted in part.
fn proportional(machine: &Machine) -> u64 {
    let path = format!("/proc/{}/smaps_rollup", machine.pid());
    let text = fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with("Pss:"));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.unwrap_or(u64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "a few thousand KiB")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1024.0
}
