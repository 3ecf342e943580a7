//! One scraper: the head of its request in, the answer out, and never a wait for it.

use std::io::{self, Read, Write};
use std::rc::Rc;

use mio::event::Source;
use mio::net::{TcpStream, UnixStream};
use mio::{Interest, Registry, Token};

use super::exposition::Form;
use super::http::{self, Refusal, Wanted};
use crate::cluster::Instant;

/// Written in one turn, so that a large text does not hold up what else there is to do.
const SHARE: usize = 64 * 1024;

/// A connection of either kind.
#[derive(Debug)]
pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl Stream {
    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Unix(stream) => stream,
            Self::Tcp(stream) => stream,
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.read(buffer),
            Self::Tcp(stream) => stream.read(buffer),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Unix(stream) => stream.write(bytes),
            Self::Tcp(stream) => stream.write(bytes),
        }
    }
}

/// How far a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// It waits for the other side or its next turn.
    Going,
    /// It waits for a text in this form.
    Wants(Form),
    /// Everything is said, or the other side is gone.
    Done,
}

#[derive(Debug)]
enum Stage {
    /// What has come of the head.
    Reading(Vec<u8>),
    Waiting {
        form: Form,
        head_only: bool,
    },
    Writing {
        head: Vec<u8>,
        text: Rc<str>,
        written: usize,
    },
}

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    stream: Stream,
    since: Instant,
    /// Whether whoever it is may see anything.
    may_ask: bool,
    stage: Stage,
    /// Reading or writing may get somewhere.
    is_ready: bool,
}

impl Client {
    pub fn new(
        mut stream: Stream,
        may_ask: bool,
        since: Instant,
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        registry.register(stream.source(), token, interest)?;
        Ok(Self {
            stream,
            since,
            may_ask,
            stage: Stage::Reading(Vec::new()),
            is_ready: true,
        })
    }

    /// When it connected.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// The stream was reported ready.
    pub fn ready(&mut self) {
        self.is_ready = true;
    }

    /// Whether it can go on without waiting for the other side.
    pub fn can_advance(&self) -> bool {
        self.is_ready
    }

    pub fn leave(&mut self, registry: &Registry) {
        let _ = registry.deregister(self.stream.source()); // closing it does the same
    }

    /// The text that it waited for.
    pub fn give(&mut self, text: &Rc<str>) {
        if let Stage::Waiting { form, head_only } = self.stage {
            let text = if head_only {
                (http::head(form, text.len()), Rc::from(""))
            } else {
                (http::head(form, text.len()), Rc::clone(text))
            };
            self.write_later(text.0, text.1);
        }
    }

    /// Reads and writes what is possible without waiting.
    pub fn advance(&mut self) -> Progress {
        if !self.is_ready {
            return Progress::Going;
        }
        self.try_advance()
            .unwrap_or_else(|error| match error.kind() {
                io::ErrorKind::WouldBlock => {
                    self.is_ready = false;
                    Progress::Going
                }
                io::ErrorKind::Interrupted => Progress::Going,
                _ => Progress::Done,
            })
    }

    fn try_advance(&mut self) -> io::Result<Progress> {
        match &self.stage {
            Stage::Reading(_) => self.read(),
            Stage::Waiting { form, .. } => Ok(Progress::Wants(*form)),
            Stage::Writing { .. } => self.write(),
        }
    }

    /// At most a head in one turn.
    fn read(&mut self) -> io::Result<Progress> {
        let Stage::Reading(head) = &mut self.stage else {
            return Ok(Progress::Going);
        };
        let mut buffer = [0; 2048];
        while !http::is_complete(head) {
            if head.len() > http::LONGEST {
                self.refuse(Refusal::TooLong);
                return Ok(Progress::Going);
            }
            let length = self.stream.read(&mut buffer)?;
            if length == 0 {
                return Ok(Progress::Done);
            }
            head.extend_from_slice(buffer.get(..length).unwrap_or_default());
        }
        match http::read(head) {
            _ if !self.may_ask => self.refuse(Refusal::Rights),
            Wanted::Refusal(why) => self.refuse(why),
            Wanted::Metrics { form, head_only } => {
                self.stage = Stage::Waiting { form, head_only };
                return Ok(Progress::Wants(form));
            }
        }
        Ok(Progress::Going)
    }

    fn refuse(&mut self, why: Refusal) {
        self.write_later(http::refusal(why), Rc::from(""));
    }

    fn write_later(&mut self, head: Vec<u8>, text: Rc<str>) {
        self.stage = Stage::Writing {
            head,
            text,
            written: 0,
        };
    }

    fn write(&mut self) -> io::Result<Progress> {
        let Stage::Writing {
            head,
            text,
            written,
        } = &mut self.stage
        else {
            return Ok(Progress::Going);
        };
        let end = written.saturating_add(SHARE);
        loop {
            let rest = match head.get(*written..) {
                Some(rest) if !rest.is_empty() => rest,
                _ => text
                    .as_bytes()
                    .get(written.saturating_sub(head.len())..)
                    .unwrap_or_default(),
            };
            if rest.is_empty() {
                return Ok(Progress::Done);
            }
            if *written >= end {
                return Ok(Progress::Going);
            }
            let share = rest.get(..end.saturating_sub(*written)).unwrap_or(rest);
            *written = written.saturating_add(self.stream.write(share)?);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client and the other end of its stream.
    fn client(request: &[u8]) -> (mio::Poll, Client, UnixStream) {
        let poll = mio::Poll::new().expect("a poll");
        let (ours, mut theirs) = UnixStream::pair().expect("a pair");
        theirs.write_all(request).expect("taken");
        let (now, token) = (Instant::default(), Token(0));
        let client = Client::new(Stream::Unix(ours), true, now, poll.registry(), token);
        (poll, client.expect("registers"), theirs)
    }

    #[test]
    fn one_that_does_not_read_costs_no_wait_and_gets_everything_once_it_does() {
        let (_poll, mut client, mut theirs) = client(b"GET /metrics HTTP/1.1\r\n\r\n");
        assert_eq!(client.advance(), Progress::Wants(Form::OpenMetrics));
        let text: Rc<str> = "x".repeat(4 * 1024 * 1024).into();
        client.give(&text);
        while client.can_advance() {
            assert_eq!(client.advance(), Progress::Going);
        }
        let mut client = Some(client);
        let mut seen = Vec::new();
        let mut buffer = vec![0; 65536];
        loop {
            match theirs.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => seen.extend_from_slice(&buffer[..length]),
                Err(error) => {
                    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
                    let mut waiting = client.take().expect("it has more to say");
                    waiting.ready();
                    if waiting.advance() != Progress::Done {
                        client = Some(waiting);
                    }
                }
            }
        }
        assert!(seen.ends_with(text.as_bytes()));
        assert!(seen.starts_with(b"HTTP/1.1 200 OK\r\n"));
    }

    #[test]
    fn a_request_that_does_not_end_is_read_no_further() {
        let (_poll, mut client, mut theirs) = client(&b"GET /metrics".repeat(1000));
        while client.can_advance() && client.advance() != Progress::Done {}
        drop(client);
        let mut answer = String::new();
        let _ = theirs.read_to_string(&mut answer); // what was not read of it ends this with an error
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
}
