//! What was measured, as the tables of `docs/performance.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use super::growth::{Growth, size_of};

/// The page that has the tables between marks.
pub const PAGE: &str = "docs/performance.md";

/// The columns of systems. What else was measured is a reference, and stands beside.
const SYSTEMS: [&str; 3] = ["ours", "3.0.6", "keepalived"];

/// Puts `text` into a page between the marks of this name.
///
/// # Errors
/// When the page has no such marks.
pub fn between_marks(page: &str, name: &str, text: &str) -> Result<String, String> {
    let (begin, end) = (format!("<!-- {name}: -->\n"), format!("<!-- :{name} -->"));
    let parts = page
        .split_once(&begin)
        .and_then(|(before, rest)| Some((before, rest.split_once(&end)?.1)));
    let (before, after) = parts.ok_or_else(|| format!("{PAGE} has no marks for {name}"))?;
    Ok(format!("{before}{begin}\n{text}\n{end}{after}"))
}

/// The table of counts, from the text of `benches/limits.json`.
///
/// # Errors
/// When that is no such file.
pub fn counts(limits: &str) -> Result<String, String> {
    let limits: Value = serde_json::from_str(limits).map_err(|error| error.to_string())?;
    let counts = limits["counts"].as_object().ok_or("no counts")?;
    let with = &limits["recorded_with"];
    let mut text = format!(
        "Recorded with {}, {}, {}, on {}.\n\n| case | instructions |\n|---|---:|\n",
        words(&with["rustc"]),
        words(&with["valgrind"]),
        words(&with["libc"]),
        words(&with["target"]),
    );
    for (name, count) in counts {
        let _ = writeln!(
            text,
            "| `{name}` | {} |",
            grouped(count.as_u64().unwrap_or(0))
        );
    }
    Ok(text)
}

/// With a comma before each three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Everything that the sheets say, in their order.
pub fn figures(sheets: &[Value]) -> String {
    if sheets.is_empty() {
        return "Nothing has been measured yet.\n".to_owned();
    }
    let mut text = machines(sheets);
    for sheet in sheets {
        let _ = writeln!(text, "\n### {}\n", words(&sheet["scenario"]));
        let _ = writeln!(text, "{}.\n", words(&sheet["title"]).trim_end_matches('.'));
        text.push_str(&table(sheet));
        for skipped in list(&sheet["skipped"]) {
            let (system, reason) = (words(&skipped["system"]), words(&skipped["reason"]));
            let _ = writeln!(text, "\n{system} was not measured: {reason}.");
        }
        for remark in list(&sheet["remarks"]) {
            let _ = writeln!(text, "\n{}", words(remark));
        }
        text.push_str(&growth(sheet));
    }
    text
}

/// Where it was measured: one machine, or the scenarios are told apart.
fn machines(sheets: &[Value]) -> String {
    let mut by_machine: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for sheet in sheets {
        let machine = words(&sheet["machine"]);
        let of_it = by_machine.entry(machine).or_default();
        of_it.push(words(&sheet["scenario"]));
    }
    let mut text = String::new();
    let is_one = by_machine.len() == 1;
    for (machine, scenarios) in by_machine {
        let machine = if machine.is_empty() {
            "a machine that is not described"
        } else {
            &machine
        };
        let what = if is_one {
            "Measured".to_owned()
        } else {
            scenarios.join(", ")
        };
        let _ = writeln!(text, "{what}: {machine}.");
    }
    text
}

/// A line for each figure, a column for each system.
fn table(sheet: &Value) -> String {
    let mut figures: Vec<String> = Vec::new();
    for row in list(&sheet["figures"]) {
        let figure = words(&row["figure"]);
        if !figures.contains(&figure) {
            figures.push(figure);
        }
    }
    let mut text =
        "| figure | ours | 3.0.6 | keepalived | bar |\n|---|---|---|---|---|\n".to_owned();
    for figure in figures {
        let rows = || {
            list(&sheet["figures"])
                .iter()
                .filter(|row| words(&row["figure"]) == figure)
        };
        let cells = SYSTEMS.map(|system| {
            let row = rows().find(|row| words(&row["system"]) == system);
            row.map_or("-".to_owned(), cell)
        });
        let bars = rows()
            .map(|row| words(&row["bars"]))
            .filter(|bars| !bars.is_empty());
        let references = rows().filter(|row| !SYSTEMS.contains(&words(&row["system"]).as_str()));
        let references = references.map(|row| format!("{}: {}", words(&row["system"]), cell(row)));
        let notes: Vec<String> = bars.chain(references).collect();
        let _ = writeln!(
            text,
            "| {figure} | {} | {} |",
            cells.join(" | "),
            notes.join("; ")
        );
    }
    text
}

