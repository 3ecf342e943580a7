//! How a figure grows with a number in its name: flat, linear, or something else.

use std::collections::BTreeMap;

/// What a figure may be of: `12 addresses`, `1 link`.
const COUNTED: [&str; 3] = ["address", "group", "link"];

/// The name of a figure without the number that it is of, and that number.
///
/// `None` where it says of how many links, addresses or groups it is nowhere, or twice.
pub fn size_of(figure: &str) -> Option<(String, u32)> {
    let words: Vec<&str> = figure.split_whitespace().collect();
    let mut found = None;
    for (position, pair) in words.windows(2).enumerate() {
        let &[number, noun] = pair else { continue };
        let noun = noun.trim_end_matches(|sign: char| !sign.is_alphabetic());
        let Some(singular) = COUNTED.iter().find(|word| is_form_of(word, noun)) else {
            continue;
        };
        let Ok(size) = number.replace(',', "").parse::<u32>() else {
            continue;
        };
        if found.replace((position, size, *singular)).is_some() {
            return None;
        }
    }
    let (position, size, singular) = found?;
    let rest = words.get(position + 1)?;
    let after: String = rest
        .chars()
        .skip_while(|sign| sign.is_alphabetic())
        .collect();
    let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
    words[position] = String::from("N");
    let plural = if singular.ends_with('s') { "es" } else { "s" };
    words[position + 1] = format!("{singular}{plural}{after}");
    Some((words.join(" "), size))
}

fn is_form_of(singular: &str, word: &str) -> bool {
    word.strip_prefix(singular)
        .is_some_and(|ending| ["", "s", "es"].contains(&ending))
}

/// How something grows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Growth {
    /// What the size is to be raised to, by least squares of the logarithms over all sizes.
    pub exponent: f64,
    /// The same of the three largest sizes alone, where a constant part counts least.
    pub at_the_end: f64,
}

impl Growth {
    /// Of values by size. `None` with fewer than three sizes, or where one of them has no logarithm.
    pub fn of(values: &BTreeMap<u32, f64>) -> Option<Self> {
        let points: Vec<(f64, f64)> = values
            .iter()
            .filter(|(size, value)| **size > 0 && **value > 0.0)
            .map(|(size, value)| (f64::from(*size).ln(), value.ln()))
            .collect();
        if points.len() < 3 || points.len() < values.len() {
            return None;
        }
        Some(Self {
            exponent: slope(&points)?,
            at_the_end: slope(points.get(points.len() - 3..)?)?,
        })
    }

    /// In a word, by what it comes to at the end: over all sizes, what is linear looks better than it is while a constant
    /// part is the larger one.
    pub fn shape(&self) -> &'static str {
        match self.at_the_end {
            exponent if exponent < 0.15 => "flat",
            exponent if exponent < 0.85 => "less than linear",
            exponent if exponent <= 1.15 => "linear",
            _ => "more than linear",
        }
    }
}

/// Of the straight line that is nearest to the points.
fn slope(points: &[(f64, f64)]) -> Option<f64> {
    let count = f64::from(u32::try_from(points.len()).ok()?);
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let common: f64 = points
        .iter()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    (spread > 0.0).then(|| common / spread)
}
