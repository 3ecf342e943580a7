//! A pair that serves and is left alone: what goes wrong with it, and what it uses.

use std::collections::BTreeMap;
use std::fs;
use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use super::keepalived::{Keepalived, Wanted};
use super::lab::files;
use super::lab::journal::Mark;
use super::lab::machine::Machine;
use super::lab::network::Switch;
use super::lab::{Networks, Pair, Program, Setup, wait_for};
use super::outgoing::Outgoing;
use super::system::System;

/// Between two heartbeats, of all systems.
pub const KEEPALIVE: Duration = Duration::from_millis(100);
const DEADTIME: Duration = Duration::from_millis(500);
/// The shortest interval of keepalived where it signs.
const SIGNED_INTERVAL: Duration = Duration::from_secs(1);
/// The floating address.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 100);
/// The nodes' last bytes on both segments.
pub const HOSTS: [u8; 2] = [1, 2];
/// How long a pair may take until both nodes are active and one serves.
const START: Duration = Duration::from_secs(60);
/// How long it stays so before anything counts.
const REST: Duration = Duration::from_secs(3);
/// Two links, no serial line. Each node finds its own address and leaves it out.
const MEDIA: &str = "bcast eth0\nucast eth1 192.168.9.1\nucast eth1 192.168.9.2\n";

/// A pair of one system.
pub struct Pairing {
    /// Which.
    pub system: System,
    /// Both segments; keepalived uses the first.
    pub networks: Networks,
    kind: Kind,
    /// What each node sends on the first segment.
    outgoing: [Outgoing; 2],
}

enum Kind {
    Heartbeat(Box<Pair>),
    Keepalived(Box<Keepalived>),
}

/// A moment from which on things are counted.
pub struct Since {
    instant: Instant,
    wall: Duration,
    logs: [Mark; 2],
    used: [Used; 2],
}

/// When a line was logged: a script writes `2026/11/30_22:05:24` behind its name, a daemon begins with `Nov 30 22:05:24`.
fn second_of(line: &str) -> String {
    let of_script = line.split_whitespace().find(|word| {
        word.starts_with(char::is_numeric) && word.contains('_') && word.contains(':')
    });
    let of_daemon = || line.split_whitespace().take(3).collect();
    of_script.map_or_else(of_daemon, str::to_owned)
}

/// What a daemon uses of its machine, and what reached it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Used {
    /// On a processor.
    pub processor: Duration,
    /// KiB in memory.
    pub resident: u64,
    /// Datagrams of UDP that programs of the machine have read.
    pub datagrams: u64,
}

impl Pairing {
    /// Starts a pair and waits until it serves. `word` tells it apart from others in this sandbox. `signed`: keepalived signs
    /// its advertisements, and then makes no more than one a second; else it signs nothing, and is as fast as the others,
    /// which always sign.
    pub fn serving(system: System, word: &str, signed: bool) -> Result<Self, String> {
        let name = |what: &str| -> &'static str { format!("{word}-{what}").leak() };
        let networks = Networks {
            service: Switch::new(name("s")),
            private: Switch::new(name("p")),
        };
        let names = [name("a"), name("b")];
        let kind = match system {
            System::Ours => Kind::Heartbeat(Box::new(heartbeat(&networks, names, None))),
            System::Original => {
                let programs = Some([Program::Old306; 2]);
                Kind::Heartbeat(Box::new(heartbeat(&networks, names, programs)))
            }
            System::Keepalived => {
                let wanted = Wanted {
                    interval: if signed { SIGNED_INTERVAL } else { KEEPALIVE },
                    addresses: vec![ADDRESS],
                    signed,
                    failback: true,
                };
                Kind::Keepalived(Box::new(Keepalived::new(&networks, names, HOSTS, &wanted)))
            }
        };
        let outgoing = [0, 1].map(|node| Outgoing::of(&kind.machine(node).namespace, "eth0"));
        let mut pairing = Self {
            system,
            networks,
            kind,
            outgoing,
        };
        match &mut pairing.kind {
            Kind::Heartbeat(pair) => {
                pair.a.start();
                pair.b.start();
            }
            Kind::Keepalived(pair) => {
                for node in &mut pair.nodes {
                    node.start();
                }
            }
        }
        if pairing.serves_within(START) {
            Ok(pairing)
        } else {
            Err(format!("a pair of {system} does not come to serve"))
        }
    }

    /// Whether, within a time, one node serves and both know each other, and stay so.
    pub fn serves_within(&self, limit: Duration) -> bool {
        let both = [self.machine(0), self.machine(1)];
        let active = |machine: &Machine| {
            let nodes = both.map(|machine| machine.name);
            let status = |node: &str| machine.cl_status(&["nodestatus", node]);
            nodes.iter().all(|node| status(node) == "active")
        };
        let serves = || {
            let owners = both.iter().filter(|machine| machine.holds(ADDRESS)).count();
            let agree = match &self.kind {
                Kind::Heartbeat(_) => both.iter().all(|machine| active(machine)),
                Kind::Keepalived(_) => true,
            };
            (owners == 1 && agree).then_some(())
        };
        let served = wait_for(limit, serves).is_some();
        thread::sleep(REST);
        served && serves().is_some()
    }

    /// One of the two machines.
    pub fn machine(&self, node: usize) -> &Machine {
        self.kind.machine(node)
    }

    /// Loses this share of what both machines send, on both segments.
    pub fn lose(&self, percent: u8) {
        for (_, cable) in [0, 1]
            .into_iter()
            .flat_map(|node| &self.machine(node).cables)
        {
            cable.lose(percent);
        }
    }

