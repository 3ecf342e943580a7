//! What is known beforehand of the pair that is listened to.

use crate::cluster::GroupSettings;
use crate::message::Keys;

/// All of it may be missing: then less is judged.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// `authkeys`.
    pub keys: Option<Keys>,
    /// Both nodes; empty when no configuration tells.
    pub nodes: Vec<String>,
    /// This node, where its own network is listened to.
    pub local_node: Option<String>,
    /// The links that are listened to, where that is known beforehand.
    pub links: Vec<String>,
    /// `haresources`.
    pub groups: Vec<GroupSettings>,
}

impl Settings {
    /// Whether a node of this name is configured, or could be for all we know.
    pub fn knows(&self, name: &str) -> bool {
        self.nodes.is_empty()
            || self
                .nodes
                .iter()
                .any(|node| node.eq_ignore_ascii_case(name))
    }
}
