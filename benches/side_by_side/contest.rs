//! A pair of one of the systems, on segments of its own, with everything that sees to the moments of what it does.

use std::net::Ipv4Addr;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::arrivals::Arrivals;
use super::client::{Client, Way, own_interface};
use super::keepalived::{Keepalived, Wanted};
use super::lab::machine::Machine;
use super::lab::namespace::Namespace;
use super::lab::network::Switch;
use super::lab::{Networks, Pair, Program, Setup, wait_for};
use super::lines::Lines;
use super::moment::{self, Moment};
use super::segment::{Kind, Segments};
use super::system::System;

/// The floating address.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 100);
/// The last bytes of the nodes' own addresses.
const HOSTS: [u8; 2] = [1, 2];
/// The client's address.
const CLIENT: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 200);
/// Longer than anything that a system does here takes.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What the systems are told.
#[derive(Debug, Clone, Copy)]
pub struct Terms {
    /// Between two heartbeats.
    pub keepalive: Duration,
    /// After so much silence a node is dead.
    pub deadtime: Duration,
    /// Whether node 0 takes the address back when it returns. A pair with keepalived always does.
    pub failback: bool,
}

/// One pair.
pub struct Contest {
    /// Which system.
    pub system: System,
    /// What passes its segments.
    pub segments: Segments,
    /// By node: the addresses that come and go.
    pub arrivals: [Arrivals; 2],
    /// By node: what the daemon says. Nothing of keepalived, which has lines of its own.
    lines: Option<[Lines; 2]>,
    pair: AnyPair,
    service: Switch,
    ethernet: [[u8; 6]; 2],
    terms: Terms,
}

enum AnyPair {
    Heartbeat(Box<Pair>),
    Keepalived(Box<Keepalived>),
}

/// keepalived's priority of node 1: the lower it is, the later it takes over.
const PRIORITY: u32 = 100;

impl Contest {
    /// A pair whose segments and machines have this word in their names; starts nothing.
    pub fn new(system: System, word: &str, terms: Terms) -> Self {
        let letter = match system {
            System::Ours => 'o',
            System::Original => 'h',
            System::Keepalived => 'k',
        };
        let name = |what: &str| -> &'static str { format!("{word}-{letter}{what}").leak() };
        let switches = [name("-s"), name("-p")];
        let networks = Networks {
            service: Switch::new(switches[0]),
            private: Switch::new(switches[1]),
        };
        let names = [name("a"), name("b")];
        let pair = match system {
            System::Ours | System::Original => {
                let setup = setup(system, names, terms);
                AnyPair::Heartbeat(Box::new(Pair::new(&networks, setup)))
            }
            System::Keepalived => {
                let wanted = Wanted {
                    interval: interval(terms.deadtime),
                    addresses: vec![ADDRESS],
                    signed: false,
                    failback: true,
                };
                AnyPair::Keepalived(Box::new(Keepalived::new(&networks, names, HOSTS, &wanted)))
            }
        };
        let spaces = match &pair {
            AnyPair::Heartbeat(pair) => [&pair.a.namespace, &pair.b.namespace],
            AnyPair::Keepalived(pair) => [0, 1].map(|node| &pair.nodes[node].machine.namespace),
        };
        let file = match system {
            System::Ours => Some("stderr"), // written by the loop itself; a log file has a thread that may lag
            System::Original => Some("ha-log"),
            System::Keepalived => None,
        };
        let lines = match (&pair, file) {
            (AnyPair::Heartbeat(pair), Some(file)) => {
                Some([&pair.a, &pair.b].map(|machine| Lines::follow(&machine.file(file))))
            }
            _ => None,
        };
        Self {
            system,
            segments: Segments::watch(&switches),
            arrivals: spaces.map(Arrivals::watch),
            lines,
            ethernet: spaces.map(|space: &Namespace| space.within(own_interface).1),
            service: networks.service.clone(),
            pair,
            terms,
        }
    }

    /// Silence after which the other node counts as dead: keepalived's is made of its interval and its priority.
    pub fn deadtime(&self) -> Duration {
        match self.system {
            System::Ours | System::Original => self.terms.deadtime,
            System::Keepalived => master_down(interval(self.terms.deadtime)),
        }
    }

    /// How often this system says that it lives.
    pub fn pace(&self) -> Duration {
        match self.system {
            System::Ours | System::Original => self.terms.keepalive,
            System::Keepalived => interval(self.terms.deadtime),
        }
    }

