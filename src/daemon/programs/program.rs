//! One line of `respawn` or `failfast`: a program that is started, watched, started again and stopped.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::pace::{Pace, REST, Verdict};
use super::process::{Process, Remains};
use crate::cluster::Instant;
use crate::config::Respawn;
use crate::daemon::children::{End, Surroundings, reason, rest};
use crate::os::account::{Account, run_as};
use crate::os::spawn::spawn_numbered;

/// The exit code of a program that wants not to be started again.
const ENOUGH: i32 = 100;

/// A program and what is known of it.
#[derive(Debug)]
pub(super) struct Program {
    /// As written, with its arguments.
    command: String,
    account: Account,
    directory: PathBuf,
    failfast: bool,
    /// Maintenance is on.
    pub holds_still: bool,
    pace: Pace,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Is to be started then.
    Due(Instant),
    Running(Process),
    /// What is left of its process group is being ended; then it is started again, if at all.
    Ending(Process, Option<Instant>),
    /// This node stops.
    Stopping(Process),
    Over,
}

/// A `failfast` program has failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    command: String,
    end: Option<End>,
}

impl Program {
    /// To be started at once, when the first [`turn`](Self::turn) comes.
    pub fn new(line: &Respawn, account: Account, directory: PathBuf) -> Self {
        let command = format!("{} {}", line.program.display(), line.arguments);
        Self {
            command: command.trim_end().to_owned(),
            account,
            directory,
            failfast: line.failfast,
            holds_still: false,
            pace: Pace::default(),
            state: State::Due(Instant::from_micros(0)),
        }
    }

    /// Goes on as far as possible.
    pub fn turn(&mut self, now: Instant, surroundings: &Surroundings) -> Option<Failure> {
        match &mut self.state {
            State::Due(at) if *at <= now => return self.start(now, surroundings),
            State::Running(process) => {
                let end = process.end()?;
                let failure = self.ended(now, end);
                self.clear_up(now);
                return failure;
            }
            State::Ending(..) | State::Stopping(_) => self.clear_up(now),
            State::Due(_) | State::Over => {}
        }
        None
    }

