//! One medium with its state: open, closed until the next attempt, or not wanted. Reads its share and no more.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::RawFd;
use std::path::Path;
use std::time::Duration;

use mio::Token;

use super::line_errors::{Errors, LineErrors};
use super::port_search::{self, Found, PortSearch};
use super::resolver::{self, Lookup};
use super::serial::SerialPort;
use super::stall_notice::StallNotice;
use super::stranger::{Listener, Stranger};
use super::udp::UdpPort;
use super::write_failures::WriteFailures;
use crate::cluster::{Instant, LinkId};
use crate::config::{Medium, MediumKind};

/// Messages that one device may deliver in one turn.
const SHARE_MESSAGES: usize = 32;
/// Bytes that one device may deliver in one turn; the last message may exceed it.
const SHARE_BYTES: usize = 64 * 1024;
/// Bytes that one read of a serial port asks for.
const SERIAL_READ: usize = 4096;
/// The pause before a medium is opened again doubles from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// A device that stayed open for so long is not failing again and again.
const STEADY: Duration = Duration::from_secs(10);
/// Failures in a row, none of them after a steady time, that are told.
const RELAPSES_TOLD: u32 = 5;
/// Read errors in a row, without data between, after which a device is opened anew.
const READ_ERRORS: u32 = 32;

/// One medium, open or not.
#[derive(Debug)]
pub struct Device {
    /// As configured.
    pub medium: Medium,
    /// The link that it belongs to.
    pub link: LinkId,
    /// Its number in the event loop.
    pub token: Token,
    /// Whether it works.
    pub state: State,
    /// Where a unicast medium sends to, once that is known.
    pub peer: Option<IpAddr>,
    /// There may be more to read; the event loop tells this once only.
    pub is_ready: bool,
    /// What it may still deliver in this turn.
    pub share: Share,
    /// What could not be sent.
    pub failures: WriteFailures,
    /// When to tell that a serial line stands still.
    pub stall_notice: StallNotice,
    /// Messages that did not fit into the queue and were not told yet.
    pub dropped: u64,
    /// When such were last told.
    pub dropped_told: Option<Instant>,
    /// Who else talks there, on a serial line.
    listener: Option<Box<Listener>>,
    /// What the driver of a serial line has counted since it was opened.
    line_errors: LineErrors,
    /// Message texts may be among the bytes already read.
    has_texts: bool,
    read_errors: u32,
    opened_at: Instant,
    relapses: u32,
}

/// Whether a medium works.
#[derive(Debug)]
pub enum State {
    /// It does.
    Open(Port),
    /// It does not, and is tried again.
    Closed(Retry),
    /// It leads to this machine itself and is not wanted.
    Own,
}

/// What an open medium consists of.
#[derive(Debug)]
pub enum Port {
    /// A serial port.
    Serial(Box<SerialPort>),
    /// Two sockets.
    Udp(UdpPort),
}

/// What is known of a serial line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialLine {
    /// Whether RTS/CTS flow control is used; none while the port is closed.
    pub has_flow_control: Option<bool>,
    /// Bytes that belonged to no message, since the start.
    pub noise: u64,
    /// What the driver has counted since the port was opened; none where it does not count.
    pub errors: Option<Errors>,
    /// Who or what else talks there.
    pub stranger: Option<Stranger>,
}

/// What a device may still deliver in this turn.
#[derive(Debug, Clone, Copy)]
pub struct Share {
    messages: usize,
    bytes: usize,
}

/// When a closed medium is tried again.
#[derive(Debug, Default)]
pub struct Retry {
    /// Why it is closed.
    pub why: String,
    at: Instant,
    pause: Duration,
    lookup: Option<Lookup>,
    search: Option<PortSearch>,
}

impl Device {
    /// A medium that nobody tried to open yet.
    pub fn new(medium: Medium, link: LinkId, token: Token) -> Self {
        Self {
            medium,
            link,
            token,
            state: State::Closed(Retry::default()),
            peer: None,
            is_ready: false,
            share: Share::default(),
            failures: WriteFailures::default(),
            stall_notice: StallNotice::default(),
            dropped: 0,
            dropped_told: None,
            listener: None,
            line_errors: LineErrors::default(),
            has_texts: false,
            read_errors: 0,
            opened_at: Instant::default(),
            relapses: 0,
        }
    }

