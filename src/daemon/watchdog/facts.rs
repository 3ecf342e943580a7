//! What the kernel tells of the watchdogs of this machine without their being opened: to open one is to arm it.
//!
//! Everything is read from `/sys/class/watchdog`, whose files hold what the kernel has in memory: nothing here asks a device
//! or waits for one. A kernel without these files, or a driver older than they are, tells nothing; then all is left to the
//! opening.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::config::WatchdogDevice;
use crate::os::watchdog::{CARD_RESET, SET_TIMEOUT};

/// The environment variable that names a directory in place of `/`, in whose `dev` and `sys` devices are looked for.
pub const ROOT: &str = "HEARTBEAT_DEVICES";
/// No attribute is longer.
const LONGEST: u64 = 256;
/// What a driver without a parent device calls itself, and its name.
const WITHOUT_PARENT: (&str, &str) = ("Software Watchdog", "softdog");

/// Where devices are.
#[derive(Debug, Clone)]
pub struct Places {
    root: PathBuf,
}

/// What is known of one watchdog; each thing only where the kernel tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// As the kernel names it: `watchdog0`.
    pub name: String,
    /// What it calls itself.
    pub identity: Option<String>,
    /// The name of its driver.
    pub driver: Option<String>,
    /// The module of its driver.
    pub module: Option<String>,
    /// Seconds after which it fires, as it is set now.
    pub timeout: Option<u32>,
    /// The shortest that it can be set to, in seconds.
    pub min_timeout: Option<u32>,
    /// The longest, in seconds.
    pub max_timeout: Option<u32>,
    /// Whether it can't be disarmed once it is armed.
    pub nowayout: Option<bool>,
    /// Whether it is armed.
    pub is_armed: Option<bool>,
    /// The flags `WDIOF_…` that tell of the last reset.
    pub boot_status: Option<u32>,
    /// The flags `WDIOF_…` that tell what it can do.
    pub options: Option<u32>,
}

/// A device that a word of `ha.cf` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is opened.
    pub path: PathBuf,
    /// What is known of it.
    pub facts: Option<Facts>,
}

/// Why a word stands for no device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotFound {
    /// There is none of that name. The others of this machine, in words.
    None(Vec<String>),
    /// There are several. They, in words.
    Several(Vec<String>),
}

impl Places {
    /// Those of this machine, or those that `HEARTBEAT_DEVICES` names.
    pub fn here() -> Self {
        let root = std::env::var_os(ROOT).filter(|root| !root.is_empty());
        Self::below(root.map_or_else(|| PathBuf::from("/"), PathBuf::from))
    }

    /// Those below this directory.
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// A file of `/dev`.
    pub fn device(&self, name: &str) -> PathBuf {
        self.root.join("dev").join(name)
    }

    /// All watchdogs, in the order of their numbers.
    pub fn all(&self) -> Vec<Facts> {
        let entries = std::fs::read_dir(self.root.join("sys/class/watchdog"));
        let paths = entries.into_iter().flatten().flatten();
        let mut all: Vec<Facts> = paths
            .filter_map(|entry| Facts::read(&entry.path()))
            .collect();
        all.sort_by_key(|facts| (facts.name.len(), facts.name.clone()));
        all
    }

    /// What a word of `ha.cf` stands for. A path stands for itself, whether or not there is anything.
    ///
    /// # Errors
    /// When no watchdog is called so, or more than one.
    pub fn find(&self, device: &WatchdogDevice) -> Result<Found, NotFound> {
        let all = self.all();
        let is_meant = |facts: &&Facts| match device {
            WatchdogDevice::Path(path) => self.name_of(path).as_ref() == Some(&facts.name),
            WatchdogDevice::Driver(name) => facts.has_driver(name),
            WatchdogDevice::Identity(name) => facts.is_called(name),
        };
        let mut found: Vec<&Facts> = all.iter().filter(is_meant).collect();
        let words = |all: &[&Facts]| all.iter().map(ToString::to_string).collect();
        if let WatchdogDevice::Path(path) = device {
            return Ok(Found {
                path: path.clone(),
                facts: found.pop().cloned(),
            });
        }
        match found.as_slice() {
            [] => Err(NotFound::None(words(&all.iter().collect::<Vec<_>>()))),
            [one] => Ok(Found {
                path: self.device(&one.name),
                facts: Some((*one).clone()),
            }),
            several => Err(NotFound::Several(words(several))),
        }
    }

    /// The kernel's name for the device at this path. `/dev/watchdog` is the first one under its old name.
    pub fn name_of(&self, path: &Path) -> Option<String> {
        let real = path.canonicalize().ok()?;
        let devices = self.root.join("dev").canonicalize().ok()?;
        let name = real.strip_prefix(devices).ok()?.to_str()?;
        Some(if name == "watchdog" {
            "watchdog0".to_owned()
        } else {
            name.to_owned()
        })
    }

