//! Metrics as a file for `node_exporter`. A thread writes it, for a disk may hang.

use std::fs::{self, File};
use std::io::{self, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::cluster::Instant;
use crate::daemon::worker::Worker;

/// From one text to the next.
const PACE: Duration = Duration::from_secs(15);
/// What may wait for a disk that hangs: the newest text, and somebody who wants to know that it is gone.
const ROOM: usize = 2;
/// So long a stop waits for the disk.
const LIMIT: Duration = Duration::from_secs(1);

/// What is to become of the file. One errand of the thread waits for as long as there is anything.
type Wanted = Arc<Mutex<Option<State>>>;

#[derive(Debug, PartialEq, Eq)]
enum State {
    Holds(String),
    Gone,
}

/// The file and who writes it.
#[derive(Debug)]
pub(super) struct Textfile {
    worker: Worker<()>,
    wanted: Wanted,
    next: Instant,
}

impl Textfile {
    /// Writes this file from now on; none where there can be no thread, which is told.
    pub fn begin(path: PathBuf, now: Instant) -> Option<Self> {
        let wanted = Wanted::default();
        let shown = path.display().to_string();
        match start(path, Arc::clone(&wanted)) {
            Ok(worker) => Some(Self {
                worker,
                wanted,
                next: now,
            }),
            Err(error) => {
                log::warn!("Metrics are not written to {shown}: {error}");
                None
            }
        }
    }

    /// Hands over a text when one is due.
    pub fn turn(&mut self, now: Instant, make: impl FnOnce() -> String) {
        if self.next <= now {
            self.next = now + PACE;
            self.put(State::Holds(make()));
        }
    }

    /// When the next text is due.
    pub fn next_deadline(&self) -> Instant {
        self.next
    }

    /// Removes the file: what a stopped daemon has left would be taken for its state.
    pub fn stop(self) {
        self.put(State::Gone);
        self.worker.flush().wait(LIMIT);
    }

    fn put(&self, state: State) {
        if slot(&self.wanted).replace(state).is_none() {
            let _ = self.worker.offer(()); // there is room: whoever waited before has taken it
        }
    }
}

/// Held for as long as a value is moved in or out and no longer.
fn slot(wanted: &Wanted) -> MutexGuard<'_, Option<State>> {
    wanted.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(path: PathBuf, wanted: Wanted) -> io::Result<Worker<()>> {
    let mut told: Option<String> = None;
    Worker::start("metrics", ROOM, move |()| {
        let newest = slot(&wanted).take();
        let done = match newest {
            Some(State::Holds(text)) => replace(&path, &text),
            Some(State::Gone) => remove(&path),
            None => Ok(()),
        };
        let problem = done.err().map(|error| error.to_string());
        if let Some(why) = problem.as_ref().filter(|why| told.as_ref() != Some(why)) {
            log::warn!("Metrics can't be written to {}: {why}", path.display());
        }
        told = problem;
        ControlFlow::Continue(())
    })
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Whoever reads it sees the old text or the new one. Not synced: after a crash of the machine it is worth nothing. A file
/// of another's in the way is removed and never followed: the directory need not be root's.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(".new"); // an ending that no collector reads
    let temporary = PathBuf::from(temporary);
    remove(&temporary)?;
    let mut file = File::options()
        .write(true)
        .create_new(true)
        .mode(0o644)
        .open(&temporary)?;
    let written = file
        .write_all(text.as_bytes())
        .and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_replaced_whole_and_gone_after_a_stop() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("heartbeat.prom");
        let trap = directory.path().join("trap");
        std::os::unix::fs::symlink(&trap, directory.path().join("heartbeat.prom.new"))
            .expect("made");
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let mut file = Textfile::begin(path.clone(), at(100)).expect("a thread");
        for (second, text) in [(100, "one"), (114, "too early"), (115, "two")] {
            file.turn(at(second), || text.to_owned());
            file.worker.flush().wait(LIMIT);
        }
        assert_eq!(fs::read_to_string(&path).expect("there"), "two");
        assert_eq!(file.next_deadline(), at(130));
        file.stop();
        assert_eq!(fs::read_dir(directory.path()).expect("there").count(), 0);
        assert!(!trap.exists(), "a link was followed");
    }
}
