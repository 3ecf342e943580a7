//! The least that a heartbeat over three links can cost here: a loop that sends the same bytes, takes those of the other node and
//! does nothing with them. What it costs is the kernel's part, and the emulated network's.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::AsFd as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use heartbeat::os::{socket, tty};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::time::{ClockId, clock_gettime};
use socket2::{Domain, Protocol, Socket, Type};

use super::lab::Pair;
use super::lab::namespace::Namespace;

/// The name of its rows.
pub const BARE_LOOP: &str = "a loop that only sends and reads the same bytes";

/// What a heartbeat of ours has, as text and on a serial line.
const DATAGRAM: [u8; 368] = [b'x'; 368];
const LINE: [u8; 33] = [b'x'; 33];
const PORT: u16 = 694;

/// One node, and what it sends to.
struct Node {
    machine: Namespace,
    to: [(&'static str, Ipv4Addr); 2],
    serial: PathBuf,
}

struct Links {
    sockets: [(Socket, SocketAddrV4); 2],
    serial: File,
}

/// Seconds on a processor in a minute, of each node of a pair that was not started.
pub fn processor(pair: &Pair, keepalive: Duration, period: Duration) -> Vec<f64> {
    let nodes = [&pair.a, &pair.b].into_iter().enumerate();
    let threads = nodes.map(|(number, machine)| {
        let node = Node {
            machine: machine.namespace.share(),
            to: [
                ("eth0", Ipv4Addr::new(10, 77, 1, 255)),
                ("eth1", pair.setup.private_address(1 - number)),
            ],
            serial: machine.file("dev/ttyS0"),
        };
        thread::spawn(move || {
            node.machine.enter();
            node.open().run(keepalive, period)
        })
    });
    let threads: Vec<_> = threads.collect();
    let ended = threads.into_iter().map(thread::JoinHandle::join);
    ended
        .map(|cost| cost.expect("it said why it gave up"))
        .collect()
}

impl Node {
    fn open(&self) -> Links {
        Links {
            sockets: self.to.map(|(interface, to)| {
                let socket = datagrams(interface).expect("root may");
                (socket, SocketAddrV4::new(to, PORT))
            }),
            serial: line(&self.serial).expect("the null modem made it"),
        }
    }
}

fn datagrams(interface: &str) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.bind_device(Some(interface.as_bytes()))?;
    socket.set_broadcast(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT).into())?;
    socket::ignore_echoes(&socket, PORT)?;
    Ok(socket)
}

fn line(path: &Path) -> std::io::Result<File> {
    let flags = libc::O_NOCTTY | libc::O_NONBLOCK;
    let mut options = OpenOptions::new();
    let file = options
        .read(true)
        .write(true)
        .custom_flags(flags)
        .open(path)?;
    tty::set_raw_modes(file.as_fd())?;
    Ok(file)
}

impl Links {
    /// The seconds a minute that this thread was on a processor.
    fn run(mut self, keepalive: Duration, period: Duration) -> f64 {
        let clock = ClockId::CLOCK_THREAD_CPUTIME_ID;
        let time = || Duration::from(clock_gettime(clock).expect("every thread has it"));
        let (before, began) = (time(), Instant::now());
        let mut due = began;
        while began.elapsed() < period {
            if due <= Instant::now() {
                self.send();
                due += keepalive;
            }
            self.wait(due.saturating_duration_since(Instant::now()));
        }
        let minutes = began.elapsed().as_secs_f64() / 60.0;
        time().saturating_sub(before).as_secs_f64() / minutes
    }

    fn send(&mut self) {
        // A daemon goes on as well when one of its links takes nothing.
        let _ = self.serial.write(&LINE);
        for (socket, to) in &self.sockets {
            let _ = socket.send_to(&DATAGRAM, &(*to).into());
        }
    }

    fn wait(&mut self, time: Duration) {
        let [(first, _), (second, _)] = &self.sockets;
        let wanted = [first.as_fd(), second.as_fd(), self.serial.as_fd()];
        let mut wanted = wanted.map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        // It counts whole milliseconds, and less than one would be none.
        let time =
            PollTimeout::try_from(time + Duration::from_millis(1)).unwrap_or(PollTimeout::MAX);
        if poll(&mut wanted, time).is_err() {
            return;
        }
        let ready = wanted.map(|fd| fd.any().unwrap_or(false));
        let mut datagram = [MaybeUninit::uninit(); 2048];
        for ((socket, _), _) in self.sockets.iter().zip(ready).filter(|(_, ready)| *ready) {
            let _ = socket.recv(&mut datagram);
        }
        if ready.last() == Some(&true) {
            let _ = self.serial.read(&mut [0; 4096]);
        }
    }
}
