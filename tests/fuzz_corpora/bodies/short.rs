//! Short heartbeats: who has no key can't say anything by them, and noise costs no more than one.

use heartbeat::message::{
    Key, Keys, LONGEST_SHORT, Method, Short, SignedShort, TextFrames, Track, seal_short,
};

use super::{pieces, steered};

const TRACK: Track<'_> = Track {
    from: "alpha",
    to: "beta",
    generation: 7,
};

fn keys(signing: u8) -> Keys {
    let mut keys = Keys {
        entries: Default::default(),
        signing,
    };
    let methods = [Method::Crc, Method::Md5, Method::Sha1, Method::Sha256];
    for (entry, method) in keys.entries.iter_mut().zip(methods) {
        let text = b"vector-key".to_vec();
        *entry = Some(Key { method, text });
    }
    keys
}

fn sealed(short: &Short, key: u8) -> Vec<u8> {
    let mut line = Vec::new();
    seal_short(short, TRACK, &keys(key), key, &mut line).expect("the key is there");
    line
}

/// One with any numbers, changed; then the same bytes as a line that nobody signed, and as noise before two good ones.
pub fn short(input: &[u8]) {
    let ([key, via, shape, place, change], rest) = steered(input);
    let (numbers, _) = steered::<32>(rest);
    let number = |place: usize| {
        let bytes = numbers.iter().skip(place * 8).take(8);
        bytes.fold(0, |number, &byte| number << 8 | u64::from(byte))
    };
    let last = number(0).max(1);
    let said = Short {
        number: last,
        since: number(1).clamp(1, last),
        via,
        hears: (shape & 1 == 0).then(|| number(2)),
        has: (shape & 2 == 0).then(|| number(3)),
    };
    let key = key % 4;
    let line = sealed(&said, key);
    assert!(line.len() <= LONGEST_SHORT);
    let read = SignedShort::parse(&line).expect("what was sealed is read");
    assert_eq!(
        (read.short, read.verify(TRACK, &keys(key))),
        (said, Ok(key))
    );

    let mut changed = line.clone();
    let place = usize::from(place) % line.len();
    match changed.get_mut(place).filter(|_| change != 0) {
        Some(byte) => *byte ^= change,
        None => changed.truncate(place),
    }
    let read = SignedShort::parse(&changed);
    let is_let_in = read.is_ok_and(|read| read.verify(TRACK, &keys(key)).is_ok());
    // A checksum is no signature, but it sees one changed byte.
    assert_eq!(is_let_in, changed == line);

    if let Ok(read) = SignedShort::parse(rest) {
        assert!(read.short.since > 0 && read.short.since <= read.short.number);
        assert!(read.verify(TRACK, &keys(2)).is_err(), "nobody signed it");
    }
    after_noise(rest, shape);
}

fn after_noise(noise: &[u8], piece: u8) {
    let of = |number| Short {
        number,
        since: 1,
        via: 0,
        hears: None,
        has: None,
    };
    let mut stream = noise.to_vec();
    (1..=2).for_each(|number| stream.extend(sealed(&of(number), 2)));
    let mut frames = TextFrames::new();
    let mut heard = Vec::new();
    for bytes in pieces(&stream, piece) {
        frames.push(bytes);
        while let Some(frame) = frames.next_frame() {
            let read = SignedShort::parse(frame).ok();
            let read = read.filter(|read| read.verify(TRACK, &keys(2)).is_ok());
            heard.extend(read.map(|read| read.short.number));
        }
    }
    assert!(matches!(heard.as_slice(), [.., 2]), "{heard:?}");
}
