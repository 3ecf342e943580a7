//! A UDP medium: broadcast, unicast or multicast, over IPv4 or IPv6. One socket to send, one to receive.
//!
//! What leaves the machine is as heartbeat 3.0.6 sends it. Beyond its options, receive sockets of multicast are
//! bound to their interface and those of IPv6 take IPv6 only: else a message could count for a link that it did
//! not come on.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use socket2::{Domain, Protocol, Socket, Type};

use crate::config::MediumKind;
use crate::os::interface::{self, InterfaceAddress};
use crate::os::socket;

/// The most bytes that one datagram carries.
pub const MAX_DATAGRAM: usize = 65_507;
/// Low delay, as `ucast` asks of routers.
const TOS_LOW_DELAY: u32 = 0x10;
/// What IPv6 media ask for in send buffers, as heartbeat 3.0.6; the kernel gives what its limits allow.
const SEND_BUFFER_V6: usize = 1024 * 1024;
/// What is asked for to receive. What Linux gives unasked holds less than a hundred large datagrams: where strangers send
/// thousands a second, a loop that stands still for the twentieth part of one would lose the peer's heartbeats.
const RECEIVE_BUFFER: usize = 1024 * 1024;

/// The two sockets of a UDP medium.
#[derive(Debug)]
pub struct UdpPort {
    send: UdpSocket,
    receive: UdpSocket,
    to: SocketAddr,
    /// The interface as it was when the sockets were bound to it.
    index: u32,
}

/// Why a UDP medium can't be opened.
#[derive(Debug)]
pub enum UdpError {
    /// No interface of that name.
    NoInterface {
        /// The directive: `bcast`, `ucast`, …
        word: &'static str,
        /// Interface name.
        interface: String,
        /// What the system said.
        error: io::Error,
    },
    /// The interface has no address of the kind that the medium needs.
    NoAddress {
        /// The directive.
        word: &'static str,
        /// Interface name.
        interface: String,
    },
    /// The host of a `ucast` or `ucast6` line has no address, or one of the other kind.
    NoHost {
        /// The directive.
        word: &'static str,
        /// As configured.
        host: String,
        /// What went wrong.
        why: String,
    },
    /// A step of preparing the sockets failed.
    Socket {
        /// The directive.
        word: &'static str,
        /// Interface name.
        interface: String,
        /// What was tried.
        step: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl std::fmt::Display for UdpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoInterface {
                word,
                interface,
                error,
            } => {
                write!(f, "{word}: interface [{interface}] does not exist: {error}")
            }
            Self::NoAddress {
                word: "bcast",
                interface,
            } => {
                write!(
                    f,
                    "Get broadcast for interface {interface} failed: it has no broadcast address"
                )
            }
            Self::NoAddress { word, interface } => {
                write!(
                    f,
                    "{word} device [{interface}] is invalid or not set up properly: it has no IPv4 address"
                )
            }
            Self::NoHost { word, host, why } => {
                write!(f, "{word}: cannot resolve hostname {host}: {why}")
            }
            Self::Socket {
                word,
                interface,
                step,
                error,
            } => write!(f, "{word} {interface}: cannot {step}: {error}"),
        }
    }
}

impl UdpPort {
    /// Opens a medium on an interface; `peer` is the resolved host of `ucast` and `ucast6`.
    pub fn open(name: &str, kind: &MediumKind, peer: Option<IpAddr>) -> Result<Self, UdpError> {
        let word = word(kind);
        let index = interface::index(name).map_err(|error| UdpError::NoInterface {
            word,
            interface: name.to_owned(),
            error,
        })?;
        let maker = Maker { word, name, index };
        let (send, receive, to) = match kind {
            MediumKind::Bcast { port } => maker.broadcast(*port)?,
            MediumKind::Ucast { host, port } => maker.unicast(host, peer, *port)?,
            MediumKind::Mcast {
                group,
                port,
                ttl,
                loopback,
            } => maker.multicast(*group, *port, *ttl, *loopback)?,
            MediumKind::Ucast6 { host, port } => maker.unicast6(host, peer, *port)?,
            MediumKind::Mcast6 {
                group,
                port,
                hops,
                loopback,
            } => maker.multicast6(*group, *port, *hops, *loopback)?,
            MediumKind::Serial { .. } => {
                return Err(maker.fail("make a network medium of a serial port")(
                    io::ErrorKind::Unsupported.into(),
                ));
            }
        };
        Ok(Self {
            send: send.into(),
            receive: receive.into(),
            to,
            index,
        })
    }

    /// The descriptor to be watched.
    pub fn as_raw_fd(&self) -> RawFd {
        self.receive.as_raw_fd()
    }

    /// Where messages go.
    pub fn destination(&self) -> SocketAddr {
        self.to
    }

