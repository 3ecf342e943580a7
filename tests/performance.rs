//! What judges and shows figures: the limits of counts, the shape of growth, and the page that has the tables.
//!
//! `HB_UPDATE_EXPECTED=1 cargo test --test performance` writes the table of counts anew; look at the difference.

#[path = "../benches/side_by_side/growth.rs"]
mod growth;
#[expect(
    dead_code,
    reason = "the tables of figures are made and printed by the measurements"
)]
#[path = "../benches/counts/limits.rs"]
mod limits;
#[expect(dead_code, reason = "the same")]
#[path = "../benches/side_by_side/page.rs"]
mod page;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;

use growth::{Growth, size_of};
use limits::{Limits, Machine};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn machine() -> Machine {
    let word = || "here".to_owned();
    Machine {
        rustc: word(),
        valgrind: word(),
        libc: word(),
        target: word(),
    }
}

fn limits(counts: &[(&str, u64)]) -> Limits {
    Limits {
        recorded_with: machine(),
        counts: owned(counts).into_iter().collect(),
    }
}

fn owned(counts: &[(&str, u64)]) -> Vec<(String, u64)> {
    let counts = counts.iter();
    counts
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[test]
fn a_count_may_be_five_hundredths_above_its_record_and_no_more() {
    let limits = limits(&[("a", 1000)]);
    for (count, is_met, word) in [
        (1000, true, "met"),
        (1050, true, "met"),
        (1051, false, "MISSED"),
        (953, true, "met"),
        (952, true, "cheaper: HB_UPDATE_EXPECTED=1 make counts"),
    ] {
        let verdict = limits.judge(&machine(), &owned(&[("a", count)]), true);
        assert_eq!(verdict.is_met(), is_met, "{count}");
        assert!(verdict.to_string().contains(word), "{count}: {verdict}");
    }
    let complaint = limits
        .judge(&machine(), &owned(&[("a", 1051)]), true)
        .complaint();
    for part in [
        "a takes 1051",
        "limit is 1050",
        "HB_UPDATE_EXPECTED=1 make counts",
    ] {
        assert!(complaint.contains(part), "{complaint}");
    }
}

#[test]
fn with_another_compiler_more_is_allowed_and_that_is_said() {
    let limits = limits(&[("a", 1000)]);
    let elsewhere = Machine {
        rustc: "another".to_owned(),
        ..machine()
    };
    for (count, is_met) in [(1250, true), (1251, false)] {
        let verdict = limits.judge(&elsewhere, &owned(&[("a", count)]), true);
        assert_eq!(verdict.is_met(), is_met, "{count}");
        assert!(
            verdict.to_string().contains("25 % are allowed"),
            "{verdict}"
        );
    }
}

#[test]
fn what_has_no_limit_or_is_not_counted_any_more_fails() {
    let limits = limits(&[("a", 1000)]);
    assert!(
        !limits
            .judge(&machine(), &owned(&[("a", 1000), ("b", 1)]), true)
            .is_met()
    );
    assert!(!limits.judge(&machine(), &owned(&[]), true).is_met());
    let some = limits.judge(&machine(), &owned(&[]), false);
    assert!(some.is_met(), "the others were not asked for");
}

fn growth_of(value: impl Fn(f64) -> f64) -> Growth {
    let sizes = [1_u32, 10, 100, 1000, 5000];
    let values: BTreeMap<u32, f64> = sizes.map(|size| (size, value(f64::from(size)))).into();
    Growth::of(&values).expect("five sizes")
}

#[test]
fn growth_is_told_by_its_exponent() {
    let near = |value: f64, wanted: f64| (value - wanted).abs() < 1e-9;
    for (growth, exponent, shape) in [
        (growth_of(|_| 3.0), 0.0, "flat"),
        (growth_of(|size| 0.01 * size), 1.0, "linear"),
        (growth_of(f64::sqrt), 0.5, "less than linear"),
        (growth_of(|size| size * size), 2.0, "more than linear"),
    ] {
        assert!(near(growth.exponent, exponent), "{growth:?}");
        assert_eq!(growth.shape(), shape, "{growth:?}");
    }
    let with_a_constant = growth_of(|size| 10.0 + size);
    assert!(with_a_constant.exponent < 0.85, "{with_a_constant:?}");
    assert_eq!(with_a_constant.shape(), "linear");
    let two = BTreeMap::from([(1, 1.0), (2, 2.0)]);
    assert_eq!(Growth::of(&two), None);
    let with_zero = BTreeMap::from([(1, 0.0), (2, 2.0), (3, 3.0)]);
    assert_eq!(Growth::of(&with_zero), None);
}

#[test]
fn the_size_of_a_figure_is_the_number_before_what_is_counted() {
    for (figure, name, size) in [
        ("announced, 1 address", "announced, N addresses", 1),
        ("announced, 5,000 addresses", "announced, N addresses", 5000),
        (
            "bytes a minute, keepalive 100 ms, 16 links",
            "bytes a minute, keepalive 100 ms, N links",
            16,
        ),
        ("1 link: memory", "N links: memory", 1),
        ("12 groups, in one go", "N groups, in one go", 12),
    ] {
        assert_eq!(size_of(figure), Some((name.to_owned(), size)), "{figure}");
    }
    for figure in [
        "at 9600 baud",
        "three links",
        "3 links, 4 addresses",
        "12 linked",
    ] {
        assert_eq!(size_of(figure), None, "{figure}");
    }
}

#[test]
fn a_sheet_becomes_a_table_a_line_for_each_figure() {
    let row = |figure: &str, system: &str, median: f64, bars: &str| {
        json!({
            "figure": figure, "system": system, "unit": "ms", "median": median,
            "least": 0.25, "most": 12.345, "values": [0.25, median, 12.345], "bars": bars,
        })
    };
    let sheets = [json!({
        "scenario": "failover", "title": "From the crash", "machine": "2 cores",
        "figures": [
            row("dead", "ours", 0.5, "≤ 1: met"),
            row("dead", "3.0.6", 231.0, ""),
            row("dead", "plain loop", 0.3, ""),
            row("taken, 1 address", "ours", 1.0, "≤ 0.5: MISSED"),
            row("taken, 10 addresses", "ours", 10.0, ""),
            row("taken, 100 addresses", "ours", 100.0, ""),
        ],
        "skipped": [{"system": "keepalived", "reason": "there is none"}],
        "remarks": ["Both were quiet."],
    })];
    let figures = page::figures(&sheets);
    for line in [
        "Measured: 2 cores.",
        "### failover",
        "| dead | 0.500 ms (0.250 to 12.3; 3) | 231 ms (0.250 to 12.3; 3) | - | ≤ 1: met; plain loop: 0.300 ms (0.250 to 12.3; 3) |",
        "keepalived was not measured: there is none.",
        "Both were quiet.",
        "| taken, N addresses | ours | 1: 1.00 · 10: 10.0 · 100: 100 ms | 1.00 | 1.00 | linear |",
    ] {
        assert!(
            figures.lines().any(|found| found == line),
            "{line}\n{figures}"
        );
    }
    assert_eq!(page::misses(&sheets), 1);
}

#[test]
fn the_page_has_the_counts_of_the_limits() {
    let page = text(page::PAGE);
    let counts = page::counts(&text("benches/limits.json")).expect("the file of limits");
    let made = page::between_marks(&page, "counts", &counts).expect("marks");
    page::between_marks(&page, "figures", "").expect("marks for the figures");
    if std::env::var_os("HB_UPDATE_EXPECTED").is_some() {
        fs::write(root().join(page::PAGE), &made).expect("our own file");
        return;
    }
    assert!(
        page == made,
        "{} has other counts than benches/limits.json; HB_UPDATE_EXPECTED=1 cargo test --test performance makes it so",
        page::PAGE
    );
}

/// What stands between backquotes, or in a block of code.
fn code(page: &str) -> Vec<&str> {
    let blocks = page.lines().filter_map(|line| line.strip_prefix("    "));
    page.split('`').skip(1).step_by(2).chain(blocks).collect()
}

#[test]
fn every_command_of_the_page_is_one() {
    let (page, makefile, manifest) = (text(page::PAGE), text("Makefile"), text("Cargo.toml"));
    let scenarios = text("benches/side_by_side/scenario.rs");
    let mut found = 0;
    for command in code(&page) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let words = words.split(|word| *word == "#").next().unwrap_or_default();
        for pair in words.windows(2) {
            let is_there = match *pair {
                ["make", target] => makefile.contains(&format!("\n{target}:")),
                ["--bench" | "--example" | "--test", name] => {
                    manifest.contains(&format!("name = \"{name}\""))
                        || root().join(format!("tests/{name}.rs")).is_file()
                }
                ["--", "report" | "table" | "[SCENARIO…]"] => true,
                ["--", name] => scenarios.contains(&format!("name: \"{name}\"")),
                _ => continue,
            };
            found += 1;
            assert!(is_there, "{command}");
        }
        if let Some(path) = words.first().filter(|word| word.starts_with("benches/")) {
            assert!(Path::new(&root().join(path)).exists(), "{path}");
        }
    }
    assert!(found > 5, "only {found} commands were found");
}
