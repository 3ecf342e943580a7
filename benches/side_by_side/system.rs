//! What is compared.

use std::fmt;
use std::path::Path;

use super::keepalived;
use super::lab::program;

/// One of the daemons that are measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// The one of this tree.
    Ours,
    /// heartbeat 3.0.6, as Debian packages it.
    Original,
    /// keepalived, as Debian packages it.
    Keepalived,
}

impl System {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ours, Self::Original, Self::Keepalived];

    /// A letter for names that must be short.
    pub fn letter(self) -> char {
        match self {
            Self::Ours => 'o',
            Self::Original => 'h',
            Self::Keepalived => 'k',
        }
    }

    /// Whether it can run here, and if not, why.
    pub fn can_run(self) -> Result<(), String> {
        match self {
            Self::Ours => Ok(()),
            Self::Original => program::can_run_old(),
            Self::Keepalived if Path::new(keepalived::PROGRAM).is_file() => Ok(()),
            Self::Keepalived => Err(format!(
                "there is no {} (Debian: keepalived)",
                keepalived::PROGRAM
            )),
        }
    }
}

impl fmt::Display for System {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Ours => "ours",
            Self::Original => "3.0.6",
            Self::Keepalived => "keepalived",
        })
    }
}