    /// The next datagram. The sender's address says nothing and is not asked for.
    pub fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.receive.recv(buffer)
    }

    /// Sends one datagram or fails at once.
    pub fn send(&self, datagram: &[u8]) -> io::Result<()> {
        self.send.send_to(datagram, self.to).map(|_| ())
    }

    /// Why these sockets no longer serve the interface of that name, if so.
    pub fn outdated(&self, name: &str, kind: &MediumKind) -> Option<&'static str> {
        if interface::index(name).ok() != Some(self.index) {
            return Some("the interface is gone or was made anew");
        }
        // While an address is missing the old one stays: an interface that comes back needs no new sockets.
        if matches!(kind, MediumKind::Bcast { .. })
            && interface::addresses().is_ok_and(|all| !still_reaches(name, &all, self.to.ip()))
        {
            return Some("the broadcast address of the interface changed");
        }
        None
    }
}

/// The directive of a medium.
pub fn word(kind: &MediumKind) -> &'static str {
    match kind {
        MediumKind::Serial { .. } => "serial",
        MediumKind::Bcast { .. } => "bcast",
        MediumKind::Ucast { .. } => "ucast",
        MediumKind::Mcast { .. } => "mcast",
        MediumKind::Ucast6 { .. } => "ucast6",
        MediumKind::Mcast6 { .. } => "mcast6",
    }
}

type Sockets = (Socket, Socket, SocketAddr);

/// Builds the sockets of one medium and says which step failed.
struct Maker<'a> {
    word: &'static str,
    name: &'a str,
    index: u32,
}

impl Maker<'_> {
    fn broadcast(&self, port: u16) -> Result<Sockets, UdpError> {
        let address = broadcast_address(self.name).ok_or_else(|| self.no_address())?;
        let send = self.socket(Domain::IPV4)?;
        send.set_broadcast(true)
            .map_err(self.fail("set SO_BROADCAST"))?;
        socket::set_dont_route(&send).map_err(self.fail("set SO_DONTROUTE"))?;
        self.bind_device(&send)?;
        let receive = self.socket(Domain::IPV4)?;
        receive
            .set_reuse_address(true)
            .map_err(self.fail("set SO_REUSEADDR"))?;
        self.bind_device(&receive)?;
        self.bind(&receive, (Ipv4Addr::UNSPECIFIED, port).into())?;
        self.ignore_echoes(&send, &receive);
        Ok((send, receive, (address, port).into()))
    }

    /// Each heartbeat would come back and wake this node once more. Where the kernel has no such filter, the core knows its own
    /// words.
    fn ignore_echoes(&self, send: &Socket, receive: &Socket) {
        let own_port = self
            .bind(send, (Ipv4Addr::UNSPECIFIED, 0).into())
            .ok()
            .and_then(|()| send.local_addr().ok()?.as_socket());
        if let Some(own) = own_port {
            let _ = socket::ignore_echoes(receive, own.port());
        }
    }

    fn unicast(&self, host: &str, peer: Option<IpAddr>, port: u16) -> Result<Sockets, UdpError> {
        let Some(IpAddr::V4(address)) = peer else {
            return Err(self.no_host(host, "it has no IPv4 address"));
        };
        let send = self.socket(Domain::IPV4)?;
        send.set_tos_v4(TOS_LOW_DELAY)
            .map_err(self.fail("set IP_TOS"))?;
        self.bind_device(&send)?;
        send.set_reuse_port(true)
            .map_err(self.fail("set SO_REUSEPORT"))?;
        let receive = self.socket(Domain::IPV4)?;
        receive
            .set_reuse_address(true)
            .map_err(self.fail("set SO_REUSEADDR"))?;
        self.bind_device(&receive)?;
        receive
            .set_reuse_port(true)
            .map_err(self.fail("set SO_REUSEPORT"))?;
        self.bind(&receive, (Ipv4Addr::UNSPECIFIED, port).into())?;
        Ok((send, receive, SocketAddrV4::new(address, port).into()))
    }

    fn multicast(
        &self,
        group: Ipv4Addr,
        port: u16,
        ttl: u8,
        loopback: bool,
    ) -> Result<Sockets, UdpError> {
        let own = first_address(self.name).ok_or_else(|| self.no_address())?;
        let send = self.socket(Domain::IPV4)?;
        send.set_multicast_if_v4(&own)
            .map_err(self.fail("set the outbound interface"))?;
        send.set_multicast_loop_v4(loopback)
            .map_err(self.fail("set the loopback value"))?;
        send.set_multicast_ttl_v4(u32::from(ttl))
            .map_err(self.fail("set the TTL"))?;
        let receive = self.socket(Domain::IPV4)?;
        receive
            .set_reuse_address(true)
            .map_err(self.fail("set SO_REUSEADDR"))?;
        self.bind_device(&receive)?;
        self.bind(&receive, (group, port).into())?;
        receive
            .join_multicast_v4(&group, &own)
            .map_err(self.fail("join the multicast group"))?;
        Ok((send, receive, (group, port).into()))
    }

    fn unicast6(&self, host: &str, peer: Option<IpAddr>, port: u16) -> Result<Sockets, UdpError> {
        let Some(IpAddr::V6(address)) = peer else {
            return Err(self.no_host(host, "it has no IPv6 address"));
        };
        let scope = if address.is_unicast_link_local() {
            self.index
        } else {
            0
        };
        let send = self.socket6()?;
        self.bind_device(&send)?;
        let receive = self.socket6()?;
        receive
            .set_reuse_address(true)
            .map_err(self.fail("set SO_REUSEADDR"))?;
        self.bind_device(&receive)?;
        receive
            .set_reuse_port(true)
            .map_err(self.fail("set SO_REUSEPORT"))?;
        self.bind6(&receive, port)?;
        Ok((
            send,
            receive,
            SocketAddrV6::new(address, port, 0, scope).into(),
        ))
    }

    fn multicast6(
        &self,
        group: Ipv6Addr,
        port: u16,
        hops: u8,
        loopback: bool,
    ) -> Result<Sockets, UdpError> {
        let send = self.socket6()?;
        send.set_multicast_if_v6(self.index)
            .map_err(self.fail("set the outbound interface"))?;
        send.set_multicast_loop_v6(loopback)
            .map_err(self.fail("set the loopback value"))?;
        send.set_multicast_hops_v6(u32::from(hops))
            .map_err(self.fail("set the hop limit"))?;
        let receive = self.socket6()?;
        receive
            .set_reuse_address(true)
            .map_err(self.fail("set SO_REUSEADDR"))?;
        self.bind_device(&receive)?;
        self.bind6(&receive, port)?;
        receive
            .join_multicast_v6(&group, self.index)
            .map_err(self.fail("join the multicast group"))?;
        Ok((send, receive, SocketAddrV6::new(group, port, 0, 0).into()))
    }

    /// Close-on-exec by default, and never blocking.
    fn socket(&self, domain: Domain) -> Result<Socket, UdpError> {
        let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))
            .map_err(self.fail("make a socket"))?;
        socket
            .set_nonblocking(true)
            .map_err(self.fail("make a socket non-blocking"))?;
        Ok(socket)
    }

    fn socket6(&self) -> Result<Socket, UdpError> {
        let socket = self.socket(Domain::IPV6)?;
        socket
            .set_send_buffer_size(SEND_BUFFER_V6)
            .map_err(self.fail("set SO_SNDBUF"))?;
        Ok(socket)
    }

    fn bind_device(&self, socket: &Socket) -> Result<(), UdpError> {
        socket
            .bind_device(Some(self.name.as_bytes()))
            .map_err(self.fail("bind to the device"))
    }

    /// Every receive socket comes by here.
    fn bind(&self, socket: &Socket, address: SocketAddr) -> Result<(), UdpError> {
        socket::set_receive_buffer(socket, RECEIVE_BUFFER).map_err(self.fail("set SO_RCVBUF"))?;
        socket
            .bind(&address.into())
            .map_err(self.fail("bind the receive socket"))
    }

    fn bind6(&self, socket: &Socket, port: u16) -> Result<(), UdpError> {
        socket
            .set_only_v6(true)
            .map_err(self.fail("set IPV6_V6ONLY"))?;
        self.bind(socket, (Ipv6Addr::UNSPECIFIED, port).into())
    }

    fn fail(&self, step: &'static str) -> impl FnOnce(io::Error) -> UdpError {
        let (word, interface) = (self.word, self.name.to_owned());
        move |error| UdpError::Socket {
            word,
            interface,
            step,
            error,
        }
    }

    fn no_address(&self) -> UdpError {
        UdpError::NoAddress {
            word: self.word,
            interface: self.name.to_owned(),
        }
    }

    fn no_host(&self, host: &str, why: &str) -> UdpError {
        UdpError::NoHost {
            word: self.word,
            host: host.to_owned(),
            why: why.to_owned(),
        }
    }
}

