//! The word behind an option of a command line.

use std::ffi::OsString;

/// The next word, whatever it is. The error is a sentence.
///
/// # Errors
/// Where there is none.
pub fn value(parser: &mut lexopt::Parser) -> Result<OsString, String> {
    parser.value().map_err(|error| error.to_string())
}
