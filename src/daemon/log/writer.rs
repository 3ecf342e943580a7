//! A log file with a thread of its own that writes it. Lines that the disk does not take in time are lost, and
//! counted.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;

use super::file::LogFile;
use crate::daemon::worker::{Flush, Worker};

/// Lines that may wait for a slow disk.
const QUEUE: usize = 1000;

/// What is told when a file cannot be written. May be called from the thread.
pub(super) type Complain = Box<dyn Fn(&str) + Send>;

#[derive(Debug)]
enum Job {
    Line(Vec<u8>),
    Lost(u64),
    Reopen,
}

/// A log file and the queue in front of it. Its thread ends with it.
#[derive(Debug)]
pub(super) struct Writer {
    path: PathBuf,
    worker: Worker<Job>,
    lost: u64,
}

impl Writer {
    /// The file is opened with the first line.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(path: PathBuf, complain: Complain) -> io::Result<Self> {
        let mut file = LogFile::new(path.clone());
        let worker = Worker::start("log", QUEUE, move |job| {
            if let Some(complaint) = work(&mut file, job) {
                complain(&complaint);
            }
            ControlFlow::Continue(())
        })?;
        Ok(Self {
            path,
            worker,
            lost: 0,
        })
    }

    /// Hands over one line, or loses it. Gives back what to complain about elsewhere.
    pub fn write(&mut self, line: &[u8]) -> Option<String> {
        if self.lost > 0 && self.worker.offer(Job::Lost(self.lost)).is_ok() {
            self.lost = 0;
        }
        if self.lost == 0 && self.worker.offer(Job::Line(line.to_vec())).is_ok() {
            return None;
        }
        self.lost = self.lost.saturating_add(1);
        (self.lost == 1).then(|| {
            format!(
                "{} takes no more lines: its disk hangs or is too slow. Lines for it are lost until that is mended",
                self.path.display()
            )
        })
    }

    /// Whatever the path names from now on.
    pub fn reopen(&self) {
        let _ = self.worker.offer(Job::Reopen); // the file itself looks after that before every line
    }

    /// Something that waits until what was handed over is written.
    pub fn flush(&self) -> Flush {
        self.worker.flush()
    }
}

fn work(file: &mut LogFile, job: Job) -> Option<String> {
    match job {
        Job::Line(line) => file.write(&line),
        Job::Lost(number) => file.write(
            format!("heartbeat: WARN: {number} line(s) before the next were lost: the disk was too slow\n")
                .as_bytes(),
        ),
        Job::Reopen => {
            file.reopen();
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Read;
    use std::sync::mpsc::{channel, sync_channel};
    use std::time::Duration;

    use super::*;

    const LONG: Duration = Duration::from_secs(30);

    #[test]
    fn lines_arrive_in_order_and_complaints_come_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let mut writer = Writer::start(path.clone(), Box::new(|_| ())).expect("starts");
        for number in 0..100 {
            assert_eq!(writer.write(format!("{number}\n").as_bytes()), None);
        }
        writer.flush().wait(LONG);
        let expected: Vec<String> = (0..100).map(|number| number.to_string()).collect();
        let mut found = String::new();
        File::open(path)
            .and_then(|mut file| file.read_to_string(&mut found))
            .expect("readable");
        assert_eq!(found.lines().collect::<Vec<_>>(), expected);

        let (sender, complaints) = channel();
        let complain: Complain = Box::new(move |text| sender.send(text.to_owned()).expect("heard"));
        let mut full = Writer::start("/dev/full".into(), complain).expect("starts");
        full.write(b"one\n");
        full.write(b"two\n");
        full.flush().wait(LONG);
        drop(full);
        let told: Vec<String> = complaints.iter().collect();
        assert_eq!(told.len(), 1, "{told:?}");
    }

    #[test]
    fn a_disk_that_hangs_delays_nobody_and_is_told_once() {
        // A complaint that waits stands for a write that does.
        let (hang, hung) = sync_channel::<()>(0);
        let (begun, has_begun) = channel();
        let complain: Complain = Box::new(move |_| {
            begun.send(()).expect("heard");
            let _ = hung.recv();
        });
        let mut writer = Writer::start("/dev/full".into(), complain).expect("starts");
        writer.write(b"line\n");
        has_begun.recv_timeout(LONG).expect("the thread hangs");
        let told: Vec<String> = (0..QUEUE + 10)
            .filter_map(|_| writer.write(b"line\n"))
            .collect();
        assert_eq!(told.len(), 1, "{told:?}");
        writer.flush().wait(LONG);
        drop(hang);
    }
}
