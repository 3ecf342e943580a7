//! Echo requests to the hosts of ping nodes, and what comes back.
//!
//! Each host has a raw socket of its own that is connected to it, so that the kernel keeps away what others send. A
//! reply counts only with this run's secret in it and a number that was not answered yet: see `ping/echo.rs`.

pub mod echo;

use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::Socket;

use echo::{BUFFER, Echo, raw_socket};

use super::media::TokenRange;
use super::media::resolver::{self, Lookup};
use super::state;
use crate::cluster::{Instant, PingId};
use crate::config::{Config, PingNode, parse_address};
use crate::os::interface;

/// Packets that one host may deliver in one turn.
const SHARE: u32 = 16;
/// After so many requests without an answer the socket is opened anew: it may be bound to an address that has moved.
/// An answer may also be that long on its way, so the number doubles each time.
const RENEW_AFTER: u64 = 4;
/// Up to this.
const RENEW_SELDOM: u64 = 64;
/// Pause between two attempts to find the address of a host.
const LOOK_UP_AGAIN: Duration = Duration::from_secs(10);

/// Everything that is pinged.
#[derive(Debug)]
pub struct Pings {
    registry: Registry,
    tokens: TokenRange,
    hosts: Vec<Host>,
    echo: Echo,
    /// The host to be read next.
    next: usize,
    /// Requests sent so far to each host.
    beat: u64,
}

/// One host of a ping node.
#[derive(Debug)]
struct Host {
    node: PingId,
    /// As written.
    name: String,
    v6: bool,
    target: Option<SocketAddr>,
    lookup: Option<Lookup>,
    look_up_at: Instant,
    socket: Option<Socket>,
    /// There may be more to read; the event loop tells this once only.
    is_ready: bool,
    /// What it may still deliver in this turn.
    share: u32,
    /// The newest request that was answered.
    answered: u64,
    /// The newest request when an answer came last, or the socket was opened.
    alive_at: u64,
    /// How many requests without an answer there may be.
    patience: u64,
    /// It was told that it can't be asked.
    is_in_trouble: bool,
}

/// Why nothing can be pinged.
#[derive(Debug)]
pub enum PingError {
    /// Raw sockets are not for this process.
    Permission {
        /// The first host.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// The event loop or the random source fails.
    Io(String),
    /// More hosts than there are numbers for.
    TooMany {
        /// How many there may be.
        limit: usize,
    },
}

impl PingError {
    /// Whether it is for lack of permission.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::Permission { .. })
    }
}

impl std::fmt::Display for PingError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Permission { host, error } => write!(
                f,
                "cannot ping {host}: a raw socket needs the capability CAP_NET_RAW ({error}). Start heartbeat as root, \
                 or remove the lines ping, ping6 and ping_group from ha.cf"
            ),
            Self::Io(why) => write!(f, "cannot ping: {why}"),
            Self::TooMany { limit } => write!(f, "more than {limit} hosts to ping"),
        }
    }
}

impl Pings {
    /// Finds all hosts, as long as that takes, and opens a socket for each. What can't be found or reached is tried
    /// again with each request.
    pub fn open(
        config: &Config,
        registry: &Registry,
        tokens: TokenRange,
    ) -> Result<Self, PingError> {
        let io = |error: &dyn std::fmt::Display| PingError::Io(error.to_string());
        let registry = registry.try_clone().map_err(|error| io(&error))?;
        let mut pings = Self {
            registry,
            hosts: Vec::new(),
            echo: Echo::new(state::random_bytes().map_err(|error| io(&error))?),
            next: 0,
            beat: 0,
            tokens,
        };
        for (node, id) in config.ping_nodes.iter().zip(0..=u8::MAX) {
            for name in &node.hosts {
                pings.add(PingId(id), name, node.v6)?;
            }
            log::info!("ping heartbeat started.");
        }
        Ok(pings)
    }

