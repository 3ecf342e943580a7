//! A peer that does the least that 3.0.6 asks of one, so that a test can say through it what our daemon never says.
//! What it says is made by the library.

use std::fs::OpenOptions;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use heartbeat::message::{Key, Keys, Message, Method, TextFrames, open, seal};
use nix::fcntl::OFlag;

use crate::lab::Link;
use crate::lab::machine::Machine;

/// How often it says that it is alive.
const KEEPALIVE: Duration = Duration::from_millis(200);

/// The peer, which goes on until the test ends.
pub struct MinimalPeer {
    shared: Arc<Mutex<Shared>>,
}

/// What it knows, and its way out.
struct Shared {
    way: Way,
    generation: u64,
    number: u64,
    is_active: bool,
    acknowledged: u64,
    asked_again: usize,
}

/// One medium.
enum Way {
    Network(UdpSocket, (Ipv4Addr, u16)),
    Serial(std::fs::File),
}

impl MinimalPeer {
    /// Speaks as the first node, from its machine, on one link.
    pub fn start(machine: &Machine, link: Link) -> Self {
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let shared = Arc::new(Mutex::new(Shared {
            way: Way::open(machine, link),
            generation: seconds.expect("after 1970").as_secs(),
            number: 0,
            is_active: false,
            acknowledged: 0,
            asked_again: 0,
        }));
        let (ear, mouth) = (Arc::clone(&shared), Arc::clone(&shared));
        let mut source = lock(&shared).way.share();
        thread::spawn(move || {
            let mut frames = TextFrames::new();
            let mut buffer = vec![0; 65_536];
            while let Some(count) = source.read(&mut buffer) {
                if matches!(source, Way::Network(..)) {
                    lock(&ear).hear(&buffer[..count]);
                    continue;
                }
                frames.push(&buffer[..count]);
                while let Some(frame) = frames.next_frame() {
                    lock(&ear).hear(frame);
                }
            }
        });
        thread::spawn(move || {
            let mut next = Instant::now();
            loop {
                lock(&mouth).say_status();
                next += KEEPALIVE;
                thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        Self { shared }
    }

    /// Says this, with a header: the number that it got.
    pub fn send(&self, message: &Message) -> u64 {
        let mut shared = lock(&self.shared);
        shared.say(message);
        shared.number
    }

    /// The highest number that the other acknowledged.
    pub fn acknowledged(&self) -> u64 {
        lock(&self.shared).acknowledged
    }

    /// How often the other asked for something again.
    pub fn asked_again(&self) -> usize {
        lock(&self.shared).asked_again
    }
}

fn lock(shared: &Mutex<Shared>) -> std::sync::MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    fn say_status(&mut self) {
        let mut status = Message::new();
        status.push_text("t", "status");
        let word = match (self.number, self.is_active) {
            (0, _) => "init",
            (_, false) => "up",
            (_, true) => "active",
        };
        status.push_text("st", word);
        status.push_text("dt", "9c4");
        status.push_text("protocol", "1");
        self.say(&status);
    }

    fn say(&mut self, message: &Message) {
        let mut whole = Message::new();
        for field in message.fields() {
            whole.push(field).expect("a sound message");
        }
        self.number += 1;
        whole.push_text("src", "alpha");
        whole.push_binary("srcuuid", b"a minimal peer's");
        whole.push_fmt("seq", format_args!("{:x}", self.number));
        whole.push_fmt("hg", format_args!("{:x}", self.generation));
        whole.push_fmt("ts", format_args!("{:x}", self.generation));
        whole.push_text("ld", "n/a");
        whole.push_text("ttl", "3");
        whole.push_text("auth", "");
        let (mut datagram, mut text) = (Vec::new(), Vec::new());
        seal(&whole, &keys(), 1, true, &mut datagram, &mut text).expect("a key and a fitting size");
        self.way.write(&datagram, &text);
    }

    /// Answers what has to be answered.
    fn hear(&mut self, bytes: &[u8]) {
        let mut message = Message::new();
        if open(bytes, &keys(), &mut message).is_err() || message.text("src") != Some("beta") {
            return;
        }
        let mut answer = Message::new();
        match message.text("t") {
            Some("reqnodes") => {
                answer.push_text("t", "repnodes");
                answer.push_text("dest", "beta");
                answer.push_text("nodelist", "alpha beta ");
                answer.push_text("delnodelist", " ");
                self.say(&answer);
                self.is_active = true;
            }
            Some("starting") => {
                answer.push_text("t", "resource");
                answer.push_text("rsc_hold", "none");
                answer.push_text("rtype", "full");
                answer.push_text("isstable", "1");
                self.say(&answer);
            }
            Some("NS_ackmsg") if message.text("dest") == Some("alpha") => {
                let number = message.text("ackseq").unwrap_or_default();
                let number = u64::from_str_radix(number, 16).unwrap_or_default();
                self.acknowledged = self.acknowledged.max(number);
            }
            Some("NS_rexmit") if message.text("dest") == Some("alpha") => self.asked_again += 1,
            _ => {}
        }
    }
}

impl Way {
    fn open(machine: &Machine, link: Link) -> Self {
        if link == Link::Serial {
            let port = OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(OFlag::O_NOCTTY.bits())
                .open(machine.file("dev/ttyS0"));
            return Self::Serial(port.expect("a port without a daemon"));
        }
        let other = match link {
            Link::Eth0 => Ipv4Addr::new(10, 77, 1, 255),
            _ => Ipv4Addr::new(192, 168, 9, 2),
        };
        let socket = machine.namespace.within(|| {
            let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 694)).expect("no daemon has it");
            socket.set_broadcast(true).expect("a plain socket");
            socket
        });
        Self::Network(socket, (other, 694))
    }

    fn share(&self) -> Self {
        match self {
            Self::Network(socket, other) => {
                Self::Network(socket.try_clone().expect("descriptors are left"), *other)
            }
            Self::Serial(port) => Self::Serial(port.try_clone().expect("descriptors are left")),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Option<usize> {
        match self {
            Self::Network(socket, _) => socket.recv(buffer).ok(),
            Self::Serial(port) => port.read(buffer).ok(),
        }
    }

    fn write(&mut self, datagram: &[u8], text: &[u8]) {
        let _ = match self {
            Self::Network(socket, other) => socket.send_to(datagram, *other).map(|_| ()),
            Self::Serial(port) => port.write_all(text),
        };
    }
}

/// Those of every pair here.
fn keys() -> Keys {
    let mut entries = [const { None }; 16];
    entries[1] = Some(Key {
        method: Method::Sha1,
        text: b"a-secret-of-the-laboratory".to_vec(),
    });
    Keys {
        entries,
        signing: 1,
    }
}
