//! The short form of a heartbeat, for serial lines: one line of text that says "I am alive, and in the state that my full
//! heartbeats have told since that number".
//!
//! `!<number>.<back>.<via>.<hears>.<has>.<key><token>`, for example `!4e2.3f.0.1.4d9.2q83vErq9mrze+ltI`, then a newline:
//!
//! - *number*, hex: that of this heartbeat in the stream of its sender. A full one of the same number goes by other links,
//!   and to whoever asks for it;
//! - *back*, hex: so many numbers before this one the state began. All numbers from there on are heartbeats that say the
//!   same;
//! - *via*, hex: by which of its links the sender sends it;
//! - *hears*: a bit for each link of the other node that the sender hears, hex, or `-`;
//! - *has*: number of the newest heartbeat of the other node whose state the sender knows, hex, or `-`;
//! - *key*, one hex digit: the entry of `authkeys` that signs;
//! - *token*: the first 96 bits of the digest in base64; with `crc` the whole checksum, as everywhere.
//!
//! Who sends it to whom, and in which run, is signed and not said: the two ends of a line know it.
//!
//! No other message can be taken for it. It has no `=`, so it is no line of a classic message, and what is signed begins
//! with words that no field and no netstring begins with.

use std::fmt;

use super::authentication::{Gathering, Key, Keys, Signer};
use super::rejection::{Malformed, Rejection, Unsealed};
use super::{Sink as _, opening};

/// The most bytes that one has, its newline included.
pub const LONGEST_SHORT: usize = 96;

/// The most that a sender puts between two lines of a message. Where one more comes, the message was cut off, and its end is
/// not awaited any longer.
pub const MOST_INSETS: u8 = 2;

/// What it begins with.
const MARK: u8 = b'!';
/// Parts one from the next.
const DOT: u8 = b'.';
/// What is signed begins with this.
const DOMAIN: &[u8] = b"heartbeat-rs short heartbeat\0";

/// What a short heartbeat says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    /// Its number, from 1.
    pub number: u64,
    /// The state is the same since this number: from 1 to `number`.
    pub since: u64,
    /// By which link of the sender it goes.
    pub via: u8,
    /// The links of the other node that the sender hears, a bit each; `None` before it has heard any.
    pub hears: Option<u64>,
    /// The newest heartbeat of the other node whose state the sender knows.
    pub has: Option<u64>,
}

impl fmt::Display for Short {
    /// What it says, in words for people, who count in tens; `hears` stays a number, as in the field `hl`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.number)?;
        if self.since < self.number {
            write!(f, ", as since {}", self.since)?;
        }
        write!(f, ", by link {}, hears ", self.via)?;
        match self.hears {
            Some(bits) => write!(f, "{bits:x}")?,
            None => f.write_str("-")?,
        }
        match self.has {
            Some(number) => write!(f, ", knows {number}"),
            None => f.write_str(", knows nothing"),
        }
    }
}

/// Between whom it goes.
#[derive(Debug, Clone, Copy)]
pub struct Track<'a> {
    /// Name of the sender. The case of letters does not count.
    pub from: &'a str,
    /// Name of the receiver.
    pub to: &'a str,
    /// The run of the sender.
    pub generation: u64,
}

/// One that was read. Nothing of it is to be believed before [`verify`](Self::verify) agrees.
#[derive(Debug, Clone, Copy)]
pub struct SignedShort<'a> {
    /// What it says.
    pub short: Short,
    /// Index of the key that it names.
    pub key: u8,
    covered: &'a [u8],
    token: &'a [u8],
}

/// Whether a line, its newline included, looks like a short heartbeat.
pub fn is_short(line: &[u8]) -> bool {
    line.strip_suffix(b"\n").is_some_and(looks_short)
}

/// The same without the newline.
fn looks_short(line: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b".-+/".contains(byte);
    match line {
        [MARK, rest @ ..] => line.len() < LONGEST_SHORT && rest.iter().all(is_part),
        _ => false,
    }
}

