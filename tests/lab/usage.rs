//! What a daemon uses of its machine.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::machine::Machine;

/// What the kernel knows of a daemon.
pub struct Usage {
    /// KiB in memory.
    pub resident: u64,
    /// Threads.
    pub threads: u64,
    /// How often it went to sleep by itself.
    pub wakeups: u64,
    /// Hundredths of a second on a processor.
    pub ticks: u64,
    /// Open descriptors.
    pub descriptors: usize,
}

impl Usage {
    /// Of the daemon on this machine, now.
    pub fn of(machine: &Machine) -> Self {
        let pid = machine.pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let number = |name: &str| {
            let line = status
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap_or_default();
            line.split_whitespace()
                .nth(1)
                .and_then(|word| word.parse().ok())
                .unwrap_or(u64::MAX)
        };
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        let ticks = after_name
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|word| word.parse::<u64>().ok())
            .sum();
        Self {
            resident: number("VmRSS:"),
            threads: number("Threads:"),
            wakeups: number("voluntary_ctxt_switches:"),
            ticks,
            descriptors: fs::read_dir(format!("/proc/{pid}/fd")).map_or(0, Iterator::count),
        }
    }
}

/// Where each thread of a process is in the kernel, and what the process has open: for the report of one that hangs.
pub fn whereabouts(pid: i32) -> String {
    let read = |path: PathBuf| fs::read_to_string(path).unwrap_or_default();
    let entries = |what: &str| {
        let entries = fs::read_dir(format!("/proc/{pid}/{what}"));
        entries.into_iter().flatten().flatten()
    };
    let mut text = String::new();
    for thread in entries("task") {
        let of = |what: &str| read(thread.path().join(what));
        let status = of("status");
        let state = status.lines().find(|line| line.starts_with("State:"));
        let (name, place, stack) = (of("comm"), of("wchan"), of("stack"));
        let _ = writeln!(
            text,
            "\n{} {}, in {place}\n{stack}",
            name.trim_end(),
            state.unwrap_or("no state"),
        );
    }
    for descriptor in entries("fd") {
        if let Ok(target) = fs::read_link(descriptor.path()) {
            let _ = write!(text, "{} ", target.display());
        }
    }
    text
}
