//! Realtime scheduling and locked memory.

use std::fs;
use std::io;
use std::ops::Range;
use std::ptr;

use nix::errno::Errno;
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

/// Keeps all memory of this process, present and future, out of the swap: the whole program with its libraries, so that what is
/// needed for the first time on the worst day comes from no disk; everything else from when it is first used, which needs
/// no disk either. Room that is only reserved, for the stacks of threads and for their allocations, takes no memory.
///
/// # Errors
/// When the kernel refuses, or when a limit applies: under a limit a later allocation would fail, which
/// is worse than being swapped.
pub fn lock_memory() -> io::Result<()> {
    let (soft, _) = getrlimit(Resource::RLIMIT_MEMLOCK)?;
    if soft != RLIM_INFINITY && !super::process::has_capability(CAP_IPC_LOCK) {
        return Err(io::Error::other("the limit on locked memory is too small"));
    }
    give_back_unused();
    use_stack();
    let all = MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE;
    let as_used = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    match mlockall(all | as_used) {
        // Before Linux 4.4 there is only the other way, by which reserved room takes memory too.
        Err(Errno::EINVAL) => return Ok(mlockall(all)?),
        locked => locked?,
    }
    for part in program(&fs::read_to_string("/proc/self/maps")?) {
        let begin = ptr::without_provenance::<libc::c_void>(part.start);
        // SAFETY: locking changes no content, and a range that is not there any more is refused.
        if unsafe { libc::mlock(begin, part.len()) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Twice what 3.0.6 takes for its loop.
const STACK: usize = 64 << 10;

/// A machine that swaps has to find room for what is used for the first time: the stack has its own before.
#[inline(never)]
#[allow(
    clippy::large_stack_arrays,
    reason = "taking that much of the stack is the purpose"
)]
fn use_stack() {
    let mut room = [0_u8; STACK];
    std::hint::black_box(&mut room);
}

/// What a start has needed of memory and needs no more would stay locked for ever.
fn give_back_unused() {
    #[cfg(target_env = "gnu")]
    // SAFETY: takes a plain number, and gives back only what nobody has.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The places of the program and its libraries, from `/proc/self/maps`: what can be read of files.
fn program(maps: &str) -> Vec<Range<usize>> {
    let lines = maps.lines().filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (range, modes) = (words.next()?, words.next()?);
        let is_file = words.nth(3)?.starts_with('/');
        let (start, end) = range.split_once('-')?;
        let address = |word| usize::from_str_radix(word, 16).ok();
        let part = address(start)?..address(end)?;
        (is_file && modes.starts_with('r')).then_some(part)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_what_can_be_read_of_files() {
        let maps = "\
            5650ba000000-5650ba010000 r--p 00000000 fe:00 961 /usr/sbin/heartbeat\n\
            5650ba010000-5650ba020000 r-xp 00010000 fe:00 961 /usr/sbin/heartbeat (deleted)\n\
            5650ba8e3000-5650ba952000 rw-p 00000000 00:00 0 [heap]\n\
            7f2380000000-7f2380021000 rw-p 00000000 00:00 0 \n\
            7f2380021000-7f2384000000 ---p 00000000 00:00 0 \n\
            7f238cf01000-7f238cf02000 ---p 00000000 fe:00 325843 /usr/lib/ld.so\n\
            7f238cf34000-7f238cf36000 rw-p 00033000 fe:00 325843 /usr/lib/ld.so\n\
            7fffa6094000-7fffa60d3000 rw-p 00000000 00:00 0 [stack]\n\
            nonsense\n";
        let expected = [
            0x5650_ba00_0000..0x5650_ba01_0000,
            0x5650_ba01_0000..0x5650_ba02_0000,
            0x7f23_8cf3_4000..0x7f23_8cf3_6000,
        ];
        assert_eq!(program(maps), expected);
    }

    #[test]
    fn this_program_is_found() {
        let maps = fs::read_to_string("/proc/self/maps").expect("the kernel tells");
        let own = the_program_is_what_can_be_read_of_files as fn() as usize;
        assert!(program(&maps).iter().any(|part| part.contains(&own)));
    }
}
