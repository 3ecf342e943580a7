//! A serial port as a medium: opening it the way heartbeat lines are set up, reading, writing without ever waiting.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use serialport::{ClearBuffer, FlowControl, SerialPort as _, TTYPort};

use super::serial_lock::{LOCK_DIRECTORY, LockError, LockFile};
use super::serial_queue::{SerialQueue, Step};
use crate::cluster::{Instant, Packet};
use crate::message::TextFrames;
use crate::os::tty;

/// How long the break lasts by which the other side is told to forget half a line.
const BREAK: Duration = Duration::from_millis(250);
/// The kernel names its consoles here, by device name.
const CONSOLES: &str = "/sys/class/tty/console/active";

/// An open serial port.
#[derive(Debug)]
pub struct SerialPort {
    port: TTYPort,
    lock: Option<LockFile>,
    is_pty: bool,
    line_break: Break,
    queue: SerialQueue,
    frames: TextFrames,
}

/// Why a serial port can't be used.
#[derive(Debug)]
pub enum SerialError {
    /// The device is not there, or may not be opened.
    Open {
        /// As configured.
        device: PathBuf,
        /// What the system said.
        why: String,
    },
    /// The path leads to something else.
    NotCharacterDevice(PathBuf),
    /// Kernel messages go there.
    Console {
        /// As configured.
        device: PathBuf,
        /// Its kernel name.
        name: String,
    },
    /// Another program has it.
    Locked {
        /// As configured.
        device: PathBuf,
        /// Who, or why nobody knows.
        error: LockError,
    },
    /// The port runs at another rate than it was told.
    Rate {
        /// As configured.
        device: PathBuf,
        /// The rate asked for.
        wanted: u32,
        /// The rate that it does instead.
        actual: u32,
    },
}

impl std::fmt::Display for SerialError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Open { device, why } => write!(f, "cannot open {}: {why}", device.display()),
            Self::NotCharacterDevice(device) => {
                write!(f, "Serial port [{}] not a char device", device.display())
            }
            Self::Console { device, name } => write!(
                f,
                "{} is the kernel's console, whose messages would go to the peer and whose boot could wait for it: \
                 take console={name} off the kernel command line, or use another port",
                device.display()
            ),
            Self::Locked { device, error } => {
                write!(f, "cannot lock line {}: {error}", device.display())
            }
            Self::Rate {
                device,
                wanted,
                actual,
            } => {
                write!(
                    f,
                    "{} cannot do {wanted} baud, the nearest it does is {actual}",
                    device.display()
                )
            }
        }
    }
}

/// What happened while writing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Written {
    /// The line stood still, and what the driver held was thrown away.
    pub stalled: bool,
}

#[derive(Debug, Clone, Copy)]
enum Break {
    /// On since the port was opened; how long is known once the time is.
    Begun,
    Until(Instant),
    Over,
}

/// What a device path leads to: a character device, and not the kernel's console. Does not open it.
pub fn find(device: &Path) -> Result<PathBuf, SerialError> {
    let fail = |error: io::Error| cannot_open(device, error.to_string());
    let real = fs::canonicalize(device).map_err(fail)?;
    let kind = fs::metadata(&real).map_err(fail)?.file_type();
    if !kind.is_char_device() {
        return Err(SerialError::NotCharacterDevice(device.to_owned()));
    }
    let consoles = fs::read_to_string(CONSOLES).unwrap_or_default();
    if let Some(name) = console_name(&real, &consoles) {
        return Err(SerialError::Console {
            device: device.to_owned(),
            name,
        });
    }
    Ok(real)
}

fn cannot_open(device: &Path, why: String) -> SerialError {
    SerialError::Open {
        device: device.to_owned(),
        why,
    }
}

impl SerialPort {
    /// Opens a device. Does not wait for a carrier, for pending output or for the end of the break.
    pub fn open(device: &Path, baud: u32) -> Result<Self, SerialError> {
        let real = find(device)?;
        let is_pty = real.starts_with("/dev/pts");
        let lock = if is_pty {
            None
        } else {
            take_lock(device, &real)?
        };
        let port = open_port(&real, baud, is_pty).map_err(|why| cannot_open(device, why))?;
        check_rate(device, &port, baud)?;
        Ok(Self {
            port,
            lock,
            is_pty,
            line_break: Break::Begun,
            queue: SerialQueue::new(baud),
            frames: TextFrames::new(),
        })
    }

    /// The descriptor to be watched.
    pub fn as_raw_fd(&self) -> RawFd {
        self.port.as_raw_fd()
    }

    /// Whether a lock file could not be written. The port is locked against most programs even so.
    pub fn lacks_lock_file(&self) -> bool {
        self.lock.is_none() && !self.is_pty
    }

    /// The next message text among the bytes read so far.
    pub fn next_text(&mut self) -> Option<&[u8]> {
        self.frames.next_frame()
    }

    /// Reads once; 0 means that the line was hung up.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = tty::read(tty::descriptor(&self.port), buffer)?;
        self.frames.push(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }

    /// Lets a packet wait for the line.
    pub fn push(&mut self, now: Instant, packet: &Rc<Packet>) {
        self.queue.push(now, packet);
    }

