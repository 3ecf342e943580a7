//! The catalogue of errors: it has what the source declares and nothing else, in both languages, with an index, and as a manual
//! page.
//!
//! `HB_UPDATE_EXPECTED=1 cargo test --test pages catalogue` writes the indexes and the manual page anew; entries are written by
//! hand. An entry is an item of a list: how it is said in italics, the messages in bold, and what they mean and want.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use crate::declared::{Voice, messages};
use crate::page::root;

const PAGE: &str = "docs/errors.md";
const PAGE_IN_CHINESE: &str = "docs/zh/errors.md";
const MANUAL: &str = "man/heartbeat-errors.7";
const INDEXES: [(&str, &str); 2] = [(PAGE, "## Index"), (PAGE_IN_CHINESE, "## 索引")];

/// An item.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    section: String,
    voices: String,
    messages: Vec<String>,
    text: String,
}

fn read(path: &str) -> String {
    let text = fs::read_to_string(root().join(path));
    text.unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn entries(page: &str) -> Vec<Entry> {
    let mut found: Vec<Entry> = Vec::new();
    let mut section = String::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("## ") {
            heading.clone_into(&mut section);
        } else if let Some(item) = line.strip_prefix("- *") {
            let (voices, rest) = item.split_once('*').expect("how it is said, in italics");
            let messages = rest.split("**").skip(1).step_by(2);
            let bare = |piece: &str| {
                let inside = piece
                    .strip_prefix("`` ")
                    .and_then(|piece| piece.strip_suffix(" ``"));
                inside.unwrap_or_else(|| piece.trim_matches('`')).to_owned()
            };
            found.push(Entry {
                section: section.clone(),
                voices: voices.to_owned(),
                messages: messages.map(bare).collect(),
                text: String::new(),
            });
        } else if let (Some(text), Some(entry)) = (line.strip_prefix("  "), found.last_mut()) {
            entry.text.push_str(text);
        }
    }
    found
}

/// The words of all voices, the worst first.
fn voice_words(voices: &BTreeSet<Voice>) -> String {
    let all = [
        Voice::Crit,
        Voice::Error,
        Voice::Warn,
        Voice::Diagnostic,
        Voice::Reason,
    ];
    let words = all.into_iter().filter(|voice| voices.contains(voice));
    words.map(Voice::word).collect::<Vec<_>>().join(", ")
}

#[test]
fn the_catalogue_has_every_message_that_the_programs_can_say_and_no_other() {
    let declared = messages();
    assert!(
        declared.len() > 450,
        "{} messages were found",
        declared.len()
    );
    let mut wrong = Vec::new();
    let mut seen = BTreeSet::new();
    for entry in entries(&read(PAGE)) {
        let mut voices = BTreeSet::new();
        for message in &entry.messages {
            match declared.get(message) {
                Some(origin) => voices.extend(&origin.voices),
                None => wrong.push(format!("no program says `{message}`")),
            }
            if !seen.insert(message.clone()) {
                wrong.push(format!("`{message}` stands there twice"));
            }
        }
        if voice_words(&voices) != entry.voices {
            wrong.push(format!(
                "`{}` is said as {}",
                entry.messages.join("` and `"),
                voice_words(&voices)
            ));
        }
        if entry.text.is_empty() {
            wrong.push(format!(
                "`{}` has no explanation",
                entry.messages.join("` and `")
            ));
        }
    }
    for (message, origin) in declared {
        if !seen.contains(&message) {
            let (voices, files) = (voice_words(&origin.voices), origin.files);
            wrong.push(format!("no entry for {voices} `{message}` of {files:?}"));
        }
    }
    assert!(wrong.is_empty(), "{PAGE}:\n{}", wrong.join("\n"));
}

#[test]
fn both_languages_explain_the_same_messages_in_the_same_order() {
    let heads = |path: &str| -> Vec<_> {
        let entries = entries(&read(path));
        assert!(entries.iter().all(|entry| !entry.text.is_empty()), "{path}");
        entries
            .into_iter()
            .map(|entry| (entry.voices, entry.messages))
            .collect()
    };
    for (ours, theirs) in heads(PAGE).iter().zip(heads(PAGE_IN_CHINESE)) {
        assert_eq!(*ours, theirs);
    }
    assert_eq!(heads(PAGE).len(), heads(PAGE_IN_CHINESE).len());
}

/// Whether a line has the pieces of a message, in their order.
fn fits(message: &str, line: &str) -> bool {
    let mut rest = line;
    message.split('*').all(|piece| {
        let found = rest.split_once(piece);
        found.map(|(_, after)| rest = after).is_some()
    })
}

