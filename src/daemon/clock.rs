//! The only place where the daemon reads a clock.

use nix::time::{ClockId, clock_gettime};

use crate::cluster::Instant;
use crate::os::clock::since_boot;

/// Time since boot, suspends included: what every interval is measured with.
pub fn now() -> Instant {
    Instant::from_micros(u64::try_from(since_boot().as_micros()).unwrap_or(u64::MAX))
}

/// Seconds since 1970. For log lines and message fields; decides nothing.
pub fn wall_seconds() -> u64 {
    // Every kernel has this clock.
    let time = clock_gettime(ClockId::CLOCK_REALTIME).expect("the kernel has this clock");
    u64::try_from(time.tv_sec()).unwrap_or(0)
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
