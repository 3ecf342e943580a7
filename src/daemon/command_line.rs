//! The words after `heartbeat`: the old flags keep their meaning.

use std::ffi::OsString;
use std::path::PathBuf;

use lexopt::prelude::*;

use super::sniff;

/// Printed for `--help`, and beneath an error.
pub const USAGE: &str = "\
usage: heartbeat [-C DIR] [-f] [-d] [-l] [-M] [-v]   start; -f stays in the foreground
       heartbeat [-C DIR] -k                         stop the running daemon and wait for its end
       heartbeat [-C DIR] -s                         tell whether it runs
       heartbeat [-C DIR] -r                         check the configuration, then have it read again
       heartbeat [-C DIR] check                      check the configuration
       heartbeat [-C DIR] sniff [--interface IF]... [--port N]... [--json] [-v] [--count N] [FILE | -]
                                                     show and check what the nodes say to each other
       heartbeat -D | -V                             table of directives and defaults | version
";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Run the daemon.
    Start,
    /// `-k`
    Stop,
    /// `-s`
    Status,
    /// `-r`
    Reload,
    /// `-R`: of no use any more.
    Continue,
    /// `-D`, `-DW`
    Defaults {
        /// As wiki text.
        wiki: bool,
    },
    /// `-V`
    Version,
    /// `-h`
    Help,
    /// `check`
    Check,
    /// `sniff`
    Sniff(sniff::Options),
    /// `store-file PATH TEXT`: the daemon's own child, which may wait for the disk.
    StoreFile {
        /// What to replace.
        path: PathBuf,
        /// The new content.
        text: OsString,
    },
}

/// The whole command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandLine {
    /// What to do.
    pub command: Command,
    /// `-C`
    pub directory: Option<PathBuf>,
    /// `-f`
    pub foreground: bool,
    /// `-d`, as often as given.
    pub debug: u8,
    /// `-v`
    pub dump: bool,
    /// `-l`
    pub no_realtime: bool,
    /// `-M`
    pub no_resources: bool,
}

/// Reads the command line. The error is a sentence.
///
/// # Errors
/// For words that are not understood.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<CommandLine, String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut found = CommandLine {
        command: Command::Start,
        directory: None,
        foreground: false,
        debug: 0,
        dump: false,
        no_realtime: false,
        no_resources: false,
    };
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let command = match argument {
            Short('f') => {
                found.foreground = true;
                continue;
            }
            Short('d') => {
                found.debug = found.debug.saturating_add(1);
                continue;
            }
            Short('v') => {
                found.dump = true;
                continue;
            }
            Short('l') => {
                found.no_realtime = true;
                continue;
            }
            Short('M') => {
                found.no_resources = true;
                continue;
            }
            Short('C') => {
                found.directory = Some(parser.value().map_err(|error| error.to_string())?.into());
                continue;
            }
            Short('W') if matches!(found.command, Command::Defaults { .. }) => {
                found.command = Command::Defaults { wiki: true };
                continue;
            }
            Short('k') => Command::Stop,
            Short('s') => Command::Status,
            Short('r') => Command::Reload,
            Short('R') => Command::Continue,
            Short('D') => Command::Defaults { wiki: false },
            Short('V') | Long("version") => Command::Version,
            Short('h') | Long("help") => Command::Help,
            Value(word) if word == "check" => Command::Check,
            Value(word) if word == "sniff" => {
                let mut options = sniff::parse(&mut parser, &mut found.directory)?;
                options.verbose |= found.dump;
                Command::Sniff(options)
            }
            Value(word) if word == "store-file" => store_file(&mut parser)?,
            // With -R the original's -C is followed by what is held.
            Value(_) if found.command == Command::Continue => continue,
            other => return Err(other.unexpected().to_string()),
        };
        if found.command != Command::Start && found.command != command {
            return Err(
                "one thing at a time: -k, -s, -r, -R, -D, -V, check and sniff exclude each other"
                    .into(),
            );
        }
        found.command = command;
    }
    Ok(found)
}

fn store_file(parser: &mut lexopt::Parser) -> Result<Command, String> {
    let mut value = || parser.value().map_err(|error| error.to_string());
    Ok(Command::StoreFile {
        path: value()?.into(),
        text: value()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &str) -> Result<CommandLine, String> {
        parse(words.split_whitespace().map(OsString::from))
    }

    #[test]
    fn old_flags_mean_what_they_meant() {
        let cases = [
            ("", Command::Start),
            ("-k", Command::Stop),
            ("-s", Command::Status),
            ("-r", Command::Reload),
            ("-R -C local", Command::Continue),
            ("-D", Command::Defaults { wiki: false }),
            ("-DW", Command::Defaults { wiki: true }),
            ("-V", Command::Version),
            ("check -C /srv/pair", Command::Check),
            ("-C /srv/pair check", Command::Check),
            (
                "-C /srv/pair sniff",
                Command::Sniff(sniff::Options::default()),
            ),
        ];
        for (words, command) in cases {
            assert_eq!(
                parse_words(words).map(|found| found.command),
                Ok(command),
                "{words}"
            );
        }
        let found = parse_words("-dfdlMv").expect("valid");
        assert_eq!(
            (found.debug, found.foreground, found.no_realtime),
            (2, true, true)
        );
        assert!(found.no_resources && found.dump);
    }

    #[test]
    fn nonsense_is_refused() {
        for words in ["-x", "start", "-k -s", "-k sniff", "-W", "-C", "--verbose"] {
            assert!(parse_words(words).is_err(), "{words}");
        }
    }
}
