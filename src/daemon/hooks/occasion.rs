//! What a script of `rc.d` is run for, and what it gets to see of it.

use crate::cluster::{NodeStatus, Report};

/// An occasion for a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Occasion {
    /// The type of message that heartbeat 3.0.6 would have, which is the name of the script.
    pub kind: &'static str,
    /// What becomes `HA_` variables. All names are in this file and all values come from `ha.cf` or from here:
    /// nothing that was received gets into the environment of a script.
    pub fields: Vec<(&'static str, String)>,
}

/// Everything that there are occasions for.
pub(super) const KINDS: [&str; 2] = [STATUS, LINK];

const STATUS: &str = "status";
const LINK: &str = "ifstat";

impl Occasion {
    /// The occasion that this is, if any; `wall_seconds` is now. The fields are those of 3.0.6.
    pub fn of(report: &Report, wall_seconds: u64) -> Option<Self> {
        let status = |node: &String, status: NodeStatus| Self {
            kind: STATUS,
            fields: vec![
                ("t", STATUS.to_owned()),
                ("src", node.clone()),
                ("st", status.word().to_owned()),
                ("ts", format!("{wall_seconds:x}")),
            ],
        };
        let link = |node: &String, link: &String, status: &str| Self {
            kind: LINK,
            fields: vec![
                ("t", LINK.to_owned()),
                ("node", node.clone()),
                ("ifname", link.clone()),
                ("st", status.to_owned()),
            ],
        };
        Some(match report {
            Report::StatusUpdate { node, status: new } => status(node, *new),
            Report::NodeDead { node } => status(node, NodeStatus::Dead),
            Report::LinkUp { node, link: name } => link(node, name, "up"),
            Report::LinkDown { node, link: name } => link(node, name, "dead"),
            _ => return None,
        })
    }
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
            (Report::ShutdownNotice { node }, None),
            (Report::LocalStatus(NodeStatus::Active), None),
        ] {
            assert_eq!(occasion(&report).as_deref(), expected, "{report:?}");
        }
    }
}
