//! What has happened lately, each a line of JSON, for those who ask over the control socket. The oldest give way: whoever
//! reads too slowly misses them, and costs nothing but that.

use std::collections::VecDeque;
use std::time::Duration;

use crate::cluster::Severity;
use crate::control::Event;

/// So many are kept.
pub const MOST: usize = 200;
/// No sentence is longer; the rest is left out.
const LONGEST: usize = 2000;

/// The newest events.
#[derive(Debug, Default)]
pub struct EventLog {
    lines: VecDeque<Vec<u8>>,
    /// How many there were in this run: the number of the newest.
    last: u64,
}

impl EventLog {
    /// Keeps one; `at` is time since 1970.
    pub fn note(&mut self, at: Duration, severity: Severity, group: Option<&str>, text: &str) {
        self.last = self.last.saturating_add(1);
        let event = Event {
            number: self.last,
            at: u64::try_from(at.as_millis()).unwrap_or(u64::MAX),
            severity: severity.word().into(),
            group: group.map(str::to_owned),
            text: text.chars().take(LONGEST).collect(),
        };
        let mut line = serde_json::to_vec(&event).unwrap_or_default(); // of words and numbers, which always can be written
        line.push(b'\n');
        if self.lines.len() >= MOST {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The number of the oldest that is kept; one more than the last where there is none.
    pub fn oldest(&self) -> u64 {
        let kept = u64::try_from(self.lines.len()).unwrap_or(u64::MAX);
        self.last.saturating_sub(kept).saturating_add(1)
    }

    /// The number that the next one will have.
    pub fn next(&self) -> u64 {
        self.last.saturating_add(1)
    }

    /// The line of the event with this number, its line feed included, while it is kept.
    pub fn line(&self, number: u64) -> Option<&[u8]> {
        let index = number.checked_sub(self.oldest())?;
        let line = self.lines.get(usize::try_from(index).ok()?)?;
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_keep_their_numbers() {
        let mut log = EventLog::default();
        assert_eq!((log.oldest(), log.next()), (1, 1));
        assert_eq!(log.line(1), None);
        for number in 1..=500_u64 {
            log.note(
                Duration::from_millis(number),
                Severity::Warn,
                Some("web"),
                "a \"word\"\nand another",
            );
        }
        assert_eq!((log.oldest(), log.next()), (301, 501));
        assert_eq!(
            (log.line(300), log.line(501), log.line(0)),
            (None, None, None)
        );
        let line = log.line(301).expect("it is kept");
        let event: Event = serde_json::from_slice(line).expect("JSON");
        assert_eq!((event.number, event.at), (301, 301));
        let text = std::str::from_utf8(line).expect("text");
        assert_eq!(text.matches('\n').count(), 1);
    }

    #[test]
    fn a_sentence_without_end_has_one() {
        let mut log = EventLog::default();
        log.note(
            Duration::ZERO,
            Severity::Info,
            None,
            &"é".repeat(LONGEST * 2),
        );
        assert!(log.line(1).expect("it is kept").len() < LONGEST * 3);
    }
}
