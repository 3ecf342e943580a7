//! Fencing devices, as `ha.cf` describes them.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::source::Word;

/// How the other node is reset, and when its resources are taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fencing {
    /// The devices that this node can use, in the order in which they are tried.
    pub devices: Vec<FenceDevice>,
    /// `fence_delay`: how much later the node resets the other that has less to lose.
    pub delay: Duration,
    /// `takeover_unfenced`: after this time without success resources are taken all the same; `None` for never.
    pub takeover_unfenced: Option<Duration>,
}

/// Something that resets the other node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FenceDevice {
    /// What follows `stonith` in `ha.cf`: a type of cluster-glue's stonith(8), or a fence agent, by its name `fence_…`
    /// or its path.
    pub kind: String,
    /// What it has to know.
    pub parameters: FenceParameters,
}

/// What a device has to know. Passwords are among it, so none of it is shown.
#[derive(Clone, PartialEq, Eq)]
pub enum FenceParameters {
    /// A file that stonith(8) reads.
    File(PathBuf),
    /// A line in the form of such a file.
    Line(String),
    /// `NAME=VALUE` for a fence agent.
    Named(Vec<(String, String)>),
}

impl fmt::Debug for FenceParameters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Line(_) => f.write_str("Line(..)"),
            Self::Named(_) => f.write_str("Named(..)"),
        }
    }
}

impl FenceDevice {
    /// Whether this is a fence agent, and not a type of stonith(8).
    pub fn is_agent(&self) -> bool {
        is_agent(&self.kind)
    }
}

/// A line of `ha.cf`.
#[derive(Debug)]
pub(super) struct FenceLine {
    /// Which node reaches the device, where the line says so.
    pub(super) host: Option<Word>,
    pub(super) kind: Word,
    pub(super) file: Option<Word>,
    pub(super) parameters: FenceParameters,
}

/// By its name, or by a path to a file of such a name.
pub(super) fn is_agent(kind: &str) -> bool {
    let name = kind.rsplit('/').next().unwrap_or_default();
    name.starts_with("fence_") && (!kind.contains('/') || kind.starts_with('/'))
}
