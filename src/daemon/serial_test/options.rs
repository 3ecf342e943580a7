//! The words after `heartbeat serial-test`.

use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

use super::super::option_value::value;

use crate::recording::parse_seconds;

/// How long a test may take, in seconds.
const SECONDS: std::ops::RangeInclusive<u64> = 1..=3600;
/// What `baud` in `ha.cf` may be.
const RATES: std::ops::RangeInclusive<u32> = 50..=4_000_000;

/// What to test, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The port.
    pub port: PathBuf,
    /// `--baud`; without it the rate of `ha.cf`, or the default there.
    pub baud: Option<u32>,
    /// `--seconds`: how long to wait for the other end, and twice as long as to talk to it.
    pub time: Duration,
    /// `--json`
    pub json: bool,
}

/// Reads the rest of the command line; `-C` goes into `directory`. The error is a sentence.
///
/// # Errors
/// For words that are not understood.
pub fn parse(
    parser: &mut lexopt::Parser,
    directory: &mut Option<PathBuf>,
) -> Result<Options, String> {
    let mut port = None;
    let mut baud = None;
    let mut time = Duration::from_secs(10);
    let mut json = false;
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        match argument {
            Short('C') => *directory = Some(value(parser)?.into()),
            Long("json") => json = true,
            Long("baud") => {
                let word = value(parser)?;
                let rate = word.to_str().and_then(|word| word.parse().ok());
                baud = Some(rate.filter(|rate| RATES.contains(rate)).ok_or_else(|| {
                    let (least, most) = (RATES.start(), RATES.end());
                    let word = word.display();
                    format!("--baud wants a number from {least} to {most}, not {word}")
                })?);
            }
            Long("seconds") => {
                let word = value(parser)?;
                let seconds = word.to_str().and_then(parse_seconds);
                let is_sound = |time: &Duration| {
                    SECONDS.contains(&time.as_secs())
                        && *time <= Duration::from_secs(*SECONDS.end())
                };
                time = seconds.filter(is_sound).ok_or_else(|| {
                    let (least, most) = (SECONDS.start(), SECONDS.end());
                    let word = word.display();
                    format!("--seconds wants a number from {least} to {most}, not {word}")
                })?;
            }
            Value(word) if port.is_none() => port = Some(PathBuf::from(word)),
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(Options {
        port: port.ok_or("serial-test: which port?")?,
        baud,
        time,
        json,
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
    fn every_option_is_understood() {
        let mut expected = Options {
            port: "/dev/ttyS0".into(),
            baud: None,
            time: Duration::from_secs(10),
            json: false,
        };
        assert_eq!(read("/dev/ttyS0"), Ok(expected.clone()));
        (expected.baud, expected.json) = (Some(9600), true);
        expected.time = Duration::from_millis(2500);
        let words = "--baud 9600 /dev/ttyS0 --seconds 2.5 --json";
        assert_eq!(read(words), Ok(expected));
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            "",
            "a b",
            "a --baud 0",
            "a --baud x",
            "a --seconds 0.5",
            "a --seconds 3600.5",
            "a --seconds",
            "a -x",
        ] {
            assert!(read(words).is_err(), "{words}");
        }
    }
}
