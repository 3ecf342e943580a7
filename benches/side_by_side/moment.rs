//! Moments of what is measured: the wall clock, which the kernel puts on packets too. Nobody sets it during a run.

use std::time::Duration;

use heartbeat::os::clock::wall;
use heartbeat::os::scheduling::set_round_robin;

/// Time since 1970.
pub type Moment = Duration;

/// By the clock of the kernel's timestamps.
pub fn now() -> Moment {
    wall()
}

/// Milliseconds from one moment to another; negative where that came first.
pub fn millis(from: Moment, to: Moment) -> f64 {
    (to.as_secs_f64() - from.as_secs_f64()) * 1e3
}

/// The calling thread is woken before all daemons: it does next to nothing, and what it notes must not be late. Where that
/// is not allowed it takes its turn.
pub fn be_prompt() {
    let _ = set_round_robin(80);
}
