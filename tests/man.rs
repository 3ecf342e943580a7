//! The manual pages: `ha.cf(5)` documents every directive of the table, and mandoc has nothing to say.

use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use heartbeat::config::DIRECTIVES;
use heartbeat::config::directive::{Change, Fate};
use heartbeat::resource::shorthand;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("man")
}

fn ha_cf() -> String {
    fs::read_to_string(folder().join("ha.cf.5")).expect("the manual page")
}

/// The paragraph of a directive, from its head to the next one.
fn paragraph<'a>(page: &'a str, name: &str) -> Option<Vec<&'a str>> {
    let is_head = |line: &&str| line.starts_with(".It Ic ");
    let mut lines = page
        .lines()
        .skip_while(|line| !is_head(line) || line.split(' ').nth(2) != Some(name));
    let head = lines.next()?;
    let rest = lines.take_while(|line| !is_head(line) && *line != ".El");
    Some(std::iter::once(head).chain(rest).collect())
}

#[test]
fn every_directive_has_a_paragraph_with_default_and_example() {
    let page = ha_cf();
    let mut missing = Vec::new();
    for directive in DIRECTIVES {
        let name = directive.name;
        let Some(paragraph) = paragraph(&page, name) else {
            missing.push(format!("no paragraph about {name}"));
            continue;
        };
        let mut needs = |line: String| {
            if !paragraph.contains(&line.as_str()) {
                missing.push(format!("the paragraph about {name} lacks the line: {line}"));
            }
        };
        needs(format!("Default: {}.", directive.default.text()));
        needs(format!(".Dl {}", directive.example));
        if !directive.acted_on {
            needs("This version does not act on it yet.".to_owned());
        }
        let restart = "A change wants a restart of the daemon.";
        if matches!(directive.change, Change::Restart(_)) {
            needs(restart.to_owned());
        } else if paragraph.contains(&restart) {
            missing.push(format!(
                "a reload applies {name}, and its paragraph denies it"
            ));
        }
        let fate = match directive.fate {
            Fate::Kept => "",
            Fate::Superseded(_) => "supersede",
            Fate::Obsolete(_) => "obsolete",
        };
        if !paragraph.concat().to_lowercase().contains(fate) {
            missing.push(format!(
                "the paragraph about {name} does not say that it is {fate}d"
            ));
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_page_has_no_directive_that_the_table_lacks() {
    let page = ha_cf();
    let heads = page.lines().filter_map(|line| line.strip_prefix(".It Ic "));
    for name in heads.filter_map(|head| head.split(' ').next()) {
        assert!(
            DIRECTIVES.iter().any(|directive| directive.name == name),
            "{name}"
        );
    }
}

#[test]
fn every_short_form_of_an_agent_is_in_haresources() {
    let page = fs::read_to_string(folder().join("haresources.5")).expect("the manual page");
    for shorthand in shorthand::ALL {
        let usage = shorthand.usage;
        assert!(page.lines().any(|line| line == usage), "no line `{usage}`");
    }
}

#[test]
fn mandoc_has_nothing_to_say_about_any_page() {
    for entry in fs::read_dir(folder()).expect("the manual pages") {
        let page = entry.expect("a manual page").path();
        let output = match Command::new("mandoc")
            .args(["-Tlint", "-Wwarning"])
            .arg(&page)
            .output()
        {
            Ok(output) => output,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let required = std::env::var("HB_TEST_REQUIRE_ALL").is_ok_and(|value| value == "1");
                assert!(!required, "mandoc is not installed");
                eprintln!("skipped: mandoc is not installed");
                return;
            }
            Err(error) => panic!("mandoc does not run: {error}"),
        };
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(
            output.status.success() && said.is_empty(),
            "{}: {said}",
            page.display()
        );
    }
}
