//! A machine: its power, its daemon, and what really runs on it, whatever anybody believes.

use std::collections::{BTreeMap, VecDeque};
use std::ops::RangeInclusive;

use heartbeat::cluster::{
    GroupId, GroupOutcome, Instant, MaintenanceMemory, MaintenanceOrder, NetworkAnswer, PeerMemory,
    PingId,
};

use heartbeat::message::Keys;

use super::disk::Disk;
use super::node::Node;
use super::old_peer::Command;
use super::plan::{SECOND, Time};
use super::reloads::Edition;
use super::virtual_link::Cargo;
use super::watchdog::Watchdog;

/// Parts of a clock's rate.
const MILLION: i64 = 1_000_000;

/// What a resource group really does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Real {
    /// Nothing of it runs.
    Stopped,
    /// Its scripts are starting it.
    Starting,
    /// It runs.
    Running,
    /// Its scripts are stopping it.
    Stopping,
    /// It did not stop, and something of it still runs.
    Broken,
}

/// A group on a machine.
#[derive(Debug, Clone, Copy)]
pub struct Resource {
    /// The truth.
    pub real: Real,
    /// Since when it is not stopped.
    pub since: Time,
    /// When it was last seen not to be stopped.
    pub until: Time,
    /// Numbers the actions, so that an overtaken one ends without effect.
    pub action: u64,
    /// Which run of the daemon began the action that is under way.
    pub run: u64,
    /// How often it failed to start or to stop in this life of the machine.
    pub failures: u32,
}

/// Something that waits to be read by a daemon.
pub enum Inbound {
    /// Bytes on a link.
    Bytes(usize, Cargo),
    /// A child ended.
    Outcome(GroupId, GroupOutcome),
    /// The operator's wish.
    Stop,
    /// The operator wants groups moved.
    Command(Command),
    /// A ping node has answered.
    Answer(PingId),
    /// The command of `auto_failback when` has answered.
    Agreed(bool),
    /// The kernel tells whether the network is plugged in.
    Carrier(bool),
    /// The network has answered a question.
    Network(u64, NetworkAnswer),
    /// The devices have answered a request.
    Fenced(u64, bool),
    /// The operator says that the peer is down.
    ConfirmDead,
    /// `ha.cf` and `haresources` are to be read again.
    Reload,
    /// The operator switches maintenance on or off.
    Maintenance(Box<MaintenanceOrder>),
    /// `authkeys` was read again.
    Keys(Box<Keys>),
}

/// Numbered messages of runs of the other daemon, and when each was first read. The numbers of a run begin at 1 and have no
/// large gaps.
#[derive(Default)]
pub struct Log {
    by_run: BTreeMap<u64, Vec<Option<Time>>>,
}

impl Log {
    /// It is read, perhaps once more.
    pub fn note(&mut self, run: u64, number: u64, now: Time) {
        let times = self.by_run.entry(run).or_default();
        let place = usize::try_from(number).expect("a number fits");
        if times.len() <= place {
            times.resize(place + 1, None);
        }
        times[place].get_or_insert(now);
    }

    /// Whether one of these was read.
    pub fn has_any(&self, run: u64, mut numbers: RangeInclusive<u64>) -> bool {
        numbers.any(|number| self.first(run, number).is_some())
    }

    /// When it was read first.
    pub fn first(&self, run: u64, number: u64) -> Option<Time> {
        let times = self.by_run.get(&run)?;
        *times.get(usize::try_from(number).ok()?)?
    }
}

