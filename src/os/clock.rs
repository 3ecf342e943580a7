//! The kernel's clocks.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Time since boot, suspends included.
pub fn since_boot() -> Duration {
    read(ClockId::CLOCK_BOOTTIME)
}

/// Time since 1970.
pub fn wall() -> Duration {
    read(ClockId::CLOCK_REALTIME)
}

fn read(clock: ClockId) -> Duration {
    // Linux has had both clocks since 2.6.39; there is nothing sensible to do without them.
    let time = clock_gettime(clock).expect("the kernel has this clock");
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let nanoseconds = u32::try_from(time.tv_nsec()).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}
