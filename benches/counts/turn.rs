//! A turn of the daemon's own loop, with real sockets: what the shell costs around the core.

use std::net::UdpSocket;
use std::path::Path;
use std::time::Duration;

use heartbeat::cluster::{Action, Cluster, Event, LinkId, NodeStatus};
use heartbeat::control::Places;
use heartbeat::daemon::clock;
use heartbeat::daemon::command_line::CommandLine;
use heartbeat::daemon::event_loop::{Daemon, Turn};
use heartbeat::daemon::pid_file::PidFile;
use heartbeat::daemon::start;
use mio::Events;
use nix::sched::{CloneFlags, unshare};
use socket2::{Domain, Protocol, Socket, Type};

use super::lab::namespace::run;
use super::lab::stranger::contains;
use super::meter::{Case, Meter};
use super::pair::{AUTHKEYS, GENERATION, config, core};

/// Nothing but what comes is ever due while it is counted.
const HA_CF: &str = "\
node alpha beta
ucast lo 127.0.0.2
keepalive 4
warntime 500
deadtime 1000
initdead 1000
realtime off
";

/// The daemon, and its peer.
const ADDRESSES: [&str; 2] = ["127.0.0.1:694", "127.0.0.2:694"];
/// The only link.
const LINK: LinkId = LinkId(0);
/// How many turns are counted: the first of a second does a little more than others.
const TURNS: usize = 64;

/// All of these.
pub fn cases() -> Vec<Case> {
    vec![
        Case::new("turn_64_with_a_heartbeat", with_heartbeat),
        Case::new("turn_64_with_a_replay", with_replay),
        Case::new("turn_with_64_replays", with_replays),
    ]
}

/// A daemon of our own process, its peer's core, and the peer's socket.
struct Scene {
    daemon: Daemon,
    events: Events,
    pid_file: PidFile,
    peer: Cluster,
    socket: UdpSocket,
}

impl Scene {
    /// They have met, and have nothing to say.
    fn settled(directory: &Path) -> Self {
        unshare(CloneFlags::CLONE_NEWNET).expect("a sandbox may make namespaces");
        run("ip", &["link", "set", "lo", "up"]);
        let line = CommandLine {
            foreground: true,
            no_realtime: true,
            ..CommandLine::default()
        };
        let places = Places::new(Some(directory));
        let pid_file = PidFile::claim(&places.pid_file).expect("a new directory");
        let [own, other] = ["alpha", "beta"].map(|node| config(node, HA_CF, AUTHKEYS, ""));
        let (daemon, _lock) = start::open(&line, &places, own).expect("nothing is in its way");
        let mut scene = Self {
            daemon,
            events: Events::with_capacity(256),
            pid_file,
            peer: core(clock::now(), &other, GENERATION),
            socket: listen(),
        };
        while !scene.has_settled() {
            scene.talk();
        }
        scene
    }

    fn has_settled(&self) -> bool {
        let statuses = [self.peer.local_status(), self.peer.peer_status()];
        statuses == [NodeStatus::Active; 2]
            && self.peer.next_deadline() > clock::now() + Duration::from_secs(2)
    }

    /// One turn of the daemon, with all that the peer has to say before.
    fn talk(&mut self) {
        for datagram in said(&mut self.peer) {
            self.send(&datagram);
        }
        self.turn();
        let mut buffer = [0; 4096]; // more than anything that is said here
        while let Ok(length) = self.socket.recv(&mut buffer) {
            let bytes = &buffer[..length];
            self.peer
                .handle(clock::now(), Event::Received { link: LINK, bytes });
        }
    }

    fn send(&self, datagram: &[u8]) {
        let sent = self.socket.send_to(datagram, ADDRESSES[0]);
        assert_eq!(sent.expect("the loopback takes it"), datagram.len());
    }

    fn turn(&mut self) {
        let turn = self.daemon.turn(&mut self.events, &mut self.pid_file);
        assert_eq!(turn, Turn::Whole);
    }

    /// Heartbeats of the peer, one after the other.
    fn heartbeats(&mut self, count: usize) -> Vec<Vec<u8>> {
        let mut now = clock::now();
        let mut heartbeats = Vec::new();
        while heartbeats.len() < count {
            now = now + Duration::from_secs(4);
            self.peer.handle(now, Event::Tick);
            while let Some(action) = self.peer.next_action() {
                if let Action::Send(packet) = action
                    && packet.is_heartbeat
                {
                    heartbeats.push(packet.datagram.clone());
                }
            }
        }
        heartbeats.truncate(count);
        heartbeats
    }

    /// Whether the daemon has told that it lives. A turn that waits for more than a datagram ends with that. Now and then it
    /// tells what it has received; that belongs to what heartbeats cost.
    fn has_waited(&self) -> bool {
        let mut buffer = [0; 4096]; // more than anything that is said here
        while let Ok(length) = self.socket.recv(&mut buffer) {
            if contains(&buffer[..length], b"t=status") {
                return true;
            }
        }
        false
    }
}

/// On the same port and interface as the daemon's: the kernel gives each what is for its address.
fn listen() -> UdpSocket {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).expect("a socket");
    socket.set_reuse_address(true).expect("an option");
    socket.set_reuse_port(true).expect("an option");
    socket.set_nonblocking(true).expect("an option");
    socket.bind_device(Some(b"lo")).expect("the loopback");
    let address: std::net::SocketAddr = ADDRESSES[1].parse().expect("an address");
    socket.bind(&address.into()).expect("its own namespace");
    socket.into()
}

fn said(core: &mut Cluster) -> Vec<Vec<u8>> {
    core.handle(clock::now(), Event::Tick);
    let actions = std::iter::from_fn(|| core.next_action());
    let datagrams = actions.filter_map(|action| match action {
        Action::Send(packet) => Some(packet.datagram.clone()),
        _ => None,
    });
    datagrams.collect()
}

fn with_heartbeat(meter: &mut Meter, _: usize) {
    let directory = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::settled(directory.path());
    let heartbeats = scene.heartbeats(TURNS + 1);
    scene.send(&heartbeats[0]);
    scene.turn();
    meter.measure(|| {
        for heartbeat in &heartbeats[1..] {
            scene.send(heartbeat);
            scene.turn();
        }
    });
    assert!(!scene.has_waited(), "each turn had a heartbeat");
}

fn with_replay(meter: &mut Meter, _: usize) {
    let directory = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::settled(directory.path());
    let heartbeat = scene.heartbeats(1).remove(0);
    for _ in 0..10 {
        scene.send(&heartbeat);
        scene.turn();
    }
    meter.measure(|| {
        for _ in 0..TURNS {
            scene.send(&heartbeat);
            scene.turn();
        }
    });
    assert!(!scene.has_waited(), "each turn had a replay");
}

/// A flood: many wait when the loop comes round.
fn with_replays(meter: &mut Meter, _: usize) {
    let directory = tempfile::tempdir().expect("a folder");
    let mut scene = Scene::settled(directory.path());
    let heartbeat = scene.heartbeats(1).remove(0);
    for _ in 0..10 {
        scene.send(&heartbeat);
        scene.turn();
    }
    for _ in 0..TURNS {
        scene.send(&heartbeat);
    }
    meter.measure(|| scene.turn());
    assert!(!scene.has_waited(), "the turn had its replays");
}
