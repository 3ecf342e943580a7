//! Its children. Each works through its groups one after the other; several may be under way at once, and the
//! scripts of messages wait in a queue until no other child runs. None has a time limit, and what they
//! achieved interests nobody.

use std::collections::VecDeque;
use std::time::Duration;

use heartbeat::cluster::{Action, GroupId, GroupOutcome, Instant, NodeStatus};

use super::OldPeer;
use super::words::{Ground, Hold, Wish, Words};

/// Attempts to stop a resource, one second apart.
const STOP_ATTEMPTS: u32 = 11;
const STOP_AGAIN: Duration = Duration::from_secs(1);
/// After a failed start the node asks to give its foreign groups away.
const GIVE_AWAY_AFTER: Duration = Duration::from_secs(30);

/// A child that must wait for another one looks again after this.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a child is for: what happens when it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Takes its own groups, or asks for them.
    Acquisition,
    /// Takes the groups of a dead node.
    MachDown,
    /// Takes one group after an answer.
    TakeGroup,
    /// Releases for a standby.
    Release(Hold),
    /// Takes for a standby.
    StandbyAcquisition(Hold),
    /// Gives one group to a node that asked for it.
    IpRequest(GroupId),
    /// Asks for a standby on behalf of the peer.
    TakeoverRequest(Hold),
    /// Releases everything at the end.
    Shutdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Why, and when that was decided.
    Take(GroupId, (Ground, Instant)),
    Give(GroupId),
    /// Asks for the group unless it runs here already.
    Request(GroupId),
    /// Gives the group if it runs here.
    GiveIfRunning(GroupId),
}

