//! When a machine sends its heartbeats, by the kernel's clock, and nothing of what others send it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use heartbeat::os::interface;
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};

use super::lab::namespace::Namespace;
use super::lab::stranger::contains;
use super::moment::Moment;
use super::segment::receive;

/// How long a read waits, after which the tap looks whether it is wanted still.
const LOOK: Duration = Duration::from_millis(200);
/// Behind the Ethernet header: the protocol of IP. VRRP, and the authentication header around it.
const PROTOCOL: usize = 14 + 9;
const VRRP: [u8; 2] = [112, 51];

/// A tap on what one machine sends over one interface.
pub struct Outgoing {
    seen: Arc<Mutex<Vec<Moment>>>,
    is_wanted: Arc<AtomicBool>,
}

impl Outgoing {
    /// Sees from now on.
    pub fn of(machine: &Namespace, interface: &str) -> Self {
        let (socket, index) = machine.within(|| {
            let index = interface::index(interface);
            (open(), index.expect("it was attached"))
        });
        let seen = Arc::new(Mutex::new(Vec::new()));
        let is_wanted = Arc::new(AtomicBool::new(true));
        let (store, wanted) = (Arc::clone(&seen), Arc::clone(&is_wanted));
        thread::spawn(move || {
            while wanted.load(Ordering::SeqCst) {
                if let Some(time) = heartbeat_time(&socket, index) {
                    store
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(time);
                }
            }
        });
        Self { seen, is_wanted }
    }

    /// The longest time without a heartbeat between two moments since 1970, those at both ends included.
    pub fn longest_pause(&self, [from, until]: [Moment; 2]) -> Duration {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let times = seen.iter().copied();
        let times = times.filter(|time| (from..until).contains(time));
        let mut last = from;
        let mut longest = Duration::ZERO;
        for time in times.chain([until]) {
            longest = longest.max(time.saturating_sub(last));
            last = time;
        }
        longest
    }
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.is_wanted.store(false, Ordering::SeqCst);
    }
}

fn open() -> Socket {
    let socket = everything();
    // The kernel keeps away what comes in, which may be a flood: it loads the packet's type, and 4 says that the machine
    // sends it.
    let packet_type = 0xffff_f004; // SKF_AD_OFF + SKF_AD_PKTTYPE
    socket
        .attach_filter(&[
            SockFilter::new(0x20, 0, 0, packet_type),
            SockFilter::new(0x15, 0, 1, 4),
            SockFilter::new(0x06, 0, 0, u32::MAX),
            SockFilter::new(0x06, 0, 0, 0),
        ])
        .expect("a program that the kernel takes");
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true).expect("every socket has times");
    socket
}

/// A socket to which whole frames come from all interfaces of the calling thread's machine, and that waits no longer
/// than [`LOOK`].
pub fn everything() -> Socket {
    let all = Protocol::from(i32::from(0x0003_u16.to_be())); // ETH_P_ALL
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(all)).expect("root may");
    let limit = socket.set_read_timeout(Some(LOOK));
    limit.expect("every socket has a timeout");
    socket
}

/// When the next packet was sent, if it is a heartbeat.
fn heartbeat_time(socket: &Socket, interface: u32) -> Option<Moment> {
    let mut buffer = [0; 2048];
    let (time, length, by) = receive(socket, &mut buffer)?;
    if by != interface {
        return None;
    }
    let frame = buffer.get(..length)?;
    let is_vrrp = frame.get(PROTOCOL).is_some_and(|word| VRRP.contains(word));
    (is_vrrp || contains(frame, b"t=status")).then_some(time)
}
