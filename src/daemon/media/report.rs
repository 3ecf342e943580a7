//! What the media have to tell a person, with its wording and severity.

use std::net::SocketAddr;

use super::line_errors::Errors;
use super::serial_flow::Handshake;
use super::stranger::Stranger;
use super::udp::word;
use crate::cluster::Severity;
use crate::config::{Medium, MediumKind};

/// One thing to tell. `Display` is the text of the log line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaReport {
    /// A medium works from now on.
    Opened {
        /// Which.
        medium: Medium,
        /// Where its messages go; `None` for a serial line.
        destination: Option<SocketAddr>,
    },
    /// A unicast line that names this machine: it is meant for the peer's copy of the file.
    OwnAddress(Medium),
    /// A medium could not be opened and is tried again.
    NotOpened {
        /// Directive and link, such as `bcast eth0`.
        name: String,
        /// Why.
        why: String,
    },
    /// A medium failed for good and is opened again.
    Closed {
        /// Directive and link.
        name: String,
        /// Why.
        why: String,
    },
    /// A message could not be sent.
    WriteFailure {
        /// Directive and link.
        name: String,
        /// Why.
        why: String,
    },
    /// Further write failures are not told.
    Suppressing,
    /// Where to look when nothing goes out.
    CableHint {
        /// Directive and link.
        name: String,
    },
    /// Messages go out again after failures that were not all told.
    WritesAgain {
        /// Directive and link.
        name: String,
        /// How many failed in a row.
        failures: u64,
    },
    /// A serial line stands still.
    SerialTimeout {
        /// The device.
        device: String,
    },
    /// Whether a serial line has RTS/CTS flow control from now on.
    SerialFlow {
        /// Directive and link.
        name: String,
        /// Why.
        handshake: Handshake,
    },
    /// The driver of a serial line has counted errors.
    LineErrors {
        /// Directive and link.
        name: String,
        /// How many, since this was told last.
        errors: Errors,
    },
    /// Who or what talks on a serial line is not the other node.
    Stranger {
        /// Directive and link.
        name: String,
        /// Who or what it is.
        stranger: Stranger,
    },
    /// Messages did not fit into the queue of a serial line.
    QueueFull {
        /// Directive and link.
        name: String,
        /// How many.
        dropped: u64,
    },
    /// A message is too large for a datagram.
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// The lock file of a serial port can't be written.
    NoLockFile {
        /// The device.
        device: String,
    },
}

impl MediaReport {
    /// How bad it is.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Opened { .. }
            | Self::OwnAddress(_)
            | Self::WritesAgain { .. }
            | Self::SerialFlow {
                handshake: Handshake::Works,
                ..
            } => Severity::Info,
            Self::NoLockFile { .. } | Self::SerialFlow { .. } => Severity::Notice,
            Self::NotOpened { .. }
            | Self::Closed { .. }
            | Self::Suppressing
            | Self::CableHint { .. }
            | Self::LineErrors { .. }
            | Self::Stranger { .. }
            | Self::QueueFull { .. }
            | Self::TooLarge { .. } => Severity::Warn,
            Self::WriteFailure { .. } | Self::SerialTimeout { .. } => Severity::Error,
        }
    }
}

