//! The world of one run: its clock, its machines and links, and everything that is about to happen.
//! What a daemon does when it is given something is in `turn.rs`.

use heartbeat::cluster::{GroupId, GroupOutcome};

use super::agenda::Agenda;
use super::directions::Skies;
use super::disk::Disk;
use super::faults::Fault;
use super::fencing::Order;
use super::invariants::{Judge, Violation};
use super::machine::{Inbound, Machine};
use super::maintenance::Upkeep;
use super::node::MakeNode;
use super::plan::{Plan, SECOND, Time};
use super::records::Records;
use super::rng::Rng;
use super::trace::Trace;
use super::virtual_link::{Cargo, VirtualLink};
use super::witness::Witness;

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
    /// The answer of a ping node arrives.
    Answered {
        machine: usize,
        run: u64,
        ping: usize,
    },
    /// The command of `auto_failback when` has answered.
    Agreed {
        machine: usize,
        run: u64,
        agrees: bool,
    },
    /// A machine loses its power for a moment.
    Reset(Order),
    /// A kernel has noticed how the plug is.
    Noticed { machine: usize, run: u64 },
    /// The network answers a question.
    NetworkAnswer {
        machine: usize,
        run: u64,
        request: u64,
        groups: Vec<GroupId>,
    },
    /// The devices of a machine answer.
    FenceAnswer {
        machine: usize,
        run: u64,
        request: u64,
        is_reset: bool,
    },
    /// A machine is to be started again, if it has been left alone since.
    Begin { machine: usize, life: u64 },
    /// A timer of a daemon.
    Wake { machine: usize, run: u64 },
    /// A turn has been done, its last part included.
    TurnEnds { machine: usize, run: u64 },
    /// The time of a watchdog that was armed then may be over.
    Watchdog { machine: usize, armed: Time },
    /// A daemon has written what is to be remembered.
    Stored { machine: usize, run: u64 },
    /// A script comes to the address of its group.
    Kernel {
        machine: usize,
        group: usize,
        action: u64,
        answers: bool,
    },
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
    /// How long it took, in the simulated world.
    pub simulated: Time,
    /// The digest of the trace.
    pub digest: u64,
}

