//! The program of a fencing device: a fence agent, or stonith(8) of cluster-glue with the plugin of that type.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::config::Absence;
use crate::resource::PATH;

/// Where distributions put the plugins of stonith(8).
const PLUGINS: [&str; 2] = ["usr/lib/stonith/plugins", "usr/lib64/stonith/plugins"];

/// What is missing for a device of this type on the machine whose files are under `root`.
pub(super) fn absence(kind: &str, root: &Path) -> Option<Absence> {
    let name = kind.rsplit('/').next().unwrap_or_default();
    let (message, help) = if kind.starts_with('/') {
        let is_there = is_program(Path::new(kind));
        let message = (!is_there).then(|| format!("no program `{kind}` that can be run"))?;
        (
            message,
            "correct its path, or make it executable with chmod(1)",
        )
    } else if name.starts_with("fence_") {
        let is_there = is_in_path(root, kind);
        let message = (!is_there).then(|| format!("no fence agent `{kind}` on this machine"))?;
        (
            message,
            "install the package of your fence agents, such as `fence-agents`",
        )
    } else if !is_in_path(root, "stonith") {
        let message = "no program `stonith` on this machine".to_owned();
        (message, "install `cluster-glue`, or use a fence agent")
    } else {
        let is_there = has_plugin(root, kind);
        let message = (!is_there).then(|| format!("`stonith` has no device type `{kind}`"))?;
        (message, "`stonith -L` lists the types that are there")
    };
    Some(Absence {
        message,
        label: "heartbeat does not start without it: the other node could not be reset".into(),
        help: help.into(),
    })
}

fn is_in_path(root: &Path, name: &str) -> bool {
    let mut places = PATH.split(':').map(|place| place.trim_start_matches('/'));
    places.any(|place| is_program(&root.join(place).join(name)))
}

fn is_program(path: &Path) -> bool {
    let found = std::fs::metadata(path);
    found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Where the plugins are in no known place, nothing is said.
fn has_plugin(root: &Path, kind: &str) -> bool {
    let places = PLUGINS.map(|place| root.join(place));
    let mut known = places
        .iter()
        .filter(|place| place.join("stonith2").is_dir())
        .peekable();
    let files = |place: &PathBuf| match kind.strip_prefix("external/") {
        Some(name) => is_program(&place.join("external").join(name)),
        None => place.join("stonith2").join(format!("{kind}.so")).is_file(),
    };
    known.peek().is_none() || known.any(files)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn file(root: &Path, path: &str, mode: u32) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a directory");
        fs::write(&path, "").expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode");
    }

    #[test]
    fn a_device_needs_its_program_and_its_plugin() {
        let root = tempfile::tempdir().expect("a directory");
        let root = root.path();
        let said = |kind: &str| absence(kind, root).map(|absence| absence.message);
        let expect = |kind: &str, message: &str| assert_eq!(said(kind).as_deref(), Some(message));
        expect(
            "fence_ipmilan",
            "no fence agent `fence_ipmilan` on this machine",
        );
        expect("external/ipmi", "no program `stonith` on this machine");
        file(root, "usr/sbin/fence_ipmilan", 0o644);
        expect(
            "fence_ipmilan",
            "no fence agent `fence_ipmilan` on this machine",
        );
        file(root, "usr/sbin/fence_ipmilan", 0o755);
        assert_eq!(said("fence_ipmilan"), None);
        file(root, "usr/sbin/stonith", 0o755);
        assert_eq!(said("external/ipmi"), None, "plugins are somewhere else");
        file(root, "usr/lib/stonith/plugins/stonith2/baytech.so", 0o644);
        file(root, "usr/lib/stonith/plugins/external/ipmi", 0o755);
        for kind in ["external/ipmi", "baytech"] {
            assert_eq!(said(kind), None, "{kind}");
        }
        expect(
            "external/ssh",
            "`stonith` has no device type `external/ssh`",
        );
        expect("ipmi", "`stonith` has no device type `ipmi`");
        expect(
            "/no/fence_mine",
            "no program `/no/fence_mine` that can be run",
        );
    }
}
