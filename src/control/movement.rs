//! Planned moves as they are asked for and told of over the control socket.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which groups: *local* are those that prefer the node that is asked, *foreign* the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// Every group.
    All,
    /// Those that prefer the node that is asked.
    Local,
    /// Those that prefer the other node.
    Foreign,
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::All => "all",
            Self::Local => "local",
            Self::Foreign => "foreign",
        })
    }
}

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// From the node that is asked to the other one.
    Standby,
    /// From the other node to the one that is asked.
    Takeover,
}

/// How far a planned move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveProgress {
    /// The other node was asked.
    Asked,
    /// The groups are being stopped where they are.
    Releasing,
    /// The groups are being started where they go.
    Acquiring,
    /// Everything is where it was to go.
    Done,
    /// It ended without that.
    Failed,
}

/// The planned move that is under way, or the last one. Generation and number together are given once only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Movement {
    /// The generation under which the daemon that was asked began its run; it keeps this one here when it goes on
    /// under a later one.
    pub generation: u64,
    /// Counts the moves of this generation, from 1.
    pub number: u64,
    /// Which way.
    pub request: Direction,
    /// Which groups.
    pub selection: Selection,
    /// How far it is.
    pub progress: MoveProgress,
    /// Why it failed.
    pub reason: Option<String>,
    /// What speaks against it, as it is told when it begins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::super::{Answer, Request};
    use super::*;

    fn json(value: &impl Serialize) -> String {
        serde_json::to_string(value).expect("serializes")
    }

    #[test]
    fn the_requests_are_the_documented_lines() {
        let standby = Request::Standby {
            selection: Selection::All,
        };
        let takeover = Request::Takeover {
            selection: Selection::Foreign,
        };
        let lines = [
            (standby, r#"{"request":"standby","selection":"all"}"#),
            (takeover, r#"{"request":"takeover","selection":"foreign"}"#),
        ];
        for (request, line) in lines {
            assert_eq!(json(&request), line);
            assert_eq!(serde_json::from_str::<Request>(line).ok(), Some(request));
        }
    }

    #[test]
    fn a_request_without_a_known_selection_is_none() {
        for line in [
            r#"{"request":"standby"}"#,
            r#"{"request":"standby","selection":"failback"}"#,
            r#"{"request":"standby","selection":"All"}"#,
            r#"{"request":"takeover","selection":null}"#,
        ] {
            assert!(serde_json::from_str::<Request>(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_answer_is_the_documented_line() {
        let mut movement = Movement {
            generation: 12,
            number: 3,
            request: Direction::Standby,
            selection: Selection::Local,
            progress: MoveProgress::Asked,
            reason: None,
            warnings: Vec::new(),
        };
        assert_eq!(
            json(&Answer::Movement(movement.clone())),
            r#"{"movement":{"generation":12,"number":3,"request":"standby","selection":"local","progress":"asked","reason":null}}"#
        );
        movement.progress = MoveProgress::Failed;
        movement.reason = Some("why".into());
        assert!(json(&movement).ends_with(r#""progress":"failed","reason":"why"}"#));
    }
}
