//! No needless move: a node gives up what runs only for a reason that is there in truth, whatever it believes.

use heartbeat::cluster::policy::Reason;
use heartbeat::config::AutoFailback;

use super::super::faults::Fault;
use super::super::machine::{Machine, Real};
use super::super::plan::{Plan, Quarrel, Time};
use super::{Judge, Violation};

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
        let is_true = match reason {
            // What it heard of the other may be as old as the last words of one that has just died.
            Reason::Conflict => {
                let other = &machines[1 - node].resources[group];
                let lately = self.news_time + self.longest_deadtime;
                // A run that was killed took with it what it had read last: a recording of that may seem to live.
                let is_replayed = |(at, fault): &(Time, Fault)| {
                    *at <= now && matches!(fault, Fault::Replay { .. })
                };
                plan.has_old()
                    || plan.faults.iter().any(is_replayed)
                    || plan.quarrel == Some(Quarrel::Groups) // then neither knows what the other holds
                    || other.real != Real::Stopped
                    || now - other.until <= lately
            }
            Reason::Failback => {
                plan.failback_of(node) != AutoFailback::Off && plan.home(group) != node
            }
            Reason::Leaving => daemon.is_some_and(|daemon| daemon.stop_requested.is_some()),
            Reason::Standby => plan.has_operator() || plan.pings > 0,
            Reason::AskedFor => plan.has_old(),
            Reason::Retry => machines[node].resources[group].failures > 0,
            Reason::Broken => {
                let mut faults = plan.faults.iter();
                faults.any(|(_, fault)| matches!(fault, Fault::Break(_)))
            }
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
}
