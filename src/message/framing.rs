//! A serial byte stream cut into classic messages.

use super::MAX_WIRE;

/// Finds the messages in what a serial line delivers. Memory is bounded: a start marker whose end does
/// not come within [`MAX_WIRE`] bytes is forgotten.
///
/// After each [`push`](Self::push), take frames until there are none.
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
    /// The line is the rest of one that cannot matter.
    skipping: bool,
}

impl TextFrames {
    /// Nothing received yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes received bytes. Carriage returns are dropped, as the terminal does for 3.0.6.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.done.min(self.buffer.len()));
        self.line = self.line.saturating_sub(self.done);
        self.searched = self.searched.saturating_sub(self.done);
        self.done = 0;
        if self.buffer.len() > MAX_WIRE {
            let inside_line = self.buffer.last() != Some(&b'\n');
            self.reset();
            self.skipping = inside_line;
        }
        self.buffer
            .extend(bytes.iter().filter(|&&byte| byte != b'\r'));
    }

    /// Forgets what was received, as after the port was opened again.
    pub fn reset(&mut self) {
        self.buffer.clear();
        (self.done, self.line, self.searched) = (0, 0, 0);
        (self.collecting, self.skipping) = (false, false);
    }

    /// The text of the next message, markers included. Whether it is a good one is for the parser.
    pub fn next_frame(&mut self) -> Option<&[u8]> {
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
            if std::mem::take(&mut self.skipping) {
                self.done = end;
            } else if line == b">>>\n" || !self.collecting && line.starts_with(b">>>") {
                // No field is just `>>>`: while collecting, this is the start of a new message, and
                // the one before was cut off.
                self.done = start;
                self.collecting = true;
            } else if !self.collecting {
                self.done = end;
            } else if line.starts_with(b"<<<") {
                let first = self.done;
                self.done = end;
                self.collecting = false;
                if end - first <= MAX_WIRE {
                    return self.buffer.get(first..end);
                }
            } else if end - self.done > MAX_WIRE {
                self.done = end;
                self.collecting = false;
            }
        }
    }

    /// The line is incomplete. Outside a message it is kept only while it can be a start marker.
    fn wait_for_rest_of_line(&mut self) {
        let line = self.buffer.get(self.line..).unwrap_or_default();
        let can_matter = !self.skipping
            && (self.collecting || line.iter().zip(b">>>").all(|(byte, marker)| byte == marker));
        if !can_matter || self.buffer.len().saturating_sub(self.done) > MAX_WIRE {
            self.skipping |= !line.is_empty();
            self.collecting = false;
            self.done = self.buffer.len();
            self.line = self.done;
        }
        self.searched = self.buffer.len();
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
            (format!("noise{one}{two}"), vec![two]),
            (format!("\0{one}{two}"), vec![two]),
            (format!("> {one}{two}"), vec![two]),
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

    /// The parser refuses them; here it matters only that the reader is in step again afterwards.
    #[test]
    fn damaged_markers_frame_but_do_not_swallow_what_follows() {
        let good = ">>>\nc=3\n<<<\n";
        let stream = format!(">>>x\na=1\n<<<\n{good}");
        assert_eq!(frames(stream.as_bytes(), 4), [">>>x\na=1\n<<<\n", good]);
        let stream = format!(">>>\na=1\n<<<x\n{good}");
        assert_eq!(frames(stream.as_bytes(), 4), [">>>\na=1\n<<<x\n", good]);
    }

    #[test]
    fn a_message_without_end_is_given_up_and_memory_stays_bounded() {
        let good = ">>>\nc=3\n<<<\n";
        let endless_lines = [b">>>\n".as_slice(), &b"abc=defg\n".repeat(60_000)].concat();
        let endless_line = [b">>>\na=".as_slice(), &[b'x'; 600_000]].concat();
        let endless_marker = [b'>'; 600_000];
        for (junk, line_end) in [
            (&endless_lines[..], ""),
            (&endless_line[..], "\n"),
            (&endless_marker[..], "\n"),
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
    fn after_a_reset_the_first_line_counts() {
        let mut frames = TextFrames::new();
        frames.push(b">>>\nc=");
        assert_eq!(frames.next_frame(), None);
        frames.reset();
        frames.push(b">>>\nc=3\n<<<\n");
        assert_eq!(frames.next_frame(), Some(b">>>\nc=3\n<<<\n".as_slice()));
    }
}
