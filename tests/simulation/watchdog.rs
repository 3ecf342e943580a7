//! The watchdog of a machine: a timer of its own that resets everything unless it is fed. The daemon feeds it as the
//! real one does, by the rules of `src/daemon/watchdog/feeding.rs`: at the end of a turn, which may be long after the
//! turn has serviced its timers. The kernel feeds it once more when a daemon dies that has not disarmed it, and it is
//! armed anew when a daemon opens it.
//!
//! **What S5 demands here.** A group is not started on one machine while it is not stopped on another whose watchdog is
//! armed and whose daemon hangs or is gone, where the node that starts it has heard the last heartbeat of the other, or
//! anything later. No margin is granted: the half second that the real timeout leaves before deadtime has to be enough
//! for turns, devices and clocks that go up to a hundredth wrong, each in its direction.
//!
//! Two things excuse it. The last heartbeat *before the hang was lost* on all links: then the other node has waited for
//! longer already, as in any partition. And the device was fed *by other hands*, by the kernel at a kill or by the opening
//! at a start, later than a turn would have been allowed to feed it: a daemon hung for a while first, was then killed,
//! and what it ran goes on for one timeout more. Nothing in a daemon can prevent that.

use std::time::Duration;

use heartbeat::daemon::watchdog::feeding::{Feeding, limit, longest_timeout};

use super::faults::Fault;
use super::invariants::Violation;
use super::machine::Real;
use super::plan::{MS, Plan, SECOND, Time};
use super::rng::Rng;
use super::world::{Happening, STRANGER, World};

/// A turn may last so much longer than the time between two heartbeats, and feed.
const LONG_TURN: Time = 250 * MS;

/// A device.
#[derive(Debug, Clone, Copy)]
pub struct Watchdog {
    /// The rules of the daemon that has it open.
    feeding: Feeding,
    /// When it resets the machine unless it is fed.
    fires_at: Time,
    /// When the kernel fed it, if it was the last to do so.
    fed_by_kernel: Option<Time>,
    /// When it was armed first.
    armed: Time,
}

/// What the driver is told, as the daemon finds it; `None` where it refuses to start with a watchdog.
pub fn timeout(plan: &Plan, node: usize) -> Option<Time> {
    let micros = Duration::from_micros;
    let limit = limit(
        micros(plan.keepalive_of(node)),
        micros(plan.deadtime_of(node)),
    );
    let seconds = longest_timeout(limit)?;
    Some(Time::try_from(seconds).ok()? * SECOND)
}

/// Daemons that hang for about as long as the device waits, once or twice in a row, and some that are killed and not
/// started again.
pub fn add_hangs(plan: &mut Plan, rng: &mut Rng) {
    let (begin, end) = plan.busy_time();
    let mut faults = Vec::new();
    if rng.chance(400) {
        plan.turn_time = plan.keepalive / 4; // a slow machine: most hangs are in the middle of a turn
    }
    for _ in 0..rng.between(1, 3) {
        let node = rng.index(2);
        let usual = timeout(plan, node).unwrap_or(plan.deadtime);
        let at = rng.between(begin, end);
        let long = rng.pick(&[usual, plan.deadtime]) * rng.between(70, 115) / 100;
        let soon = rng.pick(&[2 * MS, plan.turn_time, plan.keepalive]);
        let again = at + long + rng.below(soon);
        if rng.chance(750) {
            faults.push((at, Fault::Stall(node, long)));
        }
        match rng.below(5) {
            0 => faults.push((again, Fault::DaemonCrash(node))),
            1 => faults.push((again, Fault::Stall(node, plan.deadtime * 3))),
            2 => faults.push((again, Fault::Stall(node, long))),
            3 => {
                let turn = usual * rng.between(60, 99) / 100;
                let again = rng.pick(&[turn, plan.deadtime * 3]);
                faults.push((again, Fault::HeldUp { node, turn, again }));
            }
            _ => {}
        }
    }
    plan.add_faults(faults);
}

