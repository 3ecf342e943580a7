//! Where log lines go: syslog, `logfile`, `debugfile`, standard error. Nothing here may stop or delay the
//! daemon: what can't be written is lost, and said once.
//!
//! The `log` crate has fewer levels than heartbeat and no names of scripts, so both travel in the target:
//! `CRIT:` or `notice:` in front raises or lowers the level; the rest, unless it is a module of ours, is the
//! name that the line bears, as `ResourceManager(default)` or, with a pid of its own, `harc(default)[123]`.

mod file;
mod line;
mod standard_error;
mod system;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use log::{LevelFilter, Log, Metadata, Record};

use crate::cluster::Severity;
use line::{Line, Style};
use standard_error::StandardError;
use system::SystemLog;
use writer::Writer;

/// What `ha.cf` says about logging.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Name of this machine in the lines.
    pub host: String,
    /// `syslogmsgfmt false`: the older form of the lines.
    pub old_form: bool,
    /// The syslog facility; `None` for no syslog.
    pub facility: Option<String>,
    /// Socket of the syslog daemon.
    pub syslog_socket: PathBuf,
    /// `logfile`.
    pub logfile: Option<PathBuf>,
    /// `debugfile`.
    pub debugfile: Option<PathBuf>,
    /// `debug`.
    pub debug: u8,
}

/// Starts logging to standard error only, until [`configure`] says more.
pub fn start(host: &str) {
    let outputs = Outputs {
        style: Style {
            host: host.into(),
            old_form: false,
        },
        standard_error: Some(StandardError::new()),
        ..Outputs::default()
    };
    *lock() = outputs;
    set_debug_level(0);
    let _ = log::set_logger(&Logger); // fails only when done already
}

/// Opens what the configuration names. A file that can't be opened is complained about and tried again
/// with every line.
pub fn configure(settings: &Settings) {
    set_debug_level(settings.debug);
    let mut outputs = lock();
    outputs.style = Style {
        host: settings.host.clone(),
        old_form: settings.old_form,
    };
    outputs.system = settings
        .facility
        .as_deref()
        .map(|facility| SystemLog::new(&settings.syslog_socket, facility));
    let mut open = |path: &Option<PathBuf>| {
        path.as_deref()
            .and_then(|path| start_writer(path, &mut outputs))
    };
    let files = (open(&settings.logfile), open(&settings.debugfile));
    (outputs.logfile, outputs.debugfile) = files;
}

fn start_writer(path: &Path, outputs: &mut Outputs) -> Option<Writer> {
    let seconds = super::clock::wall_seconds;
    let complain = move |text: &str| lock().complain(text, seconds());
    match Writer::start(path.into(), Box::new(complain)) {
        Ok(writer) => Some(writer),
        Err(error) => {
            outputs.complain(
                &format!("Cannot write to {}: {error}", path.display()),
                seconds(),
            );
            None
        }
    }
}

/// Before the end of the process: what was logged goes to its files, unless their disk hangs.
pub fn finish() {
    let flushes: Vec<_> = {
        let outputs = lock(); // not held while waiting: the other side may want to complain
        let files = [&outputs.logfile, &outputs.debugfile];
        files.into_iter().flatten().map(Writer::flush).collect()
    };
    for flush in flushes {
        flush.wait(FAREWELL);
    }
}

/// How long the last lines may take to reach a file.
const FAREWELL: Duration = Duration::from_secs(2);

/// Start-up is over. In the background nobody sees standard error any more; under a service manager that
/// keeps a journal, syslog goes to the same journal, and one copy is enough.
pub fn started(in_background: bool) {
    let mut outputs = lock();
    let journal_twice = outputs.system.is_some()
        && outputs
            .standard_error
            .as_ref()
            .is_some_and(StandardError::is_journal);
    if in_background || journal_twice {
        outputs.standard_error = None;
    }
}

/// Opens the files again, after they were rotated.
pub fn reopen() {
    let outputs = lock();
    for file in [&outputs.logfile, &outputs.debugfile].into_iter().flatten() {
        file.reopen();
    }
}

/// 0 hides debug lines.
pub fn set_debug_level(level: u8) {
    DEBUG_LEVEL.store(level, Ordering::Relaxed);
    log::set_max_level(if level == 0 {
        LevelFilter::Info
    } else {
        LevelFilter::Debug
    });
}

