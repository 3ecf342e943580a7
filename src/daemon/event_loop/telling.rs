//! What others get to know without asking the core: metrics and alerts.

use super::super::metrics::{Facts, render};
use super::super::settings::links;
use super::super::{clock, status};
use super::{Daemon, Devices, Identity};
use crate::cluster::refusals::{KINDS, RefusalKind};
use crate::cluster::{IncidentRecord, Instant, LinkId};
use crate::control::Status;

impl Daemon {
    /// Goes on with metrics and alerts. After everything that the core wants: nobody waits for these.
    pub(super) fn tell(&mut self, now: Instant) {
        let seconds = clock::wall_seconds();
        let Self {
            identity,
            cluster,
            devices,
            tally,
            ..
        } = self;
        let Identity {
            config,
            state,
            since,
            ..
        } = identity;
        let Devices {
            poll,
            metrics,
            alerts,
            resources,
            readiness,
            fencer,
            watchdog,
            media,
            ..
        } = devices;
        if let Some(watchdog) = watchdog {
            alerts.watchdog(watchdog.timeout().is_some(), now, seconds);
        }
        alerts.turn(now, seconds);
        let counts = alerts.counts();
        metrics.turn(now, poll.registry(), |form| {
            let core = status::status(config, cluster, resources, readiness, fencer, state, *since);
            let watchdog = watchdog.as_ref().map(status::watchdog);
            let mut status = Status { watchdog, ..core };
            status::add_serial_lines(&mut status.nodes, media);
            let refused = KINDS.map(|kind| (word(kind), cluster.refused(kind)));
            let names = links(config).into_iter().zip(0..=u8::MAX);
            let degraded: Vec<String> = names
                .filter(|(_, id)| cluster.is_degraded(LinkId(*id)))
                .map(|(name, _)| name)
                .collect();
            let facts = Facts {
                status: &status,
                tally,
                refused: &refused,
                degraded: &degraded,
                alerts: counts,
            };
            render(&facts, form)
        });
    }

    /// An incident is over.
    pub(super) fn tell_incident(&mut self, record: &IncidentRecord, now: Instant) {
        let incident = self.devices.incidents.record(record);
        self.journal.note_incident(&incident);
        self.tally.incident(record);
        self.devices
            .alerts
            .incident(record, now, clock::wall_seconds());
    }
}

fn word(kind: RefusalKind) -> &'static str {
    match kind {
        RefusalKind::Malformed => "malformed",
        RefusalKind::NotAuthentic => "not-authentic",
        RefusalKind::Incomplete => "incomplete",
        RefusalKind::UnknownNode => "unknown-node",
        RefusalKind::OurName => "our-name",
        RefusalKind::Replay => "replay",
        RefusalKind::OutOfPlace => "out-of-place",
    }
}
