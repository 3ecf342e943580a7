//! [`open`]: what came in, verified and parsed.

use super::authentication::{Key, Keys, Signer, split_signature};
use super::compression::inflate;
use super::field::{Field, FieldKind};
use super::fields::Message;
use super::form::Form;
use super::rejection::{Malformed, Rejection};
use super::sealing::{AUTH, over_lines};
use super::{MAX_WIRE, Sink as _, classic, netstring};

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

/// Verifies and parses a message in either form into `message`, whose memory is reused and which is
/// empty after a rejection.
///
/// The signature of a netstring is checked over its raw bytes before any field is looked at. Classic
/// text has its signature in a field and covers the fields as they would be written again, so it is
/// parsed first. Where it can be read as the rest of a message that was cut off and then a whole one, the
/// reading with a good signature is right.
pub fn open(bytes: &[u8], keys: &Keys, message: &mut Message) -> Result<Opened, Rejection> {
    message.clear();
    let mut result = open_into(bytes, keys, message);
    if let (Err(first), Some(whole)) = (result, classic::after_cut(bytes)) {
        message.clear();
        result = open_into(whole, keys, message).map_err(|_| first);
    }
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
        message.read_netstring(covered)?;
        (Form::Netstring, key)
    } else if bytes.starts_with(classic::START) {
        classic::read(bytes, |line| message.push_line(line))?;
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
    let signer = over_lines(message, Signer::new(trusted(keys, index)?));
    if signer.accepts(token) {
        Ok(index)
    } else {
        Err(Rejection::WrongSignature)
    }
}

pub(super) fn trusted(keys: &Keys, index: u8) -> Result<&Key, Rejection> {
    let key = keys.entry(index).ok_or(Rejection::UnknownKey(index))?;
    if keys.trusts(key) {
        Ok(key)
    } else {
        Err(Rejection::WeakKey)
    }
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
            parse_nested(&inflated, message)?;
            Ok(true)
        }),
    };
    message.inflated = inflated;
    result
}

/// Parses what an opened message holds inside a struct or, once inflated, a compressed field, into
/// `message`, which is empty after an error.
///
/// Signatures are not looked at. Never act on what came from outside by way of this; it is good for showing it.
pub fn parse_nested(bytes: &[u8], message: &mut Message) -> Result<(), Malformed> {
    message.clear();
    let result = if bytes.starts_with(netstring::START) {
        message.read_netstring(bytes)
    } else {
        classic::read(bytes, |line| message.push_line(line))
    };
    if result.is_err() {
        message.clear();
    }
    result
}

