//! S7 where the nodes' haresources differ: which of our groups the other node runs can't be told.

use super::claims::{Phase, Stated};
use super::policy::Group;

/// What a peer whose groups are not ours has of them.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct OtherGroups {
    /// Some that it took because we were thought dead: then it took all that it has.
    taken: bool,
    /// Some since before it lost us.
    kept: bool,
    /// Some that it found running or could not stop.
    unknown: bool,
}

impl OtherGroups {
    /// From what it states of them.
    pub(super) fn of(states: &[Stated]) -> Self {
        let mut other = Self::default();
        for claim in states.iter().map(|stated| stated.claim) {
            match claim.phase() {
                Some(Phase::Starting | Phase::Running) if claim.is_taken() => other.taken = true,
                Some(Phase::Starting | Phase::Running) => other.kept = true,
                Some(Phase::Unknown) => other.unknown = true,
                Some(Phase::Stopping) | None => {}
            }
        }
        other
    }

    /// Whether a group of ours is given up. What we took from the peer because it was thought dead goes back, if it
    /// had anything all along; what was merely found running yields to one who runs any. Where both are in the same
    /// position, each keeps what its own file gives it.
    pub(super) fn displace(self, group: &Group) -> bool {
        let (yields, is_tie) = match group.phase() {
            Some(Phase::Starting | Phase::Running) if group.is_taken() => (self.kept, self.taken),
            Some(Phase::Unknown) if group.found => (self.kept || self.taken, self.unknown),
            _ => (false, false),
        };
        yields || (is_tie && !group.prefers_local)
    }
}