impl World {
    /// The daemon that starts opens the device, which arms it.
    pub fn open_watchdog(&mut self, node: usize) {
        if node >= STRANGER || !self.plan.hardware.watchdogs[node] {
            return;
        }
        let Some(timeout) = timeout(&self.plan, node) else {
            return; // start-up says so and what to change; the operator takes the line out
        };
        let now = self.now;
        let machine = &self.machines[node];
        let deadtime = Duration::from_micros(self.plan.deadtime_of(node));
        let feeding = Feeding::new(Duration::from_micros(timeout), deadtime, machine.local(now));
        let before = machine.watchdog;
        let device = Watchdog {
            feeding,
            fires_at: self.fires_at(node, timeout),
            fed_by_kernel: Some(now),
            armed: before.map_or(now, |before| before.armed),
        };
        self.machines[node].watchdog = Some(device);
        if before.is_none() {
            self.expect_watchdog(node, device);
        }
    }

    fn expect_watchdog(&mut self, machine: usize, device: Watchdog) {
        let armed = device.armed;
        self.at(device.fires_at, Happening::Watchdog { machine, armed });
    }

    /// By the device's own clock.
    fn fires_at(&self, node: usize, timeout: Time) -> Time {
        self.now + timeout * 1_000_000 / self.plan.hardware.watchdog_rates[node]
    }

    /// A turn has done everything but its last, which may wait for a while.
    pub fn expect_end_of_turn(&mut self, node: usize) {
        let machine = &mut self.machines[node];
        let Some(daemon) = machine
            .daemon
            .as_mut()
            .filter(|_| machine.watchdog.is_some())
        else {
            return;
        };
        daemon.is_in_turn = true;
        let (at, run) = (daemon.busy_until, daemon.run);
        if at > self.now {
            return self.at(at, Happening::TurnEnds { machine: node, run });
        }
        self.finish_turn(node);
        self.wake_to_feed(node);
    }

    /// The end of a turn, if nothing holds it up.
    pub fn turn_ends(&mut self, node: usize, run: u64) {
        let daemon = self.machines[node].daemon.as_ref();
        let Some(daemon) = daemon.filter(|daemon| daemon.run == run && daemon.is_in_turn) else {
            return;
        };
        let at = daemon.busy_until;
        if at > self.now {
            return self.at(at, Happening::TurnEnds { machine: node, run });
        }
        self.finish_turn(node);
        if !self.breathes(node) {
            self.wake_to_feed(node);
        }
    }

    /// The daemon wakes up for the device, too.
    fn wake_to_feed(&mut self, node: usize) {
        let machine = &self.machines[node];
        if let (Some(device), Some(daemon)) = (&machine.watchdog, &machine.daemon) {
            let next = device.feeding.next_deadline();
            let at = machine.world(next.min(daemon.core.next_deadline()));
            self.wake_at(node, at.max(self.now + 1));
        }
    }

    /// What the daemon does last in a turn. False when it is not in one.
    pub fn finish_turn(&mut self, node: usize) -> bool {
        let machine = &mut self.machines[node];
        let Some(daemon) = &mut machine.daemon else {
            return false;
        };
        if !std::mem::take(&mut daemon.is_in_turn) {
            return false;
        }
        let (local, heartbeat) = (
            machine.local(self.now),
            machine.local(machine.last_heartbeat),
        );
        let Some(device) = &mut machine.watchdog else {
            return true;
        };
        if device.feeding.is_wanted(local, heartbeat) {
            device.feeding.fed(local);
            device.fed_by_kernel = None;
            let timeout = device.feeding.timeout();
            let fires_at = self.fires_at(node, Time::try_from(timeout.as_micros()).unwrap_or(0));
            if let Some(device) = &mut self.machines[node].watchdog {
                device.fires_at = fires_at;
            }
        }
        true
    }

    /// Between a turn that was held up and the next one a moment passes, in which a daemon may hang once more.
    pub fn breathes(&mut self, node: usize) -> bool {
        let now = self.now;
        let daemon = self.machines[node].daemon.as_mut();
        let Some(daemon) = daemon.filter(|daemon| daemon.stalled) else {
            return false;
        };
        let usual = self.hardware_dice.below(self.plan.turn_time);
        let time = daemon.hangs_next.take().unwrap_or(usual);
        daemon.busy_until = daemon.busy_until.max(now + time);
        let at = daemon.busy_until;
        if at > now {
            self.witness.sees_hang(node, at);
            self.wake_at(node, at);
        }
        at > now
    }

