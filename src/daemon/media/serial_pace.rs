//! How far a serial line is behind what was written to it. A value: no descriptor, no clock.

use std::time::Duration;

use crate::cluster::Instant;

/// How long a line may stand still before what the driver holds is thrown away.
const STALL: Duration = Duration::from_millis(500);
/// How long a line must have been quiet before leftovers on a port that cannot count them are thrown away.
const QUIET: Duration = Duration::from_millis(50);
/// Nothing is thrown away before so many bytes were written without a word from the other side: four full heartbeats, or
/// twenty short ones. While it talks, what was written is taken to arrive, late as it may be: a pseudo terminal on a busy
/// machine was seen to need seconds, and what is thrown away meanwhile is the end of our own last message.
const UNHEARD: usize = 1024;
/// Bits that one byte takes on the line: start, eight, stop.
const BITS: u64 = 10;

/// How far the line is behind what was written.
#[derive(Debug)]
pub struct Pace {
    baud: u64,
    /// When the line is done with all that was written, going by its rate alone.
    idle_at: Instant,
    /// What the driver held when asked last, plus what was written since.
    held: usize,
    /// When the driver's count last went down or was nothing.
    moved_at: Instant,
    /// The driver was seen to count. A pty never does.
    counts: bool,
    /// Since when the driver takes nothing, and when to try again.
    blocked: Option<(Instant, Instant)>,
    /// Something was written since the driver was last emptied.
    dirty: bool,
    /// So many bytes were written since the other side was last heard.
    unheard: usize,
}

impl Pace {
    /// A line of this many bits per second on which nothing was written.
    pub fn new(baud: u32) -> Self {
        Self {
            baud: u64::from(baud.max(1)),
            idle_at: Instant::default(),
            held: 0,
            moved_at: Instant::default(),
            counts: false,
            blocked: None,
            dirty: false,
            unheard: 0,
        }
    }

    /// The most that is given ahead of the line, and that whatever is more urgent waits for: a twentieth of a second's worth,
    /// about a short heartbeat at 9600.
    fn window(&self) -> usize {
        usize::try_from(self.baud / BITS / 20)
            .unwrap_or(usize::MAX)
            .clamp(32, 256)
    }

    fn line_time(&self, bytes: usize) -> Duration {
        let bits = u64::try_from(bytes)
            .unwrap_or(u64::MAX)
            .saturating_mul(BITS);
        Duration::from_micros(bits.saturating_mul(1_000_000) / self.baud)
    }

    /// Takes note of the driver's count; true when bytes left since the last time.
    pub fn observe(&mut self, now: Instant, held: usize) -> bool {
        self.counts |= held > 0;
        let moved = held < self.held;
        if moved || held == 0 {
            self.moved_at = now;
        }
        self.held = held;
        moved
    }

    /// The driver took this many bytes; 0 when it took none.
    pub fn wrote(&mut self, now: Instant, count: usize) {
        if count == 0 {
            let since = self.blocked.map_or(now, |(since, _)| since);
            let pause = self
                .line_time(self.window() / 2)
                .max(Duration::from_millis(20));
            self.blocked = Some((since, now + pause));
            return;
        }
        self.blocked = None;
        self.dirty = true;
        self.unheard = self.unheard.saturating_add(count);
        if self.held == 0 {
            self.moved_at = now;
        }
        self.held = self.held.saturating_add(count);
        self.idle_at = self.idle_at.max(now) + self.line_time(count);
    }

    /// Nothing of what was written is left in the driver.
    pub fn forget(&mut self, now: Instant) {
        self.idle_at = now;
        self.moved_at = now;
        self.held = 0;
        self.blocked = None;
        self.dirty = false;
    }

    /// The other side has said something.
    pub fn heard(&mut self) {
        self.unheard = 0;
    }

    fn ahead(&self, now: Instant) -> usize {
        let micros = u64::try_from(self.idle_at.since(now).as_micros()).unwrap_or(u64::MAX);
        let by_rate = micros
            .saturating_mul(self.baud)
            .div_ceil(BITS.saturating_mul(1_000_000));
        usize::try_from(by_rate)
            .unwrap_or(usize::MAX)
            .max(self.held)
    }

    /// Whether the line needs more time for what was written.
    pub fn is_busy(&self, now: Instant) -> bool {
        self.idle_at > now
    }

    /// Small gaps are left to grow, so that the line is fed in pieces and not in bytes.
    pub fn has_room(&self, now: Instant) -> bool {
        self.ahead(now) <= self.window() / 2
    }

    /// How many bytes may be given to the driver now.
    pub fn room(&self, now: Instant) -> usize {
        if self.has_room(now) {
            self.window().saturating_sub(self.ahead(now))
        } else {
            0
        }
    }

    fn patience(&self) -> Duration {
        // Some drivers report in blocks, so a slow line may look still while one block leaves.
        STALL + self.line_time(self.held) + self.line_time(self.held)
    }

    /// Whether nothing has left for so long that what the driver holds is no longer news.
    pub fn is_stalled(&self, now: Instant) -> bool {
        (self.held > 0 && now.since(self.moved_at) >= self.patience())
            || self
                .blocked
                .is_some_and(|(since, _)| now.since(since) >= STALL)
    }

    /// Whether the driver refused a moment ago.
    pub fn is_blocked_at(&self, now: Instant) -> bool {
        self.blocked.is_some_and(|(_, retry)| now < retry)
    }

    /// A port that cannot count may hold what nobody fetched; on a line that works it holds nothing by now.
    pub fn may_hold_leftovers(&self, now: Instant) -> bool {
        !self.counts
            && self.dirty
            && self.unheard >= UNHEARD
            && self.blocked.is_none()
            && now >= self.idle_at + QUIET
    }

    /// When to look again; `more` when something waits to be written.
    pub fn wake(&self, now: Instant, more: bool) -> Option<Instant> {
        if let (Some((since, retry)), true) = (self.blocked, more) {
            return Some(retry.min(since + STALL).max(now));
        }
        let stall = (self.held > 0).then(|| self.moved_at + self.patience());
        if !more {
            return stall;
        }
        let surplus = self.ahead(now).saturating_sub(self.window() / 2);
        let next = now + self.line_time(surplus).max(Duration::from_millis(1));
        Some(stall.map_or(next, |stall| next.min(stall)))
    }
}
