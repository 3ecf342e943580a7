//! No needless move: a node gives up what runs only for a reason that is there in truth, whatever it believes.

use heartbeat::cluster::policy::Reason;
use heartbeat::config::{AutoFailback, LastLink};

use super::super::faults::Fault;
use super::super::machine::{Machine, Real};
use super::super::plan::{Plan, Quarrel, Time};
use super::{Judge, Violation};

/// What has happened so far that may be a cause.
#[derive(Debug, Clone, Copy, Default)]
pub struct Strikes {
    /// Somebody moved groups.
    command: bool,
    /// Something did not work any more.
    breakdown: bool,
    /// What was recorded was heard again.
    replay: bool,
    /// Files were changed.
    reload: bool,
}

impl Strikes {
    /// It happens.
    pub fn note(&mut self, fault: Fault) {
        match fault {
            Fault::Command(..) => self.command = true,
            Fault::Break(_) => self.breakdown = true,
            Fault::Replay { .. } => self.replay = true,
            Fault::Reload(..) => self.reload = true,
            _ => {}
        }
    }
}

impl Judge {
    /// A node of ours is about to stop a group, and says why.
    pub fn gives_up(
        &self,
        node: usize,
        group: usize,
        reason: Reason,
        (plan, machines): (&Plan, &[Machine]),
        now: Time,
    ) -> Result<(), Violation> {
        let daemon = machines[node].daemon.as_ref();
        let has_quarrel = plan.quarrel == Some(Quarrel::Groups);
        let is_true = match reason {
            // What it heard of the other may be as old as the last words of one that has just died.
            Reason::Conflict => {
                let other = &machines[1 - node].resources[group];
                let lately = self.news_time + self.longest_deadtime;
                let lately = lately + self.hardware.slack(lately);
                // A run that was killed took with it what it had read last: a recording of that may seem to live. And
                // where the files differ neither knows what the other holds.
                // So may what a run has found while a script of a killed one was still stopping it.
                let found_by = machines[1 - node].daemon.as_ref().map(|daemon| daemon.run);
                plan.has_old()
                    || found_by.is_some_and(|run| run != other.run)
                    || self.strikes.replay
                    || has_quarrel
                    || self.strikes.reload
                    || other.real != Real::Stopped
                    || now - other.until <= lately
            }
            Reason::Failback => {
                let returns = plan.failback_of(node) != AutoFailback::Off;
                self.strikes.reload || (returns && plan.home(group) != node)
            }
            Reason::Leaving => daemon.is_some_and(|daemon| daemon.stop_requested.is_some()),
            Reason::Standby => self.strikes.command || plan.pings > 0,
            Reason::AskedFor => plan.has_old(),
            Reason::Removed => self.strikes.reload,
            Reason::Retry => machines[node].resources[group].failures > 0,
            Reason::Broken => self.strikes.breakdown,
            Reason::CutOff => {
                // It hears no ping node, as far as it can know.
                let own = machines[node]
                    .last_answer
                    .max(daemon.map_or(0, |daemon| daemon.started));
                let least = self.hardware.least(node, now - own);
                matches!(plan.last_link[node], LastLink::Witness(_))
                    && least >= plan.deadtime_of(node)
            }
            Reason::NoCarrier => self.is_unplugged(node, plan, machines, now),
            Reason::Stale => daemon.is_some_and(|daemon| daemon.stalled_lately(now, self.deadtime)),
            _ => false, // reasons to start
        };
        if is_true {
            return Ok(());
        }
        Err(Violation {
            rule: "needless",
            at: now,
            text: format!("node {node} gives up group {group} without cause: {reason}"),
        })
    }

    /// Its own plug was out for long enough, and the other's was in until lately: until a heartbeat that is not older than
    /// two had told.
    fn is_unplugged(&self, node: usize, plan: &Plan, machines: &[Machine], now: Time) -> bool {
        let Some(loss) = plan.carrier_loss else {
            return false;
        };
        let (own, other) = (machines[node].plug_seen, machines[1 - node].plug_seen);
        let lately = self.news_time + plan.keepalive * 2;
        let is_lost = !own.is_in && now - own.since >= loss;
        is_lost && (other.is_in || now - other.since <= lately)
    }
}
