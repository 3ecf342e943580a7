//! A correctly signed compressed message with any payload, and any text in a correct payload.
#![no_main]

use std::io::Write;

use flate2::{Compression, write::ZlibEncoder};
use heartbeat::message::{Key, Keys, MAX_INFLATED, Message, Method, inflate, open, seal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut out = Vec::new();
    for algorithm in ["zlib", "bz2"] {
        let _ = inflate(bytes, Some(algorithm), &mut out);
        assert!(out.capacity() <= MAX_INFLATED + 128 * 1024);
        try_open(bytes, algorithm);
    }
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    if encoder.write_all(bytes).is_ok() {
        if let Ok(compressed) = encoder.finish() {
            try_open(&compressed, "zlib");
        }
    }
});

fn try_open(payload: &[u8], algorithm: &str) {
    let mut keys = Keys {
        entries: Default::default(),
        signing: 0,
    };
    keys.entries[0] = Some(Key {
        method: Method::Crc,
        text: Vec::new(),
    });
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
