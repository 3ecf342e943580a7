//! One turn of a daemon, in the order of the real event loop: read everything, tick, do what the core asks
//! for. What is read is judged in `reading.rs`, and what is asked for is done in `carry_out.rs`.

use heartbeat::cluster::{Action, Event, Instant, NodeStatus};

use super::invariants::Violation;
use super::machine::Real;
use super::node::Node;
use super::plan::MS;
use super::world::{STRANGER, World};

impl World {
    /// A timer of a daemon, or the end of what held it up.
    pub fn wake(&mut self, node: usize) -> Result<(), Violation> {
        let Some(daemon) = &self.machines[node].daemon else {
            return Ok(());
        };
        if daemon.busy_until > self.now {
            self.wake_at(node, daemon.busy_until);
            return Ok(());
        }
        self.turn(node)
    }

    /// Sets the one timer of a daemon.
    pub fn wake_at(&mut self, node: usize, at: u64) {
        if let Some(daemon) = &self.machines[node].daemon {
            self.coming.set_timer(node, daemon.run, at.max(self.now));
        }
    }

    /// One turn.
    pub fn turn(&mut self, node: usize) -> Result<(), Violation> {
        if self.finish_turn(node) && self.breathes(node) {
            return Ok(());
        }
        let Some(mut daemon) = self.machines[node].daemon.take() else {
            return Ok(());
        };
        let mut actions = Vec::new();
        let read = self.read(node, &mut daemon, &mut actions);
        let local = self.machines[node].local(self.now);
        daemon.core.handle(local, Event::Tick);
        drain(&mut *daemon.core, &mut actions);
        let deadline = daemon.core.next_deadline();
        let is_dead = daemon.core.peer_status() == NodeStatus::Dead;
        let was_dead = std::mem::replace(&mut daemon.peer_was_dead, is_dead);
        let died = is_dead && !was_dead;
        if died {
            daemon.bereaved = self.now;
        }
        self.machines[node].daemon = Some(daemon);
        read?;
        if deadline <= local {
            return Err(self.violation("progress", format!("node {node} ticks without end")));
        }
        let mut exits = false;
        for action in actions {
            exits |= matches!(action, Action::Exit);
            self.perform(node, action)?;
        }
        if node < STRANGER && died && !self.is_old(node) {
            let goodbye = self.machines[1 - node].goodbye;
            self.trace.step(self.now, &[7, node as u64], || {
                format!("{node} declares its peer dead")
            });
            self.judge.declared_dead(node, self.now, goodbye)?;
        }
        self.judge_stale_claims(node)?;
        let wishes = self.wishes(node);
        if exits {
            self.exit(node)?;
        } else {
            self.plan_next_turn(node, deadline);
        }
        wishes
            .into_iter()
            .try_for_each(|wish| self.grant(node, wish))
    }

    /// S3: who stood still for deadtime gives up, in the turn in which it notices, what the other took.
    fn judge_stale_claims(&mut self, node: usize) -> Result<(), Violation> {
        let now = self.now;
        let machine = &mut self.machines[node];
        let Some(daemon) = &mut machine.daemon else {
            return Ok(());
        };
        daemon.last_turn = now;
        let Some(held_before) = daemon.must_yield.take() else {
            return Ok(());
        };
        let keeps = |group: &usize| matches!(machine.real(*group), Real::Starting | Real::Running);
        match held_before.into_iter().find(keeps) {
            Some(group) => Err(self.violation(
                "S3",
                format!("node {node} keeps group {group} after a stall"),
            )),
            None => Ok(()),
        }
    }

    fn plan_next_turn(&mut self, node: usize, deadline: Instant) {
        let due = self.machines[node].world(deadline) + self.dice.below(MS);
        if let Some(daemon) = &mut self.machines[node].daemon
            && let Some((turn, again)) = daemon.held_up.take()
        {
            daemon.hangs_next = Some(again);
            self.stall(node, turn);
        }
        let busy_until = self.now + self.dice.below(self.plan.turn_time);
        let Some(daemon) = &mut self.machines[node].daemon else {
            return;
        };
        daemon.busy_until = daemon.busy_until.max(busy_until);
        let at = due.max(daemon.busy_until);
        self.wake_at(node, at);
        self.expect_end_of_turn(node);
    }

    /// A rule was broken now.
    pub fn violation(&self, rule: &'static str, text: String) -> Violation {
        Violation {
            rule,
            at: self.now,
            text,
        }
    }
}

/// Everything that the core asks for now.
pub fn drain(core: &mut dyn Node, actions: &mut Vec<Action>) {
    while let Some(action) = core.next_action() {
        actions.push(action);
    }
}
