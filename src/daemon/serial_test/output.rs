//! How a test is told: to a person, or as JSON.

use std::fmt::Write as _;
use std::time::Duration;

use serde::Serialize;

use super::super::media::line_errors::Errors;
use super::findings::{Findings, Wires};
use super::options::Options;
use super::verdict::Verdict;
use crate::os::tty::ModemLines;

/// For a person: what was counted, and the verdict.
pub fn text(found: &Findings, verdict: &Verdict) -> String {
    let mut text = String::new();
    // Writing into a string can't fail.
    if let Some(wires) = &found.wires {
        let _ = writeln!(
            text,
            "handshake wires at the beginning: {}",
            lines(wires.at_rest)
        );
    }
    let _ = writeln!(
        text,
        "{} of {} lines were answered; of the other test's, {} came, {} are missing, {} were damaged",
        found.answered, found.asked, found.heard, found.lost, found.ear.damaged
    );
    if let Some(time) = found.round_trip() {
        let _ = write!(text, "round trip {} ms", milliseconds(time));
        if let Some(most) = found.round_trips.iter().max() {
            let _ = write!(text, ", at most {} ms", milliseconds(*most));
        }
        text.push('\n');
    }
    if let Some(speed) = found.throughput() {
        let _ = writeln!(text, "{speed} bytes a second came in at full speed");
    }
    if let Some(errors) = found.errors.filter(|errors| *errors != Errors::default()) {
        let Errors {
            frame,
            parity,
            overrun,
            breaks,
        } = errors;
        let _ = writeln!(
            text,
            "the driver counted framing errors: {frame}, parity errors: {parity}, overruns: {overrun}, breaks: {breaks}"
        );
    }
    let _ = writeln!(text, "{verdict}");
    text
}

/// One object of JSON.
pub fn json(options: &Options, baud: u32, found: &Findings, verdict: &Verdict) -> String {
    let report = Report {
        port: options.port.display().to_string(),
        baud,
        verdict: verdict.word(),
        words: verdict.to_string(),
        usable: verdict.is_usable(),
        asked: found.asked,
        answered: found.answered,
        heard: found.heard,
        missing: found.lost,
        damaged: found.ear.damaged,
        echoes: found.echoes,
        round_trip_ms: found.round_trip().map(milliseconds),
        bytes_per_second: found.throughput(),
        other_rate: found.their_rate,
        wires: found.wires.as_ref().map(wires),
        driver: found.errors.map(|errors| Driver {
            framing: errors.frame,
            parity: errors.parity,
            overruns: errors.overrun,
            breaks: errors.breaks,
        }),
    };
    // Nothing in it can fail.
    let text = serde_json::to_string_pretty(&report).unwrap_or_default();
    text + "\n"
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report {
    port: String,
    baud: u32,
    verdict: &'static str,
    words: String,
    usable: bool,
    asked: u64,
    answered: u64,
    heard: u64,
    missing: u64,
    damaged: u64,
    echoes: u64,
    round_trip_ms: Option<u64>,
    bytes_per_second: Option<u64>,
    other_rate: Option<u32>,
    wires: Option<WireReport>,
    driver: Option<Driver>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct WireReport {
    cts: bool,
    dsr: bool,
    dcd: bool,
    cts_follows_other: bool,
    other_cts_follows: bool,
    cts_is_joined_to_rts: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Driver {
    framing: i32,
    parity: i32,
    overruns: i32,
    breaks: i32,
}

fn wires(wires: &Wires) -> WireReport {
    WireReport {
        cts: wires.at_rest.cts,
        dsr: wires.at_rest.dsr,
        dcd: wires.at_rest.dcd,
        cts_follows_other: wires.cts_here.is_shown(),
        other_cts_follows: wires.cts_there.is_shown(),
        cts_is_joined_to_rts: wires.cts_own.is_shown(),
    }
}

fn lines(lines: ModemLines) -> String {
    let all = [("CTS", lines.cts), ("DSR", lines.dsr), ("DCD", lines.dcd)];
    let words = all.map(|(name, is_up)| format!("{name} {}", if is_up { "up" } else { "down" }));
    words.join(", ")
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
