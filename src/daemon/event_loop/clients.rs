//! What clients of the control socket ask for.

use super::super::journal::Journal;
use super::super::pid_file::PidFile;
use super::super::reload::Running;
use super::super::{agreement, fencing, maintenance, moves, reasons, status};
use super::{Daemon, Devices, Identity, UPKEEP};
use crate::cluster::Instant;
use crate::control::{Answer, Direction, Request, Status};

impl Daemon {
    /// Makes again what others find this daemon by, should somebody have removed it.
    pub(super) fn stay_found(&mut self, now: Instant, pid_file: &mut PidFile) {
        if now < self.upkeep_at {
            return;
        }
        self.upkeep_at = now + UPKEEP;
        let Devices {
            control,
            fifo,
            metrics,
            poll,
            ..
        } = &mut self.devices;
        control.restore(poll.registry());
        metrics.restore(poll.registry());
        fifo.restore(poll.registry());
        pid_file.restore();
    }

    /// Before the core judges, because clients may ask for something that it has to act on.
    pub(super) fn answer_clients(&mut self, now: Instant) {
        let Self {
            identity,
            cluster,
            devices,
            journal,
            ..
        } = self;
        let journal: &Journal = journal;
        let Identity {
            config,
            places,
            no_resources,
            more_debug,
            state,
            since,
        } = identity;
        let Devices {
            control,
            poll,
            resources,
            readiness,
            fencer,
            failback,
            programs,
            hooks,
            watchdog,
            media,
            incidents,
            alerts,
            ..
        } = devices;
        let answer = |request| match request {
            Request::Status => {
                let core =
                    status::status(config, cluster, resources, readiness, fencer, state, *since);
                let watchdog = watchdog.as_ref().map(status::watchdog);
                let mut status = Status { watchdog, ..core };
                status::add_serial_lines(&mut status.nodes, media);
                reasons::add(&mut status, config, cluster, journal);
                Answer::Status(Box::new(status))
            }
            Request::Events { follow } => Answer::Events { follow },
            Request::Terms => Answer::Terms(agreement::terms(config, cluster)),
            Request::Incidents => Answer::Incidents(incidents.all()),
            Request::ConfirmDead { node } => fencing::confirm(cluster, &config.peer_node, &node),
            Request::Standby { selection } => {
                moves::begin(cluster, Direction::Standby, selection, state.generation)
            }
            Request::Takeover { selection } => {
                moves::begin(cluster, Direction::Takeover, selection, state.generation)
            }
            Request::MaintenanceOn { by, reason, until } => {
                maintenance::on(cluster, config, (&by, &reason), until)
            }
            Request::MaintenanceOff { by } => maintenance::off(cluster, config, &by),
            Request::Reload {
                dry_run,
                files,
                mistakes,
            } => {
                if !dry_run {
                    hooks.look_again();
                    readiness.look_again(now);
                }
                let mut running = Running {
                    config,
                    places,
                    no_resources: *no_resources,
                    more_debug: *more_debug,
                    cluster,
                    resources,
                    programs,
                    hooks,
                    failback,
                    fencer,
                    alerts,
                    readiness,
                    watchdog: watchdog.as_mut(),
                };
                running.reload(&files, &mistakes, dry_run)
            }
        };
        control.turn(now, poll.registry(), &journal.events, answer);
    }
}
