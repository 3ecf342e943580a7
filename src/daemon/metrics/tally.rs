//! What the daemon counts for its metrics while it runs. Counting takes no memory but for the first of its kind.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cluster::policy::Reason;
use crate::cluster::{Cause, FencingReport, GroupReport, IncidentRecord, Report};

/// Limits of the buckets in microseconds, and as they are written, in seconds.
const LIMITS: [(u64, &str); 11] = [
    (1_000, "0.001"),
    (2_500, "0.0025"),
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1.0"),
    (10_000_000, "10.0"),
];

/// How often something took how long.
#[derive(Debug, Clone, Default)]
pub struct Histogram {
    /// How many were above the limit before and not above this one.
    counts: [u64; LIMITS.len()],
    count: u64,
    micros: u64,
}

impl Histogram {
    /// Counts one.
    pub fn observe(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let bucket = LIMITS.iter().position(|(limit, _)| micros <= *limit);
        if let Some(count) = bucket.and_then(|index| self.counts.get_mut(index)) {
            *count = count.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.micros = self.micros.saturating_add(micros);
    }

    /// The limits in seconds, each with how many were not above it.
    pub fn buckets(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let sum = |sum: &mut u64, (count, (_, limit)): (&u64, &(u64, &'static str))| {
            *sum = sum.saturating_add(*count);
            Some((*limit, *sum))
        };
        self.counts.iter().zip(&LIMITS).scan(0, sum)
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// All of them together, in seconds.
    pub fn sum(&self) -> f64 {
        Duration::from_micros(self.micros).as_secs_f64()
    }
}

/// Counters by a word.
pub type Counts = BTreeMap<&'static str, u64>;

/// Everything that is counted.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// How much later than it was to, the event loop woke.
    pub lateness: Histogram,
    /// How long a turn of the event loop took.
    pub turns: Histogram,
    /// Messages handed to links.
    pub sent: u64,
    /// Heartbeats that came later than warntime.
    pub late: u64,
    /// Groups that were to be started here, by reason.
    pub starts: Counts,
    /// The same of stops.
    pub stops: Counts,
    /// What failed with groups here: `start`, `stop` or `monitor`.
    pub failures: Counts,
    /// How often the peer was found dead.
    pub peer_deaths: u64,
    /// How often this node stood still for so long that it gave up what it held.
    pub stalls: u64,
    /// Attempts to reset the peer, by what came of them.
    pub fencing: Counts,
    /// Incidents by how they began.
    pub incidents: Counts,
    /// For each incident the longest time that both nodes held a group; together.
    pub two_owners: Duration,
    /// How often both nodes were seen to hold a group.
    pub conflicts: u64,
}

impl Tally {
    /// A message goes out.
    pub fn sent(&mut self) {
        self.sent = self.sent.saturating_add(1);
    }

    /// The core tells something.
    pub fn heed(&mut self, report: &Report) {
        match report {
            Report::GroupStarting { reason, .. } => add(&mut self.starts, word(*reason)),
            Report::GroupStopping { reason, .. } => add(&mut self.stops, word(*reason)),
            Report::GroupStartFailed { .. } => add(&mut self.failures, "start"),
            Report::GroupStopFailed { .. } => add(&mut self.failures, "stop"),
            Report::GroupBroken { .. } => add(&mut self.failures, "monitor"),
            Report::Group(GroupReport::StaysWithoutCarrier { .. }) => {
                add(&mut self.failures, "carrier");
            }
            Report::NodeDead { .. } => self.peer_deaths = self.peer_deaths.saturating_add(1),
            Report::LateHeartbeat { .. } => self.late = self.late.saturating_add(1),
            Report::Stalled { .. } => self.stalls = self.stalls.saturating_add(1),
            Report::TwoOwners { .. } => self.conflicts = self.conflicts.saturating_add(1),
            Report::Fencing(FencingReport::Reset { .. }) => add(&mut self.fencing, "reset"),
            Report::Fencing(FencingReport::Failed { .. }) => add(&mut self.fencing, "failed"),
            _ => {}
        }
    }

    /// An incident is over.
    pub fn incident(&mut self, record: &IncidentRecord) {
        let cause = match record.cause {
            Cause::Silence => "silence",
            Cause::Stall => "stall",
            Cause::Unheard => "unheard",
            Cause::Told => "told",
        };
        add(&mut self.incidents, cause);
        let longest = record.groups.iter().map(|groups| groups.both).max();
        self.two_owners = self.two_owners.saturating_add(longest.unwrap_or_default());
    }
}

fn add(counts: &mut Counts, word: &'static str) {
    let count = counts.entry(word).or_default();
    *count = count.saturating_add(1);
}

fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::Preferred => "preferred",
        Reason::Ceded => "ceded",
        Reason::FailedThere => "failed-there",
        Reason::PeerDied => "peer-died",
        Reason::PeerLeft => "peer-left",
        Reason::Orphaned => "orphaned",
        Reason::FoundRunning => "found-running",
        Reason::Failback => "failback",
        Reason::Standby => "standby",
        Reason::AskedFor => "asked-for",
        Reason::Leaving => "leaving",
        Reason::Conflict => "conflict",
        Reason::Stale => "stale",
        Reason::CutOff => "cut-off",
        Reason::Retry => "retry",
        Reason::Broken => "broken",
        Reason::Removed => "removed",
        Reason::NoCarrier => "no-carrier",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_has_all_that_were_not_above_its_limit() {
        let mut histogram = Histogram::default();
        for micros in [1000, 1001, 6000, 20_000_000] {
            histogram.observe(Duration::from_micros(micros));
        }
        let buckets: Vec<_> = histogram.buckets().map(|(_, count)| count).collect();
        assert_eq!(buckets, [1, 2, 2, 3, 3, 3, 3, 3, 3, 3, 3]);
        assert_eq!(histogram.count(), 4);
        assert!((histogram.sum() - 20.008_001).abs() < 1e-9);
    }

    #[test]
    fn limits_are_written_as_they_are() {
        for (micros, text) in LIMITS {
            let seconds: f64 = text.parse().expect("a number");
            let limit = Duration::from_micros(micros).as_secs_f64();
            assert!((seconds - limit).abs() < 1e-9, "{text}");
        }
    }
}
