//! Whether the node that does not hold a group could run it. Each node says so of itself in its heartbeats, in one field
//! that heartbeat 3.0.6 ignores: `hq=<letters>`, for example `hq=-2yn`: a letter for each group in the order of the
//! sorted keys, followed by a repeat count above 1. `y` stands for ready, `n` for not, `-` for not known, as of what
//! runs there. Nothing follows from it but words: a group that is not ready is better than none.

use std::fmt;

use super::movement::Selection;
use super::ownership::Ownership;
use super::policy::Group;
use super::report::Report;
use super::{Cluster, GroupId, Relation};
use crate::message::Message;

/// Name of the field.
const FIELD: &str = "hq";

/// What is known of one group.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Readiness {
    here: Option<bool>,
    there: Option<bool>,
    /// That the other node is not ready was told.
    is_told: bool,
}

impl Readiness {
    /// What the peer said is not valid any more.
    pub(super) fn forget_peer(&mut self) {
        self.there = None;
    }
}

/// The field, ready to be written.
struct Letters<I>(I);

impl<I: Iterator<Item = Option<bool>> + Clone> fmt::Display for Letters<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut states = self.0.clone().peekable();
        while let Some(state) = states.next() {
            let mut count = 1_usize;
            while states.next_if_eq(&state).is_some() {
                count += 1;
            }
            f.write_str(match state {
                Some(true) => "y",
                Some(false) => "n",
                None => "-",
            })?;
            if count > 1 {
                write!(f, "{count}")?;
            }
        }
        Ok(())
    }
}

/// Reads the field, and hands over the states of so many groups, unless it is not about so many or not well-formed.
fn parse(text: &str, groups: usize, mut take: impl FnMut(usize, Option<bool>)) -> Option<()> {
    let mut total = 0_usize;
    let mut rest = text;
    while !rest.is_empty() {
        let (_, count, after) = next_run(rest)?;
        total = total.checked_add(count).filter(|total| *total <= groups)?;
        rest = after;
    }
    if total != groups {
        return None;
    }
    let mut places = 0..groups;
    rest = text;
    while let Some((state, count, after)) = next_run(rest) {
        for place in places.by_ref().take(count) {
            take(place, state);
        }
        rest = after;
    }
    Some(())
}

/// A letter, how often it counts, and what follows.
fn next_run(text: &str) -> Option<(Option<bool>, usize, &str)> {
    let state = match text.as_bytes().first()? {
        b'y' => Some(true),
        b'n' => Some(false),
        b'-' => None,
        _ => return None,
    };
    let rest = text.get(1..)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let count = if number.is_empty() {
        1
    } else {
        number.parse().ok()?
    };
    Some((state, count, rest))
}

impl Ownership {
    fn readiness(&self) -> impl Iterator<Item = Option<bool>> + Clone {
        let groups = self.order.iter().map(|index| self.groups.get(*index));
        groups.map(|group| group.and_then(|group| group.readiness.here))
    }

    fn note_readiness(&mut self, id: GroupId, ready: Option<bool>) {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        if let Some(group) = self.groups.get_mut(index) {
            group.readiness.here = ready;
        }
    }

    fn hear_readiness(&mut self, text: Option<&str>) {
        let (order, groups) = (&self.order, &mut self.groups);
        let length = groups.len();
        let set = |place: usize, state| {
            let index = order.get(place);
            if let Some(group) = index.and_then(|index| groups.get_mut(*index)) {
                group.readiness.there = state;
            }
        };
        let is_heard = text.and_then(|text| parse(text, length, set)).is_some();
        if !is_heard {
            self.groups
                .iter_mut()
                .for_each(|group| group.readiness.forget_peer());
        }
    }

