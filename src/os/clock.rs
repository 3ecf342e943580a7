//! The kernel's clock for intervals.

use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// Time since boot, suspends included.
pub fn since_boot() -> Duration {
    // Linux has had this clock since 2.6.39; there is nothing sensible to do without it.
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("the kernel has this clock");
    let seconds = u64::try_from(time.tv_sec()).unwrap_or(0);
    let nanoseconds = u32::try_from(time.tv_nsec()).unwrap_or(0);
    Duration::new(seconds, nanoseconds)
}
