//! A time among the words of a line that has rules of its own.

use std::time::Duration;

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::directive::Directive;
use super::source::Word;
use super::value::{self, Reading};

/// Reads it, and tells what is wrong with it. That heartbeat 3.0.6 does not know a unit is no news in a line that it does
/// not know either.
pub(super) fn read(directive: &Directive, word: &Word, out: &mut Diagnostics) -> Option<Duration> {
    let (value, told) = match value::time(&word.text, false) {
        Ok(Reading { value, remark }) => (
            Some(value),
            remark.filter(|(how, _)| *how != Severity::Info),
        ),
        Err(fault) => (None, Some((Severity::Error, fault))),
    };
    if let Some((severity, fault)) = told {
        let kind = if value.is_none() { "bad" } else { "odd" };
        let message = format!("{kind} value `{}` for `{}`", word.text, directive.name);
        let place = word.place.part(&fault.span);
        out.push(Diagnostic::at(severity, &place, message).label(fault.reason));
    }
    value
}
