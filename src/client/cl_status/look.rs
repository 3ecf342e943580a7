//! How things are written for a person: how wide, with which colours, and which clock.

use std::fmt::Write as _;

use crate::os::local_time;

/// The narrowest text that is of use.
const NARROWEST: usize = 20;

/// How bad a line is. Each has a sign of its own, so that no colour is needed to see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// `!`
    Trouble,
    /// `~`: something is under way or waited for.
    Change,
    /// Nothing.
    Fine,
}

/// How text is laid out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    /// Columns.
    pub width: usize,
    /// Whether colours are used.
    pub colour: bool,
    /// Seconds since 1970 as `2026-11-30 11:40:02`.
    pub clock: fn(u64) -> String,
}

impl Look {
    /// For a text that goes to a file or another program.
    pub const PLAIN: Self = Self {
        width: 80,
        colour: false,
        clock: local_time::second,
    };

    /// For a terminal with so many columns. `no_color` is the variable of this name: unless it is empty there are none.
    pub fn terminal(columns: usize, no_color: Option<&std::ffi::OsStr>) -> Self {
        Self {
            width: columns.clamp(NARROWEST, 100),
            colour: no_color.is_none_or(std::ffi::OsStr::is_empty),
            clock: local_time::second,
        }
    }

    /// A time, without its day where that is the day of `as_of`.
    pub fn when(&self, seconds: u64, as_of: u64) -> String {
        let (text, today) = ((self.clock)(seconds), (self.clock)(as_of));
        match (text.split_once(' '), today.split_once(' ')) {
            (Some((day, time)), Some((today, _))) if day == today => time.to_owned(),
            _ => text,
        }
    }

    /// A time in milliseconds since 1970, in the same way.
    pub fn when_exactly(&self, millis: u64, as_of: u64) -> String {
        format!("{}.{:03}", self.when(millis / 1000, as_of), millis % 1000)
    }

    /// A headline of a part.
    pub fn title(&self, out: &mut String, text: &str) {
        out.push('\n');
        self.paint(out, "1", &plain(text));
        out.push('\n');
    }

    /// A line with its mark, broken between words; what follows the first line is indented a bit more.
    pub fn line(&self, out: &mut String, mark: Mark, text: &str) {
        let (sign, colour) = match mark {
            Mark::Trouble => ("! ", Some("31;1")),
            Mark::Change => ("~ ", Some("33")),
            Mark::Fine => ("  ", None),
        };
        for (place, part) in wrap(&plain(text), self.width.saturating_sub(2))
            .iter()
            .enumerate()
        {
            let lead = if place == 0 { sign } else { "    " };
            let line = format!("{lead}{part}");
            match colour {
                Some(colour) => self.paint(out, colour, &line),
                None => out.push_str(&line),
            }
            out.push('\n');
        }
    }

    /// A line that belongs to the one before.
    pub fn note(&self, out: &mut String, text: &str) {
        for part in wrap(&plain(text), self.width.saturating_sub(4)) {
            let _ = writeln!(out, "    {part}");
        }
    }

    /// Lines with columns that stand below each other. What does not fit is broken like any other line.
    pub fn table(&self, out: &mut String, rows: &[(Mark, Vec<String>)]) {
        let columns = rows.iter().map(|(_, cells)| cells.len()).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = rows.iter().filter_map(|(_, cells)| {
                let is_last = cells.len() == column.saturating_add(1);
                cells.get(column).filter(|_| !is_last)
            });
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for (mark, cells) in rows {
            let mut line = String::new();
            for (cell, width) in cells.iter().zip(&widths) {
                let _ = write!(line, "{cell:width$}  ");
            }
            self.line(out, *mark, line.trim_end());
        }
    }

    /// Text in a colour or another kind of letter, where there are any.
    pub fn paint(&self, out: &mut String, code: &str, text: &str) {
        if self.colour {
            let _ = write!(out, "\x1b[{code}m{text}\x1b[0m");
        } else {
            out.push_str(text);
        }
    }
}

/// What a terminal would obey, made visible. Names come from files and from the other node.
pub(super) fn plain(text: &str) -> String {
    let sign = |sign: char| match sign {
        sign if sign.is_control() => '\u{fffd}',
        // these change the direction of what follows
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        sign => sign,
    };
    text.chars().map(sign).collect()
}

/// Breaks text between words, so that no line is longer unless a single word is. Spaces within a line stay.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut length = 0_usize;
    let mut gap = 0_usize;
    for word in text.split(' ') {
        let needed = word.chars().count();
        if word.is_empty() {
            gap = gap.saturating_add(1);
            continue;
        }
        // What follows the first line has two columns less.
        let room = if lines.is_empty() {
            width
        } else {
            width.saturating_sub(2)
        };
        if length > 0 && length.saturating_add(gap).saturating_add(needed) > room {
            lines.push(std::mem::take(&mut line));
            length = 0;
        } else {
            let gap = if length == 0 && !lines.is_empty() {
                0
            } else {
                gap
            };
            line.extend(std::iter::repeat_n(' ', gap));
            length = length.saturating_add(gap);
        }
        line.push_str(word);
        length = length.saturating_add(needed);
        gap = 1;
    }
    lines.push(line);
    lines
}

/// How long ago, or how long: in the largest unit that leaves a number of use.
pub(super) fn span(millis: u64) -> String {
    const MINUTE: u64 = 60_000;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match millis {
        0..10_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        10_000..120_000 => format!("{} s", millis / 1000),
        120_000..7_200_000 => format!("{} min", millis / MINUTE),
        7_200_000..172_800_000 => format!("{} h", millis / HOUR),
        _ => format!("{} days", millis / DAY),
    }
}

/// How many seconds are left, as [`span`] tells it.
pub(super) fn seconds(left: u64) -> String {
    match left {
        0..10 => format!("{left} s"),
        _ => span(left.saturating_mul(1000)),
    }
}

/// So many things: `1 group`, `2 groups`.
pub(super) fn count(number: usize, thing: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {thing}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_longer_than_the_screen_unless_a_word_is() {
        let text = "one two  three four-and-a-very-long-word-that-fits-nowhere five";
        let lines = wrap(text, 12);
        assert_eq!(
            lines,
            [
                "one two",
                "three",
                "four-and-a-very-long-word-that-fits-nowhere",
                "five"
            ]
        );
        assert_eq!(wrap("", 12), [""]);
    }

    #[test]
    fn nothing_reaches_a_terminal_that_it_would_obey() {
        assert_eq!(
            plain("a\x1b[2Jb\u{202e}c\n"),
            "a\u{fffd}[2Jb\u{fffd}c\u{fffd}"
        );
    }

    #[test]
    fn a_colour_is_never_alone_and_can_be_turned_off() {
        let none = std::ffi::OsStr::new("1");
        for (no_color, expected) in [
            (None, "\x1b[31;1m! bad\x1b[0m\n"),
            (Some(none), "! bad\n"),
            (Some(std::ffi::OsStr::new("")), "\x1b[31;1m! bad\x1b[0m\n"),
        ] {
            let mut out = String::new();
            Look::terminal(80, no_color).line(&mut out, Mark::Trouble, "bad");
            assert_eq!(out, expected);
        }
    }

    #[test]
    fn spans_are_told_in_one_unit() {
        for (millis, expected) in [
            (0, "0.0 s"),
            (340, "0.3 s"),
            (9_999, "9.9 s"),
            (61_000, "61 s"),
            (600_000, "10 min"),
            (36_000_000, "10 h"),
            (u64::MAX, "213503982334 days"),
        ] {
            assert_eq!(span(millis), expected);
        }
    }
}
