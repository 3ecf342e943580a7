//! How fast a pair is and what it costs while nothing happens, against the figures it was built to meet.
//!
//! `cargo bench --bench takeover`; takes about three minutes and needs what the pair tests need.
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement stands outside of the daemon: it reads the real clock"
)]

#[path = "../tests/lab/mod.rs"]
mod lab;

use std::process::ExitCode;
use std::time::{Duration, Instant};
use std::{env, thread};

use lab::usage::Usage;
use lab::{Networks, Pair, Setup, sandbox};

const ROUNDS: usize = 15;

fn main() -> ExitCode {
    if !env::args().any(|argument| argument == "--bench") {
        println!("measures only when asked: cargo bench --bench takeover");
        return ExitCode::SUCCESS;
    }
    if !sandbox::is_inside() {
        eprintln!("cannot measure here: {}", sandbox::enter());
        return ExitCode::FAILURE;
    }
    sandbox::furnish();
    let networks = Networks::new();
    let verdicts = [
        start_together(&networks),
        take_over(&networks),
        rest(&networks),
    ];
    if verdicts.contains(&false) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// Says how a series compares with its bar.
fn compare(what: &str, mut series: Vec<Duration>, bar: Duration) -> bool {
    series.sort();
    let (Some(&least), Some(&median), Some(&most)) =
        (series.first(), series.get(series.len() / 2), series.last())
    else {
        return false;
    };
    let met = median <= bar;
    println!(
        "{what}: median {median:.1?} (least {least:.1?}, most {most:.1?}, {} rounds); bar {bar:.1?}: {}",
        series.len(),
        if met { "met" } else { "MISSED" }
    );
    met
}

/// Both nodes started at once, until the address is there.
fn start_together(networks: &Networks) -> bool {
    let mut pair = Pair::new(
        networks,
        Setup {
            names: ["castor", "pollux"],
            hosts: [11, 12],
            groups: group_of("castor"),
            ..Setup::default()
        },
    );
    let series = (0..ROUNDS).map(|_| {
        let began = Instant::now();
        pair.a.start();
        pair.b.start();
        let served = pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
        pair.b.stop();
        pair.a.stop();
        served - began
    });
    compare(
        "both started together, to the address",
        series.collect(),
        Duration::from_secs(2),
    )
}

fn group_of(name: &str) -> Vec<String> {
    vec![format!("{name} IPaddr::10.77.1.100/24/eth0")]
}

/// From SIGKILL of the owner with its links cut to the address on the survivor.
fn take_over(networks: &Networks) -> bool {
    let mut pair = Pair::new(
        networks,
        Setup {
            deadtime: 1000,
            groups: group_of("alpha"),
            ..Setup::default()
        },
    );
    pair.serve_on_a();
    let (mut whole, mut after) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // Another place between two heartbeats each time.
        thread::sleep(Duration::from_millis(200) * u32::try_from(round).unwrap_or(0) / 15);
        let log = pair.b.log();
        let mark = log.mark();
        let death_is_told = thread::spawn(move || {
            // Looked for as often as the address is, so that the difference of the two means something.
            let given_up = Instant::now() + Duration::from_secs(30);
            while !log.has(mark, "node alpha: is dead") && Instant::now() < given_up {
                thread::sleep(Duration::from_micros(500));
            }
            Instant::now()
        });
        let died = pair.power_off(0);
        let moved = pair.watch.expect_owner(1, pair.address());
        let told = death_is_told.join().expect("it waits only for the line");
        whole.push(moved - died);
        after.push(moved.saturating_duration_since(told));
        pair.power_on(0);
        pair.watch.expect_owner(0, pair.address());
        pair.expect_settled();
    }
    let first = compare(
        "SIGKILL with links cut, to the address",
        whole,
        Duration::from_millis(1200),
    );
    let second = compare(
        "  of which after \"is dead\" was seen in the log (looked for every 2 ms)",
        after,
        Duration::from_millis(10),
    );
    first && second
}

/// A pair that has nothing to do, for a minute.
fn rest(networks: &Networks) -> bool {
    let setup = Setup {
        names: ["north", "south"],
        hosts: [21, 22],
        keepalive: 1000,
        deadtime: 10_000,
        groups: group_of("north"),
        ..Setup::default()
    };
    let mut pair = Pair::new(networks, setup);
    pair.serve_on_a();
    thread::sleep(Duration::from_secs(5));
    let marks = pair.marks();
    let before = Usage::of(&pair.a);
    thread::sleep(Duration::from_secs(60));
    let after = Usage::of(&pair.a);
    let lines = pair.a.log().since(marks[0]).len() + pair.b.log().since(marks[1]).len();
    let processes = pair.a.namespace.processes().len();
    println!(
        "one minute of rest, three links, keepalive 1 s: {} KiB resident (bar 10240), {} threads, {processes} \
         processes (bar 1), {} wake-ups, {} ms of processor, {lines} log lines on both (bar 0)",
        after.resident,
        after.threads,
        after.wakeups - before.wakeups,
        (after.ticks - before.ticks) * 10,
    );
    after.resident < 10_240 && processes == 1 && lines == 0
}
