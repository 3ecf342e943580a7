//! How a resource is started, stopped and checked. Knows nothing of peers.
//!
//! | module | what it is |
//! |---|---|
//! | [`catalogue`] | a word of `haresources` → what kind of resource it is |
//! | [`group`] | the order of actions on one group, as a value |
//! | [`classic`], [`systemd`] | how to call a script or a unit and how to read its answer |
//! | [`environment`] | what scripts find around them |
//! | [`placement`], [`address`] | floating addresses: where they belong; adding and removing them |
//! | [`culprit`] | which other program looks after an interface |
//! | [`announce`] | telling the neighbours where an address is now |

pub mod address;
pub mod announce;
pub mod catalogue;
pub mod classic;
pub mod culprit;
pub mod environment;
pub mod group;
pub mod placement;
pub mod systemd;

use std::fmt;
use std::path::PathBuf;

/// What can be asked of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Make it run.
    Start,
    /// Make it not run; succeeds when it does not run anyway.
    Stop,
    /// Say whether it runs.
    Status,
}

impl Action {
    /// The word that scripts and `systemctl` know it by.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Status => "status",
        }
    }
}

/// What is known of a resource after its status was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It runs.
    Running,
    /// It does not.
    Stopped,
    /// The script was content but said nothing that counts, as many scripts with an empty `status` do. The
    /// classic rule takes this for stopped; it is no proof that a failed stop succeeded after all.
    Silent,
    /// It is between the two, or could not be asked.
    Unknown,
}

/// A program to run, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, the action among them.
    pub arguments: Vec<String>,
}

/// As in `Running /etc/ha.d/resource.d/nginx  start`: without arguments two blanks stand before the action, as
/// ever.
impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.program.display())?;
        match self.arguments.as_slice() {
            [action] => write!(f, " {action}"),
            arguments => f.write_str(&arguments.join(" ")),
        }
    }
}
