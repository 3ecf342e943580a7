//! A new archive for the eyes of its owner alone: tar (the format of POSIX 1988) in gzip.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;

const BLOCK: usize = 512;
/// Where the checksum stands in a header.
const CHECKSUM: std::ops::Range<usize> = 148..156;
/// The longest name in a header.
const LONGEST_NAME: usize = 100;

/// Writes files of these names and contents. Nothing is left behind where that fails.
///
/// # Errors
/// When the file is there already, or can't be written.
pub fn write(path: &Path, files: &[(String, Vec<u8>)], seconds: u64) -> io::Result<()> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    let written = fill(file, files, seconds);
    if written.is_err() {
        let _ = std::fs::remove_file(path); // half an archive is of no use
    }
    written
}

fn fill(file: File, files: &[(String, Vec<u8>)], seconds: u64) -> io::Result<()> {
    let mut out = GzEncoder::new(file, Compression::default());
    for (name, content) in files {
        out.write_all(&header(name, content.len(), seconds)?)?;
        out.write_all(content)?;
        let rest = content.len() % BLOCK;
        if rest > 0 {
            out.write_all(&vec![0; BLOCK.saturating_sub(rest)])?;
        }
    }
    out.write_all(&[0; 2 * BLOCK])?;
    out.finish()?.sync_all()
}

fn header(name: &str, length: usize, seconds: u64) -> io::Result<[u8; BLOCK]> {
    if name.len() > LONGEST_NAME {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "a name is too long",
        ));
    }
    let mut header = [0; BLOCK];
    let (size, time) = (format!("{length:011o}\0"), format!("{seconds:011o}\0"));
    let fields: [(usize, &[u8]); 8] = [
        (0, name.as_bytes()),
        (100, b"0000600\0"),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size.as_bytes()),
        (136, time.as_bytes()),
        (148, b"        0"), // for the sum blanks; a plain file
        (257, b"ustar\x0000"),
    ];
    for (place, text) in fields {
        put(&mut header, place, text);
    }
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    put(
        &mut header,
        CHECKSUM.start,
        format!("{sum:06o}\0 ").as_bytes(),
    );
    Ok(header)
}

fn put(header: &mut [u8], place: usize, text: &[u8]) {
    for (byte, new) in header.iter_mut().skip(place).zip(text) {
        *byte = *new;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn tar_finds_in_it_what_was_put_there_and_nobody_else_may_read_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("bundle.tar.gz");
        let files = [
            ("a/one", vec![b'x'; 512]),
            ("a/two", b"short\n".to_vec()),
            ("a/none", Vec::new()),
        ];
        let files = files.map(|(name, content)| (name.to_owned(), content));
        write(&path, &files, 1_800_000_000).expect("written");
        let mode = path.metadata().expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let tar = |words: &[&str]| {
            let output = Command::new("tar")
                .args(words)
                .arg("-f")
                .arg(&path)
                .output();
            let output = output.expect("tar runs");
            assert!(output.status.success(), "{output:?}");
            output.stdout
        };
        assert_eq!(tar(&["-zt"]), b"a/one\na/two\na/none\n");
        let extract = Command::new("tar")
            .arg("-xzf")
            .arg(&path)
            .arg("-C")
            .arg(directory.path())
            .status();
        assert!(extract.expect("tar runs").success());
        for (name, content) in &files {
            assert_eq!(
                &std::fs::read(directory.path().join(name)).expect("a file"),
                content
            );
        }
        let error = write(&path, &files, 0).expect_err("it is there already");
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert!(path.exists(), "what was there is left alone");
    }
}
