//! Reads `authkeys`. No diagnostic ever shows a key.

use std::path::Path;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::source::{File, Line, Place, Source, Word, is_blank};
use super::suggest::{lookalike, nearest};
use crate::message::{Key, Keys, Method};

/// The permission bits of others that make keys readable, or replaceable, for them.
const FORBIDDEN_MODE: u32 = 0o066;

/// Keys that stand in every sample file and how-to document.
const PUBLIC_KEYS: [&str; 4] = ["hi!", "hello!", "password", "secret"];

/// The names of the methods.
const METHODS: [(&str, Method); 4] = [
    ("crc", Method::Crc),
    ("md5", Method::Md5),
    ("sha1", Method::Sha1),
    ("sha256", Method::Sha256),
];

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
}

/// The keys, or nothing when `out` says why.
pub(super) fn parse(path: &Path, source: &Source, out: &mut Diagnostics) -> Option<Keys> {
    let file = File::new(path, &source.text);
    let mut errors = Diagnostics::default();
    check_mode(&file.name, source.mode, &mut errors);
    let mut reading = Reading::default();
    let raw_lines = source.text.split(|&byte| byte == b'\n');
    for (line, raw) in file.lines.iter().zip(raw_lines) {
        reading.take(line, raw, &mut errors);
    }
    let signing = reading.signing_key(&file, &mut errors);
    let sound = !errors.has_errors();
    out.append(errors);
    let signing = signing.filter(|_| sound)?;
    Some(Keys {
        entries: reading.entries,
        signing,
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
        if first.text.starts_with('a') {
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
        if let Some(method) = rest.first().filter(|word| method(&word.text).is_some()) {
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
        self.auth = Some((index, number.place));
    }

    /// `N METHOD [KEY]`, with or without a blank after the number.
    fn key_line(&mut self, words: &[Word], raw: &[u8], out: &mut Diagnostics) {
        let parsed = self.entry(words, raw, out);
        self.damaged |= parsed.is_none();
        let Some((index, key)) = parsed else { return };
        let Some(first) = words.first() else { return };
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
        let Some(method) = method(name) else {
            out.push(unknown_method(name, &place));
            return None;
        };
        // The key is taken from the bytes of the file: it need not be text.
        let mut raw_words = raw
            .split(|&byte| is_blank(char::from(byte)))
            .filter(|word| !word.is_empty());
        let text = raw_words.nth(used).unwrap_or_default().to_vec();
        let key = Key { method, text };
        check_key(&key, &place, words.get(used), words.get(used + 1), out).map(|key| (index, key))
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
        if let Some((_, (name, meant))) = first.text.chars().find_map(|c| Some((c, lookalike(c)?)))
        {
            return Diagnostic::error(&first.place, "unexpected character")
                .label(format!("{name}; {meant} is meant"));
        }
        let error = Diagnostic::error(&first.place, "neither an `auth` line nor a key");
        if method(&lower).is_some() {
            return error.label(format!(
                "did you mean `1 {lower} ...`? The number of the key is missing"
            ));
        }
        error.label("`auth NUMBER` or `NUMBER METHOD KEY` is expected")
    }

    /// The key that signs.
    fn signing_key(&self, file: &File, out: &mut Diagnostics) -> Option<u8> {
        let Some((index, place)) = &self.auth else {
            if let (false, Some(end)) = (self.auth_tried, file.end()) {
                let error = Diagnostic::error(&end, "no `auth` line: which key signs is not said");
                out.push(error.label("`auth NUMBER` is missing").help(
                    "for example two lines: `auth 1`, and `1 sha1 KEY` with a long random KEY",
                ));
            }
            return None;
        };
        if self.signing.is_none() && !self.damaged {
            let error = Diagnostic::error(place, format!("key {index} signs, but there is none"));
            let key = self
                .places
                .get(usize::from(*index))
                .and_then(Option::as_ref);
            out.push(match key {
                Some(key) => error
                    .label("must stand before its key")
                    .related(key, "the key"),
                None => error.label(format!("no line `{index} METHOD KEY`")),
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
        let warning = Diagnostic::warning(method, "`crc` is no authentication");
        out.push(warning.label("anybody on the network can send messages; use `sha1` with a key"));
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
    if key.method == Method::Sha256 {
        let warning = Diagnostic::warning(method, "heartbeat 3.0.6 does not know `sha256`");
        out.push(warning.label("both nodes must run this program"));
    }
    let plain = String::from_utf8_lossy(&key.text).to_ascii_lowercase();
    if PUBLIC_KEYS.contains(&plain.as_str()) {
        let warning =
            Diagnostic::warning(&word.place, "this key is public: it stands in sample files");
        out.push(warning.label("use a long random one").help(
            "for example the output of `head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \\n'`",
        ));
    } else if word.text.starts_with('#') {
        let warning = Diagnostic::warning(&word.place, "this is the key, not a comment");
        out.push(warning.label("comments have lines of their own in this file"));
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
    let names = METHODS.map(|(name, _)| name);
    let label = match nearest(name, names) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("must be {}", super::value::alternatives(&names)),
    };
    Diagnostic::error(place, "unknown method").label(label)
}

fn method(name: &str) -> Option<Method> {
    METHODS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, method)| *method)
}

fn index(digits: &str) -> Option<u8> {
    digits.parse().ok().filter(|index| *index <= 15)
}

/// The line with everything replaced that may be a key, byte for byte.
fn without_key(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut words = 0;
    let mut method_seen = false;
    for piece in text.split_inclusive(is_blank) {
        let word = piece.trim_end_matches(is_blank);
        let letters = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_comment = shown.trim().is_empty() && word.starts_with(['#', '/']);
        let is_known = !method_seen
            && ((letters.is_empty() && (words == 0 || word.len() <= 2))
                || METHODS
                    .iter()
                    .any(|(name, _)| name.eq_ignore_ascii_case(letters))
                || letters.to_ascii_lowercase().starts_with("auth"));
        if is_comment || is_known || (words == 0 && word.len() < 8) {
            shown += word;
        } else {
            // As many asterisks as bytes, so that places keep their meaning.
            shown.extend(std::iter::repeat_n('*', word.len()));
        }
        method_seen |= METHODS
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(letters));
        words += usize::from(!word.is_empty());
        shown += piece.get(word.len()..).unwrap_or_default();
    }
    shown
}
