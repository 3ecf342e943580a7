//! A file in the state directory of which only the newest content counts. It is written whole, by a thread, for a disk may
//! hang.

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::files::replace;
use crate::daemon::worker::Worker;

/// What may wait for a disk that hangs: the newest content, and somebody who wants to know that it is written.
const ROOM: usize = 2;
/// So long a stop waits for the last one.
const LIMIT: Duration = Duration::from_secs(1);

/// The file, and the thread that writes it.
#[derive(Debug)]
pub struct NewestFile {
    path: PathBuf,
    /// What is in it, for complaints: `incidents`.
    what: &'static str,
    /// Started with the first content.
    worker: Option<Worker<()>>,
    unwritten: Unwritten,
}

/// What the file is to hold and does not yet. One errand of the thread waits for as long as there is anything.
type Unwritten = Arc<Mutex<Option<Vec<u8>>>>;

impl NewestFile {
    /// Writes nothing yet.
    pub fn new(path: PathBuf, what: &'static str) -> Self {
        Self {
            path,
            what,
            worker: None,
            unwritten: Unwritten::default(),
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// This is what it is to hold, soon.
    pub fn store(&mut self, bytes: Vec<u8>) {
        if self.worker.is_none() {
            match start(self.path.clone(), self.what, Arc::clone(&self.unwritten)) {
                Ok(worker) => self.worker = Some(worker),
                Err(error) => {
                    let what = capitalised(self.what);
                    log::warn!("{what} can't be kept in {}: {error}", self.path.display());
                }
            }
        }
        let before = slot(&self.unwritten).replace(bytes);
        if let (None, Some(worker)) = (before, &self.worker) {
            let _ = worker.offer(()); // there is room: whoever waited before has taken it
        }
    }

    /// This run ends. Waits a moment for the disk.
    pub fn stop(self) {
        if let Some(worker) = self.worker {
            worker.flush().wait(LIMIT);
        }
    }
}

/// Held for as long as a value is moved in or out and no longer.
fn slot(unwritten: &Unwritten) -> MutexGuard<'_, Option<Vec<u8>>> {
    unwritten.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(path: PathBuf, what: &'static str, unwritten: Unwritten) -> io::Result<Worker<()>> {
    let mut complained = false;
    Worker::start(what, ROOM, move |()| {
        let newest = slot(&unwritten).take();
        if let Some(bytes) = newest {
            match replace(&path, &bytes) {
                Ok(()) => complained = false,
                Err(error) => {
                    if !std::mem::replace(&mut complained, true) {
                        log::warn!("Cannot keep {what} in {}: {error}", path.display());
                    }
                }
            }
        }
        ControlFlow::Continue(())
    })
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}
