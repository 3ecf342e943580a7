//! The peer's numbered stream as it comes in: generation, duplicates, gaps, acknowledgements.
//!
//! Copies of one message arrive on several links, early and late. The first is delivered at once,
//! whatever its order; the others only prove that their link works.

use std::collections::BTreeMap;
use std::time::Duration;

use super::LinkId;
use super::random::Jitter;
use super::time::Instant;

/// A gap of more than this is not followed: the stream continues behind it (250 in 3.0.6).
pub(super) const LARGEST_GAP: u64 = 250;
/// The most numbers that one request for retransmission asks for.
const LARGEST_REQUEST: u64 = 50;
/// How many of the newest numbers remember on which links they came.
const WINDOW: u64 = 128;
/// An unanswered request is repeated more and more slowly, up to a pause that has room for everything missing on a slow
/// line, between these. A 3.0.6 node waits ten seconds for the answer to a question, and an hour for what follows it.
const SLOWEST_REPEAT: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// What one message takes on a line of 9600 bits per second.
const ON_A_SLOW_LINE: Duration = Duration::from_millis(200);
/// One acknowledgement for every this many numbers.
const ACK_RHYTHM: u64 = 10;

/// What to make of a numbered message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// New: deliver it. Proves that the sender lives and that the link works.
    New,
    /// Fills a gap that was noticed long ago: deliver it, but it may be a recording and proves nothing.
    Late,
    /// A copy of a message of the last moments that came over this link for the first time: proves the
    /// link, delivers nothing.
    Copy,
    /// Old: a replay, or a copy later than it should be. Proves nothing.
    Old,
}

/// One message of the window: when it first came and on which links.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    number: u64,
    first: Instant,
    links: u64,
    /// By which links of the sender.
    vias: u64,
}

#[derive(Debug, Clone, Copy)]
struct Missing {
    noticed: Instant,
    ask_at: Instant,
    pause: Duration,
    is_asked: bool,
}

/// The state of the stream.
#[derive(Debug, Clone)]
pub struct Incoming {
    highest: u64,
    missing: BTreeMap<u64, Missing>,
    window: Vec<Seen>,
    ack_trigger: u64,
    acknowledged: u64,
    /// A jump over more numbers than can be asked for happened since the last question.
    lost_many: bool,
    /// A number was heard in this run; before that there is no gap to speak of.
    begun: bool,
}

impl Incoming {
    /// Nothing heard yet; numbers up to `highest` count as old.
    pub fn new(highest: u64, jitter: &mut Jitter) -> Self {
        let window = vec![Seen::default(); usize::try_from(WINDOW).unwrap_or(0)];
        Self {
            highest,
            missing: BTreeMap::new(),
            window,
            ack_trigger: jitter.below(ACK_RHYTHM),
            acknowledged: 0,
            lost_many: false,
            begun: false,
        }
    }

    /// The highest number heard.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// Whether anything of it was heard in this run.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// How many numbers are missing.
    pub fn missing(&self) -> usize {
        self.missing.len()
    }

    /// Whether `number` is missing and the sender was asked for it.
    pub fn was_asked(&self, number: u64) -> bool {
        let missing = self.missing.get(&number);
        missing.is_some_and(|missing| missing.is_asked)
    }

    /// A message with `number` came over `link`. Copies count for their link for `fresh` after the first.
    pub fn arrive(
        &mut self,
        number: u64,
        link: LinkId,
        fresh: Duration,
        delay: Duration,
        jitter: &mut Jitter,
        now: Instant,
    ) -> Arrival {
        let bit = 1_u64.checked_shl(u32::from(link.0)).unwrap_or(0);
        if number > self.highest {
            self.note_gap(number, delay, jitter, now);
            self.highest = number;
        } else if let Some(missing) = self.missing.remove(&number) {
            if now.since(missing.noticed) > fresh {
                return Arrival::Late;
            }
        } else {
            return self.copy(number, bit, fresh, now);
        }
        if let Some(seen) = self.slot(number) {
            *seen = Seen {
                number,
                first: now,
                links: bit,
                vias: 0,
            };
        }
        Arrival::New
    }

