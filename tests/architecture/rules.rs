//! The rules of the house and what breaks them. `CONTRIBUTING.md` says why each of them is there.

use std::collections::BTreeSet;

use crate::graph::{self, Graph};
use crate::source::{Reference, Source};

/// Lines that a file may have, tests left out.
pub const LONGEST_FILE: usize = 500;

/// What a folder may use.
pub struct Folder {
    pub name: &'static str,
    /// Folders of ours. `config:Types` means the types at the top of `config` and nothing else of it.
    pub ours: &'static [&'static str],
    /// Foreign crates; `None` where any will do.
    pub crates: Option<&'static [&'static str]>,
    /// No input, output, clock, environment or threads.
    pub is_pure: bool,
}

/// The table that `CONTRIBUTING.md` shows.
pub const FOLDERS: &[Folder] = &[
    Folder {
        name: "config",
        ours: &["message:Types"],
        crates: Some(&["annotate_snippets"]),
        is_pure: true,
    },
    Folder {
        name: "message",
        ours: &[],
        crates: Some(&[
            "base64", "bzip2", "crc", "flate2", "hmac", "md5", "sha1", "sha2",
        ]),
        is_pure: true,
    },
    Folder {
        name: "cluster",
        ours: &["message", "config:Types"],
        crates: Some(&[]),
        is_pure: true,
    },
    // sees both nodes and all links, and reads what the core writes into heartbeats with the core's own words for it
    Folder {
        name: "sniff",
        ours: &["cluster", "message"],
        crates: Some(&["serde", "serde_json"]),
        is_pure: true,
    },
    Folder {
        name: "recording",
        ours: &["cluster", "config:Types", "message"],
        crates: Some(&[]),
        is_pure: true,
    },
    Folder {
        name: "control",
        ours: &[],
        crates: None,
        is_pure: false,
    },
    Folder {
        name: "os",
        ours: &[],
        crates: None,
        is_pure: false,
    },
    Folder {
        name: "resource",
        ours: &["config", "os"],
        crates: None,
        is_pure: false,
    },
    Folder {
        name: "daemon",
        ours: &[
            "client", // `heartbeat reload` asks the daemon that runs
            "cluster",
            "config",
            "control",
            "message",
            "os",
            "recording",
            "resource",
            "sniff",
        ],
        crates: None,
        is_pure: false,
    },
    // ResourceManager asks resources themselves whether they run, as ever
    Folder {
        name: "client",
        ours: &["config", "control", "message", "os", "resource"],
        crates: None,
        is_pure: false,
    },
    Folder {
        name: "bin",
        ours: &["client", "config", "control", "message", "os"],
        crates: None,
        is_pure: false,
    },
    Folder {
        name: "main",
        ours: &["client", "config", "control", "daemon", "message", "os"],
        crates: None,
        is_pure: false,
    },
    // the crate root lists the modules and re-exports nothing: a re-export would be a way around this table
    Folder {
        name: "lib",
        ours: &[],
        crates: Some(&[]),
        is_pure: true,
    },
];

/// What a pure folder must not name.
const IMPURE: &[&str] = &[
    "std::time::Instant",
    "std::time::SystemTime",
    "std::time::UNIX_EPOCH",
    "std::env",
    "std::fs",
    "std::os",
    "std::process",
    "std::thread",
    "std::collections::HashMap",
    "std::collections::HashSet",
    "std::collections::hash_map",
    "std::collections::hash_set",
    "std::hash::RandomState",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "std::net::TcpListener",
    "std::net::TcpStream",
    "std::net::UdpSocket",
    "std::net::ToSocketAddrs",
    "std::sync::atomic",
    "std::sync::mpsc",
    "std::sync::Condvar",
    "std::sync::Mutex",
    "std::sync::RwLock",
    "std::ffi",
    "std::print!",
    "std::println!",
    "std::eprint!",
    "std::eprintln!",
    "std::dbg!",
    "std::thread_local!",
    "print!",
    "println!",
    "eprint!",
    "eprintln!",
    "dbg!",
    "thread_local!",
];

/// Everything wrong with a tree, one sentence each.
pub fn violations(sources: &[Source], dependencies: &BTreeSet<String>) -> Vec<String> {
    let tests = test_only_modules(sources);
    let mut found = Vec::new();
    let mut folders = Graph::new();
    for source in sources {
        unsafe_code(source, &mut found);
        if is_test(source, &tests) {
            continue;
        }
        hidden_ways(source, &mut found);
        if source.code_lines > LONGEST_FILE {
            let (path, lines) = (&source.path, source.code_lines);
            found.push(format!(
                "{path} has {lines} lines without its tests, {LONGEST_FILE} is the limit: split it by idea"
            ));
        }
        let Some(folder) = folder_of(source) else {
            found.push(format!(
                "{} stands in no folder that FOLDERS knows: give it a row",
                source.path
            ));
            continue;
        };
        for reference in &source.references {
            if let Some(used) = folder_used(reference).filter(|used| *used != folder.name) {
                graph::tie(
                    &mut folders,
                    folder.name,
                    used,
                    &reference.path[1..].join("::"),
                );
            }
            if let Some(problem) = forbidden(folder, reference, dependencies) {
                found.push(format!("{}:{}: {problem}", source.path, reference.line));
            }
        }
    }
    let files = sources
        .iter()
        .filter(|source| !is_test(source, &tests))
        .collect::<Vec<_>>();
    for (what, graph) in [("folders", &folders), ("files", &graph::of_files(&files))] {
        for circle in graph::circles(graph) {
            found.push(format!("{what} use each other in a circle: {circle}"));
        }
    }
    found
}