    /// Counts from now on.
    pub fn mark(&self) -> Since {
        Since {
            instant: Instant::now(),
            wall: heartbeat::os::clock::wall(),
            logs: [0, 1].map(|node| self.machine(node).log().mark()),
            used: [0, 1].map(|node| self.used(node)),
        }
    }

    /// How often a node took the other for dead, which nobody ever is here. Where keepalived's second node becomes
    /// master, it holds the first one for dead, or was told that it resigns.
    pub fn false_deaths(&self, since: &Since) -> usize {
        match &self.kind {
            Kind::Heartbeat(_) => {
                let of = |node: usize| {
                    let log = self.machine(node).log();
                    log.lines_with(since.logs[node], ": is dead").len()
                };
                of(0) + of(1)
            }
            Kind::Keepalived(pair) => {
                let lines = pair.nodes[1].lines_after(since.instant, "Entering MASTER STATE");
                lines.len()
            }
        }
    }

    /// The most lines that a node has logged in one second.
    pub fn most_lines_in_a_second(&self, since: &Since, node: usize) -> usize {
        let mut seconds: BTreeMap<String, usize> = BTreeMap::new();
        match &self.kind {
            Kind::Heartbeat(pair) => {
                let machine = if node == 0 { &pair.a } else { &pair.b };
                for line in machine.log().since(since.logs[node]) {
                    *seconds.entry(second_of(&line)).or_default() += 1;
                }
            }
            Kind::Keepalived(pair) => {
                for time in pair.nodes[node].lines_after(since.instant, "") {
                    let second = time.duration_since(since.instant).as_secs();
                    *seconds.entry(second.to_string()).or_default() += 1;
                }
            }
        }
        seconds.into_values().max().unwrap_or(0)
    }

    /// How many lines a node has logged.
    pub fn lines(&self, since: &Since, node: usize) -> usize {
        match &self.kind {
            Kind::Heartbeat(_) => self.machine(node).log().since(since.logs[node]).len(),
            Kind::Keepalived(pair) => pair.nodes[node].lines_after(since.instant, "").len(),
        }
    }

    /// The longest time in which a node has sent no heartbeat on the first segment.
    pub fn longest_pause(&self, since: &Since, node: usize) -> Duration {
        self.outgoing[node].longest_pause([since.wall, heartbeat::os::clock::wall()])
    }

    /// What a daemon has used since, and the memory that has been added.
    pub fn used_since(&self, since: &Since, node: usize) -> Used {
        let (before, now) = (since.used[node], self.used(node));
        Used {
            processor: now.processor.saturating_sub(before.processor),
            resident: now.resident.saturating_sub(before.resident),
            datagrams: now.datagrams.saturating_sub(before.datagrams),
        }
    }

    fn used(&self, node: usize) -> Used {
        let machine = self.machine(node);
        let all = machine.namespace.processes();
        let daemon = match &self.kind {
            Kind::Heartbeat(_) => machine.program.daemon_processes(machine.pid(), &all),
            Kind::Keepalived(_) => all,
        };
        let mut used = Used::default();
        for pid in daemon {
            let tasks = fs::read_dir(format!("/proc/{pid}/task"));
            for task in tasks.into_iter().flatten().flatten() {
                let times = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
                let first = times.split_whitespace().next();
                let nanoseconds = first.and_then(|word| word.parse().ok()).unwrap_or(0);
                used.processor += Duration::from_nanos(nanoseconds);
            }
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
            let word = line.and_then(|line| line.split_whitespace().next());
            used.resident += word.and_then(|word| word.parse().ok()).unwrap_or(0);
        }
        let text = machine
            .namespace
            .within(|| fs::read_to_string("/proc/thread-self/net/snmp").unwrap_or_default());
        // Udp: InDatagrams …, and below the numbers.
        let numbers = text
            .lines()
            .filter_map(|line| line.strip_prefix("Udp: "))
            .nth(1);
        let word = numbers.and_then(|line| line.split_whitespace().next());
        used.datagrams = word.and_then(|word| word.parse().ok()).unwrap_or(0);
        used
    }
}

impl Kind {
    fn machine(&self, node: usize) -> &Machine {
        match self {
            Self::Heartbeat(pair) if node == 0 => &pair.a,
            Self::Heartbeat(pair) => &pair.b,
            Self::Keepalived(pair) => &pair.nodes[node].machine,
        }
    }
}

/// What a pair leaves behind must not disturb the next one.
impl Drop for Pairing {
    fn drop(&mut self) {
        match &mut self.kind {
            Kind::Heartbeat(pair) => {
                pair.power_off(0);
                pair.power_off(1);
            }
            Kind::Keepalived(pair) => {
                for node in &mut pair.nodes {
                    node.power_off();
                }
            }
        }
    }
}

fn heartbeat(
    networks: &Networks,
    names: [&'static str; 2],
    programs: Option<[Program; 2]>,
) -> Pair {
    let millis = |time: Duration| u32::try_from(time.as_millis()).expect("short");
    let pair = Pair::new(
        networks,
        Setup {
            names,
            hosts: HOSTS,
            keepalive: millis(KEEPALIVE),
            deadtime: millis(DEADTIME),
            warntime: Some(millis(DEADTIME / 2)),
            auto_failback: Some("off"),
            groups: vec![format!("{} IPaddr::{ADDRESS}/24/eth0", names[0])],
            media: Some(MEDIA),
            programs,
            ..Setup::default()
        },
    );
    for machine in [&pair.a, &pair.b] {
        // As on a machine in use.
        let text = pair.setup.ha_cf();
        let lines = text.lines().filter(|line| !line.starts_with("debug"));
        let text: String = lines.flat_map(|line| [line, "\n"]).collect();
        files::write(&machine.file("ha.d/ha.cf"), &text, 0o644);
    }
    pair
}
