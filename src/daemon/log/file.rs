//! A log file that may be full, missing, or moved away under our hands.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

/// `logfile` or `debugfile`.
#[derive(Debug)]
pub(super) struct LogFile {
    path: PathBuf,
    file: Option<File>,
    /// Said once, until a line arrives again.
    complained: bool,
    /// The last line went in only in part.
    torn: bool,
}

impl LogFile {
    /// Opened with the first line.
    pub fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            complained: false,
            torn: false,
        }
    }

    /// Whatever the path names from now on.
    pub fn reopen(&mut self) {
        self.file = None;
    }

    /// Appends one line; gives back what to complain about elsewhere.
    pub fn write(&mut self, line: &[u8]) -> Option<String> {
        match self.try_write(line) {
            Ok(()) => {
                self.complained = false;
                None
            }
            Err(_) if self.complained => None,
            Err(error) => {
                self.complained = true;
                Some(format!(
                    "Cannot write to {}: {error}. Lines for it are lost until that is mended",
                    self.path.display()
                ))
            }
        }
    }

    fn try_write(&mut self, line: &[u8]) -> io::Result<()> {
        if !self.is_current() {
            self.file = Some(open(&self.path)?);
        }
        let Some(file) = &mut self.file else {
            return Ok(());
        };
        if self.torn {
            file.write_all(b"\n")?;
        }
        let written = file.write(line)?;
        self.torn = written < line.len();
        if self.torn {
            Err(io::ErrorKind::StorageFull.into())
        } else {
            Ok(())
        }
    }

    /// Rotation tools move a file away without telling us.
    fn is_current(&self) -> bool {
        let Some(file) = &self.file else { return false };
        match (file.metadata(), std::fs::metadata(&self.path)) {
            (Ok(ours), Ok(there)) => (ours.dev(), ours.ino()) == (there.dev(), there.ino()),
            _ => false,
        }
    }
}

/// Non-blocking, should it be a pipe. Clients such as ipfail run as `hacluster` and write here too.
fn open(path: &std::path::Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o644)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if file.metadata()?.is_file() {
        let (user, group) = *OWNER.get_or_init(|| {
            (
                crate::os::process::user_id("hacluster"),
                crate::os::process::group_id("haclient"),
            )
        });
        let _ = std::os::unix::fs::fchown(&file, user, group); // a courtesy; needs root
    }
    Ok(file)
}

/// Looked up once, at start: asking may take long.
static OWNER: std::sync::OnceLock<(Option<u32>, Option<u32>)> = std::sync::OnceLock::new();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotated_file_is_followed_without_a_signal() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("ha-log");
        let mut file = LogFile::new(path.clone());
        assert_eq!(file.write(b"one\n"), None);
        std::fs::rename(&path, directory.path().join("ha-log.1")).expect("renamed");
        assert_eq!(file.write(b"two\n"), None);
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), "two\n");
    }

    #[test]
    fn a_missing_directory_is_complained_about_once_and_tried_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("later/ha-log");
        let mut file = LogFile::new(path.clone());
        let complaint = file.write(b"one\n").expect("a complaint");
        assert!(
            complaint.contains("later/ha-log") && complaint.contains("No such file"),
            "{complaint}"
        );
        assert_eq!(file.write(b"two\n"), None);
        std::fs::create_dir(directory.path().join("later")).expect("made");
        assert_eq!(file.write(b"three\n"), None);
        assert_eq!(std::fs::read_to_string(&path).expect("readable"), "three\n");
    }

    #[test]
    fn a_pipe_without_a_reader_does_not_stop_us() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("made");
        assert!(LogFile::new(path).write(b"one\n").is_some());
    }
}
