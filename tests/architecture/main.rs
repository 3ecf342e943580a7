//! Keeps the two halves of the program apart: reads every file under `src` and fails when a folder uses what it
//! may not, when modules use each other in a circle, when `unsafe` stands outside `os`, or when a file grows
//! too long. `planted.rs` plants each of these faults and sees that it is caught.

#[path = "../planted/bugs.rs"]
#[expect(dead_code, reason = "here only their places matter")]
mod bugs;
mod graph;
mod planted;
mod rules;
mod source;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use source::Source;

#[test]
fn every_folder_uses_only_what_it_may() {
    let found = rules::violations(&tree(), &dependencies());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn every_mistake_that_is_planted_for_the_simulator_still_has_its_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lost = bugs::BUGS.iter().filter(|bug| {
        let source = fs::read_to_string(root.join(bug.file)).unwrap_or_default();
        bug.plant(&source).is_none()
    });
    let lost: Vec<_> = lost.map(|bug| bug.name).collect();
    assert!(lost.is_empty(), "{lost:?}: see tests/planted/bugs.rs");
}

#[test]
fn the_table_of_folders_has_no_circle() {
    let mut table = graph::Graph::new();
    for folder in rules::FOLDERS {
        for ours in folder.ours {
            graph::tie(
                &mut table,
                folder.name,
                ours.trim_end_matches(":Types"),
                ours,
            );
        }
    }
    assert_eq!(graph::circles(&table), Vec::<String>::new());
}

#[test]
fn the_whole_tree_is_read() {
    let sources = tree();
    let has_edge = |from: &str, to: &str| {
        sources
            .iter()
            .filter(|source| rules::folder_of(source).is_some_and(|folder| folder.name == from))
            .flat_map(|source| &source.references)
            .any(|reference| rules::folder_used(reference) == Some(to))
    };
    assert!(
        has_edge("cluster", "message"),
        "the core's use of messages was not seen"
    );
    assert!(
        has_edge("config", "message"),
        "the configuration's use of keys was not seen"
    );
    let graph = graph::of_files(&sources.iter().collect::<Vec<_>>());
    for (from, to) in [
        ("config::directive", "config::settings"),
        ("config::table", "config::directive"),
        ("message::fields", "message::classic"),
        ("cluster::Cluster", "cluster::links"),
        ("daemon::resources::verdict", "daemon::resources::Errand"),
        ("src/main.rs", "daemon::command"),
    ] {
        let seen = graph
            .get(from)
            .is_some_and(|arrows| arrows.contains_key(to));
        assert!(seen, "{from} uses {to}, but that was not seen");
    }
    let crates = dependencies();
    for name in ["mio", "md5", "log", "netlink_sys"] {
        assert!(crates.contains(name), "{name} is missing in {crates:?}");
    }
}

#[test]
fn the_package_denies_unsafe_code() {
    let manifest = read(&root().join("Cargo.toml"));
    assert!(manifest.contains("\nunsafe_code = \"deny\"\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &Path) -> String {
    fs::read_to_string(path)
        .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

fn tree() -> Vec<Source> {
    let mut sources = Vec::new();
    let mut open = vec![root().join("src")];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).expect("src can be listed") {
            let path = entry.expect("src can be listed").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path
                    .strip_prefix(root())
                    .expect("stands under the root")
                    .display()
                    .to_string();
                sources.push(Source::read(&name, &read(&path)));
            }
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// The names by which code knows the crates of `[dependencies]`.
fn dependencies() -> BTreeSet<String> {
    let manifest = read(&root().join("Cargo.toml"));
    let mut lines = manifest
        .lines()
        .skip_while(|line| *line != "[dependencies]")
        .skip(1);
    let mut names = BTreeSet::new();
    for line in lines.by_ref().take_while(|line| !line.starts_with('[')) {
        if let Some((name, _)) = line.split_once(" = ") {
            // the one crate of ours whose library has another name than its package
            let name = if name == "md-5" { "md5" } else { name };
            names.insert(name.replace('-', "_"));
        }
    }
    names
}
