//! The state directory of a machine: writes that fail, and files that are not what was written after the power was gone.
//! What a start makes of it is decided by the rules of `src/daemon/state/next_run.rs`, the same code.
//!
//! A file is replaced whole (written beside, synced, renamed), so a power cut leaves the old or the new one; but disks
//! lie. After a cut each of the two files may be the former one, empty, garbage, cut off or gone. What is *not* tried is to
//! harm one while the other is of no use, so that an old generation comes back: only the time in seconds can help then, and
//! it does not where restarts have counted faster. The directory may be lost as a whole once in a run, where the generation is below the time, as it is in
//! the field.
//!
//! A **full** disk refuses a second file but lets one of the same length be overwritten, as the daemon does with
//! its generation; one that can only be **read** refuses both. Without a stored generation no daemon starts (S8: it serves
//! nobody, and harms nobody), and a running one goes on.

use heartbeat::cluster::PeerMemory;
use heartbeat::daemon::state::next_run::{Left, NextRun, host_cache_text};

use super::faults::Fault;
use super::plan::{MS, Plan, SECOND, Time};
use super::rng::Rng;
use super::world::{Happening, STRANGER, World};

/// The disks of a run.
#[derive(Debug, Clone, Copy)]
pub struct DiskPlan {
    /// What is in `hb_generation` before the first start.
    pub first: u64,
    /// How many power cuts in a thousand harm a file.
    pub harm: u64,
    /// Whether a directory may be lost as a whole.
    pub may_be_lost: bool,
    /// How long a write takes at most.
    pub slowness: Time,
}

/// Whether anything can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Room {
    /// Yes.
    #[default]
    Enough,
    /// No new file.
    Full,
    /// Nothing.
    ReadOnly,
}

/// One file: what is there, and what was there before.
#[derive(Debug, Clone, Default)]
struct File {
    now: Option<Vec<u8>>,
    before: Option<Vec<u8>>,
    /// It is what was written last.
    is_whole: bool,
}

/// The state directory.
#[derive(Debug, Clone, Default)]
pub struct Disk {
    generation: File,
    host_cache: File,
    room: Room,
    /// What is being written, and what comes after it.
    writing: Option<PeerMemory>,
    waiting: Option<PeerMemory>,
    was_lost: bool,
    /// The second copy of the generation is that of the last run.
    has_copy: bool,
}

impl File {
    fn replace(&mut self, text: String) {
        self.before = self.now.replace(text.into_bytes());
        self.is_whole = true;
    }

    fn harm(&mut self, dice: &mut Rng) {
        self.is_whole = false;
        let Some(bytes) = &mut self.now else {
            return;
        };
        match dice.below(5) {
            0 => self.now = self.before.clone(),
            1 => self.now = None,
            2 => bytes.clear(),
            3 => bytes.truncate(dice.index(bytes.len())),
            _ => bytes
                .iter_mut()
                .for_each(|byte| *byte = dice.below(256).to_le_bytes()[0]),
        }
    }
}

impl Disk {
    /// As an earlier run has left it.
    pub fn new(plan: DiskPlan) -> Self {
        let mut disk = Self::default();
        disk.generation.replace(format!("{:15}\n", plan.first));
        disk
    }

    /// Whether the generation could be stored.
    fn store_generation(&mut self, text: String) -> bool {
        let length = self.generation.now.as_ref().map(Vec::len);
        let is_stored = match self.room {
            Room::Enough => true,
            Room::Full => length == Some(text.len()),
            Room::ReadOnly => false,
        };
        if is_stored {
            self.generation.replace(text);
            self.has_copy = false;
        }
        is_stored
    }

    fn store_cache(&mut self, last_generation: u64, peer: Option<(String, PeerMemory)>) {
        if self.room == Room::Enough {
            self.host_cache
                .replace(host_cache_text(last_generation, peer));
            self.has_copy = true;
        }
    }

    /// The power was cut.
    fn suffer(&mut self, plan: DiskPlan, dice: &mut Rng) {
        self.writing = None;
        self.waiting = None;
        if !dice.chance(plan.harm) {
            return;
        }
        let text = self.generation.now.as_deref().unwrap_or_default();
        let text = std::str::from_utf8(text).unwrap_or_default().trim();
        let is_below_the_time = text.parse().is_ok_and(|number: u64| number < 1_000_000_000);
        if plan.may_be_lost && is_below_the_time && !self.was_lost && dice.chance(200) {
            self.was_lost = true;
            self.generation = File::default();
            self.host_cache = File::default();
        } else if self.has_copy && self.host_cache.is_whole && dice.chance(500) {
            self.generation.harm(dice);
        } else if self.generation.is_whole {
            self.host_cache.harm(dice);
        }
    }
}

