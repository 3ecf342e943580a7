//! Who else uses a serial port, and what frees it. Asks `/proc` about every process, which may take a while and wait for
//! one that hangs in the kernel: not for the event loop, which has a child look.

use std::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::serial_open;
use crate::config::MediumKind;
use crate::os::proc;

/// What the programs that wait for a login at a port are called.
const LOGINS: [&str; 6] = ["agetty", "getty", "mgetty", "mingetty", "fgetty", "login"];
const MODEM_MANAGER: &str = "ModemManager";
/// All ports of this machine, by name.
const PORTS: &str = "/sys/class/tty";
const HEARTBEAT: &str = "heartbeat";
/// Where systemd looks for units, and where a unit that links to nothing is switched off.
const UNITS: [&str; 5] = [
    "etc/systemd/system",
    "run/systemd/system",
    "run/systemd/generator",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
const MASKS: [&str; 2] = ["etc/systemd/system", "run/systemd/system"];

/// What keeps a port from being used. `Display` says what it is and what frees the port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Obstacle {
    /// Logins are wanted there, whether or not somebody waits for one just now.
    Login {
        /// The unit that is enabled.
        unit: String,
    },
    /// A process has it open.
    User(User),
}

/// A process that has a port open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub pid: i32,
    /// Its name.
    pub name: String,
    /// The service that it belongs to.
    pub unit: Option<String>,
    /// The port as the kernel names it, such as `ttyS0`.
    pub port: String,
}

impl Obstacle {
    /// Whether it is a daemon of ours.
    pub fn is_heartbeat(&self) -> bool {
        matches!(self, Self::User(user) if user.name == HEARTBEAT)
    }

    /// What it is.
    pub fn what(&self) -> String {
        match self {
            Self::Login { unit } => format!("logins are wanted there ({unit} is enabled)"),
            Self::User(User { pid, name, .. }) => format!("{name} (process {pid}) uses it"),
        }
    }

    /// What frees the port.
    pub fn remedy(&self) -> String {
        match self {
            // A unit that systemd made by itself can't be disabled.
            Self::Login { unit } => format!("`systemctl mask --now {unit}` frees it"),
            Self::User(user) => user.remedy(),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.what(), self.remedy())
    }
}

impl User {
    fn remedy(&self) -> String {
        let Self {
            pid,
            name,
            unit,
            port,
        } = self;
        let disable = |unit: &str| format!("`systemctl disable --now {unit}` frees it");
        match (name.as_str(), unit) {
            (HEARTBEAT, _) => format!("`heartbeat -k` stops it, or `kill {pid}`"),
            (MODEM_MANAGER, _) => format!(
                "{}, or a rule for udev(7) keeps it away: KERNEL==\"{port}\", ENV{{ID_MM_PORT_IGNORE}}=\"1\"",
                disable("ModemManager.service")
            ),
            (_, Some(unit)) => disable(unit),
            (name, None) if LOGINS.contains(&name) => format!(
                "take the line with {port} out of /etc/inittab, then `telinit q` and `kill {pid}` free it"
            ),
            (_, None) => format!("`kill {pid}` frees it"),
        }
    }
}

/// The real path of a serial port that others may use too. A pseudo terminal is none: what else has it is most likely its
/// own cable.
pub fn shared(kind: &MediumKind) -> Option<PathBuf> {
    let MediumKind::Serial { device, .. } = kind else {
        return None;
    };
    let real = serial_open::find(device).ok()?;
    is_port(&real).then_some(real)
}

fn is_port(real: &Path) -> bool {
    let name = real.file_name();
    name.is_some_and(|name| Path::new(PORTS).join(name).exists())
}

/// What keeps the port at this real path from being used, if anything does; the first thing found.
pub fn obstacle(real: &Path) -> Option<Obstacle> {
    let port = name_of(real)?;
    if let Some(unit) = login_unit(Path::new("/"), &port) {
        return Some(Obstacle::Login { unit });
    }
    users(real).into_iter().next().map(Obstacle::User)
}

/// The other processes that have a terminal open; none of a device of another kind, such as `/dev/null`, which many have.
pub fn users(real: &Path) -> Vec<User> {
    let (Some(port), Ok(device)) = (name_of(real), fs::metadata(real)) else {
        return Vec::new();
    };
    let is_pty = real.starts_with("/dev/pts");
    if !device.file_type().is_char_device() || !(is_pty || is_port(real)) {
        return Vec::new();
    }
    // Each instance of /dev/pts counts for itself.
    let place = is_pty.then(|| device.dev());
    let own = i32::try_from(std::process::id()).ok();
    let all = proc::all().unwrap_or_default().into_iter();
    let users = all
        .filter(|pid| Some(*pid) != own && proc::has_device_open(*pid, real, device.rdev(), place));
    users
        .map(|pid| User {
            pid,
            name: proc::name(pid)
                .unwrap_or_default()
                .replace(char::is_control, "?"),
            unit: proc::service(pid),
            port: port.clone(),
        })
        .collect()
}

