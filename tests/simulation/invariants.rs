//! What must hold after every step. The judge knows what was really delivered and what really runs; it
//! believes no node.
//!
//! **When two owners are excused (S2).** A node is *cut off* while it has read no new heartbeat of the
//! peer for deadtime or longer (since its own start, before the first one). It can't tell that from the
//! peer's death. A group may be started on one machine while it is not stopped on the other only by a node
//! that is cut off in that very moment. Nothing else excuses it: neither a crash nor a restart nor a stall
//! that leaves less than deadtime of silence. A race is no breach: the other node was cut off when it took the
//! group, less than [`Plan::news_time`] ago, so that its word can't have come.
//!
//! How long a node has waited is counted by its own clock, see `hardware.rs`.
//!
//! **How long.** Once both daemons run and hear each other, two owners become one within
//! [`Judge::heal_time`], and only one of the two sides stops (S7).

mod mixed;
mod needless;

pub use mixed::Grounds;
pub use needless::Strikes;

use heartbeat::config::AutoFailback;

use super::hardware::Hardware;
use super::machine::{Daemon, Machine, Real};
use super::plan::{Plan, Quarrel, SECOND, Time};
use super::reloads::Edition;
use super::trace::micros_as_seconds;
use super::virtual_link::{Cargo, Origin};

/// What 3.0.6 adds to its dead time while it starts.
const EXTRA: Time = 2 * SECOND;

/// A rule was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which one.
    pub rule: &'static str,
    /// When.
    pub at: Time,
    /// How.
    pub text: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} at {:.6}: {}",
            self.rule,
            micros_as_seconds(self.at),
            self.text
        )
    }
}

/// What one node has heard of the other.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hearing {
    /// When the daemon began; `None` while it does not run.
    since: Option<Time>,
    /// When it last read a new heartbeat, and of which run of the peer.
    fresh: Option<(Time, u64)>,
    /// Whether it read anything of the peer.
    knows: bool,
    /// The newest message that it ever read: (run, number).
    pub newest: (u64, u64),
    /// The last moment at which it was cut off.
    cut_off: Option<Time>,
    /// Since when it hears the peer without a break.
    contact: Time,
}

/// Two machines that both have something of one group.
#[derive(Debug, Clone, Copy)]
struct Clash {
    since: Time,
    /// One side could not stop it.
    broken: bool,
    /// A crash, a stop request, a stall or a failure interfered: who yields is open.
    disturbed: bool,
}

/// Keeps the books.
pub struct Judge {
    deadtime: Time,
    longest_deadtime: Time,
    news_time: Time,
    initdead: Time,
    heal_time: Time,
    hardware: Hardware,
    /// It says nothing of two owners, so that it can be seen whether the witness does.
    is_blind: bool,
    /// A link takes so long that two that hear each other take each other for deaf; or their files differ
    /// and neither can tell what the other holds.
    both_may_yield: bool,
    /// Which node runs 3.0.6, and whether it tells what it holds.
    old: [bool; 2],
    old_tells: bool,
    /// By node: the files that it goes by, and since when they are what they are.
    pub files: [Edition; 2],
    /// See `files`.
    pub files_since: Time,
    /// See `needless`.
    pub strikes: Strikes,
    hearing: [Hearing; 2],
    clashes: Vec<Option<Clash>>,
    /// After so long without a word of the peer a group may be taken although nothing has reset it; `None` where there
    /// is no device, and the dead time alone counts.
    unfenced_after: Option<Time>,
    /// By group: whether it is the same one on both nodes.
    shared: Vec<bool>,
    /// By node and group: whether the node was cut off when it last started the group.
    taken_blindly: [Vec<bool>; 2],
}

/// What a node must do with what it was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// What it likes.
    Free,
    /// It may only mark a link as up: the newest words once more.
    Repeated,
    /// Nothing (S4).
    Ignored,
}

