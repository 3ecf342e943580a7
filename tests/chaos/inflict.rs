//! How each fault is made and mended.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::floods::Flood;
use crate::lab::machine::{Machine, here};
use crate::lab::network::Failure;
use crate::lab::{Link, Program, files};
use crate::outside::{BOUND, FAKED_CLOCK, Outside, STATE_DISK, State};
use crate::plan::Fault;
use crate::tally::RESET;

/// A machine that its watchdog reset is back after so long.
const REBOOT: Duration = Duration::from_secs(2);
/// A daemon that goes on, or is started again, feeds the watchdog within so much. If that runs out just then, the machine is
/// reset, and it is nobody's fault.
const WAKING: Duration = Duration::from_secs(3);

impl Outside {
    /// Makes a fault; whether it could be made now. `end` is when it will go.
    pub fn inflict(&mut self, fault: Fault, end: Instant) -> bool {
        let now = self.witness.now();
        match fault {
            Fault::Cable { .. } | Fault::Wire { .. } | Fault::Noise { .. } => {
                let (link, senders) = concerned(fault);
                self.truth.set_link(link, &senders, true, now);
                self.apply(fault);
            }
            Fault::Kill { node } | Fault::Stop { node } | Fault::Pause { node } => {
                if self.states[node] != State::On {
                    return false;
                }
                self.states[node] = match fault {
                    Fault::Kill { .. } => {
                        self.machine(node).kill_daemon();
                        State::Killed(now)
                    }
                    Fault::Stop { .. } => {
                        self.machine(node).request_stop();
                        State::Stopping(Instant::now())
                    }
                    _ => {
                        self.machine(node).signal(Signal::SIGSTOP);
                        State::Paused(now)
                    }
                };
            }
            Fault::Power { node } => {
                if !matches!(self.states[node], State::On) {
                    return false;
                }
                self.power_off(node, end);
            }
            Fault::StateDisk { node } => fill(self.machine(node), STATE_DISK),
            Fault::LogDisk { node } => fill(self.machine(node), "logs"),
            Fault::FloodNetwork { link } => {
                let to: &[&str] = match link {
                    Link::Eth0 => &["10.77.1.255"],
                    _ => &["192.168.9.1", "192.168.9.2"],
                };
                let to = to.iter().map(|address| (*address).to_owned()).collect();
                self.floods.push(Flood::of_datagrams(&self.flooder, to));
            }
            Fault::FloodFifo { node } => {
                let flood = Flood::of_messages(&self.machine(node).namespace);
                self.floods.push(flood);
            }
            Fault::FloodControl { node } => {
                let flood = Flood::of_requests(&self.machine(node).namespace);
                self.floods.push(flood);
            }
            Fault::Clock { node, seconds } => {
                if !self.fakes_clocks {
                    return false;
                }
                set_clock(self.machine(node), seconds);
            }
            Fault::Reload { node } => self.reload(node, true),
            Fault::Move {
                node,
                command,
                what,
            } => self.order(node, command, &["--no-wait", what]),
        }
        true
    }

    /// Mends it. `false`: not yet, the daemon is still stopping.
    pub fn mend(&mut self, fault: Fault) -> bool {
        match fault {
            Fault::Cable { .. } | Fault::Wire { .. } | Fault::Noise { .. } => {
                let (link, senders) = concerned(fault);
                self.pair.restore(link);
                self.pair.modem.spoil(0);
                let now = self.witness.now();
                self.truth.set_link(link, &senders, false, now);
            }
            Fault::Kill { node } | Fault::Stop { node } | Fault::Pause { node } => {
                return self.revive(node);
            }
            // The power comes back by itself, see `watch_nodes`.
            Fault::Power { .. } | Fault::Move { .. } => {}
            Fault::StateDisk { node } => empty(self.machine(node), STATE_DISK),
            Fault::LogDisk { node } => empty(self.machine(node), "logs"),
            Fault::FloodNetwork { .. } | Fault::FloodFifo { .. } | Fault::FloodControl { .. } => {
                self.floods.clear(); // there may be another, which ends a little early
            }
            Fault::Clock { node, .. } => set_clock(self.machine(node), 0),
            Fault::Reload { node } => self.reload(node, false),
        }
        true
    }

    /// Lets a daemon go on or starts one, after what was done to the one before.
    fn revive(&mut self, node: usize) -> bool {
        match self.states[node] {
            State::Killed(since) => {
                self.machine(node).start();
                if self.watchdogs.is_none() {
                    let now = self.witness.now();
                    self.truth.dead(since, now);
                }
            }
            State::Paused(since) => {
                let now = self.witness.now();
                if self.watchdogs.is_none() {
                    self.truth.paused(since, now);
                }
                self.machine(node).signal(Signal::SIGCONT);
            }
            State::Stopping(_) => return false,
            State::Stopped => {
                self.machine(node).start();
            }
            State::On | State::Off(_) => return true, // its watchdog was quicker
        }
        self.states[node] = State::On;
        self.revived[node] = Instant::now();
        true
    }

