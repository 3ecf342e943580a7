//! The last breath: what the next start is to know of the end of this run.
//!
//! A small file in the state directory says how this run is: that it runs, since when it is known to do well, that it stopped,
//! or why this machine is about to be reset. It has its full length from the start and is overwritten in place, so it needs
//! no room on a disk that is full. A thread writes it, for a disk may hang; and a reason is synced, for a reset loses what
//! was not. A reason goes to the kernel's log too, which a machine with pstore keeps.
//!
//! A loop that hangs writes nothing. Then the next boot knows the time of a complete turn, a minute or two before, and what
//! the watchdog says of the reset.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use super::clock;
use super::state::replace;
use super::worker::Worker;
use crate::cluster::Instant;
use crate::os::local_time::LocalTime;

/// Its name in the state directory.
pub const FILE: &str = "last_breath";
/// The length of the file: one sector, which a disk writes whole or not at all.
const LENGTH: usize = 512;
/// How often the time of the last complete turn is noted. More often would wear out the memory of small machines.
const EVERY: Duration = Duration::from_secs(60);
/// So many jobs may wait for a disk that hangs.
const ROOM: usize = 4;
/// So long a clean stop waits for its last note.
const LIMIT: Duration = Duration::from_secs(1);
/// What tells one boot from another.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

/// How a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
enum Condition {
    /// It does well.
    #[default]
    Running,
    /// It has stopped as it should.
    Stopped,
    /// This machine is about to be reset: why.
    Ending(String),
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Record {
    condition: Condition,
    /// When that was so, in seconds since 1970.
    at: u64,
    /// The boot.
    boot: String,
}

#[derive(Debug)]
struct Job {
    record: Record,
    is_urgent: bool,
}

/// Keeps the file. Without one, as before the start is over, it keeps nothing.
#[derive(Debug, Default)]
pub struct LastBreath {
    worker: Option<Worker<Job>>,
    boot: String,
    condition: Condition,
    /// The thread was busy.
    unsent: bool,
    next: Instant,
}

impl LastBreath {
    /// Tells what the last run has left in this directory, and begins with the file of this one. `kernel_log` is
    /// `/dev/kmsg`; `has_fired`, whether the watchdog says that it reset this machine before it booted.
    pub fn begin(directory: &Path, kernel_log: &Path, has_fired: Option<bool>) -> Self {
        let path = directory.join(FILE);
        let boot = std::fs::read_to_string(BOOT).unwrap_or_default();
        let boot = boot.trim().to_owned();
        let left = read(&path).and_then(|bytes| Record::parse(&bytes));
        if let Some(sentence) = sentence(left.as_ref(), &boot, has_fired) {
            log::warn!("{sentence}");
        }
        let mut this = Self {
            boot,
            ..Self::default()
        };
        match prepare(&path, &this.record()).and_then(|file| start(file, kernel_log)) {
            Ok(worker) => this.worker = Some(worker),
            Err(error) => log::warn!(
                "cannot prepare {}: {error}. The next start will not know how this run ended",
                path.display()
            ),
        }
        this
    }

    /// This machine is about to be reset, for this reason.
    pub fn say(&mut self, reason: &str) {
        self.change(Condition::Ending(reason.to_owned()));
    }

    /// It will not be reset, after all.
    pub fn take_back(&mut self) {
        self.change(Condition::Running);
    }

    /// To be called at the end of a completed turn and nowhere else.
    pub fn turn(&mut self, now: Instant) {
        let is_due = self.condition == Condition::Running && self.next <= now;
        if is_due || self.unsent {
            self.next = now + EVERY;
            self.send(self.unsent);
        }
    }

    /// This run has stopped as it should. Waits a moment for the disk.
    pub fn stop(mut self) {
        self.change(Condition::Stopped);
        if let Some(worker) = self.worker {
            worker.flush().wait(LIMIT);
        }
    }

    fn change(&mut self, condition: Condition) {
        if self.condition != condition {
            self.condition = condition;
            self.send(true);
        }
    }

    fn record(&self) -> Record {
        Record {
            condition: self.condition.clone(),
            at: clock::wall_seconds(),
            boot: self.boot.clone(),
        }
    }

