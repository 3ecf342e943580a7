//! Whatever comes in, nothing ends the program but the end of the input.

use std::time::Duration;

use heartbeat::message::{Key, Keys, Message, Method, TextFrames, seal};
use heartbeat::sniff::capture::{Capture, Format};
use heartbeat::sniff::packet::unwrap;
use heartbeat::sniff::{Heard, Losses, Settings, Sieve, Sniffer};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::capture::{Layer, Style, datagram, pcap, pcapng};

proptest! {
    #[test]
    fn no_bytes_do_harm(bytes in vec(any::<u8>(), 0..2000), piece in 1..300_usize) {
        listen(&bytes, piece);
        for format in [Format::Pcap, Format::PcapNg] {
            let capture = Capture::new(format).expect("a format of captures");
            read(capture, &bytes, piece);
        }
        for layer in [Layer::Ethernet, Layer::Cooked, Layer::Cooked2, Layer::Raw] {
            let style = Style { layer, ..Style::PLAIN };
            let mut capture = pcap(&[], style);
            for frame in bytes.chunks(97) {
                let length = u32::try_from(frame.len()).expect("short").to_le_bytes();
                capture.extend([&[0; 8][..], &length, &length, frame].concat());
            }
            listen(&capture, piece);
        }
    }

    #[test]
    fn a_damaged_capture_does_no_harm(
        values in vec(value(), 1..6),
        changes in vec((any::<Index>(), any::<u8>()), 0..20),
        cut: Index,
        kind in 0..6_usize,
        piece in 1..2000_usize,
    ) {
        let mut packets = Vec::new();
        let mut text = Vec::new();
        for (number, value) in (1_u64..).zip(&values) {
            let (netstring, classic) = sealed(number, value);
            packets.extend(datagram(Duration::from_secs(number), 1, &netstring));
            text.extend(classic);
        }
        let style = |layer| Style { layer, ..Style::PLAIN };
        let mut bytes = match kind {
            0 => pcap(&packets, style(Layer::Ethernet)),
            1 => pcap(&packets, style(Layer::Cooked)),
            2 => pcap(&packets, style(Layer::Cooked2)),
            3 => pcap(&packets, style(Layer::Raw)),
            4 => pcapng(&packets, "eth0"),
            _ => text,
        };
        let heard = listen(&bytes, piece);
        prop_assert_eq!(heard, values.len(), "undamaged, all of it is heard");
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.index(bytes.len()).max(4));
        listen(&bytes, piece);
    }
}

/// Values as they are on the wire, and as somebody would like them to be.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,40}",
        "[\u{0}-\u{ff}\u{202e}]{0,20}",
        Just("2 6b008f1f.1 1a2b3c4d R99999n4 3 0".to_owned()),
        Just("x".repeat(3000)),
    ]
}

fn keys() -> Keys {
    let mut keys = Keys {
        entries: Default::default(),
        signing: 1,
    };
    keys.entries[1] = Some(Key {
        method: Method::Sha1,
        text: b"key".to_vec(),
    });
    keys
}

fn sealed(number: u64, value: &str) -> (Vec<u8>, Vec<u8>) {
    let value = value.replace(['\n', '\r'], " ");
    let mut message = Message::new();
    let kind = ["status", "resource", "NS_rexmit", "repnodes", &value]
        [usize::try_from(number % 5).expect("small")];
    for (name, text) in [
        ("t", kind),
        ("src", "alpha"),
        ("ts", "1"),
        ("hg", "5"),
        ("hr", &value),
        ("nodelist", &value),
    ] {
        message.push_text(name, text);
    }
    message.push_fmt("seq", format_args!("{number:x}"));
    let (mut netstring, mut classic) = (Vec::new(), Vec::new());
    seal(&message, &keys(), 1, true, &mut netstring, &mut classic).expect("sealed");
    (netstring, classic)
}

/// Everything that the command does with its input; gives how many messages were authentic.
fn listen(bytes: &[u8], piece: usize) -> usize {
    if let Some(capture) = Capture::new(Format::of(bytes)) {
        return read(capture, bytes, piece);
    }
    let mut sniffer = sniffer();
    let mut frames = TextFrames::new();
    let mut authentic = 0;
    for part in bytes.chunks(piece) {
        frames.push(part);
        while let Some(text) = frames.next_frame() {
            authentic += show(&mut sniffer, None, text);
        }
    }
    finish(&sniffer);
    authentic
}

fn read(mut capture: Capture, bytes: &[u8], piece: usize) -> usize {
    let mut sniffer = sniffer();
    let mut sieve = Sieve::new(vec![694], true);
    let mut authentic = 0;
    'all: for part in bytes.chunks(piece) {
        capture.push(part);
        loop {
            let frame = match capture.next_frame() {
                Ok(Some(frame)) => frame,
                Ok(None) => break,
                Err(error) => {
                    assert!(!error.to_string().is_empty());
                    break 'all;
                }
            };
            let unwrapped = unwrap(frame.layer, frame.bytes);
            let caught = unwrapped.and_then(|found| sieve.take(0, frame.time, found.packet));
            if let Some(caught) = caught {
                authentic += show(&mut sniffer, frame.time, &caught.payload);
            }
        }
    }
    finish(&sniffer);
    authentic
}

fn sniffer() -> Sniffer {
    Sniffer::new(Settings {
        keys: Some(keys()),
        nodes: vec!["alpha".to_owned(), "beta".to_owned()],
        ..Settings::default()
    })
}

fn show(sniffer: &mut Sniffer, time: Option<Duration>, bytes: &[u8]) -> usize {
    let sighting = sniffer.hear(&Heard {
        time,
        link: "eth0",
        direction: None,
        source: None,
        destination: None,
        pieces: 1,
        is_cut: false,
        bytes,
    });
    assert_is_printable(&sighting.line("12:00:00.000", 8));
    assert!(sighting.line("", 0).lines().count() <= 1);
    assert_is_printable(&sighting.details());
    usize::from(sighting.authentic == Some(true))
}

fn finish(sniffer: &Sniffer) {
    assert_is_printable(&sniffer.summary(Losses::default()).text());
}

#[track_caller]
fn assert_is_printable(text: &str) {
    assert!(
        text.bytes().all(|byte| matches!(byte, b'\n' | b' '..=b'~')),
        "{text:?}"
    );
}
