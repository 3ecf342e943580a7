//! The loop: wait, read everything, let the core judge, do what it says. Nothing in here blocks.

mod clients;
mod news;
mod noise;
mod proof_of_life;
mod telling;
pub mod tokens;
mod waiting;

use std::collections::VecDeque;
use std::time::Duration;

use mio::{Events, Poll};

use super::alerts::Alerts;
use super::control::ControlServer;
use super::core::Core;
use super::failback::FailbackCommand;
use super::failfast::Failfast;
use super::fencing::Fencer;
use super::fifo::Fifo;
use super::hooks::Hooks;
use super::incidents::Incidents;
use super::journal::Journal;
use super::last_breath::LastBreath;
use super::maintenance::MaintenanceFile;
use super::media::Media;
use super::metrics::{Metrics, Tally};
use super::pid_file::PidFile;
use super::ping::Pings;
use super::programs::Programs;
use super::readiness::Readiness;
use super::reload::Messenger;
use super::reset::Reset;
use super::resources::Resources;
use super::service_manager::ServiceManager;
use super::signals::{Signal, Signals};
use super::state::{Recorder, State};
use super::watchdog::Watchdog;
use super::{clock, exit_status, log};
use crate::cluster::{Action, Event, GroupId, GroupOutcome, Instant, NodeStatus, Report};
use crate::config::Config;
use crate::control::Places;
use crate::os::alarm::Alarm;

/// How long what was sent last may take to leave over a serial line: a line can stand still.
const FAREWELL: Duration = Duration::from_secs(1);
/// How often it is looked whether others can find us still.
const UPKEEP: Duration = Duration::from_secs(5);

/// Everything with a descriptor.
#[derive(Debug)]
pub struct Devices {
    /// The one place where the daemon waits.
    pub poll: Poll,
    /// Ends a wait in time even when this machine was suspended meanwhile.
    pub alarm: Alarm,
    /// Signals.
    pub signals: Signals,
    /// The control socket.
    pub control: ControlServer,
    /// The links.
    pub media: Media,
    /// What is pinged.
    pub pings: Pings,
    /// The resources.
    pub resources: Resources,
    /// The programs of `respawn` and `failfast`.
    pub programs: Programs,
    /// The scripts in `rc.d`.
    pub hooks: Hooks,
    /// The command of `auto_failback`.
    pub failback: FailbackCommand,
    /// Whether this node could run what it does not hold.
    pub readiness: Readiness,
    /// The fencing devices.
    pub fencer: Fencer,
    /// Messages of scripts.
    pub fifo: Fifo,
    /// The service manager.
    pub service_manager: ServiceManager,
    /// Resets this machine when the loop stands still.
    pub watchdog: Option<Watchdog>,
    /// What the next start is to know of the end of this run.
    pub last_breath: LastBreath,
    /// What was held by whom while the nodes had lost each other.
    pub incidents: Incidents,
    /// Metrics for monitoring.
    pub metrics: Metrics,
    /// Whom to tell of trouble.
    pub alerts: Alerts,
    /// Where maintenance is kept over restarts.
    pub maintenance: Option<MaintenanceFile>,
}

/// Who this daemon is and what it was told at its start.
#[derive(Debug)]
pub struct Identity {
    /// What the files say.
    pub config: Config,
    /// Where everything is.
    pub places: Places,
    /// `-M`
    pub no_resources: bool,
    /// `-d`, as often as given.
    pub more_debug: u8,
    /// Uuid and generation.
    pub state: State,
    /// Wall clock at the start.
    pub since: u64,
}

/// The running daemon.
#[derive(Debug)]
pub struct Daemon {
    identity: Identity,
    cluster: Core,
    devices: Devices,
    recorder: Recorder,
    messenger: Messenger,
    /// What this run remembers of its decisions.
    journal: Journal,
    /// Answers of resources that the core has not seen.
    outcomes: VecDeque<(GroupId, GroupOutcome)>,
    /// The second that the core knows of.
    wall_seconds: u64,
    /// When to look after the pid file and the control socket.
    upkeep_at: Instant,
    /// Set once the core is done: when to leave.
    leave_at: Option<Instant>,
    /// Whether a program has failed without which this node must not serve.
    failfast: Failfast,
    /// Whether this machine resets itself.
    reset: Reset,
    /// The timeout of the watchdog that the core knows of.
    watchdog_told: Option<Duration>,
    /// Whether the watchdog is to reset this machine.
    is_starving: bool,
    /// When the peer was last told that this node lives.
    last_heartbeat: Instant,
    /// What is counted for metrics.
    tally: Tally,
    /// What is due first.
    due: Instant,
    /// When the last wait ended.
    woken: Instant,
    /// How long this machine was held up before that: at least so long nothing was read.
    late: Duration,
    /// When the links were read last.
    read_until: Instant,
    /// The last turn ended early: there was only noise on the links.
    was_noise: bool,
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Another one follows.
    Whole,
    /// The core is done, and everything has been said.
    Last,
    /// The system does not let this process wait for events.
    Failed,
}

