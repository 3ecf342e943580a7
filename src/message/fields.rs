//! [`Message`]: an ordered list of named, typed fields.
//!
//! All names and values live in one buffer that is reused from message to message. Whatever form a
//! message came in, its values are kept in one canonical form: a struct as the netstring form of the
//! nested message, a list as packed netstrings, everything else as plain bytes.

use std::fmt;

use super::{Sink as _, classic, netstring};

/// The type of a field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// Bytes without NUL, nearly always ASCII text.
    Text,
    /// Any bytes.
    Binary,
    /// A nested message.
    Struct,
    /// One or more non-empty texts.
    List,
    /// A nested message, compressed.
    Compressed,
}

impl FieldKind {
    /// The digit that stands for this type on a wire.
    pub fn digit(self) -> u8 {
        match self {
            Self::Text => b'0',
            Self::Binary => b'1',
            Self::Struct => b'2',
            Self::List => b'3',
            Self::Compressed => b'4',
        }
    }
}

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// The type of the value.
    pub kind: FieldKind,
    /// The name: no `=`, newline or NUL in it, and nothing at its start that means something else.
    pub name: &'a [u8],
    /// The value: plain bytes; a struct in netstring form, a list as packed netstrings.
    pub value: &'a [u8],
}

/// What is wrong with bytes that should have been a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Malformed {
    /// A length is missing, too long or points outside.
    Length,
    /// The end marker is missing or damaged.
    EndMarker,
    /// A type that does not exist or is not allowed there.
    Kind,
    /// An empty name, one without `=`, or one that could be mistaken for something else.
    Name,
    /// A NUL inside text.
    Nul,
    /// A binary value that is not base64.
    Base64,
    /// A list that is empty or has a bad item.
    List,
    /// A struct that is not a message.
    Struct,
    /// Structs nested deeper than sixteen levels.
    TooDeep,
    /// A signature that is not an index and a token.
    Signature,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "bad length",
            Self::EndMarker => "no end marker",
            Self::Kind => "bad field type",
            Self::Name => "bad field name",
            Self::Nul => "NUL in text",
            Self::Base64 => "bad base64",
            Self::List => "bad list",
            Self::Struct => "bad nested message",
            Self::TooDeep => "nested too deep",
            Self::Signature => "bad signature text",
        })
    }
}

/// Where a field lies in the buffer: its name, at once followed by its value.
#[derive(Debug, Clone, Copy)]
struct Span {
    kind: FieldKind,
    start: usize,
    value: usize,
    end: usize,
}

/// Ordered named typed fields. Made once and reused: filling it again allocates nothing unless the
/// new message is larger than any before.
#[derive(Clone, Default)]
pub struct Message {
    arena: Vec<u8>,
    spans: Vec<Span>,
    /// What a compressed message inflated to, while it is parsed.
    pub(super) inflated: Vec<u8>,
}

/// A buffer that one huge message has grown past this is given back.
const KEPT: usize = super::MAX_WIRE;

impl Message {
    /// A message without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes all fields and keeps the memory for the next ones.
    pub fn clear(&mut self) {
        self.arena.clear();
        self.spans.clear();
        self.inflated.clear();
        if self.arena.capacity() > KEPT {
            self.arena = Vec::new();
            self.spans = Vec::new();
        }
        if self.inflated.capacity() > KEPT {
            self.inflated = Vec::new();
        }
    }

    /// Adds a text. A NUL would end a 3.0.6 peer; it becomes a question mark.
    pub fn push_text(&mut self, name: &str, value: &str) {
        self.push_fmt(name, format_args!("{value}"));
    }

    /// Adds a text that is formatted in place.
    pub fn push_fmt(&mut self, name: &str, args: fmt::Arguments<'_>) {
        let (start, value) = self.begin(name);
        // Only a Display that fails by itself can fail here; the field then ends where it stopped.
        let _ = fmt::Write::write_fmt(&mut TextInto(&mut self.arena), args);
        self.finish(FieldKind::Text, start, value);
    }

    /// Adds a binary value.
    pub fn push_binary(&mut self, name: &str, value: &[u8]) {
        let (start, value_start) = self.begin(name);
        self.arena.put(value);
        self.finish(FieldKind::Binary, start, value_start);
    }

    /// Adds any field whose value has the form of [`Field::value`]; on an error nothing is added.
    pub fn push(&mut self, field: Field<'_>) -> Result<(), Malformed> {
        check_name(field.name)?;
        self.add(field.kind, field.name, |arena| {
            netstring::copy_value(field.kind, field.value, 0, arena)
        })
    }

