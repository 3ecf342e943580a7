//! Single values: times, booleans, numbers, words of a fixed list.
//!
//! They are read as heartbeat 3.0.6 reads them. Where that is lenient, a remark tells what was taken.

use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;
use std::time::Duration;

use super::diagnostic::Severity;
use super::spelling::nearest;

/// What is wrong with a value or odd about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// The bytes of the word that are meant.
    pub(super) span: Range<usize>,
    /// The reason.
    pub(super) reason: String,
}

/// Something odd about a value that is taken, and how odd it is.
pub(super) type Remark = (Severity, Fault);

/// A value that could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading<T> {
    pub(super) value: T,
    /// Something to tell although the value is taken.
    pub(super) remark: Option<(Severity, Fault)>,
}

impl<T> Reading<T> {
    pub(super) fn plain(value: T) -> Self {
        Self {
            value,
            remark: None,
        }
    }
}

/// The longest time that makes sense anywhere in the configuration.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A time: digits and dots, then a unit; seconds without one. Rounded to milliseconds.
pub(super) fn time(text: &str, zero_allowed: bool) -> Result<Reading<Duration>, Fault> {
    let fault = |span, reason: &str| Fault {
        span,
        reason: reason.to_owned(),
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    if number.is_empty() {
        return Err(fault(
            0..text.len(),
            "a time is expected, such as `2` or `500ms`",
        ));
    }
    let unit_span = digits..text.len();
    let lower = unit.to_ascii_lowercase();
    let (unit_micros, remark) = match lower.as_str() {
        "" => (1_000_000, None),
        "ms" | "msec" => (1_000, None),
        "us" | "usec" => (1, None),
        "s" | "sec" | "min" => {
            let micros = if lower == "min" {
                60_000_000
            } else {
                1_000_000
            };
            let reason = "heartbeat 3.0.6 does not know this unit".to_owned();
            (
                micros,
                Some((
                    Severity::Info,
                    Fault {
                        span: unit_span,
                        reason,
                    },
                )),
            )
        }
        _ if lower.starts_with("ms") || lower.starts_with("us") => {
            let (name, micros) = if lower.starts_with("ms") {
                ("ms", 1_000)
            } else {
                ("us", 1)
            };
            let reason = format!("taken for `{name}`, as heartbeat 3.0.6 does");
            (
                micros,
                Some((
                    Severity::Warning,
                    Fault {
                        span: unit_span,
                        reason,
                    },
                )),
            )
        }
        "m" => return Err(fault(unit_span, "`ms` or `min`?")),
        _ => {
            let reason = "unknown unit; use `ms`, `us`, `s` or `min`, or none for seconds";
            return Err(fault(unit_span, reason));
        }
    };
    let Some((micros, used)) = decimal(number, unit_micros) else {
        return Err(fault(0..digits, "more than a year"));
    };
    let remark = remark.or_else(|| {
        let fault = fault(used..digits, "ignored from the second dot on");
        Some((Severity::Warning, fault)).filter(|_| used < digits)
    });
    let value = Duration::from_millis(micros.saturating_add(500) / 1000);
    if value > LONGEST {
        return Err(fault(0..text.len(), "more than a year"));
    }
    if value.is_zero() && !zero_allowed {
        return Err(fault(0..text.len(), "must be above zero"));
    }
    Ok(Reading { value, remark })
}

/// A decimal number in units of `unit`, and how many bytes of it were used; none when it is too large.
fn decimal(number: &str, unit: u64) -> Option<(u64, usize)> {
    let (whole, rest) = number.split_once('.').unwrap_or((number, ""));
    let fraction = rest.split('.').next().unwrap_or_default();
    let mut total = 0_u64;
    for digit in whole.bytes() {
        total = total
            .checked_mul(10)?
            .checked_add(u64::from(digit.wrapping_sub(b'0')))?;
    }
    total = total.checked_mul(unit)?;
    let mut weight = unit;
    for digit in fraction.bytes() {
        weight /= 10;
        total = total.checked_add(u64::from(digit.wrapping_sub(b'0')) * weight)?;
    }
    let dot = usize::from(number.contains('.'));
    Some((total, whole.len() + dot + fraction.len()))
}

/// The words for yes and no.
const BOOLEANS: [(&str, bool); 10] = [
    ("true", true),
    ("on", true),
    ("yes", true),
    ("y", true),
    ("1", true),
    ("false", false),
    ("off", false),
    ("no", false),
    ("n", false),
    ("0", false),
];

/// A boolean in any case.
pub(super) fn boolean(text: &str) -> Result<Reading<bool>, Fault> {
    let found = BOOLEANS
        .iter()
        .find(|(word, _)| text.eq_ignore_ascii_case(word));
    if let Some(&(_, value)) = found {
        return Ok(Reading::plain(value));
    }
    let reason = match nearest(text, ["true", "yes", "false", "off"]) {
        Some(word) if text.len() > 2 => format!("did you mean `{word}`?"),
        _ => "`on` or `off` is expected".to_owned(),
    };
    Err(Fault {
        span: 0..text.len(),
        reason,
    })
}

/// A whole number. As in C, what follows the digits is ignored and no digits at all are zero.
pub(super) fn integer(text: &str, range: RangeInclusive<u32>) -> Result<Reading<u32>, Fault> {
    let whole = 0..text.len();
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    let sign = text.len() - unsigned.len();
    let digits = unsigned
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(unsigned.len());
    let end = sign + digits;
    let number = unsigned.get(..digits).unwrap_or_default();
    let value = if digits == 0 {
        Some(0)
    } else {
        number.parse::<u32>().ok()
    };
    let value = value.filter(|value| range.contains(value) && !text.starts_with('-'));
    let Some(value) = value else {
        let reason = if digits == 0 && !text.starts_with('-') {
            "a number is expected".to_owned()
        } else {
            format!("must be between {} and {}", range.start(), range.end())
        };
        return Err(Fault {
            span: whole,
            reason,
        });
    };
    let remark = if digits == 0 {
        Some(Fault {
            span: whole,
            reason: "not a number; taken for 0, as heartbeat 3.0.6 does".into(),
        })
    } else {
        let reason = format!("ignored; the value is {value}, as in heartbeat 3.0.6");
        (end < text.len()).then_some(Fault {
            span: end..text.len(),
            reason,
        })
    };
    Ok(Reading {
        value,
        remark: remark.map(|fault| (Severity::Warning, fault)),
    })
}

/// A path; a relative one would depend on where the daemon was started.
pub(super) fn path(text: &str) -> Reading<PathBuf> {
    let remark = (!text.starts_with('/')).then(|| {
        let reason = "not an absolute path".to_owned();
        (
            Severity::Warning,
            Fault {
                span: 0..text.len(),
                reason,
            },
        )
    });
    Reading {
        value: PathBuf::from(text),
        remark,
    }
}

/// One word of a list.
pub(super) fn choice(
    text: &str,
    words: &'static [&'static str],
    any_case: bool,
) -> Result<Reading<&'static str>, Fault> {
    let same = |word: &&&str| **word == text || (any_case && word.eq_ignore_ascii_case(text));
    if let Some(word) = words.iter().find(same) {
        return Ok(Reading::plain(word));
    }
    let reason = match nearest(text, words.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("must be {}", alternatives(words)),
    };
    Err(Fault {
        span: 0..text.len(),
        reason,
    })
}

