//! All links of this node: opening them, reading them fairly, sending without ever waiting, opening again what failed.
//!
//! Nothing here knows what a message says or what a silent link means.

pub mod device;
pub mod line_errors;
pub mod port_search;
pub mod port_users;
pub mod report;
pub mod resolver;
pub mod serial;
pub mod serial_flow;
mod serial_lines;
pub mod serial_lock;
pub mod serial_open;
pub mod serial_pace;
pub mod serial_queue;
pub mod stall_notice;
pub mod stranger;
pub mod udp;
pub mod write_failures;

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

use mio::event::Event;
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};

use crate::cluster::{Instant, LinkId, Packet};
use crate::config::{Config, Medium};
use crate::message::MAX_WIRE;
use device::{Device, Port, Share, State, unicast_host};
use port_search::Found;
use report::{MediaError, MediaReport, name};
use udp::MAX_DATAGRAM;

/// The numbers that a set of devices has in the event loop.
pub type TokenRange = Range<usize>;

/// How often it is looked whether interfaces are still what they were.
const INSPECTION: Duration = Duration::from_secs(10);
/// Lost and oversized messages are told once in this time.
const LOSS_TOLD: Duration = Duration::from_secs(60);
/// Reports that wait; each medium makes few, so that only a caller who never asks can reach this.
const MAX_REPORTS: usize = 1024;

/// All open links of this node.
#[derive(Debug)]
pub struct Media {
    registry: Registry,
    links: Vec<String>,
    devices: Vec<Device>,
    tokens: TokenRange,
    /// The device to be read next.
    next: usize,
    buffer: Vec<u8>,
    reports: VecDeque<MediaReport>,
    /// The time as last told.
    now: Instant,
    inspected_at: Instant,
    too_large_told: Option<Instant>,
}

impl Media {
    /// Opens every medium; those that cannot be opened are kept as closed and retried on a timer. Fails when none opened.
    pub fn open(
        config: &Config,
        registry: &Registry,
        tokens: TokenRange,
    ) -> Result<Self, MediaError> {
        let registry = registry.try_clone().map_err(MediaError::Loop)?;
        let mut media = Self {
            registry,
            links: Vec::new(),
            devices: Vec::new(),
            tokens,
            next: 0,
            buffer: vec![0; MAX_WIRE.max(MAX_DATAGRAM) + 1],
            reports: VecDeque::new(),
            now: Instant::default(),
            inspected_at: Instant::default(),
            too_large_told: None,
        };
        for medium in &config.media {
            media.add(medium)?;
        }
        for device in &mut media.devices {
            device.listen_as(&config.local_node);
        }
        if media
            .devices
            .iter()
            .any(|device| matches!(device.state, State::Open(_)))
        {
            return Ok(media);
        }
        if media.devices.is_empty() && !config.media.is_empty() {
            return Err(MediaError::OnlyOwnAddresses);
        }
        let reasons = media
            .devices
            .iter()
            .filter_map(|device| match &device.state {
                State::Closed(retry) => Some(format!("{}: {}", name(&device.medium), retry.why)),
                _ => None,
            });
        Err(MediaError::NoneOpened(reasons.collect()))
    }

    /// The links by [`LinkId`]. Two media of one name are one link.
    pub fn links(&self) -> &[String] {
        &self.links
    }

    /// Takes note that a device of the event loop is ready; events of others are ignored.
    pub fn ready(&mut self, event: &Event, now: Instant) {
        self.now = now;
        let index = event.token().0.checked_sub(self.tokens.start);
        if let Some(device) = index.and_then(|index| self.devices.get_mut(index)) {
            // A hang-up or an error shows when the device is read, after the last bytes.
            device.is_ready = matches!(device.state, State::Open(_));
        }
    }

    /// The next datagram or message text, from all devices by turns. `None`: each had its share, or has no more.
    pub fn receive(&mut self) -> Option<(LinkId, &[u8])> {
        for _ in 0..self.devices.len() {
            let index = self.next;
            self.next = (index + 1) % self.devices.len();
            let device = self.devices.get_mut(index)?;
            match device.receive(&mut self.buffer) {
                Ok(Some(length)) => {
                    let link = device.link;
                    return self.buffer.get(..length).map(|bytes| (link, bytes));
                }
                Ok(None) => {}
                Err(why) => self.close(index, why),
            }
        }
        for device in &mut self.devices {
            device.share = Share::default();
        }
        None
    }

    /// Whether a device had more than its share: do not wait before the next turn.
    pub fn has_more(&self) -> bool {
        self.devices.iter().any(Device::has_more)
    }

