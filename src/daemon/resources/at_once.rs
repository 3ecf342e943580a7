//! Beginning with what the core has just asked for, in the same turn of the event loop.

use super::Resources;
use crate::cluster::Instant;

impl Resources {
    /// Goes on with what was asked for since this turn of the loop had its [`turn`](Self::turn): an address is there before
    /// anything that can wait is done.
    ///
    /// Where this machine stood still meanwhile, for keepalive or longer, nothing is done. The next [`turn`](Self::turn) finds
    /// the same pause and leaves the first word to the core (S3).
    pub fn begin_at_once(&mut self, now: Instant) {
        if !self.is_put_off && now.since(self.last_turn) < self.keepalive {
            self.turn(now);
        }
    }
}
