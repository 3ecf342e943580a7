//! A pair of machines with three cables between them: serial, a service network, a private network.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use super::journal::Mark;
use super::machine::{Machine, here};
use super::network::{Failure, Switch};
use super::null_modem::{Line, NullModem};
use super::program::Program;
use super::watch::Watch;
use super::{eventually, files};

/// The two segments that pairs (and strangers) are connected to.
pub struct Networks {
    /// Clients are here, and the floating addresses: `eth0`.
    pub service: Switch,
    /// Only the pairs are here: `eth1`.
    pub private: Switch,
}

impl Networks {
    /// Two empty segments.
    pub fn new() -> Self {
        Self {
            service: Switch::new("service"),
            private: Switch::new("private"),
        }
    }
}

/// What a pair is like. The defaults make a quick pair with one group that prefers the first node.
#[derive(Clone)]
pub struct Setup {
    /// Node names; the first is `a` of the [`Pair`].
    pub names: [&'static str; 2],
    /// Empty, or what tells a second pair of the same names in the same sandbox apart.
    pub twin: &'static str,
    /// Last bytes of the nodes' own addresses.
    pub hosts: [u8; 2],
    /// First bytes of the addresses on the service network.
    pub service: [u8; 3],
    /// The same on the private network.
    pub private: [u8; 3],
    /// `authkeys` after its first line.
    pub key: &'static str,
    /// Milliseconds.
    pub keepalive: u32,
    /// Milliseconds.
    pub deadtime: u32,
    /// Milliseconds; half of `deadtime` where nothing is said.
    pub warntime: Option<u32>,
    /// Milliseconds.
    pub initdead: u32,
    /// The directive's value, or no such line.
    pub auto_failback: Option<&'static str>,
    /// Bits per second, in the file and on the line.
    pub baud: u32,
    /// Lines of haresources.
    pub groups: Vec<String>,
    /// The media lines of ha.cf; by default a link for each of the three cables.
    pub media: Option<&'static str>,
    /// What is installed on the two machines; by default ours runs with its files in a directory of its own.
    pub programs: Option<[Program; 2]>,
    /// More lines for ha.cf.
    pub more: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            names: ["alpha", "beta"],
            twin: "",
            hosts: [1, 2],
            service: [10, 77, 1],
            private: [192, 168, 9],
            key: "1 sha1 a-secret-of-the-laboratory",
            keepalive: 200,
            deadtime: 1500,
            warntime: None,
            initdead: 10_000,
            auto_failback: Some("on"),
            baud: 115_200,
            groups: vec!["alpha IPaddr::10.77.1.100/24/eth0 disk::data".to_owned()],
            media: None,
            programs: None,
            more: "",
        }
    }
}

impl Setup {
    /// The own address of a node on the service network.
    pub fn service_address(&self, node: usize) -> Ipv4Addr {
        let [a, b, c] = self.service;
        Ipv4Addr::new(a, b, c, self.hosts[node])
    }

    /// The own address of a node on the private network.
    pub fn private_address(&self, node: usize) -> Ipv4Addr {
        let [a, b, c] = self.private;
        Ipv4Addr::new(a, b, c, self.hosts[node])
    }

    /// The floating addresses that the groups name.
    pub fn floating(&self) -> Vec<Ipv4Addr> {
        let words = self
            .groups
            .iter()
            .flat_map(|line| line.split([' ', ':', '/']));
        words.filter_map(|word| word.parse().ok()).collect()
    }

