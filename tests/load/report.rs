//! The table at the end, the line of JSON, and the verdict.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::figures::Figures;
use crate::lab::Program;
use crate::tap::Pauses;
use crate::trial::KEEPALIVE;

/// Our memory may differ by so many KiB between the beginning and the end.
const GROWTH: u64 = 2048;
/// The least load average that counts as heavy, for each processor.
const HEAVY: f64 = 5.0;

/// What one pair did in one phase. Pairs of figures are those of its two nodes.
#[derive(Debug)]
pub struct Side {
    pub program: Program,
    pub length: Duration,
    pub false_deaths: [usize; 2],
    pub late: [usize; 2],
    pub dead_networks: [usize; 2],
    pub dead_lines: [usize; 2],
    pub moves_asked: usize,
    /// KiB in memory in the middle of it.
    pub halfway: [u64; 2],
    /// How often the address came to a machine.
    pub moves: usize,
    /// Times in which both machines had the address.
    pub double: Vec<Duration>,
    /// How often the script ran on both.
    pub violations: usize,
    /// By node, then by network.
    pub pauses: [[Pauses; 2]; 2],
    /// Packets that the tap missed.
    pub dropped: u64,
    pub before: [Figures; 2],
    pub after: [Figures; 2],
    pub networks: [&'static str; 2],
}

/// What the computer did in one phase.
#[derive(Debug)]
pub struct Host {
    pub load: f64,
    /// The longest that it did nothing at all.
    pub standstill: Duration,
    pub stolen: Duration,
    /// Read from the swap and written to it.
    pub pages_swapped: [u64; 2],
}

/// One phase.
#[derive(Debug)]
pub struct Phase {
    pub host: Host,
    /// Ours and 3.0.6.
    pub sides: [Side; 2],
}

/// A run.
#[derive(Debug)]
pub struct Report {
    pub seconds: u64,
    pub swaps: bool,
    pub quiet: Phase,
    pub loaded: Phase,
}

type Row = (&'static str, fn(&Side) -> String);

const ROWS: [Row; 18] = [
    ("peer declared dead, though it lived", |side| {
        both(side.false_deaths)
    }),
    ("links over a network declared dead", |side| {
        both(side.dead_networks)
    }),
    ("serial links declared dead", |side| both(side.dead_lines)),
    ("late heartbeats, by the log", |side| both(side.late)),
    ("moves of the group asked for by `hb_standby`", |side| {
        side.moves_asked.to_string()
    }),
    ("times that the address came to a machine", |side| {
        side.moves.to_string()
    }),
    ("times that both machines had it, and ms in sum", |side| {
        let sum: Duration = side.double.iter().sum();
        format!("{}, {}", side.double.len(), sum.as_millis())
    }),
    (
        "starts of the script while it ran on the other machine",
        |side| side.violations.to_string(),
    ),
    (
        "longest pause between heartbeats, ms: first network",
        |side| both(pauses(side, 0, |it| it.longest)),
    ),
    ("second network", |side| {
        both(pauses(side, 1, |it| it.longest))
    }),
    (
        "no longer than that are 999 of 1000, ms: first network",
        |side| both(pauses(side, 0, |it| it.usual)),
    ),
    ("second network", |side| {
        both(pauses(side, 1, |it| it.usual))
    }),
    ("major page faults", |side| {
        both(since(side, |it| it.major_faults))
    }),
    ("voluntary context switches a second", |side| {
        both(a_second(side, |it| it.voluntary))
    }),
    ("involuntary ones", |side| {
        both(a_second(side, |it| it.involuntary))
    }),
    ("processor time, ms a second", |side| {
        both(a_second(side, |it| it.processor))
    }),
    ("memory at the start, halfway and at the end, KiB", |side| {
        format!(
            "{} → {} → {}",
            both(now(&side.before, |it| it.resident)),
            both(side.halfway),
            both(now(&side.after, |it| it.resident))
        )
    }),
    ("of it locked; swapped out, KiB", |side| {
        format!(
            "{}; {}",
            both(now(&side.after, |it| it.locked)),
            both(now(&side.after, |it| it.swapped))
        )
    }),
];

impl Report {
    /// Prints the table and the line, which is kept beside the directory too.
    pub fn print(&self, directory: &Path) -> Result<(), String> {
        let phases = [&self.quiet, &self.loaded];
        println!("\n|  | ours, quiet | 3.0.6, quiet | ours, under load | 3.0.6, under load |");
        println!("|---|---|---|---|---|");
        for (name, value) in ROWS {
            let cells = phases.iter().flat_map(|phase| &phase.sides).map(value);
            println!("| {name} | {} |", cells.collect::<Vec<_>>().join(" | "));
        }
        let scheduling = phases.iter().flat_map(|phase| &phase.sides).map(|side| {
            let first = &side.after[0];
            format!("{}: {}", first.processes, first.scheduling.join(", "))
        });
        println!(
            "| processes and their scheduling | {} |",
            scheduling.collect::<Vec<_>>().join(" | ")
        );
        println!("\nBoth figures of a cell are those of the two nodes.");
        for (name, phase) in [("quiet", &self.quiet), ("load", &self.loaded)] {
            let Host {
                load,
                standstill,
                stolen,
                pages_swapped: [read, written],
            } = &phase.host;
            println!(
                "{name}: load average up to {load:.1}; the computer stood still for {standstill:.1?} at most and its host took {stolen:.1?} of it; \
                 {read} pages read from the swap, {written} written"
            );
        }
        let line = self.json().to_string();
        println!("{line}");
        let file = directory.with_file_name("load.json");
        fs::write(&file, line + "\n").map_err(|error| format!("{}: {error}", file.display()))
    }

    fn json(&self) -> Value {
        let phase = |phase: &Phase| {
            let host = &phase.host;
            json!({
                "load": host.load,
                "standstill_ms": host.standstill.as_millis(),
                "stolen_ms": host.stolen.as_millis(),
                "pages_swapped_in_and_out": host.pages_swapped,
                "ours": phase.sides[0].json(),
                "3.0.6": phase.sides[1].json(),
            })
        };
        json!({
            "seconds": self.seconds,
            "keepalive_ms": KEEPALIVE,
            "deadtime_ms": crate::trial::DEADTIME,
            "swap": self.swaps,
            "quiet": phase(&self.quiet),
            "load": phase(&self.loaded),
        })
    }

    /// What is wrong with ours, or with the run.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for phase in [&self.quiet, &self.loaded] {
            let [ours, _] = &phase.sides;
            ours.faults(&mut faults);
            for side in &phase.sides {
                side.doubts(&mut faults);
            }
        }
        for node in [0, 1] {
            let [from, to] = [
                &self.quiet.sides[0].before[node],
                &self.loaded.sides[0].after[node],
            ];
            if to.resident > from.resident + GROWTH {
                faults.push(format!(
                    "our node {node} grew from {} to {} KiB",
                    from.resident, to.resident
                ));
            }
        }
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let heavy = HEAVY * f64::from(u32::try_from(processors).unwrap_or(1));
        if self.seconds >= 120 && self.loaded.host.load < heavy {
            faults.push(format!(
                "the load was not heavy: {:.1}, not {heavy:.1}",
                self.loaded.host.load
            ));
        }
        faults
    }
}

