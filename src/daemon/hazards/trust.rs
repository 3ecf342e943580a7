//! Files that decide what root runs, and that others than root can change.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::found;
use crate::config::Absence;

/// Looks at what is there; what is not is told elsewhere.
pub fn look(path: &Path) -> Option<Absence> {
    let there = fs::metadata(path).ok()?;
    let own = nix::unistd::geteuid().as_raw();
    let (what, help) = mistrust((there.mode(), there.uid(), there.gid()), own)?;
    let shown = path.display();
    found(
        format!("{shown} {what}"),
        "whoever can do that decides what root runs on this machine",
        format!("{help} {shown}"),
    )
}

/// What is wrong with a mode, an owner and a group, for a daemon of this user; and the command that mends it.
fn mistrust((mode, owner, group): (u32, u32, u32), own: u32) -> Option<(String, &'static str)> {
    if owner != 0 && owner != own {
        return Some((
            format!("belongs to the user {owner}, not to root"),
            "chown root",
        ));
    }
    if mode & 0o002 != 0 {
        return Some((
            format!(
                "can be written by everybody: the mode is {:03o}",
                mode & 0o777
            ),
            "chmod go-w",
        ));
    }
    // The group of an ordinary user is often his own.
    (mode & 0o020 != 0 && group != 0 && owner == 0).then(|| {
        (
            format!(
                "can be written by the group {group}: the mode is {:03o}",
                mode & 0o777
            ),
            "chmod g-w",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_root_or_the_user_of_the_daemon_may_write() {
        for (file, own, told) in [
            ((0o644, 0, 0), 0, None),
            ((0o664, 0, 0), 0, None),
            ((0o664, 0, 100), 0, Some("chmod g-w")),
            ((0o664, 1000, 1000), 1000, None),
            ((0o666, 0, 0), 0, Some("chmod go-w")),
            ((0o644, 1000, 0), 0, Some("chown root")),
            ((0o644, 0, 0), 1000, None),
        ] {
            let said = mistrust(file, own).map(|(_, help)| help);
            assert_eq!(said, told, "{file:?} {own}");
        }
    }
}
