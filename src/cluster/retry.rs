//! Groups that could not be started: which node tries them again, and what is shown of it.

use super::claims::Claim;
use super::failures::{AfterFailure, Elsewhere};
use super::movement::Selection;
use super::ownership::Ownership;
use super::policy::{Group, Relation, prefers_me};
use super::time::Instant;
use super::{Cluster, GroupId};

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
            Relation::Talking => again(Elsewhere::Failed),
            Relation::Halves { .. } => again(Elsewhere::Classic),
            Relation::Gone { .. } => again(Elsewhere::Nobody),
            Relation::Unheard | Relation::InDoubt | Relation::Deaf { .. } => AfterFailure::Left,
        }
    }

    /// The next group that both nodes have failed with too often, each once: how often this one did.
    pub(super) fn next_frozen(&mut self, relation: Relation) -> Option<(GroupId, u32)> {
        if relation != Relation::Talking {
            return None;
        }
        let ties = self.wins_ties;
        let freezes = |group: &mut Group| {
            has_failed_twice(group) && prefers_me(group, ties) && group.failures.freeze()
        };
        let index = self.groups.iter_mut().position(freezes)?;
        let failures = self.groups.get(index)?.failures.count;
        Some((GroupId(u32::try_from(index).ok()?), failures))
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
        let is_ours = match relation {
            Relation::Talking => self.ownership.is_ours_to_try(group),
            Relation::InDoubt => false, // nothing is started before the other node was reset
            _ => true,
        };
        let next = failures.again_at.max(self.now);
        Some(RetryView {
            failures: failures.count,
            next: (is_ours && !failures.is_frozen).then_some(next),
            frozen: failures.is_frozen,
        })
    }
}
