//! The FIFO into which scripts of this machine put messages for the scripts of both nodes, as text in the form of a
//! serial line. Who may open it is trusted, and still cannot hold up anything: so much is read and no more, and a writer
//! who has more to say waits.

use std::fmt;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use nix::unistd::{geteuid, mkfifo};

use crate::cluster::{Instant, ScriptMessage, Unsendable};
use crate::message::{FieldKind, Message, TextFrames, parse_nested};

/// What may be read at once, in bytes.
const BURST: i64 = 8192;
/// What is read each second in the long run: a serial line of 9600 baud takes it beside the heartbeats.
const BYTES_PER_SECOND: i64 = 512;
/// What a message costs besides its own bytes: header and signature.
const COST: i64 = 300;
/// Longer than this no message that can be sent is, whatever its form.
const LONGEST: u64 = 8192;
/// Lines about messages that are not sent, within [`PERIOD`].
const MOST_COMPLAINTS: u32 = 10;
const PERIOD: Duration = Duration::from_secs(60);
const TAG: &str = "fifo";

/// The open FIFO, or none where it could not be made.
#[derive(Debug)]
pub struct Fifo {
    path: PathBuf,
    token: Token,
    file: Option<File>,
    /// There may be something to read.
    stirred: bool,
    frames: TextFrames,
    /// How much was read since the last message, whole or not.
    incomplete: u64,
    message: Message,
    credit: Credit,
    complaints: u32,
    complaints_since: Instant,
    /// That it can't be made was told.
    complained: bool,
}

/// How much may be read.
#[derive(Debug)]
struct Credit {
    /// Below zero, those who wrote must wait.
    bytes: i64,
    counted_at: Instant,
}

/// What is wrong with what a script wrote, as the end of a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mistake {
    /// It is no message, for this reason.
    Form(String),
    /// The field of this name is no text.
    Binary(String),
    /// It may not be sent.
    Unsendable(Unsendable),
    /// Too much was written without an end.
    Endless,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form(form) => {
                write!(
                    f,
                    "it can't be read ({form}); ha_clustermsg writes the form"
                )
            }
            Self::Binary(name) => write!(f, "its field {name} is no text"),
            Self::Unsendable(why) => why.fmt(f),
            Self::Endless => write!(f, "it has no end within {LONGEST} bytes"),
        }
    }
}

impl Fifo {
    /// Makes the FIFO at `path`, or opens the one that is there. That a script writes is signalled under `token`. A FIFO
    /// that can't be made is complained about, and that is all.
    pub fn open(path: PathBuf, registry: &Registry, token: Token) -> Self {
        let mut fifo = Self {
            path,
            token,
            file: None,
            stirred: false,
            frames: TextFrames::of_messages(),
            incomplete: 0,
            message: Message::new(),
            credit: Credit {
                bytes: BURST,
                counted_at: Instant::default(),
            },
            complaints: 0,
            complaints_since: Instant::default(),
            complained: false,
        };
        fifo.reopen(registry);
        fifo
    }

    /// Makes it again if somebody has removed it.
    pub fn restore(&mut self, registry: &Registry) {
        if !self.is_there() {
            self.reopen(registry);
        }
    }

    fn is_there(&self) -> bool {
        let there = fs::symlink_metadata(&self.path);
        let open = self.file.as_ref().map(File::metadata);
        match (there, open) {
            (Ok(there), Some(Ok(open))) => (there.dev(), there.ino()) == (open.dev(), open.ino()),
            _ => false,
        }
    }

    /// A script has written something.
    pub fn stir(&mut self) {
        self.stirred = true;
    }

    /// The next message, as far as there is one and its writer has not to wait. Never blocks.
    pub fn next_message(&mut self, now: Instant) -> Option<ScriptMessage> {
        loop {
            self.credit.count(now);
            while self.credit.bytes > 0
                && let Some(frame) = self.frames.next_frame()
            {
                self.incomplete = 0;
                self.credit.take(COST);
                match read(frame, &mut self.message) {
                    Ok(message) => return Some(message),
                    Err(mistake) => self.complain(now, &mistake),
                }
            }
            if self.incomplete > LONGEST {
                self.frames.reset();
                self.incomplete = 0;
                self.complain(now, &Mistake::Endless);
            }
            if !self.read_more() {
                return None;
            }
        }
    }

    /// When [`next_message`](Self::next_message) has something to do without being woken.
    pub fn next_deadline(&self) -> Option<Instant> {
        let may_have_more = self.stirred || self.credit.bytes <= 0;
        may_have_more.then(|| self.credit.next_at())
    }

