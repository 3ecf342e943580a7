//! The two questions a watchdog device answers besides being written to.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

mod ioctls {
    #![allow(missing_docs, reason = "made by a macro")]
    nix::ioctl_readwrite!(set_timeout, b'W', 6, libc::c_int);
    nix::ioctl_read!(get_timeout, b'W', 7, libc::c_int);
}

/// Sets the timeout in seconds; the driver may round, so returns what it is now.
///
/// # Errors
/// `ENOTTY` or `EOPNOTSUPP` from a driver that can't, `EINVAL` for a time it can't.
pub fn set_timeout(device: &impl AsFd, seconds: i32) -> io::Result<i32> {
    let mut seconds: libc::c_int = seconds;
    // SAFETY: the descriptor is open and the kernel reads and writes one int.
    unsafe { ioctls::set_timeout(device.as_fd().as_raw_fd(), &raw mut seconds) }?;
    Ok(seconds)
}

/// The timeout in seconds.
///
/// # Errors
/// As for [`set_timeout`].
pub fn timeout(device: &impl AsFd) -> io::Result<i32> {
    let mut seconds: libc::c_int = 0;
    // SAFETY: the descriptor is open and the kernel writes one int.
    unsafe { ioctls::get_timeout(device.as_fd().as_raw_fd(), &raw mut seconds) }?;
    Ok(seconds)
}