/// The median, and from where to where it went.
fn cell(row: &Value) -> String {
    let [median, least, most] = ["median", "least", "most"].map(|name| row[name].as_f64());
    let Some(median) = median else {
        return "-".to_owned();
    };
    let unit = words(&row["unit"]);
    let unit = if unit.is_empty() {
        unit
    } else {
        format!(" {unit}")
    };
    let runs = list(&row["values"]).len();
    match (least, most) {
        (Some(least), Some(most)) if runs > 1 => format!(
            "{}{unit} ({} to {}; {runs})",
            digits(median),
            digits(least),
            digits(most)
        ),
        _ => format!("{}{unit}", digits(median)),
    }
}

/// Three that tell something.
pub fn digits(value: f64) -> String {
    let size = value.abs();
    let after = match size {
        _ if size >= 100.0 || size == 0.0 => 0,
        _ if size >= 10.0 => 1,
        _ if size >= 1.0 => 2,
        _ => 3,
    };
    format!("{value:.after$}")
}

/// What grows with a number in the name of the figure.
fn growth(sheet: &Value) -> String {
    type Values = BTreeMap<u32, f64>;
    let mut all: Vec<((String, String, String), Values)> = Vec::new();
    for row in list(&sheet["figures"]) {
        let Some((name, size)) = size_of(&words(&row["figure"])) else {
            continue;
        };
        let Some(median) = row["median"].as_f64() else {
            continue;
        };
        let key = (name, words(&row["system"]), words(&row["unit"]));
        let position = all.iter().position(|(known, _)| *known == key);
        let position = position.unwrap_or_else(|| {
            all.push((key, Values::new()));
            all.len() - 1
        });
        all[position].1.insert(size, median);
    }
    all.retain(|(_, values)| values.len() >= 3);
    if all.is_empty() {
        return String::new();
    }
    let mut text =
        "\n| growth | system | medians | exponent, all | exponent, largest three | shape |\n\
                    |---|---|---|---:|---:|---|\n"
            .to_owned();
    for ((name, system, unit), values) in all {
        let medians = values
            .iter()
            .map(|(size, value)| format!("{size}: {}", digits(*value)));
        let medians = medians.collect::<Vec<_>>().join(" · ");
        let unit = if unit.is_empty() {
            unit
        } else {
            format!(" {unit}")
        };
        let (exponent, end, shape) = match Growth::of(&values) {
            Some(growth) => (
                format!("{:.2}", growth.exponent),
                format!("{:.2}", growth.at_the_end),
                growth.shape(),
            ),
            None => ("-".to_owned(), "-".to_owned(), "zero somewhere"),
        };
        let _ = writeln!(
            text,
            "| {name} | {system} | {medians}{unit} | {exponent} | {end} | {shape} |"
        );
    }
    text
}

/// All figures in one table for a terminal, those with a bar marked.
pub fn summary(sheets: &[Value]) -> String {
    let mut text = String::new();
    for sheet in sheets {
        for row in list(&sheet["figures"]) {
            let name = format!("{}: {}", words(&sheet["scenario"]), words(&row["figure"]));
            let _ = writeln!(
                text,
                "{name:<78} {:<12} {:<36} {}",
                words(&row["system"]),
                cell(row),
                words(&row["bars"])
            );
        }
    }
    text
}

/// Whether any of them misses a bar.
pub fn misses(sheets: &[Value]) -> usize {
    let rows = sheets.iter().flat_map(|sheet| list(&sheet["figures"]));
    rows.filter(|row| words(&row["bars"]).contains("MISSED"))
        .count()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn words(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
