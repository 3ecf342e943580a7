//! This machine resets itself, because a resource group does not stop and the operator wants it so.
//!
//! The kernel may wait for drivers before it restarts, and what did not stop goes on meanwhile. So a child gives the
//! order: this program again, as `heartbeat reset-machine`. The daemon goes on telling the other node that it holds the
//! group, until it can't any more.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::exit_status::FAILED;
use crate::os::process::pause;
use crate::os::reset::reset_machine;

/// The environment variable that names a program to be run in place of the reset (for tests).
const INSTEAD: &str = "HEARTBEAT_RESET";
/// So long the lines that tell why have to reach their files and the other end of the wire.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Whether a reset was ordered, and what came of it.
#[derive(Debug, Default)]
pub struct Reset {
    is_wanted: bool,
    child: Option<Child>,
}

impl Reset {
    /// Whether it is: then the watchdog may do it as well.
    pub fn is_wanted(&self) -> bool {
        self.is_wanted
    }

    /// Gives the order, unless it is being given.
    pub fn begin(&mut self) {
        self.is_wanted = true;
        self.turn();
        if self.child.is_some() {
            return;
        }
        let instead = std::env::var_os(INSTEAD).map(|program| (INSTEAD, program));
        let child = Command::new("/proc/self/exe")
            .arg("reset-machine")
            .env_clear()
            .envs(instead)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => self.child = Some(child),
            Err(error) => complain(&error),
        }
    }

    /// To be called when a child ended.
    pub fn turn(&mut self) {
        let Some(child) = &mut self.child else {
            return;
        };
        match child.try_wait() {
            Ok(None) => return,
            Ok(Some(status)) if status.success() => {}
            Ok(Some(status)) => complain(&reason(status)),
            Err(error) => complain(&error),
        }
        self.child = None;
    }
}

/// The exit status is the number of the system's error.
fn reason(status: ExitStatus) -> io::Error {
    match (status.code(), status.signal()) {
        (Some(code), _) => io::Error::from_raw_os_error(code),
        (None, signal) => io::Error::other(format!("signal {}", signal.unwrap_or(0))),
    }
}

fn complain(error: &io::Error) {
    log::error!(
        target: "CRIT:heartbeat",
        "This machine cannot reset itself: {error}. A watchdog would; else reset it by hand, or stop by hand what does \
         not stop"
    );
}

/// The child of the daemon. Its exit status is the number of the error.
pub fn run() -> u8 {
    pause(LAST_WORDS);
    let Some(program) = std::env::var_os(INSTEAD) else {
        let code = reset_machine().raw_os_error();
        return code
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(FAILED);
    };
    let status = Command::new(program).status();
    let code = status.ok().and_then(|status| status.code());
    code.and_then(|code| u8::try_from(code).ok())
        .unwrap_or(FAILED)
}
