//! One message as it came: what it says, and whether to believe it.
//!
//! Unlike the daemon, this shows what an unauthentic message says. Nobody acts on it.

use std::fmt;

use super::escape::printable;
use crate::cluster::claims::hex;
use crate::message::{
    self, Field, FieldKind, Form, Keys, Message, Method, Rejection, claimed_key, inflate,
    parse_nested,
};

/// The field by which a short heartbeat is known, once it is taken apart.
pub const SINCE: &str = "since";
/// The longest name that is shown (99 bytes count in heartbeat 3.0.6).
const LONGEST_NAME: usize = 99;

/// Whether a message is authentic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authenticity {
    /// Signed with one of our keys.
    Authentic {
        /// Its index.
        key: u8,
        /// Its method.
        method: Method,
        /// The key that this node signs with.
        ours: u8,
    },
    /// There are no keys to check it with.
    NotChecked {
        /// The key that it names.
        key: Option<u8>,
    },
    /// It would be refused.
    NotAuthentic {
        /// Why.
        reason: Rejection,
        /// The key that it names.
        key: Option<u8>,
    },
}

impl Authenticity {
    /// Whether what it says may change what we think of a node.
    pub fn is_credible(self) -> bool {
        !matches!(self, Self::NotAuthentic { .. })
    }

    /// The key that it names.
    pub fn key(self) -> Option<u8> {
        match self {
            Self::Authentic { key, .. } => Some(key),
            Self::NotChecked { key } | Self::NotAuthentic { key, .. } => key,
        }
    }
}

impl fmt::Display for Authenticity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Authentic { key, method, ours } => {
                write!(f, "authentic (key {key} {}", method.name())?;
                if method == Method::Crc {
                    f.write_str(", no protection")?;
                }
                if key != ours {
                    write!(f, "; ours signs with {ours}")?;
                }
                f.write_str(")")
            }
            Self::NotChecked { key: Some(key) } => write!(f, "not checked (key {key})"),
            Self::NotChecked { key: None } => f.write_str("not checked, not signed"),
            Self::NotAuthentic { reason, key } => {
                let is_no_message = matches!(
                    reason,
                    Rejection::NotAMessage | Rejection::TooLarge | Rejection::Malformed(_)
                );
                let verdict = if is_no_message {
                    "REFUSED"
                } else {
                    "NOT AUTHENTIC"
                };
                write!(f, "{verdict}: {reason}")?;
                match key {
                    Some(key) if reason != Rejection::UnknownKey(key) => write!(f, " (key {key})"),
                    _ => Ok(()),
                }
            }
        }
    }
}

/// What there is to know of a message besides its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decoded {
    /// In which form it came, if it begins like one.
    pub form: Option<Form>,
    /// It came compressed.
    pub is_compressed: bool,
    /// Whether to believe it.
    pub authenticity: Authenticity,
}

/// Takes a message apart into `message`, which stays empty where that can't be done.
pub fn decode(bytes: &[u8], keys: Option<&Keys>, message: &mut Message) -> Decoded {
    let form = match bytes.get(..4) {
        Some(b"###\n") => Some(Form::Netstring),
        Some(b">>>\n") => Some(Form::Classic),
        _ => None,
    };
    let mut reason = Rejection::NotAMessage;
    if let Some(keys) = keys {
        match message::open(bytes, keys, message) {
            Ok(opened) => {
                let method = keys.entry(opened.key).map_or(Method::Crc, |key| key.method);
                return Decoded {
                    form: Some(opened.form),
                    is_compressed: opened.compressed,
                    authenticity: Authenticity::Authentic {
                        key: opened.key,
                        method,
                        ours: keys.signing,
                    },
                };
            }
            Err(found) => reason = found,
        }
    }
    message.clear();
    let mut is_compressed = false;
    let mut key = None;
    if form.is_some() && bytes.len() <= message::MAX_WIRE {
        let parsed = parse_nested(bytes, message);
        key = claimed_key(bytes, message);
        let unwrapped = parsed
            .map_err(Rejection::from)
            .and_then(|()| unwrap(message));
        match unwrapped {
            Ok(found) => is_compressed = found,
            Err(found) if keys.is_none() => reason = found,
            Err(_) => {}
        }
    }
    let authenticity = if keys.is_none() && !message.is_empty() {
        Authenticity::NotChecked { key }
    } else {
        Authenticity::NotAuthentic { reason, key }
    };
    Decoded {
        form,
        is_compressed,
        authenticity,
    }
}

/// Replaces a message that carries a compressed one by what it carries.
fn unwrap(message: &mut Message) -> Result<bool, Rejection> {
    let Some(payload) = message.binary("_compressed_payload") else {
        return Ok(false);
    };
    let mut inflated = Vec::new();
    inflate(
        payload,
        message.text("_compression_algorithm"),
        &mut inflated,
    )
    .map_err(Rejection::Inflate)?;
    parse_nested(&inflated, message)?;
    Ok(true)
}