fn name_of(real: &Path) -> Option<String> {
    Some(real.file_name()?.to_str()?.to_owned())
}

/// The unit of systemd that waits for logins at this port, where it is enabled and not switched off.
fn login_unit(root: &Path, port: &str) -> Option<String> {
    if !root.join("run/systemd/system").is_dir() {
        return None;
    }
    let unit = format!("serial-getty@{port}.service");
    let is_masked = MASKS.iter().any(|place| {
        fs::read_link(root.join(place).join(&unit)).is_ok_and(|to| to == Path::new("/dev/null"))
    });
    let is_wanted = |place: &str| {
        let entries = fs::read_dir(root.join(place)).into_iter().flatten();
        entries.flatten().any(|entry| {
            let path = entry.path();
            path.extension().is_some_and(|end| end == "wants")
                && path.join(&unit).symlink_metadata().is_ok()
        })
    };
    (!is_masked && UNITS.iter().any(|place| is_wanted(place))).then_some(unit)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn user(name: &str, unit: Option<&str>) -> String {
        Obstacle::User(User {
            pid: 512,
            name: name.into(),
            unit: unit.map(str::to_owned),
            port: "ttyUSB0".into(),
        })
        .to_string()
    }

    #[test]
    fn whoever_uses_a_port_is_named_with_what_frees_it() {
        for (name, unit, words) in [
            (
                "agetty",
                Some("serial-getty@ttyUSB0.service"),
                "agetty (process 512) uses it; `systemctl disable --now serial-getty@ttyUSB0.service` frees it",
            ),
            (
                "getty",
                None,
                "getty (process 512) uses it; take the line with ttyUSB0 out of /etc/inittab, then `telinit q` and \
                 `kill 512` free it",
            ),
            (
                "ModemManager",
                Some("ModemManager.service"),
                "ModemManager (process 512) uses it; `systemctl disable --now ModemManager.service` frees it, or a rule \
                 for udev(7) keeps it away: KERNEL==\"ttyUSB0\", ENV{ID_MM_PORT_IGNORE}=\"1\"",
            ),
            (
                "gpsd",
                Some("gpsd.service"),
                "gpsd (process 512) uses it; `systemctl disable --now gpsd.service` frees it",
            ),
            (
                "minicom",
                None,
                "minicom (process 512) uses it; `kill 512` frees it",
            ),
            (
                "heartbeat",
                Some("heartbeat.service"),
                "heartbeat (process 512) uses it; `heartbeat -k` stops it, or `kill 512`",
            ),
        ] {
            assert_eq!(user(name, unit), words);
        }
        let login = Obstacle::Login {
            unit: "serial-getty@ttyS0.service".into(),
        };
        assert_eq!(
            login.to_string(),
            "logins are wanted there (serial-getty@ttyS0.service is enabled); \
             `systemctl mask --now serial-getty@ttyS0.service` frees it"
        );
    }

    #[test]
    fn a_login_that_is_enabled_is_found_and_one_that_is_switched_off_is_not() {
        let root = tempfile::tempdir().expect("a directory");
        let make = |path: &str| fs::create_dir_all(root.path().join(path)).expect("a directory");
        let wants = "etc/systemd/system/getty.target.wants";
        make(wants);
        let unit = "serial-getty@ttyS0.service";
        symlink("/nowhere", root.path().join(wants).join(unit)).expect("a link");
        assert_eq!(login_unit(root.path(), "ttyS0"), None, "no systemd here");
        make("run/systemd/system");
        assert_eq!(login_unit(root.path(), "ttyS0").as_deref(), Some(unit));
        assert_eq!(login_unit(root.path(), "ttyS1"), None);
        let mask = root.path().join("etc/systemd/system").join(unit);
        symlink("/dev/null", mask).expect("a link");
        assert_eq!(login_unit(root.path(), "ttyS0"), None);
    }

    #[test]
    fn another_process_that_has_a_terminal_open_is_found_and_we_are_not() {
        let pty = nix::pty::openpty(None, None).expect("a pty");
        let path = nix::unistd::ttyname(&pty.slave).expect("its name");
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .stdin(pty.slave)
            .spawn()
            .expect("sleep runs");
        let found = users(&path);
        child.kill().expect("ours");
        child.wait().expect("ours");
        let own = i32::try_from(child.id()).expect("small");
        assert!(
            found
                .iter()
                .any(|user| user.pid == own && user.name == "sleep"),
            "{found:?}"
        );
        let this = i32::try_from(std::process::id()).expect("small");
        assert!(found.iter().all(|user| user.pid != this));
        assert_eq!(obstacle(Path::new("/dev/no-such-port")), None);
        let null = Path::new("/dev/null");
        let _open = fs::File::open(null).expect("it is there");
        assert_eq!(users(null), [], "nobody is to be killed for having it open");
    }
}
