//! The load: more work for the processors than they can do, memory that is swapped out and in, writes that wait for the disk, processes
//! that come and go, and somebody who floods the system's log.

use std::fs::File;
use std::io::{Seek, Write};
use std::num::NonZero;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::ground::{Ground, MEMORY};

/// Processes that touch memory, and how many hundredths of the group's memory they have together.
const TOUCHERS: u64 = 4;
const WITH_SWAP: u64 = 170;
const WITHOUT_SWAP: u64 = 70;
/// A log file begins anew at this size, in bytes.
const LOG_SIZE: u64 = 16 << 20;

/// The load, for as long as this lives.
pub struct Pressure {
    stress: Child,
    floods: Arc<AtomicBool>,
}

impl Pressure {
    /// Begins. It ends by itself after `limit`, if nothing else ends it.
    pub fn begin(ground: &Ground, sockets: &[PathBuf], limit: Duration) -> Result<Self, String> {
        let processors = thread::available_parallelism().map_or(1, NonZero::get);
        let share = if ground.swaps {
            WITH_SWAP
        } else {
            WITHOUT_SWAP
        };
        let all = MEMORY / 100 * share;
        let arguments = format!(
            "--quiet --timeout {limit}s --cpu {cpu} --vm {TOUCHERS} --vm-bytes {all} --vm-keep --vm-method incdec --hdd 2 --hdd-bytes 128m \
             --hdd-opts fsync --fork {fork} --switch {switch} --temp-path {directory}",
            limit = limit.as_secs(),
            cpu = 8 * processors,
            fork = 2 * processors,
            switch = 4 * processors,
            directory = ground.directory.display(),
        );
        println!("stress-ng {arguments}");
        let mut command = Command::new("stress-ng");
        command
            .args(arguments.split_whitespace())
            .current_dir(&ground.directory)
            .stdin(Stdio::null())
            .stdout(Stdio::null());
        let spawned = ground.group.within(|| command.spawn());
        let stress = spawned
            .and_then(|spawned| spawned)
            .map_err(|error| format!("cannot begin the load: {error}"))?;
        let floods = Arc::new(AtomicBool::new(true));
        for socket in sockets {
            flood(socket.clone(), Arc::clone(&floods));
        }
        Ok(Self { stress, floods })
    }

    /// Whether it goes on; it does not when `stress-ng` could not do what it was told.
    pub fn goes_on(&mut self) -> bool {
        matches!(self.stress.try_wait(), Ok(None))
    }
}

impl Drop for Pressure {
    fn drop(&mut self) {
        self.floods.store(false, Ordering::SeqCst);
        let pid = i32::try_from(self.stress.id()).expect("the kernel counts no further");
        // It ends its own children.
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGTERM,
        );
        let _ = self.stress.wait();
    }
}

/// A log daemon without realtime priority, which writes what it gets into a file.
pub fn log_daemon(socket: &Path, file: &Path) {
    let socket = UnixDatagram::bind(socket).expect("a directory of ours");
    let mut file = File::create(file).expect("a directory of ours");
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length) = socket.recv(&mut buffer) {
            let begins_anew = file.stream_position().is_ok_and(|size| size > LOG_SIZE);
            if begins_anew {
                let _ = file.set_len(0).and_then(|()| file.rewind());
            }
            let _ = file.write_all(&buffer[..length]);
        }
    });
}

/// Sends lines as fast as they are taken.
fn flood(socket: PathBuf, goes_on: Arc<AtomicBool>) {
    thread::spawn(move || {
        let mouth = UnixDatagram::unbound().expect("descriptors are left");
        let line = [b'x'; 200];
        while goes_on.load(Ordering::SeqCst) && mouth.send_to(&line, &socket).is_ok() {}
    });
}
