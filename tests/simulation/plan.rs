//! What one run is made of: two machines, their links and groups, and the faults that will hit them.
//! Everything follows from the seed.

use std::time::Duration;

use heartbeat::cluster::FailbackCondition;
use heartbeat::config::{AutoFailback, LastLink, StopFailure};
use heartbeat::message::{Key, Keys, Method};

use super::faults::{self, Fault};
use super::hardware::Hardware;
use super::rng::Rng;

/// Microseconds of the simulated world.
pub type Time = u64;

/// One millisecond.
pub const MS: Time = 1000;
/// One second.
pub const SECOND: Time = 1000 * MS;

/// A whole run, before it begins.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The seed of all dice thrown during the run.
    pub seed: u64,
    /// As in `ha.cf`.
    pub keepalive: Time,
    /// As in `ha.cf`.
    pub deadtime: Time,
    /// As in `ha.cf`.
    pub initdead: Time,
    /// As in `ha.cf`.
    pub failback: AutoFailback,
    /// By group: the machine it prefers.
    pub preferred: Vec<usize>,
    /// The links in order.
    pub links: Vec<LinkPlan>,
    /// When each daemon is started first.
    pub starts: [Time; 2],
    /// How long group actions take, least and most.
    pub action_time: (Time, Time),
    /// How many group starts in a thousand fail while faults are on.
    pub start_failures: u64,
    /// While faults are on nothing can be started anywhere.
    pub impossible: bool,
    /// How many group stops in a thousand fail while faults are on.
    pub stop_failures: u64,
    /// What happens, in order of time.
    pub faults: Vec<(Time, Fault)>,
    /// When everything is healed and started again.
    pub faults_end: Time,
    /// What the files of the second node say differently.
    pub quarrel: Option<Quarrel>,
    /// Whether another cluster shares the UDP segments.
    pub stranger: Option<Stranger>,
    /// The keys of the pair.
    pub keys: Keys,
    /// Whether netstrings carry the inner signature too.
    pub inner_auth: bool,
    /// The longest that a turn of a daemon keeps it busy.
    pub turn_time: Time,
    /// Which of the two machines runs heartbeat 3.0.6.
    pub old: [bool; 2],
    /// How many ping nodes there are.
    pub pings: usize,
    /// As in `ha.cf`.
    pub deadping: Time,
    /// What a failback waits for, on each node.
    pub conditions: [FailbackCondition; 2],
    /// How many answers of its command in a thousand are yes while faults are on.
    pub agrees: u64,
    /// How many answers of ping nodes in a thousand are lost while faults are on.
    pub ping_loss: u64,
    /// The fencing devices of both nodes.
    pub fencing: Option<FencePlan>,
    /// As in `ha.cf`, by node.
    pub last_link: [LastLink; 2],
    /// As in `ha.cf`.
    pub stop_failure: StopFailure,
    /// As in `ha.cf`; nothing is said of carriers without.
    pub carrier_loss: Option<Time>,
    /// The judge says nothing of two owners: the witness has to.
    pub judge_is_blind: bool,
    /// This machine's network is out when the faults end, and stays out.
    pub unplugged: Option<usize>,
    /// Clocks, watchdogs and disks.
    pub hardware: Hardware,
    /// What the two nodes are called.
    pub names: [&'static str; 2],
    /// Other pairs on the same segments.
    pub neighbours: Vec<Plan>,
}

/// Devices that reset the other machine, and when groups are taken.
#[derive(Debug, Clone, Copy)]
pub struct FencePlan {
    /// How many requests in a thousand fail while faults are on.
    pub failures: u64,
    /// How long a request takes, least and most.
    pub time: (Time, Time),
    /// After this time a machine that was reset has booted and started its daemon.
    pub boot: Time,
    /// As in `ha.cf`.
    pub delay: Time,
    /// As in `ha.cf`; `None` for never.
    pub takeover_unfenced: Option<Time>,
}

