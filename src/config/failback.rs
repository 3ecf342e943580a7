//! `auto_failback`: whether resources return to their preferred node, and what for they wait before.

use std::path::PathBuf;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::directive::{Argument, Directive, Statement};
use super::settings::Settings;
use super::source::Word;
use super::time_word;
use super::value::{self, Fault, Reading};
use super::{AutoFailback, FailbackCommand, FailbackCondition};

/// A word, or one that takes something behind it.
pub(super) const VALUES: Argument = Argument::WordOrLine {
    word: auto_failback,
    openings: &["delayed", "when"],
    line: conditional_failback,
};
/// All that may stand first.
const WORDS: [&str; 5] = ["on", "off", "legacy", "delayed", "when"];

/// `auto_failback`: a boolean or `legacy`.
fn auto_failback(settings: &mut Settings, text: &str) -> Result<(), Fault> {
    let value = if text.eq_ignore_ascii_case("legacy") {
        AutoFailback::Legacy
    } else {
        match value::boolean(text) {
            Ok(Reading { value: true, .. }) => AutoFailback::On,
            Ok(Reading { value: false, .. }) => AutoFailback::Off,
            Err(_) => return value::choice(text, &WORDS, true).map(|_| ()),
        }
    };
    settings.auto_failback = Some(value);
    settings.failback = FailbackCondition::Nothing;
    settings.failback_command = None;
    Ok(())
}

/// `auto_failback delayed TIME` and `auto_failback when COMMAND`. Whether it was taken.
fn conditional_failback(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) -> bool {
    let Some((first, rest)) = statement.words.split_first() else {
        return false;
    };
    let condition = if first.text.eq_ignore_ascii_case("delayed") {
        delayed(directive, first, rest, out)
    } else {
        when(statement, first, rest, out)
    };
    let Some(condition) = condition else {
        return false;
    };
    settings.auto_failback = Some(AutoFailback::On);
    settings.failback_command = match condition {
        FailbackCondition::When(_) => rest.first().map(|word| word.place.clone()),
        _ => None,
    };
    settings.failback = condition;
    true
}

fn delayed(
    directive: &Directive,
    first: &Word,
    rest: &[Word],
    out: &mut Diagnostics,
) -> Option<FailbackCondition> {
    let [time] = rest else {
        let (place, message) = match rest.get(1) {
            Some(second) => (&second.place, "`delayed` takes one time"),
            None => (&first.place, "`delayed` lacks its time"),
        };
        let error = Diagnostic::error(place, message);
        out.push(error.label("the line is `auto_failback delayed TIME`, for example `300`"));
        return None;
    };
    time_word::read(directive, time, out).map(FailbackCondition::Delayed)
}

fn when(
    statement: &Statement,
    first: &Word,
    rest: &[Word],
    out: &mut Diagnostics,
) -> Option<FailbackCondition> {
    let Some(program) = rest.first() else {
        let error = Diagnostic::error(&first.place, "`when` lacks its command");
        out.push(
            error.label("the line is `auto_failback when COMMAND`, with the path of a program"),
        );
        return None;
    };
    if !program.text.starts_with('/') {
        let message = format!("`{}` is not a full path", program.text);
        out.push(Diagnostic::error(&program.place, message).label("must begin with `/`"));
        return None;
    }
    let line = statement.rest.get(first.text.len()..).unwrap_or_default();
    Some(FailbackCondition::When(FailbackCommand {
        program: PathBuf::from(&program.text),
        line: line.trim().to_owned(),
    }))
}
