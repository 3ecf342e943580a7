//! What the nodes tell each other of what they must have equal, and how it stands in messages of the type `hb_terms`, which
//! a node of heartbeat 3.0.6 is sent none of. The field `hb_terms` is one of
//!
//! - `total <ours> <theirs> <again>`: a number of all that the sender has, what it takes that of the receiver for, or `-`,
//!   and whether it wants to hear everything again;
//! - `digests <ours> <part> <parts> <digest>...`: a number of each thing that it has, some at a time;
//! - `line <ours> <theirs> <part> <parts> <more>`, and in the field `hb_term` digest, topic, place and text, parted by tabs:
//!   one that the receiver does not have. Where there is none, `<parts>` is 0 and the field is missing.
//!
//! All numbers are in hex. Each message has less than 300 bytes of these.

use std::fmt::Write as _;

use super::claims::hex;
use crate::config::Term;
use crate::message::{Message, checksum};

/// The type of the messages.
pub(super) const KIND: &str = "hb_terms";
const FIELD: &str = "hb_terms";
const LINE: &str = "hb_term";
/// So many digests are told at a time.
const DIGESTS: usize = 28;
/// More parts than these are not heard.
const MOST_PARTS: u64 = 200;
/// So many lines that differ are told.
pub(super) const MOST_LINES: usize = 24;
/// Bytes of a text, a topic and a place that are told.
const LONGEST_TEXT: usize = 140;
const LONGEST_TOPIC: usize = 80;
const LONGEST_PLACE: usize = 30;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    /// That there is something, and whether the other has the same.
    Total {
        ours: u32,
        theirs: Option<u32>,
        again: bool,
    },
    /// Some of the digests.
    Digests {
        ours: u32,
        part: usize,
        parts: usize,
        digests: Vec<u32>,
    },
    /// One that the other does not have.
    Line {
        ours: u32,
        theirs: u32,
        part: usize,
        parts: usize,
        more: usize,
        term: Option<Box<Term>>,
    },
}

/// A number of all of them, whatever their order; never that of none.
pub(super) fn total(terms: &[Term]) -> u32 {
    let mut digests: Vec<[u8; 4]> = terms.iter().map(|term| term.digest.to_be_bytes()).collect();
    digests.sort_unstable();
    checksum(digests.iter().map(<[u8; 4]>::as_slice))
}

/// The messages that tell all digests.
pub(super) fn digests(ours: u32, terms: &[Term]) -> impl Iterator<Item = Word> {
    let chunks = terms.chunks(DIGESTS);
    let parts = chunks.len();
    chunks.zip(0..).map(move |(chunk, part)| Word::Digests {
        ours,
        part,
        parts,
        digests: chunk.iter().map(|term| term.digest).collect(),
    })
}

/// The messages that tell those that the other does not have, or that there are none.
pub(super) fn lines(ours: u32, theirs: u32, terms: &[&Term]) -> Vec<Word> {
    let parts = terms.len().min(MOST_LINES);
    let more = terms.len().saturating_sub(parts);
    let word = |part, term: Option<&&Term>| Word::Line {
        ours,
        theirs,
        part,
        parts,
        more,
        term: term.map(|term| Box::new((*term).clone())),
    };
    if parts == 0 {
        return vec![word(0, None)];
    }
    let told = terms.iter().take(parts).zip(0..);
    told.map(|(term, part)| word(part, Some(term))).collect()
}

impl Word {
    /// Adds it to a message.
    pub(super) fn push(&self, message: &mut Message) {
        match self {
            Self::Total {
                ours,
                theirs,
                again,
            } => {
                let again = u8::from(*again);
                match theirs {
                    Some(theirs) => {
                        message.push_fmt(FIELD, format_args!("total {ours:x} {theirs:x} {again}"));
                    }
                    None => message.push_fmt(FIELD, format_args!("total {ours:x} - {again}")),
                }
            }
            Self::Digests {
                ours,
                part,
                parts,
                digests,
            } => {
                let mut text = format!("digests {ours:x} {part:x} {parts:x}");
                for digest in digests {
                    let _ = write!(text, " {digest:x}"); // into a string, which can't fail
                }
                message.push_text(FIELD, &text);
            }
            Self::Line {
                ours,
                theirs,
                part,
                parts,
                more,
                term,
            } => {
                let numbers = format!("line {ours:x} {theirs:x} {part:x} {parts:x} {more:x}");
                message.push_text(FIELD, &numbers);
                if let Some(term) = term {
                    let topic = cut(&term.topic, LONGEST_TOPIC);
                    let place = cut(&term.place, LONGEST_PLACE);
                    let text = cut(&term.text, LONGEST_TEXT);
                    let digest = term.digest;
                    message.push_fmt(LINE, format_args!("{digest:x}\t{topic}\t{place}\t{text}"));
                }
            }
        }
    }

