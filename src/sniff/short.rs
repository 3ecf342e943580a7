//! Short heartbeats of a serial line. They do not say who sends them to whom and in which run: that is found by trying who,
//! of the nodes that were heard, can have signed it.

use super::book::Book;
use super::decode::{Authenticity, Decoded, SINCE};
use super::settings::Settings;
use crate::message::{Keys, Message, Method, Rejection, Short, SignedShort, Track, is_short};

/// What there is to know of one.
#[derive(Debug)]
pub struct Found {
    /// Whether to believe it.
    pub decoded: Decoded,
    /// What it says, in words.
    pub words: String,
}

/// Takes a short heartbeat apart into `message`, which has no sender where that is not known; `None` for anything else.
pub fn find(line: &[u8], settings: &Settings, book: &Book, message: &mut Message) -> Option<Found> {
    if !is_short(line) {
        return None;
    }
    message.clear();
    let authenticity = match SignedShort::parse(line) {
        Ok(signed) => {
            let words = signed.short.to_string();
            let (sender, authenticity) = judge(&signed, settings, book);
            fill(message, &signed.short, sender);
            return Some(found(authenticity, format!("alive: {words}")));
        }
        Err(reason) => Authenticity::NotAuthentic { reason, key: None },
    };
    Some(found(authenticity, String::new()))
}

fn found(authenticity: Authenticity, words: String) -> Found {
    let decoded = Decoded {
        form: None,
        is_compressed: false,
        authenticity,
    };
    Found { decoded, words }
}

/// Who signed it, in which run, and whether it is authentic.
fn judge<'a>(
    signed: &SignedShort<'_>,
    settings: &Settings,
    book: &'a Book,
) -> (Option<(&'a str, u64)>, Authenticity) {
    let key = Some(signed.key);
    let Some(keys) = &settings.keys else {
        return (None, Authenticity::NotChecked { key });
    };
    let mut names: Vec<&str> = settings.nodes.iter().map(String::as_str).collect();
    if names.is_empty() {
        names = book.nodes.keys().map(String::as_str).collect();
    }
    let mut are_all_known = names.len() > 1;
    for &from in &names {
        let Some((sender, generation)) = heard(book, from) else {
            are_all_known = false;
            continue;
        };
        for &to in names.iter().filter(|&&to| to != from) {
            let track = Track {
                from,
                to,
                generation,
            };
            match signed.verify(track, keys) {
                Ok(key) => return (Some((sender, generation)), authentic(key, keys)),
                Err(Rejection::WrongSignature) => {}
                Err(reason) => return (None, Authenticity::NotAuthentic { reason, key }),
            }
        }
    }
    let reason = Rejection::WrongSignature;
    let authenticity = if are_all_known {
        Authenticity::NotAuthentic { reason, key }
    } else {
        Authenticity::NotChecked { key } // of one of them no full message has come yet
    };
    (None, authenticity)
}

fn authentic(key: u8, keys: &Keys) -> Authenticity {
    Authenticity::Authentic {
        key,
        method: keys.entry(key).map_or(Method::Crc, |key| key.method),
        ours: keys.signing,
    }
}

/// A node as it calls itself, and the run that it was last heard in.
fn heard<'a>(book: &'a Book, name: &str) -> Option<(&'a str, u64)> {
    let mut nodes = book.nodes.iter();
    let (known, node) = nodes.find(|(known, _)| known.eq_ignore_ascii_case(name))?;
    Some((known, node.stream.generation()?))
}

