//! What comes over the links, and turns in which that was only noise.
//!
//! Who floods a link wakes the loop thousands of times a second. Most of a turn is to look after everything else that this
//! daemon does: fifteen microseconds, where a packet that is not authentic takes one. So where the core heeded nothing
//! of what came and nothing is due, the turn ends there, and the next wait goes on where the last one stood. Such a turn is
//! no sign of life: nothing is fed, and what is due ends the next one as ever.

use std::time::Duration;

use super::super::clock;
use super::Daemon;
use crate::cluster::{Event, Instant};

/// So long, or a quarter of keepalive, the links are read before anything is judged where this daemon was held up.
const BACKLOG: Duration = Duration::from_millis(50);
/// Packets taken at once; what remains is read in the next, after deadlines were looked at.
const PACKETS_PER_TURN: usize = 256;

impl Daemon {
    /// Hands the core what has come over the links, as far as it fits into a turn; all of it where this daemon was held up: the
    /// heartbeats of a living peer may lie behind hundreds of strangers' packets, and S1 asks that they are heard before
    /// its silence is judged. True where the core heeded none of that and has nothing to do.
    pub(super) fn read_backlog(&mut self) -> bool {
        let mut is_noise = self.read_links();
        let keepalive = self.identity.config.keepalive;
        if self.late >= keepalive / 8 {
            let until = self.woken + (keepalive / 4).min(BACKLOG);
            while self.devices.media.has_more() && clock::now() < until {
                is_noise &= self.read_links();
            }
        }
        self.read_until = clock::now();
        is_noise
    }

    /// Hands the core what has come over the links. True where it heeded none of that and has nothing to do.
    fn read_links(&mut self) -> bool {
        let before = self.cluster.unheeded();
        let mut packets = 0_u64;
        for _ in 0..PACKETS_PER_TURN {
            let Some((link, bytes)) = self.devices.media.receive() else {
                break;
            };
            packets += 1;
            self.cluster
                .handle(clock::now(), Event::Received { link, bytes });
        }
        let unheeded = self.cluster.unheeded().saturating_sub(before);
        unheeded == packets && !self.cluster.has_actions()
    }

    /// Whether nothing is due, and reading the links has brought nothing that is due before what was known of.
    pub(super) fn is_undisturbed(&self, now: Instant) -> bool {
        let media = &self.devices.media;
        let is_later = |at: Instant| at >= self.due;
        now < self.due && !media.has_reports() && media.next_deadline().is_none_or(is_later)
    }
}