/// One link of the pair.
#[derive(Debug, Clone, Copy)]
pub struct LinkPlan {
    /// Bytes a second of a serial line; `None`: a network.
    pub rate: Option<u64>,
    /// Whether the sender hears itself, as on `bcast`.
    pub echo: bool,
    /// Least delay.
    pub delay: Time,
    /// Most delay beyond that.
    pub jitter: Time,
}

impl LinkPlan {
    /// Whether everything that is said passes this link long before the next heartbeat.
    pub fn is_ample(&self, keepalive: Time) -> bool {
        self.rate
            .is_none_or(|rate| 300 * SECOND / rate < keepalive / 3)
    }
}

/// The two nodes were not configured alike. Node 1 has its own opinion; it must not cost safety.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quarrel {
    /// It beats faster and dies sooner.
    Deadtime(Time),
    /// Its `auto_failback`.
    Failback(AutoFailback),
    /// Its last group is another one.
    Groups,
    /// By each node's own file it prefers group 0 itself.
    BothPrefer,
    /// By each node's own file the other prefers group 0.
    NeitherPrefers,
}

/// Another cluster on the same segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// Its nodes have the names of ours, but other keys.
    SameNamesOtherKeys,
    /// It shares our keys, but its nodes have other names.
    OtherNamesSameKeys,
}

impl Plan {
    /// A quiet pair: two networks and a serial line, one group for each machine, nothing happens.
    pub fn quiet(seed: u64) -> Self {
        let network = LinkPlan {
            rate: None,
            echo: false,
            delay: 100,
            jitter: 200,
        };
        Self {
            seed,
            keepalive: 200 * MS,
            deadtime: SECOND,
            initdead: 10 * SECOND,
            failback: AutoFailback::On,
            preferred: vec![0, 1],
            links: vec![
                network,
                network,
                LinkPlan {
                    rate: Some(11_520),
                    ..network
                },
            ],
            starts: [0, 0],
            action_time: (5 * MS, 50 * MS),
            start_failures: 0,
            impossible: false,
            stop_failures: 0,
            faults: Vec::new(),
            faults_end: 20 * SECOND,
            quarrel: None,
            stranger: None,
            keys: keys(b"secret", Method::Sha1),
            inner_auth: true,
            turn_time: 0,
            old: [false; 2],
            pings: 0,
            deadping: SECOND,
            conditions: [FailbackCondition::Nothing; 2],
            agrees: 0,
            ping_loss: 0,
            fencing: None,
            last_link: [LastLink::Takeover; 2],
            stop_failure: StopFailure::Hold,
            carrier_loss: None,
            judge_is_blind: false,
            unplugged: None,
            hardware: Hardware::default(),
            names: ["alpha", "beta"],
            neighbours: Vec::new(),
        }
    }

    /// The run that belongs to a seed.
    pub fn from_seed(seed: u64) -> Self {
        let rng = &mut Rng::new(seed, 1);
        let keepalive = rng.pick(&[200 * MS, 500 * MS, SECOND]);
        let deadtime = keepalive * rng.between(4, 8);
        let initdead = deadtime * rng.between(2, 4);
        let groups = rng.between(1, 6);
        let longest = rng.pick(&[20 * MS, keepalive, deadtime]);
        let mut plan = Self {
            seed,
            keepalive,
            deadtime,
            initdead,
            failback: rng.pick(&[AutoFailback::On, AutoFailback::Off, AutoFailback::Legacy]),
            preferred: (0..groups).map(|_| rng.index(2)).collect(),
            links: random_links(rng, keepalive),
            starts: [rng.below(keepalive), rng.below(keepalive)],
            action_time: (MS, longest),
            start_failures: if rng.chance(200) { 150 } else { 0 },
            impossible: false,
            stop_failures: if rng.chance(150) { 300 } else { 0 },
            faults: Vec::new(),
            faults_end: 0,
            quarrel: None,
            stranger: None,
            keys: keys(
                b"secret",
                rng.pick(&[Method::Crc, Method::Md5, Method::Sha1, Method::Sha256]),
            ),
            inner_auth: rng.chance(500),
            turn_time: rng.pick(&[0, 0, MS, 20 * MS]),
            old: [false; 2],
            pings: 0,
            deadping: deadtime,
            conditions: [FailbackCondition::Nothing; 2],
            agrees: 0,
            ping_loss: 0,
            fencing: None,
            last_link: [LastLink::Takeover; 2],
            stop_failure: StopFailure::Hold,
            carrier_loss: None,
            judge_is_blind: false,
            unplugged: None,
            hardware: Hardware::default(),
            names: ["alpha", "beta"],
            neighbours: Vec::new(),
        };
        if rng.chance(150) {
            plan.stranger =
                Some(rng.pick(&[Stranger::SameNamesOtherKeys, Stranger::OtherNamesSameKeys]));
        }
        if rng.chance(150) {
            let other = rng.pick(&[AutoFailback::On, AutoFailback::Off]);
            plan.quarrel = Some(rng.pick(&[
                Quarrel::Deadtime(deadtime * 3 / 4),
                Quarrel::Failback(other),
                Quarrel::Groups,
                Quarrel::BothPrefer,
                Quarrel::NeitherPrefers,
            ]));
        }
        if rng.chance(300) {
            plan.starts[rng.index(2)] += rng.below(initdead * 2);
        }
        faults::schedule(&mut plan, rng);
        plan
    }

