//! Terminal calls that the serial port crate lacks or that would block in it.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use serialport::TTYPort;

/// The descriptor of a port; the crate gives it only as a number.
pub fn descriptor(port: &TTYPort) -> BorrowedFd<'_> {
    // SAFETY: the port owns this open descriptor and closes it only when dropped, which the borrow prevents.
    unsafe { BorrowedFd::borrow_raw(port.as_raw_fd()) }
}

/// Makes reads and writes answer `WouldBlock`; the crate leaves them blocking after an open.
pub fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Reads what has arrived; 0 means that the line was hung up.
pub fn read(fd: BorrowedFd<'_>, buffer: &mut [u8]) -> io::Result<usize> {
    Ok(nix::unistd::read(fd, buffer)?)
}

/// Hands bytes to the driver, the one part behind the other, as many as it takes.
pub fn write(fd: BorrowedFd<'_>, parts: [&[u8]; 2]) -> io::Result<usize> {
    Ok(nix::sys::uio::writev(fd, &parts.map(io::IoSlice::new))?)
}

/// `linux/ioctls.h`; the C library's list lacks it.
const TIOCGICOUNT: libc::Ioctl = if cfg!(any(target_arch = "mips", target_arch = "mips64")) {
    0x5492
} else {
    0x545d
};

/// Takes an exclusive advisory lock without waiting.
pub fn lock_exclusive(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: flock takes a descriptor and a number; the descriptor is open for the whole call.
    let result = unsafe { libc::flock(fd.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sets the modes that a heartbeat line has: nothing is translated on output, input loses its top bit and
/// carriage returns, a break discards what came before it. Rate, flow control and character size stay.
///
/// Takes effect at once: waiting for pending output could last for ever on a stopped line.
pub fn set_line_modes(fd: BorrowedFd<'_>) -> io::Result<()> {
    change_modes(fd, |modes| {
        modes.c_iflag &= !(libc::IGNBRK
            | libc::IUCLC
            | libc::IXANY
            | libc::IXOFF
            | libc::IXON
            | libc::ICRNL
            | libc::PARMRK);
        modes.c_iflag |= libc::INPCK | libc::ISTRIP | libc::IGNCR | libc::BRKINT;
        modes.c_oflag &= !libc::OPOST;
        modes.c_cflag |= libc::CREAD | libc::CLOCAL;
        modes.c_lflag &= !(libc::ICANON | libc::ECHO | libc::ISIG);
        modes.c_cc[libc::VMIN] = 1;
        modes.c_cc[libc::VTIME] = 1;
    })
}

/// Sets the modes in which every byte arrives as it came, damaged ones too. Rate, flow control and character size stay.
pub fn set_raw_modes(fd: BorrowedFd<'_>) -> io::Result<()> {
    change_modes(fd, |modes| {
        modes.c_iflag = 0;
        modes.c_oflag &= !libc::OPOST;
        modes.c_cflag |= libc::CREAD | libc::CLOCAL;
        modes.c_lflag = 0;
        modes.c_cc[libc::VMIN] = 1;
        modes.c_cc[libc::VTIME] = 0;
    })
}

/// The rate of a port in bits per second, which is what its driver made of the one that was asked for.
pub fn rate(fd: BorrowedFd<'_>) -> io::Result<u32> {
    Ok(modes(fd)?.c_ospeed)
}

/// The old form of these calls cannot carry an unusual baud rate.
fn modes(fd: BorrowedFd<'_>) -> io::Result<libc::termios2> {
    let mut modes = MaybeUninit::<libc::termios2>::zeroed();
    // SAFETY: the kernel fills one termios2, for which there is room.
    if unsafe { libc::ioctl(fd.as_raw_fd(), libc::TCGETS2, modes.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: filled by the call above, and every bit pattern is a valid termios2.
    Ok(unsafe { modes.assume_init() })
}

fn change_modes(fd: BorrowedFd<'_>, change: impl FnOnce(&mut libc::termios2)) -> io::Result<()> {
    let mut modes = modes(fd)?;
    change(&mut modes);
    // SAFETY: the kernel reads one termios2, which is initialised.
    if unsafe { libc::ioctl(fd.as_raw_fd(), libc::TCSETS2, &raw const modes) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

/// What a port sees of the handshake wires of its cable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ModemLines {
    /// Clear to send: the other end's RTS.
    pub cts: bool,
    /// Data set ready: the other end's DTR.
    pub dsr: bool,
    /// Carrier detect: on a full null-modem cable the other end's DTR as well.
    pub dcd: bool,
}

/// Reads the handshake wires. The drivers of some USB adapters ask the adapter, and wait for seconds for one that hangs.
///
/// # Errors
/// Where the port has none, as a pseudo terminal, or is gone.
pub fn modem_lines(fd: BorrowedFd<'_>) -> io::Result<ModemLines> {
    let mut bits: libc::c_int = 0;
    // SAFETY: the kernel writes one int, for which there is room.
    if unsafe { libc::ioctl(fd.as_raw_fd(), libc::TIOCMGET, &raw mut bits) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let is_up = |bit: libc::c_int| bits & bit != 0;
    Ok(ModemLines {
        cts: is_up(libc::TIOCM_CTS),
        dsr: is_up(libc::TIOCM_DSR),
        dcd: is_up(libc::TIOCM_CAR),
    })
}

/// What a driver has counted on a port since the machine was started. Wraps around.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineCounts {
    /// Changes of CTS.
    pub cts: i32,
    /// Changes of DSR.
    pub dsr: i32,
    /// Changes of RI.
    pub rng: i32,
    /// Changes of DCD.
    pub dcd: i32,
    /// Bytes received.
    pub rx: i32,
    /// Bytes sent.
    pub tx: i32,
    /// Bytes without a stop bit.
    pub frame: i32,
    /// Bytes that came while the port was full.
    pub overrun: i32,
    /// Bytes of the wrong parity.
    pub parity: i32,
    /// Breaks.
    pub brk: i32,
    /// Bytes that came while the kernel's buffer was full.
    pub buf_overrun: i32,
    reserved: [i32; 9],
}

/// Reads the counts of a driver; it has them at hand.
///
/// # Errors
/// Where the driver does not count, as that of pseudo terminals, or the port is gone.
pub fn line_counts(fd: BorrowedFd<'_>) -> io::Result<LineCounts> {
    let mut counts = LineCounts::default();
    // SAFETY: the kernel writes one serial_icounter_struct: twenty ints, as laid out above.
    if unsafe { libc::ioctl(fd.as_raw_fd(), TIOCGICOUNT, &raw mut counts) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(counts)
}
