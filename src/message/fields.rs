//! [`Message`]: an ordered list of named, typed fields.
//!
//! All names and values live in one buffer that is reused from message to message.

use std::fmt;

use super::field::{Field, FieldKind, check_name};
use super::rejection::Malformed;
use super::{Sink as _, classic, netstring};

/// Where a field lies in the buffer.
#[derive(Debug, Clone, Copy)]
struct Span {
    kind: FieldKind,
    start: usize,
    name_end: usize,
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

/// Memory that one huge message has grown past this is given back.
const KEPT_BYTES: usize = super::MAX_WIRE;
const KEPT_SPANS: usize = 4096;

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
        self.arena.shrink_to(KEPT_BYTES);
        self.spans.shrink_to(KEPT_SPANS);
        self.inflated.shrink_to(KEPT_BYTES);
    }

    /// Adds a text. A NUL would end a 3.0.6 peer; it becomes a question mark.
    pub fn push_text(&mut self, name: &str, value: &str) {
        let (start, value_start) = self.begin(name);
        put_without_nul(value, &mut self.arena);
        self.finish(FieldKind::Text, start, value_start);
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

    /// Adds all fields of a message in netstring form; after an error some of them.
    ///
    /// The bytes are taken over as they are, and only what has another form here is written behind them.
    pub(super) fn read_netstring(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let base = self.arena.len();
        self.arena.put(bytes);
        netstring::read(bytes, |Field { kind, name, value }, place| {
            let name_end = (base + place).saturating_sub("=".len());
            let start = name_end.saturating_sub(name.len());
            let mut span = Span {
                kind,
                start,
                name_end,
                value: base + place,
                end: base + place + value.len(),
            };
            match kind {
                FieldKind::Text if value.contains(&0) => return Err(Malformed::Nul),
                FieldKind::Text | FieldKind::Binary | FieldKind::Compressed => {}
                FieldKind::List | FieldKind::Struct => {
                    span.value = self.arena.len();
                    netstring::copy_value(kind, value, 0, &mut self.arena)?;
                    span.end = self.arena.len();
                }
            }
            self.spans.push(span);
            Ok(())
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
            name_end: value,
            value,
            end: self.arena.len(),
        });
    }

    /// Makes it the same as `other`.
    pub fn copy_from(&mut self, other: &Self) {
        self.clear();
        // With as much room: the next message may be a little longer.
        self.arena.reserve(other.arena.capacity());
        self.spans.reserve(other.spans.capacity());
        self.arena.put(&other.arena);
        self.spans.extend_from_slice(&other.spans);
    }

    /// Writes the fields in their netstring form, without a signature: what [`parse_nested`](super::parse_nested) reads. Takes
    /// less than half of the memory of a message. Where there is none yet it takes a little more, for the next message may be
    /// longer.
    pub fn write_nested(&self, out: &mut Vec<u8>) {
        /// Lengths, kinds and marks of a field, and more.
        const AROUND: usize = 12;
        /// So small differences make none in memory.
        const ROUND: usize = 64;
        out.clear();
        if out.capacity() == 0 {
            let most = self.arena.len() + self.spans.len() * AROUND;
            out.reserve_exact(most.next_multiple_of(ROUND));
        }
        out.put(netstring::START);
        for field in self.fields() {
            netstring::put_field(field, out);
        }
        out.put(netstring::END);
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
        let is_it =
            |span: &&Span| self.arena.get(span.start..span.name_end) == Some(name.as_bytes());
        self.spans.iter().find(is_it).map(|span| self.field(*span))
    }

    fn field(&self, span: Span) -> Field<'_> {
        Field {
            kind: span.kind,
            name: self
                .arena
                .get(span.start..span.name_end)
                .unwrap_or_default(),
            value: self.arena.get(span.value..span.end).unwrap_or_default(),
        }
    }

    /// All fields in their order.
    pub fn fields(&self) -> impl Iterator<Item = Field<'_>> {
        self.spans.iter().map(|span| self.field(*span))
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

/// Takes formatted text and lets no NUL through.
struct TextInto<'a>(&'a mut Vec<u8>);

impl fmt::Write for TextInto<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        put_without_nul(text, self.0);
        Ok(())
    }
}

