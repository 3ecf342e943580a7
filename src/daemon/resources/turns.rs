//! When resources go on: once in every turn of the event loop, and once more with what the core has just asked for.

use super::Resources;
use crate::cluster::Instant;

impl Resources {
    /// Goes on as far as possible. Call it once in every turn of the event loop: after actions were asked
    /// for, child output or SIGCHLD was signalled, or the deadline has come.
    pub fn turn(&mut self, now: Instant) {
        if self.go_on_with_groups(now) {
            self.look_for_carriers(now);
        }
    }

    /// Goes on with what was asked for since this turn of the loop had its [`turn`](Self::turn): an address is there before
    /// anything that can wait is done.
    ///
    /// Where this machine stood still meanwhile, for keepalive or longer, nothing is done. The next [`turn`](Self::turn) finds
    /// the same pause and leaves the first word to the core (S3): also one of which only the smaller part is over yet.
    pub fn begin_at_once(&mut self, now: Instant) {
        let last_turn = self.last_turn;
        if !self.is_put_off && now.since(last_turn) < self.keepalive {
            self.go_on_with_groups(now);
            self.last_turn = last_turn;
        }
    }
}
