//! What each case cost when it was last recorded, and what it may cost at most. `tests/performance.rs` tries the judgement.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A count may be this many hundredths above the recorded one.
const TOLERANCE: u64 = 5;
/// The same where another compiler or another valgrind counts: both change counts without any change of ours.
const TOLERANCE_ELSEWHERE: u64 = 25;

/// What records anew.
const COMMAND: &str = "HB_UPDATE_EXPECTED=1 make counts";

/// What counts depend on beside the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// What `rustc --version` says.
    pub rustc: String,
    /// What `valgrind --version` says.
    pub valgrind: String,
    /// The C library, in the words of `ldd --version`.
    pub libc: String,
    /// For which processor.
    pub target: String,
}

/// What is recorded.
#[derive(Debug, Serialize, Deserialize)]
pub struct Limits {
    /// Where they were counted.
    pub recorded_with: Machine,
    /// Instructions by case.
    pub counts: BTreeMap<String, u64>,
}

fn file() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/benches/limits.json"))
}

/// Writes down what was counted. What was not counted this time stays, unless all was.
///
/// # Errors
/// When part of the counts would be from another machine, or the file can't be written.
pub fn record(machine: Machine, counted: &[(String, u64)], is_whole: bool) -> Result<(), String> {
    let mut counts: BTreeMap<String, u64> = counted.iter().cloned().collect();
    if !is_whole {
        let former = Limits::read()?;
        if former.recorded_with != machine {
            return Err(format!(
                "the others were counted with {}: record all of them",
                former.recorded_with
            ));
        }
        let others = former.counts.into_iter();
        counts = others.chain(counts).collect();
    }
    let limits = Limits {
        recorded_with: machine,
        counts,
    };
    let text = serde_json::to_string_pretty(&limits).map_err(|error| error.to_string())?;
    fs::write(file(), text + "\n").map_err(|error| format!("{}: {error}", file().display()))?;
    println!("{} counts are recorded", counted.len());
    Ok(())
}

impl Limits {
    /// What the file in the tree says.
    ///
    /// # Errors
    /// When it is not there or can't be read.
    pub fn read() -> Result<Self, String> {
        let complain =
            |error: &dyn fmt::Display| format!("{}: {error}; {COMMAND} makes it", file().display());
        let text = fs::read_to_string(file()).map_err(|error| complain(&error))?;
        serde_json::from_str(&text).map_err(|error| complain(&error))
    }

    /// Holds counts against it.
    pub fn judge(&self, machine: &Machine, counted: &[(String, u64)], is_whole: bool) -> Verdict {
        let elsewhere = (self.recorded_with != *machine).then(|| {
            format!(
                "recorded with {}, counted with {machine}",
                self.recorded_with
            )
        });
        let tolerance = match elsewhere {
            None => TOLERANCE,
            Some(_) => TOLERANCE_ELSEWHERE,
        };
        let rows = counted.iter().map(|(name, count)| {
            let recorded = self.counts.get(name).copied();
            Row {
                name: name.clone(),
                count: *count,
                recorded,
                finding: recorded.map_or(Finding::Unknown, |recorded| {
                    find(*count, recorded, tolerance)
                }),
            }
        });
        let is_counted = |name: &&String| counted.iter().any(|(other, _)| other == *name);
        let recorded = self.counts.keys().filter(|_| is_whole);
        Verdict {
            rows: rows.collect(),
            vanished: recorded.filter(|name| !is_counted(name)).cloned().collect(),
            elsewhere,
            tolerance,
        }
    }
}

/// The most instructions that are within the tolerance.
fn limit(recorded: u64, tolerance: u64) -> u64 {
    recorded.saturating_add(recorded.saturating_mul(tolerance) / 100)
}

