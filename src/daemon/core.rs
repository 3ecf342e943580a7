//! The core as the daemon holds it. Nothing of the daemon can hand an event to [`Cluster`] but through here, so
//! a recording misses none.

use std::ops::Deref;

use super::recording::{Ended, Recording, Wanted};
use crate::cluster::{Action, Cluster, Event, Instant, Settings};

/// A core, and the recording of what it is given.
#[derive(Debug)]
pub struct Core {
    cluster: Cluster,
    recording: Option<Recording>,
}

impl Core {
    /// A core that has just started. A recording that can't begin is complained about, and that is all.
    pub fn new(now: Instant, settings: Settings, wanted: Option<&Wanted>) -> Self {
        let recording = wanted.and_then(|wanted| {
            let begun = Recording::begin(wanted, now, &settings);
            let path = wanted.path.display();
            match &begun {
                Ok(_) => log::info!("Everything that happens is recorded in {path}."),
                Err(error) => log::error!("Nothing is recorded in {path}: {error}"),
            }
            begun.ok()
        });
        Self {
            cluster: Cluster::new(now, settings),
            recording,
        }
    }

    /// See [`Cluster::handle`].
    pub fn handle(&mut self, now: Instant, event: Event<'_>) {
        if let Some(recording) = &mut self.recording
            && let Err(ended) = recording.note(now, &event)
        {
            let path = recording.path().display();
            match ended {
                Ended::Limit(_) => log::warn!("The recording {path} ends here: {ended}"),
                _ => log::error!("The recording {path} ends here: {ended}"),
            }
            self.recording = None;
        }
        self.cluster.handle(now, event);
    }

    /// See [`Cluster::next_action`].
    pub fn next_action(&mut self) -> Option<Action> {
        self.cluster.next_action()
    }
}

/// At the daemon's end the recording is complete.
impl Drop for Core {
    fn drop(&mut self) {
        if let Some(recording) = self.recording.take() {
            recording.finish();
        }
    }
}

/// To look at; whatever changes a core goes through the methods above.
impl Deref for Core {
    type Target = Cluster;

    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}