/// One run of a daemon.
pub struct Daemon {
    /// Decides.
    pub core: Box<dyn Node>,
    /// The generation.
    pub run: u64,
    /// When it began.
    pub started: Time,
    /// What was not read yet.
    pub inbox: Vec<Inbound>,
    /// Until when it does not run: a long turn or a stall.
    pub busy_until: Time,
    /// The last second of the wall clock that it was told.
    pub second: Option<u64>,
    /// When the operator asked it to stop.
    pub stop_requested: Option<Time>,
    /// When it sent in the last second, oldest first.
    pub send_times: VecDeque<Time>,
    /// What it read in this run, and when first.
    pub read: Log,
    /// What an earlier run left it to remember of the peer.
    pub memory: PeerMemory,
    /// The newest run of the peer of which it read a heartbeat.
    pub known_run: u64,
    /// It was stopped and has not yet gone on.
    pub stalled: bool,
    /// How long its next turn will take, and for how long it hangs behind that one.
    pub held_up: Option<(Time, Time)>,
    /// For how long it hangs when this turn is over.
    pub hangs_next: Option<Time>,
    /// When its last turn was.
    pub last_turn: Time,
    /// That turn has serviced its timers and is not over.
    pub is_in_turn: bool,
    /// What it alone held when it was stopped last.
    pub alone_with: Vec<usize>,
    /// It stood still for so long that this turn must give up these groups, which the other has taken.
    pub must_yield: Option<Vec<usize>>,
    /// When it last went on.
    pub went_on: Time,
    /// When it last took its peer for dead, or began a new run because its peer took it for dead.
    pub bereaved: Time,
    /// What it thought of its peer after its last turn.
    pub peer_was_dead: bool,
    /// Reports about bytes that nobody of the pair sent.
    pub complaints: u64,
    /// The files that it goes by, and since when.
    pub file: Edition,
    /// See `file`.
    pub file_since: Time,
}

/// How a kernel has seen the network cable of its machine.
#[derive(Debug, Clone, Copy)]
pub struct PlugSeen {
    /// It is in.
    pub is_in: bool,
    /// Since when that is so.
    pub since: Time,
}

/// One machine.
pub struct Machine {
    /// Counts its boots and the runs of its daemon, so that what was meant for an earlier one is not done.
    pub life: u64,
    /// Its daemon waits before it begins again: it can't be started meanwhile.
    pub is_asleep: bool,
    /// Whether it has power.
    pub powered: bool,
    /// Its daemon, while it runs.
    pub daemon: Option<Box<Daemon>>,
    /// The daemon is to be started again as soon as it is gone.
    pub start_again: bool,
    /// By group.
    pub resources: Vec<Resource>,
    /// Of the next run of the daemon.
    pub generation: u64,
    /// What the last run saw of the peer.
    pub remembered: Option<PeerMemory>,
    /// When its last daemon went.
    pub gone_since: Time,
    /// The last run of the daemon that was asked to stop: its peer may call it dead early.
    pub goodbye: Option<u64>,
    /// By ping node: whether its answers arrive here.
    pub answers: Vec<bool>,
    /// Whether its network is plugged in.
    pub is_plugged: bool,
    /// When a ping node was heard last.
    pub last_answer: Time,
    /// Since when whoever is outside reaches it, or does not.
    pub reach_since: Time,
    /// What its kernel has told of that last.
    pub plug_seen: PlugSeen,
    /// The request that its devices work on.
    pub fencing: Option<u64>,
    /// What its `authkeys` says.
    pub keys: Keys,
    /// What its other files say.
    pub file: Edition,
    /// When it booted, in the time of the world; before its beginning for those that run already.
    boot: i64,
    /// How far its wall clock is off, in seconds.
    pub wall: i64,
    /// How many microseconds its clock counts in a second.
    pub rate: u64,
    /// Its watchdog, while it is armed.
    pub watchdog: Option<Watchdog>,
    /// What a run of its daemon has kept of maintenance, and when.
    pub maintenance: Option<(MaintenanceMemory, Time)>,
    /// When any run of its daemon has sent a heartbeat last.
    pub last_heartbeat: Time,
    /// Its state directory, where that is more than what it is to remember.
    pub disk: Option<Disk>,
}

impl Daemon {
    /// Has just begun.
    pub fn new(core: Box<dyn Node>, run: u64, memory: PeerMemory, started: Time) -> Self {
        Self {
            core,
            run,
            started,
            inbox: Vec::new(),
            busy_until: 0,
            second: None,
            stop_requested: None,
            send_times: VecDeque::new(),
            read: Log::default(),
            memory,
            known_run: 0,
            stalled: false,
            held_up: None,
            hangs_next: None,
            last_turn: started,
            is_in_turn: false,
            alone_with: Vec::new(),
            must_yield: None,
            went_on: 0,
            bereaved: 0,
            peer_was_dead: false,
            complaints: 0,
            file: Edition::default(),
            file_since: started,
        }
    }

