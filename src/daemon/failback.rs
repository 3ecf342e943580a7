//! Asks the command of `auto_failback when` whether groups may return to the other node. Nobody waits for it.

use std::path::PathBuf;
use std::time::Duration;

use mio::{Registry, Token};

use super::children::{ChildId, Children, End, Ended, Kind, Order, Owner, Surroundings, reason};
use crate::cluster::Instant;
use crate::config::{Config, FailbackCondition};
use crate::resource::Invocation;

/// A command that takes longer is ended, which counts as no.
const LIMIT: Duration = Duration::from_secs(20);

/// The name that lines in the log bear.
const TAG: &str = "auto_failback";

/// The command, and what it said.
#[derive(Debug)]
pub struct FailbackCommand {
    /// With its words for the log; `None` where there is none: then nobody asks.
    command: Option<(Invocation, String)>,
    children: Children,
    running: Option<ChildId>,
    /// Another command has come since: what this one says does not count.
    is_void: bool,
    answer: Option<bool>,
    /// Why it did not agree, as told last: the same is not told again and again.
    told: Option<String>,
}

impl FailbackCommand {
    /// Child output is signalled under `token`.
    pub fn new(config: &Config, owner: Owner, registry: Registry, token: Token) -> Self {
        let surroundings = Surroundings::new(config, owner, Kind::Probe);
        Self {
            command: command(config),
            children: Children::new(registry, token, surroundings),
            running: None,
            is_void: false,
            answer: None,
            told: None,
        }
    }

    /// The files were read again. Whoever is being asked goes on.
    pub fn reload(&mut self, config: &Config) {
        let command = command(config);
        let words = |command: &Option<(Invocation, String)>| {
            let words = command.as_ref();
            words.map(|(_, words)| words.clone())
        };
        if words(&command) != words(&self.command) {
            self.is_void = self.running.is_some();
            self.told = None;
        }
        self.command = command;
        self.children.surround(config);
    }

    /// Asks. The answer comes later, exactly one for each question.
    pub fn ask(&mut self, now: Instant) {
        let Some((invocation, _)) = &self.command else {
            self.answer = Some(false);
            return;
        };
        let order = Order {
            invocation,
            tag: TAG.to_owned(),
            limit: LIMIT,
        };
        match self.children.spawn(now, order) {
            Ok(child) => self.running = Some(child),
            Err(error) => self.refuse(format!("can't be run: {error}"), true),
        }
    }

    /// Goes on as far as possible. Call it in every turn of the event loop.
    pub fn turn(&mut self, now: Instant) {
        self.children.turn(now);
        while let Some(ended) = self.children.next_ended() {
            if self.running == Some(ended.child) {
                self.running = None;
                if std::mem::take(&mut self.is_void) {
                    self.answer = Some(false);
                } else {
                    self.judge(&ended);
                }
            }
        }
    }

    /// Takes an answer.
    pub fn next_answer(&mut self) -> Option<bool> {
        self.answer.take()
    }

    /// When [`turn`](Self::turn) has something to do without being woken.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.children.next_deadline()
    }

    /// Whether an answer waits to be taken.
    pub fn has_answer(&self) -> bool {
        self.answer.is_some()
    }

    fn judge(&mut self, ended: &Ended) {
        let said = match ended.last_lines.last() {
            Some(line) => format!(": {line}"),
            None => String::new(),
        };
        match ended.end {
            End::Exited(0) => {
                self.told = None;
                self.answer = Some(true);
            }
            // What a shell says of a program that it can't run.
            End::Exited(code @ (126 | 127)) => {
                self.refuse(format!("can't be run (exit code {code}){said}"), true);
            }
            End::Exited(code) => self.refuse(format!("says no (exit code {code}){said}"), false),
            End::NeverRan(number) => {
                self.refuse(format!("can't be run: {}", reason(number)), true);
            }
            End::Killed(signal) => self.refuse(format!("was killed by signal {signal}"), true),
            End::TimedOut => {
                let seconds = LIMIT.as_secs();
                self.refuse(
                    format!("did not end within {seconds} s and was killed"),
                    true,
                );
            }
        }
    }

    fn refuse(&mut self, why: String, is_fault: bool) {
        self.answer = Some(false);
        if self.told.as_ref() == Some(&why) {
            return;
        }
        if let Some((_, words)) = &self.command {
            if is_fault {
                log::warn!(target: TAG, "{words} {why}; nothing returns, and it is asked again");
            } else {
                log::info!(target: TAG, "{words} {why}; it is asked again");
            }
        }
        self.told = Some(why);
    }
}

fn command(config: &Config) -> Option<(Invocation, String)> {
    let FailbackCondition::When(command) = &config.failback else {
        return None;
    };
    // A shell begins it, as with `respawn`: arguments may hold quotes and variables.
    let arguments = vec!["-c".into(), format!("exec {}", command.line)];
    let invocation = Invocation::new(PathBuf::from("/bin/sh"), arguments);
    Some((invocation, command.line.clone()))
}
