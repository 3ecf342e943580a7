//! What will hurt although the files are well written: looked for by `heartbeat check` on this machine, or in the files of
//! another one. Nothing is opened that others could miss, started or changed.

mod boot;
mod filter;
mod held;
mod live;
mod manager;
mod network;
mod port;
mod ruleset;
mod status;
mod trust;
mod way;

use std::path::PathBuf;

pub use live::Live;

use super::look;
use crate::config::{Absence, ResourceWord, Subject, parse_address};
use crate::resource::catalogue::{Places, Resource};

/// Where is looked.
#[derive(Debug)]
pub struct Machine {
    /// Where its files are.
    pub root: PathBuf,
    /// Where its resources are.
    pub resources: Places,
    /// What the kernel says; none where only files are there, as of a machine that does not run.
    pub live: Option<Live>,
}

impl Machine {
    /// Looks for one thing.
    pub fn look(&self, subject: Subject<'_>) -> Option<Absence> {
        let root = &self.root;
        match subject {
            Subject::Start(word) => boot::look(root, word, &self.resources.find(word).ok()?),
            Subject::Status(_) | Subject::Trust(_) => self.look_at_script(subject),
            Subject::Holder(word) => {
                let spec = parse_address(word)?.ok()?;
                held::written(root, spec.address).or_else(|| self.live.as_ref()?.holder(&spec))
            }
            Subject::File(path) => trust::look(path),
            Subject::Links(_)
            | Subject::Kinds(_)
            | Subject::Way { .. }
            | Subject::Port(_)
            | Subject::Filter(_)
            | Subject::Network(_)
            | Subject::Manager(_) => self.look_at_network(subject),
            // Only the kernel knows of these, and the user database may be in the network.
            Subject::Medium(_) | Subject::Ping(_) | Subject::Watchdog { .. } | Subject::User(_)
                if self.live.is_none() =>
            {
                None
            }
            Subject::Resource(word) if self.live.is_none() && is_address(word) => None,
            _ => look::look(&self.resources, subject),
        }
    }

    fn look_at_script(&self, subject: Subject<'_>) -> Option<Absence> {
        let (Subject::Status(word) | Subject::Trust(word)) = subject else {
            return None;
        };
        match (subject, self.resources.find(word).ok()?) {
            (Subject::Status(_), Resource::Script { path, .. }) => status::look(&path),
            (Subject::Trust(_), Resource::Script { path, .. }) => trust::look(&path),
            (Subject::Trust(_), Resource::Agent(agent)) => trust::look(&agent.path()),
            _ => None,
        }
    }

    fn look_at_network(&self, subject: Subject<'_>) -> Option<Absence> {
        match subject {
            Subject::Kinds(media) => return way::of_one_kind(media),
            Subject::Network(word) if self.live.is_none() => {
                return network::no_host(&parse_address(word)?.ok()?);
            }
            _ => {}
        }
        let live = self.live.as_ref()?;
        match subject {
            Subject::Links(media) => way::shared(live, media),
            Subject::Way { medium, link } => way::look(live, medium, link),
            Subject::Port(medium) => port::look(medium),
            Subject::Filter(medium) => filter::look(live, medium),
            Subject::Network(word) => network::look(live, &parse_address(word)?.ok()?),
            Subject::Manager(word) => manager::look(&self.root, live, &parse_address(word)?.ok()?),
            _ => None,
        }
    }
}

fn is_address(word: &ResourceWord) -> bool {
    parse_address(word).is_some()
}

/// A finding.
#[expect(
    clippy::unnecessary_wraps,
    reason = "what a look ends with that has found something"
)]
fn found(
    message: impl Into<String>,
    label: impl Into<String>,
    help: impl Into<String>,
) -> Option<Absence> {
    Some(Absence {
        message: message.into(),
        label: label.into(),
        help: help.into(),
    })
}
