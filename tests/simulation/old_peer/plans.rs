//! Runs with 3.0.6 in them: the same disasters as between two of ours, without those that nobody could ask a pair
//! with 3.0.6 to survive, and with an operator who moves groups.

use heartbeat::config::AutoFailback;
use heartbeat::message::Method;

use super::super::faults::Fault;
use super::super::plan::{Plan, SECOND, Time};
use super::super::rng::Rng;
use super::{Command, Hold};

impl Plan {
    /// The run that belongs to a seed when these machines run 3.0.6.
    ///
    /// Left out: recordings that reach 3.0.6 (it believes them), a change of keys (it is deaf meanwhile), files
    /// that differ (nothing of it looks), and key methods that it does not know.
    pub fn with_old(seed: u64, old: [bool; 2]) -> Self {
        let mut plan = Self::from_seed(seed);
        let rng = &mut Rng::new(seed, 5);
        plan.old = old;
        plan.quarrel = None;
        // It is never configured for less than a few seconds: it takes half a second for every word.
        if plan.deadtime < 3 * SECOND {
            let factor = (3 * SECOND).div_ceil(plan.deadtime);
            plan.keepalive *= factor;
            plan.deadtime *= factor;
            plan.initdead *= factor;
            for (at, fault) in &mut plan.faults {
                *at *= factor;
                if let Fault::Stall(_, time) | Fault::StallBoth(time) = fault {
                    *time *= factor;
                }
            }
            plan.starts = plan.starts.map(|at| at * factor);
            plan.faults_end *= factor;
        }
        plan.initdead = plan.initdead.max(10 * SECOND);
        let modes = [AutoFailback::On, AutoFailback::Off];
        plan.failback = if rng.chance(200) {
            AutoFailback::Legacy
        } else {
            rng.pick(&modes)
        };
        for key in plan.keys.entries.iter_mut().flatten() {
            if key.method == Method::Sha256 {
                key.method = Method::Sha1;
            }
        }
        let is_old = |node: usize| old.get(node).copied().unwrap_or(false);
        plan.faults.retain(|(_, fault)| match fault {
            Fault::Rekey(_) => false,
            Fault::Replay { to, .. } => !is_old(*to),
            _ => true,
        });
        let begin = plan.starts[0].max(plan.starts[1]) + 15 * SECOND;
        let end = begin + plan.deadtime * 6;
        plan.command_at_times(begin, end, rng);
        plan
    }

    /// The run that belongs to a seed when both machines run ours and somebody moves groups.
    pub fn with_operator(seed: u64) -> Self {
        let mut plan = Self::from_seed(seed);
        let begin = plan.starts[0].max(plan.starts[1]);
        let end = plan.faults_end.max(begin + plan.deadtime * 6);
        let rng = &mut Rng::new(seed, 6);
        if rng.chance(500) {
            plan.command_at_times(begin, end, rng);
        }
        plan
    }

    /// Somebody moves groups, now from here, now from there.
    pub fn command_at_times(&mut self, begin: Time, end: Time, rng: &mut Rng) {
        let mut at = begin;
        for _ in 0..rng.below(6) {
            // Now and then one directly after the other.
            at = if rng.chance(400) {
                at + rng.below(self.keepalive)
            } else {
                rng.between(begin, end)
            };
            let what = rng.pick(&[Hold::ALL, Hold::LOCAL, Hold::FOREIGN]);
            let command = rng.pick(&[Command::Standby(what), Command::Takeover(what)]);
            self.faults
                .push((at, Fault::Command(rng.index(2), command)));
        }
        self.faults.sort_by_key(|&(at, _)| at);
        let last = self.faults.last().map_or(0, |&(at, _)| at);
        self.faults_end = self.faults_end.max(last + self.keepalive);
    }
}
