//! Captures and the bytes of serial lines, as `heartbeat sniff` reads them.

use heartbeat::message::{Key, Keys, Method, TextFrames};
use heartbeat::sniff::capture::{Capture, Format, MAX_RECORD};
use heartbeat::sniff::packet::unwrap;
use heartbeat::sniff::{Heard, Losses, Settings, Sieve, Sniffer};

use super::{pieces, steered};

/// Any file: the same is shown however it is read, none of it is anything but ASCII that can be printed, and no more
/// waits in memory than a record.
pub fn capture(input: &[u8]) {
    let ([piece], file) = steered(input);
    let shown = shown(file, std::iter::once(file));
    assert_eq!(shown, self::shown(file, pieces(file, piece)));
    let is_plain = |byte: u8| matches!(byte, b' '..=b'~' | b'\n');
    assert!(shown.bytes().all(is_plain), "{shown}");
}

fn sniffer() -> Sniffer {
    let mut keys = Keys {
        entries: Default::default(),
        signing: 1,
    };
    keys.entries[1] = Some(Key {
        method: Method::Sha1,
        text: b"vector-key-sha1".to_vec(),
    });
    Sniffer::new(Settings {
        keys: Some(keys),
        ..Settings::default()
    })
}

fn shown<'a>(file: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> String {
    let mut sniffer = sniffer();
    let mut shown = String::new();
    let mut hear = |heard: &Heard<'_>| {
        let sighting = sniffer.hear(heard);
        shown += &sighting.line("0", 8);
        shown += "\n";
        shown += &sighting.details();
    };
    let incomplete = if let Some(capture) = Capture::new(Format::of(file)) {
        hear_capture(capture, pieces, &mut hear)
    } else {
        hear_serial(pieces, &mut hear);
        0
    };
    let losses = Losses {
        incomplete,
        dropped: 0,
    };
    shown + &sniffer.summary(losses).text()
}

fn hear_capture<'a>(
    mut capture: Capture,
    pieces: impl Iterator<Item = &'a [u8]>,
    hear: &mut dyn FnMut(&Heard<'_>),
) -> u64 {
    let mut sieve = Sieve::new(vec![694], true);
    for piece in pieces {
        capture.push(piece);
        loop {
            let frame = match capture.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(_) => return sieve.incomplete(),
            };
            let Some(unwrapped) = unwrap(frame.layer, frame.bytes) else {
                continue;
            };
            let number = unwrapped.interface.unwrap_or(0);
            let Some(caught) = sieve.take(number, frame.time, unwrapped.packet) else {
                continue;
            };
            hear(&Heard {
                time: frame.time,
                link: frame.interface.unwrap_or("net"),
                direction: unwrapped.direction,
                source: Some(caught.source),
                destination: Some(caught.destination),
                pieces: caught.pieces,
                is_cut: caught.is_cut,
                bytes: &caught.payload,
            });
        }
        assert!(capture.left_over() <= MAX_RECORD + 64);
    }
    sieve.incomplete()
}

fn hear_serial<'a>(pieces: impl Iterator<Item = &'a [u8]>, hear: &mut dyn FnMut(&Heard<'_>)) {
    let mut frames = TextFrames::new();
    for piece in pieces {
        frames.push(piece);
        while let Some(text) = frames.next_frame() {
            hear(&Heard {
                time: None,
                link: "serial",
                direction: None,
                source: None,
                destination: None,
                pieces: 1,
                is_cut: false,
                bytes: text,
            });
        }
    }
}
