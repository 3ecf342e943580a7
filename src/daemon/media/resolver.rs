//! From the host of a `ucast` line to an address: at start by asking and waiting, later in a child process, since
//! a name server that does not answer may hold up nothing.

use std::io::{self, Read};
use std::net::{IpAddr, ToSocketAddrs};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cluster::Instant;
use crate::os::interface;

/// How often a running lookup is looked after.
pub const POLL: Duration = Duration::from_millis(250);
/// How long a lookup may take.
const LIMIT: Duration = Duration::from_secs(30);
/// As much of the answer as is read.
const ANSWER: u64 = 4096;

/// Finds the address of a host, as long as that takes.
pub fn resolve(host: &str, v6: bool) -> Result<IpAddr, String> {
    if let Some(address) = literal(host) {
        return of_kind([address], v6);
    }
    match (host, 0).to_socket_addrs() {
        Ok(found) => of_kind(found.map(|address| address.ip()), v6),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether an address is one of this machine's own, as far as an interface is concerned.
pub fn is_own(address: IpAddr, name: &str) -> bool {
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    interface::addresses().is_ok_and(|own| {
        own.iter()
            .any(|entry| entry.address == address && (!link_local || entry.interface == name))
    })
}

/// A lookup that runs beside the daemon.
#[derive(Debug)]
pub struct Lookup {
    child: Child,
    until: Instant,
    v6: bool,
}

impl Lookup {
    /// Starts a lookup.
    pub fn start(host: &str, v6: bool, now: Instant) -> io::Result<Self> {
        let child = Command::new("getent")
            .args([if v6 { "ahostsv6" } else { "ahostsv4" }, "--", host])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self {
            child,
            until: now + LIMIT,
            v6,
        })
    }

    /// The answer once there is one.
    pub fn poll(&mut self, now: Instant) -> Option<Result<IpAddr, String>> {
        match self.child.try_wait() {
            Ok(None) if now < self.until => return None,
            Ok(None) => return Some(Err("no answer within 30 s".to_owned())),
            Ok(Some(_)) => {}
            Err(error) => return Some(Err(error.to_string())),
        }
        // The child has ended, so reading what it left in the pipe does not wait.
        let mut text = String::new();
        if let Some(output) = self.child.stdout.take() {
            let _ = output.take(ANSWER).read_to_string(&mut text);
        }
        let words = text
            .lines()
            .filter_map(|line| line.split_whitespace().next());
        Some(of_kind(words.filter_map(literal), self.v6))
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address as written, a zone such as `%eth0` left off: the line's interface is the zone.
fn literal(host: &str) -> Option<IpAddr> {
    host.split('%').next()?.parse().ok()
}

fn of_kind(found: impl IntoIterator<Item = IpAddr>, v6: bool) -> Result<IpAddr, String> {
    let kind = if v6 { "IPv6" } else { "IPv4" };
    found
        .into_iter()
        .find(|address| address.is_ipv6() == v6)
        .ok_or_else(|| format!("it has no {kind} address"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_resolve_to_themselves_and_only_to_their_kind() {
        let cases = [
            ("10.88.1.2", false, Some("10.88.1.2")),
            ("10.88.1.2", true, None),
            ("fe80::1%eth1", true, Some("fe80::1")),
            ("fd00::2", false, None),
        ];
        for (host, v6, expected) in cases {
            assert_eq!(
                resolve(host, v6)
                    .ok()
                    .map(|address| address.to_string())
                    .as_deref(),
                expected,
                "{host}"
            );
        }
    }

    #[test]
    fn a_lookup_beside_the_daemon_finds_what_the_system_knows() {
        let mut lookup =
            Lookup::start("localhost", false, Instant::default()).expect("getent runs");
        let answer = loop {
            if let Some(answer) = lookup.poll(Instant::default()) {
                break answer;
            }
            std::thread::yield_now();
        };
        assert_eq!(answer, Ok(IpAddr::from([127, 0, 0, 1])));
    }

    #[test]
    fn the_loopback_address_is_our_own() {
        assert!(is_own(IpAddr::from([127, 0, 0, 1]), "lo"));
        assert!(!is_own(IpAddr::from([192, 0, 2, 77]), "lo"));
    }
}
