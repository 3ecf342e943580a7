//! Reads `authkeys`. No diagnostic ever shows a key.

use std::path::Path;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::key_strength::weakness;
use super::secrets::without_key;
use super::source::{File, Line, Place, Source, Word, is_blank};
use super::spelling::{first_lookalike, nearest};
use crate::message::{Key, Keys, Method};

/// The permission bits of others that make keys readable, or replaceable, for them.
const FORBIDDEN_MODE: u32 = 0o066;

/// What mends a key that is no good.
const ANOTHER_KEY: &str =
    "`heartbeat keygen --rotate` adds a random one, and says how both nodes change over to it";

/// What was read so far.
#[derive(Debug, Default)]
struct Reading {
    entries: [Option<Key>; 16],
    places: [Option<Place>; 16],
    /// The number of the latest `auth` line.
    auth: Option<(u8, Place)>,
    /// Whether an `auth` line was tried at all.
    auth_tried: bool,
    /// The key line that matched the latest `auth` line when it was read.
    signing: Option<u8>,
    /// Whether a key line could not be read.
    damaged: bool,
    /// The numbers of the `auth` lines, from 1.
    auth_lines: Vec<usize>,
    /// Those of the lines with a key, forgotten ones among them.
    key_lines: Vec<usize>,
    /// The keys whose method is no good any more: number, method, and where that stands.
    outdated: Vec<(u8, Method, Place)>,
}

/// The keys, with the lines that they stand on.
#[derive(Debug)]
pub(super) struct Entries {
    pub(super) keys: Keys,
    /// The numbers of the `auth` lines, from 1.
    pub(super) auth_lines: Vec<usize>,
    /// Those of the lines with a key, forgotten ones among them.
    pub(super) key_lines: Vec<usize>,
}

/// The keys, or nothing when `out` says why.
pub(super) fn parse(path: &Path, source: &Source, out: &mut Diagnostics) -> Option<Keys> {
    entries(path, source, out).map(|entries| entries.keys)
}

/// The same, and where they stand.
pub(super) fn entries(path: &Path, source: &Source, out: &mut Diagnostics) -> Option<Entries> {
    let file = File::new(path, &source.text);
    let mut errors = Diagnostics::default();
    check_mode(&file.name, source.mode, &mut errors);
    let mut reading = Reading::default();
    let raw_lines = source.text.split(|&byte| byte == b'\n');
    for (line, raw) in file.lines.iter().zip(raw_lines) {
        reading.take(line, raw, &mut errors);
    }
    let end = file.end_of(|line| line.shown_as(without_key(&line.text)));
    let signing = reading.signing_key(end.as_ref(), &mut errors);
    errors.extend(reading.outdated(signing));
    let sound = !errors.has_errors();
    out.append(errors);
    let signing = signing.filter(|_| sound)?;
    Some(Entries {
        keys: Keys {
            entries: reading.entries,
            signing,
        },
        auth_lines: reading.auth_lines,
        key_lines: reading.key_lines,
    })
}

fn check_mode(file: &Arc<str>, mode: u32, out: &mut Diagnostics) {
    let others = mode & FORBIDDEN_MODE;
    if others == 0 {
        return;
    }
    let what = if others & 0o044 == 0 {
        "written"
    } else {
        "read"
    };
    let mode = mode & 0o777;
    let message = format!("keys can be {what} by others: the mode is {mode:03o}");
    let error = Diagnostic::about(Severity::Error, file, message);
    out.push(error.help(format!("run `chmod 600 {file}`")));
}

impl Reading {
    fn take(&mut self, line: &Line, raw: &[u8], out: &mut Diagnostics) {
        let shown = line.shown_as(without_key(&line.text));
        let words = line.words(0..line.text.len(), is_blank);
        let words: Vec<Word> = words
            .into_iter()
            .map(|word| Word {
                place: shown.place(word.place.span.clone()),
                ..word
            })
            .collect();
        let Some(first) = words.first().filter(|word| !word.text.starts_with('#')) else {
            return;
        };
        if let Some(error) = first_lookalike(std::slice::from_ref(first)) {
            // What the line was meant to be is a guess, so nothing is missing for sure.
            self.auth_tried = true;
            self.damaged = true;
            out.push(error);
        } else if first.text.starts_with('a') {
            self.auth_line(&words, out);
        } else {
            self.key_line(&words, raw, out);
        }
    }

