//! Reads metrics as strictly as their standard allows, and fetches them as a scraper does.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};

/// A text that was read.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Name, labels and value of each sample.
    pub samples: BTreeMap<String, f64>,
    /// Names and types of families.
    pub families: BTreeMap<String, String>,
}

impl Metrics {
    /// The value of a sample, named as in the text: `name{label="value"}`.
    #[track_caller]
    pub fn value(&self, sample: &str) -> f64 {
        let found = self.samples.get(sample).copied();
        found.unwrap_or_else(|| panic!("no {sample} among {:#?}", self.samples))
    }

    /// Whether there is such a sample.
    pub fn has(&self, sample: &str) -> bool {
        self.samples.contains_key(sample)
    }
}

/// The two forms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `OpenMetrics` 1.0.
    Open,
    /// Prometheus text 0.0.4.
    Old,
}

/// Reads a text in this form. The error names the line.
pub fn read(text: &str, form: Form) -> Result<Metrics, String> {
    let is_open = form == Form::Open;
    if is_open {
        let body = text
            .strip_suffix("# EOF\n")
            .ok_or("no `# EOF` at the end")?;
        return read_lines(body, is_open);
    }
    if text.contains("# EOF") || text.contains("# UNIT") {
        return Err("what the older format does not know".to_owned());
    }
    read_lines(text, is_open)
}

/// The family that is being read.
#[derive(Default)]
struct Family {
    name: String,
    kind: String,
    has_help: bool,
    has_samples: bool,
    buckets: Vec<f64>,
}

fn read_lines(text: &str, is_open: bool) -> Result<Metrics, String> {
    let mut metrics = Metrics::default();
    let mut family = Family::default();
    if !text.is_empty() && !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    for line in text.lines() {
        let wrong = |why: &str| Err(format!("{why}: {line}"));
        if let Some(rest) = line.strip_prefix("# ") {
            let mut words = rest.splitn(3, ' ');
            let (Some(what), Some(name), Some(value)) = (words.next(), words.next(), words.next())
            else {
                return wrong("a comment");
            };
            if what == "TYPE" {
                end(&family, &metrics)?;
                let known: &[&str] = if is_open {
                    &["gauge", "counter", "histogram", "info"]
                } else {
                    &["gauge", "counter", "histogram"]
                };
                if !known.contains(&value) || metrics.families.contains_key(name) {
                    return wrong("an unknown type, or a family twice");
                }
                metrics.families.insert(name.to_owned(), value.to_owned());
                family = Family {
                    name: name.to_owned(),
                    kind: value.to_owned(),
                    ..Family::default()
                };
            } else if name != family.name || family.has_samples {
                return wrong("of another family, or too late");
            } else if what == "UNIT" {
                if !is_open || !name.ends_with(&format!("_{value}")) {
                    return wrong("the name does not end with the unit");
                }
            } else if what == "HELP" {
                family.has_help = true;
            } else {
                return wrong("an unknown comment");
            }
            continue;
        }
        sample(line, is_open, &mut family, &mut metrics)?;
    }
    end(&family, &metrics)?;
    Ok(metrics)
}

fn end(family: &Family, metrics: &Metrics) -> Result<(), String> {
    let name = &family.name;
    if name.is_empty() {
        return Ok(());
    }
    if !family.has_help || !family.has_samples {
        return Err(format!("{name} has no help or no samples"));
    }
    if family.kind == "histogram" {
        let count = metrics.samples.get(&format!("{name}_count"));
        let is_ascending = family.buckets.is_sorted();
        if !is_ascending || count != family.buckets.last() || !metrics.has(&format!("{name}_sum")) {
            return Err(format!(
                "{name} is no histogram: {:?} {count:?}",
                family.buckets
            ));
        }
    }
    Ok(())
}

