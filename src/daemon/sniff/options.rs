//! The words after `heartbeat sniff`.

use std::path::PathBuf;

use lexopt::prelude::*;

use super::super::option_value::value;

/// What to listen to, and how to tell of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// A capture, or what came out of a serial line; `-` is standard input. Without it the network is listened to.
    pub file: Option<PathBuf>,
    /// `--interface`, as often as given. With a capture, the name of links that it does not name.
    pub interfaces: Vec<String>,
    /// `--port`, as often as given.
    pub ports: Vec<u16>,
    /// `--count`: the end after so many messages.
    pub count: Option<u64>,
    /// `--json`
    pub json: bool,
    /// `-v`
    pub verbose: bool,
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
            Short('v') => found.verbose = true,
            Long("json") => found.json = true,
            Long("interface") => {
                let name = value(parser)?.into_string();
                found.interfaces.push(
                    name.map_err(|name| format!("no interface is called {}", name.display()))?,
                );
            }
            Long("port") => found.ports.push(number(parser, "--port", 1, 65_535)?),
            Long("count") => found.count = Some(number(parser, "--count", 1, u64::MAX)?),
            Value(file) if found.file.is_none() => found.file = Some(file.into()),
            other => return Err(other.unexpected().to_string()),
        }
    }
    Ok(found)
}

fn number<T>(parser: &mut lexopt::Parser, option: &str, least: u64, most: u64) -> Result<T, String>
where
    T: TryFrom<u64>,
{
    let word = value(parser)?;
    let number = word.to_str().and_then(|word| word.parse::<u64>().ok());
    number
        .filter(|number| (least..=most).contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            format!(
                "{option} wants a number from {least} to {most}, not {}",
                word.display()
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<(Options, Option<PathBuf>), String> {
        let mut parser = lexopt::Parser::from_args(words.split_whitespace());
        let mut directory = None;
        parse(&mut parser, &mut directory).map(|options| (options, directory))
    }

    #[test]
    fn every_option_is_understood() {
        let (options, directory) = parse_words(
            "-C /srv/pair --interface eth0 --interface eth1 --port 694 --port=700 --json -v --count 5 x.pcap",
        )
        .expect("valid");
        assert_eq!(directory, Some("/srv/pair".into()));
        let expected = Options {
            file: Some("x.pcap".into()),
            interfaces: vec!["eth0".into(), "eth1".into()],
            ports: vec![694, 700],
            count: Some(5),
            json: true,
            verbose: true,
        };
        assert_eq!(options, expected);
        assert_eq!(
            parse_words("-").map(|(options, _)| options.file),
            Ok(Some("-".into()))
        );
        assert_eq!(
            parse_words("").map(|(options, _)| options),
            Ok(Options::default())
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            "--port 0",
            "--port 65536",
            "--port x",
            "--count 0",
            "--count",
            "a b",
            "--jsn",
            "-k",
        ] {
            assert!(parse_words(words).is_err(), "{words}");
        }
    }
}
