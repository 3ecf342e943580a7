//! How a resource is started, stopped and checked. Knows nothing of peers.
//!
//! | module | what it is |
//! |---|---|
//! | [`catalogue`] | a word of `haresources` → what kind of resource it is |
//! | [`shorthand`] | which words stand for OCF agents, and what their arguments mean |
//! | [`group`] | the order of actions on one group, as a value |
//! | [`classic`], [`ocf`], [`systemd`] | how to call a script, an agent or a unit and how to read its answer |
//! | [`meta_data`] | what an agent says of itself |
//! | [`soundness`] | what keeps a file from being run |
//! | [`environment`] | what scripts find around them |
//! | [`placement`], [`address`] | floating addresses: where they belong; adding and removing many at once |
//! | [`culprit`] | which other program looks after an interface |
//! | [`announce`], [`inquiry`] | telling the neighbours where an address is now; asking whether anybody has it |

pub mod address;
mod address_table;
pub mod announce;
pub mod catalogue;
pub mod classic;
pub mod culprit;
pub mod environment;
mod error;
pub mod group;
pub mod inquiry;
pub mod meta_data;
pub mod ocf;
pub mod placement;
pub mod shorthand;
pub mod soundness;
pub mod systemd;

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{ResourceWord, Timeout};
use meta_data::MetaData;

/// Where children look for programs.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

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

/// How long actions may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// To start.
    pub start: Duration,
    /// To stop.
    pub stop: Duration,
    /// To say whether it runs.
    pub status: Duration,
}

/// Longer than systemd itself waits for a unit, which is 90 s; a status that takes longer says nothing any more.
impl Default for Limits {
    fn default() -> Self {
        let (start, stop) = (Duration::from_secs(120), Duration::from_secs(120));
        Self {
            start,
            stop,
            status: Duration::from_secs(20),
        }
    }
}

impl Limits {
    /// The limit of one action on one resource: what `ha.cf` says, else the longer of ours and of what an OCF agent
    /// advises. Its author names the least that the action needs, and a limit that is too short kills an action that
    /// would have succeeded: a file system that is checked, a database that recovers.
    pub fn for_one(
        &self,
        timeouts: &[Timeout],
        word: &ResourceWord,
        action: Action,
        advice: Option<&MetaData>,
    ) -> Duration {
        Timeout::find(timeouts, word, action.word()).unwrap_or_else(|| {
            let advised = advice.and_then(|advice| advice.least_time(action));
            self.of(action).max(advised.unwrap_or_default())
        })
    }

    /// The limit of one action.
    pub fn of(&self, action: Action) -> Duration {
        match action {
            Action::Start => self.start,
            Action::Stop => self.stop,
            Action::Status => self.status,
        }
    }
}

/// A program to run, with its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invocation {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, the action among them.
    pub arguments: Vec<String>,
    /// What it finds in its environment beside what every child does.
    pub environment: Vec<(String, String)>,
    /// For the log.
    words: String,
}

impl Invocation {
    /// A call with these arguments, the action last.
    pub fn new(program: PathBuf, arguments: Vec<String>) -> Self {
        let words = words(&program, arguments.iter().map(String::as_str));
        Self {
            program,
            arguments,
            environment: Vec::new(),
            words,
        }
    }

    /// With these variables.
    #[must_use]
    pub fn with(mut self, environment: Vec<(String, String)>) -> Self {
        self.environment = environment;
        self
    }

    /// As if it were another program with other arguments, in the log.
    #[must_use]
    pub fn told_as<'a>(mut self, program: &Path, arguments: impl Iterator<Item = &'a str>) -> Self {
        self.words = words(program, arguments);
        self
    }
}

/// As in `/etc/ha.d/resource.d/nginx  start`: without arguments two blanks stand before the action, as ever.
fn words<'a>(program: &Path, arguments: impl Iterator<Item = &'a str>) -> String {
    let arguments: Vec<&str> = arguments.collect();
    let blank = if arguments.len() == 1 { " " } else { "" };
    format!("{} {blank}{}", program.display(), arguments.join(" "))
}

impl fmt::Display for Invocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}
