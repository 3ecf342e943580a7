//! What both daemons wrote into their logs while a case was played: whether anything in it is a complaint.

use std::collections::BTreeMap;

use crate::lab::Program;
use crate::lab::journal::Mark;
use crate::remarks::{BETWEEN_OLD, Links, Remark, WITH_OURS};
use crate::stage::Stage;

/// The words with which 3.0.6 speaks, at whatever level, of a message that it can't make sense of.
const UNEASY: &[&str] = &[
    "authentication",
    "authtoken",
    "bad ",
    "cannot",
    "can't",
    "corrupt",
    "discrepency",
    "does not match",
    "doesn't contain",
    "dumping message",
    "duplicate",
    "error",
    "failed",
    "fails",
    "failure",
    "ignored",
    "ignoring",
    "illegal",
    "in flux",
    "invalid",
    "irretrievably",
    "lost",
    "malformed",
    "missing",
    "not found",
    "received in state",
    "replay",
    "should_drop_message",
    "too big",
    "too large",
    "too long",
    "unexpected",
    "unknown",
    "without",
    "wrong",
];

/// Each expectation about logs with the lines that break it. Two nodes of 3.0.6 are the measure: what they show each
/// other breaks none, even if they do so seldom enough for `remarks.rs` not to know it; it is only printed.
pub fn verdicts(stage: &Stage) -> [(&'static str, String); 2] {
    let mut complaints = BTreeMap::new();
    let mut uneasy = BTreeMap::new();
    for node in 0..2 {
        let program = stage.pairing.0[node];
        let node = stage.machine(node);
        for line in without_client_dumps(node.debug_log().since(Mark::START)) {
            if is_listed(&line, stage, program) {
                continue;
            }
            if is_complaint(&line) {
                *complaints.entry(in_short(&line)).or_default() += 1;
            } else if program == Program::Old306 && is_uneasy(&line) {
                *uneasy.entry(in_short(&line)).or_default() += 1;
            }
        }
    }
    if stage.is_old_alone() {
        let shown = [list(&complaints), list(&uneasy)].concat();
        if !shown.is_empty() {
            println!("two 3.0.6 show what remarks.rs does not list:{shown}");
        }
        complaints.clear();
        uneasy.clear();
    }
    [
        (
            "no log has a warning or an error that two 3.0.6 do not show",
            list(&complaints),
        ),
        ("3.0.6 calls no message bad or unknown", list(&uneasy)),
    ]
}

/// The lines without those with which 3.0.6 shows a message that it keeps from a program connected to it, because
/// it was missing when `cl_status` came and has arrived since. What it shows for other reasons stays.
fn without_client_dumps(mut lines: Vec<String>) -> Vec<String> {
    let mut is_dump = false;
    lines.retain(|line| {
        is_dump = line.contains("WARN: message is dropped ")
            || (is_dump && line.contains(" heartbeat: [") && line.contains("WARN: MSG"));
        !is_dump
    });
    lines
}

/// A line without what differs each time: the date before the node's name, and all numbers.
fn in_short(line: &str) -> String {
    let line = line.split_once(" heartbeat: ").map_or_else(
        || line.to_owned(),
        |(before, after)| {
            let node = before.split(' ').next_back().unwrap_or_default();
            format!("{node}: {after}")
        },
    );
    let mut short = String::new();
    for letter in line.chars() {
        let letter = if letter.is_ascii_digit() { '0' } else { letter };
        if letter != '0' || !short.ends_with('0') {
            short.push(letter);
        }
    }
    short
}

fn list(lines: &BTreeMap<String, usize>) -> String {
    let listed: Vec<String> = lines
        .iter()
        .map(|(line, count)| format!("\n  {count} x {line}"))
        .collect();
    listed.concat()
}

/// Whether a daemon or a script wrote this line as a warning or worse.
fn is_complaint(line: &str) -> bool {
    line.split_whitespace().any(|word| {
        let level = word.strip_suffix(':').unwrap_or_default();
        ["WARN", "WARNING", "ERROR", "CRIT", "EMERG", "ALERT"].contains(&level)
    })
}

/// Whether the daemon itself speaks of something that it doesn't understand.
fn is_uneasy(line: &str) -> bool {
    let text = line.to_lowercase();
    text.contains(" heartbeat: [") && UNEASY.iter().any(|word| text.contains(word))
}

fn is_listed(line: &str, stage: &Stage, program: Program) -> bool {
    let applies = |remark: &&Remark| {
        (remark.cases.is_empty() || remark.cases.contains(&stage.case))
            && match remark.on {
                Links::Any => true,
                Links::One => stage.media.links().len() == 1,
                Links::Several => stage.media.links().len() > 1,
            }
            && matches(remark.says, line)
    };
    let between_old = BETWEEN_OLD.iter().find(applies);
    let with_ours = || {
        WITH_OURS
            .iter()
            .filter(|(by, _)| !stage.is_old_alone() && *by == program)
            .map(|(_, remark)| remark)
            .find(applies)
    };
    between_old.or_else(with_ours).is_some()
}

/// Whether the pieces of a pattern between its stars stand in a line, in this order.
fn matches(pattern: &str, line: &str) -> bool {
    let mut rest = line;
    pattern
        .split('*')
        .all(|piece| match rest.split_once(piece) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAEMON: &str = "Nov 21 00:27:40 beta heartbeat: [119]: ";

    #[test]
    fn warnings_and_errors_of_daemons_and_scripts_are_complaints() {
        for line in [
            "WARN: node alpha: is dead",
            "ERROR: Both machines own our resources!",
            "CRIT: Late heartbeat: Node beta: interval 6000 ms (> deadtime)",
        ] {
            assert!(is_complaint(&format!("{DAEMON}{line}")), "{line}");
        }
        assert!(is_complaint(
            "ResourceManager(default)[9]:\t2026/11/21_00:27:40 CRIT: Giving up"
        ));
        assert!(!is_complaint(&format!(
            "{DAEMON}info: Link alpha:eth0 dead."
        )));
    }

    #[test]
    fn doubts_about_messages_are_noticed_at_every_level() {
        for line in [
            "debug: should_drop_message: Duplicate packet(1)",
            "info: a bad message",
            "debug: Ignored standby message 'done' from alpha in state 0",
        ] {
            assert!(is_uneasy(&format!("{DAEMON}{line}")), "{line}");
        }
        assert!(!is_uneasy(&format!(
            "{DAEMON}debug: add_option(auto_failback,on)"
        )));
    }

    #[test]
    fn a_message_shown_for_a_client_is_none_that_is_bad() {
        let lines = |texts: &[&str]| -> Vec<String> {
            let lines = texts.iter().map(|text| format!("{DAEMON}{text}"));
            lines.collect()
        };
        let dump = [
            "WARN: MSG: Dumping message with 1 fields",
            "WARN: MSG[0] : [t=status]",
        ];
        let mut of_client = vec!["WARN: message is dropped "];
        of_client.extend(dump);
        of_client.push("info: something else");
        assert_eq!(
            without_client_dumps(lines(&of_client)),
            lines(&["info: something else"])
        );
        let mut bad = vec!["ERROR: no such thing"];
        bad.extend(dump);
        assert_eq!(without_client_dumps(lines(&bad)), lines(&bad));
    }

    #[test]
    fn a_remark_names_pieces_of_a_line_in_their_order() {
        assert!(matches(
            "WARN: * lost packet(s)",
            "x WARN: 1 lost packet(s) for [beta]"
        ));
        assert!(!matches(
            "lost*WARN:",
            "x WARN: 1 lost packet(s) for [beta]"
        ));
    }

    #[test]
    fn lines_that_differ_in_numbers_only_are_counted_together() {
        assert_eq!(
            in_short(&format!("{DAEMON}WARN: 12 lost")),
            "beta: [0]: WARN: 0 lost"
        );
    }
}