    /// `auth N`, with or without a blank.
    fn auth_line(&mut self, words: &[Word], out: &mut Diagnostics) {
        self.auth_tried = true;
        let Some((first, rest)) = words.split_first() else {
            return;
        };
        let after = first.text.strip_prefix("auth");
        let (number, rest) = match (after, rest) {
            (Some(""), [number, rest @ ..]) => (number.clone(), rest),
            (Some(glued), rest) if !glued.is_empty() => {
                let place = first.place.part(&(4..first.text.len()));
                (
                    Word {
                        text: glued.to_owned(),
                        place,
                    },
                    rest,
                )
            }
            _ => {
                let label = if after.is_some() {
                    "a number is missing after this"
                } else {
                    "did you mean `auth`?"
                };
                out.push(Diagnostic::error(&first.place, "bad `auth` line").label(label));
                return;
            }
        };
        let digits = number.text.trim_start_matches(|c: char| c.is_ascii_digit());
        let (digits, tail) = number.text.split_at(number.text.len() - digits.len());
        if digits.is_empty() {
            let error = Diagnostic::error(&number.place, "bad `auth` line");
            out.push(error.label("the number of a key is expected, such as `auth 1`"));
            return;
        }
        let Some(index) = index(digits) else {
            let error = Diagnostic::error(&number.place, format!("bad key number `{digits}`"));
            out.push(error.label("must be between 0 and 15"));
            return;
        };
        // `auth11 sha1 …` is what a page leaves of `auth 1` and `1 sha1 …`.
        if let Some(method) = rest
            .first()
            .filter(|word| Method::named(&word.text).is_some())
        {
            let place = number.place.to(&method.place);
            let error = Diagnostic::error(&place, "two lines on one");
            let split = digits.len() / 2;
            let (auth, key) = digits.split_at(split.max(1).min(digits.len()));
            let key = if key.is_empty() { auth } else { key };
            out.push(error.label("a line break is missing").help(format!(
                "write two lines: `auth {auth}`, and `{key} {} KEY`",
                method.text
            )));
            return;
        }
        let extra = rest.first().map(|word| (&word.text, word.place.clone()));
        let extra = if tail.is_empty() {
            extra
        } else {
            Some((
                &number.text,
                number.place.part(&(digits.len()..number.text.len())),
            ))
        };
        if let Some((text, place)) = extra.filter(|(text, _)| !text.starts_with('#')) {
            let label = if text.starts_with("//") {
                "ignored; comments begin with `#`"
            } else {
                "ignored"
            };
            out.push(Diagnostic::warning(&place, "words after the number of the key").label(label));
        }
        if let Some((earlier, place)) = self.auth.as_ref().filter(|(earlier, _)| *earlier != index)
        {
            let warning = Diagnostic::warning(&number.place, "two `auth` lines");
            out.push(
                warning
                    .label(format!("`{index}` here"))
                    .related(place, format!("`{earlier}` here")),
            );
        }
        self.auth_lines.push(number.place.line);
        self.auth = Some((index, number.place));
    }

    /// `N METHOD [KEY]`, with or without a blank after the number.
    fn key_line(&mut self, words: &[Word], raw: &[u8], out: &mut Diagnostics) {
        let parsed = self.entry(words, raw, out);
        self.damaged |= parsed.is_none();
        let Some((index, key)) = parsed else { return };
        let Some(first) = words.first() else { return };
        self.key_lines.push(first.place.line);
        let slot = usize::from(index);
        if let Some(Some(place)) = self.places.get(slot) {
            let warning = Diagnostic::warning(&first.place, format!("key {index} is given twice"));
            out.push(
                warning
                    .label("this one counts")
                    .related(place, "this one is forgotten"),
            );
        }
        if let (Some(entry), Some(place)) = (self.entries.get_mut(slot), self.places.get_mut(slot))
        {
            *entry = Some(key);
            *place = Some(first.place.clone());
        }
        if self.auth.as_ref().is_some_and(|(auth, _)| *auth == index) {
            self.signing = Some(index);
        }
    }

    /// The number and the key of a key line.
    fn entry(&mut self, words: &[Word], raw: &[u8], out: &mut Diagnostics) -> Option<(u8, Key)> {
        let first = words.first()?;
        let letters = first.text.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = first.text.strip_suffix(letters).unwrap_or_default();
        if digits.is_empty() {
            out.push(self.no_key_line(words, first));
            return None;
        }
        let Some(index) = index(digits) else {
            let place = first.place.part(&(0..digits.len()));
            let error = Diagnostic::error(&place, format!("bad key number `{digits}`"));
            out.push(error.label("must be between 0 and 15"));
            return None;
        };
        let (name, place, used) = if letters.is_empty() {
            let Some(word) = words.get(1) else {
                let error = Diagnostic::error(&first.place, format!("key {index} has no method"));
                out.push(error.label("a method and a key are missing after this"));
                return None;
            };
            (word.text.as_str(), word.place.clone(), 2)
        } else {
            (
                letters,
                first.place.part(&(digits.len()..first.text.len())),
                1,
            )
        };
        let Some(method) = Method::named(name) else {
            out.push(unknown_method(name, &place));
            return None;
        };
        // The key is taken from the bytes of the file: it need not be text.
        let mut raw_words = raw
            .split(|&byte| is_blank(char::from(byte)))
            .filter(|word| !word.is_empty());
        let text = raw_words.nth(used).unwrap_or_default().to_vec();
        let key = Key { method, text };
        let key = check_key(&key, &place, words.get(used), words.get(used + 1), out)?;
        if matches!(key.method, Method::Crc | Method::Md5) {
            self.outdated.push((index, key.method, place));
        }
        Some((index, key))
    }