impl Judge {
    /// For a run that has not begun.
    pub fn new(plan: &Plan) -> Self {
        Self {
            deadtime: match plan.deadtime_of(0).min(plan.deadtime_of(1)) {
                deadtime if plan.has_reloads() => deadtime.min(plan.deadtime * 3 / 4),
                deadtime => deadtime,
            },
            longest_deadtime: plan.deadtime,
            news_time: plan.news_time(),
            initdead: plan.initdead,
            hardware: plan.hardware,
            is_blind: plan.judge_is_blind,
            old: plan.old,
            old_tells: plan.failback != AutoFailback::Legacy,
            heal_time: Self::longest_heal(plan),
            both_may_yield: plan.has_old()
                || plan.news_time() >= plan.deadtime
                || plan.quarrel == Some(Quarrel::Groups)
                || plan.has_reloads(),
            unfenced_after: plan
                .fencing
                .map(|fencing| fencing.takeover_unfenced.unwrap_or(Time::MAX)),
            files: Default::default(),
            files_since: 0,
            strikes: Strikes::default(),
            hearing: Default::default(),
            clashes: vec![None; plan.preferred.len()],
            shared: (0..plan.preferred.len())
                .map(|group| plan.key_of(0, group) == plan.key_of(1, group))
                .collect(),
            taken_blindly: [0, 1].map(|_| vec![false; plan.preferred.len()]),
        }
    }

    /// A daemon began.
    pub fn started(&mut self, node: usize, now: Time) {
        let newest = self.hearing[node].newest;
        self.hearing[node] = Hearing {
            since: Some(now),
            newest,
            ..Hearing::default()
        };
        self.disturb();
    }

    /// A daemon is gone.
    pub fn gone(&mut self, node: usize) {
        self.hearing[node].since = None;
        self.disturb();
    }

    /// A node did not run for a while, or was asked to stop, or one of its scripts failed: who yields is
    /// open in the clashes that go on.
    pub fn disturb(&mut self) {
        for clash in self.clashes.iter_mut().flatten() {
            clash.disturbed = true;
        }
    }

    /// A node was held up until now: it needs to catch up.
    pub fn caught_up(&mut self, node: usize, now: Time) {
        self.hearing[node].contact = now;
    }

    /// What the node must make of this, given what it read before and what it remembers.
    pub fn reading(&self, node: usize, daemon: &Daemon, cargo: &Cargo, now: Time) -> Reading {
        match cargo.origin {
            Origin::Corrupted | Origin::Garbage | Origin::Foreign => return Reading::Ignored,
            _ if cargo.from == node => return Reading::Ignored,
            Origin::Genuine | Origin::Replayed => {}
        }
        let name = (cargo.run, cargo.number);
        let first_read = daemon.read.first(cargo.run, cargo.number);
        let memory = daemon.memory;
        if cargo.run < daemon.known_run.max(memory.generation) {
            Reading::Ignored
        } else if cargo.origin == Origin::Genuine {
            Reading::Free
        } else if cargo.number == 0 {
            Reading::Ignored // may be answered again, but proves nothing
        } else if let Some(first) = first_read {
            // On a link where it was not heard before, it may be the copy that this link owes. Until the sender
            // would be dead by its own word: 3.0.6 says two seconds more while it starts.
            let more = if self.old[1 - node] { EXTRA } else { 0 };
            if self.hardware.least(node, now - first) <= self.longest_deadtime + more {
                Reading::Repeated
            } else {
                Reading::Ignored
            }
        } else if name <= (memory.generation, memory.sequence) {
            Reading::Ignored
        } else {
            Reading::Free
        }
    }

    /// The node is given something that is neither forged nor foreign.
    pub fn reads(&mut self, node: usize, cargo: &Cargo, now: Time) {
        let hearing = &mut self.hearing[node];
        hearing.knows |= cargo.from != node;
        if cargo.from == node || (cargo.run, cargo.number) <= hearing.newest {
            return;
        }
        hearing.newest = (cargo.run, cargo.number);
        if cargo.origin != Origin::Genuine || !cargo.packet.is_heartbeat {
            return;
        }
        let silent_since = hearing
            .fresh
            .map(|(at, _)| at)
            .or(hearing.since)
            .unwrap_or(now);
        let was_cut_off = self.hardware.most(node, now - silent_since) >= self.deadtime;
        if was_cut_off {
            hearing.cut_off = Some(now);
        }
        let same_run = hearing.fresh.is_some_and(|(_, run)| run == cargo.run);
        if was_cut_off || !same_run {
            hearing.contact = now;
        }
        hearing.fresh = Some((now, cargo.run));
    }