impl Side {
    fn faults(&self, faults: &mut Vec<String>) {
        for node in [0, 1] {
            let mut fault = |what: String| faults.push(format!("our node {node}: {what}"));
            if self.false_deaths[node] > 0 {
                fault(format!("{} false deaths", self.false_deaths[node]));
            }
            let major = since(self, |it| it.major_faults)[node];
            if major > 0 {
                fault(format!("{major} major page faults"));
            }
            let after = &self.after[node];
            if after.locked == 0 {
                fault("its memory is not locked".to_owned());
            }
            if after.scheduling.iter().any(|class| class == "ordinary") {
                fault("it has no realtime scheduling".to_owned());
            }
        }
        if !self.double.is_empty() || self.violations > 0 {
            faults.push(format!(
                "both our nodes served: {:?}, {}",
                self.double, self.violations
            ));
        }
    }

    /// Whether anything was measured at all.
    fn doubts(&self, faults: &mut Vec<String>) {
        if self.dropped > 0 {
            faults.push(format!("{} packets were not seen", self.dropped));
        }
        // A heartbeat may be late, but hardly one in five is missing.
        let least = self.length.as_millis() / u128::from(KEEPALIVE) * 4 / 5;
        for (pauses, network) in self
            .pauses
            .iter()
            .flat_map(|node| node.iter().zip(self.networks))
        {
            if self.program == Program::Ours && (pauses.heartbeats as u128) < least {
                faults.push(format!(
                    "only {} heartbeats were seen on {network}",
                    pauses.heartbeats
                ));
            }
        }
    }

    fn json(&self) -> Value {
        let by_network = |node: usize| {
            self.pauses[node].map(|pauses| {
                json!({
                    "heartbeats": pauses.heartbeats,
                    "longest_ms": pauses.longest.as_millis(),
                    "permille_999_ms": pauses.usual.as_millis(),
                })
            })
        };
        let nodes = [0, 1].map(|node| {
            let [before, after] = [&self.before[node], &self.after[node]];
            json!({
                "false_deaths": self.false_deaths[node],
                "dead_network_links": self.dead_networks[node],
                "dead_serial_links": self.dead_lines[node],
                "late_heartbeats": self.late[node],
                "networks": by_network(node),
                "major_faults": after.major_faults.saturating_sub(before.major_faults),
                "voluntary_switches": after.voluntary.saturating_sub(before.voluntary),
                "involuntary_switches": after.involuntary.saturating_sub(before.involuntary),
                "processor_ms": after.processor.saturating_sub(before.processor),
                "resident_kib": [before.resident, self.halfway[node], after.resident],
                "locked_kib": after.locked,
                "swapped_kib": after.swapped,
                "processes": after.processes,
                "scheduling": after.scheduling,
            })
        });
        json!({
            "milliseconds": self.length.as_millis(),
            "nodes": nodes,
            "moves_asked": self.moves_asked,
            "moves": self.moves,
            "double_ownership_ms": self.double.iter().map(Duration::as_millis).collect::<Vec<_>>(),
            "script_ran_twice": self.violations,
        })
    }
}

fn both<T: std::fmt::Display>([a, b]: [T; 2]) -> String {
    format!("{a} / {b}")
}

fn pauses(side: &Side, network: usize, which: fn(&Pauses) -> Duration) -> [u128; 2] {
    [0, 1].map(|node: usize| which(&side.pauses[node][network]).as_millis())
}

fn now(figures: &[Figures; 2], which: fn(&Figures) -> u64) -> [u64; 2] {
    [which(&figures[0]), which(&figures[1])]
}

/// A process that has ended is no longer counted.
fn since(side: &Side, which: fn(&Figures) -> u64) -> [u64; 2] {
    let [before, after] = [now(&side.before, which), now(&side.after, which)];
    [0, 1].map(|node| after[node].saturating_sub(before[node]))
}

fn a_second(side: &Side, which: fn(&Figures) -> u64) -> [u64; 2] {
    let seconds = side.length.as_secs().max(1);
    since(side, which).map(|count| count / seconds)
}