    /// The ping nodes with a host that is an address of this machine, or one that the pair moves: they say nothing
    /// about the network.
    pub fn own(&self, config: &Config) -> Vec<PingId> {
        let words = config.groups.iter().flat_map(|group| &group.resources);
        let floating: Vec<IpAddr> = words
            .filter_map(|word| Some(parse_address(word)?.ok()?.address))
            .collect();
        let own = interface::addresses().unwrap_or_default();
        let is_own = |address: IpAddr| {
            floating.contains(&address) || own.iter().any(|entry| entry.address == address)
        };
        let hosts = self.hosts.iter();
        let mut found: Vec<PingId> = hosts
            .filter(|host| host.target.is_some_and(|target| is_own(target.ip())))
            .map(|host| host.node)
            .collect();
        found.dedup();
        found
    }

    /// Sends one request to every host. Never waits.
    pub fn send(&mut self, now: Instant) {
        self.beat = self.beat.saturating_add(1);
        for index in 0..self.hosts.len() {
            self.find(index, now);
            self.renew(index);
            let Some(host) = self.hosts.get_mut(index) else {
                continue;
            };
            let Some(mut socket) = host.socket.as_ref() else {
                continue;
            };
            let packet = self.echo.request(host.v6, index, self.beat);
            match socket.write(&packet) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => {
                    host.tell(&error);
                    self.close(index);
                }
            }
        }
    }

    /// Takes note that a socket is ready; events of others are ignored.
    pub fn ready(&mut self, event: &Event) {
        let index = event.token().0.checked_sub(self.tokens.start);
        if let Some(host) = index.and_then(|index| self.hosts.get_mut(index)) {
            host.is_ready = host.socket.is_some();
        }
    }

    /// The next ping node that has answered, from all hosts by turns. `None`: each had its share, or has no more.
    pub fn receive(&mut self) -> Option<PingId> {
        for _ in 0..self.hosts.len() {
            let index = self.next;
            self.next = (index + 1) % self.hosts.len();
            if let Some(node) = self.receive_from(index) {
                return Some(node);
            }
        }
        for host in &mut self.hosts {
            host.share = SHARE;
        }
        None
    }

    /// Whether a host had more than its share: do not wait before the next turn.
    pub fn has_more(&self) -> bool {
        self.hosts.iter().any(|host| host.is_ready)
    }

    fn add(&mut self, node: PingId, name: &str, v6: bool) -> Result<(), PingError> {
        let index = self.hosts.len();
        let limit = self.tokens.len();
        if index >= limit {
            return Err(PingError::TooMany { limit });
        }
        let mut host = Host {
            node,
            name: name.to_owned(),
            v6,
            target: None,
            lookup: None,
            look_up_at: Instant::default(),
            socket: None,
            is_ready: false,
            share: SHARE,
            answered: 0,
            alive_at: 0,
            patience: RENEW_AFTER,
            is_in_trouble: false,
        };
        match resolver::resolve(name, v6) {
            Ok(address) => host.target = Some(target(address, name)),
            Err(why) => host.tell(&format!("cannot resolve it: {why}")),
        }
        // Whether this process may is seen whatever the host is.
        match raw_socket(v6) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let host = host.name;
                return Err(PingError::Permission { host, error });
            }
            _ => {}
        }
        self.hosts.push(host);
        self.renew(index);
        Ok(())
    }

    /// Looks after the address of a host that had none at start.
    fn find(&mut self, index: usize, now: Instant) {
        let Some(host) = self.hosts.get_mut(index).filter(|h| h.target.is_none()) else {
            return;
        };
        let answer = match &mut host.lookup {
            Some(lookup) => lookup.poll(now),
            None if host.look_up_at <= now => match Lookup::start(&host.name, host.v6, now) {
                Ok(lookup) => {
                    host.lookup = Some(lookup);
                    None
                }
                Err(error) => Some(Err(error.to_string())),
            },
            None => None,
        };
        let Some(answer) = answer else { return };
        host.lookup = None;
        host.look_up_at = now + LOOK_UP_AGAIN;
        // That it can't be found was told at the start.
        if let Ok(address) = answer {
            host.target = Some(target(address, &host.name));
        }
    }

    /// Opens the socket of a host that has none, and anew where nothing came back for a while.
    fn renew(&mut self, index: usize) {
        let beat = self.beat;
        let Some(host) = self.hosts.get_mut(index) else {
            return;
        };
        if host.socket.is_some() && beat.saturating_sub(host.alive_at) > host.patience {
            host.patience = host.patience.saturating_mul(2).min(RENEW_SELDOM);
            self.close(index);
        }
        let token = Token(self.tokens.start + index);
        let Some(host) = self.hosts.get_mut(index).filter(|h| h.socket.is_none()) else {
            return;
        };
        let Some(target) = host.target else { return };
        let opened = self.echo.socket(target).and_then(|socket| {
            let mut source = SourceFd(&socket.as_raw_fd());
            self.registry
                .register(&mut source, token, Interest::READABLE)?;
            Ok(socket)
        });
        match opened {
            Ok(socket) => {
                (host.socket, host.is_ready) = (Some(socket), true);
                host.alive_at = beat;
            }
            Err(error) => host.tell(&error),
        }
    }

    fn close(&mut self, index: usize) {
        let Some(host) = self.hosts.get_mut(index) else {
            return;
        };
        host.is_ready = false;
        if let Some(socket) = host.socket.take() {
            // The descriptor is closed next, which also takes it out of the loop should this fail.
            let _ = self.registry.deregister(&mut SourceFd(&socket.as_raw_fd()));
        }
    }

    fn receive_from(&mut self, index: usize) -> Option<PingId> {
        let beat = self.beat;
        let echo = &self.echo;
        let host = self.hosts.get_mut(index)?;
        let mut buffer = [0; BUFFER];
        while host.is_ready && host.share > 0 {
            let read = host.socket.as_ref()?.read(&mut buffer);
            match read {
                Ok(length) => {
                    host.share -= 1;
                    let packet = buffer.get(..length)?;
                    let number = echo.answered(packet, host.v6, index);
                    // Each request is answered once: nothing that was recorded is an answer.
                    if let Some(number) = number.filter(|n| (host.answered + 1..=beat).contains(n))
                    {
                        (host.answered, host.alive_at) = (number, beat);
                        host.patience = RENEW_AFTER;
                        host.is_in_trouble = false;
                        return Some(host.node);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // Nothing more, or what routers say about our requests: the next answer is an event of its own.
                Err(_) => host.is_ready = false,
            }
        }
        None
    }
}

impl Host {
    /// Says what is wrong, once until it answers.
    fn tell(&mut self, why: &dyn std::fmt::Display) {
        if !std::mem::replace(&mut self.is_in_trouble, true) {
            log::warn!("cannot ping {}: {why}", self.name);
        }
    }
}

/// Whether a ping node may be told from the pair itself by what `ha.cf` and `haresources` say; see [`Pings::own`].
pub fn counts(node: &PingNode, id: PingId, own: &[PingId]) -> bool {
    node.counts && !own.contains(&id)
}

/// An address with its zone, where the host was written with one.
fn target(address: IpAddr, name: &str) -> SocketAddr {
    let zone = name.split_once('%').map(|(_, zone)| zone);
    let scope = zone.and_then(|zone| zone.parse().ok().or_else(|| interface::index(zone).ok()));
    match address {
        IpAddr::V4(_) => SocketAddr::new(address, 0),
        IpAddr::V6(v6) => SocketAddrV6::new(v6, 0, 0, scope.unwrap_or(0)).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_zone_goes_with_its_address() {
        let scope = |name: &str| match target("fe80::1".parse().expect("an address"), name) {
            SocketAddr::V6(address) => address.scope_id(),
            SocketAddr::V4(_) => panic!("not IPv4"),
        };
        assert_eq!(scope("fe80::1"), 0);
        assert_eq!(scope("fe80::1%7"), 7);
        assert_eq!(scope("fe80::1%lo"), 1);
    }
}
