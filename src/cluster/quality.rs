//! How well each link carries: what got lost there lately, and how evenly heartbeats come. People and graphs want to know;
//! nothing is decided by it.
//!
//! Both nodes send each numbered message by every link, so what came by one link and not by another was lost on that
//! other, and a number that came by none was lost on all.

use std::time::Duration;

use super::LinkId;
use super::incoming::LARGEST_GAP;
use super::time::Instant;

/// The newest numbers are not judged: copies of them may be under way on a slow line.
const UNDER_WAY: u32 = 4;
/// A new deviation counts this part, as in RFC 3550: what was is forgotten over some dozens of heartbeats.
const SHARE: u64 = 16;

/// What is counted of a link since this node was started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkQuality {
    /// When a fresh and authentic message of the peer last came by it.
    pub heard: Option<Instant>,
    /// How many did, each counted once.
    pub received: u64,
    /// How many of the peer's latest messages should have come by it: 124 at most, fewer after a start of the peer.
    pub expected: u32,
    /// How many of those did not, or came only when they were asked for again.
    pub missed: u32,
    /// By how much the pause between two heartbeats differs from the one before, on average over the last dozens; none
    /// before three have come in a row.
    pub jitter: Option<Duration>,
}

/// A copy of a numbered message that came by a link for the first time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Heard {
    /// Its number.
    pub(super) number: u64,
    /// It is a heartbeat.
    pub(super) is_heartbeat: bool,
    /// The same number came before, by whatever link.
    pub(super) is_copy: bool,
    /// The peer was asked to send it again.
    pub(super) was_asked: bool,
}

/// The numbers that came lately, by link.
#[derive(Debug, Clone, Default)]
pub(super) struct Qualities {
    /// The first number of this row, and the newest; nothing was heard yet where both are 0.
    first: u64,
    newest: u64,
    links: Vec<Counts>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    heard: Option<Instant>,
    received: u64,
    /// Bit n: the number n before the newest came.
    came: u128,
    last_heartbeat: Option<(u64, Instant)>,
    /// Between the last two, in microseconds.
    pause: Option<u64>,
    /// In sixteenths of microseconds.
    jitter: Option<u64>,
}

impl Qualities {
    /// Nothing heard yet on so many links.
    pub(super) fn new(links: usize) -> Self {
        Self {
            links: vec![Counts::default(); links],
            ..Self::default()
        }
    }

    /// It came by this link.
    pub(super) fn hear(&mut self, link: LinkId, heard: Heard, now: Instant) {
        self.advance(heard.number);
        let age = self.newest.saturating_sub(heard.number);
        let bit = u32::try_from(age)
            .ok()
            .and_then(|age| 1_u128.checked_shl(age));
        let is_known =
            bit.is_some_and(|bit| self.links.iter().any(|counts| counts.came & bit != 0));
        let Some(counts) = self.links.get_mut(usize::from(link.0)) else {
            return;
        };
        counts.heard = Some(now);
        counts.received = counts.received.saturating_add(1);
        // What is sent again goes by every link too, and none of them carried it the first time.
        let is_sent_again = !is_known && (heard.is_copy || heard.was_asked);
        counts.came |= bit.filter(|_| !is_sent_again).unwrap_or(0);
        if heard.is_heartbeat {
            counts.measure(heard.number, now);
        }
    }

    /// The peer runs anew, with numbers of its own.
    pub(super) fn begin_anew(&mut self) {
        (self.first, self.newest) = (0, 0);
        for counts in &mut self.links {
            counts.came = 0;
            counts.stop_measuring();
        }
    }

    /// We stood still: a pause that covers that says nothing of the links.
    pub(super) fn excuse_silence(&mut self) {
        self.links.iter_mut().for_each(Counts::stop_measuring);
    }

