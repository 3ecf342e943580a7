//! A serial byte stream cut into classic messages.

use super::MAX_WIRE;

/// Finds the messages in what a serial line delivers. Memory is bounded: a start marker whose end does
/// not come within [`MAX_WIRE`] bytes is forgotten.
///
/// After each [`push`](Self::push), take frames until there are none.
#[derive(Debug, Clone, Default)]
pub struct TextFrames {
    buffer: Vec<u8>,
    /// Everything before this is done with.
    done: usize,
    /// Everything before this has been looked at; always the start of a line, or in the middle of
    /// one that is being skipped.
    seen: usize,
    /// A start marker was found, at `done`.
    collecting: bool,
    /// What follows belongs to a line that cannot matter.
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
        self.seen = self.seen.saturating_sub(self.done);
        self.done = 0;
        if self.buffer.len() > MAX_WIRE {
            self.reset();
        }
        self.buffer
            .extend(bytes.iter().filter(|&&byte| byte != b'\r'));
    }

    /// Forgets what was received; what follows is taken up at the next line.
    pub fn reset(&mut self) {
        self.buffer.clear();
        (self.done, self.seen) = (0, 0);
        self.collecting = false;
        self.skipping = true;
    }

    /// The text of the next message, markers included. Whether it is a good one is for the parser.
    pub fn next_frame(&mut self) -> Option<&[u8]> {
        loop {
            let rest = self.buffer.get(self.seen..)?;
            let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
                self.wait_for_rest_of_line();
                return None;
            };
            let (start, end) = (self.seen, self.seen + length + 1);
            let line = self.buffer.get(start..end)?;
            self.seen = end;
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
                return self.buffer.get(first..end);
            } else if end - self.done > MAX_WIRE {
                self.done = end;
                self.collecting = false;
            }
        }
    }

    /// The last line is incomplete. Outside a message it is kept only while it can be a start marker.
    fn wait_for_rest_of_line(&mut self) {
        let line = self.buffer.get(self.seen..).unwrap_or_default();
        let can_matter = !self.skipping
            && (self.collecting || line.iter().zip(b">>>").all(|(byte, marker)| byte == marker));
        if !can_matter || self.buffer.len().saturating_sub(self.done) > MAX_WIRE {
            self.skipping |= !line.is_empty();
            self.collecting = false;
            self.done = self.buffer.len();
            self.seen = self.done;
        }
    }
}
