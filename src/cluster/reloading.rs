//! The files were read again while the daemon runs: what of it a running core takes over, and when it must not yet.
//!
//! A reload begins a new conversation: nothing that the peer said before it counts, and until the peer has answered, no
//! group changes hands. So whatever the peer decided by what we stated before, we know before we decide anything by what
//! the files say now (S2). What runs goes on meanwhile.

use std::collections::BTreeMap;
use std::time::Duration;

use super::carrier::Carrier;
use super::claims::{Claim, Leaving, Phase};
use super::classic::Dialogue;
use super::movement::Selection;
use super::policy::{Breakdowns, Group, Reason};
use super::reload::{GroupPlace, Reload, ReloadRefusal};
use super::time::by_a_faster_clock;
use super::{Action, Cluster, FencingStage, GroupId, GroupSettings, Instant, NodeStatus, Relation};
use crate::config::AutoFailback;

impl Cluster {
    /// The groups of this node by [`GroupId`].
    pub fn places(&self) -> Vec<GroupPlace> {
        let groups = self.settings.groups.iter().zip(&self.ownership.groups);
        let place = |(group, state): (&GroupSettings, &Group)| GroupPlace {
            group: group.clone(),
            is_removed: state.is_removed,
        };
        groups.map(place).collect()
    }

    /// Finds a place for each group of a new file: its own where it has one, else one that is free.
    pub fn places_for(&self, wanted: Vec<GroupSettings>) -> Vec<GroupPlace> {
        let mut places = self.places();
        let mut own: BTreeMap<String, usize> = places
            .iter()
            .enumerate()
            .map(|(index, place)| (place.group.key.clone(), index))
            .collect();
        for place in &mut places {
            place.is_removed = true;
        }
        let mut others = Vec::new();
        for group in wanted {
            match own.remove(&group.key).and_then(|at| places.get_mut(at)) {
                Some(place) => {
                    *place = GroupPlace {
                        group,
                        is_removed: false,
                    };
                }
                None => others.push(group),
            }
        }
        let mut free = (0..places.len()).filter(|index| !self.ownership.holds_one(*index));
        for group in others {
            let taken = |index: &usize| places.get(*index).is_some_and(|place| place.is_removed);
            let place = GroupPlace {
                group,
                is_removed: false,
            };
            match free.find(taken).and_then(|index| places.get_mut(index)) {
                Some(free) => *free = place,
                None => places.push(place),
            }
        }
        places
    }

    /// How often this core has taken files over.
    pub fn reloads(&self) -> u64 {
        self.reloads
    }

    /// Why this can't be taken over now; `None` when it can. To be asked directly before
    /// [`Event::Reloaded`](super::Event::Reloaded).
    pub fn refuses_reload(&self, reload: &Reload) -> Option<ReloadRefusal> {
        if self.leaving != Leaving::No {
            return Some(ReloadRefusal::Leaving);
        }
        if self.move_is_under_way() || self.classic.dialogue != Dialogue::None {
            return Some(ReloadRefusal::Busy);
        }
        let is_talking = self.standing().relation == Relation::Talking;
        let old_peer_is_there =
            self.peer.is_classic && !self.peer.has_left && self.peer.status != NodeStatus::Dead;
        let mut differs = self.settings.groups.len() != reload.groups.len();
        let mut passing = None;
        for ((old, state), place) in self
            .settings
            .groups
            .iter()
            .zip(&self.ownership.groups)
            .zip(&reload.groups)
        {
            let change = Change::of(old, state, place);
            differs |= change != Change::None;
            if is_talking && is_passing(state) {
                passing = passing.or_else(|| Some(old.key.clone()));
            }
            let is_moving = || {
                matches!(state.phase(), Some(Phase::Starting | Phase::Stopping))
                    || state.mine.is_none()
            };
            if change != Change::None && is_moving() {
                return Some(ReloadRefusal::Moving(old.key.clone()));
            }
            let has_other_resources = change == Change::Resources
                || (change == Change::Returned && old.resources() != place.group.resources());
            if has_other_resources && state.phase() == Some(Phase::Unknown) {
                return Some(ReloadRefusal::Stuck(old.key.clone()));
            }
            let is_known = !state.is_removed || state.may_run();
            if is_known
                && old.prefers_local != place.group.prefers_local
                && old.key == place.group.key
                && old_peer_is_there
            {
                return Some(ReloadRefusal::OldPeer(old.key.clone()));
            }
        }
        passing.filter(|_| differs).map(ReloadRefusal::Passing)
    }