    /// `None` when that can't be read. Words that follow are for a later version.
    pub(super) fn read(message: &Message) -> Option<Self> {
        let mut words = message.text(FIELD)?.split(' ');
        let kind = words.next()?;
        let ours = number(words.next()?)?;
        match kind {
            "total" => {
                let theirs = words.next()?;
                Some(Self::Total {
                    ours,
                    theirs: if theirs == "-" {
                        None
                    } else {
                        Some(number(theirs)?)
                    },
                    again: words.next()? == "1",
                })
            }
            "digests" => {
                let (part, parts) = place(words.next()?, words.next()?)?;
                let digests = words.take(DIGESTS.saturating_add(1)).map(number);
                let digests = digests.collect::<Option<Vec<u32>>>()?;
                let is_filled = (1..=DIGESTS).contains(&digests.len());
                is_filled.then_some(Self::Digests {
                    ours,
                    part,
                    parts,
                    digests,
                })
            }
            "line" => {
                let theirs = number(words.next()?)?;
                let (part, parts) = (words.next()?, words.next()?);
                let more = usize::try_from(hex(words.next()?)?).ok()?;
                let (part, parts, term) = if parts == "0" {
                    (0, 0, None)
                } else {
                    let (part, parts) = place(part, parts)?;
                    (part, parts, Some(Box::new(line(message.text(LINE)?)?)))
                };
                (parts <= MOST_LINES).then_some(Self::Line {
                    ours,
                    theirs,
                    part,
                    parts,
                    more,
                    term,
                })
            }
            _ => None,
        }
    }
}

fn number(text: &str) -> Option<u32> {
    u32::try_from(hex(text)?).ok()
}

fn place(part: &str, parts: &str) -> Option<(usize, usize)> {
    let (part, parts) = (hex(part)?, hex(parts)?);
    let is_sound = part < parts && parts <= MOST_PARTS;
    let place = (usize::try_from(part).ok()?, usize::try_from(parts).ok()?);
    is_sound.then_some(place)
}

fn line(text: &str) -> Option<Term> {
    let mut words = text.splitn(4, '\t');
    let digest = number(words.next()?)?;
    let (topic, place, text) = (words.next()?, words.next()?, words.next()?);
    // What the other node says is shown on terminals; a new term has no control characters in it.
    let told = Term::new(
        &cut(topic, LONGEST_TOPIC),
        &cut(text, LONGEST_TEXT),
        &cut(place, LONGEST_PLACE),
    );
    Some(Term { digest, ..told })
}

/// So many bytes at the most, with a mark where something is missing.
fn cut(text: &str, longest: usize) -> String {
    if text.len() <= longest {
        return text.to_owned();
    }
    let room = longest.saturating_sub('…'.len_utf8());
    let end = (0..=room).rev().find(|end| text.is_char_boundary(*end));
    let kept = text.get(..end.unwrap_or(0)).unwrap_or_default();
    format!("{kept}…")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn term(text: &str) -> Term {
        Term::new("group a", text, "haresources:3")
    }

    fn written(word: &Word) -> Message {
        let mut message = Message::new();
        word.push(&mut message);
        message
    }

    #[test]
    fn every_word_comes_back() {
        let (long, ours, theirs) = (term(&"ä".repeat(300)), 0xfeed, 7);
        let many: Vec<Term> = (0..60).map(|number| term(&number.to_string())).collect();
        let mut words: Vec<Word> = digests(ours, &many).collect();
        assert_eq!(words.len(), 3);
        words.extend(lines(ours, theirs, &[&many[0], &many[1]]));
        words.extend(lines(ours, theirs, &[]));
        for known in [None, Some(theirs)] {
            words.push(Word::Total {
                ours,
                theirs: known,
                again: known.is_some(),
            });
        }
        for word in words {
            let message = written(&word);
            assert_eq!(Word::read(&message), Some(word));
        }
        let mut told = lines(ours, theirs, &[&long]);
        let message = written(&told.remove(0));
        assert!(
            message
                .fields()
                .map(|field| field.value.len())
                .sum::<usize>()
                < 300
        );
        let Some(Word::Line {
            term: Some(read), ..
        }) = Word::read(&message)
        else {
            panic!("no line");
        };
        assert_eq!(read.digest, long.digest);
        assert!(read.text.ends_with("ä…") && read.text.len() <= LONGEST_TEXT);
    }

    #[test]
    fn no_word_is_longer_than_three_hundred_bytes_and_no_more_lines_are_told_than_a_few() {
        let many: Vec<Term> = (0..500).map(|number| term(&"x".repeat(number))).collect();
        let all: Vec<&Term> = many.iter().collect();
        let told = lines(u32::MAX, u32::MAX, &all);
        assert_eq!(told.len(), MOST_LINES);
        for word in digests(u32::MAX, &many).chain(told) {
            let message = written(&word);
            let bytes: usize = message.fields().map(|field| field.value.len()).sum();
            assert!(bytes < 300, "{bytes}: {word:?}");
        }
    }

    #[test]
    fn what_is_no_word_is_none() {
        for text in [
            "",
            "total",
            "total 1",
            "total 1 x 0",
            "total 100000000 - 0",
            "digests 1 0 1",
            "digests 1 1 1 a",
            "digests 1 0 c9 a",
            "digests 1 0 1 a b c d e f 1 2 3 4 5 6 7 8 9 a b c d e f 1 2 3 4 5 6 7 8 9 0",
            "line 1 2 0 1 0",
            "line 1 2 0 19 0",
            "other 1",
        ] {
            let mut message = Message::new();
            message.push_text(FIELD, text);
            assert_eq!(Word::read(&message), None, "{text}");
        }
        let mut message = Message::new();
        message.push_text(FIELD, "line 1 2 0 1 0");
        message.push_text(LINE, "a\tb\u{1b}[2J\tc\td\te");
        let Some(Word::Line {
            term: Some(term), ..
        }) = Word::read(&message)
        else {
            panic!("no line");
        };
        let text = (&*term.topic, &*term.place, &*term.text);
        assert_eq!(text, ("b?[2J", "c", "d?e"), "nothing for a terminal");
    }
}
