//! What is told of the directions of links, and of the last one.

use std::fmt;
use std::time::Duration;

use super::severity::Severity;

/// One thing to tell. `Display` is the text of the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "the fields are what the sentence of their variant speaks of"
)]
pub enum LinkReport {
    /// A link carries in one direction only.
    OneWay {
        node: String,
        link: String,
        /// To us; else from us.
        is_heard: bool,
    },
    /// It carries in both directions again.
    BothWays { node: String, link: String },
    /// One that carried in one direction does not carry in that one either.
    NoWay { node: String, link: String },
    /// At most one link works in both directions.
    Jeopardy {
        node: String,
        /// Which one; `None` where none does, and what gets through takes different links there and back.
        link: Option<String>,
    },
    /// A second one does again.
    JeopardyOver { node: String },
    /// A link is up and loses much, or heartbeats come unevenly.
    Degraded {
        node: String,
        link: String,
        missed: u32,
        expected: u32,
        jitter: Duration,
    },
    /// It does not any more.
    Recovered { node: String, link: String },
}

impl LinkReport {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Jeopardy { .. } => Severity::Crit,
            Self::OneWay { .. } | Self::NoWay { .. } | Self::Degraded { .. } => Severity::Warn,
            Self::BothWays { .. } | Self::JeopardyOver { .. } | Self::Recovered { .. } => {
                Severity::Info
            }
        }
    }
}

impl fmt::Display for LinkReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneWay {
                node,
                link,
                is_heard: true,
            } => write!(
                f,
                "Link {node}:{link} is one-way: we hear {node}, it does not hear us. {}",
                cause(link, true)
            ),
            Self::OneWay { node, link, .. } => write!(
                f,
                "Link {node}:{link} is one-way: {node} hears us, we do not hear it. {}",
                cause(link, false)
            ),
            Self::BothWays { node, link } => {
                write!(f, "Link {node}:{link} works in both directions again.")
            }
            Self::NoWay { node, link } => {
                write!(
                    f,
                    "Link {node}:{link} carries nothing any more in either direction."
                )
            }
            Self::Jeopardy {
                node,
                link: Some(link),
            } => write!(
                f,
                "Only one link to {node} is left, {link}: the next fault will look like the death of the node."
            ),
            Self::Jeopardy { node, link: None } => write!(
                f,
                "No link to {node} is left that works in both directions: what gets through takes different links there \
                 and back, and the next fault will look like the death of the node."
            ),
            Self::JeopardyOver { node } => {
                write!(
                    f,
                    "More than one link to {node} works in both directions again."
                )
            }
            Self::Degraded {
                node,
                link,
                missed,
                expected,
                jitter,
            } => write!(
                f,
                "Link {node}:{link} is up and carries badly: of the last {expected} messages of {node} {missed} did not \
                 come by it, and pauses between heartbeats differ by {} ms. Check its cable and what else uses it.",
                jitter.as_millis()
            ),
            Self::Recovered { node, link } => write!(f, "Link {node}:{link} carries well again."),
        }
    }
}

/// What makes a link one-way most often: one that the other node is heard on (`is_heard`), or does hear us on.
pub fn cause(link: &str, is_heard: bool) -> &'static str {
    match (link.starts_with('/'), is_heard) {
        (true, true) => {
            "Check the wire from TX here to RX there, the baud rate there, and that nothing else there reads the port."
        }
        (true, false) => {
            "Check the wire from TX there to RX here, the baud rate here, and that nothing else here reads the port."
        }
        (false, true) => {
            "Check the firewall there, the address or group that its line in ha.cf here sends to, udpport, and the cable."
        }
        (false, false) => {
            "Check the firewall here, the address or group that its line in ha.cf there sends to, udpport, and the cable."
        }
    }
}
