//! `timeout RESOURCE|* start|stop|status TIME`: how long an action may take.

use std::time::Duration;

use super::diagnostic::{Diagnostic, Diagnostics};
use super::directive::{Directive, Statement};
use super::settings::Settings;
use super::source::Place;
use super::spelling::nearest;
use super::{Group, ResourceWord, Timeout, value};

/// The actions that have a limit.
const ACTIONS: [&str; 3] = ["start", "stop", "status"];
/// Every resource.
const EVERY: &str = "*";

impl Timeout {
    /// What the lines say of one action on one resource: its whole word counts more than its name, and that more
    /// than `*`.
    pub fn find(timeouts: &[Self], word: &ResourceWord, action: &str) -> Option<Duration> {
        let names = [word.text.as_str(), word.name.as_str(), EVERY];
        names.into_iter().find_map(|name| {
            let is_meant = |line: &&Self| line.resource == name && line.action == action;
            timeouts.iter().rev().find(is_meant).map(|line| line.limit)
        })
    }
}

/// Reads one line.
pub(super) fn timeout(
    settings: &mut Settings,
    directive: &'static Directive,
    statement: &Statement,
    out: &mut Diagnostics,
) {
    let [resource, action, time] = statement.words.as_slice() else {
        let last = statement.words.get(3).or(statement.words.last());
        let place = &last.unwrap_or(&statement.name).place;
        let problem = if statement.words.len() < 3 {
            "is incomplete"
        } else {
            "has too many words"
        };
        let error = Diagnostic::error(place, format!("`{}` {problem}", directive.name));
        out.push(error.label(format!(
            "the line is `{} {}`",
            directive.name, directive.syntax
        )));
        return;
    };
    let Some(known) = ACTIONS.into_iter().find(|known| *known == action.text) else {
        let message = format!("bad action `{}`", action.text);
        let error = Diagnostic::error(&action.place, message);
        out.push(match nearest(&action.text, ACTIONS) {
            Some(close) => error.label(format!("did you mean `{close}`?")),
            None => error.label(format!("expected {}", value::alternatives(&ACTIONS))),
        });
        return;
    };
    let limit = match value::time(&time.text, false) {
        Ok(reading) => reading.value,
        Err(fault) => {
            let message = format!("bad value `{}` for `{}`", time.text, directive.name);
            let place = time.place.part(&fault.span);
            out.push(Diagnostic::error(&place, message).label(fault.reason));
            return;
        }
    };
    let line = Timeout {
        resource: resource.text.clone(),
        action: known,
        limit,
    };
    let same = |(other, _): &&(Timeout, Place)| {
        other.resource == line.resource && other.action == line.action
    };
    if let Some((_, first)) = settings.timeouts.iter().find(same) {
        let message = format!("`{}` has two limits for {known}", line.resource);
        let warning = Diagnostic::warning(&resource.place, message);
        out.push(
            warning
                .label("this one counts")
                .related(first, "this one is forgotten"),
        );
    }
    settings.timeouts.push((line, resource.place.clone()));
}

/// Warns of lines about resources that are in no group.
pub(super) fn check(settings: &Settings, groups: &[Group], out: &mut Diagnostics) {
    let words = || groups.iter().flat_map(|group| &group.resources);
    for (line, place) in &settings.timeouts {
        let name = line.resource.as_str();
        if name == EVERY || words().any(|word| word.text == name || word.name == name) {
            continue;
        }
        let message = format!("no resource is called `{name}` in haresources");
        let warning = Diagnostic::warning(place, message);
        let names = words().flat_map(|word| [word.text.as_str(), word.name.as_str()]);
        out.push(match nearest(name, names) {
            Some(close) => warning.label(format!("did you mean `{close}`?")),
            None => warning.label("the line has no effect"),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_narrower_line_counts() {
        let line = |resource: &str, action, seconds| Timeout {
            resource: resource.to_owned(),
            action,
            limit: Duration::from_secs(seconds),
        };
        let lines = [
            line("Filesystem::/dev/sdb1::/srv", "start", 1),
            line("Filesystem", "start", 2),
            line("*", "start", 3),
            line("Filesystem", "stop", 4),
            line("Filesystem", "stop", 5),
        ];
        for (word, action, seconds) in [
            ("Filesystem::/dev/sdb1::/srv", "start", Some(1)),
            ("Filesystem::/dev/sdb2::/srv", "start", Some(2)),
            ("nginx", "start", Some(3)),
            ("Filesystem::/dev/sdb1::/srv", "stop", Some(5)),
            ("nginx", "stop", None),
            ("nginx", "status", None),
        ] {
            assert_eq!(
                Timeout::find(&lines, &ResourceWord::new(word), action).map(|time| time.as_secs()),
                seconds,
                "{word} {action}"
            );
        }
    }
}
