//! A serial port as a medium: opening it the way heartbeat lines are set up, reading, writing without ever waiting.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use serialport::{ClearBuffer, SerialPort as _};

use super::serial_flow::{Flow, Handshake};
use super::serial_open::{self, OpenedPort, SerialError};
use super::serial_queue::{SerialQueue, Step};
use crate::cluster::{Instant, Packet};
use crate::config::SerialFlow;
use crate::message::TextFrames;
use crate::os::tty;

/// How long the break lasts by which the other side is told to forget half a line.
const BREAK: Duration = Duration::from_millis(250);

/// An open serial port.
#[derive(Debug)]
pub struct SerialPort {
    opened: OpenedPort,
    flow: Flow,
    cts: Cts,
    /// A message has come since CTS was last looked at.
    heard: bool,
    line_break: Break,
    queue: SerialQueue,
    frames: TextFrames,
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

/// CTS as last read.
#[derive(Debug, Default)]
struct Cts {
    is_up: Option<bool>,
    /// How often it had changed by then.
    changes: Option<i32>,
}

impl Cts {
    /// Whether CTS is up; none where the port has no such line.
    fn read(&mut self, opened: &OpenedPort) -> Option<bool> {
        let fd = tty::descriptor(&opened.port);
        if opened.is_adapter {
            // An adapter that hangs would hold up the loop: it is asked only after its driver has counted a change.
            let changes = tty::line_counts(fd).ok().map(|counts| counts.cts);
            if self.is_up.is_some() && (changes.is_none() || changes == self.changes) {
                return self.is_up;
            }
            self.changes = changes;
        }
        self.is_up = tty::modem_lines(fd).ok().map(|lines| lines.cts);
        self.is_up
    }
}

impl SerialPort {
    /// Opens a device. Does not wait for a carrier, for pending output or for the end of the break.
    pub fn open(device: &Path, baud: u32, wish: SerialFlow) -> Result<Self, SerialError> {
        let mut opened = OpenedPort::open(device, baud)?;
        let mut cts = Cts::default();
        let flow = Flow::new(wish, cts.read(&opened));
        opened
            .set_flow_control(flow.is_used())
            .map_err(|error| serial_open::cannot_open(device, error.to_string()))?;
        Ok(Self {
            opened,
            flow,
            cts,
            heard: false,
            line_break: Break::Begun,
            queue: SerialQueue::new(baud),
            frames: TextFrames::new(),
        })
    }

    /// The descriptor to be watched.
    pub fn as_raw_fd(&self) -> RawFd {
        self.opened.port.as_raw_fd()
    }

    /// What its driver has counted since the machine was started; none where it does not count.
    pub fn counts(&self) -> Option<tty::LineCounts> {
        tty::line_counts(tty::descriptor(&self.opened.port)).ok()
    }

    /// Whether RTS/CTS flow control is used.
    pub fn has_flow_control(&self) -> bool {
        self.flow.is_used()
    }

    /// Whether a lock file could not be written. The port is locked against most programs even so.
    pub fn lacks_lock_file(&self) -> bool {
        self.opened.lock.is_none() && !self.opened.is_pty
    }

    /// The next message text among the bytes read so far.
    pub fn next_text(&mut self) -> Option<&[u8]> {
        let text = self.frames.next_frame();
        if text.is_some() {
            self.heard = true;
            self.queue.heard();
        }
        text
    }

    /// Reads once; 0 means that the line was hung up.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = tty::read(tty::descriptor(&self.opened.port), buffer)?;
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
        self.follow_flow(now)?;
        if !self.end_break(now) {
            return Ok(written);
        }
        let mut is_empty = false;
        loop {
            // Drivers that cannot count say 0 or refuse; the queue keeps its own count beside.
            let held = if std::mem::take(&mut is_empty) {
                0
            } else {
                self.opened.port.bytes_to_write().unwrap_or(0)
            };
            let outcome = match self
                .queue
                .step(now, usize::try_from(held).unwrap_or(usize::MAX))
            {
                Step::Wait => return Ok(written),
                Step::Flush { stalled } => {
                    written.stalled |= stalled;
                    is_empty = self.opened.port.clear(ClearBuffer::Output).is_ok();
                    continue;
                }
                Step::Write(parts) => tty::write(tty::descriptor(&self.opened.port), parts),
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
        let writing = match self.line_break {
            Break::Begun => Some(Instant::default()),
            Break::Until(end) => Some(end),
            Break::Over => self.queue.next_deadline(),
        };
        writing.into_iter().chain(self.flow.next_look()).min()
    }

    /// What was found out about the handshake wires, where that is to be told now.
    pub fn next_news(&mut self, now: Instant) -> Option<Handshake> {
        self.flow.next_news(now)
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
        self.queue.has_unsent(now) || self.opened.port.bytes_to_write().is_ok_and(|held| held > 0)
    }

    fn follow_flow(&mut self, now: Instant) -> io::Result<()> {
        if self.flow.next_look().is_none_or(|at| now < at) {
            return Ok(());
        }
        let cts = self.cts.read(&self.opened);
        let heard = std::mem::take(&mut self.heard);
        match self.flow.look(now, cts, heard) {
            Some(is_on) => {
                if !is_on {
                    // What could not leave is old.
                    let _ = self.opened.port.clear(ClearBuffer::Output);
                    self.queue.emptied(now);
                }
                self.opened.set_flow_control(is_on)
            }
            None => Ok(()),
        }
    }

    fn end_break(&mut self, now: Instant) -> bool {
        match self.line_break {
            Break::Over => return true,
            Break::Begun => self.line_break = Break::Until(now + BREAK),
            Break::Until(end) if now >= end => {
                let _ = self.opened.port.clear_break();
                self.line_break = Break::Over;
                return true;
            }
            Break::Until(_) => {}
        }
        false
    }
}