    /// The next group that runs here and that the other node is not ready for, or is ready for again, each once.
    fn next_readiness(&mut self) -> Option<(GroupId, bool)> {
        let is_news = |group: &Group| match group.readiness {
            Readiness {
                there: Some(false),
                is_told: false,
                ..
            } => group.is_wanted_here(),
            Readiness {
                there: Some(true),
                is_told: true,
                ..
            } => true,
            _ => false,
        };
        let index = self.groups.iter().position(is_news)?;
        let group = self.groups.get_mut(index)?;
        group.readiness.is_told = !group.readiness.is_told;
        let id = u32::try_from(index).ok()?;
        Some((GroupId(id), !group.readiness.is_told))
    }

    /// The groups that would go to a node that is not ready for them.
    fn unready(&self, selection: Selection, there: bool) -> Vec<GroupId> {
        let all = (0_u32..).zip(&self.groups);
        let meant = all.filter(|(_, group)| selection.includes(group.prefers_local));
        let unready = meant.filter(|(_, group)| {
            if there {
                group.is_wanted_here() && group.readiness.there == Some(false)
            } else {
                group.peer_holds() && group.readiness.here == Some(false)
            }
        });
        unready.map(|(id, _)| GroupId(id)).collect()
    }
}

impl Cluster {
    /// The shell has looked whether this node could run a group that it does not hold.
    pub(super) fn readiness_found(&mut self, group: GroupId, ready: Option<bool>) {
        self.ownership.note_readiness(group, ready);
        self.heartbeat_is_due |= !self.peer.is_classic;
    }

    /// Adds the field to the heartbeat begun last, where there is something to say to somebody who understands it.
    pub(super) fn push_readiness(&mut self) {
        let listens = self.peer.heard_in_this_run && !self.peer.is_classic;
        let states = self.ownership.readiness();
        if listens && states.clone().any(|state| state.is_some()) {
            let letters = Letters(states);
            self.outgoing
                .message()
                .push_fmt(FIELD, format_args!("{letters}"));
        }
    }

    /// What a heartbeat of the peer says of it.
    pub(super) fn readiness_heard(&mut self, message: &Message) {
        let is_talking = self.standing().relation == Relation::Talking && !self.told.files_differ;
        let text = message.text(FIELD).filter(|_| is_talking);
        self.ownership.hear_readiness(text);
        while let Some((group, is_ready)) = self.ownership.next_readiness() {
            let (key, node) = (self.key(group), self.peer_name());
            self.report(Report::PeerReadiness {
                node,
                key,
                is_ready,
            });
        }
    }

    /// Whether the peer says that it could run a group; `None` where it runs there or is not known.
    pub fn peer_is_ready(&self, id: GroupId) -> Option<bool> {
        let index = usize::try_from(id.0).ok()?;
        self.ownership.groups.get(index)?.readiness.there
    }

    /// The keys of the groups that a planned move of these would give to the peer (`there`), or to this node, although it
    /// says that it is not ready for them.
    pub fn unready_for(&self, selection: Selection, there: bool) -> Vec<String> {
        let groups = self.ownership.unready(selection, there).into_iter();
        groups.map(|group| self.key(group)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, groups: usize) -> Option<Vec<Option<bool>>> {
        let mut states = Vec::new();
        parse(text, groups, |_, state| states.push(state)).map(|()| states)
    }

    #[test]
    fn every_state_survives_the_wire() {
        let states = [Some(true), Some(true), None, Some(false), None, None, None];
        let text = Letters(states.into_iter()).to_string();
        assert_eq!(text, "y2-n-3");
        assert_eq!(read(&text, 7).as_deref(), Some(states.as_slice()));
        assert_eq!(read("", 0), Some(Vec::new()));
    }

    #[test]
    fn what_is_not_about_all_groups_is_refused_and_allocates_nothing_by_a_sender_s_number() {
        for text in [
            "",
            "y",
            "y3",
            "y2n",
            "x2",
            "y99999999999999999999",
            "y4000000000",
            "2y",
            "é2",
        ] {
            assert_eq!(read(text, 2), None, "{text:?}");
        }
    }
}
