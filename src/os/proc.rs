//! Other processes of this machine, as `/proc` tells of them.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Far above what a program can be started with on most machines; a larger environment is cut.
const MOST_ENVIRONMENT: u64 = 4 * 1024 * 1024;

/// A process. Its number alone may be given to another one after its end; together with its start it is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: i32,
    /// The process group that it is in.
    pub group: i32,
    /// When it was forked, by the clock that counts since boot. Exact to a hundredth of a second.
    pub started: Duration,
}

/// The numbers of all processes that we may see.
pub fn all() -> io::Result<Vec<i32>> {
    let entries = std::fs::read_dir("/proc")?.flatten();
    Ok(entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect())
}

/// What a process is now; `None` once it has ended, whether or not its parent took notice.
///
/// Takes no lock of the process, so it does not wait for one that hangs in the kernel.
pub fn look(pid: i32) -> Option<Process> {
    parse(pid, &std::fs::read(format!("/proc/{pid}/stat")).ok()?)
}

/// The environment that a program was started with, zero after each variable. May wait for a process that hangs
/// in the kernel: not for the event loop.
pub fn environment(pid: i32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(format!("/proc/{pid}/environ"))?
        .take(MOST_ENVIRONMENT)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The name that the kernel keeps of a process.
pub fn name(pid: i32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
}

/// What a process has of a file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Use {
    /// It stands in this directory.
    WorkingDirectory(PathBuf),
    /// This is its root directory.
    Root(PathBuf),
    /// It is this program.
    Program(PathBuf),
    /// It has this file open.
    File(PathBuf),
    /// It has this file in its memory, a library for example.
    Memory(PathBuf),
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WorkingDirectory(path) => write!(f, "working directory {}", path.display()),
            Self::Root(path) => write!(f, "root directory {}", path.display()),
            Self::Program(path) => write!(f, "runs {}", path.display()),
            Self::File(path) => write!(f, "has {} open", path.display()),
            Self::Memory(path) => write!(f, "has {} in its memory", path.display()),
        }
    }
}

/// The first thing that a process has at or below this path. Asks the kernel for names only, never the file system; may
/// wait for a process that hangs in the kernel: not for the event loop.
pub fn use_of(pid: i32, place: &Path) -> Option<Use> {
    let below = |path: &PathBuf| path.starts_with(place);
    let link = |what: &str| {
        std::fs::read_link(format!("/proc/{pid}/{what}"))
            .ok()
            .filter(below)
    };
    link("cwd")
        .map(Use::WorkingDirectory)
        .or_else(|| link("root").map(Use::Root))
        .or_else(|| link("exe").map(Use::Program))
        .or_else(|| {
            let open = std::fs::read_dir(format!("/proc/{pid}/fd")).ok()?.flatten();
            let mut paths = open.filter_map(|entry| std::fs::read_link(entry.path()).ok());
            paths.find(below).map(Use::File)
        })
        .or_else(|| {
            let map = std::fs::read(format!("/proc/{pid}/maps")).ok()?;
            let mut paths = map.split(|&byte| byte == b'\n').filter_map(mapped);
            paths.find(below).map(Use::Memory)
        })
}

/// Whether a process has a device open, which is called `device` here and has this number; where there are several
/// instances of its directory, only in the one at `place`. May wait for a process that hangs in the kernel: not for the
/// event loop.
pub fn has_device_open(pid: i32, device: &Path, number: u64, place: Option<u64>) -> bool {
    let Ok(open) = std::fs::read_dir(format!("/proc/{pid}/fd")) else {
        return false;
    };
    open.flatten().any(|entry| {
        let link = entry.path();
        // Only a file of that name is looked at, so that no file system that hangs is asked.
        let has_name = std::fs::read_link(&link)
            .is_ok_and(|path| path.starts_with("/dev") && path.file_name() == device.file_name());
        has_name
            && std::fs::metadata(&link).is_ok_and(|found| {
                found.rdev() == number && place.is_none_or(|place| found.dev() == place)
            })
    })
}

/// The service of systemd that a process belongs to; none for one of a person's session. May wait, as above.
pub fn service(pid: i32) -> Option<String> {
    service_in(&std::fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

/// `hierarchy:controllers:path`, a line each: cgroups(7).
fn service_in(text: &str) -> Option<String> {
    let path = text.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        path.starts_with("/system.slice/").then_some(path)
    })?;
    let unit = path.rsplit('/').find(|part| {
        Path::new(part)
            .extension()
            .is_some_and(|end| end == "service")
    });
    unit.map(str::to_owned)
}

/// `range rights offset device inode    path`, with blanks in the path as they are: proc(5).
fn mapped(line: &[u8]) -> Option<PathBuf> {
    let start = line.iter().position(|&byte| byte == b'/')?;
    let path = line.get(start..)?;
    Some(PathBuf::from(std::ffi::OsStr::from_bytes(path)))
}

