//! The expectations that are known not to come true, each with its reason; and the verdict over a case.

use std::collections::BTreeMap;

use crate::pairing::Pairing;

/// What does not come true, and why that is so and stays so.
pub struct Difference {
    /// The case.
    pub case: &'static str,
    /// The pairings.
    pub pairings: &'static [Pairing],
    /// The expectation, in the words of the case.
    pub expectation: &'static str,
    /// Why.
    pub reason: &'static str,
}

/// All of them.
pub const DIFFERENCES: &[Difference] = &[];

/// Fails the test unless exactly the listed expectations did not come true.
pub fn judge(
    case: &str,
    pairing: Pairing,
    complete: bool,
    verdicts: &BTreeMap<&'static str, Option<String>>,
) {
    let listed: Vec<&Difference> = DIFFERENCES
        .iter()
        .filter(|known| known.case == case && known.pairings.contains(&pairing))
        .collect();
    let mut wrong = Vec::new();
    for (expectation, failure) in verdicts {
        let known = listed
            .iter()
            .find(|known| known.expectation == *expectation);
        match (failure, known) {
            (Some(failure), None) => wrong.push(format!("expected that {expectation}: {failure}")),
            (None, Some(known)) => wrong.push(format!(
                "the difference has disappeared, remove it: {expectation} ({})",
                known.reason
            )),
            (Some(failure), Some(known)) => {
                println!(
                    "known difference: {expectation}: {failure} ({})",
                    known.reason
                );
            }
            (None, None) => {}
        }
    }
    for known in listed {
        if complete && !verdicts.contains_key(known.expectation) {
            wrong.push(format!(
                "nothing was expected in these words: {}",
                known.expectation
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{case} with {pairing:?}:\n{}",
        wrong.join("\n")
    );
}
