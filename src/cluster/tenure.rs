//! From when to when a node held a group, and how it tells the other one.

use std::fmt::{self, Write as _};
use std::time::Duration;

use super::claims::hex;
use super::time::{Instant, Moment};

/// No more of them are told at once, some 500 bytes: on a slow serial line heartbeats wait for what is under way.
const MOST_TOLD: usize = 24;

/// One stretch of time in which a node held a group. It is held from the moment a start is asked for until a stop has
/// succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenure {
    /// Since when.
    pub since: Moment,
    /// Until when; `None` while it goes on.
    pub until: Option<Moment>,
    /// It was found running at the start of the daemon, so it began earlier.
    pub is_older: bool,
}

/// One group, by its place in the order of the wire, and one tenure of it.
pub(super) type Placed = (usize, Tenure);

/// Tenures as a message tells them: `0-3:1f40,4:1f40.3e8+`. Places, a range of them where they are alike, then how long ago
/// it began and ended, hex and in milliseconds; `+` says that it began earlier. A `*` at the end: there were more. None are `-`.
pub(super) struct Told<'a> {
    pub(super) tenures: &'a [Placed],
    pub(super) now: Instant,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.tenures;
        let mut told = 0;
        while let Some(((first, tenure), others)) = rest.split_first() {
            if told == MOST_TOLD {
                return f.write_str(",*");
            }
            let alike = others
                .iter()
                .zip(first + 1..)
                .take_while(|((place, other), expected)| place == expected && other == tenure)
                .count();
            if told > 0 {
                f.write_char(',')?;
            }
            write!(f, "{first}")?;
            if alike > 0 {
                write!(f, "-{}", first + alike)?;
            }
            let ago = |moment| Moment::from(self.now).since(moment).as_millis();
            write!(f, ":{:x}", ago(tenure.since))?;
            if let Some(until) = tenure.until {
                write!(f, ".{:x}", ago(until))?;
            }
            if tenure.is_older {
                f.write_char('+')?;
            }
            told += 1;
            rest = others.get(alike..).unwrap_or_default();
        }
        if told == 0 {
            f.write_char('-')?;
        }
        Ok(())
    }
}

/// What [`Told`] has written, heard `now` from a node with as many groups; and whether there were more. `None` when it is
/// not well-formed.
pub(super) fn parse(text: &str, groups: usize, now: Instant) -> Option<(Vec<Placed>, bool)> {
    let mut tenures = Vec::new();
    if text == "-" {
        return Some((tenures, false));
    }
    for (count, item) in text.split(',').enumerate() {
        if item == "*" {
            return Some((tenures, true));
        }
        if count == MOST_TOLD {
            return None;
        }
        let (places, times) = item.split_once(':')?;
        let (first, last) = places.split_once('-').unwrap_or((places, places));
        let (first, last) = (place(first)?, place(last)?);
        if last < first || last >= groups {
            return None;
        }
        let (times, is_older) = match times.strip_suffix('+') {
            Some(times) => (times, true),
            None => (times, false),
        };
        let (since, until) = match times.split_once('.') {
            Some((since, until)) => (ago(since, now)?, Some(ago(until, now)?)),
            None => (ago(times, now)?, None),
        };
        let tenure = Tenure {
            since,
            until,
            is_older,
        };
        tenures.extend((first..=last).map(|place| (place, tenure)));
    }
    Some((tenures, false))
}

fn place(text: &str) -> Option<usize> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

/// A moment as a message tells it: so many milliseconds ago, in hex.
pub(super) fn ago(text: &str, now: Instant) -> Option<Moment> {
    Some(Moment::before(now, Duration::from_millis(hex(text)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    fn tenure(since: u64, until: Option<u64>, is_older: bool) -> Tenure {
        Tenure {
            since: at(since).into(),
            until: until.map(|until| at(until).into()),
            is_older,
        }
    }

    #[test]
    fn what_is_told_is_understood_on_a_clock_that_shows_something_else() {
        let tenures = [
            (0, tenure(992, None, false)),
            (1, tenure(992, None, false)),
            (2, tenure(992, None, false)),
            (2, tenure(990, Some(991), true)),
            (7, tenure(992, None, false)),
        ];
        let text = Told {
            tenures: &tenures,
            now: at(1000),
        }
        .to_string();
        assert_eq!(text, "0-2:1f40,2:2710.2328+,7:1f40");
        let (heard, has_more) = parse(&text, 8, at(50)).expect("understood");
        assert!(!has_more);
        assert_eq!(heard.len(), tenures.len());
        assert_eq!(heard[3], (2, tenure(40, Some(41), true)));
        assert_eq!(heard[4], (7, tenure(42, None, false)));
        // The machine that hears it was started in between.
        let (heard, _) = parse(&text, 8, at(9)).expect("understood");
        let (early, late) = (heard[3].1, heard[4].1);
        assert_eq!(early.since.as_micros(), -1_000_000);
        assert_eq!(late.since.since(early.since), Duration::from_secs(2));
    }

    #[test]
    fn no_more_are_told_than_a_slow_line_carries_and_that_is_said() {
        let many: Vec<Placed> = (0..500)
            .map(|place| (place * 2, tenure(1, None, false)))
            .collect();
        let told = |tenures| {
            let now = at(2);
            Told { tenures, now }.to_string()
        };
        let text = told(&many);
        assert!(text.len() < 700, "{}", text.len());
        let (heard, has_more) = parse(&text, 1000, at(2)).expect("understood");
        assert!(has_more && heard == many[..MOST_TOLD]);
        assert_eq!(told(&[]), "-");
        assert_eq!(parse("-", 0, at(2)), Some((Vec::new(), false)));
    }

    #[test]
    fn nothing_else_is_understood() {
        for nonsense in [
            "", "0", "0:", "0:g", "0:1.", "3-2:1", "0-9:1", "9:1", "+0:1", "0:+1", "0:1,", "0:1++",
            "-:1",
        ] {
            assert_eq!(parse(nonsense, 9, at(2)), None, "{nonsense:?}");
        }
    }
}
