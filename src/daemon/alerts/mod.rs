//! Alerts: a person is told, by mail, by a webhook or by a command. Each way has a bounded queue and one child at a time;
//! nothing waits for any of them.

pub mod alert;
mod limit;
mod queue;
pub mod test;
mod way;

use std::collections::BTreeMap;

use mio::{Registry, Token};

use super::children::{Children, Kind as ChildKind, Owner, Surroundings};
use super::metrics::Counts;
use crate::cluster::{IncidentRecord, Instant, Report, Severity};
use crate::config::Config;
use alert::{Alert, Kind, Memory};
use limit::Limiter;
use queue::{Fate, Queue};
use way::Letter;

/// All ways, and what is to be told.
#[derive(Debug)]
pub struct Alerts {
    node: String,
    peer: String,
    memory: Memory,
    limiter: Limiter,
    queues: Vec<Queue>,
    children: Children,
    /// By what became of them; an alert counts once for each way.
    counts: Counts,
    /// What was told of the watchdog last.
    is_watchdog_missing: bool,
}

impl Alerts {
    /// Child output is signalled under `token`.
    pub fn new(config: &Config, owner: Owner, registry: Registry, token: Token) -> Self {
        let surroundings = Surroundings::new(config, owner, ChildKind::Probe);
        let queues = config.alerts.iter().cloned().map(Queue::new);
        let fates = ["sent", "failed", "held-back", "given-up"];
        Self {
            node: config.local_node.clone(),
            peer: config.peer_node.clone(),
            memory: Memory::default(),
            limiter: Limiter::default(),
            queues: queues.collect(),
            children: Children::new(registry, token, surroundings),
            counts: BTreeMap::from(fates.map(|fate| (fate, 0))),
            is_watchdog_missing: false,
        }
    }

    /// The files were read again. A way that stays goes on with what waits for it.
    pub fn reload(&mut self, config: &Config) {
        let mut before = std::mem::take(&mut self.queues);
        for way in &config.alerts {
            let same = before.iter().position(|queue| queue.way == *way);
            let queue = same.map(|index| before.remove(index));
            self.queues
                .push(queue.unwrap_or_else(|| Queue::new(way.clone())));
        }
        let lost: usize = before.iter_mut().map(Queue::clear).sum();
        if lost > 0 {
            log::warn!(
                "{lost} alerts waited for ways that ha.cf does not have any more: they are not sent"
            );
        }
        self.children.surround(config);
    }

    /// The core tells something. `wall_seconds` is now by the wall clock.
    pub fn heed(&mut self, report: &Report, now: Instant, wall_seconds: u64) {
        if let Some(alert) = self.memory.alert(report) {
            self.raise(&alert, now, wall_seconds);
        }
    }

    /// An incident is over.
    pub fn incident(&mut self, record: &IncidentRecord, now: Instant, wall_seconds: u64) {
        if let Some(alert) = Alert::of_incident(record) {
            self.raise(&alert, now, wall_seconds);
        }
    }

    /// How it is with the watchdog that `ha.cf` names. Told once when it is not armed, and once when it is again.
    pub fn watchdog(&mut self, is_armed: bool, now: Instant, wall_seconds: u64) {
        if std::mem::replace(&mut self.is_watchdog_missing, !is_armed) != is_armed {
            return; // as it was
        }
        let alert = if is_armed {
            let text = "The watchdog is armed.".to_owned();
            Alert::new(Kind::WatchdogArmed, Severity::Info, text)
        } else {
            let text =
                "The watchdog is not armed: a hang of this machine resets nothing.".to_owned();
            Alert::new(Kind::WatchdogMissing, Severity::Warn, text)
        };
        self.raise(&alert, now, wall_seconds);
    }

    fn raise(&mut self, alert: &Alert, now: Instant, wall_seconds: u64) {
        if self.queues.is_empty() {
            return;
        }
        if self.limiter.admit(alert.kind, now) {
            self.put(alert, now, wall_seconds);
        } else {
            self.count("held-back", 1);
        }
    }

    fn put(&mut self, alert: &Alert, now: Instant, wall_seconds: u64) {
        let letter = Letter::new(alert, &self.node, &self.peer, wall_seconds);
        let mut fates = Vec::new();
        for queue in &mut self.queues {
            fates.extend(queue.put(alert.kind, letter.clone()));
        }
        for fate in fates {
            self.note(fate, now);
        }
    }

    /// Goes on as far as possible. Call it in every turn of the event loop.
    pub fn turn(&mut self, now: Instant, wall_seconds: u64) {
        self.children.turn(now);
        let mut fates = Vec::new();
        while let Some(ended) = self.children.next_ended() {
            let heard = self
                .queues
                .iter_mut()
                .find_map(|queue| queue.hear(now, &ended));
            fates.extend(heard);
        }
        if let Some(text) = self.limiter.take_summary(now) {
            let alert = Alert::new(Kind::HeldBack, Severity::Warn, text);
            self.put(&alert, now, wall_seconds);
        }
        for queue in &mut self.queues {
            if self.children.has_time() {
                fates.extend(queue.begin(now, &mut self.children));
            }
        }
        for fate in fates {
            self.note(fate, now);
        }
    }

    /// When [`turn`](Self::turn) has something to do without being woken. A time in the past means at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        let queues = self.queues.iter().filter_map(Queue::next_deadline);
        let others = [self.children.next_deadline(), self.limiter.next_deadline()];
        queues.chain(others.into_iter().flatten()).min()
    }

    /// By what became of them.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// This run ends: what waits still is not sent, and the log says so.
    pub fn stop(mut self) {
        let lost: usize = self.queues.iter_mut().map(Queue::clear).sum();
        if lost > 0 {
            log::warn!("{lost} alerts are not sent: heartbeat stops");
        }
        if let Some(text) = self.limiter.take_last() {
            log::warn!("{text}");
        }
    }

    fn note(&mut self, fate: Fate, now: Instant) {
        match fate {
            Fate::Sent => self.count("sent", 1),
            Fate::Failed => self.count("failed", 1),
            Fate::GivenUp(kind) => {
                self.count("given-up", 1);
                self.limiter.hold(kind, now);
            }
        }
    }

    fn count(&mut self, fate: &'static str, number: u64) {
        let count = self.counts.entry(fate).or_default();
        *count = count.saturating_add(number);
    }
}
