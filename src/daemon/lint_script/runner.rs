//! Calls one script after the other, as the daemon would.

use std::io;
use std::path::Path;
use std::time::Duration;

use mio::{Events, Interest, Poll, Token};
use signal_hook::consts::{SIGCHLD, SIGINT, SIGTERM};
use signal_hook_mio::v1_0::Signals;

use crate::config::Config;
use crate::daemon::children::{Children, Ended, Kind, Order, Owner, Surroundings};
use crate::daemon::clock;
use crate::resource::Invocation;

const OUTPUT: Token = Token(0);
const SIGNALS: Token = Token(1);
/// A process that ends with its script may be a moment late in letting its output go.
const LATE: Duration = Duration::from_secs(2);

/// Runs scripts and waits for them.
pub struct Runner {
    poll: Poll,
    signals: Signals,
    children: Children,
    /// How many of their outputs were told to be held.
    told: usize,
    is_interrupted: bool,
}

impl Runner {
    /// Children find the configuration around them if there is one that can be used.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn new(config: Option<&Config>, directory: &Path) -> io::Result<Self> {
        let poll = Poll::new()?;
        let mut signals = Signals::new([SIGCHLD, SIGINT, SIGTERM])?;
        poll.registry()
            .register(&mut signals, SIGNALS, Interest::READABLE)?;
        // Not the owner of a daemon's actions: no daemon must wait for these.
        let owner = Owner::of(Path::new("/"))?;
        let surroundings = match config {
            Some(config) => Surroundings::new(config, owner, Kind::Action),
            None => Surroundings::bare(directory, owner, Kind::Action),
        };
        let children = Children::new(poll.registry().try_clone()?, OUTPUT, surroundings);
        Ok(Self {
            poll,
            signals,
            children,
            told: 0,
            is_interrupted: false,
        })
    }

    /// Somebody wants this to end.
    pub fn is_interrupted(&self) -> bool {
        self.is_interrupted
    }

    /// Runs a program to its end, or to its limit.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn call(&mut self, invocation: &Invocation, limit: Duration) -> io::Result<Ended> {
        let order = Order {
            invocation,
            tag: String::new(),
            limit,
        };
        self.children.spawn(clock::now(), order)?;
        self.follow()
    }

    /// The same for a program that reads this, at most a page of memory.
    ///
    /// # Errors
    /// When it can't be run.
    pub fn call_with_input(
        &mut self,
        invocation: &Invocation,
        input: &[u8],
        limit: Duration,
    ) -> io::Result<Ended> {
        let order = Order {
            invocation,
            tag: String::new(),
            limit,
        };
        self.children.spawn_with_input(clock::now(), order, input)?;
        self.follow()
    }

    fn follow(&mut self) -> io::Result<Ended> {
        loop {
            self.children.turn(clock::now());
            if let Some(ended) = self.children.next_ended() {
                return Ok(ended);
            }
            self.wait()?;
        }
    }

    /// Whether one more child that has ended left its output to something that runs on. May take a moment.
    pub fn leaves_output_held(&mut self) -> bool {
        let end = clock::now() + LATE;
        while self.children.lingering() > self.told && clock::now() < end {
            if self.wait().is_err() {
                break;
            }
            self.children.turn(clock::now());
        }
        let before = std::mem::replace(&mut self.told, self.children.lingering());
        self.told > before
    }

    fn wait(&mut self) -> io::Result<()> {
        let now = clock::now();
        let deadline = self.children.next_deadline();
        // epoll counts in milliseconds; a deadline must not be met too early again and again.
        let wait = deadline.map(|deadline| deadline.since(now) + Duration::from_millis(1));
        match self.poll.poll(&mut Events::with_capacity(16), wait) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let mut pending = self.signals.pending();
        self.is_interrupted |= pending.any(|signal| signal != SIGCHLD);
        Ok(())
    }
}
