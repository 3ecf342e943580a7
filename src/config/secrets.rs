//! What no diagnostic may show: lines are shown with marks in place of keys and passwords.

use super::source::is_blank;
use crate::message::Method;

/// A line of `authkeys` with everything replaced that may be a key.
pub(super) fn without_key(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut words = 0;
    let mut method_seen = false;
    let mut nothing_yet = true;
    for piece in text.split_inclusive(is_blank) {
        let word = piece.trim_end_matches(is_blank);
        let letters = word.trim_start_matches(|c: char| c.is_ascii_digit());
        let is_method = Method::ALL
            .iter()
            .any(|method| method.name().eq_ignore_ascii_case(letters));
        let is_comment = nothing_yet && word.starts_with(['#', '/']);
        let is_known = !method_seen
            && ((letters.is_empty() && (words == 0 || word.len() <= 2))
                || is_method
                || letters.to_ascii_lowercase().starts_with("auth"));
        if is_comment || is_known || (words == 0 && word.len() < 8) {
            shown += word;
        } else {
            shown.extend(word.chars().map(blot));
        }
        method_seen |= is_method;
        words += usize::from(!word.is_empty());
        nothing_yet &= word.trim().is_empty();
        shown += piece.get(word.len()..).unwrap_or_default();
    }
    shown
}

/// A line of `ha.cf` as diagnostics may show it: those about fencing devices have passwords in them.
pub(super) fn without_passwords(text: &str) -> String {
    let mut words = 0;
    let mut inside = false;
    let secret = text
        .trim_start_matches(is_blank)
        .starts_with("stonith_host");
    let hide = |character: char| {
        let begins = !is_blank(character) && !inside;
        inside = !is_blank(character);
        words += usize::from(begins);
        if secret && words > 3 && inside {
            blot(character)
        } else {
            character
        }
    };
    text.chars().map(hide).collect()
}

/// A mark of as many bytes as the character, so that places and columns keep their meaning.
fn blot(character: char) -> char {
    match character.len_utf8() {
        1 => '*',
        2 => '\u{b7}',
        3 => '\u{2022}',
        _ => '\u{10101}',
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_may_be_a_key_is_blotted_out() {
        assert_eq!(without_key("1 sha1 sécret"), "1 sha1 *·****");
        assert_eq!(without_key("1sha1 12345"), "1sha1 *****");
        assert_eq!(without_key("auth 1"), "auth 1");
        assert_eq!(without_key("2 topsecret"), "2 *********");
        assert_eq!(without_key("5ce3b1c7a0f94d52"), "****************");
    }

    #[test]
    fn passwords_of_fencing_devices_are_blotted_out() {
        let shown = without_passwords(" stonith_host * baytech 10.0.0.3 lögin");
        assert_eq!(shown, " stonith_host * baytech ******** *·***");
        assert_eq!(without_passwords("node a b c d"), "node a b c d");
    }
}
