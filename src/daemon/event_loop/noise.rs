//! What comes over the links, and turns in which that was only noise.
//!
//! Who floods a link wakes the loop thousands of times a second. Most of a turn is to look after everything else that this
//! daemon does: fifteen microseconds, where a packet that is not authentic takes one. So where the core heeded nothing
//! of what came and nothing is due, the turn ends there, and the next wait goes on where the last one stood. Such a turn is
//! no sign of life: nothing is fed, and what is due ends the next one as ever.

use super::super::clock;
use super::Daemon;
use crate::cluster::{Event, Instant};

/// Packets taken in one turn; what remains is read in the next, after deadlines were looked at.
const PACKETS_PER_TURN: usize = 256;

impl Daemon {
    /// Hands the core what has come over the links. True where it heeded none of that and has nothing to do.
    pub(super) fn read_links(&mut self) -> bool {
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