    /// False when there is nothing, or the writer has to wait.
    fn read_more(&mut self) -> bool {
        let most = usize::try_from(self.credit.bytes).unwrap_or(0);
        let (Some(file), true) = (&mut self.file, self.stirred && most > 0) else {
            return false;
        };
        // Asked in every turn, and nearly always in vain: only now is there anything to make room for.
        let mut buffer = [0; 4096];
        let most = most.min(buffer.len());
        let Some(room) = buffer.get_mut(..most) else {
            return false;
        };
        match file.read(room) {
            Ok(count) if count > 0 => {
                let bytes = room.get(..count).unwrap_or_default();
                self.frames.push(bytes);
                let count = u64::try_from(count).unwrap_or(u64::MAX);
                self.incomplete = self.incomplete.saturating_add(count);
                self.credit.take(i64::try_from(count).unwrap_or(i64::MAX));
                true
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
            _ => {
                self.stirred = false;
                false
            }
        }
    }

    fn reopen(&mut self, registry: &Registry) {
        let path = self.path.display();
        match open(&self.path, registry, self.token) {
            Ok(file) => {
                if self.file.is_some() {
                    log::warn!("Somebody removed the FIFO {path}; it is made again");
                }
                self.file = Some(file);
                self.frames.reset();
                (self.incomplete, self.stirred, self.complained) = (0, true, false);
            }
            Err(error) if !std::mem::replace(&mut self.complained, true) => {
                log::error!("No script can send messages: cannot make the FIFO {path}: {error}");
            }
            Err(_) => {}
        }
    }

    fn complain(&mut self, now: Instant, mistake: &Mistake) {
        if now.since(self.complaints_since) >= PERIOD {
            (self.complaints_since, self.complaints) = (now, 0);
        }
        self.complaints = self.complaints.saturating_add(1);
        let path = self.path.display();
        if self.complaints <= MOST_COMPLAINTS {
            log::warn!(target: TAG, "A message in {path} is not sent: {mistake}");
        }
        if self.complaints == MOST_COMPLAINTS {
            log::warn!(target: TAG, "No more is said of such messages within this minute");
        }
    }
}

/// Without a daemon there is none, so that a script is told at once and does not wait for a reader.
impl Drop for Fifo {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Credit {
    /// What has come since it was counted last.
    fn count(&mut self, now: Instant) {
        let passed = now.since(self.counted_at).as_micros();
        let passed = i64::try_from(passed).unwrap_or(i64::MAX);
        let new = passed.saturating_mul(BYTES_PER_SECOND) / 1_000_000;
        if new > 0 {
            self.counted_at = now;
            self.bytes = self.bytes.saturating_add(new).min(BURST);
        }
    }

    fn take(&mut self, bytes: i64) {
        self.bytes = self.bytes.saturating_sub(bytes);
    }

