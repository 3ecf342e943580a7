//! What stands in for a watchdog device: a FIFO, as `ha.cf` names it, and a clock that runs out when nobody writes to it.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use crate::lab::machine::Machine;
use crate::lab::null_modem::run_before_others;

/// The name in `/dev`.
pub const DEVICE: &str = "watchdog";

/// One device. It does not reset the machine itself: [`fired`](Self::fired) tells that it is time to.
pub struct StandIn {
    /// For how long it was not fed, while it is armed.
    unfed: Arc<Mutex<Option<Duration>>>,
    timeout: Duration,
}

/// How often the device looks whether it was fed.
const TICK: Duration = Duration::from_millis(5);
/// A tick that took longer counts as this: the whole computer stood still, or this thread, and the daemon had no chance.
const LONGEST_TICK: Duration = Duration::from_millis(50);

impl StandIn {
    /// Puts a device with this time on a machine.
    pub fn new(machine: &Machine, timeout: Duration) -> Self {
        let path = machine.file("dev").join(DEVICE);
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("our own file system");
        let mut end = File::options()
            .read(true)
            .custom_flags(OFlag::O_NONBLOCK.bits())
            .open(&path)
            .expect("it was just made");
        let unfed = Arc::<Mutex<Option<Duration>>>::default();
        let store = Arc::clone(&unfed);
        thread::spawn(move || {
            run_before_others();
            let mut bytes = [0; 64];
            let mut last = Instant::now();
            loop {
                thread::sleep(TICK);
                let tick = last.elapsed().min(LONGEST_TICK);
                last = Instant::now();
                // A FIFO without a writer is at its end; the next writer is heard all the same.
                let fed = end.read(&mut bytes).unwrap_or_default();
                let mut unfed = store.lock().unwrap_or_else(PoisonError::into_inner);
                *unfed = match bytes[..fed].last() {
                    Some(b'V') => None,
                    Some(_) => Some(Duration::ZERO),
                    None => unfed.map(|time| time + tick),
                };
            }
        });
        Self { unfed, timeout }
    }

    /// Whether it ran out.
    pub fn fired(&self) -> bool {
        let unfed = *self.unfed.lock().unwrap_or_else(PoisonError::into_inner);
        unfed.is_some_and(|time| time >= self.timeout)
    }

    /// The machine was reset, and with it the device: it rests until it is opened again.
    pub fn reset(&self) {
        *self.unfed.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
