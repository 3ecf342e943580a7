//! Who holds which resource group. One rule for each situation, applied to each group on its own.
//!
//! The right to run a group is a token that one node holds while both talk. It passes only
//!
//! - from a node that stopped the group and *ceded* it, or failed to start it, to the other (S2);
//! - from a node that died or left to the one that remains;
//! - to the preferred node, when both say in the same conversation that they do not hold it.
//!
//! A claim is what was seen to happen, never an intention: a group counts as held from the moment a start
//! is asked for until a stop has succeeded, and a failed stop leaves it held (S6).

use std::collections::VecDeque;
use std::time::Duration;

use super::claims::{Claim, Phase, Stated};
use super::event::GroupOutcome;
use super::files_differ::OtherGroups;
use super::policy::{
    Group, Reason, Relation, Standing, Step, fails_back, prefers_me, wanted, yields,
};
use super::tenure::Placed;
use super::time::Instant;
use super::{GroupId, GroupSettings};
use crate::message::checksum;

/// Pause before a group that could not be started is tried again on request.
const START_AGAIN: Duration = Duration::from_secs(60);
/// Pause before a failed stop is tried again.
const STOP_AGAIN: Duration = Duration::from_secs(30);

/// What becomes of a group that both nodes hold and that the other has to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Conflict {
    /// It was found out.
    Begins,
    /// The other node has given it up.
    Ends,
}

/// All groups.
#[derive(Debug, Clone)]
pub struct Ownership {
    pub(super) groups: Vec<Group>,
    /// Group indices in the order of their sorted keys, which is the order on the wire.
    pub(super) order: Vec<usize>,
    /// What was held and is not any more, the newest last.
    pub(super) ended: VecDeque<Placed>,
    digest: u32,
    /// What the peer does where it has other groups than we.
    other_groups: OtherGroups,
    /// A claim of ours has changed by what was heard.
    has_news: bool,
    /// Decides where both files, or neither, prefer the node that reads them.
    pub(super) wins_ties: bool,
}

impl Ownership {
    /// Nothing probed, nothing heard. `wins_ties` must be true on exactly one of the two nodes.
    pub fn new(settings: &[GroupSettings], wins_ties: bool) -> Self {
        let mut ownership = Self {
            groups: settings
                .iter()
                .map(|group| Group::new(group.prefers_local))
                .collect(),
            order: Vec::new(),
            ended: VecDeque::new(),
            digest: 0,
            other_groups: OtherGroups::default(),
            has_news: false,
            wins_ties,
        };
        let settings: Vec<&GroupSettings> = settings.iter().collect();
        ownership.list(&settings, (0..settings.len()).collect());
        ownership
    }

    /// Whether anything that runs here returns to its preferred node.
    pub fn fails_back(&self, standing: Standing) -> bool {
        (0..self.groups.len()).any(|index| self.one_fails_back(index, standing))
    }

    /// Whether one group, the `index`-th of the file, does.
    pub fn one_fails_back(&self, index: usize, standing: Standing) -> bool {
        let group = self.groups.get(index);
        group.is_some_and(|group| {
            group.phase() == Some(Phase::Running)
                && group.ending.is_none()
                && fails_back(group, standing, prefers_me(group, self.wins_ties))
        })
    }

    /// These of the groups are in the file; the peer hears of them.
    pub(super) fn list(&mut self, settings: &[&GroupSettings], mut listed: Vec<usize>) {
        let key = |index: &usize| settings.get(*index).map(|group| &group.key);
        listed.sort_by(|a, b| key(a).cmp(&key(b)));
        let words = listed
            .iter()
            .filter_map(|index| settings.get(*index))
            .flat_map(|group| [group.key.as_bytes(), group.resources().as_bytes()]);
        self.digest = checksum(words);
        self.order = listed;
    }

    /// Whether every group was probed that was there at the start: before that we don't know what we hold.
    pub fn is_known(&self) -> bool {
        let is_known = |group: &Group| group.mine.is_some() || group.is_late;
        self.groups.iter().all(is_known)
    }

