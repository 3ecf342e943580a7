//! Child processes: resource scripts and whatever else takes its time. Nothing here waits.
//!
//! A child is over when it has ended, not when its output has: a script that leaves a service behind with our
//! pipe as its output must not hold anything up. Such a pipe is emptied for as long as it is open, because a
//! service whose output nobody takes would block, and one whose pipe is closed would be killed by SIGPIPE.

mod leftovers;
mod mark;
pub mod output;

use std::collections::{BTreeMap, VecDeque};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use mio::unix::pipe::Receiver;
use mio::{Registry, Token};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::clock;
use crate::cluster::Instant;
use crate::config::Config;
use crate::os::child::Child;
use crate::os::spawn::start_numbered;
use crate::resource::{Invocation, environment};
use output::Output;

pub use leftovers::Leftovers;
pub use mark::{Kind, Mark, Owner, rest};

/// Time between SIGTERM and SIGKILL, and between SIGKILL and giving up on a process that even that does not
/// end (it hangs in the kernel, on a dead disk or server).
const GRACE: Duration = Duration::from_secs(5);
/// Time that starting children may take between two turns. Each start copies what the kernel knows of our memory; heartbeats
/// must not wait for hundreds of them.
const SHARE: Duration = Duration::from_millis(5);
/// The least that a pipe holds, in bytes.
const SMALLEST_PIPE: usize = 4096;
/// How often the pipes that ended children left behind are emptied, and how many of them are.
const LINGERING_PACE: Duration = Duration::from_secs(1);
const LINGERING: usize = 256;

/// A child, for as long as its end was not told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChildId(u64);

/// What to run, and how.
#[derive(Debug)]
pub struct Order<'a> {
    /// The program.
    pub invocation: &'a Invocation,
    /// The name that lines of its output bear in the log.
    pub tag: String,
    /// After this time it is ended.
    pub limit: Duration,
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// By itself, with this exit code.
    Exited(i32),
    /// By a signal that was not ours.
    Killed(i32),
    /// It was ended at its time limit.
    TimedOut,
    /// It never became its program, for the reason that this number of the system has.
    NeverRan(i32),
}

/// The reason that the number of [`End::NeverRan`] has.
pub fn reason(number: i32) -> io::Error {
    io::Error::from_raw_os_error(number)
}

/// A child that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Which one.
    pub child: ChildId,
    /// How.
    pub end: End,
    /// The beginning of its standard output.
    pub stdout: Vec<u8>,
    /// The last lines of both its outputs.
    pub last_lines: Vec<String>,
    /// How many bytes it wrote.
    pub written: u64,
    /// How long it took.
    pub took: Duration,
}

/// What every child gets.
#[derive(Debug)]
pub struct Surroundings {
    /// Its whole environment but for the mark that tells it from what it starts; ours is not inherited.
    pub environment: Vec<(OsString, OsString)>,
    /// Its working directory.
    pub directory: PathBuf,
    /// Whose it is, for the daemon that comes after this one.
    pub owner: Owner,
    /// What it is to that daemon.
    pub kind: Kind,
}

/// All child processes of one kind.
#[derive(Debug)]
pub struct Children {
    registry: Registry,
    token: Token,
    surroundings: Surroundings,
    running: BTreeMap<ChildId, Running>,
    /// Ended at their limit without effect; reaped when they end one day.
    undead: Vec<(Option<ChildId>, Child)>,
    lingering: Vec<Output>,
    drain_at: Option<Instant>,
    ended: VecDeque<Ended>,
    next: u64,
    unread: bool,
    /// What starting children has taken since the last turn.
    spent: Duration,
}

#[derive(Debug)]
struct Running {
    child: Child,
    output: Output,
    stage: Stage,
    begun: Instant,
    deadline: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    InTime,
    Terminated,
    Killed,
}

impl Surroundings {
    /// Those of a child that runs as root.
    pub fn new(config: &Config, owner: Owner, kind: Kind) -> Self {
        Self {
            environment: environment::variables(config),
            directory: environment::directory(config, "root"),
            owner,
            kind,
        }
    }

    /// Those of one that runs as root where there is no configuration in this directory, or none that can be used.
    pub fn bare(directory: &Path, owner: Owner, kind: Kind) -> Self {
        Self {
            environment: environment::bare_variables(directory),
            directory: PathBuf::from("/"),
            owner,
            kind,
        }
    }
}

