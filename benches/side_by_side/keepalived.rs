//! A pair of machines with keepalived, beside the pairs with heartbeat.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use heartbeat::os::clock::wall;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::lab::machine::{Machine, here};
use super::lab::{Networks, wait_for};

/// Where Debian puts it.
pub const PROGRAM: &str = "/usr/sbin/keepalived";

/// What a pair is to do.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Between two advertisements. Dead after three of them, and up to one more by priority.
    pub interval: Duration,
    /// All of one group, on `eth0`.
    pub addresses: Vec<Ipv4Addr>,
    /// Whether messages are signed (`auth_type PASS` is no signature; this is `AH`). Only version 2 of the protocol can, and
    /// only version 3 knows an interval that is no whole number of seconds.
    pub signed: bool,
    /// Whether the node of the higher priority takes everything back when it returns.
    pub failback: bool,
}

/// A machine with keepalived on it.
pub struct Node {
    /// Its namespaces, files and cables. It runs no heartbeat.
    pub machine: Machine,
    daemon: Option<Child>,
    lines: Arc<Mutex<Vec<Said>>>,
}

/// A line, and when it came: by the clock of this process, and by that of the wall.
#[derive(Debug)]
struct Said {
    at: Instant,
    moment: Duration,
    line: String,
}

/// Two of them; the first has the higher priority.
pub struct Keepalived {
    /// The machines.
    pub nodes: [Node; 2],
}

/// Their priorities.
const PRIORITIES: [u8; 2] = [150, 100];

