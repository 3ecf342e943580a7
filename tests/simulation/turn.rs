//! One turn of a daemon, in the order of the real event loop: read everything, tick, do what the core asks
//! for. And how the world carries that out.

use std::rc::Rc;

use heartbeat::cluster::{
    Action, Event, GroupId, GroupOutcome, GroupView, LinkId, NodeStatus, Packet,
};

use super::invariants::{Reading, Violation};
use super::machine::{Daemon, Inbound, Real};
use super::node::Node;
use super::plan::{MS, SECOND};
use super::trace::hash;
use super::virtual_link::{Cargo, Origin};
use super::world::{Happening, STRANGER, World};

/// The most actions that one event may cause, groups aside.
const ACTIONS: usize = 80;
/// The most lines about packets that were refused, in one run of a daemon: some kinds, told once a minute.
const COMPLAINTS: u64 = 12;

/// What of a node can be seen from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Face {
    local: NodeStatus,
    peer: NodeStatus,
    links_up: u64,
    groups: Vec<GroupView>,
}

impl World {
    /// A timer of a daemon, or the end of what held it up.
    pub fn wake(&mut self, node: usize) -> Result<(), Violation> {
        let Some(daemon) = &self.machines[node].daemon else {
            return Ok(());
        };
        if daemon.busy_until > self.now {
            let (run, wake, at) = (daemon.run, daemon.wake, daemon.busy_until);
            self.at(
                at,
                Happening::Wake {
                    machine: node,
                    run,
                    wake,
                },
            );
            return Ok(());
        }
        self.turn(node)
    }

    /// One turn.
    pub fn turn(&mut self, node: usize) -> Result<(), Violation> {
        let Some(mut daemon) = self.machines[node].daemon.take() else {
            return Ok(());
        };
        let mut actions = Vec::new();
        let read = self.read(node, &mut daemon, &mut actions);
        let local = self.machines[node].local(self.now);
        daemon.core.handle(local, Event::Tick);
        drain(&mut *daemon.core, &mut actions);
        let deadline = daemon.core.next_deadline();
        let is_dead = daemon.core.peer_status() == NodeStatus::Dead;
        let was_dead = std::mem::replace(&mut daemon.peer_was_dead, is_dead);
        let died = is_dead && !was_dead;
        self.machines[node].daemon = Some(daemon);
        read?;
        if deadline <= local {
            return Err(self.violation("progress", format!("node {node} ticks without end")));
        }
        let mut exits = false;
        for action in actions {
            exits |= matches!(action, Action::Exit);
            self.perform(node, action)?;
        }
        if node < STRANGER && died {
            let goodbye = self.machines[1 - node].goodbye;
            self.trace.step(self.now, &[7, node as u64], || {
                format!("{node} declares its peer dead")
            });
            self.judge.declared_dead(node, self.now, goodbye)?;
        }
        self.judge_stale_claims(node)?;
        if exits {
            self.exit(node)
        } else {
            self.plan_next_turn(node, deadline)
        }
    }

    /// S3: who stood still for deadtime gives up, in the turn in which it notices, what the other took.
    fn judge_stale_claims(&mut self, node: usize) -> Result<(), Violation> {
        let now = self.now;
        let machine = &mut self.machines[node];
        let Some(daemon) = &mut machine.daemon else {
            return Ok(());
        };
        daemon.last_turn = now;
        let Some(held_before) = daemon.must_yield.take() else {
            return Ok(());
        };
        let keeps = |group: &usize| matches!(machine.real(*group), Real::Starting | Real::Running);
        match held_before.into_iter().find(keeps) {
            Some(group) => Err(self.violation(
                "S3",
                format!("node {node} keeps group {group} after a stall"),
            )),
            None => Ok(()),
        }
    }

    /// What the daemon held when its stall began, and the other machine only holds since.
    fn taken_meanwhile(&self, node: usize, daemon: &Daemon) -> Vec<usize> {
        let other = &self.machines[1 - node];
        let held = daemon.alone_with.iter().copied();
        held.filter(|&group| other.real(group) != Real::Stopped)
            .collect()
    }

