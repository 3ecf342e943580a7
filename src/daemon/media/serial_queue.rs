//! What waits for a serial line, and how much of it the line may be given now. A value: no descriptor, no clock.
//!
//! A serial port is slow and its driver takes kilobytes without a word, so whatever is handed over early is old
//! when it leaves. Therefore the driver is fed by the pace of the line, and what waits here can still be replaced.
//!
//! A message can take a slow line longer than the peer waits for a sign of life. So a short heartbeat, which goes only to a
//! node that reads it there, waits for no more than the end of a line: it goes out between two lines of a message. Where they
//! come faster than the line carries them, the message goes on by a line after every [`MOST_INSETS`].

use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use super::serial_pace::Pace;
use crate::cluster::{Instant, Packet};
use crate::message::MOST_INSETS;

/// The most messages that wait beside the one heartbeat.
pub const MAX_MESSAGES: usize = 64;
/// The most bytes that those messages have together.
pub const MAX_BYTES: usize = 64 * 1024;
/// How long a heartbeat waits behind other messages before it goes first.
const HEARTBEAT_PATIENCE: Duration = Duration::from_millis(500);
/// Ends whatever the receiver collects of a message that was cut, so that the next one is read whole.
const CUT: &[u8] = b"\n<<<\n";
/// Ends a line of which nobody knows whether it was cut.
const LINE_END: &[u8] = b"\n";

