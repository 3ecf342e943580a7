//! What the exit status says, as heartbeat(8) lists it; the numbers are those of heartbeat 3.0.6.

use std::io;

/// Done; or the daemon runs already.
pub const DONE: u8 = 0;
/// Something else went wrong.
pub const FAILED: u8 = 1;
/// Words that are not understood.
pub const USAGE_ERROR: u8 = 2;
/// `-s`: stopped.
pub const NOT_RUNNING: u8 = 3;
/// More rights are needed.
pub const PERMISSION: u8 = 4;
/// The configuration is at fault.
pub const CONFIGURATION: u8 = 6;

/// What to end with when the machine says no.
pub fn of(error: &io::Error) -> u8 {
    if error.kind() == io::ErrorKind::PermissionDenied {
        PERMISSION
    } else {
        FAILED
    }
}
