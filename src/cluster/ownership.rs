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

use std::time::Duration;

use super::claims::{Claim, Phase, Stated};
use super::event::GroupOutcome;
use super::policy::{Group, Reason, Relation, Standing, Step, prefers_me, wanted, yields};
use super::time::Instant;
use super::{GroupId, GroupSettings};
use crate::message::checksum;

/// Pause before a group that could be started nowhere is tried again.
const START_AGAIN: Duration = Duration::from_secs(60);
/// Pause before a failed stop is tried again.
const STOP_AGAIN: Duration = Duration::from_secs(30);

/// All groups.
#[derive(Debug, Clone)]
pub struct Ownership {
    pub(super) groups: Vec<Group>,
    /// Group indices in the order of their sorted keys, which is the order on the wire.
    order: Vec<usize>,
    digest: u32,
    /// What the peer does where it has other groups than we.
    other_groups: OtherGroups,
    /// A claim of ours has changed by what was heard.
    has_news: bool,
    /// Decides where both files, or neither, prefer the node that reads them.
    wins_ties: bool,
}

/// What a peer whose groups are not ours has of them.
#[derive(Debug, Clone, Copy, Default)]
struct OtherGroups {
    /// Some that it took because we were thought dead: then it took all that it has.
    taken: bool,
    /// Some since before it lost us.
    kept: bool,
    /// Some that it found running or could not stop.
    unknown: bool,
}

impl OtherGroups {
    fn of(states: &[Stated]) -> Self {
        let has = |phases: &[Phase], taken| {
            let claims = phases.iter().map(|&phase| Claim::Held { phase, taken });
            claims
                .into_iter()
                .any(|claim| states.iter().any(|stated| stated.claim == claim))
        };
        let runs = [Phase::Starting, Phase::Running];
        Self {
            taken: has(&runs, true),
            kept: has(&runs, false),
            unknown: has(&[Phase::Unknown], false) || has(&[Phase::Unknown], true),
        }
    }
}

impl Ownership {
    /// Nothing probed, nothing heard. `wins_ties` must be true on exactly one of the two nodes.
    pub fn new(settings: &[GroupSettings], wins_ties: bool) -> Self {
        let mut order: Vec<usize> = (0..settings.len()).collect();
        order.sort_by(|a, b| {
            settings
                .get(*a)
                .map(|g| &g.key)
                .cmp(&settings.get(*b).map(|g| &g.key))
        });
        let keys = order
            .iter()
            .filter_map(|index| settings.get(*index))
            .flat_map(|group| [group.key.as_bytes(), group.resources().as_bytes()]);
        let digest = checksum(keys);
        let groups = settings
            .iter()
            .map(|group| Group {
                mine: None,
                theirs: None,
                prefers_local: group.prefers_local,
                found: false,
                ending: None,
                planned: false,
                conflict_told: false,
                retry_at: Instant::default(),
            })
            .collect();
        Self {
            groups,
            order,
            digest,
            other_groups: OtherGroups::default(),
            has_news: false,
            wins_ties,
        }
    }

