//! The netstring form: length-prefixed fields between `###` and `%%%` lines, nothing escaped.

use super::fields::{Field, FieldKind, Malformed, Message, check_name};
use super::{MAX_DEPTH, Sink as _};

pub(super) const START: &[u8] = b"###\n";
pub(super) const END: &[u8] = b"%%%\n";

/// Longer numbers cannot be lengths, whatever zeros they begin with.
const MAX_LENGTH_DIGITS: usize = 9;

/// Splits one `LENGTH:bytes,` off the front.
pub(super) fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = bytes
        .iter()
        .take(MAX_LENGTH_DIGITS + 1)
        .position(|&byte| byte == b':')?;
    let (digits, rest) = bytes.split_at_checked(colon)?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let length = digits.iter().fold(0_usize, |length, digit| {
        length
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'))
    });
    let (item, rest) = rest.get(1..)?.split_at_checked(length)?;
    Some((item, rest.strip_prefix(b",")?))
}

/// Splits a message in netstring form into what its trailer covers and what follows, looking at
/// nothing but lengths.
pub(super) fn split_covered(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut rest = bytes.strip_prefix(START).ok_or(Malformed::Struct)?;
    loop {
        if let Some(after) = rest.strip_prefix(END) {
            let covered = bytes.len().saturating_sub(after.len());
            return bytes.split_at_checked(covered).ok_or(Malformed::EndMarker);
        }
        if rest.is_empty() {
            return Err(Malformed::EndMarker);
        }
        (_, rest) = take(rest).ok_or(Malformed::Length)?;
    }
}

/// The fields of one message, up to its end marker; what follows that is ignored.
struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let rest = bytes.strip_prefix(START).ok_or(Malformed::Struct)?;
        Ok(Self { rest })
    }

    fn next(&mut self) -> Result<Option<Field<'a>>, Malformed> {
        if self.rest.starts_with(END) {
            return Ok(None);
        }
        if self.rest.is_empty() {
            return Err(Malformed::EndMarker);
        }
        let (item, rest) = take(self.rest).ok_or(Malformed::Length)?;
        self.rest = rest;
        read_item(item).map(Some)
    }
}

fn read_item(item: &[u8]) -> Result<Field<'_>, Malformed> {
    let [b'(', digit, b')', text @ ..] = item else {
        return Err(Malformed::Kind);
    };
    let kind = match digit {
        b'0' => FieldKind::Text,
        b'1' => FieldKind::Binary,
        // 5 marks a struct that a sender meant to compress.
        b'2' | b'5' => FieldKind::Struct,
        b'3' => FieldKind::List,
        b'4' => FieldKind::Compressed,
        _ => return Err(Malformed::Kind),
    };
    let equals = text
        .iter()
        .position(|&byte| byte == b'=')
        .ok_or(Malformed::Name)?;
    let (name, value) = text.split_at_checked(equals).ok_or(Malformed::Name)?;
    check_name(name)?;
    Ok(Field {
        kind,
        name,
        value: value.get(1..).unwrap_or_default(),
    })
}

/// Parses a message, adding its fields to `message`.
pub(super) fn read(bytes: &[u8], message: &mut Message) -> Result<(), Malformed> {
    let mut fields = Fields::of(bytes)?;
    while let Some(field) = fields.next()? {
        message.push(field)?;
    }
    Ok(())
}

/// Checks a value as it stands in the netstring form and copies it, lengths without leading zeros.
pub(super) fn copy_value(
    kind: FieldKind,
    value: &[u8],
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Malformed> {
    match kind {
        FieldKind::Text if value.contains(&0) => Err(Malformed::Nul),
        FieldKind::Text | FieldKind::Binary | FieldKind::Compressed => {
            out.put(value);
            Ok(())
        }
        FieldKind::List => copy_list(value, out),
        FieldKind::Struct => copy_struct(value, depth, out),
    }
}

fn copy_struct(bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if depth >= MAX_DEPTH {
        return Err(Malformed::TooDeep);
    }
    out.put(START);
    let mut fields = Fields::of(bytes)?;
    while let Some(Field { kind, name, value }) = fields.next()? {
        let item = out.len();
        put_head(kind, name, out);
        copy_value(kind, value, depth + 1, out)?;
        close_item(out, item);
    }
    out.put(END);
    Ok(())
}

/// Checks a packed list and copies it.
pub(super) fn copy_list(mut packed: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    if packed.is_empty() {
        return Err(Malformed::List);
    }
    while !packed.is_empty() {
        let (text, rest) = take(packed).ok_or(Malformed::List)?;
        check_list_item(text)?;
        let item = out.len();
        out.put(text);
        close_item(out, item);
        packed = rest;
    }
    Ok(())
}

/// Newlines are refused because the classic form has no way to write them in a list.
pub(super) fn check_list_item(text: &[u8]) -> Result<(), Malformed> {
    if text.is_empty() || text.iter().any(|byte| matches!(byte, b'\n' | 0)) {
        Err(Malformed::List)
    } else {
        Ok(())
    }
}

/// The items of a list value, as [`Field::value`] holds it.
pub fn list_items(mut packed: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (item, rest) = take(packed)?;
        packed = rest;
        Some(item)
    })
}

/// Calls `visit` for every field of a canonical nested message.
pub(super) fn for_each<'a>(nested: &'a [u8], mut visit: impl FnMut(Field<'a>)) {
    let Ok(mut fields) = Fields::of(nested) else {
        return;
    };
    while let Ok(Some(field)) = fields.next() {
        visit(field);
    }
}

/// Writes a field.
pub(super) fn put_field(field: Field<'_>, out: &mut Vec<u8>) {
    let item = out.len();
    put_head(field.kind, field.name, out);
    out.put(field.value);
    close_item(out, item);
}

pub(super) fn put_head(kind: FieldKind, name: &[u8], out: &mut Vec<u8>) {
    out.put(&[b'(', kind.digit(), b')']);
    out.put(name);
    out.put(b"=");
}

/// Makes a netstring of everything from `start` to the end of `out`.
pub(super) fn close_item(out: &mut Vec<u8>, start: usize) {
    let mut digits = [0; 20];
    let mut first = digits.len();
    let mut length = out.len().saturating_sub(start);
    loop {
        first -= 1;
        if let Some(place) = digits.get_mut(first) {
            *place = b'0' + (length % 10) as u8;
        }
        length /= 10;
        if length == 0 || first == 0 {
            break;
        }
    }
    let digits = digits.get(first..).unwrap_or_default();
    out.put(digits);
    out.put(b":");
    if let Some(item) = out.get_mut(start..) {
        item.rotate_right(digits.len() + 1);
    }
    out.put(b",");
}
