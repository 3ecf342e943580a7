//! Any serial stream: however it is cut into pieces, the same frames come out.
#![no_main]

use heartbeat::message::{MAX_WIRE, TextFrames};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|stream: &[u8]| {
    let Some((&piece, stream)) = stream.split_first() else {
        return;
    };
    let whole = frames(stream, stream.len().max(1));
    assert_eq!(whole, frames(stream, usize::from(piece).max(1)));
    for frame in &whole {
        assert!(frame.len() <= MAX_WIRE);
        assert!(frame.starts_with(b">>>\n") && frame.ends_with(b"\n"));
    }
});

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
