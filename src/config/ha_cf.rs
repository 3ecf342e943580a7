//! Reads `ha.cf` line by line. What the directives mean is in `table`; what they mean together in `rules`.

use super::diagnostic::{Diagnostic, Diagnostics};
use super::directive::{Argument, Directive, Fate, Repeat, Statement};
use super::secrets::without_passwords;
use super::settings::Settings;
use super::source::{File, Line, Word, is_blank, is_blank_or_comma};
use super::{assign, spelling, suggest, table};

/// The most bytes of a line that heartbeat 3.0.6 takes for one line.
const LONGEST_LINE: usize = 5119;

/// Everything that the file says, and everything that is wrong with single lines.
pub(super) fn parse(file: &File) -> (Settings, Diagnostics) {
    let mut settings = assign::defaults();
    let mut out = Diagnostics::default();
    let mut told = Vec::new();
    for line in &file.lines {
        let Some((statement, line)) = statement(line, &mut settings, &mut out) else {
            continue;
        };
        let Some(directive) = table::find(&statement.name.text) else {
            unknown(&statement, &mut settings, &mut out);
            continue;
        };
        settings.attempt(directive.name);
        if !told.contains(&directive.name) {
            told.push(directive.name);
            tell_fate(directive, &statement, &mut out);
        }
        keep(directive, &statement, &mut settings);
        obey(directive, &statement, &line, &mut settings, &mut out);
    }
    (settings, out)
}

/// The words of a line without its comment; none when there are none or the line is damaged.
fn statement(
    line: &Line,
    settings: &mut Settings,
    out: &mut Diagnostics,
) -> Option<(Statement, Line)> {
    if line.text.len() > LONGEST_LINE {
        let place = line.place(LONGEST_LINE - 1..LONGEST_LINE);
        let warning = Diagnostic::warning(&place, "line is longer than 5119 bytes");
        out.push(warning.label("heartbeat 3.0.6 takes what follows for another line"));
    }
    let mut start = 0;
    let end = line.text.find('#').unwrap_or(line.text.len());
    if line.number == 1 && line.text.starts_with('\u{feff}') {
        start = '\u{feff}'.len_utf8();
        let place = line.place(0..start);
        let error = Diagnostic::error(&place, "the file begins with a byte order mark");
        out.push(error.label("invisible, from an editor of another system; remove it"));
    }
    let shown = line.shown_as(without_passwords(&line.text));
    let mut words = shown.words(start..end, is_blank);
    settings.says_anything |= !words.is_empty();
    if let Some(error) = spelling::first_lookalike(&words) {
        // What the line was meant to be is a guess, but its directive is not missing.
        let plain = spelling::plain(line.text.get(start..end)?);
        let name = plain
            .split(is_blank)
            .find(|word| !word.is_empty())
            .unwrap_or_default();
        if let Some(directive) = table::find(&name.to_ascii_lowercase()) {
            settings.misread(directive.name);
        }
        out.push(error);
        return None;
    }
    if let Some(comment) = words
        .iter()
        .skip(1)
        .position(|word| word.text.starts_with("//"))
    {
        if let Some(word) = words.get(comment + 1) {
            let error = Diagnostic::error(&word.place, "`//` does not begin a comment");
            out.push(error.label("comments begin with `#`"));
        }
        words.truncate(comment + 1);
    }
    let name = words.first()?.clone();
    words.remove(0);
    let rest_end = words
        .last()
        .map_or(name.place.span.end, |word| word.place.span.end);
    let rest = line
        .text
        .get(name.place.span.end..rest_end)
        .unwrap_or_default()
        .trim()
        .to_owned();
    Some((Statement { name, words, rest }, shown))
}

fn unknown(statement: &Statement, settings: &mut Settings, out: &mut Diagnostics) {
    let advice = suggest::unknown_directive(&statement.name, &statement.rest);
    if let Some(directive) = advice.meant {
        settings.misread(directive.name);
    }
    let message = format!("unknown directive `{}`", statement.name.text);
    let error = Diagnostic::error(&statement.name.place, message).label(advice.label);
    out.push(match advice.help {
        Some(help) => error.help(help),
        None => error,
    });
}

/// One line about a directive that does not do what it did in heartbeat 3.0.6.
fn tell_fate(directive: &Directive, statement: &Statement, out: &mut Diagnostics) {
    let (name, place) = (directive.name, &statement.name.place);
    match directive.fate {
        Fate::Kept => {}
        Fate::Superseded(by) => {
            out.push(Diagnostic::info(place, format!("`{name}` is superseded")).label(by));
        }
        Fate::Obsolete(reason) => {
            out.push(Diagnostic::warning(place, format!("`{name}` is ignored")).label(reason));
        }
    }
    if !directive.acted_on {
        let message = format!("this version does not act on `{name}` yet");
        out.push(Diagnostic::warning(place, message).label("checked, but without effect"));
    }
}

/// For those who compare files: a list is the same on one line as on several.
fn keep(directive: &'static Directive, statement: &Statement, settings: &mut Settings) {
    let adds = directive.repeat == Repeat::Adds;
    let words: Vec<&str> = statement
        .words
        .iter()
        .map(|word| word.text.as_str())
        .collect();
    let text = words.join(" ");
    if matches!(directive.argument, Argument::Each(_)) {
        for value in text
            .split(is_blank_or_comma)
            .filter(|value| !value.is_empty())
        {
            settings.keep_line(directive.name, adds, value.to_owned());
        }
    } else {
        settings.keep_line(directive.name, adds, text);
    }
}

/// Hands the values over to where the directive wants them.
fn obey(
    directive: &'static Directive,
    statement: &Statement,
    line: &Line,
    settings: &mut Settings,
    out: &mut Diagnostics,
) {
    let list = || {
        let end = statement.words.last().map_or(0, |word| word.place.span.end);
        line.words(statement.name.place.span.end..end, is_blank_or_comma)
    };
    match directive.argument {
        Argument::Ignored => assign::note(settings, directive, statement),
        Argument::Line(take) if !statement.words.is_empty() => {
            take(settings, directive, statement, out);
        }
        Argument::Line(_) => out.push(no_value(directive, statement)),
        Argument::WordOrLine { openings, line, .. } if opens(statement, openings) => {
            if let (true, Some(first)) = (
                line(settings, directive, statement, out),
                statement.words.first(),
            ) {
                assign::record(settings, directive, &statement.rest, &first.place, out);
            }
        }
        _ => {
            let words = if statement.words.is_empty() {
                Vec::new()
            } else {
                list()
            };
            if words.is_empty() {
                out.push(no_value(directive, statement));
            }
            assign::assign(settings, directive, &words, out);
        }
    }
}

/// Whether the first value is one of these words, in any case.
fn opens(statement: &Statement, openings: &[&str]) -> bool {
    let is_one = |word: &Word| {
        openings
            .iter()
            .any(|name| word.text.eq_ignore_ascii_case(name))
    };
    statement.words.first().is_some_and(is_one)
}

fn no_value(directive: &Directive, statement: &Statement) -> Diagnostic {
    Diagnostic::error(
        &statement.name.place,
        format!("`{}` has no value", directive.name),
    )
    .label(format!("{} is missing after this", directive.syntax))
    .help(format!("for example `{}`", directive.example))
}
