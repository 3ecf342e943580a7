//! The vocabulary of the model: what a message says, and what a node claims to hold.

use std::fmt;

use heartbeat::cluster::{GroupId, MoveRequest, Selection};
use heartbeat::message::Message;

/// The fields of a message before its header is added, `t` first.
#[derive(Debug, Clone)]
pub struct Words(pub Vec<(&'static str, String)>);

impl Words {
    /// A message of this type.
    pub fn new(kind: &str) -> Self {
        Self(vec![("t", kind.to_owned())])
    }

    /// With one more field.
    pub fn and(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.push((name, value.to_string()));
        self
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(field, _)| *field == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A message as the daemon looks at it: its own ones come by the same way as those of the peer.
pub enum Heard<'a> {
    /// Said by this node itself, processed before it leaves.
    Own(&'a Words),
    /// Said by the peer.
    Peers(&'a Message),
}

impl Heard<'_> {
    /// The text of a field.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self {
            Self::Own(words) => words.value(name),
            Self::Peers(message) => message.text(name),
        }
    }

    /// A hexadecimal field.
    pub fn hex(&self, name: &str) -> Option<u64> {
        u64::from_str_radix(self.text(name)?, 16).ok()
    }

    /// A decimal field.
    pub fn decimal(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// Whether this node itself said it.
    pub fn is_own(&self) -> bool {
        matches!(self, Self::Own(_))
    }
}

/// What a node says it holds, or what is to be moved: its own groups, those of the other, both, nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hold {
    /// The groups on its own lines.
    pub local: bool,
    /// All others.
    pub foreign: bool,
}

impl Hold {
    /// Nothing.
    pub const NONE: Self = Self::of(false, false);
    /// Its own groups.
    pub const LOCAL: Self = Self::of(true, false);
    /// The other node's groups.
    pub const FOREIGN: Self = Self::of(false, true);
    /// Everything.
    pub const ALL: Self = Self::of(true, true);

    const fn of(local: bool, foreign: bool) -> Self {
        Self { local, foreign }
    }

    /// The word on the wire; any word but three means everything, as the scripts have it.
    pub fn from_word(word: Option<&str>) -> Self {
        match word {
            Some("none") => Self::NONE,
            Some("local") => Self::LOCAL,
            Some("foreign") => Self::FOREIGN,
            _ => Self::ALL,
        }
    }

    /// The same in the other node's terms.
    pub const fn swapped(self) -> Self {
        Self::of(self.foreign, self.local)
    }

    /// Both together.
    pub const fn with(self, other: Self) -> Self {
        Self::of(self.local || other.local, self.foreign || other.foreign)
    }

    /// Without what is in the other.
    pub const fn without(self, other: Self) -> Self {
        Self::of(self.local && !other.local, self.foreign && !other.foreign)
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.local, self.foreign) {
            (false, false) => "none",
            (true, false) => "local",
            (false, true) => "foreign",
            (true, true) => "all",
        })
    }
}

/// Why 3.0.6 decided to start a group: what a judge asks when two machines run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The peer was silent for its own dead time, or was never heard within initdead.
    Silence,
    /// A heartbeat came more than deadtime after the one before it.
    Late,
    /// The peer said that it has stopped.
    Goodbye,
    /// Ten seconds passed without the peer calling itself stable, and it did not claim the group.
    Window,
    /// The peer called itself stable and did not claim the group.
    Stability,
    /// The peer said in a standby dialogue that it has released the group.
    Handover,
    /// Legacy mode: the peer answered that it does not run the group any more.
    Answer,
    /// Legacy mode: the peer was not active, so nobody was asked.
    Unasked,
}

impl Ground {
    /// Whether nothing that the peer said led to it.
    pub fn is_blind(self) -> bool {
        matches!(self, Self::Silence | Self::Late)
    }
}

/// What the operator does on a node that runs 3.0.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// `hb_standby`.
    Standby(Hold),
    /// `hb_takeover`.
    Takeover(Hold),
}

impl Command {
    /// The same for a node of ours.
    pub fn request(self) -> Option<MoveRequest> {
        let selection = |what: Hold| Selection::from_word(&what.to_string());
        match self {
            Self::Standby(what) => selection(what).map(MoveRequest::Standby),
            Self::Takeover(what) => selection(what).map(MoveRequest::Takeover),
        }
    }
}

/// What a node wants of its machine besides the actions of the core.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// A line for the story.
    Say(String),
    /// After a clean exit the daemon is to begin again, so many microseconds later.
    BeginAgain(u64),
    /// A group that it wanted to start runs already: it is its own from now on.
    Adopt(GroupId),
    /// A group did not stop: every daemon is killed, and the machine reboots.
    Reboot,
    /// The daemon dies of what it read; what it started runs on.
    Die,
}
