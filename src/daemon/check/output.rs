//! The findings as JSON.

use serde::Serialize;

use crate::config::{Checked, Diagnostic, Place, Severity};

#[derive(Serialize)]
struct Report<'a> {
    /// Whether heartbeat would start with these files.
    valid: bool,
    exit_status: u8,
    errors: usize,
    warnings: usize,
    infos: usize,
    findings: Vec<Finding<'a>>,
}

#[derive(Serialize)]
struct Finding<'a> {
    severity: String,
    file: &'a str,
    /// From 1; none where the file as a whole is meant.
    line: Option<usize>,
    /// In characters, from 1.
    column: Option<usize>,
    /// The words of the file that are meant; keys and passwords are replaced by asterisks.
    word: Option<&'a str>,
    message: &'a str,
    reason: &'a str,
    remedy: &'a [String],
    related: Vec<Related<'a>>,
}

#[derive(Serialize)]
struct Related<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    text: &'a str,
}

/// One object, with a line feed behind it.
pub fn json(checked: &Checked) -> String {
    let count = |severity| checked.diagnostics.count(severity);
    let report = Report {
        valid: checked.exit_status == 0,
        exit_status: checked.exit_status,
        errors: count(Severity::Error),
        warnings: count(Severity::Warning),
        infos: count(Severity::Info),
        findings: checked.diagnostics.iter().map(finding).collect(),
    };
    // Strings and numbers can always be written.
    serde_json::to_string_pretty(&report).unwrap_or_default() + "\n"
}

fn finding(diagnostic: &Diagnostic) -> Finding<'_> {
    let place = diagnostic.place.as_ref();
    Finding {
        severity: diagnostic.severity.to_string(),
        file: &diagnostic.file,
        line: place.map(|place| place.line),
        column: place.map(Place::column),
        word: place.and_then(|place| place.excerpt.get(place.span.clone())),
        message: &diagnostic.message,
        reason: &diagnostic.label,
        remedy: &diagnostic.help,
        related: diagnostic
            .related
            .iter()
            .map(|(place, text)| Related {
                file: &place.file,
                line: place.line,
                column: place.column(),
                text,
            })
            .collect(),
    }
}
