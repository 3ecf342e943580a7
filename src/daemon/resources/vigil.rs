//! What one monitor has seen, and what follows from it. A value: it is told the time and the answers.

use std::time::Duration;

use crate::cluster::Instant;
use crate::config::Monitor;

/// A resource that has worked for so long after it was started again is as good as one that never failed.
const FORGIVEN: Duration = Duration::from_secs(600);
/// How often it is told that a resource still does not work: the other node may be able to take it by now.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// What a monitor has seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Vigil {
    /// When to ask next; `None` while there is nothing to ask about, or an answer is awaited.
    next: Option<Instant>,
    /// Failures in a row.
    failures: u32,
    /// How often the resource was started again.
    restarts: u32,
    restarted_at: Instant,
    /// When it was told last that starting again is of no use.
    given_up_at: Option<Instant>,
}

/// What follows from an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Nothing.
    AsBefore,
    /// It fails, but not often enough yet.
    Fails,
    /// It works again.
    Recovered,
    /// It is to be started again.
    Restart,
    /// It does not work, and starting it again is of no use.
    Broken {
        /// This was not told before.
        is_news: bool,
    },
}

impl Vigil {
    /// The resource was started, for the first time or again.
    pub fn begin(&mut self, now: Instant, monitor: &Monitor) {
        self.failures = 0;
        self.next = Some(now + monitor.after.unwrap_or(monitor.every));
    }

    /// The resource is being started again: it is not asked meanwhile.
    pub fn rest(&mut self) {
        self.next = None;
    }

    /// When to ask.
    pub fn next(&self) -> Option<Instant> {
        self.next
    }

    /// It was asked.
    pub fn asked(&mut self) {
        self.next = None;
    }

    /// Failures in a row, and how often it was started again lately.
    pub fn figures(&self) -> (u32, u32) {
        (self.failures, self.restarts)
    }

    /// Whether it works as far as is known.
    pub fn works(&self, monitor: &Monitor) -> bool {
        self.failures < monitor.fall && self.given_up_at.is_none()
    }

    /// The answer to what was asked at `asked_at`.
    pub fn answer(
        &mut self,
        works: bool,
        asked_at: Instant,
        now: Instant,
        monitor: &Monitor,
    ) -> Verdict {
        self.next = Some((asked_at + monitor.every).max(now));
        if works {
            let failed = std::mem::take(&mut self.failures) > 0;
            if now.since(self.restarted_at) >= FORGIVEN {
                self.restarts = 0;
            }
            let was_given_up = self.given_up_at.take().is_some();
            return if failed || was_given_up {
                Verdict::Recovered
            } else {
                Verdict::AsBefore
            };
        }
        let may_restart = self.restarts < monitor.restarts;
        if may_restart && self.failures.saturating_add(1) >= monitor.fall {
            self.failures = self.failures.saturating_add(1);
            self.restarts = self.restarts.saturating_add(1);
            self.restarted_at = now;
            return Verdict::Restart;
        }
        self.bear(asked_at, now, monitor)
    }

