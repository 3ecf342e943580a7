//! `heartbeat sniff`: reads the configuration, listens to interfaces or reads a file, and prints what [`crate::sniff`]
//! makes of it. Takes nothing from the daemon: no socket on its port, no byte of its serial line.

mod file;
mod live;
mod options;
mod output;

use std::path::Path;

pub use options::{Options, parse};

use super::disk::{Disk, load};
use super::exit_status::{self, DONE, FAILED};
use super::settings;
use super::terminal::say;
use crate::config::{self, Config, Medium};
use crate::control::Places;
use crate::sniff::Settings;
use output::Output;

/// The port where nothing else is configured.
const PORT: u16 = 694;

/// Runs the command; gives back the exit status.
pub fn run(options: &Options, places: &Places) -> u8 {
    let pair = Pair::read(places);
    let result = match &options.file {
        Some(path) => file::run(options, path, pair),
        None => live::run(options, pair),
    };
    match result {
        Ok(()) => DONE,
        Err(Failure { text, exit }) => {
            say(&format!("heartbeat sniff: {text}\n"));
            exit
        }
    }
}

/// Why there is nothing to show, or no more.
#[derive(Debug)]
struct Failure {
    text: String,
    exit: u8,
}

impl Failure {
    fn new(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            exit: FAILED,
        }
    }

    fn of(what: &str, error: &std::io::Error) -> Self {
        Self {
            text: format!("{what}: {error}"),
            exit: exit_status::of(error),
        }
    }
}

/// What the configuration says of the pair.
struct Pair {
    settings: Settings,
    config: Option<Config>,
}

impl Pair {
    /// As much as can be read: a capture may well be looked at on a machine that knows only the keys, or nothing.
    fn read(places: &Places) -> Self {
        let directory = &places.configuration;
        match load(places, &Disk::default()) {
            Ok((config, _)) => Self {
                settings: Settings {
                    keys: Some(config.keys.clone()),
                    nodes: config.nodes.clone(),
                    local_node: None,
                    links: Vec::new(),
                    groups: settings::groups(&config),
                },
                config: Some(config),
            },
            Err(_) => Self {
                settings: keys_alone(directory),
                config: None,
            },
        }
    }

    /// The ports given, else every one that a medium uses.
    fn ports(&self, options: &Options) -> Vec<u16> {
        if !options.ports.is_empty() {
            return options.ports.clone();
        }
        let media = self.config.iter().flat_map(|config| &config.media);
        let mut ports: Vec<u16> = media.filter_map(Medium::udp_port).collect();
        ports.sort_unstable();
        ports.dedup();
        if ports.is_empty() {
            ports.push(PORT);
        }
        ports
    }
}

/// The configuration is not valid here; the keys may be all the same.
fn keys_alone(directory: &Path) -> Settings {
    let place = directory.display();
    let keys = config::load_keys(directory, &Disk::default()).ok();
    say(&if keys.is_some() {
        format!(
            "heartbeat sniff: the configuration in {place} is not valid on this machine (see heartbeat check): the keys \
             are used, names of nodes and groups are not known\n"
        )
    } else {
        format!(
            "heartbeat sniff: no keys can be read in {place} (see heartbeat check): signatures are not checked\n"
        )
    });
    let keys = keys.map(|(keys, _)| keys);
    Settings {
        keys,
        ..Settings::default()
    }
}
