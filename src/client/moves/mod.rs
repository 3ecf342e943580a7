//! `hb_standby` and `hb_takeover`: what they print and which exit status they end with.

mod arguments;
mod follow;
mod words;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use super::Error;
use crate::control::{Answer, Direction, Movement, Places, Request, Selection, Status};
use arguments::{Arguments, Line};
use follow::{Daemon, Ending};

/// Everything is where it was to go; with `--no-wait`, the move has begun. Also help and version.
pub const DONE: u8 = 0;
/// Wrong words, as in heartbeat 3.0.6.
pub const USAGE: u8 = 1;
/// The move can't be done now, or not by this user.
pub const REFUSED: u8 = 2;
/// The move has begun and did not get to its end, or was lost sight of.
pub const FAILED: u8 = 3;
/// No daemon runs.
pub const STOPPED: u8 = 4;
/// The move, or the daemon's answer, took too long.
pub const TIMEOUT: u8 = 12;

/// Runs the command with the words that follow its name; gives back the exit status.
pub fn run(direction: Direction, words: impl IntoIterator<Item = OsString>) -> u8 {
    let name = arguments::name(direction);
    match arguments::parse(direction, words) {
        Ok(Line::Help) => {
            say(&arguments::help(direction));
            DONE
        }
        Ok(Line::Version) => {
            let (ours, old) = (crate::VERSION, crate::SUCCEEDS);
            say(&format!("{ours} (successor of heartbeat {old})\n"));
            DONE
        }
        Ok(Line::Move(arguments)) => {
            let places = Places::new(arguments.directory.as_deref());
            let shows = arguments.verbose || std::io::stdout().is_terminal();
            let mut daemon = Live {
                socket: places.control_socket(),
            };
            let outcome = carry_out(direction, &arguments, &mut daemon, &mut |text| {
                if shows {
                    say(text);
                }
            });
            complain(name, &outcome, &places)
        }
        Err(error) => {
            warn(&format!("{name}: {error}\n{}", arguments::usage(direction)));
            USAGE
        }
    }
}

/// Moves these groups and waits for the end; gives back the exit status. `name` stands before a complaint.
pub fn move_and_wait(
    name: &str,
    direction: Direction,
    selection: Selection,
    places: &Places,
) -> u8 {
    let arguments = Arguments {
        selection,
        no_wait: false,
        timeout: None,
        verbose: false,
        directory: None,
    };
    let mut daemon = Live {
        socket: places.control_socket(),
    };
    let outcome = carry_out(direction, &arguments, &mut daemon, &mut |_| {});
    complain(name, &outcome, places)
}

/// What became of the request.
#[derive(Debug)]
enum Outcome {
    /// `--no-wait`
    Begun,
    NotBegun(Error),
    Ended(Ending),
}

fn carry_out(
    direction: Direction,
    arguments: &Arguments,
    daemon: &mut impl Daemon,
    tell: &mut impl FnMut(&str),
) -> Outcome {
    let begun = match daemon.begin(direction, arguments.selection) {
        Ok(begun) => begun,
        Err(error) => return Outcome::NotBegun(error),
    };
    tell(&words::opening(direction, arguments.selection));
    if arguments.no_wait {
        return Outcome::Begun;
    }
    let (ending, status) = follow::follow(&begun, arguments.timeout, daemon, tell);
    if let (Ending::Done | Ending::Failed(_), Some(status)) = (&ending, &status) {
        tell(&words::placement(status));
    }
    Outcome::Ended(ending)
}

/// The real daemon, in real time.
#[derive(Debug)]
struct Live {
    socket: PathBuf,
}

impl Daemon for Live {
    fn begin(&mut self, direction: Direction, selection: Selection) -> Result<Movement, Error> {
        let request = match direction {
            Direction::Standby => Request::Standby { selection },
            Direction::Takeover => Request::Takeover { selection },
        };
        match super::ask(&self.socket, &request)? {
            Answer::Movement(movement) => Ok(movement),
            _ => Err(Error::Nonsense("it answers another question".into())),
        }
    }

    fn status(&mut self) -> Result<Status, Error> {
        super::status(&self.socket)
    }

    fn now(&mut self) -> Duration {
        crate::os::clock::since_boot()
    }

    fn pause(&mut self, time: Duration) {
        crate::os::process::pause(time);
    }
}

/// Says on standard error what is not as it should be; gives back the exit status.
fn complain(name: &str, outcome: &Outcome, places: &Places) -> u8 {
    let (text, exit) = verdict(outcome, places);
    if let Some(text) = text {
        warn(&format!("{name}: {text}\n"));
    }
    exit
}

fn verdict(outcome: &Outcome, places: &Places) -> (Option<String>, u8) {
    let (text, exit) = match outcome {
        Outcome::Begun | Outcome::Ended(Ending::Done) => return (None, DONE),
        Outcome::NotBegun(error) => match error {
            Error::Refused(reason) => (format!("refused: {reason}"), REFUSED),
            Error::Unreachable(error) => (
                format!(
                    "cannot reach heartbeat's control socket: {error}. Only root, hacluster and the user that \
                     heartbeat runs as may move resources"
                ),
                REFUSED,
            ),
            Error::Stopped(_) => {
                let directory = places.configuration.display();
                (
                    format!("{error} (configuration directory {directory})"),
                    STOPPED,
                )
            }
            Error::Silent => (
                format!("{error}; its log tells whether the move has begun"),
                TIMEOUT,
            ),
            Error::Nonsense(_) => (
                format!("{error}; its log tells whether the move has begun"),
                FAILED,
            ),
        },
        Outcome::Ended(ending) => {
            let exit = match ending {
                Ending::TimedOut(_) | Ending::Lost(Error::Silent) => TIMEOUT,
                _ => FAILED,
            };
            (ending.to_string(), exit)
        }
    };
    (Some(text), exit)
}

/// A reader that went away needs nothing more.
fn say(text: &str) {
    let mut out = std::io::stdout();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}

fn warn(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests;
