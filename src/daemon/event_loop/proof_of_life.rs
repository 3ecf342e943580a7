//! What shows that this node is alive, or why it is not to be: the watchdog and the last breath.

use super::super::watchdog::{Fed, Watchdog};
use super::Daemon;
use crate::cluster::Instant;

impl Daemon {
    /// To be called at the end of a completed turn and nowhere else.
    pub(super) fn prove_life(&mut self, now: Instant) {
        self.feed_watchdog(now);
        self.devices.last_breath.turn(now);
    }

    fn feed_watchdog(&mut self, now: Instant) {
        let wants_reset = self.failfast.wants_reset(now) || self.reset.is_wanted();
        let was_starving = std::mem::replace(&mut self.is_starving, wants_reset);
        if wants_reset {
            if !was_starving {
                self.starve();
            }
            return;
        }
        let watchdog = &mut self.devices.watchdog;
        let fed = watchdog
            .as_mut()
            .map(|watchdog| watchdog.turn(now, self.last_heartbeat));
        let last_breath = &mut self.devices.last_breath;
        match fed {
            None | Some(Fed::Yes) => last_breath.take_back(),
            Some(Fed::Withheld(silence)) => last_breath.say(&format!(
                "this node was held up and had said nothing for {silence:.1?}, so the watchdog was not fed"
            )),
            Some(Fed::Refused(why)) => {
                last_breath.say(&format!("the watchdog could not be fed: {why}"));
            }
            Some(Fed::NotYet) => {}
        }
    }

    /// From now on nothing feeds the watchdog.
    fn starve(&mut self) {
        let why = if self.reset.is_wanted() && self.cluster.is_cut_off() {
            "This node is cut off and not everything has stopped in time (last_link witness)"
        } else if self.reset.is_wanted() {
            "A resource group does not stop (stop_failure reboot)"
        } else {
            "A failfast program has failed and not everything can be stopped"
        };
        let watchdog = &self.devices.watchdog;
        let is_armed = watchdog.as_ref().and_then(Watchdog::timeout).is_some();
        if is_armed {
            log::error!(
                target: "CRIT:heartbeat",
                "{why}: the watchdog is fed no more and resets this machine"
            );
        }
        if is_armed || self.reset.is_wanted() {
            self.devices.last_breath.say(why);
        }
    }
}
