//! What a script of `rc.d` is run for, and what it gets to see of it.

use crate::cluster::{LinkReport, NodeStatus, Report, ScriptMessage};

/// An occasion for a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Occasion {
    /// The type of message that heartbeat 3.0.6 would have, which is the name of the script.
    pub kind: String,
    /// What becomes `HA_` variables. Of messages of the daemons all names are in this file, and all values come from
    /// `ha.cf` or from here; what scripts sent to scripts is theirs, under names that no variable of ours has.
    pub fields: Vec<(String, String)>,
}

/// Everything that there are occasions for.
pub(super) const KINDS: [&str; 3] = [STATUS, LINK, JEOPARDY];

const STATUS: &str = "status";
const LINK: &str = "ifstat";
/// Ours: 3.0.6 has no such message.
const JEOPARDY: &str = "jeopardy";

impl Occasion {
    /// The occasion that this is, if any; `wall_seconds` is now. The fields are those of 3.0.6.
    pub fn of(report: &Report, wall_seconds: u64) -> Option<Self> {
        let status = |node: &String, status: NodeStatus| Self {
            kind: STATUS.to_owned(),
            fields: named([
                ("t", STATUS.to_owned()),
                ("src", node.clone()),
                ("st", status.word().to_owned()),
                ("ts", format!("{wall_seconds:x}")),
            ]),
        };
        let link = |node: &String, link: &String, status: &str| Self {
            kind: LINK.to_owned(),
            fields: named([
                ("t", LINK.to_owned()),
                ("node", node.clone()),
                ("ifname", link.clone()),
                ("st", status.to_owned()),
            ]),
        };
        let jeopardy = |node: &String, link: &str, state: &str| Self {
            kind: JEOPARDY.to_owned(),
            fields: named([
                ("t", JEOPARDY.to_owned()),
                ("node", node.clone()),
                ("ifname", link.to_owned()),
                ("st", state.to_owned()),
            ]),
        };
        Some(match report {
            Report::Link(LinkReport::Jeopardy { node, link }) => {
                jeopardy(node, link.as_deref().unwrap_or_default(), "on")
            }
            Report::Link(LinkReport::JeopardyOver { node }) => jeopardy(node, "", "off"),
            Report::StatusUpdate { node, status: new } => status(node, *new),
            Report::NodeDead { node } => status(node, NodeStatus::Dead),
            Report::LinkUp { node, link: name } => link(node, name, "up"),
            Report::LinkDown { node, link: name } => link(node, name, "dead"),
            _ => return None,
        })
    }

    /// A message that scripts of a node sent; `wall_seconds` is now. What is named like a directive of `ha.cf`, or like
    /// something that `env` sets, is left out: those variables tell of this node.
    pub fn of_message(
        source: String,
        message: &ScriptMessage,
        wall_seconds: u64,
        is_taken: impl Fn(&str) -> bool,
    ) -> Self {
        let mut fields = named([
            ("t", message.kind().to_owned()),
            ("src", source),
            ("ts", format!("{wall_seconds:x}")),
        ]);
        let own = message.fields().iter();
        fields.extend(own.filter(|(name, _)| !is_taken(name)).cloned());
        Self {
            kind: message.kind().to_owned(),
            fields,
        }
    }
}

fn named<const N: usize>(fields: [(&str, String); N]) -> Vec<(String, String)> {
    let fields = fields.map(|(name, value)| (name.to_owned(), value));
    fields.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn occasion(report: &Report) -> Option<String> {
        let Occasion { kind, mut fields } = Occasion::of(report, 255)?;
        fields.sort();
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        Some(format!("{kind}: {}", fields.join(" ")))
    }

    #[test]
    fn a_script_sees_what_a_script_sent_and_nothing_that_is_ours() {
        let sent = [("what", "x"), ("debug", "9"), ("region", "south")];
        let sent = sent.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let message = ScriptMessage::new("mine", sent.into()).expect("a good one");
        let is_taken = |name: &str| ["debug", "region"].contains(&name);
        let seen = Occasion::of_message("there".to_owned(), &message, 255, is_taken);
        let expected = [("t", "mine"), ("src", "there"), ("ts", "ff"), ("what", "x")];
        assert_eq!(
            seen.fields,
            named(expected.map(|(name, value)| (name, value.to_owned())))
        );
    }

    #[test]
    fn nodes_and_links_that_change_are_occasions_and_nothing_else_is() {
        let (node, link) = ("there".to_owned(), "eth0".to_owned());
        for (report, expected) in [
            (
                Report::StatusUpdate {
                    node: node.clone(),
                    status: NodeStatus::Active,
                },
                Some("status: src=there st=active t=status ts=ff"),
            ),
            (
                Report::NodeDead { node: node.clone() },
                Some("status: src=there st=dead t=status ts=ff"),
            ),
            (
                Report::LinkUp {
                    node: node.clone(),
                    link: link.clone(),
                },
                Some("ifstat: ifname=eth0 node=there st=up t=ifstat"),
            ),
            (
                Report::LinkDown {
                    node: node.clone(),
                    link,
                },
                Some("ifstat: ifname=eth0 node=there st=dead t=ifstat"),
            ),
            (
                Report::Link(LinkReport::Jeopardy {
                    node: node.clone(),
                    link: Some("eth1".to_owned()),
                }),
                Some("jeopardy: ifname=eth1 node=there st=on t=jeopardy"),
            ),
            (
                Report::Link(LinkReport::JeopardyOver { node: node.clone() }),
                Some("jeopardy: ifname= node=there st=off t=jeopardy"),
            ),
            (Report::ShutdownNotice { node }, None),
            (Report::LocalStatus(NodeStatus::Active), None),
        ] {
            assert_eq!(occasion(&report).as_deref(), expected, "{report:?}");
        }
    }
}