/// The broadcast address of an interface; the limited one where an address was configured without any (as
/// `ip address add` does unless it is asked for `broadcast +`).
fn broadcast_address(name: &str) -> Option<Ipv4Addr> {
    let addresses = interface::addresses().ok()?;
    let mut has_address = false;
    let configured = addresses
        .into_iter()
        .filter(|entry| entry.interface == name && entry.address.is_ipv4())
        .inspect(|_| has_address = true)
        .find_map(|entry| entry.broadcast);
    configured.or(has_address.then_some(Ipv4Addr::BROADCAST))
}

/// Whether a broadcast address that was found earlier will do. One of several is enough: a floating address that
/// comes or goes on the same interface changes nothing. The limited one always will, and so does any while the
/// interface has no address.
fn still_reaches(name: &str, all: &[InterfaceAddress], to: IpAddr) -> bool {
    let mut ours = all
        .iter()
        .filter(|entry| entry.interface == name && entry.address.is_ipv4())
        .peekable();
    to == IpAddr::V4(Ipv4Addr::BROADCAST)
        || ours.peek().is_none()
        || ours.any(|entry| entry.broadcast.map(IpAddr::V4) == Some(to))
}

fn first_address(name: &str) -> Option<Ipv4Addr> {
    let addresses = interface::addresses().ok()?;
    addresses
        .into_iter()
        .filter(|entry| entry.interface == name)
        .find_map(|entry| match entry.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
}