impl Daemon {
    /// Ready for its first turn.
    pub fn new(identity: Identity, cluster: Core, devices: Devices, recorder: Recorder) -> Self {
        let config = &identity.config;
        Self {
            journal: Journal::new(&config.local_node, &config.peer_node),
            identity,
            cluster,
            devices,
            recorder,
            messenger: Messenger::default(),
            outcomes: VecDeque::new(),
            wall_seconds: 0,
            upkeep_at: clock::now() + UPKEEP,
            leave_at: None,
            failfast: Failfast::default(),
            reset: Reset::default(),
            watchdog_told: None,
            is_starving: false,
            last_heartbeat: Instant::default(),
            tally: Tally::default(),
            due: Instant::default(),
            woken: clock::now(),
            late: Duration::ZERO,
            read_until: clock::now(),
            was_noise: false,
        }
    }

    /// Runs until the core has stopped cleanly; gives back the exit status.
    pub fn run(mut self, pid_file: &mut PidFile) -> u8 {
        let mut events = Events::with_capacity(256);
        self.devices.service_manager.ready(&self.summary());
        loop {
            match self.turn(&mut events, pid_file) {
                Turn::Whole => {}
                Turn::Last => return self.leave(),
                Turn::Failed => return exit_status::FAILED,
            }
        }
    }

    /// One turn: waits until something comes or is due, takes everything in, lets the core judge, does what it says.
    pub fn turn(&mut self, events: &mut Events, pid_file: &mut PidFile) -> Turn {
        if let Err(error) = self.wait(events) {
            ::log::error!(target: "CRIT:heartbeat", "Cannot wait for events: {error}. Resources are left as they are");
            return Turn::Failed;
        }
        let links_alone = self.take_note(events);
        if self.read_backlog() && links_alone && self.is_undisturbed(clock::now()) {
            self.was_noise = true;
            return Turn::Whole;
        }
        self.read();
        self.answer_clients(clock::now());
        self.judge();
        self.act();
        let now = clock::now();
        self.tell(now);
        self.stay_found(now, pid_file);
        // Only a turn that came this far shows that this node is alive, and only if it did not take too long: a disk
        // may have held it up just now.
        self.prove_life(clock::now());
        self.devices.service_manager.turn(now);
        self.tally.turns.observe(clock::now().since(self.woken));
        if self.may_leave(now) {
            Turn::Last
        } else {
            Turn::Whole
        }
    }

    fn may_leave(&self, now: Instant) -> bool {
        let Devices {
            media, programs, ..
        } = &self.devices;
        let all_is_said = |at| at <= now || !media.has_unsent(now);
        self.leave_at.is_some_and(all_is_said) && programs.are_over()
    }

    /// Whose device became ready: true where these are links alone. Signals are acted on at once: they are few.
    fn take_note(&mut self, events: &Events) -> bool {
        let now = clock::now();
        let mut signalled = false;
        let mut links_alone = true;
        for event in events {
            let token = event.token().0;
            links_alone &= tokens::MEDIA.contains(&token);
            if token == tokens::SIGNALS {
                signalled = true;
            } else if tokens::CONTROL.contains(&token) {
                self.devices.control.ready(event);
            } else if tokens::METRICS.contains(&token) {
                self.devices.metrics.ready(event);
            } else if tokens::MEDIA.contains(&token) {
                self.devices.media.ready(event, now);
            } else if token == tokens::RESOURCES {
                self.devices.resources.stir();
            } else if token == tokens::FIFO {
                self.devices.fifo.stir();
            } else if tokens::PINGS.contains(&token) {
                self.devices.pings.ready(event);
            }
            // Output of children and the alarm need no note: who has any looks after them in every turn.
        }
        if signalled {
            let signals: Vec<_> = self.devices.signals.pending().collect();
            for signal in signals {
                self.take_signal(signal);
            }
        }
        links_alone
    }

    fn take_signal(&mut self, signal: Signal) {
        match signal {
            Signal::Stop => {
                ::log::info!("Heartbeat shutdown in progress. ({})", std::process::id());
                self.devices.service_manager.stopping();
                self.cluster.handle(clock::now(), Event::StopRequested);
            }
            Signal::Reload => {
                log::reopen();
                self.devices.hooks.look_again();
                let identity = &self.identity;
                self.messenger.send(&identity.places, identity.no_resources);
            }
            Signal::MoreDebug => change_debug(log::debug_level().saturating_add(1)),
            Signal::LessDebug => change_debug(log::debug_level().saturating_sub(1)),
            Signal::Child => {
                self.recorder.turn();
                self.reset.turn();
                let identity = &self.identity;
                self.messenger.turn(&identity.places, identity.no_resources);
            }
        }
    }

