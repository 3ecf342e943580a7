//! The lock files by which programs that use serial ports keep out of each other's way: `LCK..ttyS0`.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::os::{proc, regular_file};

/// Where such files live.
pub const LOCK_DIRECTORY: &str = "/var/lock";

/// A lock file that is ours; removed when dropped.
#[derive(Debug)]
pub struct LockFile {
    path: PathBuf,
    text: String,
}

/// Why there is no lock.
#[derive(Debug)]
pub enum LockError {
    /// Another program that runs has the port.
    Held {
        /// The lock file.
        file: PathBuf,
        /// The program's process number.
        owner: u32,
        /// What it is called.
        program: String,
    },
    /// The directory can't be written.
    Unwritable {
        /// The lock file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

impl std::fmt::Display for LockError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Held {
                file,
                owner,
                program,
            } => write!(
                f,
                "process {owner} ({program}) uses it, says {}: end it, or remove that file if it has nothing to do with \
                 the port",
                file.display()
            ),
            Self::Unwritable { file, error } => {
                write!(f, "cannot write {}: {error}", file.display())
            }
        }
    }
}

impl LockFile {
    /// Takes the lock of a device, given by its real path. What a dead process left is taken over.
    pub fn take(directory: &Path, device: &Path) -> Result<Self, LockError> {
        let name = device.file_name().unwrap_or_default().to_string_lossy();
        let file = directory.join(format!("LCK..{name}"));
        let own = std::process::id();
        let text = format!("{own:>10}\n");
        let fail = |error| LockError::Unwritable {
            file: file.clone(),
            error,
        };
        // A file that appears with its content at once: nobody reads a lock without an owner.
        let draft = directory.join(format!("LTMP.{own}.{name}"));
        write_new(&draft, &text).map_err(fail)?;
        let linked = link_or_take_over(&draft, &file, own);
        let _ = fs::remove_file(&draft);
        match linked {
            Ok(None) => Ok(Self { path: file, text }),
            Ok(Some(owner)) => Err(LockError::Held {
                file,
                owner,
                program: i32::try_from(owner)
                    .ok()
                    .and_then(proc::name)
                    .unwrap_or_default()
                    .replace(char::is_control, "?"),
            }),
            Err(error) => Err(LockError::Unwritable { file, error }),
        }
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if fs::read_to_string(&self.path).is_ok_and(|text| text == self.text) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn write_new(draft: &Path, text: &str) -> io::Result<()> {
    let _ = fs::remove_file(draft);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(draft)?;
    file.write_all(text.as_bytes())
}

/// `Ok(None)`: the lock is ours; `Ok(Some(pid))`: it is that process's.
fn link_or_take_over(draft: &Path, path: &Path, own: u32) -> io::Result<Option<u32>> {
    let mut refused = io::ErrorKind::AlreadyExists.into();
    for _ in 0..3 {
        match fs::hard_link(draft, path) {
            Ok(()) => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => refused = error,
            Err(error) => return Err(error),
        }
        if let Some(owner) = owner_of(path).filter(|&owner| owner != own && is_running(owner)) {
            return Ok(Some(owner));
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Err(refused)
}

/// The process that a lock file names.
fn owner_of(path: &Path) -> Option<u32> {
    // Anybody may write to this directory.
    let mut bytes = Vec::new();
    regular_file::open(path)
        .ok()?
        .take(64)
        .read_to_end(&mut bytes)
        .ok()?;
    owner_in(&bytes)
}

/// The process that the content of a lock file names; some programs write four bytes instead of text.
pub fn owner_in(bytes: &[u8]) -> Option<u32> {
    let text = std::str::from_utf8(bytes)
        .ok()
        .and_then(|text| text.split_whitespace().next()?.parse().ok());
    text.or_else(|| <[u8; 4]>::try_from(bytes).ok().map(u32::from_ne_bytes))
}

fn is_running(process: u32) -> bool {
    process != 0 && Path::new("/proc").join(process.to_string()).exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a directory")
    }

    #[test]
    fn a_lock_names_its_owner_in_ten_characters_and_goes_with_it() {
        let directory = directory();
        let lock = LockFile::take(directory.path(), Path::new("/dev/ttyS0")).expect("free");
        let file = directory.path().join("LCK..ttyS0");
        assert_eq!(
            fs::read_to_string(&file).expect("there"),
            format!("{:>10}\n", std::process::id())
        );
        drop(lock);
        assert_eq!(fs::read_dir(directory.path()).expect("there").count(), 0);
    }

    #[test]
    fn a_lock_of_a_running_program_is_respected_and_the_program_named() {
        let directory = directory();
        fs::write(directory.path().join("LCK..ttyS0"), "         1\n").expect("written");
        let refused = LockFile::take(directory.path(), Path::new("/dev/ttyS0")).expect_err("held");
        assert!(
            matches!(refused, LockError::Held { owner: 1, .. }),
            "{refused}"
        );
        assert!(directory.path().join("LCK..ttyS0").exists());
    }

    #[test]
    fn a_lock_of_a_dead_program_or_without_sense_is_taken_over() {
        for stale in ["4194999999\n", "", "garbage\n", " 4194304\n"] {
            let directory = directory();
            fs::write(directory.path().join("LCK..ttyUSB0"), stale).expect("written");
            assert!(
                LockFile::take(directory.path(), Path::new("/dev/ttyUSB0")).is_ok(),
                "{stale:?}"
            );
        }
    }

    #[test]
    fn what_is_no_plain_file_holds_nobody_up() {
        let directory = directory();
        let file = directory.path().join("LCK..ttyS0");
        let made = std::process::Command::new("mkfifo")
            .arg(&file)
            .status()
            .expect("mkfifo runs");
        assert!(made.success());
        assert!(LockFile::take(directory.path(), Path::new("/dev/ttyS0")).is_ok());
    }

    #[test]
    fn a_lock_taken_over_by_another_is_left_alone() {
        let directory = directory();
        let lock = LockFile::take(directory.path(), Path::new("/dev/ttyS1")).expect("free");
        let file = directory.path().join("LCK..ttyS1");
        fs::write(&file, "         1\n").expect("written");
        drop(lock);
        assert!(file.exists());
    }

    #[test]
    fn a_directory_that_is_missing_is_told() {
        let refused = LockFile::take(Path::new("/no/such/place"), Path::new("/dev/ttyS0"))
            .expect_err("missing");
        assert!(matches!(refused, LockError::Unwritable { .. }));
    }
}
