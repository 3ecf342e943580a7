//! The sub-commands that show how things are now: within a second they tell that, or that nothing is known.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::Path;

use super::arguments::{Arguments, Query};
use super::explain::{self, Explanation};
use super::look::{Look, Mark};
use super::reboot::Verdict;
use super::screen::Overview;
use super::{BAD, GOOD, Reply, TIMEOUT, USAGE, json, no_answer, watch};
use crate::client::{self, Error};
use crate::control::{Places, Status};
use crate::os::{clock, screen};

/// What one of them prints.
pub(super) fn reply(arguments: &Arguments, places: &Places) -> Reply {
    let socket = places.control_socket();
    let look = look();
    match &arguments.query {
        Query::Watch => match watch::run(|look| overview(&socket, places, false, look).out) {
            Ok(()) => Reply::new("", GOOD),
            Err(text) => Reply::failed(text, USAGE),
        },
        Query::Explain(name) => {
            explanation(client::glance(&socket), name, arguments.json, places, look)
        }
        Query::RebootSafe => reboot_safe(client::glance(&socket), arguments.json, look),
        _ => overview(&socket, places, arguments.json, look),
    }
}

/// As standard output is.
fn look() -> Look {
    let out = io::stdout();
    if out.is_terminal() {
        let columns = screen::size(&out).map_or(Look::PLAIN.width, |(columns, _)| columns);
        Look::terminal(columns, std::env::var_os("NO_COLOR").as_deref())
    } else {
        Look::PLAIN
    }
}

fn overview(socket: &Path, places: &Places, as_json: bool, look: Look) -> Reply {
    // Of what happened long ago there is nothing to be said where nobody says how things are now.
    let found = client::glance(socket).and_then(|status| {
        let incidents = client::latest_incidents(socket)?;
        Ok(Overview::new(status, incidents))
    });
    shown(found, places, as_json, look)
}

/// The screen of `status`.
pub(super) fn shown(
    found: Result<Overview, Error>,
    places: &Places,
    as_json: bool,
    look: Look,
) -> Reply {
    match found {
        Ok(overview) => {
            let exit = if overview.is_well() { GOOD } else { BAD };
            if as_json {
                json(&overview, exit)
            } else {
                Reply::new(overview.text(look), exit)
            }
        }
        Err(error) => unknown(&error, places, as_json, look),
    }
}

/// Nobody says how things are: what was known is not repeated.
fn unknown(error: &Error, places: &Places, as_json: bool, look: Look) -> Reply {
    let now = clock::wall().as_secs();
    let exit = if matches!(error, Error::Silent) {
        TIMEOUT
    } else {
        BAD
    };
    let reason = match error {
        Error::Stopped(_) => {
            let directory = places.configuration.display();
            format!("{error} (configuration directory {directory})")
        }
        _ => error.to_string(),
    };
    if as_json {
        let value = serde_json::json!({ "as-of": now, "verdict": "unknown", "reason": reason });
        return json(&value, exit);
    }
    let mut out = String::new();
    look.paint(&mut out, "31;1", "UNKNOWN");
    let as_of = (look.clock)(now);
    let _ = writeln!(out, ": what runs where is not known, as of {as_of}");
    look.line(&mut out, Mark::Trouble, &reason);
    Reply::new(out, exit)
}

pub(super) fn explanation(
    status: Result<Status, Error>,
    name: &str,
    as_json: bool,
    places: &Places,
    look: Look,
) -> Reply {
    let status = match status {
        Ok(status) => status,
        Err(error) => return no_answer(&error, &places.configuration),
    };
    match explain::find(&status, name) {
        Err(text) => Reply::failed(text, USAGE),
        Ok(group) => {
            let explanation = Explanation::of(&status, group);
            if as_json {
                json(&explanation, GOOD)
            } else {
                Reply::new(explanation.text(look), GOOD)
            }
        }
    }
}

pub(super) fn reboot_safe(status: Result<Status, Error>, as_json: bool, look: Look) -> Reply {
    let verdict = match status {
        Ok(status) => Verdict::of(&status),
        Err(error) => Verdict::unknown(clock::wall().as_secs(), error.to_string()),
    };
    let exit = if verdict.is_safe() { GOOD } else { BAD };
    if as_json {
        json(&verdict, exit)
    } else {
        Reply::new(verdict.text(look), exit)
    }
}
