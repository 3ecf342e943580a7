//! Text with its whereabouts: files, lines and words that know where they stand.
//!
//! What a line means is decided in the parsers; what a diagnostic looks like in `diagnostic`.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// What a [`Reader`] found at a path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// The bytes of the file.
    pub text: Vec<u8>,
    /// The permission bits; only those of `authkeys` matter.
    pub mode: u32,
}

/// How the configuration reaches its files. The daemon reads the disk, tests a table.
pub trait Reader {
    /// Reads one file whole.
    fn read(&self, path: &Path) -> io::Result<Source>;
}

impl<F: Fn(&Path) -> io::Result<Source>> Reader for F {
    fn read(&self, path: &Path) -> io::Result<Source> {
        self(path)
    }
}

/// Where something stands, with the line to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as it is shown to people.
    pub file: Arc<str>,
    /// Line number from 1.
    pub line: usize,
    /// The line without its end. Keys are replaced by asterisks.
    pub excerpt: Arc<str>,
    /// The bytes of `excerpt` that are meant.
    pub span: Range<usize>,
}

impl Place {
    /// Column of the first character that is meant, from 1, counted in characters.
    pub fn column(&self) -> usize {
        let before = self.excerpt.get(..self.span.start).unwrap_or_default();
        before.chars().count() + 1
    }

    /// The same line with only a part of this place, counted in bytes from its beginning.
    pub(super) fn part(&self, part: &Range<usize>) -> Self {
        let start = self
            .span
            .start
            .saturating_add(part.start)
            .min(self.span.end);
        let end = self
            .span
            .start
            .saturating_add(part.end)
            .clamp(start, self.span.end);
        Self {
            span: start..end,
            ..self.clone()
        }
    }

    /// From the beginning of this place to the end of another on the same line.
    pub(super) fn to(&self, last: &Self) -> Self {
        Self {
            span: self.span.start..last.span.end.max(self.span.start),
            ..self.clone()
        }
    }
}

/// One of the files, whole.
#[derive(Debug)]
pub(super) struct File {
    /// Its name in diagnostics.
    pub(super) name: Arc<str>,
    /// Its lines, without line ends.
    pub(super) lines: Vec<Line>,
}

impl File {
    /// Splits what was read from `path`. Bytes that are not UTF-8 become U+FFFD, one by one as far
    /// as ASCII is concerned, so that words stay where they are.
    pub(super) fn new(path: &Path, text: &[u8]) -> Self {
        let name: Arc<str> = path.display().to_string().into();
        let body = text.strip_suffix(b"\n").unwrap_or(text);
        let lines = body
            .split(|&byte| byte == b'\n')
            .zip(1..)
            .map(|(bytes, number)| {
                let shown = String::from_utf8_lossy(bytes.strip_suffix(b"\r").unwrap_or(bytes));
                Line {
                    file: Arc::clone(&name),
                    number,
                    text: shown.into(),
                }
            });
        Self {
            name: Arc::clone(&name),
            lines: lines.collect(),
        }
    }

    /// The end of the last line that says anything: where something that is missing is missed.
    pub(super) fn end(&self) -> Option<Place> {
        self.end_of(Line::clone)
    }

    /// The same, with the line as `shown` shows it.
    pub(super) fn end_of(&self, shown: impl Fn(&Line) -> Line) -> Option<Place> {
        let last = self
            .lines
            .iter()
            .rev()
            .find(|line| !line.text.trim().is_empty());
        let line = last.or(self.lines.first())?;
        let end = line.text.trim_end().len();
        Some(shown(line).place(end..end))
    }
}

/// One line of a file.
#[derive(Debug, Clone)]
pub(super) struct Line {
    file: Arc<str>,
    /// Line number from 1.
    pub(super) number: usize,
    /// The line without its end.
    pub(super) text: Arc<str>,
}

impl Line {
    /// A place on this line; `span` counts bytes of its text.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let (file, excerpt) = (Arc::clone(&self.file), Arc::clone(&self.text));
        Place {
            file,
            line: self.number,
            excerpt,
            span,
        }
    }

    /// The same line with other text shown in its place; it must have the same length in bytes.
    pub(super) fn shown_as(&self, text: String) -> Self {
        Self {
            text: text.into(),
            ..self.clone()
        }
    }

    /// The words of a part of the line, parted by characters that satisfy `separates`.
    pub(super) fn words(&self, part: Range<usize>, separates: fn(char) -> bool) -> Vec<Word> {
        let text = self.text.get(part.clone()).unwrap_or_default();
        let mut words = Vec::new();
        let mut at = part.start;
        for piece in text.split(separates) {
            if !piece.is_empty() {
                words.push(Word {
                    text: piece.to_owned(),
                    place: self.place(at..at + piece.len()),
                });
            }
            let separator = self
                .text
                .get(at + piece.len()..)
                .and_then(|rest| rest.chars().next());
            at += piece.len() + separator.map_or(0, char::len_utf8);
        }
        words
    }
}

/// A word and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) place: Place,
}

/// The blanks of heartbeat 3.0.6.
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n' | '\x0c')
}

/// What parts the elements of a list.
pub(super) fn is_blank_or_comma(character: char) -> bool {
    character == ',' || is_blank(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_know_their_columns() {
        let file = File::new(Path::new("f"), b"one\n \xff two,three\r\n");
        assert_eq!(file.lines.len(), 2);
        let line = &file.lines[1];
        let words = line.words(0..line.text.len(), is_blank_or_comma);
        let seen: Vec<_> = words
            .iter()
            .map(|w| (w.text.as_str(), w.place.column()))
            .collect();
        assert_eq!(seen, [("\u{fffd}", 2), ("two", 4), ("three", 8)]);
    }

    #[test]
    fn the_end_of_a_file_is_after_its_last_word() {
        let end = File::new(Path::new("f"), b"abc \n\n").end();
        assert_eq!(end.map(|place| (place.line, place.column())), Some((1, 4)));
        let end = File::new(Path::new("f"), b"").end();
        assert_eq!(end.map(|place| (place.line, place.column())), Some((1, 1)));
    }
}
