//! Slips of the finger: the nearest of some words, and characters that only look right.

use super::diagnostic::Diagnostic;
use super::source::Word;

/// The candidate nearest to `word`, when one is near enough to be meant.
pub(super) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = word.chars().count();
    let near_enough = (length / 3).max(1);
    // A word of hundreds of characters is no slip of the finger, and comparing it would cost.
    if length > 64 {
        return None;
    }
    let word: Vec<char> = word.to_lowercase().chars().collect();
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        // Each letter more or less is a slip by itself: most candidates need no closer look.
        if candidate.is_ascii() && candidate.len().abs_diff(word.len()) > near_enough {
            continue;
        }
        let lower: Vec<char> = candidate.to_lowercase().chars().collect();
        // So is each letter that only one of the two has.
        let (ours, theirs) = (letters(&word), letters(&lower));
        let foreign = (ours & !theirs)
            .count_ones()
            .max((theirs & !ours).count_ones());
        if usize::try_from(foreign).is_ok_and(|foreign| foreign > near_enough) {
            continue;
        }
        let Some(distance) = distance(&word, &lower, near_enough) else {
            continue;
        };
        if distance < length.max(2) && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Which letters there are, one bit each; two that share a bit count as the same.
fn letters(word: &[char]) -> u64 {
    let bits = word.iter().map(|&letter| 1 << (u32::from(letter) % 64));
    bits.fold(0, |all, bit: u64| all | bit)
}

/// How many characters were added, left out, changed or swapped with a neighbour; none if more than `most`.
fn distance(left: &[char], right: &[char], most: usize) -> Option<usize> {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, &from) in left.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, &to) in right.iter().enumerate() {
            let changed = above.get(column).copied().unwrap_or(0) + usize::from(from != to);
            let removed = above.get(column + 1).copied().unwrap_or(0) + 1;
            let added = current.last().copied().unwrap_or(0) + 1;
            let mut least = changed.min(removed).min(added);
            let neighbours = (row.checked_sub(1), column.checked_sub(1));
            if let (Some(last_row), Some(last_column)) = neighbours {
                let swapped =
                    left.get(last_row) == Some(&to) && right.get(last_column) == Some(&from);
                if let (true, Some(&cost)) = (swapped, before.get(last_column)) {
                    least = least.min(cost + 1);
                }
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
        // Every way to the end passes one of two neighbouring rows, and none gets shorter.
        if before.iter().chain(&above).all(|&cost| cost > most) {
            return None;
        }
    }
    above.last().copied().filter(|&cost| cost <= most)
}

/// A character that has no place in a configuration: what it is, and what to do about it.
pub(super) fn lookalike(character: char) -> Option<(&'static str, &'static str)> {
    Some(match character {
        '\u{feff}' => ("an invisible byte order mark", "remove it"),
        '\u{a0}' => ("a no-break space", BLANK),
        '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' => ("a typographic space", BLANK),
        '\u{3000}' => ("a full-width space", BLANK),
        '\u{200b}'..='\u{200f}' | '\u{2060}' => ("an invisible character", "remove it"),
        '\u{ff0c}' | '\u{3001}' => ("a full-width comma", BLANK),
        '\u{ff1a}' => ("a full-width colon", "write `:`"),
        '\u{ff1b}' => ("a full-width semicolon", "remove it"),
        '\u{ff0e}' | '\u{3002}' => ("a full-width full stop", "write `.`"),
        '\u{ff03}' => ("a full-width number sign", "write `#`"),
        '\u{ff0f}' => ("a full-width slash", "write `/`"),
        '\u{ff10}'..='\u{ff19}' => ("a full-width digit", "write a plain one"),
        '\u{ff21}'..='\u{ff3a}' | '\u{ff41}'..='\u{ff5a}' => {
            ("a full-width letter", "write a plain one")
        }
        '\u{2010}'..='\u{2015}' | '\u{2212}' => ("a typographic dash", "write `-`"),
        '\u{2018}' | '\u{2019}' | '\u{201c}' | '\u{201d}' => {
            ("a typographic quotation mark", "remove it")
        }
        '\u{fffd}' => ("not UTF-8", "write plain text"),
        '\0' => (
            "a NUL byte",
            "the file was damaged, perhaps by a power failure",
        ),
        _ => return None,
    })
}

/// What to do about a character that stands for a blank.
const BLANK: &str = "write a blank";

/// The first character of some words that has no place in a configuration.
pub(super) fn first_lookalike(words: &[Word]) -> Option<Diagnostic> {
    words.iter().find_map(|word| {
        let mut characters = word.text.char_indices();
        let (at, character, (name, remedy)) =
            characters.find_map(|(at, c)| Some((at, c, lookalike(c)?)))?;
        let place = word.place.part(&(at..at + character.len_utf8()));
        let code = u32::from(character);
        let error = Diagnostic::error(&place, format!("unexpected character U+{code:04X}"));
        Some(error.label(format!("{name}; {remedy}")))
    })
}

/// The text with blanks for characters that stand for one, and without those that can't be seen.
pub(super) fn plain(text: &str) -> String {
    let plain = |character: char| match lookalike(character) {
        Some((_, BLANK)) => Some(' '),
        Some((_, "remove it")) => None,
        _ => Some(character),
    };
    text.chars().filter_map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let names = ["serial", "bcast", "node", "ucast"];
        assert_eq!(nearest("serail", names), Some("serial"));
        assert_eq!(nearest("nodes", names), Some("node"));
        assert_eq!(nearest("bcsat", names), Some("bcast"));
        assert_eq!(nearest("wibble", names), None);
        assert_eq!(nearest("x", names), None);
        assert_eq!(nearest("", names), None);
        assert_eq!(nearest("zürihc", ["zürich"]), Some("zürich"));
        assert_eq!(
            nearest("keepalvie", ["deadtime", "keepalive"]),
            Some("keepalive")
        );
    }
}
