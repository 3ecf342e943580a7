//! Reads a recording line by line.

use std::io::{BufRead, Read};

use super::error::{Problem, RecordingError};
use super::event::{self, Names};
use super::header::{FIRST_WORD, FORM, Header, Reading};
use super::text::parse_seconds;
use crate::cluster::{Event, Instant};
use crate::message::{Keys, MAX_WIRE};

/// The longest message, or file of groups, with every byte escaped, and room for what stands before it.
const MAX_LINE: usize = 4 * LONGEST_TEXT + 64 * 1024;
const LONGEST_TEXT: usize = if MAX_WIRE > MAX_FILE {
    MAX_WIRE
} else {
    MAX_FILE
};
const MAX_FILE: usize = 4 * 1024 * 1024;

/// A recording whose header was read.
#[derive(Debug)]
pub struct Reader<R> {
    lines: Lines<R>,
    header: Header,
    names: Names,
    known: Option<Keys>,
    last: Instant,
    bytes: Vec<u8>,
}

impl<R: BufRead> Reader<R> {
    /// Reads the header. Keys that the recording does not have are looked for among the `known` ones.
    pub fn new(input: R, known: Option<Keys>) -> Result<Self, RecordingError> {
        let mut lines = Lines {
            input,
            line: Vec::new(),
            number: 0,
            is_truncated: false,
        };
        let first = match lines.next() {
            Err(error @ RecordingError::Io(_)) => return Err(error),
            first => first.ok().flatten().unwrap_or_default(),
        };
        let form = first
            .strip_prefix(FIRST_WORD)
            .and_then(|rest| rest.strip_prefix(' '))
            .ok_or(RecordingError::NotARecording)?;
        if form != FORM.to_string() {
            return Err(RecordingError::OtherForm {
                found: form.chars().take(20).collect(),
                readable: FORM,
            });
        }
        let mut reading = Reading::default();
        loop {
            let line = lines.next()?.ok_or(RecordingError::NoEvents)?;
            if line.is_empty() {
                break;
            }
            if !line.starts_with('#') {
                let taken = reading.take(line, known.as_ref());
                taken.map_err(|problem| lines.problem(problem))?;
            }
        }
        let header = reading.finish()?;
        Ok(Self {
            names: Names::new(&header.settings),
            last: header.started,
            header,
            lines,
            known,
            bytes: Vec::new(),
        })
    }

    /// What the core was made from.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Whether the last line was torn, as by a crash, and left out.
    pub fn is_truncated(&self) -> bool {
        self.lines.is_truncated
    }

    /// The next event and its time; `None` at the end.
    pub fn next_event(&mut self) -> Result<Option<(Instant, Event<'_>)>, RecordingError> {
        loop {
            match self.lines.next()? {
                None => return Ok(None),
                Some(line) if line.is_empty() || line.starts_with('#') => {}
                Some(_) => break,
            }
        }
        let number = self.lines.number;
        let at_line = |problem| RecordingError::Line { number, problem };
        let line = self.lines.text().map_err(at_line)?;
        let end = line.find(' ').unwrap_or(line.len());
        let (time, event) = line.split_at(end);
        let since = parse_seconds(time).ok_or_else(|| at_line(Problem::Time))?;
        let at = self.header.started + since;
        if at < self.last {
            return Err(at_line(Problem::TimeGoesBack));
        }
        self.last = at;
        let known = self.known.as_ref();
        let event = event::read(event, &self.names, known, &mut self.bytes).map_err(at_line)?;
        self.names.heed(&event);
        Ok(Some((at, event)))
    }
}

#[derive(Debug)]
struct Lines<R> {
    input: R,
    line: Vec<u8>,
    number: usize,
    is_truncated: bool,
}

