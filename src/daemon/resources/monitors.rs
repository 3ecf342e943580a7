//! Asks resources how they do while their groups run here: a child process for each probe, away from the loop.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::group::Group;
use super::vigil::{Verdict, Vigil};
use crate::cluster::{GroupId, Instant};
use crate::config::{Config, Monitor, Probe, ResourceWord, parse_address};
use crate::daemon::children::{ChildId, Children, End, Ended, Order, reason};
use crate::resource::{Action, Invocation, Standing};

/// Probes at the same time; the others wait for one of them to end.
const MOST_PROBES: usize = 32;
/// Of what a probe printed, so much goes into the log.
const REASON: usize = 200;

/// All monitors.
#[derive(Debug)]
pub(super) struct Monitors {
    watched: Vec<Watched>,
    children: Children,
    asked: BTreeMap<ChildId, Asked>,
    /// Maintenance is on: nothing is started again.
    is_still: bool,
    /// Who is looked at first: none is left out for ever where there are more than can be asked at a time.
    first: usize,
}

/// One monitor of one resource.
#[derive(Debug)]
struct Watched {
    group: usize,
    resource: usize,
    /// The resource as written.
    word: String,
    monitor: Monitor,
    vigil: Vigil,
    /// Counts the times that the group was started, so that an answer from before means nothing.
    round: u64,
}

#[derive(Debug)]
struct Asked {
    watched: usize,
    round: u64,
    at: Instant,
}

/// What is to be done about a resource that does not work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Start it again here.
    Restart {
        /// Whose.
        group: usize,
        /// From this one on.
        resource: usize,
    },
    /// It is of no use here.
    Leave {
        /// Whose.
        group: usize,
    },
}

/// What is known of one monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MonitorView {
    /// The resource as the monitor names it.
    pub resource: String,
    /// How it is asked, as written in `ha.cf`.
    pub probe: String,
    /// `None` while its group does not run here.
    pub works: Option<bool>,
    /// Failures in a row.
    pub failures: u32,
    /// How often it was started again lately.
    pub restarts: u32,
}

impl Monitors {
    /// None yet.
    pub fn new(children: Children) -> Self {
        Self {
            watched: Vec::new(),
            children,
            asked: BTreeMap::new(),
            is_still: false,
            first: 0,
        }
    }

    /// These monitors of these groups, whatever there were before: one that is the same goes on with what it has seen,
    /// and a new one begins where its group runs.
    pub fn reload(&mut self, now: Instant, monitors: &[Monitor], groups: &[Group]) {
        let mut before: Vec<Option<Watched>> = self.watched.drain(..).map(Some).collect();
        let mut places: BTreeMap<usize, usize> = BTreeMap::new();
        for monitor in monitors {
            for (index, group) in groups
                .iter()
                .enumerate()
                .filter(|(_, group)| !group.is_removed)
            {
                let words = group.listed().iter().enumerate();
                for (resource, (word, _)) in
                    words.filter(|(_, (word, _))| is_watched(monitor, word))
                {
                    let is_same = |old: &Watched| {
                        (old.group, old.resource, &old.word) == (index, resource, &word.text)
                            && old.monitor == *monitor
                    };
                    let old = before
                        .iter()
                        .position(|old| old.as_ref().is_some_and(is_same));
                    let place = self.watched.len();
                    let kept = old.and_then(|old| {
                        places.insert(old, place);
                        before.get_mut(old)?.take()
                    });
                    self.watched.push(kept.unwrap_or_else(|| {
                        let mut watched = Watched::new(index, resource, word, monitor);
                        if group.runs && group.sequence.is_none() {
                            watched.vigil.begin(now, monitor);
                        }
                        watched
                    }));
                }
            }
        }
        for (child, mut asked) in std::mem::take(&mut self.asked) {
            if let Some(place) = places.get(&asked.watched) {
                asked.watched = *place;
                self.asked.insert(child, asked);
            } else {
                self.children.kill(now, child); // nobody waits for its answer
            }
        }
        self.first = 0;
    }

    /// Whether maintenance is on.
    pub fn hold_still(&mut self, is_still: bool) {
        self.is_still = is_still;
    }

    /// What the probes find around them, from the next one on.
    pub fn surround(&mut self, config: &Config) {
        self.children.surround(config);
    }

    /// A group runs.
    pub fn begin(&mut self, now: Instant, group: usize) {
        for watched in self.of(group) {
            watched.vigil.begin(now, &watched.monitor);
        }
    }

    /// A resource of a group is started again.
    pub fn rest(&mut self, now: Instant, group: usize) {
        self.call_off(now, group);
        for watched in self.of(group) {
            watched.vigil.rest();
        }
    }

