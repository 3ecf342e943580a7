//! The test itself: listens, knocks, talks to another test, and tries other rates where nothing makes sense.

use std::io;
use std::time::Duration;

use super::end::End;
use super::findings::{Findings, Wires};
use super::line::{Kind, Line, Outputs};
use super::verdict::Verdict;
use crate::cluster::Instant;
use crate::daemon::clock;
use crate::daemon::media::serial_open::OpenedPort;

/// How long a handshake wire may take to change, with a driver that asks an adapter.
const SETTLE: Duration = Duration::from_millis(30);
/// A change of a wire that comes so soon after one of ours may be ours.
const OWN_CHANGE: Duration = Duration::from_millis(150);
/// How long an answer may take, beside the time that the lines take.
const PATIENCE: Duration = Duration::from_millis(250);
/// What fills up a probe and its answer.
const FILL: usize = 40;
/// What fills up one of many lines.
const FILL_OF_MANY: usize = 150;
/// A probe and its answer, on the line.
const EXCHANGE: usize = 200;
/// So many echoes of our own words are enough.
const ECHOES: u64 = 8;
/// So many messages of heartbeat are enough.
const MESSAGES: u64 = 3;
/// The rates that are tried where nothing makes sense at ours.
const RATES: [u32; 10] = [
    9600, 19_200, 115_200, 38_400, 57_600, 230_400, 460_800, 4800, 2400, 1200,
];
const ALL_UP: Outputs = Outputs {
    rts: true,
    dtr: true,
};

const RTS_DOWN: Outputs = Outputs {
    rts: false,
    dtr: true,
};

/// A test that runs.
pub struct Session<'a> {
    end: End<'a>,
    baud: u32,
    time: Duration,
    /// Which test this is.
    id: u32,
    found: Findings,
    /// The number of the line sent last.
    number: u32,
    asked: Option<Asked>,
    began: Instant,
    /// When the last probe was done with.
    finished_at: Instant,
    /// When our wires were last changed.
    changed_at: Instant,
    /// When another test was heard first.
    contact: Option<Instant>,
    /// Which one, and its last number.
    other: Option<(u32, u32)>,
    /// When a line of many came first and last.
    many: Option<(Instant, Instant)>,
}

/// A probe that waits for its answer.
#[derive(Clone, Copy)]
struct Asked {
    number: u32,
    at: Instant,
    until: Instant,
}

impl<'a> Session<'a> {
    /// Ready to begin. `time` is how long the other end is waited for; once it is heard, half of that is talked.
    pub fn new(opened: &'a mut OpenedPort, baud: u32, time: Duration, id: u32) -> io::Result<Self> {
        let end = End::new(opened, baud)?;
        let wires = end.inputs.map(|seen| Wires {
            at_rest: seen,
            here: seen,
            ..Wires::default()
        });
        let now = clock::now();
        Ok(Self {
            end,
            baud,
            time,
            id,
            found: Findings {
                wires,
                ..Findings::default()
            },
            number: 0,
            asked: None,
            began: now,
            finished_at: now,
            changed_at: now,
            contact: None,
            other: None,
            many: None,
        })
    }

    /// Runs the test to its end. An error means that the port is gone.
    pub fn run(mut self) -> io::Result<Findings> {
        self.listen(self.time / 8)?;
        for knock in [b"\r".as_slice(), b"AT\r"] {
            // Nobody who is known by now needs such a question.
            if self.found.ear.messages == 0 && self.found.echoes == 0 {
                self.end.out.extend_from_slice(knock);
                self.listen(self.time / 16)?;
            }
        }
        while !self.is_over(clock::now()) {
            self.say(clock::now())?;
            self.turn()?;
        }
        self.part()?;
        self.found.errors = self.end.errors();
        if matches!(Verdict::of(&self.found), Verdict::Rates { .. }) {
            self.found.their_rate = self.try_rates()?;
        }
        Ok(self.found)
    }

    fn listen(&mut self, time: Duration) -> io::Result<()> {
        let until = clock::now() + time;
        while clock::now() < until && self.contact.is_none() && !self.is_known() {
            self.turn()?;
        }
        Ok(())
    }

