//! The figures of a scenario: a table for people, JSON for the report.

use std::fmt;
use std::fs;
use std::io;

use serde_json::{Value, json};

use super::report;
use super::series::Series;
use super::system::System;

/// What a figure of ours may be at most.
#[derive(Debug, Clone, Copy)]
pub enum Bar {
    /// Its median.
    Median(f64),
    /// Its median, and the largest.
    MedianAndMost(f64, f64),
    /// Its median is not above that of another system in the same sheet.
    NotAbove(System),
    /// Its median is not above the median of the reference row of this name, times this.
    TimesReference(&'static str, f64),
}

/// One figure of one system.
struct Row {
    figure: String,
    /// `None` for a reference that no daemon is.
    system: Option<System>,
    reference: &'static str,
    unit: &'static str,
    series: Series,
    bars: Vec<Bar>,
}

/// All figures of a scenario.
pub struct Sheet {
    name: &'static str,
    title: &'static str,
    rows: Vec<Row>,
    skipped: Vec<(System, String)>,
    remarks: Vec<String>,
}

impl Sheet {
    /// Nothing measured yet.
    pub fn new(name: &'static str, title: &'static str) -> Self {
        Self {
            name,
            title,
            rows: Vec::new(),
            skipped: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// Leaves a system out, for a reason.
    pub fn skip(&mut self, system: System, reason: &str) {
        self.skipped.push((system, reason.to_owned()));
    }

    /// The systems to be measured.
    pub fn systems(&self) -> Vec<System> {
        let is_left = |system: &System| !self.skipped.iter().any(|(left, _)| left == system);
        System::ALL.into_iter().filter(is_left).collect()
    }

    /// Takes in a figure of a system. Only those of ours have bars.
    pub fn add(
        &mut self,
        figure: &str,
        system: System,
        unit: &'static str,
        series: Series,
        bars: &[Bar],
    ) {
        self.rows.push(Row {
            figure: figure.to_owned(),
            system: Some(system),
            reference: "",
            unit,
            series,
            bars: if system == System::Ours {
                bars.to_vec()
            } else {
                Vec::new()
            },
        });
    }

    /// Takes in what figures are compared with and that no daemon is, such as a loop of plain system calls.
    pub fn add_reference(
        &mut self,
        figure: &str,
        reference: &'static str,
        unit: &'static str,
        series: Series,
    ) {
        self.rows.push(Row {
            figure: figure.to_owned(),
            system: None,
            reference,
            unit,
            series,
            bars: Vec::new(),
        });
    }

    /// A sentence below the table.
    pub fn remark(&mut self, sentence: impl Into<String>) {
        self.remarks.push(sentence.into());
    }

    /// Whether every figure is within its bars.
    pub fn is_met(&self) -> bool {
        let verdicts = self
            .rows
            .iter()
            .flat_map(|row| row.bars.iter().map(|bar| self.meets(row, *bar)));
        verdicts.into_iter().all(|verdict| verdict.0 != Some(false))
    }

    /// Whether a row is within a bar, and the bar in words. `None` where what it is compared with was not measured.
    fn meets(&self, row: &Row, bar: Bar) -> (Option<bool>, String) {
        let median = row.series.median();
        let below = |limit: f64| Some(median.is_some_and(|median| median <= limit));
        match bar {
            Bar::Median(limit) => (below(limit), format!("≤ {limit}")),
            Bar::MedianAndMost(limit, most) => {
                let within = row.series.most().is_some_and(|largest| largest <= most);
                let verdict = below(limit).map(|met| met && within);
                (verdict, format!("≤ {limit}, worst ≤ {most}"))
            }
            Bar::NotAbove(system) => {
                let other = self.find(&row.figure, |other| other.system == Some(system));
                (other.and_then(below), format!("≤ {system}"))
            }
            Bar::TimesReference(name, times) => {
                let other = self.find(&row.figure, |other| other.reference == name);
                (
                    other.and_then(|other| below(other * times)),
                    format!("≤ {times} × {name}"),
                )
            }
        }
    }

    fn find(&self, figure: &str, is_it: impl Fn(&Row) -> bool) -> Option<f64> {
        let found = self
            .rows
            .iter()
            .find(|row| row.figure == figure && is_it(row));
        found?.series.median()
    }

    fn verdicts(&self, row: &Row) -> String {
        let words = row.bars.iter().map(|bar| {
            let (met, words) = self.meets(row, *bar);
            let verdict = match met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "not compared",
            };
            format!("{words}: {verdict}")
        });
        words.collect::<Vec<_>>().join("; ")
    }

    /// Writes `target/side_by_side/NAME.json`.
    pub fn save(&self) -> io::Result<()> {
        let folder = report::folder();
        fs::create_dir_all(&folder)?;
        let text = format!("{:#}\n", self.to_json());
        fs::write(folder.join(format!("{}.json", self.name)), text)
    }

    fn to_json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            json!({
                "figure": row.figure,
                "system": row.system.map_or(row.reference.to_owned(), |system| system.to_string()),
                "unit": row.unit,
                "median": row.series.median(),
                "least": row.series.least(),
                "most": row.series.most(),
                "values": row.series.values(),
                "bars": self.verdicts(row),
            })
        });
        json!({
            "scenario": self.name,
            "title": self.title,
            "machine": report::machine(),
            "figures": rows.collect::<Vec<_>>(),
            "skipped": self.skipped.iter().map(|(system, reason)| json!({"system": system.to_string(), "reason": reason})).collect::<Vec<_>>(),
            "remarks": self.remarks,
        })
    }
}

/// Digits that tell something.
fn shown(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value.abs() >= 100.0 => format!("{value:.0}"),
        Some(value) if value.abs() >= 10.0 => format!("{value:.1}"),
        Some(value) => format!("{value:.3}"),
    }
}

impl fmt::Display for Sheet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "\n{}: {}", self.name, self.title)?;
        for row in &self.rows {
            let system = row
                .system
                .map_or(row.reference.to_owned(), |system| system.to_string());
            writeln!(
                formatter,
                "  {:<60} {system:<12} {:>9} {:<5} ({} to {}, {} runs)  {}",
                row.figure,
                shown(row.series.median()),
                row.unit,
                shown(row.series.least()),
                shown(row.series.most()),
                row.series.len(),
                self.verdicts(row),
            )?;
        }
        for (system, reason) in &self.skipped {
            writeln!(formatter, "  {system} was not measured: {reason}")?;
        }
        for remark in &self.remarks {
            writeln!(formatter, "  {remark}")?;
        }
        Ok(())
    }
}