    /// It does not work, as was asked at `asked_at`, and is not started again whatever it did before.
    pub fn bear(&mut self, asked_at: Instant, now: Instant, monitor: &Monitor) -> Verdict {
        self.next = Some((asked_at + monitor.every).max(now));
        self.failures = self.failures.saturating_add(1);
        if self.failures < monitor.fall {
            return Verdict::Fails;
        }
        let is_news = self.given_up_at.is_none();
        if self
            .given_up_at
            .is_some_and(|at| now.since(at) < TELL_AGAIN)
        {
            return Verdict::AsBefore;
        }
        self.given_up_at = Some(now);
        Verdict::Broken { is_news }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Probe;

    fn monitor(fall: u32, restarts: u32) -> Monitor {
        Monitor {
            resource: "nginx".into(),
            every: Duration::from_secs(5),
            after: None,
            timeout: Duration::from_secs(10),
            fall,
            restarts,
            probe: Probe::Status,
        }
    }

    /// The verdicts on answers five seconds apart, one letter each; it is started again when that is asked for.
    fn verdicts(monitor: &Monitor, answers: &str) -> String {
        let mut now = Instant::from_micros(1_000_000_000);
        let mut vigil = Vigil::default();
        vigil.begin(now, monitor);
        let mut verdict = |works| {
            now = vigil.next().expect("it is to be asked");
            vigil.asked();
            match vigil.answer(works, now, now, monitor) {
                Verdict::AsBefore => '.',
                Verdict::Fails => 'f',
                Verdict::Recovered => 'r',
                Verdict::Restart => {
                    vigil.rest();
                    vigil.begin(now, monitor);
                    'R'
                }
                Verdict::Broken { is_news: true } => 'B',
                Verdict::Broken { is_news: false } => 'b',
            }
        };
        answers.chars().map(|c| verdict(c == '+')).collect()
    }

    #[test]
    fn so_many_failures_in_a_row_start_it_again_so_often_and_then_no_more() {
        for (fall, restarts, answers, expected) in [
            (2, 1, "++-+--+", "..frfR."),
            (2, 1, "-+-+-+", "frfrfr"),
            (2, 1, "----", "fRfB"),
            (1, 0, "-", "B"),
            (1, 2, "---", "RRB"),
            (3, 0, "---+---", "ffBrffB"),
            // Once a minute as long as it lasts.
            (1, 0, "--------------", "B...........b."),
        ] {
            let seen = verdicts(&monitor(fall, restarts), answers);
            assert_eq!(seen, expected, "fall={fall} restarts={restarts} {answers}");
        }
    }

    #[test]
    fn in_maintenance_it_is_told_and_left_alone_and_started_again_after_that() {
        let monitor = monitor(2, 1);
        let now = Instant::from_micros(1_000_000_000);
        let mut vigil = Vigil::default();
        vigil.begin(now, &monitor);
        assert_eq!(vigil.bear(now, now, &monitor), Verdict::Fails);
        assert_eq!(
            vigil.bear(now, now, &monitor),
            Verdict::Broken { is_news: true }
        );
        assert_eq!(vigil.bear(now, now, &monitor), Verdict::AsBefore);
        assert_eq!(vigil.figures(), (3, 0));
        assert_eq!(vigil.answer(false, now, now, &monitor), Verdict::Restart);
    }

    #[test]
    fn what_works_for_ten_minutes_may_be_started_again_as_often_as_before() {
        let monitor = monitor(1, 1);
        let long = "+".repeat(121);
        let seen = verdicts(&monitor, &format!("-{long}--"));
        assert!(seen.starts_with('R') && seen.ends_with("RB"), "{seen}");
        let short = "+".repeat(100);
        let seen = verdicts(&monitor, &format!("-{short}-"));
        assert_eq!(seen.chars().next_back(), Some('B'), "{seen}");
    }

    #[test]
    fn the_next_probe_is_counted_from_the_beginning_of_the_last() {
        let slow = Monitor {
            after: Some(Duration::from_secs(60)),
            ..monitor(1, 0)
        };
        let monitor = monitor(1, 0);
        let at = |seconds: u64| Instant::from_micros(seconds * 1_000_000);
        let mut vigil = Vigil::default();
        vigil.begin(at(100), &monitor);
        assert_eq!(vigil.next(), Some(at(105)));
        vigil.asked();
        assert_eq!(vigil.next(), None);
        vigil.answer(true, at(105), at(107), &monitor);
        assert_eq!(vigil.next(), Some(at(110)));
        vigil.answer(true, at(110), at(118), &monitor);
        assert_eq!(vigil.next(), Some(at(118)), "never two at a time");
        vigil.begin(at(200), &slow);
        assert_eq!(vigil.next(), Some(at(260)), "it gets ready first");
    }
}
