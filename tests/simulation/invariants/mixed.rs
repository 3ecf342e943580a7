//! What is held against whom when a node of the pair runs 3.0.6.
//!
//! Two owners are always somebody's doing, and the judge asks whose:
//!
//! 1. **Ours begins it** by starting a group that the other machine has. That is excused when ours was cut off (it
//!    read no heartbeat of 3.0.6 for deadtime), as between two of ours; and when what runs over there is a
//!    *leftover*: the daemon that started it was killed, ours has read a heartbeat of a later run, and that run
//!    does not claim the group. 3.0.6 neither stops nor mentions what it finds running. The third excuse is a group
//!    that 3.0.6 does not claim and does not release any more: it has given away what a script of its own starts.
//!    Nor may ours start what 3.0.6 has claimed for deadtime and longer while it is heard, whether or not its
//!    scripts have come to it yet.
//! 2. **3.0.6 begins it.** The model tells on what grounds it decided. That it heard nothing for our dead time, or
//!    heard a heartbeat more than deadtime after the one before it (its own pause, its own slowness), is its
//!    own doing: excused. Every other ground is a word of ours: that we have stopped, that we are stable and
//!    hold nothing of it, that we have released it, that ten seconds passed and we claimed nothing. Then ours
//!    has let it start what we run: a breach by ours. Three excuses: ours was itself cut off when it took the
//!    group, less than [`Judge::race_time`] ago; or ours took it after 3.0.6 had decided, and was allowed to by rule
//!    1 (its scripts come to a group long after the decision, also when it has given the group away meanwhile); or
//!    a killed daemon of ours left it running, and the next one had not begun when 3.0.6 decided.
//! 3. **It must end.** Once both hear each other, one owner is left within [`Judge::heal_time`], whoever
//!    began it; for a pair with 3.0.6 that includes its two seconds before it restarts itself, its half seconds
//!    before it looks, and its groups one after the other. The time begins when it claims the group. What it runs
//!    without claiming it (leftovers; what a script of its own started after another had given it away) only
//!    its operator can end.
//! 4. Two of 3.0.6 are not judged: they mislead each other, and go on for ever after a late heartbeat on one side.
//! 5. That **both** give a group up after a partition is no breach here: 3.0.6 always restarts itself.

use heartbeat::config::AutoFailback;

use super::super::carry_out::group_id;
use super::super::machine::{Machine, Real};
use super::super::old_peer::Ground;
use super::super::plan::{MS, Plan, SECOND, Time};
use super::{Judge, Violation};

/// What there is to know about a start besides what runs.
#[derive(Debug, Clone, Copy)]
pub struct Grounds {
    /// Why and when 3.0.6 decided, if it is the one that starts.
    pub own: Option<(Ground, Time)>,
    /// For how long the other node, if it runs 3.0.6, has claimed the group.
    pub claim_age: Option<Time>,
}

/// 3.0.6 looks at what it was sent after this at the latest, and two steps may be needed.
const SLOWNESS: Time = 1000 * MS;

impl Judge {
    /// How long two owners may go on though they hear each other.
    pub(super) fn longest_heal(plan: &Plan) -> Time {
        let alike = plan.deadtime + plan.news_time() * 2 + plan.action_time.1 * 2;
        let alike = alike + plan.hardware.slack(alike);
        if !plan.has_old() {
            return alike;
        }
        let serial = plan.action_time.1 * plan.preferred.len() as Time * 2;
        // In legacy mode nobody says what it holds: ours asks, and half a minute later once more.
        let asking = if plan.failback == AutoFailback::Legacy {
            35 * SECOND
        } else {
            0
        };
        alike + 2 * SECOND + 4 * SLOWNESS + serial + asking
    }

    /// How long what one node did may be unknown to the other.
    pub(super) fn race_time(&self) -> Time {
        let has_old = self.old[0] || self.old[1];
        self.news_time + if has_old { SLOWNESS } else { 0 }
    }

