//! Many groups at once: the halves that a peer of heartbeat 3.0.6 speaks of, and what a planned move is about.

use super::claims::{Claim, Phase, Stated};
use super::movement::Selection;
use super::ownership::Ownership;
use super::policy::{Group, Reason};

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
        let Some(group) = self.groups.get_mut(index) else {
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

    /// These groups go to the other node: what is held is stopped, and nothing is started here any more.
    /// `at_once`: what is not held is left to the other node too.
    pub fn give(&mut self, selection: Selection, reason: Reason, at_once: bool) {
        for group in self.selected(selection) {
            match group.mine {
                Some(Claim::Held {
                    phase: Phase::Starting | Phase::Running,
                    ..
                }) => (group.ending, group.planned) = (Some(reason), true),
                Some(Claim::Held { .. }) | None => {}
                Some(_) if at_once => group.mine = Some(Claim::Ceded),
                Some(_) => {}
            }
        }
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
        }
    }

    /// What we took because the peer was thought dead goes back: it lives, and never stopped.
    pub fn give_back_taken(&mut self) {
        for group in &mut self.groups {
            if matches!(group.mine, Some(Claim::Held { taken: true, .. })) {
                group.ending = Some(Reason::Conflict);
            }
        }
    }

    /// Whether any of these groups may be running here.
    pub fn holds_of(&self, selection: Selection) -> bool {
        self.these(selection)
            .any(|group| group.mine.is_none_or(Claim::is_held))
    }

    /// Whether the peer says that it holds any of these groups.
    pub fn peer_holds_of(&self, selection: Selection) -> bool {
        self.these(selection)
            .any(|group| group.theirs.is_some_and(|stated| stated.claim.is_held()))
    }

    /// Whether one of these groups could not be stopped.
    pub fn is_stuck(&self, selection: Selection) -> bool {
        let unknown = |claim| {
            matches!(
                claim,
                Claim::Held {
                    phase: Phase::Unknown,
                    ..
                }
            )
        };
        self.these(selection)
            .any(|group| group.mine.is_some_and(unknown))
    }

    /// Whether one of these groups is being started, or is about to be because the peer left it to us.
    pub fn is_taking(&self, selection: Selection) -> bool {
        self.these(selection).any(|group| {
            let left_to_us = group
                .theirs
                .is_some_and(|stated| stated.claim == Claim::Ceded);
            match group.mine {
                Some(Claim::Held { phase, .. }) => phase == Phase::Starting,
                Some(mine) => mine != Claim::Failed && left_to_us,
                None => true,
            }
        })
    }

    /// Marks these groups, as far as the peer holds them, as part of a planned move to this node.
    pub fn plan_taking(&mut self, selection: Selection) {
        for group in self.selected(selection) {
            group.planned = group.theirs.is_some_and(|stated| stated.claim.is_held());
        }
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

    fn these(&self, selection: Selection) -> impl Iterator<Item = &Group> {
        self.groups
            .iter()
            .filter(move |group| selection.includes(group.prefers_local))
    }

    fn selected(&mut self, selection: Selection) -> impl Iterator<Item = &mut Group> {
        self.groups
            .iter_mut()
            .filter(move |group| selection.includes(group.prefers_local))
    }
}
