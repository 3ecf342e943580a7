//! Carries out what the core asks of resource groups: scripts and units as child processes, addresses
//! directly. Groups are independent of each other; within one group one action runs at a time.

mod addresses;
mod agents;
mod ahead;
mod care;
mod carrier_look;
mod carriers;
mod checks;
mod ears;
mod floating;
mod group;
mod holders;
mod link_carriers;
mod losses;
mod monitors;
mod network;
mod question;
mod reload;
mod rivals;
mod turns;
mod verdict;
mod vigil;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::io;
use std::time::Duration;

use mio::{Registry, Token};

use super::children::{ChildId, Children, Ended, Kind, Leftovers, Order, Owner, Surroundings};
use crate::cluster::{GroupId, GroupOutcome, Instant};
use crate::config::{Config, Timeout};
use crate::resource::catalogue::{Places, Resource};
use crate::resource::group::{Aim, Answer, Note, Outcome, Sequence, Step};
use crate::resource::{Action, Invocation, environment};
use agents::Agents;
use carrier_look::Carriers;
use floating::FloatingAddresses;
pub use floating::RivalView;
use group::Group;
use holders::Searches;
use link_carriers::LinkCarriers;
pub use monitors::MonitorView;
use monitors::Monitors;
use verdict::{failed, missing, read_answer, told};

pub use crate::resource::Limits;
pub(super) use agents::make_scratch;

/// Child processes at the same time.
const MOST_CHILDREN: usize = 64;
/// Long past, so: at once.
const AT_ONCE: Instant = Instant::from_micros(0);

/// The names that lines in the log bear.
const TAG: &str = "ResourceManager(default)";
const TAG_CRIT: &str = "CRIT:ResourceManager(default)";

/// Why resources cannot be handled at all.
#[derive(Debug)]
pub enum ResourceError {
    /// The kernel's routing socket could not be opened.
    Netlink(io::Error),
    /// The event loop has no room for the probes of monitors.
    Registry(io::Error),
}

impl fmt::Display for ResourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Netlink(error) => write!(f, "cannot open a routing netlink socket: {error}"),
            Self::Registry(error) => write!(f, "cannot watch the output of monitors: {error}"),
        }
    }
}

/// Every resource group, and what is being done to them.
#[derive(Debug)]
pub struct Resources {
    groups: Vec<Group>,
    places: Places,
    limits: Limits,
    /// What `ha.cf` says of them.
    timeouts: Vec<Timeout>,
    agents: Agents,
    stop_retries: Option<u32>,
    keepalive: Duration,
    last_turn: Instant,
    /// The turn came late.
    is_put_off: bool,
    children: Children,
    /// As long as there are any, nothing is begun.
    leftovers: Leftovers,
    /// Which group a child works for.
    errands: BTreeMap<ChildId, Errand>,
    /// Children of a group that could not be killed.
    undead: Vec<(usize, ChildId)>,
    searches: Searches,
    /// Wait for one of [`MOST_CHILDREN`] to end, or for the next turn.
    waiting: VecDeque<Errand>,
    /// Have a pause until then.
    pausing: BTreeSet<(Instant, usize)>,
    /// Can go on.
    ready: VecDeque<usize>,
    floating: FloatingAddresses,
    carriers: Carriers,
    link_carriers: LinkCarriers,
    monitors: Monitors,
    outcomes: VecDeque<(GroupId, GroupOutcome)>,
}

/// An action that a child process does.
#[derive(Debug)]
struct Errand {
    group: usize,
    resource: usize,
    action: Action,
    /// An OCF agent is first asked how long the action may take.
    asks_meta_data: bool,
    invocation: Invocation,
    limit: Duration,
}

