//! Stores what was seen of the peer while the daemon runs. Syncing a disk may take seconds, so a short-lived
//! child does it: this program again, as `heartbeat store-file PATH TEXT`.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use super::host_cache::FILE;
use super::next_run::host_cache_text;
use crate::cluster::PeerMemory;
use crate::os::process::pause;

/// At the end: how often the child is looked for, and the time between.
const FAREWELL_LOOKS: u32 = 500;
const LOOK: Duration = Duration::from_millis(10);

/// Writes the host cache. At most one child at a time; of what comes meanwhile, the latest is kept.
#[derive(Debug)]
pub struct Recorder {
    path: PathBuf,
    generation: u64,
    peer_node: String,
    child: Option<Child>,
    waiting: Option<PeerMemory>,
    /// Said once, until a write succeeds again.
    complained: bool,
}

impl Recorder {
    /// For the host cache in the state directory.
    pub fn new(directory: &Path, generation: u64, peer_node: &str) -> Self {
        Self {
            path: directory.join(FILE),
            generation,
            peer_node: peer_node.into(),
            child: None,
            waiting: None,
            complained: false,
        }
    }

    /// Stores this soon.
    pub fn remember(&mut self, peer: PeerMemory) {
        self.waiting = Some(peer);
        self.turn();
    }

    /// To be called when a child ended.
    pub fn turn(&mut self) {
        if let Some(child) = &mut self.child {
            match child.try_wait() {
                Ok(None) => return,
                Ok(Some(status)) => self.ended(status.code()),
                Err(error) => self.complain(&error),
            }
            self.child = None;
        }
        if let Some(peer) = self.waiting.take() {
            self.start(peer);
        }
    }

    /// At the end nothing is delayed by waiting for the disk, unless that hangs: then it is not waited for.
    pub fn finish(mut self) {
        for _ in 0..FAREWELL_LOOKS {
            self.turn();
            if self.child.is_none() {
                return;
            }
            pause(LOOK);
        }
        self.complain(&io::Error::from(io::ErrorKind::TimedOut));
    }

    fn start(&mut self, peer: PeerMemory) {
        let cache = host_cache_text(self.generation, Some((self.peer_node.clone(), peer)));
        let child = Command::new("/proc/self/exe")
            .arg("store-file")
            .arg(&self.path)
            .arg(cache)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => self.child = Some(child),
            Err(error) => self.complain(&error),
        }
    }

    /// The exit status is the number of the system's error.
    fn ended(&mut self, code: Option<i32>) {
        match code {
            Some(0) => self.complained = false,
            Some(code) => self.complain(&io::Error::from_raw_os_error(code)),
            None => self.complain(&io::Error::other("killed by a signal")),
        }
    }

    fn complain(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.complained, true) {
            log::warn!(
                "Cannot store what was seen of {} in {}: {error}. An old recording may be taken for news after a restart",
                self.peer_node,
                self.path.display()
            );
        }
    }
}
