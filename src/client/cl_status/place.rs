//! Where a group is, from what both nodes say of it.

use crate::control::{Group, Status};

/// Where a group is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// It runs on the node that answers.
    Here,
    /// It runs on the other node.
    There,
    /// Both nodes hold it.
    Both,
    /// Neither does.
    Nowhere,
    /// It is being started or stopped on the node that answers, or on the other one.
    Moving,
    /// It could not be stopped here, or nobody has looked yet: it counts as running here.
    Stuck,
    /// Not here; what the other node does with it is not known.
    Unknown,
}

impl Place {
    /// The word in JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::There => "there",
            Self::Both => "both",
            Self::Nowhere => "nowhere",
            Self::Moving => "moving",
            Self::Stuck => "stuck",
            Self::Unknown => "unknown",
        }
    }
}

/// Where `group` is.
pub(super) fn place(status: &Status, group: &Group) -> Place {
    let peer = group.peer.as_deref();
    let is_held = |state: &str| matches!(state, "starting" | "running" | "stopping" | "unknown");
    let moves = |state: &str| matches!(state, "starting" | "stopping");
    match (group.local.as_str(), peer) {
        (local, Some(peer)) if is_held(local) && is_held(peer) => Place::Both,
        ("unknown", _) => Place::Stuck,
        (local, _) if moves(local) => Place::Moving,
        ("running", _) => Place::Here,
        (_, Some(peer)) if moves(peer) => Place::Moving,
        (_, Some("running" | "unknown")) => Place::There,
        (_, Some(_)) => Place::Nowhere,
        (_, None) if is_alone(status) => Place::Nowhere,
        (_, None) => Place::Unknown,
    }
}

/// Whether the other node holds nothing for sure, or counts as that.
fn is_alone(status: &Status) -> bool {
    let relation = status.peer.as_ref().map(|peer| peer.relation.as_str());
    matches!(relation, Some("dead" | "left"))
}

/// Whether the node that answers holds `group`, in whatever state.
pub(super) fn is_here(group: &Group) -> bool {
    matches!(
        group.local.as_str(),
        "starting" | "running" | "stopping" | "unknown"
    )
}

/// The name of the other node.
pub(super) fn peer_name(status: &Status) -> &str {
    let peer = status
        .nodes
        .iter()
        .find(|node| node.kind == "normal" && node.name != status.node);
    peer.map_or("the other node", |node| node.name.as_str())
}

/// What stands for a list of names: some of them, and how many more there are.
pub(super) fn some_of(names: &[&str]) -> String {
    const MOST: usize = 3;
    let shown = names.iter().take(MOST).copied().collect::<Vec<_>>();
    match names.len().saturating_sub(MOST) {
        0 => shown.join(", "),
        others => format!("{} and {others} more", shown.join(", ")),
    }
}
