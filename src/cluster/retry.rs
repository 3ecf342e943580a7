//! When a group is tried again that could not be started: later each time, and after many times on neither node no more
//! before somebody says so.

use std::time::Duration;

use super::claims::Claim;
use super::movement::Selection;
use super::ownership::Ownership;
use super::policy::{Group, Relation, prefers_me};
use super::time::Instant;
use super::{Cluster, GroupId};

/// Pause after the first failure; it doubles each time.
const START_AGAIN: Duration = Duration::from_secs(60);
/// But not beyond this.
const START_SELDOM: Duration = Duration::from_secs(1800);
/// A group that could be started on neither node is not tried again after so many failures in a row on one of them:
/// an hour and a half.
const FREEZE_AFTER: u32 = 8;

/// The failures of one group on this node.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Failures {
    /// In a row.
    count: u32,
    /// Not of itself before.
    again_at: Instant,
    is_frozen: bool,
}

impl Failures {
    /// One more. With nobody who could start it either it is frozen in the end.
    pub(super) fn add(&mut self, both_failed: bool, now: Instant) {
        self.count = self.count.saturating_add(1);
        self.again_at = now + pause(self.count);
        self.is_frozen = both_failed && self.count >= FREEZE_AFTER;
    }

    /// Whether it is not to be tried now.
    pub(super) fn rest(&self, now: Instant) -> bool {
        self.is_frozen || self.again_at > now
    }

    /// It started, here or on the other node.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// The nodes meet anew: each tries once more whatever was before.
    pub(super) fn thaw(&mut self) {
        self.is_frozen = false;
    }

    /// When it is due, for as long as that is to come.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        (!self.is_frozen && self.again_at > now).then_some(self.again_at)
    }
}

/// What follows the failure with this number.
fn pause(count: u32) -> Duration {
    let doublings = count.saturating_sub(1).min(16);
    let pause = START_AGAIN.saturating_mul(2_u32.saturating_pow(doublings));
    pause.min(START_SELDOM)
}

/// What comes after a failed start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AfterFailure {
    /// The other node may try.
    Left,
    /// The other node could not start it either, and is the one to try again.
    LeftAgain,
    /// It is tried again here after this time.
    Again {
        /// From now on.
        pause: Duration,
        /// Where else it might have been started.
        elsewhere: Elsewhere,
    },
    /// It is not tried any more.
    Frozen {
        /// How often in a row it failed here.
        failures: u32,
    },
}

/// Why the other node is of no help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elsewhere {
    /// It could not start it either.
    Failed,
    /// It is not there.
    Nobody,
    /// It runs heartbeat 3.0.6.
    Classic,
}

/// A group that could not be started here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryView {
    /// How often in a row.
    pub failures: u32,
    /// When it is tried again here; `None` where that is not for this node.
    pub next: Option<Instant>,
    /// It is not tried any more before somebody says so.
    pub frozen: bool,
}

impl Ownership {
    /// What comes after the start that has just failed.
    pub(super) fn after_failure(
        &self,
        id: GroupId,
        relation: Relation,
        now: Instant,
    ) -> AfterFailure {
        let group = usize::try_from(id.0)
            .ok()
            .and_then(|index| self.groups.get(index));
        let Some(group) = group else {
            return AfterFailure::Left;
        };
        let again = |elsewhere| AfterFailure::Again {
            pause: group.failures.again_at.since(now),
            elsewhere,
        };
        match relation {
            Relation::Talking if group.their_claim() != Some(Claim::Failed) => AfterFailure::Left,
            Relation::Talking if !prefers_me(group, self.wins_ties) => AfterFailure::LeftAgain,
            Relation::Talking if group.failures.is_frozen => AfterFailure::Frozen {
                failures: group.failures.count,
            },
            Relation::Talking => again(Elsewhere::Failed),
            Relation::Halves { .. } => again(Elsewhere::Classic),
            Relation::Gone { .. } => again(Elsewhere::Nobody),
            Relation::Unheard | Relation::Deaf { .. } => AfterFailure::Left,
        }
    }

    /// Whether a group could be started on neither node, and is for this one to try.
    pub(super) fn is_ours_to_try(&self, group: &Group) -> bool {
        has_failed_twice(group) && prefers_me(group, self.wins_ties)
    }

    /// Whether any of these groups could be started on neither node.
    pub(super) fn has_failed_twice(&self, selection: Selection) -> bool {
        self.these(selection).any(has_failed_twice)
    }

    /// Whether any of these is for this node to try.
    pub(super) fn has_to_try(&self, selection: Selection) -> bool {
        self.these(selection)
            .any(|group| self.is_ours_to_try(group))
    }

    /// Somebody wants these tried now. Those that are for this node to try become part of the planned move.
    pub(super) fn try_at_once(&mut self, selection: Selection) {
        let ties = self.wins_ties;
        for group in self.selected(selection) {
            if has_failed_twice(group) && prefers_me(group, ties) {
                group.failures.forget();
                group.planned = true;
            }
        }
    }
}

fn has_failed_twice(group: &Group) -> bool {
    group.mine == Some(Claim::Failed) && group.their_claim() == Some(Claim::Failed)
}

impl Cluster {
    /// A group that could not be started here and does not run.
    pub fn retry_of(&self, id: GroupId) -> Option<RetryView> {
        let index = usize::try_from(id.0).ok()?;
        let group = self.ownership.groups.get(index)?;
        let failures = group.failures;
        if group.mine != Some(Claim::Failed) || failures.count == 0 {
            return None;
        }
        let relation = self.standing().relation;
        let is_ours = relation != Relation::Talking || self.ownership.is_ours_to_try(group);
        let next = failures.again_at.max(self.now);
        Some(RetryView {
            failures: failures.count,
            next: (is_ours && !failures.is_frozen).then_some(next),
            frozen: failures.is_frozen,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_doubles_up_to_half_an_hour() {
        for (count, seconds) in [
            (1, 60),
            (2, 120),
            (3, 240),
            (5, 960),
            (6, 1800),
            (7, 1800),
            (u32::MAX, 1800),
        ] {
            assert_eq!(pause(count).as_secs(), seconds, "after {count}");
        }
    }

    #[test]
    fn only_what_failed_on_both_nodes_is_frozen_and_a_success_forgets_it() {
        let now = Instant::from_micros(1_000_000);
        for (both, frozen) in [(false, false), (true, true)] {
            let mut failures = Failures::default();
            for _ in 0..FREEZE_AFTER {
                assert!(!failures.is_frozen);
                failures.add(both, now);
            }
            assert_eq!(failures.is_frozen, frozen);
            let late = now + START_SELDOM * 10;
            assert_eq!(failures.rest(late), frozen);
            failures.forget();
            assert!(!failures.rest(now));
        }
    }
}
