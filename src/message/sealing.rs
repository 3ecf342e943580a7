//! [`seal`]: what goes out, signed, in both forms.

use super::authentication::{Gathering, Keys, Signer};
use super::field::{Field, FieldKind};
use super::fields::Message;
use super::form::Form;
use super::rejection::Unsealed;
use super::{MAX_WIRE, Sink as _, classic, netstring};

/// The field that carries the inner signature.
pub(super) const AUTH: &[u8] = b"auth";

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
    let signer = Signer::new(keys.entry(key).ok_or(Unsealed::UnknownKey(key))?);
    let mut signature = Signature::default();
    signature.set(key, over_lines(message, signer.clone()));
    write_text(message, &signature, text);
    let inner = (inner_auth && !has_struct(message)).then_some(&signature);
    write_datagram(message, (key, signer), inner, datagram);
    if datagram.len() > MAX_WIRE || text.len() > MAX_WIRE {
        datagram.clear();
        text.clear();
        return Err(Unsealed::TooLarge);
    }
    Ok(())
}

/// Like [`seal`], but writes one form alone.
pub fn seal_as(
    form: Form,
    message: &Message,
    keys: &Keys,
    key: u8,
    inner_auth: bool,
    out: &mut Vec<u8>,
) -> Result<(), Unsealed> {
    out.clear();
    let signer = Signer::new(keys.entry(key).ok_or(Unsealed::UnknownKey(key))?);
    let has_inner = form == Form::Classic || (inner_auth && !has_struct(message));
    let inner = has_inner.then(|| {
        let mut signature = Signature::default();
        signature.set(key, over_lines(message, signer.clone()));
        signature
    });
    match (form, &inner) {
        (Form::Classic, Some(signature)) => write_text(message, signature, out),
        (_, inner) => write_datagram(message, (key, signer), inner.as_ref(), out),
    }
    if out.len() > MAX_WIRE {
        out.clear();
        return Err(Unsealed::TooLarge);
    }
    Ok(())
}

pub(super) fn has_struct(message: &Message) -> bool {
    message
        .fields()
        .any(|field| matches!(field.kind, FieldKind::Struct | FieldKind::Compressed))
}

fn write_text(message: &Message, signature: &Signature, text: &mut Vec<u8>) {
    text.put(classic::START);
    for_each_signed(message, signature.field(), |field| {
        classic::put_field(field, text);
    });
    text.put(classic::END);
}

/// `inner` is the signature that becomes a field.
fn write_datagram(
    message: &Message,
    (key, mut signer): (u8, Signer),
    inner: Option<&Signature>,
    datagram: &mut Vec<u8>,
) {
    datagram.put(netstring::START);
    if let Some(inner) = inner {
        for_each_signed(message, inner.field(), |field| {
            netstring::put_field(field, datagram);
        });
    } else {
        for field in message.fields().filter(|field| field.name != AUTH) {
            netstring::put_field(field, datagram);
        }
    }
    datagram.put(netstring::END);
    signer.put(datagram);
    put_trailer(key, signer, datagram);
}

/// Ends a datagram with the signature of all that it has.
pub(super) fn put_trailer(key: u8, signer: Signer, datagram: &mut Vec<u8>) {
    let mut signature = Signature::default();
    signature.set(key, signer);
    let trailer = datagram.len();
    datagram.put(signature.as_bytes());
    netstring::close_item(datagram, trailer);
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
pub(super) struct Signature {
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
    pub(super) fn set(&mut self, index: u8, signer: Signer) {
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

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.text.get(..self.length).unwrap_or_default()
    }

    pub(super) fn field(&self) -> Field<'_> {
        Field {
            kind: FieldKind::Text,
            name: AUTH,
            value: self.as_bytes(),
        }
    }
}

