//! A message to bytes and back: what every heartbeat goes through.

use std::hint::black_box;

use heartbeat::message::{
    Form, Key, Keys, Message, Method, Short, SignedShort, TextFrames, Track, open, seal, seal_as,
    seal_short,
};

use super::meter::{Case, Meter, Run};

/// In the order of their [`Case`]s.
const METHODS: [(&str, Method); 4] = [
    ("crc", Method::Crc),
    ("md5", Method::Md5),
    ("sha1", Method::Sha1),
    ("sha256", Method::Sha256),
];

/// What it is, and the function that measures it with a method.
const PARTS: [(&str, Run); 7] = [
    ("seal_both", seal_both),
    ("seal_datagram", seal_datagram),
    ("seal_text", seal_text),
    ("seal_short", seal_the_short),
    ("open_datagram", open_datagram),
    ("open_text", open_text),
    ("open_short", open_short),
];

/// All of these.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (part, run) in PARTS {
        for (index, (method, _)) in METHODS.iter().enumerate() {
            cases.push(Case::sized(&format!("{part}_{method}"), run, index));
        }
    }
    cases
}

/// A key as `heartbeat keygen` makes it, and a message with what a node of ours says each second.
fn keys(method: usize) -> Keys {
    let mut keys = Keys {
        entries: Default::default(),
        signing: 1,
    };
    keys.entries[1] = Some(Key {
        method: METHODS[method].1,
        text: b"7c3f1f0a4b5d6e8f90112233445566778899aabbccddeeff0123456789abcdef".to_vec(),
    });
    keys
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
        ("ttl", "3"),
    ] {
        message.push_text(name, value);
    }
    message
}

/// Everything twice: the second time, buffers have their size.
fn seal_both(meter: &mut Meter, method: usize) {
    let (keys, message) = (keys(method), heartbeat());
    let (mut datagram, mut text) = (Vec::new(), Vec::new());
    let mut run = || {
        seal(
            black_box(&message),
            &keys,
            1,
            true,
            &mut datagram,
            &mut text,
        )
    };
    run().expect("key 1 exists");
    meter.measure(run).expect("as before");
    open(&datagram, &keys, &mut Message::new()).expect("just sealed");
    open(&text, &keys, &mut Message::new()).expect("just sealed");
}

fn seal_datagram(meter: &mut Meter, method: usize) {
    seal_in(Form::Netstring, meter, method);
}

fn seal_text(meter: &mut Meter, method: usize) {
    seal_in(Form::Classic, meter, method);
}

fn seal_in(form: Form, meter: &mut Meter, method: usize) {
    let (keys, message) = (keys(method), heartbeat());
    let mut out = Vec::new();
    let mut run = || seal_as(form, black_box(&message), &keys, 1, false, &mut out);
    run().expect("key 1 exists");
    meter.measure(run).expect("as before");
    open(&out, &keys, &mut Message::new()).expect("just sealed");
}

fn open_datagram(meter: &mut Meter, method: usize) {
    let keys = keys(method);
    let mut datagram = Vec::new();
    seal_as(
        Form::Netstring,
        &heartbeat(),
        &keys,
        1,
        false,
        &mut datagram,
    )
    .expect("key 1 exists");
    let mut message = Message::new();
    let mut run = || open(black_box(&datagram), &keys, &mut message);
    run().expect("just sealed");
    let opened = meter.measure(run).expect("as before");
    assert_eq!(opened.key, 1);
    assert_eq!(message.text("seq"), Some("e"));
}

/// From the bytes of a line, found between others.
fn open_text(meter: &mut Meter, method: usize) {
    let keys = keys(method);
    let mut text = Vec::new();
    seal_as(Form::Classic, &heartbeat(), &keys, 1, false, &mut text).expect("key 1 exists");
    let (mut frames, mut message) = (TextFrames::new(), Message::new());
    let mut run = || {
        frames.push(black_box(&text));
        let frame = frames.next_frame().expect("one whole message");
        open(frame, &keys, &mut message)
    };
    run().expect("just sealed");
    meter.measure(run).expect("as before");
    assert_eq!(message.text("seq"), Some("e"));
}

const TRACK: Track<'_> = Track {
    from: "beta",
    to: "alpha",
    generation: 0x6b00_8f1f,
};

const SHORT: Short = Short {
    number: 0x1234,
    since: 0x1200,
    via: 0,
    hears: Some(7),
    has: Some(0x1233),
};

fn seal_the_short(meter: &mut Meter, method: usize) {
    let keys = keys(method);
    let mut out = Vec::new();
    let mut run = || seal_short(black_box(&SHORT), TRACK, &keys, 1, &mut out);
    run().expect("key 1 exists");
    meter.measure(run).expect("as before");
    assert!(SignedShort::parse(&out).is_ok());
}

fn open_short(meter: &mut Meter, method: usize) {
    let keys = keys(method);
    let mut line = Vec::new();
    seal_short(&SHORT, TRACK, &keys, 1, &mut line).expect("key 1 exists");
    let mut frames = TextFrames::new();
    let mut run = || {
        frames.push(black_box(&line));
        let frame = frames.next_frame().expect("one whole line");
        let signed = SignedShort::parse(frame).expect("a short heartbeat");
        signed.verify(TRACK, &keys).map(|_| signed.short)
    };
    run().expect("just sealed");
    assert_eq!(meter.measure(run), Ok(SHORT));
}