impl Figures {
    /// Those of two runs.
    pub fn and(self, other: Self) -> Self {
        Self {
            steps: self.steps + other.steps,
            sent: self.sent + other.sent,
            burst: self.burst.max(other.burst),
            starts: self.starts + other.starts,
            stops: self.stops + other.stops,
            settled: self.settled.max(other.settled),
            simulated: self.simulated + other.simulated,
            digest: self.digest.rotate_left(7) ^ other.digest,
        }
    }
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
    /// Sees what everybody sees.
    pub witness: Witness,
    /// See `maintenance`.
    pub upkeep: Upkeep,
    /// See `records`.
    pub records: Records,
    /// Since when it is plain in which directions links carry.
    pub skies: Skies,
    /// The story.
    pub trace: Trace,
    /// Figures.
    pub figures: Figures,
    /// Chance.
    pub dice: Rng,
    /// Chance of disks.
    pub hardware_dice: Rng,
    /// Whether faults may still happen.
    pub calm: bool,
    /// Whether other pairs listen.
    pub has_neighbours: bool,
    /// What they hear next, and on which link.
    pub said: Vec<(usize, Cargo)>,
    /// Datagrams that somebody recorded.
    pub recorded: Vec<Cargo>,
    /// When the last recorded datagram arrived or will have arrived.
    pub last_replay: Option<Time>,
    /// The operator has said of a machine that it is down, which it may not be any more.
    pub was_confirmed: bool,
    /// Makes the nodes.
    pub make: MakeNode,
    /// Until when everything must have found its place.
    pub deadline: Time,
    /// Since when it has.
    pub settled_since: Option<Time>,
    /// What is about to happen.
    pub coming: Agenda,
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
                let uptime = dice.below(1000) * SECOND + SECOND;
                let mut machine = Machine::new(groups, plan.pings, uptime, keys);
                machine.rate = plan.hardware.rate(node);
                machine.disk = plan.hardware.disks.map(Disk::new);
                machine
            })
            .collect();
        let mut world = Self {
            now: 0,
            machines,
            links: plan
                .links
                .iter()
                .map(|&link| VirtualLink::new(link, plan.old))
                .collect(),
            judge: Judge::new(&plan),
            witness: Witness::new(&plan),
            upkeep: Upkeep::default(),
            records: Records::default(),
            skies: Skies::default(),
            hardware_dice: Rng::new(plan.seed, 14),
            trace: Trace::new(with_lines),
            figures: Figures::default(),
            dice,
            calm: false,
            has_neighbours: false,
            said: Vec::new(),
            recorded: Vec::new(),
            last_replay: None,
            was_confirmed: false,
            make,
            coming: Agenda::default(),
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
        while self.step()? {}
        Ok(self.figures_at_end())
    }

    /// When the next thing happens.
    pub fn next_at(&self) -> Option<Time> {
        self.coming.next_at()
    }

    /// The next thing happens. False when the run is over.
    pub fn step(&mut self) -> Result<bool, Violation> {
        let Some((at, happening)) = self.coming.next() else {
            return Ok(false);
        };
        self.now = at;
        self.figures.steps += 1;
        if matches!(happening, Happening::Check) {
            return self.check().map(|is_over| !is_over);
        }
        self.happen(happening)?;
        Ok(true)
    }

    /// What there is to say of the run that is over.
    pub fn figures_at_end(&mut self) -> Figures {
        self.figures.simulated = self.now;
        self.figures.digest = self.trace.digest();
        self.figures
    }

    /// Lets it happen until this moment, whatever is settled then.
    pub fn run_until(&mut self, end: Time) -> Result<(), Violation> {
        while self.coming.next_at().is_some_and(|at| at <= end) {
            let Some((at, happening)) = self.coming.next() else {
                break;
            };
            self.now = at;
            self.happen(happening)?;
        }
        self.now = end;
        Ok(())
    }

    /// Adds to what is about to happen.
    pub fn at(&mut self, time: Time, happening: Happening) {
        self.coming.add(time.max(self.now), happening);
    }

    fn happen(&mut self, happening: Happening) -> Result<(), Violation> {
        match happening {
            Happening::Fault(fault) => self.strike(fault),
            Happening::FaultsEnd => self.end_faults(),
            Happening::Arrival { link, to, cargo } => {
                self.witness.sees_arrival(to, &cargo, self.now);
                self.arrive(to, Inbound::Bytes(link, cargo))
            }
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
            Happening::Answered { machine, run, ping } => self.answered(machine, run, ping),
            Happening::Agreed {
                machine,
                run,
                agrees,
            } => self.agreed(machine, run, agrees),
            Happening::Noticed { machine, run } => self.noticed(machine, run),
            Happening::NetworkAnswer {
                machine,
                run,
                request,
                groups,
            } => self.network_answers(machine, run, request, &groups),
            Happening::Reset(order) => self.reset(order),
            Happening::FenceAnswer {
                machine,
                run,
                request,
                is_reset,
            } => self.fence_answers(machine, run, request, is_reset),
            Happening::Begin { machine, life } => {
                if self.machines[machine].life == life {
                    self.machines[machine].is_asleep = false;
                    return self.strike(Fault::Start(machine));
                }
                Ok(())
            }
            Happening::Wake { machine, run } => {
                let current = self.machines[machine].daemon.as_ref();
                if current.is_some_and(|daemon| daemon.run == run) {
                    return self.wake(machine);
                }
                Ok(())
            }
            Happening::TurnEnds { machine, run } => {
                self.turn_ends(machine, run);
                Ok(())
            }
            Happening::Watchdog { machine, armed } => self.watchdog_looks(machine, armed),
            Happening::Stored { machine, run } => {
                self.stored(machine, run);
                Ok(())
            }
            Happening::Kernel {
                machine,
                group,
                action,
                answers,
            } => self.kernel_changes(machine, group, action, answers),
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
        let at = daemon.busy_until;
        self.wake_at(to, at);
        Ok(())
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
}