    /// S1: the node has just declared its peer dead.
    pub fn declared_dead(
        &self,
        node: usize,
        now: Time,
        said_goodbye: Option<u64>,
    ) -> Result<(), Violation> {
        let hearing = &self.hearing[node];
        let silence = match hearing.fresh {
            Some((_, run)) if said_goodbye == Some(run) => return Ok(()),
            Some((at, _)) => (now - at, self.deadtime),
            None if hearing.knows => return Ok(()), // it heard other words, or only late ones
            None => (now - hearing.since.unwrap_or(now), self.initdead),
        };
        if self.hardware.most(node, silence.0) >= silence.1 {
            return Ok(());
        }
        Err(Violation {
            rule: "S1",
            at: now,
            text: format!(
                "node {node} declares its peer dead {:.6} s after its last words",
                micros_as_seconds(silence.0)
            ),
        })
    }

    /// S2, S6: a node begins to start a group.
    pub fn starts(
        &mut self,
        node: usize,
        group: usize,
        machines: &[Machine],
        now: Time,
        grounds: Grounds,
    ) -> Result<(), Violation> {
        if self.old[node] {
            return self.old_starts(node, group, machines, now, grounds.own);
        }
        let breach = |text: String| {
            Err(Violation {
                rule: "S2",
                at: now,
                text,
            })
        };
        let hearing = &self.hearing[node];
        let waited = self.hardware.most(node, now - hearing.since.unwrap_or(now));
        if !hearing.knows && waited < self.initdead {
            return breach(format!(
                "node {node} starts group {group} before it knows anything of its peer"
            ));
        }
        let is_blind = self.is_ignorant(node, now);
        self.taken_blindly[node][group] = is_blind;
        let other = &machines[1 - node];
        let is_race = self.taken_blindly[1 - node][group]
            && now - other.resources[group].since < self.race_time();
        let real = other.real(group);
        let was_told = !is_blind && self.has_told(grounds.claim_age);
        let is_left = self.was_led_on(node, group, machines);
        // What it claims and nevertheless does not run, it gave away before: a claim of its that is stuck.
        if was_told && real != Real::Stopped && !is_left && self.shared[group] {
            return breach(format!(
                "node {node} starts group {group}, which 3.0.6 says it holds"
            ));
        }
        if real != Real::Stopped && self.shared[group] && !self.may_be_unfenced(node, now) {
            return Err(Violation {
                rule: "fencing",
                at: now,
                text: format!(
                    "node {node} starts group {group}, which is {real:?} on the other, and nothing has reset that"
                ),
            });
        }
        let is_shared = self.shared[group] && !self.is_blind;
        if real == Real::Stopped || is_left || is_blind || is_race || !is_shared {
            return Ok(());
        }
        breach(format!(
            "node {node} starts group {group}, which is {real:?} on the other"
        ))
    }

    /// Whether a node may take what the other has not stopped: no device is there, or the operator's time is over for it
    /// or for the other.
    fn may_be_unfenced(&self, node: usize, now: Time) -> bool {
        let Some(limit) = self.unfenced_after else {
            return true;
        };
        limit != Time::MAX && {
            let hearing = &self.hearing[node];
            let silent_since = hearing.fresh.map(|(at, _)| at).or(hearing.since);
            let silence = now - silent_since.unwrap_or(now);
            let taken = self.taken_blindly[1 - node].iter().any(|taken| *taken);
            silence >= limit || taken
        }
    }

    /// Whether the node is cut off, or was so until what it reads in this very moment.
    fn is_ignorant(&self, node: usize, now: Time) -> bool {
        let hearing = &self.hearing[node];
        hearing.cut_off == Some(now) || self.is_cut_off(node, now)
    }