    /// The run that belongs to a seed with ping nodes that fall silent, for one node or for both.
    pub fn with_pings(seed: u64) -> Self {
        Self::with_operator(seed).and_pings(seed)
    }

    /// The same with ping nodes.
    pub fn and_pings(mut self, seed: u64) -> Self {
        faults::silence_pings(&mut self, &mut Rng::new(seed, 7));
        self
    }

    /// The run that belongs to a seed where groups return only when their preferred node has been steady, or when a
    /// command says so.
    pub fn with_conditions(seed: u64) -> Self {
        Self::with_operator(seed).and_conditions(seed)
    }

    /// The same with conditions.
    pub fn and_conditions(self, seed: u64) -> Self {
        let mut plan = self;
        let rng = &mut Rng::new(seed, 10);
        plan.failback = AutoFailback::On;
        plan.agrees = rng.pick(&[0, 100, 500, 1000]);
        for node in 0..2 {
            let steady = Duration::from_micros(rng.between(1, plan.deadtime * 4));
            plan.conditions[node] = rng.pick(&[
                FailbackCondition::Nothing,
                FailbackCondition::Steady(steady),
                FailbackCondition::Steady(steady),
                FailbackCondition::Agreed,
            ]);
        }
        plan
    }

    /// What a node's own `ha.cf` says: where groups do not return at all, nothing is waited for.
    pub fn condition_of(&self, node: usize) -> FailbackCondition {
        let returns = self.failback_of(node % 2) == AutoFailback::On;
        if returns {
            self.conditions[node % 2]
        } else {
            FailbackCondition::Nothing
        }
    }

    /// The longest that a failback may wait once nothing goes wrong any more.
    pub fn longest_wait(&self) -> Time {
        let waits = self.conditions.iter().map(|condition| match condition {
            FailbackCondition::Nothing => 0,
            FailbackCondition::Steady(time) => Time::try_from(time.as_micros()).unwrap_or(0),
            // One question may be under way, and the next comes five seconds after its answer.
            FailbackCondition::Agreed => 6 * SECOND + self.deadtime * 2,
        });
        waits.max().unwrap_or(0)
    }

    /// The run that belongs to a seed with a device on both nodes that resets the other, sometimes after long, sometimes
    /// not at all; and with groups that do not stop.
    pub fn with_fencing(seed: u64) -> Self {
        Self::with_operator(seed).and_fencing(seed)
    }

    /// The same with such devices.
    pub fn and_fencing(self, seed: u64) -> Self {
        let mut plan = self;
        let rng = &mut Rng::new(seed, 11);
        plan.fencing = Some(FencePlan {
            failures: rng.pick(&[0, 0, 300, 700]),
            time: (
                MS,
                rng.pick(&[50 * MS, SECOND, plan.deadtime, plan.initdead]),
            ),
            boot: rng.pick(&[2 * SECOND, plan.deadtime * 2, plan.initdead * 2]),
            delay: rng.pick(&[0, plan.deadtime / 2, plan.deadtime * 2]),
            takeover_unfenced: rng.pick(&[None, None, Some(plan.deadtime * 3)]),
        });
        plan.stop_failure = rng.pick(&[StopFailure::Hold, StopFailure::Fence, StopFailure::Reboot]);
        if rng.chance(400) {
            plan.stop_failures = 300;
        }
        faults::confirm_deaths(&mut plan, rng);
        plan
    }

