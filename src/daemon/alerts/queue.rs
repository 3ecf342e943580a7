//! One way and what waits for it. One child at a time, in the order of what happened, and nobody waits for it.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::alert::Kind;
use super::way::Letter;
use crate::cluster::Instant;
use crate::config::AlertWay;
use crate::daemon::children::{ChildId, Children, End, Ended, Order, reason};

/// A child that takes longer is ended.
pub const LIMIT: Duration = Duration::from_secs(30);
/// So many alerts wait for their turn. Then the oldest is given up: what is true now is among the latest.
const ROOM: usize = 32;
/// What is lost with a network that has just failed over is sent again; so often, and after these pauses. A mail has a queue
/// of its own, and what a command did before it failed, nobody knows.
const AGAIN: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(60)];
/// Long past, so: at once.
const AT_ONCE: Instant = Instant::from_micros(0);

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Its program ended with 0.
    Sent,
    /// It did not.
    Failed,
    /// It never had its turn.
    GivenUp(Kind),
}

/// A way and its queue.
#[derive(Debug)]
pub struct Queue {
    /// Where it leads.
    pub way: AlertWay,
    waiting: VecDeque<(Kind, Letter)>,
    running: Option<ChildId>,
    /// How often the first of them was tried.
    attempts: usize,
    /// When the first of them is to be tried again.
    not_before: Instant,
    /// Why it failed, as told last: the same is not told again and again.
    told: Option<String>,
}

impl Queue {
    /// An empty one.
    pub fn new(way: AlertWay) -> Self {
        Self {
            way,
            waiting: VecDeque::new(),
            running: None,
            attempts: 0,
            not_before: AT_ONCE,
            told: None,
        }
    }

    /// One more, in place of the oldest that does not run yet where there is no room.
    pub fn put(&mut self, kind: Kind, letter: Letter) -> Option<Fate> {
        let mut given_up = None;
        if self.waiting.len() >= ROOM {
            let oldest = usize::from(self.running.is_some());
            given_up = self
                .waiting
                .remove(oldest)
                .map(|(kind, _)| Fate::GivenUp(kind));
            if oldest == 0 {
                (self.attempts, self.not_before) = (0, AT_ONCE);
            }
        }
        self.waiting.push_back((kind, letter));
        given_up
    }

    /// Everything that waits is given up: how much that was. What is on its way goes on.
    pub fn clear(&mut self) -> usize {
        let waiting = self.waiting.len();
        self.waiting.clear();
        waiting.saturating_sub(usize::from(self.running.is_some()))
    }

    /// Begins with the first that waits, if it may.
    pub fn begin(&mut self, now: Instant, children: &mut Children) -> Option<Fate> {
        if self.running.is_some() || self.not_before > now {
            return None;
        }
        let (_, letter) = self.waiting.front()?;
        let errand = letter.errand(&self.way);
        let order = Order {
            invocation: &errand.invocation,
            tag: "alert".to_owned(),
            limit: LIMIT,
        };
        self.attempts = self.attempts.saturating_add(1);
        match children.spawn_with_input(now, order, &errand.input) {
            Ok(child) => {
                self.running = Some(child);
                None
            }
            Err(error) => self.fail(now, &format!("can't be run: {error}"), None),
        }
    }

    /// A child of somebody has ended.
    pub fn hear(&mut self, now: Instant, ended: &Ended) -> Option<Fate> {
        self.running.take_if(|child| *child == ended.child)?;
        match Failure::of(ended) {
            None => {
                self.done();
                if self.told.take().is_some() {
                    log::info!("Alerts by {} are sent again", self.way);
                }
                Some(Fate::Sent)
            }
            Some(failure) => {
                let said = ended.last_lines.last().cloned();
                self.fail(now, &failure.to_string(), said)
            }
        }
    }

    /// When there is something to begin with.
    pub fn next_deadline(&self) -> Option<Instant> {
        (self.running.is_none() && !self.waiting.is_empty()).then_some(self.not_before)
    }

    fn done(&mut self) {
        self.waiting.pop_front();
        (self.attempts, self.not_before) = (0, AT_ONCE);
    }

    fn fail(&mut self, now: Instant, why: &str, said: Option<String>) -> Option<Fate> {
        let is_webhook = matches!(self.way, AlertWay::Webhook { .. });
        let again = AGAIN.get(self.attempts.saturating_sub(1));
        if let Some(pause) = again.filter(|_| is_webhook) {
            self.not_before = now + *pause;
            return None;
        }
        let kind = self.waiting.front().map_or("", |(kind, _)| kind.word());
        let said = said.map_or(String::new(), |said| format!(": {said}"));
        let told = format!("{why}{said}");
        if self.told.as_ref() != Some(&told) {
            log::warn!("An alert ({kind}) by {} {told}", self.way);
            self.told = Some(told);
        }
        self.done();
        Some(Fate::Failed)
    }
}

/// How a child failed, in words.
#[derive(Debug)]
pub struct Failure(End);

impl Failure {
    /// None where it did not.
    pub fn of(ended: &Ended) -> Option<Self> {
        (ended.end != End::Exited(0)).then_some(Self(ended.end))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            End::Exited(code) => write!(f, "failed with exit code {code}"),
            End::Killed(signal) => write!(f, "was killed by signal {signal}"),
            End::NeverRan(number) => write!(f, "can't be run: {}", reason(number)),
            End::TimedOut => write!(f, "did not end within {} s and was killed", LIMIT.as_secs()),
        }
    }
}