impl<R: BufRead> Lines<R> {
    /// The next complete line without its end.
    fn next(&mut self) -> Result<Option<&str>, RecordingError> {
        self.line.clear();
        let limit = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
        self.input
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut self.line)?;
        self.number = self.number.saturating_add(1);
        if self.line.pop_if(|last| *last == b'\n').is_none() {
            if self.line.len() >= MAX_LINE {
                return Err(self.problem(Problem::TooLong));
            }
            self.is_truncated = !self.line.is_empty();
            return Ok(None);
        }
        let number = self.number;
        let text = self.text();
        text.map(Some)
            .map_err(|problem| RecordingError::Line { number, problem })
    }

    fn text(&self) -> Result<&str, Problem> {
        std::str::from_utf8(&self.line).map_err(|_| Problem::NotText)
    }

    fn problem(&self, problem: Problem) -> RecordingError {
        RecordingError::Line {
            number: self.number,
            problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::encoder::{Encoder, remark};
    use super::super::header::tests::settings;
    use super::super::keys::Secrecy;
    use super::*;
    use crate::cluster::LinkId;

    const STARTED: Instant = Instant::from_micros(5_000_000);

    fn recording() -> String {
        let (mut encoder, mut text) = Encoder::new("1", STARTED, &settings(), Secrecy::Recorded);
        let (link, bytes) = (LinkId(1), b"hello".as_slice());
        encoder.line(STARTED, &Event::Received { link, bytes }, &mut text);
        text += &remark("a remark\nof one line");
        encoder.line(Instant::from_micros(5_000_001), &Event::Tick, &mut text);
        text
    }

    fn events(text: &str) -> Result<(Vec<String>, bool), RecordingError> {
        let mut reader = Reader::new(text.as_bytes(), None)?;
        let mut events = Vec::new();
        while let Some((at, event)) = reader.next_event()? {
            events.push(format!("{} {event:?}", at.as_micros()));
        }
        Ok((events, reader.is_truncated()))
    }

    #[test]
    fn events_come_back_with_their_times_and_remarks_are_skipped() {
        let (events, is_truncated) = events(&recording()).expect("readable");
        assert_eq!(events.len(), 2, "{events:?}");
        assert!(events[0].starts_with("5000000 Received"), "{events:?}");
        assert_eq!(events[1], "5000001 Tick");
        assert!(!is_truncated);
    }

    #[test]
    fn a_torn_last_line_is_left_out_wherever_it_is_torn() {
        let text = recording();
        let header = text.find("\n\n").expect("an empty line") + 2;
        for end in header..text.len() {
            let (events, is_truncated) = events(&text[..end]).expect("readable");
            assert!(events.len() < 2, "{end}: {events:?}");
            assert_eq!(is_truncated, !text[..end].ends_with('\n'), "{end}");
        }
        let torn = events(&text[..header - 1]);
        assert!(matches!(torn, Err(RecordingError::NoEvents)), "{torn:?}");
    }

    #[test]
    fn what_is_no_recording_of_this_form_is_told_so() {
        for text in [
            "",
            "\n",
            "heartbeat 3.0.6\n",
            "heartbeat-recording\n",
            "\u{ff}\n",
        ] {
            let refused = events(text);
            assert!(
                matches!(refused, Err(RecordingError::NotARecording)),
                "{text:?}: {refused:?}"
            );
        }
        let other = recording().replacen("heartbeat-recording 1", "heartbeat-recording 2", 1);
        let refused = events(&other).expect_err("another form").to_string();
        assert!(refused.contains("the form \"2\""), "{refused}");
    }

    #[test]
    fn a_damaged_line_is_named() {
        for (line, expected) in [
            ("4.000000 tock", "`tock` is no event"),
            ("later", "begins with its time"),
            ("0.000000", "before that of the line above"),
        ] {
            let mut text = recording();
            let number = text.lines().count() + 1;
            text += line;
            text.push('\n');
            let refused = events(&text).expect_err("damaged").to_string();
            assert!(
                refused.starts_with(&format!("line {number}: ")) && refused.contains(expected),
                "{refused}"
            );
        }
    }

    #[test]
    fn a_line_without_end_takes_no_memory_without_end() {
        let text = recording();
        let endless = text.as_bytes().chain(std::io::repeat(b'x'));
        let endless = std::io::BufReader::new(endless);
        let mut reader = Reader::new(endless, None).expect("a header");
        let refused = loop {
            match reader.next_event() {
                Ok(Some(_)) => {}
                Ok(None) => panic!("no end was there"),
                Err(error) => break error,
            }
        };
        assert!(refused.to_string().contains("longer than any line"));
    }
}
