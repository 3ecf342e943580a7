//! A client that is told of what happens, a line each. Besides the one share that is being written nothing is kept for it:
//! what it has not fetched when the newest events have pushed it out is lost to it, and then it is sent away.

use std::io::{self, Write};
use std::time::Duration;

use super::turn::{Progress, SHARE};
use crate::cluster::Instant;
use crate::control::EventLine;
use crate::daemon::events::EventLog;

/// So long one that was too slow may take to fetch the rest and the reason.
const FAREWELL: Duration = Duration::from_secs(5);

/// How far it is.
#[derive(Debug)]
pub(super) struct Follower {
    /// The number of the next event that it gets.
    next: u64,
    goes_on: bool,
    pending: Vec<u8>,
    written: usize,
    /// The other side takes no more for now.
    is_blocked: bool,
    /// It was too slow: when it is sent away at the latest.
    ends: Option<Instant>,
}

impl Follower {
    /// One that begins with the oldest event that is kept, and stays for what happens if it `goes_on`.
    pub fn new(goes_on: bool, log: &EventLog) -> Self {
        Self {
            next: log.oldest(),
            goes_on,
            pending: Vec::new(),
            written: 0,
            is_blocked: false,
            ends: None,
        }
    }

    /// The other side may take more.
    pub fn ready(&mut self) {
        self.is_blocked = false;
    }

    /// When it is sent away.
    pub fn ends(&self) -> Option<Instant> {
        self.ends
    }

    /// Whether there is something to write that the other side may take.
    pub fn can_advance(&self, log: &EventLog) -> bool {
        let has_news = self.ends.is_none() && self.next < log.next();
        !self.is_blocked && (has_news || self.written < self.pending.len())
    }

    /// Writes what the other side takes without waiting, no more than a share.
    pub fn advance(
        &mut self,
        stream: &mut impl Write,
        log: &EventLog,
        now: Instant,
    ) -> io::Result<Progress> {
        self.fetch(log, now);
        let end = self.pending.len().min(self.written.saturating_add(SHARE));
        while !self.is_blocked && self.written < end {
            let rest = self.pending.get(self.written..end).unwrap_or_default();
            match stream.write(rest) {
                Ok(length) => self.written = self.written.saturating_add(length),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_blocked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        let is_written = self.written >= self.pending.len();
        let has_all = self.ends.is_some() || (!self.goes_on && self.next >= log.next());
        Ok(if is_written && has_all {
            Progress::Done
        } else {
            Progress::Going
        })
    }

    /// The next lines, once those before are written.
    fn fetch(&mut self, log: &EventLog, now: Instant) {
        if self.ends.is_some() {
            return;
        }
        if self.written >= self.pending.len() {
            self.pending.clear();
            self.written = 0;
        }
        if self.next < log.oldest() {
            self.send_away(log, now);
            return;
        }
        if self.written > 0 {
            return;
        }
        while let Some(line) = log.line(self.next) {
            let is_full = self.pending.len().saturating_add(line.len()) > SHARE;
            if is_full && !self.pending.is_empty() {
                break;
            }
            self.pending.extend_from_slice(line);
            self.next = self.next.saturating_add(1);
        }
    }

    fn send_away(&mut self, log: &EventLog, now: Instant) {
        let missed = log.oldest().saturating_sub(self.next);
        let line = EventLine::End {
            end: format!(
                "this client read too slowly and has missed {missed} events; it was sent away"
            ),
        };
        // Words always can be written.
        self.pending
            .extend(serde_json::to_vec(&line).unwrap_or_default());
        self.pending.push(b'\n');
        self.ends = Some(now + FAREWELL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::Severity;
    use crate::control::Event;

    /// Takes so many bytes and no more.
    struct Reader {
        room: usize,
        taken: Vec<u8>,
    }

    impl Write for Reader {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let length = bytes.len().min(self.room);
            if length == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            self.room -= length;
            self.taken.extend_from_slice(&bytes[..length]);
            Ok(length)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn reader(room: usize) -> Reader {
        Reader {
            room,
            taken: Vec::new(),
        }
    }

    fn note(log: &mut EventLog, count: usize) {
        for _ in 0..count {
            let text = "something has happened to somebody somewhere, as it does";
            log.note(Duration::ZERO, Severity::Info, None, text);
        }
    }

    fn lines(reader: &Reader) -> Vec<EventLine> {
        let text = std::str::from_utf8(&reader.taken).expect("text");
        text.lines()
            .map(|line| serde_json::from_str(line).expect("a whole line"))
            .collect()
    }

    fn numbers(lines: &[EventLine]) -> Vec<u64> {
        let events = lines.iter().filter_map(|line| match line {
            EventLine::Event(Event { number, .. }) => Some(*number),
            _ => None,
        });
        events.collect()
    }

    #[test]
    fn one_that_reads_gets_each_event_once_and_in_order() {
        let mut log = EventLog::default();
        note(&mut log, 250);
        let mut follower = Follower::new(true, &log);
        let mut reader = reader(usize::MAX);
        for _ in 0..100 {
            while follower.can_advance(&log) {
                let progress = follower.advance(&mut reader, &log, Instant::default());
                assert_eq!(progress.expect("taken"), Progress::Going);
            }
            note(&mut log, 7);
        }
        let found = numbers(&lines(&reader));
        assert_eq!(found, (51..=250 + 99 * 7).collect::<Vec<_>>());
    }

    #[test]
    fn one_that_does_not_stay_is_done_after_what_there_is() {
        let mut log = EventLog::default();
        let mut reader = reader(usize::MAX);
        let mut follower = Follower::new(false, &log);
        let done = follower.advance(&mut reader, &log, Instant::default());
        assert_eq!(done.expect("nothing to write"), Progress::Done);
        note(&mut log, 3);
        let mut follower = Follower::new(false, &log);
        let done = follower.advance(&mut reader, &log, Instant::default());
        assert_eq!(done.expect("taken"), Progress::Done);
        assert_eq!(numbers(&lines(&reader)), [1, 2, 3]);
    }

    #[test]
    fn one_that_stops_reading_costs_one_share_and_is_told_why_it_goes() {
        let mut log = EventLog::default();
        note(&mut log, 200);
        let mut follower = Follower::new(true, &log);
        let mut reader = reader(1000);
        let now = Instant::from_micros(7);
        for _ in 0..1000 {
            let progress = follower.advance(&mut reader, &log, now).expect("no error");
            assert_eq!(progress, Progress::Going);
            assert!(!follower.can_advance(&log), "it is blocked");
            note(&mut log, 1);
            assert!(follower.pending.len() < 2 * SHARE);
        }
        assert_eq!(follower.ends(), Some(now + FAREWELL));
        reader.room = usize::MAX;
        follower.ready();
        assert!(follower.can_advance(&log));
        let progress = follower.advance(&mut reader, &log, now).expect("no error");
        assert_eq!(progress, Progress::Done);
        let found = lines(&reader);
        let last = found.last().expect("lines");
        assert!(
            matches!(last, EventLine::End { end } if end.contains("too slowly")),
            "{last:?}"
        );
        let numbers = numbers(&found);
        assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    }
}
