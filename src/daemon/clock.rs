//! The only place that reads a clock.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use crate::cluster::Instant;

/// Time since boot, suspends included: what every interval is measured with.
pub fn now() -> Instant {
    let (seconds, nanoseconds) = read(ClockId::CLOCK_BOOTTIME);
    Instant::from_micros(
        seconds
            .saturating_mul(1_000_000)
            .saturating_add(nanoseconds / 1000),
    )
}

/// Time since 1970. For what is shown to a person; decides nothing.
pub fn wall() -> Duration {
    let (seconds, nanoseconds) = read(ClockId::CLOCK_REALTIME);
    Duration::from_secs(seconds) + Duration::from_nanos(nanoseconds)
}

/// Seconds since 1970. For log lines and message fields; decides nothing.
pub fn wall_seconds() -> u64 {
    read(ClockId::CLOCK_REALTIME).0
}

fn read(clock: ClockId) -> (u64, u64) {
    // Linux has had both clocks since 2.6.39; there is nothing sensible to do without them.
    let time = clock_gettime(clock).expect("the kernel has this clock");
    (
        u64::try_from(time.tv_sec()).unwrap_or(0),
        u64::try_from(time.tv_nsec()).unwrap_or(0),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn time_passes() {
        let before = super::now();
        while super::now() == before {}
        assert!(super::now() > before);
    }
}
