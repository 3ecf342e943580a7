//! The record of an incident: the nodes lost each other, and this is what each held until they had settled again.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// So many names of groups stand in one sentence.
const MOST_KEYS: usize = 5;

/// One incident as one node has recorded it. All times are in milliseconds since 1970 by the clock of that node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Incident {
    /// The node that recorded it.
    pub node: String,
    /// The other node.
    pub peer: String,
    /// `silence`: the other node fell silent; `stall`: this one stood still; `unheard`: the other node was heard and did not
    /// hear this one; `told`: the other node said that it had lost this one.
    pub cause: String,
    /// When the other node was heard last, or this one stood still.
    pub lost: u64,
    /// When each had heard the other again; none where this node stopped before.
    pub met: Option<u64>,
    /// When nothing was held by both any more.
    pub settled: u64,
    /// Where `theirs` comes from: `told` by the other node; or why there is nothing: `other-files`, `heartbeat-3.0.6` or
    /// `nothing`.
    pub peer_word: String,
    /// Since when the daemon of the other node runs; none where it has not told. What an earlier one held is not recorded.
    pub peer_runs_since: Option<u64>,
    /// The other node held more than it could tell.
    pub is_cut: bool,
    /// What either held.
    pub groups: Vec<HeldGroups>,
}

/// Groups that were held by whom from when to when, all alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct HeldGroups {
    /// Their first resources.
    pub keys: Vec<String>,
    /// When the node that recorded it held each of them.
    pub mine: Vec<Tenure>,
    /// When the other node did.
    pub theirs: Vec<Tenure>,
    /// For how many milliseconds both did; 0 where they did not, or it is not certain.
    pub both: u64,
}

/// From when to when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tenure {
    /// Since when.
    pub since: u64,
    /// Until when; none while it went on.
    pub until: Option<u64>,
    /// It was found running then, and began earlier.
    pub is_older: bool,
}

/// A line about an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// Two nodes held the same.
    pub is_alarm: bool,
    /// What it says.
    pub text: String,
}

impl Incident {
    /// Whether both nodes held the same at the same time.
    pub fn had_two_owners(&self) -> bool {
        self.groups.iter().any(|groups| groups.both > 0)
    }

    /// The record in words; `moment` writes a time. What both held comes first.
    pub fn sentences(&self, moment: fn(u64) -> String) -> Vec<Sentence> {
        let mut sentences = vec![Sentence {
            is_alarm: false,
            text: self.beginning(moment),
        }];
        let (both, one): (Vec<_>, Vec<_>) = self.groups.iter().partition(|groups| groups.both > 0);
        sentences.extend(both.into_iter().chain(one).map(|groups| Sentence {
            is_alarm: groups.both > 0,
            text: self.held(groups, moment),
        }));
        sentences.extend(self.not_known(moment).map(|text| Sentence {
            is_alarm: false,
            text,
        }));
        sentences
    }

    fn beginning(&self, moment: fn(u64) -> String) -> String {
        let Self { node, peer, .. } = self;
        let lost = moment(self.lost);
        let mut text = match self.cause.as_str() {
            "stall" => format!("{node} stood still at {lost}"),
            "unheard" => format!("{peer} did not hear {node} since {lost}"),
            "told" => format!("{peer} lost {node} at {lost}"),
            _ => format!("{node} heard nothing of {peer} since {lost}"),
        };
        let _ = match self.met {
            Some(met) => write!(
                text,
                ". They met again at {} ({} later), and had settled who holds what at {}.",
                moment(met),
                seconds(met.saturating_sub(self.lost)),
                moment(self.settled)
            ),
            None => write!(
                text,
                ". {node} stopped at {}, and had not met it again.",
                moment(self.settled)
            ),
        };
        text
    }

    fn held(&self, groups: &HeldGroups, moment: fn(u64) -> String) -> String {
        let named: Vec<&str> = groups
            .keys
            .iter()
            .take(MOST_KEYS)
            .map(String::as_str)
            .collect();
        let mut text = named.join(", ");
        let others = groups.keys.len().saturating_sub(named.len());
        if others > 0 {
            let _ = write!(text, " and {others} more");
        }
        if groups.both > 0 {
            let _ = write!(text, ": BOTH nodes held it for {}", seconds(groups.both));
        }
        for (node, tenures) in [(&self.node, &groups.mine), (&self.peer, &groups.theirs)] {
            if !tenures.is_empty() {
                let spans: Vec<String> = tenures.iter().map(|one| one.words(moment)).collect();
                let _ = write!(text, "; {node} held it {}", spans.join(", "));
            }
        }
        text.push('.');
        text.replacen("; ", ": ", usize::from(groups.both == 0))
    }

