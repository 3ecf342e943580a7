//! The Ethernet addresses of the nodes. Each tells the other its own, so that on a network a node can be told from a
//! stranger, also one that is dead by now and whose machine still answers there.

use super::ethernet::{Ethernet, KIND, MOST_ETHERNET, read_ethernet, write_ethernet};
use super::{Action, Cluster};
use crate::message::Message;

const FIELD: &str = "hb_ethernet";

impl Cluster {
    /// These are the addresses of this node from now on.
    pub(super) fn hardware_changed(&mut self, mut own: Vec<Ethernet>) {
        own.truncate(MOST_ETHERNET);
        if self.hardware.own != own {
            self.hardware.own = own;
            if self.is_agreed {
                self.send_hardware();
            }
        }
    }

    /// Tells a node of ours that hears us.
    pub(super) fn send_hardware(&mut self) {
        if self.hardware.own.is_empty() {
            return;
        }
        let text = write_ethernet(&self.hardware.own);
        self.begin_to_peer(KIND).push_text(FIELD, &text);
        self.finish(false);
    }

    /// False when it can't be read.
    pub(super) fn hardware_heard(&mut self, message: &Message, number: u64) -> bool {
        let Some(told) = message.text(FIELD).and_then(read_ethernet) else {
            return false;
        };
        let at = (self.peer.generation, number);
        if at > self.hardware.heard {
            self.hardware.heard = at;
            self.actions.push_back(Action::PeerHardware(told));
        }
        true
    }
}
