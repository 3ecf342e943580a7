//! The terminal of the person who runs a command: its size, and keys without a return key.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// Columns and rows of a terminal; `None` where it does not tell.
pub fn size(terminal: impl AsFd) -> Option<(usize, usize)> {
    let mut size = MaybeUninit::<libc::winsize>::zeroed();
    // SAFETY: the request writes one winsize, for which there is room, and an all-zero one is valid should it write none.
    let (result, size) = unsafe {
        let fd = terminal.as_fd().as_raw_fd();
        let result = libc::ioctl(fd, libc::TIOCGWINSZ, size.as_mut_ptr());
        (result, size.assume_init())
    };
    let (columns, rows) = (usize::from(size.ws_col), usize::from(size.ws_row));
    (result == 0 && columns > 0 && rows > 0).then_some((columns, rows))
}

/// A terminal that hands over each key at once and shows none, until this is dropped.
pub struct Keys<'a> {
    terminal: BorrowedFd<'a>,
    before: libc::termios,
}

impl<'a> Keys<'a> {
    /// Begins. The keys that send signals still do.
    ///
    /// # Errors
    /// When it is no terminal, or refuses.
    pub fn begin(terminal: BorrowedFd<'a>) -> io::Result<Self> {
        let mut modes = MaybeUninit::<libc::termios>::zeroed();
        // SAFETY: the call writes one termios, for which there is room; an all-zero one is valid should it write none.
        let (result, before) = unsafe {
            let result = libc::tcgetattr(terminal.as_raw_fd(), modes.as_mut_ptr());
            (result, modes.assume_init())
        };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        let mut modes = before;
        modes.c_lflag &= !(libc::ICANON | libc::ECHO);
        set(terminal, &modes)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Keys<'_> {
    fn drop(&mut self) {
        let _ = set(self.terminal, &self.before); // whoever took the terminal away has no use for it
    }
}

fn set(terminal: BorrowedFd<'_>, modes: &libc::termios) -> io::Result<()> {
    // SAFETY: the call reads one termios, which is valid for the call.
    let result = unsafe { libc::tcsetattr(terminal.as_raw_fd(), libc::TCSANOW, modes) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
