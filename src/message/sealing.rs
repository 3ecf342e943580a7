//! Whole messages with their signatures: [`open`] what came in, [`seal`] what goes out.

use std::fmt;

use super::authentication::{Key, Keys, Signer, split_signature};
use super::compression::{Inflation, inflate};
use super::fields::{Field, FieldKind, Malformed, Message};
use super::{MAX_WIRE, Sink as _, classic, netstring};

/// The form in which a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Text, one field per line.
    Classic,
    /// Length-prefixed fields.
    Netstring,
}

/// What there is to know about a message that was let in, besides its fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// The form in which it came.
    pub form: Form,
    /// Index of the key that signed it.
    pub key: u8,
    /// Whether it came compressed.
    pub compressed: bool,
}

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

/// The field that carries the inner signature.
const AUTH: &[u8] = b"auth";

/// Verifies and parses a message in either form into `message`, whose memory is reused and which is
/// empty after a rejection.
///
/// The signature of a netstring is checked over its raw bytes before any field is looked at. Classic
/// text has its signature in a field and covers the fields as they would be written again, so it is
/// parsed first.
pub fn open(bytes: &[u8], keys: &Keys, message: &mut Message) -> Result<Opened, Rejection> {
    message.clear();
    let result = open_into(bytes, keys, message);
    if result.is_err() {
        message.clear();
    }
    result
}

fn open_into(bytes: &[u8], keys: &Keys, message: &mut Message) -> Result<Opened, Rejection> {
    if bytes.len() > MAX_WIRE {
        return Err(Rejection::TooLarge);
    }
    let (form, key) = if bytes.starts_with(netstring::START) {
        let (covered, trailer) = netstring::split_covered(bytes)?;
        let key = verify_trailer(covered, trailer, keys)?;
        netstring::read(covered, message)?;
        (Form::Netstring, key)
    } else if bytes.starts_with(classic::START) {
        classic::read(bytes, message)?;
        (Form::Classic, verify_inner(message, keys)?)
    } else {
        return Err(Rejection::NotAMessage);
    };
    let compressed = inflate_payload(message)?;
    Ok(Opened {
        form,
        key,
        compressed,
    })
}

fn verify_trailer(covered: &[u8], trailer: &[u8], keys: &Keys) -> Result<u8, Rejection> {
    if trailer.is_empty() {
        return Err(Rejection::NoSignature);
    }
    let (signature, _) = netstring::take(trailer).ok_or(Malformed::Signature)?;
    let (index, token) = split_signature(signature).ok_or(Malformed::Signature)?;
    let mut signer = Signer::new(trusted(keys, index)?);
    signer.put(covered);
    if signer.accepts(token) {
        Ok(index)
    } else {
        Err(Rejection::WrongSignature)
    }
}

fn verify_inner(message: &Message, keys: &Keys) -> Result<u8, Rejection> {
    let auth = message.fields().filter(|field| field.name == AUTH).last();
    let signature = match auth {
        Some(Field {
            kind: FieldKind::Text,
            value,
            ..
        }) => value,
        Some(_) => return Err(Malformed::Signature.into()),
        None => return Err(Rejection::NoSignature),
    };
    let (index, token) = split_signature(signature).ok_or(Malformed::Signature)?;
    let signer = inner_signer(message, trusted(keys, index)?);
    if signer.accepts(token) {
        Ok(index)
    } else {
        Err(Rejection::WrongSignature)
    }
}

fn trusted(keys: &Keys, index: u8) -> Result<&Key, Rejection> {
    let key = keys.entry(index).ok_or(Rejection::UnknownKey(index))?;
    if keys.trusts(key) {
        Ok(key)
    } else {
        Err(Rejection::WeakKey)
    }
}

/// The digest of all that an inner signature covers: every line but those of the signature itself.
fn inner_signer(message: &Message, key: &Key) -> Signer {
    let mut signer = Signer::new(key);
    for field in message.fields().filter(|field| field.name != AUTH) {
        classic::put_field(field, &mut signer);
    }
    signer
}

