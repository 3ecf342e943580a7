//! Maintenance: what a person ordered, and what an earlier run left.

use std::fmt::Display;

use super::error::Problem;
use super::text::{Blanks, Seconds, escape, parse_seconds, push, unescape_text};
use crate::cluster::{MaintenanceMemory, MaintenanceOrder};

const ON: [&str; 2] = ["on", "off"];
const PLACE: [&str; 2] = ["here", "there"];
const PEER: [&str; 2] = ["still", "free"];

/// Appends an order: `on 5400.000000 by=root reason=disk\x20change`, where `-` is no end.
pub(super) fn write_order(order: &MaintenanceOrder, out: &mut String) {
    let end = order.lasts().map(Seconds);
    push(
        out,
        format_args!("{} {}", word(ON, order.is_on()), dash(end.as_ref())),
    );
    write_words(order.by(), order.reason(), out);
}

/// The order of such a text.
pub(super) fn read_order(text: &str) -> Result<MaintenanceOrder, Problem> {
    let mut words = text.split(' ');
    let mut next = || words.next().ok_or(Problem::Value);
    let is_on = meant(ON, next()?)?;
    let end = end(next()?)?;
    let by = named(next()?, "by=")?;
    let reason = named(next()?, "reason=")?;
    let order = if is_on {
        MaintenanceOrder::on(&by, &reason, end)
    } else {
        MaintenanceOrder::off(&by)
    };
    order.map_err(|_| Problem::Value)
}

/// The line of a header; nothing where there was never any maintenance, as in recordings of old.
pub(super) fn line(memory: Option<&MaintenanceMemory>) -> String {
    memory.map_or_else(String::new, |memory| {
        format!("maintenance {}\n", memory_text(memory))
    })
}

/// What an earlier run left: `7 here on still 12.000000 - by=root reason=`.
fn memory_text(memory: &MaintenanceMemory) -> String {
    let MaintenanceMemory {
        counter,
        said_here,
        is_on,
        age,
        left,
        by,
        reason,
        peer_holds_still,
    } = memory;
    let (place, is_on) = (word(PLACE, *said_here), word(ON, *is_on));
    let peer = word(PEER, *peer_holds_still);
    let left = left.map(Seconds);
    let (age, left) = (Seconds(*age), dash(left.as_ref()));
    let mut text = format!("{counter} {place} {is_on} {peer} {age} {left}");
    write_words(by, reason, &mut text);
    text
}

/// What such a text stands for.
pub(super) fn read(text: &str) -> Result<MaintenanceMemory, Problem> {
    let mut words = text.split(' ');
    let mut next = || words.next().ok_or(Problem::Value);
    Ok(MaintenanceMemory {
        counter: next()?.parse().map_err(|_| Problem::Value)?,
        said_here: meant(PLACE, next()?)?,
        is_on: meant(ON, next()?)?,
        peer_holds_still: meant(PEER, next()?)?,
        age: parse_seconds(next()?).ok_or(Problem::Value)?,
        left: end(next()?)?,
        by: named(next()?, "by=")?,
        reason: named(next()?, "reason=")?,
    })
}

fn write_words(by: &str, reason: &str, out: &mut String) {
    for (name, value) in [(" by=", by), (" reason=", reason)] {
        out.push_str(name);
        escape(value.as_bytes(), Blanks::Escaped, out);
    }
}

fn named(word: &str, name: &str) -> Result<String, Problem> {
    unescape_text(word.strip_prefix(name).ok_or(Problem::Value)?)
}

fn word([yes, no]: [&'static str; 2], is_so: bool) -> &'static str {
    if is_so { yes } else { no }
}

fn meant([yes, no]: [&str; 2], word: &str) -> Result<bool, Problem> {
    match word {
        _ if word == yes => Ok(true),
        _ if word == no => Ok(false),
        _ => Err(Problem::Value),
    }
}

fn dash(end: Option<&Seconds>) -> &dyn Display {
    end.map_or(&"-", |end| end)
}

fn end(word: &str) -> Result<Option<std::time::Duration>, Problem> {
    match word {
        "-" => Ok(None),
        time => parse_seconds(time).map(Some).ok_or(Problem::Value),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_was_left_comes_back() {
        for (is_on, left) in [(true, None), (false, Some(Duration::from_millis(1500)))] {
            let memory = MaintenanceMemory {
                counter: u64::MAX,
                said_here: !is_on,
                is_on,
                age: Duration::from_micros(7),
                left,
                by: "a b".into(),
                reason: "换硬盘 \\ = x".into(),
                peer_holds_still: is_on,
            };
            let text = memory_text(&memory);
            assert_eq!(read(&text).expect("readable"), memory, "{text}");
        }
        for bad in [
            "",
            "1 here on still 1 -",
            "x here on still 1.0 - by= reason=",
        ] {
            read(bad).expect_err(bad);
        }
    }
}
