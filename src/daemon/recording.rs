//! `--record`: the file to which everything goes that the core is given. It may end early, with one line in
//! the log; it never delays or ends the daemon.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::worker::Worker;
use crate::cluster::{Event, Instant, Settings};
use crate::recording::{Encoder, Secrecy, remark};

/// Where `--record-limit` is when it is not given.
pub const DEFAULT_LIMIT: u64 = 1024 * 1024 * 1024;

/// Pieces that may wait for a slow disk.
const QUEUE: usize = 1000;
/// And bytes: all memory is locked, and a flood of large messages must not take all of it.
const WAITING: usize = 32 * 1024 * 1024;
/// While the disk is busy, lines wait until they are a piece of this size.
const PIECE: usize = 64 * 1024;
/// How long the last lines may take to reach the file.
const FAREWELL: Duration = Duration::from_secs(2);

/// What was asked for on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The file.
    pub path: PathBuf,
    /// The most bytes that it may have.
    pub limit: u64,
    /// Whether it holds the keys.
    pub with_keys: bool,
}

/// A recording under way.
#[derive(Debug)]
pub struct Recording {
    path: PathBuf,
    encoder: Encoder,
    worker: Worker<Vec<u8>>,
    /// Why the thread has ended.
    failure: Receiver<io::Error>,
    /// Bytes handed over and not written yet.
    waiting: Arc<AtomicUsize>,
    limit: u64,
    /// Bytes that may still come.
    left: u64,
    /// Lines not handed over yet.
    piece: String,
}

/// Why a recording ends before the daemon does.
#[derive(Debug)]
pub enum Ended {
    /// As large as it may be.
    Limit(u64),
    /// The disk hangs or is too slow.
    Overflow,
    /// The file can't be written.
    Io(io::Error),
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Limit(limit) => write!(f, "it has {limit} bytes (--record-limit)"),
            Self::Overflow => f.write_str("its disk hangs or is too slow"),
            Self::Io(error) => write!(f, "cannot write: {error}"),
        }
    }
}

impl Recording {
    /// For a core that is made from these settings now. The file is made by the thread.
    pub fn begin(wanted: &Wanted, now: Instant, settings: &Settings) -> io::Result<Self> {
        let secrecy = if wanted.with_keys {
            Secrecy::Recorded
        } else {
            Secrecy::Withheld
        };
        let (encoder, header) = Encoder::new(crate::VERSION, now, settings, secrecy);
        let waiting = Arc::new(AtomicUsize::new(0));
        let (tell, failure) = channel();
        let mut writer = Writer {
            path: wanted.path.clone(),
            file: None,
        };
        let written = Arc::clone(&waiting);
        let worker = Worker::start("recording", QUEUE, move |piece: Vec<u8>| {
            if let Err(error) = writer.write(&piece) {
                let _ = tell.send(error); // the daemon is ending
                return ControlFlow::Break(());
            }
            written.fetch_sub(piece.len(), Ordering::Relaxed);
            ControlFlow::Continue(())
        })?;
        Ok(Self {
            path: wanted.path.clone(),
            encoder,
            worker,
            failure,
            waiting,
            limit: wanted.limit,
            left: wanted.limit,
            piece: header,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes down what is about to happen. After an error there is nothing more to write.
    pub fn note(&mut self, now: Instant, event: &Event<'_>) -> Result<(), Ended> {
        if let Ok(error) = self.failure.try_recv() {
            return Err(Ended::Io(error));
        }
        let start = self.piece.len();
        self.encoder.line(now, event, &mut self.piece);
        let more = u64::try_from(self.piece.len()).unwrap_or(u64::MAX);
        if more > self.left {
            self.piece.truncate(start);
            self.piece += &remark("the recording ends here: --record-limit");
            let _ = self.hand_over(); // it ends anyway
            return Err(Ended::Limit(self.limit));
        }
        // A panic in the core should find the event that caused it in the file: nothing is kept back without need.
        let is_idle = self.waiting.load(Ordering::Relaxed) == 0;
        if is_idle || self.piece.len() >= PIECE {
            self.hand_over()?;
        }
        Ok(())
    }

    /// Waits until everything is written, but not for a disk that hangs. A recording that is merely dropped
    /// waits for nothing.
    pub fn finish(mut self) {
        let _ = self.hand_over(); // what can't be handed over any more is lost
        self.worker.flush().wait(FAREWELL);
    }

    fn hand_over(&mut self) -> Result<(), Ended> {
        let piece = std::mem::take(&mut self.piece).into_bytes();
        let length = piece.len();
        let waiting = self.waiting.fetch_add(length, Ordering::Relaxed);
        if waiting.saturating_add(length) > WAITING || self.worker.offer(piece).is_err() {
            return Err(self.failure.try_recv().map_or(Ended::Overflow, Ended::Io));
        }
        let length = u64::try_from(length).unwrap_or(u64::MAX);
        self.left = self.left.saturating_sub(length);
        Ok(())
    }
}

/// What the thread works with.
struct Writer {
    path: PathBuf,
    file: Option<File>,
}

impl Writer {
    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(open(&self.path)?),
        };
        file.write_all(piece)
    }
}

/// A new file that only its owner can read. One that is there, such as that of the run before, gets the name
/// `FILE.old`; a pipe or device is used as it is.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).mode(0o600).custom_flags(libc::O_NOCTTY);
    match std::fs::symlink_metadata(path) {
        Ok(there) if there.is_file() => {
            let mut old = path.as_os_str().to_owned();
            old.push(".old");
            std::fs::rename(path, old)?;
        }
        // Whoever may write into the directory must not choose the file that we write to.
        Ok(there) if there.is_symlink() => {
            return Err(io::Error::other("it is a symbolic link"));
        }
        Ok(_) => return options.open(path),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    options.create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::cluster::{FailbackCondition, FencingSettings, GroupSettings, LinkId, PingSettings};
    use crate::config::{AutoFailback, StopFailure};
    use crate::message::{Key, Keys, Method};
    use crate::recording::{Reader, RecordingError};

    fn settings() -> Settings {
        let mut entries = [const { None }; 16];
        entries[1] = Some(Key {
            method: Method::Sha1,
            text: b"a secret".to_vec(),
        });
        Settings {
            local_node: "here".into(),
            peer_node: "there".into(),
            nodes: vec!["here".into(), "there".into()],
            uuid: [1; 16],
            generation: 1,
            last_generation: 1,
            remembered_peer: None,
            maintenance: None,
            seed: 1,
            keepalive: Duration::from_secs(1),
            deadtime: Duration::from_secs(5),
            warntime: Duration::from_secs(3),
            initdead: Duration::from_secs(10),
            max_rexmit_delay: Duration::from_millis(250),
            auto_failback: AutoFailback::On,
            failback: FailbackCondition::Nothing,
            carrier_loss: None,
            ttl: 3,
            inner_auth: false,
            log_badpack: true,
            links: vec!["eth0".into()],
            groups: Vec::<GroupSettings>::new(),
            ping: PingSettings::default(),
            fencing: FencingSettings::default(),
            last_link: crate::config::LastLink::Takeover,
            stop_failure: StopFailure::Hold,
            keys: Keys {
                entries,
                signing: 1,
            },
        }
    }

    fn wanted(path: &Path, limit: u64) -> Wanted {
        Wanted {
            path: path.into(),
            limit,
            with_keys: true,
        }
    }

    const RECEIVED: Event<'static> = Event::Received {
        link: LinkId(0),
        bytes: &[0xff; 16 * 1024],
    };

