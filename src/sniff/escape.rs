//! Text from a wire for the eyes of a person: nothing in it can move a cursor, ring a bell or hide.

use std::fmt::Write as _;

/// Every byte that is no plain ASCII character as `\xNN`, a backslash as `\\`; text longer than `most` bytes is cut
/// and says so.
pub fn printable(bytes: &[u8], most: usize) -> String {
    let mut text = String::new();
    for &byte in bytes.iter().take(most) {
        match byte {
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                // Writing into a string can't fail.
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    if bytes.len() > most {
        let _ = write!(text, "... ({} bytes)", bytes.len());
    }
    text
}

/// Bytes as hexadecimal digits, cut in the same way.
pub fn hexadecimal(bytes: &[u8], most: usize) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(most) {
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > most {
        let _ = write!(text, "... ({} bytes)", bytes.len());
    }
    text
}

/// JSON whose every character is ASCII: some terminals obey control characters above that too.
pub fn ascii_json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let mut units = [0; 2];
    for character in json.chars() {
        if matches!(character, ' '..='~') {
            text.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut units) {
            let _ = write!(text, "\\u{unit:04x}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_that_it_could_obey() {
        let hostile = "a\x1b[2J\u{202e}\u{9b}1m\x07\r\n\\é".as_bytes();
        let shown = printable(hostile, 100);
        assert!(shown.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        assert!(shown.starts_with("a\\x1b[2J\\xe2"), "{shown}");
        assert!(shown.ends_with("\\\\\\xc3\\xa9"), "{shown}");
        let json = serde_json::to_string("\u{9b}\u{202e}\x7f😀").expect("text");
        let ascii = ascii_json(&json);
        assert!(ascii.is_ascii() && !ascii.contains('\x7f'), "{ascii}");
        let back: String = serde_json::from_str(&ascii).expect("still JSON");
        assert_eq!(back, "\u{9b}\u{202e}\x7f😀");
    }

    #[test]
    fn long_text_is_cut_and_says_so() {
        assert_eq!(printable(b"abcdef", 3), "abc... (6 bytes)");
        assert_eq!(hexadecimal(&[0xab; 4], 2), "abab... (4 bytes)");
        assert_eq!(hexadecimal(&[0xab], 2), "ab");
    }
}