    pub(super) fn of(&self, link: LinkId) -> LinkQuality {
        let counts = self.links.get(usize::from(link.0));
        let counts = counts.copied().unwrap_or_default();
        let all = match self.newest {
            0 => 0,
            newest => (newest - self.first)
                .saturating_add(1)
                .min(u64::from(u128::BITS)),
        };
        let all = u32::try_from(all).unwrap_or(u128::BITS);
        let expected = all.saturating_sub(UNDER_WAY);
        let judged = u128::MAX.checked_shr(u128::BITS - all).unwrap_or(0) >> UNDER_WAY << UNDER_WAY;
        LinkQuality {
            heard: counts.heard,
            received: counts.received,
            expected,
            missed: expected.saturating_sub((counts.came & judged).count_ones()),
            jitter: counts
                .jitter
                .map(|jitter| Duration::from_micros(jitter / SHARE)),
        }
    }

    /// Makes room for a number that is newer than all.
    fn advance(&mut self, number: u64) {
        let ahead = number.saturating_sub(self.newest);
        if self.newest == 0 || ahead > LARGEST_GAP + 1 {
            self.begin_anew();
            (self.first, self.newest) = (number, number);
        } else if ahead > 0 {
            for counts in &mut self.links {
                let came = u32::try_from(ahead)
                    .ok()
                    .and_then(|ahead| counts.came.checked_shl(ahead));
                counts.came = came.unwrap_or(0);
            }
            self.newest = number;
        }
    }
}

impl Counts {
    /// Only from one heartbeat to the next is there a pause to speak of.
    fn measure(&mut self, number: u64, now: Instant) {
        let last = self.last_heartbeat;
        if last.is_some_and(|(last, _)| number < last) {
            return; // overtaken
        }
        self.last_heartbeat = Some((number, now));
        let next = last.filter(|(last, _)| last.checked_add(1) == Some(number));
        let pause = next.map(|(_, at)| micros(now.since(at)));
        let before = std::mem::replace(&mut self.pause, pause);
        if let (Some(pause), Some(before)) = (pause, before) {
            let jitter = self.jitter.unwrap_or(0);
            let deviation = pause.abs_diff(before);
            self.jitter = Some((jitter - jitter / SHARE).saturating_add(deviation));
        }
    }

    fn stop_measuring(&mut self) {
        self.last_heartbeat = None;
        self.pause = None;
    }
}