    fn plan_next_turn(
        &mut self,
        node: usize,
        deadline: heartbeat::cluster::Instant,
    ) -> Result<(), Violation> {
        let due = self.machines[node].world(deadline) + self.dice.below(MS);
        let busy = if self.plan.turn_time > 0 {
            self.dice.below(self.plan.turn_time)
        } else {
            0
        };
        let now = self.now;
        let Some(daemon) = &mut self.machines[node].daemon else {
            return Ok(());
        };
        daemon.busy_until = daemon.busy_until.max(now + busy);
        daemon.wake += 1;
        let (run, wake, at) = (daemon.run, daemon.wake, due.max(daemon.busy_until));
        self.at(
            at,
            Happening::Wake {
                machine: node,
                run,
                wake,
            },
        );
        Ok(())
    }

    /// Everything that waits, in the order of its arrival.
    fn read(
        &mut self,
        node: usize,
        daemon: &mut Daemon,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let local = self.machines[node].local(self.now);
        daemon.must_yield = None;
        if daemon.stalled {
            daemon.stalled = false;
            daemon.went_on = self.now;
            let long = self.now - daemon.last_turn >= self.plan.deadtime;
            if long && node < STRANGER && !daemon.peer_was_dead {
                daemon.must_yield = Some(self.taken_meanwhile(node, daemon));
            }
            if node < STRANGER {
                self.judge.caught_up(node, self.now);
            }
        }
        let second = self.machines[node].wall_seconds(self.now);
        if daemon.second != Some(second) {
            daemon.second = Some(second);
            daemon
                .core
                .handle(local, Event::WallClock { seconds: second });
        }
        for inbound in std::mem::take(&mut daemon.inbox) {
            let before = actions.len();
            match inbound {
                Inbound::Bytes(link, cargo) => {
                    self.read_bytes(node, daemon, link, &cargo, actions)?
                }
                Inbound::Outcome(group, outcome) => {
                    self.trace.step(
                        self.now,
                        &[3, node as u64, u64::from(group.0), outcome as u64],
                        || format!("{node} group {} {outcome:?}", group.0),
                    );
                    daemon.core.handle(local, Event::Group { group, outcome });
                }
                Inbound::Keys(keys) => daemon
                    .core
                    .handle(local, Event::KeysChanged(Box::new(keys))),
                Inbound::Stop => daemon.core.handle(local, Event::StopRequested),
            }
            drain(&mut *daemon.core, actions);
            if actions.len() - before > ACTIONS + 8 * self.plan.preferred.len() {
                return Err(
                    self.violation("bounds", format!("node {node} asks for too much at once"))
                );
            }
        }
        Ok(())
    }

