//! How long the loop waits.

use std::io;
use std::time::Duration;

use mio::Events;

use super::super::clock;
use super::super::watchdog::Watchdog;
use super::{Daemon, Devices};
use crate::cluster::Instant;

impl Daemon {
    /// Until something comes or is due. The timeout alone does not count suspends: after one, a node would go on with what it
    /// holds for the rest of it.
    pub(super) fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        if !std::mem::take(&mut self.was_noise) {
            self.due = self.next_due();
        }
        let Devices {
            media, poll, alarm, ..
        } = &mut self.devices;
        let due = self.due;
        let began = clock::now();
        let time = if media.has_more() {
            Duration::ZERO
        } else {
            due.since(began)
        };
        if !time.is_zero() {
            // Without it the wait ends by its timeout.
            let _ = alarm.set(Duration::from_micros(due.as_micros()));
        }
        let mut waited = poll.poll(events, Some(time));
        // So it is after SIGSTOP, too. What has come meanwhile must be known of before anything is judged (S1).
        let mut may_have_stood_still = false;
        while matches!(&waited, Err(error) if error.kind() == io::ErrorKind::Interrupted) {
            may_have_stood_still = true;
            waited = poll.poll(events, Some(Duration::ZERO));
        }
        let now = clock::now();
        if now >= due && !time.is_zero() {
            self.tally.lateness.observe(now.since(due));
        }
        let waited_on = now.since(due.max(began)); // later than something was due, or than there was to be a wait at all
        self.late = if may_have_stood_still {
            Duration::MAX
        } else {
            waited_on.max(began.since(self.read_until))
        };
        self.woken = now;
        waited
    }

    /// When something is to be done; at once where something other than a link has more to read.
    fn next_due(&self) -> Instant {
        let now = clock::now();
        let devices = &self.devices;
        let has_more = devices.pings.has_more()
            || devices.control.has_more(&self.journal.events)
            || devices.metrics.has_more();
        if has_more || !self.outcomes.is_empty() || devices.failback.has_answer() {
            return now;
        }
        let watchdog = devices.watchdog.as_ref().filter(|_| !self.is_starving);
        let others = [
            devices.media.next_deadline(),
            devices.resources.next_deadline(),
            devices.control.next_deadline(),
            devices.service_manager.next_deadline(),
            devices.programs.next_deadline(),
            devices.hooks.next_deadline(),
            devices.failback.next_deadline(),
            devices.readiness.next_deadline(),
            devices.fencer.next_deadline(),
            devices.fifo.next_deadline(),
            devices.metrics.next_deadline(),
            devices.alerts.next_deadline(),
            watchdog.map(Watchdog::next_deadline),
            Some(self.upkeep_at + clock::LENIENCE),
            // From then on the programs are waited for.
            self.leave_at.filter(|at| *at > now),
        ];
        others
            .into_iter()
            .flatten()
            .fold(self.cluster.next_deadline(), Instant::min)
    }
}