    /// Whether opening this path would find a driver; what is no character device needs none.
    ///
    /// # Errors
    /// When there is nothing at this path, or no driver behind it.
    pub fn look_for_driver(&self, path: &Path) -> io::Result<()> {
        let found = std::fs::metadata(path)?;
        if !found.file_type().is_char_device() {
            return Ok(());
        }
        let number = found.rdev();
        let number = format!("{}:{}", libc::major(number), libc::minor(number));
        let driver = self.root.join("sys/dev/char").join(number);
        std::fs::symlink_metadata(driver)
            .map(drop)
            .map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))
    }

    /// All paths that lead to the device of this name.
    pub fn nodes(&self, name: &str) -> Vec<PathBuf> {
        let mut nodes = vec![self.device(name)];
        if name == "watchdog0" {
            nodes.push(self.device("watchdog"));
        }
        nodes
    }
}

impl Facts {
    fn read(directory: &Path) -> Option<Self> {
        let name = directory.file_name()?.to_str()?.to_owned();
        let text = |file: &str| attribute(&directory.join(file));
        let number = |file: &str| text(file)?.parse::<u32>().ok();
        let options = text("options").and_then(|text| {
            let digits = text.strip_prefix("0x")?;
            u32::from_str_radix(digits, 16).ok()
        });
        let last = |link: &str| {
            let target = std::fs::read_link(directory.join(link)).ok()?;
            Some(target.file_name()?.to_str()?.to_owned())
        };
        let identity = text("identity").filter(|identity| !identity.is_empty());
        let is_soft = identity.as_deref() == Some(WITHOUT_PARENT.0);
        let soft = is_soft.then(|| WITHOUT_PARENT.1.to_owned());
        let is_set = |seconds: &u32| *seconds > 0;
        Some(Self {
            name,
            identity,
            driver: last("device/driver").or(soft),
            module: last("device/driver/module"),
            timeout: number("timeout").filter(is_set),
            min_timeout: number("min_timeout").filter(is_set),
            max_timeout: number("max_timeout").filter(is_set),
            nowayout: number("nowayout").map(|flag| flag != 0),
            is_armed: text("state").map(|state| state == "active"),
            boot_status: number("bootstatus"),
            options,
        })
    }

    /// Modules have `_` where people write `-`.
    fn has_driver(&self, name: &str) -> bool {
        let plain = |name: &str| name.replace('-', "_").to_ascii_lowercase();
        let names = [&self.driver, &self.module].into_iter().flatten();
        names.into_iter().any(|own| plain(own) == plain(name))
    }

    /// As udev writes it in the name of a link.
    fn is_called(&self, name: &str) -> bool {
        let plain = |name: &str| {
            name.replace(
                |c: char| !(c.is_alphanumeric() || "#+-.:=@_".contains(c)),
                "_",
            )
        };
        let own = self.identity.as_deref();
        own.is_some_and(|own| plain(own).eq_ignore_ascii_case(&plain(name)))
    }

    /// Whether it reset this machine before it booted; none where the kernel does not tell.
    pub fn has_fired(&self) -> Option<bool> {
        Some(self.boot_status? & CARD_RESET != 0)
    }

    /// The shortest time, in seconds, in which it can fire, where that is known.
    pub fn shortest(&self) -> Option<u32> {
        let is_fixed = self
            .options
            .is_some_and(|options| options & SET_TIMEOUT == 0);
        if is_fixed {
            self.timeout
        } else {
            self.min_timeout
        }
    }
}

/// `watchdog0 (Software Watchdog, driver softdog)`
impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match (&self.identity, &self.driver) {
            (Some(identity), Some(driver)) => write!(f, " ({identity}, driver {driver})"),
            (Some(word), None) => write!(f, " ({word})"),
            (None, Some(driver)) => write!(f, " (driver {driver})"),
            (None, None) => Ok(()),
        }
    }
}