    fn read_bytes(
        &mut self,
        node: usize,
        daemon: &mut Daemon,
        link: usize,
        cargo: &Cargo,
        actions: &mut Vec<Action>,
    ) -> Result<(), Violation> {
        let (now, local) = (self.now, self.machines[node].local(self.now));
        let reading = if node == STRANGER || (daemon.went_on == now && now > 0) {
            Reading::Free
        } else {
            self.judge.reading(node, daemon, cargo, now)
        };
        let code = [
            2,
            node as u64,
            link as u64,
            cargo.from as u64,
            cargo.run,
            cargo.number,
        ];
        self.trace.step(now, &code, || {
            let origin = cargo.origin;
            format!(
                "{node} reads {}.{} on {link} ({origin:?}) {}",
                cargo.run,
                cargo.number,
                gist(cargo.bytes())
            )
        });
        let before = (reading != Reading::Free).then(|| self.face(&*daemon.core));
        let is_signed = matches!(cargo.origin, Origin::Genuine | Origin::Replayed);
        if is_signed && cargo.number > 0 && cargo.from == 1 - node.min(1) {
            if reading != Reading::Ignored && node < STRANGER {
                self.judge.reads(node, cargo, now);
                if cargo.origin == Origin::Replayed {
                    self.judge.disturb(); // words that were held back: nobody can tell
                }
            }
            daemon.read.entry((cargo.run, cargo.number)).or_insert(now);
            if cargo.packet.is_heartbeat {
                daemon.known_run = daemon.known_run.max(cargo.run);
            }
        }
        let id = LinkId(u8::try_from(link).unwrap_or(u8::MAX));
        daemon.core.handle(
            local,
            Event::Received {
                link: id,
                bytes: cargo.bytes(),
            },
        );
        let Some(mut before) = before else {
            return Ok(());
        };
        let mut after = self.face(&*daemon.core);
        if reading == Reading::Repeated {
            (before.links_up, after.links_up) = (0, 0);
        }
        if before != after {
            let text = format!(
                "node {node} believes {:?} bytes: {before:?} becomes {after:?}",
                cargo.origin
            );
            return Err(self.violation("S4", text));
        }
        let new = actions.len();
        drain(&mut *daemon.core, actions);
        for action in &actions[new..] {
            match action {
                Action::Report(_) => daemon.complaints += 1,
                Action::Send(_) if cargo.origin == Origin::Replayed => {} // a question may be answered again
                other => {
                    return Err(self.violation(
                        "S4",
                        format!("{:?} bytes make node {node} do {other:?}", cargo.origin),
                    ));
                }
            }
        }
        if daemon.complaints > COMPLAINTS + (now - daemon.started) / (10 * SECOND) {
            return Err(self.violation(
                "S4",
                format!("node {node} talks too much about refused packets"),
            ));
        }
        Ok(())
    }

    fn face(&self, core: &dyn Node) -> Face {
        let link_up = |link: usize| core.link_is_up(LinkId(u8::try_from(link).unwrap_or(u8::MAX)));
        Face {
            local: core.local_status(),
            peer: core.peer_status(),
            links_up: (0..self.links.len())
                .filter(|&link| link_up(link))
                .map(|link| 1 << link)
                .sum(),
            groups: (0..self.plan.preferred.len())
                .map(|group| core.group(group_id(group)))
                .collect(),
        }
    }

    fn perform(&mut self, node: usize, action: Action) -> Result<(), Violation> {
        match action {
            Action::Send(packet) => self.send(node, &packet),
            Action::StartGroup(group) => self.start_group(node, index(group)),
            Action::StopGroup(group) => self.stop_group(node, index(group)),
            Action::ProbeGroup(group) => {
                let run = self.machines[node]
                    .daemon
                    .as_ref()
                    .map_or(0, |daemon| daemon.run);
                let at = self.now + MS + self.dice.below(self.plan.action_time.1);
                self.at(
                    at,
                    Happening::Probed {
                        machine: node,
                        run,
                        group: index(group),
                    },
                );
                Ok(())
            }
            Action::Report(report) => {
                let text = report.to_string();
                self.trace
                    .step(self.now, &[4, node as u64, hash(text.as_bytes())], || {
                        format!("{node} says: {text}")
                    });
                Ok(())
            }
            Action::RememberPeer(memory) => {
                self.machines[node].remembered = Some(memory);
                Ok(())
            }
            Action::Exit => Ok(()),
        }
    }

    fn send(&mut self, node: usize, packet: &Rc<Packet>) -> Result<(), Violation> {
        let now = self.now;
        let Some(daemon) = &mut self.machines[node].daemon else {
            return Ok(());
        };
        let name = hash(&packet.datagram);
        let next = daemon.sent.len() as u64 + 1;
        let is_numbered = packet.datagram.windows(5).any(|word| word == b")seq=");
        let number = if is_numbered {
            *daemon.sent.entry(name).or_insert(next)
        } else {
            0
        };
        let run = daemon.run;
        daemon.send_times.push_back(now);
        while daemon
            .send_times
            .front()
            .is_some_and(|&at| at + SECOND <= now)
        {
            daemon.send_times.pop_front();
        }
        let burst = daemon.send_times.len();
        self.trace.step(now, &[5, node as u64, name], || {
            format!("{node} sends {run}.{number} {}", gist(&packet.datagram))
        });
        if node < STRANGER {
            self.figures.sent += 1;
            self.figures.burst = self.figures.burst.max(burst);
            if burst > self.plan.burst_limit() {
                return Err(self.violation(
                    "bounds",
                    format!("node {node} sends {burst} packets a second"),
                ));
            }
        }
        let origin = if node == STRANGER {
            Origin::Foreign
        } else {
            Origin::Genuine
        };
        let cargo = Cargo {
            packet: Rc::clone(packet),
            is_text: false,
            from: node,
            run,
            number,
            origin,
        };
        if node < STRANGER {
            self.record(&cargo);
        }
        for link in 0..self.links.len() {
            self.send_on(link, &cargo);
            if self.links[link].lost_news {
                return Err(self.violation(
                    "freshness",
                    format!("an old heartbeat replaces a new one on {link}"),
                ));
            }
        }
        Ok(())
    }

