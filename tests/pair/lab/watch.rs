//! Watching floating addresses: which machine holds each one, from when to when, to a millisecond.

use std::net::{Ipv4Addr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::namespace::Namespace;
use super::{PATIENCE, wait_for};

/// A time during which a machine certainly had an address: seen at both ends.
#[derive(Debug, Clone, Copy)]
pub struct Hold {
    /// First seen.
    pub from: Instant,
    /// Last seen.
    pub until: Instant,
    /// Whether it is there still.
    pub lasts: bool,
}

/// The watch over some addresses on some machines.
#[derive(Clone)]
pub struct Watch {
    addresses: Vec<Ipv4Addr>,
    /// By machine, then by address.
    holds: Vec<Arc<Mutex<Vec<Vec<Hold>>>>>,
}

/// Whether this address belongs to the calling thread's machine: only then a socket can be bound to it.
pub fn is_local(address: Ipv4Addr) -> bool {
    UdpSocket::bind((address, 0)).is_ok()
}

impl Watch {
    /// Watches from now on.
    pub fn new(machines: &[&Namespace], addresses: &[Ipv4Addr]) -> Self {
        let holds = machines.iter().map(|machine| {
            let holds = Arc::new(Mutex::new(vec![Vec::new(); addresses.len()]));
            let (machine, addresses, seen) =
                (machine.share(), addresses.to_vec(), Arc::clone(&holds));
            thread::spawn(move || {
                machine.enter();
                loop {
                    look(&addresses, &seen);
                    thread::sleep(Duration::from_millis(1));
                }
            });
            holds
        });
        Self {
            addresses: addresses.to_vec(),
            holds: holds.collect(),
        }
    }

    /// All times that a machine held an address.
    pub fn holds(&self, machine: usize, address: Ipv4Addr) -> Vec<Hold> {
        let index = self
            .addresses
            .iter()
            .position(|known| *known == address)
            .expect("a watched address");
        let holds = self.holds[machine]
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        holds[index].clone()
    }

    /// The machines that hold an address now.
    pub fn owners(&self, address: Ipv4Addr) -> Vec<usize> {
        let all = 0..self.holds.len();
        all.filter(|&machine| {
            self.holds(machine, address)
                .last()
                .is_some_and(|hold| hold.lasts)
        })
        .collect()
    }

    /// Waits until exactly this machine holds the address: the moment since which it does.
    #[track_caller]
    pub fn expect_owner(&self, machine: usize, address: Ipv4Addr) -> Instant {
        let found = wait_for(PATIENCE, || {
            (self.owners(address) == [machine]).then_some(())
        });
        assert!(
            found.is_some(),
            "within {PATIENCE:?} machine {machine} did not become the only owner of {address}; owners: {:?}",
            self.owners(address)
        );
        self.holds(machine, address)
            .last()
            .expect("it holds the address")
            .from
    }

    /// The times when two machines certainly held the address at once.
    pub fn double_ownership(&self, address: Ipv4Addr) -> Vec<(Instant, Instant)> {
        let mut found = Vec::new();
        for one in 0..self.holds.len() {
            for other in one + 1..self.holds.len() {
                for a in self.holds(one, address) {
                    for b in self.holds(other, address) {
                        let (from, until) = (a.from.max(b.from), a.until.min(b.until));
                        if from < until {
                            found.push((from, until));
                        }
                    }
                }
            }
        }
        found
    }

    /// How many times the address came to a machine, on all machines together.
    pub fn moves(&self, address: Ipv4Addr) -> usize {
        (0..self.holds.len())
            .map(|machine| self.holds(machine, address).len())
            .sum()
    }
}

fn look(addresses: &[Ipv4Addr], seen: &Mutex<Vec<Vec<Hold>>>) {
    let states: Vec<(Instant, bool, Instant)> = addresses
        .iter()
        .map(|&address| (Instant::now(), is_local(address), Instant::now()))
        .collect();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    for (holds, (before, present, after)) in seen.iter_mut().zip(states) {
        match (holds.last_mut(), present) {
            (Some(hold), true) if hold.lasts => hold.until = before,
            (Some(hold), false) => hold.lasts = false,
            (_, true) => holds.push(Hold {
                from: after,
                until: after,
                lasts: true,
            }),
            (None, false) => {}
        }
    }
}