    /// Starts both daemons: the moment before.
    pub fn start(&mut self) -> Moment {
        let now = moment::now();
        match &mut self.pair {
            AnyPair::Heartbeat(pair) => {
                pair.a.start();
                pair.b.start();
            }
            AnyPair::Keepalived(pair) => {
                for node in &mut pair.nodes {
                    node.start();
                }
            }
        }
        now
    }

    /// Stops both daemons and waits for their ends.
    pub fn stop(&mut self) {
        match &mut self.pair {
            AnyPair::Heartbeat(pair) => {
                pair.b.stop();
                pair.a.stop();
            }
            AnyPair::Keepalived(pair) => {
                for node in &mut pair.nodes {
                    node.stop();
                }
            }
        }
    }

    /// Waits until one node has the address and nothing is under way: which.
    pub fn settled(&self) -> usize {
        match &self.pair {
            AnyPair::Heartbeat(pair) => pair.expect_settled(),
            // Node 0 has the higher priority.
            AnyPair::Keepalived(pair) => drop(wait_for(PATIENCE, || {
                let has = |node: usize| pair.nodes[node].machine.holds(ADDRESS);
                (has(0) && !has(1)).then_some(())
            })),
        }
        let owner = wait_for(PATIENCE, || {
            let holds = [0, 1].map(|node| self.machine(node).holds(ADDRESS));
            match holds {
                [true, false] => Some(0),
                [false, true] => Some(1),
                _ => None,
            }
        });
        owner.unwrap_or_else(|| {
            panic!(
                "{}: no node, or both, have the address\n{}",
                self.system,
                self.evidence()
            )
        })
    }

    /// Takes a node's power away: cables first, then every process.
    pub fn power_off(&mut self, node: usize) {
        match &mut self.pair {
            AnyPair::Heartbeat(pair) => drop(pair.power_off(node)),
            AnyPair::Keepalived(pair) => drop(pair.nodes[node].power_off()),
        }
    }

    /// Gives it back; its daemon starts.
    pub fn power_on(&mut self, node: usize) {
        match &mut self.pair {
            AnyPair::Heartbeat(pair) => drop(pair.power_on(node)),
            AnyPair::Keepalived(pair) => drop(pair.nodes[node].power_on()),
        }
    }

    /// Asks for a planned move away from this node, as the system's own means have it.
    pub fn move_away(&mut self, node: usize, how: Move) {
        match (&mut self.pair, how) {
            (AnyPair::Heartbeat(pair), _) => {
                let machine = if node == 0 { &pair.a } else { &pair.b };
                let (said, status) = machine.command("hb_standby", &[]);
                assert_eq!(status, Some(0), "hb_standby on node {node}: {said}");
            }
            (AnyPair::Keepalived(pair), Move::Stop) => pair.nodes[node].stop(),
            (AnyPair::Keepalived(pair), Move::Reload { priority }) => {
                pair.nodes[node].reload(priority);
            }
        }
    }

    /// Starts the daemon of a node that was stopped.
    pub fn start_one(&mut self, node: usize) {
        if let AnyPair::Keepalived(pair) = &mut self.pair {
            pair.nodes[node].start();
        }
    }

    /// A client that asks for the address.
    pub fn client(&self, way: Way, pace: Duration) -> Client {
        Client::new(&self.service, CLIENT, ADDRESS, way, pace)
    }

    /// When this node, after a moment, said that the other one is dead.
    pub fn declared_dead(&self, node: usize, after: Moment) -> Option<Moment> {
        let dead = format!("node {}: is dead", self.name(1 - node));
        self.said(node, after, &dead, "Entering MASTER STATE")
    }

    /// When this node, after a moment, knew itself and the other one for active.
    pub fn knew_both_active(&self, node: usize, after: Moment) -> Option<Moment> {
        if let AnyPair::Keepalived(_) = &self.pair {
            let entered = ["Entering MASTER STATE", "Entering BACKUP STATE"];
            return self.said(node, after, "", entered[node]);
        }
        let other = format!(
            "Status update for node {}: status active",
            self.name(1 - node)
        );
        let own = self.said(node, after, "Local status now set to: 'active'", "")?;
        Some(own.max(self.said(node, after, &other, "")?))
    }

    /// When this address came to this node after a moment.
    pub fn arrived(&self, node: usize, after: Moment) -> Option<Moment> {
        self.arrivals[node].first(after, PATIENCE, (ADDRESS, true))
    }

