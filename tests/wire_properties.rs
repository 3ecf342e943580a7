//! What holds for any message and for any bytes.

use heartbeat::message::{
    Field, FieldKind, Key, Keys, Message, Method, TextFrames, open, parse_nested, seal,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

proptest! {
    #[test]
    fn any_message_comes_back_from_both_forms(
        message in message(3),
        key in 0..4_u8,
        inner_auth: bool,
    ) {
        let keys = keys(key);
        let (datagram, text) = sealed(&message, &keys, inner_auth);
        for bytes in [datagram, text] {
            let mut opened = Message::new();
            prop_assert_eq!(open(&bytes, &keys, &mut opened).map(|opened| opened.key), Ok(key));
            prop_assert_eq!(without_auth(&opened), message.clone());
            prop_assert_eq!(sealed(&opened, &keys, inner_auth), sealed(&message, &keys, inner_auth));
        }
    }

    #[test]
    fn any_cut_or_flipped_bit_is_refused(message in message(2), key in 0..4_u8, place: Index, bit in 0..8) {
        let keys = keys(key);
        let (datagram, text) = sealed(&message, &keys, true);
        for mut bytes in [datagram, text] {
            let place = place.index(bytes.len());
            let mut opened = message.clone();
            prop_assert!(open(&bytes[..place], &keys, &mut opened).is_err(), "cut at {}", place);
            prop_assert!(opened.is_empty());
            bytes[place] ^= 1_u8 << bit;
            prop_assert!(open(&bytes, &keys, &mut opened).is_err(), "bit {} of {}", bit, place);
            prop_assert!(opened.is_empty());
        }
    }

    #[test]
    fn any_message_is_refused_with_another_key(message in message(2), key in 0..4_u8) {
        let (datagram, text) = sealed(&message, &keys(key), true);
        let mut others = keys(key);
        for entry in others.entries.iter_mut().flatten() {
            entry.method = Method::Sha1;
            entry.text.push(b'x');
        }
        for bytes in [datagram, text] {
            prop_assert!(open(&bytes, &others, &mut Message::new()).is_err());
        }
    }

    #[test]
    fn no_bytes_do_harm(bytes in bytes_like_messages()) {
        let mut message = Message::new();
        prop_assert!(open(&bytes, &keys(1), &mut message).is_err());
        prop_assert!(message.is_empty());
        if parse_nested(&bytes, &mut message).is_ok() && !message.is_empty() {
            // Whatever was taken can be sent on and means the same there.
            let message = without_auth(&message);
            let (datagram, _) = sealed(&message, &keys(1), false);
            let mut again = Message::new();
            prop_assert!(open(&datagram, &keys(1), &mut again).is_ok());
            prop_assert_eq!(again, message);
        }
    }

    #[test]
    fn serial_streams_give_every_message_however_they_are_cut(
        messages in vec(message(1), 1..5),
        noise in vec(vec(prop_oneof![Just(b'>'), Just(b'<'), Just(b'\n'), any::<u8>()], 0..20), 5),
        piece in 1..50_usize,
    ) {
        let keys = keys(1);
        let mut stream = Vec::new();
        for (message, noise) in messages.iter().zip(noise) {
            stream.extend(noise);
            stream.extend(sealed(message, &keys, true).1);
        }
        let (mut frames, mut opened, mut found) = (TextFrames::new(), Message::new(), Vec::new());
        for bytes in stream.chunks(piece) {
            frames.push(bytes);
            while let Some(frame) = frames.next_frame() {
                if open(frame, &keys, &mut opened).is_ok() {
                    found.push(without_auth(&opened));
                }
            }
        }
        prop_assert_eq!(found, messages);
    }
}

/// Messages whose every value both forms can carry.
fn message(depth: u32) -> BoxedStrategy<Message> {
    let name =
        "[A-Za-z_][A-Za-z0-9_ .()<>-]{0,8}".prop_filter("the signature", |name| name != "auth");
    let text = "[^\\x00-\\x09\\x0b-\\x1f]{0,20}";
    let leaf = (name.clone(), text)
        .prop_map(|(name, value)| pushed(|message| message.push_text(&name, &value)));
    let binary = (name.clone(), vec(any::<u8>(), 0..100))
        .prop_map(|(name, value)| pushed(|message| message.push_binary(&name, &value)));
    let compressed = (name.clone(), vec(any::<u8>(), 0..20)).prop_map(|(name, value)| {
        let field = Field {
            kind: FieldKind::Compressed,
            name: name.as_bytes(),
            value: &value,
        };
        pushed(|message| message.push(field).unwrap())
    });
    let list = (name.clone(), vec("[^\\x00-\\x1f]{1,9}", 1..4)).prop_map(|(name, items)| {
        pushed(|message| {
            message
                .push_list(&name, items.iter().map(String::as_str))
                .unwrap();
        })
    });
    let plain = prop_oneof![4 => leaf, 2 => binary, 1 => compressed, 1 => list].boxed();
    let field = if depth == 0 {
        plain
    } else {
        let nested = (name, message(depth - 1)).prop_map(|(name, inner)| {
            pushed(|message| message.push_struct(&name, &inner).unwrap())
        });
        prop_oneof![6 => plain, 1 => nested].boxed()
    };
    vec(field, 0..12)
        .prop_map(|fields| {
            pushed(|message| {
                for field in fields.iter().flat_map(Message::fields) {
                    message.push(field).unwrap();
                }
            })
        })
        .boxed()
}

fn pushed(push: impl FnOnce(&mut Message)) -> Message {
    let mut message = Message::new();
    push(&mut message);
    message
}

/// Arbitrary bytes, mostly made of what messages are made of.
fn bytes_like_messages() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[a-z0-9:,()=]{0,6}".prop_map(String::into_bytes),
        vec(any::<u8>(), 0..6),
        prop::sample::select(vec![
            "###\n",
            "%%%\n",
            ">>>\n",
            "<<<\n",
            ">>>\x14",
            "<<<\x14",
            "(0)",
            "(1)",
            "(2)",
            "(3)",
            "(4)",
            "(5)",
            "a=1\n",
            "(1)b=AAAA\n",
            "5:(0)a=,",
            "16:(2)s=###\n0:,%%%\n,",
            "(3)l=1:a,\n",
            "auth=1 00\n",
            "\0",
            "4:1 00,",
            "(2)s=>>>\x14a=1\x14<<<\x14\n",
            "16:(2)s=###\n%%%\n,,",
            "8:(3)l=1:a,,",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
    ];
    (
        prop::sample::select(vec!["", "###\n", ">>>\n"]),
        vec(piece, 0..12),
    )
        .prop_map(|(start, pieces)| {
            let mut bytes = start.as_bytes().to_vec();
            bytes.extend(pieces.concat());
            bytes
        })
}

fn keys(signing: u8) -> Keys {
    let mut keys = Keys {
        entries: Default::default(),
        signing,
    };
    for (entry, method) in
        keys.entries
            .iter_mut()
            .zip([Method::Crc, Method::Sha1, Method::Md5, Method::Sha256])
    {
        *entry = Some(Key {
            method,
            text: b"a key".to_vec(),
        });
    }
    keys
}

fn sealed(message: &Message, keys: &Keys, inner_auth: bool) -> (Vec<u8>, Vec<u8>) {
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    seal(
        message,
        keys,
        keys.signing,
        inner_auth,
        &mut datagram,
        &mut text,
    )
    .unwrap();
    (datagram, text)
}

fn without_auth(message: &Message) -> Message {
    let mut rest = Message::new();
    for field in message.fields().filter(|field| field.name != b"auth") {
        rest.push(field).unwrap();
    }
    rest
}