    /// Whether a machine may go down when no fault strikes any more: an order to reset it was on its way.
    pub fn resets_late(&self) -> bool {
        let has_watchdog = self.hardware.watchdogs != [false; 2];
        self.fencing.is_some() || self.stop_failure != StopFailure::Hold || has_watchdog
    }

    /// Whether somebody moves groups, so that any place may be the right one.
    pub fn has_operator(&self) -> bool {
        let mut faults = self.faults.iter();
        faults.any(|(_, fault)| matches!(fault, Fault::Command(..)))
    }

    /// Whether anybody could sign.
    pub fn signs_with_crc(&self) -> bool {
        let entry = self
            .keys
            .entries
            .get(usize::from(self.keys.signing))
            .and_then(Option::as_ref);
        entry.is_some_and(|key| key.method == Method::Crc)
    }

    /// What a node's own `ha.cf` says.
    pub fn deadtime_of(&self, node: usize) -> Time {
        match self.quarrel {
            Some(Quarrel::Deadtime(shorter)) if node == 1 => shorter,
            _ => self.deadtime,
        }
    }

    /// What a node's own `ha.cf` says.
    pub fn keepalive_of(&self, node: usize) -> Time {
        match self.quarrel {
            Some(Quarrel::Deadtime(_)) if node == 1 => self.keepalive * 3 / 4,
            _ => self.keepalive,
        }
    }

    /// What a node's own `ha.cf` says.
    pub fn failback_of(&self, node: usize) -> AutoFailback {
        match self.quarrel {
            Some(Quarrel::Failback(other)) if node == 1 => other,
            _ => self.failback,
        }
    }

    /// Whether a node's own `haresources` says that it is the preferred one.
    pub fn prefers_itself(&self, node: usize, group: usize) -> bool {
        match self.quarrel {
            Some(Quarrel::BothPrefer) if group == 0 => true,
            Some(Quarrel::NeitherPrefers) if group == 0 => false,
            _ => self.preferred[group] == node % 2,
        }
    }

    /// Where a group lives in the end: where both files don't agree, with the node whose name comes first.
    pub fn home(&self, group: usize) -> usize {
        match self.quarrel {
            Some(Quarrel::BothPrefer | Quarrel::NeitherPrefers) if group == 0 => 0,
            _ => self.preferred[group],
        }
    }

    /// A group's name in a node's own `haresources`.
    pub fn key_of(&self, node: usize, group: usize) -> String {
        let differs = node == 1 && self.quarrel == Some(Quarrel::Groups);
        let last = group + 1 == self.preferred.len();
        format!("10.0.{}.{group}", u8::from(differs && last))
    }

    /// The other cluster's keys, or ours.
    pub fn stranger_keys(&self) -> Keys {
        match self.stranger {
            Some(Stranger::SameNamesOtherKeys) => keys(b"another", Method::Sha1),
            _ => self.keys.clone(),
        }
    }

    /// The longest that any link of this run may take to deliver.
    pub fn longest_delay(&self) -> Time {
        let link = self
            .links
            .iter()
            .map(|link| link.delay + link.jitter)
            .max()
            .unwrap_or(0);
        let weather = self.faults.iter().filter_map(|(_, fault)| match fault {
            Fault::Wire { weather, .. } => Some(weather.extra_delay + weather.extra_jitter),
            _ => None,
        });
        link + weather.max().unwrap_or(0)
    }

    /// How long a change may take to be known on the other side of a working link, a lost message or
    /// two included.
    pub fn news_time(&self) -> Time {
        let time = self.keepalive * 2 + self.longest_delay() * 2 + self.turn_time * 4;
        time + self.hardware.slack(time)
    }