/// What real daemons and checks have said, as other tests keep it: each line and how it was said.
fn lines_of_old() -> Vec<(String, &'static str)> {
    let voices = [" WARN: ", " ERROR: ", " CRIT: ", "error: ", "warning: "];
    let words = ["WARN", "ERROR", "CRIT", "check", "check"];
    let mut found = Vec::new();
    for folder in [
        "tests/recordings",
        "tests/config/broken",
        "tests/config/valid",
    ] {
        for entry in fs::read_dir(root().join(folder)).expect("what was said") {
            let path = entry.expect("an entry").path();
            let path = if path.is_dir() {
                path.join("expected")
            } else {
                path
            };
            if !path.to_string_lossy().ends_with("expected") {
                continue;
            }
            for line in fs::read_to_string(path).expect("readable").lines() {
                let is_log = line.starts_with(' ');
                let mut pairs = voices.iter().zip(words);
                let pair = pairs
                    .find(|(voice, _)| voice.starts_with(' ') == is_log && line.contains(*voice));
                if let Some((voice, word)) = pair {
                    let (before, said) = line.split_once(voice).expect("it is there");
                    let is_begin = before
                        .chars()
                        .all(|sign| sign.is_ascii_digit() || " .".contains(sign));
                    found.extend(is_begin.then(|| (said.to_owned(), word)));
                }
            }
        }
    }
    found
}

#[test]
fn what_real_daemons_and_checks_have_said_is_found_in_the_catalogue() {
    let entries = entries(&read(PAGE));
    let lines = lines_of_old();
    assert!(lines.len() > 250, "{} lines", lines.len());
    let mut missing = BTreeSet::new();
    for (line, voice) in lines {
        let is_there = entries.iter().any(|entry| {
            let is_said_so = entry.voices.split(", ").any(|word| word == voice);
            is_said_so && entry.messages.iter().any(|message| fits(message, &line))
        });
        if !is_there {
            missing.insert(format!("{voice} {line}"));
        }
    }
    assert!(missing.is_empty(), "no entry fits {missing:#?}");
}

/// The place of a heading, as it is linked to.
fn anchor(heading: &str) -> String {
    let signs = heading.to_lowercase();
    let signs = signs
        .chars()
        .filter(|sign| sign.is_alphanumeric() || "- _".contains(*sign));
    signs
        .map(|sign| if sign == ' ' { '-' } else { sign })
        .collect()
}

/// What a message is sorted by: its letters and numbers, small.
fn key(message: &str) -> String {
    let letters = message
        .chars()
        .filter(|sign| sign.is_alphanumeric() || *sign == ' ');
    letters.collect::<String>().trim().to_lowercase()
}

/// The first words of a message, as many as fit.
fn beginning(message: &str) -> String {
    let mut short = String::new();
    for word in message.split(' ') {
        if short.chars().count() + word.chars().count() > 70 {
            short.push_str(" ...");
            break;
        }
        if !short.is_empty() {
            short.push(' ');
        }
        short.push_str(word);
    }
    if short.contains('`') {
        format!("`` {short} ``")
    } else {
        format!("`{short}`")
    }
}

/// The page up to its index, and the index as it should be.
fn with_index(page: &str, heading: &str) -> String {
    let body = page
        .split(&format!("\n{heading}\n"))
        .next()
        .unwrap_or_default();
    let mut lines = BTreeMap::new();
    for entry in entries(body) {
        for message in &entry.messages {
            let line = format!(
                "- {} [{}](#{})\n",
                beginning(message),
                entry.section,
                anchor(&entry.section)
            );
            lines.insert((key(message), message.clone()), line);
        }
    }
    let lines: String = lines.into_values().collect();
    format!("{}\n\n{heading}\n\n{lines}", body.trim_end())
}

/// Compares a file with what it should be, or makes it so.
fn expect_file(path: &str, wanted: &str) {
    if std::env::var_os("HB_UPDATE_EXPECTED").is_some() {
        fs::write(root().join(path), wanted).expect("a writable source tree");
    }
    let found = fs::read_to_string(root().join(path)).unwrap_or_default();
    let mut lines = found.lines().zip(wanted.lines());
    let different = lines.find(|(found, wanted)| found != wanted);
    let is_same = found == wanted;
    assert!(
        is_same,
        "{path} is not up to date: {different:?}; HB_UPDATE_EXPECTED=1 makes it so"
    );
}

