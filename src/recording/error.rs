//! Why a recording can't be replayed.

use std::fmt;
use std::io;

/// What is wrong with a recording, and where.
#[derive(Debug)]
pub enum RecordingError {
    /// It does not begin like one.
    NotARecording,
    /// It has a form that this program does not read.
    OtherForm {
        /// What it says.
        found: String,
        /// What this program reads.
        readable: u32,
    },
    /// It ends before the first event.
    NoEvents,
    /// Its header lacks this line.
    Missing(&'static str),
    /// A line can't be read.
    Line {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        problem: Problem,
    },
    /// It can't be read, or nobody takes what is said about it.
    Io(io::Error),
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Problem {
    /// It is longer than any line of a recording.
    TooLong,
    /// It is no text.
    NotText,
    /// A header line of this name is unknown, or stands there twice.
    Setting(String),
    /// An event of this name is unknown.
    Event(String),
    /// Something behind the name is missing, too much, or wrong.
    Value,
    /// What stands behind a backslash.
    Escape,
    /// It does not begin with a time.
    Time,
    /// Its time is before that of the line above it.
    TimeGoesBack,
    /// The link or group is not in the header.
    Unknown(String),
    /// The recording has only a check value of this key, and no key that was given fits.
    Key {
        /// Its number in `authkeys`.
        index: u8,
        /// Its method.
        method: &'static str,
        /// Its check value.
        check: u32,
    },
}

impl fmt::Display for RecordingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotARecording => f.write_str(
                "this is no recording: its first line does not begin with `heartbeat-recording`",
            ),
            Self::OtherForm { found, readable } => write!(
                f,
                "this recording has the form {found:?}, and this heartbeat reads form {readable} only: replay it with \
                 the heartbeat that made it"
            ),
            Self::NoEvents => f.write_str("this recording ends before its first event"),
            Self::Missing(name) => write!(f, "the header lacks a line `{name}`"),
            Self::Line { number, problem } => write!(f, "line {number}: {problem}"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for RecordingError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => f.write_str("longer than any line of a recording"),
            Self::NotText => f.write_str("this is no text"),
            Self::Setting(name) => write!(f, "`{name}` is no setting, or stands here again"),
            Self::Event(name) => write!(f, "`{name}` is no event"),
            Self::Value => f.write_str("what stands behind the name is not complete, or wrong"),
            Self::Escape => {
                f.write_str("a backslash is followed by `n`, `\\` or `x` and two digits")
            }
            Self::Time => f.write_str("an event begins with its time in seconds"),
            Self::TimeGoesBack => f.write_str("its time is before that of the line above"),
            Self::Unknown(name) => write!(f, "`{name}` does not stand in the header"),
            Self::Key {
                index,
                method,
                check,
            } => write!(
                f,
                "key {index} ({method}, check value {check:08x}) does not stand in this recording, nor in the authkeys \
                 that was looked at: give the directory that has it with -C"
            ),
        }
    }
}
