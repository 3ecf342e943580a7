//! What a heartbeat of ours says of each resource group, in words.

use std::fmt::Write as _;

use super::escape::printable;
use crate::cluster::GroupSettings;
use crate::cluster::claims::{Claim, Heading, Leaving, Phase, Stated, parse};
use crate::cluster::ownership::Ownership;

/// Up to so many groups are named one by one.
const MOST_NAMED: usize = 6;
/// The longest key that is shown.
const LONGEST_KEY: usize = 40;

/// The groups of our own `haresources`, to tell those of a message by name.
#[derive(Debug, Clone)]
pub struct Groups {
    /// Sorted: the order on the wire.
    keys: Vec<String>,
    digest: u32,
}

/// What one heartbeat said of its sender's groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// All but the groups.
    pub heading: Heading,
    /// The groups in the order of their sorted keys.
    pub states: Vec<Stated>,
}

impl Claims {
    /// Reads the field; `None` where it is not well-formed.
    pub fn read(text: &str) -> Option<Self> {
        let mut states = Vec::new();
        let heading = parse(text, &mut states)?;
        Some(Self { heading, states })
    }
}

impl Groups {
    /// Those of a configuration; none when there is none.
    pub fn new(settings: &[GroupSettings]) -> Self {
        let mut keys: Vec<_> = settings.iter().map(|group| group.key.clone()).collect();
        keys.sort();
        Self {
            keys,
            digest: Ownership::new(settings, false).digest(),
        }
    }

    /// The name of the group at this place of a message with that digest.
    pub fn name(&self, digest: Option<u32>, place: usize) -> String {
        match self.keys.get(place) {
            Some(key) if digest == Some(self.digest) => printable(key.as_bytes(), LONGEST_KEY),
            _ => format!("group {}", place.saturating_add(1)),
        }
    }

    /// The field in words. Whether the sender hears the other node can be seen only where that one says such things too.
    pub fn describe(&self, text: &str, other_is_ours: bool) -> String {
        let Some(Claims { heading, states }) = Claims::read(text) else {
            return "groups: not well-formed".to_owned();
        };
        let is_deaf = other_is_ours && heading.answering.is_none();
        let mut words = String::from(if is_deaf {
            "hears nobody yet, groups: "
        } else {
            "groups: "
        });
        match heading.digest {
            None => words.push_str("not known yet"),
            Some(_) if states.is_empty() => words.push_str("none"),
            Some(_) if states.len() <= MOST_NAMED => {
                for (place, stated) in states.iter().enumerate() {
                    let separator = if place == 0 { "" } else { ", " };
                    let name = self.name(heading.digest, place);
                    let _ = write!(words, "{separator}{name} {}", claim(stated.claim));
                }
            }
            Some(_) => words.push_str(&counts(&states)),
        }
        words.push_str(match heading.leaving {
            Leaving::No => "",
            Leaving::Stopping => ", is stopping",
            Leaving::Stopped => ", has stopped",
        });
        words
    }
}

/// How many groups are in each state.
fn counts(states: &[Stated]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for stated in states {
        let word = claim(stated.claim);
        match counts.iter_mut().find(|(known, _)| *known == word) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counts.push((word, 1)),
        }
    }
    let parts: Vec<_> = counts
        .iter()
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    parts.join(", ")
}

fn claim(claim: Claim) -> &'static str {
    match claim {
        Claim::Free => "free",
        Claim::Ceded => "left to the other",
        Claim::HandedOver => "handed over to the other",
        Claim::Waived => "free (handed over)",
        Claim::Failed => "failed to start",
        Claim::Held { phase, taken } => match (phase, taken) {
            (Phase::Starting, false) => "starting",
            (Phase::Running, false) => "running",
            (Phase::Stopping, false) => "stopping",
            (Phase::Unknown, false) => "running or not stopped",
            (Phase::Starting, true) => "starting (taken over)",
            (Phase::Running, true) => "running (taken over)",
            (Phase::Stopping, true) => "stopping (taken over)",
            (Phase::Unknown, true) => "running or not stopped (taken over)",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups() -> Groups {
        let settings: Vec<_> = ["web", "db"]
            .into_iter()
            .map(|key| GroupSettings {
                key: key.to_owned(),
                line: format!("alpha {key}"),
                prefers_local: true,
            })
            .collect();
        Groups::new(&settings)
    }

    #[test]
    fn groups_are_named_only_where_both_files_say_the_same() {
        let groups = groups();
        let same = format!("2 6b008f1f.1 {:x} Rn 3 0", groups.digest);
        assert_eq!(groups.describe(&same, true), "groups: db running, web free");
        let other = "2 6b008f1f.1 1 oc 3 1";
        assert_eq!(
            groups.describe(other, true),
            "groups: group 1 running (taken over), group 2 left to the other, is stopping"
        );
    }

    #[test]
    fn many_groups_are_counted_and_none_is_said() {
        let groups = groups();
        assert_eq!(
            groups.describe("1 1.1 1 R60n4 0 0", true),
            "groups: 60 running, 4 free"
        );
        assert_eq!(
            groups.describe("1 - - - 0 0", true),
            "hears nobody yet, groups: not known yet"
        );
        assert_eq!(
            groups.describe("1 1.1 1 - 0 2", true),
            "groups: none, has stopped"
        );
        assert_eq!(groups.describe("nonsense", true), "groups: not well-formed");
    }
}
