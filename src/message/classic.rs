//! The classic form: one field per line between `>>>` and `<<<`.
//!
//! Its lines are also what an inner signature covers, in whichever form a message travels.

use super::field::{Field, FieldKind, split_name};
use super::rejection::Malformed;
use super::{MAX_DEPTH, Sink, base64, netstring};

pub(super) const START: &[u8] = b">>>\n";
pub(super) const END: &[u8] = b"<<<\n";

/// Stands for a newline inside a text.
const TEXT_NEWLINE: u8 = 0x13;

/// What ends a line, by depth: a newline in the message itself, else what stands for it in structs.
const NEWLINES: [u8; MAX_DEPTH + 1] = [
    b'\n', 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x0f, 0x10,
    0x11, 0x12,
];

/// One line, its value still encoded.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) kind: FieldKind,
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

/// The lines of one message, up to its end marker; what follows that is ignored.
struct Lines<'a> {
    rest: &'a [u8],
    newline: u8,
}

impl<'a> Lines<'a> {
    /// `None` when `text` does not begin with a start marker.
    fn of(text: &'a [u8], newline: u8) -> Option<Self> {
        let rest = text.strip_prefix(b">>>")?.strip_prefix(&[newline])?;
        Some(Self { rest, newline })
    }

    fn next(&mut self) -> Result<Option<Line<'a>>, Malformed> {
        loop {
            let end = self
                .rest
                .iter()
                .position(|&byte| byte == self.newline)
                .ok_or(Malformed::EndMarker)?;
            let (line, rest) = self
                .rest
                .split_at_checked(end)
                .ok_or(Malformed::EndMarker)?;
            self.rest = rest.get(1..).unwrap_or_default();
            match line {
                b"" => {}
                b"<<<" => return Ok(None),
                _ => return read_line(line).map(Some),
            }
        }
    }
}

fn read_line(line: &[u8]) -> Result<Line<'_>, Malformed> {
    let (kind, text) = match line {
        [b'(', digit, b')', text @ ..] => {
            let kind = match digit {
                b'1' => FieldKind::Binary,
                b'2' => FieldKind::Struct,
                b'3' => FieldKind::List,
                b'4' => FieldKind::Compressed,
                // Text has no prefix here, and 5 never leaves a sender in this form.
                _ => return Err(Malformed::Kind),
            };
            (kind, text)
        }
        [b'(', ..] => return Err(Malformed::Kind),
        text => (FieldKind::Text, text),
    };
    let (name, value) = split_name(text)?;
    Ok(Line { kind, name, value })
}

/// The text from its last start marker on, if it has another one than that at its beginning: either a field ends
/// like one, or what comes before is a message that was cut off inside a line.
pub(super) fn after_cut(text: &[u8]) -> Option<&[u8]> {
    let rest = text.strip_prefix(START)?;
    let last = rest.windows(START.len()).rposition(|part| part == START)?;
    rest.get(last..)
}