impl Keepalived {
    /// Two machines on both networks, with their files; starts nothing.
    pub fn new(
        networks: &Networks,
        names: [&'static str; 2],
        hosts: [u8; 2],
        wanted: &Wanted,
    ) -> Self {
        let nodes = [0, 1].map(|index| {
            let mut machine = Machine::new(names[index], names[index]);
            machine.attach(
                &networks.service,
                "eth0",
                Ipv4Addr::new(10, 77, 1, hosts[index]),
            );
            machine.attach(
                &networks.private,
                "eth1",
                Ipv4Addr::new(192, 168, 9, hosts[index]),
            );
            Node {
                machine,
                daemon: None,
                lines: Arc::default(),
            }
        });
        let pair = Self { nodes };
        pair.write(wanted);
        pair
    }

    /// Writes the files anew, for daemons that are started after that.
    pub fn write(&self, wanted: &Wanted) {
        for (node, priority) in self.nodes.iter().zip(PRIORITIES) {
            let text = configuration(wanted, priority);
            fs::write(node.machine.file("keepalived.conf"), text).expect("our own file system");
        }
    }
}

fn configuration(wanted: &Wanted, priority: u8) -> String {
    let authentication = if wanted.signed {
        "authentication {\n auth_type AH\n auth_pass laborato\n }\n"
    } else {
        ""
    };
    let failback = if wanted.failback { "" } else { "nopreempt\n" };
    let (first, rest) = wanted.addresses.split_at(wanted.addresses.len().min(20));
    let lines = |addresses: &[Ipv4Addr]| {
        let lines = addresses
            .iter()
            .map(|address| format!(" {address}/16 dev eth0\n"));
        lines.collect::<String>()
    };
    let excluded = if rest.is_empty() {
        String::new()
    } else {
        // an advertisement has room for 20 or so
        format!("virtual_ipaddress_excluded {{\n{}}}\n", lines(rest))
    };
    format!(
        "global_defs {{\n vrrp_garp_master_refresh 0\n}}\n\
         vrrp_instance pair {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n version {version}\n priority {priority}\n\
         advert_int {interval}\n{failback}{authentication}virtual_ipaddress {{\n{first}}}\n{excluded}}}\n",
        version = if wanted.signed { 2 } else { 3 },
        interval = wanted.interval.as_secs_f64(),
        first = lines(first),
    )
}

impl Node {
    /// Starts the daemon. What it logs is kept with the moment when it came.
    pub fn start(&mut self) -> Instant {
        let mut command = Command::new(PROGRAM);
        command
            .args(["--dont-fork", "--log-console", "--log-detail", "--vrrp"])
            .arg("--use-file")
            .arg(here().join("keepalived.conf"))
            // Machines have /run and /tmp in common, and it starts only where no other has left its number.
            .arg("--pid")
            .arg(here().join("keepalived.pid"))
            .arg("--vrrp_pid")
            .arg(here().join("vrrp.pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let now = Instant::now();
        let mut child = self.machine.namespace.spawn(&mut command);
        let output = child.stderr.take().expect("asked for");
        let lines = Arc::clone(&self.lines);
        thread::spawn(move || {
            super::moment::be_prompt();
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let entry = Said {
                    at: Instant::now(),
                    moment: wall(),
                    line,
                };
                lines
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(entry);
            }
        });
        self.daemon = Some(child);
        now
    }

    /// The processes of the daemon.
    pub fn processes(&self) -> Vec<i32> {
        self.machine.namespace.processes()
    }

    /// Waits for the first line with this text that came after a moment: when it came.
    pub fn line_after(&self, since: Instant, text: &str, limit: Duration) -> Option<Instant> {
        wait_for(limit, || {
            let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            let found = lines
                .iter()
                .find(|said| said.at >= since && said.line.contains(text));
            found.map(|said| said.at)
        })
    }

    /// When the lines with this text came, of those that came after a moment; all lines where the text is empty.
    pub fn lines_after(&self, since: Instant, text: &str) -> Vec<Instant> {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lines
            .iter()
            .filter(|said| said.at >= since && said.line.contains(text));
        found.map(|said| said.at).collect()
    }

    /// Waits for the first line with this text that came after a moment, in time since 1970: when it came.
    pub fn said_after(&self, since: Duration, text: &str, limit: Duration) -> Option<Duration> {
        wait_for(limit, || {
            let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
            let found = lines
                .iter()
                .find(|said| said.moment >= since && said.line.contains(text));
            found.map(|said| said.moment)
        })
    }

    /// Everything that it said, for a report of what went wrong.
    pub fn text(&self) -> String {
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let texts = lines
            .iter()
            .map(|said| format!("{:?} {}\n", said.moment, said.line));
        texts.collect()
    }

    /// Stops the daemon as a service manager does, and waits for its end.
    pub fn stop(&mut self) {
        if let Some(mut daemon) = self.daemon.take() {
            let pid = i32::try_from(daemon.id()).expect("the kernel counts no further");
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
            let _ = daemon.wait();
        }
    }

    /// Gives it another priority, and lets it read its file again.
    pub fn reload(&mut self, priority: u8) {
        let path = self.machine.file("keepalived.conf");
        let text = fs::read_to_string(&path).expect("our own file system");
        let lines = text.lines().map(|line| {
            if line.starts_with(" priority ") {
                format!(" priority {priority}\n")
            } else {
                format!("{line}\n")
            }
        });
        fs::write(&path, lines.collect::<String>()).expect("our own file system");
        if let Some(daemon) = &self.daemon {
            let pid = i32::try_from(daemon.id()).expect("the kernel counts no further");
            let _ = kill(Pid::from_raw(pid), Signal::SIGHUP);
        }
    }

    /// Sends every process of the daemon a signal.
    pub fn signal(&self, signal: Signal) {
        for pid in self.processes() {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Takes the power away: cables first, then all processes and addresses.
    pub fn power_off(&mut self) -> Instant {
        let now = self.machine.power_off(|| ());
        if let Some(mut daemon) = self.daemon.take() {
            let _ = daemon.wait();
        }
        now
    }

    /// Gives it power again and starts the daemon.
    pub fn power_on(&mut self) -> Instant {
        self.machine.restore_all();
        self.start()
    }
}
