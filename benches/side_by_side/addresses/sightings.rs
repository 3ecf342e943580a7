//! When addresses were there, and when they were announced.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use heartbeat::os::interface;
use heartbeat::os::netlink;
use netlink_sys::{SocketAddr, protocols::NETLINK_ROUTE};
use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, LinkAddr, MsgFlags, recvmsg, setsockopt, sockopt};
use nix::sys::stat::Mode;
use nix::sys::time::TimeSpec;
use nix::unistd::mkfifo;
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use crate::lab::machine::Machine;
use crate::lab::namespace::run_batch;

/// Room for everything that comes at once.
const BUFFER: usize = 64 << 20;
const RTM_NEWADDR: u16 = 20;
const ETH_P_ALL: u16 = 3;
const ETH_P_ARP: u32 = 0x0806;
/// `RTNLGRP_IPV4_IFADDR` of <linux/rtnetlink.h>.
const IPV4_ADDRESSES: u32 = 5;

/// Everything that was seen. Times are since 1970.
#[derive(Clone, Default)]
pub struct Sightings(Arc<(Mutex<Seen>, Condvar)>);

#[derive(Default)]
struct Seen {
    since: Duration,
    /// By machine.
    present: [BTreeMap<Ipv4Addr, Duration>; 2],
    /// The first two announcements.
    announced: BTreeMap<Ipv4Addr, [Option<Duration>; 2]>,
    /// When a log said that a node is dead, by machine.
    deaths: [Vec<Duration>; 2],
}

/// What came of a takeover, from when the other node was declared dead.
#[derive(Debug, Clone, Copy)]
pub struct Times {
    /// Until the last address was there.
    pub present: Duration,
    /// Until the last address was announced for the first time.
    pub announced: Duration,
    /// Until the last address was announced twice.
    pub twice: Option<Duration>,
}

/// Now, since 1970.
pub fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("later")
}

/// A moment of the other clock, since 1970.
pub fn since_1970(moment: Instant) -> Duration {
    let ago = Instant::now().saturating_duration_since(moment);
    now().saturating_sub(ago)
}

impl Sightings {
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Watches the announcements on a segment from now on.
    pub fn of(switch: &str) -> Self {
        let this = Self::default();
        this.watch_announcements(switch);
        this
    }

    /// Forgets all, and takes note of what comes from now on only: what was sent before may be read later.
    pub fn clear(&self) {
        *self.seen() = Seen {
            since: now(),
            ..Seen::default()
        };
    }

