//! What keeps a script from being run, found out without running it.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// As much of the first line as kernels read.
const FIRST_LINE: usize = 256;
/// Enough of a script to see what kind of script it is.
const HEAD: u64 = 16 * 1024;

/// Why a file can't be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// There is nothing of that name.
    Missing,
    /// It is a directory, a device or the like.
    NotRegular,
    /// Nobody may execute it.
    NotExecutable,
    /// There is nothing in it.
    Empty,
    /// Its first line ends with a carriage return, which becomes part of the interpreter's name or argument.
    CarriageReturn,
    /// Its first line names a program that is not there or can't be run.
    Interpreter(String),
}

/// What a file begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `#!` and an interpreter.
    Script,
    /// A program that the kernel runs itself.
    Program,
    /// Neither: it is run by `/bin/sh`, as a shell does with such a file.
    Unmarked,
}

/// Whether a file can be run at all, as far as can be seen. One that can't be read by us counts as sound: whoever
/// runs it may be allowed more.
///
/// # Errors
/// Why it can't.
pub fn look(path: &Path) -> Result<(), Fault> {
    let found = fs::metadata(path).map_err(|_| Fault::Missing)?;
    if !found.is_file() {
        return Err(Fault::NotRegular);
    }
    if found.permissions().mode() & 0o111 == 0 {
        return Err(Fault::NotExecutable);
    }
    let Ok(head) = head(path) else { return Ok(()) };
    if head.is_empty() {
        return Err(Fault::Empty);
    }
    let Some(line) = head.strip_prefix(b"#!") else {
        return Ok(());
    };
    let line = line.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let line = line.get(..FIRST_LINE).unwrap_or(line);
    if line.ends_with(b"\r") {
        return Err(Fault::CarriageReturn);
    }
    interpreter(&String::from_utf8_lossy(line))
}

/// The beginning of a file.
///
/// # Errors
/// When it can't be read.
pub fn head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    File::open(path)?.take(HEAD).read_to_end(&mut head)?;
    Ok(head)
}

/// What kind of file begins like this.
pub fn format(head: &[u8]) -> Format {
    if head.starts_with(b"#!") {
        Format::Script
    } else if head.starts_with(b"\x7fELF") {
        Format::Program
    } else {
        Format::Unmarked
    }
}

/// Looks for the interpreter, and for what `env` would run.
fn interpreter(line: &str) -> Result<(), Fault> {
    let mut words = line.split_ascii_whitespace();
    let Some(program) = words.next() else {
        return Err(Fault::Interpreter(String::new()));
    };
    if !can_be_run(Path::new(program)) {
        return Err(Fault::Interpreter(program.to_owned()));
    }
    if Path::new(program)
        .file_name()
        .is_none_or(|name| name != "env")
    {
        return Ok(());
    }
    // Behind its options and `NAME=VALUE`, of which `-S` alone is common, stands a name to be looked for.
    match words.find(|word| !word.starts_with('-') && !word.contains('=')) {
        Some(name) if !is_in_path(name) => Err(Fault::Interpreter(name.to_owned())),
        _ => Ok(()),
    }
}

fn is_in_path(name: &str) -> bool {
    let mut directories = super::PATH.split(':');
    name.contains('/')
        || directories.any(|directory| can_be_run(&PathBuf::from(directory).join(name)))
}

fn can_be_run(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// As what is wrong with the file.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("does not exist"),
            Self::NotRegular => f.write_str("is not a regular file"),
            Self::NotExecutable => f.write_str("is not executable"),
            Self::Empty => f.write_str("is empty"),
            Self::CarriageReturn => {
                f.write_str("has the line ends of Windows, with which its interpreter is not found")
            }
            Self::Interpreter(name) if name.is_empty() => {
                f.write_str("names no interpreter after `#!`")
            }
            Self::Interpreter(name) => {
                write!(f, "names the interpreter `{name}`, which can't be run here")
            }
        }
    }
}

impl Fault {
    /// What to do about it.
    pub fn remedy(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Missing => format!("put it at {path}"),
            Self::NotRegular | Self::Empty => format!("put a script at {path}"),
            Self::NotExecutable => format!("chmod 755 {path}"),
            Self::CarriageReturn => format!("sed -i 's/\\r$//' {path}"),
            Self::Interpreter(_) => format!("install it, or change the first line of {path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_run_is_told_by_its_reason() {
        let root = tempfile::tempdir().expect("a directory");
        let path = root.path().join("script");
        let fault = |mode: u32, text: &str| {
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
            look(&path).err().map(|fault| fault.to_string())
        };
        for (mode, text, expected) in [
            (0o755, "#!/bin/sh\n", None),
            (0o755, "#! /bin/sh -e\nexit\n", None),
            (0o100, "#!/bin/sh\n", None),
            (0o755, "#!/bin/sh", None),
            (0o755, "#!/usr/bin/env sh\n", None),
            (0o755, "#!/usr/bin/env -S LC_ALL=C sh -e\n", None),
            (0o755, "echo no mark\n", None),
            (0o755, "\x7fELF", None),
            (0o644, "#!/bin/sh\n", Some("is not executable")),
            (0o755, "", Some("is empty")),
            (
                0o755,
                "#!/bin/sh\r\nexit\r\n",
                Some("has the line ends of Windows, with which its interpreter is not found"),
            ),
            (
                0o755,
                "#!/bin/no-such-shell\n",
                Some("names the interpreter `/bin/no-such-shell`, which can't be run here"),
            ),
            (
                0o755,
                "#!/usr/bin/env no-such-language\n",
                Some("names the interpreter `no-such-language`, which can't be run here"),
            ),
            (
                0o755,
                "#!/etc/passwd\n",
                Some("names the interpreter `/etc/passwd`, which can't be run here"),
            ),
            (
                0o755,
                "#!/usr\n",
                Some("names the interpreter `/usr`, which can't be run here"),
            ),
            (0o755, "#!\n", Some("names no interpreter after `#!`")),
        ] {
            assert_eq!(fault(mode, text).as_deref(), expected, "{mode:o} {text:?}");
        }
        assert_eq!(look(root.path()), Err(Fault::NotRegular));
        assert_eq!(look(&root.path().join("none")), Err(Fault::Missing));
    }

    #[test]
    fn a_file_is_known_by_its_first_bytes() {
        assert_eq!(format(b"#!/bin/sh\n"), Format::Script);
        assert_eq!(format(b"\x7fELF\x02"), Format::Program);
        assert_eq!(format(b"echo\n"), Format::Unmarked);
        assert_eq!(format(b""), Format::Unmarked);
    }
}