/// What is to be done with the port now.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Give these bytes to the driver, first the one part and then the other, and call [`SerialQueue::wrote`].
    Write([&'a [u8]; 2]),
    /// Discard what the driver still holds.
    Flush {
        /// Whether the line was found standing still.
        stalled: bool,
    },
    /// Nothing until [`SerialQueue::next_deadline`] or a new packet.
    Wait,
}

/// Messages on their way to one serial port.
#[derive(Debug)]
pub struct SerialQueue {
    pace: Pace,
    /// What must precede the next message so that it starts on a line of its own.
    prefix: &'static [u8],
    current: Option<Current>,
    /// A short heartbeat under way: it goes before `current`, or between two lines of it.
    inset: Option<Current>,
    /// The newest short heartbeat, where that has not been begun.
    short: Option<Rc<Packet>>,
    heartbeat: Option<Waiting>,
    messages: VecDeque<Rc<Packet>>,
    bytes: usize,
    /// Since the last flush of a stalled line nothing was seen to move: only heartbeats try their luck.
    stalled: bool,
    dropped: u64,
    /// Of the packet that came last.
    generation: u64,
    /// What the driver holds is of an earlier generation.
    is_outdated: bool,
    wake: Option<Instant>,
}

#[derive(Debug)]
struct Current {
    packet: Rc<Packet>,
    written: usize,
    /// So many short heartbeats went out since the last line of it.
    insets: u8,
}

impl Current {
    fn new(packet: Rc<Packet>) -> Self {
        Self {
            packet,
            written: 0,
            insets: 0,
        }
    }

    fn rest(&self) -> &[u8] {
        self.packet.text.get(self.written..).unwrap_or_default()
    }

    /// Whether a short heartbeat may go out now: what was written of it ends with a line, or nothing was.
    fn may_be_parted(&self) -> bool {
        let written = self.packet.text.get(..self.written).unwrap_or_default();
        self.insets < MOST_INSETS && written.last().is_none_or(|&byte| byte == b'\n')
    }

    /// So many bytes were written; true when those were the last.
    fn advance(&mut self, count: usize) -> bool {
        if count > 0 {
            self.insets = 0;
        }
        self.written = self.written.saturating_add(count);
        self.written >= self.packet.text.len()
    }
}

#[derive(Debug)]
struct Waiting {
    packet: Rc<Packet>,
    /// How many other messages came before it.
    before: usize,
    /// When the first heartbeat of those that it replaced came.
    since: Instant,
}

impl SerialQueue {
    /// An empty queue for a line of this many bits per second.
    pub fn new(baud: u32) -> Self {
        Self {
            pace: Pace::new(baud),
            prefix: LINE_END,
            current: None,
            inset: None,
            short: None,
            heartbeat: None,
            messages: VecDeque::with_capacity(MAX_MESSAGES),
            bytes: 0,
            stalled: false,
            dropped: 0,
            generation: 0,
            is_outdated: false,
            wake: None,
        }
    }

    /// Lets a packet wait. A heartbeat takes the place of a waiting one; for others the oldest make room. A short heartbeat
    /// takes the place of a short one only, and is behind no other message.
    pub fn push(&mut self, now: Instant, packet: &Rc<Packet>) {
        let length = packet.text.len();
        if length == 0 {
            return;
        }
        if packet.generation != self.generation {
            self.begin_generation(packet.generation);
        }
        if packet.is_heartbeat {
            return self.push_heartbeat(now, packet);
        }
        if length > MAX_BYTES {
            self.dropped = self.dropped.saturating_add(1);
            return;
        }
        while self.messages.len() >= MAX_MESSAGES || self.bytes.saturating_add(length) > MAX_BYTES {
            if self.pop_message().is_none() {
                break;
            }
            self.dropped = self.dropped.saturating_add(1);
        }
        self.bytes = self.bytes.saturating_add(length);
        self.messages.push_back(Rc::clone(packet));
    }

    /// What to do now, given how many bytes the driver says it still holds (0 where it can't tell).
    pub fn step(&mut self, now: Instant, held: usize) -> Step<'_> {
        if self.pace.observe(now, held) {
            self.stalled = false;
        }
        self.wake = None;
        if std::mem::take(&mut self.is_outdated) {
            self.pace.forget(now);
            return Step::Flush { stalled: false };
        }
        if self.pace.is_stalled(now) {
            self.give_up_line(now);
            return Step::Flush { stalled: true };
        }
        let is_idle = self.current.is_none() && self.inset.is_none();
        if is_idle && self.has_next(now) {
            if self.pace.may_hold_leftovers(now) {
                self.pace.forget(now);
                self.prefix = if self.prefix.is_empty() {
                    LINE_END
                } else {
                    self.prefix
                };
                return Step::Flush { stalled: false };
            }
            if self.pace.has_room(now) && !self.pace.is_blocked_at(now) {
                self.begin(now);
            }
        }
        let may_insert = self.current.as_ref().is_some_and(Current::may_be_parted);
        if may_insert && self.inset.is_none() {
            self.inset = self.short.take().map(Current::new);
        }
        let room = self.pace.room(now);
        let is_idle = self.current.is_none() && self.inset.is_none();
        if is_idle || room == 0 || self.pace.is_blocked_at(now) {
            self.wake = self.pace.wake(now, !is_idle || self.has_next(now));
            return Step::Wait;
        }
        let Some(current) = self.inset.as_ref().or(self.current.as_ref()) else {
            return Step::Wait;
        };
        let mut rest = current.rest();
        if self.short.is_some()
            && let Some(end) = rest.iter().position(|&byte| byte == b'\n')
        {
            rest = rest.get(..=end).unwrap_or(rest);
        }
        let prefix = self.prefix.get(..room).unwrap_or(self.prefix);
        let room = room.saturating_sub(prefix.len());
        Step::Write([prefix, rest.get(..room).unwrap_or(rest)])
    }

    /// The driver took this many of the bytes given last; 0 when it took none.
    pub fn wrote(&mut self, now: Instant, count: usize) {
        self.pace.wrote(now, count);
        let of_prefix = count.min(self.prefix.len());
        self.prefix = self.prefix.get(of_prefix..).unwrap_or_default();
        let count = count.saturating_sub(of_prefix);
        let Some(inset) = &mut self.inset else {
            self.current.take_if(|current| current.advance(count));
            return;
        };
        if inset.advance(count) {
            self.inset = None;
            if let Some(current) = &mut self.current {
                current.insets = current.insets.saturating_add(1);
            }
        }
    }

    /// A message of the other side came in on this line, so what is written to it is likely fetched as well.
    pub fn heard(&mut self) {
        self.pace.heard();
    }

    /// What the driver held was thrown away, and the line is not in anybody's way any more.
    pub fn emptied(&mut self, now: Instant) {
        self.give_up_line(now);
        self.stalled = false;
    }

    /// When [`step`](Self::step) wants to be called again without a new packet.
    pub fn next_deadline(&self) -> Option<Instant> {
        self.wake
    }

    /// Whether the line was not found standing still, or bytes have left since.
    pub fn is_moving(&self) -> bool {
        !self.stalled
    }

    /// How many messages did not fit since this was asked last; replaced heartbeats do not count.
    pub fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }

    /// Whether something waits, or the line has not had the time for what was written.
    pub fn has_unsent(&self, now: Instant) -> bool {
        self.current.is_some()
            || self.inset.is_some()
            || self.short.is_some()
            || self.heartbeat.is_some()
            || !self.messages.is_empty()
            || self.pace.is_busy(now)
    }

    fn push_heartbeat(&mut self, now: Instant, packet: &Rc<Packet>) {
        // Without `current` a short one does not wait for the end of a line, but for a line that stands still.
        if packet.is_short || self.current.is_none() {
            self.inset.take_if(|inset| inset.written == 0); // that is as old as what waits
            self.short = packet.is_short.then(|| Rc::clone(packet));
        }
        if packet.is_short {
            return;
        }
        let (before, since) = match &self.heartbeat {
            Some(waiting) => (waiting.before, waiting.since),
            None => (self.messages.len(), now),
        };
        self.heartbeat = Some(Waiting {
            packet: Rc::clone(packet),
            before,
            since,
        });
    }

    /// A peer of heartbeat 3.0.6 that hears the earlier run again after it has held us for dead gives up everything:
    /// what has not left by now must not leave any more.
    fn begin_generation(&mut self, generation: u64) {
        if self.generation != 0 {
            self.messages.clear();
            (self.bytes, self.heartbeat, self.current) = (0, None, None);
            (self.short, self.inset) = (None, None);
            (self.is_outdated, self.prefix) = (true, CUT);
        }
        self.generation = generation;
    }

    fn has_next(&self, now: Instant) -> bool {
        self.short.is_some()
            || self.heartbeat_is_due(now)
            || (!self.stalled && !self.messages.is_empty())
    }

    fn heartbeat_is_due(&self, now: Instant) -> bool {
        self.heartbeat.as_ref().is_some_and(|waiting| {
            self.stalled || waiting.before == 0 || now.since(waiting.since) >= HEARTBEAT_PATIENCE
        })
    }

    fn begin(&mut self, now: Instant) {
        if let Some(short) = self.short.take() {
            self.inset = Some(Current::new(short));
            return;
        }
        let packet = if self.heartbeat_is_due(now) {
            self.heartbeat.take().map(|waiting| waiting.packet)
        } else {
            self.pop_message()
        };
        self.current = packet.map(Current::new);
    }

    fn pop_message(&mut self) -> Option<Rc<Packet>> {
        let packet = self.messages.pop_front()?;
        self.bytes = self.bytes.saturating_sub(packet.text.len());
        if let Some(waiting) = &mut self.heartbeat {
            waiting.before = waiting.before.saturating_sub(1);
        }
        Some(packet)
    }

    /// The line stands still: what was begun is lost, and the receiver must be able to tell.
    fn give_up_line(&mut self, now: Instant) {
        self.pace.forget(now);
        self.stalled = true;
        self.prefix = CUT;
        self.inset = None;
        if let Some(current) = &mut self.current {
            current.insets = 0;
        }
        // A heartbeat that did not get out in this time is old; anything else not begun may still be news.
        if self
            .current
            .as_ref()
            .is_some_and(|current| current.written > 0 || current.packet.is_heartbeat)
        {
            self.current = None;
        }
    }
}

#[cfg(test)]
mod tests;
