//! Addresses that this machine has, or gets at boot, without heartbeat.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use super::found;
use crate::config::Absence;

/// The files and directories that tell a machine which addresses to have.
const PLACES: [&str; 14] = [
    "etc/network/interfaces",
    "etc/network/interfaces.d",
    "etc/netplan",
    "etc/systemd/network",
    "run/systemd/network",
    "usr/lib/systemd/network",
    "etc/NetworkManager/system-connections",
    "etc/sysconfig/network-scripts",
    "etc/sysconfig/network",
    "etc/dhcpcd.conf",
    "etc/conf.d/net",
    "etc/rc.local",
    "etc/rc.d/rc.local",
    "etc/keepalived/keepalived.conf",
];

/// What stands on lines that name other machines' addresses.
const OF_OTHERS: [&str; 11] = [
    "rule",
    "neigh",
    "from",
    "tables",
    "route",
    "gateway",
    "via",
    "dns",
    "nameserver",
    "destination",
    "ntp",
];

/// Whether a file gives this machine the address.
pub fn written(root: &Path, address: IpAddr) -> Option<Absence> {
    let (path, line) = PLACES.iter().find_map(|place| {
        files(&root.join(place)).into_iter().find_map(|path| {
            let text = fs::read_to_string(&path).ok()?;
            let line = line_with(&text, address)?;
            let path = Path::new("/").join(path.strip_prefix(root).unwrap_or(&path));
            Some((path.display().to_string(), line))
        })
    })?;
    found(
        format!("this machine gets {address} at boot, too"),
        format!("by line {line} of {path}; both machines have it then"),
        format!("remove it from {path}: heartbeat adds it where it belongs"),
    )
}

/// A file itself, or the files of a directory in the order of their names.
fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.is_file())
        .collect();
    files.sort();
    files
}

/// The number of the first line that gives an interface this address.
fn line_with(text: &str, address: IpAddr) -> Option<usize> {
    let mut lines = text.lines().zip(1..);
    lines.find_map(|(line, number)| {
        let line = line.trim();
        let is_comment = line.starts_with(['#', ';']);
        (!is_comment && gives(line, address)).then_some(number)
    })
}

/// Whether the address stands there with a prefix length, or behind a word that means it.
fn gives(line: &str, address: IpAddr) -> bool {
    let key: String = line
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    let lower = line.to_ascii_lowercase();
    if OF_OTHERS.iter().any(|word| lower.contains(word)) {
        return false;
    }
    let key = key.to_ascii_lowercase();
    let key = key.trim_end_matches(|c: char| c.is_ascii_digit() || c == '_');
    let names_it = matches!(key, "address" | "addresses" | "ipaddr" | "ipv6addr");
    let is_part = |c: char| c.is_ascii_hexdigit() || matches!(c, '.' | ':');
    let mut is_first = true;
    for piece in line.split(|c: char| !(is_part(c) || c == '/')) {
        let (word, prefix) = piece.split_once('/').unwrap_or((piece, ""));
        let word = word.trim_end_matches(':');
        let Ok(found) = word.parse::<IpAddr>() else {
            continue;
        };
        let has_prefix = prefix.starts_with(|c: char| c.is_ascii_digit());
        if found == address && (has_prefix || (names_it && is_first)) {
            return true;
        }
        is_first = false;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_counts_where_an_interface_gets_it() {
        for (line, told) in [
            ("    address 10.0.0.9", true),
            ("    address 10.0.0.9/24", true),
            ("#   address 10.0.0.9/24", false),
            ("    address 10.0.0.90", false),
            ("    gateway 10.0.0.9", false),
            ("    dns-nameservers 10.0.0.9", false),
            ("    up ip addr add 10.0.0.9/24 dev eth0", true),
            ("    up ip route add 10.0.0.9/32 dev eth0", false),
            ("ip rule add from 10.0.0.9/32 table 5", false),
            (
                "ip neigh add 10.0.0.9 lladdr 02:00:00:00:00:01 dev eth0",
                false,
            ),
            ("iptables -A INPUT -d 10.0.0.9/32 -j ACCEPT", false),
            ("From=10.0.0.9/32", false),
            ("Address=10.0.0.9/24", true),
            ("Gateway=10.0.0.9", false),
            ("DNS=10.0.0.9", false),
            ("address1=10.0.0.9/24,10.0.0.1", true),
            ("address1=10.0.0.5/24,10.0.0.9", false),
            ("IPADDR=10.0.0.9", true),
            ("IPADDR_0='10.0.0.9'", true),
            ("      addresses: [10.0.0.9/24]", true),
            ("        - 10.0.0.9/24", true),
            ("        - 10.0.0.9", false),
            ("static ip_address=10.0.0.9/24", true),
            ("ip addr add 10.0.0.9/24 dev eth0", true),
        ] {
            let address = "10.0.0.9".parse().expect("an address");
            assert_eq!(
                gives(line.trim(), address) && !line.starts_with('#'),
                told,
                "{line}"
            );
        }
        let v6 = "fd00::9".parse().expect("an address");
        assert!(gives("Address=fd00:0:0:0:0:0:0:9/64", v6));
        let address = "10.0.0.9".parse().expect("an address");
        let text = "auto eth0\n# address 10.0.0.9\niface eth0 inet static\n  address 10.0.0.9/24\n";
        assert_eq!(line_with(text, address), Some(4));
    }
}
