//! What happened in a run: a digest of everything, and the story itself when somebody wants to read it.

use std::fmt::Write as _;

use heartbeat::message::SignedShort;

use super::plan::Time;

/// Collects the steps of a run.
pub struct Trace {
    digest: u64,
    lines: Option<Vec<String>>,
}

impl Trace {
    /// With the story or only with its digest.
    pub fn new(with_lines: bool) -> Self {
        Self {
            digest: 0xCBF2_9CE4_8422_2325,
            lines: with_lines.then(Vec::new),
        }
    }

    /// One step. The numbers go into the digest; the text is made only when it is kept.
    pub fn step(&mut self, at: Time, numbers: &[u64], text: impl FnOnce() -> String) {
        for &number in [at].iter().chain(numbers) {
            self.digest = (self.digest ^ number)
                .wrapping_mul(0x0000_0100_0000_01B3)
                .rotate_left(23);
        }
        if let Some(lines) = &mut self.lines {
            let mut line = format!("{:>11.6} ", micros_as_seconds(at));
            let _ = write!(line, "{}", text());
            lines.push(line);
        }
    }

    /// Equal for equal runs.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    /// The story so far, when it is kept.
    pub fn lines(&self) -> &[String] {
        self.lines.as_deref().unwrap_or_default()
    }

    /// The story, when it was kept.
    pub fn into_lines(self) -> Vec<String> {
        self.lines.unwrap_or_default()
    }
}

/// For people.
pub fn micros_as_seconds(at: Time) -> f64 {
    std::time::Duration::from_micros(at).as_secs_f64()
}

/// FNV-1a over bytes: names a message.
pub fn hash(bytes: &[u8]) -> u64 {
    // Eight bytes at a time: messages are hashed in every step of ten thousand runs.
    let mut digest = 0xCBF2_9CE4_8422_2325_u64 ^ bytes.len() as u64;
    let mut take_in = |word: u64| {
        digest = (digest ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        digest ^= digest >> 29;
    };
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        take_in(u64::from_be_bytes(*word));
    }
    if !rest.is_empty() {
        take_in(
            rest.iter()
                .fold(0, |word, &byte| word << 8 | u64::from(byte)),
        );
    }
    digest
}

/// The fields of a message that matter in a story.
pub fn gist(bytes: &[u8]) -> String {
    if let Ok(signed) = SignedShort::parse(bytes) {
        return format!("{:?}", signed.short);
    }
    let text = String::from_utf8_lossy(bytes);
    let wanted = [
        "t=",
        "st=",
        "hr=",
        "seq=",
        "hg=",
        "ackseq=",
        "firstseq=",
        "lastseq=",
        "info=",
        "rsc_hold=",
        "isstable=",
        "dest=",
        "ipaddr=",
        "dt=",
    ];
    let fields = text.split(['\n', ',']).filter_map(|field| {
        let field = field.split_once(')').map_or(field, |(_, field)| field);
        wanted
            .iter()
            .any(|name| field.starts_with(name))
            .then_some(field)
    });
    fields.collect::<Vec<_>>().join(" ")
}
