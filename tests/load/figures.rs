//! What a daemon used, from `/proc`: all processes of it together, since 3.0.6 is many.

use std::fs;

use crate::lab::machine::Machine;

/// The kernel's count of what the processes of one daemon did since they began, and what they have.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Processes.
    pub processes: usize,
    /// Pages that had to be read from a disk.
    pub major_faults: u64,
    /// Times that it went to sleep by itself, over all threads.
    pub voluntary: u64,
    /// Times that the processor was taken from it, over all threads.
    pub involuntary: u64,
    /// Milliseconds on a processor.
    pub processor: u64,
    /// KiB in memory.
    pub resident: u64,
    /// KiB of these that are locked there.
    pub locked: u64,
    /// KiB in the swap.
    pub swapped: u64,
    /// The scheduling of every process, without repetitions.
    pub scheduling: Vec<String>,
}

impl Figures {
    /// Of the daemon on a machine, now.
    pub fn of(machine: &Machine) -> Self {
        let all = machine.namespace.processes();
        let mut sum = Self::default();
        for pid in machine.program.daemon_processes(machine.pid(), &all) {
            sum.add(pid);
        }
        sum
    }

    fn add(&mut self, pid: i32) {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let Some((_, rest)) = stat.rsplit_once(')') else {
            return; // it has ended
        };
        // The first of these words is the third field of proc(5).
        let words: Vec<&str> = rest.split_whitespace().collect();
        let field = |number: usize| -> u64 {
            let word = words.get(number - 3);
            word.and_then(|word| word.parse().ok()).unwrap_or(0)
        };
        self.processes += 1;
        self.major_faults += field(12);
        self.processor += (field(14) + field(15)) * 10;
        let scheduling = match field(41) {
            0 => "ordinary".to_owned(),
            1 => format!("FIFO {}", field(40)),
            2 => format!("RR {}", field(40)),
            other => format!("class {other}"),
        };
        if !self.scheduling.contains(&scheduling) {
            self.scheduling.push(scheduling);
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        self.resident += number(&status, "VmRSS:");
        self.locked += number(&status, "VmLck:");
        self.swapped += number(&status, "VmSwap:");
        let threads = fs::read_dir(format!("/proc/{pid}/task"));
        for thread in threads.into_iter().flatten().flatten() {
            let status = fs::read_to_string(thread.path().join("status")).unwrap_or_default();
            self.voluntary += number(&status, "voluntary_ctxt_switches:");
            self.involuntary += number(&status, "nonvoluntary_ctxt_switches:");
        }
    }
}

fn number(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}