/// What every message says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Its type, fit to be shown.
    pub kind: String,
    /// The name of its sender, fit to be shown.
    pub source: String,
    /// The sender's uuid.
    pub uuid: Option<[u8; 16]>,
    /// The run of the sender.
    pub generation: Option<u64>,
    /// Its number in that run; none for types that begin with `NS_`, whatever they say.
    pub number: Option<u64>,
    /// Whom it is for, fit to be shown.
    pub destination: Option<String>,
    /// Why a receiver would refuse it although it is signed well.
    pub flaw: Option<&'static str>,
}

/// Reads the header of a message.
pub fn header(message: &Message) -> Header {
    let shown = |name| text(message, name).map(|value| printable(value, LONGEST_NAME));
    let number =
        |name: &str| text(message, name).map(|value| std::str::from_utf8(value).ok().and_then(hex));
    let kind = shown("t");
    let is_numbered = kind.as_ref().is_none_or(|kind| !kind.starts_with("NS_"));
    let flaw = match (&kind, text(message, "src"), number("ts"), number("seq")) {
        (None, ..) => Some("no type"),
        (_, None, ..) => Some("no sender"),
        (_, _, None, _) => Some("no time (ts)"),
        (_, _, Some(None | Some(0)), _) => Some("no valid time (ts)"),
        (_, _, _, Some(None | Some(0))) => Some("no valid number (seq)"),
        (_, _, _, None) if is_numbered => Some("no number (seq)"),
        _ if is_numbered && number("hg").flatten().is_none() => Some("no generation (hg)"),
        _ => None,
    };
    Header {
        kind: kind.unwrap_or_default(),
        source: shown("src").unwrap_or_default(),
        uuid: message
            .binary("srcuuid")
            .and_then(|uuid| uuid.try_into().ok()),
        generation: number("hg").flatten(),
        number: number("seq").flatten().filter(|_| is_numbered),
        destination: shown("dest"),
        flaw,
    }
}

/// The first text field of that name, UTF-8 or not.
pub fn text<'a>(message: &'a Message, name: &str) -> Option<&'a [u8]> {
    let is_it = |field: &Field<'_>| field.name == name.as_bytes();
    let field = message.fields().find(is_it)?;
    (field.kind == FieldKind::Text).then_some(field.value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Key, Malformed, seal};

    fn keys(text: &str) -> Keys {
        let mut keys = Keys {
            entries: Default::default(),
            signing: 1,
        };
        keys.entries[1] = Some(Key {
            method: Method::Sha1,
            text: text.into(),
        });
        keys
    }

    fn signed() -> [Vec<u8>; 2] {
        let mut message = Message::new();
        for (name, value) in [
            ("t", "status"),
            ("src", "al\x1bpha"),
            ("ts", "1"),
            ("seq", "a"),
            ("hg", "2"),
        ] {
            message.push_text(name, value);
        }
        let (mut datagram, mut text) = (Vec::new(), Vec::new());
        seal(&message, &keys("right"), 1, true, &mut datagram, &mut text).expect("sealed");
        [datagram, text]
    }

    #[test]
    fn what_cannot_be_believed_is_still_shown() {
        for bytes in signed() {
            let mut message = Message::new();
            for (keys, said) in [
                (Some(keys("right")), "authentic (key 1 sha1)"),
                (
                    Some(keys("wrong")),
                    "NOT AUTHENTIC: wrong signature (key 1)",
                ),
                (None, "not checked (key 1)"),
            ] {
                let decoded = decode(&bytes, keys.as_ref(), &mut message);
                assert_eq!(decoded.authenticity.to_string(), said);
                let header = header(&message);
                assert_eq!(
                    (header.kind.as_str(), header.source.as_str()),
                    ("status", "al\\x1bpha")
                );
                assert_eq!((header.generation, header.number), (Some(2), Some(10)));
                assert_eq!(header.flaw, None);
            }
        }
    }

    #[test]
    fn what_is_no_message_is_refused_with_the_reason() {
        let mut message = Message::new();
        for (bytes, reason) in [
            (b"hello".as_slice(), Rejection::NotAMessage),
            (b"###\n9:x", Malformed::Length.into()),
            (b">>>\na=1\n", Malformed::EndMarker.into()),
        ] {
            let decoded = decode(bytes, None, &mut message);
            let refused = Authenticity::NotAuthentic { reason, key: None };
            assert_eq!(decoded.authenticity, refused);
            assert!(message.is_empty());
        }
    }

    #[test]
    fn the_flaws_are_those_for_which_a_receiver_refuses() {
        let whole = [
            ("t", "x"),
            ("src", "a"),
            ("ts", "1"),
            ("seq", "1"),
            ("hg", "1"),
        ];
        let flaw = |fields: &[(&str, &str)]| {
            let mut message = Message::new();
            for (name, value) in fields {
                message.push_text(name, value);
            }
            header(&message).flaw
        };
        assert_eq!(flaw(&whole), None);
        for missing in 0..whole.len() {
            let mut fields = whole.to_vec();
            fields.remove(missing);
            assert!(flaw(&fields).is_some(), "{missing}");
        }
        let mut zero = whole;
        zero[2].1 = "0";
        assert_eq!(flaw(&zero), Some("no valid time (ts)"));
        assert_eq!(flaw(&[("t", "NS_x"), ("src", "a"), ("ts", "1")]), None);
    }
}