impl std::fmt::Display for MediaReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Opened {
                medium,
                destination,
            } => opened(f, medium, *destination),
            Self::OwnAddress(medium) => match &medium.kind {
                MediumKind::Ucast { host, .. } | MediumKind::Ucast6 { host, .. } => {
                    write!(
                        f,
                        "{} {host} is this machine's own address: the line is for the other node",
                        name(medium)
                    )
                }
                _ => write!(f, "{} leads to this machine", name(medium)),
            },
            Self::NotOpened { name, why } => write!(
                f,
                "{name} does not work: {why}. Its link is down; trying again"
            ),
            Self::Closed { name, why } => write!(
                f,
                "{name} failed: {why}. Its link is down; trying to open it again"
            ),
            Self::WriteFailure { name, why } => {
                write!(f, "write_child: write failure on {name}.: {why}")
            }
            Self::Suppressing => f.write_str("Temporarily Suppressing write error messages"),
            Self::CableHint { name } => write!(f, "Is a cable unplugged on {name}?"),
            Self::WritesAgain { name, failures } => {
                write!(f, "{name} sends again, after {failures} failures in a row")
            }
            Self::SerialTimeout { device } => {
                write!(
                    f,
                    "TTY write timeout on [{device}] (no connection or bad cable? [see documentation])"
                )
            }
            Self::SerialFlow {
                name,
                handshake: Handshake::Works,
            } => write!(
                f,
                "{name} uses RTS/CTS flow control: CTS is up, so the cable has the handshake wires"
            ),
            Self::SerialFlow {
                name,
                handshake: Handshake::Missing,
            } => write!(
                f,
                "{name} does without RTS/CTS flow control: the other end is heard while CTS stays down, as over a cable \
                 of three wires. In a cable with handshake wires these are broken or not crossed. It is used once CTS \
                 is up"
            ),
            Self::LineErrors { name, errors } => write!(f, "{name}: {errors}"),
            Self::Stranger { name, stranger } => write!(f, "{name}: {stranger}"),
            Self::QueueFull { name, dropped } => {
                write!(
                    f,
                    "{name} is too slow for what is to be sent: {dropped} messages did not go out there"
                )
            }
            Self::TooLarge { bytes } => write!(
                f,
                "a message of {bytes} bytes is too large for UDP and was not sent there"
            ),
            Self::NoLockFile { device } => {
                write!(
                    f,
                    "no lock file for {device} could be written: programs that only heed such files may disturb it"
                )
            }
        }
    }
}

/// Directive and link, as the log names a medium.
pub fn name(medium: &Medium) -> String {
    format!("{} {}", word(&medium.kind), medium.link)
}

fn opened(
    f: &mut std::fmt::Formatter<'_>,
    medium: &Medium,
    to: Option<SocketAddr>,
) -> std::fmt::Result {
    let interface = &medium.link;
    match &medium.kind {
        MediumKind::Serial { device, baud, .. } => {
            write!(
                f,
                "Starting serial heartbeat on tty {} ({baud} baud)",
                device.display()
            )
        }
        MediumKind::Bcast { port } => {
            write!(
                f,
                "UDP Broadcast heartbeat started on port {port} ({port}) interface {interface}"
            )
        }
        MediumKind::Ucast { host, port } => {
            write!(f, "ucast: started on port {port} interface {interface} to ")?;
            match to {
                Some(address) => write!(f, "{}", address.ip()),
                None => f.write_str(host),
            }
        }
        MediumKind::Mcast {
            group,
            port,
            ttl,
            loopback,
        } => write!(
            f,
            "UDP multicast heartbeat started for group {group} port {port} interface {interface} (ttl={ttl} loop={})",
            u8::from(*loopback)
        ),
        MediumKind::Ucast6 { host, port } => {
            f.write_str("ucast6: heartbeat started for ")?;
            match to {
                Some(address) => write!(f, "[{}]", address.ip())?,
                None => write!(f, "[{host}]")?,
            }
            write!(f, ":{port} on interface {interface}")
        }
        MediumKind::Mcast6 {
            group,
            port,
            hops,
            loopback,
        } => write!(
            f,
            "UDP multicast heartbeat started for [{group}]:{port} on interface {interface} (hops={hops} loop={})",
            u8::from(*loopback)
        ),
    }
}

/// Why the media can't be opened.
#[derive(Debug)]
pub enum MediaError {
    /// Not one of them works; a line for each.
    NoneOpened(Vec<String>),
    /// Every line leads to this machine itself.
    OnlyOwnAddresses,
    /// More media than there are numbers for.
    TooMany {
        /// How many there may be.
        limit: usize,
    },
    /// The event loop takes no descriptors.
    Loop(std::io::Error),
}

