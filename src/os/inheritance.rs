//! What a process inherits without having asked for it: blocked and ignored signals, open files.

use std::os::fd::RawFd;

use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

/// The first descriptor that is no standard stream.
const FIRST: libc::c_uint = 3;
/// Its behaviour is set by the runtime of the language: a write to a closed pipe is an error, not the end.
const KEPT: libc::c_int = libc::SIGPIPE;

/// Lets go of all that. Whoever started us may have blocked the signal that is to stop us, may ignore the
/// one that tells of our children, and may have open what must not live on in us and in every service that
/// we start: locks, pipes whose end somebody waits for, files of a disk that is to be unmounted.
///
/// To be called before anything is opened and before there is a second thread.
pub fn let_go() {
    for signal in (1..=libc::SIGRTMAX()).filter(|&signal| signal != KEPT) {
        // SAFETY: the default action runs no code of ours. What the kernel or the C library keeps for
        // itself is refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    // Fails only for arguments that make no sense.
    let _ = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
    if !close_range() {
        for descriptor in open_descriptors() {
            // SAFETY: nothing of ours is open yet, so no owner of this descriptor can be deceived.
            unsafe { libc::close(descriptor) };
        }
    }
}

/// False where the kernel is older than this call.
fn close_range() -> bool {
    // SAFETY: takes plain numbers; nothing of ours is open yet. By number, because an older C library has
    // no name for it.
    unsafe { libc::syscall(libc::SYS_close_range, FIRST, libc::c_uint::MAX, 0) == 0 }
}

fn open_descriptors() -> Vec<RawFd> {
    let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&descriptor| {
            libc::c_uint::try_from(descriptor).is_ok_and(|number| number >= FIRST)
        })
        .collect()
}
