//! S7: what both nodes held at the same time is on record on both, once they have met again; and nothing else is.

use heartbeat::cluster::{IncidentRecord, Moment, PeerWord};

use super::faults::Fault;
use super::invariants::Violation;
use super::machine::Real;
use super::plan::{MS, SECOND, Time};
use super::world::World;

/// So many are kept in mind.
const MOST: usize = 200;

/// A group that was not stopped on two machines at once.
#[derive(Debug, Clone)]
struct Overlap {
    group: usize,
    from: Time,
    until: Option<Time>,
    /// The daemons that ran when it began. What one that is gone held, nobody can tell.
    runs: [Option<u64>; 2],
    /// By node.
    is_recorded: [bool; 2],
}

/// All of a run.
#[derive(Debug, Default)]
pub struct Records {
    overlaps: Vec<Overlap>,
    /// At any time in this run.
    somebody_stood_still: bool,
}

impl Records {
    /// A fault strikes.
    pub fn note(&mut self, fault: Fault) {
        let stands_still = matches!(
            fault,
            Fault::Stall(..) | Fault::StallBoth(_) | Fault::HeldUp { .. }
        );
        self.somebody_stood_still |= stands_still;
    }
}

impl World {
    /// A shorter one may be missing: what the other tells of its past is known only as well as messages travel.
    fn long_enough(&self) -> Time {
        3 * SECOND / 2 + self.plan.keepalive * 2
    }

    /// What really runs of this group has changed.
    pub fn note_overlap(&mut self, group: usize) {
        let is_shared = self.judge.is_shared(group);
        let both = is_shared && (0..2).all(|node| self.machines[node].real(group) != Real::Stopped);
        let overlaps = &mut self.records.overlaps;
        let is_full = overlaps.len() == MOST;
        let open = overlaps
            .iter_mut()
            .find(|overlap| overlap.group == group && overlap.until.is_none());
        match (open, both) {
            (Some(overlap), false) => overlap.until = Some(self.now),
            (None, true) if !is_full => {
                let run = |node: usize| Some(self.machines[node].daemon.as_ref()?.run);
                overlaps.push(Overlap {
                    group,
                    from: self.now,
                    until: None,
                    runs: [run(0), run(1)],
                    is_recorded: [false; 2],
                });
            }
            _ => {}
        }
    }

    /// Whether both daemons still run that ran when it began.
    fn same_runs(&self, overlap: &Overlap) -> bool {
        (0..2).all(|node| {
            let run = self.machines[node].daemon.as_ref().map(|daemon| daemon.run);
            run.is_some() && run == overlap.runs[node]
        })
    }

    /// A node has made a record.
    pub fn judge_record(&mut self, node: usize, record: &IncidentRecord) -> Result<(), Violation> {
        let length = Time::try_from(Moment::from(record.settled).since(record.lost).as_micros())
            .unwrap_or(Time::MAX);
        let margin = length / 50 + 100 * MS; // its clock may be wrong
        let lost = self.now.saturating_sub(length);
        let since_met = record.met.map_or(0, |met| {
            Time::try_from(record.settled.since(met).as_micros()).unwrap_or(Time::MAX)
        });
        // What comes after they have met is for the next record, should they lose each other again.
        let met = self.now.saturating_sub(since_met) + margin;
        let covered_since = match record.peer {
            PeerWord::Told { lost, .. } => {
                let ago = Moment::from(record.settled).since(lost).as_micros();
                Some(
                    self.now
                        .saturating_sub(Time::try_from(ago).unwrap_or(Time::MAX)),
                )
            }
            _ => None,
        };
        let doubled = |group: usize| {
            let key = self.plan.key_of(node, group);
            let mut entries = record.groups.iter();
            entries.any(|groups| !groups.both.is_zero() && groups.keys.contains(&key))
        };
        let is_told = matches!(
            record.peer,
            PeerWord::Told {
                has_more: false,
                ..
            }
        );
        let told = is_told && !self.plan.has_reloads(); // a group that left the files has no name
        for index in 0..self.records.overlaps.len() {
            let overlap = &self.records.overlaps[index];
            let is_in = (lost + margin..=met.saturating_sub(2 * margin)).contains(&overlap.from);
            let length = overlap.until.unwrap_or(self.now) - overlap.from;
            let is_long = length >= self.long_enough() + margin;
            // One that has told too little, and then nothing more, is not waited for.
            let is_covered = covered_since.is_some_and(|since| overlap.from >= since + margin);
            let is_expected = told && is_covered && is_in && is_long && self.same_runs(overlap);
            if is_expected && !doubled(overlap.group) && !overlap.is_recorded[node] {
                let text = format!(
                    "node {node} has no record of two owners of group {}: {overlap:?}, {record:?}",
                    overlap.group
                );
                return Err(self.violation("record", text));
            }
            // A loss that this node never noticed belongs to what it had open.
            let begins_before = overlap.from <= met || doubled(overlap.group);
            let ends_after = overlap.until.is_none_or(|until| until + margin >= lost);
            if begins_before && ends_after {
                self.records.overlaps[index].is_recorded[node] = true;
            }
        }
        for group in 0..self.plan.preferred.len() {
            let overlaps = self.records.overlaps.iter();
            let was_real = overlaps.into_iter().any(|overlap| {
                let until = overlap.until.unwrap_or(self.now);
                overlap.group == group && until + margin >= lost
            });
            // One that stands still hears late that its script has ended, and holds the group for so long.
            let is_known = was_real
                || self.records.somebody_stood_still
                || self.plan.longest_delay() >= SECOND + self.plan.keepalive * 2 // what is told is as old
                || self.records.overlaps.len() == MOST;
            if doubled(group) && !is_known {
                let text = format!(
                    "node {node} records two owners of group {group} that there were not: {record:?}"
                );
                return Err(self.violation("record", text));
            }
        }
        Ok(())
    }

    /// An overlap that should be on record by now and is not.
    pub fn unrecorded(&self) -> Option<String> {
        if self.plan.has_old() {
            return None; // 3.0.6 keeps none, and what it held ours can't tell
        }
        let mut overlaps = self.records.overlaps.iter();
        let missing = overlaps.find(|overlap| {
            let until = overlap.until.unwrap_or(self.now);
            until - overlap.from >= self.long_enough()
                && self.same_runs(overlap)
                && overlap.is_recorded != [true; 2]
        })?;
        Some(format!("an overlap is not on record: {missing:?}"))
    }
}
