//! Frames as fast as one thread can send them, or at a pace.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use heartbeat::os::interface;
use heartbeat::os::packet::PacketSocket;

use super::lab::namespace::Namespace;

/// How many frames in a row leave on one interface where there is no pace.
const BURST: usize = 32;
/// The pace is kept within this.
const STEP: Duration = Duration::from_millis(1);

/// It fires for as long as this lives.
pub struct Gun {
    fires: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Gun {
    /// Sends the frames again and again, each interface its own; `rate` is for each of them, in frames a second.
    pub fn fire(
        host: &Namespace,
        magazines: Vec<(&'static str, Vec<Vec<u8>>)>,
        rate: Option<u32>,
    ) -> Self {
        let fires = Arc::new(AtomicBool::new(true));
        let sent = Arc::new(AtomicU64::new(0));
        let (goes_on, count) = (Arc::clone(&fires), Arc::clone(&sent));
        let host = host.share();
        let thread = thread::spawn(move || {
            host.enter();
            let socket = PacketSocket::open().expect("root may");
            let index = |name| interface::index(name).expect("it was attached");
            let mut magazines: Vec<_> = magazines
                .iter()
                .map(|(name, frames)| (index(*name), frames.iter().cycle()))
                .collect();
            let begun = Instant::now();
            let mut fired = 0_u64;
            while goes_on.load(Ordering::Relaxed) {
                let burst = match rate {
                    None => BURST,
                    Some(rate) => {
                        let due = begun.elapsed().as_micros() * u128::from(rate) / 1_000_000;
                        let due = u64::try_from(due).expect("not that long");
                        let burst = due.saturating_sub(fired);
                        fired = due;
                        thread::sleep(STEP);
                        usize::try_from(burst).expect("few")
                    }
                };
                for (interface, frames) in &mut magazines {
                    for frame in frames.take(burst) {
                        // Where the kernel has no room for it, it is one of those that are lost.
                        let done = socket.send(*interface, frame).is_ok();
                        count.fetch_add(u64::from(done), Ordering::Relaxed);
                    }
                }
            }
        });
        Self {
            fires,
            sent,
            thread: Some(thread),
        }
    }

    /// Frames that have left.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Gun {
    fn drop(&mut self) {
        self.fires.store(false, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
