//! When a resource does not stop: who keeps its file system busy. A child looks; what it finds goes into the log.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::TAG_CRIT;
use crate::cluster::Instant;
use crate::config::ResourceWord;
use crate::daemon::children::{ChildId, Children, Ended, Order};
use crate::resource::Invocation;

/// A machine with thousands of processes needs a fraction of a second; one that hangs is no use waiting for.
const LIMIT: Duration = Duration::from_secs(20);

/// The children that look.
#[derive(Debug, Default)]
pub(super) struct Searches(BTreeSet<ChildId>);

impl Searches {
    /// Looks for those who hold what this word names, if it names a file system.
    pub fn begin(&mut self, now: Instant, word: &ResourceWord, children: &mut Children) {
        if !names_a_path(word) {
            return;
        }
        let arguments = vec!["probe".to_owned(), "holders".to_owned(), word.text.clone()];
        let order = Order {
            invocation: &Invocation::new(PathBuf::from("/proc/self/exe"), arguments),
            tag: word.name.clone(),
            limit: LIMIT,
        };
        match children.spawn(now, order) {
            Ok(child) => drop(self.0.insert(child)),
            Err(error) => {
                log::warn!(target: super::TAG, "Cannot look who holds {}: {error}", word.text);
            }
        }
    }

    /// Tells what was found, if the child that ended was one of these.
    pub fn end(&mut self, ended: &Ended) -> bool {
        let is_ours = self.0.remove(&ended.child);
        if is_ours {
            for line in String::from_utf8_lossy(&ended.stdout).lines() {
                log::error!(target: TAG_CRIT, "{line}");
            }
        }
        is_ours
    }
}

/// Most scripts have nothing to do with file systems, and no child is needed to see that.
fn names_a_path(word: &ResourceWord) -> bool {
    word.text.contains('/') || word.text.contains(".mount")
}
