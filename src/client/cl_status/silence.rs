//! The line of `hbstatus -v` about the silence of the other node.

use super::place::peer_name;
use crate::control::{LastLink, Status};

/// What the silence of the other node is taken for, where that is not its death, or is being asked.
pub(super) fn last_link(status: &Status, silence: &LastLink) -> Option<String> {
    if silence.answer == "takeover" && silence.state == "none" {
        return None;
    }
    let mut text = format!("\nlast link\t{}", silence.answer);
    if let Some(milliseconds) = silence.milliseconds {
        text.extend([" ", &milliseconds.to_string(), "ms"]);
    }
    if let Some(peer) = &silence.peer {
        text.extend(["\t(there: ", peer, ")"]);
    }
    text.push('\n');
    let peer = peer_name(status);
    let cut_off = if silence.cut_off {
        "this node was cut off and gave up what it had; "
    } else {
        ""
    };
    let state = match silence.state.as_str() {
        "waiting" => "is silent: its resources are taken once the time is over",
        "watching" => {
            "is silent: its resources are taken if a ping node answers and nobody for its addresses"
        }
        "manual" => {
            "is silent: nothing of it is taken before it is heard, or `heartbeat confirm-dead`"
        }
        "alone" => "counts as dead while a ping node answers here",
        _ => return Some(text),
    };
    text.extend(["\t", cut_off, peer, " ", state, "\n"]);
    Some(text)
}