    /// A group does not run any more, or not for long.
    pub fn end(&mut self, now: Instant, group: usize) {
        self.call_off(now, group);
        for watched in self.of(group) {
            watched.vigil = Vigil::default();
        }
    }

    /// No probe of a group goes on: it could keep busy what is to be stopped.
    fn call_off(&mut self, now: Instant, group: usize) {
        for watched in self.of(group) {
            watched.round = watched.round.wrapping_add(1);
        }
        for (child, asked) in &self.asked {
            let watched = self.watched.get(asked.watched);
            if watched.is_some_and(|watched| watched.group == group) {
                self.children.kill(now, *child);
            }
        }
    }

    /// Asks those whose time has come, and takes answers. Gives what is to be done.
    pub fn turn(&mut self, now: Instant, groups: &[Group]) -> Vec<Remedy> {
        if self.watched.is_empty() && self.children.running() == 0 {
            return Vec::new();
        }
        self.children.turn(now);
        let mut remedies = Vec::new();
        while let Some(ended) = self.children.next_ended() {
            remedies.extend(self.take(now, &ended, groups));
        }
        let count = self.watched.len();
        for index in (self.first..count).chain(0..self.first) {
            if self.is_full() || !self.children.has_time() {
                self.first = index;
                break;
            }
            remedies.extend(self.ask(now, index, groups));
        }
        // The leftmost of a group comes first: those after it are started again with it.
        remedies.sort_by_key(|remedy| match *remedy {
            Remedy::Restart { group, resource } => (group, resource),
            Remedy::Leave { group } => (group, usize::MAX),
        });
        remedies
    }

    /// What hangs in the kernel takes a place, too.
    fn is_full(&self) -> bool {
        self.children
            .running()
            .saturating_add(self.children.undead())
            >= MOST_PROBES
    }

    /// When [`turn`](Self::turn) has something to do without being woken.
    pub fn next_deadline(&self) -> Option<Instant> {
        let probes = self
            .watched
            .iter()
            .filter(|_| !self.is_full())
            .filter_map(|watched| watched.vigil.next())
            .min();
        [probes, self.children.next_deadline()]
            .into_iter()
            .flatten()
            .min()
    }

    /// What is known of the monitors of a group.
    pub fn views(&self, id: GroupId) -> Vec<MonitorView> {
        let of_group = self
            .watched
            .iter()
            .filter(|watched| u32::try_from(watched.group) == Ok(id.0));
        of_group
            .map(|watched| {
                let (failures, restarts) = watched.vigil.figures();
                let runs = watched.vigil.next().is_some() || self.awaits(watched);
                MonitorView {
                    resource: watched.monitor.resource.clone(),
                    probe: watched.monitor.probe.to_string(),
                    works: runs.then(|| watched.vigil.works(&watched.monitor)),
                    failures,
                    restarts,
                }
            })
            .collect()
    }

    fn awaits(&self, watched: &Watched) -> bool {
        self.asked.values().any(|asked| {
            asked.round == watched.round
                && self
                    .watched
                    .get(asked.watched)
                    .is_some_and(|other| std::ptr::eq(other, watched))
        })
    }

    fn of(&mut self, group: usize) -> impl Iterator<Item = &mut Watched> {
        self.watched
            .iter_mut()
            .filter(move |watched| watched.group == group)
    }

    fn ask(&mut self, now: Instant, index: usize, groups: &[Group]) -> Option<Remedy> {
        let watched = self.watched.get_mut(index)?;
        watched.vigil.next().filter(|at| *at <= now)?;
        let (word, found) = groups.get(watched.group)?.resources.get(watched.resource)?;
        let invocation = match (probe(&watched.monitor.probe), found) {
            (Some(invocation), _) => invocation,
            (None, Ok(resource)) => resource.invocation(Action::Status, watched.monitor.timeout),
            (None, Err(error)) => {
                let reason = error.to_string();
                return watched.judge(false, !self.is_still, (now, now), &reason);
            }
        };
        watched.vigil.asked();
        let order = Order {
            invocation: &invocation,
            tag: word.name.clone(),
            limit: watched.monitor.timeout,
        };
        match self.children.spawn(now, order) {
            Ok(child) => {
                let asked = Asked {
                    watched: index,
                    round: watched.round,
                    at: now,
                };
                self.asked.insert(child, asked);
                None
            }
            // That nothing can be run here is no fault of the resource: it is asked again.
            Err(error) => {
                log::warn!(target: &watched.tag(), "Cannot run {invocation}: {error}");
                watched.vigil.begin(now, &watched.monitor);
                None
            }
        }
    }

