//! One connection to the control socket: a request line in, an answer out.

use std::io::{self, Read, Write};
use std::time::Duration;

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use super::follower::Follower;
use super::request::{RequestLine, Rights, respond};
use super::turn::{Progress, SHARE, Turn};
use crate::cluster::Instant;
use crate::control::{Answer, Request};
use crate::daemon::events::EventLog;

/// After this a client that has not read its answer is dropped.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of a request line.
enum Reading {
    /// It is complete.
    Line(Vec<u8>),
    /// There may be more of it in the next turn.
    More,
    /// The other side went away.
    Left,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    since: Instant,
    rights: Rights,
    request: RequestLine,
    /// `None` until the request is complete.
    answer: Option<Vec<u8>>,
    written: usize,
    /// It asked for events.
    follower: Option<Follower>,
    /// Reading or writing may get somewhere.
    is_ready: bool,
}

impl Client {
    pub fn new(
        mut stream: UnixStream,
        rights: Rights,
        since: Instant,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            since,
            rights,
            request: RequestLine::new(rights),
            answer: None,
            written: 0,
            follower: None,
            is_ready: true,
        })
    }

    /// When it connected.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// Whether it stays for what happens.
    pub fn is_following(&self) -> bool {
        self.follower.is_some()
    }

    /// When the patience with it ends; `None` for one that follows as it should.
    pub fn deadline(&self) -> Option<Instant> {
        match &self.follower {
            Some(follower) => follower.ends(),
            None => Some(self.since + PATIENCE),
        }
    }

    /// The stream was reported ready.
    pub fn ready(&mut self) {
        self.is_ready = true;
        if let Some(follower) = &mut self.follower {
            follower.ready();
        }
    }

    pub fn can_advance(&self, log: &EventLog) -> bool {
        let follower = self.follower.as_ref();
        self.is_ready || follower.is_some_and(|follower| follower.can_advance(log))
    }

    pub fn leave(&mut self, registry: &Registry) {
        let _ = registry.deregister(&mut self.stream); // closing it does the same
    }

    /// Reads and writes what is possible without waiting.
    pub fn advance(
        &mut self,
        turn: Turn<'_>,
        answer: &mut impl FnMut(Request) -> Answer,
    ) -> Progress {
        if self.follower.is_some() {
            return self.follow(turn).unwrap_or(Progress::Done);
        }
        if !self.is_ready {
            return Progress::Going;
        }
        self.try_advance(turn, answer)
            .unwrap_or_else(|error| match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.is_ready = false;
                    Progress::Going
                }
                io::ErrorKind::Interrupted => Progress::Going,
                _ => Progress::Done,
            })
    }

    /// Whoever follows has nothing more to say; only that it leaves is of interest.
    fn follow(&mut self, turn: Turn<'_>) -> io::Result<Progress> {
        if self.is_ready {
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => return Ok(Progress::Done),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_ready = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match &mut self.follower {
            Some(follower) => follower.advance(&mut self.stream, turn.log, turn.now),
            None => Ok(Progress::Done),
        }
    }

    fn try_advance(
        &mut self,
        turn: Turn<'_>,
        answer: &mut impl FnMut(Request) -> Answer,
    ) -> io::Result<Progress> {
        if self.answer.is_none() {
            let line = match self.read_request()? {
                Reading::Line(line) => line,
                Reading::More => return Ok(Progress::Going),
                Reading::Left => return Ok(Progress::Done),
            };
            let mut answer = respond(&line, self.rights, answer);
            if let Answer::Events { follow } = answer {
                if !follow || turn.has_room {
                    self.follower = Some(Follower::new(follow, turn.log));
                    return self.follow(turn);
                }
                answer = Answer::Error("too many clients follow the events already".into());
            }
            let mut bytes = serde_json::to_vec(&answer)?;
            bytes.push(b'\n');
            self.answer = Some(bytes);
        }
        self.write_answer()
    }

    /// The first line, without its line feed; none while there may be more of it in the next turn.
    fn read_request(&mut self) -> io::Result<Reading> {
        let mut buffer = [0; 4096];
        let mut taken = 0_usize;
        while taken < SHARE {
            let length = self.stream.read(&mut buffer)?;
            if length == 0 {
                return Ok(Reading::Left);
            }
            taken = taken.saturating_add(length);
            let read = buffer.get(..length).unwrap_or_default();
            if let Some(line) = self.request.push(read) {
                return Ok(Reading::Line(line));
            }
        }
        Ok(Reading::More)
    }

    fn write_answer(&mut self) -> io::Result<Progress> {
        let Some(answer) = &self.answer else {
            return Ok(Progress::Done);
        };
        let end = answer.len().min(self.written.saturating_add(SHARE));
        while let Some(rest) = answer
            .get(self.written..end)
            .filter(|rest| !rest.is_empty())
        {
            let length = self.stream.write(rest)?;
            self.written = self.written.saturating_add(length);
        }
        Ok(if self.written >= answer.len() {
            Progress::Done
        } else {
            Progress::Going
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::MAX_REQUEST;

    fn ask(request: &[u8], rights: Rights) -> String {
        let poll = mio::Poll::new().expect("a poll");
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let mut client = Client::new(ours, rights, Instant::default(), poll.registry(), Token(0))
            .expect("registers");
        let log = EventLog::default();
        let turn = Turn {
            now: Instant::default(),
            log: &log,
            has_room: true,
        };
        let mut theirs = std::os::unix::net::UnixStream::from(theirs);
        theirs.set_nonblocking(false).expect("blocking");
        let mut done = Progress::Going;
        for chunk in request.chunks(600) {
            theirs.write_all(chunk).expect("taken");
            client.ready();
            done = client.advance(turn, &mut |_| Answer::Error("asked".into()));
        }
        assert_eq!(done, Progress::Done);
        drop(client);
        let mut text = String::new();
        theirs.read_to_string(&mut text).expect("readable");
        text
    }

    #[test]
    fn a_request_in_pieces_is_answered_once() {
        assert_eq!(
            ask(b"{\"request\":\"status\"}\n", Rights::Ask),
            "{\"error\":\"asked\"}\n"
        );
        let padded = [b" ".repeat(2000).as_slice(), b"{\"request\":\"status\"}\n"].concat();
        assert_eq!(ask(&padded, Rights::Ask), "{\"error\":\"asked\"}\n");
    }

    #[test]
    fn a_stranger_is_told_why_and_nothing_else() {
        assert!(ask(b"{\"request\":\"status\"}\n", Rights::Nothing).contains("permission denied"));
    }

    #[test]
    fn who_may_only_ask_moves_nothing() {
        for request in ["standby", "takeover"] {
            let line = format!("{{\"request\":\"{request}\",\"selection\":\"all\"}}\n");
            assert!(ask(line.as_bytes(), Rights::Nothing).contains("apiauth anon"));
            assert!(ask(line.as_bytes(), Rights::Ask).contains("may move resources"));
            assert_eq!(
                ask(line.as_bytes(), Rights::Move),
                "{\"error\":\"asked\"}\n"
            );
        }
    }

    #[test]
    fn anything_else_is_an_error_and_costs_bounded_memory() {
        assert!(ask(b"GET / HTTP/1.0\n", Rights::Ask).contains("not a request"));
        assert!(ask(b"{\"request\":\"stop\"}\n", Rights::Ask).contains("not a request"));
        assert!(ask(&b"x".repeat(MAX_REQUEST + 1), Rights::Ask).contains("not a request"));
    }

    #[test]
    fn files_are_taken_from_those_only_who_may_use_them() {
        let file = crate::control::File::new(&b"x".repeat(2 * MAX_REQUEST), 0o644);
        let request = Request::Reload {
            dry_run: true,
            files: crate::control::Files([("ha.cf".to_owned(), file)].into()),
            mistakes: Vec::new(),
        };
        let mut line = serde_json::to_vec(&request).expect("serializes");
        line.push(b'\n');
        assert_eq!(ask(&line, Rights::Move), "{\"error\":\"asked\"}\n");
        let short = b"{\"request\":\"reload\",\"dry_run\":true,\"files\":{},\"mistakes\":[]}\n";
        assert_eq!(ask(short, Rights::Move), "{\"error\":\"asked\"}\n");
        assert!(ask(short, Rights::Ask).contains("and reload"));
        assert!(ask(short, Rights::Nothing).contains("apiauth anon"));
    }
}
