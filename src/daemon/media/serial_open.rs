//! Opening a serial port: what it must be, who else may have it, the way heartbeat lines are set up.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use serialport::{ClearBuffer, FlowControl, SerialPort as _, TTYPort};

use super::serial_lock::{LOCK_DIRECTORY, LockError, LockFile};
use crate::os::tty;

/// The kernel names its consoles here, by device name.
const CONSOLES: &str = "/sys/class/tty/console/active";
/// All its terminals, serial ports among them.
const TERMINALS: &str = "/sys/class/tty";

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
    /// A character device of another kind.
    NotSerial(PathBuf),
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
            Self::NotSerial(device) => write!(
                f,
                "{} is not a serial port: name one such as /dev/ttyS0 or /dev/ttyUSB0",
                device.display()
            ),
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

/// The error of a device that does not open.
pub fn cannot_open(device: &Path, why: String) -> SerialError {
    SerialError::Open {
        device: device.to_owned(),
        why,
    }
}

/// How adapters are called, by the drivers of their kinds.
const ADAPTERS: [&str; 2] = ["/dev/ttyUSB", "/dev/ttyACM"];

/// A port that is open, set up and ours.
#[derive(Debug)]
pub struct OpenedPort {
    /// The port itself.
    pub port: TTYPort,
    /// Its lock file; none where that can't be written.
    pub lock: Option<LockFile>,
    /// It is a pseudo terminal, which has neither modem lines nor a lock file.
    pub is_pty: bool,
    /// It is an adapter, whose driver may have to ask it about its modem lines.
    pub is_adapter: bool,
}

impl OpenedPort {
    /// Opens a device. Does not wait for a carrier, for pending output or for the end of the break that it begins.
    pub fn open(device: &Path, baud: u32) -> Result<Self, SerialError> {
        let real = find(device)?;
        let is_pty = real.starts_with("/dev/pts");
        let lock = if is_pty {
            None
        } else {
            take_lock(device, &real)?
        };
        let port = open_port(&real, baud, is_pty).map_err(|why| {
            if is_pty || is_terminal(&real) {
                cannot_open(device, why)
            } else {
                SerialError::NotSerial(device.to_owned())
            }
        })?;
        check_rate(device, &port, baud)?;
        Ok(Self {
            port,
            lock,
            is_pty,
            is_adapter: ADAPTERS.iter().any(|name| {
                let real = real.to_string_lossy();
                real.starts_with(name)
            }),
        })
    }

    /// Turns RTS/CTS flow control on or off. What the driver still holds is sent at once when it is turned off.
    pub fn set_flow_control(&mut self, is_on: bool) -> io::Result<()> {
        let flow = if is_on {
            FlowControl::Hardware
        } else {
            FlowControl::None
        };
        self.port.set_flow_control(flow).map_err(io::Error::from)
    }
}

impl Drop for OpenedPort {
    fn drop(&mut self) {
        // The kernel waits half a minute on close for output that cannot leave. Not every driver can discard it,
        // but without flow control it leaves.
        let _ = self.port.set_flow_control(FlowControl::None);
        let _ = self.port.clear(ClearBuffer::All);
    }
}

/// Whether the kernel has a terminal of this name; where it shows none, nobody can tell.
fn is_terminal(real: &Path) -> bool {
    let name = real.file_name();
    let shown = Path::new(TERMINALS);
    !shown.is_dir() || name.is_some_and(|name| shown.join(name).exists())
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
    match tty::rate(tty::descriptor(port)) {
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
            OpenedPort::open(Path::new(device), 19_200)
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
        assert_eq!(
            refused("/dev/null"),
            "/dev/null is not a serial port: name one such as /dev/ttyS0 or /dev/ttyUSB0"
        );
    }
}
