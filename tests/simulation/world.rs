//! The world of one run: its clock, its machines and links, and everything that is about to happen.
//! What a daemon does when it is given something is in `turn.rs`.

use std::collections::BTreeMap;

use heartbeat::cluster::{GroupOutcome, GroupSettings, LinkId, NodeStatus, Settings};

use super::faults::{Fault, Weather};
use super::invariants::{Judge, Violation};
use super::machine::{Daemon, Inbound, Machine, Real};
use super::node::MakeNode;
use super::plan::{MS, Plan, SECOND, Stranger, Time};
use super::rng::Rng;
use super::trace::Trace;
use super::virtual_link::{Cargo, Origin, VirtualLink};

/// The place of the other cluster's node among the machines.
pub const STRANGER: usize = 2;

/// Datagrams that the kernel keeps for a daemon that does not read.
const KERNEL_BUFFER: usize = 256;

/// Something about to happen.
pub enum Happening {
    /// From the plan.
    Fault(Fault),
    /// Everything is healed and started.
    FaultsEnd,
    /// Bytes arrive at a machine.
    Arrival {
        link: usize,
        to: usize,
        cargo: Cargo,
    },
    /// A serial line has finished a transmission.
    LineFree { link: usize, from: usize },
    /// A group action ends.
    ActionEnds {
        machine: usize,
        group: usize,
        action: u64,
        outcome: GroupOutcome,
    },
    /// A probe has its answer.
    Probed {
        machine: usize,
        run: u64,
        group: usize,
    },
    /// A timer of a daemon.
    Wake { machine: usize, run: u64, wake: u64 },
    /// Time to look around.
    Check,
}

/// Figures of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Things that happened.
    pub steps: u64,
    /// Packets sent by the pair.
    pub sent: u64,
    /// The most packets that one node sent within a second.
    pub burst: usize,
    /// Groups started.
    pub starts: u64,
    /// Groups stopped.
    pub stops: u64,
    /// When everything had found its place, after the last fault ended.
    pub settled: Time,
    /// The digest of the trace.
    pub digest: u64,
}

/// Everything.
pub struct World {
    /// The time.
    pub now: Time,
    /// What it is made of.
    pub plan: Plan,
    /// The machines of the pair, and the stranger.
    pub machines: Vec<Machine>,
    /// The links.
    pub links: Vec<VirtualLink>,
    /// Keeps the books.
    pub judge: Judge,
    /// The story.
    pub trace: Trace,
    /// Figures.
    pub figures: Figures,
    /// Chance.
    pub dice: Rng,
    /// Whether faults may still happen.
    pub calm: bool,
    /// Datagrams that somebody recorded.
    pub recorded: Vec<Cargo>,
    make: MakeNode,
    coming: BTreeMap<(Time, u64), Happening>,
    happenings: u64,
    deadline: Time,
    settled_since: Option<Time>,
}

impl World {
    /// Before anything happens.
    pub fn new(plan: Plan, make: MakeNode, with_lines: bool) -> Self {
        let mut dice = Rng::new(plan.seed, 2);
        let groups = plan.preferred.len();
        let count = if plan.stranger.is_some() { 3 } else { 2 };
        let machines = (0..count)
            .map(|node| {
                let keys = if node == STRANGER {
                    plan.stranger_keys()
                } else {
                    plan.keys.clone()
                };
                Machine::new(groups, dice.below(1000) * SECOND + SECOND, keys)
            })
            .collect();
        let mut world = Self {
            now: 0,
            machines,
            links: plan
                .links
                .iter()
                .map(|&link| VirtualLink::new(link))
                .collect(),
            judge: Judge::new(&plan),
            trace: Trace::new(with_lines),
            figures: Figures::default(),
            dice,
            calm: false,
            recorded: Vec::new(),
            make,
            coming: BTreeMap::new(),
            happenings: 0,
            deadline: plan.faults_end + plan.settle_time(),
            settled_since: None,
            plan,
        };
        world.expect_plan();
        world
    }

