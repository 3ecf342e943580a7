//! What a daemon reads, and the check that it makes nothing of what it must not believe (S4).

use heartbeat::cluster::{Action, Event, GroupView, LinkId, NodeStatus};
use heartbeat::message::SignedShort;

use super::carry_out::group_id;
use super::invariants::{Reading, Violation};
use super::machine::{Daemon, Inbound, Real};
use super::node::Node;
use super::plan::SECOND;
use super::trace::gist;
use super::turn::drain;
use super::virtual_link::{Cargo, Origin, VirtualLink};
use super::world::{STRANGER, World};

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
    /// Everything that waits, in the order of its arrival.
    pub fn read(
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
            // The other counts by its own clock.
            let counted = self
                .plan
                .hardware
                .least(1 - node.min(1), self.now - daemon.last_turn);
            let long = counted >= self.plan.deadtime_of(node);
            if long && !self.is_old(node) && node < STRANGER && !daemon.peer_was_dead {
                daemon.must_yield = Some(self.taken_meanwhile(node, daemon));
            }
            if node < STRANGER {
                self.judge.caught_up(node, self.now);
                let other = self.machines[1 - node].daemon.as_ref();
                if other.is_some_and(|other| other.stalled_lately(self.now, self.plan.deadtime)) {
                    self.judge.disturb(); // both stood still, so both may have to yield
                }
            }
        }
        let second = self.machines[node].wall_seconds(self.now);
        if daemon.second != Some(second) {
            daemon.second = Some(second);
            daemon
                .core
                .handle(local, Event::WallClock { seconds: second });
        }
        drain(&mut *daemon.core, actions); // what a node asks for before anything has happened
        let mut inbox = std::mem::take(&mut daemon.inbox);
        for inbound in inbox.drain(..) {
            let before = actions.len();
            match inbound {
                Inbound::Bytes(link, cargo) => {
                    self.read_bytes(node, daemon, link, &cargo, actions)?;
                }
                Inbound::Outcome(group, outcome) => {
                    self.trace.step(
                        self.now,
                        &[3, node as u64, u64::from(group.0), outcome as u64],
                        || format!("{node} group {} {outcome:?}", group.0),
                    );
                    daemon.core.handle(local, Event::Group { group, outcome });
                }
                Inbound::Answer(node) => daemon.core.handle(local, Event::PingAnswered { node }),
                Inbound::Agreed(agrees) => {
                    let event = Event::FailbackAnswered { agrees };
                    daemon.core.handle(local, event);
                }
                Inbound::Carrier(is_in) => {
                    for group in 0..self.plan.preferred.len() {
                        let (group, here) = (group_id(group), Some(is_in));
                        let event = Event::Carrier { group, here };
                        daemon.core.handle(local, event);
                    }
                    for (link, _) in self
                        .links
                        .iter()
                        .enumerate()
                        .filter(|(_, l)| !l.is_serial())
                    {
                        let link = LinkId(u8::try_from(link).unwrap_or(u8::MAX));
                        let has = Some(is_in);
                        daemon.core.handle(local, Event::LinkCarrier { link, has });
                    }
                }
                Inbound::Fenced(request, is_reset) => {
                    daemon
                        .core
                        .handle(local, Event::Fenced { request, is_reset });
                }
                Inbound::Network(request, answer) => {
                    let event = Event::NetworkAnswered { request, answer };
                    daemon.core.handle(local, event);
                }
                Inbound::Maintenance(order) => {
                    daemon.core.handle(local, Event::Maintenance(order));
                }
                Inbound::ConfirmDead => daemon.core.handle(local, Event::PeerConfirmedDead),
                Inbound::Reload => self.read_files(node, daemon),
                Inbound::Keys(keys) => daemon.core.handle(local, Event::KeysChanged(keys)),
                Inbound::Command(command) => daemon.core.command(local, command),
                Inbound::Stop => daemon.core.handle(local, Event::StopRequested),
            }
            drain(&mut *daemon.core, actions);
            if !self.is_old(node)
                && actions.len() - before > ACTIONS + 8 * self.plan.preferred.len()
            {
                return Err(
                    self.violation("bounds", format!("node {node} asks for too much at once"))
                );
            }
        }
        daemon.inbox = inbox; // empty, with its memory
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
        let reading = if node == STRANGER || self.is_old(node) || (daemon.went_on == now && now > 0)
        {
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
        // A short heartbeat says nothing on a network, nor to a node that does not know the run or what it refers to: as if it
        // had not been read.
        let is_there = daemon.core.peer_status() != NodeStatus::Dead;
        let says_something = SignedShort::parse(cargo.bytes()).map_or(true, |signed| {
            let since = signed.short.since;
            let is_serial = self.links.get(link).is_some_and(VirtualLink::is_serial);
            is_serial && is_there && daemon.read.has_any(cargo.run, since..=cargo.number)
        });
        if is_signed && says_something && cargo.number > 0 && cargo.from == 1 - node.min(1) {
            if reading != Reading::Ignored && node < STRANGER {
                self.judge.reads(node, cargo, now);
                if cargo.origin == Origin::Replayed {
                    self.judge.disturb(); // words that were held back: nobody can tell
                }
            }
            daemon.read.note(cargo.run, cargo.number, now);
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

    /// What the daemon held when its stall began, and the other machine only holds since.
    fn taken_meanwhile(&self, node: usize, daemon: &Daemon) -> Vec<usize> {
        let other = &self.machines[1 - node];
        let held = daemon.alone_with.iter().copied();
        held.filter(|&group| other.real(group) != Real::Stopped)
            .collect()
    }
}
