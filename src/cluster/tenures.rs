//! Which groups this node holds since when, and what the peer says of its own.

use super::GroupId;
use super::claims::{Claim, Phase};
use super::ownership::Ownership;
use super::policy::Group;
use super::tenure::{Placed, Tenure};
use super::time::{Instant, Moment};

/// So many that have ended are remembered, or twice as many as there are groups: one that can't be started has many.
const MOST_ENDED: usize = 200;

impl Ownership {
    /// Compares what is held of a group with what was. Whether it was given up.
    pub(super) fn note_tenure(&mut self, id: GroupId, now: Instant) -> bool {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        let ended = self
            .groups
            .get_mut(index)
            .and_then(|group| group.note_tenure(now));
        if let Some(tenure) = ended {
            if self.ended.len() >= MOST_ENDED.max(2 * self.groups.len()) {
                self.ended.pop_front();
            }
            self.ended.push_back((index, tenure));
        }
        ended.is_some()
    }

    /// All tenures that reach beyond `moment`, as far back as they are remembered, those of a group in their order.
    pub(super) fn tenures_since(&self, moment: Moment) -> impl Iterator<Item = Placed> {
        let groups = self.groups.iter().enumerate();
        let current = groups.filter_map(|(index, group)| Some((index, group.tenure?)));
        let ended = self.ended.iter().copied();
        ended
            .filter(move |(_, tenure)| tenure.until >= Some(moment))
            .chain(current)
    }

    /// The same by the places that their groups have on the wire. What the file has no more has none.
    pub(super) fn in_wire_order(&self, moment: Moment) -> Vec<Placed> {
        let mut places = vec![None; self.groups.len()];
        for (index, place) in self.order.iter().zip(0_usize..) {
            if let Some(slot) = places.get_mut(*index) {
                *slot = Some(place);
            }
        }
        let all = self.tenures_since(moment);
        all.filter_map(|(group, tenure)| Some(((*places.get(group)?)?, tenure)))
            .collect()
    }

    /// The reverse.
    pub(super) fn by_wire_order(&self, tenures: &[Placed]) -> Vec<Placed> {
        let placed = tenures.iter();
        placed
            .filter_map(|(place, tenure)| Some((*self.order.get(*place)?, *tenure)))
            .collect()
    }

    /// The groups that are held here and, by its valid claims, by the peer; whether it is more than a doubt of the peer.
    pub(super) fn held_by_both(&self) -> impl Iterator<Item = (usize, bool)> {
        let groups = self.groups.iter().enumerate();
        groups.filter_map(|(index, group)| {
            let theirs = group.their_claim().filter(|claim| claim.is_held())?;
            let is_sure = theirs.phase() != Some(Phase::Unknown);
            group.tenure.map(|_| (index, is_sure))
        })
    }

    /// Whether this tenure of the peer goes on by its own word, and by its newer claims does not.
    pub(super) fn contradicts(&self, (group, tenure): &Placed) -> bool {
        let group = self.groups.get(*group);
        tenure.until.is_none() && group.is_some_and(|group| !group.peer_holds())
    }
}

impl Group {
    /// Compares what is held with what was; gives back the tenure that has ended.
    pub(super) fn note_tenure(&mut self, now: Instant) -> Option<Tenure> {
        let is_held = self.mine.is_some_and(Claim::is_held);
        if !is_held {
            let ended = self.tenure.take()?;
            return Some(Tenure {
                until: Some(now.into()),
                ..ended
            });
        }
        self.tenure.get_or_insert(Tenure {
            since: now.into(),
            until: None,
            is_older: self.found,
        });
        None
    }
}
