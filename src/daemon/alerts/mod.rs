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

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use mio::Poll;

    use super::*;
    use crate::config::{self, Source};
    use crate::daemon::clock;
    use crate::os::process::pause;

    /// With these `alert` lines.
    fn config(directory: &Path, lines: &str) -> Config {
        let read = |path: &Path| {
            let name = path.file_name().and_then(|name| name.to_str());
            let text = match name {
                Some("ha.cf") => format!("node here there\nbcast eth0\n{lines}"),
                Some("authkeys") => "auth 1\n1 sha1 key\n".to_owned(),
                Some("haresources") => String::new(),
                _ => return Err(std::io::ErrorKind::NotFound.into()),
            };
            let (text, mode) = (text.into(), 0o600);
            Ok(Source { text, mode })
        };
        config::load(directory, "here", &read).expect("valid").0
    }

    fn alerts(directory: &Path, lines: &str) -> (Poll, Alerts) {
        let poll = Poll::new().expect("a poll");
        let registry = poll.registry().try_clone().expect("a registry");
        let owner = Owner::of(directory).expect("ours");
        let alerts = Alerts::new(&config(directory, lines), owner, registry, Token(0));
        (poll, alerts)
    }

    fn dead(link: u32) -> Report {
        let (node, link) = ("there".to_owned(), format!("eth{link}"));
        Report::LinkDown { node, link }
    }

    /// Turns until nothing is under way.
    fn settle(alerts: &mut Alerts, later: Duration) {
        loop {
            alerts.turn(clock::now() + later, 0);
            let is_idle = |queue: &Queue| queue.next_deadline().is_none();
            if alerts.children.running() == 0 && alerts.queues.iter().all(is_idle) {
                return;
            }
            pause(Duration::from_millis(2));
        }
    }

    #[test]
    fn of_a_flood_a_few_are_sent_in_order_and_the_rest_in_one_word() {
        let directory = tempfile::tempdir().expect("a directory");
        let seen = directory.path().join("seen");
        let tell = format!(
            "alert command /bin/sh -c 'echo $HA_ALERT_KIND $HA_ALERT_SUBJECT >> {}'\n",
            seen.display()
        );
        let (_poll, mut alerts) = alerts(directory.path(), &tell);
        let now = clock::now();
        for link in 0..100 {
            alerts.heed(&dead(link), now, 0);
        }
        settle(&mut alerts, Duration::ZERO);
        let told = || std::fs::read_to_string(&seen).expect("written");
        let five = [0, 1, 2, 3, 4]
            .map(|link| format!("link-dead eth{link}\n"))
            .concat();
        assert_eq!(told(), five);
        settle(&mut alerts, Duration::from_secs(61));
        assert_eq!(told(), five + "held-back\n");
        assert_eq!(
            (alerts.counts()["sent"], alerts.counts()["held-back"]),
            (6, 95)
        );
    }

    #[test]
    fn what_finds_no_room_is_counted_and_told_and_a_way_that_is_gone_forgets() {
        let directory = tempfile::tempdir().expect("a directory");
        let (_poll, mut alerts) = alerts(directory.path(), "alert command /bin/true\n");
        let now = clock::now();
        for number in 0..40 {
            alerts.heed(&dead(number), now + Duration::from_secs(600) * number, 0);
        }
        assert_eq!(alerts.counts()["given-up"], 8);
        assert!(alerts.limiter.next_deadline().is_some(), "it will be told");
        alerts.reload(&config(directory.path(), "alert command /bin/false\n"));
        settle(&mut alerts, Duration::ZERO);
        assert_eq!((alerts.counts()["sent"], alerts.counts()["failed"]), (0, 0));
        alerts.heed(&dead(0), now + Duration::from_secs(90_000), 0);
        settle(&mut alerts, Duration::ZERO);
        assert_eq!(alerts.counts()["failed"], 1);
    }

    #[test]
    fn a_webhook_that_fails_is_tried_three_times_and_the_next_one_waits_for_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let (_poll, mut alerts) = alerts(directory.path(), "alert webhook http://127.0.0.1:1/x\n");
        let now = clock::now();
        alerts.heed(&dead(0), now, 0);
        alerts.heed(&dead(1), now, 0);
        let mut deadlines = Vec::new();
        let mut later = Duration::ZERO;
        while alerts.counts()["failed"] == 0 {
            alerts.turn(now + later, 0);
            match alerts.queues[0].next_deadline() {
                Some(at) if at > now + later => {
                    deadlines.push(at.since(now + later).as_secs());
                    later = at.since(now);
                }
                _ => pause(Duration::from_millis(2)),
            }
        }
        assert_eq!(deadlines, [10, 60]);
        assert_eq!(alerts.children.running(), 1, "the next one has its turn");
    }

    #[test]
    fn the_watchdog_is_told_of_when_that_changes() {
        let directory = tempfile::tempdir().expect("a directory");
        let (_poll, mut alerts) = alerts(directory.path(), "alert command /bin/true\n");
        let now = clock::now();
        for is_armed in [true, true, false, false, true, true, false] {
            alerts.watchdog(is_armed, now, 0);
        }
        assert_eq!(alerts.queues[0].clear(), 3);
    }
}
