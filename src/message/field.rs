//! [`Field`]: a name and a typed value, as they stand in a message.
//!
//! Whatever form a message came in, its values are kept in one canonical form: a struct as the
//! netstring form of the nested message, a list as packed netstrings, everything else as plain bytes.

use super::rejection::Malformed;

/// The type of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Bytes without NUL, nearly always ASCII text.
    Text,
    /// Any bytes.
    Binary,
    /// A nested message.
    Struct,
    /// One or more non-empty texts.
    List,
    /// A nested message, compressed.
    Compressed,
}

impl FieldKind {
    /// The digit that stands for this type on a wire.
    pub fn digit(self) -> u8 {
        match self {
            Self::Text => b'0',
            Self::Binary => b'1',
            Self::Struct => b'2',
            Self::List => b'3',
            Self::Compressed => b'4',
        }
    }
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The type of the value.
    pub kind: FieldKind,
    /// The name: no `=`, newline or NUL in it, and nothing at its start that means something else.
    pub name: &'a [u8],
    /// The value: plain bytes; a struct in netstring form, a list as packed netstrings.
    pub value: &'a [u8],
}

/// Splits `NAME=VALUE`, the value still as it was sent.
pub(super) fn split_name(text: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let equals = text
        .iter()
        .position(|&byte| byte == b'=')
        .ok_or(Malformed::Name)?;
    let (name, value) = text.split_at_checked(equals).ok_or(Malformed::Name)?;
    check_name(name)?;
    Ok((name, value.get(1..).unwrap_or_default()))
}

/// A name that both forms can carry. The classic form tells types, lines and the end of a message by
/// how a line begins.
pub(super) fn check_name(name: &[u8]) -> Result<(), Malformed> {
    let bad = name.is_empty()
        || name.starts_with(b"(")
        || name.starts_with(b"<<<")
        || name.iter().any(|byte| matches!(byte, b'=' | b'\n' | 0));
    if bad { Err(Malformed::Name) } else { Ok(()) }
}