    /// One warning about methods that are no good any more, however many keys have one: about the key that signs, if it is
    /// one of them.
    fn outdated(&self, signing: Option<u8>) -> Option<Diagnostic> {
        let signs = |entry: &&(u8, Method, Place)| Some(entry.0) == signing;
        let of_signing = self.outdated.iter().rfind(signs);
        let (_, method, place) = of_signing.or(self.outdated.first())?;
        let (message, label) = match method {
            Method::Crc if of_signing.is_none() && signing.is_some() => (
                "`crc` is no authentication",
                "not accepted while a key signs; remove this line",
            ),
            Method::Crc => (
                "`crc` is no authentication",
                "anybody on the network can send messages; use `sha1` with a key",
            ),
            _ => (
                "`md5` is out of date",
                "use `sha256`, or `sha1` while one of the nodes runs heartbeat 3.0.6",
            ),
        };
        let warning = Diagnostic::warning(place, message).label(label);
        Some(if of_signing.is_some() {
            warning.help(ANOTHER_KEY)
        } else {
            warning
        })
    }

    /// What to say about a line that does not begin with a number.
    fn no_key_line(&mut self, words: &[Word], first: &Word) -> Diagnostic {
        let lower = first.text.to_ascii_lowercase();
        if first.text.starts_with("//") {
            return Diagnostic::error(&first.place, "`//` does not begin a comment")
                .label("comments begin with `#`");
        }
        if let Some(number) = lower.strip_prefix("auth") {
            self.auth_tried = true;
            let number = if number.is_empty() {
                words.get(1).map_or("1", |word| &word.text)
            } else {
                number
            };
            return Diagnostic::error(&first.place, format!("unknown word `{}`", first.text))
                .label(format!("did you mean `auth {number}`?"))
                .help("`auth` is written in lower case");
        }
        let error = Diagnostic::error(&first.place, "neither an `auth` line nor a key");
        if Method::named(&lower).is_some() {
            return error.label(format!(
                "did you mean `1 {lower} ...`? The number of the key is missing"
            ));
        }
        error.label("`auth NUMBER` or `NUMBER METHOD KEY` is expected")
    }

    /// The key that signs.
    fn signing_key(&self, end: Option<&Place>, out: &mut Diagnostics) -> Option<u8> {
        let Some((index, place)) = &self.auth else {
            if let (false, Some(end)) = (self.auth_tried, end) {
                let error = Diagnostic::error(end, "no `auth` line: which key signs is not said");
                out.push(error.label("`auth NUMBER` is missing").help(
                    "for example two lines: `auth 1`, and `1 sha1 KEY` with a long random KEY",
                ));
            }
            return None;
        };
        if self.signing.is_none() && !self.damaged {
            let key = self
                .places
                .get(usize::from(*index))
                .and_then(Option::as_ref);
            out.push(match key {
                Some(key) => {
                    Diagnostic::error(place, format!("`auth {index}` stands after its key"))
                        .label("move this line to the beginning of the file")
                        .related(key, "the key")
                }
                None => Diagnostic::error(place, format!("there is no key {index}"))
                    .label(format!("a line `{index} METHOD KEY` is missing")),
            });
        }
        self.signing
    }
}

/// Looks at the key itself; `word` is the key in the file, `extra` what follows it.
fn check_key(
    key: &Key,
    method: &Place,
    word: Option<&Word>,
    extra: Option<&Word>,
    out: &mut Diagnostics,
) -> Option<Key> {
    if key.method == Method::Crc {
        if let Some(word) = word.filter(|word| !word.text.starts_with('#')) {
            let warning = Diagnostic::warning(&word.place, "`crc` takes no key");
            out.push(warning.label("ignored; heartbeat 3.0.6 refuses to start with this"));
        }
        return Some(Key {
            method: Method::Crc,
            text: Vec::new(),
        });
    }
    let Some(word) = word else {
        out.push(
            Diagnostic::error(method, "the key is missing").label("a key is missing after this"),
        );
        return None;
    };
    if word.text.starts_with('#') {
        let warning = Diagnostic::warning(&word.place, "this is the key, not a comment");
        out.push(warning.label("comments have lines of their own in this file"));
    } else if let Some(weakness) = weakness(&key.text) {
        let warning = Diagnostic::warning(&word.place, weakness.message());
        out.push(warning.label(weakness.label()).help(ANOTHER_KEY));
    }
    if let Some(extra) = extra.filter(|extra| !extra.text.starts_with('#')) {
        let label = if extra.text.starts_with("//") {
            "ignored; comments begin with `#`"
        } else {
            "ignored; a key is one word"
        };
        out.push(Diagnostic::warning(&extra.place, "words after the key").label(label));
    }
    Some(key.clone())
}