    /// A copy of one of the newest numbers came that the sender sent by this link of its own, whichever of ours it came on:
    /// when the first copy did, where this one tells something new of that link.
    pub fn came_by(
        &mut self,
        number: u64,
        link: u8,
        fresh: Duration,
        now: Instant,
    ) -> Option<Instant> {
        let bit = 1_u64.checked_shl(u32::from(link))?;
        let seen = self.slot(number)?;
        let tells = seen.number == number && seen.vias & bit == 0 && now.since(seen.first) <= fresh;
        seen.vias |= if tells { bit } else { 0 };
        tells.then_some(seen.first)
    }

    /// When the first copy of one of the newest numbers came.
    pub fn first_heard(&self, number: u64) -> Option<Instant> {
        let slot = usize::try_from(number % WINDOW).unwrap_or(0);
        let seen = self.window.get(slot).filter(|seen| seen.number == number);
        seen.map(|seen| seen.first)
    }

    /// Whether `number` lies so far ahead that what is between will not be asked for.
    pub fn is_jump(&self, number: u64) -> bool {
        self.begun && number > self.highest.saturating_add(LARGEST_GAP + 1)
    }

    /// Says that numbers from `first` to before `number` need not be asked for: what they said is said
    /// again by a later message.
    pub fn supersede(&mut self, first: u64, number: u64) {
        while let Some((&found, _)) = self.missing.range(first..number).next() {
            self.missing.remove(&found);
        }
    }

    /// The sender refused to send `number` again.
    pub fn give_up(&mut self, number: u64) -> bool {
        self.missing.remove(&number).is_some()
    }

    /// Nothing is missing any more as far as we are concerned (the peer is dead), and nothing up to `number` is news.
    pub fn forget_missing(&mut self, number: u64) {
        self.missing.clear();
        self.highest = self.highest.max(number);
    }

    /// Whether so much was lost since the last call that nobody asked for it.
    pub fn take_lost_many(&mut self) -> bool {
        std::mem::take(&mut self.lost_many)
    }

    /// The next range of numbers to ask for, if one is due. Ask again and again: each call moves the
    /// deadlines of what it returns.
    pub fn next_request(&mut self, delay: Duration, now: Instant) -> Option<(u64, u64)> {
        let first = *self
            .missing
            .iter()
            .find(|(_, missing)| missing.ask_at <= now)?
            .0;
        let mut last = first;
        let count = u32::try_from(self.missing.len()).unwrap_or(u32::MAX);
        let slowest = ON_A_SLOW_LINE
            .saturating_mul(count)
            .clamp(SLOWEST_REPEAT[0], SLOWEST_REPEAT[1])
            .max(delay);
        for (&number, missing) in self
            .missing
            .range_mut(first..first.saturating_add(LARGEST_REQUEST))
        {
            if number > last.saturating_add(1) || missing.ask_at > now {
                break;
            }
            last = number;
            missing.ask_at = now + missing.pause;
            missing.is_asked = true;
            missing.pause = (missing.pause * 2).clamp(delay, slowest);
        }
        Some((first, last))
    }

    /// When the next request is due.
    pub fn next_request_at(&self) -> Option<Instant> {
        self.missing.values().map(|missing| missing.ask_at).min()
    }

    /// The number to acknowledge now, if the rhythm says so and nothing older is missing.
    pub fn acknowledgement(&mut self) -> Option<u64> {
        let complete = self
            .missing
            .keys()
            .next()
            .map_or(self.highest, |lowest| lowest - 1);
        let back = complete.checked_sub(self.ack_trigger)? % ACK_RHYTHM;
        let candidate = complete - back;
        if candidate == 0 || candidate <= self.acknowledged {
            return None;
        }
        self.acknowledged = candidate;
        Some(candidate)
    }

    fn note_gap(&mut self, number: u64, delay: Duration, jitter: &mut Jitter, now: Instant) {
        let is_jump = self.is_jump(number);
        let is_next = number == self.highest + 1;
        if !std::mem::replace(&mut self.begun, true) || is_next {
            return; // the first message heard may have any number
        }
        if is_jump {
            self.missing.clear();
            self.lost_many = true;
            return;
        }
        let delay_micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
        let earliest = if delay_micros < 100_000 { 0 } else { 50_000 };
        let wait = earliest + jitter.below(delay_micros.saturating_sub(earliest).max(1));
        // One moment for the whole gap, so that it is asked for in ranges and not number by number.
        let ask_at = now + Duration::from_micros(wait);
        for lost in self.highest + 1..number {
            let missing = Missing {
                noticed: now,
                ask_at,
                pause: delay,
                is_asked: false,
            };
            self.missing.insert(lost, missing);
        }
    }

