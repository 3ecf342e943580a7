//! `heartbeat check`: what is wrong with the files, and what will hurt on this machine or in the files of another one.

mod options;
mod output;

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

pub use options::{Options, parse};

use super::agreement;
use super::disk::{Disk, load};
use super::exit_status::{self, DONE, FAILED};
use super::hazards::{Live, Machine};
use super::pid_file::{Presence, presence};
use super::terminal::say;
use crate::config;
use crate::control::Places;
use crate::os::process::{enter_root, host_name};
use crate::resource::catalogue;

/// Does it; gives back the exit status.
pub fn run(options: &Options, places: &Places) -> u8 {
    let live = match &options.root {
        None => ask(places).map(Some),
        Some(root) => enter_root(root)
            .map(|()| None)
            .map_err(|error| (format!("cannot look into {}", root.display()), error)),
    };
    let live = match live {
        Ok(live) => live,
        Err((what, error)) => {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied => "; only root can",
                _ => "",
            };
            say(&format!("heartbeat check: {what}: {error}{hint}\n"));
            return exit_status::of(&error);
        }
    };
    let host = match live {
        Some(_) => host_name(),
        None => host_name_in(Path::new("/")).unwrap_or_else(host_name),
    };
    let machine = Machine {
        root: PathBuf::from("/"),
        resources: catalogue::Places::new(&places.configuration),
        live,
    };
    let disk = Disk::new(options.no_resources);
    let checked = config::check(
        &places.configuration,
        &host,
        &disk,
        &|subject| machine.look(subject),
        !options.json && io::stderr().is_terminal(),
    );
    if !options.json {
        say(&checked.text);
        return match load(places, &disk) {
            Ok((config, _)) if options.peer && checked.exit_status == DONE => {
                let (text, exit) = agreement::compare(&config, places);
                say(&text);
                exit
            }
            _ => checked.exit_status,
        };
    }
    match io::stdout().write_all(output::json(&checked).as_bytes()) {
        Ok(()) => checked.exit_status,
        Err(_) => FAILED,
    }
}

fn ask(places: &Places) -> Result<Live, (String, io::Error)> {
    let is_running = matches!(presence(&places.pid_file), Ok(Presence::Running(_)));
    Live::ask(is_running).map_err(|error| ("cannot ask the kernel about the network".into(), error))
}

/// As the machine will call itself once it has booted.
fn host_name_in(root: &Path) -> Option<String> {
    let text = fs::read_to_string(root.join("etc/hostname")).ok()?;
    let name = text
        .lines()
        .map(str::trim)
        .find(|line| !line.is_empty() && !line.starts_with('#'))?;
    Some(name.to_owned())
}
