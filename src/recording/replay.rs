//! Runs the core over a recording.

use std::io::BufRead;
use std::time::Duration;

use super::error::RecordingError;
use super::header::Header;
use super::reader::Reader;
use crate::cluster::{Action, Cluster, Event};
use crate::message::Keys;

/// A core that lives through what another one lived through. It decides the same, down to the bytes that it
/// would send.
#[derive(Debug)]
pub struct Replay<R> {
    reader: Reader<R>,
    cluster: Cluster,
}

/// One event and what followed from it.
#[derive(Debug)]
pub struct Step<'a> {
    /// Time since the core was made.
    pub at: Duration,
    /// What happened.
    pub event: Event<'a>,
    /// What the core asks for.
    pub actions: Vec<Action>,
    /// What it believes now.
    pub cluster: &'a Cluster,
}

impl<R: BufRead> Replay<R> {
    /// Reads the header. Keys that the recording does not have are looked for among the `known` ones.
    pub fn new(input: R, known: Option<Keys>) -> Result<Self, RecordingError> {
        let reader = Reader::new(input, known)?;
        let Header {
            started, settings, ..
        } = reader.header();
        Ok(Self {
            cluster: Cluster::new(*started, settings.clone()),
            reader,
        })
    }

    /// What the core was made from.
    pub fn header(&self) -> &Header {
        self.reader.header()
    }

    /// Whether the last line was torn, as by a crash, and left out.
    pub fn is_truncated(&self) -> bool {
        self.reader.is_truncated()
    }

    /// Lets the next event happen; `None` at the end.
    pub fn step(&mut self) -> Result<Option<Step<'_>>, RecordingError> {
        let Self { reader, cluster } = self;
        let started = reader.header().started;
        let Some((now, event)) = reader.next_event()? else {
            return Ok(None);
        };
        cluster.handle(now, event.clone());
        Ok(Some(Step {
            at: now.since(started),
            event,
            actions: std::iter::from_fn(|| cluster.next_action()).collect(),
            cluster,
        }))
    }
}
