//! The words after `heartbeat`: the old flags keep their meaning.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;

use super::option_value::value;

use super::probe::Question;
use super::recording::{DEFAULT_LIMIT, Wanted};
use super::{check, doctor, keygen, lint_script, serial_test, sniff};
use crate::recording::parse_seconds;

/// Printed for `--help`, and beneath an error.
pub const USAGE: &str = "\
usage: heartbeat [-C DIR] [-f] [-d] [-l] [-M] [-v]   start; -f stays in the foreground
                 [--record FILE [--record-limit SIZE] [--record-keys]]
       heartbeat [-C DIR] -k                         stop the running daemon and wait for its end
       heartbeat [-C DIR] -s                         tell whether it runs
       heartbeat [-C DIR] -r                         check the configuration, then have it read again
       heartbeat [-C DIR] alert-test                 send a test by each `alert` line of ha.cf, and tell what came of it
       heartbeat [-C DIR] check [-M] [--json] [--peer] [--root DIR]
                                                     check the configuration, and what may go wrong with it here
       heartbeat [-C DIR] confirm-dead NODE          the other node is down for sure: take what it held
       heartbeat [-C DIR] doctor [--json] [--bundle FILE]
                                                     say whether this pair is sound, and what to do where it is not
       heartbeat [-C DIR] reload [--dry-run]         go on with changed files; tell what changes
       heartbeat [-C DIR] keygen [--method sha256|sha1] [--stdout | --rotate]
                                                     make a key, or add one to change over to without a gap
       heartbeat [-C DIR] lint-script [--force] [--timeout SECONDS] PATH|NAME [ARGUMENT]...
                                                     try a resource script and say what is wrong with it
       heartbeat [-C DIR] replay [-v] [--until SECONDS] FILE
                                                     show what a recorded daemon decided
       heartbeat [-C DIR] serial-test [--baud N] [--seconds N] [--json] PORT
                                                     say what a serial line is good for
       heartbeat [-C DIR] sniff [--interface IF]... [--port N]... [--json] [-v] [--count N] [FILE | -]
                                                     show and check what the nodes say to each other
       heartbeat -D | -V                             table of directives and defaults | version
";

/// What to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Command {
    /// Run the daemon.
    #[default]
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
    /// `alert-test`
    AlertTest,
    /// `check`
    Check(check::Options),
    /// `confirm-dead NODE`
    ConfirmDead {
        /// The name of the other node.
        node: String,
    },
    /// `reload`
    ReloadNow {
        /// `--dry-run`
        dry_run: bool,
    },
    /// `doctor`
    Doctor(doctor::Options),
    /// `keygen`
    Keygen(keygen::Options),
    /// `lint-script`
    LintScript(lint_script::Options),
    /// `replay FILE`
    Replay {
        /// A recording.
        file: PathBuf,
    },
    /// `sniff`
    Sniff(sniff::Options),
    /// `serial-test`
    SerialTest(serial_test::Options),
    /// `reset-machine`: the daemon's own child, which may wait for drivers.
    ResetMachine,
    /// `store-file PATH TEXT`: the daemon's own child, which may wait for the disk.
    StoreFile {
        /// What to replace.
        path: PathBuf,
        /// The new content.
        text: OsString,
    },
    /// `probe KIND …`: the daemon's own child, which may wait for a service.
    Probe(Question),
}

/// The whole command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    pub verbose: bool,
    /// `-l`
    pub no_realtime: bool,
    /// `-M`
    pub no_resources: bool,
    /// `--record`, `--record-limit`, `--record-keys`
    pub record: Option<Wanted>,
    /// `--until`
    pub until: Option<Duration>,
}

