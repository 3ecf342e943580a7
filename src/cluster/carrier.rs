//! The carrier of the interfaces that a group's addresses live on. Each node says of itself in its heartbeats what it has,
//! in one field that heartbeat 3.0.6 ignores: `hc=<letters>`, in the form of `hq` (see `ready`). `y` stands for a carrier
//! that has lasted, `n` for none or one that has come back lately, `-` for a group without an address, or not known.
//!
//! A loss is said at once and believed by its own node only when it has lasted; a return is said when it has lasted. So
//! what both lose together moves nothing, and an interface that comes and goes attracts nothing.

use std::time::Duration;

use super::time::Instant;

/// Name of the field.
pub(super) const FIELD: &str = "hc";

/// A carrier that has come back counts after this time: a switch whose port learns with spanning tree passes nothing for
/// thirty seconds.
const CALM: Duration = Duration::from_secs(30);
/// It doubles with each time that the group had to go, up to this.
const LONGEST_CALM: Duration = Duration::from_secs(600);
/// Until that was so long ago.
const UNSTEADY: Duration = Duration::from_secs(3600);

/// What is known of one group.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Carrier {
    /// Whether its interfaces have one here; `None` where it has no address, or that is not known.
    pub(super) here: Option<bool>,
    /// Since when that is so; `None` for a carrier that was there from the beginning.
    since: Option<Instant>,
    /// What the other node says.
    pub(super) there: Option<bool>,
    heard: Instant,
    /// How often the group left this node for want of one, and when last.
    departures: u32,
    left_at: Instant,
    /// Somebody wanted the group here although there was none: it stays until there is one.
    pub(super) overruled: bool,
    /// That it stays without one was told, and not yet that there is one again.
    pub(super) is_told: bool,
    told_at: Option<Instant>,
}

impl Carrier {
    /// It was looked.
    pub(super) fn found(&mut self, here: Option<bool>, now: Instant) {
        if self.here == here {
            return;
        }
        let was_always_there = self.here.is_none() && here == Some(true);
        self.since = (!was_always_there).then_some(now);
        self.here = here;
        self.overruled &= here == Some(false);
    }

    /// Whether there is none.
    pub(super) fn is_lost(&self) -> bool {
        self.here == Some(false)
    }

    /// Since when there is none; `None` where there is one, or nothing is known.
    pub(super) fn lost_since(&self) -> Option<Instant> {
        self.since.filter(|_| self.is_lost())
    }

    /// What is said of it; `loss` is the setting.
    pub(super) fn said(&self, loss: Duration, now: Instant) -> Option<bool> {
        let lasts = |since: Instant| now.since(since) >= self.calm(loss, now);
        self.here.map(|here| here && self.since.is_none_or(lasts))
    }

    /// The other node has said this, or nothing.
    pub(super) fn hear(&mut self, there: Option<bool>, now: Instant) {
        (self.there, self.heard) = (there, now);
    }

    /// What the other node said is not valid any more.
    pub(super) fn forget_peer(&mut self) {
        self.there = None;
    }

    /// Whether the other node said after `since` that it has a carrier, and so lately that it holds still.
    pub(super) fn is_there(&self, since: Instant, lately: Duration, now: Instant) -> bool {
        self.there == Some(true) && self.heard >= since && now.since(self.heard) < lately
    }

    /// The group goes to the other node.
    pub(super) fn leave(&mut self, now: Instant) {
        self.departures = self.departures_lately(now).saturating_add(1);
        self.left_at = now;
        self.is_told = false;
    }

    /// Whether people have not been told lately that it stays without one. A plug that is loose fills no log.
    pub(super) fn may_be_told(&self, now: Instant) -> bool {
        self.told_at.is_none_or(|at| now.since(at) >= CALM)
    }

    /// They are told now.
    pub(super) fn told(&mut self, now: Instant) {
        (self.is_told, self.told_at) = (true, Some(now));
    }

    fn departures_lately(&self, now: Instant) -> u32 {
        if now.since(self.left_at) < UNSTEADY {
            self.departures
        } else {
            0
        }
    }

    /// How long one that came back must last before it counts.
    fn calm(&self, loss: Duration, now: Instant) -> Duration {
        let factor = 2_u32.saturating_pow(self.departures_lately(now).min(16));
        let calm = CALM.max(loss).saturating_mul(factor);
        calm.min(LONGEST_CALM.max(loss))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOSS: Duration = Duration::from_secs(5);

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn what_was_there_from_the_beginning_counts_at_once_and_what_came_back_after_a_while() {
        let mut carrier = Carrier::default();
        assert_eq!(carrier.said(LOSS, at(5)), None);
        carrier.found(Some(true), at(5));
        assert_eq!(carrier.said(LOSS, at(5)), Some(true));
        carrier.found(Some(false), at(10));
        assert_eq!(carrier.said(LOSS, at(10)), Some(false), "at once");
        assert_eq!(carrier.lost_since(), Some(at(10)));
        carrier.found(Some(false), at(15));
        assert_eq!(carrier.lost_since(), Some(at(10)), "it goes on");
        carrier.found(Some(true), at(20));
        assert_eq!(
            (carrier.lost_since(), carrier.said(LOSS, at(49))),
            (None, Some(false))
        );
        assert_eq!(carrier.said(LOSS, at(50)), Some(true));
        carrier.found(None, at(60));
        assert_eq!(carrier.said(LOSS, at(60)), None);
    }

    #[test]
    fn it_has_to_last_longer_each_time_that_the_group_had_to_go() {
        let mut carrier = Carrier::default();
        let mut calms = Vec::new();
        for hour in [0, 0, 0, 0, 0, 0, 2] {
            carrier.found(Some(false), at(hour * 3600 + 20));
            carrier.leave(at(hour * 3600 + 30));
            calms.push(carrier.calm(LOSS, at(hour * 3600 + 40)).as_secs());
        }
        assert_eq!(calms, [60, 120, 240, 480, 600, 600, 60]);
        assert_eq!(carrier.calm(LOSS, at(4 * 3600)).as_secs(), 30);
        let long = Duration::from_secs(1000);
        assert_eq!(carrier.calm(long, at(4 * 3600)), long);
    }

    #[test]
    fn only_what_the_other_node_said_lately_and_after_the_loss_counts() {
        let mut carrier = Carrier::default();
        let lately = Duration::from_secs(2);
        for (there, heard, since, now, expected) in [
            (Some(true), 10, 10, 11, true),
            (Some(true), 10, 11, 11, false),
            (Some(true), 10, 10, 12, false),
            (Some(false), 10, 10, 11, false),
            (None, 10, 10, 11, false),
        ] {
            carrier.hear(there, at(heard));
            let is_there = carrier.is_there(at(since), lately, at(now));
            assert_eq!(is_there, expected, "{there:?} {heard} {since} {now}");
        }
    }

    #[test]
    fn an_operator_s_wish_holds_until_there_is_a_carrier() {
        let mut carrier = Carrier::default();
        carrier.found(Some(false), at(1));
        carrier.overruled = true;
        carrier.found(Some(false), at(2));
        assert!(carrier.overruled);
        carrier.found(Some(true), at(3));
        assert!(!carrier.overruled);
    }
}
