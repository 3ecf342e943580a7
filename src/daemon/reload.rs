//! `SIGHUP`: the files are read again. What can't be used changes nothing.

use super::disk::{Disk, Texts, load};
use super::log;
use crate::config::{Diagnostics, Severity};
use crate::control::Places;
use crate::message::Keys;

/// What the running daemon uses.
#[derive(Debug)]
pub struct Loaded {
    /// `ha.cf` and `haresources` at the start.
    pub texts: Texts,
    /// The keys in use.
    pub keys: Keys,
}

impl Loaded {
    /// Reads the files again and the log files anew; gives back new keys.
    pub fn reload(&mut self, places: &Places, no_resources: bool) -> Option<Keys> {
        log::reopen();
        let disk = Disk::new(no_resources);
        let result = load(places, &disk);
        let texts = disk.into_texts();
        match result {
            Err(diagnostics) => {
                tell(&diagnostics);
                ::log::error!(
                    "Configuration errors: everything goes on as before. heartbeat check shows them in full"
                );
                None
            }
            Ok((config, diagnostics)) => {
                tell(&diagnostics);
                let new_keys = (config.keys != self.keys).then_some(config.keys);
                self.compare(&texts, new_keys.is_some());
                if let Some(keys) = &new_keys {
                    self.keys.clone_from(keys);
                }
                new_keys
            }
        }
    }

    fn compare(&self, texts: &Texts, has_new_keys: bool) {
        let changed: Vec<_> = [
            ("ha.cf", texts.ha_cf != self.texts.ha_cf),
            ("haresources", texts.haresources != self.texts.haresources),
        ]
        .into_iter()
        .filter_map(|(name, changed)| changed.then_some(name))
        .collect();
        if has_new_keys {
            ::log::info!("Rereading authentication file.");
        } else if changed.is_empty() {
            ::log::info!("Configuration unchanged.");
        }
        if !changed.is_empty() {
            ::log::warn!(
                "{} changed and is valid, but needs a restart of heartbeat: nothing of it applies for now",
                changed.join(" and ")
            );
        }
    }
}

/// Into the log, one line each.
pub(super) fn tell(diagnostics: &Diagnostics) {
    let (shown, left_out) = diagnostics.shown();
    for diagnostic in shown {
        match diagnostic.severity {
            Severity::Error => ::log::error!("{}", diagnostic.one_line()),
            Severity::Warning => ::log::warn!("{}", diagnostic.one_line()),
            Severity::Info => ::log::info!("{}", diagnostic.one_line()),
        }
    }
    if left_out > 0 {
        ::log::warn!("... and {left_out} more; `heartbeat check` counts them");
    }
}
