//! A link that exists only in numbers: delay, loss, duplication, corruption, and for a serial line a
//! byte rate with a queue in which the newest heartbeat replaces a waiting one, and a short one goes out between two lines
//! of whatever is under way.

use std::collections::VecDeque;
use std::rc::Rc;

use heartbeat::cluster::Packet;

use super::faults::Weather;
use super::plan::{LinkPlan, MS, Time};
use super::rng::Rng;

/// Messages that wait for a serial line, in each direction.
const QUEUE: usize = 64;
/// A heartbeat goes first once it has waited for so long.
const HEARTBEAT_PATIENCE: Time = 500 * MS;

/// Where bytes really come from, which no receiver is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// As the peer sent them, by a link of the pair.
    Genuine,
    /// Sent by the peer, changed on the way.
    Corrupted,
    /// Made up.
    Garbage,
    /// Genuine once, recorded and sent again by somebody else.
    Replayed,
    /// From another cluster.
    Foreign,
}

/// Bytes on their way, with what the world knows about them.
#[derive(Debug, Clone)]
pub struct Cargo {
    /// The message in both forms.
    pub packet: Rc<Packet>,
    /// Whether the text of the message travels, not its datagram.
    pub is_text: bool,
    /// The machine that sent it.
    pub from: usize,
    /// Which run of that machine's daemon sent it.
    pub run: u64,
    /// Counts the different numbered messages of that run from 1, in the order of their first sending; 0
    /// for a message that carries no number.
    pub number: u64,
    /// What it is.
    pub origin: Origin,
}

impl Cargo {
    /// What arrives.
    pub fn bytes(&self) -> &[u8] {
        if self.is_text {
            &self.packet.text
        } else {
            &self.packet.datagram
        }
    }

    /// The same with a bit turned or the end missing, in a place that matters.
    pub fn corrupted(&self, rng: &mut Rng) -> Self {
        let mut bytes = self.bytes().to_vec();
        // The line feed after the end of a text and the comma that ends a trailer may be anything.
        let length = bytes.len().saturating_sub(2);
        if rng.chance(200) {
            bytes.truncate(rng.index(length));
        } else if length > 0 {
            bytes[rng.index(length)] ^= 1 << rng.below(8);
        }
        let packet = if self.is_text {
            Packet {
                text: bytes,
                ..Packet::default()
            }
        } else {
            Packet {
                datagram: bytes,
                ..Packet::default()
            }
        };
        Self {
            packet: Rc::new(packet),
            origin: Origin::Corrupted,
            ..self.clone()
        }
    }
}

/// One link between the two machines; on a network everybody else on the segment hears it too.
pub struct VirtualLink {
    /// What it is like by itself.
    pub plan: LinkPlan,
    /// By the sending machine.
    pub weather: [Weather; 2],
    /// Which sender queues like 3.0.6: in order, and the newest is dropped.
    pub old: [bool; 2],
    /// A heartbeat was thrown away for an older one.
    pub lost_news: bool,
    lines: [SerialLine; 2],
}

/// One direction of a serial line.
#[derive(Default)]
struct SerialLine {
    moving: Option<Cargo>,
    /// A short heartbeat, which overtakes what moves.
    short: Option<Cargo>,
    waiting: VecDeque<Cargo>,
    /// For how long other messages were sent while a heartbeat waited.
    held_up: Time,
}

impl SerialLine {
    /// What is sent next: in order, but a heartbeat does not wait for longer than the daemon lets it.
    fn next(&mut self, is_old: bool, rate: u64) -> Option<Cargo> {
        let mut waiting = self.waiting.iter();
        let heartbeat = waiting.position(|cargo| cargo.packet.is_heartbeat && !is_old);
        let place = heartbeat.filter(|_| self.held_up >= HEARTBEAT_PATIENCE);
        let next = self.waiting.remove(place.unwrap_or(0))?;
        let is_heartbeat = heartbeat == Some(place.unwrap_or(0));
        self.held_up = match heartbeat {
            Some(_) if !is_heartbeat => self.held_up + transmission(&next, rate),
            _ => 0,
        };
        Some(next)
    }
}

