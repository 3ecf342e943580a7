//! Pairs that take over many addresses, again and again, each node from the other.

use std::fs;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::sightings::{Sightings, Times, now, says, since_1970};
use crate::keepalived::{Keepalived, Wanted};
use crate::lab::network::Failure;
use crate::lab::{Networks, PATIENCE, Pair, Program, Setup, eventually, wait_for};

/// Nothing of ours or of keepalived takes as long.
const LIMIT: Duration = Duration::from_secs(60);
/// Nor does 3.0.6 with a hundred addresses.
const LIMIT_OLD: Duration = Duration::from_secs(180);

/// How addresses stand in haresources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// All in one line.
    OneLine,
    /// Each in a line of its own.
    Lines,
}

/// So many, in 10.78/16.
pub fn addresses(number: u16) -> Vec<Ipv4Addr> {
    let address = |number: u16| {
        let [high, low] = number.to_be_bytes();
        Ipv4Addr::new(10, 78, high, low)
    };
    (1..=number).map(address).collect()
}

/// A pair with heartbeat, and what is seen of it.
pub struct Ours {
    /// The machines.
    pub pair: Pair,
    sightings: Sightings,
    count: usize,
    owner: usize,
}

impl Ours {
    /// Starts both nodes; the first has all addresses.
    pub fn new(
        networks: &Networks,
        sightings: &Sightings,
        (number, shape): (u16, Shape),
        program: Program,
    ) -> Self {
        let twin = format!("-{number}-{shape:?}-{program:?}-{}", now().as_millis());
        let setup = Setup {
            twin: Box::leak(twin.into_boxed_str()),
            keepalive: 100,
            deadtime: 1000,
            auto_failback: Some("off"),
            groups: Vec::new(), // looking for thousands of addresses all the time is work that counts here
            programs: (program == Program::Old306).then_some([program; 2]),
            ..Setup::default()
        };
        let mut pair = Pair::new(networks, setup);
        let all = addresses(number);
        let words = all
            .iter()
            .map(|address| format!("IPaddr::{address}/16/eth0"));
        let words: Vec<String> = words.collect();
        let lines = match shape {
            Shape::OneLine => format!("alpha {}\n", words.join(" ")),
            Shape::Lines => format!("alpha {}\n", words.join("\nalpha ")),
        };
        for (index, machine) in [&mut pair.a, &mut pair.b].into_iter().enumerate() {
            fs::write(machine.file("ha.d/haresources"), &lines).expect("our own file system");
            let own = Ipv4Addr::new(10, 78, 255, u8::try_from(index).expect("two") + 1);
            machine.add_wide_address("eth0", own);
            sightings.watch_addresses(index, machine);
            if program == Program::Ours {
                sightings.watch_deaths(index, machine);
            }
        }
        sightings.clear();
        pair.a.start();
        pair.b.start();
        let this = Self {
            pair,
            sightings: sightings.clone(),
            count: all.len(),
            owner: 0,
        };
        this.expect_served();
        this
    }

    /// The owner's power is gone: how long the other node takes from when it declares it dead.
    pub fn take_over(&mut self) -> Times {
        let (dies, takes) = (self.owner, 1 - self.owner);
        let is_old = self.pair.a.program == Program::Old306;
        let log = self.machine(takes).file("ha-log");
        if is_old {
            let _ = fs::write(&log, "");
        }
        // The owner announces its addresses now and then, too; from now on nobody hears it.
        self.machine(dies).cut_all(Failure::Silent);
        self.sightings.clear();
        let died = since_1970(self.pair.power_off(dies));
        let death = if is_old {
            wait_for(PATIENCE, || says(&log, "is dead").then(now))
        } else {
            self.sightings.death(takes, died, LIMIT)
        };
        let death = death.expect("it is declared dead");
        let limit = if is_old { LIMIT_OLD } else { LIMIT };
        // 3.0.6 announces an address from a program of its own, that of ours is in two forms.
        let rounds = if is_old { 1 } else { 2 };
        let times = self
            .sightings
            .times(takes, self.count, rounds, death, limit);
        let times = times.expect("the other node takes over");
        self.owner = takes;
        times
    }

