//! How bad it is what is told.

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

impl Severity {
    /// The word before the text of a log line, by which people grep.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Crit => "CRIT",
        }
    }
}
