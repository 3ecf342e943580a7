//! A small event loop around the executor of resource groups, a configuration directory to feed it, and a
//! log that can be looked at.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, Once, PoisonError};
use std::time::Duration;

use heartbeat::cluster::{GroupId, GroupOutcome, Instant};
use heartbeat::config::{self, Source};
use heartbeat::daemon::children::Owner;
use heartbeat::daemon::resources::{Limits, Resources};
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use nix::time::{ClockId, clock_gettime};
use signal_hook::consts::SIGCHLD;
use signal_hook_mio::v1_0::Signals;

const CHILD_OUTPUT: Token = Token(1);
const CHILD_ENDED: Token = Token(2);
const WATCHED: Token = Token(3);
/// Generous: nothing here takes longer on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A directory with the three files, and scripts.
pub struct Directory {
    root: tempfile::TempDir,
    settings: String,
    groups: String,
}

impl Directory {
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a directory");
        fs::create_dir(root.path().join("resource.d")).expect("a directory");
        Self {
            root,
            settings: String::new(),
            groups: String::new(),
        }
    }

    /// A line for `ha.cf`.
    pub fn setting(mut self, line: &str) -> Self {
        self.settings += line;
        self.settings += "\n";
        self
    }

    /// A group with these resources.
    pub fn group(mut self, resources: &str) -> Self {
        self.groups += "ba ";
        self.groups += resources;
        self.groups += "\n";
        self
    }

    /// A script in `resource.d`. `$journal` is a file of its own; `note` writes a line into it.
    pub fn script(self, name: &str, body: &str) -> Self {
        let journal = self.path("journal");
        let text = format!(
            "#!/bin/sh\njournal={}\nnote() {{ echo \"$*\" >> $journal; }}\n{body}\n",
            journal.display()
        );
        write_script(&self.path("resource.d").join(name), &text);
        self
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// What the scripts noted so far, in one line.
    pub fn journal(&self) -> String {
        let text = fs::read_to_string(self.path("journal")).unwrap_or_default();
        text.lines().collect::<Vec<_>>().join(", ")
    }

    fn read(&self, path: &Path) -> io::Result<Source> {
        let text = match path.file_name().and_then(|name| name.to_str()) {
            Some("ha.cf") => {
                format!(
                    "keepalive 1\ndeadtime 10\nserial /dev/ttyS0\n{}node ba\nnode bb\n",
                    self.settings
                )
            }
            Some("authkeys") => "auth 1\n1 sha1 secret-of-the-test-bench\n".to_owned(),
            Some("haresources") => self.groups.clone(),
            _ => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(Source {
            text: text.into_bytes(),
            mode: 0o600,
        })
    }
}

/// Writes a file that can be run at once. Another process does so: were the file open for writing in this one, a child
/// that another test starts just then could hold it open, and nobody could run it.
pub fn write_script(path: &Path, text: &str) {
    let mut install = Command::new("install")
        .args(["-m", "755", "/dev/stdin"])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("coreutils");
    let mut pipe = install.stdin.take().expect("a pipe");
    pipe.write_all(text.as_bytes()).expect("taken");
    drop(pipe);
    assert!(install.wait().expect("our own child").success());
}

/// The executor and what drives it.
pub struct Bench {
    poll: Poll,
    signals: Signals,
    pub resources: Resources,
}

impl Bench {
    pub fn new(directory: &Directory) -> Self {
        Self::with_limits(directory, Limits::default())
    }

    pub fn with_limits(directory: &Directory, limits: Limits) -> Self {
        start_log();
        let reader = |path: &Path| directory.read(path);
        let (config, _) = config::load(directory.root.path(), "ba", &reader)
            .unwrap_or_else(|problems| panic!("the test's configuration is refused: {problems:?}"));
        let poll = Poll::new().expect("epoll");
        let mut signals = Signals::new([SIGCHLD]).expect("signals");
        poll.registry()
            .register(&mut signals, CHILD_ENDED, Interest::READABLE)
            .expect("registered");
        let registry = poll.registry().try_clone().expect("a registry");
        let owner = Owner::of(directory.root.path()).expect("a directory");
        let resources = Resources::new(now(), &config, &owner, registry, CHILD_OUTPUT, limits)
            .expect("an executor");
        Self {
            poll,
            signals,
            resources,
        }
    }

    /// Wakes up when this descriptor can be read.
    pub fn watch(&mut self, descriptor: i32) {
        let mut source = SourceFd(&descriptor);
        self.poll
            .registry()
            .register(&mut source, WATCHED, Interest::READABLE)
            .expect("registered");
    }

    /// Turns the loop until `look` finds what it looks for.
    pub fn until<T>(&mut self, what: &str, mut look: impl FnMut(&mut Resources) -> Option<T>) -> T {
        let end = now() + PATIENCE;
        loop {
            self.resources.stir();
            self.resources.turn(now());
            self.resources.news_of_hardware(now()); // as the daemon asks in every turn
            if let Some(found) = look(&mut self.resources) {
                return found;
            }
            let start = now();
            assert!(start < end, "waited in vain for {what}");
            let deadline = self
                .resources
                .next_deadline()
                .map_or(end, |deadline| deadline.min(end));
            let mut events = Events::with_capacity(64);
            match self
                .poll
                .poll(&mut events, Some(rounded_up(deadline.since(start))))
            {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    panic!("epoll: {error}")
                }
                _ => {}
            }
            self.signals.pending().for_each(drop);
        }
    }

    /// Turns the loop until the next outcome, which must be of this group.
    pub fn outcome(&mut self, group: u32) -> GroupOutcome {
        let (found, outcome) = self.until("an outcome", Resources::next_outcome);
        assert_eq!(found, GroupId(group));
        outcome
    }

    pub fn start(&mut self, group: u32) -> GroupOutcome {
        self.resources.start(GroupId(group));
        self.outcome(group)
    }

    pub fn stop(&mut self, group: u32) -> GroupOutcome {
        self.resources.stop(GroupId(group));
        self.outcome(group)
    }

    pub fn probe(&mut self, group: u32) -> GroupOutcome {
        self.resources.probe(GroupId(group));
        self.outcome(group)
    }
}

/// epoll counts in milliseconds; a deadline must not be met too early again and again.
fn rounded_up(wait: Duration) -> Duration {
    if wait.is_zero() {
        wait
    } else {
        wait + Duration::from_millis(1)
    }
}

pub fn now() -> Instant {
    let time = Duration::from(clock_gettime(ClockId::CLOCK_BOOTTIME).expect("a clock"));
    Instant::from_micros(u64::try_from(time.as_micros()).expect("fits"))
}

static LINES: Mutex<Vec<String>> = Mutex::new(Vec::new());

struct Log;

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        if record
            .module_path()
            .is_some_and(|path| path.starts_with("heartbeat::"))
        {
            let line = format!("{} {} {}", record.target(), record.level(), record.args());
            LINES
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    }

    fn flush(&self) {}
}

fn start_log() {
    static START: Once = Once::new();
    START.call_once(|| {
        log::set_logger(&Log).expect("no other log");
        log::set_max_level(log::LevelFilter::Debug);
    });
}

/// The lines logged so far that contain `word`. Tests run side by side; names tell them apart.
pub fn logged(word: &str) -> Vec<String> {
    let lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines
        .iter()
        .filter(|line| line.contains(word))
        .cloned()
        .collect()
}