    fn take(&mut self, now: Instant, ended: &Ended, groups: &[Group]) -> Option<Remedy> {
        let asked = self.asked.remove(&ended.child)?;
        let watched = self.watched.get_mut(asked.watched)?;
        if watched.round != asked.round {
            return None;
        }
        let (_, found) = groups.get(watched.group)?.resources.get(watched.resource)?;
        let own_status = watched.monitor.probe == Probe::Status;
        let (works, reason) = match (ended.end, found) {
            (End::Exited(code), Ok(resource)) if own_status => {
                let standing = resource.standing(&ended.stdout, &ended.last_lines, code);
                (standing == Standing::Running, words(standing).to_owned())
            }
            (End::Exited(code), _) => (code == 0, format!("exit code {code}")),
            (End::Killed(signal), _) => (false, format!("killed by signal {signal}")),
            // That nothing can be run here is no fault of the resource: it is asked again.
            (End::NeverRan(number), _) => {
                log::warn!(target: &watched.tag(), "Cannot ask by {}: {}", watched.monitor.probe, reason(number));
                watched.vigil.begin(now, &watched.monitor);
                return None;
            }
            (End::TimedOut, _) => {
                let limit = watched.monitor.timeout.as_millis();
                (false, format!("no answer within {limit} ms"))
            }
        };
        let reason = match ended.last_lines.last() {
            Some(said) => format!("{}: {reason}, {}", watched.monitor.probe, excerpt(said)),
            None => format!("{}: {reason}", watched.monitor.probe),
        };
        watched.judge(works, !self.is_still, (asked.at, now), &reason)
    }
}

impl Watched {
    /// It has seen nothing.
    fn new(group: usize, resource: usize, word: &ResourceWord, monitor: &Monitor) -> Self {
        Self {
            group,
            resource,
            word: word.text.clone(),
            monitor: monitor.clone(),
            vigil: Vigil::default(),
            round: 0,
        }
    }

    fn tag(&self) -> String {
        format!("monitor({})", self.monitor.resource)
    }

    /// Tells the people, and what is to be done.
    fn judge(
        &mut self,
        works: bool,
        may_restart: bool,
        (asked, now): (Instant, Instant),
        reason: &str,
    ) -> Option<Remedy> {
        let verdict = if works || may_restart {
            self.vigil.answer(works, asked, now, &self.monitor)
        } else {
            self.vigil.bear(asked, now, &self.monitor)
        };
        let (failures, restarts) = self.vigil.figures();
        let (name, tag) = (&self.monitor.resource, self.tag());
        let Monitor {
            fall,
            restarts: most,
            ..
        } = self.monitor;
        match verdict {
            Verdict::AsBefore => return None,
            Verdict::Fails => {
                log::warn!(target: &tag, "{name} fails ({failures} of {fall}): {reason}");
                return None;
            }
            Verdict::Recovered => {
                log::info!(target: &tag, "{name} works again");
                return None;
            }
            Verdict::Restart => {
                log::error!(
                    target: &tag,
                    "{name} does not work and is started again here ({restarts} of {most}): {reason}"
                );
                return Some(Remedy::Restart {
                    group: self.group,
                    resource: self.resource,
                });
            }
            Verdict::Broken { is_news: true } => {
                log::error!(target: &tag, "{name} does not work here: {reason}");
            }
            Verdict::Broken { is_news: false } => {
                log::debug!(target: &tag, "{name} still does not work here: {reason}");
            }
        }
        Some(Remedy::Leave { group: self.group })
    }
}

/// Addresses are looked after without a probe of their own.
fn is_watched(monitor: &Monitor, word: &ResourceWord) -> bool {
    let has_no_status = monitor.probe == Probe::Status && parse_address(word).is_some();
    monitor.is_about(word) && !has_no_status
}

/// What is run to ask; `None` for the resource's own status.
fn probe(probe: &Probe) -> Option<Invocation> {
    let words: Vec<String> = match probe {
        Probe::Status => return None,
        Probe::Exec(command) => {
            let arguments = vec!["-c".into(), command.clone()];
            return Some(Invocation::new(PathBuf::from("/bin/sh"), arguments));
        }
        Probe::Tcp { host, port } => vec!["tcp".into(), host.clone(), port.to_string()],
        Probe::Process(name) => vec!["process".into(), name.clone()],
        Probe::Http(page) => vec![
            "http".into(),
            page.host.clone(),
            page.port.to_string(),
            page.path.clone(),
            page.expect.to_string(),
            page.body.clone().unwrap_or_default(),
        ],
    };
    let arguments = std::iter::once("probe".to_owned()).chain(words).collect();
    Some(Invocation::new(PathBuf::from("/proc/self/exe"), arguments))
}

fn words(standing: Standing) -> &'static str {
    match standing {
        Standing::Running => "it runs",
        Standing::Stopped => "it says that it is stopped",
        Standing::Silent => "its status says nothing",
        Standing::Unknown => "its status is not known",
    }
}

fn excerpt(line: &str) -> String {
    line.chars().take(REASON).collect()
}
