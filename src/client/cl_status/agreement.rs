//! Where the nodes differ in what both must have equal.

use crate::control::Agreement;

/// For `hbstatus -v`; nothing while that is not known.
pub fn lines(agreement: &Agreement) -> String {
    let state = match agreement.state.as_str() {
        "equal" => "equal on both nodes",
        "differs" => "not equal on both nodes",
        "silent" => "not known: the other node's version does not tell",
        _ => return String::new(),
    };
    let mut text = format!("\nfiles\t{state}\n");
    for difference in &agreement.differences {
        text.extend(["\t", &difference.words, "\n"]);
    }
    if agreement.more > 0 {
        text.extend(["\tand ", &agreement.more.to_string(), " more line(s)\n"]);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::Difference;

    #[test]
    fn what_differs_is_listed_and_what_is_not_known_is_not_mentioned() {
        let shown = |state: &str, words: &[&str], more| {
            let difference = |words: &&str| Difference {
                topic: String::new(),
                here: None,
                there: None,
                words: (*words).to_owned(),
            };
            lines(&Agreement {
                state: state.into(),
                differences: words.iter().map(difference).collect(),
                more,
            })
        };
        assert_eq!(shown("equal", &[], 0), "\nfiles\tequal on both nodes\n");
        assert_eq!(
            shown("differs", &["deadtime differs", "ping: only here"], 2),
            "\nfiles\tnot equal on both nodes\n\tdeadtime differs\n\tping: only here\n\tand 2 more line(s)\n"
        );
        for state in ["asking", "apart", "3.0.6"] {
            assert_eq!(shown(state, &[], 0), "");
        }
    }
}
