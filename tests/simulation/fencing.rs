//! Devices that reset a machine. What they are told they may do although whoever told them is gone by then, and they
//! answer after it was done.

use heartbeat::config::StopFailure;

use super::faults::Fault;
use super::invariants::Violation;
use super::machine::Inbound;
use super::plan::{MS, SECOND, Time};
use super::world::{Happening, World};

/// A machine is about to lose its power for a moment.
#[derive(Clone, Copy)]
pub struct Order {
    /// Which one.
    pub target: usize,
    /// In which of its lives, where it gave the order itself.
    pub life: Option<u64>,
    /// The machine whose device it is, which run of its daemon asked, for which request, and when it gets an answer.
    pub by: Option<(usize, u64, u64, Time)>,
}

impl World {
    /// A node asks its devices to reset the other machine.
    pub fn fence(&mut self, node: usize, request: u64) {
        let Some(plan) = self.plan.fencing else {
            return;
        };
        self.trace.step(self.now, &[12, node as u64, request], || {
            format!("{node} asks its device, {request}")
        });
        self.machines[node].fencing = Some(request);
        let run = self.machines[node]
            .daemon
            .as_ref()
            .map_or(0, |daemon| daemon.run);
        let time = self.dice.between(plan.time.0, plan.time.1);
        if !self.calm && self.dice.chance(plan.failures) {
            let answer = Happening::FenceAnswer {
                machine: node,
                run,
                request,
                is_reset: false,
            };
            return self.at(self.now + time, answer);
        }
        let before = self.dice.below(time);
        let order = Order {
            target: 1 - node,
            life: None,
            by: Some((node, run, request, self.now + time)),
        };
        self.at(self.now + before, Happening::Reset(order));
    }

    /// A machine restarts itself; its kernel takes its time.
    pub fn reset_itself(&mut self, node: usize) {
        self.trace.step(self.now, &[13, node as u64], || {
            format!("{node} resets itself")
        });
        let order = Order {
            target: node,
            life: Some(self.machines[node].life),
            by: None,
        };
        let time = self.dice.between(MS, SECOND);
        self.at(self.now + time, Happening::Reset(order));
    }

    /// The power goes.
    pub fn reset(&mut self, order: Order) -> Result<(), Violation> {
        let target = order.target;
        if order
            .life
            .is_some_and(|life| life != self.machines[target].life)
        {
            return Ok(());
        }
        if let Some((node, run, request, _)) = order.by {
            let machine = &self.machines[node];
            let is_wanted = machine.fencing == Some(request)
                && machine
                    .daemon
                    .as_ref()
                    .is_some_and(|daemon| daemon.run == run);
            // Who is told to stop, or dies, may have sent the order already.
            if !is_wanted && self.dice.chance(500) {
                return Ok(());
            }
        }
        let boot = self.plan.fencing.map_or(2 * SECOND, |fencing| fencing.boot);
        self.strike(Fault::MachineCrash(target))?;
        self.at(self.now + boot, Happening::Fault(Fault::Start(target)));
        if let Some((machine, run, request, at)) = order.by {
            let is_reset = true;
            self.at(
                at,
                Happening::FenceAnswer {
                    machine,
                    run,
                    request,
                    is_reset,
                },
            );
        }
        Ok(())
    }

    /// The devices have done what they could.
    pub fn fence_answers(
        &mut self,
        node: usize,
        run: u64,
        request: u64,
        is_reset: bool,
    ) -> Result<(), Violation> {
        let machine = &mut self.machines[node];
        let is_same = machine
            .daemon
            .as_ref()
            .is_some_and(|daemon| daemon.run == run);
        if !is_same || machine.fencing != Some(request) {
            return Ok(());
        }
        machine.fencing = None;
        self.trace
            .step(self.now, &[14, node as u64, u64::from(is_reset)], || {
                format!("{node} hears of its device, {request}: {is_reset}")
            });
        self.arrive(node, Inbound::Fenced(request, is_reset))
    }

    /// How much later than without a device a lone node serves; `None` where that is open.
    pub fn fence_time(&self) -> Option<Time> {
        let Some(plan) = self.plan.fencing else {
            return (self.plan.stop_failure == StopFailure::Hold).then_some(0);
        };
        // Who never heard the other waits longest, three times the delay where its name comes second.
        (plan.failures == 0).then_some(plan.delay * 3 + plan.time.1 * 2)
    }
}
