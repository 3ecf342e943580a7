//! What is well written and may still go wrong on the machine: asked of whoever looks there, word by word.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::look::{self, Look, Subject};
use super::settings::Settings;
use super::source::Place;
use super::{Medium, ResourceWord};

/// The paths to the peer, one by one and all together.
pub(super) fn of_media(settings: &Settings, look: Look<'_>, out: &mut Diagnostics) {
    let all: Vec<&Medium> = settings.media.iter().map(|(medium, _)| medium).collect();
    let links: BTreeSet<&str> = all.iter().map(|medium| medium.link.as_str()).collect();
    if let (Some((_, place)), 2..) = (settings.media.first(), links.len()) {
        let shared = look::warning(look, Subject::Links(&all), place);
        let alike = || look::info(look, Subject::Kinds(&all), place);
        out.extend(shared.or_else(alike));
    }
    let mut ports = BTreeSet::new();
    for (medium, place) in &settings.media {
        let of_link: Vec<&Medium> = all
            .iter()
            .copied()
            .filter(|other| other.link == medium.link)
            .collect();
        let way = Subject::Way {
            medium,
            link: &of_link,
        };
        out.extend(look::warning(look, way, place));
        if medium.udp_port().is_some_and(|port| ports.insert(port)) {
            out.extend(look::warning(look, Subject::Port(medium), place));
        }
        out.extend(look::warning(look, Subject::Filter(medium), place));
    }
}

/// A resource.
pub(super) fn of_word(word: &ResourceWord, place: &Place, look: Look<'_>, out: &mut Diagnostics) {
    for subject in [
        Subject::Start(word),
        Subject::Status(word),
        Subject::Trust(word),
        Subject::Network(word),
        Subject::Holder(word),
    ] {
        out.extend(look::warning(look, subject, place));
    }
    out.extend(look::info(look, Subject::Manager(word), place));
}

/// A file, or the directory of all of them, that decides what root runs.
pub(super) fn of_file(path: &Path, look: Look<'_>, out: &mut Diagnostics) {
    if let Some(absence) = look(Subject::File(path)) {
        let file: Arc<str> = path.display().to_string().into();
        let warning = Diagnostic::about(Severity::Warning, &file, absence.message);
        out.push(warning.help(absence.label).help(absence.help));
    }
}