    /// ha.cf, the same for both nodes.
    pub fn ha_cf(&self) -> String {
        let media = format!(
            "serial /dev/ttyS0\nbcast eth0\nucast eth1 {}\nucast eth1 {}\n",
            self.private_address(0),
            self.private_address(1),
        );
        let media = self.media.unwrap_or(&media);
        let debug = match self.programs {
            Some(_) => format!("debugfile {}/ha-debug\ndebug 1\n", here().display()),
            None => String::new(),
        };
        let failback = self
            .auto_failback
            .map_or(String::new(), |value| format!("auto_failback {value}\n"));
        let warntime = self
            .warntime
            .map_or(String::new(), |millis| format!("warntime {millis}ms\n"));
        format!(
            "logfile {here}/ha-log\n\
             {debug}\
             keepalive {keepalive}ms\n\
             deadtime {deadtime}ms\n\
             {warntime}\
             initdead {initdead}ms\n\
             {failback}\
             baud {baud}\n\
             udpport 694\n\
             {media}\
             node {names}\n\
             {more}",
            here = here().display(),
            keepalive = self.keepalive,
            deadtime = self.deadtime,
            initdead = self.initdead,
            baud = self.baud,
            names = self.names.join(" "),
            more = self.more,
        )
    }
}

/// One of the three ways between the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The null modem.
    Serial,
    /// The service network.
    Eth0,
    /// The private network.
    Eth1,
}

impl Link {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Serial, Self::Eth0, Self::Eth1];

    /// As the daemon calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Serial => "/dev/ttyS0",
            Self::Eth0 => "eth0",
            Self::Eth1 => "eth1",
        }
    }
}

/// The two machines and what joins them.
pub struct Pair {
    /// The node that is named first.
    pub a: Machine,
    /// The other.
    pub b: Machine,
    /// The serial cable.
    pub modem: NullModem,
    /// The watch over the floating addresses; machine 0 is `a`.
    pub watch: Watch,
    /// What it was made from.
    pub setup: Setup,
    address: Ipv4Addr,
}

impl Pair {
    /// Sets up both machines, their files and cables; starts nothing.
    pub fn new(networks: &Networks, setup: Setup) -> Self {
        let [mut a, mut b] = setup
            .names
            .map(|name| Machine::new(name, &format!("{name}{}", setup.twin)));
        let modem = NullModem::new(
            [&a.file("dev/ttyS0"), &b.file("dev/ttyS0")],
            Some(setup.baud),
        );
        for (node, machine) in [&mut a, &mut b].into_iter().enumerate() {
            machine.attach(&networks.service, "eth0", setup.service_address(node));
            machine.attach(&networks.private, "eth1", setup.private_address(node));
            if let Some(programs) = setup.programs {
                machine.install(programs[node]);
            }
        }
        let floating = setup.floating();
        let watch = Watch::new(&[&a.namespace, &b.namespace], &floating);
        for (node, machine) in [&a, &b].into_iter().enumerate() {
            watch.set_blinks(node, machine.program == Program::Old306);
        }
        let address = floating.first().copied().unwrap_or(Ipv4Addr::UNSPECIFIED);
        let pair = Self {
            a,
            b,
            modem,
            watch,
            setup,
            address,
        };
        pair.write_files();
        pair
    }

    /// A pair on networks of its own.
    pub fn alone(setup: Setup) -> Self {
        Self::new(&Networks::new(), setup)
    }

    fn write_files(&self) {
        for machine in [&self.a, &self.b] {
            files::write(&machine.file("ha.d/ha.cf"), &self.setup.ha_cf(), 0o644);
            files::write(
                &machine.file("ha.d/authkeys"),
                &format!("auth 1\n{}\n", self.setup.key),
                0o600,
            );
            files::write(
                &machine.file("ha.d/haresources"),
                &(self.setup.groups.join("\n") + "\n"),
                0o644,
            );
        }
    }

    /// The first floating address.
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// Starts both daemons and waits until the first node serves.
    #[track_caller]
    pub fn serve_on_a(&mut self) -> Instant {
        self.a.start();
        self.b.start();
        let since = self.watch.expect_owner(0, self.address);
        self.expect_settled();
        since
    }

