//! What is worth waking somebody for, and its wording.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::cluster::policy::Reason;
use crate::cluster::{
    FencingReport, GroupReport, IncidentRecord, LinkReport, NodeStatus, Report, Severity,
};

/// What an alert is about. Each has limits of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// This node takes what the other had.
    Takeover,
    /// The other node is dead.
    PeerDead,
    /// It is back.
    PeerBack,
    /// A link is dead, or never came up.
    LinkDead,
    /// It is up again.
    LinkBack,
    /// A link loses much, or heartbeats come unevenly.
    LinkDegraded,
    /// It does not any more.
    LinkRecovered,
    /// A link carries in one direction only.
    LinkOneWay,
    /// It carries in both directions again.
    LinkBothWays,
    /// No second link is left.
    Jeopardy,
    /// One is again.
    JeopardyOver,
    /// A group did not start, did not stop, does not work or can't be reached.
    GroupFailed,
    /// A group is not tried any more.
    GroupFrozen,
    /// Both nodes hold a group, or did.
    TwoOwners,
    /// No watchdog is armed although `ha.cf` has one.
    WatchdogMissing,
    /// One is.
    WatchdogArmed,
    /// The other node could not be reset, or this one is to be.
    Fencing,
    /// This node stood still, or is cut off, or the like: something else that is critical.
    Critical,
    /// Alerts were held back.
    HeldBack,
    /// `heartbeat alert-test`.
    Test,
}

impl Kind {
    /// Its name.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Takeover => "takeover",
            Self::PeerDead => "peer-dead",
            Self::PeerBack => "peer-back",
            Self::LinkDead => "link-dead",
            Self::LinkBack => "link-back",
            Self::LinkDegraded => "link-degraded",
            Self::LinkRecovered => "link-recovered",
            Self::LinkOneWay => "link-one-way",
            Self::LinkBothWays => "link-both-ways",
            Self::Jeopardy => "jeopardy",
            Self::JeopardyOver => "jeopardy-over",
            Self::GroupFailed => "group-failed",
            Self::GroupFrozen => "group-frozen",
            Self::TwoOwners => "two-owners",
            Self::WatchdogMissing => "watchdog-missing",
            Self::WatchdogArmed => "watchdog-armed",
            Self::Fencing => "fencing",
            Self::Critical => "critical",
            Self::HeldBack => "held-back",
            Self::Test => "test",
        }
    }

    /// Whether service or data depend on somebody hearing of it: a flood of others must not use up what there is for it.
    pub const fn is_grave(self) -> bool {
        matches!(
            self,
            Self::Takeover
                | Self::PeerDead
                | Self::GroupFailed
                | Self::GroupFrozen
                | Self::TwoOwners
                | Self::WatchdogMissing
                | Self::Fencing
                | Self::Critical
        )
    }
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// What it is about.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// The link or the group that it is about.
    pub subject: Option<String>,
    /// A sentence or two: the line in the log.
    pub text: String,
}

impl Alert {
    /// One about nothing in particular.
    pub fn new(kind: Kind, severity: Severity, text: String) -> Self {
        Self {
            kind,
            severity,
            subject: None,
            text,
        }
    }

    fn about(self, subject: &str) -> Self {
        Self {
            subject: Some(subject.to_owned()),
            ..self
        }
    }

