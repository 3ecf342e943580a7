//! What the tests stand on: a node with a loop of its own, cables between namespaces, a null modem of ptys.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

use heartbeat::cluster::{Instant, Packet};
use heartbeat::config::{
    AutoFailback, CompressionMethod, Config, FailbackCondition, Medium, MediumKind, MessageFormat,
    Metrics, SerialFlow,
};
use heartbeat::daemon::media::Media;
use heartbeat::daemon::media::report::{MediaError, MediaReport};
use heartbeat::message::{Key, Keys, Method};
use mio::{Events, Poll};
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sched::{CloneFlags, setns, unshare};
use nix::time::{ClockId, clock_gettime};

/// Far longer than anything here takes, even on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
/// Any place in the numbers of the loop.
const TOKENS: std::ops::Range<usize> = 100..164;
pub const PORT: u16 = 6694;

/// A node: its media and a loop around them.
pub struct Node {
    pub media: Media,
    poll: Poll,
    events: Events,
    /// What came, with the number of its link.
    pub received: Vec<(u8, Vec<u8>)>,
    pub reports: Vec<MediaReport>,
}

impl Node {
    pub fn open(media: Vec<Medium>) -> Result<Self, MediaError> {
        let poll = Poll::new().expect("a poll");
        let media = Media::open(&config(media), poll.registry(), TOKENS)?;
        Ok(Self {
            media,
            poll,
            events: Events::with_capacity(64),
            received: Vec::new(),
            reports: Vec::new(),
        })
    }

    /// One turn of the loop; gives how many messages it delivered.
    pub fn turn(&mut self, now: Instant) -> usize {
        let wait = if self.media.has_more() {
            Duration::ZERO
        } else {
            Duration::from_millis(2)
        };
        match self.poll.poll(&mut self.events, Some(wait)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => panic!("{error}"),
            _ => {}
        }
        for event in &self.events {
            self.media.ready(event, now);
        }
        let before = self.received.len();
        while let Some((link, bytes)) = self.media.receive() {
            self.received.push((link.0, bytes.to_vec()));
        }
        self.media.turn(now);
        while let Some(report) = self.media.next_report() {
            self.reports.push(report);
        }
        self.received.len() - before
    }

    pub fn send(&mut self, packet: &Rc<Packet>) {
        self.media.send(packet, now());
    }

    pub fn lines(&self) -> Vec<String> {
        self.reports.iter().map(ToString::to_string).collect()
    }

    pub fn has_told(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line.contains(text))
    }

    pub fn has_received(&self, link: u8, bytes: &[u8]) -> bool {
        self.received
            .iter()
            .any(|(on, message)| *on == link && message == bytes)
    }
}

/// Repeats a step until it says that it is done.
pub fn until(what: &str, mut is_done: impl FnMut(Instant) -> bool) {
    let end = now() + LIMIT;
    while !is_done(now()) {
        assert!(now() < end, "in vain: {what}");
    }
}

pub fn now() -> Instant {
    let time = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).expect("the time"));
    Instant::from_micros(u64::try_from(time.as_micros()).expect("not that long"))
}

/// A message in both forms with a number in it.
pub fn packet(number: u32, is_heartbeat: bool) -> Rc<Packet> {
    let datagram = format!("datagram {number}").into_bytes();
    Rc::new(Packet {
        generation: 1,
        datagram,
        text: text(number),
        is_heartbeat,
        is_short: false,
        link: None,
    })
}

/// About as long as a real heartbeat.
pub fn text(number: u32) -> Vec<u8> {
    format!(
        ">>>\nt=status\nseq={number}\nfill={}\n<<<\n",
        "x".repeat(170)
    )
    .into_bytes()
}

pub fn number(text: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(text);
    let value = text.lines().find_map(|line| line.strip_prefix("seq="));
    value
        .and_then(|value| value.parse().ok())
        .expect("a number")
}