    /// Hands over until it ends.
    fn note_until_end(recording: &mut Recording, event: &Event<'_>) -> Ended {
        for second in 1.. {
            let now = Instant::from_micros(second * 1_000_000);
            if let Err(ended) = recording.note(now, event) {
                return ended;
            }
            crate::os::process::pause(Duration::from_millis(1));
        }
        unreachable!("a range without end")
    }

    fn count_events(path: &Path) -> Result<usize, RecordingError> {
        let text = std::fs::read(path)?;
        let mut reader = Reader::new(text.as_slice(), None)?;
        let mut count = 0;
        while reader.next_event()?.is_some() {
            count += 1;
        }
        assert!(!reader.is_truncated());
        Ok(count)
    }

    #[test]
    fn what_was_noted_is_in_the_file_at_the_end_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("recording");
        for run in 1..=3_usize {
            let now = Instant::from_micros(1);
            let mut recording = Recording::begin(&wanted(&path, DEFAULT_LIMIT), now, &settings())
                .expect("a thread");
            for _ in 0..run * 20 {
                recording.note(now, &RECEIVED).expect("taken");
                recording.note(now, &Event::Tick).expect("taken");
            }
            recording.finish();
            assert_eq!(count_events(&path).expect("readable"), run * 40);
            let mode = std::fs::metadata(&path).expect("there").permissions();
            assert_eq!(mode.mode() & 0o777, 0o600);
        }
        let old = directory.path().join("recording.old");
        assert_eq!(count_events(&old).expect("readable"), 80);
    }

    #[test]
    fn a_recording_ends_at_its_limit_with_a_remark_and_stays_readable() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("recording");
        let limit = 1_000_000;
        let mut recording =
            Recording::begin(&wanted(&path, limit), Instant::default(), &settings())
                .expect("a thread");
        let ended = note_until_end(&mut recording, &RECEIVED);
        assert!(
            matches!(ended, Ended::Limit(told) if told == limit),
            "{ended}"
        );
        recording.finish();
        let count = count_events(&path).expect("readable");
        assert_eq!(count, 15, "each has 64 KiB and a little");
        let text = std::fs::read_to_string(&path).expect("readable");
        assert!(text.ends_with("# the recording ends here: --record-limit\n"));
    }

    #[test]
    fn a_full_disk_and_a_file_that_cannot_be_made_end_the_recording_with_their_reason() {
        let directory = tempfile::tempdir().expect("a directory");
        let link = directory.path().join("link");
        std::os::unix::fs::symlink("/dev/null", &link).expect("made");
        for (path, reason) in [
            (Path::new("/dev/full"), "No space left on device"),
            (Path::new("/nowhere/recording"), "No such file or directory"),
            (link.as_path(), "it is a symbolic link"),
        ] {
            let wanted = wanted(path, DEFAULT_LIMIT);
            let mut recording =
                Recording::begin(&wanted, Instant::default(), &settings()).expect("a thread");
            let ended = note_until_end(&mut recording, &Event::Tick).to_string();
            assert!(ended.contains(reason), "{}: {ended}", path.display());
        }
    }

    #[test]
    fn a_disk_that_hangs_ends_the_recording_before_it_takes_the_memory() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pipe");
        nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("made");
        // Nobody reads the pipe: the thread waits for that in vain.
        let wanted = wanted(&path, DEFAULT_LIMIT);
        let mut recording =
            Recording::begin(&wanted, Instant::default(), &settings()).expect("a thread");
        let mut taken = 0;
        let now = Instant::default();
        while recording.note(now, &RECEIVED).is_ok() {
            taken += 1;
            assert!(taken < 1000, "32 MiB are 500 of them");
        }
        assert!(taken > 400, "{taken}");
        // Lets the thread go.
        drop(File::open(&path));
    }
}