/// The short heartbeat at the end of a line that may begin with noise, and whose newline is not there any more.
pub fn short_at_end(line: &[u8]) -> Option<&[u8]> {
    let start = line.iter().rposition(|&byte| byte == MARK)?;
    line.get(start..).filter(|rest| looks_short(rest))
}

/// The same of a line with its newline.
pub(super) fn after_noise(line: &[u8]) -> Option<&[u8]> {
    let start = line.iter().rposition(|&byte| byte == MARK)?;
    line.get(start..).filter(|rest| is_short(rest))
}

/// Signs one with entry `key` and writes it into `out`, which is empty after an error.
pub fn seal_short(
    short: &Short,
    track: Track<'_>,
    keys: &Keys,
    key: u8,
    out: &mut Vec<u8>,
) -> Result<(), Unsealed> {
    use std::io::Write as _;

    out.clear();
    let entry = keys.entry(key).ok_or(Unsealed::UnknownKey(key))?;
    let back = short.number.saturating_sub(short.since);
    // Memory takes everything.
    let _ = write!(out, "!{:x}.{back:x}.{:x}.", short.number, short.via);
    for number in [short.hears, short.has] {
        let _ = match number {
            Some(number) => write!(out, "{number:x}."),
            None => write!(out, "-."),
        };
    }
    let _ = write!(out, "{key:x}");
    let signer = cover(track, out, entry);
    out.put(signer.short_token().as_bytes());
    out.put(b"\n");
    Ok(())
}

impl<'a> SignedShort<'a> {
    /// Reads a line, its newline included.
    pub fn parse(line: &'a [u8]) -> Result<Self, Rejection> {
        let read = if is_short(line) { read(line) } else { None };
        read.ok_or(Rejection::Malformed(Malformed::Short))
    }

    /// Whether it goes between these, and was signed by somebody who has the key: then the index of that.
    pub fn verify(&self, track: Track<'_>, keys: &Keys) -> Result<u8, Rejection> {
        let signer = cover(track, self.covered, opening::trusted(keys, self.key)?);
        if signer.accepts_short(self.token) {
            Ok(self.key)
        } else {
            Err(Rejection::WrongSignature)
        }
    }
}

fn read(line: &[u8]) -> Option<SignedShort<'_>> {
    let text = line.strip_prefix(&[MARK])?.strip_suffix(b"\n")?;
    let mut parts = text.splitn(6, |&byte| byte == DOT);
    let number = hex(parts.next()?).filter(|number| *number > 0)?;
    let back = hex(parts.next()?)?;
    let via = u8::try_from(hex(parts.next()?)?).ok()?;
    let (hears, has) = (hex_or_none(parts.next()?)?, hex_or_none(parts.next()?)?);
    let (&[digit], token) = parts.next()?.split_at_checked(1)? else {
        return None;
    };
    let key = u8::try_from(hex(&[digit])?).ok()?;
    let covered = line.get(..line.len().checked_sub(token.len().checked_add(1)?)?)?;
    let since = number.checked_sub(back).filter(|since| *since > 0)?;
    let short = Short {
        number,
        since,
        via,
        hears,
        has,
    };
    Some(SignedShort {
        short,
        key,
        covered,
        token,
    })
}

/// A number as it is written here and not otherwise.
fn hex(text: &[u8]) -> Option<u64> {
    let is_digit = |byte: &u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let has_zeros = text.len() > 1 && text.first() == Some(&b'0');
    if text.is_empty() || has_zeros || !text.iter().all(is_digit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// The outer is `None` where it is neither a number nor a dash.
#[expect(
    clippy::option_option,
    reason = "one is the answer, the other whether there is one"
)]
fn hex_or_none(text: &[u8]) -> Option<Option<u64>> {
    if text == b"-" {
        Some(None)
    } else {
        hex(text).map(Some)
    }
}

