//! `cl_status maintenance`: shows it, and switches it on and off.

use std::path::Path;

use super::arguments::{Arguments, Order};
use super::{BAD, GOOD, Reply, json, no_answer};
use crate::client::{Error, ask, status};
use crate::control::{Answer, Maintenance, Request};
use crate::os::account::user_name;
use crate::os::local_time::moment;

/// Asks the daemon behind `socket`.
pub(super) fn run(
    arguments: &Arguments,
    order: &Order,
    socket: &Path,
    configuration: &Path,
) -> Reply {
    let request = match order {
        Order::Show => {
            return match status(socket) {
                Ok(status) => show(arguments, status.maintenance.as_ref()),
                Err(error) => no_answer(&error, configuration),
            };
        }
        Order::On { reason, until } => Request::MaintenanceOn {
            by: person(),
            reason: reason.clone(),
            until: *until,
        },
        Order::Off => Request::MaintenanceOff { by: person() },
    };
    match ask(socket, &request) {
        Ok(Answer::Maintenance {
            maintenance,
            warnings,
        }) => {
            let mut reply = show(arguments, maintenance.as_ref());
            reply
                .err
                .extend(warnings.iter().map(|text| format!("WARNING: {text}\n")));
            reply
        }
        Ok(_) => Reply::failed("ERROR: heartbeat answers another question\n", BAD),
        Err(Error::Refused(reason)) => Reply::failed(format!("ERROR: refused: {reason}\n"), BAD),
        Err(error) => no_answer(&error, configuration),
    }
}

/// Who asks, for the log and for those who come later: root may be somebody.
fn person() -> String {
    let sudo = std::env::var("SUDO_USER").ok();
    match sudo.filter(|name| !name.is_empty()) {
        Some(name) => format!("{name} (sudo)"),
        None => user_name(),
    }
}

fn show(arguments: &Arguments, maintenance: Option<&Maintenance>) -> Reply {
    if arguments.json {
        let is_on = maintenance.is_some();
        return json(
            &serde_json::json!({ "on": is_on, "maintenance": maintenance }),
            GOOD,
        );
    }
    match (maintenance, arguments.human) {
        (None, false) => Reply::new("off\n", GOOD),
        (None, true) => Reply::new("Maintenance is off.\n", GOOD),
        (Some(maintenance), is_human) => {
            let first = if is_human {
                "Maintenance is on: no resource group is started, stopped or moved unless a person asks for it.\n"
            } else {
                "on\n"
            };
            Reply::new(format!("{first}{}", lines(maintenance)), GOOD)
        }
    }
}

/// What is known of it, a line each behind a tab.
pub(super) fn lines(maintenance: &Maintenance) -> String {
    let Maintenance {
        since,
        until,
        by,
        node,
        reason,
        known_to_peer,
        rests,
        peer_lost,
    } = maintenance;
    let since = time(*since);
    let until = until.map_or_else(|| "somebody ends it".to_owned(), time);
    let mut text = format!("\tsince\t{since}\n\tuntil\t{until}\n");
    if by.is_empty() {
        text.extend(["\tby\tsomebody on ", node, "\n"]);
    } else {
        text.extend(["\tby\t", by, " on ", node, "\n"]);
    }
    if !reason.is_empty() {
        text.extend(["\treason\t", reason, "\n"]);
    }
    text.push_str(match (rests, peer_lost, known_to_peer) {
        (true, ..) => {
            "\tother node\truns heartbeat 3.0.6 and knows no maintenance: this has no effect\n"
        }
        (_, true, true) => {
            "\tother node\tknew of it, and is silent: nothing of it is taken before the end\n"
        }
        (_, true, false) => "\tother node\tis silent: nothing of it is taken before the end\n",
        (_, false, true) => "\tother node\tknows\n",
        (_, false, false) => "\tother node\tdoes not know, or has not said so yet\n",
    });
    text
}

fn time(seconds: u64) -> String {
    let text = moment(seconds.saturating_mul(1000));
    text.trim_end_matches(".000").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maintenance() -> Maintenance {
        Maintenance {
            since: 1_795_000_000,
            until: None,
            by: "alice (sudo)".into(),
            node: "alpha".into(),
            reason: "disk change".into(),
            known_to_peer: true,
            rests: false,
            peer_lost: false,
        }
    }

    #[test]
    fn what_is_known_of_it_is_told_line_by_line() {
        let text = lines(&maintenance());
        let rest = text.split_once('\n').map(|(_, rest)| rest);
        assert_eq!(
            rest,
            Some(
                "\tuntil\tsomebody ends it\n\tby\talice (sudo) on alpha\n\treason\tdisk change\n\tother node\tknows\n"
            )
        );
        let lonely = Maintenance {
            by: String::new(),
            reason: String::new(),
            known_to_peer: false,
            peer_lost: true,
            ..maintenance()
        };
        let text = lines(&lonely);
        assert!(
            text.contains("\tby\tsomebody on alpha\n\tother node\tis silent"),
            "{text}"
        );
    }
}