/// What the text of `/proc/PID/stat` says of the process; none once that has ended.
///
/// `pid (name) state parent group session …`; the name may hold anything, blanks and parentheses among it.
pub fn parse(pid: i32, stat: &[u8]) -> Option<Process> {
    let text = String::from_utf8_lossy(stat);
    let (_, after_name) = text.rsplit_once(')')?;
    let mut words = after_name.split_whitespace();
    if matches!(words.next()?, "Z" | "X" | "x") {
        return None;
    }
    let group = words.nth(1)?.parse().ok()?;
    let ticks: u64 = words.nth(16)?.parse().ok()?;
    let per_second = u64::try_from(ticks_per_second()).ok()?;
    let micros = ticks.checked_mul(1_000_000)?.checked_div(per_second)?;
    Some(Process {
        pid,
        group,
        started: Duration::from_micros(micros),
    })
}

fn ticks_per_second() -> libc::c_long {
    // SAFETY: takes a number and gives one back.
    unsafe { libc::sysconf(libc::_SC_CLK_TCK) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stat(name: &str, state: &str) -> Vec<u8> {
        format!(
            "4711 ({name}) {state} 1 4700 812 0 -1 4194560 96 0 0 0 0 0 0 0 20 0 1 0 123456 2666496 209 18446744073"
        )
        .into_bytes()
    }

    #[test]
    fn a_name_may_hold_anything() {
        for name in ["sh", "my (odd) name", ") S 1 2 3", ""] {
            let found = parse(4711, &stat(name, "S")).expect("a process");
            assert_eq!((found.pid, found.group), (4711, 4700), "{name:?}");
            let ticks = found.started.as_secs_f64()
                * f64::from(i32::try_from(ticks_per_second()).expect("few"));
            assert!((ticks - 123_456.0).abs() < 0.5, "{name:?}: {ticks}");
        }
    }

    #[test]
    fn what_has_ended_and_was_not_reaped_is_gone() {
        for state in ["Z", "X", "x"] {
            assert_eq!(parse(4711, &stat("sh", state)), None);
        }
        for cut in [0, 4, 9, 12, 40] {
            assert_eq!(
                parse(4711, stat("sh", "S").get(..cut).expect("long enough")),
                None
            );
        }
    }

    #[test]
    fn this_very_process_is_found() {
        let own = i32::try_from(std::process::id()).expect("the kernel counts no further");
        assert!(all().expect("/proc").contains(&own));
        assert_eq!(look(own).map(|found| found.pid), Some(own));
        let has_path = |bytes: Vec<u8>| {
            bytes
                .split(|&byte| byte == 0)
                .any(|one| one.starts_with(b"PATH="))
        };
        assert!(environment(own).is_ok_and(has_path));
        assert_eq!(look(i32::MAX), None);
    }

    #[test]
    fn what_a_process_has_is_named_and_what_is_only_beside_it_is_not() {
        let place = tempfile::tempdir().expect("a directory");
        let place = place.path().canonicalize().expect("its name");
        let own = i32::try_from(std::process::id()).expect("the kernel counts no further");
        let beside = PathBuf::from(format!("{}-beside", place.display()));
        std::fs::create_dir(&beside).expect("room");
        let other = File::create(beside.join("file")).expect("room");
        assert_eq!(use_of(own, &place), None);
        let path = place.join("open file");
        let file = File::create(&path).expect("room");
        assert_eq!(use_of(own, &place), Some(Use::File(path)));
        drop((file, other));
        assert_eq!(use_of(own, &place), None);
        std::fs::remove_dir_all(beside).expect("ours");
        let program = std::env::current_exe().expect("our name");
        assert_eq!(use_of(own, &program), Some(Use::Program(program)));
    }

    #[test]
    fn a_service_is_known_by_its_control_group() {
        for (text, service) in [
            (
                "0::/system.slice/system-serial\\x2dgetty.slice/serial-getty@ttyS0.service\n",
                Some("serial-getty@ttyS0.service"),
            ),
            (
                "12:pids:/\n1:name=systemd:/system.slice/gpsd.service/sub\n0::/\n",
                Some("gpsd.service"),
            ),
            ("0::/user.slice/user-0.slice/session-3.scope\n", None),
            (
                "0::/user.slice/user-0.slice/user@0.service/app.slice/x.service\n",
                None,
            ),
            ("0::/\n", None),
            ("", None),
        ] {
            assert_eq!(service_in(text).as_deref(), service, "{text}");
        }
    }

    #[test]
    fn a_mapped_path_may_have_blanks() {
        let line = b"7f00-7f01 r-xp 00000000 08:01 1234    /srv/my data/lib.so";
        assert_eq!(mapped(line), Some("/srv/my data/lib.so".into()));
        assert_eq!(mapped(b"7f00-7f01 rw-p 00000000 00:00 0    [stack]"), None);
    }
}
