//! One resource group, what is being done to it, and the lines about it that people know.

use std::net::IpAddr;
use std::ops::Range;

use super::{TAG, TAG_CRIT};
use crate::cluster::GroupId;
use crate::config::{AddressSpec, ResourceWord};
use crate::resource::Action;
use crate::resource::catalogue::{CatalogueError, Places, Resource};
use crate::resource::group::{Aim, Note, Sequence};

#[derive(Debug)]
pub(super) struct Group {
    pub id: GroupId,
    /// The line of `haresources`, for the log.
    pub line: String,
    pub resources: Vec<(ResourceWord, Result<Resource, CatalogueError>)>,
    pub sequence: Option<Sequence>,
    /// What to do after that.
    pub queued: Option<Aim>,
    /// So many of its resources, the last ones, are there only until they are stopped.
    pub departing: usize,
    /// It was started, and nothing has failed since.
    pub runs: bool,
    /// The file does not have it any more.
    pub is_removed: bool,
    /// The addresses in a row that were looked at last.
    row: Range<usize>,
    /// Which of them were begun last, and with what.
    begun: Option<(usize, Action)>,
}

/// A resource and what it turned out to be.
pub(super) type Found = (ResourceWord, Result<Resource, CatalogueError>);

/// Finds out what a word of `haresources` is. One that is not found is warned about.
pub(super) fn find(places: &Places, line: usize, word: &ResourceWord) -> Found {
    let found = places.find(word);
    if let Err(error) = &found {
        log::warn!("haresources line {line}, {}: {error}", word.text);
    }
    (word.clone(), found)
}

/// The line of `haresources`, for the log.
pub(super) fn line(group: &crate::config::Group) -> String {
    let words = group.resources.iter().map(|word| word.text.as_str());
    let all: Vec<&str> = std::iter::once(group.preferred.as_str())
        .chain(words)
        .collect();
    all.join(" ")
}

impl Group {
    /// One that nothing is known of yet.
    pub fn new(id: GroupId, group: &crate::config::Group, places: &Places) -> Self {
        let words = group.resources.iter();
        Self {
            id,
            line: line(group),
            resources: words.map(|word| find(places, group.line, word)).collect(),
            sequence: None,
            queued: None,
            departing: 0,
            runs: false,
            is_removed: false,
            row: 0..0,
            begun: None,
        }
    }

    /// The resources that the file names, those that only wait for their stop left out.
    pub fn listed(&self) -> &[Found] {
        let length = self.resources.len().saturating_sub(self.departing);
        self.resources.get(..length).unwrap_or_default()
    }

    /// What was to go is stopped.
    pub fn forget_departing(&mut self) {
        let length = self.listed().len();
        self.resources.truncate(length);
        self.departing = 0;
    }

    /// Begins with something new, after looking for the resources again.
    pub fn begin(&mut self, aim: Aim, places: &Places, stop_retries: Option<u32>) {
        for (word, found) in &mut self.resources {
            // Scripts come and go while the daemon runs. But what was started is stopped by the same
            // means, so a stop keeps what was found; and addresses don't change.
            let look_again = match found {
                Err(_) => true,
                Ok(Resource::Address { .. }) => false,
                Ok(_) => aim != Aim::Stop,
            };
            if look_again {
                *found = places.find(word);
            }
        }
        self.forget_row();
        self.sequence = Some(Sequence::new(aim, self.resources.len(), stop_retries));
    }

    /// Its resources, or what is done to them, are others now.
    pub fn forget_row(&mut self) {
        (self.row, self.begun) = (0..0, None);
    }

    /// The built-in addresses in a row that this one is among.
    pub fn row(&mut self, resource: usize) -> Range<usize> {
        if !self.row.contains(&resource) {
            let is_other = |found: &&Found| !matches!(found.1, Ok(Resource::Address { .. }));
            let is_other = |place: &usize| {
                self.resources
                    .get(*place)
                    .is_none_or(|found| is_other(&found))
            };
            let start = (0..resource).rev().find(is_other);
            let start = start.map_or(0, |other| other.saturating_add(1));
            let end = (resource..self.resources.len()).find(is_other);
            self.row = start..end.unwrap_or(self.resources.len());
        }
        self.row.clone()
    }

    /// Whether such an action is the first one on this row of addresses.
    pub fn begin_row(&mut self, start: usize, action: Action) -> bool {
        let begun = Some((start, action)).filter(|_| action != Action::Status);
        begun.is_some() && std::mem::replace(&mut self.begun, begun) != begun
    }

    /// The built-in addresses among its resources, from this one on.
    pub fn addresses(&self, from: usize) -> impl Iterator<Item = IpAddr> {
        let found = self.resources.iter().skip(from);
        found.filter_map(|(_, found)| match found {
            Ok(Resource::Address { spec, .. }) => Some(spec.address),
            _ => None,
        })
    }

    /// Where its built-in addresses belong; nothing of a group that the file does not have any more.
    pub fn specs(&self) -> impl Iterator<Item = &AddressSpec> {
        let listed = if self.is_removed { &[] } else { self.listed() };
        listed.iter().filter_map(|(_, found)| match found {
            Ok(Resource::Address { spec, .. }) => Some(spec),
            _ => None,
        })
    }

    /// Tells the people.
    pub fn tell(&self, note: Note) {
        let text = |resource: usize| {
            self.resources
                .get(resource)
                .map_or("", |(word, _)| word.text.as_str())
        };
        match note {
            Note::Acquiring => log::info!(target: TAG, "Acquiring resource group: {}", self.line),
            Note::Releasing => log::info!(target: TAG, "Releasing resource group: {}", self.line),
            Note::GivingUp(resource) => {
                log::error!(target: TAG_CRIT, "Giving up resources due to failure of {}", text(resource));
            }
            Note::Restarting(resource) => {
                log::info!(target: TAG, "Restarting {} of resource group: {}", text(resource), self.line);
            }
            Note::Changing(resource) => {
                log::info!(target: TAG, "Changing resource group from its resource {} on: {}", resource.saturating_add(1), self.line);
            }
            Note::RetryingStop(resource) => {
                log::info!(target: TAG, "Retrying failed stop operation [{}]", text(resource));
            }
            Note::NotCompliant(resource) => {
                let text = text(resource);
                log::error!(target: TAG, "Resource script for {text} probably not LSB-compliant.");
                log::warn!(target: TAG, "it ({text}) MUST succeed on a stop when already stopped");
                log::warn!(target: TAG, "Machine reboot narrowly avoided!");
            }
            Note::StopFailed(resource) => {
                log::error!(target: TAG_CRIT, "Resource STOP failure. Reboot required!");
                log::error!(
                    target: TAG_CRIT,
                    "{} does not stop. It counts as running here, and nobody else may start {}",
                    text(resource), self.line,
                );
            }
        }
    }
}