fn unknown_method(name: &str, place: &Place) -> Diagnostic {
    let names = Method::ALL.map(Method::name);
    let label = match nearest(name, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("must be {}", super::value::alternatives(&names)),
    };
    Diagnostic::error(place, "unknown method").label(label)
}

fn index(digits: &str) -> Option<u8> {
    digits.parse().ok().filter(|index| *index <= 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (Option<Keys>, usize) {
        let mut out = Diagnostics::default();
        let source = Source {
            text: text.as_bytes().to_vec(),
            mode: 0o100_600,
        };
        let keys = parse(Path::new("authkeys"), &source, &mut out);
        assert_eq!(keys.is_none(), out.has_errors(), "{out}");
        (keys, out.count(Severity::Warning))
    }

    #[test]
    fn the_key_that_matches_the_latest_auth_line_before_it_signs() {
        let cases = [
            ("auth 1\n1 md5 x", Some(1)),
            ("auth1\n1md5 x", Some(1)),
            ("auth 1\nauth 2\n1 md5 x\n2 md5 y", Some(2)),
            ("auth 1\n1 md5 x\nauth 2\n2 md5 y", Some(2)),
            ("auth 2\n2 md5 y\nauth 1", Some(2)),
            ("auth 0\n00 md5 x\n15 md5 y", Some(0)),
            ("1 md5 x\nauth 1", None),
            ("auth 1\n2 md5 x\nauth 2\n1 md5 y", None),
            ("1 md5 x", None),
            ("auth 16\n16 md5 x", None),
        ];
        for (text, signing) in cases {
            assert_eq!(read(text).0.map(|keys| keys.signing), signing, "{text}");
        }
    }

    #[test]
    fn a_key_ends_at_the_first_blank_and_need_not_be_text() {
        let mut out = Diagnostics::default();
        let text = b"auth 1\r\n1 md5 \xffab cd\r\n2\tsha1\tx\n".to_vec();
        let keys = parse(
            Path::new("authkeys"),
            &Source { text, mode: 0o600 },
            &mut out,
        );
        let entry = |index: usize| keys.as_ref().and_then(|keys| keys.entries[index].clone());
        assert_eq!(
            entry(1),
            Some(Key {
                method: Method::Md5,
                text: b"\xffab".to_vec()
            })
        );
        assert_eq!(
            entry(2),
            Some(Key {
                method: Method::Sha1,
                text: b"x".to_vec()
            })
        );
    }

    #[test]
    fn a_comment_behind_crc_is_accepted_and_words_behind_a_key_are_told() {
        assert_eq!(read("auth 1\n1 crc # noise only").1, 1);
        assert_eq!(read("auth 1\n1 sha1 a-long-secret-of-ours # ours").1, 0);
        assert_eq!(read("auth 1\n1 sha1 a-long-secret-of ours").1, 1);
        assert_eq!(read("auth 1\n1 sha1 Hello!").1, 1);
    }

    #[test]
    fn old_methods_get_one_warning_and_those_that_are_sound_none() {
        const LONG: &str = "a-long-secret-of-ours";
        for (text, warnings) in [
            (format!("auth 1\n1 sha256 {LONG}"), 0),
            (format!("auth 1\n1 sha1 {LONG}"), 0),
            (format!("auth 1\n1 md5 {LONG}"), 1),
            (format!("auth 2\n1 crc\n2 md5 {LONG}\n3 md5 {LONG}"), 1),
            (format!("auth 2\n1 crc\n2 sha1 {LONG}"), 1),
            ("auth 2\n1 crc\n2 crc".to_owned(), 1),
        ] {
            assert_eq!(read(&text).1, warnings, "{text}");
        }
    }

    #[test]
    fn only_bits_that_let_others_read_or_write_are_refused() {
        for (mode, accepted) in [
            (0o600, true),
            (0o400, true),
            (0o700, true),
            (0o711, true),
            (0o620, false),
            (0o604, false),
        ] {
            let mut out = Diagnostics::default();
            let source = Source {
                text: b"auth 1\n1 crc\n".to_vec(),
                mode,
            };
            assert_eq!(
                parse(Path::new("authkeys"), &source, &mut out).is_some(),
                accepted,
                "{mode:o}"
            );
        }
    }
}