    /// The files were read again.
    pub(super) fn reload(&mut self, reload: Reload, now: Instant) {
        if self.refuses_reload(&reload).is_some() {
            return; // whoever tells of the files has asked, and sees that nothing was taken over
        }
        self.reloads = self.reloads.saturating_add(1);
        let before = self.former_deadtime.unwrap_or(self.settings.deadtime);
        let settings = &mut self.settings;
        self.former_deadtime = Some(before.min(settings.deadtime));
        settings.keepalive = reload.keepalive;
        settings.deadtime = reload.deadtime;
        settings.warntime = reload.warntime;
        settings.initdead = reload.initdead;
        settings.ping.deadping = reload.deadping;
        settings.max_rexmit_delay = reload.max_rexmit_delay;
        settings.log_badpack = reload.log_badpack;
        settings.carrier_loss = reload.carrier_loss;
        let is_legacy = |mode| mode == AutoFailback::Legacy;
        if is_legacy(settings.auto_failback) == is_legacy(reload.auto_failback) {
            settings.auto_failback = reload.auto_failback;
            if std::mem::replace(&mut settings.failback, reload.failback) != reload.failback {
                self.failback.begin_anew();
            }
        }
        self.pings.set_deadping(reload.deadping, reload.initdead);
        if !self.peer.heard_in_this_run {
            self.peer.deadtime = self.settings.deadtime;
        }
        self.peer.deadtime = self.peer.deadtime.max(self.settings.keepalive);
        self.next_heartbeat = self.next_heartbeat.min(now + self.settings.keepalive);
        let had_groups = self.ownership.has_any(Selection::All);
        self.replace_groups(reload.groups, now);
        self.begin_conversation();
        if !had_groups {
            self.doubt_late(now);
        }
    }

    /// There are groups now. A peer that died while there were none was not reset, and may be running them.
    fn doubt_late(&mut self, now: Instant) {
        let is_dead = self.peer.status == NodeStatus::Dead && !self.peer.has_left;
        let is_settled = self.fencing.stage != FencingStage::None || self.doubt.is_open();
        let has_groups = self.ownership.has_any(Selection::All);
        if is_dead && !is_settled && has_groups && (self.can_fence() || self.doubt.is_unresolved) {
            let patience = self.fencing_patience();
            self.judge_silence(patience, true, now);
        }
    }

    /// The silence of ours, by our own clock, after which the peer may take us for dead. A longer deadtime counts only once
    /// the peer has heard of it. Its clock may go faster than ours.
    pub(super) fn patience_of_the_peer(&self) -> Duration {
        let former = self.former_deadtime.unwrap_or(self.settings.deadtime);
        by_a_faster_clock(former.min(self.settings.deadtime))
    }

    fn replace_groups(&mut self, places: Vec<GroupPlace>, now: Instant) {
        let old = std::mem::take(&mut self.settings.groups);
        let unknown = self.ownership.replace(&old, &places);
        self.settings.groups = places.into_iter().map(|place| place.group).collect();
        for index in unknown {
            let Ok(number) = u32::try_from(index) else {
                continue;
            };
            self.actions.push_back(Action::ProbeGroup(GroupId(number)));
            self.ask_for_new_group(index, now);
        }
        if self.peer.is_classic && self.classic.holds.is_some() {
            self.apply_claims();
        }
    }

    /// What the peer said, it said without knowing what we state from now on. Nothing is void of what either side gave:
    /// unlike at the beginning of an epoch that the peer began, each still knows what it said.
    fn begin_conversation(&mut self) {
        self.heartbeat_is_due = true;
        if self.peer.is_classic {
            return; // it has no such thing, and knows nothing of single groups
        }
        self.epoch += 1;
        self.epoch_began = self.now;
        self.is_agreed = false;
        self.unanswered_since = None;
        self.told.deaf = false;
        self.ownership.forget_claims();
    }
}

