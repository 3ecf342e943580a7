//! Why a word names no resource.

use std::fmt;
use std::path::PathBuf;

use super::ocf::Mistake;
use super::soundness::Fault;

/// Why a word names no resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CatalogueError {
    /// There is nothing of that name.
    NotFound {
        /// The name.
        name: String,
        /// Every path looked at, and what was wrong with those that exist.
        looked_at: Vec<String>,
    },
    /// The name can't be that of a script.
    BadName(String),
    /// A script or agent is there, and can't be run.
    Broken {
        /// Where it is.
        path: PathBuf,
        /// Why not.
        fault: Fault,
    },
    /// A word that begins with `ocf:` and names no OCF agent.
    Ocf {
        /// The whole word.
        text: String,
        /// Why not.
        mistake: Mistake,
    },
    /// `OCF::AGENT::INSTANCE`, which only a script of heartbeat 3.0.6 understands.
    OldOcf(String),
    /// An agent that takes other arguments.
    Arguments {
        /// The whole word.
        text: String,
        /// How it is written.
        usage: &'static str,
    },
    /// A unit of systemd takes no arguments.
    UnitWithArguments(String),
    /// The address can't be read.
    Address(String),
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound { name, looked_at } => {
                write!(
                    f,
                    "Cannot locate resource script {name}: looked at {}",
                    looked_at.join(", ")
                )
            }
            Self::BadName(name) => write!(f, "{name:?} cannot be the name of a resource script"),
            Self::Broken { path, fault } => {
                write!(f, "{} {fault}: {}", path.display(), fault.remedy(path))
            }
            Self::Ocf { text, mistake } => write!(
                f,
                "{text}: {mistake}; an agent is written ocf:PROVIDER:AGENT::NAME=VALUE..."
            ),
            Self::OldOcf(text) => write!(
                f,
                "{text}: this form needs the script OCF of heartbeat 3.0.6 in resource.d; \
                 write ocf:PROVIDER:AGENT::NAME=VALUE..."
            ),
            Self::Arguments { text, usage } => {
                write!(f, "{text} has too few or too many arguments: write {usage}")
            }
            Self::UnitWithArguments(unit) => write!(
                f,
                "{unit} is a systemd unit and takes no arguments; write its name alone, or put a script into resource.d"
            ),
            Self::Address(error) => f.write_str(error),
        }
    }
}
