//! Ours beside heartbeat 3.0.6 and keepalived, in one run on one machine.
//!
//! `cargo bench --bench side_by_side -- [SCENARIO…]`; `make bench` runs all. Each scenario puts its figures into the [`sheet`],
//! which becomes a table and `target/side_by_side/SCENARIO.json`. From those,
//!
//!     cargo bench --bench side_by_side -- table      prints all figures in one table
//!     cargo bench --bench side_by_side -- report     writes the tables of docs/performance.md
#![allow(
    clippy::disallowed_methods,
    reason = "a measurement stands outside of the daemon: it reads the real clock"
)]

#[path = "../../tests/lab/mod.rs"]
mod lab;

#[path = "../../tests/load/tap.rs"]
#[allow(
    dead_code,
    reason = "one scenario asks less of it than the load runs do"
)]
mod tap;

mod addresses;
mod ammunition;
mod arrivals;
mod bare_loop;
mod client;
mod contest;
mod endurance;
mod failover;
mod fastest;
mod floods;
mod growth;
mod growth_links;
mod gun;
mod keepalived;
mod lines;
mod loss;
mod moment;
mod outgoing;
mod page;
mod planned_move;
mod quiet_pair;
mod record;
mod report;
mod resting;
mod scenario;
mod segment;
mod serial;
mod series;
mod sheet;
mod start;
mod stress;
mod system;
mod upkeep;

use std::env;
use std::process::ExitCode;

use lab::sandbox;

/// Tells the inside of a sandbox which scenario is its own.
const ONLY: &str = "HB_BENCH_SCENARIO";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    if !words.iter().any(|word| word == "--bench") {
        println!("measures only when asked: cargo bench --bench side_by_side");
        return ExitCode::SUCCESS;
    }
    let names: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with('-'))
        .collect();
    match names.as_slice() {
        ["report"] => return exit(report::write().map(|()| true)),
        ["table"] => return exit(report::print()),
        _ => {}
    }
    let chosen = match scenario::chosen(&names) {
        Ok(chosen) => chosen,
        Err(reason) => {
            eprintln!("{reason}");
            return ExitCode::FAILURE;
        }
    };
    if !sandbox::is_inside() {
        return each_in_its_sandbox(&chosen);
    }
    let only = env::var(ONLY).unwrap_or_default();
    sandbox::furnish();
    let mut met = true;
    for scenario in chosen.into_iter().filter(|each| each.name == only) {
        let sheet = scenario.measure();
        print!("{sheet}");
        met &= sheet.is_met();
        if let Err(error) = sheet.save() {
            eprintln!("{}: {error}", scenario.name);
            met = false;
        }
    }
    exit(Ok(met))
}

fn exit(met: Result<bool, String>) -> ExitCode {
    match met {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("{reason}");
            ExitCode::FAILURE
        }
    }
}

/// One after the other, so that none has to do with machines and threads that another one has left.
fn each_in_its_sandbox(chosen: &[&scenario::Scenario]) -> ExitCode {
    let mut met = true;
    for scenario in chosen {
        let ended = sandbox::command().and_then(|mut command| {
            let status = command.env(ONLY, scenario.name).status();
            status.map_err(|error| format!("cannot run unshare: {error}"))
        });
        match ended {
            Ok(status) => met &= status.success(),
            Err(reason) => {
                eprintln!("cannot measure {} here: {reason}", scenario.name);
                met = false;
            }
        }
    }
    exit(Ok(met))
}
