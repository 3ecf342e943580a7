//! The programs of `respawn` and `failfast`: started when this node is active, in the order of their lines, and
//! stopped the other way round when it has let go of its resources.

mod pace;
mod process;
mod program;

use std::fmt;
use std::io;

use super::children::{Kind, Leftovers, Owner, Surroundings};
use crate::cluster::Instant;
use crate::config::Config;
use crate::os::account::Account;
use crate::resource::environment;
pub use program::Failure;
use program::Program;

/// Long past, so: at once.
const AT_ONCE: Instant = Instant::from_micros(0);

/// Why the daemon must not start with these lines.
#[derive(Debug)]
pub enum ProgramError {
    /// A line names a user that there is not.
    NoUser(String),
    /// The system can't be asked for a user.
    Users(String, io::Error),
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoUser(name) => write!(f, "there is no user {name}, whom ha.cf names"),
            Self::Users(name, error) => {
                write!(f, "cannot look for user {name}, whom ha.cf names: {error}")
            }
        }
    }
}

/// All of them.
#[derive(Debug)]
pub struct Programs {
    lines: Vec<Program>,
    surroundings: Surroundings,
    /// As long as there are any, nothing is started.
    leftovers: Leftovers,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Waiting,
    Wanted,
    Stopping,
}

impl Programs {
    /// Nothing is started yet, but what an earlier daemon of this `owner` left running begins to be ended. May wait
    /// for the network, where users are known: to be called while the daemon starts.
    ///
    /// # Errors
    /// When a user is not known.
    pub fn new(now: Instant, config: &Config, owner: Owner) -> Result<Self, ProgramError> {
        let lines = config.respawn.iter().filter(|line| !line.is_ipfail());
        let programs = lines.map(|line| match Account::find(&line.user) {
            Ok(Some(account)) => {
                let directory = environment::directory(config, &account.name);
                Ok(Program::new(line, account, directory))
            }
            Ok(None) => Err(ProgramError::NoUser(line.user.clone())),
            Err(error) => Err(ProgramError::Users(line.user.clone(), error)),
        });
        Ok(Self {
            lines: programs.collect::<Result<_, _>>()?,
            leftovers: Leftovers::find(Kind::Program, &owner, now),
            surroundings: Surroundings::new(config, owner, Kind::Program),
            phase: Phase::Waiting,
        })
    }

    /// What they find around them, from the next start of each on.
    pub fn surround(&mut self, config: &Config) {
        let owner = self.surroundings.owner.clone();
        self.surroundings = Surroundings::new(config, owner, Kind::Program);
    }

    /// This node is active: they are started in the next [`turn`](Self::turn).
    pub fn start(&mut self) {
        if self.phase == Phase::Waiting {
            self.phase = Phase::Wanted;
        }
    }

    /// In maintenance one of `failfast` is started again as one of `respawn` is: nothing follows from its failure.
    pub fn hold_still(&mut self, is_still: bool) {
        for program in &mut self.lines {
            program.holds_still = is_still;
        }
    }

    /// They are stopped from the next [`turn`](Self::turn) on, one after the other.
    pub fn stop(&mut self) {
        self.phase = Phase::Stopping;
    }

    /// Whether all are stopped for good.
    pub fn are_over(&self) -> bool {
        self.phase == Phase::Stopping && self.lines.iter().all(Program::is_over)
    }

    /// Starts, reaps and ends what is due. Call it in every turn of the event loop. Tells of a `failfast` program that
    /// has failed.
    pub fn turn(&mut self, now: Instant) -> Option<Failure> {
        let is_left = self.leftovers.remain(now);
        match self.phase {
            Phase::Waiting => None,
            Phase::Wanted if is_left => None,
            Phase::Wanted => {
                let mut failure = None;
                for program in &mut self.lines {
                    failure = program.turn(now, &self.surroundings).or(failure);
                }
                failure
            }
            Phase::Stopping => {
                for program in self.lines.iter_mut().rev() {
                    program.stop(now);
                    program.turn(now, &self.surroundings);
                    if !program.is_over() {
                        break;
                    }
                }
                None
            }
        }
    }

    /// When [`turn`](Self::turn) has something to do without being woken. A time in the past means at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        if let (Some(look), true) = (
            self.leftovers.next_deadline(),
            self.phase != Phase::Stopping,
        ) {
            return Some(look);
        }
        match self.phase {
            Phase::Waiting => None,
            Phase::Wanted => self.lines.iter().filter_map(Program::next_deadline).min(),
            Phase::Stopping => {
                let last = self.lines.iter().rev().find(|program| !program.is_over());
                // One that runs still was not told to end.
                last.map(|program| program.next_deadline().unwrap_or(AT_ONCE))
            }
        }
    }
}