fn fill(message: &mut Message, short: &Short, sender: Option<(&str, u64)>) {
    message.push_text("t", "status");
    if let Some((name, generation)) = sender {
        message.push_text("src", name);
        message.push_fmt("hg", format_args!("{generation:x}"));
    }
    message.push_fmt("seq", format_args!("{:x}", short.number));
    message.push_fmt(SINCE, format_args!("{:x}", short.since));
    message.push_fmt("via", format_args!("{:x}", short.via));
    for (name, number) in [("hl", short.hears), ("hs", short.has)] {
        match number {
            Some(number) => message.push_fmt(name, format_args!("{number:x}")),
            None => message.push_text(name, "-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Heard, Sniffer};
    use super::*;
    use crate::message::{Key, seal, seal_short};

    fn keys(text: &[u8]) -> Keys {
        let mut keys = Keys {
            entries: Default::default(),
            signing: 1,
        };
        keys.entries[1] = Some(Key {
            method: Method::Sha1,
            text: text.to_vec(),
        });
        keys
    }

    fn full(name: &str, number: u64) -> Vec<u8> {
        let mut message = Message::new();
        for (field, value) in [
            ("t", "status"),
            ("st", "active"),
            ("src", name),
            ("ts", "1"),
        ] {
            message.push_text(field, value);
        }
        message.push_text("hr", "2 6b008f1f.1 1a2b3c4d R 3 0");
        message.push_text("hg", "7");
        message.push_fmt("seq", format_args!("{number:x}"));
        let (mut datagram, mut text) = (Vec::new(), Vec::new());
        seal(&message, &keys(b"key"), 1, true, &mut datagram, &mut text).expect("sealed");
        text
    }

    fn short(from: &str, to: &str, number: u64) -> Vec<u8> {
        let short = Short {
            number,
            since: 10,
            via: 0,
            hears: Some(1),
            has: Some(20),
        };
        let track = Track {
            from,
            to,
            generation: 7,
        };
        let mut line = Vec::new();
        seal_short(&short, track, &keys(b"key"), 1, &mut line).expect("sealed");
        line
    }

    /// What a sniffer that has these keys says of the last of these.
    fn said(keys: Option<Keys>, nodes: &[&str], lines: &[Vec<u8>]) -> String {
        let mut sniffer = Sniffer::new(Settings {
            keys,
            nodes: nodes.iter().map(|name| (*name).to_owned()).collect(),
            ..Settings::default()
        });
        let mut said = String::new();
        for bytes in lines {
            let sighting = sniffer.hear(&Heard {
                time: None,
                link: "serial",
                direction: None,
                source: None,
                destination: None,
                pieces: 1,
                is_cut: false,
                bytes,
            });
            let words = sighting.line("-", 6);
            said = words.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(sighting.form == Some("short"), is_short(bytes));
        }
        said
    }

    #[test]
    fn its_sender_is_found_and_its_place_in_the_stream() {
        let both = [full("alpha", 10), full("beta", 20)];
        for (nodes, sender, other) in [
            (&["alpha", "beta"][..], "alpha", "beta"),
            (&["Beta", "Alpha"], "beta", "alpha"),
            (&[], "alpha", "beta"),
        ] {
            let number = if sender == "alpha" { 11 } else { 21 };
            let mut lines = both.to_vec();
            lines.push(short(sender, other, number));
            let said = said(Some(keys(b"key")), nodes, &lines).to_lowercase();
            assert_eq!(
                said,
                format!(
                    "- serial {sender} 7/{number} status alive: {number}, as since 10, by link 0, hears 1, knows 20 authentic (key 1 sha1); new"
                )
            );
        }
    }

    #[test]
    fn one_that_nobody_can_have_signed_is_not_authentic_and_of_a_run_not_heard_of_nobody_knows() {
        let both = [full("alpha", 10), full("beta", 20)];
        let nodes = ["alpha", "beta"];
        let of = |keys, start: &[Vec<u8>], line: Vec<u8>| {
            let mut lines = start.to_vec();
            lines.push(line);
            said(keys, &nodes, &lines)
        };
        let own = || Some(keys(b"key"));
        let line = || short("alpha", "beta", 11);
        let mut damaged = line();
        damaged[1] ^= 1;
        let cases = [
            (
                of(own(), &both, short("alpha", "gamma", 11)),
                "NOT AUTHENTIC: wrong signature (key 1)",
            ),
            (
                of(own(), &both, damaged),
                "NOT AUTHENTIC: wrong signature (key 1)",
            ),
            (of(own(), &both[1..], line()), "not checked (key 1)"),
            (of(None, &both, line()), "not checked (key 1)"),
            (
                of(own(), &both, b"!1.2\n".to_vec()),
                "REFUSED: malformed: bad short heartbeat",
            ),
        ];
        for (said, expected) in cases {
            assert!(
                said.starts_with("- serial ?") && said.ends_with(expected),
                "{said}"
            );
        }
    }
}