/// The text of an attribute without what could break a line.
fn attribute(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path)
        .ok()?
        .take(LONGEST)
        .read_to_end(&mut bytes)
        .ok()?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    Some(text.replace(char::is_control, "?"))
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    /// A machine in a directory, with watchdogs of these names and attributes.
    pub fn machine(watchdogs: &[(&str, &[(&str, &str)])]) -> (tempfile::TempDir, Places) {
        let root = tempfile::tempdir().expect("a directory");
        let make = |path: &str| {
            let path = root.path().join(path);
            fs::create_dir_all(&path).expect("a directory");
            path
        };
        make("dev");
        make("sys/class/watchdog");
        for (name, attributes) in watchdogs {
            let class = make(&format!("sys/class/watchdog/{name}"));
            fs::write(root.path().join("dev").join(name), "").expect("a device");
            for (file, text) in *attributes {
                if let Some(link) = file.strip_prefix('@') {
                    fs::create_dir_all(class.join(link).parent().expect("one")).expect("room");
                    symlink(text, class.join(link)).expect("a link");
                } else {
                    fs::write(class.join(file), format!("{text}\n")).expect("an attribute");
                }
            }
        }
        let places = Places::below(root.path());
        (root, places)
    }

    const SOFT: (&str, &[(&str, &str)]) = (
        "watchdog0",
        &[
            ("identity", "Software Watchdog"),
            ("timeout", "60"),
            ("min_timeout", "1"),
            ("max_timeout", "65535"),
            ("nowayout", "0"),
            ("state", "inactive"),
            ("bootstatus", "0"),
            ("options", "0x8180"),
        ],
    );
    const BOARD: (&str, &[(&str, &str)]) = (
        "watchdog1",
        &[
            ("identity", "i6300ESB timer"),
            ("@device/driver", "../../bus/pci/drivers/i6300ESB timer"),
            ("timeout", "30"),
            ("max_timeout", "0"),
            ("nowayout", "1"),
            ("state", "active"),
            ("bootstatus", "32"),
        ],
    );

    fn find(places: &Places, device: &WatchdogDevice) -> Result<String, NotFound> {
        let found = places.find(device)?;
        Ok(found.facts.map_or_else(String::new, |facts| facts.name))
    }

    #[test]
    fn everything_that_the_kernel_tells_is_read_and_nothing_is_opened() {
        let (_root, places) = machine(&[BOARD, SOFT]);
        let [soft, board] = places.all().try_into().expect("two");
        assert_eq!(
            soft.to_string(),
            "watchdog0 (Software Watchdog, driver softdog)"
        );
        assert_eq!((soft.shortest(), soft.max_timeout), (Some(1), Some(65535)));
        assert_eq!((soft.nowayout, soft.is_armed), (Some(false), Some(false)));
        assert_eq!(soft.has_fired(), Some(false));
        assert_eq!(
            (board.shortest(), board.max_timeout),
            (None, None),
            "0 is none"
        );
        assert_eq!((board.nowayout, board.is_armed), (Some(true), Some(true)));
        assert_eq!(board.has_fired(), Some(true));
    }

    #[test]
    fn a_driver_without_a_settable_time_is_as_quick_as_it_is() {
        let (_root, places) = machine(&[(
            "watchdog0",
            &[
                ("timeout", "60"),
                ("min_timeout", "1"),
                ("options", "0x100"),
            ],
        )]);
        let shortest: Vec<_> = places.all().iter().map(Facts::shortest).collect();
        assert_eq!(shortest, [Some(60)]);
    }

    #[test]
    fn a_device_is_found_by_its_path_its_links_its_driver_and_its_identity() {
        let (root, places) = machine(&[SOFT, BOARD]);
        let link = root.path().join("dev/heartbeat-link");
        symlink("watchdog1", &link).expect("a link");
        fs::write(places.device("watchdog"), "").expect("a device");
        let path = WatchdogDevice::Path;
        let driver = |name: &str| WatchdogDevice::Driver(name.into());
        let identity = |name: &str| WatchdogDevice::Identity(name.into());
        for (device, name) in [
            (path(places.device("watchdog1")), "watchdog1"),
            (path(places.device("watchdog0")), "watchdog0"),
            (path(places.device("watchdog")), "watchdog0"),
            (path(link), "watchdog1"),
            (path("/dev/null".into()), ""),
            (path(places.device("none")), ""),
            (driver("softdog"), "watchdog0"),
            (identity("Software_Watchdog"), "watchdog0"),
            (identity("i6300ESB_timer"), "watchdog1"),
            (identity("i6300esb_timer"), "watchdog1"),
        ] {
            assert_eq!(find(&places, &device).as_deref(), Ok(name), "{device}");
        }
        let missing = find(&places, &driver("iTCO_wdt"));
        let all = vec![
            "watchdog0 (Software Watchdog, driver softdog)".to_owned(),
            "watchdog1 (i6300ESB timer, driver i6300ESB timer)".to_owned(),
        ];
        assert_eq!(missing, Err(NotFound::None(all)));
    }

    #[test]
    fn a_module_is_found_however_its_name_is_written() {
        let drivers: &[(&str, &str)] = &[("@device/driver/module", "../../module/sp5100_tco")];
        let (_root, places) = machine(&[("watchdog0", drivers), ("watchdog1", drivers)]);
        let device = WatchdogDevice::Driver("sp5100-TCO".into());
        let several = vec!["watchdog0".to_owned(), "watchdog1".to_owned()];
        assert_eq!(find(&places, &device), Err(NotFound::Several(several)));
    }

    #[test]
    fn a_machine_without_watchdogs_has_none() {
        let places = Places::below("/no/such/root");
        assert_eq!(places.all(), []);
        let device = WatchdogDevice::Identity("x".into());
        assert_eq!(find(&places, &device), Err(NotFound::None(Vec::new())));
    }
}