    fn send(&mut self, is_urgent: bool) {
        let record = self.record();
        if let Some(worker) = &self.worker {
            // What is old is of no use where there is no room: the next turn offers what is true then.
            self.unsent = worker.offer(Job { record, is_urgent }).is_err() && is_urgent;
        }
    }
}

/// The file with its first record, ready to be overwritten. Where there is no room for a new one, the old one will do.
fn prepare(path: &Path, record: &Record) -> io::Result<File> {
    let is_whole = |file: &File| {
        let metadata = file.metadata();
        metadata.is_ok_and(|found| found.is_file() && usize::try_from(found.len()) == Ok(LENGTH))
    };
    let open = || File::options().write(true).open(path);
    if let Err(error) = replace(path, &record.bytes()) {
        let old = open().ok().filter(is_whole).ok_or(error)?;
        old.write_all_at(&record.bytes(), 0)?;
        return Ok(old);
    }
    open()
}

/// The thread that writes. The kernel's log comes first: it takes what a disk may not.
fn start(file: File, kernel_log: &Path) -> io::Result<Worker<Job>> {
    let mut kernel_log = File::options()
        .write(true)
        .custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(kernel_log)
        .ok();
    Worker::start("last breath", ROOM, move |job: Job| {
        if let (Condition::Ending(reason), Some(log)) = (&job.record.condition, &mut kernel_log) {
            let line = format!("<2>heartbeat: {}\n", plain(reason));
            let _ = log.write_all(line.as_bytes()); // one of two places
        }
        // A disk that takes nothing is told of by those who store more than this.
        let _ = file.write_all_at(&job.record.bytes(), 0);
        if job.is_urgent {
            let _ = file.sync_data();
        }
        ControlFlow::Continue(())
    })
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(path)
        .ok()?;
    let limit = u64::try_from(LENGTH).unwrap_or(u64::MAX);
    file.take(limit).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

/// What is to be told of what the last run has left.
fn sentence(left: Option<&Record>, boot: &str, has_fired: Option<bool>) -> Option<String> {
    let is_later_boot = left.is_none_or(|left| left.boot != boot);
    // The driver says so for as long as the machine is up.
    let has_fired = has_fired == Some(true) && is_later_boot;
    let Some(left) = left else {
        return has_fired.then(|| "The last reset of this machine came from its watchdog".into());
    };
    let at = LocalTime::from_unix(left.at).syslog();
    Some(match (&left.condition, has_fired, is_later_boot) {
        (Condition::Ending(reason), true, _) => {
            format!(
                "The last run of heartbeat ended with: {reason} ({at}). The watchdog then reset this machine"
            )
        }
        (Condition::Ending(reason), false, true) => format!(
            "The last run of heartbeat ended with: {reason} ({at}). This machine has been started since"
        ),
        (Condition::Ending(reason), false, false) => {
            format!("The last run of heartbeat ended with: {reason} ({at})")
        }
        (Condition::Running, true, _) => format!(
            "The watchdog reset this machine: heartbeat hung or was killed some time after {at}, when it is known to have \
             done well"
        ),
        (Condition::Running, false, true) => format!(
            "This machine went down while heartbeat ran, some time after {at}: a loss of power, a crash, or a reset by \
             hand or by a device"
        ),
        (Condition::Running, false, false) => {
            format!("The last run of heartbeat was killed or died, some time after {at}")
        }
        (Condition::Stopped, true, _) => {
            format!("The watchdog reset this machine after heartbeat had stopped ({at})")
        }
        (Condition::Stopped, false, _) => return None,
    })
}

impl Record {
    /// In the whole length of the file.
    fn bytes(&self) -> Vec<u8> {
        let Self {
            condition,
            at,
            boot,
        } = self;
        let text = match condition {
            Condition::Running => format!("running {at} {boot}"),
            Condition::Stopped => format!("stopped {at} {boot}"),
            Condition::Ending(reason) => format!("ending {at} {boot} {}", plain(reason)),
        };
        let mut bytes = text.into_bytes();
        bytes.resize(LENGTH - 1, b' ');
        bytes.push(b'\n');
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let mut words = text.trim_end().splitn(4, ' ');
        let (word, at, boot) = (words.next()?, words.next()?, words.next()?);
        let reason = words.next();
        let condition = match (word, reason) {
            ("running", _) => Condition::Running,
            ("stopped", _) => Condition::Stopped,
            ("ending", Some(reason)) => Condition::Ending(plain(reason)),
            _ => return None,
        };
        Some(Self {
            condition,
            at: at.parse().ok()?,
            boot: boot.to_owned(),
        })
    }
}

/// Nothing that could break a line of the log.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn record(condition: Condition) -> Record {
        Record {
            condition,
            at: 1_795_198_608,
            boot: "b1".into(),
        }
    }

