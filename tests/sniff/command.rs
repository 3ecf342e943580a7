//! Runs the command in a directory of its own.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// The keys with which everything under `tests/wire` was recorded, but for the two long ones.
pub const KEYS: &str = "auth 2\n1 crc\n2 sha1 vector-key-sha1\n3 md5 vector-key-md5\n";

/// A configuration directory.
pub struct Directory(TempDir);

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Finished {
    pub out: String,
    pub err: String,
    pub exit: i32,
}

impl Directory {
    /// Of the pair that was recorded.
    pub fn new() -> Self {
        Self::with_keys(KEYS)
    }

    pub fn with_keys(keys: &str) -> Self {
        let directory = Self::empty();
        let ha_cf = "node alpha beta\nbcast eth0\nserial /dev/ttyS0\nkeepalive 1\ndeadtime 6\ninitdead 12\n\
                     auto_failback on\nlogfacility daemon\n";
        for (name, text) in [
            ("ha.cf", ha_cf),
            ("haresources", "alpha Fake::one\nbeta Fake::two\n"),
            ("nodeinfo", "alpha\n"),
        ] {
            directory.write(name, text.as_bytes());
        }
        let keyfile = directory.write("authkeys", keys.as_bytes());
        fs::set_permissions(keyfile, fs::Permissions::from_mode(0o600)).expect("our own file");
        directory
    }

    /// Without any file.
    pub fn empty() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).expect("our own file");
        path
    }

    /// `heartbeat -C DIR sniff ARGUMENTS`
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_heartbeat"));
        command
            .arg("-C")
            .arg(self.0.path())
            .arg("sniff")
            .args(arguments);
        command.env("TZ", "UTC").stdin(Stdio::null());
        command
    }

    /// Runs it with a file to its end.
    pub fn sniff(&self, arguments: &[&str], file: &Path) -> Finished {
        let run = self.command(arguments).arg(file).output().expect("it runs");
        Finished {
            out: String::from_utf8(run.stdout).expect("text"),
            err: String::from_utf8(run.stderr).expect("text"),
            exit: run.status.code().expect("not killed"),
        }
    }

    /// The same with a capture that was made here.
    pub fn sniff_bytes(&self, arguments: &[&str], capture: &[u8]) -> Finished {
        let path = self.write("capture", capture);
        self.sniff(arguments, &path)
    }
}
