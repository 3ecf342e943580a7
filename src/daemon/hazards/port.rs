//! UDP ports that another program has.

use std::fs;

use super::found;
use crate::config::{Absence, Medium};
use crate::os::proc;

/// What the kernel lists its UDP sockets in.
const TABLES: [&str; 2] = ["/proc/net/udp", "/proc/net/udp6"];
/// The name of a daemon, ours or that of 3.0.6.
const HEARTBEAT: &str = "heartbeat";

/// Whether another program has the port of this path.
pub fn look(medium: &Medium) -> Option<Absence> {
    let port = medium.udp_port()?;
    let inodes: Vec<u64> = TABLES
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| sockets(&table, port))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    let owners = owners(&inodes);
    if owners.iter().any(|(_, name)| name == HEARTBEAT) {
        return None; // this is the configuration of a daemon that runs
    }
    let (who, remedy) = match owners.first() {
        Some((pid, name)) => {
            let stop = match proc::service(*pid) {
                Some(unit) => format!("systemctl disable --now {unit}"),
                None => format!("stop {name}, or have it take another port"),
            };
            (format!("{name} (process {pid})"), stop)
        }
        None => (
            "another program".to_owned(),
            "find it with `ss -ulpn`".to_owned(),
        ),
    };
    found(
        format!("UDP port {port} is taken by {who}"),
        "no link over a network can be opened, or what arrives is read by the wrong program",
        format!("{remedy}; or write another `udpport` on both machines"),
    )
}

/// The numbers of the sockets that are bound to a port: the second field is `ADDRESS:PORT` in hexadecimal, the tenth the number.
fn sockets(table: &str, port: u16) -> Vec<u64> {
    let bound = table.lines().skip(1).filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (_, local) = words.nth(1)?.rsplit_once(':')?;
        let is_it = u16::from_str_radix(local, 16) == Ok(port);
        let inode = words.nth(7)?.parse().ok()?;
        is_it.then_some(inode)
    });
    bound.collect()
}

/// Processes and their names that have one of these sockets open, as far as we may see.
fn owners(inodes: &[u64]) -> Vec<(i32, String)> {
    let links: Vec<String> = inodes
        .iter()
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    let has_one = |pid: &i32| {
        let open = fs::read_dir(format!("/proc/{pid}/fd"))
            .into_iter()
            .flatten();
        open.flatten().any(|entry| {
            let link = fs::read_link(entry.path()).unwrap_or_default();
            links.iter().any(|wanted| link.to_str() == Some(wanted))
        })
    };
    let all = proc::all().unwrap_or_default().into_iter();
    all.filter(has_one)
        .map(|pid| {
            let name = proc::name(pid).unwrap_or_default();
            (pid, name.replace(char::is_control, "?"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;
    use crate::config::MediumKind;

    #[test]
    fn a_socket_on_the_port_is_found_with_its_process() {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("bound").port();
        let medium = Medium {
            link: "lo".into(),
            kind: MediumKind::Bcast { port },
        };
        let said = look(&medium).expect("taken");
        let own = format!("(process {})", std::process::id());
        assert!(
            said.message
                .starts_with(&format!("UDP port {port} is taken by"))
        );
        assert!(said.message.ends_with(&own), "{said:?}");
        drop(socket);
    }

    #[test]
    fn the_table_of_the_kernel_is_read() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  \
                     123: 00000000:02B6 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4711 2 0 0\n  \
                     124: 00000000:02B7 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 4712 2 0 0\n";
        assert_eq!(sockets(table, 694), [4711]);
        assert_eq!(sockets(table, 693), [0; 0]);
    }
}
