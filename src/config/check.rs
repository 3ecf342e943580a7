//! What `heartbeat check` says.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use super::Config;
use super::diagnostic::{Diagnostics, Severity};
use super::load::load_looking;
use super::look::Look;
use super::source::Reader;

/// The outcome of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// All that there is to tell.
    pub diagnostics: Diagnostics,
    /// Diagnostics with lines and carets, then one line that sums up; ends with a line feed.
    pub text: String,
    /// The exit status: 0 when the configuration is valid, warnings or not; 4 when the system refused
    /// access to a file; 6 for any other error. The daemon refuses to start with the same status.
    pub exit_status: u8,
}

/// Checks the configuration in `directory` and tells everything about it; in colour for a terminal. What
/// `look` misses on this machine gets a warning.
pub fn check(
    directory: &Path,
    host_name: &str,
    reader: &dyn Reader,
    look: Look<'_>,
    colour: bool,
) -> Checked {
    let (diagnostics, summary) = match load_looking(directory, host_name, reader, look) {
        Ok((config, diagnostics)) => {
            let warnings = match diagnostics.count(Severity::Warning) {
                0 => String::new(),
                count => format!("; {}", counted(count, "warning")),
            };
            let summary = format!("configuration is valid: {}{warnings}", contents(&config));
            (diagnostics, summary)
        }
        Err(diagnostics) => {
            let summary = failures(&diagnostics);
            (diagnostics, summary)
        }
    };
    let mut text = diagnostics.render(colour);
    // Writing into a string can't fail.
    let _ = writeln!(text, "{summary}");
    Checked {
        text,
        exit_status: diagnostics.exit_status(),
        diagnostics,
    }
}

fn contents(config: &Config) -> String {
    let links: BTreeSet<&str> = config
        .media
        .iter()
        .map(|medium| medium.link.as_str())
        .collect();
    [
        counted(config.nodes.len(), "node"),
        counted(links.len(), "link"),
        counted(config.groups.len(), "resource group"),
    ]
    .join(", ")
}

fn failures(diagnostics: &Diagnostics) -> String {
    let errors = counted(diagnostics.count(Severity::Error), "error");
    match diagnostics.count(Severity::Warning) {
        0 => errors,
        count => format!("{errors}, {}", counted(count, "warning")),
    }
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}
