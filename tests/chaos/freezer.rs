//! The freezer of control groups: it holds a daemon without a signal.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use crate::lab::machine::Machine;
use crate::lab::wait_for;
use crate::outside::BOUND;

/// A control group with a daemon in it.
pub struct Freezer {
    directory: PathBuf,
    home: PathBuf,
    pids: BTreeSet<i32>,
}

impl Freezer {
    /// Where control groups of version 2 can be made.
    fn parent() -> PathBuf {
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let words = mounts
            .lines()
            .map(|line| line.split(' ').collect::<Vec<_>>());
        let mut places = words.filter_map(|words| match words[..] {
            [_, place, "cgroup2", ..] => Some(PathBuf::from(place)),
            _ => None,
        });
        let found = places.find(|place| {
            let probe = place.join(format!("heartbeat-probe-{}", namespace_number()));
            fs::create_dir(&probe).is_ok() && fs::remove_dir(&probe).is_ok()
        });
        found.expect("no freezer here: it takes a writable cgroup file system of version 2")
    }

    /// Puts the daemon of a machine into a group of its own.
    pub fn new(machine: &Machine) -> Self {
        let home = Self::parent();
        let name = format!("heartbeat-stall-{}-{}", machine.name, namespace_number());
        let directory = home.join(name);
        fs::create_dir(&directory).expect("one could be made before");
        let all = machine.namespace.processes();
        let pids = machine.program.daemon_processes(machine.pid(), &all);
        let this = Self {
            directory,
            home,
            pids: pids.into_iter().collect(),
        };
        for pid in &this.pids {
            fs::write(this.directory.join("cgroup.procs"), pid.to_string()).expect("our own child");
        }
        this
    }

    /// Holds it, or lets it go on; returns when the kernel says that it does.
    pub fn set(&self, frozen: bool) {
        let digit = if frozen { "1" } else { "0" };
        fs::write(self.directory.join("cgroup.freeze"), digit).expect("a group of our own");
        let state = format!("frozen {digit}");
        let done = wait_for(BOUND, || {
            let events = fs::read_to_string(self.directory.join("cgroup.events"));
            events.is_ok_and(|text| text.contains(&state)).then_some(())
        });
        assert!(done.is_some(), "the kernel does not say {state:?}");
    }
}

impl Drop for Freezer {
    fn drop(&mut self) {
        let _ = fs::write(self.directory.join("cgroup.freeze"), "0");
        for pid in &self.pids {
            let _ = fs::write(self.home.join("cgroup.procs"), pid.to_string()); // it may have ended
        }
        let _ = fs::remove_dir(&self.directory);
    }
}

/// Tells sandboxes apart: processes have the same numbers in each.
fn namespace_number() -> String {
    let name = fs::read_link("/proc/self/ns/mnt").unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    name.chars().filter(char::is_ascii_digit).collect()
}