    /// Watches the addresses of a machine, in the order of the kernel, from now on.
    pub fn watch_addresses(&self, number: usize, machine: &Machine) {
        let socket = machine.namespace.within(|| {
            let mut socket = netlink_sys::Socket::new(NETLINK_ROUTE).expect("a socket");
            socket.bind(&SocketAddr::new(0, 0)).expect("bound");
            socket.add_membership(IPV4_ADDRESSES).expect("a group");
            setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).expect("only root measures");
            socket
        });
        let store = self.clone();
        thread::spawn(move || {
            let mut buffer = Vec::with_capacity(4096);
            loop {
                buffer.clear();
                socket.recv(&mut buffer, 0).expect("room for everything");
                let time = now();
                let is_new = buffer.get(4..6) == Some(&RTM_NEWADDR.to_ne_bytes()[..]);
                let told = buffer.get(16..).and_then(netlink::address);
                if let Some(IpAddr::V4(address)) = told.filter(|_| is_new).map(|told| told.address)
                {
                    let mut seen = store.seen();
                    seen.present[number].entry(address).or_insert(time);
                    store.0.1.notify_all();
                }
            }
        });
    }

    /// By the kernel's clock.
    fn watch_announcements(&self, switch: &str) {
        run_batch("ip", &[format!("link set {switch} promisc on")]);
        let index = interface::index(switch).expect("our own switch");
        let all = Protocol::from(i32::from(ETH_P_ALL.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(all)).expect("only root measures");
        let filter =
            filter(index).map(|(code, yes, no, number)| SockFilter::new(code, yes, no, number));
        socket.attach_filter(&filter).expect("a sound program");
        setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).expect("only root measures");
        setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("known for long");
        let store = self.clone();
        thread::spawn(move || {
            let mut buffer = [0; 2048];
            loop {
                let mut control = cmsg_space!(TimeSpec);
                let mut parts = [std::io::IoSliceMut::new(&mut buffer)];
                let flags = MsgFlags::empty();
                let received =
                    recvmsg::<LinkAddr>(socket.as_raw_fd(), &mut parts, Some(&mut control), flags)
                        .expect("the switch stays");
                let time = received
                    .cmsgs()
                    .expect("whole")
                    .find_map(|message| match message {
                        ControlMessageOwned::ScmTimestampns(time) => Some(Duration::from(time)),
                        _ => None,
                    });
                let length = received.bytes;
                let frame = buffer.get(..length).unwrap_or_default();
                let (Some(address), Some(time)) = (announced(frame), time) else {
                    continue;
                };
                let mut seen = store.seen();
                if time < seen.since {
                    continue;
                }
                let times = seen.announced.entry(address).or_default();
                if let Some(place) = times.iter_mut().find(|place| place.is_none()) {
                    *place = Some(time);
                    store.0.1.notify_all();
                }
            }
        });
    }

    /// Reads what our daemon says on standard error, each line when it comes, from now on. Call it before the daemon starts.
    pub fn watch_deaths(&self, number: usize, machine: &Machine) {
        let path = machine.file("stderr");
        let _ = std::fs::remove_file(&path);
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("our own file system");
        // Open for writing as well, so that there is no end when the daemon dies.
        let pipe = File::options().read(true).write(true).open(&path);
        let pipe = pipe.expect("made just now");
        let store = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                if line.ends_with("is dead") {
                    let time = now();
                    store.seen().deaths[number].push(time);
                    store.0.1.notify_all();
                }
            }
        });
    }

    /// When a machine has said that the other one is dead, after a moment.
    pub fn death(&self, number: usize, since: Duration, limit: Duration) -> Option<Duration> {
        self.wait(limit, |seen| {
            let mut deaths = seen.deaths[number].iter();
            deaths.find(|time| **time >= since).copied()
        })
    }

    /// Waits until a machine has so many addresses and they were announced, and as often as `rounds` says. From `death` on.
    pub fn times(
        &self,
        number: usize,
        count: usize,
        rounds: usize,
        death: Duration,
        limit: Duration,
    ) -> Option<Times> {
        self.wait(limit, |seen| {
            let present = seen.present[number].len() >= count;
            let round = rounds.checked_sub(1)?;
            let announced = seen
                .announced
                .values()
                .filter(|times| times[round].is_some());
            (present && announced.count() >= count).then_some(())
        })?;
        let seen = self.seen();
        let last = |round: usize| {
            let times = seen.announced.values().filter_map(|times| times[round]);
            times.max().map(|time| time.saturating_sub(death))
        };
        Some(Times {
            present: seen.present[number].values().max()?.saturating_sub(death),
            announced: last(0)?,
            twice: last(1),
        })
    }

    /// How many addresses a machine was seen to get.
    pub fn present(&self, number: usize) -> usize {
        self.seen().present[number].len()
    }

    fn wait<T>(&self, limit: Duration, look: impl Fn(&Seen) -> Option<T>) -> Option<T> {
        let end = Instant::now() + limit;
        let mut seen = self.seen();
        loop {
            if let Some(found) = look(&seen) {
                return Some(found);
            }
            let left = end.checked_duration_since(Instant::now())?;
            let waited = self.0.1.wait_timeout(seen, left);
            seen = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Lets through ARP that this interface receives or sends, before anything is copied.
fn filter(index: u32) -> [(u16, u8, u8, u32); 6] {
    let interface = 0xffff_f008; // SKF_AD_OFF + SKF_AD_IFINDEX
    [
        (0x20, 0, 0, interface), // BPF_LD | BPF_W | BPF_ABS
        (0x15, 0, 3, index),     // BPF_JMP | BPF_JEQ | BPF_K
        (0x28, 0, 0, 12),        // BPF_LD | BPF_H | BPF_ABS
        (0x15, 0, 1, ETH_P_ARP),
        (0x06, 0, 0, u32::MAX), // BPF_RET | BPF_K
        (0x06, 0, 0, 0),
    ]
}

/// The address that a frame announces by gratuitous ARP.
fn announced(frame: &[u8]) -> Option<Ipv4Addr> {
    if frame.get(12..14)? != [8, 6] {
        return None;
    }
    let sender: [u8; 4] = *frame.get(28..)?.first_chunk()?;
    let target: [u8; 4] = *frame.get(38..)?.first_chunk()?;
    (sender == target && sender != [0; 4]).then(|| sender.into())
}

/// Whether a text stands in a log.
pub fn says(path: &Path, text: &str) -> bool {
    std::fs::read_to_string(path).is_ok_and(|log| log.contains(text))
}