fn find(count: u64, recorded: u64, tolerance: u64) -> Finding {
    if count > limit(recorded, tolerance) {
        Finding::Dearer
    } else if limit(count, tolerance) < recorded {
        Finding::Cheaper
    } else {
        Finding::Same
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    Same,
    /// Fails.
    Dearer,
    /// Should be recorded, or the next regression has room to hide in.
    Cheaper,
    /// Fails: what is not recorded has no limit.
    Unknown,
}

struct Row {
    name: String,
    count: u64,
    recorded: Option<u64>,
    finding: Finding,
}

/// What became of a comparison.
pub struct Verdict {
    rows: Vec<Row>,
    /// Recorded, and no such case any more.
    vanished: Vec<String>,
    /// Why the wider tolerance holds, if it does.
    elsewhere: Option<String>,
    tolerance: u64,
}

impl Verdict {
    /// The same as a scenario of `benches/side_by_side` leaves its figures, for the table of all.
    pub fn sheet(&self) -> Value {
        let figures = self.rows.iter().map(|row| {
            let bar = row
                .recorded
                .map_or("no limit: MISSED".to_owned(), |recorded| {
                    let missed = row.finding == Finding::Dearer;
                    let verdict = if missed { "MISSED" } else { "met" };
                    format!("≤ {}: {verdict}", limit(recorded, self.tolerance))
                });
            json!({
                "figure": row.name, "system": "ours", "unit": "instructions", "median": row.count,
                "least": row.count, "most": row.count, "values": [row.count], "bars": bar,
            })
        });
        json!({
            "scenario": "counts",
            "title": "Instructions, by callgrind",
            "figures": figures.collect::<Vec<_>>(),
            "skipped": [],
            "remarks": [],
        })
    }

    /// Whether nothing has become dearer, and the file knows all cases and no others.
    pub fn is_met(&self) -> bool {
        let fails = |row: &Row| matches!(row.finding, Finding::Dearer | Finding::Unknown);
        self.vanished.is_empty() && !self.rows.iter().any(fails)
    }

    /// What is wrong and what to do.
    pub fn complaint(&self) -> String {
        let mut lines = Vec::new();
        for row in &self.rows {
            let name = &row.name;
            match (row.finding, row.recorded) {
                (Finding::Dearer, Some(recorded)) => lines.push(format!(
                    "{name} takes {} instructions; the limit is {} ({recorded} and {} %)",
                    row.count,
                    limit(recorded, self.tolerance),
                    self.tolerance
                )),
                (Finding::Unknown, _) => lines.push(format!("{name} has no limit yet")),
                _ => {}
            }
        }
        let vanished = self.vanished.iter();
        lines.extend(vanished.map(|name| format!("{name} has a limit, and is not counted")));
        lines.push(format!(
            "Make it cheaper again. Where the cost is what the change is about, {COMMAND} records it; say why in the commit"
        ));
        lines.join("\n")
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            rustc,
            valgrind,
            libc,
            target,
        } = self;
        write!(f, "{rustc}, {valgrind}, {libc}, {target}")
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\ncounts: instructions, by callgrind")?;
        if let Some(why) = &self.elsewhere {
            writeln!(f, "  {why}: {} % are allowed", self.tolerance)?;
        }
        for row in &self.rows {
            let recorded = row
                .recorded
                .map_or("-".to_owned(), |count| count.to_string());
            let words = match row.finding {
                Finding::Same => "met".to_owned(),
                Finding::Dearer => "MISSED".to_owned(),
                Finding::Cheaper => format!("cheaper: {COMMAND} keeps it so"),
                Finding::Unknown => "no limit".to_owned(),
            };
            let change = row
                .recorded
                .map_or(0.0, |recorded| change(row.count, recorded));
            writeln!(
                f,
                "  {:<40} {:>12}  recorded {recorded:>12}  {change:>+6.1} %  {words}",
                row.name, row.count,
            )?;
        }
        Ok(())
    }
}

/// In hundredths.
#[expect(
    clippy::cast_precision_loss,
    reason = "to be shown with one digit after the point"
)]
fn change(count: u64, recorded: u64) -> f64 {
    (count as f64 / recorded as f64 - 1.0) * 100.0
}