    /// Looks after both nodes: none may end that nobody ended, watchdogs reset, power comes back.
    pub fn watch_nodes(&mut self) {
        for node in [0, 1] {
            match self.states[node] {
                State::On | State::Paused(_) => {
                    if let Some(status) = self.machine(node).ended_within(Duration::ZERO) {
                        self.fail(&format!("the daemon of node {node} ended with {status}"));
                    }
                    self.heed_watchdog(node);
                }
                State::Killed(_) => self.heed_watchdog(node),
                State::Stopping(since) => {
                    if let Some(status) = self.machine(node).ended_within(Duration::ZERO) {
                        if !status.success() {
                            self.fail(&format!("stopped, node {node} ended with {status}"));
                        }
                        self.states[node] = State::Stopped;
                    } else if since.elapsed() > BOUND {
                        self.fail(&format!("node {node} does not stop"));
                    }
                }
                State::Off(until) if until <= Instant::now() => self.power_on(node),
                State::Off(_) | State::Stopped => {}
            }
        }
    }

    /// Resets a machine whose watchdog ran out, as it must where the daemon was killed or stands still, and nowhere else.
    fn heed_watchdog(&mut self, node: usize) {
        let both = self.watchdogs.as_ref();
        if !both.is_some_and(|both| both[node].fired()) {
            return;
        }
        if self.states[node] == State::On && self.revived[node].elapsed() > WAKING {
            self.fail(&format!("node {node} did not feed its watchdog"));
        }
        self.tally.resets += 1;
        let now = self.witness.now();
        self.tally.begin(RESET, now);
        self.power_off(node, Instant::now() + REBOOT);
    }

    fn power_off(&mut self, node: usize, until: Instant) {
        self.pair.power_off(node);
        self.states[node] = State::Off(until);
    }

    fn power_on(&mut self, node: usize) {
        if let Some(both) = &self.watchdogs {
            both[node].reset();
        }
        self.pair.power_on(node);
        for fault in self.links_cut.clone() {
            self.apply(fault); // power came back to a machine whose cables are cut
        }
        self.states[node] = State::On;
        let now = self.witness.now();
        self.tally.end(RESET, now);
    }

    fn apply(&self, fault: Fault) {
        match fault {
            Fault::Cable {
                node,
                link,
                failure,
            } => {
                let machine = if node == 0 {
                    &self.pair.a
                } else {
                    &self.pair.b
                };
                machine.cable(link.name()).cut(failure);
            }
            Fault::Wire {
                sender: Some(sender),
                line,
            } => self.pair.modem.set(sender, line),
            Fault::Wire { sender: None, line } => self.pair.modem.set_both(line),
            Fault::Noise { percent } => self.pair.modem.spoil(percent),
            _ => {}
        }
    }

    /// Has ha.cf read with other times, or those from before.
    fn reload(&mut self, node: usize, changes: bool) {
        let mut text = self.ha_cf.clone();
        if changes {
            text.push_str("warntime 1200ms\ndebug 1\n");
        }
        files::write(&self.machine(node).file("ha.d/ha.cf"), &text, 0o644);
        self.order(node, "heartbeat", &["reload"]);
    }

    /// Runs a command on a node. Whether it succeeds is not asked: its daemon may be dead.
    fn order(&mut self, node: usize, name: &str, arguments: &[&str]) {
        let mut command: Command = Program::Ours.command(name, false);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = self.machine(node).namespace.spawn(&mut command);
        self.orders.push(child);
    }
}

/// Which link a fault is about, and of which senders not everything arrives.
fn concerned(fault: Fault) -> (Link, Vec<usize>) {
    match fault {
        Fault::Cable {
            node,
            link,
            failure: Failure::Deaf,
        } => (link, vec![1 - node]),
        Fault::Cable { link, .. } => (link, vec![0, 1]),
        Fault::Wire {
            sender: Some(sender),
            ..
        } => (Link::Serial, vec![sender]),
        _ => (Link::Serial, vec![0, 1]),
    }
}

const FILLER: &str = "filler";

/// Writes until nothing more fits.
fn fill(machine: &Machine, disk: &str) {
    let path = here().join(disk).join(FILLER);
    machine.namespace.within(|| {
        let mut file = fs::File::create(path).expect("the file system is there");
        for size in [65_536, 1] {
            while file.write_all(&vec![b'x'; size]).is_ok() {}
        }
    });
}

fn empty(machine: &Machine, disk: &str) {
    let path = here().join(disk).join(FILLER);
    machine
        .namespace
        .within(|| fs::remove_file(path).expect("it was filled"));
}

/// Sets the wall clock that the daemon of a machine is shown; that of this computer stays as it is.
pub fn set_clock(machine: &Machine, seconds: i64) {
    let own = machine.file(FAKED_CLOCK);
    let new = machine.file("clock-new");
    files::write(&new, &format!("{seconds:+}\n"), 0o644);
    fs::rename(new, own).expect("our own file system"); // at once
}