fn sample(
    line: &str,
    is_open: bool,
    family: &mut Family,
    metrics: &mut Metrics,
) -> Result<(), String> {
    let wrong = |why: &str| Err(format!("{why}: {line}"));
    let Some((key, number)) = line.rsplit_once(' ') else {
        return wrong("no value");
    };
    let Ok(value) = number.parse::<f64>() else {
        return wrong("no number");
    };
    let (name, labels) = match key.split_once('{') {
        Some((name, rest)) => match rest.strip_suffix('}') {
            Some(labels) => (
                name,
                read_labels(labels).map_err(|why| format!("{why}: {line}"))?,
            ),
            None => return wrong("labels do not end"),
        },
        None => (key, Vec::new()),
    };
    let ending = match (family.kind.as_str(), is_open) {
        ("counter", true) => "_total",
        ("info", _) => "_info",
        _ => "",
    };
    let is_of_family = if family.kind == "histogram" {
        let part = name.strip_prefix(&family.name);
        part.is_some_and(|part| ["_bucket", "_count", "_sum"].contains(&part))
    } else {
        name == format!("{}{ending}", family.name)
    };
    if !is_of_family || !is_name(name) {
        return wrong("not of the family that was begun");
    }
    if family.kind == "counter" && (value < 0.0 || !name.ends_with("_total")) {
        return wrong("no counter");
    }
    if name.ends_with("_bucket") {
        if labels.last().is_none_or(|(name, _)| name != "le") {
            return wrong("a bucket without a limit");
        }
        family.buckets.push(value);
    }
    family.has_samples = true;
    let names: BTreeSet<&String> = labels.iter().map(|(name, _)| name).collect();
    if names.len() != labels.len() || metrics.samples.insert(key.to_owned(), value).is_some() {
        return wrong("twice");
    }
    Ok(())
}

fn is_name(name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(is_part)
}

/// `name="value",…` with the three escapes.
fn read_labels(text: &str) -> Result<Vec<(String, String)>, String> {
    let mut labels = Vec::new();
    let mut rest = text;
    loop {
        let (name, after) = rest.split_once("=\"").ok_or("a label without a value")?;
        if !is_name(name) {
            return Err(format!("`{name}` is no label"));
        }
        let mut value = String::new();
        let mut characters = after.char_indices();
        let end = loop {
            match characters.next() {
                Some((_, '\\')) => match characters.next() {
                    Some((_, 'n')) => value.push('\n'),
                    Some((_, c @ ('\\' | '"'))) => value.push(c),
                    _ => return Err("an unknown escape".to_owned()),
                },
                Some((at, '"')) => break at + 1,
                Some((_, c)) => value.push(c),
                None => return Err("a value does not end".to_owned()),
            }
        };
        labels.push((name.to_owned(), value));
        match after[end..].strip_prefix(',') {
            Some(next) => rest = next,
            None if after[end..].is_empty() => return Ok(labels),
            None => return Err("something after a value".to_owned()),
        }
    }
}

/// Asks for the metrics: the head of the answer, and what follows it.
pub fn fetch(mut stream: impl Read + Write, request: &str) -> (String, String) {
    stream.write_all(request.as_bytes()).expect("a server");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let length = format!("Content-Length: {}", body.len());
    assert!(head.contains(&length), "{head} and {} bytes", body.len());
    (head.to_owned(), body.to_owned())
}

#[test]
fn what_is_no_metrics_is_refused() {
    let head = "# TYPE a_seconds gauge\n# UNIT a_seconds seconds\n# HELP a_seconds Some.\n";
    for (body, is_good) in [
        ("a_seconds 1\n# EOF\n", true),
        ("a_seconds{x=\"\\\"\\n\",y=\"}\"} 1.5\n# EOF\n", true),
        ("a_seconds 1\n", false),
        ("a_seconds 1\n# EOF", false),
        ("# EOF\n", false),
        ("b 1\n# EOF\n", false),
        ("a_seconds 1\na_seconds 1\n# EOF\n", false),
        ("a_seconds{x=\"\\t\"} 1\n# EOF\n", false),
        ("a_seconds{x=\"1\",x=\"2\"} 1\n# EOF\n", false),
        ("a_seconds one\n# EOF\n", false),
        ("a_seconds 1\n\n# EOF\n", false),
        ("a_seconds 1\n# HELP a_seconds Late.\n# EOF\n", false),
    ] {
        let text = format!("{head}{body}");
        assert_eq!(read(&text, Form::Open).is_ok(), is_good, "{body}");
        let old = text
            .replace("# UNIT a_seconds seconds\n", "")
            .replace("# EOF\n", "");
        assert!(!is_good || read(&old, Form::Old).is_ok(), "{old}");
    }
    for text in [
        "# TYPE a counter\n# HELP a Some.\na 1\n# EOF\n",
        "# TYPE a counter\n# HELP a Some.\na_total -1\n# EOF\n",
        "# TYPE a histogram\n# HELP a Some.\na_bucket{le=\"1\"} 2\na_bucket{le=\"+Inf\"} 1\na_count 1\na_sum 1\n# EOF\n",
        "# TYPE a what\n# HELP a Some.\na 1\n# EOF\n",
    ] {
        assert!(read(text, Form::Open).is_err(), "{text}");
    }
}
