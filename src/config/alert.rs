//! `alert`: whom this node tells when something is wrong.

use std::path::PathBuf;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::directive::{Directive, Statement};
use super::settings::Settings;
use super::source::Word;
use super::spelling::nearest;
use super::telling::{AlertWay, host};
use super::{look, value};

/// The ways there are.
const WAYS: [&str; 3] = ["mail", "webhook", "command"];
/// So many lines there may be: each has a queue of its own.
const MOST: usize = 8;
/// The longest address of either kind, in bytes: it goes to a child together with the alert, in one page of memory.
const LONGEST: usize = 512;

/// Reads one line.
pub(super) fn alert(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let shape = || format!("the line is `alert {}`", directive.syntax);
    let Some((way, words)) = statement.words.split_first() else {
        return;
    };
    let Some(known) = WAYS.into_iter().find(|known| *known == way.text) else {
        let error = Diagnostic::error(&way.place, format!("no alert by `{}`", way.text));
        out.push(match nearest(&way.text, WAYS) {
            Some(close) => error.label(format!("did you mean `{close}`?")),
            None => error.label(format!("expected {}", value::alternatives(&WAYS))),
        });
        return;
    };
    let Some(word) = words.first() else {
        let error = Diagnostic::error(&way.place, format!("`alert {known}` is incomplete"));
        out.push(error.label(shape()));
        return;
    };
    if let Some(surplus) = words.get(1).filter(|_| known != "command") {
        let error = Diagnostic::error(
            &surplus.place,
            format!("`alert {known}` has too many words"),
        );
        out.push(error.label(format!("{}; write a line for each", shape())));
        return;
    }
    let found = match known {
        "mail" => mail(word),
        "webhook" => webhook(word),
        _ => command(word, &statement.rest),
    };
    match found {
        Err(error) => out.push(*error),
        Ok(_) if settings.alerts.len() >= MOST => {
            let error = Diagnostic::error(&way.place, "too many `alert` lines");
            out.push(error.label(format!("there can be {MOST}")));
        }
        Ok(found) => settings.alerts.push((found, word.place.clone())),
    }
}

fn refuse(word: &Word, reason: &str) -> Box<Diagnostic> {
    let message = format!("bad value `{}` for `alert`", word.text);
    Box::new(Diagnostic::error(&word.place, message).label(reason))
}

/// The address becomes a word of a command line and a line of a letter's head.
fn mail(word: &Word) -> Result<AlertWay, Box<Diagnostic>> {
    let address = word.text.as_str();
    if address.len() > LONGEST {
        return Err(refuse(word, "this is too long"));
    }
    let is_part = |part: &str| {
        let is_good = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-=%".contains(&byte);
        !part.is_empty() && part.bytes().all(is_good)
    };
    let is_address = match address.rsplit_once('@') {
        Some((user, host)) => is_part(user) && is_part(host),
        None => is_part(address),
    };
    if !is_address || address.starts_with('-') {
        return Err(refuse(
            word,
            "an address such as `ops@example.org`, or the name of a local user, is expected",
        ));
    }
    Ok(AlertWay::Mail {
        address: address.to_owned(),
    })
}

fn webhook(word: &Word) -> Result<AlertWay, Box<Diagnostic>> {
    let url = word.text.as_str();
    let is_known = ["http://", "https://"]
        .iter()
        .any(|begin| url.starts_with(begin));
    if !is_known || host(url).is_empty() {
        return Err(refuse(
            word,
            "an URL such as `https://alerts.example.org/heartbeat` is expected",
        ));
    }
    if !url.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(refuse(
            word,
            "an URL has ASCII characters only; write others as `%XX`",
        ));
    }
    if url.len() > LONGEST {
        return Err(refuse(word, "this is too long"));
    }
    Ok(AlertWay::Webhook {
        url: url.to_owned(),
    })
}

fn command(word: &Word, rest: &str) -> Result<AlertWay, Box<Diagnostic>> {
    if !word.text.starts_with('/') {
        let message = format!("`{}` is not a full path", word.text);
        return Err(Box::new(
            Diagnostic::error(&word.place, message).label("must begin with `/`"),
        ));
    }
    let line = rest.trim_start().strip_prefix("command").unwrap_or(rest);
    Ok(AlertWay::Command {
        program: PathBuf::from(&word.text),
        line: line.trim().to_owned(),
    })
}

/// Tells where the program of a way is missing.
pub(super) fn check(settings: &Settings, look: look::Look<'_>, out: &mut Diagnostics) {
    for (way, place) in &settings.alerts {
        out.extend(look::warning(look, look::Subject::Alert(way), place));
    }
}
