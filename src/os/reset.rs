//! Resetting this machine.

use std::io;

/// Restarts the machine without a word to any process and without writing out anything. In a process namespace of its
/// own, as in a container, it ends that instead. Returns only where that fails; drivers may keep it waiting before.
pub fn reset_machine() -> io::Error {
    // SAFETY: takes a number and touches no memory of ours.
    unsafe { libc::reboot(libc::LINUX_REBOOT_CMD_RESTART) };
    io::Error::last_os_error()
}