impl Step {
    const fn group(self) -> GroupId {
        match self {
            Self::Take(group, _)
            | Self::Give(group)
            | Self::Request(group)
            | Self::GiveIfRunning(group) => group,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Doing {
    /// Between two steps; a shell is being started until then.
    Nothing(Instant),
    Probing(Step),
    Starting(GroupId),
    Stopping(GroupId, u32),
    /// A stop failed and is tried again then.
    Waiting(GroupId, u32, Instant),
    /// Another child has stopped the group meanwhile; the rest of the start comes after that.
    Resuming(GroupId, Instant),
}

impl Doing {
    /// The group that is being acted on.
    const fn group(self) -> Option<GroupId> {
        match self {
            Self::Nothing(_) | Self::Resuming(..) => None,
            Self::Probing(step) => Some(step.group()),
            Self::Starting(group) | Self::Stopping(group, _) | Self::Waiting(group, ..) => {
                Some(group)
            }
        }
    }

    const fn is_stopping(self) -> bool {
        matches!(self, Self::Stopping(..) | Self::Waiting(..))
    }

    /// Whether this is what it waits for.
    const fn awaits(self, outcome: GroupOutcome) -> bool {
        match outcome {
            GroupOutcome::FoundRunning | GroupOutcome::FoundStopped => {
                matches!(self, Self::Probing(_))
            }
            GroupOutcome::Started | GroupOutcome::StartFailed => matches!(self, Self::Starting(_)),
            GroupOutcome::Stopped => matches!(self, Self::Stopping(..)),
            GroupOutcome::StopFailed => matches!(self, Self::Starting(_) | Self::Stopping(..)),
            GroupOutcome::Broken => false, // 3.0.6 has no monitors
        }
    }
}

struct Child {
    purpose: Purpose,
    steps: VecDeque<Step>,
    doing: Doing,
    /// Whether the group was there, for the answer to a request.
    was_running: bool,
}

/// All children.
pub struct Scripts {
    running: Vec<Child>,
    queue: VecDeque<(Purpose, Vec<Step>)>,
    grounds: Vec<Option<(Ground, Instant)>>,
    /// By group: the last that was done to it was to stop it, for a standby or by a script of an earlier run.
    released: Vec<bool>,
    /// Why its own groups are being acquired.
    own_ground: (Ground, Instant),
}

impl Scripts {
    pub fn new(groups: usize) -> Self {
        Self {
            running: Vec::new(),
            queue: VecDeque::new(),
            grounds: vec![None; groups],
            released: vec![false; groups],
            own_ground: (Ground::Silence, Instant::default()),
        }
    }

    /// Whether no child runs.
    pub fn is_idle(&self) -> bool {
        self.running.is_empty()
    }

    /// Whether a child is there to release the group.
    pub fn is_releasing(&self, group: GroupId) -> bool {
        self.running.iter().any(|child| {
            let releases = matches!(child.purpose, Purpose::Release(_) | Purpose::Shutdown);
            let is_left = child.steps.contains(&Step::Give(group));
            releases && (is_left || child.doing.group() == Some(group))
        })
    }

    /// When a child goes on by itself.
    pub fn next_ready_at(&self) -> Option<Instant> {
        let ready = self.running.iter().filter_map(|child| match child.doing {
            Doing::Nothing(at) | Doing::Waiting(_, _, at) | Doing::Resuming(_, at) => Some(at),
            _ => None,
        });
        ready.min()
    }

    /// Whether the last that was done to the group was to stop it, for a standby or by a script of an earlier run.
    pub fn has_released(&self, group: GroupId) -> bool {
        self.released.get(index(group)) == Some(&true)
    }

    /// Why the group was last started, and when that was decided.
    pub fn ground(&self, group: GroupId) -> Option<(Ground, Instant)> {
        *self.grounds.get(index(group))?
    }

    fn note(&mut self, group: GroupId, decided: (Ground, Instant)) {
        if let Some(place) = self.grounds.get_mut(index(group)) {
            *place = Some(decided);
        }
    }
}

impl OldPeer {
    pub(super) fn run_acquisition(&mut self, ground: Ground) {
        self.scripts.own_ground = (ground, self.now);
        let steps = self.keys(Hold::LOCAL).into_iter().map(Step::Request);
        let steps = steps.collect();
        self.run(Purpose::Acquisition, steps);
    }

    pub(super) fn run_mach_down(&mut self, ground: Ground) {
        let steps = self.takes(Hold::FOREIGN, ground);
        self.queue(Purpose::MachDown, steps);
    }

    pub(super) fn run_release(&mut self, what: Hold) {
        let steps = self.keys(what).into_iter().map(Step::Give).collect();
        self.run(Purpose::Release(what), steps);
    }

    /// What the other gives, or seems to give, in this node's terms.
    pub(super) fn run_standby_acquisition(&mut self, what: Hold, ground: Ground) {
        let steps = self.takes(what.swapped(), ground);
        self.run(Purpose::StandbyAcquisition(what), steps);
    }

    pub(super) fn run_shutdown(&mut self) {
        self.scripts.queue.clear();
        let steps = self.keys(Hold::ALL).into_iter().map(Step::Give).collect();
        self.run(Purpose::Shutdown, steps);
    }

    pub(super) fn run_ip_request(&mut self, key: Option<&str>) {
        if let Some(group) = self.group_of(key) {
            self.queue(Purpose::IpRequest(group), vec![Step::GiveIfRunning(group)]);
        }
    }

    pub(super) fn run_take_group(&mut self, key: Option<&str>, is_own: bool) {
        let Some(group) = self.group_of(key) else {
            return;
        };
        let (ground, at) = if is_own {
            self.scripts.own_ground
        } else {
            (Ground::Answer, self.now)
        };
        self.queue(Purpose::TakeGroup, vec![Step::Take(group, (ground, at))]);
    }

    /// The peer wants this set: it is named from the peer's side.
    pub(super) fn run_takeover_request(&mut self, what: Hold) {
        let given = if what == Hold::LOCAL || what == Hold::FOREIGN {
            what.swapped()
        } else {
            Hold::ALL
        };
        self.queue(Purpose::TakeoverRequest(given), Vec::new());
    }

    fn keys(&self, what: Hold) -> Vec<GroupId> {
        let all = (0..).map(GroupId).take(self.settings.groups.len());
        all.filter(|&group| {
            if self.prefers(group) {
                what.local
            } else {
                what.foreign
            }
        })
        .collect()
    }

    fn takes(&self, what: Hold, ground: Ground) -> Vec<Step> {
        let decided = (ground, self.now);
        let keys = self.keys(what).into_iter();
        keys.map(|group| Step::Take(group, decided)).collect()
    }

    fn group_of(&self, key: Option<&str>) -> Option<GroupId> {
        let place = self
            .settings
            .groups
            .iter()
            .position(|group| Some(group.key.as_str()) == key)?;
        u32::try_from(place).ok().map(GroupId)
    }

    /// Scripts of messages run one at a time, and never beside a child that was there before.
    fn queue(&mut self, purpose: Purpose, steps: Vec<Step>) {
        if self.resources.phase == super::resources::Phase::Shutdown {
            return;
        }
        self.scripts.queue.push_back((purpose, steps));
        self.run_queue();
    }

    fn run_queue(&mut self) {
        if self.scripts.is_idle()
            && let Some((purpose, steps)) = self.scripts.queue.pop_front()
        {
            self.run(purpose, steps);
        }
    }

    fn run(&mut self, purpose: Purpose, steps: Vec<Step>) {
        let shell = Duration::from_millis(self.rng.between(5, 40));
        self.scripts.running.push(Child {
            purpose,
            steps: steps.into(),
            doing: Doing::Nothing(self.now + shell),
            was_running: false,
        });
    }

    /// Lets every child go on that can; ends those that are done.
    pub(super) fn run_scripts(&mut self) {
        let mut place = 0;
        while place < self.scripts.running.len() {
            let child = &mut self.scripts.running[place];
            match child.doing {
                Doing::Nothing(at) if at <= self.now => {
                    let Some(step) = child.steps.front().copied() else {
                        let child = self.scripts.running.remove(place);
                        self.child_ended(child.purpose, child.was_running);
                        place = 0;
                        continue;
                    };
                    if self.must_wait(step) {
                        self.scripts.running[place].doing = Doing::Nothing(self.now + LOOK_AGAIN);
                    } else {
                        self.scripts.running[place].steps.pop_front();
                        self.begin(place, step);
                    }
                }
                Doing::Waiting(group, attempt, at) if at <= self.now => {
                    child.doing = Doing::Stopping(group, attempt);
                    self.actions.push_back(Action::StopGroup(group));
                }
                Doing::Resuming(group, at) if at <= self.now => {
                    self.scripts.running[place].doing = if self.is_acted_on(group) {
                        Doing::Resuming(group, self.now + LOOK_AGAIN)
                    } else {
                        self.actions.push_back(Action::StartGroup(group));
                        Doing::Starting(group)
                    };
                }
                _ => {}
            }
            place += 1;
        }
    }

    fn is_acted_on(&self, group: GroupId) -> bool {
        let mut children = self.scripts.running.iter();
        children.any(|child| child.doing.group() == Some(group))
    }

    /// A stop waits for another stop, but not for a start: that goes on behind its back.
    fn must_wait(&self, step: Step) -> bool {
        if !matches!(step, Step::Give(_)) {
            return self.is_acted_on(step.group());
        }
        children_stop(&self.scripts.running, step.group())
    }

    fn begin(&mut self, place: usize, step: Step) {
        let group = step.group();
        if let Step::Give(_) = step {
            for child in &mut self.scripts.running {
                if child.doing == Doing::Starting(group) {
                    child.doing = Doing::Resuming(group, self.now + LOOK_AGAIN);
                }
            }
        }
        let (doing, action) = match step {
            Step::Give(_) => (Doing::Stopping(group, 1), Action::StopGroup(group)),
            _ => (Doing::Probing(step), Action::ProbeGroup(group)),
        };
        self.scripts.running[place].doing = doing;
        self.actions.push_back(action);
    }

    /// A script of a group has ended.
    pub(super) fn script_step_ended(&mut self, group: GroupId, outcome: GroupOutcome) {
        let mut children = self.scripts.running.iter();
        let is_for =
            |child: &Child| child.doing.group() == Some(group) && child.doing.awaits(outcome);
        let Some(place) = children.position(is_for) else {
            // A script of a run that was killed has stopped what this one found running.
            if let (GroupOutcome::Stopped, Some(released)) =
                (outcome, self.scripts.released.get_mut(index(group)))
            {
                *released = true;
            }
            return;
        };
        let is_being_stopped = children_stop(&self.scripts.running, group);
        let is_release = matches!(self.scripts.running[place].purpose, Purpose::Release(_));
        if let Some(released) = self.scripts.released.get_mut(index(group)) {
            match outcome {
                GroupOutcome::Stopped => *released = is_release,
                GroupOutcome::Started | GroupOutcome::FoundRunning => *released = false,
                _ => {}
            }
        }
        let child = &mut self.scripts.running[place];
        let found = outcome == GroupOutcome::FoundRunning;
        let (doing, action) = match (child.doing, outcome) {
            (Doing::Probing(Step::Take(_, decided)), _) if !found && is_being_stopped => {
                self.scripts.note(group, decided);
                (Doing::Resuming(group, self.now + LOOK_AGAIN), None)
            }
            (Doing::Probing(Step::Take(_, decided)), _) if !found => {
                self.scripts.note(group, decided);
                (Doing::Starting(group), Some(Action::StartGroup(group)))
            }
            (Doing::Probing(Step::Take(..) | Step::Request(_)), _) if found => {
                if !self.is_legacy() {
                    self.wishes.push_back(Wish::Adopt(group)); // in legacy mode nobody is told
                }
                (Doing::Nothing(self.now), None)
            }
            (Doing::Probing(Step::Request(_)), _) if !found => {
                self.request(group);
                (Doing::Nothing(self.now), None)
            }
            (Doing::Probing(Step::GiveIfRunning(_)), _) if found => {
                child.was_running = true;
                (Doing::Stopping(group, 1), Some(Action::StopGroup(group)))
            }
            (Doing::Starting(_), GroupOutcome::StartFailed) => {
                self.start_failed();
                (Doing::Nothing(self.now), None)
            }
            (Doing::Starting(_), GroupOutcome::StopFailed) => {
                self.start_failed();
                (Doing::Waiting(group, 2, self.now + STOP_AGAIN), None)
            }
            (Doing::Stopping(_, attempt), GroupOutcome::StopFailed) if attempt < STOP_ATTEMPTS => {
                let at = self.now + STOP_AGAIN;
                (Doing::Waiting(group, attempt + 1, at), None)
            }
            (Doing::Stopping(..), GroupOutcome::StopFailed) => {
                self.say("Resource STOP failure. Reboot required!");
                self.wishes.push_back(Wish::Reboot);
                return;
            }
            _ => (Doing::Nothing(self.now), None),
        };
        self.scripts.running[place].doing = doing;
        self.actions.extend(action);
    }

    /// A failed group stays down; the node asks to give the wrong half away, a while later.
    fn start_failed(&mut self) {
        self.say("Giving up resources due to failure");
        let words = Words::new("ask_resources")
            .and("rsc_hold", Hold::FOREIGN)
            .and("info", "me");
        self.later.push((self.now + GIVE_AWAY_AFTER, words));
    }

    fn request(&mut self, group: GroupId) {
        let Some(settings) = self.settings.groups.get(index(group)) else {
            return;
        };
        let key = settings.key.clone();
        let asks = self.is_legacy() && self.peer.status == NodeStatus::Active;
        self.fifo.push_back(if asks {
            Words::new("ip-request").and("ipaddr", key)
        } else {
            answer(&self.settings.local_node, key, true)
        });
    }

    fn child_ended(&mut self, purpose: Purpose, was_running: bool) {
        match purpose {
            Purpose::Acquisition | Purpose::MachDown if self.is_legacy() => {}
            Purpose::Acquisition => self.send_holdings(true, Some("req_our_resources()")),
            Purpose::MachDown => self.fifo.push_back(
                Words::new("resource")
                    .and("rsc_hold", Hold::FOREIGN)
                    .and("info", "mach_down"),
            ),
            Purpose::TakeGroup => {}
            Purpose::Release(what) | Purpose::StandbyAcquisition(what) => {
                self.send_dialogue(what, "done");
            }
            Purpose::IpRequest(group) => {
                let key = self
                    .settings
                    .groups
                    .get(index(group))
                    .map(|group| group.key.clone());
                let asker = self.settings.peer_node.clone();
                self.fifo
                    .push_back(answer(&asker, key.unwrap_or_default(), was_running));
            }
            Purpose::TakeoverRequest(what) => self.fifo.push_back(
                Words::new("ask_resources")
                    .and("rsc_hold", what)
                    .and("info", "me"),
            ),
            Purpose::Shutdown => self.say_goodbye(),
        }
        self.run_queue();
    }
}

fn children_stop(children: &[Child], group: GroupId) -> bool {
    let mut children = children.iter();
    children.any(|child| child.doing.is_stopping() && child.doing.group() == Some(group))
}

fn answer(asker: &str, key: String, was_running: bool) -> Words {
    let weown = if was_running { "yes" } else { "no" };
    Words::new("ip-request-resp")
        .and("dest", asker)
        .and("ipaddr", key)
        .and("weown", weown)
        .and("ok", "OK")
}

fn index(group: GroupId) -> usize {
    usize::try_from(group.0).unwrap_or(usize::MAX)
}