/// Runs a test in a network namespace of its own, in a process of its own. `path` is the test's full name.
pub fn in_namespace(path: &str, test: fn(&World)) {
    const INSIDE: &str = "HB_TEST_NAMESPACE";
    if std::env::var_os(INSIDE).is_some() {
        return test(&World::new());
    }
    let can = ["unshare", "ip"].iter().all(|tool| tool_works(tool));
    if !can {
        return skip(
            path,
            "no namespaces here: `unshare -rn` or `ip` does not work",
        );
    }
    let own = std::env::current_exe().expect("the test program");
    let run = Command::new("unshare")
        .arg("-rnm")
        .arg(own)
        .args(["--exact", path, "--nocapture"])
        .env(INSIDE, "1")
        .output();
    let run = run.expect("unshare runs");
    let (out, err) = (
        String::from_utf8_lossy(&run.stdout),
        String::from_utf8_lossy(&run.stderr),
    );
    assert!(
        run.status.success() && out.contains("1 passed"),
        "in the namespace:\n{out}\n{err}"
    );
}

fn skip(path: &str, why: &str) {
    assert!(
        std::env::var_os("HB_TEST_REQUIRE_ALL").is_none_or(|all| all != "1"),
        "{path}: {why}"
    );
    eprintln!("skipped {path}: {why}");
}

fn tool_works(tool: &str) -> bool {
    Command::new("unshare")
        .args(["-rn", tool, "--version"])
        .output()
        .is_ok_and(|run| run.status.success())
        || Command::new("unshare")
            .args(["-rn", tool, "-V"])
            .output()
            .is_ok_and(|run| run.status.success())
}

/// Two machines: two network namespaces. Sockets belong to the one in which they were made.
pub struct World {
    a: File,
    b: File,
    /// Holds the second namespace for `ip`, which wants a process.
    keeper: Child,
}

impl World {
    fn new() -> Self {
        ip("link set lo up");
        let here = || File::open("/proc/thread-self/ns/net").expect("a namespace");
        let a = here();
        unshare(CloneFlags::CLONE_NEWNET).expect("another namespace");
        ip("link set lo up");
        let b = here();
        let keeper = Command::new("cat")
            .stdin(Stdio::piped())
            .spawn()
            .expect("cat runs");
        setns(&a, CloneFlags::CLONE_NEWNET).expect("back");
        Self { a, b, keeper }
    }

    /// Does something on the second machine; all else happens on the first.
    pub fn on_b<T>(&self, action: impl FnOnce() -> T) -> T {
        setns(&self.b, CloneFlags::CLONE_NEWNET).expect("there");
        let result = action();
        setns(&self.a, CloneFlags::CLONE_NEWNET).expect("back");
        result
    }

    /// Joins the machines: an interface of that name on both, with the
    /// addresses `10.88.N.1` and `.2`, `fd88:N::1` and `::2`.
    pub fn cable(&self, name: &str, number: u8) {
        ip(&format!(
            "link add {name} type veth peer name {name} netns {}",
            self.keeper.id()
        ));
        set_up(name, number, 1);
        self.on_b(|| set_up(name, number, 2));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}

fn set_up(name: &str, number: u8, host: u8) {
    ip(&format!("link set {name} addrgenmode none"));
    ip(&format!(
        "addr add 10.88.{number}.{host}/24 broadcast + dev {name}"
    ));
    ip(&format!(
        "addr add fd88:{number}::{host}/64 dev {name} nodad"
    ));
    ip(&format!(
        "addr add fe80::{number}:{host}/64 dev {name} nodad"
    ));
    ip(&format!("link set {name} up"));
}

pub fn ip(arguments: &str) {
    let run = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .expect("ip runs");
    assert!(
        run.status.success(),
        "ip {arguments}: {}",
        String::from_utf8_lossy(&run.stderr)
    );
}

/// One end of a serial cable: the program has the port, the test has the wire.
pub struct Wire {
    far_end: File,
    port: Option<OwnedFd>,
    path: PathBuf,
}

impl Wire {
    pub fn new() -> Self {
        let pty = openpty(None, None).expect("a pty");
        let path = nix::unistd::ttyname(&pty.slave).expect("its name");
        let flags = OFlag::O_NONBLOCK;
        fcntl(&pty.master, FcntlArg::F_SETFL(flags)).expect("non-blocking");
        Self {
            far_end: pty.master.into(),
            port: Some(pty.slave),
            path,
        }
    }

    /// The device to be configured.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the port to the program alone, so that its settings and its hang-up are its own.
    pub fn let_go(&mut self) {
        self.port = None;
    }

