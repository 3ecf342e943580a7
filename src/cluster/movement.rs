//! Planned moves: what an operator asked for, whether it can be done now, and how far it is.

use std::fmt;

/// Which groups. *Local* are those that prefer the node that is spoken of, *foreign* the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Selection {
    /// Every group.
    All,
    /// The groups that prefer it.
    Local,
    /// The groups that prefer the other node.
    Foreign,
}

impl Selection {
    /// From the word of the old commands and messages. `failback` has no meaning of its own: what it stands for
    /// depends on the command, so the commands resolve it.
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::All, Self::Local, Self::Foreign]
            .into_iter()
            .find(|selection| selection.word() == word)
    }

    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Local => "local",
            Self::Foreign => "foreign",
        }
    }

    /// The same groups as the other node calls them.
    #[must_use]
    pub const fn seen_by_the_other(self) -> Self {
        match self {
            Self::All => Self::All,
            Self::Local => Self::Foreign,
            Self::Foreign => Self::Local,
        }
    }

    /// Whether groups that prefer the node spoken of (`true`), or the others, are among them.
    pub const fn includes(self, local: bool) -> bool {
        matches!(
            (self, local),
            (Self::All, _) | (Self::Local, true) | (Self::Foreign, false)
        )
    }
}

impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// What an operator asks for. The selection is in terms of the node that is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveRequest {
    /// Give these groups to the other node.
    Standby(Selection),
    /// Have the other node give these groups to this one.
    Takeover(Selection),
}

impl fmt::Display for MoveRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Standby(selection) => write!(f, "Standby [{selection}]"),
            Self::Takeover(selection) => write!(f, "Takeover [{selection}]"),
        }
    }
}

/// Why a request can't be carried out now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveRefusal {
    /// This node is about to stop.
    Leaving,
    /// The nodes have not agreed yet since this one started.
    Starting,
    /// The other node is dead, has left, is leaving, or does not hear us.
    NobodyThere,
    /// The other node is not done with what it does.
    PeerUnsettled,
    /// This node is not done with what it does.
    Unsettled,
    /// Nothing gets through to the other node and back just now.
    Unanswered,
    /// Another planned move is under way.
    Busy,
    /// `auto_failback legacy`: a group always belongs to its preferred node.
    Legacy,
    /// The nodes' haresources differ.
    FilesDiffer,
    /// `auto_failback` of this node names a condition, and the other node's does not: what it gave up for want of a
    /// network comes back by that condition.
    Failback,
    /// Maintenance is on, and no person asks for it.
    Maintenance,
    /// One of the groups could not be stopped before and counts as running here.
    Stuck,
    /// They could be started on neither node, and none of them is for this one to try.
    FailedOnBoth,
    /// None of the groups is where the request would take it from.
    NothingToMove,
}

impl fmt::Display for MoveRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Leaving => "this node is shutting down",
            Self::Starting => {
                "this node has just started and does not know yet what the other one does; try again in a moment"
            }
            Self::NobodyThere => {
                "the other node is not there to take or to give anything (see cl_status hbstatus -v)"
            }
            Self::Unanswered => {
                "the other node does not hear this one, or is not heard itself, on any link just now (see cl_status \
                 listhblinks NODE -v)"
            }
            Self::PeerUnsettled => {
                "the other node is still starting or stopping something; try again in a moment"
            }
            Self::Unsettled => {
                "this node is still starting or stopping something; try again in a moment"
            }
            Self::Busy => "another planned move is under way; wait for its end",
            Self::Legacy => {
                "with auto_failback legacy, or without that directive, each group belongs to its preferred node; set \
                 auto_failback on or off in ha.cf of both nodes"
            }
            Self::FilesDiffer => {
                "the nodes have different haresources files; nothing moves before they are the same"
            }
            Self::Failback => {
                "auto_failback of this node is delayed or asks a command; write the same line on the other node"
            }
            Self::Maintenance => "maintenance is on, and no person asks for this",
            Self::Stuck => "one of these groups could not be stopped and counts as running here until it is; its log lines tell why",
            Self::FailedOnBoth => {
                "what is left of these groups could be started on neither node; hb_takeover on the node that they prefer \
                 tries it there at once, and a restart of heartbeat on the node that is restarted"
            }
            Self::NothingToMove => "none of these groups is on the node that would have to give it",
        })
    }
}

/// How far a planned move is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    Failed(MoveFailure),
}

/// Why a planned move did not get to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MoveFailure {
    /// The other node did not answer in time.
    NoAnswer,
    /// The other node said no, or can't give up these groups now.
    Refused,
    /// The other node died, left or started anew meanwhile.
    PeerLost,
    /// This node was told to stop meanwhile.
    Leaving,
    /// A group could not be stopped; what was stopped is started again where it was.
    StopFailed,
    /// A group could not be started where it was to go.
    StartFailed,
    /// The other node has read another `haresources` meanwhile.
    FilesDiffer,
}

impl fmt::Display for MoveFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAnswer => "the other node did not answer in time",
            Self::Refused => "the other node can't do it now; its log tells why",
            Self::PeerLost => "the other node died, left or started anew meanwhile",
            Self::Leaving => "this node was told to stop meanwhile",
            Self::StopFailed => "a group could not be stopped and stays where it is",
            Self::StartFailed => "a group could not be started where it was to go",
            Self::FilesDiffer => "the nodes have different haresources files by now",
        })
    }
}

/// The planned move that is under way, or the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Movement {
    /// Counts the requests of this run, from 1: tells one's own from a later one.
    pub number: u64,
    /// What was asked for.
    pub request: MoveRequest,
    /// How far it is.
    pub progress: MoveProgress,
}
