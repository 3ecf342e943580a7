//! The watchdog, in the form of what is told of nodes and links.

use crate::control::Watchdog;

/// What `hbstatus -v` says of it; `as_of` is when that was so, in seconds since 1970.
pub(super) fn lines(watchdog: &Watchdog, as_of: u64) -> String {
    let state = if watchdog.armed { "armed" } else { "missing" };
    let mut text = format!("\nwatchdog\t{}\t{state}\n", watchdog.device);
    let names = [&watchdog.name, &watchdog.identity].into_iter().flatten();
    let names: Vec<_> = names.map(String::as_str).collect();
    if !names.is_empty() {
        text.extend(["\tdevice\t", &names.join(", "), "\n"]);
    }
    if let Some(timeout) = watchdog.timeout {
        text.extend(["\ttimeout\t", &timeout.to_string(), " s\n"]);
    }
    if let Some(last_fed) = watchdog.last_fed {
        let ago = as_of.saturating_sub(last_fed).to_string();
        text.extend(["\tfed\t", &ago, " s ago\n"]);
    }
    if watchdog.nowayout == Some(true) {
        text.push_str("\tnowayout\ta stop of heartbeat resets this machine\n");
    }
    text.extend(["\tpolicy\t", &watchdog.policy, "\n"]);
    if let Some(problem) = &watchdog.problem {
        text.extend(["\tproblem\t", problem, "\n"]);
    }
    text
}