#[test]
fn the_index_has_every_message_in_alphabetical_order() {
    for (path, heading) in INDEXES {
        expect_file(path, &with_index(&read(path), heading));
    }
}

const MANUAL_BEGIN: &str = r#".\" Made from docs/errors.md by tests/pages/catalogue.rs, which says how.
.Dd November 30, 2026
.Dt HEARTBEAT-ERRORS 7
.Os
.Sh NAME
.Nm heartbeat-errors
.Nd what heartbeat says, what it means, and what to do
.Sh DESCRIPTION
Every warning, error and alarm of the log of
.Xr heartbeat 8 ,
every diagnostic of
.Ql heartbeat check ,
and every reason with which a command is refused.
The findings of
.Ql heartbeat doctor
have what to do below each of them, and are not here.
To find a line, search for a few of its words that are no names and no numbers: those are stars here.
Where several stand together, they mean the same, or one is the end of the other.
.Bl -tag -width Ds
.It Sy CRIT
Service or data are in danger: look at once.
.It Sy ERROR
Something failed.
.It Sy WARN
Something degraded, or is not as it should be.
.It Sy check
A diagnostic of
.Ql heartbeat check ,
a start or a reload, with file, line and remedy; an error or a warning.
.It Sy reason
A part of another line, or the answer to a command.
.El
"#;

const MANUAL_END: &str = ".Sh SEE ALSO
.Xr cl_status 1 ,
.Xr hb_standby 1 ,
.Xr hb_takeover 1 ,
.Xr authkeys 5 ,
.Xr ha.cf 5 ,
.Xr haresources 5 ,
.Xr heartbeat 8
.Pp
The same in Chinese is in
.Pa /usr/share/doc/heartbeat-rs/docs/zh/errors.md .
";

/// Text in which the manual's language finds nothing to obey.
fn backslashes(text: &str) -> String {
    text.replace('\\', "\\e")
}

/// A line of such text, which may begin like a command.
fn escaped(text: &str) -> String {
    if text.starts_with(['.', '\'']) {
        format!("\\&{text}")
    } else {
        text.to_owned()
    }
}

/// A sentence a line, as manual pages are written.
fn sentences(text: &str) -> String {
    let ends = [". ", "? ", "! "];
    let lines = ends.iter().fold(text.to_owned(), |text, end| {
        text.replace(end, &format!("{}\n", end.trim_end()))
    });
    lines.lines().map(|line| escaped(line) + "\n").collect()
}

/// Text without the marks of the page.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let Some((words, after)) = link.split_once("](") else {
            break;
        };
        plain.extend([before, words]);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    sentences(&backslashes(&plain.replace('`', "")))
}

fn manual() -> String {
    let mut page = MANUAL_BEGIN.to_owned();
    let mut section = String::new();
    let heading = |name: &str| format!(".Sh {}\n.Bl -tag -width Ds\n", name.to_uppercase());
    for entry in entries(&read(PAGE)) {
        if entry.section != section {
            if !section.is_empty() {
                page.push_str(".El\n");
            }
            page.push_str(&heading(&entry.section));
            section = entry.section;
        }
        let _ = writeln!(page, ".It Sy {}", entry.voices.replace(", ", " , "));
        for message in &entry.messages {
            let quoted = format!("\\(lq{}\\(rq", backslashes(message));
            let _ = writeln!(page, "{}.br", sentences(&quoted));
        }
        page.push_str(&plain(&entry.text));
    }
    page.push_str(".El\n");
    page + MANUAL_END
}

#[test]
fn the_manual_page_says_what_the_catalogue_says() {
    expect_file(MANUAL, &manual());
}

#[test]
fn items_links_and_dots_are_read_as_they_are_meant() {
    let page = "## One, two\n\n- *WARN, check* **`a *: b`** · **`` c `d` ``**\n  See [it](x.md#y). 'So' it is.\n";
    let found = entries(page);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].messages, ["a *: b", "c `d`"]);
    assert_eq!(
        (found[0].voices.as_str(), found[0].section.as_str()),
        ("WARN, check", "One, two")
    );
    assert_eq!(plain(&found[0].text), "See it.\n\\&'So' it is.\n");
    assert_eq!(plain("a\\b"), "a\\eb\n");
    let indexed = with_index(page, "## Index");
    assert!(
        indexed.ends_with(
            "## Index\n\n- `a *: b` [One, two](#one-two)\n- `` c `d` `` [One, two](#one-two)\n"
        ),
        "{indexed}"
    );
    assert_eq!(with_index(&indexed, "## Index"), indexed);
}
