//! The lines of a recording, made one by one.

use super::event::{self, Names};
use super::header;
use super::keys::Secrecy;
use super::text::{Seconds, push};
use crate::cluster::{Event, Instant, Settings};

/// Makes lines of what happens to one core.
#[derive(Debug)]
pub struct Encoder {
    started: Instant,
    names: Names,
    secrecy: Secrecy,
}

impl Encoder {
    /// For a core that is made from these settings at `started`, with the lines that come before all others.
    pub fn new(
        program: &str,
        started: Instant,
        settings: &Settings,
        secrecy: Secrecy,
    ) -> (Self, String) {
        let encoder = Self {
            started,
            names: Names::new(settings),
            secrecy,
        };
        let header = header::write(program, started, settings, secrecy);
        (encoder, header)
    }

    /// Appends the line of an event.
    pub fn line(&mut self, now: Instant, event: &Event<'_>, out: &mut String) {
        push(out, format_args!("{}", Seconds(now.since(self.started))));
        event::write(event, &self.names, self.secrecy, out);
        out.push('\n');
        self.names.heed(event);
    }
}

/// A line that readers skip.
pub fn remark(text: &str) -> String {
    let mut line = String::from("# ");
    line.extend(text.chars().map(|c| if c.is_control() { ' ' } else { c }));
    line.push('\n');
    line
}
