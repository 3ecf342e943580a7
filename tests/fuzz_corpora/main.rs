//! Every fuzz target over the inputs that are kept for it in `fuzz/seeds`, and over changes of them that are the same in
//! every run, in the usual toolchain. `fuzz/README.md` tells of the targets; the one for whole runs of a pair, `events`,
//! is tested by `tests/simulation`.
//!
//! `HB_FUZZ_ROUNDS=n` says how many changes each target is given.

mod bodies;
mod mutation;

use std::fs;
use std::path::{Path, PathBuf};

use bodies::ALL;

/// Changes that each target is given.
const ROUNDS: u64 = 600;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds")
}

fn names_in(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let names = entries.map(|entry| entry.expect("readable").file_name());
    let mut names: Vec<String> = names
        .map(|name| name.into_string().expect("plain"))
        .collect();
    names.sort();
    names
}

fn rounds() -> u64 {
    let told = std::env::var("HB_FUZZ_ROUNDS").ok();
    told.and_then(|text| text.parse().ok()).unwrap_or(ROUNDS)
}

/// Says which input it was, so that it can be kept.
fn try_one(name: &str, what: &str, body: bodies::Body, input: &[u8]) {
    if let Err(panic) = std::panic::catch_unwind(|| body(input)) {
        println!("target {name}, {what}: {}", input.escape_ascii());
        std::panic::resume_unwind(panic);
    }
}

fn run(name: &str) {
    let body = bodies::named(name);
    let folder = folder().join(name);
    let files = names_in(&folder);
    let read = |file: &String| fs::read(folder.join(file)).expect("readable");
    let inputs: Vec<Vec<u8>> = files.iter().map(read).collect();
    assert!(!inputs.is_empty(), "{name} has no kept inputs");
    for (file, input) in files.iter().zip(&inputs) {
        try_one(name, file, body, input);
    }
    for round in 0..rounds() {
        let input = mutation::mutated(&inputs, round);
        try_one(name, &format!("round {round}"), body, &input);
    }
}

#[test]
fn no_change_of_a_kept_input_breaks_a_claim() {
    // As many threads as there are processors, each with every so many targets.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for first in 0..threads {
            scope.spawn(move || {
                for (name, _) in ALL.iter().skip(first).step_by(threads) {
                    run(name);
                }
            });
        }
    });
}

#[test]
fn every_target_has_a_program_a_folder_and_a_line_in_the_readme() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut names: Vec<String> = ALL.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.push("events".to_owned());
    names.sort();
    assert_eq!(names_in(&folder()), names);
    let programs: Vec<String> = names.iter().map(|name| format!("{name}.rs")).collect();
    assert_eq!(names_in(&root.join("fuzz/fuzz_targets")), programs);
    for file in ["fuzz/README.md", "docs/assurance.md"] {
        let text = fs::read_to_string(root.join(file)).expect("readable");
        for name in &names {
            assert!(
                text.contains(&format!("`{name}`")),
                "{name} is not in {file}"
            );
        }
    }
    let manifest = fs::read_to_string(root.join("fuzz/Cargo.toml")).expect("readable");
    for name in &names {
        assert!(
            manifest.contains(&format!("\nname = \"{name}\"\n")),
            "{name} is no program"
        );
    }
}

#[test]
fn changes_are_the_same_in_every_run_and_many() {
    let inputs = vec![b"auth 1\n1 sha1 secret\n".to_vec(), b"x".to_vec()];
    let made = |round| mutation::mutated(&inputs, round);
    let all: std::collections::BTreeSet<Vec<u8>> = (0..1000).map(made).collect();
    assert_eq!(made(7), made(7));
    assert!(all.len() > 700, "{}", all.len());
}
