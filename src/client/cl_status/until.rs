//! Times of the wall clock as a person writes them.

use std::time::Duration;

use crate::os::local_time::LocalTime;

/// When what a person writes behind `--until` is, in seconds since 1970: `+90m`, `+1d12h`, `18:30` (today, or tomorrow where
/// that is past), `2026-12-01`, `2026-12-01 18:30`, with a `T` in place of the blank, or with seconds. `now` is the wall clock.
pub(super) fn end(text: &str, now: u64) -> Option<u64> {
    let end = if let Some(duration) = text.strip_prefix('+') {
        now.checked_add(span(duration)?.as_secs())?
    } else if let Some((date, clock)) = text.split_once(['T', ' ']) {
        on_day(of_date(date)?, clock)?
    } else if text.contains(':') {
        let today = on_day(LocalTime::from_unix(now), text)?;
        let tomorrow = LocalTime::from_unix(now.checked_add(24 * 60 * 60)?);
        if today > now {
            today
        } else {
            on_day(tomorrow, text)?
        }
    } else {
        of_date(text)?.to_unix()?
    };
    (end > now).then_some(end)
}

/// When it is so late on that day.
fn on_day(day: LocalTime, clock: &str) -> Option<u64> {
    let (hour, minute, second) = of_clock(clock)?;
    let at = LocalTime {
        hour,
        minute,
        second,
        ..day
    };
    at.to_unix()
}

/// `1d2h30m5s`, each part at most once and in this order; a bare number is minutes.
fn span(text: &str) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        let minutes: u64 = text.parse().ok()?;
        return Some(Duration::from_secs(minutes.checked_mul(60)?));
    }
    let mut rest = text;
    let mut seconds = 0_u64;
    for (unit, factor) in [('d', 86_400), ('h', 3600), ('m', 60), ('s', 1)] {
        if let Some((number, after)) = rest.split_once(unit) {
            let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            let number: u64 = number.parse().ok().filter(|_| is_number)?;
            seconds = seconds.checked_add(number.checked_mul(factor)?)?;
            rest = after;
        }
    }
    (rest.is_empty() && seconds > 0).then(|| Duration::from_secs(seconds))
}

fn of_clock(text: &str) -> Option<(u8, u8, u8)> {
    let parts = text.split(':').map(|part| number(part, 2));
    let parts = parts.collect::<Option<Vec<u8>>>()?;
    let (hour, minute, second) = match parts.as_slice() {
        [hour, minute] => (*hour, *minute, 0),
        [hour, minute, second] => (*hour, *minute, *second),
        _ => return None,
    };
    (hour < 24 && minute < 60 && second < 60).then_some((hour, minute, second))
}

fn of_date(text: &str) -> Option<LocalTime> {
    let mut parts = text.splitn(3, '-');
    let year = number::<i32>(parts.next()?, 4)?;
    let month = number(parts.next()?, 2)?;
    let day = number(parts.next()?, 2)?;
    let is_possible = (1..=12).contains(&month) && (1..=31).contains(&day);
    is_possible.then_some(LocalTime {
        year,
        month,
        day,
        hour: 0,
        minute: 0,
        second: 0,
    })
}

fn number<T: std::str::FromStr>(text: &str, digits: usize) -> Option<T> {
    let is_number = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_added_up_and_nonsense_is_none() {
        let now = 1_795_000_000;
        for (text, seconds) in [
            ("+90m", 5400),
            ("+2h", 7200),
            ("+1d12h", 129_600),
            ("+1h30m10s", 5410),
            ("+45", 2700),
        ] {
            assert_eq!(end(text, now), Some(now + seconds), "{text}");
        }
        for nonsense in [
            "",
            "+",
            "+0m",
            "+m",
            "+-5m",
            "+5x",
            "+5m1h",
            "+1h1h",
            "+99999999999999999999m",
            "now",
            "1",
            "25:00",
            "12:60",
            "1:30",
            "12:30:61",
            "2026-13-01",
            "2026-1-1",
            "2026-12-01 ",
            "2026-12-01T1",
            "1999-01-01 00:00",
            "+18446744073709551615s",
        ] {
            assert_eq!(end(nonsense, now), None, "{nonsense}");
        }
    }

    #[test]
    fn a_time_of_day_is_the_next_one_and_a_date_is_that_day() {
        let now = 1_795_000_000;
        let today = LocalTime::from_unix(now);
        for hours in [1, 5, 11, 23] {
            let at = LocalTime::from_unix(now + hours * 3600);
            let text = format!("{:02}:{:02}:{:02}", at.hour, at.minute, at.second);
            assert_eq!(end(&text, now), Some(now + hours * 3600), "{text}");
        }
        let next_year = today.year + 1;
        let text = format!("{next_year}-06-15T18:30");
        let found = LocalTime::from_unix(end(&text, now).expect("a time"));
        assert_eq!(
            (found.year, found.month, found.day, found.hour, found.minute),
            (next_year, 6, 15, 18, 30)
        );
        let blank = text.replace('T', " ");
        assert_eq!(end(&blank, now), end(&text, now));
        assert_eq!(end(&format!("{next_year}-06-31"), now), None, "no such day");
    }
}