/// Index of the key by which a message claims to be signed; `message` is what [`parse_nested`] made of it. Proves
/// nothing.
pub fn claimed_key(bytes: &[u8], message: &Message) -> Option<u8> {
    let is_signature = |field: &Field<'_>| field.name == AUTH && field.kind == FieldKind::Text;
    let signature = if bytes.starts_with(netstring::START) {
        let (_, trailer) = netstring::split_covered(bytes).ok()?;
        netstring::take(trailer)?.0
    } else {
        message.fields().filter(is_signature).last()?.value
    };
    split_signature(signature).map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::super::authentication::Method;
    use super::super::compression::Inflation;
    use super::super::sealing::Signature;
    use super::super::sealing::tests::{heartbeat, keys, sealed};
    use super::*;

    fn without_auth(message: &Message) -> Message {
        let mut rest = Message::new();
        for field in message.fields().filter(|field| field.name != AUTH) {
            rest.push(field).unwrap();
        }
        rest
    }

    /// The bytes that a sender with the right key would send, whatever they mean.
    fn signed(covered: &[u8], key: u8) -> Vec<u8> {
        let keys = keys(key);
        let mut signer = Signer::new(keys.entry(key).unwrap());
        signer.put(covered);
        let mut signature = Signature::default();
        signature.set(key, signer);
        let mut bytes = covered.to_vec();
        let trailer = bytes.len();
        bytes.put(signature.as_bytes());
        netstring::close_item(&mut bytes, trailer);
        bytes
    }

    fn wrapped(payload: &[u8], algorithm: &str) -> Vec<u8> {
        let mut outer = Message::new();
        outer.push_binary("_compressed_payload", payload);
        outer.push_text("_compression_algorithm", algorithm);
        sealed(&outer, 2, false).0
    }

    #[test]
    fn a_sealed_message_opens_in_both_forms_with_every_method() {
        for key in [0, 1, 2, 15] {
            let (datagram, text) = sealed(&heartbeat(), key, true);
            for (bytes, form) in [(datagram, Form::Netstring), (text, Form::Classic)] {
                let mut message = Message::new();
                let opened = open(&bytes, &keys(key), &mut message);
                assert_eq!(
                    opened,
                    Ok(Opened {
                        form,
                        key,
                        compressed: false
                    })
                );
                assert_eq!(without_auth(&message), heartbeat());
                assert_eq!(message.fields().last().unwrap().name, AUTH);
            }
        }
    }

    #[test]
    fn crc_counts_only_while_our_own_auth_line_says_crc() {
        let (datagram, text) = sealed(&heartbeat(), 0, true);
        let mut message = Message::new();
        for bytes in [datagram, text] {
            assert!(open(&bytes, &keys(0), &mut message).is_ok());
            assert_eq!(
                open(&bytes, &keys(2), &mut message),
                Err(Rejection::WeakKey)
            );
            assert!(message.is_empty());
        }
    }

    #[test]
    fn a_rejected_message_leaves_nothing_behind() {
        let (mut datagram, mut text) = sealed(&heartbeat(), 2, true);
        let mut message = heartbeat();
        let mut strangers = keys(2);
        strangers.entries[2] = Some(Key {
            method: Method::Sha1,
            text: b"other".to_vec(),
        });
        for bytes in [&datagram, &text] {
            assert_eq!(
                open(bytes, &strangers, &mut message),
                Err(Rejection::WrongSignature)
            );
            assert!(message.is_empty());
        }
        strangers.entries[2] = None;
        for bytes in [&mut datagram, &mut text] {
            assert_eq!(
                open(bytes, &strangers, &mut message),
                Err(Rejection::UnknownKey(2))
            );
            bytes.resize(MAX_WIRE + 1, 0);
            assert_eq!(
                open(bytes, &keys(2), &mut message),
                Err(Rejection::TooLarge)
            );
        }
        assert_eq!(
            open(b"", &keys(2), &mut message),
            Err(Rejection::NotAMessage)
        );
        assert_eq!(
            open(b">>>a\n", &keys(2), &mut message),
            Err(Rejection::NotAMessage)
        );
        assert_eq!(
            open(b"###\n%%%\n", &keys(2), &mut message),
            Err(Rejection::NoSignature)
        );
        assert_eq!(
            open(b">>>\n<<<\n", &keys(2), &mut message),
            Err(Rejection::NoSignature)
        );
    }

    #[test]
    fn a_message_says_which_key_it_claims_whether_it_is_right_or_not() {
        let (datagram, text) = sealed(&heartbeat(), 2, false);
        for mut bytes in [datagram, text] {
            let mut message = Message::new();
            parse_nested(&bytes, &mut message).unwrap();
            assert_eq!(claimed_key(&bytes, &message), Some(2));
            bytes.truncate(bytes.len() - 40);
            assert_eq!(claimed_key(&bytes, &Message::new()), None);
        }
        assert_eq!(claimed_key(b"###\n%%%\n", &Message::new()), None);
    }

    /// Bad fields inside a netstring are seen only by who has the key.
    #[test]
    fn the_signature_of_a_netstring_is_checked_before_its_fields() {
        let covered = b"###\n6:abcdef,%%%\n";
        let mut message = Message::new();
        let mut bytes = signed(covered, 2);
        assert_eq!(
            open(&bytes, &keys(2), &mut message),
            Err(Malformed::Kind.into())
        );
        bytes[8] ^= 1;
        assert_eq!(
            open(&bytes, &keys(2), &mut message),
            Err(Rejection::WrongSignature)
        );
        assert_eq!(
            open(covered, &keys(2), &mut message),
            Err(Rejection::NoSignature)
        );
        let long = [covered.as_slice(), b"204:2 ", &[b'a'; 202], b","].concat();
        assert_eq!(
            open(&long, &keys(2), &mut message),
            Err(Malformed::Signature.into())
        );
    }

    #[test]
    fn of_several_inner_signatures_the_last_counts() {
        let (_, text) = sealed(&heartbeat(), 2, true);
        let text = String::from_utf8(text).unwrap();
        let mut message = Message::new();
        let first = text.replace(">>>\n", ">>>\nauth=1 00\n");
        assert!(open(first.as_bytes(), &keys(2), &mut message).is_ok());
        let last = text.replace("<<<\n", "auth=1 00\n<<<\n");
        assert_eq!(
            open(last.as_bytes(), &keys(2), &mut message),
            Err(Rejection::WrongSignature)
        );
        let binary = text.replace("<<<\n", "(1)auth=AAAA\n<<<\n");
        let refused = Err(Malformed::Signature.into());
        assert_eq!(open(binary.as_bytes(), &keys(2), &mut message), refused);
    }

    #[test]
    fn a_message_behind_one_that_was_cut_off_is_read() {
        let (_, text) = sealed(&heartbeat(), 2, true);
        let mut message = Message::new();
        for length in super::classic::START.len()..text.len() {
            let cut = &text[..length];
            let joined = [cut, &text].concat();
            assert!(
                open(&joined, &keys(2), &mut message).is_ok(),
                "{}",
                String::from_utf8_lossy(cut)
            );
            assert_eq!(without_auth(&message), heartbeat());
        }
        let damaged = [&text[..20], &text[..text.len() - 6], b"\n<<<\n"].concat();
        assert!(open(&damaged, &keys(2), &mut message).is_err());
        assert!(message.is_empty());
    }

    #[test]
    fn a_field_may_end_like_the_beginning_of_a_message() {
        let mut odd = heartbeat();
        odd.push_text("odd", "a>>>");
        let (_, text) = sealed(&odd, 2, true);
        let mut message = Message::new();
        assert!(open(&text, &keys(2), &mut message).is_ok());
        assert_eq!(without_auth(&message), odd);
    }

    #[test]
    fn what_a_compressed_message_carries_is_parsed_without_a_signature_of_its_own() {
        use std::io::Read as _;
        let zlib = |data: &[u8]| {
            let mut out = Vec::new();
            let mut encoder = flate2::read::ZlibEncoder::new(data, flate2::Compression::default());
            encoder.read_to_end(&mut out).unwrap();
            out
        };
        let mut message = Message::new();
        for inner in [b">>>\na=1\n<<<\n\0".as_slice(), b"###\n6:(0)a=1,%%%\n"] {
            let opened = open(&wrapped(&zlib(inner), "zlib"), &keys(2), &mut message);
            assert_eq!(
                opened,
                Ok(Opened {
                    form: Form::Netstring,
                    key: 2,
                    compressed: true
                })
            );
            assert_eq!(message.fields().count(), 1);
            assert_eq!(message.text("a"), Some("1"));
        }
        let refused = open(&wrapped(&zlib(b"neither"), "zlib"), &keys(2), &mut message);
        assert_eq!(refused, Err(Malformed::Struct.into()));
        let refused = open(&wrapped(b"damaged", "zlib"), &keys(2), &mut message);
        assert_eq!(refused, Err(Rejection::Inflate(Inflation::Damaged)));
        let refused = open(&wrapped(b"", "rot13"), &keys(2), &mut message);
        assert_eq!(
            refused,
            Err(Rejection::Inflate(Inflation::UnknownAlgorithm))
        );
        assert!(message.is_empty());
    }
}
