//! Where `ha.cf` says what a serial line has to carry. How much that is only the whole configuration tells.

use super::diagnostic::Diagnostic;
use super::look::{self, Look, Subject};
use super::settings::Settings;
use super::source::Place;
use super::{Config, MediumKind};

/// The places of what decides over a serial line.
pub(super) struct SerialPlaces {
    port: Place,
    baud: Option<Place>,
    keepalive: Option<Place>,
}

impl SerialPlaces {
    /// None where there is no serial line, or what is said of it could not be read.
    pub(super) fn of(settings: &Settings) -> Option<Self> {
        let mut media = settings.media.iter();
        let (_, port) =
            media.find(|(medium, _)| matches!(medium.kind, MediumKind::Serial { .. }))?;
        let is_sound = settings.is_sound("baud") && settings.is_sound("keepalive");
        is_sound.then(|| Self {
            port: port.clone(),
            baud: settings.place("baud").cloned(),
            keepalive: settings.place("keepalive").cloned(),
        })
    }

    /// The warning about a line that is too slow, or the word about one that would be so beside heartbeat 3.0.6.
    pub(super) fn warning(&self, look: Look<'_>, config: &Config) -> Option<Diagnostic> {
        let place = self.baud.as_ref().unwrap_or(&self.port);
        let warning = look::warning(look, Subject::SerialLines(config), place);
        let mut warning =
            warning.or_else(|| look::info(look, Subject::SerialLinesOfOld(config), place))?;
        if self.baud.is_some() {
            warning = warning.related(&self.port, "the port");
        }
        if let Some(keepalive) = self
            .keepalive
            .as_ref()
            .filter(|other| other.line != place.line)
        {
            warning = warning.related(keepalive, "keepalive");
        }
        Some(warning)
    }
}