    /// Whether group actions can fail while faults are on.
    pub fn has_failures(&self) -> bool {
        self.start_failures + self.stop_failures > 0
    }

    /// Who is asked to stop is gone after this, when its groups can be stopped.
    pub fn stop_time(&self) -> Time {
        // Two seconds are for the peer's questions after the last word.
        2 * SECOND + self.deadtime + self.action_time.1 * 3 + self.news_time() * 2
    }

    /// The most packets that a node may send within a second: after a partition everything that was lost
    /// is asked for and sent again.
    pub fn burst_limit(&self) -> usize {
        let heartbeats = usize::try_from(SECOND / self.keepalive).unwrap_or(0) + 1;
        heartbeats + 150
    }

    /// After the last fault ended and every daemon runs: until then everything has found its place.
    pub fn settle_time(&self) -> Time {
        // A failed start is tried again after a minute, the next after two and so on; a failed stop after half of one.
        let again = if self.has_failures() { 485 * SECOND } else { 0 };
        // 3.0.6 restarts itself after a partition, waits for a stable peer, and does one thing after the other.
        let old = if self.has_old() {
            120 * SECOND + self.deadtime + self.action_time.1 * 4 * self.preferred.len() as Time
        } else {
            0
        };
        // Groups come back to a node that lost its network only after a while, and longer each time.
        let pings = if self.pings > 0 { 700 * SECOND } else { 0 };
        // Nor to one whose carrier came and went.
        let carriers = self.carrier_loss.map_or(0, |loss| loss + 700 * SECOND);
        // A node that asks for what the other takes for its own waits so long for that, and reads no files meanwhile.
        let moves = if self.has_operator() && self.has_reloads() {
            15 * SECOND
        } else {
            0
        };
        // A machine is reset in the last moment, and its peer waits for the next attempt.
        let fencing = self.fencing.map_or(0, |fencing| {
            130 * SECOND + fencing.delay * 4 + fencing.time.1 * 4 + fencing.boot * 3
        });
        // One is reset by its watchdog in the last moment.
        let reset = if self.hardware.watchdogs == [false; 2] {
            0
        } else {
            self.hardware.boot + self.deadtime
        };
        again
            + moves
            + old
            + reset
            + pings
            + carriers
            + self.longest_wait()
            + self.maintenance_settle_time()
            + self.doubt_settle_time()
            + fencing
            + self.initdead
            + self.deadtime * 4
            + self.action_time.1 * 8
            + self.news_time() * 4
    }
}

/// An entry that signs, and one that may sign later.
fn keys(text: &[u8], method: Method) -> Keys {
    let mut entries: [Option<Key>; 16] = std::array::from_fn(|_| None);
    entries[2] = Some(Key {
        method: Method::Sha1,
        text: text.iter().rev().copied().collect(),
    });
    let text = if method == Method::Crc {
        Vec::new()
    } else {
        text.to_vec()
    };
    entries[1] = Some(Key { method, text });
    Keys {
        entries,
        signing: 1,
    }
}

/// One to three links; a serial line alone is fast enough for the heartbeats of its pair.
fn random_links(rng: &mut Rng, keepalive: Time) -> Vec<LinkPlan> {
    let mut links = Vec::new();
    let count = rng.between(1, 3);
    for _ in 0..count {
        let delay = rng.pick(&[50, 500, 5 * MS, keepalive / 4]);
        let jitter = rng.pick(&[0, 200, 5 * MS, keepalive / 2]);
        links.push(LinkPlan {
            rate: None,
            echo: rng.chance(150),
            delay,
            jitter,
        });
    }
    if rng.chance(600) {
        let alone = links.len() == 1;
        let rate = if alone {
            11_520
        } else {
            rng.pick(&[960, 1920, 3840, 11_520])
        };
        let serial = LinkPlan {
            rate: Some(rate),
            echo: false,
            delay: 100,
            jitter: 0,
        };
        if alone && rng.chance(500) {
            links.clear();
        }
        links.push(serial);
    }
    links
}