impl std::fmt::Display for MediaError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoneOpened(reasons) => {
                f.write_str("no communication medium works, so the peer cannot be reached")?;
                reasons
                    .iter()
                    .try_for_each(|reason| write!(f, "\n{reason}"))
            }
            Self::OnlyOwnAddresses => {
                f.write_str("every medium leads to this machine itself: none reaches the peer")
            }
            Self::TooMany { limit } => write!(f, "more than {limit} media"),
            Self::Loop(error) => write!(f, "cannot watch descriptors: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn medium(link: &str, kind: MediumKind) -> Medium {
        Medium {
            link: link.to_owned(),
            kind,
        }
    }

    #[test]
    fn start_lines_read_as_they_always_did() {
        let to: SocketAddr = "10.88.1.2:694".parse().expect("an address");
        let to6: SocketAddr = "[fd00::2]:694".parse().expect("an address");
        let (group, group6) = (
            [225, 0, 0, 1].into(),
            "ff02::5".parse().expect("an address"),
        );
        let host = String::from("beta");
        let serial = MediumKind::Serial {
            flow: crate::config::SerialFlow::Auto,
            device: "/dev/ttyS0".into(),
            baud: 19_200,
        };
        let cases = [
            (
                medium("/dev/ttyS0", serial),
                None,
                "Starting serial heartbeat on tty /dev/ttyS0 (19200 baud)",
            ),
            (
                medium("eth0", MediumKind::Bcast { port: 694 }),
                Some(to),
                "UDP Broadcast heartbeat started on port 694 (694) interface eth0",
            ),
            (
                medium(
                    "eth1",
                    MediumKind::Ucast {
                        host: host.clone(),
                        port: 694,
                    },
                ),
                Some(to),
                "ucast: started on port 694 interface eth1 to 10.88.1.2",
            ),
            (
                medium(
                    "eth0",
                    MediumKind::Mcast {
                        group,
                        port: 694,
                        ttl: 1,
                        loopback: false,
                    },
                ),
                Some(to),
                "UDP multicast heartbeat started for group 225.0.0.1 port 694 interface eth0 (ttl=1 loop=0)",
            ),
            (
                medium("eth0", MediumKind::Ucast6 { host, port: 694 }),
                Some(to6),
                "ucast6: heartbeat started for [fd00::2]:694 on interface eth0",
            ),
            (
                medium(
                    "eth0",
                    MediumKind::Mcast6 {
                        group: group6,
                        port: 694,
                        hops: 1,
                        loopback: true,
                    },
                ),
                Some(to6),
                "UDP multicast heartbeat started for [ff02::5]:694 on interface eth0 (hops=1 loop=1)",
            ),
        ];
        for (medium, destination, line) in cases {
            let report = MediaReport::Opened {
                medium,
                destination,
            };
            assert_eq!(
                (report.to_string().as_str(), report.severity()),
                (line, Severity::Info)
            );
        }
    }

    #[test]
    fn failure_lines_read_as_they_always_did() {
        let name = String::from("bcast eth0");
        let cases = [
            (
                MediaReport::WriteFailure {
                    name: name.clone(),
                    why: "Network is unreachable".to_owned(),
                },
                "write_child: write failure on bcast eth0.: Network is unreachable",
            ),
            (
                MediaReport::Suppressing,
                "Temporarily Suppressing write error messages",
            ),
            (
                MediaReport::CableHint { name },
                "Is a cable unplugged on bcast eth0?",
            ),
            (
                MediaReport::SerialTimeout {
                    device: "/dev/ttyS0".to_owned(),
                },
                "TTY write timeout on [/dev/ttyS0] (no connection or bad cable? [see documentation])",
            ),
        ];
        for (report, line) in cases {
            assert_eq!(report.to_string(), line);
        }
    }
}