/// Reads the command line. The error is a sentence.
///
/// # Errors
/// For words that are not understood.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<CommandLine, String> {
    let mut parser = lexopt::Parser::from_args(words);
    let mut found = CommandLine::default();
    let mut record = Record::default();
    while let Some(argument) = parser.next().map_err(|error| error.to_string())? {
        let command = match argument {
            Short(flag) if found.take_flag(flag) => continue,
            Long("record-keys") => {
                record.with_keys = true;
                continue;
            }
            Short('C') => {
                found.directory = Some(value(&mut parser)?.into());
                continue;
            }
            Long("record") => {
                record.path = Some(value(&mut parser)?.into());
                continue;
            }
            Long("record-limit") => {
                record.limit = Some(size(&value(&mut parser)?)?);
                continue;
            }
            Long("until") => {
                found.until = Some(seconds(&value(&mut parser)?)?);
                continue;
            }
            Short('W') if matches!(found.command, Command::Defaults { .. }) => {
                found.command = Command::Defaults { wiki: true };
                continue;
            }
            Long("dry-run") if matches!(found.command, Command::ReloadNow { .. }) => {
                found.command = Command::ReloadNow { dry_run: true };
                continue;
            }
            Short('k') => Command::Stop,
            Short('s') => Command::Status,
            Short('r') => Command::Reload,
            Short('R') => Command::Continue,
            Short('D') => Command::Defaults { wiki: false },
            Short('V') | Long("version") => Command::Version,
            Short('h') | Long("help") => Command::Help,
            Value(word) if word == "alert-test" => Command::AlertTest,
            Value(word) if word == "check" && found.command == Command::Start => {
                let mut options = check::parse(&mut parser, &mut found.directory)?;
                options.no_resources |= found.no_resources;
                Command::Check(options)
            }
            Value(word) if word == "reload" && found.command == Command::Start => {
                Command::ReloadNow { dry_run: false }
            }
            Value(word) if word == "sniff" && found.command == Command::Start => {
                let mut options = sniff::parse(&mut parser, &mut found.directory)?;
                options.verbose |= found.verbose;
                Command::Sniff(options)
            }
            Value(word) if word == "keygen" && found.command == Command::Start => {
                Command::Keygen(keygen::parse(&mut parser, &mut found.directory)?)
            }
            Value(word) if word == "lint-script" && found.command == Command::Start => {
                Command::LintScript(lint_script::parse(&mut parser, &mut found.directory)?)
            }
            Value(word) if word == "doctor" && found.command == Command::Start => {
                Command::Doctor(doctor::parse(&mut parser, &mut found.directory)?)
            }
            Value(word) if word == "serial-test" && found.command == Command::Start => {
                Command::SerialTest(serial_test::parse(&mut parser, &mut found.directory)?)
            }
            Value(word) if word == "confirm-dead" && found.command == Command::Start => {
                let node = text(&mut parser)?;
                Command::ConfirmDead { node }
            }
            Value(word) if word == "replay" && found.command == Command::Start => Command::Replay {
                file: PathBuf::new(),
            },
            Value(path) if awaits_file(&found.command) => {
                found.command = Command::Replay { file: path.into() };
                continue;
            }
            Value(word) if word == "reset-machine" => Command::ResetMachine,
            Value(word) if word == "store-file" => store_file(&mut parser)?,
            Value(word) if word == "probe" => Command::Probe(question(&mut parser)?),
            // With -R the original's -C is followed by what is held.
            Value(_) if found.command == Command::Continue => continue,
            other => return Err(other.unexpected().to_string()),
        };
        if found.command != Command::Start && found.command != command {
            return Err(
                "one thing at a time: -k, -s, -r, -R, -D, -V, alert-test, check, confirm-dead, doctor, reload, keygen, \
                 lint-script, replay, serial-test and sniff exclude each other"
                    .into(),
            );
        }
        found.command = command;
    }
    if awaits_file(&found.command) {
        return Err("replay: which file?".into());
    }
    found.record = record.wanted()?;
    Ok(found)
}

impl CommandLine {
    /// Takes a flag that is no command and has no value; false where it is none.
    fn take_flag(&mut self, flag: char) -> bool {
        match flag {
            'f' => self.foreground = true,
            'd' => self.debug = self.debug.saturating_add(1),
            'v' => self.verbose = true,
            'l' => self.no_realtime = true,
            'M' => self.no_resources = true,
            _ => return false,
        }
        true
    }
}

fn awaits_file(command: &Command) -> bool {
    matches!(command, Command::Replay { file } if file.as_os_str().is_empty())
}

/// The options about recording, in whatever order they come.
#[derive(Default)]
struct Record {
    path: Option<PathBuf>,
    limit: Option<u64>,
    with_keys: bool,
}

impl Record {
    fn wanted(self) -> Result<Option<Wanted>, String> {
        let Some(path) = self.path else {
            return if self.limit.is_some() || self.with_keys {
                Err("--record-limit and --record-keys need --record FILE".into())
            } else {
                Ok(None)
            };
        };
        Ok(Some(Wanted {
            path,
            limit: self.limit.unwrap_or(DEFAULT_LIMIT),
            with_keys: self.with_keys,
        }))
    }
}

/// A number of bytes, or of `K`, `M` or `G` of them.
fn size(text: &OsStr) -> Result<u64, String> {
    let parse = || {
        let text = text.to_str()?;
        let number = text.trim_end_matches(['K', 'M', 'G']);
        let unit: u64 = match text.strip_prefix(number)? {
            "" => 1,
            "K" => 1 << 10,
            "M" => 1 << 20,
            "G" => 1 << 30,
            _ => return None,
        };
        number.parse::<u64>().ok()?.checked_mul(unit)
    };
    let refusal = || {
        format!(
            "{}: a size is a number, with K, M or G behind it if you like",
            text.display()
        )
    };
    parse().ok_or_else(refusal)
}

fn seconds(text: &OsStr) -> Result<Duration, String> {
    let parsed = text.to_str().and_then(parse_seconds);
    parsed.ok_or_else(|| {
        format!(
            "{}: a time is a number of seconds, such as 12.5",
            text.display()
        )
    })
}

