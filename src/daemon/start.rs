//! From the command line to a running daemon: everything that may fail fails here, before the peer hears of
//! us, and is told to the terminal and by the exit status.

use std::fmt::Display;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Interest, Poll, Registry, Token};
use nix::fcntl::{Flock, FlockArg};

use super::alerts::Alerts;
use super::children::Owner;
use super::command_line::CommandLine;
use super::control::{Access, ControlServer};
use super::core::Core;
use super::disk::{Disk, load_here};
use super::event_loop::{Daemon, Devices, Identity, tokens};
use super::exit_status::{CONFIGURATION, DONE, FAILED, PERMISSION};
use super::failback::FailbackCommand;
use super::fencing::Fencer;
use super::fifo::Fifo;
use super::hooks::Hooks;
use super::incidents::Incidents;
use super::last_breath::LastBreath;
use super::maintenance::MaintenanceFile;
use super::media::Media;
use super::metrics::Metrics;
use super::pid_file::{PidFile, Refused};
use super::ping::Pings;
use super::programs::Programs;
use super::readiness::Readiness;
use super::reload::tell;
use super::resources::{Limits, Resources};
use super::service_manager::ServiceManager;
use super::signals::Signals;
use super::state::{self, State, Wanted};
use super::terminal::{say, show};
use super::watchdog::{self, Watchdog};
use super::{clock, exit_status, log, scheduling, settings};
use crate::cluster::{Event, PingId};
use crate::config::{Config, Diagnostics};
use crate::control::Places;
use crate::os::alarm::Alarm;
use crate::os::inheritance;
use crate::os::process::{Fork, discard_standard_streams, fork_into_background, host_name};

/// How long a child of a killed daemon may take to become the program that it was forked for, on a busy machine.
const PATIENCE_WITH_LEFTOVERS: Duration = Duration::from_secs(10);

/// Starts the daemon; gives back the exit status once it is up, or, in the foreground, once it has ended.
pub fn run(line: &CommandLine, places: &Places) -> u8 {
    inheritance::let_go();
    let exit = begin(line, places);
    log::finish();
    exit
}

/// A daemon with everything open, before its first turn, and the lock on its state directory. Neither in the background nor
/// with a pid file: that is left to who takes the turns.
///
/// # Errors
/// What [`run`] would have told, in words.
pub fn open(
    line: &CommandLine,
    places: &Places,
    config: Config,
) -> Result<(Daemon, Flock<File>), String> {
    let start = Start {
        line,
        places,
        announce: None,
    };
    start.prepare(config).map_err(|refusal| refusal.text)
}

fn begin(line: &CommandLine, places: &Places) -> u8 {
    if line.foreground {
        return Start {
            line,
            places,
            announce: None,
        }
        .run();
    }
    match fork_into_background() {
        Ok(Fork::Background(writer)) => {
            let mut told = writer.try_clone().ok();
            let exit = Start {
                line,
                places,
                announce: Some(writer),
            }
            .run();
            // Once it was up, nobody listens any more.
            if let Some(told) = &mut told {
                let _ = told.write_all(&[exit]);
            }
            exit
        }
        Ok(Fork::Foreground(mut reader)) => {
            let mut exit = [FAILED];
            if reader.read_exact(&mut exit).is_err() {
                say(
                    "ERROR: heartbeat died while starting. Its log, or heartbeat -f, tells how far it came\n",
                );
            }
            let [exit] = exit;
            exit
        }
        Err(error) => {
            say(&format!("ERROR: cannot start in the background: {error}\n"));
            FAILED
        }
    }
}

/// Why there will be no daemon.
struct Refusal {
    text: String,
    exit: u8,
}

impl Refusal {
    fn new(text: &dyn Display, is_permission: bool) -> Self {
        Self {
            text: text.to_string(),
            exit: if is_permission { PERMISSION } else { FAILED },
        }
    }
}

