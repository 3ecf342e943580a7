//! What was really wrong, and which two owners that excuses.
//!
//! The one who makes the faults knows. A node may count its peer as dead after deadtime of silence, and the silence began up
//! to a heartbeat before the fault; so nothing shorter than [`SILENCE`] excuses anything, and nothing before that.

use std::time::Duration;

use crate::answers::{Excuse, Moment};
use crate::lab::Link;

/// Milliseconds between two heartbeats.
pub const KEEPALIVE: u32 = 300;
/// Milliseconds without any, after which the peer is dead.
pub const DEADTIME: u32 = 3000;
/// The shortest fault after which the peer may take over.
pub const SILENCE: Duration = Duration::from_millis((DEADTIME - 2 * KEEPALIVE) as u64);

/// Within so much of the moment that a link works again one of two owners has given up.
const AFTER_CUT: Duration = Duration::from_secs(3);
/// Within so much of its awakening a daemon has given up what it held: its first turn, and the removal of the addresses.
pub const AFTER_PAUSE: Duration = Duration::from_secs(1);
/// Within so much of its start a daemon has found what the one before it left, and heard that the other node has it.
const AFTER_START: Duration = Duration::from_secs(5);
/// A daemon that was started says nothing for so long.
const STARTING: Duration = Duration::from_secs(1);

/// The record of what was wrong.
#[derive(Default)]
pub struct Truth {
    /// By link, then by sender: nothing passes, or not everything.
    bad: [[bool; 2]; 3],
    separated_since: Option<Moment>,
    excuses: Vec<Excuse>,
}

impl Truth {
    /// A link carries nothing more of these senders, or less than everything; to be called before it is so. Or it carries
    /// all of it again; to be called after that.
    pub fn set_link(&mut self, link: Link, senders: &[usize], is_bad: bool, now: Moment) {
        let index = Link::ALL.iter().position(|each| *each == link);
        let index = index.expect("one of all");
        for sender in senders {
            self.bad[index][*sender] = is_bad;
        }
        let is_cut = |sender: usize| self.bad.iter().all(|link| link[sender]);
        let is_separated = is_cut(0) || is_cut(1);
        match (self.separated_since, is_separated) {
            (None, true) => self.separated_since = Some(now),
            (Some(since), false) => {
                self.excuse("all links were cut", since, now, AFTER_CUT);
                self.separated_since = None;
            }
            _ => {}
        }
    }

    /// A daemon without a watchdog stood still. The kernel of its machine did not.
    pub fn paused(&mut self, from: Moment, until: Moment) {
        self.excuse("a daemon was paused, no watchdog", from, until, AFTER_PAUSE);
    }

    /// A daemon without a watchdog was dead until one was started again.
    pub fn dead(&mut self, from: Moment, until: Moment) {
        let heard = until + STARTING;
        let why = "a daemon was dead, no watchdog";
        self.excuse(why, from, heard, AFTER_START.saturating_sub(STARTING));
    }

    fn excuse(&mut self, why: &'static str, from: Moment, until: Moment, after: Duration) {
        if until.saturating_sub(from) >= SILENCE {
            self.excuses.push(Excuse {
                from: from + SILENCE,
                until: until + after,
                why,
            });
        }
    }

    /// All excuses up to now; the faults are over.
    pub fn take(&mut self) -> Vec<Excuse> {
        assert_eq!(self.separated_since, None, "all links were mended");
        std::mem::take(&mut self.excuses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Duration::from_millis(millis)
    }

    fn excused(truth: &mut Truth) -> Vec<(u64, u64)> {
        let millis = |moment: Moment| u64::try_from(moment.as_millis()).expect("few");
        let excuses = truth.take().into_iter();
        excuses
            .map(|excuse| (millis(excuse.from), millis(excuse.until)))
            .collect()
    }

    #[test]
    fn one_link_that_works_in_both_directions_leaves_no_excuse() {
        let mut truth = Truth::default();
        truth.set_link(Link::Eth0, &[0, 1], true, at(0));
        truth.set_link(Link::Eth1, &[0, 1], true, at(0));
        truth.set_link(Link::Eth0, &[0, 1], false, at(60_000));
        truth.set_link(Link::Serial, &[0, 1], true, at(60_001));
        truth.set_link(Link::Serial, &[0, 1], false, at(90_000));
        truth.set_link(Link::Eth1, &[0, 1], false, at(90_001));
        assert_eq!(excused(&mut truth), []);
    }

    #[test]
    fn all_cut_in_one_direction_is_an_excuse_if_it_lasts() {
        let mut truth = Truth::default();
        for (until, expected) in [(2399, vec![]), (2400, vec![(2400, 5400)])] {
            for link in Link::ALL {
                truth.set_link(link, &[1], true, at(0));
            }
            for link in Link::ALL {
                truth.set_link(link, &[1], false, at(until));
            }
            assert_eq!(excused(&mut truth), expected);
        }
        // Each direction has a link of its own.
        truth.set_link(Link::Eth0, &[0, 1], true, at(0));
        truth.set_link(Link::Eth1, &[0], true, at(0));
        truth.set_link(Link::Serial, &[1], true, at(0));
        for link in Link::ALL {
            truth.set_link(link, &[0, 1], false, at(9000));
        }
        assert_eq!(excused(&mut truth), []);
    }

    #[test]
    fn a_pause_or_a_death_excuses_from_deadtime_to_the_give_up() {
        let mut truth = Truth::default();
        truth.paused(at(0), at(2300));
        truth.dead(at(0), at(1300));
        assert_eq!(excused(&mut truth), []);
        truth.paused(at(0), at(8000));
        truth.dead(at(1000), at(5000));
        assert_eq!(excused(&mut truth), [(2400, 9000), (3400, 10_000)]);
    }
}
