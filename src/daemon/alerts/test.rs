//! `heartbeat alert-test`: one alert by each way, and what came of it.

use super::alert::{Alert, Kind};
use super::queue::{Failure, LIMIT};
use super::way::Letter;
use crate::cluster::Severity;
use crate::config::AlertWay;
use crate::control::Places;
use crate::daemon::clock;
use crate::daemon::disk::{Disk, load_here};
use crate::daemon::exit_status::{CONFIGURATION, DONE, FAILED};
use crate::daemon::lint_script::Runner;
use crate::daemon::terminal::{say, show};

/// Sends them; gives back the exit status.
pub fn run(places: &Places) -> u8 {
    let config = match load_here(places, &Disk::default()) {
        Ok((config, _)) => config,
        Err(diagnostics) => {
            show(&diagnostics);
            return match diagnostics.exit_status() {
                0 => CONFIGURATION,
                exit => exit,
            };
        }
    };
    if config.alerts.is_empty() {
        say(
            "heartbeat alert-test: ha.cf has no `alert` line, so nobody is told of anything; see ha.cf(5)\n",
        );
        return FAILED;
    }
    let mut runner = match Runner::new(Some(&config), &places.configuration) {
        Ok(runner) => runner,
        Err(error) => {
            say(&format!("heartbeat alert-test: {error}\n"));
            return FAILED;
        }
    };
    let text = format!(
        "This is a test. {} can send alerts this way.",
        config.local_node
    );
    let alert = Alert::new(Kind::Test, Severity::Info, text);
    let (node, peer) = (&config.local_node, &config.peer_node);
    let letter = Letter::new(&alert, node, peer, clock::wall_seconds());
    let mut exit = DONE;
    for way in &config.alerts {
        match send(&mut runner, &letter, way) {
            Ok(()) => say(&format!("{way}: sent\n")),
            Err(why) => {
                say(&format!("{way}: {why}\n"));
                exit = FAILED;
            }
        }
        if runner.is_interrupted() {
            return FAILED;
        }
    }
    exit
}

fn send(runner: &mut Runner, letter: &Letter, way: &AlertWay) -> Result<(), String> {
    let errand = letter.errand(way);
    let ended = runner
        .call_with_input(&errand.invocation, &errand.input, LIMIT)
        .map_err(|error| format!("can't be run: {error}"))?;
    let Some(failure) = Failure::of(&ended) else {
        return Ok(());
    };
    let said = ended.last_lines.join("\n  ");
    Err(if said.is_empty() {
        failure.to_string()
    } else {
        format!("{failure}:\n  {said}")
    })
}
