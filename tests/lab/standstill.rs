//! Whether this computer itself stood still. A virtual machine whose host does not let it run for seconds looks, to
//! everything on it, like nodes that all hung at once; and one with far too much work does not carry what daemons say, even
//! where they come before everything else. What a test of times says then it says of the computer.

use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::null_modem::run_before_others;

/// How often each thread looks at the clock.
const PULSE: Duration = Duration::from_millis(20);

/// What no computer that runs needs to wake a thread that comes before all others.
const FIRST: Duration = Duration::from_millis(250);

/// The same of a thread like any other: kernel threads that carry what is sent are such ones.
const ANY: Duration = Duration::from_secs(1);

/// When the computer went on, and how long it had stood still.
static SEEN: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// Looks from now on, for good.
pub fn watch() {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        thread::spawn(|| {
            run_before_others();
            look(FIRST);
        });
        thread::spawn(|| look(ANY));
    });
}

/// The longest standstill that ended after `moment`.
pub fn since(moment: Instant) -> Option<Duration> {
    thread::sleep(PULSE * 2); // one that ends now is told with the next pulse
    let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
    let after = seen.iter().filter(|(end, _)| *end > moment);
    after.map(|(_, stood)| *stood).max()
}

fn look(limit: Duration) -> ! {
    let mut last = Instant::now();
    loop {
        thread::sleep(PULSE);
        let now = Instant::now();
        if let Some(stood) = longer_than_it_takes(now - last, limit) {
            let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push((now, stood));
        }
        last = now;
    }
}

fn longer_than_it_takes(between_pulses: Duration, limit: Duration) -> Option<Duration> {
    let stood = between_pulses.saturating_sub(PULSE);
    (stood > limit).then_some(stood)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_wakes_a_little_late_is_no_standstill() {
        for limit in [FIRST, ANY] {
            assert_eq!(longer_than_it_takes(PULSE, limit), None);
            assert_eq!(longer_than_it_takes(PULSE + limit, limit), None);
            let long = Duration::from_secs(3);
            assert_eq!(longer_than_it_takes(PULSE + long, limit), Some(long));
        }
    }
}