    /// Something that a killed daemon of 3.0.6 has left running and its next run does not claim.
    pub fn is_leftover(&self, node: usize, group: usize, machines: &[Machine]) -> bool {
        let resource = &machines[node].resources[group];
        let run = machines[node].daemon.as_ref().map(|daemon| daemon.run);
        self.old[node] && resource.real != Real::Stopped && run != Some(resource.run)
    }

    /// Whether 3.0.6 runs what it does not speak of.
    pub fn is_hidden(&self, node: usize, group: usize, machines: &[Machine]) -> bool {
        let daemon = machines[node].daemon.as_ref();
        let claims = daemon.and_then(|daemon| daemon.core.claims_since(group_id(group)));
        let tells = self.old_tells && daemon.is_some();
        let is_silent = tells && claims.is_none() && machines[node].real(group) != Real::Stopped;
        self.old[node] && (is_silent || self.is_leftover(node, group, machines))
    }

    /// Since when both may know that the other has the group; `None` when one of them keeps it to itself.
    pub(super) fn known_since(&self, group: usize, machines: &[Machine]) -> Option<Time> {
        let mut since = 0;
        for (node, machine) in machines[..2].iter().enumerate() {
            if self.is_hidden(node, group, machines) {
                return None;
            }
            let daemon = machine.daemon.as_ref();
            let claimed = daemon.and_then(|daemon| daemon.core.claims_since(group_id(group)));
            since = since.max(claimed.map_or(0, |at| machine.world(at)));
        }
        Some(since)
    }

    /// Whether 3.0.6 has claimed a group for so long that ours must know.
    pub(super) fn has_told(&self, claim_age: Option<Time>) -> bool {
        claim_age.is_some_and(|age| age > self.longest_deadtime + self.race_time())
    }

    /// Whether 3.0.6 runs a group and has told ours that it does not: a leftover after ours has heard of a later run,
    /// or a group that was given away.
    pub(super) fn was_led_on(&self, node: usize, group: usize, machines: &[Machine]) -> bool {
        let other = 1 - node;
        let left_by = machines[other].resources[group].run;
        // In whatever order its words came.
        let heard = machines[node].daemon.as_ref();
        let heard = heard.map_or(0, |daemon| daemon.known_run);
        let daemon = machines[other].daemon.as_ref();
        if daemon.is_some_and(|daemon| daemon.core.disowns(group_id(group))) {
            return true;
        }
        if self.is_leftover(other, group, machines) {
            heard > left_by
        } else {
            self.is_hidden(other, group, machines)
        }
    }

    /// 3.0.6 begins to start a group.
    pub(super) fn old_starts(
        &mut self,
        node: usize,
        group: usize,
        machines: &[Machine],
        now: Time,
        ground: Option<(Ground, Time)>,
    ) -> Result<(), Violation> {
        let is_blind = ground.is_none_or(|(ground, _)| ground.is_blind());
        self.taken_blindly[node][group] = is_blind;
        let other = &machines[1 - node];
        let real = other.real(group);
        let since = other.resources[group].since;
        let decided = ground.map_or(now, |(_, at)| at);
        let is_news = self.taken_blindly[1 - node][group] && now - since < self.race_time();
        let is_late = since > decided;
        let goes_on = machines[node].real(group) != Real::Stopped;
        // It stood still, and does now what it was told before it was held for dead.
        let daemon = machines[node].daemon.as_ref();
        let stood = daemon.is_some_and(|daemon| daemon.stalled_lately(now, self.race_time() * 4));
        let is_their_own = self.old == [true; 2];
        // What a killed run of ours left: when 3.0.6 decided, no later run was there to speak for it.
        let next_run = other.daemon.as_ref().map(|daemon| daemon.started);
        let is_left = next_run.is_some_and(|began| since < began && decided < began);
        let is_excused =
            is_their_own || is_blind || is_news || is_late || is_left || goes_on || stood;
        if real == Real::Stopped || is_excused {
            return Ok(());
        }
        let text = format!(
            "node {node} (3.0.6) was led to start group {group} by {ground:?}; on the other it is {real:?} since {}",
            super::micros_as_seconds(since)
        );
        Err(Violation {
            rule: "S2",
            at: now,
            text,
        })
    }
}
