//! Networks: each is a switch that behaves like a hub, so that every port sees everything and any cable
//! can be pulled, silently or with the carrier gone, in both directions or in one.

use std::net::Ipv4Addr;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::namespace::{Namespace, run_batch, run_input};

/// A network segment.
#[derive(Clone)]
pub struct Switch {
    name: &'static str,
}

impl Switch {
    /// Sets up a segment; the name must be unique in the sandbox.
    pub fn new(name: &'static str) -> Self {
        run_batch(
            "ip",
            &[
                format!("link add name {name} type bridge forward_delay 0 mcast_snooping 0"),
                format!("link set {name} up"),
            ],
        );
        Self { name }
    }

    /// Connects a machine by a new interface with this address (prefix length 24).
    pub fn attach(&self, machine: &Namespace, interface: &str, address: Ipv4Addr) -> Cable {
        static PORTS: AtomicUsize = AtomicUsize::new(1);
        let port = format!("port{}", PORTS.fetch_add(1, Ordering::Relaxed));
        run_batch(
            "ip",
            &[
                format!(
                    "link add name {port} type veth peer name {interface} netns {}",
                    machine.network_path()
                ),
                format!("link set {port} master {}", self.name),
            ],
        );
        run_batch("bridge", &[format!("link set dev {port} learning off")]);
        run_batch("ip", &[format!("link set {port} up")]);
        machine.within(|| {
            run_batch(
                "ip",
                &[
                    format!("address add {address}/24 broadcast + dev {interface}"),
                    format!("link set {interface} up"),
                ],
            );
        });
        Cable {
            port,
            wrong: Mutex::default(),
        }
    }
}

/// What joins one interface to its segment.
pub struct Cable {
    port: String,
    wrong: Mutex<Vec<Failure>>,
}

/// How a cable fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// Nothing passes and nobody is told, as behind a second switch.
    Silent,
    /// The interface loses its carrier, as when the plug is pulled.
    Unplugged,
    /// Nothing arrives at the machine; what it sends still goes out.
    Deaf,
}

impl Cable {
    /// Breaks the cable. Without its plug it is silent already.
    pub fn cut(&self, failure: Failure) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        if failure == Failure::Silent && wrong.contains(&Failure::Unplugged) {
            return; // a bridge sets no state of a port without carrier
        }
        wrong.push(failure);
        self.set(
            failure,
            [
                "state 0",
                "down",
                "flood off mcast_flood off bcast_flood off",
            ],
        );
    }

    /// Mends it, whatever was wrong; the plug first.
    pub fn restore(&self) {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        wrong.sort_by_key(|failure| *failure != Failure::Unplugged);
        for failure in wrong.drain(..) {
            self.set(
                failure,
                ["state 3", "up", "flood on mcast_flood on bcast_flood on"],
            );
        }
    }

    /// Loses this share of what the machine sends, each packet by itself; nothing any more with 0. The questions and
    /// answers of ARP are let through: where some of those in a row are lost, Linux sends nothing at all for seconds.
    pub fn lose(&self, percent: u8) {
        let port = &self.port;
        let chain = format!(
            "table netdev {port} {{\n\
                 chain sent {{\n\
                     type filter hook ingress device \"{port}\" priority 0; policy accept;\n\
                     meta protocol ip numgen random mod 100 < {percent} drop\n\
                 }}\n\
             }}\n"
        );
        let chain = if percent > 0 { &*chain } else { "" };
        let rules = format!("add table netdev {port}\ndelete table netdev {port}\n{chain}");
        run_input("nft", &["-f", "-"], &rules);
    }

    fn set(&self, failure: Failure, [silent, plug, deaf]: [&str; 3]) {
        let (program, dev, what) = match failure {
            Failure::Silent => ("bridge", "dev ", silent),
            Failure::Unplugged => ("ip", "", plug),
            Failure::Deaf => ("bridge", "dev ", deaf),
        };
        run_batch(program, &[format!("link set {dev}{} {what}", self.port)]);
    }
}

/// Whether cables can lose packets here, and if not, why.
pub fn can_lose() -> Result<(), String> {
    let found = Command::new("nft")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    match found {
        Ok(_) => Ok(()),
        Err(_) => Err("the program `nft` is not installed (Debian: nftables)".to_owned()),
    }
}