impl VirtualLink {
    /// In fair weather.
    pub fn new(plan: LinkPlan, old: [bool; 2]) -> Self {
        Self {
            old,
            plan,
            weather: Default::default(),
            lost_news: false,
            lines: Default::default(),
        }
    }

    /// Whether it is a serial line.
    pub fn is_serial(&self) -> bool {
        self.plan.rate.is_some()
    }

    /// The delays after which one message arrives, and how: nothing, once or twice.
    pub fn travel(
        &self,
        rng: &mut Rng,
        cargo: &Cargo,
    ) -> impl Iterator<Item = (Time, Cargo)> + use<> {
        let weather = self.weather.get(cargo.from).copied().unwrap_or_default();
        let mut arrivals = [None, None];
        let copies = if weather.cut || rng.chance(weather.loss) {
            0
        } else if rng.chance(weather.duplication) {
            2
        } else {
            1
        };
        for arrival in arrivals.iter_mut().take(copies) {
            let jitter = rng.below(self.plan.jitter + weather.extra_jitter + 1);
            let delay = self.plan.delay + weather.extra_delay + jitter;
            let arriving = if rng.chance(weather.corruption) {
                cargo.corrupted(rng)
            } else {
                cargo.clone()
            };
            *arrival = Some((delay, arriving));
        }
        arrivals.into_iter().flatten()
    }

    /// Hands a message to the serial line. Returns how long its transmission takes when it begins now.
    pub fn queue(&mut self, cargo: Cargo) -> Option<Time> {
        let rate = self.plan.rate?;
        let line = self.lines.get_mut(cargo.from)?;
        if line.moving.is_none() {
            let time = transmission(&cargo, rate);
            line.moving = Some(cargo);
            return Some(time);
        }
        if self.old.get(cargo.from) == Some(&true) {
            if line.waiting.len() < QUEUE {
                line.waiting.push_back(cargo);
            }
            return None;
        }
        if cargo.packet.is_short {
            line.short = Some(cargo);
            return None;
        }
        let is_heartbeat = cargo.packet.is_heartbeat;
        let waiting = line
            .waiting
            .iter()
            .position(|other| other.packet.is_heartbeat);
        match waiting {
            Some(place) if is_heartbeat => {
                let waiting = &line.waiting[place];
                let is_same_run = cargo.packet.generation == waiting.packet.generation;
                self.lost_news |= is_same_run && cargo.number < waiting.number;
                line.waiting[place] = cargo;
            }
            _ if line.waiting.len() < QUEUE => line.waiting.push_back(cargo),
            Some(place) => {
                line.waiting.remove(place);
                line.waiting.push_back(cargo);
            }
            None => {}
        }
        None
    }

    /// The transmission in this direction ended: what has left, and how long the next one takes.
    pub fn transmitted(&mut self, from: usize) -> (Option<Cargo>, Option<Time>) {
        let Some(rate) = self.plan.rate else {
            return (None, None);
        };
        let Some(line) = self.lines.get_mut(from) else {
            return (None, None);
        };
        let is_long = line.moving.as_ref().is_some_and(|m| !m.packet.is_short);
        if let Some(short) = line.short.take_if(|_| is_long) {
            let time = transmission(&short, rate); // which the end of the message is later by
            return (Some(short), Some(time));
        }
        let left = line.moving.take();
        let short = line.short.take();
        line.moving = short.or_else(|| line.next(self.old.get(from) == Some(&true), rate));
        let next = line.moving.as_ref().map(|cargo| transmission(cargo, rate));
        (left, next)
    }

    /// The sender is gone and with it what waited; what moves still occupies the line.
    pub fn forget(&mut self, from: usize) {
        if let Some(line) = self.lines.get_mut(from) {
            line.waiting.clear();
            line.short = None;
        }
    }
}

fn transmission(cargo: &Cargo, rate: u64) -> Time {
    cargo.packet.text.len() as u64 * 1_000_000 / rate.max(1)
}