    fn expect_plan(&mut self) {
        for node in 0..2 {
            self.at(self.plan.starts[node], Happening::Fault(Fault::Start(node)));
        }
        if self.plan.stranger.is_some() {
            self.at(
                self.plan.starts[1] / 2,
                Happening::Fault(Fault::Start(STRANGER)),
            );
        }
        for (at, fault) in self.plan.faults.clone() {
            self.at(at, Happening::Fault(fault));
        }
        self.at(self.plan.faults_end, Happening::FaultsEnd);
        self.at(self.plan.keepalive, Happening::Check);
    }

    /// Lets it happen until all is settled, or a rule is broken.
    pub fn run(&mut self) -> Result<Figures, Violation> {
        while let Some(((at, _), happening)) = self.coming.pop_first() {
            self.now = at;
            self.figures.steps += 1;
            if matches!(happening, Happening::Check) {
                if self.check()? {
                    break;
                }
                continue;
            }
            self.happen(happening)?;
        }
        self.figures.digest = self.trace.digest();
        Ok(self.figures)
    }

    /// Lets it happen until this moment, whatever is settled then.
    pub fn run_until(&mut self, end: Time) -> Result<(), Violation> {
        while let Some(entry) = self.coming.first_entry() {
            if entry.key().0 > end {
                break;
            }
            let ((at, _), happening) = entry.remove_entry();
            self.now = at;
            self.happen(happening)?;
        }
        self.now = end;
        Ok(())
    }

