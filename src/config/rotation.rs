//! A second key in `authkeys`, and what is to be done with its lines afterwards.

use std::fmt;
use std::path::Path;

use super::authkeys::{self, Entries};
use super::diagnostic::Diagnostics;
use super::source::Source;
use crate::message::Method;

/// The numbers that a key may have.
const NUMBERS: std::ops::RangeInclusive<u8> = 0..=15;

/// An `authkeys` with a key more, which does not sign yet. Lines are counted from 1, in the new text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotation {
    /// The whole file.
    pub text: Vec<u8>,
    /// The key that signs.
    pub old: u8,
    /// The key that was added.
    pub new: u8,
    /// Its method.
    pub method: Method,
    /// Where the `auth` line is.
    pub auth_line: usize,
    /// Where all other keys are.
    pub old_lines: Vec<usize>,
}

/// Why no key can be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationError {
    /// The file is wrong as it is.
    Mistakes(Diagnostics),
    /// It has several `auth` lines, at these lines.
    SeveralAuthLines(Vec<usize>),
    /// All sixteen numbers are used.
    Full,
}

/// Adds a key with this text, of this method or of one that fits to the key which signs: what heartbeat 3.0.6 may be
/// reading too gets none that it does not know. Nothing else of the file is changed.
///
/// # Errors
/// When the file is wrong, or has no room.
pub fn rotate(
    path: &Path,
    source: &Source,
    method: Option<Method>,
    key: &str,
) -> Result<Rotation, RotationError> {
    let mut out = Diagnostics::default();
    let Some(entries) = authkeys::entries(path, source, &mut out) else {
        return Err(RotationError::Mistakes(out));
    };
    let Entries {
        keys,
        auth_lines,
        key_lines,
    } = entries;
    let &[auth_line] = auth_lines.as_slice() else {
        return Err(RotationError::SeveralAuthLines(auth_lines));
    };
    let old = keys.signing;
    let is_free = |number: &u8| keys.entry(*number).is_none();
    let after = NUMBERS.filter(|number| *number > old).find(is_free);
    let new = after.or_else(|| NUMBERS.filter(|number| *number > 0).find(is_free));
    let new = new.or_else(|| Some(0).filter(is_free));
    let new = new.ok_or(RotationError::Full)?;
    let method = method.unwrap_or(match keys.entry(old).map(|key| key.method) {
        Some(Method::Sha256) => Method::Sha256,
        _ => Method::Sha1,
    });
    let mut text = source.text.clone();
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text.extend_from_slice(format!("{new} {} {key}\n", method.name()).as_bytes());
    Ok(Rotation {
        text,
        old,
        new,
        method,
        auth_line,
        old_lines: key_lines,
    })
}

impl fmt::Display for RotationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mistakes(diagnostics) => diagnostics.fmt(f),
            Self::SeveralAuthLines(lines) => {
                let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
                write!(
                    f,
                    "it has `auth` in the lines {}: remove all but the one that counts, which `heartbeat check` shows",
                    lines.join(", ")
                )
            }
            Self::Full => f.write_str(
                "all numbers from 0 to 15 are used: remove a line with a key that no node signs with",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn rotated(text: &str, method: Option<Method>) -> Result<Rotation, RotationError> {
        let source = Source {
            text: text.as_bytes().to_vec(),
            mode: 0o600,
        };
        rotate(Path::new("authkeys"), &source, method, KEY)
    }

    #[test]
    fn a_key_is_added_behind_what_is_there_and_does_not_sign() {
        for (text, method, added, lines) in [
            ("auth 1\n1 sha1 x\n", None, "2 sha1", (1, vec![2])),
            ("# ours\nauth1\n1md5 x", None, "2 sha1", (2, vec![3])),
            ("auth 3\n3 sha256 x\n", None, "4 sha256", (1, vec![2])),
            (
                "auth 3\n3 sha1 x\n",
                Some(Method::Sha256),
                "4 sha256",
                (1, vec![2]),
            ),
            (
                "auth 2\n1 crc\n\n2 sha1 x\n3 md5 y\n",
                None,
                "4 sha1",
                (1, vec![2, 4, 5]),
            ),
            ("auth 15\n15 sha1 x\n", None, "1 sha1", (1, vec![2])),
            // The key of that number which counts is the later one; both lines are to go.
            (
                "auth 1\n1 sha1 x\n1 sha1 y\n",
                None,
                "2 sha1",
                (1, vec![2, 3]),
            ),
        ] {
            let found = rotated(text, method).expect("rotated");
            let expected = format!("{}\n{added} {KEY}\n", text.trim_end());
            assert_eq!(String::from_utf8_lossy(&found.text), expected);
            assert_eq!((found.auth_line, found.old_lines), lines, "{text}");
            let source = Source {
                text: found.text,
                mode: 0o600,
            };
            let mut out = Diagnostics::default();
            let keys = authkeys::parse(Path::new("authkeys"), &source, &mut out).expect("valid");
            assert_eq!(keys.signing, found.old);
            assert!(keys.entry(found.new).is_some(), "{text}");
        }
    }

    #[test]
    fn what_can_not_be_rotated_is_told_with_the_reason() {
        let full: Vec<String> = (0..16).map(|n| format!("{n} sha1 x\n")).collect();
        for (text, expected) in [
            ("auth 1\n", "there is no key 1"),
            ("auth 1\nauth 2\n1 sha1 x\n2 sha1 y\n", "in the lines 1, 2:"),
            (
                &format!("auth 1\n{}", full.concat()),
                "all numbers from 0 to 15",
            ),
        ] {
            let error = rotated(text, None).expect_err("refused").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
