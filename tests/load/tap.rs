//! What leaves the machines, seen from their network: when, by the kernel's clock, so that it does not matter how late it is read.

use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use heartbeat::os::interface;
use heartbeat::os::packet_tap::PacketTap;

use crate::lab::namespace::run_batch;
use crate::lab::stranger::contains;

/// How often what has come is taken.
const PACE: Duration = Duration::from_millis(20);
/// What all heartbeats have in them, and other messages do not.
const HEARTBEAT: &[u8] = b"t=status";

/// A moment since 1970, and who sent a heartbeat then.
type Sighting = (Duration, Ipv4Addr);

/// A tap on one segment.
pub struct Tap {
    seen: Arc<Mutex<Vec<Sighting>>>,
    dropped: Arc<AtomicU64>,
}

/// The pauses between the heartbeats of one sender on one segment.
#[derive(Debug, Clone, Copy, Default)]
pub struct Pauses {
    /// How many heartbeats.
    pub heartbeats: usize,
    /// The longest pause.
    pub longest: Duration,
    /// Of a thousand pauses 999 are no longer.
    pub usual: Duration,
}

impl Tap {
    /// Sees everything on the segment whose switch has this name.
    pub fn new(switch: &str) -> Result<Self, String> {
        run_batch("ip", &[format!("link set {switch} promisc on")]);
        let index = interface::index(switch).map_err(|error| format!("{switch}: {error}"))?;
        let tap = PacketTap::open(index, &[694]).map_err(|error| format!("{switch}: {error}"))?;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let dropped = Arc::new(AtomicU64::new(0));
        let (store, lost) = (Arc::clone(&seen), Arc::clone(&dropped));
        thread::spawn(move || {
            let mut buffer = vec![0; 65_536];
            loop {
                match tap.receive(&mut buffer) {
                    Ok(packet) => {
                        let bytes = buffer.get(..packet.length).unwrap_or(&buffer);
                        let sighting = packet.time.zip(sender(bytes));
                        store
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .extend(sighting);
                    }
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {
                        lost.fetch_add(tap.dropped(), Ordering::SeqCst);
                        thread::sleep(PACE);
                    }
                    Err(error) => panic!("cannot read what is on the network: {error}"),
                }
            }
        });
        Ok(Self { seen, dropped })
    }

    /// Packets that are missing here.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::SeqCst)
    }

    /// The pauses of a sender in a time. That before the first heartbeat and that behind the last count too.
    pub fn pauses(&self, sender: Ipv4Addr, [from, until]: [Duration; 2]) -> Pauses {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let times = seen.iter().filter(|(_, from)| *from == sender);
        let times = times.map(|(time, _)| *time);
        pauses(times, [from, until])
    }
}

fn pauses(times: impl Iterator<Item = Duration>, [from, until]: [Duration; 2]) -> Pauses {
    let mut last = from;
    let mut all = Vec::new();
    for time in times.filter(|time| (from..until).contains(time)) {
        all.push(time.saturating_sub(last));
        last = time;
    }
    let heartbeats = all.len();
    all.push(until.saturating_sub(last));
    all.sort_unstable();
    let usual = all.len() * 999 / 1000;
    Pauses {
        heartbeats,
        longest: all.last().copied().unwrap_or_default(),
        usual: all
            .get(usual.min(all.len() - 1))
            .copied()
            .unwrap_or_default(),
    }
}

/// Who sent a packet of IPv4, if it is a heartbeat.
fn sender(packet: &[u8]) -> Option<Ipv4Addr> {
    let address: [u8; 4] = *packet.get(12..)?.first_chunk()?;
    contains(packet, HEARTBEAT).then(|| address.into())
}
