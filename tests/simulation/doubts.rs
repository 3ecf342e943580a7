//! Pairs that do not take silence for death (`last_link`): what they wait for, what they give up where they see no ping
//! node, and what a look at the network keeps them from.
//!
//! **What `witness` promises here.** Whatever is cut, a node does not start a group while it runs on the other machine,
//! where that one's daemon was able to see to it: either its kernel answers for the address, or nobody gets through
//! to it any more, ping nodes neither, and it has had the time to give the group up. It is excused when its daemon did not
//! run all that time, when scripts fail, or when its network has come and gone meanwhile.

use std::time::Duration;

use heartbeat::cluster::{GroupId, NetworkAnswer, NodeStatus};
use heartbeat::config::LastLink;

use super::carry_out::group_id;
use super::faults::{self, Fault, Weather};
use super::invariants::Violation;
use super::machine::{Inbound, Machine, Real};
use super::plan::{MS, Plan, SECOND, Time};
use super::rng::Rng;
use super::world::{Happening, STRANGER, World};

/// How long the network is asked.
const QUESTION: Time = 900 * MS;

impl Plan {
    /// The run that belongs to a seed where the last link means something of its own, and is cut.
    pub fn with_doubts(seed: u64) -> Self {
        Self::with_operator(seed).and_doubts(seed)
    }

    /// The same with such a pair.
    pub fn and_doubts(self, seed: u64) -> Self {
        let mut plan = self;
        let rng = &mut Rng::new(seed, 21);
        let time = plan.action_time.1 * 2 + plan.keepalive * 4 + 2 * SECOND;
        let time = Duration::from_micros(time + rng.below(plan.deadtime * 3));
        let answer = rng.pick(&[
            LastLink::Wait(time),
            LastLink::Manual,
            LastLink::Witness(time),
            LastLink::Witness(time),
        ]);
        plan.last_link = [answer; 2];
        if rng.chance(100) {
            plan.last_link[rng.index(2)] = LastLink::Takeover;
        }
        if plan.pings == 0 {
            faults::silence_pings(&mut plan, rng);
        }
        let (begin, end) = plan.busy_time();
        let mut more = Vec::new();
        for _ in 0..rng.between(1, 3) {
            let mut at = rng.between(begin, end);
            for link in 0..plan.links.len() {
                let only = rng.pick(&[None, None, Some(0), Some(1)]);
                for from in (0..2).filter(|from| only.is_none_or(|only| only == *from)) {
                    let weather = Weather::CUT;
                    let cut = Fault::Wire {
                        link,
                        from,
                        weather,
                    };
                    more.push((at, cut));
                }
                at += rng.below(plan.deadtime * 2);
            }
            // Sometimes it is the network of the clients that goes with the links, and comes back without them.
            if rng.chance(500) {
                let machine = rng.index(2);
                let until = at + rng.between(plan.deadtime, plan.deadtime * 8);
                for (at, answers) in [(at, false), (until, true)] {
                    for ping in 0..plan.pings {
                        let node = Fault::PingNode {
                            machine,
                            ping,
                            answers,
                        };
                        more.push((at, node));
                    }
                }
            }
            let long = rng.between(plan.deadtime, plan.deadtime * 12);
            more.push((at + long, Fault::HealLinks));
        }
        plan.add_faults(more);
        faults::confirm_deaths(&mut plan, rng);
        plan
    }

    /// Whether both nodes go by `witness`.
    pub fn has_witness(&self) -> bool {
        matches!(self.last_link, [LastLink::Witness(_), LastLink::Witness(_)])
    }

    /// How long nobody must have answered before a node takes over, at most.
    pub fn unseen_time(&self) -> Time {
        let witness = |answer: &LastLink| match answer {
            LastLink::Witness(time) => Time::try_from(time.as_micros()).unwrap_or(0),
            _ => 0,
        };
        let time = self.last_link.iter().map(witness).max().unwrap_or(0);
        (self.notice_time() + time) * 102 / 100
    }

    /// How long a node needs at most to notice that no ping node answers.
    fn notice_time(&self) -> Time {
        let deadtime = self.deadtime_of(0).max(self.deadtime_of(1));
        deadtime.max(self.keepalive * 4) + self.keepalive * 2
    }

    /// How much later than without this a lone node serves; `None` where that is open.
    pub fn doubt_time(&self) -> Option<Time> {
        let mut most = 0;
        for answer in self.last_link {
            most = most.max(match answer {
                LastLink::Takeover => 0,
                LastLink::Wait(time) => Time::try_from(time.as_micros()).ok()?,
                // A person has to be there, or a ping node.
                LastLink::Manual | LastLink::Witness(_) => return None,
            });
        }
        Some(most)
    }

    /// How much longer it takes until everything has found its place.
    pub fn doubt_settle_time(&self) -> Time {
        if self.last_link == [LastLink::Takeover; 2] {
            0
        } else {
            self.unseen_time() * 3 + self.doubt_time().unwrap_or(0) + 5 * SECOND
        }
    }
}

