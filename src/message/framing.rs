//! A serial byte stream cut into classic messages and short heartbeats.

use super::MAX_WIRE;
use super::short::{self, LONGEST_SHORT, MOST_INSETS};

const START: &[u8] = b">>>\n";
const END: &[u8] = b"<<<";

/// Finds the messages in what a serial line delivers. Memory is bounded: a start marker whose end does
/// not come within [`MAX_WIRE`] bytes is forgotten.
///
/// After each [`push`](Self::push), take frames until there are none.
///
/// 3.0.6 looks for start markers at the beginning of a line and not inside a message, and so loses the
/// message after a damaged or cut-off one. Here every line that ends with a start marker can start a
/// message. Where that cannot be told from a field, both are handed out as one: see [`super::open`].
///
/// A short heartbeat is a line by itself. As it can't be a field, it may also stand between two lines of a message, which a
/// slow line would else be busy with for too long: then it is handed out first, and the message without it. More than
/// [`MOST_INSETS`] in a row are the end of the message, whose own end was lost.
#[derive(Debug, Clone, Default)]
pub struct TextFrames {
    buffer: Vec<u8>,
    /// Everything before this is done with. While collecting, the start marker is here.
    done: usize,
    /// The line that is looked at next starts here.
    line: usize,
    /// There is no newline between `line` and this.
    searched: usize,
    /// A start marker was found and its end marker not yet.
    collecting: bool,
    /// Short heartbeats are no more than other lines.
    messages_only: bool,
    /// The short heartbeat that was found inside a message last.
    inset: Vec<u8>,
    /// So many were found since the last other line of it. Empty lines don't count: a sender may begin anything with one.
    insets: u8,
}

/// What was found.
enum Found {
    /// Here.
    Frame { first: usize, end: usize },
    /// A short heartbeat inside a message, which is out of that now.
    Inset,
}

impl TextFrames {
    /// Nothing received yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same for a stream on which there are no short heartbeats: one that does not come from another node.
    pub fn of_messages() -> Self {
        Self {
            messages_only: true,
            ..Self::default()
        }
    }

