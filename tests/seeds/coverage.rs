//! The list in `README.md`: complete, and true as far as a program can tell.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// How many steps and traps each tutorial has, by the letters before their numbers. Where the numbers begin anew at ten, the
/// second count is of those.
const STEPS: [(&str, usize, usize); 12] = [
    ("S0-", 11, 0),
    ("S0-T", 3, 0),
    ("S1-", 5, 15),
    ("S1-T", 3, 0),
    ("S2-", 13, 0),
    ("S2-T", 3, 0),
    ("S3-", 13, 0),
    ("S3-T", 5, 0),
    ("S4-", 13, 0),
    ("S4-T", 3, 0),
    ("R-", 12, 0),
    ("A-", 3, 0),
];

const NOT_HERE: &str = "**Not here.** ";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The rows of the tables: name, and what shows it.
fn rows(page: &str) -> Vec<(String, String)> {
    let cells = |line: &str| {
        let cells: Vec<String> = line.split('|').map(|cell| cell.trim().to_owned()).collect();
        match &cells[..] {
            [_, name, _, shown, _] if name.contains('-') && !name.starts_with('-') => {
                Some((name.clone(), shown.clone()))
            }
            _ => None,
        }
    };
    page.lines().filter_map(cells).collect()
}

fn names() -> Vec<String> {
    let mut names = Vec::new();
    for (letters, count, from_ten) in STEPS {
        let is_trap = letters.ends_with('T');
        let numbers = (1..=count).chain(10..10 + from_ten);
        names.extend(numbers.map(|number| {
            if is_trap {
                format!("{letters}{number}")
            } else {
                format!("{letters}{number:02}")
            }
        }));
    }
    names
}

/// What is wrong with one reference: a case of the configuration corpus, a claim of `packaging/check`, a case of the
/// emulated machines, or a test.
fn fault(reference: &str) -> Option<String> {
    let Some((file, name)) = reference.split_once(": ") else {
        let expected = root().join(reference).join("expected");
        return (!expected.is_file()).then(|| format!("{reference} is no case with an `expected`"));
    };
    let path = if file.contains('/') {
        file.to_owned()
    } else {
        format!("tests/seeds/{file}")
    };
    let text = fs::read_to_string(root().join(&path)).unwrap_or_default();
    let is_there = match Path::new(file).extension().and_then(|end| end.to_str()) {
        Some("rs") => has_test(&text, name),
        Some("py") => is_listed(&text, name) && is_defined_beside(&path, name),
        _ => text.contains(&format!("claim \"{name}\" -- ")),
    };
    (!is_there).then(|| format!("{path} has no {name}"))
}

/// Whether there is a function of this name below the attribute of tests.
fn has_test(text: &str, name: &str) -> bool {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let head = format!("fn {name}() {{");
    lines.iter().enumerate().any(|(at, line)| {
        let mut above = lines[..at].iter().rev();
        *line == head && above.find(|line| !line.starts_with("#[expect")) == Some(&"#[test]")
    })
}

/// Whether one of the modules in the folder of this one has a function of this name.
fn is_defined_beside(path: &str, name: &str) -> bool {
    let folder = root().join(path);
    let files = folder.parent().and_then(|folder| fs::read_dir(folder).ok());
    let head = format!("\ndef {name}(");
    files.into_iter().flatten().flatten().any(|file| {
        let is_module = file.path().extension().is_some_and(|end| end == "py");
        is_module && fs::read_to_string(file.path()).is_ok_and(|text| text.contains(&head))
    })
}

/// Whether a case is one of those that are run.
fn is_listed(text: &str, name: &str) -> bool {
    let list = text.split("CASES = [").nth(1).unwrap_or_default();
    let list = list.split(']').next().unwrap_or_default();
    list.split([',', ' ', '\n']).any(|word| word == name)
}

fn page() -> String {
    fs::read_to_string(root().join("tests/seeds/README.md")).expect("the list")
}

#[test]
fn every_step_is_listed_once_and_shown_by_a_test_that_exists() {
    let rows = rows(&page());
    let listed: Vec<&String> = rows.iter().map(|(name, _)| name).collect();
    let wanted = names();
    assert_eq!(wanted.len(), 102);
    for name in &wanted {
        let count = listed.iter().filter(|listed| **listed == name).count();
        assert_eq!(count, 1, "{name} is listed {count} times");
    }
    let unknown: Vec<_> = listed
        .iter()
        .filter(|name| !wanted.contains(name))
        .collect();
    assert!(unknown.is_empty(), "no such steps: {unknown:?}");
    let mut faults = Vec::new();
    for (name, shown) in &rows {
        if let Some(reason) = shown.strip_prefix(NOT_HERE) {
            if reason.len() < 40 {
                faults.push(format!("{name}: what is the reason?"));
            }
            continue;
        }
        let references: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        if references.is_empty() {
            faults.push(format!("{name}: shown by nothing"));
        }
        let wrong = references.into_iter().filter_map(fault);
        faults.extend(wrong.map(|fault| format!("{name}: {fault}")));
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_reference_to_nothing_would_be_noticed() {
    for wrong in [
        "tests/config/valid/s9",
        "s0.rs: no_such_test",
        "coverage.rs: fault",
        "s9.rs: nginx_answers_from_vm3_then_from_vm4_and_stays_there",
        "tests/vm/cases.py: within",
        "tests/vm/cases.py: nothing",
        "packaging/check: nothing",
    ] {
        assert!(fault(wrong).is_some(), "{wrong}");
    }
    for right in [
        "tests/config/valid/s0",
        "coverage.rs: a_reference_to_nothing_would_be_noticed",
        "tests/vm/cases.py: deaths",
        "packaging/check: installs",
    ] {
        assert_eq!(fault(right), None);
    }
    let table = "| | step | shown by |\n|---|---|---|\n| X-1 | a | `b` |\ntext\n";
    assert_eq!(rows(table), [("X-1".to_owned(), "`b`".to_owned())]);
}

#[test]
fn every_test_of_the_tutorials_is_in_the_list() {
    let page = page();
    let mut files: Vec<PathBuf> = fs::read_dir(root().join("tests/seeds"))
        .expect("this folder")
        .map(|entry| entry.expect("a file").path())
        .collect();
    files.sort();
    let mut missing = BTreeSet::new();
    for path in files {
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if !matches!(
            name,
            "s0.rs" | "s1.rs" | "s2.rs" | "s3.rs" | "s4.rs" | "director.rs" | "upkeep.rs"
        ) {
            continue;
        }
        let text = fs::read_to_string(&path).expect("a file of ours");
        for part in text.split("#[test]\nfn ").skip(1) {
            let test = part.split('(').next().unwrap_or_default();
            if !page.contains(&format!("`{name}: {test}`")) {
                missing.insert(format!("{name}: {test}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_daemon_needs_no_library_that_a_system_may_lack() {
    let daemon = env!("CARGO_BIN_EXE_heartbeat");
    let output = Command::new("ldd").arg(daemon).output();
    let output = output.expect("ldd comes with the C library");
    let said = String::from_utf8_lossy(&output.stdout);
    let libraries: Vec<&str> = said
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    let is_usual = |library: &&str| {
        [
            "linux-vdso.",
            "libgcc_s.so.",
            "libc.so.",
            "libm.so.",
            "libpthread.so.",
            "libdl.so.",
        ]
        .iter()
        .any(|usual| library.starts_with(usual))
            || library.contains("/ld-linux")
    };
    assert!(libraries.len() >= 2, "{said}");
    assert!(libraries.iter().all(is_usual), "{said}");
}
