//! The files are read again: by `heartbeat reload`, or after `SIGHUP` by a child that does the same. The daemon takes
//! what they have read, so that no disk and no name service holds it up. It compares that with what it uses, and goes on
//! with what has changed, or changes nothing at all.

use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::alerts::Alerts;
use super::core::Core;
use super::disk::name_in;
use super::failback::FailbackCommand;
use super::fencing::Fencer;
use super::hooks::Hooks;
use super::programs::Programs;
use super::readiness::Readiness;
use super::resources::Resources;
use super::watchdog::Watchdog;
use super::{clock, exit_status, log, settings};
use crate::cluster::{Event, GroupState};
use crate::config::{self, Changes, Config, Diagnostics, Reader, Severity, Source, merged};
use crate::control::{Answer, Files, Places, Plan};
use crate::os::process::host_name;

/// What decides where log lines go and which there are.
const LOGGING: [&str; 6] = [
    "logfile",
    "debugfile",
    "logfacility",
    "use_logd",
    "debug",
    "syslogmsgfmt",
];

/// What a reload may change, and what it needs to know for that.
pub struct Running<'a> {
    /// What is in force.
    pub config: &'a mut Config,
    /// Where the files are.
    pub places: &'a Places,
    /// `-M`
    pub no_resources: bool,
    /// `-d` on the command line.
    pub more_debug: u8,
    /// The core.
    pub cluster: &'a mut Core,
    /// The resources.
    pub resources: &'a mut Resources,
    /// The programs of `respawn` and `failfast`.
    pub programs: &'a mut Programs,
    /// The scripts in `rc.d`.
    pub hooks: &'a mut Hooks,
    /// The command of `auto_failback`.
    pub failback: &'a mut FailbackCommand,
    /// The fencing devices.
    pub fencer: &'a mut Fencer,
    /// Whom to tell of trouble.
    pub alerts: &'a mut Alerts,
    /// Whether this node could run what it does not hold.
    pub readiness: &'a mut Readiness,
    /// The watchdog, where there is one.
    pub watchdog: Option<&'a mut Watchdog>,
}

impl Running<'_> {
    /// Goes on with these files, or tells why not. For a dry run, only tells what would change.
    pub fn reload(&mut self, files: &Files, mistakes: &[String], dry_run: bool) -> Answer {
        let no_resources = self.no_resources;
        let reader = Handed {
            files,
            directory: &self.places.configuration,
            no_resources,
        };
        let read = if mistakes.is_empty() {
            config::load(&self.places.configuration, &host_name(), &reader)
        } else {
            Err(Diagnostics::default())
        };
        let (read, diagnostics) = match read {
            Ok(read) => read,
            Err(diagnostics) => {
                for mistake in mistakes {
                    ::log::error!("{mistake}");
                }
                tell(&diagnostics);
                ::log::error!(
                    "Configuration errors: everything goes on as before. heartbeat check shows them in full"
                );
                return Answer::Error("there are mistakes in the files".into());
            }
        };
        if !dry_run {
            tell(&diagnostics);
        }
        self.weigh(read, dry_run).unwrap_or_else(|reason| {
            if !dry_run {
                ::log::warn!("Reload refused, nothing was changed: {reason}");
            }
            Answer::Error(reason)
        })
    }

    /// Does it, or tells why it can't be done.
    fn weigh(&mut self, read: Config, dry_run: bool) -> Result<Answer, String> {
        let changes = Changes::between(self.config, &read);
        if changes.nodes {
            return Err(
                "the pair is made of other nodes, or this one has another name: that wants a restart of heartbeat, and \
                 nothing else of these files can be taken over before"
                    .into(),
            );
        }
        if let Some((word, from, to)) = changes.wanderer() {
            return Err(format!(
                "{word} goes from the group {from} to the group {to}, where it could be started while it is still being \
                 stopped: remove it and reload on both nodes, then add it and reload again"
            ));
        }
        let cluster = &*self.cluster;
        let may_run = |group| cluster.group(group).local != GroupState::Stopped;
        let leaving = self.resources.leaving(&cluster.places(), may_run);
        if let Some(word) = changes.started_of(&leaving) {
            return Err(format!(
                "{word} is still being stopped where it was before; reload again once it is"
            ));
        }
        let plan = |applied| {
            Answer::Reload(Plan {
                changes: changes.lines(),
                applied,
                wants_restart: changes.want_restart(),
            })
        };
        let next = merged(self.config, read);
        let places = self.cluster.places_for(settings::groups(&next));
        let reload = settings::of_reload(&next, places);
        let used = settings::of_reload(self.config, self.cluster.places());
        let concerns_core = reload != used;
        if let Some(refusal) = self
            .cluster
            .refuses_reload(&reload)
            .filter(|_| concerns_core)
        {
            return Err(refusal.to_string());
        }
        if let Some(line) = self.resources.busy_with_what_changes(&next, &reload.groups) {
            return Err(format!(
                "something of the group {line}, which would change, is just being started or stopped; try again in a \
                 moment"
            ));
        }
        if dry_run || changes.is_empty() {
            if !dry_run {
                ::log::info!("Configuration unchanged.");
                self.agree_on(&next); // lines may stand elsewhere
                self.config.terms = next.terms;
            }
            return Ok(plan(false));
        }
        if let Some(watchdog) = &mut self.watchdog {
            let followed = watchdog.follow(next.keepalive, next.deadtime);
            followed.map_err(|error| error.to_string())?;
        }
        if concerns_core {
            let before = self.cluster.reloads();
            self.cluster
                .handle(clock::now(), Event::Reloaded(Box::new(reload)));
            if self.cluster.reloads() == before {
                if let Some(watchdog) = &mut self.watchdog {
                    // It stays as quick as it is now, and is fed by the times that go on.
                    let _ = watchdog.follow(self.config.keepalive, self.config.deadtime);
                }
                return Err("things changed just now; try again in a moment".into());
            }
        }
        self.apply(next, &changes);
        Ok(plan(true))
    }

    fn apply(&mut self, next: Config, changes: &Changes) {
        let logging = |change: &config::DirectiveChange| LOGGING.contains(&change.name);
        if changes.directives.iter().any(logging) {
            log::configure(&settings::of_log(&next, self.more_debug));
        }
        for line in changes.lines() {
            let waits = line.contains("wants a restart");
            if waits {
                ::log::warn!("Reload: {line}");
            } else {
                ::log::info!("Reload: {line}");
            }
        }
        let now = clock::now();
        if changes.keys {
            ::log::info!("Rereading authentication file.");
            self.cluster
                .handle(now, Event::KeysChanged(Box::new(next.keys.clone())));
        }
        let places = self.cluster.places();
        self.resources.reload(now, &next, &places);
        self.readiness.reload(now, &next, &places);
        self.failback.reload(&next);
        self.programs.surround(&next);
        self.hooks.surround(&next);
        self.fencer.surround(&next);
        self.alerts.reload(&next);
        self.agree_on(&next);
        *self.config = next;
    }

    /// The other node is told what differs.
    fn agree_on(&mut self, next: &Config) {
        let terms = settings::terms(next);
        self.cluster.handle(clock::now(), Event::Terms(terms));
    }
}

