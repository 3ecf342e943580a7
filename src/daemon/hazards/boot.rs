//! Whatever else starts a resource: then it runs on both machines after they have booted, or after one has.

use std::fs;
use std::path::{Path, PathBuf};

use super::found;
use crate::config::{Absence, ResourceWord};
use crate::resource::catalogue::Resource;

/// Where systemd looks for what it starts.
const UNITS: [&str; 3] = [
    "etc/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
/// The run levels of sysvinit in which services run.
const RUN_LEVELS: [&str; 4] = ["rc2.d", "rc3.d", "rc4.d", "rc5.d"];
/// Where those are.
const RUN_LEVEL_PLACES: [&str; 3] = ["etc", "etc/rc.d", "etc/init.d"];
/// Services that heartbeat starts must not come with it as its own needs.
const OURS: [&str; 2] = ["heartbeat.service.wants", "heartbeat.service.requires"];

const BOTH: &str = "both machines run it then, whatever heartbeat decides";

/// Whether this resource is started by others than heartbeat.
pub fn look(root: &Path, word: &ResourceWord, resource: &Resource) -> Option<Absence> {
    match resource {
        Resource::Address { .. } => None,
        Resource::Unit(unit) => masked(root, unit).or_else(|| by_systemd(root, unit)),
        Resource::Script { path, .. } => {
            let unit = format!("{}.service", word.name);
            let is_unit = unit_file(root, &unit).is_some();
            // Where there is a unit too, systemd passes over the script of that name.
            by_systemd(root, &unit)
                .or_else(|| (!is_unit && is_init(path)).then(|| by_run_level(root, &word.name))?)
        }
        Resource::Agent(agent) if agent.name == "Filesystem" => {
            let parameter = |name: &str| {
                let mut all = agent.parameters.iter();
                all.find_map(|(known, value)| (known == name).then_some(value.as_str()))
            };
            by_fstab(root, parameter("device")?, parameter("directory")?)
        }
        Resource::Agent(agent) => by_systemd(root, &format!("{}.service", agent.name)),
    }
}

fn is_init(path: &Path) -> bool {
    path.components().any(|part| part.as_os_str() == "init.d")
}

fn unit_file(root: &Path, unit: &str) -> Option<PathBuf> {
    let places = UNITS.map(|place| root.join(place).join(unit));
    places
        .into_iter()
        .find(|path| path.symlink_metadata().is_ok())
}

/// One that is linked to nothing is started by nobody, whatever lies in the places behind.
fn masked(root: &Path, unit: &str) -> Option<Absence> {
    if !is_masked(&unit_file(root, unit)?) {
        return None;
    }
    found(
        format!("{unit} is masked"),
        "systemd refuses to start it, so its group can't be started here",
        format!("systemctl unmask {unit}"),
    )
}

fn is_masked(file: &Path) -> bool {
    fs::read_link(file).is_ok_and(|target| target == Path::new("/dev/null"))
}

/// By a unit that is enabled, its socket or its timer, under this name or under the one that it is an alias of.
fn by_systemd(root: &Path, unit: &str) -> Option<Absence> {
    let file = unit_file(root, unit);
    if file.as_deref().is_some_and(is_masked) {
        return None;
    }
    let target = file.and_then(|path| fs::read_link(path).ok());
    let alias = target
        .as_deref()
        .and_then(Path::file_name)
        .and_then(|name| name.to_str());
    for name in [Some(unit), alias].into_iter().flatten() {
        let Some(stem) = name.strip_suffix(".service") else {
            continue;
        };
        for (kind, what) in [
            ("service", "is started at boot, too"),
            ("socket", "starts it when somebody connects"),
            ("timer", "starts it from time to time"),
            ("path", "starts it when a file changes"),
        ] {
            let starter = format!("{stem}.{kind}");
            if let Some(wish) = wish(root, &starter) {
                return found(
                    format!("{starter} {what}"),
                    format!("{} wants it; {BOTH}", wish.display()),
                    format!("systemctl disable --now {starter}"),
                );
            }
        }
    }
    None
}

/// The link that makes systemd start a unit.
fn wish(root: &Path, unit: &str) -> Option<PathBuf> {
    for place in UNITS {
        let entries = fs::read_dir(root.join(place)).into_iter().flatten();
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let is_wish = name.ends_with(".wants") || name.ends_with(".requires");
            let link = entry.path().join(unit);
            if is_wish && !OURS.contains(&&*name) && link.symlink_metadata().is_ok() {
                return Some(Path::new("/").join(place).join(&*name).join(unit));
            }
        }
    }
    None
}