impl Resources {
    /// Finds out what every word of `haresources` is. One that is not found is warned about; its group
    /// fails to start unless it is there by then. Child output is signalled under `token`. Actions that an
    /// earlier daemon of this `owner` left running come first.
    pub fn new(
        now: Instant,
        config: &Config,
        owner: &Owner,
        registry: Registry,
        token: Token,
        limits: Limits,
    ) -> Result<Self, ResourceError> {
        let places = Places::new(&config.directory);
        let leftovers = if config.groups.is_empty() {
            Leftovers::default()
        } else {
            Leftovers::find(Kind::Action, owner, now)
        };
        let surroundings = |kind| Surroundings::new(config, owner.clone(), kind);
        let for_probes = registry.try_clone().map_err(ResourceError::Registry)?;
        let for_searches = registry.try_clone().map_err(ResourceError::Registry)?;
        let probes = Children::new(for_probes, token, surroundings(Kind::Probe));
        let refresh = Some(config.announce_every).filter(|every| !every.is_zero());
        let floating = FloatingAddresses::open(&registry, token, refresh, config.check_address)
            .map_err(ResourceError::Netlink)?;
        let children = Children::new(registry, token, surroundings(Kind::Action));
        let groups = config.groups.iter().zip(0..);
        let groups: Vec<Group> = groups
            .map(|(group, id)| Group::new(GroupId(id), group, &places))
            .collect();
        let mut monitors = Monitors::new(probes);
        monitors.reload(now, &config.monitors, &groups);
        Ok(Self {
            groups,
            stop_retries: environment::stop_retries(&config.env),
            keepalive: config.keepalive,
            last_turn: now,
            is_put_off: false,
            places,
            limits,
            timeouts: config.timeouts.clone(),
            agents: Agents::default(),
            children,
            leftovers,
            errands: BTreeMap::new(),
            undead: Vec::new(),
            searches: Searches::new(Children::new(
                for_searches,
                token,
                surroundings(Kind::Probe),
            )),
            waiting: VecDeque::new(),
            pausing: BTreeSet::new(),
            ready: VecDeque::new(),
            floating,
            carriers: Carriers::default(),
            link_carriers: LinkCarriers::new(&super::settings::links(config)),
            monitors,
            outcomes: VecDeque::new(),
        })
    }

    /// Asks for a group to be started. Nothing happens before the next [`turn`](Self::turn).
    pub fn start(&mut self, group: GroupId) {
        self.request(group, Aim::Start);
    }

    /// Asks for a group to be stopped, whatever else was asked for before.
    pub fn stop(&mut self, group: GroupId) {
        self.request(group, Aim::Stop);
    }

    /// Asks whether anything of a group runs.
    pub fn probe(&mut self, group: GroupId) {
        self.request(group, Aim::Probe);
    }

    /// Goes on with groups and what is in them. False where nothing may be done now.
    fn go_on_with_groups(&mut self, now: Instant) -> bool {
        // Where the daemon did not run for a while, the core has the first word: perhaps all of this has to stop
        // (S3), and nothing of it may be begun, added or announced before. Once: a slow machine gets on, too.
        let pause = now.since(std::mem::replace(&mut self.last_turn, now));
        self.is_put_off = pause >= self.keepalive && !self.is_put_off;
        if self.is_put_off || self.leftovers.remain(now) {
            return false;
        }
        self.children.turn(now);
        self.undead
            .retain(|(_, child)| self.children.is_undead(*child));
        while let Some(ended) = self.children.next_ended() {
            self.child_ended(now, &ended);
        }
        while let Some(&(until, group)) = self.pausing.first().filter(|(until, _)| *until <= now) {
            self.pausing.remove(&(until, group));
            self.answer(group, Answer::Waited);
        }
        while self.has_room() && self.children.has_time() {
            let Some(errand) = self.waiting.pop_front() else {
                break;
            };
            self.send_out(now, errand);
        }
        self.floating.begin_turn(now);
        while let Some((group, answer)) = self.floating.next_decided() {
            self.answer(group, answer);
        }
        while let Some(group) = self.ready.pop_front() {
            if !self.advance(now, group) {
                self.ready.push_front(group);
                break;
            }
        }
        self.floating.end_turn();
        self.searches.turn(now);
        self.look_after_running(now);
        true
    }

