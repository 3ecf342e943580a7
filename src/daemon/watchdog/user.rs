//! Who else has a watchdog open, and what to do about it. Asks `/proc` about every process, which may take a while: not for
//! the event loop.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::os::proc;

/// The first process, and what it is called where it is systemd.
const INIT: i32 = 1;
const SYSTEMD: &str = "systemd";
const HEARTBEAT: &str = "heartbeat";

/// A process that has a watchdog open. `Display` says which, and both ways out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its number.
    pub pid: i32,
    /// Its name.
    pub name: String,
    /// The service that it belongs to.
    pub unit: Option<String>,
}

impl User {
    /// The other process that has one of these devices open.
    pub fn of(devices: &[PathBuf]) -> Option<Self> {
        let numbers: Vec<_> = devices
            .iter()
            .filter_map(|device| {
                let real = device.canonicalize().ok()?;
                let number = std::fs::metadata(&real).ok()?.rdev();
                (number > 0).then_some((real, number))
            })
            .collect();
        let own = i32::try_from(std::process::id()).ok();
        let has_one = |pid: i32| {
            let mut all = numbers.iter();
            all.any(|(device, number)| proc::has_device_open(pid, device, *number, None))
        };
        let pid = proc::all()
            .unwrap_or_default()
            .into_iter()
            .find(|pid| Some(*pid) != own && has_one(*pid))?;
        Some(Self {
            pid,
            name: proc::name(pid)
                .unwrap_or_default()
                .replace(char::is_control, "?"),
            unit: proc::service(pid),
        })
    }

    /// Whether it is a daemon of ours.
    pub fn is_heartbeat(&self) -> bool {
        self.name == HEARTBEAT
    }

    /// Who it is.
    pub fn who(&self) -> String {
        let Self { pid, name, .. } = self;
        let why = if self.is_systemd() {
            ", by RuntimeWatchdogSec= or RebootWatchdogSec= of systemd-system.conf(5)"
        } else {
            ""
        };
        format!("{name} (process {pid}) has it{why}")
    }

    /// What frees the device, and what else can be done.
    pub fn remedy(&self) -> String {
        let Self { pid, unit, .. } = self;
        let first = match unit {
            _ if self.is_systemd() => {
                return "either set RuntimeWatchdogSec=0 in /etc/systemd/system.conf and run `systemctl daemon-reexec`, and \
                        it is free for heartbeat; or leave it to systemd, take the watchdog line out, and let systemd \
                        watch heartbeat by WatchdogSec=, as heartbeat(8) tells under Watchdog"
                    .into();
            }
            _ if self.is_heartbeat() => format!("`heartbeat -k` frees it, or `kill {pid}`"),
            Some(unit) => format!("either `systemctl disable --now {unit}` frees it"),
            None if *pid == INIT => "either its configuration makes it let go".into(),
            None => format!("either `kill {pid}` frees it, and it must not start again"),
        };
        if self.is_heartbeat() {
            return first;
        }
        format!(
            "{first}; or leave it to that program, and name another device or none in ha.cf, as heartbeat(8) tells under \
             Watchdog"
        )
    }

    fn is_systemd(&self) -> bool {
        self.pid == INIT && self.name == SYSTEMD
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}", self.who(), self.remedy())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(pid: i32, name: &str, unit: Option<&str>) -> String {
        let (name, unit) = (name.into(), unit.map(str::to_owned));
        User { pid, name, unit }.to_string()
    }

    #[test]
    fn whoever_has_it_is_named_with_both_ways_out() {
        for (user, words) in [
            (
                said(1, "systemd", None),
                "systemd (process 1) has it, by RuntimeWatchdogSec= or RebootWatchdogSec= of systemd-system.conf(5); either \
                 set RuntimeWatchdogSec=0 in /etc/systemd/system.conf and run `systemctl daemon-reexec`, and it is free \
                 for heartbeat; or leave it to systemd, take the watchdog line out, and let systemd watch heartbeat by \
                 WatchdogSec=, as heartbeat(8) tells under Watchdog",
            ),
            (
                said(512, "wd_keepalive", Some("wd_keepalive.service")),
                "wd_keepalive (process 512) has it; either `systemctl disable --now wd_keepalive.service` frees it; or \
                 leave it to that program, and name another device or none in ha.cf, as heartbeat(8) tells under Watchdog",
            ),
            (
                said(512, "busybox", None),
                "busybox (process 512) has it; either `kill 512` frees it, and it must not start again; or leave it to \
                 that program, and name another device or none in ha.cf, as heartbeat(8) tells under Watchdog",
            ),
            (
                said(512, "heartbeat", Some("heartbeat.service")),
                "heartbeat (process 512) has it; `heartbeat -k` frees it, or `kill 512`",
            ),
            (
                said(1, "init", None),
                "init (process 1) has it; either its configuration makes it let go; or leave it to that program, and name \
                 another device or none in ha.cf, as heartbeat(8) tells under Watchdog",
            ),
        ] {
            assert_eq!(user, words);
        }
    }

    #[test]
    fn another_process_that_has_it_open_is_found_under_any_of_its_names() {
        use std::io::{BufRead, BufReader};

        // Opened by the child alone: other tests start children too, which would have what is open here.
        let flags = nix::fcntl::OFlag::O_RDWR | nix::fcntl::OFlag::O_NOCTTY;
        let pty = nix::pty::posix_openpt(flags).expect("a pty");
        nix::pty::grantpt(&pty).expect("granted");
        nix::pty::unlockpt(&pty).expect("unlocked");
        let path = PathBuf::from(nix::pty::ptsname_r(&pty).expect("its name"));
        let mut child = std::process::Command::new("sh")
            .args(["-c", "exec 3<\"$0\"; echo; read line"])
            .arg(&path)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("sh runs");
        let out = child.stdout.take().expect("piped");
        BufReader::new(out)
            .read_line(&mut String::new())
            .expect("it is open");
        let found = User::of(&["/dev/no-such-watchdog".into(), path]);
        child.kill().expect("ours");
        child.wait().expect("ours");
        let found = found.map(|user| (u32::try_from(user.pid).expect("positive"), user.name));
        assert_eq!(found, Some((child.id(), "sh".to_owned())));
        assert_eq!(User::of(&["/dev/no-such-watchdog".into()]), None);
    }
}
