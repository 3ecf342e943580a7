//! Announcements go out many at a time, and never so many in a row that a heartbeat would be late by them. Addresses that are
//! still to be added come first: what stands behind them in a group waits for their presence, and for no announcement.

use std::io;
use std::time::Duration;

use super::{FloatingAddresses, since_boot};
use crate::cluster::Instant;
use crate::daemon::clock;
use crate::os::packet::{PacketSocket, is_busy};
use crate::resource::announce::Due;

/// So long announcements are sent in one turn of the event loop; those that are left are sent in the next.
const SHARE: Duration = Duration::from_micros(1500);
/// Announcements that are sent with one system call.
const TOGETHER: usize = 32;
/// So long an address that is there waits with its first word for others that are still to be added.
const PATIENCE: Duration = Duration::from_millis(30);
/// After this time it is tried again whether an interface takes more.
const PAUSE: Duration = Duration::from_millis(1);
/// So often in a row; then it does not take them.
const MOST_PAUSES: u32 = 500;

impl FloatingAddresses {
    /// Sends what is due. Where addresses are still `adding`, which takes this turn's time, that waits for a moment.
    pub fn announce(&mut self, now: Instant, adding: bool) {
        if self.announce_from > now || (adding && may_wait(now, self.next_announcement())) {
            return;
        }
        let until = clock::now() + SHARE;
        let mut batch: Vec<Due> = Vec::with_capacity(TOGETHER);
        let mut goes_on = true;
        while goes_on && let Some(due) = self.announcements.next_due(since_boot(now)) {
            let is_of_it = batch.first().is_none_or(|first| goes_with(first, &due));
            if !is_of_it || batch.len() >= TOGETHER {
                goes_on = self.send_batch(now, &mut batch) && clock::now() < until;
            }
            batch.push(due);
        }
        self.send_batch(now, &mut batch);
    }

    /// Sends frames, at once.
    pub(super) fn send(&mut self, interface: u32, frames: &[&[u8]]) -> io::Result<usize> {
        let socket = match self.socket.take() {
            Some(socket) => socket,
            None => PacketSocket::open()?,
        };
        self.socket.insert(socket).send_all(interface, frames)
    }

    /// When [`announce`](Self::announce) has something to do.
    pub(super) fn next_announcement(&self) -> Option<Instant> {
        let due = self.announcements.next_deadline()?;
        let due = Instant::from_micros(u64::try_from(due.as_micros()).unwrap_or(u64::MAX));
        Some(due.max(self.announce_from))
    }

    /// False when the interface takes no more for the moment: what it did not take is due again a little later.
    fn send_batch(&mut self, now: Instant, batch: &mut Vec<Due>) -> bool {
        let (mut done, mut is_full) = (0_usize, false);
        while let Some([first, ..]) = batch.get(done..) {
            let rest = batch.iter().skip(done);
            let frames: Vec<&[u8]> = rest.flat_map(|due| due.frames.each()).collect();
            match self.send(first.interface, &frames) {
                Ok(sent) => {
                    // Of one whose second frame was not sent the first is enough.
                    let whole = sent / first.frames.each().count().max(1);
                    done = done.saturating_add(whole.max(1));
                }
                Err(error) if is_busy(&error) && self.pauses < MOST_PAUSES => {
                    is_full = true;
                    break;
                }
                Err(error) if first.is_first() => {
                    log::warn!("Cannot announce {}: {error}", first.address);
                    done = done.saturating_add(1);
                }
                Err(error) => {
                    log::debug!("Cannot announce {}: {error}", first.address);
                    done = done.saturating_add(1);
                }
            }
        }
        if is_full {
            self.pauses = self.pauses.saturating_add(1);
            self.announce_from = now + PAUSE;
        } else {
            self.pauses = 0;
        }
        for due in batch.drain(..).skip(done) {
            let at = since_boot(self.announce_from);
            self.announcements.put_back(at, &due);
        }
        !is_full
    }
}

/// Whether what is due first may wait for addresses that are still to be added.
fn may_wait(now: Instant, due: Option<Instant>) -> bool {
    due.is_none_or(|due| now.since(due) < PATIENCE)
}

/// Whether they can be sent with one system call.
fn goes_with(one: &Due, other: &Due) -> bool {
    let kind = |due: &Due| (due.interface, due.address.is_ipv4());
    kind(one) == kind(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_waits_for_addresses_still_to_be_added_and_not_for_long() {
        let due = Instant::from_micros(1_000_000);
        assert!(may_wait(due, None));
        assert!(may_wait(due + PATIENCE / 2, Some(due)));
        assert!(!may_wait(due + PATIENCE, Some(due)));
    }
}