    /// The record of an incident, where both nodes held something.
    pub fn of_incident(record: &IncidentRecord) -> Option<Self> {
        let both = record.groups.iter().filter(|groups| !groups.both.is_zero());
        let keys: Vec<&str> = both
            .clone()
            .flat_map(|groups| groups.keys.iter().map(String::as_str))
            .collect();
        let longest = both.map(|groups| groups.both).max()?;
        let first = keys.first().copied().unwrap_or_default();
        let others = match keys.len().saturating_sub(1) {
            0 => String::new(),
            others => format!(" and {others} more"),
        };
        let text = format!(
            "Both nodes held {first}{others} for {}. cl_status incidents tells more.",
            seconds(longest)
        );
        let alert = Self::new(Kind::TwoOwners, Severity::Crit, text);
        Some(alert.about(first))
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// What was told and is not over: only of that is the end worth telling.
#[derive(Debug, Default)]
pub struct Memory {
    is_peer_dead: bool,
    /// The other node has stopped by itself: its links are silent for that.
    has_peer_left: bool,
    /// That this node takes what it had then.
    is_taking_told: bool,
    dead_links: BTreeSet<String>,
    one_way_links: BTreeSet<String>,
    is_in_jeopardy: bool,
}

impl Memory {
    /// The alert that a report is, if any.
    pub fn alert(&mut self, report: &Report) -> Option<Alert> {
        self.note_stop(report);
        let kind = self.kind(report)?;
        let severity = if kind.is_grave() {
            report.severity().max(Severity::Warn)
        } else {
            report.severity()
        };
        if let Report::GroupStarting {
            reason: Reason::PeerLeft,
            ..
        } = report
        {
            let text = "The other node has stopped, and what it held is started here.";
            return Some(Alert::new(kind, severity, text.to_owned()));
        }
        let alert = Alert::new(kind, severity, report.to_string());
        Some(match subject(report) {
            Some(subject) => alert.about(subject),
            None => alert,
        })
    }

    /// Notes whether the other node has stopped by itself.
    fn note_stop(&mut self, report: &Report) {
        match report {
            Report::ShutdownNotice { .. } => {
                (self.has_peer_left, self.is_taking_told) = (true, false);
            }
            Report::StatusUpdate {
                status: NodeStatus::Up | NodeStatus::Active,
                ..
            } => self.has_peer_left = false,
            _ => {}
        }
    }

    fn kind(&mut self, report: &Report) -> Option<Kind> {
        let kind = match report {
            // A death is told once, and not for each group.
            Report::TakingOver { .. }
            | Report::GroupStarting {
                reason: Reason::FailedThere | Reason::Orphaned,
                ..
            } => Some(Kind::Takeover),
            // So is a stop.
            Report::GroupStarting {
                reason: Reason::PeerLeft,
                ..
            } => {
                let is_told = std::mem::replace(&mut self.is_taking_told, true);
                (!is_told).then_some(Kind::Takeover)
            }
            Report::NodeDead { .. } => {
                self.is_peer_dead = true;
                Some(Kind::PeerDead)
            }
            Report::ReturnedAfterPartition { .. }
            | Report::StatusUpdate {
                status: NodeStatus::Up | NodeStatus::Active,
                ..
            } => std::mem::take(&mut self.is_peer_dead).then_some(Kind::PeerBack),
            Report::LinkDown { .. } if self.has_peer_left => None,
            Report::LinkDown { link, .. } | Report::LinkNeverUp { link, .. } => {
                self.dead_links.insert(link.clone());
                Some(Kind::LinkDead)
            }
            Report::LinkUp { link, .. } => self.dead_links.remove(link).then_some(Kind::LinkBack),
            Report::Link(report) => self.link_kind(report),
            Report::GroupStartFailed { .. }
            | Report::GroupBroken { .. }
            | Report::GroupStopFailed { .. }
            | Report::Group(GroupReport::StaysWithoutCarrier { .. }) => Some(Kind::GroupFailed),
            Report::Group(GroupReport::Frozen { .. }) => Some(Kind::GroupFrozen),
            Report::TwoOwners { .. } => Some(Kind::TwoOwners),
            Report::Fencing(
                FencingReport::Failed { .. }
                | FencingReport::StillHeard { .. }
                | FencingReport::TakenUnfenced { .. }
                | FencingReport::ResetsItself { .. }
                | FencingReport::AsksForReset { .. }
                | FencingReport::NobodyResets { .. }
                | FencingReport::NobodyTakes { .. }
                | FencingReport::Requested { .. },
            ) => Some(Kind::Fencing),
            _ => None,
        };
        let is_critical = report.severity() >= Severity::Crit;
        kind.or(is_critical.then_some(Kind::Critical))
    }

    fn link_kind(&mut self, report: &LinkReport) -> Option<Kind> {
        match report {
            LinkReport::OneWay { link, .. } => {
                self.one_way_links.insert(link.clone());
                Some(Kind::LinkOneWay)
            }
            LinkReport::BothWays { link, .. } => self
                .one_way_links
                .remove(link)
                .then_some(Kind::LinkBothWays),
            LinkReport::NoWay { link, .. } => {
                self.one_way_links.remove(link);
                self.dead_links.insert(link.clone());
                Some(Kind::LinkDead)
            }
            LinkReport::Jeopardy { .. } => {
                self.is_in_jeopardy = true;
                Some(Kind::Jeopardy)
            }
            LinkReport::JeopardyOver { .. } => {
                std::mem::take(&mut self.is_in_jeopardy).then_some(Kind::JeopardyOver)
            }
            LinkReport::Degraded { .. } => Some(Kind::LinkDegraded),
            LinkReport::Recovered { .. } => Some(Kind::LinkRecovered),
        }
    }
}

/// The link or the group that it is about.
fn subject(report: &Report) -> Option<&str> {
    match report {
        Report::LinkUp { link, .. }
        | Report::LinkDown { link, .. }
        | Report::LinkNeverUp { link, .. }
        | Report::Link(
            LinkReport::OneWay { link, .. }
            | LinkReport::BothWays { link, .. }
            | LinkReport::NoWay { link, .. }
            | LinkReport::Degraded { link, .. }
            | LinkReport::Recovered { link, .. },
        ) => Some(link),
        Report::Link(LinkReport::Jeopardy { link, .. }) => link.as_deref(),
        Report::GroupStarting { key, .. }
        | Report::GroupStartFailed { key, .. }
        | Report::GroupBroken { key, .. }
        | Report::GroupStopFailed { key }
        | Report::TwoOwners { key, .. }
        | Report::Group(
            GroupReport::StaysWithoutCarrier { key, .. } | GroupReport::Frozen { key, .. },
        ) => Some(key),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(reports: &[Report]) -> Vec<&'static str> {
        let mut memory = Memory::default();
        let alerts = reports.iter().filter_map(|report| memory.alert(report));
        alerts.map(|alert| alert.kind.word()).collect()
    }

    fn node() -> String {
        "beta".to_owned()
    }

    fn link() -> String {
        "eth0".to_owned()
    }

    #[test]
    fn the_end_of_something_is_told_where_its_beginning_was() {
        let up = || Report::LinkUp {
            node: node(),
            link: link(),
        };
        let down = || Report::LinkDown {
            node: node(),
            link: link(),
        };
        let active = || Report::StatusUpdate {
            node: node(),
            status: NodeStatus::Active,
        };
        let dead = || Report::NodeDead { node: node() };
        let both = || {
            Report::Link(LinkReport::BothWays {
                node: node(),
                link: link(),
            })
        };
        let one = || {
            Report::Link(LinkReport::OneWay {
                node: node(),
                link: link(),
                is_heard: true,
            })
        };
        let alone = || {
            Report::Link(LinkReport::Jeopardy {
                node: node(),
                link: None,
            })
        };
        let over = || Report::Link(LinkReport::JeopardyOver { node: node() });
        assert_eq!(kinds(&[up(), active(), both(), over()]), [""; 0]);
        assert_eq!(
            kinds(&[down(), up(), up(), dead(), active(), active()]),
            ["link-dead", "link-back", "peer-dead", "peer-back"]
        );
        assert_eq!(
            kinds(&[one(), both(), both(), alone(), over(), over()]),
            [
                "link-one-way",
                "link-both-ways",
                "jeopardy",
                "jeopardy-over"
            ]
        );
    }

    #[test]
    fn whatever_is_critical_is_an_alert() {
        let stalled = Report::Stalled {
            gap: Duration::from_secs(9),
            groups: 1,
        };
        assert_eq!(kinds(&[stalled]), ["critical"]);
        let quiet = Report::GroupStarted {
            key: "a".to_owned(),
        };
        assert_eq!(kinds(&[quiet]), [""; 0]);
    }

    #[test]
    fn a_node_that_stops_by_itself_is_one_alert_and_no_trouble_with_links() {
        let starting = |key: &str| Report::GroupStarting {
            key: key.to_owned(),
            reason: Reason::PeerLeft,
        };
        let down = || Report::LinkDown {
            node: node(),
            link: link(),
        };
        let active = || Report::StatusUpdate {
            node: node(),
            status: NodeStatus::Active,
        };
        let stop = || Report::ShutdownNotice { node: node() };
        let once = [stop(), starting("a"), starting("b"), down(), active()];
        assert_eq!(kinds(&once), ["takeover"]);
        let twice = [once.as_slice(), once.as_slice(), &[down()]].concat();
        assert_eq!(kinds(&twice), ["takeover", "takeover", "link-dead"]);
        let alert = Memory::default().alert(&starting("a")).expect("an alert");
        assert_eq!(alert.severity, Severity::Warn);
    }

    #[test]
    fn the_death_of_a_node_is_no_alert_for_each_group() {
        let starting = |reason| Report::GroupStarting {
            key: "a".to_owned(),
            reason,
        };
        let reports = [
            Report::TakingOver { node: node() },
            starting(Reason::PeerDied),
            starting(Reason::Failback),
            starting(Reason::FailedThere),
        ];
        assert_eq!(kinds(&reports), ["takeover", "takeover"]);
    }
}
