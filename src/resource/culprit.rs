//! Which other program looks after an interface, and so may take away addresses that it does not know.

use std::path::Path;

/// Where each of them leaves word of the interfaces that it looks after, by the interface's number, and what it
/// writes there about one that it leaves alone.
const MANAGERS: [(&str, &str, &str); 2] = [
    (
        "NetworkManager",
        "run/NetworkManager/devices",
        "managed=unmanaged",
    ),
    (
        "systemd-networkd",
        "run/systemd/netif/links",
        "ADMIN_STATE=unmanaged",
    ),
];

/// The program, when there is one that says so. `root` is `/` outside of tests.
pub fn manager_of(root: &Path, interface: u32) -> Option<&'static str> {
    MANAGERS.iter().find_map(|&(name, folder, leaves_alone)| {
        let path = root.join(folder).join(interface.to_string());
        let text = std::fs::read_to_string(path).ok()?;
        (!text.lines().any(|line| line == leaves_alone)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_known_by_the_word_that_it_leaves() {
        let root = tempfile::tempdir().expect("a directory");
        let links = root.path().join("run/systemd/netif/links");
        std::fs::create_dir_all(&links).expect("a directory");
        std::fs::write(links.join("2"), "ADMIN_STATE=configured\n").expect("a file");
        std::fs::write(links.join("3"), "ADMIN_STATE=unmanaged\nX=y\n").expect("a file");
        let found = [2, 3, 4].map(|interface| manager_of(root.path(), interface));
        assert_eq!(found, [Some("systemd-networkd"), None, None]);
    }
}
