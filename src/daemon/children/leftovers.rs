//! What a killed daemon left running.
//!
//! A daemon that dies takes none of its children with it. A script in the middle of `start` goes on, its resource
//! is not there yet when the next daemon asks, and is there a moment after the peer was told that it is not: two
//! owners. So the next daemon asks nothing before the last of these has ended.
//!
//! An action is over when the process that the daemon made is: so it is for the daemon that made it, and a service
//! that a script leaves in its process group (`program &`, as classic scripts do) is legitimate and runs for ever.
//! This misses what a script was waiting for when somebody killed the script alone; nothing tells that from a
//! service. Only where we killed the group ourselves all of it has to be gone.
//!
//! A script of `rc.d` is waited for alike, by the next such script alone. A program of `respawn` has no end of its
//! own: it is ended at once with its whole group, because a second one is about to be started; and so is the program of
//! a fencing device, because the other node may be well again.

use std::fmt;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::mark::{Kind, Mark, Owner};
use super::{GRACE, Stage};
use crate::cluster::Instant;
use crate::os::proc::{self, Process};
use crate::os::process::pause;

/// How often it is looked whether one runs. Afterwards all processes are looked at, so less often.
const PACE: Duration = Duration::from_millis(100);
const PACE_OF_KILLING: Duration = Duration::from_millis(500);
/// How often an environment without any variable is looked at.
const LOOKS: usize = 3;
/// How often it is said that one cannot be killed.
const REMINDER: Duration = Duration::from_secs(60);

/// The children of one kind that run still.
#[derive(Debug, Default)]
pub struct Leftovers {
    left: Vec<Leftover>,
    look_at: Instant,
}

#[derive(Debug)]
struct Leftover {
    kind: Kind,
    words: String,
    limit: Duration,
    /// It may have ended before the rest of its group.
    leader: Process,
    stage: Stage,
    /// When the stage ends.
    deadline: Instant,
}

impl Leftovers {
    /// Looks for children of a daemon that had the same state directory and runs no more. May wait, see
    /// [`proc::environment`]: to be called while the daemon starts.
    pub fn find(kind: Kind, owner: &Owner, now: Instant) -> Self {
        let pids = proc::all().unwrap_or_else(|error| {
            log::warn!("Cannot look for children of an earlier daemon in /proc: {error}");
            Vec::new()
        });
        let leftover = |pid| {
            // Threads of the kernel are in no group.
            let process = proc::look(pid).filter(|process| process.group != 0)?;
            if kind != Kind::Program && process.group != pid {
                return None;
            }
            let mark = Mark::read(kind, &environment(pid))?;
            let leader = proc::look(process.group);
            let is_left = match (kind, leader) {
                // What a program left, unless its number was given to somebody else since.
                (Kind::Program, None) => mark.is_of_group(&process, owner),
                (_, Some(leader)) => mark.is_of(&leader, owner),
                (_, None) => false,
            };
            is_left.then(|| Leftover {
                kind,
                words: mark.words,
                limit: mark.limit,
                leader: leader.unwrap_or(Process {
                    pid: process.group,
                    ..process
                }),
                stage: Stage::InTime,
                deadline: if kind == Kind::Fence {
                    now
                } else {
                    now + mark.limit
                },
            })
        };
        let mut left: Vec<_> = pids.into_iter().filter_map(leftover).collect();
        left.sort_by_key(|one| one.leader.pid);
        left.dedup_by_key(|one| one.leader.pid);
        for one in &left {
            log::warn!("{one} still runs. {}", one.consequence());
        }
        Self {
            left,
            look_at: now + PACE,
        }
    }

    /// Whether any runs; ends those that are over their time. To be asked again at the deadline.
    pub fn remain(&mut self, now: Instant) -> bool {
        if !self.left.is_empty() && now >= self.look_at {
            self.left.retain_mut(|one| !one.is_over(now));
            let in_time = |one: &Leftover| one.stage == Stage::InTime;
            let pace = if self.left.iter().all(in_time) {
                PACE
            } else {
                PACE_OF_KILLING
            };
            self.look_at = now + pace;
        }
        !self.left.is_empty()
    }

    /// When to ask again.
    pub fn next_deadline(&self) -> Option<Instant> {
        (!self.left.is_empty()).then_some(self.look_at)
    }
}

/// While a process becomes another program, its environment is empty for a moment.
fn environment(pid: i32) -> Vec<u8> {
    let look = |_| {
        let found = proc::environment(pid).unwrap_or_default();
        if found.is_empty() {
            pause(Duration::from_millis(1));
        }
        found
    };
    (0..LOOKS)
        .map(look)
        .find(|found| !found.is_empty())
        .unwrap_or_default()
}

impl Leftover {
    fn consequence(&self) -> String {
        let limit = self.limit.as_secs();
        match self.kind {
            Kind::Action => format!(
                "Until it has ended, which it must within {limit} s, resources are left alone and the other node is \
                 not told what runs here"
            ),
            Kind::Program => "It is ended first: no program runs twice".into(),
            Kind::Hook => format!(
                "Until it has ended, which it must within {limit} s, no other script of rc.d is run"
            ),
            Kind::Probe => "Nothing waits for its answer".into(),
            Kind::Fence => "It is ended: the other node may be well by now".into(),
        }
    }

    fn is_over(&mut self, now: Instant) -> bool {
        let runs = if self.stage == Stage::InTime && self.kind != Kind::Program {
            self.leader_runs().is_some_and(|is_same| is_same)
        } else {
            self.group_runs()
        };
        if !runs {
            log::info!("{self} has ended");
            return true;
        }
        if now >= self.deadline {
            self.escalate(now);
        }
        false
    }

    fn escalate(&mut self, now: Instant) {
        self.deadline = now + GRACE;
        match self.stage {
            Stage::InTime => {
                if !matches!(self.kind, Kind::Program | Kind::Fence) {
                    let limit = self.limit.as_secs();
                    log::error!("{self} did not end within {limit} s and is killed");
                }
                self.signal(Signal::SIGTERM);
                self.stage = Stage::Terminated;
            }
            Stage::Terminated => {
                self.signal(Signal::SIGKILL);
                self.stage = Stage::Killed;
            }
            // It can still finish what it asked of the kernel, a mount for example.
            Stage::Killed => {
                let waiting = match self.kind {
                    Kind::Action => "Resources are left alone",
                    Kind::Program => "No program of respawn or failfast is started",
                    Kind::Hook => "No script of rc.d is run",
                    Kind::Probe => "Nothing waits for it",
                    Kind::Fence => "No fencing device is asked",
                };
                log::error!(
                    "{self} cannot be killed: it hangs in the kernel. {waiting} as long as it is there: restart this \
                     machine"
                );
                self.deadline = now + REMINDER;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.leader.pid), signal); // fails only when nobody is left
    }

    /// Who has the number of the action now: the action itself, or another process.
    fn leader_runs(&self) -> Option<bool> {
        proc::look(self.leader.pid).map(|found| found.started == self.leader.started)
    }

    /// As long as the group has a member, the kernel gives its number to nobody.
    fn group_runs(&self) -> bool {
        let is_member = |pid| proc::look(pid).is_some_and(|found| found.group == self.leader.pid);
        self.leader_runs()
            .unwrap_or_else(|| proc::all().is_ok_and(|pids| pids.into_iter().any(is_member)))
    }
}

impl fmt::Display for Leftover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (words, pid) = (&self.words, self.leader.pid);
        write!(
            f,
            "{words} [pid {pid}], which the daemon before this one began,"
        )
    }
}