    /// Whether every group was probed: before that we don't know what we hold.
    pub fn is_known(&self) -> bool {
        self.groups.iter().all(|group| group.mine.is_some())
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
                claim: group.mine.unwrap_or(Claim::Held {
                    phase: Phase::Unknown,
                    taken: false,
                }),
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
                group.mine = before.map(Claim::once_taken);
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
            if group.mine.is_some_and(|claim| !claim.is_held()) {
                group.mine = Some(Claim::Free);
            }
        }
    }

    /// What the peer said is not valid any more.
    pub fn forget_claims(&mut self) {
        self.other_groups = OtherGroups::default();
        for group in &mut self.groups {
            group.theirs = None;
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

    /// The next thing to do, if any. To be asked until it says nothing; each answer changes the claims.
    pub fn next_step(
        &mut self,
        standing: Standing,
        now: Instant,
    ) -> Option<(GroupId, Step, Reason)> {
        let (index, step, reason) = (0..self.groups.len()).find_map(|index| {
            let group = self.groups.get(index)?;
            let (step, reason) = wanted(group, standing, prefers_me(group, self.wins_ties), now)
                .or_else(|| self.gives_way(group, standing))?;
            Some((index, step, reason))
        })?;
        let group = self.groups.get_mut(index)?;
        let taken_before = matches!(group.mine, Some(Claim::Held { taken: true, .. }));
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
        group.found = false;
        Some((GroupId(u32::try_from(index).ok()?), step, reason))
    }

    /// S7 where the files differ: which of our groups the other node runs can't be told. What we took from it
    /// because it was thought dead goes back, if it had anything all along; what was merely found running
    /// yields to one who runs any. Where both are in the same position, each keeps what its own file gives it.
    fn gives_way(&self, group: &Group, standing: Standing) -> Option<(Step, Reason)> {
        let other = self.other_groups;
        let (yields, is_tie) = match group.mine? {
            Claim::Held {
                phase: Phase::Starting | Phase::Running,
                taken: true,
            } => (other.kept, other.taken),
            Claim::Held {
                phase: Phase::Unknown,
                ..
            } if group.found => (other.kept || other.taken, other.unknown),
            _ => (false, false),
        };
        let gives_way = yields || (is_tie && !group.prefers_local);
        (gives_way && standing.relation == Relation::Talking)
            .then_some((Step::Stop, Reason::Conflict))
    }

    /// The next group that the other node holds too and has to give up, each once for each conflict.
    pub fn next_conflict(&mut self, standing: Standing) -> Option<GroupId> {
        let ties = self.wins_ties;
        for (index, group) in self.groups.iter_mut().enumerate() {
            let both = group.mine.is_some_and(Claim::is_held)
                && group.theirs.is_some_and(|s| s.claim.is_held());
            let stays = both
                && standing.relation == Relation::Talking
                && !yields(group, standing, prefers_me(group, ties));
            if !std::mem::replace(&mut group.conflict_told, stays) && stays {
                return u32::try_from(index).ok().map(GroupId);
            }
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
            let found = Claim::Held {
                phase: Phase::Unknown,
                taken: false,
            };
            group.mine = Some(if group.found { found } else { Claim::Free });
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
                group.mine = Some(Claim::Held {
                    phase: Phase::Running,
                    taken,
                });
            }
            (
                Claim::Held {
                    phase: Phase::Starting,
                    ..
                },
                GroupOutcome::StartFailed,
            ) => {
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
                    phase: Phase::Starting | Phase::Stopping,
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
    }

    /// When a failed action is due again.
    pub fn next_retry(&self, now: Instant) -> Option<Instant> {
        let waits = |group: &&Group| {
            let failed = matches!(
                group.mine,
                Some(
                    Claim::Failed
                        | Claim::Held {
                            phase: Phase::Unknown,
                            ..
                        }
                )
            );
            failed && !group.found && group.retry_at > now
        };
        self.groups
            .iter()
            .filter(waits)
            .map(|group| group.retry_at)
            .min()
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
        self.groups
            .iter()
            .any(|group| group.mine.is_none_or(Claim::is_held))
    }

    /// Whether one group, the `index`-th of the file, may be running here.
    pub fn holds_one(&self, index: usize) -> bool {
        self.groups
            .get(index)
            .is_some_and(|group| group.mine.is_none_or(Claim::is_held))
    }

    /// Whether an action is under way.
    pub fn is_moving(&self) -> bool {
        self.groups.iter().any(|group| {
            matches!(
                group.mine,
                None | Some(Claim::Held {
                    phase: Phase::Starting | Phase::Stopping,
                    ..
                })
            )
        })
    }

    /// Whether any group that prefers this node (`true`), or the other, may be running here.
    pub fn holds_any_of(&self, local: bool) -> bool {
        let mut half = self
            .groups
            .iter()
            .filter(|group| group.prefers_local == local);
        half.any(|group| group.mine.is_none_or(Claim::is_held))
    }

    /// Whether any group prefers this node (`true`) or the other.
    pub fn has_any(&self, local: bool) -> bool {
        self.groups.iter().any(|group| group.prefers_local == local)
    }
}

/// What is said of a group once it is stopped: whether, and how, the other node may have it.
fn after_stop(group: &Group, relation: Relation) -> Claim {
    let peer_is_free = group.theirs.is_some_and(|stated| stated.claim.is_free());
    match (relation, group.ending) {
        (Relation::Talking, Some(Reason::Standby)) if peer_is_free => Claim::HandedOver,
        // To a peer of heartbeat 3.0.6 a half is handed over as a whole, once all of it is stopped.
        (Relation::Halves { .. }, Some(Reason::Standby | Reason::Failback | Reason::AskedFor)) => {
            Claim::Ceded
        }
        (Relation::Talking, None) if peer_is_free => Claim::Ceded,
        _ => Claim::Free,
    }
}

#[cfg(test)]
mod tests {
    use super::super::movement::Selection;
    use super::*;

    const TALKING: Standing = Standing {
        relation: Relation::Talking,
        is_active: true,
        is_leaving: false,
        peer_takes: true,
        fails_back: true,
    };
    const NOW: Instant = Instant::from_micros(1_000_000);
    const G: GroupId = GroupId(0);

    fn node(prefers_local: bool) -> Ownership {
        let settings = [GroupSettings {
            key: "10.0.0.1".into(),
            line: String::new(),
            prefers_local,
        }];
        let mut node = Ownership::new(&settings, prefers_local);
        node.ended(G, GroupOutcome::FoundStopped, TALKING, NOW);
        node
    }

    fn step(node: &mut Ownership, standing: Standing) -> Option<(Step, Reason)> {
        node.next_step(standing, NOW)
            .map(|(_, step, reason)| (step, reason))
    }

    fn tell(from: &Ownership, to: &mut Ownership) {
        let states: Vec<Stated> = from.stated().collect();
        assert!(to.hear(Some(from.digest()), &states, true));
    }

    #[test]
    fn the_preferred_node_starts_a_group_only_after_the_other_said_that_it_does_not_hold_it() {
        let (mut a, mut b) = (node(true), node(false));
        assert_eq!(step(&mut a, TALKING), None, "nothing heard yet");
        tell(&a, &mut b);
        tell(&b, &mut a);
        assert_eq!(step(&mut b, TALKING), None);
        assert_eq!(
            step(&mut a, TALKING),
            Some((Step::Start, Reason::Preferred))
        );
        assert_eq!(step(&mut a, TALKING), None);
    }

    #[test]
    fn a_group_passes_only_after_it_was_stopped() {
        let (mut a, mut b) = (node(true), node(false));
        tell(&b, &mut a);
        step(&mut a, TALKING);
        a.ended(G, GroupOutcome::Started, TALKING, NOW);
        let leaving = Standing {
            is_leaving: true,
            ..TALKING
        };
        assert_eq!(step(&mut a, leaving), Some((Step::Stop, Reason::Leaving)));
        tell(&a, &mut b);
        assert_eq!(step(&mut b, TALKING), None);
        a.ended(G, GroupOutcome::Stopped, leaving, NOW);
        assert_eq!(step(&mut a, leaving), None);
        tell(&a, &mut b);
        assert_eq!(step(&mut b, TALKING), Some((Step::Start, Reason::Ceded)));
        tell(&b, &mut a);
        assert_eq!(a.mine(G), Some(Claim::Free));
    }

    #[test]
    fn the_end_of_a_start_is_not_taken_for_the_end_of_the_stop_that_overtook_it() {
        let (mut a, b) = (node(true), node(false));
        tell(&b, &mut a);
        step(&mut a, TALKING);
        let leaving = Standing {
            is_leaving: true,
            ..TALKING
        };
        assert_eq!(step(&mut a, leaving), Some((Step::Stop, Reason::Leaving)));
        a.ended(G, GroupOutcome::StartFailed, leaving, NOW);
        assert!(a.holds_any(), "the stop still runs");
        a.ended(G, GroupOutcome::StopFailed, leaving, NOW);
        assert!(a.holds_any(), "the failed start could not be undone");
        a.ended(G, GroupOutcome::Stopped, leaving, NOW);
        assert!(!a.holds_any());
    }

    #[test]
    fn a_group_that_did_not_stop_is_never_taken_for_released() {
        let (mut a, mut b) = (node(true), node(false));
        tell(&b, &mut a);
        step(&mut a, TALKING);
        a.ended(G, GroupOutcome::Started, TALKING, NOW);
        let leaving = Standing {
            is_leaving: true,
            ..TALKING
        };
        step(&mut a, leaving);
        a.ended(G, GroupOutcome::StopFailed, leaving, NOW);
        tell(&a, &mut b);
        assert_eq!(step(&mut b, TALKING), None);
        assert!(a.holds_any());
        assert_eq!(step(&mut a, leaving), None);
        let later = a.next_retry(NOW).expect("a retry is due");
        assert_eq!(
            a.next_step(leaving, later).map(|(_, step, _)| step),
            Some(Step::Stop)
        );
    }

    #[test]
    fn a_group_that_cannot_be_started_is_offered_to_the_other_node_once() {
        let (mut a, mut b) = (node(true), node(false));
        tell(&b, &mut a);
        step(&mut a, TALKING);
        a.ended(G, GroupOutcome::StartFailed, TALKING, NOW);
        tell(&a, &mut b);
        assert_eq!(
            step(&mut b, TALKING),
            Some((Step::Start, Reason::FailedThere))
        );
        b.ended(G, GroupOutcome::StartFailed, TALKING, NOW);
        tell(&b, &mut a);
        tell(&a, &mut b);
        assert_eq!((step(&mut a, TALKING), step(&mut b, TALKING)), (None, None));
        assert_eq!(
            b.next_step(TALKING, NOW + START_AGAIN),
            None,
            "one node tries again, not both"
        );
        assert!(a.next_step(TALKING, NOW + START_AGAIN).is_some());
    }

    #[test]
    fn what_was_ceded_is_taken_once_and_goes_back_when_it_cannot_be_started() {
        let (mut a, mut b) = (node(true), node(false));
        tell(&b, &mut a);
        step(&mut a, TALKING);
        a.ended(G, GroupOutcome::Started, TALKING, NOW);
        let leaving = Standing {
            is_leaving: true,
            ..TALKING
        };
        step(&mut a, leaving);
        a.ended(G, GroupOutcome::Stopped, TALKING, NOW);
        tell(&a, &mut b);
        assert_eq!(step(&mut b, TALKING), Some((Step::Start, Reason::Ceded)));
        b.ended(G, GroupOutcome::StartFailed, TALKING, NOW);
        assert_eq!(step(&mut b, TALKING), None, "a has not yet heard of it");
        tell(&b, &mut a);
        assert_eq!(
            step(&mut a, TALKING),
            Some((Step::Start, Reason::FailedThere))
        );
    }

    #[test]
    fn what_was_handed_over_goes_back_only_once_the_other_node_knows_that_it_runs_here() {
        let pursue = |node: &mut Ownership| {
            node.release_planned();
            step(node, TALKING)
        };
        let (mut a, mut b) = (node(true), node(false));
        tell(&b, &mut a);
        step(&mut a, TALKING);
        a.ended(G, GroupOutcome::Started, TALKING, NOW);
        tell(&a, &mut b);
        a.plan_giving(Selection::All);
        assert_eq!(pursue(&mut a), Some((Step::Stop, Reason::Standby)));
        a.ended(G, GroupOutcome::Stopped, TALKING, NOW);
        a.forget_plan();
        tell(&a, &mut b);
        assert_eq!(step(&mut b, TALKING), Some((Step::Start, Reason::Ceded)));
        b.ended(G, GroupOutcome::Started, TALKING, NOW);
        b.plan_giving(Selection::All);
        assert_eq!(pursue(&mut b), None, "a still offers it");
        tell(&b, &mut a);
        tell(&a, &mut b);
        assert_eq!(pursue(&mut b), Some((Step::Stop, Reason::Standby)));
        b.ended(G, GroupOutcome::Stopped, TALKING, NOW);
        assert_eq!(step(&mut b, TALKING), None, "b had its turn");
        tell(&b, &mut a);
        assert_eq!(step(&mut a, TALKING), Some((Step::Start, Reason::Ceded)));
    }

    #[test]
    fn after_a_partition_the_one_that_held_the_group_all_along_keeps_it() {
        let gone = Standing {
            relation: Relation::Gone { died: true },
            ..TALKING
        };
        let (mut a, mut b) = (node(false), node(true));
        tell(&a, &mut b);
        step(&mut b, TALKING);
        b.ended(G, GroupOutcome::Started, TALKING, NOW);
        assert_eq!(step(&mut a, gone), Some((Step::Start, Reason::PeerDied)));
        a.ended(G, GroupOutcome::Started, gone, NOW);
        tell(&a, &mut b);
        tell(&b, &mut a);
        assert_eq!(step(&mut b, TALKING), None);
        assert_eq!(step(&mut a, TALKING), Some((Step::Stop, Reason::Conflict)));
        a.ended(G, GroupOutcome::Stopped, TALKING, NOW);
        assert_eq!(a.mine(G), Some(Claim::Free));
    }

    #[test]
    fn two_owners_never_both_yield_and_never_both_stay() {
        let phases = [
            Phase::Starting,
            Phase::Running,
            Phase::Stopping,
            Phase::Unknown,
        ];
        let claims: Vec<Claim> = phases
            .into_iter()
            .flat_map(|phase| [true, false].map(|taken| Claim::Held { phase, taken }))
            .collect();
        for mine in &claims {
            for theirs in &claims {
                for (a_prefers, b_prefers) in
                    [(true, false), (false, true), (true, true), (false, false)]
                {
                    let group = |mine, theirs, prefers_local, theirs_prefer| Group {
                        mine: Some(mine),
                        theirs: Some(Stated {
                            claim: theirs,
                            prefers_self: theirs_prefer,
                        }),
                        prefers_local,
                        found: false,
                        ending: None,
                        planned: false,
                        conflict_told: false,
                        retry_at: NOW,
                    };
                    let (a, b) = (node(true), node(false));
                    let (ga, gb) = (
                        group(*mine, *theirs, a_prefers, b_prefers),
                        group(*theirs, *mine, b_prefers, a_prefers),
                    );
                    let a_yields = yields(&ga, TALKING, prefers_me(&ga, a.wins_ties));
                    let b_yields = yields(&gb, TALKING, prefers_me(&gb, b.wins_ties));
                    assert!(
                        a_yields != b_yields,
                        "{mine:?} {theirs:?} {a_prefers} {b_prefers}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_stalled_owner_stops_before_anything_else_and_waits_to_hear_who_has_it() {
        let mut a = node(true);
        let gone = Standing {
            relation: Relation::Gone { died: true },
            ..TALKING
        };
        step(&mut a, gone);
        a.ended(G, GroupOutcome::Started, gone, NOW);
        assert_eq!(a.mark_stale(), 1);
        let unheard = Standing {
            relation: Relation::Unheard,
            ..TALKING
        };
        assert_eq!(step(&mut a, unheard), Some((Step::Stop, Reason::Stale)));
        a.ended(G, GroupOutcome::Stopped, unheard, NOW);
        assert_eq!(step(&mut a, unheard), None);
        assert_eq!(a.mine(G), Some(Claim::Free));
    }

    #[test]
    fn where_files_differ_and_both_took_everything_each_keeps_what_prefers_it() {
        let settings = |prefers_local| {
            ["10.0.0.1", "10.0.0.2"].map(|key| GroupSettings {
                key: key.into(),
                line: String::new(),
                prefers_local: prefers_local == (key == "10.0.0.1"),
            })
        };
        let gone = Standing {
            relation: Relation::Gone { died: true },
            ..TALKING
        };
        let mut nodes = [true, false].map(|first| Ownership::new(&settings(first), first));
        for node in &mut nodes {
            for group in [GroupId(0), GroupId(1)] {
                node.ended(group, GroupOutcome::FoundStopped, gone, NOW);
                assert!(node.next_step(gone, NOW).is_some());
                node.ended(group, GroupOutcome::Started, gone, NOW);
            }
        }
        let [mut a, mut b] = nodes;
        let (of_a, of_b): (Vec<_>, Vec<_>) = (a.stated().collect(), b.stated().collect());
        a.hear(Some(b.digest() ^ 1), &of_b, true);
        b.hear(Some(a.digest() ^ 1), &of_a, true);
        let stops = |node: &mut Ownership| {
            let step = node.next_step(TALKING, NOW);
            assert_eq!(node.next_step(TALKING, NOW), None);
            step
        };
        assert_eq!(
            stops(&mut a),
            Some((GroupId(1), Step::Stop, Reason::Conflict))
        );
        assert_eq!(
            stops(&mut b),
            Some((GroupId(0), Step::Stop, Reason::Conflict))
        );
    }

    #[test]
    fn where_files_differ_what_was_found_running_yields_to_one_who_may_run_it_too() {
        let settings = [GroupSettings {
            key: "10.0.0.1".into(),
            line: String::new(),
            prefers_local: true,
        }];
        let mut found = Ownership::new(&settings, true);
        found.ended(G, GroupOutcome::FoundRunning, TALKING, NOW);
        let held = |taken| Claim::Held {
            phase: Phase::Running,
            taken,
        };
        let stop = Some((Step::Stop, Reason::Conflict));
        for (claim, wanted) in [(Claim::Free, None), (held(false), stop), (held(true), stop)] {
            let mut a = found.clone();
            let theirs = Stated {
                claim,
                prefers_self: false,
            };
            a.hear(Some(a.digest() ^ 1), &[theirs], true);
            assert_eq!(step(&mut a, TALKING), wanted, "{claim:?}");
        }
    }

    #[test]
    fn different_files_move_nothing() {
        let (mut a, b) = (node(true), node(false));
        let states: Vec<Stated> = b.stated().collect();
        assert!(!a.hear(Some(b.digest() ^ 1), &states, true));
        assert_eq!(step(&mut a, TALKING), None);
    }

    #[test]
    fn what_was_found_running_is_adopted_when_nobody_else_holds_it_and_yields_otherwise() {
        let settings = [GroupSettings {
            key: "10.0.0.1".into(),
            line: String::new(),
            prefers_local: true,
        }];
        let mut a = Ownership::new(&settings, true);
        a.ended(G, GroupOutcome::FoundRunning, TALKING, NOW);
        let mut b = node(false);
        let mut adopting = a.clone();
        tell(&b, &mut adopting);
        assert_eq!(
            step(&mut adopting, TALKING),
            Some((Step::Start, Reason::FoundRunning))
        );
        let gone = Standing {
            relation: Relation::Gone { died: true },
            ..TALKING
        };
        step(&mut b, gone);
        b.ended(G, GroupOutcome::Started, gone, NOW);
        tell(&a, &mut b);
        tell(&b, &mut a);
        let (mine, theirs) = (step(&mut a, TALKING), step(&mut b, TALKING));
        assert!(
            mine.is_some() != theirs.is_some(),
            "exactly one yields: {mine:?} {theirs:?}"
        );
    }
}