    /// What our heartbeats say, and the digest they say it under.
    pub fn digest(&self) -> u32 {
        self.digest
    }

    /// Our claims in the order of the wire.
    pub fn stated(&self) -> impl Iterator<Item = Stated> + Clone {
        self.order
            .iter()
            .filter_map(|index| self.groups.get(*index))
            .map(|group| Stated {
                claim: group.mine.unwrap_or(Claim::held(Phase::Unknown)),
                prefers_self: group.prefers_local,
            })
    }

    /// The peer's claims, in the order of the wire; `is_agreed` when they answer our own. Returns false when
    /// they are not about our groups.
    pub fn hear(&mut self, digest: Option<u32>, states: &[Stated], is_agreed: bool) -> bool {
        if digest.is_none() {
            return true; // it does not know yet; what it said before is as good as unsaid
        }
        if digest != Some(self.digest) || states.len() != self.order.len() {
            self.forget_claims();
            if is_agreed {
                self.other_groups = OtherGroups::of(states);
            }
            if is_agreed && !states.iter().any(|stated| stated.claim.is_held()) {
                self.note_known();
            }
            return false;
        }
        self.other_groups = OtherGroups::default();
        for (index, stated) in self.order.iter().zip(states) {
            let Some(group) = self.groups.get_mut(*index) else {
                continue;
            };
            group.theirs = Some(*stated);
            if stated.claim.is_held() {
                let before = group.mine;
                group.mine = before.map(|claim| group.once_taken(claim));
                self.has_news |= before != group.mine;
            } else if let (Some(Claim::Held { taken, .. }), true) = (&mut group.mine, is_agreed) {
                *taken = false; // from now on the other node knows that we hold it
            }
        }
        true
    }

    /// Whether a claim of ours has changed by what was heard since this was asked last: then the peer waits to hear
    /// that it was heard.
    pub fn take_news(&mut self) -> bool {
        std::mem::take(&mut self.has_news)
    }

    /// The other node holds nothing and knows what we hold: nothing of it is taken from a living owner.
    fn note_known(&mut self) {
        for group in &mut self.groups {
            if let Some(Claim::Held { taken, .. }) = &mut group.mine {
                *taken = false;
            }
        }
    }

    /// A new conversation begins: what either side ceded in the old one is void.
    pub fn begin_anew(&mut self) {
        self.forget_claims();
        for group in &mut self.groups {
            group.failures.thaw();
            if group.mine.is_some_and(|claim| !claim.is_held()) {
                group.mine = Some(group.unheld());
            }
        }
    }

    /// What the peer said is not valid any more.
    pub fn forget_claims(&mut self) {
        self.other_groups = OtherGroups::default();
        for group in &mut self.groups {
            group.theirs = None;
            group.readiness.forget_peer();
            group.carrier.forget_peer();
        }
    }

    /// S3: everything held must be stopped before it may be held again.
    pub fn mark_stale(&mut self) -> usize {
        let held = self
            .groups
            .iter_mut()
            .filter(|group| group.mine.is_some_and(Claim::is_held));
        held.map(|group| group.ending = Some(Reason::Stale)).count()
    }

    /// Everything held is given up: nobody can use it here. How many groups that are.
    pub fn cut_off(&mut self) -> usize {
        let held = self.groups.iter_mut().filter(|group| group.may_run());
        held.map(|group| group.ending = Some(Reason::CutOff))
            .count()
    }

    /// The groups of the file that are not held here.
    pub fn not_held(&self) -> impl Iterator<Item = GroupId> {
        let groups = self.groups.iter().enumerate();
        let free = groups.filter(|(_, group)| !group.may_run() && !group.is_removed);
        free.filter_map(|(index, _)| u32::try_from(index).ok().map(GroupId))
    }