struct Start<'a> {
    line: &'a CommandLine,
    places: &'a Places,
    /// Where the process in the foreground waits for the exit status.
    announce: Option<File>,
}

impl Start<'_> {
    fn run(mut self) -> u8 {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
        log::start(&host_name());
        let disk = Disk::new(self.line.no_resources);
        let read = load_here(self.places, &disk);
        drop(disk); // it has read keys
        let (config, diagnostics) = match read {
            Ok(loaded) => loaded,
            Err(diagnostics) => return refuse_configuration(&diagnostics),
        };
        log::configure(&settings::of_log(&config, self.line.debug));
        tell(&diagnostics);
        let mut pid_file = match self.claim() {
            Ok(pid_file) => pid_file,
            Err(exit) => return exit,
        };
        let (daemon, lock) = match self.prepare(config) {
            Ok(prepared) => prepared,
            Err(refusal) => {
                ::log::error!("{}", refusal.text);
                ::log::error!("heartbeat not started.");
                return refusal.exit;
            }
        };
        self.announce();
        let exit = daemon.run(&mut pid_file);
        log::finish(); // whoever waits for our end may read the log next
        // In this order: once the pid file is gone, the next daemon may start.
        drop(lock);
        drop(pid_file);
        exit
    }

    fn claim(&self) -> Result<PidFile, u8> {
        let path = &self.places.pid_file;
        let claimed = PidFile::claim_after_another(path, PATIENCE_WITH_LEFTOVERS);
        claimed.map_err(|refused| match refused {
            Refused::Running(pid) => {
                let pid = pid.map_or_else(|| "unknown".into(), |pid| pid.to_string());
                ::log::info!("heartbeat: already running [pid {pid}].");
                DONE
            }
            Refused::Left(_) => {
                ::log::error!(
                    "cannot take over the pid file {}: {refused}. End it, or try again later",
                    path.display()
                );
                FAILED
            }
            Refused::Io(error) => {
                ::log::error!("cannot write the pid file {}: {error}", path.display());
                exit_status::of(&error)
            }
        })
    }

    fn prepare(&self, config: Config) -> Result<(Daemon, Flock<File>), Refusal> {
        let (state, lock) = self.open_state(&config)?;
        scheduling::prepare_descriptors();
        scheduling::prepare_core_files(config.coredumps, &config.coreroot);
        if self.line.verbose {
            for (name, value) in &config.parameters {
                ::log::info!("{name} {value}");
            }
        }
        ::log::info!("**************************");
        ::log::info!(
            "Configuration validated. Starting heartbeat {}",
            crate::VERSION
        );
        ::log::info!(
            "heartbeat: version {} (successor of {})",
            crate::VERSION,
            crate::SUCCEEDS
        );
        ::log::info!("Heartbeat generation: {}", state.generation);
        let mut devices = self.open_devices(&config)?;
        let seed = state::random_bytes()
            .map(u64::from_le_bytes)
            .map_err(|error| Refusal::new(&error, false))?;
        let own = devices.pings.own(&config);
        tell_own(&config, &own);
        tell_ipfail(&config);
        let (maintenance, memory) =
            MaintenanceFile::open(&self.places.state, &config, clock::wall_seconds());
        devices.maintenance = Some(maintenance);
        let settings = settings::of_core(&config, &state, memory, seed, &own);
        let mut cluster = Core::new(clock::now(), settings, self.line.record.as_ref());
        cluster.handle(clock::now(), Event::Terms(settings::terms(&config)));
        if config.realtime && !self.line.no_realtime {
            scheduling::become_realtime(config.rtprio);
        }
        // Last of all: from here on, nothing may refuse to start.
        let places = watchdog::Places::here();
        devices.watchdog = start_watchdog(&config, places.clone())?;
        let has_fired = devices.watchdog.as_ref().and_then(Watchdog::has_fired);
        let kernel_log = places.device("kmsg");
        devices.last_breath = LastBreath::begin(&self.places.state, &kernel_log, has_fired);
        devices.incidents = Incidents::begin(&self.places.state, &config.local_node);
        let recorder =
            state::Recorder::new(&self.places.state, state.last_generation, &config.peer_node);
        let identity = Identity {
            config,
            places: self.places.clone(),
            no_resources: self.line.no_resources,
            more_debug: self.line.debug,
            state,
            since: clock::wall_seconds(),
        };
        let daemon = Daemon::new(identity, cluster, devices, recorder);
        Ok((daemon, lock))
    }

    /// The lock keeps a second daemon from our generation and uuid even where somebody removed the pid file.
    fn open_state(&self, config: &Config) -> Result<(State, Flock<File>), Refusal> {
        let directory = &self.places.state;
        let refuse = |error| self.refuse_state(&error);
        std::fs::create_dir_all(directory).map_err(refuse)?;
        let file = File::open(directory).map_err(refuse)?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| {
            let text = format!(
                "another heartbeat uses the state directory {} although it has no pid file {} ({errno})",
                directory.display(),
                self.places.pid_file.display()
            );
            Refusal::new(&text, false)
        })?;
        let state = state::open(&Wanted {
            directory,
            local_node: &config.local_node,
            peer_node: &config.peer_node,
            generation_from_time: config.generation_from_time,
            uuid_from_node_name: config.uuid_from_node_name,
            wall_seconds: clock::wall_seconds(),
        })
        .map_err(|error| Refusal::new(&error, error.is_permission()))?;
        Ok((state, lock))
    }

    fn refuse_state(&self, error: &std::io::Error) -> Refusal {
        let directory = self.places.state.display();
        Refusal::new(
            &format!("cannot use the state directory {directory}: {error}"),
            error.kind() == std::io::ErrorKind::PermissionDenied,
        )
    }

    fn open_devices(&self, config: &Config) -> Result<Devices, Refusal> {
        let poll = Poll::new().map_err(|error| Refusal::new(&error, false))?;
        let alarm = open_alarm(poll.registry())
            .map_err(|error| Refusal::new(&format!("cannot set an alarm: {error}"), false))?;
        let signals = Signals::open(poll.registry(), Token(tokens::SIGNALS))
            .map_err(|error| Refusal::new(&format!("cannot watch for signals: {error}"), false))?;
        let access = Access::new(&config.apiauth);
        let control = ControlServer::open(self.places, access, poll.registry(), tokens::CONTROL)
            .map_err(|error| Refusal::new(&error, error.is_permission()))?;
        let media = Media::open(config, poll.registry(), tokens::MEDIA)
            .map_err(|error| Refusal::new(&error, false))?;
        let registry = || {
            let registry = poll.registry().try_clone();
            registry.map_err(|error| Refusal::new(&error, false))
        };
        let owner = Owner::of(&self.places.state).map_err(|error| self.refuse_state(&error))?;
        let programs = Programs::new(clock::now(), config, owner.clone())
            .map_err(|error| Refusal::new(&error, false))?;
        let token = Token(tokens::HOOKS);
        let fifo = Fifo::open(self.places.fifo(), poll.registry(), Token(tokens::FIFO));
        let (now, place) = (clock::now(), self.places.fifo());
        let hooks = Hooks::new(now, config, &place, owner.clone(), registry()?, token);
        let token = Token(tokens::FAILBACK);
        let failback = FailbackCommand::new(config, owner.clone(), registry()?, token);
        let token = Token(tokens::READINESS);
        let readiness = Readiness::new(config, owner.clone(), registry()?, token);
        let token = Token(tokens::ALERTS);
        let alerts = Alerts::new(config, owner.clone(), registry()?, token);
        let token = Token(tokens::FENCING);
        let fencer = Fencer::new(clock::now(), config, owner.clone(), registry()?, token);
        let resources = Resources::new(
            clock::now(),
            config,
            &owner,
            registry()?,
            Token(tokens::RESOURCES),
            Limits::default(),
        )
        .map_err(|error| Refusal::new(&error, false))?;
        let pings = Pings::open(config, poll.registry(), tokens::PINGS)
            .map_err(|error| Refusal::new(&error, error.is_permission()))?;
        let metrics = Metrics::open(
            clock::now(),
            config,
            self.places,
            poll.registry(),
            tokens::METRICS,
        );
        let service_manager = ServiceManager::from_environment(clock::now());
        Ok(Devices {
            poll,
            alarm,
            signals,
            control,
            media,
            pings,
            resources,
            programs,
            hooks,
            failback,
            readiness,
            fencer,
            fifo,
            service_manager,
            watchdog: None,
            last_breath: LastBreath::default(),
            incidents: Incidents::default(),
            metrics,
            alerts,
            maintenance: None,
        })
    }

    /// Lets go of the terminal and of the process that waits there.
    fn announce(&mut self) {
        log::started(self.announce.is_some());
        if let Some(mut announce) = self.announce.take() {
            let streams = discard_standard_streams();
            if let Err(error) = streams {
                ::log::warn!("cannot let go of the terminal: {error}");
            }
            let _ = announce.write_all(&[DONE]); // whoever waited may be gone
        }
    }
}

