//! The words after `hb_standby` and `hb_takeover`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

use crate::control::{Direction, Selection};

/// Printed for `--help`, after the line with the command's name.
const OPTIONS: &str = "\
  all         every resource group; this is the default
  local       those that prefer this node
  foreign     those that prefer the other node
  failback    those that go back to the node they prefer
Returns when the move has ended, and tells what happens meanwhile if standard output is a terminal.
  -C DIR              another configuration directory
  -v                  tell it in any case
  --no-wait           return as soon as the move has begun
  --timeout SECONDS   return after this time; the move goes on
  --help, --version
Exit status: 0 done (with --no-wait: begun), 1 wrong words, 2 refused, 3 failed, 4 heartbeat does not run,
12 timed out.
";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Line {
    Help,
    Version,
    Move(Arguments),
}

/// How to move what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Arguments {
    pub selection: Selection,
    /// `--no-wait`
    pub no_wait: bool,
    /// `--timeout`
    pub timeout: Option<Duration>,
    /// `-v`
    pub verbose: bool,
    /// `-C`
    pub directory: Option<PathBuf>,
}

/// As the command is called.
pub(super) const fn name(direction: Direction) -> &'static str {
    match direction {
        Direction::Standby => "hb_standby",
        Direction::Takeover => "hb_takeover",
    }
}

pub(super) fn usage(direction: Direction) -> String {
    format!(
        "usage:\n{} [all|foreign|local|failback] [-C DIR] [-v] [--no-wait | --timeout SECONDS]\n",
        name(direction)
    )
}

pub(super) fn help(direction: Direction) -> String {
    usage(direction) + OPTIONS
}

/// The error is what to print.
pub(super) fn parse(
    direction: Direction,
    words: impl IntoIterator<Item = OsString>,
) -> Result<Line, String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut resources = None;
    let mut found = Arguments {
        selection: Selection::All,
        no_wait: false,
        timeout: None,
        verbose: false,
        directory: None,
    };
    let text = |error: lexopt::Error| format!("{error}.");
    while let Some(argument) = parser.next().map_err(text)? {
        match argument {
            Short('h') | Long("help") => return Ok(Line::Help),
            Short('V') | Long("version") => return Ok(Line::Version),
            Short('v') | Long("verbose") => found.verbose = true,
            Short('C') => found.directory = Some(parser.value().map_err(text)?.into()),
            Long("no-wait") => found.no_wait = true,
            Long("timeout") => found.timeout = Some(seconds(&parser.value().map_err(text)?)?),
            Value(word) if resources.is_none() => resources = Some(word),
            Value(_) => return Err("too many arguments".into()),
            other => return Err(text(other.unexpected())),
        }
    }
    if found.no_wait && found.timeout.is_some() {
        return Err("--no-wait and --timeout exclude each other.".into());
    }
    if let Some(word) = resources {
        let word = word.to_string_lossy();
        found.selection =
            selection(direction, &word).ok_or_else(|| format!("wrong resources({word})."))?;
    }
    Ok(Line::Move(found))
}

fn selection(direction: Direction, word: &str) -> Option<Selection> {
    Some(match (word, direction) {
        ("all", _) => Selection::All,
        ("local", _) | ("failback", Direction::Takeover) => Selection::Local,
        ("foreign", _) | ("failback", Direction::Standby) => Selection::Foreign,
        _ => return None,
    })
}

fn seconds(word: &std::ffi::OsStr) -> Result<Duration, String> {
    let number = word.to_str().and_then(|word| word.parse::<u32>().ok());
    match number.filter(|&number| number > 0) {
        Some(number) => Ok(Duration::from_secs(number.into())),
        None => Err(format!(
            "--timeout takes whole seconds, at least 1, not {}.",
            word.to_string_lossy()
        )),
    }
}
