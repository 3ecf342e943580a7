//! What a client of the control socket is given in a turn of the loop, and how far it gets.

use crate::cluster::Instant;
use crate::daemon::events::EventLog;

/// Read or written in one turn, so that a large request or answer of one does not hold up the others.
pub(super) const SHARE: usize = 64 * 1024;

/// What a client is told of a turn of the loop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Turn<'a> {
    pub now: Instant,
    /// What has happened.
    pub log: &'a EventLog,
    /// One more may stay for what happens.
    pub has_room: bool,
}

/// How far a client is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Not done; waits for the other side or its next turn.
    Going,
    /// Everything said, or the other side is gone.
    Done,
}
