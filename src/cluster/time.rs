//! A point in time as the core sees it.

use std::ops::{Add, Sub};
use std::time::Duration;

/// How far the clocks of two machines may differ, as a part of any time: one percent off, each in its direction. Real ones
/// keep to a tenth of that.
const CLOCKS_DIFFER: u32 = 50;

/// What has passed by our own clock when, at the earliest, so long has passed by the peer's.
pub(super) fn by_a_faster_clock(time: Duration) -> Duration {
    time.saturating_sub(time / CLOCKS_DIFFER)
}

/// Microseconds since boot, time spent suspended included. Has no `now()`: the shell's clock or the
/// simulator hands it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Instant(u64);

impl Instant {
    /// From microseconds since boot.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Microseconds since boot.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

/// A point in time that may lie before the boot of this machine: what the other node tells of its past does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

impl Moment {
    /// So long before `now`.
    pub(super) fn before(now: Instant, ago: Duration) -> Self {
        Self::from(now).less(ago)
    }

    /// So much earlier.
    pub(super) fn less(self, duration: Duration) -> Self {
        let micros = i64::try_from(micros(duration)).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(micros))
    }

    /// Microseconds since the boot of this machine; negative before it.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        let micros = self.0.saturating_sub(earlier.0);
        Duration::from_micros(u64::try_from(micros).unwrap_or(0))
    }
}

impl From<Instant> for Moment {
    fn from(instant: Instant) -> Self {
        Self(i64::try_from(instant.0).unwrap_or(i64::MAX))
    }
}

/// Without the 128 bits of [`Duration::as_micros`]: deadlines are added up many times in each turn.
fn micros(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000);
    seconds.saturating_add(u64::from(duration.subsec_micros()))
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(micros(duration)))
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(micros(duration)))
    }
}
