//! A child process that nobody waited for, not even until it had become its program.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// A child of this process, for as long as it was not reaped and afterwards. Dropping it ends nothing.
#[derive(Debug)]
pub struct Child {
    pid: i32,
    status: Option<ExitStatus>,
    /// The number of an error arrives here when the child could not become its program; nothing when it could.
    complaint: File,
}

impl Child {
    /// That was forked with this number; its own end of the pipe is closed when it becomes its program.
    pub(super) fn new(pid: i32, complaint: OwnedFd) -> Self {
        Self {
            pid,
            status: None,
            complaint: complaint.into(),
        }
    }

    /// Its process number, which belongs to it until it is reaped.
    pub fn id(&self) -> i32 {
        self.pid
    }

    /// How it ended, once it has; reaps it. Never waits.
    ///
    /// # Errors
    /// When it is no child of ours any more: somebody else reaped it.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            let mut status = 0;
            // SAFETY: the pointer leads to an integer of ours.
            match unsafe { libc::waitpid(self.pid, &raw mut status, libc::WNOHANG) } {
                0 => {}
                -1 => match Errno::last() {
                    Errno::EINTR => {} // looked at again in the next turn
                    error => return Err(error.into()),
                },
                _ => self.status = Some(ExitStatus::from_raw(status)),
            }
        }
        Ok(self.status)
    }

    /// Why it ended without having become its program; `None` if it has become it, or has not ended.
    pub fn never_ran(&mut self) -> Option<io::Error> {
        self.status?;
        let mut number = [0; 4];
        self.complaint.read_exact(&mut number).ok()?;
        Some(io::Error::from_raw_os_error(i32::from_ne_bytes(number)))
    }

    /// Ends it, unless it was reaped.
    ///
    /// # Errors
    /// When this process may not, which for a child of ours is seldom.
    pub fn kill(&mut self) -> io::Result<()> {
        if self.status.is_none() {
            kill(Pid::from_raw(self.pid), Signal::SIGKILL)?;
        }
        Ok(())
    }
}