    /// Hands a packet to every open medium of its links. Never waits.
    pub fn send(&mut self, packet: &Rc<Packet>, now: Instant) {
        self.now = now;
        let mut too_large = false;
        for index in 0..self.devices.len() {
            too_large |= self.send_on(index, packet);
        }
        if too_large && is_due(&mut self.too_large_told, now, LOSS_TOLD) {
            self.report(MediaReport::TooLarge {
                bytes: packet.datagram.len(),
            });
        }
    }

    /// Does what is due: opens closed media again, writes on to serial lines, looks after interfaces.
    pub fn turn(&mut self, now: Instant) {
        self.now = now;
        let inspect = now.since(self.inspected_at) >= INSPECTION;
        if inspect {
            self.inspected_at = now;
        }
        for index in 0..self.devices.len() {
            if inspect {
                self.inspect(index);
            }
            let Some(device) = self.devices.get(index) else {
                continue;
            };
            if device
                .next_deadline()
                .is_some_and(|deadline| deadline <= now)
            {
                match device.state {
                    State::Open(_) => self.write_serial(index),
                    State::Closed(_) => self.retry(index),
                    State::Own => {}
                }
            }
        }
    }

    /// When [`turn`](Self::turn) has something to do.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.devices.iter().filter_map(Device::next_deadline).min()
    }

    /// Whether a serial line still has something to send. Before an end, wait for this to become false, but not for
    /// ever: a line can stand still.
    pub fn has_unsent(&self, now: Instant) -> bool {
        self.devices
            .iter()
            .any(|device| matches!(&device.state, State::Open(Port::Serial(serial)) if serial.has_unsent(now)))
    }

    /// Whether there is something to tell.
    pub fn has_reports(&self) -> bool {
        !self.reports.is_empty()
    }

    /// The next thing to tell.
    pub fn next_report(&mut self) -> Option<MediaReport> {
        self.reports.pop_front()
    }

    fn report(&mut self, report: MediaReport) {
        if self.reports.len() < MAX_REPORTS {
            self.reports.push_back(report);
        }
    }

    fn add(&mut self, medium: &Medium) -> Result<(), MediaError> {
        let resolved = match unicast_host(&medium.kind) {
            Some((host, v6)) => resolver::resolve(host, v6).map(Some),
            None => Ok(None),
        };
        if let Ok(Some(peer)) = resolved
            && resolver::is_own(peer, &medium.link)
        {
            self.report(MediaReport::OwnAddress(medium.clone()));
            return Ok(());
        }
        let index = self.devices.len();
        let link = self
            .links
            .iter()
            .position(|link| *link == medium.link)
            .unwrap_or(self.links.len());
        let limit = self.tokens.len().min(usize::from(u8::MAX) + 1);
        let number = u8::try_from(link)
            .ok()
            .filter(|_| index < limit)
            .ok_or(MediaError::TooMany { limit })?;
        if link == self.links.len() {
            self.links.push(medium.link.clone());
        }
        self.devices.push(Device::new(
            medium.clone(),
            LinkId(number),
            Token(self.tokens.start + index),
        ));
        match resolved {
            Ok(peer) => {
                if let Some(device) = self.devices.last_mut() {
                    device.peer = peer;
                }
                match port_users::shared(&medium.kind).and_then(|real| port_users::obstacle(&real))
                {
                    Some(obstacle) => self.stay_closed(index, obstacle.to_string()),
                    None => self.try_open(index),
                }
            }
            Err(why) => self.stay_closed(index, format!("cannot resolve its host: {why}")),
        }
        Ok(())
    }

    fn try_open(&mut self, index: usize) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        let port = match Port::open(&device.medium, device.peer) {
            Ok(port) => port,
            Err(why) => return self.stay_closed(index, why),
        };
        if let Err(error) = self.registry.register(
            &mut SourceFd(&port.as_raw_fd()),
            device.token,
            Interest::READABLE,
        ) {
            return self.stay_closed(index, format!("the event loop does not take it: {error}"));
        }
        if device.opened(port, now) {
            self.tell_opened(index);
        }
    }

    fn tell_opened(&mut self, index: usize) {
        let Some(Device {
            medium,
            state: State::Open(port),
            ..
        }) = self.devices.get(index)
        else {
            return;
        };
        let medium = medium.clone();
        let destination = port.destination();
        if port.lacks_lock_file() {
            self.report(MediaReport::NoLockFile {
                device: medium.link.clone(),
            });
        }
        self.report(MediaReport::Opened {
            medium,
            destination,
        });
    }

    /// Opening failed, for the first time or again.
    fn stay_closed(&mut self, index: usize, why: String) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        if device.stays_closed(now, &why) {
            let name = name(&device.medium);
            self.report(MediaReport::NotOpened { name, why });
        }
    }

    fn close(&mut self, index: usize, why: String) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        if let State::Open(port) = &device.state {
            // The descriptor is closed next, which also takes it out of the loop should this fail.
            let _ = self.registry.deregister(&mut SourceFd(&port.as_raw_fd()));
        }
        if device.closed(now, &why) {
            let name = name(&device.medium);
            self.report(MediaReport::Closed { name, why });
        }
    }

    fn retry(&mut self, index: usize) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        if let (Some((host, v6)), None) = (unicast_host(&device.medium.kind), device.peer) {
            let State::Closed(retry) = &mut device.state else {
                return;
            };
            match retry.look_up(host, v6, now) {
                None => return,
                Some(Err(why)) => {
                    return self.stay_closed(index, format!("cannot resolve its host: {why}"));
                }
                Some(Ok(peer)) if resolver::is_own(peer, &device.medium.link) => {
                    device.state = State::Own;
                    let report = MediaReport::OwnAddress(device.medium.clone());
                    return self.report(report);
                }
                Some(Ok(peer)) => device.peer = Some(peer),
            }
        }
        if let (Some(path), State::Closed(retry)) =
            (port_users::shared(&device.medium.kind), &mut device.state)
        {
            match retry.look_for_users(&path, now) {
                Found::Pending => return,
                Found::Used(why) => return self.stay_closed(index, why),
                Found::Free | Found::Stuck => {}
            }
        }
        self.try_open(index);
    }

    fn inspect(&mut self, index: usize) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        if device.is_steady_again(now) {
            self.tell_opened(index);
        }
        self.look_at_line(index);
        let Some(Device {
            state: State::Open(Port::Udp(udp)),
            medium,
            ..
        }) = self.devices.get(index)
        else {
            return;
        };
        if let Some(why) = udp.outdated(&medium.link, &medium.kind) {
            self.close(index, why.to_owned());
        }
    }

    /// True when the packet is too large for this medium.
    fn send_on(&mut self, index: usize, packet: &Rc<Packet>) -> bool {
        let now = self.now;
        let Some(device) = self.devices.get_mut(index) else {
            return false;
        };
        if packet.link.is_some_and(|link| link != device.link) {
            return false;
        }
        let State::Open(port) = &mut device.state else {
            return false;
        };
        let sent = match port {
            Port::Serial(serial) => {
                serial.push(now, packet);
                self.write_serial(index);
                return false;
            }
            Port::Udp(_) if packet.datagram.len() > MAX_DATAGRAM => return true,
            Port::Udp(udp) => udp.send(&packet.datagram),
        };
        match sent {
            Ok(()) => {
                if let Some(failures) = device.failures.worked() {
                    let name = name(&device.medium);
                    self.report(MediaReport::WritesAgain { name, failures });
                }
            }
            Err(error) => self.send_failed(index, &error),
        }
        false
    }

    fn send_failed(&mut self, index: usize, error: &io::Error) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        let notice = device.failures.failed(now);
        let name = name(&device.medium);
        if notice.failure {
            let why = error.to_string();
            self.report(MediaReport::WriteFailure {
                name: name.clone(),
                why,
            });
        }
        if notice.suppressing {
            self.report(MediaReport::Suppressing);
        }
        if notice.hint {
            self.report(MediaReport::CableHint { name });
        }
        if error.kind() != io::ErrorKind::WouldBlock {
            self.inspect(index);
        }
    }

    fn write_serial(&mut self, index: usize) {
        let now = self.now;
        let Some(device) = self.devices.get_mut(index) else {
            return;
        };
        let State::Open(Port::Serial(serial)) = &mut device.state else {
            return;
        };
        let written = serial.write(now);
        device.dropped = device.dropped.saturating_add(serial.take_dropped());
        let stalled = written.as_ref().is_ok_and(|written| written.stalled);
        let timeout = device.stall_notice.is_due(stalled, serial.is_moving(), now);
        let news = serial.next_news(now);
        let overflow = device.dropped > 0 && is_due(&mut device.dropped_told, now, LOSS_TOLD);
        let timeout = timeout.then(|| MediaReport::SerialTimeout {
            device: device.medium.link.clone(),
        });
        let overflow = overflow.then(|| {
            let dropped = std::mem::take(&mut device.dropped);
            MediaReport::QueueFull {
                name: name(&device.medium),
                dropped,
            }
        });
        let handshake = news.map(|handshake| MediaReport::SerialFlow {
            name: name(&device.medium),
            handshake,
        });
        for report in [handshake, timeout, overflow].into_iter().flatten() {
            self.report(report);
        }
        if let Err(error) = written {
            self.close(index, error.to_string());
        }
    }
}

/// Whether something may be told again; if so, it counts as told now.
fn is_due(told: &mut Option<Instant>, now: Instant, interval: Duration) -> bool {
    let due = told.is_none_or(|told| now.since(told) >= interval);
    if due {
        *told = Some(now);
    }
    due
}
