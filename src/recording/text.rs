//! Bytes and times as words of a line, and back.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::error::Problem;

/// Whether blanks stand as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blanks {
    /// For what fills the rest of a line.
    Kept,
    /// For one word of several.
    Escaped,
}

/// Appends `bytes` so that they stay on their line: printable ASCII as it is, the rest behind a backslash. A
/// blank at the end is escaped too, for editors like to take it away.
pub(super) fn escape(bytes: &[u8], blanks: Blanks, out: &mut String) {
    let last = bytes.len().saturating_sub(1);
    for (at, &byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\\' => out.push_str("\\\\"),
            b' ' if blanks == Blanks::Kept && at != last => out.push(' '),
            b'!'..=b'~' => out.push(char::from(byte)),
            _ => push(out, format_args!("\\x{byte:02x}")),
        }
    }
}

/// Appends what `text` stands for to `out`.
pub(super) fn unescape(text: &str, out: &mut Vec<u8>) -> Result<(), Problem> {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let meant = match byte {
            b'\\' => match bytes.next() {
                Some(b'n') => b'\n',
                Some(b'\\') => b'\\',
                Some(b'x') => {
                    let mut digit = || char::from(bytes.next()?).to_digit(16);
                    let (high, low) = (digit(), digit());
                    let value = high.zip(low).map(|(high, low)| high * 16 + low);
                    value
                        .and_then(|value| u8::try_from(value).ok())
                        .ok_or(Problem::Escape)?
                }
                _ => return Err(Problem::Escape),
            },
            plain => plain,
        };
        out.push(meant);
    }
    Ok(())
}

/// The text that `text` stands for.
pub(super) fn unescape_text(text: &str) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    unescape(text, &mut bytes)?;
    String::from_utf8(bytes).map_err(|_| Problem::Escape)
}

/// Appends formatted text; a `String` takes everything.
pub(super) fn push(out: &mut String, text: fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

/// A time in seconds with microseconds.
pub(super) struct Seconds(pub Duration);

impl fmt::Display for Seconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0.as_secs(), self.0.subsec_micros())?;
        match self.0.subsec_nanos() % 1000 {
            0 => Ok(()),
            nanoseconds => write!(f, "{nanoseconds:03}"),
        }
    }
}

/// Seconds with up to nine digits behind the point, and up to ten before it: three centuries, so that nobody
/// who reckons with them needs to think of overflow.
pub fn parse_seconds(text: &str) -> Option<Duration> {
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) || part.len() > 9 || whole.len() > 10 {
        return None;
    }
    let nanoseconds = format!("{part:0<9}").parse().ok()?;
    Some(Duration::new(whole.parse().ok()?, nanoseconds))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_bytes_come_back_from_one_printable_line(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
        ) {
            for blanks in [Blanks::Kept, Blanks::Escaped] {
                let (mut text, mut back) = (String::new(), Vec::new());
                escape(&bytes, blanks, &mut text);
                prop_assert!(text.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                prop_assert_eq!(text.trim_end(), text.as_str());
                prop_assert!(blanks == Blanks::Kept || !text.contains(' '));
                prop_assert_eq!(unescape(&text, &mut back), Ok(()));
                prop_assert_eq!(&back, &bytes);
            }
        }

        #[test]
        fn any_time_comes_back(seconds in 0..10_000_000_000_u64, nanoseconds in 0..1_000_000_000_u32) {
            let time = Duration::new(seconds, nanoseconds);
            prop_assert_eq!(parse_seconds(&Seconds(time).to_string()), Some(time));
        }
    }

    #[test]
    fn a_message_can_be_read_and_a_time_has_microseconds() {
        let mut text = String::new();
        escape(b">>>\nt=a b\n\xff\0\\<<<\n", Blanks::Kept, &mut text);
        assert_eq!(text, r">>>\nt=a b\n\xff\x00\\<<<\n");
        assert_eq!(
            Seconds(Duration::from_micros(1_500)).to_string(),
            "0.001500"
        );
    }

    #[test]
    fn damaged_escapes_and_times_are_refused() {
        for text in ["\\", "\\q", "\\x", "\\x1", "\\xg1", "\\x+1"] {
            assert_eq!(
                unescape(text, &mut Vec::new()),
                Err(Problem::Escape),
                "{text}"
            );
        }
        assert_eq!(unescape_text("\\xff"), Err(Problem::Escape));
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1.0",
            "1.0000000001",
            "1e3",
            "99999999999",
        ] {
            assert_eq!(parse_seconds(text), None, "{text}");
        }
    }
}
