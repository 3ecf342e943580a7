//! Many groups at once: the halves that a peer of heartbeat 3.0.6 speaks of, and what a planned move is about.

use super::claims::{Claim, Phase, Stated};
use super::movement::Selection;
use super::ownership::Ownership;
use super::policy::{Breakdowns, Group, Reason};
use super::time::Instant;

impl Ownership {
    /// What the peer claims of each half: of the groups that prefer this node (`true`) and of the others.
    pub fn hear_halves(&mut self, claim_of: impl Fn(bool) -> Option<Claim>) {
        for index in 0..self.groups.len() {
            let prefers_local = self.groups.get(index).is_some_and(|g| g.prefers_local);
            self.hear_one(index, claim_of(prefers_local));
        }
    }

    /// What the peer claims of one group, the `index`-th of the file.
    pub fn hear_one(&mut self, index: usize, claim: Option<Claim>) {
        let listed = |group: &&mut Group| !group.is_removed;
        let Some(group) = self.groups.get_mut(index).filter(listed) else {
            return;
        };
        group.theirs = claim.map(|claim| Stated {
            claim,
            prefers_self: !group.prefers_local,
        });
        match (claim, &mut group.mine) {
            (Some(claim), mine) if claim.is_held() => *mine = mine.map(Claim::once_taken),
            (Some(_), Some(Claim::Held { taken, .. })) => *taken = false, // it knows that we hold it
            _ => {}
        }
    }

    /// These groups go to a peer of heartbeat 3.0.6, all together: what is held is stopped, and nothing is started
    /// here any more.
    pub fn give(&mut self, selection: Selection, reason: Reason) {
        for group in self.selected(selection) {
            match group.mine {
                Some(Claim::Held {
                    phase: Phase::Starting | Phase::Running,
                    ..
                }) => (group.ending, group.planned) = (Some(reason), true),
                Some(Claim::Held { .. }) | None => {}
                Some(_) => group.mine = Some(Claim::Ceded),
            }
        }
    }

    /// These groups, as far as they run here, are to go to the peer, each on its own.
    pub fn plan_giving(&mut self, selection: Selection) {
        for group in self.selected(selection) {
            group.planned = group.is_wanted_here();
            group.given = false;
        }
    }

    /// Stops what is to go to the peer and can: it must have said that it does not hold it and waits for nothing.
    /// While it still says that it left the group to us, it has not heard that we took it, and would take it
    /// for ours when we leave it back.
    pub fn release_planned(&mut self) {
        for group in self.groups.iter_mut().filter(|group| group.planned) {
            if group.peer_is_free() && group.is_wanted_here() && !group.given {
                group.ending = Some(Reason::Standby);
                group.given = true;
            }
        }
    }

    /// A group that the other node runs since it could not be started here is not wanted back of itself, but may
    /// come back on request after a while.
    pub fn forget_failures(&mut self, now: Instant) {
        for group in &mut self.groups {
            group.is_unfit &= !group.breakdowns.are_over(now);
            let has_failed = group.mine == Some(Claim::Failed);
            if group.their_claim().and_then(Claim::phase) == Some(Phase::Running) {
                group.failures.forget(); // being started there is no success yet
            }
            if has_failed && group.peer_holds() && group.retry_at <= now && !group.is_unfit {
                group.mine = Some(Claim::Waived);
            }
        }
    }

    /// Whether one group, the `index`-th of the file, is being started or runs here because we want it so.
    pub fn runs_one(&self, index: usize) -> bool {
        self.groups.get(index).is_some_and(Group::is_wanted_here)
    }

    /// Whether one group, the `index`-th of the file, runs here or could be started now.
    pub fn can_run_one(&self, index: usize, now: Instant) -> bool {
        let group = self.groups.get(index);
        group.is_some_and(|group| match group.mine {
            Some(Claim::Failed) => group.retry_at <= now,
            Some(mine) => !mine.is_held() || group.found || group.is_wanted_here(),
            None => false,
        })
    }

    /// When one group, the `index`-th of the file, is tried again after a failure; now where none rests.
    pub fn tries_one_at(&self, index: usize, now: Instant) -> Instant {
        let group = self.groups.get(index);
        group.map_or(now, |group| group.retry_at.max(now))
    }

    /// Whether the `index`-th group is not in the file any more.
    pub fn is_removed(&self, index: usize) -> bool {
        self.groups.get(index).is_some_and(|group| group.is_removed)
    }

    /// Whether one group, the `index`-th of the file, is given up because the peer has it too.
    pub fn is_given_up(&self, index: usize) -> bool {
        let group = self.groups.get(index);
        group.is_some_and(|group| group.ending == Some(Reason::Conflict))
    }

    /// One group, the `index`-th of the file, goes to the other node.
    pub fn give_one(&mut self, index: usize, reason: Reason) {
        if let Some(group) = self.groups.get_mut(index) {
            group.ending = Some(reason);
        }
    }

    /// What was to go to the other node stays.
    pub fn take_back(&mut self) {
        for group in &mut self.groups {
            if matches!(group.mine, Some(Claim::Ceded | Claim::HandedOver)) {
                group.mine = Some(Claim::Free);
            }
            if matches!(group.ending, Some(Reason::Standby | Reason::Failback)) {
                group.ending = None;
            }
        }
    }

