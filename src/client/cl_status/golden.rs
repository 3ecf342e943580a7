//! What people are shown in named situations: the expected text of each is in a file in `shown`.
//!
//! `HB_UPDATE_EXPECTED=1 cargo test --lib golden` writes the files anew; look at the difference.

mod fields;
mod situations;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::events;
use super::explain::{Explanation, find};
use super::look::Look;
use super::reboot::Verdict;
use super::screen::Overview;
use crate::control::{Event, Incident, Status};
use situations::{Situation, situations};

/// The screen of 80 columns on a machine in UTC.
const LOOK: Look = Look {
    width: 80,
    colour: false,
    clock: utc,
};

/// Days are counted from 1 March of the year 0, as leap days then come last.
fn utc(seconds: u64) -> String {
    let days = seconds / 86_400 + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = era * 400 + year + u64::from(month <= 2);
    let second = seconds % 86_400;
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!(
        "{year}-{month:02}-{date:02} {hour:02}:{minute:02}:{:02}",
        second % 60
    )
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src/client/cl_status/shown")
}

/// Compares with the file, or writes it; what differs, if anything.
fn difference(name: &str, found: &str) -> Option<String> {
    let path = folder().join(format!("{name}.txt"));
    if std::env::var_os("HB_UPDATE_EXPECTED").is_some() {
        fs::write(&path, found).expect("written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    (expected != found).then(|| format!("{name}: expected\n{expected}\nfound\n{found}"))
}

fn shown(status: &Status, incidents: &[Incident]) -> String {
    let mut text = format!(
        "--- status\n{}",
        Overview::new(status.clone(), incidents.to_vec()).text(LOOK)
    );
    let key = "IPaddr::10.0.0.1/24/eth0";
    let group = find(status, key).expect("each situation has it");
    let explanation = Explanation::of(status, group).text(LOOK);
    let _ = write!(text, "--- explain {key}\n{explanation}");
    let verdict = Verdict::of(status).text(LOOK);
    let _ = write!(text, "--- reboot-safe\n{verdict}");
    text
}

#[test]
fn each_situation_is_shown_as_its_file_says() {
    let all = situations();
    assert!(all.len() >= 30, "only {} situations", all.len());
    let failures: Vec<String> = all
        .iter()
        .filter_map(|situation| {
            let Situation {
                name,
                status,
                incidents,
            } = situation;
            difference(name, &shown(status, incidents))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n\n"));
}

#[test]
fn each_file_belongs_to_a_situation_and_no_two_look_alike() {
    let mut names: Vec<String> = situations()
        .iter()
        .map(|situation| format!("{}.txt", situation.name))
        .collect();
    names.push("events.txt".into());
    let mut texts = Vec::new();
    for entry in fs::read_dir(folder()).expect("the folder") {
        let entry = entry.expect("a file");
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(names.contains(&name), "{name} belongs to nothing");
        texts.push(fs::read_to_string(entry.path()).expect("text"));
    }
    let count = texts.len();
    texts.sort();
    texts.dedup();
    assert_eq!((texts.len(), names.len()), (count, count));
}

#[test]
fn no_line_is_wider_than_eighty_columns() {
    for situation in situations() {
        let text = shown(&situation.status, &situation.incidents);
        for line in text.lines().filter(|line| !line.starts_with("---")) {
            let columns = line.chars().count();
            assert!(columns <= 80, "{}: {columns}: {line}", situation.name);
        }
    }
}

#[test]
fn events_are_lines_with_time_and_severity() {
    let event = |number, severity: &str, text: &str| Event {
        number,
        at: 1_795_198_700_000 + number * 250,
        severity: severity.into(),
        group: None,
        text: text.into(),
    };
    let all = [
        event(1, "info", "Link beta:eth0 up."),
        event(2, "WARN", "node beta: is dead"),
        event(
            3,
            "ERROR",
            "Resource group web: could not be started here; the other node has it.",
        ),
        event(
            4,
            "CRIT",
            "Both machines own resource group web: this node gives it up.",
        ),
        event(5, "notice", "a \x1b[2J trick"),
    ];
    let text: String = all.iter().map(|event| events::line(event, LOOK)).collect();
    assert_eq!(difference("events", &text), None);
}

#[test]
fn the_captures_in_the_page_are_what_is_shown() {
    let page = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/status.md"));
    let page = page.expect("the page");
    let mut shown = String::new();
    for entry in fs::read_dir(folder()).expect("the folder") {
        let text = fs::read_to_string(entry.expect("a file").path()).expect("text");
        shown.push_str(&text);
    }
    let mut count = 0;
    // A capture is indented; its empty lines are not.
    for part in page.split("\n\n") {
        let Some(first) = part.strip_prefix("    ") else {
            continue;
        };
        let part = first.replace("\n    ", "\n");
        if !part.starts_with("UNKNOWN") {
            count += 1;
            assert!(shown.contains(part.trim_end()), "no longer shown:\n{part}");
        }
    }
    assert!(count > 20, "only {count} parts");
}

#[test]
fn hundreds_of_groups_stay_readable_and_trouble_comes_first() {
    let many = situations();
    let many = many.iter().find(|one| one.name == "three-hundred-groups");
    let many = many.expect("it is there");
    let text = Overview::new(many.status.clone(), Vec::new()).text(LOOK);
    assert!(text.lines().count() < 40, "{text}");
    let at = |words: &str| {
        text.find(words)
            .unwrap_or_else(|| panic!("{words} in {text}"))
    };
    assert!(at("on NO node (") < at("and 296"));
}

#[test]
fn a_name_with_a_control_character_does_not_reach_the_terminal() {
    let mut status = situations().remove(0).status;
    status.groups[0].reasons.outcome = Some(crate::control::Outcome {
        at: 0,
        text: "\x1b[2J".into(),
    });
    status.groups[1].key = "web\x07".into();
    status.nodes[1].name = "be\rta".into();
    let text = shown(&status, &[]);
    assert!(
        text.chars().all(|sign| sign == '\n' || !sign.is_control()),
        "{text:?}"
    );
}