/// The digest of all that an inner signature covers: every line but those of the signature itself.
pub(super) fn over_lines(message: &Message, signer: Signer) -> Signer {
    let mut lines = Gathering::of(signer);
    for field in message.fields().filter(|field| field.name != AUTH) {
        classic::put_field(field, &mut lines);
    }
    lines.into_signer()
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::authentication::{Key, Method};
    use super::super::opening::open;
    use super::*;

    pub(in super::super) fn keys(signing: u8) -> Keys {
        let key = |method, text: &str| {
            Some(Key {
                method,
                text: text.as_bytes().to_vec(),
            })
        };
        let mut entries: [Option<Key>; 16] = Default::default();
        entries[0] = key(Method::Crc, "");
        entries[1] = key(Method::Md5, "one");
        entries[2] = key(Method::Sha1, "two");
        entries[15] = key(Method::Sha256, "fifteen");
        Keys { entries, signing }
    }

    pub(in super::super) fn heartbeat() -> Message {
        let mut message = Message::new();
        message.push_text("t", "status");
        message.push_text("st", "active");
        message.push_text("src", "alpha");
        message.push_binary("srcuuid", &[7; 16]);
        message.push_fmt("seq", format_args!("{:x}", 17));
        message
    }

    pub(in super::super) fn sealed(
        message: &Message,
        key: u8,
        inner_auth: bool,
    ) -> (Vec<u8>, Vec<u8>) {
        let (mut datagram, mut text) = (b"old".to_vec(), b"old".to_vec());
        seal(
            message,
            &keys(key),
            key,
            inner_auth,
            &mut datagram,
            &mut text,
        )
        .unwrap();
        (datagram, text)
    }

    #[test]
    fn the_inner_signature_takes_the_place_of_an_auth_field_and_spares_structs() {
        let mut message = Message::new();
        message.push_text("auth", "stale");
        message.push_text("t", "status");
        message.push_text("auth", "staler");
        let (datagram, text) = sealed(&message, 2, true);
        assert!(text.starts_with(b">>>\nauth=2 "));
        assert!(datagram.starts_with(b"###\n50:(0)auth=2 "));
        assert!(!String::from_utf8(text).unwrap().contains("stale"));
        let (datagram, _) = sealed(&message, 2, false);
        assert!(datagram.starts_with(b"###\n11:(0)t=status,%%%\n42:2 "));
        message.push_struct("s", &heartbeat()).unwrap();
        let (datagram, text) = sealed(&message, 2, true);
        assert!(datagram.starts_with(b"###\n11:(0)t=status,"));
        assert!(text.starts_with(b">>>\nauth=2 "));
    }

    #[test]
    fn what_cannot_be_sealed_leaves_the_buffers_empty() {
        let (mut datagram, mut text) = (b"old".to_vec(), b"old".to_vec());
        let mut try_seal =
            |message: &Message, key| seal(message, &keys(2), key, true, &mut datagram, &mut text);
        assert_eq!(try_seal(&heartbeat(), 9), Err(Unsealed::UnknownKey(9)));
        assert_eq!(try_seal(&heartbeat(), 200), Err(Unsealed::UnknownKey(200)));
        let mut huge = Message::new();
        huge.push_binary("b", &vec![0; MAX_WIRE / 4 * 3]);
        assert_eq!(try_seal(&huge, 2), Err(Unsealed::TooLarge));
        assert!(datagram.is_empty() && text.is_empty());
    }

    #[test]
    fn a_message_of_exactly_the_most_bytes_is_sent_and_heard_in_either_form() {
        let with = |length: usize| {
            let mut message = Message::new();
            message.push_text("t", &"x".repeat(length));
            message
        };
        let lengths = |length| {
            let (datagram, text) = sealed(&with(length), 2, false);
            (datagram.len(), text.len())
        };
        let (datagram, text) = lengths(200_000);
        let longest = MAX_WIRE - datagram.max(text) + 200_000;
        assert_eq!(lengths(longest).0.max(lengths(longest).1), MAX_WIRE);
        let (mut datagram, mut text) = sealed(&with(longest), 2, false);
        let mut message = Message::new();
        for bytes in [&datagram, &text] {
            assert!(open(bytes, &keys(2), &mut message).is_ok());
        }
        let sealed = seal(
            &with(longest + 1),
            &keys(2),
            2,
            false,
            &mut datagram,
            &mut text,
        );
        assert_eq!(sealed, Err(Unsealed::TooLarge));
    }

    #[test]
    fn one_form_alone_is_what_it_is_beside_the_other() {
        let mut message = Message::new();
        message.push_text("t", "status");
        message.push_binary("srcuuid", &[7; 16]);
        let keys = keys(1);
        for inner_auth in [false, true] {
            let (mut datagram, mut text, mut alone) = (Vec::new(), Vec::new(), Vec::new());
            seal(&message, &keys, 1, inner_auth, &mut datagram, &mut text).expect("sealed");
            for (form, both) in [(Form::Netstring, &datagram), (Form::Classic, &text)] {
                seal_as(form, &message, &keys, 1, inner_auth, &mut alone).expect("sealed");
                assert_eq!(&alone, both, "{form:?}, {inner_auth}");
            }
        }
        let mut out = b"old".to_vec();
        let refused = seal_as(Form::Classic, &message, &keys, 9, true, &mut out);
        assert_eq!(refused, Err(Unsealed::UnknownKey(9)));
        assert!(out.is_empty());
    }
}
