//! The only place where the daemon reads a clock.

use std::time::Duration;

use crate::cluster::Instant;
use crate::os::clock;

/// How much later may be done what is only to be looked after now and then: it does not wake this machine by itself while there
/// is a heartbeat in that time, with which it can be done.
pub const LENIENCE: Duration = Duration::from_secs(1);

/// Time since boot, suspends included: what every interval is measured with.
pub fn now() -> Instant {
    Instant::from_micros(u64::try_from(clock::since_boot().as_micros()).unwrap_or(u64::MAX))
}

/// Time since 1970. For what is shown to a person; decides nothing.
pub fn wall() -> Duration {
    clock::wall()
}

/// Seconds since 1970. For log lines and message fields; decides nothing.
pub fn wall_seconds() -> u64 {
    clock::wall().as_secs()
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