    fn send_on(&mut self, link: usize, cargo: &Cargo) {
        let from = cargo.from;
        if self.links[link].is_serial() {
            if from == STRANGER || cargo.packet.text.is_empty() {
                return;
            }
            let cargo = Cargo {
                is_text: true,
                ..cargo.clone()
            };
            if let Some(time) = self.links[link].queue(cargo) {
                self.at(self.now + time, Happening::LineFree { link, from });
            }
            return;
        }
        for to in 0..self.machines.len() {
            if to != from || self.links[link].plan.echo {
                self.travel(link, to, cargo);
            }
        }
    }

    fn record(&mut self, cargo: &Cargo) {
        if self.recorded.len() < 200 {
            self.recorded.push(cargo.clone());
        } else if self.dice.chance(200) {
            let place = self.dice.index(self.recorded.len());
            self.recorded[place] = cargo.clone();
        }
    }

    fn start_group(&mut self, node: usize, group: usize) -> Result<(), Violation> {
        self.trace
            .step(self.now, &[6, node as u64, group as u64], || {
                format!("{node} STARTS group {group}")
            });
        self.own_action_is_alone(node, group, &[Real::Starting, Real::Stopping])?;
        let outcome = if !self.calm && self.dice.chance(self.plan.start_failures) {
            if self.dice.chance(300) {
                GroupOutcome::StopFailed
            } else {
                GroupOutcome::StartFailed
            }
        } else {
            GroupOutcome::Started
        };
        if node < STRANGER {
            self.figures.starts += 1;
            self.judge.starts(node, group, &self.machines, self.now)?;
        }
        self.begin_action(node, group, Real::Starting, outcome)
    }

    fn stop_group(&mut self, node: usize, group: usize) -> Result<(), Violation> {
        self.trace
            .step(self.now, &[8, node as u64, group as u64], || {
                format!("{node} STOPS group {group}")
            });
        self.own_action_is_alone(node, group, &[Real::Stopping])?;
        let failed = !self.calm && self.dice.chance(self.plan.stop_failures);
        let outcome = if failed {
            GroupOutcome::StopFailed
        } else {
            GroupOutcome::Stopped
        };
        if node < STRANGER {
            self.figures.stops += 1;
        }
        self.begin_action(node, group, Real::Stopping, outcome)
    }

    /// The daemon must not begin an action while its last one on the same group is under way.
    fn own_action_is_alone(
        &self,
        node: usize,
        group: usize,
        busy: &[Real],
    ) -> Result<(), Violation> {
        let machine = &self.machines[node];
        let resource = &machine.resources[group];
        let run = machine.daemon.as_ref().map_or(0, |daemon| daemon.run);
        if resource.run == run && busy.contains(&resource.real) {
            return Err(self.violation(
                "order",
                format!("node {node}: group {group} is {:?} already", resource.real),
            ));
        }
        Ok(())
    }

    fn begin_action(
        &mut self,
        node: usize,
        group: usize,
        real: Real,
        outcome: GroupOutcome,
    ) -> Result<(), Violation> {
        let time = self
            .dice
            .between(self.plan.action_time.0, self.plan.action_time.1);
        let machine = &mut self.machines[node];
        let run = machine.daemon.as_ref().map_or(0, |daemon| daemon.run);
        let resource = &mut machine.resources[group];
        resource.real = real;
        resource.action += 1;
        resource.run = run;
        let action = resource.action;
        self.at(
            self.now + time,
            Happening::ActionEnds {
                machine: node,
                group,
                action,
                outcome,
            },
        );
        self.group_changed(node, group)
    }