    /// Whether it is known what is there, and that it is nothing to talk to.
    fn is_known(&self) -> bool {
        let Findings { ear, echoes, .. } = &self.found;
        self.contact.is_none()
            && (ear.login || ear.modem || ear.messages >= MESSAGES || *echoes >= ECHOES)
    }

    fn is_over(&self, now: Instant) -> bool {
        if self.found.has_ended || self.is_known() {
            return true;
        }
        match self.contact {
            Some(contact) => now.since(contact) >= self.time / 2,
            None => now.since(self.began) >= self.time,
        }
    }

    /// Says what is to be said now.
    fn say(&mut self, now: Instant) -> io::Result<()> {
        if self.found.ear.messages > 0 && self.contact.is_none() {
            return Ok(()); // whoever sends messages is not to be disturbed
        }
        if self.is_time_for_many(now) {
            self.asked = None;
            if self.end.out.is_empty() {
                self.put(Kind::Bulk, FILL_OF_MANY);
            }
            return Ok(());
        }
        match self.asked {
            Some(asked) if now < asked.until => Ok(()),
            Some(_) => {
                let counts = self.contact.is_some();
                self.found.unanswered = self.found.unanswered.saturating_add(u64::from(counts));
                self.finish_probe(now)
            }
            None if self.end.out.is_empty() && now.since(self.finished_at) >= SETTLE => {
                self.found.asked = self.found.asked.saturating_add(1);
                let number = self.put(Kind::Probe, FILL);
                let patience = PATIENCE + Duration::from_millis(u64::from(self.dice() % 64));
                let until = self.end.line_end(now) + patience + self.end.line_time(EXCHANGE);
                let at = now;
                self.asked = Some(Asked { number, at, until });
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// A while after the first contact both say as much as the line takes.
    fn is_time_for_many(&self, now: Instant) -> bool {
        self.contact.is_some_and(|contact| {
            let since = now.since(contact);
            since >= self.time / 4 && since < self.time * 3 / 8
        })
    }

    /// A probe is done with: notes whether our own wires are joined, and changes them for the next one.
    fn finish_probe(&mut self, now: Instant) -> io::Result<()> {
        self.asked = None;
        self.finished_at = now;
        // Two tests that begin at the same time must not change their wires together.
        let is_due = self.found.asked % 4 == u64::from(self.id % 4);
        let outputs = match self.dice() / 64 % 4 {
            // also where few lines can be said
            _ if is_due => RTS_DOWN,
            0 | 1 => ALL_UP,
            2 => RTS_DOWN,
            _ => Outputs {
                dtr: false,
                ..ALL_UP
            },
        };
        if let (Some(wires), Some(inputs)) = (&mut self.found.wires, self.end.inputs) {
            wires.cts_own.note(inputs.cts, self.end.outputs.rts);
            if outputs != self.end.outputs {
                self.changed_at = now;
                return self.end.set_outputs(outputs);
            }
        }
        Ok(())
    }

    /// A number that is another one for each probe of each test.
    fn dice(&self) -> u32 {
        let mixed = (self.id ^ self.number.wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
        (mixed ^ mixed >> 15).wrapping_mul(0xc2b2_ae35) >> 16
    }

    fn put(&mut self, kind: Kind, fill: usize) -> u32 {
        self.number = self.number.wrapping_add(1);
        self.put_numbered(kind, 0, self.number, fill);
        self.number
    }

    fn put_numbered(&mut self, kind: Kind, to: u32, number: u32, fill: usize) {
        let line = Line {
            kind,
            from: self.id,
            to,
            number,
            outputs: self.end.inputs.map(|_| self.end.outputs),
            inputs: self.end.inputs,
        };
        line.write(fill, &mut self.end.out);
    }

    /// Takes in what has come, and notes how the wires are.
    fn turn(&mut self) -> io::Result<()> {
        let before = self.end.inputs;
        let bytes = self.end.turn()?;
        let now = clock::now();
        if let (Some(wires), Some(seen)) = (&mut self.found.wires, self.end.inputs) {
            wires.note_here(seen);
            if before != Some(seen) && now.since(self.changed_at) > OWN_CHANGE {
                wires.moved = wires.moved.saturating_add(1);
            }
        }
        let mut lines = Vec::new();
        self.found
            .ear
            .push(&bytes, |line, length| lines.push((line, length)));
        for (line, length) in lines {
            self.hear(line, length, now)?;
        }
        Ok(())
    }

    fn hear(&mut self, line: Line, length: usize, now: Instant) -> io::Result<()> {
        if line.from == self.id {
            self.found.echoes = self.found.echoes.saturating_add(1);
            return match self.asked {
                Some(asked) if asked.number == line.number => self.finish_probe(now),
                _ => Ok(()),
            };
        }
        self.contact.get_or_insert(now);
        if let (Some(wires), Some(seen)) = (&mut self.found.wires, line.inputs) {
            wires.note_there(seen);
        }
        if line.kind == Kind::Reply {
            return self.hear_reply(line, now);
        }
        self.found.heard = self.found.heard.saturating_add(1);
        if let Some((_, last)) = self.other.filter(|(id, _)| *id == line.from) {
            let missing = line.number.saturating_sub(last.saturating_add(1));
            self.found.lost = self.found.lost.saturating_add(u64::from(missing));
        }
        self.other = Some((line.from, line.number));
        match line.kind {
            Kind::Probe => self.answer(line),
            Kind::Bulk => self.measure(length, now),
            Kind::Bye => self.found.has_ended = true,
            Kind::Reply => {}
        }
        Ok(())
    }

    fn hear_reply(&mut self, line: Line, now: Instant) -> io::Result<()> {
        let is_ours = |asked: &Asked| line.to == self.id && line.number == asked.number;
        let Some(asked) = self.asked.filter(is_ours) else {
            return Ok(());
        };
        self.found.answered = self.found.answered.saturating_add(1);
        // Where many lines are on their way the answer had to wait for them.
        if self.many.is_none_or(|(_, last)| last < asked.at) {
            self.found.round_trips.push(now.since(asked.at));
        }
        if let (Some(wires), Some(theirs)) = (&mut self.found.wires, line.inputs) {
            wires.cts_there.note(theirs.cts, self.end.outputs.rts);
        }
        self.finish_probe(now)
    }

    /// The other end leaves its wires as they are until it has the answer.
    fn answer(&mut self, line: Line) {
        if let (Some(wires), Some(theirs), Some(ours)) =
            (&mut self.found.wires, line.outputs, self.end.inputs)
        {
            wires.cts_here.note(ours.cts, theirs.rts);
        }
        self.put_numbered(Kind::Reply, line.from, line.number, FILL);
    }

    fn measure(&mut self, length: usize, now: Instant) {
        let Some((first, last)) = &mut self.many else {
            self.many = Some((now, now));
            return;
        };
        *last = now;
        let bytes = u64::try_from(length).unwrap_or(u64::MAX);
        let sum = self.found.bulk.0.saturating_add(bytes);
        self.found.bulk = (sum, now.since(*first));
    }

    /// Leaves the wires up, and tells the other test that this one is over.
    fn part(&mut self) -> io::Result<()> {
        self.end.set_outputs(ALL_UP)?;
        if self.contact.is_none() || self.found.has_ended {
            return Ok(());
        }
        self.put(Kind::Bye, 0);
        self.put(Kind::Bye, 0);
        // What is still with the driver when the port is closed is thrown away.
        let until = self.end.line_end(clock::now()) + PATIENCE;
        while clock::now() < until && !self.found.has_ended {
            self.turn()?;
        }
        Ok(())
    }

    /// Listens at other rates; gives the first at which the other end is understood.
    fn try_rates(&mut self) -> io::Result<Option<u32>> {
        for rate in RATES.into_iter().filter(|rate| *rate != self.baud) {
            if !self.end.set_rate(rate) {
                continue;
            }
            let mut ear = super::ear::Ear::default();
            let mut lines = 0_u32;
            let until = clock::now() + self.time / 8;
            while clock::now() < until {
                ear.push(&self.end.turn()?, |_, _| lines = lines.saturating_add(1));
                if ear.messages > 0 || ear.login || lines > 0 {
                    return Ok(Some(rate));
                }
            }
        }
        Ok(None)
    }
}
