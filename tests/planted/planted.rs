//! Proves that the simulator finds what it is there to find: plants one mistake after the other in a copy of the
//! source, runs the simulator over it, and says after how many runs, and by which rule, it was caught.
//!
//!     cargo run --example planted               all
//!     cargo run --example planted -- NAME…      some
//!     cargo run --example planted -- --list     what there is
//!
//! `HB_PLANTED_RUNS=n` says how many runs each may take (2000). Exit status 1 when one was not caught.

mod bugs;
mod copy;

use std::process::ExitCode;

use bugs::{BUGS, Bug};
use copy::{Catch, Copy, Failure};

/// How many runs of the simulator a mistake may survive.
const RUNS: u64 = 2000;

fn main() -> ExitCode {
    let wanted: Vec<String> = std::env::args().skip(1).collect();
    if wanted.iter().any(|word| word == "--list") {
        for bug in BUGS {
            println!("{:28} {}", bug.name, bug.mistake);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(unknown) = wanted
        .iter()
        .find(|name| BUGS.iter().all(|bug| bug.name != **name))
    {
        eprintln!("There is no planted mistake {unknown:?}; --list shows their names.");
        return ExitCode::FAILURE;
    }
    let runs = std::env::var("HB_PLANTED_RUNS")
        .ok()
        .and_then(|text| text.parse().ok());
    let chosen = BUGS
        .iter()
        .filter(|bug| wanted.is_empty() || wanted.iter().any(|name| name == bug.name));
    match plant_all(chosen, runs.unwrap_or(RUNS)) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(missed) => {
            println!("{missed} not caught");
            ExitCode::FAILURE
        }
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

/// How many were not caught.
fn plant_all<'a>(chosen: impl Iterator<Item = &'a Bug>, runs: u64) -> Result<usize, Failure> {
    let copy = Copy::of_this_tree()?;
    let mut missed = 0;
    for bug in chosen {
        let found = copy.with(bug, runs);
        match found {
            Ok(Some(Catch { runs, rule })) => {
                println!("{:28} caught by {rule} in run {runs}", bug.name);
            }
            Err(failure) => {
                println!("{:28} {failure}", bug.name);
                missed += 1;
            }
            Ok(None) => {
                println!("{:28} NOT CAUGHT in {runs} runs: {}", bug.name, bug.mistake);
                missed += 1;
            }
        }
    }
    Ok(missed)
}
