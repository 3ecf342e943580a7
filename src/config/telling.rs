//! What `metrics` and `alert` lines of `ha.cf` say. How they are read is in files of these names.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// All `metrics` lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metrics {
    /// `metrics socket`: HTTP on a socket beside the control socket.
    pub socket: bool,
    /// `metrics textfile PATH`: a file for the textfile collector of `node_exporter`.
    pub textfile: Option<PathBuf>,
    /// `metrics http ADDRESS:PORT`: HTTP on an address of the loopback interface.
    pub http: Option<SocketAddr>,
}

/// One `alert` line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertWay {
    /// `mail ADDRESS`
    Mail {
        /// Whom to write to: `user@host`, or the name of a local user.
        address: String,
    },
    /// `webhook URL`
    Webhook {
        /// Begins with `http://` or `https://`.
        url: String,
    },
    /// `command PROGRAM [ARGUMENTS]`
    Command {
        /// The full path of its program.
        program: PathBuf,
        /// All of it, as a shell reads it.
        line: String,
    },
}

/// As a log line names it. What follows the host of a webhook is a secret more often than not.
impl fmt::Display for AlertWay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mail { address } => write!(f, "mail to {address}"),
            Self::Webhook { url } => write!(f, "webhook to {}", host(url)),
            Self::Command { program, .. } => write!(f, "command {}", program.display()),
        }
    }
}

/// The host of an URL, with its port; empty where there is none.
pub(super) fn host(url: &str) -> &str {
    let after = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host)
}

impl AlertWay {
    /// The program that a child of the daemon becomes for this way.
    pub fn program(&self) -> &Path {
        match self {
            Self::Mail { .. } => Path::new("/usr/sbin/sendmail"),
            Self::Webhook { .. } => Path::new("/usr/bin/curl"),
            Self::Command { program, .. } => program,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_names_the_host_of_a_webhook_and_no_secret() {
        for (url, expected) in [
            (
                "https://hooks.example.org/T000/secret",
                "webhook to hooks.example.org",
            ),
            ("http://me:word@[::1]:8080?key=x", "webhook to [::1]:8080"),
        ] {
            let way = AlertWay::Webhook { url: url.into() };
            assert_eq!(way.to_string(), expected);
        }
    }
}
