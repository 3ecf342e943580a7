//! The machine under the model: what the world does for it, and when a pair with it counts as settled.

use heartbeat::cluster::GroupState;
use heartbeat::config::AutoFailback;

use super::super::carry_out::group_id;
use super::super::faults::Fault;
use super::super::invariants::Violation;
use super::super::machine::Real;
use super::super::plan::{Plan, SECOND, Time};
use super::super::trace::hash;
use super::super::world::{Happening, World};
use super::{Ground, Wish};

/// From the reset of a machine until its daemon is started.
const BOOT: Time = 8 * SECOND;

impl Plan {
    /// Whether a node of the pair runs 3.0.6.
    pub fn has_old(&self) -> bool {
        self.old[0] || self.old[1]
    }
}

impl World {
    /// Whether this machine runs heartbeat 3.0.6.
    pub fn is_old(&self, node: usize) -> bool {
        self.plan.old.get(node).copied().unwrap_or(false)
    }

    /// What a node wants besides actions.
    pub fn wishes(&mut self, node: usize) -> Vec<Wish> {
        let daemon = self.machines[node].daemon.as_mut();
        daemon.map_or(Vec::new(), |daemon| {
            std::iter::from_fn(|| daemon.core.next_wish()).collect()
        })
    }

    /// It gets what it wants.
    pub fn grant(&mut self, node: usize, wish: Wish) -> Result<(), Violation> {
        match wish {
            Wish::Say(text) => {
                let numbers = [4, node as u64, hash(text.as_bytes())];
                self.trace
                    .step(self.now, &numbers, || format!("{node} says: {text}"));
            }
            Wish::Adopt(group) => {
                let machine = &mut self.machines[node];
                let run = machine.daemon.as_ref().map(|daemon| daemon.run);
                let group = usize::try_from(group.0).unwrap_or(usize::MAX);
                if let (Some(run), Some(resource)) = (run, machine.resources.get_mut(group)) {
                    resource.run = run;
                }
            }
            Wish::BeginAgain(pause) => {
                self.machines[node].is_asleep = true;
                self.begin_after(node, pause);
            }
            Wish::Reboot => {
                self.judge.disturb();
                self.strike(Fault::MachineCrash(node))?;
                self.begin_after(node, BOOT);
            }
            Wish::Die => {
                self.strike(Fault::DaemonCrash(node))?;
                self.begin_after(node, BOOT); // somebody starts it again
                return Ok(());
            }
        }
        Ok(())
    }

    fn begin_after(&mut self, machine: usize, pause: Time) {
        let life = self.machines[machine].life;
        self.at(self.now + pause, Happening::Begin { machine, life });
    }

    /// For how long the other node, if it runs 3.0.6, has said that it holds a group.
    pub fn claim_age(&self, node: usize, group: usize) -> Option<Time> {
        let machine = &self.machines[node];
        let since = machine
            .daemon
            .as_ref()?
            .core
            .claims_since(group_id(group))?;
        Some(self.now.saturating_sub(machine.world(since)))
    }

    /// Why a node starts a group, and when it decided that.
    pub fn ground(&self, node: usize, group: usize) -> Option<(Ground, Time)> {
        let machine = &self.machines[node];
        let daemon = machine.daemon.as_ref()?;
        let (ground, at) = daemon.core.ground(group_id(group))?;
        Some((ground, machine.world(at)))
    }

    /// A pair with 3.0.6 is settled when every group runs exactly once, wherever. Two things are its own affair:
    /// what it runs without saying so beside ours, and what it claims though it could not start it.
    pub fn mixed_group_unsettled(&self, group: usize) -> Option<String> {
        let real = [0, 1].map(|node| {
            let runs = self.machines[node].real(group);
            let is_left = self.judge.is_hidden(node, group, &self.machines);
            let other_runs = self.machines[1 - node].real(group) == Real::Running;
            if is_left && other_runs {
                Real::Stopped
            } else {
                runs
            }
        });
        let runs_once = matches!(
            real,
            [Real::Running, Real::Stopped] | [Real::Stopped, Real::Running]
        );
        // What 3.0.6 could neither start nor stop again counts as running for it, for ever.
        let is_down = |node: usize| {
            real[node] == Real::Stopped || (real[node] == Real::Broken && self.is_old(node))
        };
        let is_lost = (0..2).all(is_down) && (0..2).any(|node| self.has_lost(node, group));
        let is_lost = is_lost
            || (real == [Real::Stopped; 2]
                && (self.was_asked_in_vain(group) || self.may_miss_answers()));
        let text = || format!("group {group} is {:?} and {:?}", real[0], real[1]);
        (!runs_once && !is_lost).then(text)
    }

    /// An answer that another run of ours overtakes is lost for 3.0.6, which does not ask twice.
    fn may_miss_answers(&self) -> bool {
        self.plan.failback == AutoFailback::Legacy
            && self.plan.longest_delay() >= self.plan.deadtime
    }

    /// 3.0.6 waits an hour for the next word of a standby dialogue. It waits in vain when the other node began anew
    /// meanwhile and knows nothing of it, when it stood still itself and took up a dialogue that was over, or when the
    /// half can't be given whole, because something of it did not stop.
    pub fn waits_in_vain(&self, node: usize) -> bool {
        let machine = &self.machines[node];
        let Some(daemon) = machine.daemon.as_ref().filter(|_| self.is_old(node)) else {
            return false;
        };
        let Some(since) = daemon.core.waits_since() else {
            return false;
        };
        let age = machine.local(self.now).since(since);
        let age = Time::try_from(age.as_micros()).unwrap_or(Time::MAX);
        let began = self
            .now
            .saturating_sub(age)
            .saturating_sub(self.plan.deadtime * 4);
        let other = &self.machines[1 - node];
        let is_new = other
            .daemon
            .as_ref()
            .is_some_and(|other| other.started.max(other.went_on).max(other.bereaved) > began);
        let mut resources = other.resources.iter();
        let is_stuck = self.plan.stop_failures > 0 && resources.any(|group| group.failures > 0);
        is_new || is_stuck || daemon.went_on > began
    }

    /// A node of 3.0.6 asks for its groups once; when ours dies before it has answered, nobody starts them.
    fn was_asked_in_vain(&self, group: usize) -> bool {
        let home = self.plan.home(group);
        let other = self.machines[1 - home].daemon.as_ref();
        let own = self.machines[home].daemon.as_ref();
        let is_later = own
            .zip(other)
            .is_some_and(|(own, other)| other.started > own.started);
        self.plan.failback == AutoFailback::Legacy && self.is_old(home) && is_later
    }

    /// 3.0.6 says for ever that it holds what it could not start; in legacy mode it does so without a word. The same
    /// goes for what it claims because of one script, while another still releases it for a standby that is void.
    fn has_lost(&self, node: usize, group: usize) -> bool {
        let machine = &self.machines[node];
        let daemon = machine.daemon.as_ref();
        if daemon.is_some_and(|daemon| daemon.core.has_lost(group_id(group))) {
            return true;
        }
        let claims = machine
            .daemon
            .as_ref()
            .is_some_and(|daemon| daemon.core.group(group_id(group)).local == GroupState::Running);
        let is_silent = self.plan.failback == AutoFailback::Legacy;
        self.is_old(node) && (claims || is_silent) && machine.resources[group].failures > 0
    }
}
