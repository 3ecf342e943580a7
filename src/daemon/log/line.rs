//! What a log line looks like.

use std::borrow::Cow;

use log::Level;

use crate::cluster::Severity;
use crate::os::local_time::LocalTime;

/// One line before it is formatted.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub severity: Severity,
    /// Who says it: `None` for the daemon itself, else the name of a script.
    pub tag: Option<&'a str>,
    pub text: &'a str,
    /// Wall clock.
    pub seconds: u64,
}

impl<'a> Line<'a> {
    /// A line of the daemon itself.
    pub fn own(severity: Severity, text: &'a str, seconds: u64) -> Self {
        Self {
            severity,
            tag: None,
            text,
            seconds,
        }
    }

    /// The part that is the same everywhere: level and text.
    pub fn body(&self) -> String {
        format!("{}: {}", self.severity.word(), self.text)
    }
}

/// How lines in files and on standard error begin.
#[derive(Debug, Default)]
pub(super) struct Style {
    pub host: String,
    /// `syslogmsgfmt false`
    pub old_form: bool,
}

impl Style {
    /// The line with its line feed.
    pub fn format(&self, line: &Line<'_>) -> String {
        let time = LocalTime::from_unix(line.seconds);
        let body = line.body();
        match line.tag {
            None if self.old_form => {
                format!("{}: {} {body}\n", with_pid("heartbeat"), time.classic())
            }
            None => {
                format!(
                    "{} {} heartbeat: [{}]: {body}\n",
                    time.syslog(),
                    self.host,
                    std::process::id()
                )
            }
            Some(tag) => format!("{}: {} {body}\n", with_pid(tag), time.classic()),
        }
    }
}

/// The name followed by our pid in brackets, unless it brings its own.
pub(super) fn with_pid(tag: &str) -> Cow<'_, str> {
    if tag.ends_with(']') {
        tag.into()
    } else {
        format!("{tag}[{}]", std::process::id()).into()
    }
}

/// Takes a target of the `log` crate apart.
pub(super) fn severity_and_tag(level: Level, target: &str) -> (Severity, Option<&str>) {
    let (severity, target) = if let Some(rest) = target.strip_prefix("CRIT:") {
        (Severity::Crit, rest)
    } else if let Some(rest) = target.strip_prefix("notice:") {
        (Severity::Notice, rest)
    } else {
        let severity = match level {
            Level::Error => Severity::Error,
            Level::Warn => Severity::Warn,
            Level::Info => Severity::Info,
            Level::Debug | Level::Trace => Severity::Debug,
        };
        (severity, target)
    };
    let is_daemon = target.is_empty() || target == "heartbeat" || target.starts_with("heartbeat::");
    (severity, Some(target).filter(|_| !is_daemon))
}

/// Text from outside must not be able to forge a line or drive a terminal.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    if text
        .chars()
        .all(|character| character == '\t' || !character.is_control())
    {
        return text.into();
    }
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\t' || !character.is_control() {
            safe.push(character);
        } else {
            safe.extend(character.escape_default());
        }
    }
    safe.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(tag: Option<&'a str>, text: &'a str) -> Line<'a> {
        Line {
            severity: Severity::Info,
            tag,
            text,
            seconds: 1_795_198_608,
        }
    }

    #[test]
    fn lines_look_like_those_of_the_original() {
        let pid = std::process::id();
        let time = LocalTime::from_unix(1_795_198_608);
        let new = Style {
            host: "ba".into(),
            old_form: false,
        };
        assert_eq!(
            new.format(&line(None, "up")),
            format!("{} ba heartbeat: [{pid}]: info: up\n", time.syslog())
        );
        let old = Style {
            host: "ba".into(),
            old_form: true,
        };
        assert_eq!(
            old.format(&line(None, "up")),
            format!("heartbeat[{pid}]: {} info: up\n", time.classic())
        );
        let script = line(Some("ResourceManager(default)"), "Running x");
        let expected = format!(
            "ResourceManager(default)[{pid}]: {} info: Running x\n",
            time.classic()
        );
        assert_eq!(new.format(&script), expected);
        assert_eq!(old.format(&script), expected);
        let own_pid = line(Some("harc(default)[7]"), "x");
        assert_eq!(
            new.format(&own_pid),
            format!("harc(default)[7]: {} info: x\n", time.classic())
        );
    }

    #[test]
    fn targets_carry_level_and_name() {
        assert_eq!(
            severity_and_tag(Level::Error, "CRIT:heartbeat"),
            (Severity::Crit, None)
        );
        assert_eq!(
            severity_and_tag(Level::Info, "notice:heartbeat"),
            (Severity::Notice, None)
        );
        assert_eq!(
            severity_and_tag(Level::Warn, "heartbeat::daemon::media"),
            (Severity::Warn, None)
        );
        let script = "ResourceManager(default)";
        assert_eq!(
            severity_and_tag(Level::Info, script),
            (Severity::Info, Some(script))
        );
        assert_eq!(
            severity_and_tag(Level::Error, "CRIT:x"),
            (Severity::Crit, Some("x"))
        );
    }

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        assert_eq!(printable("a\tb"), "a\tb");
        assert_eq!(printable("a\u{1b}[2Jb\r"), "a\\u{1b}[2Jb\\r");
    }
}
