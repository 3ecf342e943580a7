//! What a child writes: read without waiting, kept and logged within bounds.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read};

use mio::unix::pipe::Receiver;
use mio::{Interest, Registry, Token};

/// Taken from each pipe in one turn, so that a flood delays nobody else.
const SHARE: usize = 64 * 1024;
/// The beginning of standard output that is kept; no status needs more.
const HEAD: usize = 64 * 1024;
/// A longer line is cut.
const LINE: usize = 1000;
/// The last lines that are kept to explain a failure.
const TAIL: usize = 10;
/// Lines of one child's output that go to the log.
const LOGGED: usize = 1000;

/// Both outputs of a child.
#[derive(Debug)]
pub(super) struct Output {
    stdout: Stream,
    stderr: Stream,
    head: Vec<u8>,
    record: Record,
    /// Bytes from both.
    written: u64,
}

#[derive(Debug)]
struct Stream {
    pipe: Option<Receiver>,
    /// The line that has no end yet.
    line: Vec<u8>,
}

/// The lines of a child: in the log, and the last of them kept.
#[derive(Debug)]
pub struct Record {
    tag: String,
    tail: VecDeque<String>,
    logged: usize,
    unlogged: usize,
}

impl Output {
    pub fn new(
        tag: String,
        [stdout, stderr]: [Option<Receiver>; 2],
        registry: &Registry,
        token: Token,
    ) -> io::Result<Self> {
        let stream = |pipe: Option<Receiver>| -> io::Result<Stream> {
            let mut pipe = pipe;
            if let Some(pipe) = &mut pipe {
                pipe.set_nonblocking(true)?;
                registry.register(pipe, token, Interest::READABLE)?;
            }
            Ok(Stream {
                pipe,
                line: Vec::new(),
            })
        };
        Ok(Self {
            stdout: stream(stdout)?,
            stderr: stream(stderr)?,
            head: Vec::new(),
            record: Record::new(tag),
            written: 0,
        })
    }

    /// Takes what is there. True when there may be more than one turn's share.
    pub fn read(&mut self) -> bool {
        let Self {
            stdout,
            stderr,
            head,
            record,
            written,
        } = self;
        let mut count = |bytes: &[u8]| {
            let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
            *written = written.saturating_add(length);
        };
        let more = stdout.read(&mut |line, bytes| {
            count(bytes);
            let room = HEAD.saturating_sub(head.len()).min(bytes.len());
            head.extend_from_slice(bytes.get(..room).unwrap_or_default());
            record.take(line, bytes);
        });
        let more_errors = stderr.read(&mut |line, bytes| {
            count(bytes);
            record.take(line, bytes);
        });
        more_errors || more
    }

    /// How many bytes were read so far.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// The child has ended: the beginning of its standard output, and its last lines.
    pub fn finish(&mut self) -> (Vec<u8>, Vec<String>) {
        for stream in [&mut self.stdout, &mut self.stderr] {
            let line = std::mem::take(&mut stream.line);
            self.record.keep(&line);
        }
        (std::mem::take(&mut self.head), self.record.finish())
    }

    /// Prepares for the time after the child's end. False when nobody holds the other end any more.
    pub fn linger(&mut self, registry: &Registry) -> bool {
        for stream in [&mut self.stdout, &mut self.stderr] {
            let stays = stream
                .pipe
                .as_mut()
                .is_some_and(|pipe| registry.deregister(pipe).is_ok());
            if !stays {
                stream.pipe = None;
            }
        }
        self.discard()
    }

    /// Empties the pipes and throws away what was in them. False when nobody holds the other end any more.
    pub fn discard(&mut self) -> bool {
        self.stdout.read(&mut |_, _| ());
        self.stderr.read(&mut |_, _| ());
        self.stdout.pipe.is_some() || self.stderr.pipe.is_some()
    }
}

impl Stream {
    fn read(&mut self, take: &mut dyn FnMut(&mut Vec<u8>, &[u8])) -> bool {
        let mut buffer = [0; 16 * 1024];
        let mut taken = 0_usize;
        while taken < SHARE {
            let Some(pipe) = &mut self.pipe else {
                return false;
            };
            match pipe.read(&mut buffer) {
                Ok(0) => self.pipe = None,
                Ok(length) => {
                    taken = taken.saturating_add(length);
                    take(&mut self.line, buffer.get(..length).unwrap_or_default());
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => self.pipe = None,
            }
        }
        true
    }
}

impl Record {
    /// Nothing was written; lines will bear `tag` in the log.
    pub fn new(tag: String) -> Self {
        Self {
            tag,
            tail: VecDeque::new(),
            logged: 0,
            unlogged: 0,
        }
    }

    /// Cuts bytes into lines; `line` holds what had no end so far.
    pub fn take(&mut self, line: &mut Vec<u8>, bytes: &[u8]) {
        for piece in bytes.split_inclusive(|&byte| byte == b'\n') {
            let room = LINE.saturating_sub(line.len()).min(piece.len());
            line.extend_from_slice(piece.get(..room).unwrap_or_default());
            self.unlogged = self
                .unlogged
                .saturating_add(piece.len().saturating_sub(room));
            if piece.ends_with(b"\n") {
                self.keep(line);
                line.clear();
            }
        }
    }

    /// Takes a line that has ended, or what there is of it when nothing follows.
    pub fn keep(&mut self, line: &[u8]) {
        let line = line.trim_ascii_end();
        if line.is_empty() {
            return;
        }
        if self.logged == LOGGED {
            self.unlogged = self.unlogged.saturating_add(line.len());
        } else {
            self.logged = self.logged.saturating_add(1);
            log::debug!(target: &self.tag, "{}", String::from_utf8_lossy(line));
        }
        if self.tail.len() == TAIL {
            self.tail.pop_front();
        }
        self.tail
            .push_back(String::from_utf8_lossy(line).into_owned());
    }

    /// The last lines. Those before are forgotten with them.
    pub fn finish(&mut self) -> Vec<String> {
        let Self { tag, unlogged, .. } = self;
        if *unlogged > 0 {
            log::debug!(target: tag, "{unlogged} more bytes of output");
        }
        self.tail.drain(..).collect()
    }
}
