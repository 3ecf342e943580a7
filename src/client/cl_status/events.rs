//! `events`: what has happened lately, and what happens from now on.

use std::io::{self, Write};

use super::look::{Look, plain};
use super::{BAD, GOOD, Reply, no_answer};
use crate::client::{Error, EventStream};
use crate::control::{Event, Places};
use crate::os::clock;

/// What is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Nothing that happened earlier.
    pub since: Option<Since>,
    /// Go on with what happens.
    pub follow: bool,
    /// One JSON object a line.
    pub json: bool,
}

/// From when on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Since {
    /// So many seconds before now.
    Ago(u64),
    /// Seconds since 1970.
    At(u64),
}

impl Since {
    /// `90s`, `10m`, `2h` and `1d` are times before now, `@1795198700` is one since 1970.
    pub fn parse(word: &str) -> Option<Self> {
        if let Some(seconds) = word.strip_prefix('@') {
            return number(seconds).map(Self::At);
        }
        let (digits, unit) = word.split_at_checked(word.len().checked_sub(1)?)?;
        let factor = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return None,
        };
        number(digits)?.checked_mul(factor).map(Self::Ago)
    }

    /// In milliseconds since 1970.
    fn millis(self, now: u64) -> u64 {
        match self {
            Self::Ago(seconds) => now.saturating_sub(seconds.saturating_mul(1000)),
            Self::At(seconds) => seconds.saturating_mul(1000),
        }
    }
}

fn number(digits: &str) -> Option<u64> {
    let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| is_number)
}

/// Prints events until there are no more, or somebody leaves.
pub(super) fn run(places: &Places, wanted: &Wanted, out: &mut impl Write) -> Reply {
    let now = u64::try_from(clock::wall().as_millis()).unwrap_or(u64::MAX);
    let since = wanted.since.map_or(0, |since| since.millis(now));
    let stream = EventStream::open(&places.control_socket(), wanted.follow);
    let mut stream = match stream {
        Ok(stream) => stream,
        Err(error) => return no_answer(&error, &places.configuration),
    };
    loop {
        match stream.next_event() {
            Ok(Some(event)) if event.at < since => {}
            Ok(Some(event)) => {
                if print(&event, wanted.json, out).is_err() {
                    return Reply::new("", GOOD); // a reader that went away needs no more
                }
            }
            Ok(None) if wanted.follow => {
                let text = "The daemon has closed the connection: what happens now is unknown.\n";
                return Reply::failed(text, BAD);
            }
            Ok(None) => return Reply::new("", GOOD),
            Err(Error::Refused(reason)) => return Reply::failed(format!("ERROR: {reason}\n"), BAD),
            Err(error) => return no_answer(&error, &places.configuration),
        }
    }
}

fn print(event: &Event, json: bool, out: &mut impl Write) -> io::Result<()> {
    if json {
        serde_json::to_writer(&mut *out, event)?;
        out.write_all(b"\n")?;
    } else {
        out.write_all(line(event, Look::PLAIN).as_bytes())?;
    }
    out.flush()
}

/// An event as a line.
pub(super) fn line(event: &Event, look: Look) -> String {
    let (seconds, millis) = (event.at / 1000, event.at % 1000);
    let when = (look.clock)(seconds);
    let (severity, text) = (plain(&event.severity), plain(&event.text));
    format!("{when}.{millis:03} {severity:<6} {text}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_one_since_1970() {
        for (word, expected) in [
            ("90s", Some(Since::Ago(90))),
            ("10m", Some(Since::Ago(600))),
            ("2h", Some(Since::Ago(7200))),
            ("1d", Some(Since::Ago(86_400))),
            ("@1795198700", Some(Since::At(1_795_198_700))),
            ("10", None),
            ("m", None),
            ("", None),
            ("+5m", None),
            ("-5m", None),
            ("5 m", None),
            ("5é", None),
            ("99999999999999999999s", None),
            ("18446744073709551615d", None),
            ("@", None),
        ] {
            assert_eq!(Since::parse(word), expected, "{word:?}");
        }
        assert_eq!(Since::Ago(5).millis(7000), 2000);
        assert_eq!(Since::Ago(50).millis(7000), 0);
        assert_eq!(Since::At(u64::MAX).millis(7000), u64::MAX);
    }
}
