//! The computer itself: how much it had to do, and whether it stood still as a whole.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::lab::null_modem::run_before_others;

/// How often the guard wakes up.
const PACE: Duration = Duration::from_millis(10);

/// A thread that runs before everything else here, does nothing, and notices when it does not run: then nobody could.
pub struct Guard {
    longest: Arc<AtomicU64>,
}

impl Guard {
    /// Watches from now on.
    pub fn new() -> Self {
        let longest = Arc::new(AtomicU64::new(0));
        let store = Arc::clone(&longest);
        thread::spawn(move || {
            run_before_others();
            loop {
                let before = Instant::now();
                thread::sleep(PACE);
                let late = before.elapsed().saturating_sub(PACE);
                let late = u64::try_from(late.as_micros()).unwrap_or(u64::MAX);
                store.fetch_max(late, Ordering::SeqCst);
            }
        });
        Self { longest }
    }

    /// The latest that it woke up since this was last asked.
    pub fn latest(&self) -> Duration {
        Duration::from_micros(self.longest.swap(0, Ordering::SeqCst))
    }
}

/// Looks at the load every second.
#[derive(Default)]
pub struct Loads(Vec<f64>);

impl Loads {
    /// Another look.
    pub fn look(&mut self) {
        let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        let first: Option<f64> = text.split(' ').next().and_then(|word| word.parse().ok());
        self.0.extend(first);
    }

    /// The highest load average of a minute.
    pub fn highest(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }
}

/// One number of a file such as `/proc/vmstat`, which has a name and a number a line.
pub fn number(file: &str, name: &str) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Hundredths of a second that the host of this computer, if it is a virtual one, gave to others.
pub fn stolen() -> u64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let first = text.lines().next().unwrap_or_default();
    let word = first.split_whitespace().nth(8);
    word.and_then(|word| word.parse().ok()).unwrap_or(0)
}
