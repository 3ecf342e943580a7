//! Realtime scheduling and locked memory.

use std::io;

use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// `CAP_IPC_LOCK`: whoever holds it may lock any amount of memory.
const CAP_IPC_LOCK: u32 = 14;

/// Asks for round-robin realtime scheduling. Children start with normal scheduling again: a resource
/// script must not inherit it.
///
/// # Errors
/// When the kernel refuses.
pub fn set_round_robin(priority: u8) -> io::Result<()> {
    // SAFETY: an all-zero sched_param is valid (some C libraries have more fields than one).
    let mut parameters = unsafe { std::mem::zeroed::<libc::sched_param>() };
    parameters.sched_priority = priority.into();
    let policy = libc::SCHED_RR | libc::SCHED_RESET_ON_FORK;
    // SAFETY: `parameters` is valid for the call; 0 is this process.
    if unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Asks for the best of the ordinary scheduling.
///
/// # Errors
/// When the kernel refuses.
pub fn set_nice(value: i32) -> io::Result<()> {
    // SAFETY: takes plain numbers; 0 is this process.
    if unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, value) } == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Keeps all memory of this process, present and future, out of the swap.
///
/// # Errors
/// When the kernel refuses, or when a limit applies: under a limit a later allocation would fail, which
/// is worse than being swapped.
pub fn lock_memory() -> io::Result<()> {
    let (soft, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    if soft != RLIM_INFINITY && !super::process::has_capability(CAP_IPC_LOCK) {
        return Err(io::Error::other("the limit on locked memory is too small"));
    }
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)?;
    Ok(())
}