    fn not_known(&self, moment: fn(u64) -> String) -> Option<String> {
        let peer = &self.peer;
        let why = match self.peer_word.as_str() {
            "told" => {
                let anew = self.peer_runs_since.filter(|since| *since > self.lost);
                return match anew {
                    Some(since) => Some(format!(
                        "{peer} was started at {}; what it held before is not known.",
                        moment(since)
                    )),
                    None => self
                        .is_cut
                        .then(|| format!("{peer} held more than it could tell.")),
                };
            }
            "other-files" => "its haresources differs",
            "heartbeat-3.0.6" => "it runs heartbeat 3.0.6, which keeps no record",
            _ if self.met.is_none() => return None,
            _ => "it has not said",
        };
        Some(format!("What {peer} held is not known: {why}."))
    }
}

impl Tenure {
    fn words(&self, moment: fn(u64) -> String) -> String {
        let before = if self.is_older { "before " } else { "" };
        let since = moment(self.since);
        match self.until {
            Some(until) => format!("from {before}{since} to {}", moment(until)),
            None => format!("since {before}{since}"),
        }
    }
}

fn seconds(millis: u64) -> String {
    format!("{}.{:03} s", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tenure(since: u64, until: impl Into<Option<u64>>) -> Tenure {
        Tenure {
            since,
            until: until.into(),
            is_older: false,
        }
    }

    fn incident() -> Incident {
        let keys = ["a", "b", "c", "d", "e", "f", "g"];
        Incident {
            node: "alpha".into(),
            peer: "beta".into(),
            cause: "silence".into(),
            lost: 1000,
            met: Some(61_500),
            settled: 62_000,
            peer_word: "told".into(),
            peer_runs_since: Some(10),
            is_cut: false,
            groups: vec![
                HeldGroups {
                    keys: vec!["web".into()],
                    mine: vec![Tenure {
                        is_older: true,
                        ..tenure(20, None)
                    }],
                    theirs: Vec::new(),
                    both: 0,
                },
                HeldGroups {
                    keys: keys.map(String::from).to_vec(),
                    mine: vec![tenure(30, 61_900)],
                    theirs: vec![tenure(11_000, None)],
                    both: 50_900,
                },
            ],
        }
    }

    fn text(incident: &Incident) -> String {
        let sentences = incident.sentences(|millis| format!("T{millis}"));
        let lines = sentences.iter().map(|one| {
            let mark = if one.is_alarm { "! " } else { "" };
            format!("{mark}{}", one.text)
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_record_reads_as_a_person_would_tell_it() {
        assert_eq!(
            text(&incident()),
            "alpha heard nothing of beta since T1000. They met again at T61500 (60.500 s later), and had settled who \
             holds what at T62000.\n\
             ! a, b, c, d, e and 2 more: BOTH nodes held it for 50.900 s; alpha held it from T30 to T61900; beta held it \
             since T11000.\n\
             web: alpha held it since before T20."
        );
        assert!(incident().had_two_owners());
    }

    #[test]
    fn what_is_not_known_is_said() {
        let told = |change: fn(&mut Incident)| {
            let mut incident = incident();
            incident.groups.clear();
            change(&mut incident);
            let text = text(&incident);
            text.lines().last().unwrap_or_default().to_owned()
        };
        assert_eq!(
            told(|incident| incident.peer_runs_since = Some(60_000)),
            "beta was started at T60000; what it held before is not known."
        );
        assert_eq!(
            told(|incident| incident.is_cut = true),
            "beta held more than it could tell."
        );
        assert_eq!(
            told(|incident| incident.peer_word = "other-files".into()),
            "What beta held is not known: its haresources differs."
        );
        assert_eq!(
            told(|incident| {
                incident.met = None;
                incident.peer_word = "nothing".into();
            }),
            "alpha heard nothing of beta since T1000. alpha stopped at T62000, and had not met it again."
        );
        assert!(
            told(|incident| incident.cause = "stall".into()).starts_with("alpha stood still at")
        );
        assert!(
            told(|incident| incident.cause = "unheard".into()).starts_with("beta did not hear")
        );
        assert!(told(|incident| incident.cause = "told".into()).starts_with("beta lost alpha at"));
    }

    #[test]
    fn a_record_survives_its_file() {
        let line = serde_json::to_string(&incident()).expect("serializes");
        assert!(!line.contains('\n'));
        let read: Incident = serde_json::from_str(&line).expect("reads");
        assert_eq!(read, incident());
    }
}