    /// The daemon is gone and has not disarmed the device.
    pub fn kernel_feeds(&mut self, node: usize) {
        let Some(device) = self.machines[node].watchdog else {
            return;
        };
        let timeout = Time::try_from(device.feeding.timeout().as_micros()).unwrap_or(0);
        let fires_at = self.fires_at(node, timeout);
        self.machines[node].watchdog = Some(Watchdog {
            fires_at,
            fed_by_kernel: Some(self.now),
            ..device
        });
    }

    /// The time of a device may be over.
    pub fn watchdog_looks(&mut self, node: usize, armed: Time) -> Result<(), Violation> {
        let device = self.machines[node].watchdog;
        let Some(device) = device.filter(|device| device.armed == armed) else {
            return Ok(()); // disarmed meanwhile
        };
        if device.fires_at > self.now {
            self.expect_watchdog(node, device);
            return Ok(());
        }
        self.trace.step(self.now, &[15, node as u64], || {
            format!("{node} is reset by its watchdog")
        });
        let timeout = Time::try_from(device.feeding.timeout().as_micros()).unwrap_or(0);
        let daemon = self.machines[node].daemon.as_ref();
        if daemon.is_some_and(|daemon| !daemon.stalled_lately(self.now, timeout * 2)) {
            return Err(self.violation(
                "needless",
                format!("the watchdog of node {node} fires though its daemon goes on"),
            ));
        }
        self.strike(Fault::MachineCrash(node))?;
        let boot = self.now + self.plan.hardware.boot;
        self.at(boot, Happening::Fault(Fault::Start(node)));
        Ok(())
    }

    /// S5: a node is about to start a group.
    pub fn judge_watchdog(&self, node: usize, group: usize) -> Result<(), Violation> {
        let other = 1 - node;
        let machine = &self.machines[other];
        let hangs = machine
            .daemon
            .as_ref()
            .is_none_or(|daemon| daemon.stalled && daemon.busy_until > self.now);
        let Some(device) = machine.watchdog.filter(|_| hangs) else {
            return Ok(());
        };
        let spoke = machine.last_heartbeat;
        let has_heard = self.judge.silent_since(node) >= spoke;
        let keepalive = self.plan.keepalive_of(other) + LONG_TURN;
        let keepalive = keepalive + self.plan.hardware.slack(keepalive);
        let is_late = |at: Time| at.saturating_sub(spoke) > keepalive;
        let is_free = machine.real(group) == Real::Stopped || !self.judge.is_shared(group);
        if is_free || !has_heard || device.fed_by_kernel.is_some_and(is_late) {
            return Ok(());
        }
        Err(self.violation(
            "S5",
            format!(
                "node {node} starts group {group}, which hangs on the other, {} us before its watchdog fires",
                device.fires_at.saturating_sub(self.now)
            ),
        ))
    }
}

/// A pair with watchdogs of two seconds.
#[cfg(test)]
fn guarded() -> super::story::Story {
    let mut plan = Plan {
        keepalive: 500 * MS,
        deadtime: 3 * SECOND,
        faults_end: 60 * SECOND,
        ..Plan::quiet(1)
    };
    plan.hardware.watchdogs = [true; 2];
    super::story::Story::settled(plan)
}

#[test]
fn a_hung_or_killed_daemon_s_machine_is_reset_before_the_other_takes_over_and_comes_back() {
    for fault in [Fault::Stall(0, 20 * SECOND), Fault::DaemonCrash(0)] {
        let mut story = guarded();
        story.strike(fault);
        story.until(story.world.now + 2 * SECOND + MS);
        story.owners(&[None, Some(1)]);
        story.wait_for(&[Some(1), Some(1)], SECOND + 500 * MS);
        story.wait_for(&[Some(0), Some(1)], 20 * SECOND);
    }
}

#[test]
fn a_hang_that_ends_before_the_timeout_moves_nothing() {
    let mut story = guarded();
    let before = story.moves();
    story.strike(Fault::Stall(0, 1500 * MS));
    story.until(story.world.now + 10 * SECOND);
    story.owners(&[Some(0), Some(1)]);
    assert_eq!(story.moves(), before);
}
