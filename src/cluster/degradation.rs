//! Which links are up and yet lose much, or bring heartbeats unevenly.

use std::time::Duration;

use super::LinkId;
use super::quality::LinkQuality;
use super::time::Instant;

/// A link that has been up for so many heartbeats is judged: all that is known of it is of that time then.
const STEADY: u32 = 128;
/// So many messages must be known of it.
const ENOUGH: u32 = 60;
/// One that loses at least so much of a hundred is degraded,
const MUCH: u32 = 10;
/// until it loses at most so much.
const LITTLE: u32 = 2;
/// Pauses that differ by less than this are no matter, however short `keepalive` is.
const UNEVEN: Duration = Duration::from_millis(250);

/// What is known of one link.
#[derive(Debug, Clone, Copy, Default)]
struct Mark {
    up_since: Option<Instant>,
    is_degraded: bool,
}

/// All links.
#[derive(Debug, Clone, Default)]
pub(super) struct Degradations {
    links: Vec<Mark>,
    /// When they are judged next.
    pub(super) next: Instant,
}

impl Degradations {
    /// None of so many links is degraded.
    pub(super) fn new(links: usize) -> Self {
        Self {
            links: vec![Mark::default(); links],
            next: Instant::default(),
        }
    }

    /// Whether it was told to be degraded, and not to have recovered.
    pub(super) fn is_degraded(&self, link: LinkId) -> bool {
        let mark = self.links.get(usize::from(link.0));
        mark.is_some_and(|mark| mark.is_degraded)
    }

    /// What is news about a link that is up or not: it is degraded, or is not any more.
    pub(super) fn judge(
        &mut self,
        link: LinkId,
        is_up: bool,
        quality: &LinkQuality,
        keepalive: Duration,
        now: Instant,
    ) -> Option<bool> {
        let mark = self.links.get_mut(usize::from(link.0))?;
        mark.judge(is_up, quality, keepalive, now)
    }
}

impl Mark {
    fn judge(
        &mut self,
        is_up: bool,
        quality: &LinkQuality,
        keepalive: Duration,
        now: Instant,
    ) -> Option<bool> {
        if !is_up {
            *self = Self::default(); // its death is told, and says more
            return None;
        }
        let since = *self.up_since.get_or_insert(now);
        let is_known = now.since(since) >= keepalive * STEADY && quality.expected >= ENOUGH;
        let is_news =
            is_known && self.is_degraded != is_degraded(quality, keepalive, self.is_degraded);
        self.is_degraded ^= is_news;
        is_news.then_some(self.is_degraded)
    }
}

/// Between the limits it is what it was.
fn is_degraded(quality: &LinkQuality, keepalive: Duration, was: bool) -> bool {
    let hundred = quality.missed.saturating_mul(100);
    let jitter = quality.jitter.unwrap_or_default();
    let uneven = (keepalive / 2).max(UNEVEN);
    if was {
        hundred > quality.expected.saturating_mul(LITTLE) || jitter >= uneven / 2
    } else {
        hundred >= quality.expected.saturating_mul(MUCH) || jitter >= uneven
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEEPALIVE: Duration = Duration::from_secs(1);

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn quality(missed: u32, jitter: u64) -> LinkQuality {
        LinkQuality {
            expected: 124,
            missed,
            jitter: Some(Duration::from_millis(jitter)),
            ..LinkQuality::default()
        }
    }

    #[test]
    fn a_link_is_degraded_from_a_tenth_on_and_until_two_in_a_hundred() {
        let mut mark = Mark::default();
        let mut told = Vec::new();
        for (second, missed, jitter) in [
            (0, 124, 0),
            (127, 124, 9000),
            (128, 12, 0),
            (129, 13, 0),
            (130, 60, 0),
            (131, 3, 0),
            (132, 2, 250),
            (133, 2, 249),
            (134, 12, 499),
            (135, 0, 500),
            (136, 0, 250),
            (137, 0, 200),
        ] {
            let news = mark.judge(true, &quality(missed, jitter), KEEPALIVE, at(second));
            told.extend(news.map(|is_degraded| (second, is_degraded)));
        }
        assert_eq!(told, [(129, true), (133, false), (135, true), (137, false)]);
    }

    #[test]
    fn one_that_was_down_is_judged_anew_and_its_losses_of_before_do_not_count() {
        let mut mark = Mark::default();
        let mut judge = |is_up, second| mark.judge(is_up, &quality(100, 0), KEEPALIVE, at(second));
        assert_eq!(judge(true, 0), None);
        assert_eq!(judge(true, 128), Some(true));
        assert_eq!(judge(false, 140), None);
        assert_eq!(
            (judge(true, 141), judge(true, 268), judge(true, 269)),
            (None, None, Some(true))
        );
    }

    #[test]
    fn little_is_known_of_a_peer_that_has_just_begun() {
        let few = LinkQuality {
            expected: ENOUGH - 1,
            missed: ENOUGH - 1,
            ..LinkQuality::default()
        };
        let mut mark = Mark::default();
        assert_eq!(mark.judge(true, &few, KEEPALIVE, at(0)), None);
        assert_eq!(mark.judge(true, &few, KEEPALIVE, at(1000)), None);
    }
}