/// Disks that are full or can't be written for a while, and power cuts that harm what is on them.
pub fn add_failures(plan: &mut Plan, rng: &mut Rng) {
    let is_ahead = rng.chance(400);
    plan.hardware.disks = Some(DiskPlan {
        // The clock was wrong once, or many restarts have counted faster than the time.
        first: if is_ahead { 2_000_000_000 } else { 1000 },
        harm: rng.pick(&[0, 500, 1000]),
        may_be_lost: !is_ahead,
        slowness: rng.pick(&[2 * MS, SECOND, plan.deadtime * 2]),
    });
    let (begin, end) = plan.busy_time();
    let mut faults = Vec::new();
    for _ in 0..rng.between(0, 2) {
        let node = rng.index(2);
        let at = rng.between(begin, end);
        let until = at + rng.below(plan.deadtime * 6);
        let room = rng.pick(&[Room::Full, Room::Full, Room::ReadOnly]);
        faults.push((at, Fault::Disk(node, room)));
        faults.push((until, Fault::Disk(node, Room::Enough)));
    }
    for _ in 0..rng.between(0, 2) {
        let node = rng.index(2);
        let at = rng.between(begin, end);
        faults.push((at, Fault::MachineCrash(node)));
        faults.push((at + rng.below(plan.deadtime * 3), Fault::Start(node)));
    }
    plan.add_faults(faults);
}

impl World {
    /// What the daemon finds that is about to start: its next generation. False when it can't start.
    pub fn open_state(&mut self, node: usize) -> bool {
        let wall = self.machines[node].wall_seconds(self.now);
        let Some(disk) = &mut self.machines[node].disk else {
            return true;
        };
        let left = Left {
            generation: disk.generation.now.as_deref(),
            host_cache: disk.host_cache.now.as_deref(),
        };
        let Ok(next) = NextRun::after(left, false, wall) else {
            return false;
        };
        if !disk.store_generation(next.generation_text()) {
            self.trace.step(self.now, &[16, node as u64], || {
                format!("{node} is not started: its generation can't be stored")
            });
            return false;
        }
        let peer = next.peer.clone();
        disk.store_cache(next.last_generation(), peer.clone());
        let machine = &mut self.machines[node];
        machine.generation = next.generation;
        machine.remembered = peer.map(|(_, memory)| memory);
        self.trace
            .step(self.now, &[17, node as u64, next.generation], || {
                format!(
                    "{node} begins generation {}, its files: {:?}, {:?}",
                    next.generation, next.generation_file, next.host_cache
                )
            });
        true
    }

    /// The daemon wants this to be there after its end. One write at a time, and of what comes meanwhile the latest.
    pub fn remember(&mut self, node: usize, memory: PeerMemory) {
        let machine = &mut self.machines[node];
        let Some(disk) = &mut machine.disk else {
            machine.remembered = Some(memory);
            return;
        };
        if disk.writing.is_some() {
            disk.waiting = Some(memory);
            return;
        }
        disk.writing = Some(memory);
        let run = machine.daemon.as_ref().map_or(0, |daemon| daemon.run);
        let slowness = self.plan.hardware.disks.map_or(MS, |plan| plan.slowness);
        let at = self.now + self.hardware_dice.below(slowness);
        self.at(at, Happening::Stored { machine: node, run });
    }

    /// A write has ended.
    pub fn stored(&mut self, node: usize, run: u64) {
        let machine = &mut self.machines[node];
        let is_same = machine
            .daemon
            .as_ref()
            .is_some_and(|daemon| daemon.run == run);
        let Some(disk) = machine.disk.as_mut().filter(|_| is_same) else {
            return;
        };
        if let Some(memory) = disk.writing.take() {
            let last_generation = machine.generation - 1;
            disk.store_cache(last_generation, Some(("peer".into(), memory)));
        }
        if let Some(next) = disk.waiting.take() {
            self.remember(node, next);
        }
    }

    /// The daemon ends cleanly, and waits for what it has to write.
    pub fn finish_writing(&mut self, node: usize) {
        let run = self.machines[node].daemon.as_ref().map(|daemon| daemon.run);
        for _ in 0..2 {
            self.stored(node, run.unwrap_or(0));
        }
    }

    /// What its end leaves of what a daemon was writing: a killed one nothing, a cut of the power less.
    pub fn lose_writes(&mut self, node: usize, is_power_cut: bool) {
        let plan = self.plan.hardware.disks;
        let dice = &mut self.hardware_dice;
        if let (Some(plan), Some(disk)) = (plan, &mut self.machines[node].disk) {
            disk.writing = None;
            disk.waiting = None;
            if is_power_cut && node < STRANGER {
                disk.suffer(plan, dice);
            }
        }
    }

    /// The disk of a machine fills up, or is emptied.
    pub fn set_room(&mut self, node: usize, room: Room) {
        if let Some(disk) = &mut self.machines[node].disk {
            disk.room = room;
        }
    }
}
