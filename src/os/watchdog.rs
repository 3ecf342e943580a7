//! The questions that a watchdog device answers besides being written to.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

mod ioctls {
    #![allow(missing_docs, reason = "made by a macro")]
    nix::ioctl_read!(get_support, b'W', 0, super::Info);
    nix::ioctl_read!(get_boot_status, b'W', 2, libc::c_int);
    nix::ioctl_readwrite!(set_timeout, b'W', 6, libc::c_int);
    nix::ioctl_read!(get_timeout, b'W', 7, libc::c_int);
}

/// `WDIOF_CARDRESET` of a boot status: the last reset of the machine came from the watchdog.
pub const CARD_RESET: u32 = 0x20;
/// `WDIOF_SETTIMEOUT` of the options: its timeout can be set.
pub const SET_TIMEOUT: u32 = 0x80;
/// `WDIOF_MAGICCLOSE` of the options: closing it disarms it only after a `V` was written.
pub const MAGIC_CLOSE: u32 = 0x100;

/// `struct watchdog_info` of the kernel.
#[repr(C)]
#[derive(Debug, Default)]
pub struct Info {
    options: u32,
    firmware_version: u32,
    identity: [u8; 32],
}

/// What a driver tells of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Support {
    /// The flags `WDIOF_…`.
    pub options: u32,
    /// What the device calls itself; may be empty.
    pub identity: String,
}

/// What the driver tells of itself.
///
/// # Errors
/// `ENOTTY` from what is no watchdog.
pub fn support(device: &impl AsFd) -> io::Result<Support> {
    let mut info = Info::default();
    // SAFETY: the descriptor is open and the kernel writes one `watchdog_info`, of which any bytes are valid.
    unsafe { ioctls::get_support(device.as_fd().as_raw_fd(), &raw mut info) }?;
    let identity = info.identity.split(|&byte| byte == 0).next();
    Ok(Support {
        options: info.options,
        identity: String::from_utf8_lossy(identity.unwrap_or_default()).into_owned(),
    })
}

/// The flags `WDIOF_…` that tell of the last reset of this machine.
///
/// # Errors
/// `ENOTTY` from a driver that does not know.
pub fn boot_status(device: &impl AsFd) -> io::Result<u32> {
    let mut flags: libc::c_int = 0;
    // SAFETY: the descriptor is open and the kernel writes one int.
    unsafe { ioctls::get_boot_status(device.as_fd().as_raw_fd(), &raw mut flags) }?;
    Ok(flags.cast_unsigned())
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
