//! Programs that look after the interface of a floating address, and take away what they did not put there.

use std::fs;
use std::path::{Path, PathBuf};

use super::found;
use super::live::Live;
use crate::config::{Absence, AddressSpec};
use crate::resource::culprit;

/// The files by which a DHCP client says that it looks after an interface, with `IF` for its name.
const CLIENTS: [(&str, &str); 4] = [
    ("dhclient", "run/dhclient.IF.pid"),
    ("dhclient", "run/dhclient-IF.pid"),
    ("dhcpcd", "run/dhcpcd/IF.pid"),
    ("dhcpcd", "run/dhcpcd-IF.pid"),
];

/// Whether another program looks after the interface that the address belongs to.
pub fn look(root: &Path, live: &Live, spec: &AddressSpec) -> Option<Absence> {
    let (name, index) = if let Some(name) = &spec.interface {
        (name.clone(), live.named(name)?.index)
    } else {
        let place = live.placement.borrow_mut().place(spec).ok()?;
        (place.interface.name, place.interface.index)
    };
    let takes = format!(
        "it may take {} away when it sets {name} up anew; heartbeat puts it back, a moment later",
        spec.address
    );
    match culprit::manager_of(root, index) {
        Some("systemd-networkd") => {
            let file = network_file(root, index)?;
            if keeps(root, &file) {
                return None;
            }
            found(
                format!("systemd-networkd looks after {name}"),
                takes,
                format!(
                    "write `KeepConfiguration=static` below `[Network]` of {}, then `networkctl reload`",
                    file.display()
                ),
            )
        }
        Some(manager) => found(
            format!("{manager} looks after {name}"),
            takes,
            format!(
                "to be spared that, write `unmanaged-devices=interface-name:{name}` below `[keyfile]` in \
                 /etc/NetworkManager/conf.d/heartbeat.conf, and have something else give {name} its own address"
            ),
        ),
        None => {
            let client = client(root, &name)?;
            found(
                format!("{name} has its own address by DHCP, from {client}"),
                format!(
                    "when the lease ends it may take {} away, too; heartbeat puts it back, a moment later",
                    spec.address
                ),
                format!("give {name} an address that stays"),
            )
        }
    }
}

fn client(root: &Path, name: &str) -> Option<&'static str> {
    CLIENTS.iter().find_map(|(client, path)| {
        let path = root.join(path.replace("IF", name));
        path.exists().then_some(*client)
    })
}

/// The file that tells systemd-networkd how to set up an interface.
fn network_file(root: &Path, index: u32) -> Option<PathBuf> {
    let state = root.join("run/systemd/netif/links").join(index.to_string());
    let state = fs::read_to_string(state).ok()?;
    let mut lines = state.lines();
    let path = lines.find_map(|line| line.strip_prefix("NETWORK_FILE="))?;
    Some(PathBuf::from(path))
}

/// Whether that file, or one that adds to it, leaves addresses of others alone.
fn keeps(root: &Path, file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let mut files = vec![root.join(file.strip_prefix("/").unwrap_or(file))];
    for place in ["usr/lib", "lib", "run", "etc"] {
        let additions = root.join(place).join(format!("systemd/network/{name}.d"));
        let entries = fs::read_dir(additions).into_iter().flatten().flatten();
        files.extend(entries.map(|entry| entry.path()));
    }
    // What is read later counts.
    let settings = files.iter().rev().filter_map(|path| {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines().rev();
        lines.find_map(|line| {
            let value = line.trim().strip_prefix("KeepConfiguration=")?;
            Some(matches!(
                value.trim(),
                "static" | "yes" | "true" | "1" | "on"
            ))
        })
    });
    settings.into_iter().next().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::super::live::tests::live;
    use super::*;

    #[test]
    fn whoever_looks_after_the_interface_is_named_unless_it_keeps_what_is_there() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        let write = |path: &str, text: &str| {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a directory");
            fs::write(path, text).expect("a file");
        };
        let live = live(&["eth0 10.0.0.1/24", "eth1 10.1.0.1/24", "eth2 10.2.0.1/24"]);
        let said = |interface: &str| {
            let spec = AddressSpec {
                interface: Some(interface.to_owned()),
                prefix: Some(24),
                ..AddressSpec::bare("10.0.0.9".parse().expect("an address"))
            };
            look(root, &live, &spec).map(|absence| absence.message)
        };
        assert_eq!(said("eth0"), None);
        write(
            "run/systemd/netif/links/1",
            "ADMIN_STATE=configured\nNETWORK_FILE=/etc/systemd/network/10.network\n",
        );
        write("etc/systemd/network/10.network", "[Network]\nDHCP=no\n");
        assert_eq!(
            said("eth0").as_deref(),
            Some("systemd-networkd looks after eth0")
        );
        write(
            "etc/systemd/network/10.network.d/keep.conf",
            "[Network]\nKeepConfiguration=static\n",
        );
        assert_eq!(said("eth0"), None);
        write(
            "run/NetworkManager/devices/2",
            "[device]\nmanaged=managed\n",
        );
        assert_eq!(
            said("eth1").as_deref(),
            Some("NetworkManager looks after eth1")
        );
        write("run/dhclient.eth2.pid", "1\n");
        assert_eq!(
            said("eth2").as_deref(),
            Some("eth2 has its own address by DHCP, from dhclient")
        );
    }
}
