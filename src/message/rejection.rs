//! Why bytes were not let in, or a message could not be sent.
//!
//! None of these owns memory: making one costs nothing, however often a stranger provokes it.

use std::fmt;

use super::MAX_WIRE;
use super::compression::Inflation;

/// Why a message was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// It begins like neither form.
    NotAMessage,
    /// Longer than [`MAX_WIRE`].
    TooLarge,
    /// It begins like a message and is none.
    Malformed(Malformed),
    /// It carries no signature.
    NoSignature,
    /// It names a key that is not in `authkeys`.
    UnknownKey(u8),
    /// Signed with `crc`, while our own `auth` line names a real key.
    WeakKey,
    /// The signature does not fit.
    WrongSignature,
    /// Authentic, but what it carries could not be inflated.
    Inflate(Inflation),
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAMessage => f.write_str("not a heartbeat message"),
            Self::TooLarge => write!(f, "longer than {MAX_WIRE} bytes"),
            Self::Malformed(what) => write!(f, "malformed: {what}"),
            Self::NoSignature => f.write_str("not signed"),
            Self::UnknownKey(index) => {
                write!(f, "signed with key {index}, which is not in authkeys")
            }
            Self::WeakKey => f.write_str("signed with crc, which is no protection"),
            Self::WrongSignature => f.write_str("wrong signature"),
            Self::Inflate(what) => what.fmt(f),
        }
    }
}

impl From<Malformed> for Rejection {
    fn from(what: Malformed) -> Self {
        Self::Malformed(what)
    }
}

/// What is wrong with bytes that should have been a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A length is missing, too long or points outside.
    Length,
    /// The end marker is missing or damaged.
    EndMarker,
    /// A type that does not exist or is not allowed there.
    Kind,
    /// An empty name, one without `=`, or one that could be mistaken for something else.
    Name,
    /// A NUL inside text.
    Nul,
    /// A binary value that is not base64.
    Base64,
    /// A list that is empty or has a bad item.
    List,
    /// A struct that is not a message.
    Struct,
    /// Structs nested deeper than sixteen levels.
    TooDeep,
    /// A signature that is not an index and a token.
    Signature,
    /// Looks like a short heartbeat and is none.
    Short,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "bad length",
            Self::EndMarker => "no end marker",
            Self::Kind => "bad field type",
            Self::Name => "bad field name",
            Self::Nul => "NUL in text",
            Self::Base64 => "bad base64",
            Self::List => "bad list",
            Self::Struct => "bad nested message",
            Self::TooDeep => "nested too deep",
            Self::Signature => "bad signature text",
            Self::Short => "bad short heartbeat",
        })
    }
}

/// Why a message could not be sealed. The buffers are empty then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsealed {
    /// `authkeys` has no entry with this index.
    UnknownKey(u8),
    /// One of its forms would be longer than [`MAX_WIRE`].
    TooLarge,
}

impl fmt::Display for Unsealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey(index) => write!(f, "there is no key {index} in authkeys"),
            Self::TooLarge => write!(f, "a message would be longer than {MAX_WIRE} bytes"),
        }
    }
}
