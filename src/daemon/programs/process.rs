//! A program that was started, with the process group that it leads.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use crate::cluster::Instant;
use crate::daemon::children::End;
use crate::os::proc;

/// Time to end by itself after SIGTERM.
const TIME_TO_END: Duration = Duration::from_secs(10);
/// Time that the kernel has for SIGKILL.
const TIME_TO_DIE: Duration = Duration::from_secs(5);
/// How often it is looked whether a process group has members still; of their ends nobody tells us.
const PACE: Duration = Duration::from_millis(50);
/// How often all processes are looked at for that.
const PACE_OF_ALL: Duration = Duration::from_millis(500);

/// The leader and whatever is in its process group.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    pid: i32,
    since: Instant,
    end: Option<End>,
    stage: Stage,
    look_at: Instant,
    look_at_all_at: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Left,
    /// Until then.
    Terminated(Instant),
    Killed(Instant),
}

/// How far the end of a process group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remains {
    /// Nobody is left.
    Nothing,
    /// Somebody is.
    Members,
    /// Not even SIGKILL has ended it.
    Undead,
}

impl Process {
    pub fn new(child: Child, since: Instant) -> io::Result<Self> {
        let pid = i32::try_from(child.id()).map_err(io::Error::other)?;
        Ok(Self {
            child,
            pid,
            since,
            end: None,
            stage: Stage::Left,
            look_at: since,
            look_at_all_at: since,
        })
    }

    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// How the leader ended, once it has.
    pub fn end(&mut self) -> Option<End> {
        if self.end.is_none() {
            self.end = match self.child.try_wait() {
                Ok(None) => None,
                Ok(Some(status)) => Some(
                    status
                        .code()
                        .map_or_else(|| End::Killed(status.signal().unwrap_or(0)), End::Exited),
                ),
                Err(_) => Some(End::Killed(0)), // it is gone, and how it ended is lost
            };
        }
        self.end
    }

    /// How long it has lived.
    pub fn life(&self, now: Instant) -> Duration {
        now.since(self.since)
    }

    /// Signals the whole group, and begins to count.
    pub fn terminate(&mut self, now: Instant) {
        self.signal(Signal::SIGTERM);
        self.stage = Stage::Terminated(now + TIME_TO_END);
        self.look_at = now;
    }

    /// Goes on with what [`terminate`](Self::terminate) began.
    pub fn remains(&mut self, now: Instant) -> Remains {
        let has_ended = self.end().is_some();
        if has_ended && self.is_empty(now) {
            return Remains::Nothing;
        }
        let until = match self.stage {
            Stage::Left => now,
            Stage::Terminated(until) if until <= now => {
                self.signal(Signal::SIGKILL);
                self.stage = Stage::Killed(now + TIME_TO_DIE);
                now + TIME_TO_DIE
            }
            Stage::Killed(until) if until <= now => return Remains::Undead,
            Stage::Terminated(until) | Stage::Killed(until) => until,
        };
        // The leader's end wakes us, that of another member does not.
        self.look_at = if has_ended { now + PACE } else { until };
        Remains::Members
    }

    /// When to ask for [`remains`](Self::remains) again.
    pub fn next_look(&self) -> Instant {
        self.look_at
    }

    /// Once the leader is reaped its number belongs to the group, for as long as that has members: the kernel gives
    /// it to nobody else.
    fn is_empty(&mut self, now: Instant) -> bool {
        if killpg(Pid::from_raw(self.pid), None) == Err(Errno::ESRCH) {
            return true;
        }
        // Whoever has ended and is not reaped by his new parent counts as a member there.
        if now < self.look_at_all_at {
            return false;
        }
        self.look_at_all_at = now + PACE_OF_ALL;
        let is_member = |pid| proc::look(pid).is_some_and(|found| found.group == self.pid);
        proc::all().is_ok_and(|pids| !pids.into_iter().any(is_member))
    }

    fn signal(&self, signal: Signal) {
        let _ = killpg(Pid::from_raw(self.pid), signal); // fails only when nobody is left
    }
}
