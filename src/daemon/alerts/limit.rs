//! How many alerts leave this node: few of a kind, few in all, and nothing is held back without a word.

use std::collections::BTreeMap;
use std::time::Duration;

use super::alert::Kind;
use crate::cluster::Instant;

/// Of one kind: so many at once, and then one in a while.
const OF_A_KIND: Rate = Rate {
    burst: 5,
    pause: Duration::from_secs(120),
};
/// Of all kinds together.
const OF_ALL: Rate = Rate {
    burst: 30,
    pause: Duration::from_secs(30),
};
/// So many of these are kept for what is grave.
const RESERVE: u64 = 15;
/// What was held back is told after so long.
const SUMMARY: Duration = Duration::from_secs(60);

/// How much may pass.
#[derive(Debug, Clone, Copy)]
struct Rate {
    burst: u64,
    /// For one more.
    pause: Duration,
}

/// What has passed lately of what may.
#[derive(Debug, Clone, Copy, Default)]
struct Bucket {
    used: u64,
    /// When one more was given back last.
    refilled: Instant,
}

impl Bucket {
    fn refill(&mut self, rate: Rate, now: Instant) {
        while self.used > 0 && self.refilled + rate.pause <= now {
            self.used = self.used.saturating_sub(1);
            self.refilled = self.refilled + rate.pause;
        }
        if self.used == 0 {
            self.refilled = now;
        }
    }

    fn has_room(&self, rate: Rate, reserve: u64) -> bool {
        self.used.saturating_add(reserve) < rate.burst
    }

    fn take(&mut self) {
        self.used = self.used.saturating_add(1);
    }
}

/// The limits, and what they held back.
#[derive(Debug, Default)]
pub struct Limiter {
    all: Bucket,
    kinds: BTreeMap<Kind, Bucket>,
    held: BTreeMap<Kind, u64>,
    /// When that is told; `None` while nothing is held back.
    summary_at: Option<Instant>,
}

impl Limiter {
    /// Whether an alert may leave now; one that may not is remembered for the summary.
    pub fn admit(&mut self, kind: Kind, now: Instant) -> bool {
        let bucket = self.kinds.entry(kind).or_default();
        bucket.refill(OF_A_KIND, now);
        self.all.refill(OF_ALL, now);
        let reserve = if kind.is_grave() { 0 } else { RESERVE };
        let may = bucket.has_room(OF_A_KIND, 0) && self.all.has_room(OF_ALL, reserve);
        if may {
            bucket.take();
            self.all.take();
        } else {
            self.hold(kind, now);
        }
        may
    }

    /// Remembers one for the summary.
    pub fn hold(&mut self, kind: Kind, now: Instant) {
        let held = self.held.entry(kind).or_default();
        *held = held.saturating_add(1);
        self.summary_at.get_or_insert(now + SUMMARY);
    }

    /// What was held back, in words, once it is time to tell that. At most one in a minute.
    pub fn take_summary(&mut self, now: Instant) -> Option<String> {
        self.summary_at.take_if(|at| *at <= now)?;
        Some(self.summary())
    }

    /// The same at once, for the end; none where nothing is held back.
    pub fn take_last(&mut self) -> Option<String> {
        self.summary_at.take()?;
        Some(self.summary())
    }

    /// When [`take_summary`](Self::take_summary) has something to say.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.summary_at
    }

    fn summary(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        let all: u64 = held.values().fold(0, |all, held| all.saturating_add(*held));
        let kinds: Vec<String> = held
            .iter()
            .map(|(kind, held)| format!("{held} {}", kind.word()))
            .collect();
        format!(
            "{all} more alerts were held back: {}. The log has what they were about.",
            kinds.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn passed(limiter: &mut Limiter, kind: Kind, number: u64, now: Instant) -> u64 {
        (0..number)
            .map(|_| u64::from(limiter.admit(kind, now)))
            .sum()
    }

    #[test]
    fn of_a_flood_a_few_pass_and_the_rest_is_told_once() {
        let mut limiter = Limiter::default();
        assert_eq!(passed(&mut limiter, Kind::LinkDead, 1000, at(1000)), 5);
        assert_eq!(passed(&mut limiter, Kind::LinkBack, 2, at(1001)), 2);
        assert_eq!(limiter.next_deadline(), Some(at(1060)));
        assert_eq!(limiter.take_summary(at(1059)), None);
        assert_eq!(
            limiter.take_summary(at(1060)).as_deref(),
            Some(
                "995 more alerts were held back: 995 link-dead. The log has what they were about."
            )
        );
        assert_eq!(
            (limiter.take_summary(at(2000)), limiter.take_last()),
            (None, None)
        );
        assert_eq!(passed(&mut limiter, Kind::LinkDead, 9, at(1120)), 1);
        assert_eq!(passed(&mut limiter, Kind::LinkDead, 9, at(9000)), 5);
        assert_eq!(
            limiter.take_last().as_deref(),
            Some("12 more alerts were held back: 12 link-dead. The log has what they were about.")
        );
    }

    #[test]
    fn what_is_grave_passes_when_the_rest_is_used_up() {
        let mut limiter = Limiter::default();
        let kinds = [
            Kind::LinkDead,
            Kind::LinkBack,
            Kind::LinkDegraded,
            Kind::LinkRecovered,
            Kind::Jeopardy,
            Kind::JeopardyOver,
        ];
        let all: u64 = kinds
            .iter()
            .map(|kind| passed(&mut limiter, *kind, 5, at(1000)))
            .sum();
        assert_eq!(all, 15);
        assert!(limiter.admit(Kind::Takeover, at(1000)));
        assert!(limiter.admit(Kind::PeerDead, at(1000)));
        assert!(!limiter.admit(Kind::PeerBack, at(1000)));
    }
}
