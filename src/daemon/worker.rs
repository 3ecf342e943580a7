//! The one thing that the event loop does not do itself: to write to a file. A disk that hangs, holds up
//! whoever writes to it for as long as it likes, and there is no asking it first. So each file has a thread
//! that does nothing else, and a queue that is never waited for.

use std::io;
use std::ops::ControlFlow;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

/// All memory is locked, the thread's too: it needs little.
const STACK: usize = 128 * 1024;

#[derive(Debug)]
enum Errand<J> {
    Job(J),
    /// Everything before this is done.
    Answer(SyncSender<()>),
}

/// A thread and the queue in front of it. The thread ends with it.
#[derive(Debug)]
pub(super) struct Worker<J> {
    queue: SyncSender<Errand<J>>,
}

/// Why a job was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// As many wait as may.
    Full,
    /// The thread has ended.
    Ended,
}

impl<J: Send + 'static> Worker<J> {
    /// At most `room` jobs wait. The thread ends by itself when the work breaks off.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(
        name: &str,
        room: usize,
        mut work: impl FnMut(J) -> ControlFlow<()> + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, errands) = sync_channel(room);
        thread::Builder::new()
            .name(name.into())
            .stack_size(STACK)
            .spawn(move || {
                for errand in errands {
                    match errand {
                        Errand::Job(job) => {
                            if work(job).is_break() {
                                return;
                            }
                        }
                        Errand::Answer(answer) => {
                            let _ = answer.try_send(()); // whoever asked may have given up
                        }
                    }
                }
            })?;
        Ok(Self { queue })
    }

    /// Hands over a job, without waiting.
    pub fn offer(&self, job: J) -> Result<(), NotTaken> {
        let offered = self.queue.try_send(Errand::Job(job));
        offered.map_err(|error| match error {
            TrySendError::Full(_) => NotTaken::Full,
            TrySendError::Disconnected(_) => NotTaken::Ended,
        })
    }

    /// Something that waits until what was handed over is done.
    pub fn flush(&self) -> Flush {
        let (answer, answered) = sync_channel(1);
        let asked = self.queue.try_send(Errand::Answer(answer));
        Flush(match asked {
            Ok(()) | Err(TrySendError::Disconnected(_)) => Some(answered),
            Err(TrySendError::Full(_)) => None,
        })
    }
}

/// See [`Worker::flush`].
#[derive(Debug)]
pub(super) struct Flush(Option<Receiver<()>>);

impl Flush {
    /// Waits, but not for a disk that hangs.
    pub fn wait(self, limit: Duration) {
        if let Some(answered) = self.0 {
            let _ = answered.recv_timeout(limit); // what isn't written by then is lost
        }
    }
}