    /// Adds a nested message; on an error nothing is added.
    pub fn push_struct(&mut self, name: &str, inner: &Message) -> Result<(), Malformed> {
        check_name(name.as_bytes())?;
        self.add(FieldKind::Struct, name.as_bytes(), |arena| {
            arena.put(netstring::START);
            for Field { kind, name, value } in inner.fields() {
                let item = arena.len();
                netstring::put_head(kind, name, arena);
                netstring::copy_value(kind, value, 1, arena)?;
                netstring::close_item(arena, item);
            }
            arena.put(netstring::END);
            Ok(())
        })
    }

    /// Adds a list; on an error (an empty list or item, a NUL or newline in an item) nothing is added.
    pub fn push_list<'a>(
        &mut self,
        name: &str,
        items: impl IntoIterator<Item = &'a str>,
    ) -> Result<(), Malformed> {
        check_name(name.as_bytes())?;
        self.add(FieldKind::List, name.as_bytes(), |arena| {
            let start = arena.len();
            for text in items {
                netstring::check_list_item(text.as_bytes())?;
                let item = arena.len();
                arena.put(text.as_bytes());
                netstring::close_item(arena, item);
            }
            if arena.len() == start {
                Err(Malformed::List)
            } else {
                Ok(())
            }
        })
    }

    /// Adds a field as it stands on a line of the classic form.
    pub(super) fn push_line(&mut self, line: classic::Line<'_>) -> Result<(), Malformed> {
        self.add(line.kind, line.name, |arena| {
            classic::read_value(line.kind, line.value, 0, arena)
        })
    }

    fn add(
        &mut self,
        kind: FieldKind,
        name: &[u8],
        write_value: impl FnOnce(&mut Vec<u8>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let start = self.arena.len();
        self.arena.put(name);
        let value = self.arena.len();
        if let Err(error) = write_value(&mut self.arena) {
            self.arena.truncate(start);
            return Err(error);
        }
        self.finish(kind, start, value);
        Ok(())
    }

    fn begin(&mut self, name: &str) -> (usize, usize) {
        debug_assert!(
            check_name(name.as_bytes()).is_ok(),
            "{name:?} is no name for a field"
        );
        let start = self.arena.len();
        self.arena.put(name.as_bytes());
        (start, self.arena.len())
    }

    fn finish(&mut self, kind: FieldKind, start: usize, value: usize) {
        self.spans.push(Span {
            kind,
            start,
            value,
            end: self.arena.len(),
        });
    }

    /// The text of the first field of that name; `None` also when that field is no text, or not UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        let field = self.first(name)?;
        let text = (field.kind == FieldKind::Text).then_some(field.value)?;
        std::str::from_utf8(text).ok()
    }

    /// The value of the first field of that name; `None` also when that field is not binary.
    pub fn binary(&self, name: &str) -> Option<&[u8]> {
        let field = self.first(name)?;
        (field.kind == FieldKind::Binary).then_some(field.value)
    }

    fn first(&self, name: &str) -> Option<Field<'_>> {
        self.fields().find(|field| field.name == name.as_bytes())
    }

    /// All fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.spans.iter().map(|span| Field {
            kind: span.kind,
            name: self.arena.get(span.start..span.value).unwrap_or_default(),
            value: self.arena.get(span.value..span.end).unwrap_or_default(),
        })
    }

    /// Whether there is no field.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.fields().eq(other.fields())
    }
}

impl Eq for Message {}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(self.fields().map(|field| {
                (
                    String::from_utf8_lossy(field.name),
                    String::from_utf8_lossy(field.value),
                )
            }))
            .finish()
    }
}

/// A name that both forms can carry. The classic form tells types, lines and the end of a message by
/// how a line begins.
pub(super) fn check_name(name: &[u8]) -> Result<(), Malformed> {
    let bad = name.is_empty()
        || name.starts_with(b"(")
        || name.starts_with(b"<<<")
        || name.iter().any(|byte| matches!(byte, b'=' | b'\n' | 0));
    if bad { Err(Malformed::Name) } else { Ok(()) }
}

/// Takes formatted text and lets no NUL through.
struct TextInto<'a>(&'a mut Vec<u8>);

impl fmt::Write for TextInto<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0
            .extend(text.bytes().map(|byte| if byte == 0 { b'?' } else { byte }));
        Ok(())
    }
}
