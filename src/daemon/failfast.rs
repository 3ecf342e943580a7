//! What follows when a `failfast` program has failed: this node must not serve any more.
//!
//! It stops its resources, so that the other node can start them at once; a reset would cost deadtime. Only where
//! stopping does not get on, a reset is the better way, and the watchdog the only one there is.

use std::time::Duration;

use crate::cluster::{Instant, Report};

/// Time for stopping everything, with a watchdog. A stop script alone may take as long.
const TIME_TO_STOP: Duration = Duration::from_secs(120);

/// How far this node is with that.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Failfast {
    failed_at: Option<Instant>,
    /// A resource group could not be stopped.
    is_stuck: bool,
    is_stopped: bool,
}

impl Failfast {
    /// A program has failed; true when it is the first.
    pub fn fail(&mut self, now: Instant) -> bool {
        let is_first = self.failed_at.is_none();
        self.failed_at.get_or_insert(now);
        is_first
    }

    /// Whether any has failed.
    pub fn has_failed(&self) -> bool {
        self.failed_at.is_some()
    }

    /// Takes note of what the core tells.
    pub fn heed(&mut self, report: &Report) {
        match report {
            Report::GroupStopFailed { .. } => self.is_stuck |= self.has_failed(),
            Report::AllGivenUp => self.is_stopped = true,
            _ => {}
        }
    }

    /// Whether nothing but a reset of this machine is left.
    pub fn wants_reset(&self, now: Instant) -> bool {
        let is_late = |failed_at| now.since(failed_at) >= TIME_TO_STOP;
        !self.is_stopped && (self.is_stuck || self.failed_at.is_some_and(is_late))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: u64) -> Instant {
        Instant::from_micros(number * 1_000_000)
    }

    fn stop_failed() -> Report {
        Report::GroupStopFailed { key: "disk".into() }
    }

    #[test]
    fn a_stop_that_fails_is_nothing_to_a_node_whose_programs_are_well() {
        let mut failfast = Failfast::default();
        failfast.heed(&stop_failed());
        assert!(!failfast.has_failed() && !failfast.wants_reset(second(1000)));
        assert!(failfast.fail(second(1000)) && !failfast.fail(second(1001)));
        assert!(!failfast.wants_reset(second(1001)), "it may stop now");
    }

    #[test]
    fn what_is_stuck_or_takes_too_long_wants_a_reset_until_it_is_stopped_after_all() {
        let mut stuck = Failfast::default();
        stuck.fail(second(10));
        stuck.heed(&stop_failed());
        assert!(stuck.wants_reset(second(11)));
        let mut slow = Failfast::default();
        slow.fail(second(10));
        slow.fail(second(100));
        assert!(!slow.wants_reset(second(129)));
        assert!(slow.wants_reset(second(130)));
        for mut failfast in [stuck, slow] {
            failfast.heed(&Report::AllGivenUp);
            assert!(failfast.has_failed() && !failfast.wants_reset(second(1000)));
        }
    }
}
