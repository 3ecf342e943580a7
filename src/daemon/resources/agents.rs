//! What the OCF agents said of themselves, asked once.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::TAG;
use crate::config::ResourceWord;
use crate::daemon::children::{End, Ended};
use crate::resource::meta_data::MetaData;
use crate::resource::ocf::Agent;

/// Where many agents keep a file for each resource that they started. It is gone after every boot, and none of them
/// makes it: heartbeat 3.0.6 did.
const SCRATCH: &str = "/run/resource-agents";

/// Makes the directory that agents rely on.
pub(in crate::daemon) fn make_scratch() {
    let made = fs::DirBuilder::new().mode(0o1755).create(SCRATCH);
    if let Err(error) = made
        && error.kind() != io::ErrorKind::AlreadyExists
    {
        log::warn!(target: TAG, "cannot make {SCRATCH}, in which OCF agents keep what they started: {error}");
    }
}

/// The meta-data of every agent that was asked.
#[derive(Debug, Default)]
pub(super) struct Agents {
    known: BTreeMap<PathBuf, (Edition, MetaData)>,
}

/// Another one means that the file is not what it was: inode, seconds and nanoseconds of its last change.
type Edition = Option<(u64, i64, i64)>;

impl Agents {
    /// What an agent said; `None` when it was not asked since it changed.
    pub fn meta_data(&self, agent: &Agent) -> Option<&MetaData> {
        let path = agent.path();
        let (known, meta_data) = self.known.get(&path)?;
        (*known == edition(&path)).then_some(meta_data)
    }

    /// Takes the answer of an agent, and tells what does not fit the word of `haresources` that named it. An agent
    /// without an answer is called all the same.
    pub fn learn(&mut self, agent: &Agent, word: &ResourceWord, ended: &Ended) {
        make_scratch();
        let path = agent.path();
        let meta_data = MetaData::read(&ended.stdout);
        if ended.end != End::Exited(0) || meta_data == MetaData::default() {
            log::warn!(
                target: TAG,
                "{} meta-data tells nothing that could be understood; its actions have the usual time limits",
                path.display(),
            );
        }
        for complaint in meta_data.complaints(&agent.parameters) {
            log::warn!(target: TAG, "{}: {complaint}", word.text);
        }
        self.known.insert(path.clone(), (edition(&path), meta_data));
    }
}

fn edition(path: &Path) -> Edition {
    let found = fs::metadata(path).ok()?;
    Some((found.ino(), found.ctime(), found.ctime_nsec()))
}
