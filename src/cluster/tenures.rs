//! Which groups this node holds since when, and what the peer says of its own.

use super::GroupId;
use super::claims::Claim;
use super::ownership::Ownership;
use super::policy::Group;
use super::tenure::{Placed, Tenure};
use super::time::Instant;

impl Ownership {
    /// Compares what is held of a group with what was; gives back the tenure that has ended.
    pub(super) fn note_tenure(&mut self, id: GroupId, now: Instant) -> Option<Placed> {
        let index = usize::try_from(id.0).ok()?;
        let ended = self.groups.get_mut(index)?.note_tenure(now)?;
        Some((index, ended))
    }

    /// The last tenure of each group, where it reaches beyond `moment`.
    pub(super) fn tenures_since(&self, moment: Instant) -> impl Iterator<Item = Placed> {
        let groups = self.groups.iter().enumerate();
        let all = groups.filter_map(|(index, group)| Some((index, group.tenure?)));
        all.filter(move |(_, tenure)| tenure.is_after(moment))
    }

    /// The same tenures by the places that their groups have on the wire. What the file has no more has none.
    pub(super) fn in_wire_order(&self, tenures: &[Placed]) -> Vec<Placed> {
        let place = |group: usize| self.order.iter().position(|index| *index == group);
        let placed = tenures.iter();
        placed
            .filter_map(|(group, tenure)| Some((place(*group)?, *tenure)))
            .collect()
    }

    /// The reverse.
    pub(super) fn by_wire_order(&self, tenures: &[Placed]) -> Vec<Placed> {
        let placed = tenures.iter();
        placed
            .filter_map(|(place, tenure)| Some((*self.order.get(*place)?, *tenure)))
            .collect()
    }

    /// The groups that are held here and, by its valid claims, by the peer.
    pub(super) fn held_by_both(&self) -> impl Iterator<Item = usize> {
        let groups = self.groups.iter().enumerate();
        let both = groups
            .filter(|(_, group)| group.mine.is_some_and(Claim::is_held) && group.peer_holds());
        both.map(|(index, _)| index)
    }

    /// Whether the peer claims not to hold what these tenures of it say it does.
    pub(super) fn contradicts(&self, theirs: &[Placed]) -> bool {
        let open = theirs.iter().filter(|(_, tenure)| tenure.until.is_none());
        let mut groups = open.filter_map(|(group, _)| self.groups.get(*group));
        groups.any(|group| !group.peer_holds())
    }
}

impl Group {
    /// Compares what is held with what was; gives back the tenure that has ended.
    pub(super) fn note_tenure(&mut self, now: Instant) -> Option<Tenure> {
        let is_held = self.mine.is_some_and(Claim::is_held);
        match &mut self.tenure {
            Some(tenure) if tenure.until.is_none() && !is_held => {
                tenure.until = Some(now);
                return Some(*tenure);
            }
            tenure if is_held && tenure.is_none_or(|before| before.until.is_some()) => {
                *tenure = Some(Tenure {
                    since: now,
                    until: None,
                    is_older: self.found,
                });
            }
            _ => {}
        }
        None
    }
}
