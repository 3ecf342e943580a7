//! A group whose interface has lost its carrier goes to the other node where that says that it has one. It goes like one
//! that does not work: it is stopped first, then ceded, so nothing is ever started before it was stopped; and nowhere
//! while the other node is not there.

use std::fmt;
use std::time::Duration;

use super::carrier::FIELD;
use super::claims::{Claim, Phase};
use super::group_report::{GroupReport, Stay};
use super::movement::Selection;
use super::ownership::Ownership;
use super::policy::{Group, Reason, Relation, Standing, Stillness};
use super::ready::{Letters, parse};
use super::report::Report;
use super::{Cluster, GroupId, Instant};
use crate::message::Message;

/// What the interfaces of a group have, as it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarrierState {
    /// A carrier; at the other node one that has lasted.
    Up,
    /// None; at the other node perhaps one that has come back lately.
    Lost,
}

impl fmt::Display for CarrierState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Up => "up",
            Self::Lost => "lost",
        })
    }
}

impl From<bool> for CarrierState {
    fn from(is_up: bool) -> Self {
        if is_up { Self::Up } else { Self::Lost }
    }
}

/// By what the groups are judged in one turn.
#[derive(Debug, Clone, Copy)]
struct Measure {
    standing: Standing,
    /// How long a loss must last.
    loss: Duration,
    /// How old the other node's word may be.
    lately: Duration,
    now: Instant,
}

/// What is to be told of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// It stays although there is no carrier.
    Stays(Stay),
    /// There is one again.
    Back,
}

impl Ownership {
    fn carrier_found(&mut self, id: GroupId, here: Option<bool>, now: Instant) {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        if let Some(group) = self.groups.get_mut(index) {
            group.carrier.found(here, now);
        }
    }

    fn carriers(&self, loss: Duration, now: Instant) -> impl Iterator<Item = Option<bool>> + Clone {
        let groups = self.order.iter().map(|index| self.groups.get(*index));
        groups.map(move |group| group.and_then(|group| group.carrier.said(loss, now)))
    }

    fn hear_carriers(&mut self, text: Option<&str>, now: Instant) {
        let (order, groups) = (&self.order, &mut self.groups);
        let length = order.len();
        let set = |place: usize, state| {
            let index = order.get(place);
            if let Some(group) = index.and_then(|index| groups.get_mut(*index)) {
                group.carrier.hear(state, now);
            }
        };
        if text.and_then(|text| parse(text, length, set)).is_none() {
            let all = self.groups.iter_mut();
            all.for_each(|group| group.carrier.forget_peer());
        }
    }

    /// Sends away what has to go.
    fn leave_for_carrier(&mut self, measure: Measure) {
        let now = measure.now;
        for group in &mut self.groups {
            group.carrier.overruled &= group.may_run();
            if leaves(group, measure) {
                group.carrier.leave(now);
                group.ending = Some(Reason::NoCarrier);
            }
        }
    }

    /// The next group of which there is something to tell, each once.
    fn next_verdict(&mut self, measure: Measure) -> Option<(GroupId, Verdict)> {
        for (index, group) in self.groups.iter_mut().enumerate() {
            let stay = stays(group, measure);
            let was_told = group.carrier.is_told;
            let verdict = match stay {
                Some(why) if !was_told && group.carrier.may_be_told(measure.now) => {
                    group.carrier.told(measure.now);
                    Verdict::Stays(why)
                }
                Some(_) => continue,
                None => {
                    group.carrier.is_told = false;
                    if !was_told || !runs(group) || group.carrier.is_lost() {
                        continue;
                    }
                    Verdict::Back
                }
            };
            return u32::try_from(index).ok().map(|id| (GroupId(id), verdict));
        }
        None
    }

    /// The groups that would go to a node without a carrier for them, but for those that are known not to be ready.
    fn without_carrier(&self, selection: Selection, there: bool) -> Vec<GroupId> {
        let all = (0_u32..).zip(&self.groups);
        let meant = all.filter(|(_, group)| selection.includes(group.prefers_local));
        let lost = meant.filter(|(_, group)| {
            let (carrier, readiness) = (&group.carrier, &group.readiness);
            if there {
                let is_lost = carrier.there == Some(false) && readiness.there != Some(false);
                group.is_wanted_here() && is_lost
            } else {
                group.peer_holds() && carrier.is_lost() && readiness.here != Some(false)
            }
        });
        lost.map(|(id, _)| GroupId(id)).collect()
    }
}

fn runs(group: &Group) -> bool {
    group.phase() == Some(Phase::Running) && group.is_wanted_here()
}

/// Since when the loss has lasted for so long that it counts; `None` where there is none to speak of.
fn counts_since(group: &Group, measure: Measure) -> Option<Instant> {
    let since = group.carrier.lost_since()? + measure.loss;
    let counts = since <= measure.now && runs(group) && !group.carrier.overruled;
    counts.then_some(since)
}

