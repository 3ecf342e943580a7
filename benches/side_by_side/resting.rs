//! What a daemon costs while nothing happens, from `/proc`: all its processes together.

use std::fs;
use std::io::ErrorKind;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use heartbeat::os::interface;
use heartbeat::os::packet_tap::PacketTap;

use super::lab::namespace::run_batch;
use super::lab::stranger::contains;

/// What the kernel has counted of some processes since they began.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    /// On a processor; to a nanosecond.
    processor: Duration,
    /// How often one of them went to sleep by itself, and so was woken.
    wakeups: u64,
    /// How often the processor was taken from one.
    preemptions: u64,
}

/// What a daemon cost, scaled to a minute, and what it has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cost {
    /// Seconds on a processor in a minute.
    pub processor: f64,
    /// Times woken in a minute.
    pub wakeups: f64,
    /// Context switches in a minute, by itself and by others.
    pub switches: f64,
    /// KiB in memory, what others share with it counted in part.
    pub proportional: f64,
    /// KiB in memory.
    pub resident: f64,
    /// Processes.
    pub processes: f64,
    /// Threads of all processes.
    pub threads: f64,
}

impl Cost {
    /// Watches the processes of several daemons for so long; a value for each.
    pub fn of(daemons: &[Vec<i32>], period: Duration) -> Vec<Self> {
        let before: Vec<Counts> = daemons.iter().map(|pids| Counts::of(pids)).collect();
        let began = Instant::now();
        thread::sleep(period);
        let after: Vec<Counts> = daemons.iter().map(|pids| Counts::of(pids)).collect();
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        let spans = before.into_iter().zip(after);
        let costs = daemons.iter().zip(spans).map(|(pids, (before, after))| {
            let processor = after.processor.saturating_sub(before.processor);
            let wakeups = number(after.wakeups - before.wakeups);
            let preemptions = number(after.preemptions - before.preemptions);
            Self {
                processor: processor.as_secs_f64() / minutes,
                wakeups: wakeups / minutes,
                switches: (wakeups + preemptions) / minutes,
                proportional: number(sum(pids, "smaps_rollup", "Pss:")),
                resident: number(sum(pids, "status", "VmRSS:")),
                processes: number(pids.len() as u64),
                threads: number(sum(pids, "status", "Threads:")),
            }
        });
        costs.collect()
    }
}

impl Counts {
    fn of(pids: &[i32]) -> Self {
        let mut all = Self::default();
        for pid in pids {
            let threads = fs::read_dir(format!("/proc/{pid}/task"));
            for thread in threads.into_iter().flatten().flatten() {
                all.add(&thread.path());
            }
        }
        all
    }

    fn add(&mut self, thread: &Path) {
        let read = |name: &str| fs::read_to_string(thread.join(name)).unwrap_or_default();
        let nanos = read("schedstat");
        let nanos = nanos.split_whitespace().next();
        let nanos = nanos.and_then(|word| word.parse().ok()).unwrap_or(0);
        self.processor += Duration::from_nanos(nanos);
        let status = read("status");
        self.wakeups += field(&status, "voluntary_ctxt_switches:");
        self.preemptions += field(&status, "nonvoluntary_ctxt_switches:");
    }
}

/// The sum of a number that each process has in a file of `/proc`.
fn sum(pids: &[i32], file: &str, name: &str) -> u64 {
    let read = |pid: &i32| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
    pids.iter().map(|pid| field(&read(pid), name)).sum()
}

fn field(text: &str, name: &str) -> u64 {
    let rest = text.lines().find_map(|line| line.strip_prefix(name));
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "no count of a minute comes near to 2^52"
)]
pub fn number(count: u64) -> f64 {
    count as f64
}

/// What all heartbeats have in them, and other messages do not.
const HEARTBEAT: &[u8] = b"t=status";

/// A tap on a segment that counts the heartbeats of one sender. What it sees waits in the kernel until it is asked.
pub struct Bytes {
    tap: PacketTap,
    sender: Ipv4Addr,
}

impl Bytes {
    /// On the segment whose switch has this name.
    pub fn new(switch: &str, sender: Ipv4Addr) -> Result<Self, String> {
        run_batch("ip", &[format!("link set {switch} promisc on")]);
        let index = interface::index(switch).map_err(|error| format!("{switch}: {error}"))?;
        let tap = PacketTap::open(index, &[694]).map_err(|error| format!("{switch}: {error}"))?;
        Ok(Self { tap, sender })
    }

    /// How many heartbeats were sent since this was last asked, and how many bytes they have, from their IP headers on.
    pub fn take(&self) -> Result<(u64, u64), String> {
        let mut buffer = vec![0; 65_536];
        let (mut heartbeats, mut bytes) = (0, 0);
        loop {
            let packet = match self.tap.receive(&mut buffer) {
                Ok(packet) => packet,
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(error.to_string()),
            };
            let seen = buffer.get(..packet.length).unwrap_or(&buffer);
            if seen.get(12..16) == Some(&self.sender.octets()) && contains(seen, HEARTBEAT) {
                heartbeats += 1;
                bytes += packet.length as u64;
            }
        }
        match self.tap.dropped() {
            0 => Ok((heartbeats, bytes)),
            lost => Err(format!("{lost} packets were not seen")),
        }
    }
}
