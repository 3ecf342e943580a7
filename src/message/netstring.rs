//! The netstring form: length-prefixed fields between `###` and `%%%` lines, nothing escaped.

use super::field::{Field, FieldKind, split_name};
use super::rejection::Malformed;
use super::{MAX_DEPTH, Sink as _};

pub(super) const START: &[u8] = b"###\n";
pub(super) const END: &[u8] = b"%%%\n";

/// Longer numbers cannot be lengths, whatever zeros they begin with.
const MAX_LENGTH_DIGITS: usize = 9;

/// Splits one `LENGTH:bytes,` off the front.
pub(super) fn take(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0_usize;
    for (digits, &byte) in bytes.iter().take(MAX_LENGTH_DIGITS + 1).enumerate() {
        if byte == b':' && digits > 0 {
            let (item, rest) = bytes.get(digits + 1..)?.split_at_checked(length)?;
            return Some((item, rest.strip_prefix(b",")?));
        }
        if !byte.is_ascii_digit() {
            return None;
        }
        length = length
            .saturating_mul(10)
            .saturating_add(usize::from(byte - b'0'));
    }
    None
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
    let (name, value) = split_name(text)?;
    Ok(Field { kind, name, value })
}

/// Parses a message and hands over its fields, their values still as they were sent, and where in `bytes` each value
/// begins.
pub(super) fn read(
    bytes: &[u8],
    mut take_in: impl FnMut(Field<'_>, usize) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let mut fields = Fields::of(bytes)?;
    while let Some(field) = fields.next()? {
        let behind = fields.rest.len() + ",".len() + field.value.len();
        take_in(field, bytes.len().saturating_sub(behind))?;
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
    let length = "(0)=".len() + field.name.len() + field.value.len();
    out.reserve(MOST_DIGITS + ":,".len() + length);
    put_length(length, out);
    put_head(field.kind, field.name, out);
    out.put(field.value);
    out.push(b',');
}

/// Writes what precedes a value.
pub(super) fn put_head(kind: FieldKind, name: &[u8], out: &mut Vec<u8>) {
    out.put(&[b'(', kind.digit(), b')']);
    out.put(name);
    out.push(b'=');
}

/// Makes a netstring of everything from `start` to the end of `out`.
pub(super) fn close_item(out: &mut Vec<u8>, start: usize) {
    let end = out.len();
    put_length(end.saturating_sub(start), out);
    let prefix = out.len().saturating_sub(end);
    if let Some(item) = out.get_mut(start..) {
        item.rotate_right(prefix);
    }
    out.put(b",");
}

/// The most digits that a length can have.
const MOST_DIGITS: usize = 20;

/// Every field of every message has a length: formatting took longer than all else that is written of it.
fn put_length(length: usize, out: &mut Vec<u8>) {
    let mut text = [b':'; MOST_DIGITS + 1];
    let (mut rest, mut start) = (length, MOST_DIGITS);
    for place in (0..MOST_DIGITS).rev() {
        if let Some(digit) = text.get_mut(place) {
            *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        }
        (rest, start) = (rest / 10, place);
        if rest == 0 {
            break;
        }
    }
    out.put(text.get(start..).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::super::Message;
    use super::*;

    fn parse(bytes: &[u8]) -> Result<Message, Malformed> {
        let mut message = Message::new();
        message.read_netstring(bytes).map(|()| message)
    }

    #[test]
    fn a_length_is_up_to_nine_digits_and_must_fit() {
        assert_eq!(
            take(b"3:abc,rest"),
            Some((b"abc".as_slice(), b"rest".as_slice()))
        );
        assert_eq!(
            take(b"0000003:abc,"),
            Some((b"abc".as_slice(), b"".as_slice()))
        );
        assert_eq!(take(b"0:,"), Some((b"".as_slice(), b"".as_slice())));
        for bad in [
            "",
            ":",
            ":a,",
            "3:ab,",
            "3:abc",
            "3:abcd",
            "a:b,",
            "-1:a,",
            "+1:a,",
            " 1:a,",
            "1 :a,",
            "0000000003:abc,",
            "2000000000:abcd,",
            "999999999:a,",
            "18446744073709551617:a,",
        ] {
            assert_eq!(take(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn the_covered_part_ends_with_the_end_marker_whatever_fields_contain() {
        let covered = b"###\n13:(0)a=%%%\n###\n,%%%\n";
        let bytes = [covered.as_slice(), b"3:2 x,junk"].concat();
        assert_eq!(
            split_covered(&bytes),
            Ok((covered.as_slice(), b"3:2 x,junk".as_slice()))
        );
        assert_eq!(split_covered(b"###\n"), Err(Malformed::EndMarker));
        assert_eq!(split_covered(b"###\n5:(0)a=,"), Err(Malformed::EndMarker));
        assert_eq!(split_covered(b"###\n5:(0)a=,%%%"), Err(Malformed::Length));
        assert_eq!(split_covered(b"###\n9:(0)a=,%%%\n"), Err(Malformed::Length));
    }

    #[test]
    fn what_kills_the_original_is_an_error() {
        for (bytes, error) in [
            ("###\n6:abcdef,%%%\n", Malformed::Kind),
            ("###\n7:(6)a=bc,%%%\n", Malformed::Kind),
            ("###\n7:(x)a=bc,%%%\n", Malformed::Kind),
            ("###\n0:,%%%\n", Malformed::Kind),
            ("###\n3:(0),%%%\n", Malformed::Name),
            ("###\n4:(0)a,%%%\n", Malformed::Name),
            ("###\n5:(0)=a,%%%\n", Malformed::Name),
            ("###\n6:(0)a=\0,%%%\n", Malformed::Nul),
            ("###\n20:(3)l=2000000000:abcd,,%%%\n", Malformed::List),
            ("###\n5:(2)s=,%%%\n", Malformed::Struct),
            ("###\n20:(2)s=###\n0:,%%%\n,%%%\n", Malformed::Length),
            ("###\n16:(2)s=###\n0:,%%%\n,%%%\n", Malformed::Kind),
        ] {
            assert_eq!(parse(bytes.as_bytes()), Err(error), "{bytes}");
        }
    }

    #[test]
    fn a_struct_is_kept_without_leading_zeros_and_without_what_follows_it() {
        let inner = "###\n0013:(5)t=###\n%%%\n,%%%\njunk";
        let message = format!("###\n{}:(5)s={inner},%%%\n", inner.len() + 5);
        let loose = parse(message.as_bytes()).unwrap();
        let field = loose.fields().next().unwrap();
        assert_eq!(field.kind, FieldKind::Struct);
        assert_eq!(field.value, b"###\n13:(2)t=###\n%%%\n,%%%\n");
    }

    #[test]
    fn an_item_is_closed_with_the_length_it_has() {
        for length in [0, 1, 9, 10, 99, 100, 101, 12345, 1_000_000] {
            let mut out = b"before".to_vec();
            out.resize(6 + length, b'x');
            close_item(&mut out, 6);
            assert_eq!(
                out,
                format!("before{length}:{},", "x".repeat(length)).as_bytes()
            );
        }
    }

    #[test]
    fn the_items_of_a_list_come_back() {
        let mut message = Message::new();
        message.push_list("l", ["abc", "d,e", "z"]).unwrap();
        let value = message.fields().next().unwrap().value;
        assert_eq!(
            list_items(value).collect::<Vec<_>>(),
            [b"abc".as_slice(), b"d,e", b"z"]
        );
    }
}