/// What becomes of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// Nothing, or it prefers another node.
    None,
    /// It has other resources.
    Resources,
    /// It is not in the file any more.
    Removed,
    /// It is in the file again, and had not let go of its place.
    Returned,
    /// Another group has its place.
    Replaced,
}

impl Change {
    pub(super) fn of(old: &GroupSettings, state: &Group, place: &GroupPlace) -> Self {
        let has_other_resources = old.resources() != place.group.resources();
        match (state.is_removed, place.is_removed) {
            (true, true) => Self::None,
            (false, true) => Self::Removed,
            _ if old.key != place.group.key => Self::Replaced,
            (true, false) => Self::Returned,
            (false, false) if has_other_resources => Self::Resources,
            (false, false) => Self::None,
        }
    }
}

/// Whether one of the nodes has let a group go and the other one does not have it yet.
fn is_passing(group: &Group) -> bool {
    let Some(theirs) = group.their_claim() else {
        return false;
    };
    let is_left = |claim: Claim| matches!(claim, Claim::Ceded | Claim::HandedOver);
    let ours = group
        .mine
        .is_some_and(|mine| is_left(mine) && !theirs.is_held());
    let to_us = is_left(theirs)
        && group
            .mine
            .is_some_and(|mine| !mine.is_held() && mine != Claim::Failed);
    ours || to_us
}

impl super::Ownership {
    /// The file names other groups. Gives the places whose groups have to be looked at before anything is known of them.
    pub(super) fn replace(&mut self, old: &[GroupSettings], places: &[GroupPlace]) -> Vec<usize> {
        let mut unknown = Vec::new();
        for (index, place) in places.iter().enumerate() {
            let prefers_local = place.group.prefers_local;
            let before = old.get(index).zip(self.groups.get_mut(index));
            let Some((settings, group)) = before else {
                self.groups.push(Group::added(prefers_local));
                unknown.push(index);
                continue;
            };
            match Change::of(settings, group, place) {
                Change::None => {}
                Change::Resources => group.forgive(),
                Change::Removed => group.remove(),
                Change::Returned if group.may_run() => group.restore(),
                Change::Returned | Change::Replaced => {
                    *group = Group::added(prefers_local);
                    unknown.push(index);
                }
            }
            group.prefers_local = prefers_local;
        }
        let settings: Vec<&GroupSettings> = places.iter().map(|place| &place.group).collect();
        let listed: Vec<usize> = places
            .iter()
            .enumerate()
            .filter(|(_, place)| !place.is_removed)
            .map(|(index, _)| index)
            .collect();
        self.list(&settings, listed);
        unknown
    }
}

impl Group {
    /// One that came by a reload. Until it was looked at, it is stated as one that may run here.
    fn added(prefers_local: bool) -> Self {
        Self {
            is_late: true,
            ..Self::new(prefers_local)
        }
    }

    /// It has other resources: what failed before proves nothing.
    fn forgive(&mut self) {
        self.retry_at = Instant::default();
        self.breakdowns = Breakdowns::default();
        self.is_unfit = false;
        self.broken_told = false;
        self.failures.forget();
        // Its addresses may be others, or none: the shell tells anew of those that there are.
        self.carrier = Carrier::default();
        if self.mine == Some(Claim::Failed) {
            self.mine = Some(Claim::Free);
        }
    }

    /// It is in the file again before it was stopped.
    fn restore(&mut self) {
        self.is_removed = false;
        if self.ending == Some(Reason::Removed) {
            self.ending = None;
        }
    }

    /// Nobody is to run it any more.
    fn remove(&mut self) {
        self.is_removed = true;
        self.theirs = None;
        self.planned = false;
        self.conflict_told = false;
        if self.may_run() {
            self.ending = Some(Reason::Removed);
        } else {
            self.mine = Some(Claim::Free);
        }
    }
}