/// No pause lasts a million years, and so none overflows sixteen times itself.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros())
        .unwrap_or(u64::MAX)
        .min(u64::MAX / SHARE / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [u8; 2] = [0, 1];

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn hear(qualities: &mut Qualities, number: u64, links: &[u8], millis: u64) {
        for (link, place) in links.iter().zip(0..) {
            let heard = Heard {
                number,
                is_heartbeat: true,
                is_copy: place > 0,
                was_asked: false,
            };
            qualities.hear(LinkId(*link), heard, at(millis));
        }
    }

    fn missed(qualities: &Qualities) -> [(u32, u32); 2] {
        BOTH.map(|link| {
            let quality = qualities.of(LinkId(link));
            (quality.missed, quality.expected)
        })
    }

    #[test]
    fn what_came_by_the_other_link_alone_was_missed() {
        let mut qualities = Qualities::new(2);
        assert_eq!(missed(&qualities), [(0, 0); 2]);
        for number in 1000..1104 {
            let links: &[u8] = if number % 4 == 0 { &[0] } else { &BOTH };
            hear(&mut qualities, number, links, number);
        }
        assert_eq!(missed(&qualities), [(0, 100), (25, 100)]);
        assert_eq!(qualities.of(LinkId(0)).received, 104);
        assert_eq!(qualities.of(LinkId(1)).received, 78);
        assert_eq!(qualities.of(LinkId(1)).heard, Some(at(1103)));
    }

    #[test]
    fn what_came_by_no_link_was_missed_by_all_even_where_it_is_sent_again() {
        let mut qualities = Qualities::new(2);
        for number in (1..60).filter(|number| *number != 30) {
            hear(&mut qualities, number, &BOTH, number);
        }
        for (link, is_copy) in [(0, false), (1, true)] {
            let heard = Heard {
                number: 30,
                is_heartbeat: true,
                is_copy,
                was_asked: !is_copy,
            };
            qualities.hear(LinkId(link), heard, at(60));
        }
        assert_eq!(missed(&qualities), [(1, 55); 2]);
    }

    #[test]
    fn copies_that_are_only_late_were_not_missed() {
        let mut qualities = Qualities::new(2);
        for number in 1..20 {
            hear(&mut qualities, number, &[0], number);
        }
        assert_eq!(missed(&qualities)[1], (15, 15));
        for number in 1..16 {
            let heard = Heard {
                number,
                is_heartbeat: true,
                is_copy: true,
                was_asked: false,
            };
            qualities.hear(LinkId(1), heard, at(20));
        }
        assert_eq!(missed(&qualities)[1], (0, 15));
    }

    #[test]
    fn what_is_long_ago_is_forgotten_and_a_new_run_begins_anew() {
        let mut qualities = Qualities::new(2);
        for number in 1..400 {
            let links: &[u8] = if number < 200 { &[0] } else { &BOTH };
            hear(&mut qualities, number, links, number);
        }
        assert_eq!(missed(&qualities), [(0, 124); 2]);
        hear(&mut qualities, 399 + LARGEST_GAP + 2, &BOTH, 1000);
        assert_eq!(missed(&qualities), [(0, 0); 2]);
        qualities.begin_anew();
        for number in 1..10 {
            hear(&mut qualities, number, &[1], 2000 + number);
        }
        assert_eq!(missed(&qualities), [(5, 5), (0, 5)]);
        hear(&mut qualities, 210, &[1], 3000);
        assert_eq!(missed(&qualities), [(124, 124), (124, 124)]);
        assert_eq!(
            qualities.of(LinkId(200)),
            LinkQuality {
                expected: 124,
                missed: 124,
                ..LinkQuality::default()
            }
        );
    }

    #[test]
    fn even_pauses_have_no_jitter_and_uneven_ones_have_their_difference() {
        let mut qualities = Qualities::new(2);
        let mut now = 0;
        for number in 1..400 {
            hear(&mut qualities, number, &[0], number * 1000);
            now += if number % 2 == 0 { 1000 } else { 1040 };
            hear(&mut qualities, number, &[1], now);
            if number < 3 {
                assert_eq!(qualities.of(LinkId(0)).jitter, None);
            }
        }
        assert_eq!(qualities.of(LinkId(0)).jitter, Some(Duration::ZERO));
        let jitter = qualities.of(LinkId(1)).jitter.expect("it was measured");
        let expected = Duration::from_millis(38)..=Duration::from_millis(40);
        assert!(expected.contains(&jitter), "{jitter:?}");
    }

    #[test]
    fn a_pause_with_a_loss_or_a_stall_in_it_is_no_jitter() {
        let mut qualities = Qualities::new(1);
        for number in (1..40_u64).filter(|number| number % 10 != 0) {
            hear(&mut qualities, number, &[0], number * 1000);
        }
        qualities.excuse_silence();
        for number in 40..50 {
            hear(&mut qualities, number, &[0], number * 1000 + 600_000);
        }
        hear(&mut qualities, 45, &[0], 700_000);
        assert_eq!(qualities.of(LinkId(0)).jitter, Some(Duration::ZERO));
    }

    #[test]
    fn no_number_and_no_time_overflows() {
        let mut qualities = Qualities::new(1);
        let times = [0, u64::MAX / 1000, 0, u64::MAX / 1000];
        for (number, millis) in [1, 2, 3, 4, u64::MAX - 1, u64::MAX, u64::MAX, 0]
            .into_iter()
            .zip(times.into_iter().cycle())
        {
            hear(&mut qualities, number, &[0, 7], millis);
            let _ = qualities.of(LinkId(0));
        }
    }
}
