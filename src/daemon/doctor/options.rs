//! The words after `heartbeat doctor`.

use std::path::PathBuf;

use lexopt::prelude::*;

use super::super::option_value::value;

/// What is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `--json`
    pub json: bool,
    /// `--bundle FILE`
    pub bundle: Option<PathBuf>,
}

/// Reads the rest of the command line; `-C` goes into `directory`. The error is a sentence.
///
/// # Errors
/// For words that are not understood.
pub fn parse(
    parser: &mut lexopt::Parser,
    directory: &mut Option<PathBuf>,
) -> Result<Options, String> {
    let mut options = Options::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('C') => *directory = Some(value(parser)?.into()),
            Long("json") => options.json = true,
            Long("bundle") => options.bundle = Some(value(parser)?.into()),
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(options)
}