    /// When this node first announced after a moment that it has the address.
    pub fn announced(&self, node: usize, after: Moment) -> Option<Moment> {
        let ethernet = self.ethernet[node];
        let is_it = |seen: &super::segment::Seen| {
            seen.ethernet == ethernet && seen.kind == Kind::Announcement(ADDRESS)
        };
        Some(self.segments.first(after, PATIENCE, is_it)?.at)
    }

    /// When this node first answered the client after a moment.
    pub fn answered(&self, node: usize, after: Moment) -> Option<Moment> {
        let ethernet = self.ethernet[node];
        let is_it = |seen: &super::segment::Seen| {
            let is_answer = match seen.kind {
                Kind::Answer(address) | Kind::Pong(address, _) => address == ADDRESS,
                _ => false,
            };
            is_answer && seen.ethernet == ethernet
        };
        Some(self.segments.first(after, PATIENCE, is_it)?.at)
    }

    /// When this node was heard last on any segment.
    pub fn last_heard(&self, node: usize) -> Option<Moment> {
        let own = [[10, 77, 1], [192, 168, 9]].map(|[a, b, c]| Ipv4Addr::new(a, b, c, HOSTS[node]));
        let seen = self.segments.seen();
        let signs = seen
            .iter()
            .filter(|seen| matches!(seen.kind, Kind::SignOfLife(from) if own.contains(&from)));
        signs.map(|seen| seen.at).max()
    }

    /// What the daemons said, for a report of what went wrong.
    pub fn evidence(&self) -> String {
        let [a, b] = match (&self.pair, &self.lines) {
            (AnyPair::Keepalived(pair), _) => [0, 1].map(|node| pair.nodes[node].text()),
            (_, Some(lines)) => [0, 1].map(|node| lines[node].text()),
            (_, None) => Default::default(),
        };
        format!("---- node 0\n{a}---- node 1\n{b}")
    }

    fn said(
        &self,
        node: usize,
        after: Moment,
        heartbeat: &str,
        keepalived: &str,
    ) -> Option<Moment> {
        match (&self.pair, &self.lines) {
            (AnyPair::Keepalived(pair), _) => {
                pair.nodes[node].said_after(after, keepalived, PATIENCE)
            }
            (_, Some(lines)) => lines[node].first(after, PATIENCE, heartbeat),
            (_, None) => None,
        }
    }

    fn name(&self, node: usize) -> &str {
        self.machine(node).name
    }

    fn machine(&self, node: usize) -> &Machine {
        match (&self.pair, node) {
            (AnyPair::Heartbeat(pair), 0) => &pair.a,
            (AnyPair::Heartbeat(pair), _) => &pair.b,
            (AnyPair::Keepalived(pair), _) => &pair.nodes[node].machine,
        }
    }
}

/// Nothing of it goes on.
impl Drop for Contest {
    fn drop(&mut self) {
        if let AnyPair::Keepalived(pair) = &mut self.pair {
            for node in &mut pair.nodes {
                node.signal(Signal::SIGKILL);
            }
        }
    }
}

/// How a pair with keepalived is made to move; heartbeat has a command for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// The daemon of the owner is stopped.
    Stop,
    /// The owner gets another priority, and reads its file again.
    Reload {
        /// The new one.
        priority: u8,
    },
}

fn setup(system: System, names: [&'static str; 2], terms: Terms) -> Setup {
    let millis = |time: Duration| u32::try_from(time.as_millis()).expect("a short time");
    Setup {
        names,
        hosts: HOSTS,
        keepalive: millis(terms.keepalive),
        deadtime: millis(terms.deadtime),
        auto_failback: Some(if terms.failback { "on" } else { "off" }),
        groups: vec![format!("{} IPaddr::{ADDRESS}/24/eth0", names[0])],
        media: Some("bcast eth0\nucast eth1 192.168.9.1\nucast eth1 192.168.9.2\n"),
        programs: (system == System::Original).then_some([Program::Old306; 2]),
        more: if system == System::Original {
            "debug 0\n" // the laboratory wants debug lines of it, which would slow it down
        } else {
            ""
        },
        ..Setup::default()
    }
}

/// The interval with which keepalived's silence is nearest to a deadtime; it has steps of 10 ms.
fn interval(deadtime: Duration) -> Duration {
    let steps = (1..=500).map(|step| Duration::from_millis(step * 10));
    let nearest = steps.min_by_key(|interval| master_down(*interval).abs_diff(deadtime));
    nearest.unwrap_or(deadtime)
}

/// `Master_Down_Interval`: three intervals, and a part of one more that is the larger the lower the priority.
fn master_down(interval: Duration) -> Duration {
    interval * 3 + interval * (256 - PRIORITY) / 256
}
