//! The expectations that are known not to come true, each with its reason; and the verdict over a case.

use std::collections::BTreeMap;

use crate::pairing::{OLD_AND_OLD, Pairing};

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
    /// Whether this happens only now and then.
    pub sometimes: bool,
}

/// All of them.
pub const DIFFERENCES: &[Difference] = &[
    restarts("partition_on", STAYS, false),
    restarts("partition_on", YIELDS, true),
    restarts("partition_off", STAYS, false),
    restarts("partition_off", YIELDS, true),
    Difference {
        case: "ipfail",
        pairings: &[OLD_AND_OLD],
        expectation: "what both lose moves nothing",
        reason: "ipfail of 3.0.6 judges by single moments: one node may not have noticed yet what the other has",
        sometimes: true,
    },
    Difference {
        case: "pause",
        pairings: &[OLD_AND_OLD],
        expectation: "no address is ever on both nodes",
        reason: "3.0.6 does not notice that it was stopped; two seconds after it goes on the healthy node gives up instead",
        sometimes: false,
    },
    Difference {
        case: "restart_all",
        pairings: &[OLD_AND_OLD],
        expectation: "each node serves its own group after a reset",
        reason: "what a node of 3.0.6 held for the other when it was reset is started by nobody any more",
        sometimes: false,
    },
    Difference {
        case: "takeover",
        pairings: &[OLD_AND_OLD],
        expectation: "hb_takeover failback gets what prefers this node",
        reason: "3.0.6 takes this word for `all`",
        sometimes: false,
    },
    out_of_order("groups can be moved"),
    out_of_order("afterwards one node holds everything and says so"),
    out_of_order("and it stays so"),
];

/// Whether this does not come true, as is known.
pub fn is_known(case: &str, pairing: Pairing, expectation: &str) -> bool {
    DIFFERENCES.iter().any(|known| {
        known.case == case && known.pairings.contains(&pairing) && known.expectation == expectation
    })
}

const STAYS: &str = "the one who stays never stops serving its own group";
const YIELDS: &str = "the one who yields has given up soon after the heal";

/// `sometimes`, where the busy computer is given so much more time that two seconds are soon enough.
const fn restarts(case: &'static str, expectation: &'static str, sometimes: bool) -> Difference {
    Difference {
        case,
        pairings: &[OLD_AND_OLD],
        expectation,
        reason: "after a partition both nodes of 3.0.6 stop everything, two seconds after the heal, and start anew",
        sometimes,
    }
}

const fn out_of_order(expectation: &'static str) -> Difference {
    Difference {
        case: "loss",
        pairings: &[OLD_AND_OLD],
        expectation,
        reason: "3.0.6 believes messages in the order in which they come: one of before, lost and sent again, is its last word",
        sometimes: true,
    }
}

/// Fails the test unless exactly the listed expectations did not come true.
pub fn judge(
    case: &str,
    pairing: Pairing,
    complete: bool,
    verdicts: &BTreeMap<&'static str, Option<String>>,
) {
    let applies = |known: &&Difference| known.case == case && known.pairings.contains(&pairing);
    let listed: Vec<&Difference> = DIFFERENCES.iter().filter(applies).collect();
    let wrong = faults(&listed, complete, verdicts);
    assert!(
        wrong.is_empty(),
        "{case} with {pairing:?}:\n{}",
        wrong.join("\n")
    );
}

fn faults(
    listed: &[&Difference],
    complete: bool,
    verdicts: &BTreeMap<&'static str, Option<String>>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for (expectation, failure) in verdicts {
        let known = listed
            .iter()
            .find(|known| known.expectation == *expectation);
        match (failure, known) {
            (Some(failure), None) => wrong.push(format!("expected that {expectation}: {failure}")),
            (None, Some(known)) if !known.sometimes => wrong.push(format!(
                "the difference has disappeared, remove it: {expectation} ({})",
                known.reason
            )),
            (Some(failure), Some(known)) => {
                println!(
                    "known difference: {expectation}: {failure} ({})",
                    known.reason
                );
            }
            (None, _) => {}
        }
    }
    for known in listed {
        if complete && !known.sometimes && !verdicts.contains_key(known.expectation) {
            wrong.push(format!(
                "nothing is expected in these words: {}",
                known.expectation
            ));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: Difference = Difference {
        case: "start",
        pairings: &[],
        expectation: "it works",
        reason: "a test",
        sometimes: false,
    };

    fn verdicts(failure: Option<&str>) -> BTreeMap<&'static str, Option<String>> {
        BTreeMap::from([("it works", failure.map(str::to_owned))])
    }

    #[test]
    fn what_does_not_come_true_must_be_listed() {
        assert!(faults(&[], true, &verdicts(None)).is_empty());
        assert_eq!(faults(&[], true, &verdicts(Some("no"))).len(), 1);
        assert!(faults(&[&KNOWN], true, &verdicts(Some("no"))).is_empty());
    }

    #[test]
    fn what_is_listed_must_not_come_true() {
        let wrong = faults(&[&KNOWN], true, &verdicts(None));
        assert!(
            wrong[0].starts_with("the difference has disappeared"),
            "{wrong:?}"
        );
        assert_eq!(
            faults(&[&KNOWN], true, &BTreeMap::new()).len(),
            1,
            "nobody asked for it"
        );
    }
}