impl Children {
    /// Output is signalled under `token`; whenever it, or SIGCHLD, or a deadline comes, call [`turn`](Self::turn).
    pub fn new(registry: Registry, token: Token, surroundings: Surroundings) -> Self {
        Self {
            registry,
            token,
            surroundings,
            running: BTreeMap::new(),
            undead: Vec::new(),
            lingering: Vec::new(),
            drain_at: None,
            ended: VecDeque::new(),
            next: 0,
            unread: false,
            spent: Duration::ZERO,
        }
    }

    /// What children find around them.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// Those that are started from now on find this around them.
    pub fn surround(&mut self, config: &Config) {
        let Surroundings { owner, kind, .. } = &self.surroundings;
        self.surroundings = Surroundings::new(config, owner.clone(), *kind);
    }

    /// Starts a child in a process group of its own. It inherits no descriptor but /dev/null and two pipes.
    pub fn spawn(&mut self, now: Instant, order: Order<'_>) -> io::Result<ChildId> {
        let nothing = File::open("/dev/null")?;
        self.spawn_from(now, order, nothing.into())
    }

    /// The same for one that is to read this, at most a page of memory, on its standard input.
    pub fn spawn_with_input(
        &mut self,
        now: Instant,
        order: Order<'_>,
        input: &[u8],
    ) -> io::Result<ChildId> {
        // What fits into a pipe can be written before anybody reads it.
        if input.len() > SMALLEST_PIPE {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let (reader, mut writer) = io::pipe()?;
        writer.write_all(input)?;
        drop(writer);
        self.spawn_from(now, order, reader.into())
    }

    fn spawn_from(
        &mut self,
        now: Instant,
        order: Order<'_>,
        input: OwnedFd,
    ) -> io::Result<ChildId> {
        let Surroundings {
            environment,
            directory,
            owner,
            kind,
        } = &self.surroundings;
        let mut command = Command::new(&order.invocation.program);
        command
            .args(&order.invocation.arguments)
            .env_clear()
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .envs(
                order
                    .invocation
                    .environment
                    .iter()
                    .map(|(name, value)| (name, value)),
            )
            .current_dir(directory);
        let rest = mark::rest(now, owner, order.limit, order.invocation);
        let (stdout, output) = io::pipe()?;
        let (stderr, errors) = io::pipe()?;
        let streams = [input, output.into(), errors.into()];
        let begun = clock::now();
        let spawned = start_numbered(&command, &streams, kind.variable(), OsStr::new(&rest));
        self.spent = self.spent.saturating_add(clock::now().since(begun));
        let mut child = spawned?;
        let pipes = [OwnedFd::from(stdout), stderr.into()].map(|pipe| Some(Receiver::from(pipe)));
        let output = match Output::new(order.tag, pipes, &self.registry, self.token) {
            Ok(output) => output,
            Err(error) => {
                // Without its output it would block sooner or later.
                let _ = child.kill();
                self.undead.push((None, child));
                return Err(error);
            }
        };
        self.next = self.next.saturating_add(1);
        let id = ChildId(self.next);
        let running = Running {
            child,
            output,
            stage: Stage::InTime,
            begun: now,
            deadline: now + order.limit,
        };
        self.running.insert(id, running);
        Ok(id)
    }

    /// Reads what was written, reaps what has ended, and ends what is over its time.
    pub fn turn(&mut self, now: Instant) {
        self.spent = Duration::ZERO;
        self.unread = false;
        let mut over = Vec::new();
        for (&id, running) in &mut self.running {
            // Asked for before the output is read: what a child wrote before its end is in the pipe then.
            let end = running.end(now);
            self.unread |= running.output.read();
            over.extend(end.map(|end| (id, end)));
        }
        for (id, end) in over {
            if let Some(running) = self.running.remove(&id) {
                self.bury(now, id, running, end);
            }
        }
        self.undead
            .retain_mut(|(_, child)| matches!(child.try_wait(), Ok(None)));
        self.drain(now);
    }

    /// Whether another one may be started before the next turn.
    pub fn has_time(&self) -> bool {
        self.spent < SHARE
    }

    /// Takes a child whose end was not told yet.
    pub fn next_ended(&mut self) -> Option<Ended> {
        self.ended.pop_front()
    }

    /// When [`turn`](Self::turn) has something to do without being woken. A time in the past means at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        let at_once = (self.unread || !self.ended.is_empty()).then_some(Instant::from_micros(0));
        let limits = self.running.values().map(|running| running.deadline).min();
        [at_once, limits, self.drain_at].into_iter().flatten().min()
    }