fn put_without_nul(text: &str, out: &mut Vec<u8>) {
    let text = text.as_bytes();
    if text.contains(&0) {
        let visible = |&byte: &u8| if byte == 0 { b'?' } else { byte };
        out.extend(text.iter().map(visible));
    } else {
        out.put(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_find_the_first_field_of_a_name_and_only_of_the_right_kind() {
        let mut message = Message::new();
        message.push_text("a", "1");
        message.push_text("a", "2");
        message.push_binary("b", b"\xff\0");
        message
            .push(Field {
                kind: FieldKind::Text,
                name: b"c",
                value: b"\xff",
            })
            .unwrap();
        assert_eq!(message.text("a"), Some("1"));
        assert_eq!(message.binary("b"), Some(b"\xff\0".as_slice()));
        assert_eq!(message.binary("a"), None);
        assert_eq!(message.text("b"), None);
        assert_eq!(message.text("c"), None);
        assert_eq!(message.text("d"), None);
        assert_eq!(message.fields().count(), 4);
        message.clear();
        assert!(message.is_empty());
        assert_eq!(message.text("a"), None);
    }

    #[test]
    fn a_nul_that_would_end_a_peer_of_3_0_6_is_not_let_through() {
        let mut message = Message::new();
        message.push_text("a", "x\0y");
        message.push_fmt("b", format_args!("{:x}{}", 255, '\0'));
        assert_eq!(message.text("a"), Some("x?y"));
        assert_eq!(message.text("b"), Some("ff?"));
    }

    #[test]
    fn a_field_that_cannot_be_sent_is_not_added() {
        let mut message = Message::new();
        message.push_text("kept", "1");
        let before = message.clone();
        let text = |name| Field {
            kind: FieldKind::Text,
            name,
            value: b"",
        };
        for name in [b"".as_slice(), b"a=b", b"a\nb", b"a\0b", b"(1)a", b"<<<a"] {
            assert_eq!(message.push(text(name)), Err(Malformed::Name));
        }
        let field = |kind, value| Field {
            kind,
            name: b"a",
            value,
        };
        for (field, error) in [
            (field(FieldKind::Text, b"\0".as_slice()), Malformed::Nul),
            (field(FieldKind::List, b""), Malformed::List),
            (field(FieldKind::List, b"0:,"), Malformed::List),
            (field(FieldKind::List, b"1:\n,"), Malformed::List),
            (field(FieldKind::List, b"1:a,2:b,"), Malformed::List),
            (field(FieldKind::Struct, b""), Malformed::Struct),
            (field(FieldKind::Struct, b"###\n"), Malformed::EndMarker),
        ] {
            assert_eq!(message.push(field), Err(error), "{field:?}");
        }
        assert_eq!(message.push_list("a", []), Err(Malformed::List));
        assert_eq!(message.push_list("a", ["b", ""]), Err(Malformed::List));
        assert_eq!(message, before);
    }

    #[test]
    fn structs_nest_sixteen_deep_and_no_deeper() {
        let mut message = Message::new();
        message.push_text("bottom", "x");
        for _ in 0..16 {
            let mut outer = Message::new();
            outer.push_struct("s", &message).unwrap();
            message = outer;
        }
        let mut outer = Message::new();
        assert_eq!(outer.push_struct("s", &message), Err(Malformed::TooDeep));
        assert!(outer.is_empty());
    }

    #[test]
    fn memory_that_one_huge_message_needed_is_given_back() {
        let mut message = Message::new();
        message.push_binary("a", &vec![0; 2 << 20]);
        (0..10_000).for_each(|_| message.push_text("b", ""));
        message.clear();
        assert!(message.arena.capacity() <= KEPT_BYTES);
        assert!(message.spans.capacity() <= KEPT_SPANS);
    }

    #[test]
    fn messages_are_the_same_when_all_their_fields_are_in_their_order() {
        let message = |fields: &[(&str, &str)]| {
            let mut message = Message::new();
            for (name, value) in fields {
                message.push_text(name, value);
            }
            message
        };
        let one = message(&[("t", "status"), ("st", "up")]);
        assert_eq!(one, message(&[("t", "status"), ("st", "up")]));
        for other in [
            message(&[]),
            message(&[("t", "status")]),
            message(&[("t", "status"), ("st", "dead")]),
            message(&[("st", "up"), ("t", "status")]),
        ] {
            assert_ne!(one, other);
        }
        assert!(format!("{one:?}").contains("status"));
    }
}
