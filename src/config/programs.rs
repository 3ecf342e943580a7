//! Other programs, as `ha.cf` has them. How their lines are read is in `clients`.

use std::path::PathBuf;

/// A `respawn` or `failfast` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Respawn {
    /// User name.
    pub user: String,
    /// Absolute path of the program.
    pub program: PathBuf,
    /// The rest of the line.
    pub arguments: String,
    /// Written as `failfast`.
    pub failfast: bool,
}

impl Respawn {
    /// Whether the line asks for ipfail, which is built in.
    pub fn is_ipfail(&self) -> bool {
        self.program
            .file_name()
            .is_some_and(|name| name == "ipfail")
    }
}

/// An `apiauth` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiAuth {
    /// Client name.
    pub client: String,
    /// Users as written, names or numbers.
    pub users: Vec<String>,
    /// Groups as written, names or numbers.
    pub groups: Vec<String>,
}
