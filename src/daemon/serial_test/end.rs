//! Our end of the line: the port, what waits to be sent, and the handshake wires. Never waits but for events.

use std::io;
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use serialport::{ClearBuffer, SerialPort as _};

use super::line::Outputs;
use crate::cluster::Instant;
use crate::daemon::clock;
use crate::daemon::media::line_errors::Errors;
use crate::daemon::media::serial_open::OpenedPort;
use crate::os::tty::{self, LineCounts, ModemLines};

/// How long a turn waits for bytes, at most: so often the handshake wires are looked at.
const TURN: Duration = Duration::from_millis(10);
/// How much of the line's time is given to the driver in advance.
const AHEAD: Duration = Duration::from_millis(30);
/// So much is read in one turn, that the time is looked at even where bytes never stop.
const MOST: usize = 16 * 1024;

/// Our end of the line.
pub struct End<'a> {
    opened: &'a mut OpenedPort,
    poll: Poll,
    events: Events,
    baud: u32,
    counted: Option<LineCounts>,
    /// To be sent.
    pub out: Vec<u8>,
    /// When the line is done with what was sent.
    idle_at: Instant,
    /// What we do with our wires.
    pub outputs: Outputs,
    /// What the other end does with its wires; none where the port has no such wires.
    pub inputs: Option<ModemLines>,
}

impl<'a> End<'a> {
    /// Takes a port that was just opened.
    pub fn new(opened: &'a mut OpenedPort, baud: u32) -> io::Result<Self> {
        let fd = tty::descriptor(&opened.port);
        tty::set_raw_modes(fd)?;
        let inputs = tty::modem_lines(fd).ok();
        let counted = tty::line_counts(fd).ok();
        let _ = opened.port.clear_break();
        let poll = Poll::new()?;
        let fd = opened.port.as_raw_fd();
        poll.registry()
            .register(&mut SourceFd(&fd), Token(0), Interest::READABLE)?;
        Ok(Self {
            opened,
            poll,
            events: Events::with_capacity(4),
            baud,
            counted,
            out: Vec::new(),
            idle_at: clock::now(),
            outputs: Outputs {
                rts: true,
                dtr: true,
            },
            inputs,
        })
    }

    /// Waits a moment for bytes, gives what has come, looks at the wires, and writes what the line takes.
    pub fn turn(&mut self) -> io::Result<Vec<u8>> {
        self.write(clock::now())?;
        match self.poll.poll(&mut self.events, Some(TURN)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
        let fd = tty::descriptor(&self.opened.port);
        if self.inputs.is_some() {
            self.inputs = tty::modem_lines(fd).ok().or(self.inputs);
        }
        let mut all = Vec::new();
        let mut buffer = [0; 512];
        while all.len() < MOST {
            match tty::read(fd, &mut buffer) {
                Ok(0) => return Err(io::Error::other("the port was hung up")),
                Ok(count) => all.extend_from_slice(buffer.get(..count).unwrap_or_default()),
                Err(error) if is_for_later(&error) => break,
                Err(error) => return Err(error),
            }
        }
        Ok(all)
    }

    /// Writes at the pace of the line, so that what is said next does not wait for what was said before.
    fn write(&mut self, now: Instant) -> io::Result<()> {
        if self.out.is_empty() || self.idle_at.since(now) > AHEAD {
            return Ok(());
        }
        let room = usize::try_from(self.baud / 200).unwrap_or(usize::MAX);
        let piece = self.out.get(..room.max(16)).unwrap_or(&self.out);
        match tty::write(tty::descriptor(&self.opened.port), [piece, b""]) {
            Ok(count) => {
                self.out.drain(..count.min(self.out.len()));
                let time = self.line_time(count);
                self.idle_at = self.idle_at.max(now) + time;
                Ok(())
            }
            Err(error) if is_for_later(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// How long so many bytes take on the line.
    pub fn line_time(&self, bytes: usize) -> Duration {
        let bits = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(10);
        let micros = bits.saturating_mul(1_000_000) / u64::from(self.baud.max(1));
        Duration::from_micros(micros)
    }

    /// When the line will be done with all that is to be sent.
    pub fn line_end(&self, now: Instant) -> Instant {
        self.idle_at.max(now) + self.line_time(self.out.len())
    }

    /// Changes our wires.
    pub fn set_outputs(&mut self, outputs: Outputs) -> io::Result<()> {
        let port = &mut self.opened.port;
        if outputs.rts != self.outputs.rts {
            port.write_request_to_send(outputs.rts)?;
        }
        if outputs.dtr != self.outputs.dtr {
            port.write_data_terminal_ready(outputs.dtr)?;
        }
        self.outputs = outputs;
        Ok(())
    }

    /// Goes on at another rate, with nothing of before; false where the port does not have it.
    pub fn set_rate(&mut self, baud: u32) -> bool {
        if self.opened.port.set_baud_rate(baud).is_err() {
            return false;
        }
        self.out.clear();
        self.opened.port.clear(ClearBuffer::Input).is_ok()
    }

    /// What the driver has counted since the beginning.
    pub fn errors(&self) -> Option<Errors> {
        let before = self.counted?;
        let now = tty::line_counts(tty::descriptor(&self.opened.port)).ok()?;
        Some(Errors::between(&before, &now))
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
