//! What comes in: lines of another test, messages of heartbeat, a login, a modem, our own words, or rubbish. A value: no
//! descriptor, no clock.

use super::super::media::stranger::{answers_as_modem, asks_for_login, shown};
use super::line::Line;
use crate::message::TextFrames;

/// No line of interest is longer.
const LONGEST: usize = 1024;

/// Takes in what arrives.
#[derive(Debug, Default)]
pub struct Ear {
    frames: TextFrames,
    line: Vec<u8>,
    /// Bytes in all.
    pub bytes: u64,
    /// Bytes that are no text.
    pub odd: u64,
    /// Lines of a test that arrived damaged.
    pub damaged: u64,
    /// Messages of heartbeat.
    pub messages: u64,
    /// The node that they name.
    pub node: Option<String>,
    /// Something asked for a login.
    pub login: bool,
    /// Something answered as a modem does.
    pub modem: bool,
    /// The last text that nobody understood.
    pub text: String,
}

impl Ear {
    /// Takes in bytes; `hear` gets each whole line of a test.
    pub fn push(&mut self, bytes: &[u8], mut hear: impl FnMut(Line, usize)) {
        self.bytes = self.bytes.saturating_add(count(bytes.len()));
        self.frames.push(bytes);
        while let Some(frame) = self.frames.next_frame() {
            self.messages = self.messages.saturating_add(1);
            self.node = name_in(frame).or_else(|| self.node.take());
        }
        for &byte in bytes {
            let is_text = byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
            self.odd = self.odd.saturating_add(u64::from(!is_text));
            if matches!(byte, b'\n' | b'\r') {
                let line = std::mem::take(&mut self.line);
                self.take_line(&line, &mut hear);
                self.line = line;
                self.line.clear();
            } else if self.line.len() < LONGEST {
                self.line.push(byte);
            }
        }
        // A prompt does not end its line.
        self.login |= asks_for_login(&self.line);
    }

    /// The share of bytes that are no text, in percent.
    pub fn odd_percent(&self) -> u64 {
        self.odd
            .saturating_mul(100)
            .checked_div(self.bytes)
            .unwrap_or(0)
    }

    fn take_line(&mut self, line: &[u8], hear: &mut impl FnMut(Line, usize)) {
        if line.is_empty() {
            return;
        }
        if let Some(found) = Line::read(line) {
            return hear(found, line.len().saturating_add(1));
        }
        if Line::is_damaged(line) {
            self.damaged = self.damaged.saturating_add(1);
            return;
        }
        self.login |= asks_for_login(line);
        let text = String::from_utf8_lossy(line);
        let text = text.trim();
        self.modem |= answers_as_modem(text);
        // What the other test says to find a login or a modem is of no interest.
        if !text.is_empty() && text != "AT" {
            self.text = shown(text);
        }
    }
}

/// The sender that a message names; nothing of it is trusted.
fn name_in(frame: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(frame);
    let name = text.lines().find_map(|line| line.strip_prefix("src="))?;
    Some(shown(name))
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::super::line::{Kind, Line};
    use super::*;

    fn ear(pieces: &[&[u8]]) -> (Ear, Vec<Line>) {
        let mut ear = Ear::default();
        let mut lines = Vec::new();
        for piece in pieces {
            ear.push(piece, |line, _| lines.push(line));
        }
        (ear, lines)
    }

    #[test]
    fn everything_that_may_be_at_the_other_end_is_told_apart() {
        let (heard, _) = ear(&[b"\n>>>\nt=status\nsrc=beta\n", b"seq=1\n<<<\n"]);
        assert_eq!((heard.messages, heard.node.as_deref()), (1, Some("beta")));
        let (heard, _) = ear(&[
            b"\r\nDebian GNU/Linux 12 beta ttyS0\r\n\r\nbeta log",
            b"in: ",
        ]);
        assert!(heard.login && !heard.modem);
        let (heard, _) = ear(&[b"AT\r\r\nOK\r\n"]);
        assert!(heard.modem && !heard.login && heard.text == "OK");
        let (heard, _) = ear(&[b"$GPGGA,123519,4807.038,N\r\n"]);
        assert!(!heard.modem && !heard.login && heard.text.starts_with("$GPGGA"));
        assert_eq!((heard.odd, heard.messages), (0, 0));
        let (heard, _) = ear(&[&[0xf0, 0x80, 0, 0xfe, b'x', 0x81, 0, 0, 0x9c, b'\n']]);
        assert_eq!(heard.odd_percent(), 80);
        let (heard, _) = ear(&[b"\x1b[2Jhello\x07\n"]);
        assert_eq!(heard.text, "?[2Jhello?", "nothing for a terminal to obey");
        assert_eq!(ear(&[]).0.odd_percent(), 0);
    }

    #[test]
    fn lines_of_a_test_are_heard_and_damaged_ones_counted() {
        let line = Line {
            kind: Kind::Bye,
            from: 7,
            to: 0,
            number: 3,
            outputs: None,
            inputs: None,
        };
        let mut text = Vec::new();
        line.write(20, &mut text);
        let mut bad = text.clone();
        bad[20] ^= 1;
        let (heard, lines) = ear(&[&text, b"\rAT\r", &bad, &text]);
        assert_eq!((lines, heard.damaged), (vec![line, line], 1));
        assert_eq!((heard.text.as_str(), heard.modem), ("", false));
        let endless = vec![b'x'; 100_000];
        assert!(ear(&[&endless]).0.line.len() <= LONGEST);
    }

    proptest::proptest! {
        #[test]
        fn whatever_comes_is_taken_in(pieces in proptest::collection::vec(proptest::collection::vec(0_u8.., 0..300), 0..8)) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let (heard, _) = ear(&pieces);
            assert!(heard.odd <= heard.bytes && heard.odd_percent() <= 100);
            assert!(heard.line.len() <= LONGEST && heard.text.chars().count() <= 60);
        }
    }
}