    /// Puts the next message into the buffer and gives its length; `None` when there is none, or none is due
    /// in this turn. An error means that the device is gone.
    pub fn receive(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, String> {
        match &self.state {
            State::Open(Port::Udp(_)) => self.receive_datagram(buffer),
            State::Open(Port::Serial(_)) => self.receive_text(buffer),
            State::Closed(_) | State::Own => Ok(None),
        }
    }

    /// Whether something may wait to be received.
    pub fn has_more(&self) -> bool {
        self.is_ready || self.has_texts
    }

    /// When the device wants attention without an event.
    pub fn next_deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Open(Port::Serial(serial)) => serial.next_deadline(),
            State::Closed(retry) => Some(retry.at),
            State::Open(Port::Udp(_)) | State::Own => None,
        }
    }

    /// From now on it is heard who else talks on a serial line, by the name of this node.
    pub fn listen_as(&mut self, local_node: &str) {
        if matches!(self.medium.kind, MediumKind::Serial { .. }) {
            self.listener = Some(Box::new(Listener::new(local_node)));
        }
    }

    /// Looks what a serial line has had of errors and of strangers; each where that is to be told.
    pub fn look_at_line(&mut self, now: Instant) -> (Option<Errors>, Option<Stranger>) {
        let State::Open(Port::Serial(serial)) = &self.state else {
            return (None, None);
        };
        let counts = serial.counts();
        let errors = counts.and_then(|counts| self.line_errors.look(now, counts));
        let listener = self.listener.as_mut();
        (errors, listener.and_then(|listener| listener.judge(now)))
    }

    /// What is known of it, where it is a serial line.
    pub fn serial_line(&self) -> Option<SerialLine> {
        let listener = self.listener.as_ref()?;
        let (has_flow_control, errors) = match &self.state {
            State::Open(Port::Serial(serial)) => {
                (Some(serial.has_flow_control()), self.line_errors.all())
            }
            _ => (None, None),
        };
        Some(SerialLine {
            has_flow_control,
            noise: listener.noise(),
            errors,
            stranger: listener.found().cloned(),
        })
    }

    /// The port is open; true when that is to be told.
    pub fn opened(&mut self, port: Port, now: Instant) -> bool {
        if let Port::Serial(serial) = &port {
            self.line_errors = LineErrors::new(serial.counts());
        }
        self.state = State::Open(port);
        self.is_ready = true;
        self.opened_at = now;
        self.relapses < RELAPSES_TOLD
    }

    /// True once for a device that failed again and again and now has been open for a while.
    pub fn is_steady_again(&mut self, now: Instant) -> bool {
        let is_steady = matches!(self.state, State::Open(_)) && now.since(self.opened_at) >= STEADY;
        is_steady && std::mem::take(&mut self.relapses) >= RELAPSES_TOLD
    }

    /// The open port failed and is dropped; true when that is to be told.
    pub fn closed(&mut self, now: Instant, why: &str) -> bool {
        let was_steady = now.since(self.opened_at) >= STEADY;
        self.relapses = if was_steady {
            0
        } else {
            self.relapses.saturating_add(1)
        };
        self.is_ready = false;
        self.has_texts = false;
        self.read_errors = 0;
        let mut retry = Retry {
            why: why.to_owned(),
            ..Retry::default()
        };
        // A device that fails as soon as it is open is tried no more often than one that does not open.
        (0..self.relapses.clamp(1, 8)).for_each(|_| retry.postpone(now));
        self.state = State::Closed(retry);
        self.relapses < RELAPSES_TOLD
    }

    /// An attempt to open failed; true when that is to be told.
    pub fn stays_closed(&mut self, now: Instant, why: &str) -> bool {
        let State::Closed(retry) = &mut self.state else {
            return false;
        };
        retry.postpone(now);
        let is_news = retry.why != why;
        if is_news {
            why.clone_into(&mut retry.why);
        }
        is_news
    }

    fn receive_datagram(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, String> {
        let State::Open(Port::Udp(udp)) = &self.state else {
            return Ok(None);
        };
        while self.is_ready && self.share.is_left() {
            match udp.receive(buffer) {
                Ok(length) => {
                    self.read_errors = 0;
                    self.share.take(length);
                    return Ok(Some(length));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_ready = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    // Reported once by the kernel, usually about something sent; what waits is still to be read.
                    self.share.take(0);
                    self.read_errors = self.read_errors.saturating_add(1);
                    if self.read_errors >= READ_ERRORS {
                        return Err(error.to_string());
                    }
                }
            }
        }
        Ok(None)
    }

    fn receive_text(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, String> {
        let State::Open(Port::Serial(serial)) = &mut self.state else {
            return Ok(None);
        };
        let mut bytes = [0; SERIAL_READ];
        while self.has_texts || self.is_ready {
            if !self.share.is_left() {
                return Ok(None);
            }
            if self.has_texts {
                if let Some(text) = serial.next_text() {
                    if let Some(listener) = &mut self.listener {
                        listener.heard(text);
                    }
                    self.share.messages = self.share.messages.saturating_sub(1);
                    if let Some(place) = buffer.get_mut(..text.len()) {
                        place.copy_from_slice(text);
                        return Ok(Some(text.len()));
                    }
                    continue;
                }
                self.has_texts = false;
            }
            if !self.is_ready {
                return Ok(None);
            }
            match serial.read(&mut bytes) {
                Ok(0) => return Err("the line was hung up".to_owned()),
                Ok(count) => {
                    self.share.bytes = self.share.bytes.saturating_sub(count);
                    if let Some(listener) = &mut self.listener {
                        listener.push(bytes.get(..count).unwrap_or_default());
                    }
                    self.has_texts = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_ready = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        Ok(None)
    }
}

impl Port {
    /// Opens a medium; `peer` is the resolved host of a unicast one.
    pub fn open(medium: &Medium, peer: Option<IpAddr>) -> Result<Self, String> {
        if let MediumKind::Serial { device, baud, flow } = &medium.kind {
            let serial =
                SerialPort::open(device, *baud, *flow).map_err(|error| error.to_string())?;
            return Ok(Self::Serial(Box::new(serial)));
        }
        UdpPort::open(&medium.link, &medium.kind, peer)
            .map(Self::Udp)
            .map_err(|error| error.to_string())
    }

    /// The descriptor to be watched.
    pub fn as_raw_fd(&self) -> RawFd {
        match self {
            Self::Serial(serial) => serial.as_raw_fd(),
            Self::Udp(udp) => udp.as_raw_fd(),
        }
    }

    /// Where datagrams go.
    pub fn destination(&self) -> Option<SocketAddr> {
        match self {
            Self::Serial(_) => None,
            Self::Udp(udp) => Some(udp.destination()),
        }
    }

    /// Whether this is a serial port whose lock file could not be written.
    pub fn lacks_lock_file(&self) -> bool {
        matches!(self, Self::Serial(serial) if serial.lacks_lock_file())
    }
}

impl Share {
    fn is_left(&self) -> bool {
        self.messages > 0 && self.bytes > 0
    }

    fn take(&mut self, bytes: usize) {
        self.messages = self.messages.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes);
    }
}

impl Default for Share {
    fn default() -> Self {
        Self {
            messages: SHARE_MESSAGES,
            bytes: SHARE_BYTES,
        }
    }
}

impl Retry {
    /// Looks a host up beside the daemon: `None` while that takes.
    pub fn look_up(
        &mut self,
        host: &str,
        v6: bool,
        now: Instant,
    ) -> Option<Result<IpAddr, String>> {
        let Some(lookup) = &mut self.lookup else {
            match Lookup::start(host, v6, now) {
                Ok(lookup) => self.lookup = Some(lookup),
                Err(error) => return Some(Err(error.to_string())),
            }
            self.at = now + resolver::POLL;
            return None;
        };
        let answer = lookup.poll(now);
        if answer.is_some() {
            self.lookup = None;
        } else {
            self.at = now + resolver::POLL;
        }
        answer
    }

    /// Looks beside the daemon who else uses a serial port.
    pub fn look_for_users(&mut self, device: &Path, now: Instant) -> Found {
        let Some(search) = &mut self.search else {
            return match PortSearch::start(device, now) {
                Ok(search) => {
                    self.search = Some(search);
                    self.at = now + port_search::POLL;
                    Found::Pending
                }
                // Nobody knows, so it is tried.
                Err(_) => Found::Free,
            };
        };
        let found = search.poll(now);
        match found {
            Found::Pending => self.at = now + port_search::POLL,
            Found::Free | Found::Used(_) => self.search = None,
            Found::Stuck => {}
        }
        found
    }

    fn postpone(&mut self, now: Instant) {
        let (first, longest) = PAUSES;
        self.pause = self.pause.saturating_mul(2).clamp(first, longest);
        self.at = now + self.pause;
    }
}

/// The host of a unicast medium, and whether it is to be reached by IPv6.
pub fn unicast_host(kind: &MediumKind) -> Option<(&str, bool)> {
    match kind {
        MediumKind::Ucast { host, .. } => Some((host, false)),
        MediumKind::Ucast6 { host, .. } => Some((host, true)),
        _ => None,
    }
}