    /// Takes an answer to an earlier request.
    pub fn next_outcome(&mut self) -> Option<(GroupId, GroupOutcome)> {
        self.outcomes.pop_front()
    }

    /// When [`turn`](Self::turn) has something to do without being woken. A time in the past means at once.
    pub fn next_deadline(&self) -> Option<Instant> {
        if self.is_put_off {
            return Some(AT_ONCE);
        }
        if let Some(look) = self.leftovers.next_deadline() {
            return Some(look);
        }
        let is_due = !self.ready.is_empty()
            || !self.outcomes.is_empty()
            || self.floating.has_answered()
            || !self.waiting.is_empty() && self.has_room();
        let at_once = is_due.then_some(AT_ONCE);
        let pause = self.pausing.first().map(|&(until, _)| until);
        [
            at_once,
            pause,
            self.children.next_deadline(),
            self.floating.next_deadline(),
            self.monitors.next_deadline(),
            self.searches.next_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn request(&mut self, id: GroupId, aim: Aim) {
        let index = usize::try_from(id.0).unwrap_or(usize::MAX);
        let Some(group) = self.groups.get_mut(index) else {
            return;
        };
        if aim == Aim::Stop {
            self.monitors.end(self.last_turn, index);
            for address in group.addresses(0) {
                self.floating.let_go(address);
            }
        }
        let Some(sequence) = &mut group.sequence else {
            group.begin(aim, &self.places, self.stop_retries);
            self.ready.push_back(index);
            return;
        };
        if aim == Aim::Stop {
            group.queued = None;
            sequence.overtake_by_stop();
            self.ready.push_back(index);
            // What waits for its turn did not begin yet and never will.
            let waiting = self
                .waiting
                .iter()
                .position(|errand| errand.group == index && errand.action != Action::Stop);
            if let Some(errand) = waiting {
                self.waiting.remove(errand);
                self.answer(index, Answer::Failed);
            }
        } else if sequence.aim() != aim || group.queued.is_some() {
            group.queued = Some(aim);
        }
    }

    fn has_room(&self) -> bool {
        self.children.running() < MOST_CHILDREN
    }

    /// False when the turn's share of built-in actions is used up.
    fn advance(&mut self, now: Instant, index: usize) -> bool {
        loop {
            if self.floating.share_is_used_up() {
                return false;
            }
            let Some(group) = self.groups.get_mut(index) else {
                return true;
            };
            let Some(step) = group.sequence.as_mut().and_then(Sequence::next_step) else {
                return true;
            };
            match step {
                Step::Tell(note) => {
                    group.tell(note);
                    if let Note::StopFailed(resource) = note
                        && let Some((word, _)) = group.resources.get(resource)
                    {
                        self.searches.want(word);
                    }
                }
                Step::Wait(pause) => {
                    self.pausing.insert((now + pause, index));
                    return true;
                }
                Step::Run(resource, action) => {
                    if let Some(answer) = self.run(now, index, resource, action) {
                        self.answer(index, answer);
                    }
                }
                Step::Finished(outcome) => {
                    group.sequence = None;
                    let is_haunted = self.undead.iter().any(|(of, _)| *of == index);
                    let outcome = if is_haunted {
                        outcome.while_something_hangs()
                    } else {
                        outcome
                    };
                    self.outcomes.push_back((group.id, told(outcome)));
                    group.runs = outcome == Outcome::Started;
                    if outcome != Outcome::StopFailed {
                        group.forget_departing();
                    }
                    if outcome == Outcome::Started {
                        self.monitors.begin(now, index);
                    } else {
                        self.monitors.end(now, index);
                    }
                    if let Some(aim) = group.queued.take() {
                        group.begin(aim, &self.places, self.stop_retries);
                    }
                }
            }
        }
    }

    /// Carries out one action, or begins to.
    fn run(
        &mut self,
        now: Instant,
        index: usize,
        resource: usize,
        action: Action,
    ) -> Option<Answer> {
        let group = self.groups.get_mut(index)?;
        let (word, found) = group.resources.get_mut(resource)?;
        if found.is_err() {
            // What lies on a disk of the same group is there only now.
            *found = self.places.find(word);
        }
        let found = match found {
            Ok(Resource::Address { .. }) => return self.run_address(now, index, resource, action),
            Ok(found) => found,
            Err(error) => return Some(missing(word, error, action)),
        };
        let meta_data = match found {
            Resource::Agent(agent) => self.agents.meta_data(agent),
            _ => None,
        };
        let limit = self.limits.for_one(&self.timeouts, word, action, meta_data);
        let mut errand = Errand {
            group: index,
            resource,
            action,
            asks_meta_data: false,
            invocation: found.invocation(action, limit),
            limit,
        };
        match found {
            Resource::Agent(agent) if meta_data.is_none() => {
                errand.asks_meta_data = true;
                errand.invocation = agent.meta_data();
                errand.limit = self.limits.status;
            }
            _ if action == Action::Status => {}
            _ => log::info!(target: TAG, "Running {}", errand.invocation),
        }
        if self.has_room() && self.children.has_time() {
            self.send_out(now, errand);
        } else {
            self.waiting.push_back(errand);
        }
        None
    }

    fn send_out(&mut self, now: Instant, errand: Errand) {
        let Errand {
            ref invocation,
            limit,
            group,
            action,
            ..
        } = errand;
        let tag = self
            .resource_of(&errand)
            .map_or_else(String::new, |(word, _)| word.name.clone());
        match self.children.spawn(
            now,
            Order {
                invocation,
                tag,
                limit,
            },
        ) {
            Ok(child) => drop(self.errands.insert(child, errand)),
            Err(error) => {
                log::error!(target: TAG, "Cannot run {invocation}: {error}");
                self.answer(group, failed(action));
            }
        }
    }

    fn child_ended(&mut self, now: Instant, ended: &Ended) {
        let Some(errand) = self.errands.remove(&ended.child) else {
            return;
        };
        if self.children.is_undead(ended.child) {
            log::error!(target: TAG_CRIT, "{} cannot be killed: it hangs in the kernel", errand.invocation);
            self.undead.push((errand.group, ended.child));
        }
        let answer = match self.resource_of(&errand) {
            Some((word, Ok(Resource::Agent(agent)))) if errand.asks_meta_data => {
                let (word, agent) = (word.clone(), agent.clone());
                self.agents.learn(&agent, &word, ended);
                self.go_on(now, &errand)
            }
            Some((word, Ok(resource))) => Some(read_answer(&errand, word, resource, ended)),
            _ => Some(failed(errand.action)),
        };
        if let Some(answer) = answer {
            self.answer(errand.group, answer);
        }
    }

    /// After an agent was asked about the action: now the action itself, unless a stop has been asked for.
    fn go_on(&mut self, now: Instant, errand: &Errand) -> Option<Answer> {
        let group = self.groups.get(errand.group)?;
        let aim = group.sequence.as_ref().map(Sequence::aim);
        if aim == Some(Aim::Stop) && errand.action == Action::Start {
            return Some(Answer::Failed);
        }
        self.run(now, errand.group, errand.resource, errand.action)
    }

    fn resource_of(&self, errand: &Errand) -> Option<&group::Found> {
        self.groups
            .get(errand.group)?
            .resources
            .get(errand.resource)
    }

    fn answer(&mut self, index: usize, answer: Answer) {
        if let Some(sequence) = self
            .groups
            .get_mut(index)
            .and_then(|group| group.sequence.as_mut())
        {
            sequence.answer(answer);
            self.ready.push_back(index);
        }
    }
}