impl Machine {
    /// Whether anybody outside reaches its kernel.
    fn is_reached(&self) -> bool {
        self.powered && self.is_plugged && self.answers.iter().any(|answers| *answers)
    }
}

impl World {
    /// A node asks who answers for these groups; the answer is as old as the last question when it comes.
    pub fn ask_network(&mut self, node: usize, request: u64, groups: Vec<GroupId>) {
        let Some(run) = self.machines[node].daemon.as_ref().map(|daemon| daemon.run) else {
            return;
        };
        self.trace.step(self.now, &[15, node as u64, request], || {
            format!("{node} asks the network, {request}")
        });
        let machine = node;
        let question = Happening::NetworkAnswer {
            machine,
            run,
            request,
            groups,
        };
        self.at(self.now + QUESTION, question);
    }

    /// Who answers.
    pub fn network_answers(
        &mut self,
        node: usize,
        run: u64,
        request: u64,
        groups: &[GroupId],
    ) -> Result<(), Violation> {
        let daemon = self.machines[node].daemon.as_ref();
        if daemon.is_none_or(|daemon| daemon.run != run) || node >= STRANGER {
            return Ok(());
        }
        let other = &self.machines[1 - node];
        let is_reached = self.machines[node].is_reached() && other.is_reached();
        let runs = |id: &&GroupId| {
            let mut places = 0..self.plan.preferred.len();
            let group = places.find(|&group| group_id(group) == **id);
            group.is_some_and(|group| other.real(group) != Real::Stopped)
        };
        let answer = NetworkAnswer {
            asked: u32::try_from(groups.len()).unwrap_or(u32::MAX),
            served: groups.iter().find(runs).copied().filter(|_| is_reached),
        };
        let is_served = u64::from(answer.served.is_some());
        self.trace
            .step(self.now, &[16, node as u64, is_served], || {
                format!("{node} hears of the network, {request}: {answer:?}")
            });
        self.arrive(node, Inbound::Network(request, answer))
    }

    /// The network of a machine comes or goes for those outside.
    pub fn reach_changes(&mut self, machine: usize) {
        self.machines[machine].reach_since = self.now;
    }

    /// What `manual` promises where there is but one link, and `witness`: a group is about to be started.
    pub fn judge_doubt(&self, node: usize, group: usize) -> Result<(), Violation> {
        let resource = &self.machines[1 - node].resources[group];
        let runs = matches!(resource.real, Real::Running | Real::Starting);
        let is_manual = self.plan.last_link[node] == LastLink::Manual && self.plan.links.len() == 1;
        if is_manual && runs && resource.failures == 0 && !self.was_confirmed {
            let text = format!("node {node} starts group {group} and was told by nobody to do so");
            return Err(self.violation("doubt", text));
        }
        self.judge_witness(node, group)
    }

    fn judge_witness(&self, node: usize, group: usize) -> Result<(), Violation> {
        if !self.plan.has_witness() {
            return Ok(());
        }
        let (own, other) = (&self.machines[node], &self.machines[1 - node]);
        let resource = &other.resources[group];
        let runs = matches!(resource.real, Real::Running | Real::Starting);
        let is_excused = self.plan.has_old()
            || resource.failures > 0
            || self.plan.resets_late()
            || self.was_confirmed
            || !other.powered;
        if !runs || is_excused {
            return Ok(());
        }
        // Either the last question was answered, or the other node has had all the time that it needs.
        let is_seen = own.is_reached() && other.is_reached();
        let span = if is_seen {
            2 * SECOND
        } else {
            let stops = self.plan.action_time.1 + self.plan.keepalive * 2 + SECOND;
            (self.plan.notice_time() + stops) * 102 / 100
        };
        let begin = self.now.saturating_sub(span);
        let stood = |machine: &Machine| {
            let daemon = machine.daemon.as_ref();
            daemon.is_none_or(|daemon| daemon.stalled_lately(self.now, span + self.plan.deadtime))
        };
        let is_steady = own.reach_since.max(other.reach_since).max(resource.since) <= begin;
        let was_able = is_seen
            || other.daemon.as_ref().is_some_and(|daemon| {
                daemon.started + self.plan.initdead * 2 <= begin
                    && daemon.core.local_status() == NodeStatus::Active
            }) && !stood(other);
        if is_steady && was_able && !stood(own) {
            let text = format!(
                "node {node} starts group {group}, which runs on the other machine for all to see, or has not been \
                 given up there in time"
            );
            return Err(self.violation("doubt", text));
        }
        Ok(())
    }
}

#[test]
fn no_seed_with_doubts_breaks_a_rule() {
    super::try_seeds("HB_SIM_DOUBT", 1000, 10, Plan::with_doubts);
}