fn store_file(parser: &mut lexopt::Parser) -> Result<Command, String> {
    Ok(Command::StoreFile {
        path: value(parser)?.into(),
        text: value(parser)?,
    })
}

/// In the order in which the daemon writes them; an empty last word of a page stands for none.
fn question(parser: &mut lexopt::Parser) -> Result<Question, String> {
    let kind = text(parser)?;
    match kind.as_str() {
        "process" => Ok(Question::Process(text(parser)?)),
        "ready" => {
            let directory = value(parser)?.into();
            let words = rest(parser)?;
            Ok(Question::Ready { directory, words })
        }
        "holders" => Ok(Question::Holders(rest(parser)?)),
        "port" => Ok(Question::Port(value(parser)?.into())),
        "tcp" => Ok(Question::Tcp {
            host: text(parser)?,
            port: number(parser)?,
        }),
        "http" => Ok(Question::Http {
            host: text(parser)?,
            port: number(parser)?,
            path: text(parser)?,
            expect: number(parser)?,
            body: Some(text(parser)?).filter(|body| !body.is_empty()),
        }),
        _ => Err(format!("probe: {kind} is no kind of probe")),
    }
}

/// Every word that is left, whatever it looks like.
fn rest(parser: &mut lexopt::Parser) -> Result<Vec<String>, String> {
    let words = parser.raw_args().map_err(|error| error.to_string())?;
    let words = words.map(|word| word.to_string_lossy().into_owned());
    Ok(words.collect())
}

fn text(parser: &mut lexopt::Parser) -> Result<String, String> {
    let word = value(parser)?;
    word.into_string()
        .map_err(|word| format!("{}: not UTF-8", word.display()))
}

fn number(parser: &mut lexopt::Parser) -> Result<u16, String> {
    let word = text(parser)?;
    word.parse()
        .map_err(|_| format!("{word}: not a number below 65536"))
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
            (
                "check -C /srv/pair",
                Command::Check(check::Options::default()),
            ),
            ("-C /srv/pair alert-test", Command::AlertTest),
            ("reload", Command::ReloadNow { dry_run: false }),
            (
                "reload --dry-run -C /srv/pair",
                Command::ReloadNow { dry_run: true },
            ),
            (
                "-C /srv/pair check",
                Command::Check(check::Options::default()),
            ),
            (
                "-C /srv/pair sniff",
                Command::Sniff(sniff::Options::default()),
            ),
            (
                "doctor --json -C /srv/pair --bundle x",
                Command::Doctor(doctor::Options {
                    json: true,
                    bundle: Some("x".into()),
                }),
            ),
            ("replay f", Command::Replay { file: "f".into() }),
            (
                "-C /srv/pair confirm-dead beta",
                Command::ConfirmDead {
                    node: "beta".into(),
                },
            ),
            (
                "-v replay --until 1.5 replay -C /srv/pair",
                Command::Replay {
                    file: "replay".into(),
                },
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
        assert!(found.no_resources && found.verbose);
    }

    #[test]
    fn a_recording_has_a_file_and_a_limit() {
        let record = |words: &str| parse_words(words).expect("valid").record;
        assert_eq!(record("-f"), None);
        let wanted = |limit, with_keys| {
            Some(Wanted {
                path: "/tmp/r".into(),
                limit,
                with_keys,
            })
        };
        assert_eq!(record("--record /tmp/r"), wanted(1 << 30, false));
        assert_eq!(
            record("--record-keys --record=/tmp/r -f --record-limit 20M"),
            wanted(20 << 20, true)
        );
        for (text, size) in [("0", 0), ("700", 700), ("3K", 3 << 10), ("2G", 2 << 30)] {
            let words = format!("--record /tmp/r --record-limit {text}");
            assert_eq!(record(&words), wanted(size, false));
        }
        let found = parse_words("replay --until 12.5 -v f").expect("valid");
        assert_eq!(
            (found.until, found.verbose),
            (Some(Duration::from_millis(12_500)), true)
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for words in [
            "-x",
            "start",
            "-k -s",
            "-k sniff",
            "confirm-dead",
            "-k confirm-dead beta",
            "confirm-dead beta gamma",
            "--dry-run",
            "check --dry-run",
            "--peer",
            "reload --peer",
            "check alert-test",
            "reload check",
            "-k reload",
            "reload now",
            "-W",
            "-C",
            "--verbose",
            "replay",
            "replay a b",
            "replay a -k",
            "-k replay a",
            "replay --until soon a",
            "--record",
            "--record-keys",
            "--record-limit 5M",
            "--record a --record-limit 5T",
            "--record a --record-limit 5KK",
            "--record a --record-limit M",
            "--record a --record-limit 99999999999G",
        ] {
            assert!(parse_words(words).is_err(), "{words}");
        }
    }
}
