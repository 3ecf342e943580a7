//! Puts the values of directives into the settings, and shows them again as parameters.

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::directive::{Argument, Default as Preset, Directive, Repeat, Statement};
use super::settings::Settings;
use super::source::{Place, Word};
use super::value::{self, Fault, Reading};
use super::{AutoFailback, table};

/// All defaults, read like any other value.
pub(super) fn defaults() -> Settings {
    let mut settings = Settings::default();
    for directive in table::ALL {
        if let Preset::Value(text) = directive.default {
            // A default that can't be read would leave its setting at zero; a test looks for that.
            let _ = store(&mut settings, directive, text);
        }
    }
    settings
}

/// Takes the words after a plain directive.
pub(super) fn assign(
    settings: &mut Settings,
    directive: &'static Directive,
    words: &[Word],
    out: &mut Diagnostics,
) {
    let words = before_lost_line_break(settings, directive, words, out);
    if let Argument::Each(each) = directive.argument {
        for word in words {
            each(settings, directive, word, out);
        }
        return;
    }
    if let [first, second, ..] = words {
        let severed = first.text.ends_with(|c: char| c.is_ascii_digit()) && is_unit(&second.text);
        out.push(if severed {
            Diagnostic::error(&second.place, "a blank parts a number from its unit")
                .label(format!("write `{}{}`", first.text, second.text))
        } else {
            let message = format!("`{}` takes one value", directive.name);
            Diagnostic::warning(&first.place, message).label("only the last one counts")
        });
        if severed {
            return;
        }
    }
    for word in words {
        match store(settings, directive, &word.text) {
            Ok(remark) => {
                if let Some((severity, fault)) = remark {
                    out.push(about_value(directive, word, &fault, severity));
                }
                record(settings, directive, &word.text, &word.place, out);
            }
            Err(fault) => out.push(about_value(directive, word, &fault, Severity::Error)),
        }
    }
}

/// The words in front of one that begins another directive: a page that lost its line breaks.
///
/// A node may well be called like a directive; that is looked at when all nodes are known.
fn before_lost_line_break<'a>(
    settings: &mut Settings,
    directive: &'static Directive,
    words: &'a [Word],
    out: &mut Diagnostics,
) -> &'a [Word] {
    let lost = words.iter().enumerate().skip(1).find_map(|(at, word)| {
        let found = table::find(&word.text)?;
        (directive.name != "node").then_some((at, word, found))
    });
    let Some((at, word, found)) = lost else {
        return words;
    };
    settings.misread(found.name);
    let error = Diagnostic::error(&word.place, "two directives on one line");
    out.push(error.label(format!("`{}` must begin a line of its own", word.text)));
    words.get(..at).unwrap_or_default()
}

/// Remembers the text of a directive that nobody looks at.
pub(super) fn note(settings: &mut Settings, directive: &'static Directive, statement: &Statement) {
    let text = statement
        .words
        .last()
        .map(|word| word.text.clone())
        .unwrap_or_default();
    settings.remember(directive.name, text, statement.name.place.clone());
}

/// Remembers the accepted text of a directive and looks at an earlier mention.
pub(super) fn record(
    settings: &mut Settings,
    directive: &'static Directive,
    text: &str,
    place: &Place,
    out: &mut Diagnostics,
) {
    let earlier = settings.remember(directive.name, text.to_owned(), place.clone());
    let Some((before, first)) = earlier.filter(|(before, _)| before != text) else {
        return;
    };
    if first.line == place.line {
        return; // the several values of one line were told already
    }
    let message = format!("`{}` is given twice with different values", directive.name);
    out.push(if directive.repeat == Repeat::Same {
        Diagnostic::error(place, message)
            .label(format!("`{text}` here"))
            .related(&first, format!("`{before}` here"))
            .help("remove one of the two lines")
    } else {
        Diagnostic::warning(place, message)
            .label("this one counts")
            .related(&first, "this one is forgotten")
    });
}

/// Reads a value and puts it where it belongs.
fn store(
    settings: &mut Settings,
    directive: &'static Directive,
    text: &str,
) -> Result<Option<(Severity, Fault)>, Fault> {
    fn put<T>(slot: &mut T, reading: Reading<T>) -> Option<(Severity, Fault)> {
        *slot = reading.value;
        reading.remark
    }
    Ok(match &directive.argument {
        Argument::Time(slot) => put(slot(settings), value::time(text, false)?),
        Argument::TimeOrZero(slot) => put(slot(settings), value::time(text, true)?),
        Argument::Boolean(slot) => put(slot(settings), value::boolean(text)?),
        Argument::Integer(slot, range) => put(slot(settings), value::integer(text, range.clone())?),
        Argument::Choice(slot, words) => put(slot(settings), value::choice(text, words, false)?),
        Argument::Text(slot) => put(slot(settings), Reading::plain(text.to_owned())),
        Argument::Path(slot) => {
            let Reading { value, remark } = value::path(text);
            *slot(settings) = Some(value);
            remark
        }
        Argument::OddWord(read) => read(settings, text)?,
        Argument::Word(read) | Argument::WordOrLine { word: read, .. } => {
            read(settings, text).map(|()| None)?
        }
        Argument::Each(_) | Argument::Line(_) | Argument::Ignored => None,
    })
}

/// The recorded directives with the text that commands and scripts see.
pub(super) fn parameters(settings: &Settings) -> Vec<(String, String)> {
    let recorded = table::ALL.iter().filter(|directive| directive.recorded);
    let texts = recorded.filter_map(|directive| {
        let preset = match directive.default {
            Preset::Value(text) => Some(text),
            _ => None,
        };
        // `nice_failback` shows under the name that counts.
        let preset = match settings.auto_failback {
            Some(AutoFailback::On) if directive.name == "auto_failback" => Some("on"),
            Some(AutoFailback::Off) if directive.name == "auto_failback" => Some("off"),
            _ => preset,
        };
        let text = settings.text(directive.name).or(preset).map(str::to_owned);
        let text = text.or_else(|| computed(settings, directive.name))?;
        Some((directive.name.to_owned(), text))
    });
    texts.collect()
}

/// The text of a value that follows from others.
fn computed(settings: &Settings, name: &str) -> Option<String> {
    let time = match name {
        "warntime" => settings.warntime,
        "initdead" => settings.initdead,
        "deadping" => settings.deadping,
        _ => return None,
    };
    Some(format!("{}ms", time.as_millis()))
}

fn is_unit(text: &str) -> bool {
    ["ms", "msec", "us", "usec", "s", "sec", "min"]
        .iter()
        .any(|unit| text.eq_ignore_ascii_case(unit))
}

/// What to tell about the value of a directive.
fn about_value(
    directive: &Directive,
    word: &Word,
    fault: &Fault,
    severity: Severity,
) -> Diagnostic {
    let kind = if severity == Severity::Error {
        "bad"
    } else {
        "odd"
    };
    let message = format!("{kind} value `{}` for `{}`", word.text, directive.name);
    Diagnostic::at(severity, &word.place.part(&fault.span), message).label(fault.reason.as_str())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn every_default_can_be_read() {
        for directive in table::ALL {
            if let Preset::Value(text) = directive.default {
                let read = store(&mut Settings::default(), directive, text);
                assert_eq!(read, Ok(None), "{}", directive.name);
            }
        }
        let settings = defaults();
        assert_eq!(settings.keepalive, Duration::from_secs(1));
        assert_eq!((settings.baud, settings.udpport), (19200, 694));
    }
}
