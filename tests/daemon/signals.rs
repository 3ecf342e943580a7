//! Signals at the worst moment.

use std::sync::Arc;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::machine::Machine;

/// A child of the daemon may end at any moment of the daemon's own end, also in the few microseconds in which it lets go
/// of its signals.
#[test]
fn a_daemon_ends_in_the_middle_of_a_rain_of_signals() {
    for _ in 0..3 {
        let mut machine = Machine::new("");
        machine.start();
        let daemon = Pid::from_raw(machine.pid());
        let until_dropped = Arc::new(());
        let rain = Arc::downgrade(&until_dropped);
        machine.signal(Signal::SIGTERM);
        thread::spawn(
            move || {
                while rain.strong_count() > 0 && kill(daemon, Signal::SIGCHLD).is_ok() {}
            },
        );
        assert_eq!(machine.wait_for_end(), 0);
    }
}
