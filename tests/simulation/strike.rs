//! How a fault hits the world.

use std::time::Duration;

use heartbeat::cluster::{
    FencingSettings, GroupOutcome, GroupSettings, Packet, PingNodeSettings, PingSettings, Settings,
};

use super::carry_out::group_id;
use super::disk::Room;
use super::faults::{Fault, Weather};
use super::invariants::Violation;
use super::machine::{Daemon, Inbound, Real};
use super::old_peer::OldPeer;
use super::plan::{MS, Stranger, Time};
use super::reloads::Edition;
use super::virtual_link::{Cargo, Origin};
use super::world::{Happening, STRANGER, World};

/// How many generations each run may use.
pub const GENERATIONS_OF_A_RUN: u64 = 100;

impl World {
    /// Something goes wrong, or right again.
    pub fn strike(&mut self, fault: Fault) -> Result<(), Violation> {
        self.trace
            .step(self.now, &[1], || format!("-------- {fault}"));
        self.judge.strikes.note(fault);
        self.skies.note(fault, self.now, self.plan.keepalive);
        self.records.note(fault);
        match fault {
            Fault::Wire {
                link,
                from,
                weather,
            } => self.links[link].weather[from] = weather,
            Fault::Partition => {
                self.links
                    .iter_mut()
                    .for_each(|link| link.weather = [Weather::CUT; 2]);
            }
            Fault::HealLinks => {
                self.links
                    .iter_mut()
                    .for_each(|link| link.weather = Default::default());
            }
            Fault::MachineCrash(node) => {
                self.lose_daemon(node);
                self.lose_writes(node, self.machines[node].powered);
                self.watch_power_cut(node);
                self.machines[node].lose_power(self.now);
                return self.truth_changed(node);
            }
            Fault::DaemonCrash(node) => {
                self.machines[node].life += 1;
                self.machines[node].is_asleep = false;
                if self.machines[node].daemon.is_some() {
                    self.lose_daemon(node);
                    self.lose_writes(node, false);
                    self.kernel_feeds(node);
                }
            }
            Fault::Start(node) => self.start(node),
            Fault::StopRequest(node) => {
                self.judge.disturb();
                let machine = &mut self.machines[node];
                if let Some(daemon) = &mut machine.daemon {
                    daemon.stop_requested = daemon.stop_requested.or(Some(self.now));
                    machine.goodbye = Some(daemon.run);
                }
                return self.arrive(node, Inbound::Stop);
            }
            Fault::Stall(node, time) => self.stall(node, time),
            Fault::HeldUp { node, turn, again } => {
                if let Some(daemon) = &mut self.machines[node].daemon {
                    daemon.held_up = Some((turn, again));
                }
            }
            Fault::StallBoth(time) => {
                self.stall(0, time);
                self.stall(1, time);
            }
            Fault::WallJump(node, seconds) => self.machines[node].wall += seconds,
            Fault::Rekey(node) => {
                let keys = &mut self.machines[node].keys;
                keys.signing = 3 - keys.signing;
                let keys = keys.clone();
                return self.arrive(node, Inbound::Keys(Box::new(keys)));
            }
            Fault::Reload(node, edition) => return self.change_files(node, edition),
            Fault::Break(node) => return self.break_groups(node),
            Fault::PingNode {
                machine,
                ping,
                answers,
            } => {
                self.machines[machine].answers[ping] = answers;
                self.reach_changes(machine);
            }
            Fault::Plug { machine, is_in } => self.plug(machine, is_in),
            Fault::ConfirmDead(node) if !self.machines[1 - node].powered => {
                self.was_confirmed = true;
                return self.arrive(node, Inbound::ConfirmDead);
            }
            Fault::ConfirmDead(_) => {}
            Fault::Disk(node, room) => self.set_room(node, room),
            Fault::Command(node, command) => return self.arrive(node, Inbound::Command(command)),
            Fault::Maintenance { node, is_on, lasts } => {
                return self.order_maintenance(node, is_on, lasts);
            }
            Fault::Garbage { to, count } => self.garbage(to, count),
            Fault::Replay { to, count } => self.replay(to, count),
        }
        Ok(())
    }