    /// Waits until both nodes call each other active and neither has anything under way.
    #[track_caller]
    pub fn expect_settled(&self) {
        for machine in [&self.a, &self.b] {
            eventually(&format!("{} is settled", machine.name), || {
                let held = machine.cl_status(&["rscstatus"]);
                ["none", "local", "foreign", "all"].contains(&held.as_str())
                    && self
                        .setup
                        .names
                        .iter()
                        .all(|node| machine.cl_status(&["nodestatus", node]) == "active")
            });
        }
    }

    /// Breaks one way between the nodes, in both directions, at the machine `b`.
    pub fn cut(&self, link: Link, failure: Failure) {
        match link {
            Link::Serial if failure == Failure::Silent => self.modem.set_both(Line::Broken),
            Link::Serial => self.modem.set_both(Line::Stalled),
            Link::Eth0 | Link::Eth1 => self.b.cable(link.name()).cut(failure),
        }
    }

    /// Breaks one way for what `sender` (0 or 1) sends; the other direction goes on.
    pub fn cut_from(&self, sender: usize, link: Link) {
        match link {
            Link::Serial => self.modem.set(sender, Line::Broken),
            Link::Eth0 | Link::Eth1 => {
                let deaf = if sender == 0 { &self.b } else { &self.a };
                deaf.cable(link.name()).cut(Failure::Deaf);
            }
        }
    }

    /// Mends one way.
    pub fn restore(&self, link: Link) {
        match link {
            Link::Serial => self.modem.set_both(Line::Joined),
            Link::Eth0 | Link::Eth1 => {
                self.a.cable(link.name()).restore();
                self.b.cable(link.name()).restore();
            }
        }
    }

    /// Loses this share of the messages on one way, in both directions; nothing any more with 0.
    pub fn lose(&self, link: Link, percent: u8) {
        match link {
            Link::Serial => self.modem.lose(percent),
            Link::Eth0 | Link::Eth1 => {
                self.a.cable(link.name()).lose(percent);
                self.b.cable(link.name()).lose(percent);
            }
        }
    }

    /// Takes the power of a machine away: the moment when its daemon died.
    pub fn power_off(&mut self, node: usize) -> Instant {
        self.modem.set(node, Line::Broken);
        self.modem.set(1 - node, Line::Stalled); // a dead machine does not say that it is clear to send
        let watch = self.watch.clone();
        let off = move || watch.set_power(node, false);
        let machine = if node == 0 { &mut self.a } else { &mut self.b };
        machine.power_off(off)
    }

    /// Gives it power again and starts its daemon.
    pub fn power_on(&mut self, node: usize) -> Instant {
        let machine = if node == 0 { &mut self.a } else { &mut self.b };
        machine.restore_all();
        self.modem.set_both(Line::Joined);
        self.watch.set_power(node, true);
        machine.start()
    }

    /// The marks of both logs.
    pub fn marks(&self) -> [Mark; 2] {
        [self.a.log().mark(), self.b.log().mark()]
    }

    /// Checks that no address and no disk was ever used by both.
    #[track_caller]
    pub fn assert_never_two_owners(&self) {
        for address in self.setup.floating() {
            let double = self.watch.double_ownership(address);
            assert!(
                double.is_empty(),
                "{address} was on both machines: {double:?}"
            );
        }
        assert_eq!(
            files::violations(),
            "",
            "the journal:\n{}",
            files::journal()
        );
    }

    /// Checks for a while that exactly this node holds the first address.
    #[track_caller]
    pub fn assert_stays(&self, node: usize, period: Duration) {
        let end = Instant::now() + period;
        while Instant::now() < end {
            let owners = self.watch.owners(self.address);
            assert!(
                owners == [node],
                "{} did not stay on machine {node} alone; owners: {owners:?}",
                self.address
            );
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Three times the dead time: long enough to see that something does not happen.
    pub fn long_enough(&self) -> Duration {
        Duration::from_millis(u64::from(self.setup.deadtime) * 3)
    }
}
