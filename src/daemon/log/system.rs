//! The system's log daemon. It may be slow, stopped or restarted; we never wait for it.

use std::io::{self, Write};
use std::path::Path;

use syslog::{Facility, LogFormat, Logger};

use super::line::{Line, with_pid};
use crate::cluster::Severity;
use crate::daemon::datagram::Datagram;
use crate::os::local_time::LocalTime;

/// The `syslog` crate's logger with a backend that doesn't block and a format in local time.
pub(super) struct SystemLog {
    logger: Logger<Backend, Format>,
}

impl std::fmt::Debug for SystemLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SystemLog")
            .field("backend", &self.logger.backend)
            .finish_non_exhaustive()
    }
}

impl SystemLog {
    /// To the datagram socket at `path`. An unknown facility is `user`.
    pub fn new(path: &Path, facility: &str) -> Self {
        let facility = match facility {
            "security" => Facility::LOG_AUTH, // its old name
            name => name.parse().unwrap_or(Facility::LOG_USER),
        };
        let backend = Backend {
            socket: Datagram::new(path),
            datagram: Vec::new(),
            lost: 0,
        };
        Self {
            logger: Logger::new(backend, Format { facility }),
        }
    }

    pub fn write(&mut self, line: &Line<'_>) {
        if self.send(line).is_err() {
            return;
        }
        let lost = std::mem::take(&mut self.logger.backend.lost);
        if lost > 0 {
            let text = format!(
                "{lost} line(s) before this one were lost: the log daemon did not take them"
            );
            let _ = self.send(&Line::own(Severity::Warn, &text, line.seconds));
        }
    }

    fn send(&mut self, line: &Line<'_>) -> io::Result<()> {
        self.logger.backend.datagram.clear();
        let Logger { formatter, backend } = &mut self.logger;
        let severity = match line.severity {
            Severity::Debug => syslog::Severity::LOG_DEBUG,
            Severity::Info => syslog::Severity::LOG_INFO,
            Severity::Notice => syslog::Severity::LOG_NOTICE,
            Severity::Warn => syslog::Severity::LOG_WARNING,
            Severity::Error => syslog::Severity::LOG_ERR,
            Severity::Crit => syslog::Severity::LOG_CRIT,
        };
        formatter
            .format(backend, severity, line)
            .map_err(io::Error::other)?;
        backend.flush()
    }
}

/// Collects one line and sends it as one datagram.
#[derive(Debug)]
struct Backend {
    socket: Datagram,
    datagram: Vec<u8>,
    lost: u64,
}

impl Write for Backend {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.datagram.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.socket.send(&self.datagram);
        self.lost = self.lost.saturating_add(self.socket.take_dropped());
        result
    }
}

/// What the C library's `syslog` sends.
struct Format {
    facility: Facility,
}

impl LogFormat<&Line<'_>> for Format {
    fn format<W: Write>(
        &self,
        writer: &mut W,
        severity: syslog::Severity,
        line: &Line<'_>,
    ) -> syslog::Result<()> {
        let priority = self.facility as u32 | severity as u32;
        let time = LocalTime::from_unix(line.seconds).syslog();
        let body = line.body();
        let result = match line.tag {
            None => write!(
                writer,
                "<{priority}>{time} heartbeat: [{}]: {body}",
                std::process::id()
            ),
            Some(tag) => write!(writer, "<{priority}>{time} {}: {body}", with_pid(tag)),
        };
        result.map_err(syslog::Error::Write)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn read(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 512];
        let length = socket.recv(&mut buffer).expect("something to read");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn a_line_bears_priority_time_name_and_level() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let reader = UnixDatagram::bind(&path).expect("binds");
        let mut system = SystemLog::new(&path, "local0");
        system.write(&Line::own(Severity::Crit, "both own it", 1_795_198_608));
        let time = LocalTime::from_unix(1_795_198_608).syslog();
        let pid = std::process::id();
        assert_eq!(
            read(&reader),
            format!("<130>{time} heartbeat: [{pid}]: CRIT: both own it")
        );
        let tag = Some("harc(default)[12]");
        system.write(&Line {
            severity: Severity::Info,
            tag,
            text: "Running",
            seconds: 1_795_198_608,
        });
        assert_eq!(
            read(&reader),
            format!("<134>{time} harc(default)[12]: info: Running")
        );
    }

    #[test]
    fn what_was_lost_is_counted_and_told_when_the_reader_is_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let mut system = SystemLog::new(&path, "daemon");
        for _ in 0..3 {
            system.write(&Line::own(Severity::Info, "nobody reads", 0));
        }
        let reader = UnixDatagram::bind(&path).expect("binds");
        system.write(&Line::own(Severity::Info, "hello", 0));
        assert!(read(&reader).ends_with("info: hello"));
        assert!(read(&reader).contains("WARN: 3 line(s) before this one were lost"));
    }
}
