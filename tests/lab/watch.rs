//! Watching floating addresses: which machine holds each one, from when to when, to a millisecond.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

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
    /// By machine: it has no power, and what its namespace still says does not count.
    off: Vec<Arc<AtomicBool>>,
    /// By machine: it runs 3.0.6, whose addresses go away for a moment when they come.
    blinks: Vec<Arc<AtomicBool>>,
    /// Nobody looks any more.
    rests: Arc<AtomicBool>,
    /// By machine, then by address.
    holds: Vec<Arc<Mutex<Vec<Vec<Hold>>>>>,
}

/// `ifconfig`, with which 3.0.6 adds addresses, first sets one and then its mask, for which Linux takes it away and adds
/// it again. Longer than that lasts even if it is interrupted, and shorter than any stop and start by scripts.
const BLINK: Duration = Duration::from_millis(30);

/// A question that costs so little that it can be asked a thousand times a second: a raw socket can be bound as often
/// as one likes, and only to an address of its machine.
pub struct Probe(Socket);

impl Probe {
    /// One for the calling thread's machine.
    pub fn new() -> Self {
        let protocol = Protocol::from(IPPROTO_RAW); // nothing is ever received by it
        Self(Socket::new(Domain::IPV4, Type::RAW, Some(protocol)).expect("root of the sandbox"))
    }

    /// Whether this address belongs to the machine.
    pub fn is_local(&self, address: Ipv4Addr) -> bool {
        self.0.bind(&SocketAddrV4::new(address, 0).into()).is_ok()
    }
}

/// The number of the protocol whose sockets only send.
const IPPROTO_RAW: i32 = 255;

impl Watch {
    /// Watches from now on.
    pub fn new(machines: &[&Namespace], addresses: &[Ipv4Addr]) -> Self {
        let off: Vec<Arc<AtomicBool>> = machines.iter().map(|_| Arc::default()).collect();
        let blinks: Vec<Arc<AtomicBool>> = machines.iter().map(|_| Arc::default()).collect();
        let rests = Arc::<AtomicBool>::default();
        let each = machines.iter().zip(off.iter().zip(&blinks));
        let holds = each.map(|(machine, (off, blinks))| {
            let holds = Arc::new(Mutex::new(vec![Vec::new(); addresses.len()]));
            let (machine, addresses, seen) =
                (machine.share(), addresses.to_vec(), Arc::clone(&holds));
            let (off, blinks) = (Arc::clone(off), Arc::clone(blinks));
            let rests = Arc::clone(&rests);
            thread::spawn(move || {
                machine.enter();
                let probe = Probe::new();
                // Until nobody asks any more.
                while Arc::strong_count(&seen) > 1 && !rests.load(Ordering::SeqCst) {
                    let blink = if blinks.load(Ordering::SeqCst) {
                        BLINK
                    } else {
                        Duration::ZERO
                    };
                    look(&probe, &addresses, &seen, &off, blink);
                    thread::sleep(Duration::from_millis(1));
                }
            });
            holds
        });
        let holds = holds.collect();
        let addresses = addresses.to_vec();
        Self {
            addresses,
            off,
            blinks,
            rests,
            holds,
        }
    }

    /// Looks no more, for good: to look a thousand times a second costs more than the daemons that are looked at.
    pub fn rest(&self) {
        self.rests.store(true, Ordering::SeqCst);
    }

    /// Whether a machine runs 3.0.6, whose addresses go away for a moment when they come.
    pub fn set_blinks(&self, machine: usize, blinks: bool) {
        self.blinks[machine].store(blinks, Ordering::SeqCst);
    }

    /// Takes the power of a machine away or gives it back.
    pub fn set_power(&self, machine: usize, on: bool) {
        self.off[machine].store(!on, Ordering::SeqCst);
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
        let has = |machine: &usize| {
            let lasts = self
                .holds(*machine, address)
                .last()
                .is_some_and(|hold| hold.lasts);
            lasts && !self.off[*machine].load(Ordering::SeqCst)
        };
        all.filter(has).collect()
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

    /// The times between two holders when certainly no machine had the address.
    pub fn gaps(&self, address: Ipv4Addr) -> Vec<(Instant, Instant)> {
        let machines = 0..self.holds.len();
        let mut holds: Vec<Hold> = machines
            .flat_map(|machine| self.holds(machine, address))
            .collect();
        holds.sort_by_key(|hold| hold.from);
        let mut gaps = Vec::new();
        let mut held_until: Option<Instant> = None;
        for hold in holds {
            if let Some(end) = held_until
                && end < hold.from
            {
                gaps.push((end, hold.from));
            }
            held_until = held_until.max(Some(hold.until));
        }
        gaps
    }

    /// How many times the address came to a machine, on all machines together.
    pub fn moves(&self, address: Ipv4Addr) -> usize {
        (0..self.holds.len())
            .map(|machine| self.holds(machine, address).len())
            .sum()
    }
}

fn look(
    probe: &Probe,
    addresses: &[Ipv4Addr],
    seen: &Mutex<Vec<Vec<Hold>>>,
    off: &AtomicBool,
    blink: Duration,
) {
    let state = |&address: &Ipv4Addr| {
        let before = Instant::now();
        let present = probe.is_local(address) && !off.load(Ordering::SeqCst);
        (before, present, Instant::now())
    };
    let states: Vec<(Instant, bool, Instant)> = addresses.iter().map(state).collect();
    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
    for (holds, (before, present, after)) in seen.iter_mut().zip(states) {
        match (holds.last_mut(), present) {
            (Some(hold), true) if hold.lasts => hold.until = before,
            (Some(hold), true) if before.saturating_duration_since(hold.until) < blink => {
                (hold.until, hold.lasts) = (before, true);
            }
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
