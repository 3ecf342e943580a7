//! What `heartbeat` does other than being the daemon: stop it, ask for it, have it read its files again.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::alerts;
use super::check;
use super::command_line::{Command, CommandLine, USAGE, parse};
use super::disk::{Disk, load, load_here};
use super::doctor;
use super::exit_status;
use super::exit_status::{DONE, FAILED, NOT_RUNNING, PERMISSION, USAGE_ERROR};
use super::keygen;
use super::lint_script;
use super::pid_file::{Presence, presence};
use super::probe;
use super::replay;
use super::reset;
use super::serial_test;
use super::sniff;
use super::start;
use super::terminal::{say, show};
use crate::client;
use crate::config::{DIRECTIVES, Diagnostic};
use crate::control::{Files, Places, Plan};
use crate::os::process::{host_name, pause};

/// How often the end of the daemon is looked for.
const POLL: Duration = Duration::from_millis(50);

/// Runs the program with the words that follow its name; gives back the exit status. `confirm` tells a running daemon
/// that the node of this name is down: what is said to a daemon is not this half's business.
pub fn run(
    words: impl IntoIterator<Item = OsString>,
    confirm: impl FnOnce(&Places, &str) -> u8,
) -> u8 {
    let mut line = match parse(words) {
        Ok(line) => line,
        Err(error) => {
            say(&format!("heartbeat: {error}\n{USAGE}"));
            return USAGE_ERROR;
        }
    };
    // The daemon leaves the directory it was started in.
    let record = line.record.as_mut().map(|record| &mut record.path);
    for path in line.directory.iter_mut().chain(record) {
        match std::path::absolute(&*path) {
            Ok(absolute) => *path = absolute,
            Err(error) => {
                say(&format!("heartbeat: {}: {error}\n", path.display()));
                return exit_status::of(&error);
            }
        }
    }
    let places = Places::new(line.directory.as_deref());
    match &line.command {
        Command::Start => start::run(&line, &places),
        Command::Stop => stop(&places),
        Command::Status => status(&places),
        Command::Reload => reload(&line, &places),
        Command::Continue => {
            say(
                "ERROR: -R continued a daemon after its own restart; this one needs no such thing. \
                 Use -r to have the files read again.\n",
            );
            FAILED
        }
        Command::Defaults { wiki } => print(&defaults(*wiki)),
        Command::Version => print(&format!(
            "{} (successor of heartbeat {})\n",
            crate::VERSION,
            crate::SUCCEEDS
        )),
        Command::Help => print(USAGE),
        Command::AlertTest => alerts::test::run(&places),
        Command::Check(options) => check::run(options, &places),
        Command::ConfirmDead { node } => confirm(&places, node),
        Command::ReloadNow { dry_run } => reload_now(&line, &places, *dry_run),
        Command::Doctor(options) => doctor::run(options, &places),
        Command::Keygen(options) => keygen::run(options, &places),
        Command::LintScript(options) => lint_script::run(options, &places),
        Command::Replay { file } => replay::run(file, &line, &places),
        Command::Sniff(options) => sniff::run(options, &places),
        Command::SerialTest(options) => serial_test::run(options, &places),
        Command::ResetMachine => reset::run(),
        Command::StoreFile { path, text } => store_file(path, text),
        Command::Probe(question) => match probe::ask(question) {
            Ok(()) => DONE,
            Err(reason) => {
                say(&format!("{reason}\n"));
                FAILED
            }
        },
    }
}

fn print(text: &str) -> u8 {
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => DONE,
        Err(_) => FAILED,
    }
}

fn stop(places: &Places) -> u8 {
    let pid = match presence(&places.pid_file) {
        Ok(Presence::Running(Some(pid))) => pid,
        Ok(Presence::Running(None)) => return unreadable(places),
        Ok(Presence::Dead | Presence::Absent) => {
            say("INFO: Heartbeat already stopped.\n");
            return DONE;
        }
        Err(error) => return cannot_look(places, &error),
    };
    if let Err(error) = kill(Pid::from_raw(pid), Signal::SIGTERM) {
        say(&format!(
            "ERROR: Could not kill pid {pid} : {}\n",
            error.desc()
        ));
        return exit_status::of(&error.into());
    }
    wait_for_end(&places.pid_file, pid);
    DONE
}

/// For as long as it takes: resources that stop slowly have limits of their own.
fn wait_for_end(pid_file: &Path, pid: i32) {
    while matches!(presence(pid_file), Ok(Presence::Running(found)) if found.is_none_or(|found| found == pid))
    {
        pause(POLL);
    }
}

