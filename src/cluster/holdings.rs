//! What a node holds, in the four words of heartbeat 3.0.6. Our own state is kept for each group; this is
//! the projection that old peers and old commands are told.

use std::fmt;

use super::movement::Selection;

/// In the holder's own terms: *local* are the groups that prefer it, *foreign* the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holdings {
    /// Nothing.
    None,
    /// Its own groups.
    Local,
    /// The other node's groups.
    Foreign,
    /// Everything.
    All,
    /// Something is being started or stopped. Never sent.
    Transition,
}

impl Holdings {
    /// From the two halves.
    pub const fn new(local: bool, foreign: bool) -> Self {
        match (local, foreign) {
            (false, false) => Self::None,
            (true, false) => Self::Local,
            (false, true) => Self::Foreign,
            (true, true) => Self::All,
        }
    }
}

impl Holdings {
    /// What is left of them without these groups.
    #[must_use]
    pub const fn without(self, selection: Selection) -> Self {
        let local = matches!(self, Self::Local | Self::All);
        let foreign = matches!(self, Self::Foreign | Self::All);
        Self::new(
            local && !selection.includes(true),
            foreign && !selection.includes(false),
        )
    }
}

impl fmt::Display for Holdings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Local => "local",
            Self::Foreign => "foreign",
            Self::All => "all",
            Self::Transition => "transition",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_is_not_left() {
        for (all, given, left) in [
            (Holdings::All, Selection::Local, Holdings::Foreign),
            (Holdings::All, Selection::Foreign, Holdings::Local),
            (Holdings::All, Selection::All, Holdings::None),
            (Holdings::Local, Selection::Foreign, Holdings::Local),
            (Holdings::Foreign, Selection::Local, Holdings::Foreign),
            (Holdings::Foreign, Selection::Foreign, Holdings::None),
            (Holdings::None, Selection::Local, Holdings::None),
        ] {
            assert_eq!(all.without(given), left, "{all} without {given}");
        }
    }
}