    /// When [`turn`](Self::turn) has something to do without being woken.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Due(at) => Some(*at),
            State::Ending(process, _) | State::Stopping(process) => Some(process.next_look()),
            State::Running(_) | State::Over => None,
        }
    }

    /// Ends it, unless that was asked for before.
    pub fn stop(&mut self, now: Instant) {
        self.state = match std::mem::replace(&mut self.state, State::Over) {
            State::Running(mut process) => {
                log::info!(
                    "killing {} process group {} with signal 15",
                    self.command,
                    process.pid()
                );
                process.terminate(now);
                State::Stopping(process)
            }
            State::Ending(process, _) => State::Ending(process, None),
            State::Stopping(process) => State::Stopping(process),
            State::Due(_) | State::Over => State::Over,
        };
    }

    /// Whether it neither runs nor will.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn start(&mut self, now: Instant, surroundings: &Surroundings) -> Option<Failure> {
        let Account { uid, gid, .. } = self.account;
        log::info!("Starting child client \"{}\" ({uid},{gid})", self.command);
        match self.spawn(now, surroundings) {
            Ok(process) => {
                let pid = process.pid();
                // Two blanks before gid, as ever.
                log::info!(
                    "Starting \"{}\" as uid {uid}  gid {gid} (pid {pid})",
                    self.command
                );
                self.state = State::Running(process);
                None
            }
            Err(error) => {
                log::error!("Cannot start \"{}\" as uid {uid}: {error}", self.command);
                if self.failfast && !self.holds_still {
                    self.state = State::Over;
                    return Some(self.failure(None));
                }
                let again_at = now + self.pause(Duration::ZERO);
                self.state = State::Due(again_at);
                None
            }
        }
    }

    /// A shell begins the program, as with heartbeat 3.0.6: arguments may hold quotes and variables.
    fn spawn(&self, now: Instant, surroundings: &Surroundings) -> io::Result<Process> {
        let mut command = Command::new("/bin/sh");
        let Account { name, home, .. } = &self.account;
        command
            .arg("-c")
            .arg(format!("exec {}", self.command))
            .env_clear()
            .envs(
                surroundings
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .envs([("USER", name), ("LOGNAME", name)])
            .env("HOME", home)
            .current_dir(&self.directory)
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        run_as(&mut command, &self.account);
        let mark = rest(now, &surroundings.owner, Duration::ZERO, &self.command);
        let variable = surroundings.kind.variable();
        let mark: OsString = mark.into();
        Process::new(spawn_numbered(command, variable, OsStr::new(&mark))?, now)
    }

    /// The end of one that runs.
    fn ended(&mut self, now: Instant, end: End) -> Option<Failure> {
        let State::Running(process) = std::mem::replace(&mut self.state, State::Over) else {
            return None;
        };
        tell(&self.command, process.pid(), end);
        if end == End::Exited(ENOUGH) {
            log::info!("Client \"{}\" wants not to be started again", self.command);
            return None;
        }
        let mut process = process;
        // Before another one is begun nothing of this one may be left.
        process.terminate(now);
        if self.failfast && !self.holds_still && end != End::Exited(0) {
            self.state = State::Ending(process, None);
            return Some(self.failure(Some(end)));
        }
        let again_at = now + self.pause(process.life(now));
        log::error!("Respawning client \"{}\":", self.command);
        self.state = State::Ending(process, Some(again_at));
        None
    }

    fn pause(&mut self, life: Duration) -> Duration {
        match self.pace.ended(life) {
            Verdict::Again(pause) => pause,
            Verdict::Rest => {
                log::error!(
                    "Client {} \"respawning too fast\": from now on it is started every {} minutes",
                    self.command,
                    REST.as_secs() / 60
                );
                REST
            }
        }
    }

    fn clear_up(&mut self, now: Instant) {
        let (process, next, is_stop) = match &mut self.state {
            State::Ending(process, again_at) => {
                (process, again_at.map_or(State::Over, State::Due), false)
            }
            State::Stopping(process) => (process, State::Over, true),
            _ => return,
        };
        let pid = process.pid();
        match process.remains(now) {
            Remains::Members => return,
            Remains::Nothing => {}
            Remains::Undead => log::error!(
                "\"{}\" (process group {pid}) cannot be killed: it hangs in the kernel",
                self.command,
            ),
        }
        if let (true, Some(end)) = (is_stop, process.end()) {
            tell(&self.command, pid, end);
        }
        self.state = next;
    }

    fn failure(&self, end: Option<End>) -> Failure {
        Failure {
            command: self.command.clone(),
            end,
        }
    }
}

fn tell(command: &str, pid: i32, end: End) {
    let hint = match end {
        End::Exited(126) => " The shell says by that: it may not be run.",
        End::Exited(127) => " The shell says by that: there is no such program.",
        _ => "",
    };
    let level = match end {
        // What everybody does at a stop.
        End::Exited(0) | End::Killed(libc::SIGTERM) => log::Level::Info,
        _ => log::Level::Warn,
    };
    let words = Words(end);
    log::log!(level, "Managed {command} process {pid} {words}.{hint}");
}

/// How a program ended, in words.
struct Words(End);

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            End::Exited(code) => write!(f, "exited with return code {code}"),
            End::Killed(number) => {
                let name = Signal::try_from(number).map_or("unknown", Signal::as_str);
                write!(f, "killed by signal {number} [{name}]")
            }
            End::TimedOut => f.write_str("killed at its time limit"),
            End::NeverRan(number) => write!(f, "could not be run: {}", reason(number)),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failfast program \"{}\" ", self.command)?;
        match self.end {
            Some(end) => Words(end).fmt(f),
            None => f.write_str("could not be started"),
        }
    }
}
