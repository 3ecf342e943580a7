//! [`Copies`]: one message that goes out several times, each time with other fields at its end.
//!
//! A heartbeat names the link that it goes by. All but that is the same on every link, and is written and digested once,
//! however many links there are.

use super::authentication::{Gathering, Keys, Signer};
use super::fields::Message;
use super::form::Form;
use super::rejection::Unsealed;
use super::sealing::{self, AUTH, Signature, over_lines};
use super::{MAX_WIRE, Sink as _, classic, netstring};

/// What the copies of a message have in common.
pub struct Copies<'a> {
    message: &'a Message,
    key: u8,
    /// That has digested nothing yet.
    fresh: Signer,
    /// The beginning of a netstring, all fields of the message in it, and its digest.
    beginning: &'a [u8],
    outer: Signer,
    /// The digest of the lines that an inner signature covers; where a netstring has none it is made when it is needed.
    inner: Option<Signer>,
}

impl<'a> Copies<'a> {
    /// Of a message, to be signed by entry `key`; with `inner_auth` as with [`seal`](super::seal). The message has no field
    /// `auth`. `written` is what [`Message::write_nested`] made of it.
    pub fn of(
        message: &'a Message,
        keys: &'a Keys,
        key: u8,
        inner_auth: bool,
        written: &'a [u8],
    ) -> Result<Self, Unsealed> {
        let fresh = Signer::new(keys.entry(key).ok_or(Unsealed::UnknownKey(key))?);
        debug_assert!(message.fields().all(|field| field.name != AUTH));
        let beginning = written.strip_suffix(netstring::END).unwrap_or(written);
        let mut outer = fresh.clone();
        outer.put(beginning);
        let has_inner = inner_auth && !sealing::has_struct(message);
        Ok(Self {
            message,
            key,
            inner: has_inner.then(|| over_lines(message, fresh.clone())),
            fresh,
            beginning,
            outer,
        })
    }

    /// Writes one copy into `out`, with the fields of `last`, which are no structs, at its end. On an error `out` is empty.
    pub fn seal(&self, form: Form, last: &Message, out: &mut Vec<u8>) -> Result<(), Unsealed> {
        out.clear();
        match form {
            Form::Netstring => self.write_netstring(last, out),
            Form::Classic => self.write_text(last, out),
        }
        if out.len() > MAX_WIRE {
            out.clear();
            return Err(Unsealed::TooLarge);
        }
        Ok(())
    }

    fn write_netstring(&self, last: &Message, out: &mut Vec<u8>) {
        out.put(self.beginning);
        for field in last.fields() {
            netstring::put_field(field, out);
        }
        if let Some(inner) = &self.inner {
            let signature = self.inner_signature(inner.clone(), last);
            netstring::put_field(signature.field(), out);
        }
        out.put(netstring::END);
        let mut signer = self.outer.clone();
        signer.put(out.get(self.beginning.len()..).unwrap_or_default());
        sealing::put_trailer(self.key, signer, out);
    }

    fn write_text(&self, last: &Message, out: &mut Vec<u8>) {
        let inner = self.inner.clone();
        let inner = inner.unwrap_or_else(|| over_lines(self.message, self.fresh.clone()));
        let signature = self.inner_signature(inner, last);
        out.put(classic::START);
        let fields = self.message.fields().chain(last.fields());
        for field in fields.chain([signature.field()]) {
            classic::put_field(field, out);
        }
        out.put(classic::END);
    }

    fn inner_signature(&self, signer: Signer, last: &Message) -> Signature {
        let mut lines = Gathering::of(signer);
        for field in last.fields() {
            classic::put_field(field, &mut lines);
        }
        let mut signature = Signature::default();
        signature.set(self.key, lines.into_signer());
        signature
    }
}

#[cfg(test)]
mod tests {
    use super::super::sealing::tests::{heartbeat, keys};
    use super::super::{parse_nested, seal_as};
    use super::*;

    #[test]
    fn a_copy_is_what_the_whole_message_would_be() {
        let mut nested = heartbeat();
        nested.push_struct("s", &heartbeat()).expect("it fits");
        for message in [Message::new(), heartbeat(), nested] {
            for (key, inner_auth) in [(0, true), (1, false), (2, true), (15, true), (15, false)] {
                let keys = keys(key);
                let mut written = b"old".to_vec();
                message.write_nested(&mut written);
                let copies = Copies::of(&message, &keys, key, inner_auth, &written)
                    .expect("the key is there");
                for (form, via) in [
                    (Form::Netstring, "0"),
                    (Form::Classic, "1"),
                    (Form::Netstring, "fe"),
                    (Form::Classic, ""),
                ] {
                    let (mut whole, mut last) = (message.clone(), Message::new());
                    whole.push_text("via", via);
                    last.push_text("via", via);
                    let (mut copy, mut expected) = (b"old".to_vec(), Vec::new());
                    copies.seal(form, &last, &mut copy).expect("it fits");
                    seal_as(form, &whole, &keys, key, inner_auth, &mut expected).expect("it fits");
                    assert_eq!(copy, expected, "{message:?} {key} {inner_auth} {form:?}");
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let mut nested = heartbeat();
        nested.push_struct("s", &heartbeat()).expect("it fits");
        nested.push_list("l", ["one", "two"]).expect("it fits");
        for message in [Message::new(), heartbeat(), nested] {
            let (mut written, mut read) = (b"old".to_vec(), heartbeat());
            message.write_nested(&mut written);
            parse_nested(&written, &mut read).expect("our own words");
            assert_eq!(read, message);
        }
    }

    #[test]
    fn what_cannot_be_sealed_leaves_the_buffer_empty() {
        let mut written = Vec::new();
        heartbeat().write_nested(&mut written);
        let unknown = Copies::of(&heartbeat(), &keys(2), 9, true, &written).err();
        assert_eq!(unknown, Some(Unsealed::UnknownKey(9)));
        let mut huge = Message::new();
        huge.push_text("b", &"x".repeat(MAX_WIRE));
        let keys = keys(2);
        huge.write_nested(&mut written);
        let copies = Copies::of(&huge, &keys, 2, true, &written).expect("the key is there");
        for form in [Form::Netstring, Form::Classic] {
            let mut out = b"old".to_vec();
            assert_eq!(
                copies.seal(form, &Message::new(), &mut out),
                Err(Unsealed::TooLarge)
            );
            assert!(out.is_empty());
        }
    }
}
