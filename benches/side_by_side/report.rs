//! From the files that scenarios leave to the tables that people read.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::page;
use super::scenario;

/// Where scenarios leave their figures.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/side_by_side")
}

/// Writes the tables into `docs/performance.md`.
///
/// # Errors
/// When a file can't be read or written, or is not what it should be.
pub fn write() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let place = root.join(page::PAGE);
    let read = |path: &Path| {
        fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let limits = read(&root.join("benches/limits.json"))?;
    let text = page::between_marks(&read(&place)?, "counts", &page::counts(&limits)?)?;
    let text = page::between_marks(
        &text,
        "figures",
        &page::figures(&sheets(scenario::names())?),
    )?;
    fs::write(&place, text).map_err(|error| format!("{}: {error}", place.display()))
}

/// Prints everything in one table. False where a figure misses its bar.
///
/// # Errors
/// When a file can't be read, or is not what it should be.
pub fn print() -> Result<bool, String> {
    let sheets = sheets(["counts"].into_iter().chain(scenario::names()))?;
    print!("\n{}", page::summary(&sheets));
    let misses = page::misses(&sheets);
    println!("{misses} figures miss a bar");
    Ok(misses == 0)
}

/// What there is of these, in their order.
fn sheets(names: impl Iterator<Item = &'static str>) -> Result<Vec<Value>, String> {
    let mut sheets = Vec::new();
    for name in names {
        let path = folder().join(format!("{name}.json"));
        let Ok(text) = fs::read_to_string(&path) else {
            continue; // has not run here
        };
        let sheet = serde_json::from_str(&text);
        sheets.push(sheet.map_err(|error| format!("{}: {error}", path.display()))?);
    }
    Ok(sheets)
}

/// This machine and what runs on it, in words.
pub fn machine() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let of_processor = |name: &str| {
        let line = processors.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':'))
            .map_or("?", |(_, value)| value.trim())
            .to_owned()
    };
    let cores = processors
        .lines()
        .filter(|line| line.starts_with("processor"))
        .count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kibibytes = memory
        .split_whitespace()
        .nth(1)
        .and_then(|word| word.parse::<u64>().ok());
    let gibibytes = kibibytes.unwrap_or(0) / (1024 * 1024);
    let is_virtual = of_processor("flags")
        .split(' ')
        .any(|flag| flag == "hypervisor");
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!(
        "{cores} cores of {}, {}, {gibibytes} GiB of memory, Linux {}; ours at {}, heartbeat {}, keepalived {}",
        of_processor("model name"),
        if is_virtual {
            "a virtual machine"
        } else {
            "no virtual machine"
        },
        kernel.trim(),
        first_word(
            "git",
            &[
                "-C",
                env!("CARGO_MANIFEST_DIR"),
                "rev-parse",
                "--short",
                "HEAD"
            ]
        ),
        first_word("dpkg-query", &["-W", "-f", "${Version}", "heartbeat"]),
        first_word("dpkg-query", &["-W", "-f", "${Version}", "keepalived"]),
    )
}

/// What a program prints, up to the first blank; `-` where it can't say.
fn first_word(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.split_whitespace().next().unwrap_or("-").to_owned()
}