    /// Everything that has arrived.
    pub fn read(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut piece = [0; 4096];
        while let Ok(count @ 1..) = self.far_end.read(&mut piece) {
            all.extend_from_slice(&piece[..count]);
        }
        all
    }

    /// Writes as much as fits.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        self.far_end.write(bytes).unwrap_or(0)
    }

    pub fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.far_end.as_fd()
    }
}

/// Carries what came from one wire to the other, as a null modem does.
pub fn relay(a: &mut Wire, b: &mut Wire) {
    let from_a = a.read();
    b.write(&from_a);
    let from_b = b.read();
    a.write(&from_b);
}

pub fn serial(device: &Path, baud: u32) -> Medium {
    let link = device.to_string_lossy().into_owned();
    Medium {
        link,
        kind: MediumKind::Serial {
            device: device.to_owned(),
            baud,
            flow: SerialFlow::Auto,
        },
    }
}

pub fn bcast(interface: &str) -> Medium {
    medium(interface, MediumKind::Bcast { port: PORT })
}

pub fn ucast(interface: &str, host: &str) -> Medium {
    medium(
        interface,
        MediumKind::Ucast {
            host: host.to_owned(),
            port: PORT,
        },
    )
}

pub fn ucast6(interface: &str, host: &str) -> Medium {
    medium(
        interface,
        MediumKind::Ucast6 {
            host: host.to_owned(),
            port: PORT,
        },
    )
}

pub fn mcast(interface: &str) -> Medium {
    let group = Ipv4Addr::new(239, 0, 88, 1);
    medium(
        interface,
        MediumKind::Mcast {
            group,
            port: PORT,
            ttl: 1,
            loopback: false,
        },
    )
}

pub fn mcast6(interface: &str) -> Medium {
    let group = "ff02::8801".parse().expect("a group");
    medium(
        interface,
        MediumKind::Mcast6 {
            group,
            port: PORT,
            hops: 1,
            loopback: false,
        },
    )
}

fn medium(interface: &str, kind: MediumKind) -> Medium {
    Medium {
        link: interface.to_owned(),
        kind,
    }
}

fn config(media: Vec<Medium>) -> Config {
    let mut entries = [const { None }; 16];
    entries[1] = Some(Key {
        method: Method::Crc,
        text: Vec::new(),
    });
    let second = Duration::from_secs(1);
    Config {
        local_node: "alpha".to_owned(),
        peer_node: "beta".to_owned(),
        nodes: vec!["alpha".to_owned(), "beta".to_owned()],
        keepalive: second,
        deadtime: 10 * second,
        warntime: 5 * second,
        initdead: 20 * second,
        deadping: 10 * second,
        auto_failback: AutoFailback::Off,
        failback: FailbackCondition::Nothing,
        media,
        ping_nodes: Vec::new(),
        logfile: None,
        debugfile: None,
        logfacility: None,
        log_to_syslog: false,
        debug: 0,
        syslogmsgfmt: false,
        log_badpack: true,
        fencing: heartbeat::config::Fencing::default(),
        last_link: heartbeat::config::LastLink::Takeover,
        stop_failure: heartbeat::config::StopFailure::Hold,
        watchdog: None,
        realtime: false,
        rtprio: 1,
        coredumps: true,
        coreroot: PathBuf::new(),
        msgfmt: MessageFormat::Classic,
        compression: CompressionMethod::Zlib,
        compression_threshold: 2,
        traditional_compression: false,
        max_rexmit_delay: second,
        hopfudge: 1,
        generation_from_time: false,
        uuid_from_node_name: false,
        env: Vec::new(),
        respawn: Vec::new(),
        announce_every: second,
        check_address: Duration::ZERO,
        carrier_loss: None,
        monitors: Vec::new(),
        metrics: Metrics::default(),
        alerts: Vec::new(),
        apiauth: Vec::new(),
        timeouts: Vec::new(),
        cluster: String::new(),
        parameters: Vec::new(),
        lines: Vec::new(),
        terms: Vec::new(),
        keys: Keys {
            entries,
            signing: 1,
        },
        groups: Vec::new(),
        directory: PathBuf::new(),
    }
}