/// Files that somebody else has read.
struct Handed<'a> {
    files: &'a Files,
    directory: &'a Path,
    /// `haresources` is empty whatever it says.
    no_resources: bool,
}

impl Reader for Handed<'_> {
    fn read(&self, path: &Path) -> io::Result<Source> {
        let name = name_in(self.directory, path).ok_or(io::ErrorKind::NotFound)?;
        if self.no_resources && name == "haresources" {
            return Ok(Source {
                mode: 0o644,
                ..Source::default()
            });
        }
        let file = self.files.0.get(&name).ok_or(io::ErrorKind::NotFound)?;
        let text = file.bytes().ok_or(io::ErrorKind::InvalidData)?;
        let mode = file.mode;
        Ok(Source { text, mode })
    }
}

/// A child that reads the files and hands them over, as an operator would with `heartbeat reload`.
#[derive(Debug, Default)]
pub struct Messenger {
    child: Option<Child>,
    /// Somebody wants it once more.
    again: bool,
}

impl Messenger {
    /// Sends it for the files in these places.
    pub fn send(&mut self, places: &Places, no_resources: bool) {
        if self.child.is_some() {
            self.again = true;
            return;
        }
        let mut command = Command::new("/proc/self/exe");
        if places.moved {
            command.arg("-C").arg(&places.configuration);
        }
        if no_resources {
            command.arg("-M");
        }
        let child = command
            .arg("reload")
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match child {
            Ok(child) => self.child = Some(child),
            Err(error) => ::log::error!("Cannot read the files again: {error}"),
        }
    }

    /// To be called when a child ended.
    pub fn turn(&mut self, places: &Places, no_resources: bool) {
        let Some(child) = &mut self.child else {
            return;
        };
        match child.try_wait() {
            Ok(None) => return,
            // What else it ends with, it has told us.
            Ok(Some(status)) if status.code() == Some(i32::from(exit_status::NOT_RUNNING)) => {
                ::log::error!("Cannot read the files again: the control socket can't be reached");
            }
            Ok(Some(status)) if status.code().is_none() => {
                ::log::error!(
                    "Cannot read the files again: the child that does it ended with {status}"
                );
            }
            Ok(Some(_)) => {}
            Err(error) => ::log::error!("Cannot read the files again: {error}"),
        }
        self.child = None;
        if std::mem::take(&mut self.again) {
            self.send(places, no_resources);
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