fn cover(track: Track<'_>, text: &[u8], key: &Key) -> Signer {
    let mut covered = Gathering::of(Signer::new(key));
    covered.put(DOMAIN);
    for name in [track.from, track.to] {
        for byte in name.bytes() {
            covered.put(&[byte.to_ascii_lowercase()]);
        }
        covered.put(b"\0");
    }
    covered.put(&track.generation.to_be_bytes());
    covered.put(text);
    covered.into_signer()
}

#[cfg(test)]
mod tests {
    use super::super::sealing::tests::keys;
    use super::super::{Key, Message, Method, open, seal};
    use super::*;

    const SHORT: Short = Short {
        number: 0x4e2,
        since: 0x4a3,
        via: 0,
        hears: Some(1),
        has: Some(0x4d9),
    };
    const TRACK: Track<'_> = Track {
        from: "alpha",
        to: "beta",
        generation: 0x6b00_8f1f,
    };

    fn sealed(short: &Short, track: Track<'_>, key: u8) -> Vec<u8> {
        let mut line = Vec::new();
        seal_short(short, track, &keys(key), key, &mut line).expect("the key is there");
        line
    }

    #[test]
    fn what_was_sealed_is_read_again_with_every_method() {
        let widest = Short {
            number: u64::MAX,
            since: 1,
            via: u8::MAX,
            hears: Some(u64::MAX),
            has: Some(u64::MAX),
        };
        let first = Short {
            number: 1,
            since: 1,
            via: 7,
            hears: None,
            has: None,
        };
        for key in [0, 1, 2, 15] {
            for short in [SHORT, widest, first] {
                let line = sealed(&short, TRACK, key);
                assert!(is_short(&line) && line.len() <= LONGEST_SHORT);
                let read = SignedShort::parse(&line).expect("well-formed");
                assert_eq!((read.short, read.key), (short, key));
                assert_eq!(read.verify(TRACK, &keys(key)), Ok(key));
            }
        }
    }

    #[test]
    fn it_is_as_short_as_a_slow_line_needs() {
        let after_years = Short {
            number: 0x1000_0000,
            since: 0x0fff_f000,
            has: Some(0x1000_0000),
            ..SHORT
        };
        for key in [1, 2, 15] {
            assert_eq!(sealed(&SHORT, TRACK, key).len(), 34);
            assert!(sealed(&after_years, TRACK, key).len() <= 48);
        }
        let line = String::from_utf8(sealed(&SHORT, TRACK, 2)).expect("text");
        assert!(line.starts_with("!4e2.3f.0.1.4d9.2"), "{line}");
    }

    #[test]
    fn it_counts_for_one_direction_of_one_pair_in_one_run() {
        let line = sealed(&SHORT, TRACK, 2);
        let read = SignedShort::parse(&line).expect("well-formed");
        let same = Track {
            from: "ALPHA",
            ..TRACK
        };
        assert_eq!(read.verify(same, &keys(2)), Ok(2));
        for track in [
            Track {
                from: TRACK.to,
                to: TRACK.from,
                ..TRACK
            },
            Track {
                from: "gamma",
                ..TRACK
            },
            Track {
                to: "gamma",
                ..TRACK
            },
            Track {
                generation: TRACK.generation + 1,
                ..TRACK
            },
            Track {
                generation: TRACK.generation - 1,
                ..TRACK
            },
        ] {
            let verdict = read.verify(track, &keys(2));
            assert_eq!(verdict, Err(Rejection::WrongSignature), "{track:?}");
        }
    }

    #[test]
    fn a_changed_byte_is_refused_wherever_it_is() {
        for key in [0, 2] {
            let line = sealed(&SHORT, TRACK, key);
            for place in 0..line.len() {
                for byte in 0..=u8::MAX {
                    let mut changed = line.clone();
                    changed[place] = byte;
                    let read = SignedShort::parse(&changed);
                    let verdict = read.and_then(|read| read.verify(TRACK, &keys(key)));
                    assert_eq!(verdict.is_ok(), changed == line, "{place} {byte}");
                }
            }
            for length in 0..line.len() {
                let read = SignedShort::parse(&line[..length]);
                assert!(read.is_err(), "cut off after {length}");
            }
        }
    }

    #[test]
    fn crc_counts_only_while_our_own_auth_line_says_crc() {
        let line = sealed(&SHORT, TRACK, 0);
        let read = SignedShort::parse(&line).expect("well-formed");
        assert_eq!(read.verify(TRACK, &keys(0)), Ok(0));
        assert_eq!(read.verify(TRACK, &keys(2)), Err(Rejection::WeakKey));
    }

    #[test]
    fn a_key_that_is_not_there_or_has_changed_is_said() {
        let line = sealed(&SHORT, TRACK, 2);
        let read = SignedShort::parse(&line).expect("well-formed");
        let mut others = keys(1);
        others.entries[2] = Some(Key {
            method: Method::Sha1,
            text: b"other".to_vec(),
        });
        assert_eq!(read.verify(TRACK, &others), Err(Rejection::WrongSignature));
        others.entries[2] = None;
        assert_eq!(read.verify(TRACK, &others), Err(Rejection::UnknownKey(2)));
        let mut out = b"kept".to_vec();
        let unsealed = seal_short(&SHORT, TRACK, &others, 2, &mut out);
        assert_eq!(unsealed, Err(Unsealed::UnknownKey(2)));
        assert!(out.is_empty());
    }

    #[test]
    fn what_is_not_written_so_is_refused() {
        for line in [
            "",
            "\n",
            "!\n",
            "!1.0.0.-.-\n",
            "!1.0.0.-.-.\n",
            "!0.0.0.-.-.2AAAAAAAAAAAAAAAA\n",
            "!1.1.0.-.-.2AAAAAAAAAAAAAAAA\n",
            "!01.0.0.-.-.2AAAAAAAAAAAAAAAA\n",
            "!A.0.0.-.-.2AAAAAAAAAAAAAAAA\n",
            "!1.0.100.-.-.2AAAAAAAAAAAAAAAA\n",
            "!1.0.0.+1.-.2AAAAAAAAAAAAAAAA\n",
            "!1.0.0.-.-.gAAAAAAAAAAAAAAAA\n",
            "!1.0.0.-.-.2AAAA=AAAAAAAAAAA\n",
            "!1.0.0.-.-.2AAAA AAAAAAAAAAA\n",
            "!1.0.0.-.-.2AAAAAAAAAAAAAAAA",
        ] {
            let read = SignedShort::parse(line.as_bytes());
            let refused = Err(Rejection::Malformed(Malformed::Short));
            assert_eq!(read.map(|read| read.short), refused, "{line:?}");
        }
        let long = [b"!1.0.0.-.-.2".as_slice(), &[b'A'; 90], b"\n"].concat();
        assert!(!is_short(&long));
        let short_token = SignedShort::parse(b"!1.0.0.-.-.2AAAA\n").expect("it has parts");
        let verdict = short_token.verify(TRACK, &keys(2));
        assert_eq!(verdict, Err(Rejection::WrongSignature));
    }

    /// The same key signs both: neither passes for the other.
    #[test]
    fn it_is_no_message_and_no_message_is_one() {
        let line = sealed(&SHORT, TRACK, 2);
        let mut message = Message::new();
        let refused = open(&line, &keys(2), &mut message);
        assert_eq!(refused, Err(Rejection::NotAMessage));
        message.push_text("t", "status");
        let (mut datagram, mut text) = (Vec::new(), Vec::new());
        seal(&message, &keys(2), 2, true, &mut datagram, &mut text).expect("sealed");
        for bytes in [datagram, text] {
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                assert!(!is_short(line));
            }
        }
    }
}