    /// The next thing to do, if any. To be asked until it says nothing; each answer changes the claims.
    pub fn next_step(
        &mut self,
        standing: Standing,
        now: Instant,
    ) -> Option<(GroupId, Step, Reason)> {
        let (index, step, reason) = (0..self.groups.len()).find_map(|index| {
            let group = self.groups.get(index)?;
            let gives_way =
                || standing.relation == Relation::Talking && self.other_groups.displace(group);
            let (step, reason) = wanted(group, standing, prefers_me(group, self.wins_ties), now)
                .or_else(|| gives_way().then_some((Step::Stop, Reason::Conflict)))?;
            Some((index, step, reason))
        })?;
        let group = self.groups.get_mut(index)?;
        let taken_before = group.is_taken();
        if step == Step::Start {
            // Who wants it here knows, or was warned, that it can't be reached.
            let is_wanted = group.their_claim() == Some(Claim::HandedOver);
            group.carrier.overruled = is_wanted && group.carrier.is_lost();
        }
        group.mine = Some(match step {
            Step::Start => Claim::Held {
                phase: Phase::Starting,
                taken: standing.relation == (Relation::Gone { died: true }),
            },
            Step::Stop => Claim::Held {
                phase: Phase::Stopping,
                taken: taken_before,
            },
        });
        group.note_tenure(now);
        group.found = false;
        group.broken_told = false;
        Some((GroupId(u32::try_from(index).ok()?), step, reason))
    }

    /// The next group that the other node holds too and has to give up, or has just given up, each once for each
    /// conflict.
    pub fn next_conflict(&mut self, standing: Standing) -> Option<(GroupId, Conflict)> {
        if !matches!(standing.relation, Relation::Talking | Relation::Gone { .. }) {
            return None; // what the other node holds is not known now
        }
        let ties = self.wins_ties;
        for (index, group) in self.groups.iter_mut().enumerate() {
            let both = group.mine.is_some_and(Claim::is_held) && group.peer_holds();
            let stays = both
                && standing.relation == Relation::Talking
                && !yields(group, standing, prefers_me(group, ties));
            let before = std::mem::replace(&mut group.conflict_told, stays);
            let conflict = match (before, stays) {
                (false, true) => Conflict::Begins,
                (true, false) if group.is_wanted_here() && !both => Conflict::Ends,
                _ => continue,
            };
            return u32::try_from(index).ok().map(|id| (GroupId(id), conflict));
        }
        None
    }

    /// An action or probe has ended.
    pub fn ended(&mut self, id: GroupId, outcome: GroupOutcome, standing: Standing, now: Instant) {
        let Some(group) = usize::try_from(id.0)
            .ok()
            .and_then(|index| self.groups.get_mut(index))
        else {
            return;
        };
        let Some(mine) = group.mine else {
            group.found = outcome != GroupOutcome::FoundStopped;
            group.mine = Some(if group.found {
                Claim::held(Phase::Unknown)
            } else {
                Claim::Free
            });
            return;
        };
        match (mine, outcome) {
            (
                Claim::Held {
                    phase: Phase::Starting,
                    taken,
                },
                GroupOutcome::Started,
            ) => {
                group.failures.forget();
                group.mine = Some(Claim::Held {
                    phase: Phase::Running,
                    taken,
                });
            }
            // One that ran has a resource that was to be started again.
            (
                Claim::Held {
                    phase: Phase::Starting | Phase::Running,
                    ..
                },
                GroupOutcome::StartFailed,
            ) => {
                if group.their_claim() == Some(Claim::Ceded) {
                    group.note_breakdown(now); // else it would be left to us again in a minute
                }
                group.failures.add(now);
                group.mine = Some(Claim::Failed);
                group.ending = None;
                group.retry_at = now + START_AGAIN;
            }
            // Only the answer to the stop: a start that it overtook may have failed in the same moment, and
            // the stop still runs. One that succeeds after such a failure counts too.
            (
                Claim::Held {
                    phase: Phase::Stopping | Phase::Unknown,
                    ..
                },
                GroupOutcome::Stopped,
            ) => {
                group.mine = Some(after_stop(group, standing.relation));
                group.ending = None;
                group.found = false;
            }
            (
                Claim::Held {
                    phase: Phase::Starting | Phase::Running | Phase::Stopping,
                    taken,
                },
                GroupOutcome::StopFailed,
            ) => {
                group.mine = Some(Claim::Held {
                    phase: Phase::Unknown,
                    taken,
                });
                group.retry_at = now + STOP_AGAIN;
                if group.ending != Some(Reason::Stale) {
                    group.ending = None;
                }
            }
            _ => {} // the answer to an action that another one has overtaken: that one answers too
        }
        if group.is_removed && !group.may_run() {
            group.mine = Some(Claim::Free);
        }
    }

