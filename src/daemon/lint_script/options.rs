//! The words after `heartbeat lint-script`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

use super::super::option_value::value;

use crate::recording::parse_seconds;

/// What to try, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// A path, or a name as in `haresources`.
    pub name: String,
    /// What stands behind it in `haresources`, parted by `::` there.
    pub arguments: Vec<String>,
    /// `--force`: also when it runs, or belongs to a group.
    pub force: bool,
    /// `--timeout`: of each action.
    pub limit: Option<Duration>,
}

/// Reads the rest of the command line; `-C` goes into `directory`. The error is a sentence.
///
/// # Errors
/// For words that are not understood.
pub fn parse(
    parser: &mut lexopt::Parser,
    directory: &mut Option<PathBuf>,
) -> Result<Options, String> {
    let mut found = Options::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('C') => *directory = Some(value(parser)?.into()),
            Long("force") => found.force = true,
            Long("timeout") => {
                let value = value(parser)?;
                let seconds = value.to_str().and_then(parse_seconds);
                let limit = seconds.filter(|limit| !limit.is_zero());
                let refusal = || {
                    format!(
                        "{}: a time is a number of seconds, such as 12.5",
                        value.display()
                    )
                };
                found.limit = Some(limit.ok_or_else(refusal)?);
            }
            Value(word) if found.name.is_empty() => found.name = text(word)?,
            Value(word) => found.arguments.push(text(word)?),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if found.name.is_empty() {
        return Err("lint-script: which script?".into());
    }
    Ok(found)
}

fn text(word: OsString) -> Result<String, String> {
    word.into_string().map_err(|word| {
        format!(
            "{}: not UTF-8, so it can't stand in haresources",
            word.display()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Options, String> {
        let mut parser = lexopt::Parser::from_args(words.split_whitespace());
        parse(&mut parser, &mut None)
    }

    #[test]
    fn options_may_stand_anywhere() {
        let found = read("--timeout 2.5 Filesystem /dev/sdb1 --force /srv").expect("valid");
        assert_eq!(found.name, "Filesystem");
        assert_eq!(found.arguments, ["/dev/sdb1", "/srv"]);
        assert!(found.force);
        assert_eq!(found.limit, Some(Duration::from_millis(2500)));
        for words in [
            "",
            "--force",
            "a --timeout",
            "a --timeout 0",
            "a --timeout x",
            "a -x",
        ] {
            assert!(read(words).is_err(), "{words}");
        }
    }
}