/// By a link `S20name`, or one of `OpenRC`.
fn by_run_level(root: &Path, name: &str) -> Option<Absence> {
    for (place, level) in RUN_LEVEL_PLACES
        .iter()
        .flat_map(|place| RUN_LEVELS.map(|level| (place, level)))
    {
        let directory = Path::new(place).join(level);
        let entries = fs::read_dir(root.join(&directory)).into_iter().flatten();
        for entry in entries.flatten() {
            let link = entry.file_name();
            let link = link.to_string_lossy();
            let rest = link.strip_prefix('S').unwrap_or_default();
            let number = rest.get(..2).unwrap_or_default();
            let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
            if is_number && rest.get(2..) == Some(name) {
                return found(
                    format!("{name} is started at boot, too"),
                    format!("by /{}/{link}; {BOTH}", directory.display()),
                    format!("update-rc.d {name} disable, or chkconfig {name} off"),
                );
            }
        }
    }
    let runlevels = fs::read_dir(root.join("etc/runlevels"))
        .into_iter()
        .flatten();
    let mut levels = runlevels.flatten().map(|entry| entry.path());
    let level = levels.find(|level| level.join(name).symlink_metadata().is_ok())?;
    let level = level.file_name()?.to_string_lossy().into_owned();
    found(
        format!("{name} is started at boot, too"),
        format!("in the run level {level}; {BOTH}"),
        format!("rc-update del {name} {level}"),
    )
}

/// A file system that is mounted on both machines is destroyed.
fn by_fstab(root: &Path, device: &str, directory: &str) -> Option<Absence> {
    let text = fs::read_to_string(root.join("etc/fstab")).ok()?;
    let directory = directory.trim_end_matches('/');
    for (line, number) in text.lines().zip(1..) {
        let mut words = line.split_whitespace();
        let (Some(source), Some(target)) = (words.next(), words.next()) else {
            continue;
        };
        let options = words.nth(1).unwrap_or_default();
        let is_it = source == device || target.trim_end_matches('/') == directory;
        let is_manual = options.split(',').any(|option| option == "noauto");
        if !source.starts_with('#') && is_it && !is_manual {
            return found(
                format!("{device} is mounted at boot, too"),
                format!("by line {number} of /etc/fstab; on both machines at once it is destroyed"),
                format!(
                    "write `noauto` among the options of line {number} of /etc/fstab, or remove the line"
                ),
            );
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    struct Root(tempfile::TempDir);

    impl Root {
        fn new() -> Self {
            Self(tempfile::tempdir().expect("a directory"))
        }

        fn link(&self, path: &str, target: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a directory");
            symlink(target, path).expect("a link");
        }

        fn unit(&self, unit: &str) -> Option<String> {
            by_systemd(self.0.path(), unit).map(|absence| absence.message)
        }
    }

    #[test]
    fn a_unit_is_started_by_whoever_wants_it() {
        let root = Root::new();
        assert_eq!(root.unit("nginx.service"), None);
        root.link(
            "etc/systemd/system/multi-user.target.wants/nginx.service",
            "/usr/lib/systemd/system/nginx.service",
        );
        let said = root.unit("nginx.service");
        assert_eq!(
            said.as_deref(),
            Some("nginx.service is started at boot, too")
        );
        root.link("etc/systemd/system/nginx.service", "/dev/null");
        assert_eq!(root.unit("nginx.service"), None, "masked");
        let said = masked(root.0.path(), "nginx.service").map(|absence| absence.help);
        assert_eq!(said.as_deref(), Some("systemctl unmask nginx.service"));
        // Under another name, and by its socket.
        root.link(
            "etc/systemd/system/mysql.service",
            "/lib/systemd/system/mariadb.service",
        );
        root.link(
            "etc/systemd/system/sockets.target.wants/mariadb.socket",
            "x",
        );
        assert_eq!(
            root.unit("mysql.service").as_deref(),
            Some("mariadb.socket starts it when somebody connects")
        );
        root.link(
            "etc/systemd/system/heartbeat.service.wants/own.service",
            "x",
        );
        assert_eq!(root.unit("own.service"), None);
    }

    #[test]
    fn a_script_of_sysvinit_is_started_by_its_links() {
        let root = Root::new();
        let said = |name| by_run_level(root.0.path(), name).map(|absence| absence.help);
        root.link("etc/rc1.d/S20web", "x");
        root.link("etc/rc3.d/K20web", "x");
        root.link("etc/rc3.d/S20webmail", "x");
        assert_eq!(said("web"), None);
        root.link("etc/rc.d/rc3.d/S85web", "x");
        assert_eq!(
            said("web").as_deref(),
            Some("update-rc.d web disable, or chkconfig web off")
        );
        root.link("etc/runlevels/default/db", "x");
        assert_eq!(said("db").as_deref(), Some("rc-update del db default"));
    }

    #[test]
    fn a_file_system_must_not_be_mounted_at_boot() {
        let root = Root::new();
        fs::create_dir(root.0.path().join("etc")).expect("a directory");
        for (line, is_told) in [
            ("/dev/sdb1 /srv ext4 defaults 0 2", true),
            ("UUID=1 /srv/ ext4 defaults 0 2", true),
            ("/dev/sdb1 /srv ext4 noauto,nofail 0 2", false),
            ("#/dev/sdb1 /srv ext4 defaults 0 2", false),
            ("# /dev/sdb1 /srv", false),
            ("/dev/sdb2 /srv2 ext4", false),
        ] {
            fs::write(root.0.path().join("etc/fstab"), format!("\n{line}\n")).expect("a file");
            let said = by_fstab(root.0.path(), "/dev/sdb1", "/srv");
            assert_eq!(said.is_some(), is_told, "{line}");
        }
    }
}
