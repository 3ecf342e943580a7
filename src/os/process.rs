//! The process itself: leaving the terminal, standard streams, core files, who is logged in as whom.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::unistd::ForkResult;

/// The two ends of a fork into the background.
#[derive(Debug)]
pub enum Fork {
    /// The process that was started. What the other one writes arrives here; end of file means that it
    /// died before it wrote anything.
    Foreground(File),
    /// The process that stays: no terminal, a session of its own.
    Background(File),
}

/// Splits the process in two: one to wait for news, one to become the daemon.
///
/// # Errors
/// When no pipe or process can be had.
pub fn fork_into_background() -> io::Result<Fork> {
    let (reader, writer) = nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?;
    // SAFETY: called before anything else runs: the process has one thread, so no lock can be held by
    // another and the child may go on as usual.
    if let ForkResult::Parent { child } = unsafe { nix::unistd::fork() }? {
        drop(writer);
        nix::sys::wait::waitpid(child, None)?;
        return Ok(Fork::Foreground(reader.into()));
    }
    drop(reader);
    nix::unistd::setsid()?;
    // A second time, so that a serial port opened later can never become the controlling terminal.
    // SAFETY: as above, the child of a process with one thread has one thread.
    if let ForkResult::Parent { .. } = unsafe { nix::unistd::fork() }? {
        std::process::exit(0);
    }
    Ok(Fork::Background(writer.into()))
}

/// Points standard input, output and error to `/dev/null`.
///
/// # Errors
/// When `/dev/null` can't be opened.
pub fn discard_standard_streams() -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    nix::unistd::dup2_stdin(&null)?;
    nix::unistd::dup2_stdout(&null)?;
    nix::unistd::dup2_stderr(&null)?;
    Ok(())
}

/// Makes a directory the root of all paths of this process, for good. Nothing in it is run: no library is loaded from it
/// as long as nobody asks for users or hosts by name.
///
/// # Errors
/// When it is no directory, or we may not.
pub fn enter_root(directory: &std::path::Path) -> io::Result<()> {
    nix::unistd::chroot(directory).map_err(|error| match error {
        // Not allowed, as opposed to not there.
        nix::errno::Errno::EPERM => io::Error::from(io::ErrorKind::PermissionDenied),
        error => error.into(),
    })?;
    std::env::set_current_dir("/")
}

/// Whether a write of up to 4096 bytes to `fd` would return at once. Says no when in doubt.
pub fn is_writable(fd: BorrowedFd<'_>) -> bool {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: `poll` is one valid pollfd for the length of the call.
    let ready = unsafe { libc::poll(&raw mut poll, 1, 0) };
    ready == 1 && poll.revents & libc::POLLOUT != 0
}

/// Waits for a time. For commands that wait for a person or a daemon; the event loop never does this.
pub fn pause(time: std::time::Duration) {
    let milliseconds = i32::try_from(time.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: no descriptors, so nothing is read or written.
    unsafe { libc::poll(std::ptr::null_mut(), 0, milliseconds) };
}

/// The name of this machine, as `uname -n` prints it.
pub fn host_name() -> String {
    let mut name = [0u8; 256];
    // SAFETY: `name` has room for the length given, and the last byte stays zero.
    unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len().saturating_sub(1)) };
    let length = name.iter().position(|&byte| byte == 0).unwrap_or(0);
    String::from_utf8_lossy(name.get(..length).unwrap_or_default()).into_owned()
}

/// Whether this process holds the capability with this number (`CAP_IPC_LOCK` is 14).
pub fn has_capability(number: u32) -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return false;
    };
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    effective
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .and_then(|bits| bits.checked_shr(number))
        .is_some_and(|bits| bits & 1 == 1)
}

/// Numeric id of a user, by name or written as a number. May ask the network: not for the event loop.
pub fn user_id(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    nix::unistd::User::from_name(name)
        .ok()
        .flatten()
        .map(|user| user.uid.as_raw())
}

/// Numeric id of a group, by name or written as a number. May ask the network: not for the event loop.
pub fn group_id(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    nix::unistd::Group::from_name(name)
        .ok()
        .flatten()
        .map(|group| group.gid.as_raw())
}
