//! What the driver of a serial port counts as wrong: bytes without a stop bit, of the wrong parity, lost; and breaks. A
//! value: no descriptor, no clock of its own.

use std::fmt;
use std::time::Duration;

use crate::cluster::Instant;
use crate::os::tty::LineCounts;

/// So many errors since the last line are worth another: plugging a cable makes a few.
const WORTH_A_LINE: i32 = 3;
/// Errors are told once in this time.
const TOLD: Duration = Duration::from_secs(600);

/// What a driver has counted from one moment to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Errors {
    /// Bytes without a stop bit.
    pub frame: i32,
    /// Bytes of the wrong parity.
    pub parity: i32,
    /// Bytes lost because they were not fetched in time.
    pub overrun: i32,
    /// Breaks.
    pub breaks: i32,
}

impl Errors {
    /// From the counts of both moments.
    pub fn between(before: &LineCounts, now: &LineCounts) -> Self {
        let overruns = now.overrun.wrapping_sub(before.overrun);
        Self {
            frame: now.frame.wrapping_sub(before.frame),
            parity: now.parity.wrapping_sub(before.parity),
            overrun: overruns.wrapping_add(now.buf_overrun.wrapping_sub(before.buf_overrun)),
            breaks: now.brk.wrapping_sub(before.brk),
        }
    }

    /// Breaks left out: each opening of a port begins with one.
    fn damage(self) -> i32 {
        let damage = self.frame.saturating_add(self.parity);
        damage.saturating_add(self.overrun)
    }
}

/// With the likely cause.
impl fmt::Display for Errors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            frame,
            parity,
            overrun,
            breaks,
        } = self;
        write!(
            f,
            "the driver counted framing errors: {frame}, parity errors: {parity}, overruns: {overrun}, breaks: {breaks}."
        )?;
        if frame.saturating_add(*parity) > 0 {
            f.write_str(" The baud rates of the two ends differ, or the cable is bad.")?;
        }
        if *overrun > 0 {
            f.write_str(" Bytes came faster than this machine fetched them: a lower baud helps.")?;
        }
        Ok(())
    }
}

/// Follows the counts of one port from its opening.
#[derive(Debug, Default)]
pub struct LineErrors {
    first: Option<LineCounts>,
    told: Option<(LineCounts, Instant)>,
    now: Option<LineCounts>,
}

impl LineErrors {
    /// For a port with these counts; none where its driver does not count.
    pub fn new(counts: Option<LineCounts>) -> Self {
        Self {
            first: counts,
            told: None,
            now: counts,
        }
    }

    /// All since the opening; none where the driver does not count.
    pub fn all(&self) -> Option<Errors> {
        Some(Errors::between(self.first.as_ref()?, self.now.as_ref()?))
    }

    /// Takes note of the counts. Gives what is new since the last line, when that is to be told.
    pub fn look(&mut self, now: Instant, counts: LineCounts) -> Option<Errors> {
        let first = *self.first.get_or_insert(counts);
        self.now = Some(counts);
        let (before, is_due) = match &self.told {
            None => (first, true),
            Some((before, at)) => (*before, now.since(*at) >= TOLD),
        };
        let errors = Errors::between(&before, &counts);
        let is_news = is_due && errors.damage() >= WORTH_A_LINE;
        if is_news {
            self.told = Some((counts, now));
        }
        is_news.then_some(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(frame: i32, overrun: i32, brk: i32) -> LineCounts {
        let mut counts = LineCounts::default();
        counts.frame = frame;
        counts.overrun = overrun;
        counts.brk = brk;
        counts.buf_overrun = 1;
        counts
    }

    fn second(number: u64) -> Instant {
        Instant::from_micros(number * 1_000_000)
    }

    #[test]
    fn errors_are_told_with_their_number_and_not_too_often() {
        let mut errors = LineErrors::new(Some(counts(i32::MAX, 0, 5)));
        let told = |errors: &mut LineErrors, at, frame, overrun| {
            errors
                .look(second(at), counts(frame, overrun, 7))
                .map(|new| (new.frame, new.overrun))
        };
        assert_eq!(told(&mut errors, 10, i32::MAX, 0), None, "a break is none");
        assert_eq!(
            told(&mut errors, 20, i32::MIN + 1, 0),
            None,
            "a few are none"
        );
        assert_eq!(told(&mut errors, 30, i32::MIN + 2, 0), Some((3, 0)));
        assert_eq!(told(&mut errors, 40, i32::MIN + 20, 4), None, "just told");
        assert_eq!(told(&mut errors, 630, i32::MIN + 20, 4), Some((18, 4)));
        let all = errors.all().expect("counted");
        assert_eq!((all.frame, all.overrun, all.breaks), (21, 4, 2));
    }

    #[test]
    fn each_kind_has_its_likely_cause() {
        let words = |frame, overrun| {
            Errors {
                frame,
                overrun,
                ..Errors::default()
            }
            .to_string()
        };
        assert_eq!(
            words(9, 0),
            "the driver counted framing errors: 9, parity errors: 0, overruns: 0, breaks: 0. The baud rates of the two \
             ends differ, or the cable is bad."
        );
        assert!(words(0, 9).ends_with(
            "breaks: 0. Bytes came faster than this machine fetched them: a lower baud helps."
        ));
    }

    #[test]
    fn a_port_that_does_not_count_has_no_errors() {
        assert_eq!(LineErrors::new(None).all(), None);
    }
}