/// Whether it goes to the other node now. That must have said so after the loss had lasted: what took both carriers it
/// knows of by then.
fn leaves(group: &Group, measure: Measure) -> bool {
    let Some(since) = counts_since(group, measure) else {
        return false;
    };
    !group.planned
        && !group.is_removed
        && !measure.standing.is_leaving
        && group.may_be_left(measure.standing)
        && group.carrier.is_there(since, measure.lately, measure.now)
}

/// Why it stays, once the other node has had the time to say what it has.
fn stays(group: &Group, measure: Measure) -> Option<Stay> {
    let since = counts_since(group, measure)?;
    let is_known = group.carrier.is_told || since + measure.lately * 2 <= measure.now;
    (is_known && !group.planned).then(|| match measure.standing.relation {
        _ if measure.standing.stillness != Stillness::None => Stay::Maintenance,
        Relation::Talking if !measure.standing.peer_takes => Stay::Alone,
        Relation::Talking => match (group.carrier.there, group.their_claim()) {
            (Some(false), _) => Stay::LostToo,
            (_, Some(Claim::Failed)) => Stay::Unable,
            _ => Stay::Unknown,
        },
        Relation::Gone { .. } | Relation::InDoubt => Stay::Alone,
        Relation::Unheard | Relation::Deaf { .. } | Relation::Halves { .. } => Stay::Unknown,
    })
}

impl Cluster {
    /// The shell has looked whether the interfaces of a group have a carrier.
    pub(super) fn carrier_found(&mut self, group: GroupId, here: Option<bool>, now: Instant) {
        self.ownership.carrier_found(group, here, now);
        self.heartbeat_is_due |= !self.peer.is_classic && self.settings.carrier_loss.is_some();
    }

    /// Adds the field to the heartbeat begun last, where there is something to say to somebody who understands it.
    pub(super) fn push_carriers(&mut self) {
        let Some(loss) = self.settings.carrier_loss else {
            return;
        };
        let listens = self.peer.heard_in_this_run && !self.peer.is_classic;
        let states = self.ownership.carriers(loss, self.now);
        if listens && states.clone().any(|state| state.is_some()) {
            let letters = Letters(states);
            let message = self.outgoing.message();
            message.push_fmt(FIELD, format_args!("{letters}"));
        }
    }

    /// What a heartbeat of the peer says of its own.
    pub(super) fn carriers_heard(&mut self, message: &Message, now: Instant) {
        let is_talking = self.standing().relation == Relation::Talking && !self.told.files_differ;
        let counts = is_talking && self.settings.carrier_loss.is_some();
        let text = message.text(FIELD).filter(|_| counts);
        self.ownership.hear_carriers(text, now);
    }

    /// Does what follows from carriers here and there.
    pub(super) fn pursue_carriers(&mut self, now: Instant) {
        let Some(loss) = self.settings.carrier_loss else {
            return;
        };
        let measure = Measure {
            standing: self.standing(),
            loss,
            lately: self.settings.keepalive * 2,
            now,
        };
        self.ownership.leave_for_carrier(measure);
        while let Some((group, verdict)) = self.ownership.next_verdict(measure) {
            let (key, node) = (self.key(group), self.peer_name());
            self.report(Report::Group(match verdict {
                Verdict::Stays(why) => GroupReport::StaysWithoutCarrier { key, node, why },
                Verdict::Back => GroupReport::CarrierBack { key },
            }));
        }
    }

    /// Warns of what an operator moves to a node without a carrier for it: the peer (`there`) or this one.
    pub(super) fn warn_of_carriers(&mut self, selection: Selection, there: bool) {
        let node = if there {
            self.peer_name()
        } else {
            self.settings.local_node.clone()
        };
        for key in self.without_carrier_for(selection, there) {
            let node = node.clone();
            self.report(Report::Group(GroupReport::MovesWithoutCarrier {
                node,
                key,
            }));
        }
    }

    /// The keys of the groups that a planned move of these would give to the peer (`there`), or to this node, although
    /// their interface has no carrier there. Those of [`unready_for`](Self::unready_for) are left out.
    pub fn without_carrier_for(&self, selection: Selection, there: bool) -> Vec<String> {
        let groups = self.ownership.without_carrier(selection, there).into_iter();
        groups.map(|group| self.key(group)).collect()
    }

    /// What the interfaces of a group have here, and what the peer says of its own; `None` where that is not known, or
    /// the group has no address.
    pub fn carriers_of(&self, id: GroupId) -> (Option<CarrierState>, Option<CarrierState>) {
        let index = usize::try_from(id.0).ok();
        let group = index.and_then(|index| self.ownership.groups.get(index));
        let state = |known: Option<bool>| known.map(CarrierState::from);
        group.map_or((None, None), |group| {
            (state(group.carrier.here), state(group.carrier.there))
        })
    }
}