    /// The other node comes back, and serves nothing.
    pub fn mend(&mut self) {
        self.pair.power_on(1 - self.owner);
        self.pair.expect_settled();
    }

    /// The machine that has the addresses.
    pub fn owner(&self) -> &crate::lab::machine::Machine {
        self.machine(self.owner)
    }

    /// Its number.
    pub fn owner_number(&self) -> usize {
        self.owner
    }

    fn machine(&self, number: usize) -> &crate::lab::machine::Machine {
        if number == 0 {
            &self.pair.a
        } else {
            &self.pair.b
        }
    }

    fn expect_served(&self) {
        let limit = Duration::from_secs(300);
        let served = wait_for(limit, || {
            (self.sightings.present(0) >= self.count).then_some(())
        });
        assert!(served.is_some(), "the first node serves within {limit:?}");
        self.pair.expect_settled();
    }
}

impl Drop for Ours {
    /// Their addresses are used again by others.
    fn drop(&mut self) {
        self.pair.power_off(0);
        self.pair.power_off(1);
    }
}

/// A pair with keepalived, and what is seen of it.
pub struct Other {
    pair: Keepalived,
    sightings: Sightings,
    count: usize,
    owner: usize,
}

impl Other {
    /// Starts both nodes; the first has all addresses.
    pub fn new(networks: &Networks, sightings: &Sightings, number: u16) -> Self {
        let wanted = Wanted {
            interval: Duration::from_millis(100),
            addresses: addresses(number),
            signed: false,
            failback: false,
        };
        let mut pair = Keepalived::new(networks, ["north", "south"], [21, 22], &wanted);
        for (index, node) in pair.nodes.iter_mut().enumerate() {
            let own = Ipv4Addr::new(10, 78, 254, u8::try_from(index).expect("two") + 1);
            node.machine.add_wide_address("eth0", own);
            sightings.watch_addresses(index, &node.machine);
        }
        sightings.clear();
        pair.nodes[0].start();
        let count = wanted.addresses.len();
        eventually("the first node serves", || sightings.present(0) >= count);
        let started = pair.nodes[1].start();
        let this = Self {
            pair,
            sightings: sightings.clone(),
            count,
            owner: 0,
        };
        this.expect_standby(1, started);
        this
    }

    /// The owner's power is gone: how long the other node takes from when it says that it becomes the master. `None` when it
    /// does not say so, for it had become that while the owner lived.
    pub fn take_over(&mut self) -> Option<Times> {
        let (dies, takes) = (self.owner, 1 - self.owner);
        self.pair.nodes[dies].machine.cut_all(Failure::Silent);
        self.sightings.clear();
        let died = self.pair.nodes[dies].power_off();
        let line = self.pair.nodes[takes].line_after(died, "Entering MASTER STATE", PATIENCE);
        let death = since_1970(line?);
        let times = self.sightings.times(takes, self.count, 1, death, LIMIT);
        self.owner = takes;
        Some(times.expect("the other node takes over"))
    }

    /// The other node comes back, and serves nothing.
    pub fn mend(&mut self) {
        let other = 1 - self.owner;
        let started = self.pair.nodes[other].power_on();
        self.expect_standby(other, started);
    }

    /// It has begun to listen: from then on it notices the death of the other.
    fn expect_standby(&self, number: usize, started: Instant) {
        let node = &self.pair.nodes[number];
        let line = node.line_after(started, "Entering BACKUP STATE", PATIENCE);
        assert!(line.is_some(), "keepalived is standby within {PATIENCE:?}");
        std::thread::sleep(Duration::from_millis(500)); // and has heard the other
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        for node in &mut self.pair.nodes {
            node.power_off();
        }
    }
}
