//! A client on the service network, which asks for an address again and again. Its answers are seen on the segment.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use heartbeat::os::netlink::Netlink;
use heartbeat::os::packet::PacketSocket;
use heartbeat::resource::inquiry::question;
use socket2::{Domain, Protocol, Socket, Type};

use super::lab::namespace::Namespace;
use super::lab::network::{Cable, Switch};
use super::moment;

/// How it asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// By ARP, to everybody: whoever has the address answers, whatever was announced.
    Arp,
    /// By ping: to where the client believes the address to be.
    Ping,
}

/// The client. It stops asking when it is dropped.
pub struct Client {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    _cable: Cable,
}

impl Client {
    /// Comes to a segment and asks from now on, once in each `pace`.
    pub fn new(
        segment: &Switch,
        own: Ipv4Addr,
        address: Ipv4Addr,
        way: Way,
        pace: Duration,
    ) -> Self {
        let namespace = Namespace::new(":");
        let cable = segment.attach(&namespace, "eth0", own);
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let thread = thread::spawn(move || {
            namespace.enter();
            moment::be_prompt();
            let ask = questioner(address, way);
            let began = Instant::now();
            for number in 0_u32.. {
                let due = began + pace * number;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if stop.load(Ordering::SeqCst) {
                    return;
                }
                ask(number);
            }
        });
        Self {
            is_over,
            thread: Some(thread),
            _cable: cable,
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What asks once. A question that cannot be sent is one without an answer.
fn questioner(address: Ipv4Addr, way: Way) -> Box<dyn Fn(u32)> {
    match way {
        Way::Arp => {
            let (index, ethernet) = own_interface();
            let frame = question(IpAddr::V4(address), ethernet);
            let socket = PacketSocket::open().expect("root of the sandbox");
            Box::new(move |_| drop(socket.send(index, &frame)))
        }
        Way::Ping => {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4))
                .expect("root of the sandbox");
            socket.set_nonblocking(true).expect("a plain socket");
            let to = SocketAddr::from((address, 0)).into();
            Box::new(move |number| drop(socket.send_to(&ping(number), &to)))
        }
    }
}

/// Number and Ethernet address of `eth0` on the machine of the calling thread.
pub fn own_interface() -> (u32, [u8; 6]) {
    let all = Netlink::open().and_then(|mut netlink| netlink.interfaces());
    let found = all.ok().and_then(|all| {
        let eth0 = all.into_iter().find(|each| each.name == "eth0")?;
        Some((eth0.index, eth0.ethernet?))
    });
    found.expect("every machine has an eth0")
}

/// A request for an echo. The number goes round after 65,536, which is more than one measurement has.
fn ping(number: u32) -> [u8; 8] {
    let number = u16::try_from(number % 65_536).unwrap_or_default();
    let [high, low] = number.to_be_bytes();
    let mut request = [8, 0, 0, 0, 0x48, 0x42, high, low];
    let words = request
        .chunks_exact(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = u16::try_from(folded & 0xffff).unwrap_or_default() + u16::from(folded > 0xffff);
    request[2..4].copy_from_slice(&(!folded).to_be_bytes());
    request
}