/// The folder a file belongs to.
pub fn folder_of(source: &Source) -> Option<&'static Folder> {
    let name = match source.path.as_str() {
        "src/lib.rs" => "lib",
        "src/main.rs" => "main",
        path => path.strip_prefix("src/")?.split_once('/')?.0,
    };
    FOLDERS.iter().find(|folder| folder.name == name)
}

/// The folder that a reference leads to.
pub fn folder_used(reference: &Reference) -> Option<&str> {
    match reference.path.as_slice() {
        [root, first, ..] if root == "crate" => FOLDERS
            .iter()
            .map(|folder| folder.name)
            .find(|name| name == first),
        _ => None,
    }
}

fn forbidden(
    folder: &Folder,
    reference: &Reference,
    dependencies: &BTreeSet<String>,
) -> Option<String> {
    let (name, written) = (folder.name, reference.path.join("::"));
    if reference.path.first().is_some_and(|root| root == "crate") {
        let Some(used) = folder_used(reference) else {
            let is_all = reference.path.len() == 1 && name != "bin" && name != "main";
            return is_all.then(|| format!("{name} names the whole crate: name the module"));
        };
        if used == name || folder.ours.contains(&used) {
            return None;
        }
        if folder
            .ours
            .iter()
            .any(|ours| ours.strip_suffix(":Types") == Some(used))
        {
            let names_type = reference
                .path
                .get(2)
                .is_some_and(|item| item.starts_with(char::is_uppercase));
            let problem = || format!("{name} may use the types of {used} only, not {written}");
            return (!names_type).then(problem);
        }
        return Some(format!("{name} must not use {used} ({written})"));
    }
    let first = reference.path.first()?;
    if let Some(crates) = folder.crates
        && dependencies.contains(first)
        && !crates.contains(&first.as_str())
    {
        return Some(format!("{name} must not use the crate {first} ({written})"));
    }
    if folder.is_pure {
        // `core` and `alloc` lead to the same things as `std`
        let named = match reference.path.as_slice() {
            [root, rest @ ..] if root == "core" || root == "alloc" => {
                format!("std::{}", rest.join("::"))
            }
            _ => written.clone(),
        };
        for impure in IMPURE {
            let inside = named == *impure || named.starts_with(&format!("{impure}::"));
            let around = reference.is_glob && impure.starts_with(&format!("{named}::"));
            if inside || around {
                return Some(format!(
                    "{name} is pure and must not use {impure} ({written})"
                ));
            }
        }
    }
    None
}

/// `unsafe` stands in `os` only, and only the crate root lifts the ban, for `os` alone.
fn unsafe_code(source: &Source, found: &mut Vec<String>) {
    let tokens = &source.all_tokens;
    for (i, token) in tokens.iter().enumerate() {
        let place = format!("{}:{}", source.path, token.line);
        if token.text == "unsafe" && !source.path.starts_with("src/os/") {
            found.push(format!("{place}: unsafe code belongs in os"));
        }
        if token.text == "unsafe_code" {
            let follows: Vec<&str> = tokens[i + 1..]
                .iter()
                .take(6)
                .map(|t| t.text.as_str())
                .collect();
            let lifts_for_os = follows == [")", "]", "pub", "mod", "os", ";"];
            if source.path != "src/lib.rs" || !lifts_for_os {
                found.push(format!(
                    "{place}: the ban on unsafe code is lifted for os alone"
                ));
            }
        }
    }
}

/// Ways to bring code in that this test would not see, and ways to silence clippy's list.
fn hidden_ways(source: &Source, found: &mut Vec<String>) {
    let reads_clock = source.path == "src/daemon/clock.rs" || source.path.starts_with("src/os/");
    let words: Vec<&str> = source
        .tokens
        .iter()
        .map(|token| token.text.as_str())
        .collect();
    for (token, rest) in source.tokens.iter().zip((0..).map(|i| &words[i..])) {
        let place = format!("{}:{}", source.path, token.line);
        let is_attribute =
            rest.starts_with(&["#", "[", "path"]) || rest.starts_with(&["#", "[", "cfg_attr"]);
        let sets_path = is_attribute && {
            let attribute: Vec<&str> = rest
                .iter()
                .copied()
                .take_while(|word| *word != "]")
                .collect();
            attribute.windows(2).any(|pair| pair == ["path", "="])
        };
        if sets_path
            || rest.starts_with(&["extern", "crate"])
            || rest.starts_with(&["include", "!"])
        {
            found.push(format!(
                "{place}: hides a dependency from the architecture test"
            ));
        }
        if matches!(rest[0], "disallowed_methods" | "disallowed_types") && !reads_clock {
            found.push(format!(
                "{place}: clippy's list of forbidden calls is lifted in daemon/clock.rs alone"
            ));
        }
    }
}

fn test_only_modules(sources: &[Source]) -> Vec<Vec<String>> {
    let modules = sources.iter().flat_map(|source| {
        source
            .test_modules
            .iter()
            .map(|name| [source.module.as_slice(), std::slice::from_ref(name)].concat())
    });
    modules.collect()
}

fn is_test(source: &Source, tests: &[Vec<String>]) -> bool {
    tests.iter().any(|module| source.module.starts_with(module))
}
