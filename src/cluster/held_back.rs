//! What would be done but for maintenance: told once an hour while there is anything.

use std::time::Duration;

use super::maintenance_report::MaintenanceReport;
use super::movement::Selection;
use super::ownership::Ownership;
use super::policy::{Reason, Relation, Standing, Step, Stillness, prefers_me, wanted};
use super::report::Report;
use super::{Cluster, GroupId, Instant};

/// Pause between two such lines.
const TELL_AGAIN: Duration = Duration::from_secs(3600);
/// So many things are named.
const MOST_NAMED: usize = 8;

impl Ownership {
    /// What is wanted of each group by `free` and not by `still`: the first is how we would stand without maintenance.
    fn held_back(
        &self,
        free: Standing,
        still: Standing,
        now: Instant,
    ) -> Vec<(GroupId, Step, Reason)> {
        let all = (0_u32..).zip(&self.groups);
        let held = all.filter_map(|(id, group)| {
            let prefers = prefers_me(group, self.wins_ties);
            let is_done = wanted(group, still, prefers, now).is_some();
            let step = wanted(group, free, prefers, now).or_else(|| {
                (group.broken_told && group.is_wanted_here() && group.may_be_left(free))
                    .then_some((Step::Stop, Reason::Broken))
            });
            let (step, reason) = step.filter(|_| !is_done)?;
            Some((GroupId(id), step, reason))
        });
        held.collect()
    }
}

impl Cluster {
    /// Looks once a while, and tells where there is something.
    pub(super) fn tell_what_is_held_back(&mut self, now: Instant) {
        if self.maintenance.look_at > now {
            return;
        }
        let mut what = self.held_back(now);
        let pause = if what.is_empty() {
            self.settings.keepalive
        } else {
            TELL_AGAIN
        };
        self.maintenance.look_at = now + pause;
        if what.is_empty() {
            return;
        }
        let others = what.len().saturating_sub(MOST_NAMED);
        what.truncate(MOST_NAMED);
        self.report(Report::Maintenance(MaintenanceReport::HeldBack {
            what,
            others,
        }));
    }

    fn held_back(&self, now: Instant) -> Vec<String> {
        let still = self.standing();
        let node = &self.peer.name;
        let mut what = Vec::new();
        let is_silent = self.maintenance.silence.is_some();
        if is_silent {
            what.push(format!("{node} is silent, and what it held would be taken"));
        }
        let free = Standing {
            stillness: Stillness::None,
            fails_back: self.would_fail_back(),
            relation: if is_silent {
                Relation::Gone { died: true }
            } else {
                still.relation
            },
            ..still
        };
        if self.has_ipfail() && self.sees_less() && self.ownership.holds_of(Selection::All) {
            what.push(format!(
                "{node} would get what runs here, since more ping nodes answer there"
            ));
        }
        if self.ownership.is_known() {
            let groups = self.ownership.held_back(free, still, now).into_iter();
            what.extend(groups.map(|(group, step, reason)| {
                let verb = match step {
                    Step::Start => "start",
                    Step::Stop => "stop",
                };
                format!("{verb} {} here ({reason})", self.key(group))
            }));
        }
        what
    }
}