    #[test]
    fn what_is_written_can_be_read_whatever_it_is() {
        let long = "x".repeat(2 * LENGTH);
        for condition in [
            Condition::Running,
            Condition::Stopped,
            Condition::Ending("a resource group does not stop".into()),
            Condition::Ending("Größe".into()),
        ] {
            let record = record(condition);
            let bytes = record.bytes();
            assert_eq!(bytes.len(), LENGTH);
            assert_eq!(Record::parse(&bytes), Some(record));
        }
        let bytes = record(Condition::Ending(long)).bytes();
        assert_eq!(bytes.len(), LENGTH);
        let read = Record::parse(&bytes).expect("cut, but there");
        assert!(matches!(read.condition, Condition::Ending(text) if text.starts_with("xxx")));
        for damage in [
            &b""[..],
            b"\0\0\0\0",
            b"running",
            b"running x b1",
            b"ending 5 b1",
            b"\xff\xfe 5 b1 why",
        ] {
            assert_eq!(Record::parse(damage), None, "{damage:?}");
        }
    }

    #[test]
    fn the_next_start_tells_what_is_known_of_the_last_one() {
        let ending = || Condition::Ending("a group does not stop".into());
        let cases = [
            (None, "b2", None, None),
            (
                None,
                "b2",
                Some(true),
                Some("The last reset of this machine came from its watchdog"),
            ),
            (Some(Condition::Stopped), "b1", Some(true), None),
            (Some(Condition::Stopped), "b2", Some(false), None),
            (
                Some(Condition::Stopped),
                "b2",
                Some(true),
                Some("after heartbeat had stopped ("),
            ),
            (
                Some(Condition::Running),
                "b1",
                Some(true),
                Some("was killed or died, some time after"),
            ),
            (
                Some(Condition::Running),
                "b2",
                None,
                Some("This machine went down while heartbeat ran"),
            ),
            (
                Some(Condition::Running),
                "b2",
                Some(true),
                Some("The watchdog reset this machine: heartbeat hung"),
            ),
            (
                Some(ending()),
                "b1",
                None,
                Some("ended with: a group does not stop ("),
            ),
            (
                Some(ending()),
                "b2",
                None,
                Some("This machine has been started since"),
            ),
            (
                Some(ending()),
                "b2",
                Some(true),
                Some("The watchdog then reset this machine"),
            ),
        ];
        for (condition, boot, fired, words) in cases {
            let left = condition.clone().map(record);
            let said = sentence(left.as_ref(), boot, fired);
            match words {
                None => assert_eq!(said, None, "{condition:?} {boot} {fired:?}"),
                Some(words) => {
                    let said = said.unwrap_or_default();
                    assert!(
                        said.contains(words),
                        "{condition:?} {boot} {fired:?}: {said}"
                    );
                }
            }
        }
    }

    fn condition_in(directory: &Path) -> Option<Condition> {
        let bytes = fs::read(directory.join(FILE)).expect("readable");
        Record::parse(&bytes).map(|record| record.condition)
    }

    #[test]
    fn a_reason_is_kept_on_disk_and_in_the_kernels_log_and_taken_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path();
        let kernel_log = path.join("kmsg");
        fs::write(&kernel_log, "").expect("written");
        let mut breath = LastBreath::begin(path, &kernel_log, None);
        assert_eq!(condition_in(path), Some(Condition::Running));
        let flush = |breath: &LastBreath| {
            let worker = breath.worker.as_ref().expect("it runs");
            worker.flush().wait(Duration::from_secs(30));
        };
        breath.say("it hangs");
        breath.say("it hangs");
        flush(&breath);
        let said = Condition::Ending("it hangs".into());
        assert_eq!(condition_in(path), Some(said));
        let lines = fs::read_to_string(&kernel_log).expect("readable");
        assert_eq!(lines, "<2>heartbeat: it hangs\n", "once");
        breath.take_back();
        flush(&breath);
        assert_eq!(condition_in(path), Some(Condition::Running));
        breath.stop();
        assert_eq!(condition_in(path), Some(Condition::Stopped));
    }

    #[test]
    fn the_time_of_a_complete_turn_is_noted_once_a_minute() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join(FILE);
        let mut breath = LastBreath::begin(directory.path(), Path::new("/no/kmsg"), None);
        let mut is_written = |at: u64| {
            fs::write(&path, vec![b' '; LENGTH]).expect("written");
            breath.turn(Instant::from_micros(at * 1_000_000));
            let worker = breath.worker.as_ref().expect("it runs");
            worker.flush().wait(Duration::from_secs(30));
            condition_in(directory.path()).is_some()
        };
        let written: Vec<_> = [100, 159, 160, 161].map(&mut is_written).into();
        assert_eq!(written, [true, false, true, false]);
    }

    #[test]
    fn without_a_place_to_write_nothing_is_kept_and_nothing_breaks() {
        let mut breath = LastBreath::begin(Path::new("/proc/nothing"), Path::new("/no/kmsg"), None);
        breath.say("it hangs");
        breath.turn(Instant::default());
        breath.stop();
        LastBreath::default().stop();
    }
}
