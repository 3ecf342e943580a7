//! Any bytes as a datagram; then, as only who has the key gets further, the same bytes signed.
#![no_main]

use heartbeat::message::{Key, Keys, Message, Method, Rejection, open, parse_nested, seal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut keys = Keys {
        entries: Default::default(),
        signing: 2,
    };
    keys.entries[1] = Some(Key {
        method: Method::Crc,
        text: Vec::new(),
    });
    keys.entries[2] = Some(Key {
        method: Method::Sha1,
        text: b"vector-key-sha1".to_vec(),
    });
    let mut message = Message::new();
    if open(bytes, &keys, &mut message).is_err() {
        assert!(message.is_empty());
    }
    if parse_nested(bytes, &mut message).is_err() || message.binary("_compressed_payload").is_some()
    {
        return;
    }
    // Where an inner signature stood is not kept in every form.
    let mut unsigned = Message::new();
    for field in message.fields().filter(|field| field.name != b"auth") {
        unsigned.push(field).expect("it was parsed");
    }
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    let Ok(()) = seal(&unsigned, &keys, 2, true, &mut datagram, &mut text) else {
        return;
    };

    let (mut first, mut second) = (Message::new(), Message::new());
    open(&datagram, &keys, &mut first).expect("what was sealed opens");
    let (mut datagram_again, mut text_again) = (Vec::new(), Vec::new());
    seal(&first, &keys, 2, true, &mut datagram_again, &mut text_again).expect("it fitted before");
    assert_eq!((&datagram, &text), (&datagram_again, &text_again));
    // Control characters inside structs mean line ends in text, so it may read differently or not at
    // all; but it is never taken for something that was not signed.
    match open(&text, &keys, &mut second) {
        Ok(_) => {
            let (mut datagram_again, mut text_again) = (Vec::new(), Vec::new());
            if seal(
                &second,
                &keys,
                2,
                true,
                &mut datagram_again,
                &mut text_again,
            )
            .is_ok()
            {
                assert_eq!(text, text_again);
            }
        }
        Err(rejection) => assert!(!matches!(
            rejection,
            Rejection::UnknownKey(_) | Rejection::WeakKey
        )),
    }
});