    /// Writes what the line can take now. An error means that the port is gone.
    pub fn write(&mut self, now: Instant) -> io::Result<Written> {
        let mut written = Written::default();
        if !self.end_break(now) {
            return Ok(written);
        }
        loop {
            // Drivers that cannot count say 0 or refuse; the queue keeps its own count beside.
            let held = self.port.bytes_to_write().unwrap_or(0);
            let outcome = match self
                .queue
                .step(now, usize::try_from(held).unwrap_or(usize::MAX))
            {
                Step::Wait => return Ok(written),
                Step::Flush { stalled } => {
                    written.stalled |= stalled;
                    let _ = self.port.clear(ClearBuffer::Output);
                    continue;
                }
                Step::Write(bytes) => tty::write(tty::descriptor(&self.port), bytes),
            };
            match outcome {
                Ok(count) => self.queue.wrote(now, count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.queue.wrote(now, 0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// When [`write`](Self::write) wants to be called again.
    pub fn next_deadline(&self) -> Option<Instant> {
        match self.line_break {
            Break::Begun => Some(Instant::default()),
            Break::Until(end) => Some(end),
            Break::Over => self.queue.next_deadline(),
        }
    }

    /// Whether the line was not found standing still, or bytes have left since.
    pub fn is_moving(&self) -> bool {
        self.queue.is_moving()
    }

    /// How many messages did not fit into the queue since this was asked last.
    pub fn take_dropped(&mut self) -> u64 {
        self.queue.take_dropped()
    }

    /// Whether something is still on its way to the line or in the driver.
    pub fn has_unsent(&self, now: Instant) -> bool {
        self.queue.has_unsent(now) || self.port.bytes_to_write().is_ok_and(|held| held > 0)
    }

    fn end_break(&mut self, now: Instant) -> bool {
        match self.line_break {
            Break::Over => return true,
            Break::Begun => self.line_break = Break::Until(now + BREAK),
            Break::Until(end) if now >= end => {
                let _ = self.port.clear_break();
                self.line_break = Break::Over;
                return true;
            }
            Break::Until(_) => {}
        }
        false
    }
}

impl Drop for SerialPort {
    fn drop(&mut self) {
        // The kernel waits half a minute on close for output that cannot leave. Not every driver can discard it,
        // but without flow control it leaves.
        let _ = self.port.set_flow_control(FlowControl::None);
        let _ = self.port.clear(ClearBuffer::All);
    }
}

fn open_port(real: &Path, baud: u32, is_pty: bool) -> Result<TTYPort, String> {
    if baud == 0 {
        return Err("0 baud hangs the line up".to_owned());
    }
    // A pty keeps its exclusive mark while the other end is open, even after the death of who set it.
    let builder = serialport::new(real.to_string_lossy(), baud)
        .exclusive(!is_pty)
        .flow_control(FlowControl::Hardware);
    let port = TTYPort::open(&builder).map_err(|error| error.to_string())?;
    let say = |error: io::Error| error.to_string();
    let fd = tty::descriptor(&port);
    if is_pty {
        tty::lock_exclusive(fd)
            .map_err(|error| format!("another program has locked it ({error})"))?;
    }
    tty::set_nonblocking(fd).map_err(say)?;
    let flush = |port: &TTYPort| {
        port.clear(ClearBuffer::All)
            .map_err(|error| error.to_string())
    };
    flush(&port)?;
    tty::set_line_modes(fd).map_err(say)?;
    flush(&port)?;
    // A pty has no break to give.
    let _ = port.set_break();
    Ok(port)
}

fn take_lock(device: &Path, real: &Path) -> Result<Option<LockFile>, SerialError> {
    match LockFile::take(Path::new(LOCK_DIRECTORY), real) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::Unwritable { .. }) => Ok(None),
        Err(error) => Err(SerialError::Locked {
            device: device.to_owned(),
            error,
        }),
    }
}

/// A receiver samples up to ten bits from one edge: three in a hundred off is what both sides together can bear.
fn check_rate(device: &Path, port: &TTYPort, wanted: u32) -> Result<(), SerialError> {
    match port.baud_rate() {
        Ok(actual) if u64::from(actual.abs_diff(wanted)) * 100 > u64::from(wanted) * 3 => {
            Err(SerialError::Rate {
                device: device.to_owned(),
                wanted,
                actual,
            })
        }
        _ => Ok(()),
    }
}

fn console_name(real: &Path, consoles: &str) -> Option<String> {
    let name = real.strip_prefix("/dev").ok()?.to_str()?;
    consoles
        .split_whitespace()
        .find(|&console| console == name)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_console_is_refused_with_the_way_out() {
        let name = console_name(Path::new("/dev/ttyS0"), "tty0 ttyS0\n").expect("a console");
        let refused = SerialError::Console {
            device: "/dev/heartbeat".into(),
            name,
        };
        assert_eq!(
            refused.to_string(),
            "/dev/heartbeat is the kernel's console, whose messages would go to the peer and whose boot could wait \
             for it: take console=ttyS0 off the kernel command line, or use another port"
        );
        assert_eq!(
            console_name(Path::new("/dev/ttyS1"), "tty0 ttyS0 ttyS10\n"),
            None
        );
        assert_eq!(console_name(Path::new("/dev/ttyS1"), ""), None);
    }

    #[test]
    fn what_is_no_serial_port_is_refused_by_name() {
        let refused = |device: &str| {
            SerialPort::open(Path::new(device), 19_200)
                .expect_err("no port")
                .to_string()
        };
        assert_eq!(
            refused("/dev/no-such-port"),
            "cannot open /dev/no-such-port: No such file or directory (os error 2)"
        );
        assert_eq!(
            refused("/etc/passwd"),
            "Serial port [/etc/passwd] not a char device"
        );
        assert!(refused("/dev/null").starts_with("cannot open /dev/null: "));
    }
}
