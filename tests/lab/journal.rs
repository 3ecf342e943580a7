//! Reading a daemon's log while it is written.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{PATIENCE, wait_for};

/// The log file of one daemon.
pub struct Journal {
    path: PathBuf,
}

/// A place in a log: what was written before it no longer counts.
#[derive(Debug, Clone, Copy)]
pub struct Mark(usize);

impl Mark {
    /// The beginning.
    pub const START: Self = Self(0);
}

impl Journal {
    /// A log that may not exist yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Everything written so far.
    pub fn text(&self) -> String {
        fs::read(&self.path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }

    /// The present end.
    pub fn mark(&self) -> Mark {
        Mark(self.text().len())
    }

    /// The lines after a mark.
    pub fn since(&self, mark: Mark) -> Vec<String> {
        self.text()
            .get(mark.0..)
            .unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    /// The lines after a mark that contain a text.
    pub fn lines_with(&self, mark: Mark, text: &str) -> Vec<String> {
        self.since(mark)
            .into_iter()
            .filter(|line| line.contains(text))
            .collect()
    }

    /// Whether a line after the mark contains a text.
    pub fn has(&self, mark: Mark, text: &str) -> bool {
        !self.lines_with(mark, text).is_empty()
    }

    /// Waits for a line with this text; fails the test when none comes.
    #[track_caller]
    pub fn expect(&self, mark: Mark, text: &str) -> String {
        let line = wait_for(PATIENCE, || self.lines_with(mark, text).into_iter().next());
        line.unwrap_or_else(|| {
            panic!(
                "within {PATIENCE:?} {} has no line with {text:?}",
                self.path.display()
            )
        })
    }

    /// Waits for a line with this text for as long as told.
    pub fn comes(&self, mark: Mark, text: &str, limit: Duration) -> bool {
        wait_for(limit, || self.has(mark, text).then_some(())).is_some()
    }

    /// Waits until lines with these texts stand after the mark in this order, others between them: what a line tells of
    /// may be seen before the line.
    #[track_caller]
    pub fn assert_order(&self, mark: Mark, texts: &[&str]) {
        let missing = |lines: &[String]| {
            let mut rest = lines.iter();
            let is_missing = |text: &&&str| !rest.any(|line| line.contains(**text));
            texts.iter().find(is_missing).copied()
        };
        if wait_for(PATIENCE, || {
            missing(&self.since(mark)).is_none().then_some(())
        })
        .is_some()
        {
            return;
        }
        let lines = self.since(mark);
        panic!(
            "no line with {:?} after the ones before it in {}; the log:\n{}",
            missing(&lines),
            self.path.display(),
            lines.join("\n")
        );
    }
}
