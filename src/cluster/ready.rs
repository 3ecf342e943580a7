//! Whether the node that does not hold a group could run it. Each node says so of itself in its heartbeats, in one field
//! that heartbeat 3.0.6 ignores: `hq=<letters>`, for example `hq=-2yn`: a letter for each group in the order of the
//! sorted keys, followed by a repeat count above 1. `y` stands for ready, `n` for not, `-` for not known, as of what
//! runs there. Nothing follows from it but words: a group that is not ready is better than none.

use std::fmt;

/// Name of the field.
pub(super) const FIELD: &str = "hq";

/// What is known of one group.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Readiness {
    pub(super) here: Option<bool>,
    pub(super) there: Option<bool>,
    /// That the other node is not ready was told.
    pub(super) is_told: bool,
}

impl Readiness {
    /// What the peer said is not valid any more.
    pub(super) fn forget_peer(&mut self) {
        self.there = None;
    }
}

/// The field, ready to be written.
pub(super) struct Letters<I>(pub(super) I);

impl<I: Iterator<Item = Option<bool>> + Clone> fmt::Display for Letters<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut states = self.0.clone().peekable();
        while let Some(state) = states.next() {
            let mut count = 1_usize;
            while states.next_if_eq(&state).is_some() {
                count += 1;
            }
            f.write_str(match state {
                Some(true) => "y",
                Some(false) => "n",
                None => "-",
            })?;
            if count > 1 {
                write!(f, "{count}")?;
            }
        }
        Ok(())
    }
}

/// Reads the field, and hands over the states of so many groups, unless it is not about so many or not well-formed.
pub(super) fn parse(
    text: &str,
    groups: usize,
    mut take: impl FnMut(usize, Option<bool>),
) -> Option<()> {
    let mut total = 0_usize;
    let mut rest = text;
    while !rest.is_empty() {
        let (_, count, after) = next_run(rest)?;
        total = total.checked_add(count).filter(|total| *total <= groups)?;
        rest = after;
    }
    if total != groups {
        return None;
    }
    let mut places = 0..groups;
    rest = text;
    while let Some((state, count, after)) = next_run(rest) {
        for place in places.by_ref().take(count) {
            take(place, state);
        }
        rest = after;
    }
    Some(())
}

/// A letter, how often it counts, and what follows.
fn next_run(text: &str) -> Option<(Option<bool>, usize, &str)> {
    let state = match text.as_bytes().first()? {
        b'y' => Some(true),
        b'n' => Some(false),
        b'-' => None,
        _ => return None,
    };
    let rest = text.get(1..)?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = rest.split_at_checked(digits)?;
    let count = if number.is_empty() {
        1
    } else {
        number.parse().ok()?
    };
    Some((state, count, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, groups: usize) -> Option<Vec<Option<bool>>> {
        let mut states = Vec::new();
        parse(text, groups, |_, state| states.push(state)).map(|()| states)
    }

    #[test]
    fn every_state_survives_the_wire() {
        let states = [Some(true), Some(true), None, Some(false), None, None, None];
        let text = Letters(states.into_iter()).to_string();
        assert_eq!(text, "y2-n-3");
        assert_eq!(read(&text, 7).as_deref(), Some(states.as_slice()));
        assert_eq!(read("", 0), Some(Vec::new()));
    }

    #[test]
    fn what_is_not_about_all_groups_is_refused_and_allocates_nothing_by_a_sender_s_number() {
        for text in [
            "",
            "y",
            "y3",
            "y2n",
            "x2",
            "y99999999999999999999",
            "y4000000000",
            "2y",
            "é2",
        ] {
            assert_eq!(read(text, 2), None, "{text:?}");
        }
    }
}
