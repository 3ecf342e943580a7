//! Metrics for monitoring: on a socket, on the loopback interface, and as a file.
//!
//! A text is made when it is asked for. Between two scrapes nothing is done but to count, and counting takes no memory.

mod client;
pub mod exposition;
pub mod families;
mod http;
mod render;
mod server;
mod tally;
mod textfile;

use std::ops::Range;

use mio::Registry;
use mio::event::Event;

use super::control::Access;
use crate::cluster::Instant;
use crate::config::Config;
use crate::control::Places;
use exposition::Form;
pub use render::{Facts, render};
use server::Server;
pub use server::TOKENS;
pub use tally::{Counts, Histogram, Tally};
use textfile::Textfile;

/// All ways to the metrics that `ha.cf` asks for.
#[derive(Debug)]
pub struct Metrics {
    server: Server,
    textfile: Option<Textfile>,
}

impl Metrics {
    /// Opens what `ha.cf` names. What can't be had is told, and keeps nothing from starting.
    pub fn open(
        now: Instant,
        config: &Config,
        places: &Places,
        registry: &Registry,
        tokens: Range<usize>,
    ) -> Self {
        let wanted = &config.metrics;
        let socket = wanted.socket.then(|| places.metrics_socket());
        let access = Access::new(&config.apiauth);
        let textfile = wanted.textfile.clone();
        Self {
            server: Server::open(socket, wanted.http, access, registry, tokens),
            textfile: textfile.and_then(|path| Textfile::begin(path, now)),
        }
    }

    /// Opens what could not be opened before.
    pub fn restore(&mut self, registry: &Registry) {
        self.server.restore(registry);
    }

    /// Takes note of an event if it is for one of our tokens.
    pub fn ready(&mut self, event: &Event) {
        self.server.ready(event);
    }

    /// Goes on with everything that can go on; `make` is called when somebody wants a text.
    pub fn turn(&mut self, now: Instant, registry: &Registry, make: impl Fn(Form) -> String) {
        self.server.turn(now, registry, &make);
        if let Some(textfile) = &mut self.textfile {
            textfile.turn(now, || make(Form::Text));
        }
    }

    /// Whether another turn has work without waiting for anything.
    pub fn has_more(&self) -> bool {
        self.server.has_more()
    }

    /// When [`turn`](Self::turn) has something to do without being woken.
    pub fn next_deadline(&self) -> Option<Instant> {
        let file = self.textfile.as_ref().map(Textfile::next_deadline);
        file.into_iter().chain(self.server.next_deadline()).min()
    }

    /// This run ends: nothing of it is left to be taken for news.
    pub fn stop(self) {
        if let Some(textfile) = self.textfile {
            textfile.stop();
        }
    }
}
