//! Whether a serial port is free, looked for by a child of the daemon, `heartbeat probe port DEVICE`.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cluster::Instant;

/// How often a running search is looked after.
pub const POLL: Duration = Duration::from_millis(250);
/// A machine with thousands of processes needs a fraction of a second.
const LIMIT: Duration = Duration::from_secs(20);
/// As much of the answer as is read.
const ANSWER: u64 = 4096;

/// A search that runs beside the daemon.
#[derive(Debug)]
pub struct PortSearch {
    child: Child,
    until: Instant,
}

/// What is known of a search.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// Nothing yet.
    Pending,
    /// Nothing keeps the port from being used.
    Free,
    /// Something does: what it is, and what frees the port.
    Used(String),
    /// The child hangs in the kernel, and so nothing will be known.
    Stuck,
}

impl PortSearch {
    /// Starts a search.
    pub fn start(device: &Path, now: Instant) -> io::Result<Self> {
        let mut command = Command::new("/proc/self/exe");
        command.args(["probe", "port"]).arg(device);
        Self::run(command, now)
    }

    fn run(mut command: Command, now: Instant) -> io::Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let until = now + LIMIT;
        Ok(Self { child, until })
    }

    /// What it has found. After `Free` and `Used` it is over.
    pub fn poll(&mut self, now: Instant) -> Found {
        match self.child.try_wait() {
            Ok(None) if now < self.until => return Found::Pending,
            Ok(None) => {
                let _ = self.child.kill();
                return Found::Stuck;
            }
            Ok(Some(_)) => {}
            Err(_) => return Found::Free,
        }
        // The child has ended, so reading what it left in the pipe does not wait.
        let mut text = String::new();
        if let Some(output) = self.child.stdout.take() {
            let _ = output.take(ANSWER).read_to_string(&mut text);
        }
        match text.trim() {
            "" => Found::Free,
            text => Found::Used(text.to_owned()),
        }
    }
}

impl Drop for PortSearch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        // Not waited for: one that hangs in the kernel does not end by that.
        let _ = self.child.try_wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(script: &str, at: Instant) -> Found {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let mut search = PortSearch::run(command, Instant::default()).expect("sh runs");
        loop {
            match search.poll(at) {
                Found::Pending => std::thread::yield_now(),
                found => return found,
            }
        }
    }

    #[test]
    fn what_the_child_says_is_what_keeps_the_port() {
        let now = Instant::default();
        let said = Found::Used("agetty (process 5) uses it".into());
        assert_eq!(outcome("echo 'agetty (process 5) uses it'", now), said);
        assert_eq!(outcome("exit 0", now), Found::Free);
        assert_eq!(outcome("exit 3", now), Found::Free, "nothing is known");
    }

    #[test]
    fn a_child_that_hangs_is_not_waited_for() {
        let late = Instant::default() + LIMIT;
        assert_eq!(outcome("sleep 60", late), Found::Stuck);
    }
}
