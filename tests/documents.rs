//! The pages in `docs`: what they refer to is there, and `differences.md` leaves no item of its lists out.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use heartbeat::daemon::metrics::exposition::{Family, Kind};
use heartbeat::daemon::metrics::families::ALL;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every page in `docs` and below, by its path from the root.
fn pages() -> Vec<String> {
    let mut found = Vec::new();
    collect("docs", &mut found);
    found
}

fn collect(folder: &str, found: &mut Vec<String>) {
    let entries = fs::read_dir(root().join(folder)).expect("a folder of pages");
    for entry in entries {
        let entry = entry.expect("an entry");
        let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            collect(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The tests that a page names, as `FILE: TEST`.
fn tests_named(page: &str) -> Vec<(&str, &str)> {
    let words = page.split(|sign: char| sign.is_whitespace() || "`,;".contains(sign));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let pairs = words.windows(2).filter_map(|pair| {
        let file = pair[0].strip_suffix(':')?;
        let is_source = Path::new(file).extension().is_some_and(|end| end == "rs");
        is_source.then_some((file, pair[1]))
    });
    pairs.collect()
}

/// Whether a file has a test of this name: a function below the attribute, or a case of `tests/drop_in`, with every
/// pairing in the table of all or by itself in its own file.
fn has_test(source: &str, name: &str) -> bool {
    if let Some((case, rest)) = name.split_once("::") {
        let Some((pairing, media)) = rest.split_once("::") else {
            return false;
        };
        let runs = |line: &str| {
            let words: BTreeSet<&str> = line.trim().trim_end_matches(';').split(' ').collect();
            line.trim().starts_with(&format!("{case} ")) && words.contains(media)
        };
        return source.lines().any(runs) && source.contains(&format!("@pairing {pairing} "));
    }
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let played = format!("{name} \"");
    if lines.contains(&"plays! {") && lines.iter().any(|line| line.starts_with(&played)) {
        return true;
    }
    let heads = [format!("fn {name}()"), format!("fn {name}(")];
    lines.iter().enumerate().any(|(at, line)| {
        let above = lines[..at].iter().rev();
        heads.iter().any(|head| line.starts_with(head.as_str()))
            && above
                .take_while(|line| line.starts_with('#') || line.starts_with("//"))
                .any(|line| *line == "#[test]")
    })
}

#[test]
fn every_test_that_a_page_names_exists() {
    let mut missing = Vec::new();
    for path in pages() {
        let page = text(&path);
        for (file, name) in tests_named(&page) {
            let source = fs::read_to_string(root().join(file)).unwrap_or_default();
            if !has_test(&source, name) {
                missing.push(format!("{path} names {file}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    let count = tests_named(&text("docs/differences.md")).len();
    assert!(count > 60, "only {count} tests were found in the page");
}

#[test]
fn a_test_that_is_not_there_would_be_noticed() {
    let source = "#[test]\nfn one() {}\nfn two() {}\n    start crate::cases::X, on_bcast;\n(@pairing a_b A_B";
    assert!(has_test(source, "one"));
    assert!(!has_test(source, "two"), "no test");
    assert!(!has_test(source, "on"), "the beginning of a name");
    assert!(has_test(source, "start::a_b::on_bcast"));
    assert!(!has_test(source, "start::a_b::on_serial"));
    assert!(!has_test(source, "start::b_a::on_bcast"));
    assert!(!has_test(source, "stop::a_b::on_bcast"));
    let source = "plays! {\n    a_case \"case\" A_B Serial SCRIPT;\n}";
    assert!(has_test(source, "a_case") && !has_test(source, "a"));
    assert_eq!(
        tests_named("see `src/x.rs: one` and `src/x.rs`"),
        [("src/x.rs", "one")]
    );
}

/// The items of one list: the lines from a heading to the next that begin with a number and a full stop, each with
/// what follows it.
fn items(page: &str, heading: &str) -> Vec<(usize, String)> {
    let section = page
        .lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with("## "));
    let mut items: Vec<(usize, String)> = Vec::new();
    for line in section {
        let number = line
            .split_once(". ")
            .and_then(|(number, _)| number.parse().ok());
        match (number, items.last_mut()) {
            (Some(number), _) => items.push((number, line.to_owned())),
            (None, Some((_, item))) => item.extend([" ", line.trim()]),
            (None, None) => {}
        }
    }
    items
}

#[test]
fn every_difference_says_what_shows_it() {
    let page = text("docs/differences.md");
    for (heading, least) in [
        ("## Defects of 3.0.6", 31),
        ("## Weaknesses of the protocol", 21),
        ("## What you may notice", 20),
    ] {
        let items = items(&page, heading);
        let numbers: Vec<usize> = items.iter().map(|(number, _)| *number).collect();
        let counted: Vec<usize> = (1..=items.len()).collect();
        assert_eq!(numbers, counted, "{heading}: the numbers have gaps");
        assert!(items.len() >= least, "{heading}: {} items", items.len());
        for (number, item) in items {
            let is_shown = !tests_named(&item).is_empty()
                || ["**Not yet.**", "Read, not tested"]
                    .iter()
                    .any(|word| item.contains(word));
            assert!(is_shown, "{heading}, {number}: nothing shows it");
        }
    }
}

#[test]
fn every_file_that_a_page_links_to_exists() {
    let mut links = 0;
    for path in pages().into_iter().chain(["README.md".to_owned()]) {
        let page = text(&path);
        let folder = root().join(Path::new(&path).parent().expect("a page is in a folder"));
        for target in page.split("](").skip(1) {
            let target = target.split([')', '#']).next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            links += 1;
            assert!(
                folder.join(target).exists(),
                "{path} links to {target}, which is not there"
            );
        }
    }
    assert!(links > 4, "hardly any link was found");
}

/// The places in a page that a link can lead to: its headings, small, with `-` for blanks and without other signs.
fn places(page: &str) -> BTreeSet<String> {
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let place = |heading: &str| -> String {
        let words = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|sign| sign.is_alphanumeric() || " -_".contains(*sign));
        kept.map(|sign| if sign == ' ' { '-' } else { sign })
            .collect()
    };
    headings.map(place).collect()
}

#[test]
fn every_place_within_a_page_that_is_linked_to_is_a_heading() {
    let mut links = 0;
    for path in pages().into_iter().chain(["README.md".to_owned()]) {
        let page = text(&path);
        let folder = Path::new(&path).parent().expect("a page is in a folder");
        for link in page.split("](").skip(1) {
            let link = link.split(')').next().unwrap_or_default();
            let Some((file, place)) = link.split_once('#') else {
                continue;
            };
            if file.contains("://") {
                continue;
            }
            let target = if file.is_empty() {
                page.clone()
            } else {
                text(&folder.join(file).to_string_lossy())
            };
            links += 1;
            assert!(
                places(&target).contains(place),
                "{path} links to {link}, and there is no such heading"
            );
        }
    }
    assert!(links > 100, "only {links} such links were found");
    let places = places("# A b\n## `c`: d, e-f\n## 索引 一\n");
    let wanted = ["a-b", "c-d-e-f", "索引-一"].map(str::to_owned);
    assert_eq!(places, wanted.into());
}

/// Whether the index of a page's folder leads to it, and the README to that index.
fn is_in_an_index(path: &str, readme: &str) -> bool {
    let Some((folder, name)) = path.rsplit_once('/') else {
        return false;
    };
    let index = format!("{folder}/README.md");
    let text = fs::read_to_string(root().join(&index)).unwrap_or_default();
    text.contains(&format!("]({name})")) && readme.contains(&format!("]({index})"))
}

#[test]
fn every_page_is_linked_from_the_readme_named_in_the_manual_and_installed() {
    let (readme, manual, makefile) = (text("README.md"), text("man/heartbeat.8"), text("Makefile"));
    assert!(!pages().is_empty());
    for path in pages() {
        let is_linked = readme.contains(&format!("]({path})"));
        assert!(
            is_linked || is_in_an_index(&path, &readme),
            "neither README.md nor a README.md beside it, to which that leads, has a link to {path}"
        );
        // Those of a folder are named by the folder.
        let (folder, name) = path.rsplit_once('/').expect("a file in a folder");
        let named = if folder == "docs" { name } else { folder };
        assert!(manual.contains(named), "heartbeat(8) does not name {named}");
    }
    let folders = "$(wildcard docs/*.md docs/*/*.md docs/*/*/*.md)";
    assert!(makefile.contains(folders), "Makefile: {folders}");
}

/// The names of metrics in a text: whole words that begin as all of ours do.
fn metrics_named(text: &str) -> BTreeSet<&str> {
    let words = text.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    let is_metric = |word: &&str| word.starts_with("heartbeat_");
    words.filter(is_metric).collect()
}

/// The name of its samples, as a person asks for them.
fn name_of_samples(family: &Family) -> String {
    let ending = match family.kind {
        Kind::Gauge | Kind::Histogram => "",
        Kind::Counter => "_total",
        Kind::Info => "_info",
    };
    format!("{}{ending}", family.name)
}

#[test]
fn every_metric_is_documented_and_no_other_is() {
    let page = text("man/heartbeat-metrics.7");
    let heads = page.lines().filter_map(|line| line.strip_prefix(".It Va "));
    let documented: BTreeSet<String> = heads.map(str::to_owned).collect();
    let exported: BTreeSet<String> = ALL.iter().map(|family| name_of_samples(family)).collect();
    assert_eq!(documented, exported);
    // What it says of each begins with the help that the text itself has.
    for family in ALL {
        let head = format!(".It Va {}\n{}\n", name_of_samples(family), family.help);
        assert!(page.contains(&head), "{} is told otherwise", family.name);
    }
}

#[test]
fn every_metric_that_dashboard_and_rules_name_exists() {
    for path in [
        "packaging/monitoring/grafana-dashboard.json",
        "packaging/monitoring/prometheus-alerts.yml",
        "man/heartbeat-metrics.7",
    ] {
        let page = text(path);
        let named = metrics_named(&page);
        assert!(!named.is_empty(), "{path}");
        for name in named {
            let exists = ALL.iter().any(|family| {
                let is_bucket =
                    family.kind == Kind::Histogram && name == format!("{}_bucket", family.name);
                is_bucket || name == name_of_samples(family)
            });
            assert!(exists, "{path}: {name}");
        }
    }
    let dashboard = text("packaging/monitoring/grafana-dashboard.json");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("JSON");
    let panels = dashboard["panels"].as_array().expect("panels");
    assert!(
        panels
            .iter()
            .all(|panel| !panel["targets"].as_array().is_none_or(Vec::is_empty))
    );
}
