//! The words after `heartbeat keygen`.

use std::path::PathBuf;

use lexopt::prelude::*;

use super::super::option_value::value;

use crate::message::Method;

/// Which key to make, and where to put it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// `--method`
    pub method: Option<Method>,
    /// `--rotate`: beside the keys that are there.
    pub rotate: bool,
    /// `--stdout`: to whoever reads, into no file.
    pub stdout: bool,
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
            Long("rotate") => found.rotate = true,
            Long("stdout") => found.stdout = true,
            Long("method") => {
                let value = value(parser)?;
                found.method = Some(method(&value.to_string_lossy())?);
            }
            other => return Err(other.unexpected().to_string()),
        }
    }
    if found.rotate && found.stdout {
        return Err(
            "keygen: --rotate changes a file, so it can't be combined with --stdout".into(),
        );
    }
    Ok(found)
}

fn method(name: &str) -> Result<Method, String> {
    match Method::named(name) {
        Some(method @ (Method::Sha256 | Method::Sha1)) => Ok(method),
        Some(Method::Crc) => Err("keygen: crc has no key and keeps nobody out".into()),
        Some(Method::Md5) => {
            Err("keygen: md5 is out of date; heartbeat 3.0.6 knows sha1, too".into())
        }
        None => Err(format!(
            "keygen: there is no method {name}: sha256, or sha1 where one of the nodes runs heartbeat 3.0.6"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Options, String> {
        let mut parser = lexopt::Parser::from_args(words.split_whitespace());
        parse(&mut parser, &mut None)
    }

    #[test]
    fn methods_that_keep_strangers_out_can_be_asked_for() {
        assert_eq!(read(""), Ok(Options::default()));
        let found = read("--method sha1 --rotate").expect("valid");
        assert_eq!((found.method, found.rotate), (Some(Method::Sha1), true));
        for words in [
            "--method crc",
            "--method md5",
            "--method SHA1",
            "--method",
            "--rotate --stdout",
            "more",
        ] {
            assert!(read(words).is_err(), "{words}");
        }
    }
}