/// Replaces a message that carries a compressed one by what it carries. That has no signature of its
/// own that counts: the one outside covers it.
fn inflate_payload(message: &mut Message) -> Result<bool, Rejection> {
    let mut inflated = std::mem::take(&mut message.inflated);
    let result = match message.binary("_compressed_payload") {
        None => Ok(false),
        Some(payload) => inflate(
            payload,
            message.text("_compression_algorithm"),
            &mut inflated,
        )
        .map_err(Rejection::Inflate)
        .and_then(|()| {
            message.clear();
            if inflated.starts_with(netstring::START) {
                netstring::read(&inflated, message)?;
            } else {
                classic::read(&inflated, message)?;
            }
            Ok(true)
        }),
    };
    message.inflated = inflated;
    result
}

/// Signs `message` with entry `key` and writes both forms into the given buffers: a netstring with
/// trailer for datagrams, classic text for serial lines.
///
/// With `inner_auth` the netstring carries the inner signature too, unless there is a struct in the
/// message, as 3.0.6 does it. A field `auth` that the message already has only tells the place of the
/// inner signature.
pub fn seal(
    message: &Message,
    keys: &Keys,
    key: u8,
    inner_auth: bool,
    datagram: &mut Vec<u8>,
    text: &mut Vec<u8>,
) -> Result<(), Unsealed> {
    datagram.clear();
    text.clear();
    let entry = keys.entry(key).ok_or(Unsealed::UnknownKey(key))?;
    let mut signature = Signature::default();
    signature.set(key, inner_signer(message, entry));
    let auth = Field {
        kind: FieldKind::Text,
        name: AUTH,
        value: signature.as_bytes(),
    };

    text.put(classic::START);
    for_each_signed(message, auth, |field| classic::put_field(field, text));
    text.put(classic::END);

    let has_struct = message
        .fields()
        .any(|field| matches!(field.kind, FieldKind::Struct | FieldKind::Compressed));
    datagram.put(netstring::START);
    if inner_auth && !has_struct {
        for_each_signed(message, auth, |field| netstring::put_field(field, datagram));
    } else {
        for field in message.fields().filter(|field| field.name != AUTH) {
            netstring::put_field(field, datagram);
        }
    }
    datagram.put(netstring::END);
    let mut signer = Signer::new(entry);
    signer.put(datagram);
    signature.set(key, signer);
    let trailer = datagram.len();
    datagram.put(signature.as_bytes());
    netstring::close_item(datagram, trailer);

    if datagram.len() > MAX_WIRE || text.len() > MAX_WIRE {
        datagram.clear();
        text.clear();
        return Err(Unsealed::TooLarge);
    }
    Ok(())
}

/// Visits the fields with `auth` at the place of the first field of that name, else at the end.
fn for_each_signed<'a>(message: &'a Message, auth: Field<'a>, mut visit: impl FnMut(Field<'a>)) {
    let mut signed = false;
    for field in message.fields() {
        if field.name != AUTH {
            visit(field);
        } else if !signed {
            visit(auth);
            signed = true;
        }
    }
    if !signed {
        visit(auth);
    }
}

/// An index, a space and a token as text, without allocation.
struct Signature {
    text: [u8; 68],
    length: usize,
}

impl Default for Signature {
    fn default() -> Self {
        Self {
            text: [0; 68],
            length: 0,
        }
    }
}

impl Signature {
    fn set(&mut self, index: u8, signer: Signer) {
        self.length = 0;
        if index >= 10 {
            self.add(&[b'0' + index / 10]);
        }
        self.add(&[b'0' + index % 10, b' ']);
        self.add(signer.token().as_bytes());
    }

    fn add(&mut self, bytes: &[u8]) {
        let end = self.length + bytes.len();
        if let Some(place) = self.text.get_mut(self.length..end) {
            place.copy_from_slice(bytes);
            self.length = end;
        }
    }

    fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }
}