    fn copy(&mut self, number: u64, bit: u64, fresh: Duration, now: Instant) -> Arrival {
        match self.slot(number) {
            Some(seen)
                if seen.number == number
                    && seen.links & bit == 0
                    && now.since(seen.first) <= fresh =>
            {
                seen.links |= bit;
                Arrival::Copy
            }
            _ => Arrival::Old,
        }
    }

    fn slot(&mut self, number: u64) -> Option<&mut Seen> {
        self.window
            .get_mut(usize::try_from(number % WINDOW).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: Duration = Duration::from_secs(3);
    const DELAY: Duration = Duration::from_millis(250);

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn stream() -> (Incoming, Jitter) {
        let mut jitter = Jitter::new(1);
        (Incoming::new(0, &mut jitter), jitter)
    }

    #[test]
    fn a_copy_tells_of_the_link_that_it_was_sent_by_wherever_it_comes() {
        let (mut incoming, mut jitter) = stream();
        incoming.arrive(7, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
        assert_eq!(incoming.came_by(7, 0, FRESH, at(0)), Some(at(0)));
        // The copy for another link, on the same one of ours.
        let again = incoming.arrive(7, LinkId(0), FRESH, DELAY, &mut jitter, at(1));
        assert_eq!(again, Arrival::Old);
        assert_eq!(incoming.came_by(7, 1, FRESH, at(1)), Some(at(0)));
        for (number, link, now) in [(7, 1, 2), (7, 2, 3001), (8, 0, 2), (7, 200, 2)] {
            assert_eq!(incoming.came_by(number, link, FRESH, at(now)), None);
        }
    }

    #[test]
    fn a_copy_proves_each_link_once_and_a_replay_proves_nothing() {
        let (mut incoming, mut jitter) = stream();
        let mut arrive = |number, link, now| {
            incoming.arrive(number, LinkId(link), FRESH, DELAY, &mut jitter, at(now))
        };
        assert_eq!(arrive(7, 0, 0), Arrival::New);
        assert_eq!(arrive(8, 0, 500), Arrival::New);
        assert_eq!(
            arrive(7, 1, 600),
            Arrival::Copy,
            "late on a slow link, but proves that link"
        );
        assert_eq!(arrive(7, 1, 700), Arrival::Old, "the same datagram again");
        assert_eq!(
            arrive(8, 1, 9000),
            Arrival::Old,
            "older than anything a working link delivers"
        );
        assert_eq!(arrive(3, 1, 700), Arrival::Old);
    }

    #[test]
    fn a_gap_is_asked_for_in_one_request_and_more_slowly_each_time() {
        let (mut incoming, mut jitter) = stream();
        for number in [1, 2, 6] {
            incoming.arrive(number, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
        }
        assert_eq!(incoming.missing(), 3);
        assert_eq!(
            incoming.next_request(DELAY, at(10)),
            None,
            "a little late is not lost"
        );
        assert_eq!(incoming.next_request(DELAY, at(250)), Some((3, 5)));
        assert_eq!(incoming.next_request(DELAY, at(250)), None);
        assert_eq!(incoming.next_request(DELAY, at(500)), Some((3, 5)));
        assert_eq!(incoming.next_request(DELAY, at(750)), None);
        assert_eq!(
            incoming.arrive(4, LinkId(0), FRESH, DELAY, &mut jitter, at(760)),
            Arrival::New
        );
        assert_eq!(incoming.next_request(DELAY, at(2000)), Some((3, 3)));
        assert_eq!(incoming.next_request(DELAY, at(2000)), Some((5, 5)));
        assert!(incoming.give_up(3) && incoming.give_up(5) && !incoming.give_up(5));
    }

    #[test]
    fn a_message_that_stays_away_is_asked_for_every_second_and_many_every_five() {
        for (last, least, most) in [(3, 11, 13), (240, 5 * 5, 5 * 6)] {
            let (mut incoming, mut jitter) = stream();
            for number in [1, last] {
                incoming.arrive(number, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
            }
            let mut requests = 0;
            for now in 0..10_000 {
                while incoming.next_request(DELAY, at(now)).is_some() {
                    requests += 1;
                }
            }
            assert!((least..=most).contains(&requests), "{requests}");
        }
    }

    #[test]
    fn a_gap_becomes_due_as_a_whole() {
        let (mut incoming, mut jitter) = stream();
        for number in [1, 40] {
            incoming.arrive(number, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
        }
        let due = incoming.next_request_at().expect("something is missing");
        assert_eq!(incoming.next_request(DELAY, due), Some((2, 39)));
    }

    #[test]
    fn a_huge_jump_is_not_followed() {
        let (mut incoming, mut jitter) = stream();
        incoming.arrive(1, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
        incoming.arrive(u64::MAX, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
        assert_eq!(incoming.missing(), 0);
        assert!(incoming.take_lost_many() && !incoming.take_lost_many());
    }

    #[test]
    fn acknowledgements_come_every_ten_numbers_and_wait_for_gaps() {
        let (mut incoming, mut jitter) = stream();
        let mut acks = Vec::new();
        for number in (1..=40).filter(|number| *number != 25) {
            incoming.arrive(number, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
            acks.extend(incoming.acknowledgement());
        }
        assert!(acks.iter().all(|ack| *ack < 25), "{acks:?}");
        incoming.arrive(25, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
        acks.extend(incoming.acknowledgement());
        assert!(acks.last().is_some_and(|ack| *ack > 30), "{acks:?}");
        assert!((2..=5).contains(&acks.len()), "{acks:?}");
    }

    #[test]
    fn superseded_numbers_are_not_asked_for() {
        let (mut incoming, mut jitter) = stream();
        for number in [1, 9] {
            incoming.arrive(number, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
        }
        incoming.supersede(4, 9);
        assert_eq!(incoming.next_request(DELAY, at(1000)), Some((2, 3)));
    }

    #[test]
    fn what_fills_a_gap_in_time_is_new_and_later_it_proves_nothing() {
        for (millis, expected) in [
            (3000, Arrival::New),
            (3001, Arrival::Late),
            (9000, Arrival::Late),
        ] {
            let (mut incoming, mut jitter) = stream();
            assert!(!incoming.has_begun());
            for number in [1, 3] {
                incoming.arrive(number, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
            }
            assert!(incoming.has_begun());
            let arrival = incoming.arrive(2, LinkId(0), FRESH, DELAY, &mut jitter, at(millis));
            assert_eq!(arrival, expected, "after {millis} ms");
        }
    }

    #[test]
    fn a_gap_of_as_many_as_can_be_asked_for_is_followed_and_one_more_is_a_jump() {
        for (number, missing, is_jump) in [(251, 249, false), (252, 250, false), (253, 0, true)] {
            let (mut incoming, mut jitter) = stream();
            assert!(!incoming.is_jump(number), "nothing was heard yet");
            incoming.arrive(1, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
            assert_eq!(incoming.is_jump(number), is_jump, "{number}");
            incoming.arrive(number, LinkId(0), FRESH, DELAY, &mut jitter, at(0));
            assert_eq!(incoming.missing(), missing, "{number}");
            incoming.forget_missing(0);
            assert_eq!(incoming.missing(), 0);
        }
    }

    #[test]
    fn a_gap_is_asked_for_within_the_delay_and_not_at_once_unless_that_is_short() {
        for (delay, earliest, latest) in [
            (99_999, 0, 99_999),
            (100_000, 50_000, 100_000),
            (250_000, 50_000, 250_000),
        ] {
            let delay = Duration::from_micros(delay);
            let (mut soonest, mut slowest) = (u64::MAX, 0);
            for seed in 0..200 {
                let mut jitter = Jitter::new(seed);
                let mut incoming = Incoming::new(0, &mut jitter);
                for number in [1, 3] {
                    incoming.arrive(number, LinkId(0), FRESH, delay, &mut jitter, at(0));
                }
                let due = incoming
                    .next_request_at()
                    .expect("it is missing")
                    .as_micros();
                (soonest, slowest) = (soonest.min(due), slowest.max(due));
            }
            let tenth = (latest - earliest) / 10;
            assert!(
                (earliest..earliest + tenth).contains(&soonest),
                "{delay:?}: {soonest}"
            );
            assert!(
                (latest - tenth..latest).contains(&slowest),
                "{delay:?}: {slowest}"
            );
        }
    }
}