    /// What came by other ways than links. Everything that happened goes to the core before it judges: a daemon that was held
    /// up finds the heartbeats that came meanwhile before it finds that time has passed.
    fn read(&mut self) {
        let Devices {
            media,
            pings,
            resources,
            ..
        } = &mut self.devices;
        while let Some(node) = pings.receive() {
            self.cluster
                .handle(clock::now(), Event::PingAnswered { node });
        }
        let now = clock::now();
        media.turn(now);
        while let Some(report) = media.next_report() {
            log::tell(report.severity(), &report);
            let (severity, text) = (report.severity(), report.to_string());
            self.journal
                .note_event(clock::wall(), severity, None, &text);
        }
        let is_still = self.cluster.holds_still();
        resources.hold_still(is_still);
        self.devices.programs.hold_still(is_still);
        self.devices.resources.turn(now);
        self.collect_news(now);
    }

    fn judge(&mut self) {
        let seconds = clock::wall_seconds();
        if seconds != self.wall_seconds {
            self.wall_seconds = seconds;
            self.journal.look(&self.cluster);
            self.cluster
                .handle(clock::now(), Event::WallClock { seconds });
        }
        self.cluster.handle(clock::now(), Event::Tick);
    }

    fn act(&mut self) {
        let (mut told, mut moves, mut seen) = (false, false, None);
        while let Some(action) = self.cluster.next_action() {
            let now = clock::now();
            moves |= matches!(action, Action::StartGroup(_) | Action::StopGroup(_));
            match action {
                Action::Send(packet) => {
                    if packet.is_heartbeat {
                        self.last_heartbeat = now;
                    }
                    self.tally.sent();
                    self.devices.media.send(&packet, now);
                }
                Action::StartGroup(group) => self.devices.resources.start(group),
                Action::StopGroup(group) => self.devices.resources.stop(group),
                Action::ProbeGroup(group) => self.devices.resources.probe(group),
                Action::AnnounceGroup(group) => self.devices.resources.announce(now, group),
                Action::AskFailback => self.devices.failback.ask(now),
                Action::Ping => self.devices.pings.send(now),
                Action::PeerHardware(all) => self.devices.resources.know_peer(all),
                Action::Fence { request } => self.devices.fencer.reset(request),
                Action::StopFencing => self.devices.fencer.stop(now),
                Action::AskNetwork { request, groups } => {
                    self.devices.resources.ask_network(now, request, &groups);
                }
                Action::ResetMachine => self.reset.begin(),
                Action::Deliver { source, message } => {
                    let status = self.cluster.local_status();
                    let (hooks, seconds) = (&mut self.devices.hooks, clock::wall_seconds());
                    hooks.hear(source, &message, status, seconds);
                }
                Action::Incident(record) => self.tell_incident(&record, now),
                Action::RememberMaintenance(memory) => {
                    if let Some(file) = &mut self.devices.maintenance {
                        file.store(&memory);
                    }
                }
                Action::RememberPeer(peer) => seen = Some(peer),
                Action::Exit => self.leave_at = Some(now + FAREWELL),
                Action::Report(report) => {
                    log::tell(report.severity(), &report);
                    self.journal.note(&report, &self.cluster);
                    self.heed(&report);
                    told = true;
                }
            }
        }
        if moves {
            self.devices.resources.begin_at_once(clock::now());
        }
        if let Some(peer) = seen {
            self.recorder.remember(peer); // a child is begun, which takes as long as all of the above
        }
        self.collect_outcomes();
        if told {
            self.journal.look(&self.cluster);
            self.devices.service_manager.status(&self.summary());
        }
    }

    /// What programs and scripts have to do with what the core tells.
    fn heed(&mut self, report: &Report) {
        let local_status = self.cluster.local_status();
        let hooks = &mut self.devices.hooks;
        hooks.heed(report, local_status, clock::wall_seconds());
        self.failfast.heed(report);
        self.devices.fencer.heed(report);
        self.tally.heed(report);
        let seconds = clock::wall_seconds();
        self.devices.alerts.heed(report, clock::now(), seconds);
        match report {
            Report::LocalStatus(NodeStatus::Active) => self.devices.programs.start(),
            Report::AllGivenUp => self.devices.programs.stop(),
            _ => {}
        }
    }

    /// Everything is released: the machine may live without us.
    fn leave(self) -> u8 {
        if let Some(watchdog) = self.devices.watchdog {
            watchdog.close();
        }
        self.devices.last_breath.stop();
        self.devices.incidents.stop();
        self.devices.alerts.stop();
        self.devices.metrics.stop();
        if let Some(file) = self.devices.maintenance {
            file.stop();
        }
        self.recorder.finish();
        ::log::info!(
            "{} Heartbeat shutdown complete.",
            self.identity.config.local_node
        );
        if self.failfast.has_failed() {
            exit_status::FAILED
        } else {
            exit_status::DONE
        }
    }
}

/// The line is one of level debug, so it must be written while such lines are shown.
fn change_debug(level: u8) {
    let line = || ::log::debug!("debug now set to {level} [pid {}]", std::process::id());
    if level == 0 {
        line();
        log::set_debug_level(level);
    } else {
        log::set_debug_level(level);
        line();
    }
}