    /// When there is enough of it to go on.
    fn next_at(&self) -> Instant {
        let missing = BYTES_PER_SECOND.saturating_sub(self.bytes).max(0);
        let micros = missing.saturating_mul(1_000_000) / BYTES_PER_SECOND;
        self.counted_at + Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

/// Makes a FIFO that nobody but us can open, and opens it so that it never ends: a writer comes and goes.
fn open(path: &Path, registry: &Registry, token: Token) -> io::Result<File> {
    let is_ours = |path: &Path| {
        fs::symlink_metadata(path).is_ok_and(|there| {
            let is_private = there.mode() & 0o777 == 0o600;
            there.file_type().is_fifo() && is_private && there.uid() == geteuid().as_raw()
        })
    };
    if !is_ours(path) {
        // Something else under its name: left by a script that found no daemon, say.
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        mkfifo(path, Mode::S_IRUSR | Mode::S_IWUSR)?;
    }
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut options = OpenOptions::new();
    options.read(true).write(true).custom_flags(flags.bits());
    let file = options.open(path)?;
    if !file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::other("it is none"));
    }
    file.set_permissions(Permissions::from_mode(0o600))?;
    registry.register(&mut SourceFd(&file.as_raw_fd()), token, Interest::READABLE)?;
    Ok(file)
}

/// What one frame says, for which `message` is the room. Without a signature: that somebody could write here is proof
/// enough.
///
/// # Errors
/// Why it is not sent.
pub fn read(frame: &[u8], message: &mut Message) -> Result<ScriptMessage, Mistake> {
    parse_nested(frame, message).map_err(|error| Mistake::Form(error.to_string()))?;
    let mut fields = Vec::new();
    for field in message.fields() {
        let name = String::from_utf8_lossy(field.name).into_owned();
        match std::str::from_utf8(field.value) {
            Ok(value) if field.kind == FieldKind::Text => fields.push((name, value.to_owned())),
            _ => return Err(Mistake::Binary(name.chars().take(64).collect())),
        }
    }
    let kind = message.text("t").unwrap_or_default();
    ScriptMessage::new(kind, fields).map_err(Mistake::Unsendable)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use mio::Poll;

    use super::*;
    use crate::daemon::clock;

    struct Bench {
        directory: tempfile::TempDir,
        poll: Poll,
        fifo: Fifo,
        now: Instant,
    }

    impl Bench {
        fn new() -> Self {
            let directory = tempfile::tempdir().expect("a directory");
            let poll = Poll::new().expect("a poll");
            let fifo = Fifo::open(directory.path().join("fifo"), poll.registry(), Token(0));
            let now = clock::now();
            Self {
                directory,
                poll,
                fifo,
                now,
            }
        }

        fn writer(&self) -> File {
            let mut options = OpenOptions::new();
            let flags = OFlag::O_NONBLOCK.bits();
            let options = options.write(true).custom_flags(flags);
            let path = self.directory.path().join("fifo");
            options.open(path).expect("somebody reads")
        }

        fn write(&mut self, bytes: &[u8]) {
            self.writer().write_all(bytes).expect("there is room");
            self.fifo.stir();
        }

        /// Takes what was written as fast as that goes: how many messages, within how many seconds.
        fn drain(&mut self) -> (usize, u64) {
            let mut heard = self.messages().len();
            assert!(heard < 30, "{heard} at once");
            let begin = self.now;
            while let Some(due) = self.fifo.next_deadline() {
                assert!(due > self.now, "it waits and does not spin");
                self.now = due;
                heard += self.messages().len();
            }
            (heard, self.now.since(begin).as_secs())
        }

        /// All that can be had now, as types and fields.
        fn messages(&mut self) -> Vec<String> {
            let messages = std::iter::from_fn(|| self.fifo.next_message(self.now));
            let told = messages.map(|message| {
                let fields = message.fields().iter();
                let fields = fields.map(|(name, value)| format!(" {name}={value}"));
                message.kind().to_owned() + &fields.collect::<String>()
            });
            told.collect()
        }
    }

    #[test]
    fn what_scripts_write_is_read_in_pieces_and_after_what_was_never_ended() {
        let mut bench = Bench::new();
        bench.write(b">>>\nt=mine\nwhat=a b\nseq=5\n<<<\n>>>\nt=other\n");
        assert_eq!(bench.messages(), ["mine what=a b"]);
        bench.write(b"x=1\n<<<\n");
        assert_eq!(bench.messages(), ["other x=1"]);
        bench.write(b"noise\n>>>\nt=half\nx=");
        bench.write(b"\n>>>\nt=whole\n<<<\n");
        assert_eq!(bench.messages().last().map(String::as_str), Some("whole"));
        bench.write(b">>>\nt=resource\n<<<\n>>>\nno sign\n<<<\n>>>\n<<<\n>>>\nt=good\n<<<\n");
        assert_eq!(bench.messages(), ["good"]);
        assert!(bench.fifo.next_deadline().is_none(), "all is read");
    }

    #[test]
    fn a_writer_who_floods_waits_and_gets_through_in_the_end() {
        let mut bench = Bench::new();
        let message = format!(">>>\nt=mine\nwhat={}\n<<<\n", "x".repeat(200));
        let mut writer = bench.writer();
        let mut sent = 0;
        while writer.write_all(message.as_bytes()).is_ok() {
            sent += 1;
        }
        bench.fifo.stir();
        assert!(sent > 100, "{sent}");
        let (heard, seconds) = bench.drain();
        assert_eq!(heard, sent);
        assert!(seconds > 60, "{seconds}");
    }

    #[test]
    fn short_messages_cost_as_much_as_they_make_on_the_wire() {
        let mut bench = Bench::new();
        bench.write(&b">>>\nt=m\n<<<\n".repeat(300));
        let (heard, seconds) = bench.drain();
        assert_eq!(heard, 300);
        assert!(seconds > 120, "{seconds}");
    }

    #[test]
    fn what_has_no_end_is_forgotten() {
        let mut bench = Bench::new();
        bench.write(b">>>\nt=mine\n");
        bench.write(&vec![b'x'; 20_000]);
        bench.write(b"\n<<<\n");
        bench.write(b">>>\nt=good\n<<<\n");
        let mut heard = Vec::new();
        loop {
            heard.extend(bench.messages());
            let Some(due) = bench.fifo.next_deadline() else {
                break;
            };
            bench.now = due;
        }
        assert_eq!(heard, ["good"]);
    }

    #[test]
    fn it_is_private_and_comes_back_when_somebody_removes_it() {
        let mut bench = Bench::new();
        let path = bench.directory.path().join("fifo");
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o7777;
        assert_eq!(mode(&path), 0o600);
        fs::remove_file(&path).expect("it was there");
        fs::write(&path, "of a script that found nobody").expect("written");
        bench.fifo.restore(bench.poll.registry());
        bench.write(b">>>\nt=mine\n<<<\n");
        assert_eq!(bench.messages(), ["mine"]);
        assert_eq!(mode(&path), 0o600);
        let open = bench.fifo.file.as_ref().map(File::as_raw_fd);
        bench.fifo.restore(bench.poll.registry());
        assert_eq!(bench.fifo.file.as_ref().map(File::as_raw_fd), open);
    }

    #[test]
    fn where_it_can_not_be_made_there_is_none_and_that_is_all() {
        let poll = Poll::new().expect("a poll");
        let nowhere = PathBuf::from("/proc/nowhere/fifo");
        let mut fifo = Fifo::open(nowhere, poll.registry(), Token(0));
        fifo.stir();
        assert!(fifo.next_message(clock::now()).is_none());
    }
}