    /// Whether a child whose end was told is there all the same: not even SIGKILL ends what hangs in the kernel, and it
    /// can still finish what it asked of it.
    pub fn is_undead(&self, child: ChildId) -> bool {
        self.undead.iter().any(|(id, _)| *id == Some(child))
    }

    /// How many are.
    pub fn undead(&self) -> usize {
        self.undead.len()
    }

    /// Ends a child and all of its process group at once.
    pub fn kill(&mut self, now: Instant, child: ChildId) {
        if let Some(running) = self.running.get_mut(&child) {
            running.escalate(Stage::Killed, Signal::SIGKILL);
            running.deadline = now + GRACE;
        }
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// How many children have ended while something that they started still had their output, and had it when
    /// that was last looked at.
    pub fn lingering(&self) -> usize {
        self.lingering.len()
    }

    fn bury(&mut self, now: Instant, child: ChildId, running: Running, end: End) {
        let Running {
            child: process,
            mut output,
            stage,
            begun,
            ..
        } = running;
        if stage == Stage::Killed {
            self.undead.push((Some(child), process)); // reaped in this very turn if it can be
        }
        let (stdout, last_lines) = output.finish();
        self.ended.push_back(Ended {
            child,
            end,
            stdout,
            last_lines,
            written: output.written(),
            took: now.since(begun),
        });
        if !output.linger(&self.registry) {
            return;
        }
        if self.lingering.len() < LINGERING {
            self.lingering.push(output);
            self.drain_at.get_or_insert(now + LINGERING_PACE);
        } else {
            log::warn!(
                "Too many services keep the output of their start script; one more is closed"
            );
        }
    }

    fn drain(&mut self, now: Instant) {
        if self.drain_at.is_none_or(|at| at > now) {
            return;
        }
        self.lingering.retain_mut(Output::discard);
        self.drain_at = (!self.lingering.is_empty()).then(|| now + LINGERING_PACE);
    }
}

impl Running {
    fn end(&mut self, now: Instant) -> Option<End> {
        if self.stage == Stage::InTime {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(end(&mut self.child, status)),
                Ok(None) => {}
                Err(_) => return Some(End::Killed(0)), // it is gone, and how it ended is lost
            }
        }
        if now >= self.deadline {
            self.deadline = now + GRACE;
            match self.stage {
                Stage::InTime => self.escalate(Stage::Terminated, Signal::SIGTERM),
                Stage::Terminated => self.escalate(Stage::Killed, Signal::SIGKILL),
                Stage::Killed => return Some(End::TimedOut),
            }
        }
        // Between the signals the child is not reaped even when it has ended: its number names the process
        // group, whose other members get their time and then SIGKILL too.
        let gone = self.stage == Stage::Killed && !matches!(self.child.try_wait(), Ok(None));
        gone.then_some(End::TimedOut)
    }

    /// Signals the whole process group.
    fn escalate(&mut self, stage: Stage, signal: Signal) {
        self.stage = stage;
        let _ = killpg(Pid::from_raw(self.child.id()), signal); // fails only when nobody is left
    }
}

fn end(child: &mut Child, status: ExitStatus) -> End {
    if let Some(reason) = child.never_ran() {
        return End::NeverRan(reason.raw_os_error().unwrap_or(libc::EIO));
    }
    status
        .code()
        .map_or_else(|| End::Killed(status.signal().unwrap_or(0)), End::Exited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starting_children_takes_a_share_of_a_turn_and_no_more() {
        let directory = tempfile::tempdir().expect("a directory");
        let owner = Owner::of(directory.path()).expect("a directory");
        let surroundings = Surroundings::bare(directory.path(), owner, Kind::Action);
        let poll = mio::Poll::new().expect("epoll");
        let registry = poll.registry().try_clone().expect("a registry");
        let mut children = Children::new(registry, Token(0), surroundings);
        let invocation = Invocation::new(PathBuf::from("/bin/true"), Vec::new());
        assert!(children.has_time());
        let mut started: usize = 0;
        while children.has_time() {
            let order = Order {
                invocation: &invocation,
                tag: "true".to_owned(),
                limit: GRACE,
            };
            children.spawn(clock::now(), order).expect("started");
            started += 1;
        }
        assert!(started < 1000, "{started} in {SHARE:?}");
        children.turn(clock::now());
        assert!(children.has_time(), "the next turn has a share of its own");
        let end = clock::now() + GRACE;
        while children.running() > 0 && clock::now() < end {
            children.turn(clock::now());
        }
        assert_eq!(children.running(), 0);
    }
}
