//! What the core asked for is done: messages go out, and groups are started and stopped by scripts that take
//! their time, fail, and outlive the daemon that called them.

use std::rc::Rc;

use heartbeat::cluster::policy::Reason;
use heartbeat::cluster::{Action, GroupId, GroupOutcome, Packet, PingId, Report};
use heartbeat::message::{SignedShort, list_items};

use super::invariants::{Grounds, Violation};
use super::machine::{Inbound, Real};
use super::plan::{MS, SECOND};
use super::trace::{gist, hash};
use super::virtual_link::{Cargo, Origin};
use super::world::{Happening, STRANGER, World};

impl World {
    /// One action.
    pub fn perform(&mut self, node: usize, action: Action) -> Result<(), Violation> {
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
            Action::Ping => {
                self.ping(node);
                Ok(())
            }
            Action::AskFailback => {
                self.ask_command(node);
                Ok(())
            }
            Action::Fence { request } => {
                self.fence(node, request);
                Ok(())
            }
            Action::AskNetwork { request, groups } => {
                self.ask_network(node, request, groups);
                Ok(())
            }
            Action::StopFencing => {
                self.machines[node].fencing = None;
                Ok(())
            }
            Action::ResetMachine => {
                self.reset_itself(node);
                Ok(())
            }
            Action::Report(report) => {
                if let (Report::NewRun { .. }, Some(daemon)) =
                    (&report, &mut self.machines[node].daemon)
                {
                    daemon.bereaved = self.now; // what it had begun with the other is void, too
                }
                if let Report::GroupStopping { key, reason } = &report {
                    self.gives_up(node, key, *reason)?;
                }
                self.judge_maintenance(node, &report)?;
                let text = report.to_string();
                self.trace
                    .step(self.now, &[4, node as u64, hash(text.as_bytes())], || {
                        format!("{node} says: {text}")
                    });
                Ok(())
            }
            Action::Incident(record) => {
                let text = format!("{record:?}");
                self.trace
                    .step(self.now, &[5, node as u64, hash(text.as_bytes())], || {
                        format!("{node} records {text}")
                    });
                self.judge_record(node, &record)
            }
            Action::RememberMaintenance(memory) => {
                self.remember_maintenance(node, *memory);
                Ok(())
            }
            Action::RememberPeer(memory) => {
                self.remember(node, memory);
                Ok(())
            }
            Action::Exit
            | Action::AnnounceGroup(_)
            | Action::PeerHardware(_)
            | Action::Deliver { .. } => Ok(()),
        }
    }

    /// A node has announced that it stops a group.
    fn gives_up(&self, node: usize, key: &str, reason: Reason) -> Result<(), Violation> {
        let mut groups = 0..self.plan.preferred.len();
        match groups.find(|&group| self.plan.key_of(node, group) == key) {
            Some(group) if node < STRANGER => {
                let world = (&self.plan, self.machines.as_slice());
                self.judge.gives_up(node, group, reason, world, self.now)
            }
            _ => Ok(()),
        }
    }

    /// The command of `auto_failback when` takes its time.
    fn ask_command(&mut self, node: usize) {
        let Some(run) = self.machines[node].daemon.as_ref().map(|daemon| daemon.run) else {
            return;
        };
        let agrees = self.calm || self.dice.chance(self.plan.agrees);
        let at = self.now + MS + self.dice.below(self.plan.deadtime);
        let machine = node;
        self.at(
            at,
            Happening::Agreed {
                machine,
                run,
                agrees,
            },
        );
    }

    /// It has answered.
    pub fn agreed(&mut self, node: usize, run: u64, agrees: bool) -> Result<(), Violation> {
        let daemon = self.machines[node].daemon.as_ref();
        if daemon.is_none_or(|daemon| daemon.run != run) {
            return Ok(());
        }
        self.trace
            .step(self.now, &[12, node as u64, u64::from(agrees)], || {
                format!("{node} is told whether groups may return: {agrees}")
            });
        self.arrive(node, Inbound::Agreed(agrees))
    }

    /// Every ping node is asked.
    fn ping(&mut self, node: usize) {
        let Some(run) = self.machines[node].daemon.as_ref().map(|daemon| daemon.run) else {
            return;
        };
        for ping in 0..self.machines[node].answers.len() {
            let answers = self.machines[node].answers[ping];
            let is_lost = !self.calm && self.dice.chance(self.plan.ping_loss);
            if answers && !is_lost {
                let at = self.now + MS / 5 + self.dice.below(self.plan.keepalive / 4);
                let machine = node;
                self.at(at, Happening::Answered { machine, run, ping });
            }
        }
    }

    /// One has answered.
    pub fn answered(&mut self, node: usize, run: u64, ping: usize) -> Result<(), Violation> {
        let daemon = self.machines[node].daemon.as_ref();
        if daemon.is_none_or(|daemon| daemon.run != run) {
            return Ok(());
        }
        self.trace
            .step(self.now, &[11, node as u64, ping as u64], || {
                format!("{node} hears router{ping}")
            });
        self.machines[node].last_answer = self.now;
        let id = PingId(u8::try_from(ping).unwrap_or(u8::MAX));
        self.arrive(node, Inbound::Answer(id))
    }

    fn send(&mut self, node: usize, packet: &Rc<Packet>) -> Result<(), Violation> {
        let now = self.now;
        if packet.is_heartbeat {
            self.machines[node].last_heartbeat = now;
        }
        let Some(daemon) = &mut self.machines[node].daemon else {
            return Ok(());
        };
        let bytes = if packet.datagram.is_empty() {
            &packet.text
        } else {
            &packet.datagram
        };
        let name = hash(bytes);
        let number = number_of(bytes);
        let run = daemon.run;
        // The copies of one heartbeat, which each name their link, are one message.
        let is_first = packet.link.is_none_or(|link| link.0 == 0);
        if is_first {
            daemon.send_times.push_back(now);
        }
        while daemon
            .send_times
            .front()
            .is_some_and(|&at| at + SECOND <= now)
        {
            daemon.send_times.pop_front();
        }
        let burst = daemon.send_times.len();
        let says = |word: &[u8]| packet.datagram.windows(word.len()).any(|part| part == word);
        if !packet.is_heartbeat && says(b"t=shutdone") {
            self.machines[node].goodbye = Some(run);
        }
        self.trace.step(now, &[5, node as u64, name], || {
            format!("{node} sends {run}.{number} {}", gist(bytes))
        });
        if node < STRANGER {
            self.figures.sent += u64::from(is_first);
            self.figures.burst = self.figures.burst.max(burst);
            if burst > self.plan.burst_limit() && !self.is_old(node) {
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
        let only = packet.link.map(|link| usize::from(link.0));
        for link in 0..self.links.len() {
            if only.is_some_and(|only| only != link) {
                continue;
            }
            self.send_on(link, &cargo);
            if self.has_neighbours && !self.links[link].is_serial() {
                self.said.push((link, cargo.clone()));
            }
            let lost = std::mem::take(&mut self.links[link].lost_news);
            if lost && !self.is_old(node) {
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
        let outcome = if !self.calm && self.plan.impossible {
            GroupOutcome::StartFailed
        } else if !self.calm && self.dice.chance(self.plan.start_failures) {
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
            let grounds = Grounds {
                own: self.ground(node, group),
                claim_age: self.claim_age(1 - node, group),
            };
            self.judge_watchdog(node, group)?;
            self.judge_doubt(node, group)?;
            self.judge
                .starts(node, group, &self.machines, self.now, grounds)?;
        }
        self.begin_action(node, group, Real::Starting, outcome)
    }

    fn stop_group(&mut self, node: usize, group: usize) -> Result<(), Violation> {
        self.trace
            .step(self.now, &[8, node as u64, group as u64], || {
                format!("{node} STOPS group {group}")
            });
        self.own_action_is_alone(node, group, &[Real::Stopping])?;
        let was_running = self.machines[node].real(group) != Real::Stopped;
        let failed = was_running && !self.calm && self.dice.chance(self.plan.stop_failures);
        let outcome = if failed {
            GroupOutcome::StopFailed
        } else {
            GroupOutcome::Stopped
        };
        if node < STRANGER {
            self.figures.stops += 1;
        }
        let real = if was_running {
            Real::Stopping
        } else {
            Real::Stopped
        };
        self.begin_action(node, group, real, outcome)
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
        if resource.real == Real::Stopped {
            resource.since = self.now;
        }
        resource.real = real;
        resource.action += 1;
        resource.run = run;
        let action = resource.action;
        if real != Real::Stopped {
            self.watch_script(node, group, outcome, (real == Real::Starting, time));
        }
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
        resource.until = self.now;
        let before = resource.real;
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
        self.watch_end(node, group, outcome, before == Real::Starting)?;
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
            self.note_overlap(group);
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
    pub fn exit(&mut self, node: usize) -> Result<(), Violation> {
        self.trace
            .step(self.now, &[9, node as u64], || format!("{node} exits"));
        let left = (0..self.plan.preferred.len()).find(|&group| {
            !matches!(
                self.machines[node].real(group),
                Real::Stopped | Real::Broken
            )
        });
        self.machines[node].watchdog = None; // disarmed
        self.finish_writing(node);
        self.lose_daemon(node);
        match left {
            Some(group) if !self.is_old(node) => {
                Err(self.violation("S6", format!("node {node} leaves group {group} behind")))
            }
            _ => Ok(()),
        }
    }
}

/// The number that a message carries; 0 when it has none.
fn number_of(bytes: &[u8]) -> u64 {
    if let Ok(signed) = SignedShort::parse(bytes) {
        return signed.short.number;
    }
    // Every message sent is looked at, and most are netstrings.
    let value = if let Some(fields) = bytes.strip_prefix(b"###\n") {
        list_items(fields).find_map(|field| field.strip_prefix(b"(0)seq="))
    } else {
        let mut lines = bytes.split(|&byte| byte == b'\n');
        lines.find_map(|line| line.strip_prefix(b"seq="))
    };
    let digits = value.unwrap_or_default().iter();
    let digits = digits.map_while(|&byte| char::from(byte).to_digit(16));
    digits.fold(0, |number, digit| number << 4 | u64::from(digit))
}

/// The number of a group as the core names it.
pub fn group_id(group: usize) -> GroupId {
    GroupId(u32::try_from(group).unwrap_or(u32::MAX))
}

fn index(group: GroupId) -> usize {
    usize::try_from(group.0).unwrap_or(usize::MAX)
}
