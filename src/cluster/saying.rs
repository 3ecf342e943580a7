//! The way of messages between scripts. The core carries them and acts on none.

use super::script_message::{ScriptMessage, is_reserved};
use super::{Action, Cluster, NodeStatus};
use crate::message::Message;

impl Cluster {
    /// Sends a message of scripts to the other node, and has it told to those of this one, unless it is for one of
    /// them alone. Before the nodes have joined nothing is sent.
    pub(super) fn say(&mut self, message: ScriptMessage) {
        if self.status != NodeStatus::Active {
            return; // nobody has agreed to hear us
        }
        let destination = message.destination().map(str::to_owned);
        let is_for = |node: &str| {
            let to = destination.as_deref();
            to.is_none_or(|to| to.eq_ignore_ascii_case(node))
        };
        if is_for(&self.settings.peer_node) {
            let sent = self.outgoing.begin(message.kind());
            for (name, value) in message.fields() {
                sent.push_text(name, value);
            }
            if let (Some(_), Some(uuid)) = (&destination, &self.peer.uuid) {
                sent.push_binary("destuuid", uuid);
            }
            self.finish(false);
        }
        if is_for(&self.settings.local_node) {
            let source = self.settings.local_node.clone();
            self.actions.push_back(Action::Deliver {
                source,
                message: Box::new(message),
            });
        }
    }

    /// The other node has sent a message that is nothing to the core. False when it is nothing to scripts either.
    pub(super) fn script_message_heard(&mut self, kind: &str, message: &Message) -> bool {
        if is_reserved(kind) || self.status != NodeStatus::Active {
            return true; // of 3.0.6, and not acted on
        }
        let Some(message) = ScriptMessage::read(kind, message) else {
            return false;
        };
        self.actions.push_back(Action::Deliver {
            source: self.peer_name(),
            message: Box::new(message),
        });
        true
    }
}
