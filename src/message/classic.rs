//! The classic form: one field per line between `>>>` and `<<<`.
//!
//! Its lines are also what an inner signature covers, in whichever form a message travels.

use super::fields::{Field, FieldKind, Malformed, Message, check_name};
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
    let equals = text
        .iter()
        .position(|&byte| byte == b'=')
        .ok_or(Malformed::Name)?;
    let (name, value) = text.split_at_checked(equals).ok_or(Malformed::Name)?;
    check_name(name)?;
    Ok(Line {
        kind,
        name,
        value: value.get(1..).unwrap_or_default(),
    })
}

/// Parses a message, adding its fields to `message`.
pub(super) fn read(text: &[u8], message: &mut Message) -> Result<(), Malformed> {
    let mut lines = Lines::of(text, b'\n').ok_or(Malformed::Struct)?;
    while let Some(line) = lines.next()? {
        message.push_line(line)?;
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