fn status(places: &Places) -> u8 {
    match presence(&places.pid_file) {
        Ok(Presence::Running(pid)) => {
            let host = host_name();
            let node = load(places, &Disk::default())
                .map_or_else(|_| host.clone(), |(config, _)| config.local_node);
            let pid = pid.map_or_else(|| "unknown".into(), |pid| pid.to_string());
            print(&format!(
                "heartbeat OK [pid {pid} et al] is running on {host} [{node}]...\n"
            ))
        }
        Ok(Presence::Dead) => {
            print("heartbeat is stopped. No process\n");
            FAILED
        }
        Ok(Presence::Absent) => {
            print("heartbeat is stopped. No process\n");
            NOT_RUNNING
        }
        Err(error) => cannot_look(places, &error),
    }
}

fn reload(line: &CommandLine, places: &Places) -> u8 {
    let pid = match presence(&places.pid_file) {
        Ok(Presence::Running(Some(pid))) => pid,
        Ok(Presence::Running(None)) => return unreadable(places),
        Ok(Presence::Dead | Presence::Absent) => return start::run(line, places),
        Err(error) => return cannot_look(places, &error),
    };
    match load_here(places, &Disk::new(line.no_resources)) {
        Err(diagnostics) => {
            show(&diagnostics);
            say(&format!(
                "info: Config errors: Heartbeat pid {pid} NOT restarted\n"
            ));
            if diagnostics.exit_status() == PERMISSION {
                PERMISSION
            } else {
                FAILED
            }
        }
        Ok((_, diagnostics)) => {
            show(&diagnostics);
            say(&format!(
                "info: Signalling heartbeat pid {pid} to reread config files\n"
            ));
            match kill(Pid::from_raw(pid), Signal::SIGHUP) {
                Ok(()) => DONE,
                Err(error) => {
                    say(&format!(
                        "ERROR: Could not signal pid {pid} : {}\n",
                        error.desc()
                    ));
                    exit_status::of(&error.into())
                }
            }
        }
    }
}

/// Reads the files and has the daemon go on with them. What is wrong with them goes into its log, too.
fn reload_now(line: &CommandLine, places: &Places, dry_run: bool) -> u8 {
    let disk = Disk::new(line.no_resources);
    let (mistakes, exit) = match load_here(places, &disk) {
        Ok((_, diagnostics)) => {
            show(&diagnostics);
            (Vec::new(), DONE)
        }
        Err(diagnostics) => {
            show(&diagnostics);
            let (shown, _) = diagnostics.shown();
            let mistakes: Vec<String> = shown.map(Diagnostic::one_line).collect();
            (mistakes, diagnostics.exit_status())
        }
    };
    let nothing = "heartbeat reload: nothing was changed\n";
    if exit != DONE && dry_run {
        say(nothing);
        return exit;
    }
    // What can't be used need not be handed over.
    let files = if exit == DONE {
        disk.into_files(&places.configuration)
    } else {
        Files::default()
    };
    match client::reload(&places.control_socket(), files, mistakes, dry_run) {
        Ok(plan) => print(&outcome(&plan, dry_run)),
        Err(_) if exit != DONE => {
            say(nothing);
            exit
        }
        Err(error) => {
            say(&format!("heartbeat reload: {error}. Nothing was changed\n"));
            match error {
                client::Error::Stopped(_) => NOT_RUNNING,
                client::Error::Unreachable(error) => exit_status::of(&error),
                _ => FAILED,
            }
        }
    }
}

fn outcome(plan: &Plan, dry_run: bool) -> String {
    let mut text = plan.changes.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    text += match plan {
        _ if plan.changes.is_empty() => "Nothing changes.\n",
        _ if dry_run => "This would change; nothing was changed.\n",
        Plan {
            wants_restart: true,
            ..
        } => "Done, but for what wants a restart.\n",
        _ => "Done.\n",
    };
    text
}

fn unreadable(places: &Places) -> u8 {
    say(&format!(
        "ERROR: heartbeat runs, but there is no number in {}\n",
        places.pid_file.display()
    ));
    FAILED
}

fn cannot_look(places: &Places, error: &std::io::Error) -> u8 {
    say(&format!(
        "ERROR: cannot read {}: {error}\n",
        places.pid_file.display()
    ));
    exit_status::of(error)
}

/// The child of the daemon that waits for the disk. Its exit status is the number of the error.
fn store_file(path: &Path, text: &OsString) -> u8 {
    match super::state::replace(path, text.as_encoded_bytes()) {
        Ok(()) => DONE,
        Err(error) => error
            .raw_os_error()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(FAILED),
    }
}

/// The table of directives. Words for `-D`, the same as wiki text for `-DW`.
fn defaults(wiki: bool) -> String {
    let mut text = String::new();
    for directive in DIRECTIVES {
        let default = directive.default.text();
        let line = if wiki {
            format!("||{}||{}||{}||\n", directive.name, default, directive.doc)
        } else {
            format!("{:24} {:24} {}\n", directive.name, default, directive.doc)
        };
        text.push_str(&line);
    }
    text
}