/// See [`set_debug_level`].
pub fn debug_level() -> u8 {
    DEBUG_LEVEL.load(Ordering::Relaxed)
}

/// Writes something with one of heartbeat's own levels.
pub fn tell(severity: Severity, text: &dyn std::fmt::Display) {
    match severity {
        Severity::Debug => log::debug!(target: "heartbeat", "{text}"),
        Severity::Info => log::info!(target: "heartbeat", "{text}"),
        Severity::Notice => log::info!(target: "notice:heartbeat", "{text}"),
        Severity::Warn => log::warn!(target: "heartbeat", "{text}"),
        Severity::Error => log::error!(target: "heartbeat", "{text}"),
        Severity::Crit => log::error!(target: "CRIT:heartbeat", "{text}"),
    }
}

static DEBUG_LEVEL: AtomicU8 = AtomicU8::new(0);
static OUTPUTS: Mutex<Outputs> = Mutex::new(Outputs {
    style: Style {
        host: String::new(),
        old_form: false,
    },
    system: None,
    logfile: None,
    debugfile: None,
    standard_error: None,
});

fn lock() -> std::sync::MutexGuard<'static, Outputs> {
    OUTPUTS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Everything a line can go to.
#[derive(Debug, Default)]
struct Outputs {
    style: Style,
    system: Option<SystemLog>,
    logfile: Option<Writer>,
    debugfile: Option<Writer>,
    standard_error: Option<StandardError>,
}

impl Outputs {
    fn write(&mut self, line: &Line<'_>) {
        if let Some(system) = &mut self.system {
            system.write(line);
        }
        let text = self.style.format(line);
        if let Some(standard_error) = &mut self.standard_error {
            standard_error.write(line.severity, &text);
        }
        // Debug lines belong into the debug file alone.
        let logfile = self
            .logfile
            .as_mut()
            .filter(|_| line.severity > Severity::Debug);
        let mut complaints = Vec::new();
        for file in [logfile, self.debugfile.as_mut()].into_iter().flatten() {
            complaints.extend(file.write(text.as_bytes()));
        }
        for complaint in complaints {
            self.complain(&complaint, line.seconds);
        }
    }

    /// Tells those that can still be told that one of the files can't be written.
    fn complain(&mut self, text: &str, seconds: u64) {
        let line = Line::own(Severity::Warn, text, seconds);
        if let Some(system) = &mut self.system {
            system.write(&line);
        }
        if let Some(standard_error) = &mut self.standard_error {
            standard_error.write(line.severity, &self.style.format(&line));
        }
    }
}

struct Logger;

impl Log for Logger {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        // Crates below us have nothing to say to an operator.
        let is_ours = record
            .module_path()
            .is_none_or(|path| path.split("::").next() == Some("heartbeat"));
        if !is_ours || !self.enabled(record.metadata()) {
            return;
        }
        let (severity, tag) = line::severity_and_tag(record.level(), record.target());
        let text = record.args().to_string();
        let seconds = super::clock::wall_seconds();
        let mut outputs = lock();
        for text in text.lines() {
            outputs.write(&Line {
                severity,
                tag,
                text: &line::printable(text),
                seconds,
            });
        }
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(path: PathBuf) -> Option<Writer> {
        Writer::start(path, Box::new(|_| ())).ok()
    }

    #[test]
    fn debug_lines_go_to_the_debug_file_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = |name: &str| directory.path().join(name);
        let mut outputs = Outputs {
            logfile: start(path("ha-log")),
            debugfile: start(path("ha-debug")),
            ..Outputs::default()
        };
        outputs.write(&Line::own(Severity::Debug, "fine print", 0));
        outputs.write(&Line::own(Severity::Crit, "headline", 0));
        for file in [&outputs.logfile, &outputs.debugfile].into_iter().flatten() {
            file.flush().wait(Duration::from_secs(30));
        }
        let read = |path: &Path| std::fs::read_to_string(path).expect("readable");
        assert!(!read(&path("ha-log")).contains("fine print"));
        assert!(read(&path("ha-log")).contains("CRIT: headline"));
        assert!(read(&path("ha-debug")).contains("debug: fine print"));
        assert!(read(&path("ha-debug")).contains("CRIT: headline"));
    }
}
