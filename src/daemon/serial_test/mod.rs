//! `heartbeat serial-test`: what a serial line is good for, found out by talking over it, in words.

mod ear;
mod end;
mod findings;
mod line;
mod options;
mod output;
mod session;
mod verdict;

use std::io::Write;
use std::path::Path;

use nix::unistd::{AccessFlags, access};

use super::disk::{Disk, load};
use super::exit_status::{DONE, FAILED, NOT_RUNNING, PERMISSION};
use super::media::port_users::{self, Obstacle};
use super::media::serial_open::{self, OpenedPort};
use super::state;
use super::terminal::say;
use crate::config::{MediumKind, SerialFlow};
use crate::control::Places;
use findings::Findings;
use session::Session;
use verdict::Verdict;

pub use options::{Options, parse};

/// What counts in `ha.cf` without `baud`.
const BAUD: u32 = 19_200;
/// The port was not tested: somebody uses it, or it can't be used.
const NOT_TESTED: u8 = NOT_RUNNING;

/// Why there was no test.
struct Refusal {
    text: String,
    exit: u8,
}

impl Refusal {
    fn new(text: &impl ToString) -> Self {
        Self {
            text: text.to_string(),
            exit: NOT_TESTED,
        }
    }
}

/// Tests one port; gives back the exit status.
pub fn run(options: &Options, places: &Places) -> u8 {
    let baud = options.baud.unwrap_or_else(|| configured_rate(places));
    match test(options, baud) {
        Ok(found) => {
            let verdict = Verdict::of(&found);
            print(&if options.json {
                output::json(options, baud, &found, &verdict)
            } else {
                output::text(&found, &verdict)
            });
            if verdict.is_usable() { DONE } else { FAILED }
        }
        Err(refusal) => {
            say(&format!("heartbeat serial-test: {}\n", refusal.text));
            refusal.exit
        }
    }
}

/// The rate of `ha.cf`, where that can be read and has a serial line.
fn configured_rate(places: &Places) -> u32 {
    let config = load(places, &Disk::default()).ok();
    let media = config.iter().flat_map(|(config, _)| &config.media);
    let rates = media.filter_map(|medium| match medium.kind {
        MediumKind::Serial { baud, .. } => Some(baud),
        _ => None,
    });
    rates.into_iter().next().unwrap_or(BAUD)
}

fn test(options: &Options, baud: u32) -> Result<Findings, Refusal> {
    let device = &options.port;
    let real = serial_open::find(device).map_err(|error| Refusal::new(&error))?;
    if let Err(error) = access(&real, AccessFlags::R_OK | AccessFlags::W_OK) {
        return Err(Refusal {
            text: format!("cannot open {}: {error}", device.display()),
            exit: PERMISSION,
        });
    }
    let kind = MediumKind::Serial {
        device: device.clone(),
        baud,
        flow: SerialFlow::None,
    };
    if let Some(obstacle) = port_users::shared(&kind).and_then(|real| port_users::obstacle(&real)) {
        return Err(Refusal::new(&in_use(device, &obstacle)));
    }
    let mut opened = OpenedPort::open(device, baud).map_err(|error| {
        let mut users = port_users::users(&real).into_iter().map(Obstacle::User);
        let user = users.clone().find(Obstacle::is_heartbeat).or(users.next());
        let user = user.map(|user| in_use(device, &user));
        Refusal::new(&user.map_or_else(|| error.to_string(), |user| format!("{error}. {user}")))
    })?;
    opened
        .set_flow_control(false)
        .map_err(|error| Refusal::new(&error))?;
    if !options.json {
        print(&format!(
            "{} at {baud} baud; start the same test at the other end, where nothing else uses its port\n",
            device.display()
        ));
    }
    let id = state::random_bytes()
        .map(u32::from_le_bytes)
        .map_err(|error| Refusal::new(&error))?;
    Session::new(&mut opened, baud, options.time, id)
        .and_then(Session::run)
        .map_err(|error| Refusal::new(&format!("{}: {error}", device.display())))
}

fn in_use(device: &Path, obstacle: &Obstacle) -> String {
    let device = device.display();
    let hint = if obstacle.is_heartbeat() {
        ". While it runs, `cl_status hbstatus -v` shows how its link does"
    } else {
        ""
    };
    format!("{device} is not free: {obstacle}{hint}")
}

fn print(text: &str) {
    let _ = std::io::stdout().write_all(text.as_bytes()); // whoever listened is gone
}