    /// Scripts end, whether or not the daemon that started them still runs.
    pub fn action_ends(
        &mut self,
        node: usize,
        group: usize,
        action: u64,
        outcome: GroupOutcome,
    ) -> Result<(), Violation> {
        let machine = &mut self.machines[node];
        let resource = &mut machine.resources[group];
        if resource.action != action {
            return Ok(());
        }
        resource.real = match outcome {
            GroupOutcome::Started => Real::Running,
            GroupOutcome::StopFailed => Real::Broken,
            _ => Real::Stopped,
        };
        let failed = matches!(
            outcome,
            GroupOutcome::StartFailed | GroupOutcome::StopFailed
        );
        resource.failures += u32::from(failed);
        let run = resource.run;
        if failed {
            self.judge.disturb();
        }
        self.group_changed(node, group)?;
        if self.machines[node]
            .daemon
            .as_ref()
            .is_some_and(|daemon| daemon.run == run)
        {
            return self.arrive(node, Inbound::Outcome(group_id(group), outcome));
        }
        Ok(())
    }

    /// A probe has its answer: what it finds is what runs now.
    pub fn probed(&mut self, node: usize, run: u64, group: usize) -> Result<(), Violation> {
        if self.machines[node]
            .daemon
            .as_ref()
            .is_none_or(|daemon| daemon.run != run)
        {
            return Ok(());
        }
        let found = if self.machines[node].real(group) == Real::Stopped {
            GroupOutcome::FoundStopped
        } else {
            GroupOutcome::FoundRunning
        };
        self.arrive(node, Inbound::Outcome(group_id(group), found))
    }

    fn group_changed(&mut self, node: usize, group: usize) -> Result<(), Violation> {
        if node < STRANGER {
            self.judge.changed(node, group, &self.machines, self.now)
        } else {
            Ok(())
        }
    }

    /// All groups of a machine may have changed.
    pub fn truth_changed(&mut self, node: usize) -> Result<(), Violation> {
        (0..self.plan.preferred.len()).try_for_each(|group| self.group_changed(node, group))
    }

    /// The daemon leaves by itself.
    fn exit(&mut self, node: usize) -> Result<(), Violation> {
        self.trace
            .step(self.now, &[9, node as u64], || format!("{node} exits"));
        let left = (0..self.plan.preferred.len()).find(|&group| {
            !matches!(
                self.machines[node].real(group),
                Real::Stopped | Real::Broken
            )
        });
        self.lose_daemon(node);
        match left {
            Some(group) => {
                Err(self.violation("S6", format!("node {node} leaves group {group} behind")))
            }
            None => Ok(()),
        }
    }

    /// A rule was broken now.
    pub fn violation(&self, rule: &'static str, text: String) -> Violation {
        Violation {
            rule,
            at: self.now,
            text,
        }
    }
}

fn drain(core: &mut dyn Node, actions: &mut Vec<Action>) {
    while let Some(action) = core.next_action() {
        actions.push(action);
    }
}

fn group_id(group: usize) -> GroupId {
    GroupId(u32::try_from(group).unwrap_or(u32::MAX))
}

fn index(group: GroupId) -> usize {
    usize::try_from(group.0).unwrap_or(usize::MAX)
}

/// The fields of a message that matter in a story.
fn gist(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let wanted = [
        "t=",
        "st=",
        "hr=",
        "seq=",
        "hg=",
        "ackseq=",
        "firstseq=",
        "lastseq=",
        "info=",
    ];
    let fields = text.split(['\n', ',']).filter_map(|field| {
        let field = field.split_once(')').map_or(field, |(_, field)| field);
        wanted
            .iter()
            .any(|name| field.starts_with(name))
            .then_some(field)
    });
    fields.collect::<Vec<_>>().join(" ")
}
