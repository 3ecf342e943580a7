//! The scenarios by their names.

use std::time::Duration;

use super::sheet::Sheet;
use super::system::System;
use super::{
    addresses, failover, fastest, floods, growth_links, loss, planned_move, serial, start, stress,
    upkeep,
};

/// Something to be measured.
pub struct Scenario {
    /// As it is called on the command line and in the file that it leaves.
    pub name: &'static str,
    /// What it measures, for the head of its table.
    title: &'static str,
    run: fn(&mut Sheet),
}

/// All of them, in the order in which they run.
const ALL: &[Scenario] = &[
    Scenario {
        name: "failover",
        title: "a node dies, and the other one takes over",
        run: failover::measure,
    },
    Scenario {
        name: "planned_move",
        title: "an address is moved while both nodes are well",
        run: planned_move::measure,
    },
    Scenario {
        name: "start",
        title: "both nodes start at once",
        run: start::measure,
    },
    Scenario {
        name: "fastest",
        title: "shortest deadtime that holds on a quiet machine",
        run: fastest::measure,
    },
    Scenario {
        name: "serial",
        title: "how busy a serial line is",
        run: serial::measure,
    },
    Scenario {
        name: "upkeep",
        title: "what a resting pair costs",
        run: upkeep::measure,
    },
    Scenario {
        name: "growth_links",
        title: "what a resting pair costs by its number of links, keepalive 100 ms",
        run: growth_links::measure,
    },
    Scenario {
        name: "addresses",
        title: "many floating addresses, from declared dead",
        run: addresses::measure,
    },
    Scenario {
        name: "growth_addresses",
        title: "what addresses and groups cost, and whether heartbeats are late by them",
        run: addresses::growth,
    },
    Scenario {
        name: "loss",
        title: "false deaths while messages are lost on both of two links",
        run: loss::measure,
    },
    Scenario {
        name: "stress",
        title: "false deaths while processors, memory and disk are busy",
        run: stress::measure,
    },
    Scenario {
        name: "floods",
        title: "garbage, forged and replayed packets on both of two links",
        run: floods::measure,
    },
];

impl Scenario {
    /// Measures everything that can run here.
    pub fn measure(&self) -> Sheet {
        let mut sheet = Sheet::new(self.name, self.title);
        for system in System::ALL {
            if let Err(reason) = system.can_run().and_then(|()| is_asked_for(system)) {
                sheet.skip(system, &reason);
            }
        }
        (self.run)(&mut sheet);
        sheet
    }
}

/// The names of all, in the order in which they run.
pub fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|scenario| scenario.name)
}

/// The scenarios of these names; all where there are none.
///
/// # Errors
/// A name that no scenario has.
pub fn chosen(names: &[&str]) -> Result<Vec<&'static Scenario>, String> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let known = ALL.iter().map(|scenario| scenario.name);
    let known = known.collect::<Vec<_>>().join(", ");
    let find = |name: &&str| {
        let found = ALL.iter().find(|scenario| scenario.name == *name);
        found.ok_or_else(|| format!("no scenario is called {name}; there are: {known}"))
    };
    names.iter().map(find).collect()
}

/// How many runs a figure is to have: `default`, or fewer where `HB_BENCH_RUNS` says so.
pub fn runs(default: usize) -> usize {
    let asked = std::env::var("HB_BENCH_RUNS").ok();
    let asked = asked.and_then(|word| word.parse().ok());
    asked.map_or(default, |asked: usize| asked.clamp(1, default))
}

/// How many seconds something is to last that a figure counts over: `default`, or fewer where `HB_BENCH_SECONDS` says so.
pub fn lasting(default: u64) -> Duration {
    let asked = std::env::var("HB_BENCH_SECONDS").ok();
    let asked = asked.and_then(|word| word.parse().ok());
    let seconds = asked.map_or(default, |asked: u64| asked.clamp(1, default));
    Duration::from_secs(seconds)
}

/// Whether `HB_BENCH_ONLY` names this system, or nothing.
fn is_asked_for(system: System) -> Result<(), String> {
    match std::env::var("HB_BENCH_ONLY") {
        Ok(only) if only != system.to_string() => Err(format!("HB_BENCH_ONLY is {only}")),
        _ => Ok(()),
    }
}
