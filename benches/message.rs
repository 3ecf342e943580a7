//! What one heartbeat costs: `cargo bench --bench message`.
#![allow(
    clippy::disallowed_methods,
    reason = "measuring time is what this is for"
)]

use std::hint::black_box;
use std::time::Instant;

use heartbeat::message::{Key, Keys, Message, Method, TextFrames, open, seal};

fn main() {
    println!(
        "{:<10}{:>12}{:>16}{:>14}",
        "", "seal, both", "open datagram", "open text"
    );
    for (name, method) in [
        ("crc", Method::Crc),
        ("md5", Method::Md5),
        ("sha1", Method::Sha1),
        ("sha256", Method::Sha256),
    ] {
        let mut keys = Keys {
            entries: Default::default(),
            signing: 1,
        };
        keys.entries[1] = Some(Key {
            method,
            text: b"vector-key".to_vec(),
        });
        let heartbeat = heartbeat();
        let (mut datagram, mut text) = (Vec::new(), Vec::new());
        let sealing = median(|| {
            seal(
                black_box(&heartbeat),
                &keys,
                1,
                true,
                &mut datagram,
                &mut text,
            )
            .expect("key 1 exists");
        });
        let mut message = Message::new();
        let opening = median(|| {
            open(black_box(&datagram), &keys, &mut message).expect("just sealed");
        });
        let mut frames = TextFrames::new();
        let reading = median(|| {
            frames.push(black_box(&text));
            let frame = frames.next_frame().expect("one whole message");
            open(frame, &keys, &mut message).expect("just sealed");
        });
        println!("{name:<10}{sealing:>9} ns{opening:>13} ns{reading:>11} ns");
    }
}

fn heartbeat() -> Message {
    let mut message = Message::new();
    for (name, value) in [
        ("t", "status"),
        ("st", "active"),
        ("dt", "1770"),
        ("protocol", "1"),
        ("src", "beta"),
    ] {
        message.push_text(name, value);
    }
    message.push_binary("srcuuid", &[7; 16]);
    for (name, value) in [
        ("seq", "e"),
        ("hg", "6b008f1f"),
        ("ts", "6b008f23"),
        ("ld", "0.03 0.12 0.09 4/135 273"),
    ] {
        message.push_text(name, value);
    }
    message.push_text("ttl", "3");
    message
}

/// Nanoseconds a call, the median of many rounds.
fn median(mut call: impl FnMut()) -> u128 {
    const CALLS: u32 = 1000;
    let mut rounds: Vec<_> = (0..101)
        .map(|_| {
            let start = Instant::now();
            (0..CALLS).for_each(|_| call());
            start.elapsed().as_nanos() / u128::from(CALLS)
        })
        .collect();
    rounds.sort_unstable();
    rounds[rounds.len() / 2]
}