    /// Everything is healed and started; now it must settle.
    pub fn end_faults(&mut self) -> Result<(), Violation> {
        self.calm = true;
        self.strike(Fault::HealLinks)?;
        for machine in &mut self.machines {
            machine.answers.fill(true);
        }
        for node in 0..2 {
            self.plug(node, self.plan.unplugged != Some(node));
        }
        self.deadline = self.now + self.plan.settle_time();
        self.end_maintenance()?;
        for node in 0..2 {
            self.set_room(node, Room::Enough);
            self.change_files(node, Some(Edition::default()))?;
            if let Some(daemon) = &self.machines[node].daemon {
                self.deadline = self
                    .deadline
                    .max(daemon.busy_until + self.plan.settle_time());
            }
            self.start(node);
        }
        Ok(())
    }

    /// Power on, daemon on.
    pub fn start(&mut self, node: usize) {
        let now = self.now;
        let machine = &mut self.machines[node];
        if !machine.powered {
            machine.gain_power(now);
        }
        if let Some(daemon) = &machine.daemon {
            machine.start_again = daemon.stop_requested.is_some();
            return;
        }
        if machine.is_asleep {
            return;
        }
        machine.start_again = false;
        if !self.open_state(node) {
            return;
        }
        let machine = &mut self.machines[node];
        machine.life += 1;
        let run = machine.generation;
        machine.generation += GENERATIONS_OF_A_RUN;
        let settings = self.settings(node, run);
        let local = self.machines[node].local(now);
        let core = if self.is_old(node) {
            Box::new(OldPeer::new(local, settings))
        } else {
            (self.make)(local, settings)
        };
        let memory = self.machines[node].remembered.unwrap_or_default();
        let file = self.machines[node].file;
        self.machines[node].daemon = Some(Box::new(Daemon {
            file,
            ..Daemon::new(core, run, memory, now)
        }));
        if node < STRANGER {
            self.judge.reads_files(node, file, now);
            self.judge.started(node, now);
            self.notice(node, 0);
            self.witness.sees_daemon(node, now, true);
        }
        self.open_watchdog(node);
        self.wake_at(node, now);
    }

    /// What a node's own files say.
    pub fn settings(&mut self, node: usize, generation: u64) -> Settings {
        let plan = &self.plan;
        let names = if node == STRANGER && plan.stranger == Some(Stranger::OtherNamesSameKeys) {
            ["gamma", "delta"]
        } else {
            plan.names
        };
        let micros = Duration::from_micros;
        let maintenance = self.maintenance_of(node);
        let remembered = self.machines[node].remembered;
        let mut settings = Settings {
            local_node: names[node % 2].to_owned(),
            peer_node: names[1 - node % 2].to_owned(),
            nodes: names.map(str::to_owned).to_vec(),
            uuid: [0x11 + u8::try_from(node).unwrap_or(0); 16],
            generation,
            last_generation: generation + GENERATIONS_OF_A_RUN - 1,
            remembered_peer: remembered,
            maintenance,
            seed: self.dice.next(),
            keepalive: micros(plan.keepalive_of(node)),
            deadtime: micros(plan.deadtime_of(node)),
            warntime: micros(plan.deadtime_of(node) / 2),
            initdead: micros(plan.initdead),
            max_rexmit_delay: micros(250 * MS),
            auto_failback: plan.failback_of(node),
            failback: plan.condition_of(node),
            carrier_loss: plan.carrier_loss.map(micros),
            ttl: 3,
            inner_auth: plan.inner_auth,
            log_badpack: true,
            links: (0..plan.links.len())
                .map(|link| match plan.links[link].rate {
                    Some(_) => format!("/dev/ttyS{link}"),
                    None => format!("eth{link}"),
                })
                .collect(),
            groups: (0..plan.preferred.len())
                .map(|group| GroupSettings {
                    key: plan.key_of(node, group),
                    line: format!("{} {} nginx", names[0], plan.key_of(node, group)),
                    prefers_local: plan.prefers_itself(node, group),
                })
                .collect(),
            ping: PingSettings {
                nodes: (0..plan.pings)
                    .map(|ping| PingNodeSettings {
                        name: format!("router{ping}"),
                        counts: true,
                    })
                    .collect(),
                deadping: micros(plan.deadping),
                ipfail: plan.pings > 0,
            },
            fencing: plan.fencing.filter(|_| node < STRANGER).map_or_else(
                FencingSettings::default,
                |fencing| FencingSettings {
                    has_device: true,
                    delay: micros(fencing.delay),
                    takeover_unfenced: fencing.takeover_unfenced.map(micros),
                },
            ),
            last_link: plan.last_link[node % 2],
            stop_failure: plan.stop_failure,
            keys: self.machines[node].keys.clone(),
        };
        self.machines[node].file.apply(&mut settings, plan);
        settings
    }

