//! Prints lines or JSON, and the summary at the end.

use std::io::{self, ErrorKind, Write};
use std::time::Duration;

use serde::Serialize;

use super::{Failure, Options};
use crate::os::local_time::LocalTime;
use crate::sniff::escape::ascii_json;
use crate::sniff::{Losses, Sighting, Sniffer, Summary};

/// The most room that names of links get in a column.
const WIDEST: usize = 16;

/// Where the words go.
#[derive(Debug)]
pub(super) struct Output {
    json: bool,
    verbose: bool,
    /// Messages that may still be shown.
    left: u64,
    width: usize,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    GoOn,
    Stop,
}

#[derive(Serialize)]
struct Last<'a> {
    summary: &'a Summary,
}

impl Output {
    /// As the options say; with room for the names of these links.
    pub(super) fn new<'a>(options: &Options, links: impl Iterator<Item = &'a str>) -> Self {
        Self {
            json: options.json,
            verbose: options.verbose,
            left: options.count.unwrap_or(u64::MAX),
            width: links.map(str::len).max().unwrap_or(0).clamp(4, WIDEST),
        }
    }

    /// One message.
    pub(super) fn show(
        &mut self,
        sighting: &Sighting,
        time: Option<Duration>,
    ) -> Result<Next, Failure> {
        let text = if self.json {
            json(sighting)
        } else {
            let time = match (time, sighting.sent) {
                (Some(time), _) => clock(time),
                (None, Some(sent)) => format!("~{}", seconds(sent)),
                (None, None) => "-".to_owned(),
            };
            self.width = self.width.max(sighting.link.len().min(WIDEST));
            let mut text = sighting.line(&time, self.width);
            text.push('\n');
            if self.verbose {
                text.push_str(&sighting.details());
            }
            text
        };
        self.left = self.left.saturating_sub(1);
        let next = write(&text)?;
        Ok(if self.left == 0 { Next::Stop } else { next })
    }

    /// What is told at the end.
    pub(super) fn finish(&self, sniffer: &Sniffer, losses: Losses) -> Result<(), Failure> {
        let summary = sniffer.summary(losses);
        let text = if self.json {
            json(&Last { summary: &summary })
        } else {
            summary.text()
        };
        write(&text).map(drop)
    }
}

/// One line of JSON.
fn json(value: &impl Serialize) -> String {
    // Fails only for maps whose keys are no strings.
    let mut text = ascii_json(&serde_json::to_string(value).unwrap_or_default());
    text.push('\n');
    text
}

/// At once: whoever looks on wants to see it now.
fn write(text: &str) -> Result<Next, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(Next::GoOn),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(Next::Stop),
        Err(error) => Err(Failure::of("cannot write", &error)),
    }
}

/// Hours, minutes, seconds and milliseconds of the local time.
fn clock(time: Duration) -> String {
    format!("{}.{:03}", seconds(time.as_secs()), time.subsec_millis())
}

fn seconds(since_1970: u64) -> String {
    let local = LocalTime::from_unix(since_1970);
    format!("{:02}:{:02}:{:02}", local.hour, local.minute, local.second)
}
