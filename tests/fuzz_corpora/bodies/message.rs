//! What comes over a wire: both framings, signatures, compression, and the way back into step on a serial line.

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use heartbeat::message::{
    Field, FieldKind, Key, Keys, MAX_INFLATED, MAX_WIRE, Message, Method, Rejection, TextFrames,
    inflate, is_short, open, parse_nested, seal,
};

use super::{pieces, steered};

/// Keys of every method; entry 0 is a checksum that anybody can make.
fn keys(signing: u8) -> Keys {
    let mut keys = Keys {
        entries: Default::default(),
        signing,
    };
    let methods = [
        (Method::Crc, ""),
        (Method::Sha1, "vector-key-sha1"),
        (Method::Md5, "vector-key-md5"),
        (Method::Sha256, "vector-key-sha256"),
    ];
    for (entry, (method, text)) in keys.entries.iter_mut().zip(methods) {
        *entry = Some(Key {
            method,
            text: text.into(),
        });
    }
    keys
}

/// Any bytes as a datagram; then, as only who has the key gets further, the same bytes signed.
pub fn open_any(bytes: &[u8]) {
    let keys = keys(1);
    let mut message = Message::new();
    if open(bytes, &keys, &mut message).is_err() {
        assert!(message.is_empty());
    }
    if parse_nested(bytes, &mut message).is_err() || message.binary("_compressed_payload").is_some()
    {
        return;
    }
    // Where an inner signature stood is not kept in every form.
    let unsigned = without_signature(&message);
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    let Ok(()) = seal(&unsigned, &keys, 1, true, &mut datagram, &mut text) else {
        return;
    };

    let (mut first, mut second) = (Message::new(), Message::new());
    open(&datagram, &keys, &mut first).expect("what was sealed opens");
    assert_eq!(without_signature(&first), unsigned);
    let (mut datagram_again, mut text_again) = (Vec::new(), Vec::new());
    seal(&first, &keys, 1, true, &mut datagram_again, &mut text_again).expect("it fitted before");
    assert_eq!((&datagram, &text), (&datagram_again, &text_again));
    // Control characters inside structs mean line ends in text, so it may read differently or not at
    // all; but it is never taken for something that was not signed.
    match open(&text, &keys, &mut second) {
        Ok(_) => {
            if seal(
                &second,
                &keys,
                1,
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
}

/// A signed message of which one byte was changed or the end is missing: it is refused, or it says what it said.
pub fn tampered(input: &[u8]) {
    let ([key, place, more, change, form], text) = steered(input);
    let keys = keys(key % 4);
    let mut message = Message::new();
    message.push_text("t", "status");
    for line in text.split(|&byte| byte == b'\n') {
        let mut halves = line.splitn(2, |&byte| byte == b'=');
        let (name, value) = (halves.next().unwrap_or_default(), halves.next());
        let field = match value {
            Some(value) => Field {
                name,
                kind: FieldKind::Text,
                value,
            },
            None => Field {
                name: b"raw",
                kind: FieldKind::Binary,
                value: line,
            },
        };
        if name != b"auth" {
            let _ = message.push(field); // else it can't be one
        }
    }
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    let with_inner = form & 2 != 0;
    if seal(&message, &keys, 1, with_inner, &mut datagram, &mut text).is_err() {
        return;
    }
    let mut bytes = if form & 1 == 0 { datagram } else { text };
    let mut opened = Message::new();
    if open(&bytes, &keys, &mut opened).is_err() {
        return; // names that the form has no room for
    }
    let said = without_signature(&opened);
    let place = usize::from(u16::from_le_bytes([place, more])) % bytes.len();
    match bytes.get_mut(place).filter(|_| change != 0) {
        Some(byte) => *byte ^= change,
        None => bytes.truncate(place),
    }
    match open(&bytes, &keys, &mut opened) {
        Ok(_) => assert_eq!(without_signature(&opened), said),
        Err(_) => assert!(opened.is_empty()),
    }
}

fn without_signature(message: &Message) -> Message {
    let mut rest = Message::new();
    for field in message.fields().filter(|field| field.name != b"auth") {
        rest.push(field).expect("it was in a message");
    }
    rest
}

/// A correctly signed compressed message with any payload, and any text in a correct payload.
pub fn inflate_any(bytes: &[u8]) {
    let mut out = Vec::new();
    for algorithm in ["zlib", "bz2"] {
        let _ = inflate(bytes, Some(algorithm), &mut out);
        assert!(out.capacity() <= MAX_INFLATED + 128 * 1024);
        open_compressed(bytes, algorithm);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes everything");
    let compressed = encoder.finish().expect("memory takes everything");
    let whole = inflate(&compressed, Some("zlib"), &mut out);
    assert_eq!(whole.is_ok(), bytes.len() <= MAX_INFLATED);
    assert!(whole.is_err() || out == bytes);
    open_compressed(&compressed, "zlib");
}

fn open_compressed(payload: &[u8], algorithm: &str) {
    let keys = keys(0);
    let mut message = Message::new();
    message.push_binary("_compressed_payload", payload);
    message.push_text("_compression_algorithm", algorithm);
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    if seal(&message, &keys, 0, false, &mut datagram, &mut text).is_ok() {
        for bytes in [datagram, text] {
            if open(&bytes, &keys, &mut message).is_err() {
                assert!(message.is_empty());
            }
        }
    }
}

/// Any serial stream: however it is cut into pieces, the same frames come out, messages and short heartbeats.
pub fn text_frames(input: &[u8]) {
    let ([piece], stream) = steered(input);
    let whole = frames(stream, stream.len().max(1));
    assert_eq!(whole, frames(stream, usize::from(piece).max(1)));
    for frame in &whole {
        assert!(frame.len() <= MAX_WIRE);
        let is_message = frame.starts_with(b">>>\n") && frame.ends_with(b"\n");
        assert!(is_message || is_short(frame));
    }
    let bytes: usize = whole.iter().map(Vec::len).sum();
    assert!(bytes <= stream.len(), "nothing is handed out twice");
}

fn frames(stream: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut frames = TextFrames::new();
    let mut found = Vec::new();
    for bytes in stream.chunks(piece) {
        frames.push(bytes);
        while let Some(frame) = frames.next_frame() {
            found.push(frame.to_vec());
        }
    }
    found
}

/// Noise, and then three messages: at most the first of them is lost, whatever the noise was and however all of it is
/// cut into pieces.
pub fn resync(input: &[u8]) {
    let ([piece], noise) = steered(input);
    let keys = keys(1);
    let mut stream = noise.to_vec();
    for number in 1..=3 {
        let mut message = Message::new();
        message.push_text("t", "status");
        message.push_fmt("seq", format_args!("{number:x}"));
        let (mut datagram, mut text) = (Vec::new(), Vec::new());
        seal(&message, &keys, 1, false, &mut datagram, &mut text).expect("it is short");
        stream.extend(text);
    }
    let (mut frames, mut message) = (TextFrames::new(), Message::new());
    let mut heard = Vec::new();
    for bytes in pieces(&stream, piece) {
        frames.push(bytes);
        while let Some(frame) = frames.next_frame() {
            if open(frame, &keys, &mut message).is_ok_and(|opened| opened.key == 1) {
                assert!(message.fields().all(|field| field.kind == FieldKind::Text));
                heard.extend(message.text("seq").map(str::to_owned));
            }
        }
    }
    assert!(
        matches!(heard.as_slice(), [.., two, three] if two == "2" && three == "3"),
        "{heard:?}"
    );
}
