//! The pid file. A lock on it, not the number in it, says whether the daemon runs: a number left behind by
//! a power cut may long belong to somebody else.
//!
//! The lock is one of an open file description, so that asking for it (`-s`, `-k`) does not take it even
//! for a moment, which could make a daemon that starts just then believe that another one runs.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};

use crate::os::{proc, process};

/// How often the lock of a dead daemon's child is asked for.
const PACE: Duration = Duration::from_millis(10);

/// The pid file of this process. Removed when dropped.
#[derive(Debug)]
pub struct PidFile {
    path: PathBuf,
    /// Holds the lock for as long as it is open.
    file: File,
    /// It is gone and cannot be made again; this was told.
    complained: bool,
}

/// Why the pid file is not ours.
#[derive(Debug)]
pub enum Refused {
    /// Another daemon holds it; its pid, when readable.
    Running(Option<i32>),
    /// A child of a daemon with this pid, which is dead.
    Left(i32),
    /// The file cannot be made.
    Io(io::Error),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running(_) => f.write_str("another process holds a lock on it"),
            Self::Left(pid) => write!(
                f,
                "a child of the daemon with the pid {pid}, which is dead, still holds a lock on it"
            ),
            Self::Io(error) => error.fmt(f),
        }
    }
}

/// What the pid file says of a daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It runs; its pid, when readable.
    Running(Option<i32>),
    /// It is gone and left a file behind.
    Dead,
    /// There is no file, or none with a number in it.
    Absent,
}

impl PidFile {
    /// Claims the file and writes our pid into it.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn claim(path: &Path) -> Result<Self, Refused> {
        loop {
            if let Some(directory) = path.parent() {
                let _ = std::fs::create_dir_all(directory); // opening the file tells why it can't be made
            }
            let file = open(path).map_err(Refused::Io)?;
            if fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))).is_err() {
                return Err(Refused::Running(pid_in(&file)));
            }
            // Its owner may have removed it between our opening and locking it: then we locked nothing.
            if is_same(&file, path) {
                let mut this = Self {
                    path: path.into(),
                    file,
                    complained: false,
                };
                this.write().map_err(Refused::Io)?;
                return Ok(this);
            }
        }
    }

    /// The same for a daemon that is about to start, perhaps a moment after another one was killed. A child that this one
    /// had just forked has the lock, too, until it becomes another program. Only then can it be told from ours, and
    /// is found if it is an action that goes on: so it is waited for, up to `patience`.
    ///
    /// # Errors
    /// See [`Refused`].
    pub fn claim_after_another(path: &Path, patience: Duration) -> Result<Self, Refused> {
        let mut left = patience;
        loop {
            match Self::claim(path) {
                Err(Refused::Running(Some(pid))) if proc::look(pid).is_none() => {
                    let Some(rest) = left.checked_sub(PACE) else {
                        return Err(Refused::Left(pid));
                    };
                    left = rest;
                    process::pause(PACE);
                }
                result => {
                    if left < patience {
                        process::pause(PACE); // what else it has of the dead one is closed together with this file
                    }
                    return result;
                }
            }
        }
    }

    /// Makes the file again if somebody removed it: the daemon could not be stopped by it any more.
    pub fn restore(&mut self) {
        if is_same(&self.file, &self.path) {
            return;
        }
        let path = self.path.clone();
        let path = path.display();
        match Self::claim(&self.path) {
            Ok(file) => {
                *self = file;
                log::warn!("Somebody removed the pid file {path}; it is made again");
            }
            Err(reason) if !self.complained => {
                log::error!(
                    "Somebody removed the pid file {path}. It cannot be made again: {reason}"
                );
                self.complained = true;
            }
            Err(_) => {}
        }
    }

    fn write(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file
            .write_all(format!("{:10}\n", std::process::id()).as_bytes())
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        if is_same(&self.file, &self.path) {
            let _ = std::fs::remove_file(&self.path); // the lock goes with the process in any case
        }
    }
}

/// Whether a daemon runs. Does not disturb one that is starting.
///
/// # Errors
/// When the file is there and cannot be opened.
pub fn presence(path: &Path) -> io::Result<Presence> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Presence::Absent),
        Err(error) => return Err(error),
    };
    let mut lock = whole_file(libc::F_RDLCK);
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut lock))?;
    let pid = pid_in(&file);
    if i32::from(lock.l_type) != libc::F_UNLCK {
        return Ok(Presence::Running(pid));
    }
    Ok(if pid.is_some() {
        Presence::Dead
    } else {
        Presence::Absent
    })
}

fn open(path: &Path) -> io::Result<File> {
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(path)
}

fn whole_file(kind: i32) -> libc::flock {
    libc::flock {
        l_type: libc::c_short::try_from(kind).unwrap_or_default(),
        l_whence: 0,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

fn pid_in(mut file: &File) -> Option<i32> {
    let mut text = [0; 32];
    let length = file.read(&mut text).ok()?;
    pid_of(text.get(..length)?)
}

/// The process that such a text names.
pub fn pid_of(text: &[u8]) -> Option<i32> {
    std::str::from_utf8(text)
        .ok()?
        .trim()
        .parse()
        .ok()
        .filter(|&pid| pid > 0)
}

fn is_same(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(there)) = (file.metadata(), std::fs::metadata(path)) else {
        return false;
    };
    (ours.dev(), ours.ino()) == (there.dev(), there.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_decides_and_not_the_number() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pid");
        assert_eq!(presence(&path).expect("readable"), Presence::Absent);
        // The number of a process that certainly runs, in a file that nobody holds.
        std::fs::write(&path, format!("{:10}\n", std::process::id())).expect("written");
        assert_eq!(presence(&path).expect("readable"), Presence::Dead);
        let file = PidFile::claim(&path).expect("nobody holds it");
        let pid = i32::try_from(std::process::id()).ok();
        assert_eq!(presence(&path).expect("readable"), Presence::Running(pid));
        assert!(matches!(PidFile::claim(&path), Err(Refused::Running(found)) if found == pid));
        drop(file);
        assert_eq!(presence(&path).expect("readable"), Presence::Absent);
    }

    #[test]
    fn the_lock_of_a_dead_daemon_is_waited_for() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pid");
        let child = std::process::Command::new("true").spawn();
        let mut child = child.expect("started");
        let dead = i32::try_from(child.id()).expect("a pid");
        child.wait().expect("ended");
        let held = open(&path).expect("made");
        fcntl(&held, FcntlArg::F_OFD_SETLK(&whole_file(libc::F_WRLCK))).expect("nobody holds it");
        std::fs::write(&path, format!("{dead:10}\n")).expect("written");
        let patience = PACE * 2;
        let refused = PidFile::claim_after_another(&path, patience);
        assert!(matches!(refused, Err(Refused::Left(pid)) if pid == dead));
        drop(held);
        assert!(PidFile::claim_after_another(&path, patience).is_ok());
    }

    #[test]
    fn garbage_counts_as_absent() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pid");
        for garbage in ["", "x", "-1", "0", "99999999999999999999", "\u{fffd}"] {
            std::fs::write(&path, garbage).expect("written");
            assert_eq!(
                presence(&path).expect("readable"),
                Presence::Absent,
                "{garbage:?}"
            );
        }
    }

    #[test]
    fn the_format_is_that_of_the_original() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pid");
        std::fs::write(&path, "something longer than a pid file").expect("written");
        let _file = PidFile::claim(&path).expect("nobody holds it");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert_eq!(text, format!("{:10}\n", std::process::id()));
    }
}