/// "`a`, `b` or `c`".
pub(super) fn alternatives(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        Some((last, rest @ [_, ..])) => format!("{} or {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_3_0_6_reads_them() {
        let cases = [
            ("2", 2000),
            ("0.5", 500),
            (".25", 250),
            ("500ms", 500),
            ("500MSec", 500),
            ("1500us", 2),
            ("1499us", 1),
            ("2msomething", 2),
            ("1.5.2", 1500),
            ("2.", 2000),
            ("2s", 2000),
            ("2sec", 2000),
            ("1min", 60_000),
            ("0.0005", 1),
        ];
        for (text, millis) in cases {
            let value = time(text, false).map(|reading| reading.value);
            assert_eq!(value, Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn times_that_are_none_are_refused() {
        for text in [
            "",
            "abc",
            "-1",
            "0",
            "0ms",
            ".",
            "1m",
            "1h",
            "400us",
            "99999999999999999999",
            "1e3",
        ] {
            assert!(time(text, false).is_err(), "{text}");
        }
        assert_eq!(
            time("0", true).map(|reading| reading.value),
            Ok(Duration::ZERO)
        );
    }

    #[test]
    fn leniently_read_numbers_carry_a_remark() {
        let read = integer("694x", 1..=65535);
        assert!(
            matches!(
                &read,
                Ok(Reading {
                    value: 694,
                    remark: Some(_)
                })
            ),
            "{read:?}"
        );
        let read = integer("abc", 0..=255);
        assert!(
            matches!(
                &read,
                Ok(Reading {
                    value: 0,
                    remark: Some(_)
                })
            ),
            "{read:?}"
        );
        assert_eq!(integer("+5", 0..=9), Ok(Reading::plain(5)));
        for text in ["abc", "-1", "70000", "4294967296000"] {
            assert!(integer(text, 1..=65535).is_err(), "{text}");
        }
    }

    #[test]
    fn booleans_have_any_case() {
        for (text, value) in [("ON", true), ("y", true), ("False", false), ("0", false)] {
            assert_eq!(boolean(text), Ok(Reading::plain(value)));
        }
        assert!(boolean("maybe").is_err());
    }
}