    /// Takes received bytes. Carriage returns are dropped, as the terminal does for 3.0.6.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.buffer.len().saturating_sub(self.done) > MAX_WIRE {
            self.reset(); // nobody took the frames
        }
        let done = std::mem::take(&mut self.done);
        self.buffer.drain(..done.min(self.buffer.len()));
        self.line = self.line.saturating_sub(done);
        self.searched = self.searched.saturating_sub(done);
        self.buffer
            .extend(bytes.iter().filter(|&&byte| byte != b'\r'));
    }

    /// Forgets what was received, as after the port was opened again.
    pub fn reset(&mut self) {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        *self = Self {
            buffer,
            messages_only: self.messages_only,
            ..Self::default()
        };
    }

    /// The text of the next message, markers included, or a short heartbeat with its newline. Whether it is a good one is for the parser.
    pub fn next_frame(&mut self) -> Option<&[u8]> {
        match self.find()? {
            Found::Frame { first, end } => self.buffer.get(first..end),
            Found::Inset => Some(&self.inset),
        }
    }

    fn find(&mut self) -> Option<Found> {
        loop {
            let rest = self.buffer.get(self.searched..)?;
            let Some(newline) = rest.iter().position(|&byte| byte == b'\n') else {
                self.wait_for_rest_of_line();
                return None;
            };
            let (start, end) = (self.line, self.searched + newline + 1);
            let line = self.buffer.get(start..end)?;
            self.line = end;
            self.searched = end;
            let alone = !self.collecting || end - self.done > MAX_WIRE;
            if let Some(length) = self.short_in(line, alone) {
                if !alone && self.insets < MOST_INSETS {
                    self.insets += 1;
                    self.take_out(start, end);
                    return Some(Found::Inset);
                }
                self.skip_to(end);
                let first = end.saturating_sub(length);
                return Some(Found::Frame { first, end });
            }
            if line != b"\n" {
                self.insets = 0;
            }
            if line.ends_with(START) {
                // No field is just `>>>`, so there the message before was cut off.
                if alone || line == START {
                    self.done = end - START.len();
                    self.collecting = true;
                }
            } else if alone {
                self.skip_to(end);
            } else if line.starts_with(END) {
                let first = self.done;
                self.skip_to(end);
                return Some(Found::Frame { first, end });
            }
        }
    }

    /// The length of the short heartbeat at the end of this line. What comes before it outside of a message is noise.
    fn short_in(&self, line: &[u8], alone: bool) -> Option<usize> {
        let found = if alone {
            short::after_noise(line)
        } else {
            short::is_short(line).then_some(line)
        };
        found.filter(|_| !self.messages_only).map(<[u8]>::len)
    }

    /// Takes a whole line out of the message that is being collected.
    fn take_out(&mut self, start: usize, end: usize) {
        self.inset.clear();
        self.inset.extend(self.buffer.drain(start..end));
        (self.line, self.searched) = (start, start);
    }

    fn skip_to(&mut self, place: usize) {
        self.done = place;
        self.collecting = false;
    }

    /// The line is incomplete. Outside a message only what may be part of a start marker, or of a short heartbeat, matters.
    fn wait_for_rest_of_line(&mut self) {
        let end = self.buffer.len();
        if !self.collecting || end.saturating_sub(self.done) > MAX_WIRE {
            self.line = self.line.max(end.saturating_sub(LONGEST_SHORT));
            self.skip_to(self.line);
        }
        self.searched = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames that come out of `stream`, fed in pieces of `piece` bytes.
    fn frames(stream: &[u8], piece: usize) -> Vec<String> {
        let mut frames = TextFrames::new();
        let mut found = Vec::new();
        for bytes in stream.chunks(piece) {
            frames.push(bytes);
            while let Some(frame) = frames.next_frame() {
                found.push(String::from_utf8_lossy(frame).into_owned());
            }
            assert!(frames.buffer.len() <= MAX_WIRE + piece);
        }
        found
    }

    #[test]
    fn messages_are_found_between_anything_else() {
        let one = ">>>\na=1\n<<<\n";
        let two = ">>>\nb=2\n<<<\n";
        for (stream, expected) in [
            (format!("{one}{two}"), vec![one, two]),
            (format!("noise\n{one}\n\n{two}"), vec![one, two]),
            (format!("=1\n<<<\n{one}"), vec![one]),
            (format!("noise{one}{two}"), vec![one, two]),
            (format!("\0{one}{two}"), vec![one, two]),
            (one.replace('\n', "\r\n"), vec![one]),
            (">>>\n\na=1\n\n<<<\n".into(), vec![">>>\n\na=1\n\n<<<\n"]),
            ("###\n5:(0)a=,%%%\n".into(), vec![]),
            (">>>\na=1\n<<<".into(), vec![]),
        ] {
            for piece in [1, 2, 3, 7, stream.len()] {
                assert_eq!(
                    frames(stream.as_bytes(), piece),
                    expected,
                    "{stream:?} by {piece}"
                );
            }
        }
    }

    #[test]
    fn a_message_cut_off_between_lines_does_not_cost_the_next_one() {
        let stream = b">>>\na=1\nb=2\n>>>\nc=3\n<<<\n";
        assert_eq!(frames(stream, 5), [">>>\nc=3\n<<<\n"]);
    }

    #[test]
    fn a_message_cut_off_inside_a_line_comes_with_the_next_one() {
        let (both, good) = (">>>\na=1>>>\nc=3>>>\nd=4\n<<<\n", ">>>\ne=5\n<<<\n");
        for piece in [1, 5, 100] {
            assert_eq!(
                frames(format!("{both}{good}").as_bytes(), piece),
                [both, good]
            );
        }
    }

    /// As with 3.0.6 that message is lost, and only that.
    #[test]
    fn damaged_markers_do_not_swallow_what_follows() {
        let good = ">>>\nc=3\n<<<\n";
        let stream = format!(">>>x\na=1\n<<<\n{good}");
        assert_eq!(frames(stream.as_bytes(), 4), [good]);
        let stream = format!(">>>\na=1\n<<<x\n{good}");
        assert_eq!(frames(stream.as_bytes(), 4), [">>>\na=1\n<<<x\n", good]);
    }

    #[test]
    fn a_message_without_end_is_given_up_and_memory_stays_bounded() {
        let good = ">>>\nc=3\n<<<\n";
        let endless_lines = [b">>>\n".as_slice(), &b"abc=defg\n".repeat(60_000)].concat();
        let endless_line = [b">>>\na=".as_slice(), &b"x".repeat(600_000)].concat();
        let endless_marker = b">".repeat(600_000);
        for (junk, line_end) in [
            (&endless_lines[..], ""),
            (&endless_line[..], "\n"),
            (&endless_marker[..], "x\n"),
        ] {
            let stream = [junk, line_end.as_bytes(), good.as_bytes()].concat();
            assert_eq!(frames(&stream, 4096), [good]);
        }
    }

    #[test]
    fn the_longest_message_passes_and_one_byte_more_does_not() {
        for (length, passes) in [(MAX_WIRE, true), (MAX_WIRE + 1, false)] {
            let mut stream = b">>>\na=".to_vec();
            stream.resize(length - 5, b'x');
            stream.extend(b"\n<<<\n");
            assert_eq!(frames(&stream, 1000).len(), usize::from(passes));
        }
    }

    #[test]
    fn frames_not_taken_are_dropped_instead_of_piling_up() {
        let mut frames = TextFrames::new();
        for _ in 0..100_000 {
            frames.push(b">>>\nc=3\n<<<\n");
        }
        assert!(frames.buffer.len() <= MAX_WIRE + 12);
        while frames.next_frame().is_some() {}
        frames.push(b">>>\nc=3\n<<<\n");
        assert_eq!(frames.next_frame(), Some(b">>>\nc=3\n<<<\n".as_slice()));
    }

    #[test]
    fn short_heartbeats_are_found_between_messages_and_noise() {
        let (short, other) = ("!1.0.0.-.-.2AAAA+/AAAAAAAAAA\n", "!2.1.0.1.f.0765e7680\n");
        let message = ">>>\na=1!\n<<<\n";
        let long = "x".repeat(2 * LONGEST_SHORT);
        for (stream, expected) in [
            (format!("{short}{other}"), vec![short, other]),
            (
                format!("{message}{short}{message}"),
                vec![message, short, message],
            ),
            (format!("noise{short}!\x07{other}"), vec![short, other]),
            (format!("{long}{short}{long}\n{other}"), vec![short, other]),
            (short.replace('\n', "\r\n"), vec![short]),
            // Between two lines of a message.
            (
                format!(">>>\n{short}a=1!\n{other}{short}<<<\n{other}"),
                vec![short, other, short, message, other],
            ),
            // A message that was cut off between lines, and inside one.
            (format!(">>>\na=1\n{short}{message}"), vec![short, message]),
            (
                format!(">>>\na=1{short}{other}{message}"),
                vec![other, message],
            ),
            (
                format!(">>>\n!a=1\n<<<\n{other}"),
                vec![">>>\n!a=1\n<<<\n", other],
            ),
            (format!("!{long}\n{other}"), vec![other]),
            ("!1.0.0.-.-.2AAAA".into(), vec![]),
        ] {
            for piece in [1, 2, 3, 7, 50, stream.len()] {
                let found = frames(stream.as_bytes(), piece);
                assert_eq!(found, expected, "{stream:?} by {piece}");
            }
        }
        let mut messages = TextFrames::of_messages();
        messages.push(format!("{short}{message}").as_bytes());
        assert_eq!(messages.next_frame(), Some(message.as_bytes()));
    }

    /// Between two nodes that have nothing else to say.
    #[test]
    fn a_message_whose_end_was_lost_is_given_up_at_the_third_short_heartbeat_in_a_row() {
        let (short, message) = ("!1.0.0.-.-.2AAAA+/AAAAAAAAAA\n", ">>>\na=1!\n<<<\n");
        let cut = ">>>\na=1<<<\n";
        for (stream, expected) in [
            (
                format!("{cut}{short}{short}\n{short}noise{short}{message}"),
                vec![short, short, short, short, message],
            ),
            // As a sender does at most.
            (
                format!(">>>\n{short}{short}a=1!\n{short}{short}<<<\n{short}"),
                vec![short, short, short, short, message, short],
            ),
            (
                format!("{cut}{short}{short}{message}{short}"),
                vec![short, short, message, short],
            ),
        ] {
            for piece in [1, 2, 3, 7, 50, stream.len()] {
                let found = frames(stream.as_bytes(), piece);
                assert_eq!(found, expected, "{stream:?} by {piece}");
            }
        }
    }

    #[test]
    fn after_a_reset_the_first_line_counts() {
        let mut frames = TextFrames::new();
        frames.push(b">>>\nc=");
        assert_eq!(frames.next_frame(), None);
        frames.reset();
        frames.push(b">>>\nc=3\n<<<\n");
        assert_eq!(frames.next_frame(), Some(b">>>\nc=3\n<<<\n".as_slice()));
    }
}
