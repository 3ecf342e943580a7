//! What is told of maintenance.

use std::fmt;
use std::time::Duration;

use super::severity::Severity;

/// One thing to tell. `Display` is the text of the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are what the sentence of their variant speaks of"
)]
pub enum MaintenanceReport {
    /// It is on from now on, or was extended; `node` is where that was said.
    On {
        node: String,
        by: String,
        reason: String,
        /// How long it goes on.
        left: Option<Duration>,
    },
    /// Somebody has ended it.
    Off { node: String, by: String },
    /// Its time is over.
    Ended,
    /// The peer turned out to run heartbeat 3.0.6.
    Rests { node: String },
    /// The peer is silent, and nothing of it is taken.
    DeathPutOff { node: String },
    /// What would be done without it.
    HeldBack { what: Vec<String>, others: usize },
    /// This node stops, and nobody takes what it had.
    LeavesAlone { node: String },
}

impl MaintenanceReport {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::On { .. } | Self::Off { .. } | Self::Ended => Severity::Info,
            Self::Rests { .. }
            | Self::DeathPutOff { .. }
            | Self::HeldBack { .. }
            | Self::LeavesAlone { .. } => Severity::Warn,
        }
    }
}

impl fmt::Display for MaintenanceReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On {
                node,
                by,
                reason,
                left,
            } => {
                write!(f, "Maintenance is on, said {}", Who { node, by })?;
                if let Some(left) = left {
                    write!(f, ", for {}", Span(*left))?;
                }
                if !reason.is_empty() {
                    write!(f, ": {reason}")?;
                }
                f.write_str(
                    ". No resource group is started, stopped or moved unless a person asks for it. To end it: cl_status \
                     maintenance off",
                )
            }
            Self::Off { node, by } => write!(
                f,
                "Maintenance is off, said {}. The nodes decide about resource groups again.",
                Who { node, by }
            ),
            Self::Ended => f.write_str(
                "Maintenance is over: its time has passed. The nodes decide about resource groups again.",
            ),
            Self::Rests { node } => write!(
                f,
                "{node} runs heartbeat 3.0.6, which knows no maintenance: it has no effect for as long as that is there."
            ),
            Self::DeathPutOff { node } => write!(
                f,
                "Maintenance is on: nothing of {node} is taken, and it is not reset. To have its resource groups here: \
                 cl_status maintenance off, or, if you know for sure that it is down, heartbeat confirm-dead {node}"
            ),
            Self::HeldBack { what, others } => {
                write!(f, "Maintenance is on. Without it: {}", what.join("; "))?;
                if *others > 0 {
                    write!(f, "; and {others} more")?;
                }
                f.write_str(".")
            }
            Self::LeavesAlone { node } => write!(
                f,
                "Maintenance is on: {node} does not take the resource groups that are stopped here now, unless it is ended \
                 there: cl_status maintenance off"
            ),
        }
    }
}

/// The person and the place.
struct Who<'a> {
    node: &'a str,
    by: &'a str,
}

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, by } = self;
        if by.is_empty() {
            write!(f, "on {node}")
        } else {
            write!(f, "by {by} on {node}")
        }
    }
}

/// As in `2 h 5 min`: whole minutes above one, else seconds.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs() + u64::from(self.0.subsec_nanos() > 0);
        if seconds < 60 {
            return write!(f, "{seconds} s");
        }
        let minutes = seconds.div_ceil(60);
        match (minutes / 60, minutes % 60) {
            (0, minutes) => write!(f, "{minutes} min"),
            (hours, 0) => write!(f, "{hours} h"),
            (hours, minutes) => write!(f, "{hours} h {minutes} min"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_as_people_say_it() {
        for (seconds, text) in [
            (1, "1 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "2 min"),
            (3600, "1 h"),
            (7500, "2 h 5 min"),
            (86_400, "24 h"),
        ] {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), text);
        }
    }

    #[test]
    fn who_said_it_and_why_is_in_the_line() {
        let on = MaintenanceReport::On {
            node: "alpha".into(),
            by: "alice".into(),
            reason: "disk change".into(),
            left: Some(Duration::from_secs(5400)),
        };
        assert_eq!(
            on.to_string(),
            "Maintenance is on, said by alice on alpha, for 1 h 30 min: disk change. No resource group is started, stopped \
             or moved unless a person asks for it. To end it: cl_status maintenance off"
        );
        let held = MaintenanceReport::HeldBack {
            what: vec!["b is dead".into(), "start one".into()],
            others: 3,
        };
        assert_eq!(
            held.to_string(),
            "Maintenance is on. Without it: b is dead; start one; and 3 more."
        );
    }
}