    fn is_cut_off(&self, node: usize, now: Time) -> bool {
        let hearing = &self.hearing[node];
        let Some(since) = hearing.since else {
            return false;
        };
        let silent_since = hearing.fresh.map_or(since, |(at, _)| at);
        self.hardware.most(node, now - silent_since) >= self.deadtime
    }

    /// When a node read its last new heartbeat, or began where it has read none.
    pub fn silent_since(&self, node: usize) -> Time {
        let hearing = &self.hearing[node];
        let fresh = hearing.fresh.map(|(at, _)| at);
        fresh.or(hearing.since).unwrap_or(0)
    }

    /// Whether a group is the same one on both nodes.
    pub fn is_shared(&self, group: usize) -> bool {
        self.shared[group]
    }

    /// What really runs has changed on this machine: clashes begin and end.
    pub fn changed(
        &mut self,
        node: usize,
        group: usize,
        machines: &[Machine],
        now: Time,
    ) -> Result<(), Violation> {
        let (here, there) = (machines[node].real(group), machines[1 - node].real(group));
        let clash = here != Real::Stopped && there != Real::Stopped && self.shared[group];
        let broken = here == Real::Broken || there == Real::Broken;
        match (&mut self.clashes[group], clash) {
            (place @ None, true) => {
                *place = Some(Clash {
                    since: now,
                    broken,
                    disturbed: broken,
                });
            }
            (Some(going_on), true) => {
                if broken || going_on.broken {
                    going_on.since = now; // the time that counts begins when it is being stopped again
                }
                going_on.broken = broken;
                going_on.disturbed |= broken;
            }
            (place @ Some(_), false) => {
                let ended = place.take().is_some_and(|clash| !clash.disturbed);
                if ended
                    && !self.both_may_yield
                    && !self.was_deaf_until(now)
                    && here == Real::Stopped
                    && there == Real::Stopping
                {
                    let text = format!("both owners of group {group} gave it up");
                    return Err(Violation {
                        rule: "S7",
                        at: now,
                        text,
                    });
                }
            }
            (None, false) => {}
        }
        Ok(())
    }

    /// Until just now, or still, one node hears the other without being heard. It must give up after a while, and does
    /// so perhaps in the moment in which it is heard again; or the deaf one has given up for a reason of its own, wants
    /// all back, and is not to be found in its way.
    fn was_deaf_until(&self, now: Time) -> bool {
        if (0..2).any(|node| self.is_cut_off(node, now)) {
            return true;
        }
        let contact = self.hearing.map(|hearing| hearing.contact);
        let one_way = contact[0].abs_diff(contact[1]) >= self.deadtime / 2;
        one_way && now - contact[0].max(contact[1]) < self.heal_time
    }

    /// Two owners who hear each other become one in time.
    pub fn clashes_end(&self, machines: &[Machine], now: Time) -> Result<(), Violation> {
        let hear = (0..2).all(|node| {
            let hearing = &self.hearing[node];
            hearing.fresh.is_some() && hearing.since.is_some() && !self.is_cut_off(node, now)
        });
        let awake = machines[..2]
            .iter()
            .all(|machine| machine.is_attentive(now));
        let alike = self.files[0].has_groups_of(self.files[1]);
        if !hear || !awake || !alike || self.is_blind || self.old == [true; 2] {
            return Ok(());
        }
        let contact = self.hearing[0].contact.max(self.hearing[1].contact);
        let contact = contact.max(self.files_since);
        for (group, clash) in self.clashes.iter().enumerate() {
            let Some(clash) = clash else { continue };
            let broken = machines[..2]
                .iter()
                .any(|machine| machine.real(group) == Real::Broken);
            let known = self.known_since(group, machines);
            let since = known.map(|known| clash.since.max(contact).max(known));
            if !broken && since.is_some_and(|since| now.saturating_sub(since) > self.heal_time) {
                let text = format!("two owners of group {group} go on though they hear each other");
                return Err(Violation {
                    rule: "S7",
                    at: now,
                    text,
                });
            }
        }
        Ok(())
    }
}