    /// Whether it stood still within so long.
    pub fn stalled_lately(&self, now: Time, span: Time) -> bool {
        self.stalled || (self.went_on > 0 && now - self.went_on < span)
    }
}

impl Machine {
    /// With power, without a daemon.
    pub fn new(groups: usize, pings: usize, uptime: Time, keys: Keys) -> Self {
        let resource = Resource {
            real: Real::Stopped,
            since: 0,
            until: 0,
            action: 0,
            run: 0,
            failures: 0,
        };
        Self {
            life: 0,
            is_asleep: false,
            powered: true,
            daemon: None,
            start_again: false,
            resources: vec![resource; groups],
            generation: 1,
            remembered: None,
            gone_since: 0,
            goodbye: None,
            answers: vec![true; pings],
            is_plugged: true,
            last_answer: 0,
            reach_since: 0,
            plug_seen: PlugSeen {
                is_in: true,
                since: 0,
            },
            fencing: None,
            keys,
            file: Edition::default(),
            boot: -signed(uptime),
            wall: 0,
            rate: 1_000_000,
            watchdog: None,
            maintenance: None,
            last_heartbeat: 0,
            disk: None,
        }
    }

    /// Lights out: nothing runs any more.
    pub fn lose_power(&mut self, now: Time) {
        self.powered = false;
        self.life += 1;
        self.is_asleep = false;
        self.daemon = None;
        self.watchdog = None;
        self.start_again = false;
        for resource in &mut self.resources {
            if resource.real != Real::Stopped {
                resource.until = now;
            }
            resource.real = Real::Stopped;
            resource.action += 1;
            resource.failures = 0;
        }
    }

    /// Booted a few seconds ago.
    pub fn gain_power(&mut self, now: Time) {
        self.powered = true;
        self.boot = signed(now) - signed(5 * SECOND);
    }

    /// The machine's clock since boot.
    pub fn local(&self, now: Time) -> Instant {
        let (passed, rate) = (signed(now) - self.boot, signed(self.rate));
        let counted = passed / MILLION * rate + passed % MILLION * rate / MILLION;
        Instant::from_micros(u64::try_from(counted).unwrap_or(0))
    }

    /// When the machine's clock first shows this, in the time of the world.
    pub fn world(&self, local: Instant) -> Time {
        let (local, rate) = (local.as_micros(), self.rate);
        let seconds = (local / rate).saturating_mul(1_000_000);
        let passed = seconds.saturating_add((local % rate * 1_000_000).div_ceil(rate));
        let passed = i64::try_from(passed).unwrap_or(i64::MAX / 2);
        u64::try_from(passed.saturating_add(self.boot)).unwrap_or(0)
    }

    /// The machine's wall clock.
    pub fn wall_seconds(&self, now: Time) -> u64 {
        let seconds = signed(now / SECOND) + 1_900_000_000 + self.wall;
        u64::try_from(seconds).unwrap_or(0)
    }

    /// What a group really does here.
    pub fn real(&self, group: usize) -> Real {
        self.resources[group].real
    }

    /// The groups that its daemon lets run.
    pub fn held(&self) -> Vec<usize> {
        let run = self.daemon.as_ref().map(|daemon| daemon.run);
        let held = |resource: &Resource| {
            Some(resource.run) == run && matches!(resource.real, Real::Starting | Real::Running)
        };
        let groups = self.resources.iter().enumerate();
        groups
            .filter(|(_, resource)| held(resource))
            .map(|(group, _)| group)
            .collect()
    }

    /// Whether the daemon runs and is not held up.
    pub fn is_attentive(&self, now: Time) -> bool {
        self.daemon
            .as_ref()
            .is_some_and(|daemon| daemon.busy_until <= now)
    }
}

fn signed(time: Time) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
