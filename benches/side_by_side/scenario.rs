//! The scenarios by their names.

use super::fastest;
use super::serial;
use super::addresses;
use super::sheet::Sheet;
use super::system::System;
use super::{failover, planned_move, start};
use super::{growth_links, upkeep};

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
];

impl Scenario {
    /// Measures everything that can run here.
    pub fn measure(&self) -> Sheet {
        let mut sheet = Sheet::new(self.name, self.title);
        for system in System::ALL {
            if let Err(reason) = system.can_run() {
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
