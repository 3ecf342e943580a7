//! The words after `heartbeat check`.

use std::path::PathBuf;

use lexopt::prelude::*;

use super::super::option_value::value;

/// What to check, and how to tell of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `--json`
    pub json: bool,
    /// `--peer`: compare sound files with what the other node goes by.
    pub peer: bool,
    /// `--root`: the files of a machine that does not run.
    pub root: Option<PathBuf>,
    /// `-M`: as if there were no resources.
    pub no_resources: bool,
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
            Short('M') => found.no_resources = true,
            Long("json") => found.json = true,
            Long("peer") => found.peer = true,
            Long("root") => found.root = Some(value(parser)?.into()),
            other => return Err(other.unexpected().to_string()),
        }
    }
    if found.peer && (found.json || found.root.is_some()) {
        return Err(
            "--peer asks the daemon that runs here: it goes neither with --root nor with --json"
                .into(),
        );
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_may_stand_anywhere() {
        let read = |words: &str| {
            let mut parser = lexopt::Parser::from_args(words.split_whitespace());
            let mut directory = None;
            parse(&mut parser, &mut directory).map(|found| (found, directory))
        };
        let (found, directory) = read("--json -C /srv/pair --root=/mnt -M").expect("valid");
        assert!(found.json && found.no_resources);
        assert_eq!(found.root.as_deref(), Some("/mnt".as_ref()));
        assert_eq!(directory.as_deref(), Some("/srv/pair".as_ref()));
        assert!(read("--peer").expect("valid").0.peer);
        for words in [
            "--root",
            "--peer --json",
            "--root /mnt --peer",
            "-x",
            "more",
            "--json=yes -C",
        ] {
            assert!(read(words).is_err(), "{words}");
        }
    }
}