/// An alarm that ends a wait of the event loop.
fn open_alarm(registry: &Registry) -> std::io::Result<Alarm> {
    let alarm = Alarm::new()?;
    let fd = alarm.as_raw_fd();
    let token = Token(tokens::ALARM);
    registry.register(&mut SourceFd(&fd), token, Interest::READABLE)?;
    Ok(alarm)
}

/// Where its policy allows that, a watchdog that can't be used is there all the same, and tried again.
fn start_watchdog(config: &Config, places: watchdog::Places) -> Result<Option<Watchdog>, Refusal> {
    let Some(wanted) = &config.watchdog else {
        return Ok(None);
    };
    let (keepalive, deadtime) = (config.keepalive, config.deadtime);
    let started = Watchdog::start(wanted, places, keepalive, deadtime, clock::now());
    let started = started.map_err(|error| {
        let way_out = if error.is_absence() {
            ". With `watchdog_policy wanted` heartbeat starts without it and tries again"
        } else {
            ""
        };
        Refusal::new(&format!("{error}{way_out}"), false)
    })?;
    Ok(Some(started))
}

/// What the files alone do not show; the rest was told when they were read.
fn tell_own(config: &Config, own: &[PingId]) {
    let nodes = config.ping_nodes.iter().zip(0..=u8::MAX);
    for (node, _) in nodes.filter(|(node, id)| node.counts && own.contains(&PingId(*id))) {
        ::log::warn!(
            "ping node {} is an address of this machine or one that moves in the pair: it tells nothing about the \
             network and is not counted. Name a router instead",
            node.name
        );
    }
}

/// Who looks for the process of 3.0.6 finds none.
fn tell_ipfail(config: &Config) {
    for line in config.respawn.iter().filter(|line| line.is_ipfail()) {
        let path = line.program.display();
        ::log::info!("{path}: ipfail is part of this daemon, no program is started for it.");
    }
}

/// Shown with lines and carets where a person may look, and logged for the one who comes later.
fn refuse_configuration(diagnostics: &Diagnostics) -> u8 {
    show(diagnostics);
    say("ERROR: Configuration error, heartbeat not started.\n");
    log::started(true);
    log::configure(&log::Settings {
        host: host_name(),
        facility: Some("daemon".into()),
        syslog_socket: settings::syslog_socket(),
        ..log::Settings::default()
    });
    tell(diagnostics);
    ::log::error!("Configuration error, heartbeat not started.");
    match diagnostics.exit_status() {
        0 => CONFIGURATION,
        exit => exit,
    }
}