    /// The daemon is gone, however it went.
    pub fn lose_daemon(&mut self, node: usize) {
        if self.machines[node].daemon.take().is_some() && node < STRANGER {
            self.judge.gone(node);
            self.witness.sees_daemon(node, self.now, false);
            self.machines[node].gone_since = self.now;
        }
        self.links.iter_mut().for_each(|link| link.forget(node));
        if self.machines[node].start_again {
            self.at(self.now + 100 * MS, Happening::Fault(Fault::Start(node)));
        }
    }

    pub fn stall(&mut self, node: usize, time: Time) {
        self.judge.disturb();
        let other = &self.machines[1 - node];
        let is_alone = |group: &usize| other.real(*group) == Real::Stopped;
        let alone_with = self.machines[node]
            .held()
            .into_iter()
            .filter(is_alone)
            .collect();
        if let Some(daemon) = &mut self.machines[node].daemon {
            if !daemon.stalled {
                daemon.alone_with = alone_with;
            }
            daemon.stalled = true;
            daemon.busy_until = daemon.busy_until.max(self.now + time);
            let at = daemon.busy_until;
            self.witness.sees_hang(node, at);
            self.wake_at(node, at);
        }
    }

    /// 3.0.6 has no monitors.
    fn break_groups(&mut self, node: usize) -> Result<(), Violation> {
        if self.is_old(node) {
            return Ok(());
        }
        self.judge.disturb();
        for group in self.machines[node].held() {
            let resource = &mut self.machines[node].resources[group];
            if resource.real == Real::Running {
                resource.failures += 1;
                let broken = Inbound::Outcome(group_id(group), GroupOutcome::Broken);
                self.arrive(node, broken)?;
            }
        }
        Ok(())
    }

    fn garbage(&mut self, to: usize, count: u32) {
        for _ in 0..count {
            let link = self.dice.index(self.links.len());
            let length = self.dice.pick(&[0, 1, 4, 40, 300, 2000]);
            let mut bytes: Vec<u8> = (0..length)
                .map(|_| self.dice.below(256).to_le_bytes()[0])
                .collect();
            let start: &[u8] =
                self.dice
                    .pick(&[b"".as_slice(), b"###\n", b">>>\n", b"###\n9:(0)t=stat,"]);
            bytes.splice(0..0, start.iter().copied());
            let packet = Packet {
                datagram: bytes,
                ..Default::default()
            };
            let cargo = Cargo {
                packet: packet.into(),
                is_text: false,
                from: 1 - to,
                run: 0,
                number: 0,
                origin: Origin::Garbage,
            };
            let at = self.now + self.dice.below(100 * MS);
            self.at(at, Happening::Arrival { link, to, cargo });
        }
    }

    fn replay(&mut self, to: usize, count: u32) {
        self.last_replay = Some(self.now + 100 * MS);
        for _ in 0..count {
            let place = self.dice.index(self.recorded.len());
            let Some(cargo) = self.recorded.get(place) else {
                return;
            };
            let has_both = !cargo.packet.text.is_empty() && self.dice.chance(100);
            let is_text = has_both || cargo.packet.datagram.is_empty();
            let cargo = Cargo {
                is_text,
                origin: Origin::Replayed,
                ..cargo.clone()
            };
            let link = self.dice.index(self.links.len());
            let at = self.now + self.dice.below(100 * MS);
            self.at(at, Happening::Arrival { link, to, cargo });
        }
    }
}
