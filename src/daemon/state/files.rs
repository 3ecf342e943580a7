//! Small files that survive a power cut: the old content or the new one, never a part.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How a file was stored.
#[derive(Debug)]
pub(super) enum Stored {
    /// As [`replace`] does.
    Replaced,
    /// In place, because there was no room for a second file.
    Overwritten(io::Error),
}

/// Writes a new file, syncs it, and lets it take the old one's place.
///
/// # Errors
/// When any step fails; the old content is then still there.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = temporary_name(path);
    let result = write_new(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if result.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    result?;
    sync_directory(path)
}

/// As [`replace`]; on a full disk, a file of the same length is overwritten: a few bytes within one sector
/// are replaced whole or not at all, and need no room.
pub(super) fn replace_or_overwrite(path: &Path, bytes: &[u8]) -> io::Result<Stored> {
    let Err(error) = replace(path, bytes) else {
        return Ok(Stored::Replaced);
    };
    let is_full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    let same_length =
        std::fs::metadata(path).is_ok_and(|there| usize::try_from(there.len()) == Ok(bytes.len()));
    if !is_full || !same_length {
        return Err(error);
    }
    let mut file = File::options().write(true).open(path)?;
    file.rewind()?;
    file.write_all(bytes)?;
    file.sync_all()?;
    Ok(Stored::Overwritten(error))
}

/// The content, or none when there is no such file. Reads no more than `limit` bytes, and waits for nobody where something
/// else than a file stands there.
///
/// # Errors
/// Those of the system.
pub fn read(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

fn temporary_name(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    name.into()
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_the_old_content_and_nothing_else() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        replace(&path, b"old").expect("written");
        std::fs::create_dir(temporary_name(&path)).expect("made, in the way of the new file");
        replace(&path, b"new").expect_err("in the way");
        assert_eq!(std::fs::read(&path).expect("readable"), b"old");
    }
}