    /// Adds to what is about to happen.
    pub fn at(&mut self, time: Time, happening: Happening) {
        self.happenings += 1;
        self.coming
            .insert((time.max(self.now), self.happenings), happening);
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Fault(fault) => self.strike(fault),
            Happening::FaultsEnd => self.end_faults(),
            Happening::Arrival { link, to, cargo } => self.arrive(to, Inbound::Bytes(link, cargo)),
            Happening::LineFree { link, from } => {
                self.line_free(link, from);
                Ok(())
            }
            Happening::ActionEnds {
                machine,
                group,
                action,
                outcome,
            } => self.action_ends(machine, group, action, outcome),
            Happening::Probed {
                machine,
                run,
                group,
            } => self.probed(machine, run, group),
            Happening::Wake { machine, run, wake } => {
                let current = self.machines[machine].daemon.as_ref();
                if current.is_some_and(|daemon| daemon.run == run && daemon.wake == wake) {
                    return self.wake(machine);
                }
                Ok(())
            }
            Happening::Check => self.check().map(|_| ()),
        }
    }

    /// Gives a daemon something to read; it does so at once unless it is held up.
    pub fn arrive(&mut self, to: usize, inbound: Inbound) -> Result<(), Violation> {
        let now = self.now;
        let Some(daemon) = self
            .machines
            .get_mut(to)
            .and_then(|machine| machine.daemon.as_mut())
        else {
            return Ok(());
        };
        if daemon.inbox.len() < KERNEL_BUFFER || !matches!(inbound, Inbound::Bytes(..)) {
            daemon.inbox.push(inbound);
        }
        if daemon.busy_until <= now {
            return self.turn(to);
        }
        daemon.wake += 1;
        let (run, wake, at) = (daemon.run, daemon.wake, daemon.busy_until);
        self.at(
            at,
            Happening::Wake {
                machine: to,
                run,
                wake,
            },
        );
        Ok(())
    }

    /// Something goes wrong, or right again.
    pub fn strike(&mut self, fault: Fault) -> Result<(), Violation> {
        self.trace
            .step(self.now, &[1], || format!("-------- {fault:?}"));
        match fault {
            Fault::Wire {
                link,
                from,
                weather,
            } => self.links[link].weather[from] = weather,
            Fault::Partition => {
                self.links
                    .iter_mut()
                    .for_each(|link| link.weather = [Weather::CUT; 2]);
            }
            Fault::HealLinks => {
                self.links
                    .iter_mut()
                    .for_each(|link| link.weather = Default::default());
            }
            Fault::MachineCrash(node) => {
                self.lose_daemon(node);
                self.machines[node].lose_power();
                return self.truth_changed(node);
            }
            Fault::DaemonCrash(node) => self.lose_daemon(node),
            Fault::Start(node) => self.start(node),
            Fault::StopRequest(node) => {
                self.judge.disturb();
                let machine = &mut self.machines[node];
                if let Some(daemon) = &mut machine.daemon {
                    daemon.stop_requested = daemon.stop_requested.or(Some(self.now));
                    machine.goodbye = Some(daemon.run);
                }
                return self.arrive(node, Inbound::Stop);
            }
            Fault::Stall(node, time) => self.stall(node, time),
            Fault::StallBoth(time) => {
                self.stall(0, time);
                self.stall(1, time);
            }
            Fault::WallJump(node, seconds) => self.machines[node].wall += seconds,
            Fault::Rekey(node) => {
                let keys = &mut self.machines[node].keys;
                keys.signing = 3 - keys.signing;
                let keys = keys.clone();
                return self.arrive(node, Inbound::Keys(keys));
            }
            Fault::Garbage { to, count } => self.garbage(to, count),
            Fault::Replay { to, count } => self.replay(to, count),
        }
        Ok(())
    }

    fn end_faults(&mut self) -> Result<(), Violation> {
        self.calm = true;
        self.strike(Fault::HealLinks)?;
        self.deadline = self.now + self.plan.settle_time();
        for node in 0..2 {
            if let Some(daemon) = &self.machines[node].daemon {
                self.deadline = self
                    .deadline
                    .max(daemon.busy_until + self.plan.settle_time());
            }
            self.start(node);
        }
        Ok(())
    }

    /// Power on, daemon on.
    pub fn start(&mut self, node: usize) {
        let now = self.now;
        let machine = &mut self.machines[node];
        if !machine.powered {
            machine.gain_power(now);
        }
        if let Some(daemon) = &machine.daemon {
            machine.start_again = daemon.stop_requested.is_some();
            return;
        }
        machine.start_again = false;
        let run = machine.generation;
        machine.generation += 1;
        let settings = self.settings(node, run);
        let core = (self.make)(self.machines[node].local(now), settings);
        let memory = self.machines[node].remembered.unwrap_or_default();
        self.machines[node].daemon = Some(Daemon::new(core, run, memory, now));
        if node < STRANGER {
            self.judge.started(node, now);
        }
        self.at(
            now,
            Happening::Wake {
                machine: node,
                run,
                wake: 0,
            },
        );
    }

    fn settings(&mut self, node: usize, generation: u64) -> Settings {
        let plan = &self.plan;
        let names = if node == STRANGER && plan.stranger == Some(Stranger::OtherNamesSameKeys) {
            ["gamma", "delta"]
        } else {
            ["alpha", "beta"]
        };
        let micros = std::time::Duration::from_micros;
        let remembered = self.machines[node].remembered;
        Settings {
            local_node: names[node % 2].to_owned(),
            peer_node: names[1 - node % 2].to_owned(),
            nodes: names.map(str::to_owned).to_vec(),
            uuid: [0x11 + u8::try_from(node).unwrap_or(0); 16],
            generation,
            remembered_peer: remembered,
            seed: self.dice.next(),
            keepalive: micros(plan.keepalive),
            deadtime: micros(plan.deadtime),
            warntime: micros(plan.deadtime / 2),
            initdead: micros(plan.initdead),
            max_rexmit_delay: micros(250 * MS),
            auto_failback: plan.failback,
            ttl: 3,
            inner_auth: plan.inner_auth,
            log_badpack: true,
            links: (0..plan.links.len())
                .map(|link| format!("eth{link}"))
                .collect(),
            groups: (plan.preferred.iter().enumerate())
                .map(|(group, &preferred)| GroupSettings {
                    key: format!("10.0.0.{group}"),
                    line: format!("{} 10.0.0.{group} nginx", names[preferred]),
                    prefers_local: preferred == node % 2,
                })
                .collect(),
            keys: self.machines[node].keys.clone(),
        }
    }

    /// The daemon is gone, however it went.
    pub fn lose_daemon(&mut self, node: usize) {
        if self.machines[node].daemon.take().is_some() && node < STRANGER {
            self.judge.gone(node);
        }
        self.links.iter_mut().for_each(|link| link.forget(node));
        if self.machines[node].start_again {
            self.at(self.now + 100 * MS, Happening::Fault(Fault::Start(node)));
        }
    }

    fn stall(&mut self, node: usize, time: Time) {
        self.judge.disturb();
        let other = &self.machines[1 - node];
        let is_alone = |group: &usize| other.real(*group) == Real::Stopped;
        let alone_with = self.machines[node]
            .held()
            .into_iter()
            .filter(is_alone)
            .collect();
        if let Some(daemon) = &mut self.machines[node].daemon {
            if !daemon.stalled {
                daemon.alone_with = alone_with;
            }
            daemon.stalled = true;
            daemon.busy_until = daemon.busy_until.max(self.now + time);
            daemon.wake += 1;
            let (run, wake, at) = (daemon.run, daemon.wake, daemon.busy_until);
            self.at(
                at,
                Happening::Wake {
                    machine: node,
                    run,
                    wake,
                },
            );
        }
    }

    fn line_free(&mut self, link: usize, from: usize) {
        let (left, next) = self.links[link].transmitted(from);
        if let Some(cargo) = left {
            self.travel(link, 1 - from, &cargo);
        }
        if let Some(time) = next {
            self.at(self.now + time, Happening::LineFree { link, from });
        }
    }

    /// From one end of a link to the other, or not.
    pub fn travel(&mut self, link: usize, to: usize, cargo: &Cargo) {
        for (delay, arriving) in self.links[link].travel(&mut self.dice, cargo) {
            self.at(
                self.now + delay,
                Happening::Arrival {
                    link,
                    to,
                    cargo: arriving,
                },
            );
        }
    }

    fn garbage(&mut self, to: usize, count: u32) {
        for _ in 0..count {
            let link = self.dice.index(self.links.len());
            let length = self.dice.pick(&[0, 1, 4, 40, 300, 2000]);
            let mut bytes: Vec<u8> = (0..length)
                .map(|_| self.dice.below(256).to_le_bytes()[0])
                .collect();
            let start: &[u8] =
                self.dice
                    .pick(&[b"".as_slice(), b"###\n", b">>>\n", b"###\n9:(0)t=stat,"]);
            bytes.splice(0..0, start.iter().copied());
            let packet = heartbeat::cluster::Packet {
                datagram: bytes,
                ..Default::default()
            };
            let cargo = Cargo {
                packet: packet.into(),
                is_text: false,
                from: 1 - to,
                run: 0,
                number: 0,
                origin: Origin::Garbage,
            };
            let at = self.now + self.dice.below(100 * MS);
            self.at(at, Happening::Arrival { link, to, cargo });
        }
    }

    fn replay(&mut self, to: usize, count: u32) {
        for _ in 0..count {
            let place = self.dice.index(self.recorded.len());
            let Some(cargo) = self.recorded.get(place) else {
                return;
            };
            let is_text = !cargo.packet.text.is_empty() && self.dice.chance(100);
            let cargo = Cargo {
                is_text,
                origin: Origin::Replayed,
                ..cargo.clone()
            };
            let link = self.dice.index(self.links.len());
            let at = self.now + self.dice.below(100 * MS);
            self.at(at, Happening::Arrival { link, to, cargo });
        }
    }

    /// Looks at what no single step shows. True when the run is over.
    fn check(&mut self) -> Result<bool, Violation> {
        self.at(self.now + self.plan.keepalive, Happening::Check);
        self.judge.clashes_end(&self.machines, self.now)?;
        self.stops_end()?;
        let calm_at = self.plan.faults_end + self.plan.deadtime + self.plan.news_time();
        if !self.calm || self.now < calm_at {
            return Ok(false);
        }
        match (self.unsettled(), self.settled_since) {
            (None, None) => {
                self.figures.settled = self.now.saturating_sub(self.plan.faults_end);
                self.settled_since = Some(self.now);
                Ok(false)
            }
            (None, Some(since)) => Ok(self.now - since > self.plan.deadtime * 2),
            (Some(_), Some(_)) if self.plan.has_failures() => {
                self.settled_since = None; // a failed stop that succeeds later lets its group go home
                Ok(false)
            }
            (Some(text), Some(_)) => Err(Violation {
                rule: "settling",
                at: self.now,
                text: format!("not for long: {text}"),
            }),
            (Some(text), None) if self.now > self.deadline => Err(Violation {
                rule: "settling",
                at: self.now,
                text,
            }),
            (Some(_), None) => Ok(false),
        }
    }

    /// Who was asked to stop has stopped in time, if its groups can be stopped.
    fn stops_end(&self) -> Result<(), Violation> {
        for (node, machine) in self.machines[..2].iter().enumerate() {
            let Some(daemon) = machine
                .daemon
                .as_ref()
                .filter(|daemon| daemon.busy_until <= self.now)
            else {
                continue;
            };
            let failed = machine
                .resources
                .iter()
                .any(|resource| resource.failures > 0);
            let late = daemon
                .stop_requested
                .is_some_and(|at| self.now - at > self.plan.stop_time());
            if late && !failed && !daemon.stalled_lately(self.now, self.plan.stop_time()) {
                return Err(self.violation("stop", format!("node {node} does not stop")));
            }
        }
        Ok(())
    }

    /// What is not yet as it should be when nothing goes wrong any more.
    fn unsettled(&self) -> Option<String> {
        for (node, machine) in self.machines[..2].iter().enumerate() {
            let Some(daemon) = &machine.daemon else {
                return Some(format!("node {node} does not run"));
            };
            let lately = self.plan.deadtime + self.plan.news_time();
            if daemon.stop_requested.is_some() || daemon.stalled_lately(self.now, lately) {
                return Some(format!("node {node} is stopping or has just gone on"));
            }
            if daemon.core.local_status() != NodeStatus::Active {
                return Some(format!("node {node} is {:?}", daemon.core.local_status()));
            }
            if daemon.core.peer_status() != NodeStatus::Active {
                return Some(format!(
                    "node {node} takes its peer for {:?}",
                    daemon.core.peer_status()
                ));
            }
            for link in (0..self.links.len())
                .filter(|&link| self.plan.links[link].is_ample(self.plan.keepalive))
            {
                if !daemon
                    .core
                    .link_is_up(LinkId(u8::try_from(link).unwrap_or(0)))
                {
                    return Some(format!("node {node} takes link {link} for down"));
                }
            }
        }
        (0..self.plan.preferred.len()).find_map(|group| self.group_unsettled(group))
    }
}

impl World {
    fn group_unsettled(&self, group: usize) -> Option<String> {
        let real = [self.machines[0].real(group), self.machines[1].real(group)];
        let home = self.plan.preferred[group];
        // Where it could not be started it is not tried again while the other node runs it.
        let stays = self.plan.failback == heartbeat::config::AutoFailback::Off
            || self.machines[home].resources[group].failures > 0;
        let runs_once = match real {
            [Real::Running, Real::Stopped] => home == 0 || stays,
            [Real::Stopped, Real::Running] => home == 1 || stays,
            _ => false,
        };
        if runs_once {
            return None;
        }
        Some(format!(
            "group {group} of node {home} is {:?} here and {:?} there",
            real[0], real[1]
        ))
    }
}