    /// What we took because the peer was thought dead goes back: it lives, and never stopped.
    pub fn give_back_taken(&mut self) {
        let taken = self.groups.iter_mut().filter(|group| group.is_taken());
        taken.for_each(|group| group.ending = Some(Reason::Conflict));
    }

    /// Whether anything was taken because the peer was thought dead, and it has not heard of it.
    pub fn has_taken(&self) -> bool {
        self.groups.iter().any(Group::is_taken)
    }

    /// The peer takes everything.
    pub fn give_up_all(&mut self) {
        for group in &mut self.groups {
            if group.mine.is_some_and(Claim::is_held) {
                group.ending = Some(Reason::Conflict);
            }
        }
    }

    /// Whether any of these groups may be running here, be it in the file or not any more.
    pub fn holds_of(&self, selection: Selection) -> bool {
        self.of_half(selection).any(Group::may_run)
    }

    /// Whether any group may run here of which the peer hears.
    pub fn holds_stated(&self) -> bool {
        self.these(Selection::All).any(Group::may_run)
    }

    /// Whether the peer says that it holds any of these groups.
    pub fn peer_holds_of(&self, selection: Selection) -> bool {
        self.these(selection).any(Group::peer_holds)
    }

    /// Whether the peer says that it holds every group.
    pub fn peer_holds_all(&self) -> bool {
        self.these(Selection::All).all(Group::peer_holds)
    }

    /// Whether one of these groups could not be stopped, be it in the file or not any more: one of heartbeat 3.0.6 takes
    /// by its own file.
    pub fn is_stuck(&self, selection: Selection) -> bool {
        self.of_half(selection)
            .any(|group| group.phase() == Some(Phase::Unknown))
    }

    /// Whether one could not be stopped, or is being stopped once more.
    pub fn has_stop_failed(&self) -> bool {
        let is_stuck = |group: &Group| match group.phase() {
            Some(Phase::Unknown) => !group.found,
            phase => phase == Some(Phase::Stopping),
        };
        self.these(Selection::All).any(is_stuck)
    }

    /// Whether some of these groups could not be started here and no other of them may be running.
    pub fn has_failed(&self, selection: Selection) -> bool {
        let failed = |group: &Group| group.mine == Some(Claim::Failed);
        !self.holds_of(selection) && self.these(selection).any(failed)
    }

    /// Whether there are such groups.
    pub fn has_any(&self, selection: Selection) -> bool {
        self.these(selection).next().is_some()
    }

    /// Whether one of these groups is being started, or is about to be because the peer left it to us.
    pub fn is_taking(&self, selection: Selection) -> bool {
        self.these(selection).any(|group| {
            let left_to_us = group.their_claim() == Some(Claim::Ceded);
            match group.mine {
                Some(Claim::Held { phase, .. }) => phase == Phase::Starting,
                Some(mine) => mine != Claim::Failed && left_to_us,
                None => true,
            }
        })
    }

    /// Somebody wants these groups here although they did not work here: he knows why.
    pub fn pardon(&mut self, selection: Selection, now: Instant) {
        for group in self.selected(selection) {
            group.is_unfit = false;
            group.breakdowns = Breakdowns::default();
            // What the other node could not start either stays what it is: who has to try again is settled.
            let is_alone_in_it = group.their_claim() != Some(Claim::Failed);
            if group.mine == Some(Claim::Failed) && group.retry_at <= now && is_alone_in_it {
                group.mine = Some(Claim::Waived);
            }
        }
    }

    /// Whether the peer says of any group that it could not start it.
    pub fn peer_has_failed(&self) -> bool {
        let failed = |group: &Group| group.their_claim() == Some(Claim::Failed);
        self.groups.iter().any(failed)
    }

    /// What was left to the other node, and is not unfit for this one, may fail back.
    pub fn want_back(&mut self) {
        for group in self.selected(Selection::Local) {
            if group.mine == Some(Claim::Waived) && !group.is_unfit {
                group.mine = Some(Claim::Free);
            }
        }
    }

    /// Marks these groups, as far as the peer holds them, as part of a planned move to this node.
    pub fn plan_taking(&mut self, selection: Selection) {
        for group in self.selected(selection) {
            group.planned = group.peer_holds();
        }
    }

    /// Whether a group of the planned move still runs here and waits.
    pub fn waits_to_give(&self) -> bool {
        self.planned().any(Group::is_wanted_here)
    }

    /// Whether the peer has just left a group to us because somebody wants it here.
    pub fn is_handed_over(&self) -> bool {
        let handed = |group: &Group| group.their_claim() == Some(Claim::HandedOver);
        self.groups.iter().any(handed)
    }

    /// The groups of the planned move.
    pub(super) fn planned(&self) -> impl Iterator<Item = &Group> {
        self.groups.iter().filter(|group| group.planned)
    }

    /// The planned move is over.
    pub fn forget_plan(&mut self) {
        for group in &mut self.groups {
            group.planned = false;
        }
    }

    fn of_half(&self, selection: Selection) -> impl Iterator<Item = &Group> {
        self.groups
            .iter()
            .filter(move |group| selection.includes(group.prefers_local))
    }

    pub(super) fn these(&self, selection: Selection) -> impl Iterator<Item = &Group> {
        self.of_half(selection).filter(|group| !group.is_removed)
    }

    pub(super) fn selected(&mut self, selection: Selection) -> impl Iterator<Item = &mut Group> {
        self.groups
            .iter_mut()
            .filter(move |group| selection.includes(group.prefers_local) && !group.is_removed)
    }
}
