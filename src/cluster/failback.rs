//! When a group may return to its preferred node by itself: `auto_failback` with `delayed` or `when`. The node that
//! holds the group decides, by its own setting.

use super::condition::{ASK_AGAIN, FailbackCondition, Question};
use super::group_report::GroupReport;
use super::policy::Standing;
use super::report::Report;
use super::{Action, Cluster, GroupId, Instant, Relation};
use crate::config::AutoFailback;

/// A failback that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailbackView {
    /// Since when.
    pub since: Instant,
    /// For what.
    pub awaits: FailbackCondition,
    /// When it is over if the other node goes on as it does; `None` where nobody can tell.
    pub until: Option<Instant>,
}

impl Cluster {
    /// Whether what is to return to its preferred node may do so now.
    pub(super) fn failback_is_due(&self) -> bool {
        self.settings.failback == FailbackCondition::Nothing || self.failback.is_met
    }

    /// Whether groups return to their preferred node at all, and that one is well.
    pub(super) fn has_failback(&self) -> bool {
        self.settings.auto_failback != AutoFailback::Off && !self.peer_sees_less()
    }

    /// Looks whether the condition is met, and asks where it takes an answer. Before anything is moved.
    pub(super) fn weigh_failback(&mut self, now: Instant) {
        let standing = self.standing();
        let is_member = matches!(
            standing.relation,
            Relation::Talking | Relation::Halves { .. }
        ) && standing.peer_takes;
        if !is_member || self.ownership.peer_has_failed() {
            self.failback.break_off();
        } else if self.failback.steady_since.is_none() {
            self.failback.steady_since = Some(now);
            self.tell_failback_begins_anew();
        }
        let condition = self.settings.failback;
        if condition == FailbackCondition::Nothing {
            return;
        }
        self.failback.is_met = false;
        if self.holds_still() || !self.failback_waits() {
            self.failback.waits_since = None;
            self.failback.is_told = false;
            self.failback.question = match self.failback.question {
                Question::Asked { .. } => Question::Asked { counts: false },
                Question::Agreed => Question::None,
                other => other,
            };
            return;
        }
        self.failback.waits_since.get_or_insert(now);
        match condition {
            FailbackCondition::Nothing => {}
            FailbackCondition::Steady(time) => {
                let since = self.failback.steady_since;
                self.failback.is_met = since.is_some_and(|since| since + time <= now);
            }
            FailbackCondition::Agreed => self.ask_for_failback(now),
        }
        if !self.failback.is_met && !std::mem::replace(&mut self.failback.is_told, true) {
            let node = self.peer_name();
            self.report(Report::Group(GroupReport::FailbackWaits {
                node,
                condition,
            }));
        }
        if self.failback.is_met && std::mem::take(&mut self.failback.is_told) {
            let node = self.peer_name();
            self.report(Report::Group(GroupReport::FailbackBegins {
                node,
                condition,
            }));
        }
    }

    /// A yes is good for what can be begun with it at once. What has changed meanwhile is asked for anew.
    fn ask_for_failback(&mut self, now: Instant) {
        let may_ask = match self.failback.question {
            Question::None => true,
            Question::Rests(at) => at <= now,
            Question::Asked { .. } => false,
            Question::Agreed => {
                self.failback.is_met = self.failback_can_begin(now);
                self.failback.question = Question::Rests(now + ASK_AGAIN);
                false
            }
        };
        if may_ask && self.failback_can_begin(now) {
            self.failback.question = Question::Asked { counts: true };
            self.actions.push_back(Action::AskFailback);
        }
    }

    fn tell_failback_begins_anew(&mut self) {
        let is_steadiness = matches!(self.settings.failback, FailbackCondition::Steady(_));
        if is_steadiness && self.failback.is_told {
            let node = self.peer_name();
            self.report(Report::Group(GroupReport::FailbackBeginsAnew { node }));
        }
    }

    /// Whether anything would return to its preferred node but for the condition.
    fn failback_waits(&self) -> bool {
        if self.peer.is_classic {
            self.would_offer_failback() || self.would_give_back()
        } else {
            self.ownership.fails_back(self.standing_without_condition())
        }
    }

    /// Whether it could begin in this turn.
    fn failback_can_begin(&self, now: Instant) -> bool {
        !self.peer.is_classic || self.can_offer_failback(now)
    }

    /// Whether groups would return but for maintenance.
    pub(super) fn would_fail_back(&self) -> bool {
        self.has_failback() && self.failback_is_due()
    }

    fn standing_without_condition(&self) -> Standing {
        Standing {
            fails_back: self.has_failback(),
            ..self.standing()
        }
    }

    /// When something about it is due.
    pub(super) fn next_failback(&self) -> Option<Instant> {
        let next = self.failback.next(self.settings.failback);
        next.filter(|at| *at > self.now)
    }

    /// A group that is to return to its preferred node and waits for something.
    pub fn failback_of(&self, id: GroupId) -> Option<FailbackView> {
        let since = self.failback.waits_since?;
        let awaits = self.settings.failback;
        let index = usize::try_from(id.0).ok()?;
        let waits = if self.peer.is_classic {
            self.ownership.runs_one(index) && !self.settings.groups.get(index)?.prefers_local
        } else {
            let standing = self.standing_without_condition();
            self.ownership.one_fails_back(index, standing)
        };
        let until = match awaits {
            FailbackCondition::Steady(time) => self.failback.steady_since.map(|at| at + time),
            FailbackCondition::Nothing | FailbackCondition::Agreed => None,
        };
        waits.then_some(FailbackView {
            since,
            awaits,
            until,
        })
    }

    /// What this node gave up for want of a network it wants back; the node that has it decides when.
    pub(super) fn want_back(&mut self) {
        self.ownership.want_back();
        self.heartbeat_is_due = true;
    }
}
