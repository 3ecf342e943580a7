//! A request as it comes in: cut off at its line feed, bounded, and answered as far as its sender may ask.

use crate::control::{Answer, MAX_RELOAD, MAX_REQUEST, Request};

/// How a reload begins.
const RELOAD: &[u8] = br#"{"request":"reload","#;

/// What a caller may do; each includes the ones before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rights {
    /// Hear that it may not.
    Nothing,
    /// Ask.
    Ask,
    /// Move resources.
    Move,
}

/// A request line that is not complete.
#[derive(Debug)]
pub struct RequestLine {
    rights: Rights,
    bytes: Vec<u8>,
}

impl RequestLine {
    /// Nothing of it has come.
    pub fn new(rights: Rights) -> Self {
        Self {
            rights,
            bytes: Vec::new(),
        }
    }

    /// Takes what has come. The line without its line feed once that is there; an empty one in place of one that is
    /// too long, which is answered like any other line that is no request.
    pub fn push(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let line = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
        self.bytes.extend_from_slice(line);
        if self.bytes.len() > self.longest() {
            return Some(Vec::new());
        }
        end.map(|_| std::mem::take(&mut self.bytes))
    }

    /// Only files may be long.
    fn longest(&self) -> usize {
        if self.rights == Rights::Move && self.bytes.starts_with(RELOAD) {
            MAX_RELOAD
        } else {
            MAX_REQUEST
        }
    }
}

/// The answer to a line; `answer` is asked for it when the line is a request that its sender may make.
pub fn respond(line: &[u8], rights: Rights, answer: &mut impl FnMut(Request) -> Answer) -> Answer {
    if rights < Rights::Ask {
        return Answer::Error("permission denied: apiauth anon in ha.cf says who may ask".into());
    }
    match serde_json::from_slice::<Request>(line) {
        Ok(request) if request.changes_something() && rights < Rights::Move => Answer::Error(
            "permission denied: only root, hacluster and the user that heartbeat runs as may move resources and reload"
                .into(),
        ),
        Ok(request) => answer(request),
        Err(error) => Answer::Error(format!("not a request: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_long_a_line_may_be_does_not_depend_on_the_pieces_in_which_it_comes() {
        for (length, is_taken) in [
            (MAX_REQUEST, true),
            (MAX_REQUEST + 1, false),
            (MAX_REQUEST + 4000, false),
        ] {
            let mut line = b" ".repeat(length);
            line.push(b'\n');
            for piece in [1, 600, 4096, line.len()] {
                let mut request = RequestLine::new(Rights::Move);
                let read = line.chunks(piece).find_map(|bytes| request.push(bytes));
                let expected = if is_taken { length } else { 0 };
                assert_eq!(
                    read.map(|line| line.len()),
                    Some(expected),
                    "{length} by {piece}"
                );
            }
        }
    }
}