    /// A group that runs here does not work: it is left to the other node where that can have it. Whether it is;
    /// `None` when there is nothing to tell.
    pub fn broke(&mut self, id: GroupId, standing: Standing, now: Instant) -> Option<bool> {
        let index = usize::try_from(id.0).ok()?;
        let group = self.groups.get_mut(index)?;
        if group.phase() != Some(Phase::Running) || group.ending.is_some() || standing.is_leaving {
            return None;
        }
        if group.may_be_left(standing) {
            group.ending = Some(Reason::Broken);
            group.note_breakdown(now);
            return Some(true);
        }
        (!std::mem::replace(&mut group.broken_told, true)).then_some(false)
    }

    /// When a failed action is due again.
    pub fn next_retry(&self, now: Instant) -> Option<Instant> {
        let waits = |group: &&Group| {
            let failed = group.mine == Some(Claim::Failed) || group.phase() == Some(Phase::Unknown);
            failed && !group.found && group.retry_at > now
        };
        let failed = |group: &&Group| group.mine == Some(Claim::Failed);
        let starts = self.groups.iter().filter(failed);
        let starts = starts.filter_map(|group| group.failures.next(now));
        let others = self.groups.iter().filter(waits);
        others.map(|group| group.retry_at).chain(starts).min()
    }

    /// Our claim on a group; `None` before it was probed.
    pub fn mine(&self, id: GroupId) -> Option<Claim> {
        self.groups.get(usize::try_from(id.0).ok()?)?.mine
    }

    /// The peer's valid claim on a group.
    pub fn theirs(&self, id: GroupId) -> Option<Stated> {
        self.groups.get(usize::try_from(id.0).ok()?)?.theirs
    }

    /// Whether anything may be running here.
    pub fn holds_any(&self) -> bool {
        self.groups.iter().any(Group::may_run)
    }

    /// Whether one group, the `index`-th of the file, may be running here.
    pub fn holds_one(&self, index: usize) -> bool {
        self.groups.get(index).is_some_and(Group::may_run)
    }

    /// Whether an action is under way.
    pub fn is_moving(&self) -> bool {
        self.groups.iter().any(|group| {
            group.mine.is_none() || matches!(group.phase(), Some(Phase::Starting | Phase::Stopping))
        })
    }
}

/// What is said of a group once it is stopped: whether, and how, the other node may have it.
fn after_stop(group: &Group, relation: Relation) -> Claim {
    let peer_is_free = group.peer_is_free();
    match (relation, group.ending) {
        (Relation::Talking, Some(Reason::Standby)) if peer_is_free => Claim::HandedOver,
        // To a peer of heartbeat 3.0.6 a half is handed over as a whole, once all of it is stopped.
        (Relation::Halves { .. }, Some(Reason::Standby | Reason::Failback | Reason::AskedFor)) => {
            Claim::Ceded
        }
        // It may go back: where the other node can't start it, one that does not work is better than none.
        (Relation::Talking, None | Some(Reason::Broken | Reason::NoCarrier)) if peer_is_free => {
            Claim::Ceded
        }
        _ => group.unheld(),
    }
}

#[cfg(test)]
mod tests;
