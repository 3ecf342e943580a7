//! Standard error as a place for log lines: a terminal, a file, a pipe or the journal. May be stalled.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

use crate::cluster::Severity;

/// What a write to a pipe takes at once or not at all.
const MAX_LINE: usize = 4096;

/// Never waits for its reader.
#[derive(Debug)]
pub(super) struct StandardError {
    /// A description of our own, so that making it non-blocking harms nobody we share the terminal with.
    /// A socket has none.
    own: Option<File>,
    is_journal: bool,
}

impl StandardError {
    pub fn new() -> Self {
        let own = File::options()
            .append(true)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
            .open("/proc/self/fd/2")
            .ok();
        Self {
            own,
            is_journal: is_journal(),
        }
    }

    /// Whether the service manager's journal reads this.
    pub fn is_journal(&self) -> bool {
        self.is_journal
    }

    /// The journal brings time, host and pid itself, but wants to be told the level.
    pub fn write(&mut self, severity: Severity, line: &str) {
        let prefix = if self.is_journal {
            format!("<{}>", journal_level(severity))
        } else {
            String::new()
        };
        let text = format!("{prefix}{line}");
        let bytes = text.as_bytes();
        let bytes = bytes.get(..MAX_LINE).unwrap_or(bytes);
        let standard_error = io::stderr();
        if let Some(own) = &mut self.own {
            let _ = own.write(bytes);
        } else if crate::os::process::is_writable(standard_error.as_fd()) {
            let _ = standard_error.lock().write(bytes);
        }
    }
}

fn is_journal() -> bool {
    let Some(named) = std::env::var("JOURNAL_STREAM").ok() else {
        return false;
    };
    let Ok(file) = io::stderr().as_fd().try_clone_to_owned().map(File::from) else {
        return false;
    };
    file.metadata()
        .is_ok_and(|metadata| named == format!("{}:{}", metadata.dev(), metadata.ino()))
}

fn journal_level(severity: Severity) -> u8 {
    match severity {
        Severity::Crit => 2,
        Severity::Error => 3,
        Severity::Warn => 4,
        Severity::Notice => 5,
        Severity::Info => 6,
        Severity::Debug => 7,
    }
}