/// Parses a message and hands over its lines.
pub(super) fn read(
    text: &[u8],
    mut take_in: impl FnMut(Line<'_>) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut lines = Lines::of(text, b'\n').ok_or(Malformed::Struct)?;
    while let Some(line) = lines.next()? {
        take_in(line)?;
    }
    Ok(())
}

/// Decodes the value of a line of a message at `depth` into its canonical form.
pub(super) fn read_value(
    kind: FieldKind,
    value: &[u8],
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    match kind {
        FieldKind::Text if value.contains(&0) => Err(Malformed::Nul),
        FieldKind::Text => {
            out.extend(
                value
                    .iter()
                    .map(|&byte| if byte == TEXT_NEWLINE { b'\n' } else { byte }),
            );
            Ok(())
        }
        FieldKind::Binary | FieldKind::Compressed => {
            if base64::decode(value, out) {
                Ok(())
            } else {
                Err(Malformed::Base64)
            }
        }
        FieldKind::List => netstring::copy_list(value, out),
        FieldKind::Struct => read_struct(value, depth, out),
    }
}

fn read_struct(text: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let newline = *NEWLINES.get(depth + 1).ok_or(Malformed::TooDeep)?;
    let mut lines = Lines::of(text, newline).ok_or(Malformed::Struct)?;
    out.put(netstring::START);
    while let Some(Line { kind, name, value }) = lines.next()? {
        let item = out.len();
        netstring::put_head(kind, name, out);
        read_value(kind, value, depth + 1, out)?;
        netstring::close_item(out, item);
    }
    out.put(netstring::END);
    Ok(())
}

/// Writes the line of a field of the message itself.
pub(super) fn put_field(field: Field<'_>, out: &mut impl Sink) {
    put_line(field, 0, out);
}

fn put_line(field: Field<'_>, depth: usize, out: &mut impl Sink) {
    // Canonical messages are never deeper; `push` and the parsers see to that.
    let Some(newline) = NEWLINES.get(depth) else {
        return;
    };
    if field.kind != FieldKind::Text {
        out.put(&[b'(', field.kind.digit(), b')']);
    }
    out.put(field.name);
    out.put(b"=");
    match field.kind {
        FieldKind::Text => put_text(field.value, out),
        FieldKind::Binary | FieldKind::Compressed => base64::encode(field.value, out),
        FieldKind::List => out.put(field.value),
        FieldKind::Struct => put_struct(field.value, depth + 1, out),
    }
    out.put(&[*newline]);
}

fn put_text(text: &[u8], out: &mut impl Sink) {
    for (place, line) in text.split(|&byte| byte == b'\n').enumerate() {
        if place > 0 {
            out.put(&[TEXT_NEWLINE]);
        }
        out.put(line);
    }
}

fn put_struct(nested: &[u8], depth: usize, out: &mut impl Sink) {
    let Some(newline) = NEWLINES.get(depth) else {
        return;
    };
    out.put(b">>>");
    out.put(&[*newline]);
    netstring::for_each(nested, |field| put_line(field, depth, out));
    out.put(b"<<<");
    out.put(&[*newline]);
}

#[cfg(test)]
mod tests {
    use super::super::Message;
    use super::*;

    fn parse(text: &str) -> Result<Message, Malformed> {
        let mut message = Message::new();
        read(text.as_bytes(), |line| message.push_line(line)).map(|()| message)
    }

    fn written(message: &Message) -> String {
        let mut out = Vec::new();
        message
            .fields()
            .for_each(|field| put_field(field, &mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_kind_of_field_has_its_line() {
        let mut grand = Message::new();
        grand.push_text("deep", "line1\nline2");
        let mut child = Message::new();
        child.push_text("a", "one");
        child.push_struct("grand", &grand).unwrap();
        let mut message = Message::new();
        message.push_text("t", "x\ny");
        message.push_binary("b", &[0, 1, 0xff]);
        message.push_list("l", ["abc", "defg"]).unwrap();
        message.push_struct("child", &child).unwrap();
        message
            .push(Field {
                kind: FieldKind::Compressed,
                name: b"z",
                value: b"\0",
            })
            .unwrap();
        let lines = "t=x\x13y\n(1)b=AAH/\n(3)l=3:abc,4:defg,\n\
            (2)child=>>>\x14a=one\x14(2)grand=>>>\x15deep=line1\x13line2\x15<<<\x15\x14<<<\x14\n\
            (4)z=AA==\n";
        assert_eq!(written(&message), lines);
        assert_eq!(parse(&format!(">>>\n{lines}<<<\n")), Ok(message));
    }

    #[test]
    fn blank_lines_and_what_follows_the_end_do_not_matter() {
        let plain = parse(">>>\na=1\nb=\n<<<\n").unwrap();
        assert_eq!(parse(">>>\n\na=1\n\n\nb=\n\n<<<\nc=3\n\0"), Ok(plain));
    }

    #[test]
    fn what_the_original_refuses_is_refused() {
        for (text, error) in [
            (">>>\na=1\n", Malformed::EndMarker),
            (">>>\na=1\n<<<", Malformed::EndMarker),
            (">>>\na=1\n<<<x\n<<<\n", Malformed::Name),
            (">>>\na=1\n<<<x=1\n<<<\n", Malformed::Name),
            (">>>\r\na=1\r\n<<<\r\n", Malformed::Struct),
            (">>>\na\n<<<\n", Malformed::Name),
            (">>>\n=a\n<<<\n", Malformed::Name),
            (">>>\n(1)=a\n<<<\n", Malformed::Name),
            (">>>\n(1)\n<<<\n", Malformed::Name),
            (">>>\n(0)a=1\n<<<\n", Malformed::Kind),
            (">>>\n(5)a=1\n<<<\n", Malformed::Kind),
            (">>>\n(7)a=1\n<<<\n", Malformed::Kind),
            (">>>\n(a=1\n<<<\n", Malformed::Kind),
            (">>>\n(1)a=*\n<<<\n", Malformed::Base64),
            (">>>\n(2)a=\n<<<\n", Malformed::Struct),
            (">>>\n(2)a=>>>\x14b=1\n<<<\n", Malformed::EndMarker),
            (">>>\n(2)a=>>>\x15<<<\x15\n<<<\n", Malformed::Struct),
            (">>>\n(3)a=\n<<<\n", Malformed::List),
            (">>>\na=1\0\n<<<\n", Malformed::Nul),
            (">>>\na\0=1\n<<<\n", Malformed::Name),
        ] {
            assert_eq!(parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn structs_nest_sixteen_deep_and_no_deeper() {
        let nested = |depth: usize| {
            (1..=depth).rev().fold(String::new(), |inner, level| {
                let (newline, outer) = (NEWLINES[level] as char, NEWLINES[level - 1] as char);
                format!("(2)s=>>>{newline}{inner}<<<{newline}{outer}")
            })
        };
        let nested = |depth| format!(">>>\n{}<<<\n", nested(depth));
        let deepest = parse(&nested(16)).unwrap();
        assert_eq!(format!(">>>\n{}<<<\n", written(&deepest)), nested(16));
        let too_deep = nested(16).replace("<<<\x12", "(2)s=>>>\x01<<<\x01\x12<<<\x12");
        assert_eq!(parse(&too_deep), Err(Malformed::TooDeep));
    }
}
