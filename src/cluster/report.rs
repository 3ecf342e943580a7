//! Everything worth telling a person, with its wording and severity.

/// How bad it is. The words in the log: `debug info notice WARN ERROR CRIT`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Only with `debug` above 0.
    Debug,
    /// A state change.
    Info,
    /// Worth a look.
    Notice,
    /// Something degraded.
    Warn,
    /// Something failed.
    Error,
    /// Service or data are in danger.
    Crit,
}

/// One thing to tell. `Display` is the text of the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {}

impl Report {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        Severity::Info
    }
}

impl std::fmt::Display for Report {
    fn fmt(&self, _f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Ok(())
    }
}
