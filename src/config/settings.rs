//! What `ha.cf` says, line by line, before anything is compared with anything.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use super::diagnostic::{Diagnostic, Diagnostics, Severity};
use super::directive::{self, Argument, Default as Preset, Directive, Repeat, Statement};
use super::source::{Place, Word};
use super::value::{self, Fault, Reading};
use super::{ApiAuth, AutoFailback, Medium, PingNode, Respawn};

/// The values of all directives. Those with a default have it before the first line is read.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub(super) nodes: Vec<Word>,
    pub(super) cluster: String,
    pub(super) keepalive: Duration,
    pub(super) deadtime: Duration,
    pub(super) warntime: Duration,
    pub(super) initdead: Duration,
    pub(super) deadping: Duration,
    pub(super) auto_failback: Option<AutoFailback>,
    pub(super) nice_failback: bool,
    pub(super) media: Vec<(Medium, Place)>,
    pub(super) baud: u32,
    pub(super) udpport: u32,
    pub(super) ping_nodes: Vec<(PingNode, Place)>,
    pub(super) logfile: Option<PathBuf>,
    pub(super) debugfile: Option<PathBuf>,
    pub(super) logfacility: &'static str,
    pub(super) use_logd: bool,
    pub(super) conn_logd_time: Duration,
    pub(super) debug: u32,
    pub(super) syslogmsgfmt: bool,
    pub(super) log_badpack: bool,
    pub(super) respawn: Vec<Respawn>,
    pub(super) apiauth: Vec<(ApiAuth, Place)>,
    pub(super) env: Vec<(String, String)>,
    pub(super) watchdog: Option<PathBuf>,
    pub(super) realtime: bool,
    pub(super) rtprio: u32,
    pub(super) coredumps: bool,
    pub(super) coreroot: Option<PathBuf>,
    pub(super) msgfmt: &'static str,
    pub(super) compression: &'static str,
    pub(super) compression_threshold: u32,
    pub(super) traditional_compression: bool,
    pub(super) max_rexmit_delay: u32,
    pub(super) hopfudge: u32,
    pub(super) hbgenmethod: &'static str,
    pub(super) uuidfrom: &'static str,
    /// Whether there is anything but comments in the file.
    pub(super) says_anything: bool,
    /// The accepted text of each directive that was written, and where.
    written: BTreeMap<&'static str, (String, Place)>,
    /// The directives that somebody tried to write, well or badly.
    attempted: BTreeSet<&'static str>,
    /// Those of them whose lines could not even be told from others.
    misread: BTreeSet<&'static str>,
}

impl Settings {
    /// All defaults, read like any other value.
    pub(super) fn new() -> Self {
        let mut settings = Self::default();
        for directive in directive::ALL {
            if let Preset::Value(text) = directive.default {
                // A default that can't be read would leave its setting at zero; a test looks for that.
                let _ = settings.store(directive, text);
            }
        }
        settings
    }

    /// Where a directive was last written and accepted.
    pub(super) fn place(&self, name: &str) -> Option<&Place> {
        self.written.get(name).map(|(_, place)| place)
    }

    /// The accepted text of a directive.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.written.get(name).map(|(text, _)| text.as_str())
    }

    /// Notes that somebody meant to write this directive.
    pub(super) fn attempt(&mut self, directive: &'static Directive) {
        self.attempted.insert(directive.name);
    }

    /// Notes that a line was probably meant as this directive, but could not be taken for it.
    pub(super) fn misread(&mut self, directive: &'static Directive) {
        self.attempt(directive);
        self.misread.insert(directive.name);
    }

    /// Whether lines of this directive may be among those that could not be read.
    pub(super) fn is_misread(&self, name: &str) -> bool {
        self.misread.contains(name)
    }

    /// Whether a directive is missing for sure: not even a broken line looks like it.
    pub(super) fn is_absent(&self, name: &str) -> bool {
        !self.attempted.contains(name)
    }

    /// Whether the value of a directive is its default or was read well.
    pub(super) fn is_sound(&self, name: &str) -> bool {
        !self.is_misread(name) && (self.is_absent(name) || self.written.contains_key(name))
    }

    /// Whether a file or a facility for messages is named; `kern` counts as none, as in heartbeat 3.0.6.
    pub(super) fn logs_somewhere(&self) -> bool {
        self.logfile.is_some()
            || self.debugfile.is_some()
            || !matches!(self.logfacility, "" | "none" | "kern")
    }

    /// Takes the words after a plain directive.
    pub(super) fn take(
        &mut self,
        directive: &'static Directive,
        words: &[Word],
        out: &mut Diagnostics,
    ) {
        let words = self.before_lost_line_break(directive, words, out);
        if let Argument::Each(each) = directive.argument {
            for word in words {
                each(self, directive, word, out);
            }
            return;
        }
        if let [first, second, ..] = words {
            let severed =
                first.text.ends_with(|c: char| c.is_ascii_digit()) && is_unit(&second.text);
            out.push(if severed {
                Diagnostic::error(&second.place, "a blank parts a number from its unit")
                    .label(format!("write `{}{}`", first.text, second.text))
            } else {
                let message = format!("`{}` takes one value", directive.name);
                Diagnostic::warning(&first.place, message).label("only the last one counts")
            });
            if severed {
                return;
            }
        }
        for word in words {
            match self.store(directive, &word.text) {
                Ok(remark) => {
                    if let Some((severity, fault)) = remark {
                        out.push(about_value(directive, word, &fault, severity));
                    }
                    self.record(directive, &word.text, &word.place, out);
                }
                Err(fault) => out.push(about_value(directive, word, &fault, Severity::Error)),
            }
        }
    }

    /// The words in front of one that begins another directive: a page that lost its line breaks.
    ///
    /// A node may well be called like a directive; that is looked at when all nodes are known.
    fn before_lost_line_break<'a>(
        &mut self,
        directive: &'static Directive,
        words: &'a [Word],
        out: &mut Diagnostics,
    ) -> &'a [Word] {
        let lost = words.iter().enumerate().skip(1).find_map(|(at, word)| {
            let found = directive::find(&word.text)?;
            (directive.name != "node").then_some((at, word, found))
        });
        let Some((at, word, found)) = lost else {
            return words;
        };
        self.misread(found);
        let error = Diagnostic::error(&word.place, "two directives on one line");
        out.push(error.label(format!("`{}` must begin a line of its own", word.text)));
        words.get(..at).unwrap_or_default()
    }

    /// Remembers the text of a directive that nobody looks at.
    pub(super) fn note(&mut self, directive: &'static Directive, statement: &Statement) {
        let text = statement
            .words
            .last()
            .map(|word| word.text.clone())
            .unwrap_or_default();
        self.written
            .insert(directive.name, (text, statement.name.place.clone()));
    }

    /// Remembers the accepted text of a directive and looks at an earlier mention.
    fn record(
        &mut self,
        directive: &'static Directive,
        text: &str,
        place: &Place,
        out: &mut Diagnostics,
    ) {
        let earlier = self
            .written
            .insert(directive.name, (text.to_owned(), place.clone()));
        let Some((before, first)) = earlier.filter(|(before, _)| before != text) else {
            return;
        };
        if first.line == place.line {
            return; // the several values of one line were told already
        }
        let message = format!("`{}` is given twice with different values", directive.name);
        out.push(if directive.repeat == Repeat::Same {
            Diagnostic::error(place, message)
                .label(format!("`{text}` here"))
                .related(&first, format!("`{before}` here"))
                .help("remove one of the two lines")
        } else {
            Diagnostic::warning(place, message)
                .label("this one counts")
                .related(&first, "this one is forgotten")
        });
    }

    /// Reads a value and puts it where it belongs.
    fn store(
        &mut self,
        directive: &'static Directive,
        text: &str,
    ) -> Result<Option<(Severity, Fault)>, Fault> {
        fn put<T>(slot: &mut T, reading: Reading<T>) -> Option<(Severity, Fault)> {
            *slot = reading.value;
            reading.remark
        }
        Ok(match &directive.argument {
            Argument::Time(slot) => put(slot(self), value::time(text, false)?),
            Argument::TimeOrZero(slot) => put(slot(self), value::time(text, true)?),
            Argument::Boolean(slot) => put(slot(self), value::boolean(text)?),
            Argument::Integer(slot, range) => put(slot(self), value::integer(text, range.clone())?),
            Argument::Choice(slot, words) => put(slot(self), value::choice(text, words, false)?),
            Argument::Text(slot) => put(slot(self), Reading::plain(text.to_owned())),
            Argument::Path(slot) => put(slot(self), path(text)),
            Argument::Word(read) => read(self, text).map(|()| None)?,
            Argument::Each(_) | Argument::Line(_) | Argument::Ignored => None,
        })
    }

    /// The recorded directives with the text that commands and scripts see.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let recorded = directive::ALL.iter().filter(|directive| directive.recorded);
        let texts = recorded.filter_map(|directive| {
            let preset = match directive.default {
                Preset::Value(text) => Some(text),
                _ => None,
            };
            // `nice_failback` shows under the name that counts.
            let preset = match self.auto_failback {
                Some(AutoFailback::On) if directive.name == "auto_failback" => Some("on"),
                Some(AutoFailback::Off) if directive.name == "auto_failback" => Some("off"),
                _ => preset,
            };
            let text = self.text(directive.name).or(preset).map(str::to_owned);
            let text = text.or_else(|| self.computed(directive.name))?;
            Some((directive.name.to_owned(), text))
        });
        texts.collect()
    }

    /// The text of a value that follows from others.
    fn computed(&self, name: &str) -> Option<String> {
        let time = match name {
            "warntime" => self.warntime,
            "initdead" => self.initdead,
            "deadping" => self.deadping,
            _ => return None,
        };
        Some(format!("{}ms", time.as_millis()))
    }
}

fn is_unit(text: &str) -> bool {
    ["ms", "msec", "us", "usec", "s", "sec", "min"]
        .iter()
        .any(|unit| text.eq_ignore_ascii_case(unit))
}

/// A path; a relative one would depend on where the daemon was started.
fn path(text: &str) -> Reading<Option<PathBuf>> {
    let remark = (!text.starts_with('/')).then(|| {
        let reason = "not an absolute path".to_owned();
        (
            Severity::Warning,
            Fault {
                span: 0..text.len(),
                reason,
            },
        )
    });
    Reading {
        value: Some(PathBuf::from(text)),
        remark,
    }
}

/// What to tell about the value of a directive.
fn about_value(
    directive: &Directive,
    word: &Word,
    fault: &Fault,
    severity: Severity,
) -> Diagnostic {
    let kind = if severity == Severity::Error {
        "bad"
    } else {
        "odd"
    };
    let message = format!("{kind} value `{}` for `{}`", word.text, directive.name);
    Diagnostic::at(severity, &word.place.part(&fault.span), message).label(fault.reason.as_str())
}

/// One name after `node`.
pub(super) fn node(
    settings: &mut Settings,
    _directive: &'static Directive,
    word: &Word,
    out: &mut Diagnostics,
) {
    let name = word.text.to_ascii_lowercase();
    if word.text.chars().count() > 99 {
        let error = Diagnostic::error(&word.place, "node name is too long");
        out.push(error.label("more than 99 characters"));
        return;
    }
    if let Some(first) = settings.nodes.iter().find(|node| node.text == name) {
        let warning = Diagnostic::warning(&word.place, format!("node `{name}` is named twice"));
        out.push(warning.label("ignored").related(&first.place, "first here"));
        return;
    }
    // Two are right and three are too many; a file that names thousands is none of ours.
    if settings.nodes.len() >= 100 {
        return;
    }
    settings.nodes.push(Word {
        text: name,
        place: word.place.clone(),
    });
}

/// `auto_failback`: a boolean or `legacy`.
pub(super) fn auto_failback(settings: &mut Settings, text: &str) -> Result<(), Fault> {
    settings.auto_failback = Some(if text.eq_ignore_ascii_case("legacy") {
        AutoFailback::Legacy
    } else {
        match value::boolean(text) {
            Ok(Reading { value: true, .. }) => AutoFailback::On,
            Ok(Reading { value: false, .. }) => AutoFailback::Off,
            Err(_) => {
                let reason = value::choice(text, &["on", "off", "legacy"], true);
                return reason.map(|_| ());
            }
        }
    });
    Ok(())
}

/// `crm` and `pacemaker`: only "no" is possible.
pub(super) fn pacemaker(_settings: &mut Settings, text: &str) -> Result<(), Fault> {
    if matches!(value::boolean(text), Ok(Reading { value: false, .. })) {
        return Ok(());
    }
    let reason = "there is no Pacemaker mode; remove this line and keep the resources in `haresources`, \
                  or run corosync with pacemaker instead of heartbeat";
    Err(Fault {
        span: 0..text.len(),
        reason: reason.into(),
    })
}

/// `autojoin`: only "none" is possible.
pub(super) fn autojoin(_settings: &mut Settings, text: &str) -> Result<(), Fault> {
    if value::choice(text, &["none", "other", "any"], true)?.value == "none" {
        return Ok(());
    }
    let reason = "a pair has two fixed nodes; remove this line and name both with `node`";
    Err(Fault {
        span: 0..text.len(),
        reason: reason.into(),
    })
}

/// One `NAME=VALUE` after `env`.
pub(super) fn env(
    settings: &mut Settings,
    _directive: &'static Directive,
    word: &Word,
    out: &mut Diagnostics,
) {
    match word.text.split_once('=') {
        Some(("", _)) => {
            let error =
                Diagnostic::error(&word.place, format!("bad value `{}` for `env`", word.text));
            out.push(error.label("the name before `=` is missing"));
        }
        Some((name, value)) => settings.env.push((name.to_owned(), value.to_owned())),
        None => {
            let warning =
                Diagnostic::warning(&word.place, format!("odd value `{}` for `env`", word.text));
            out.push(warning.label("no `=`; the variable will be empty"));
            settings.env.push((word.text.clone(), String::new()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_can_be_read() {
        for directive in directive::ALL {
            if let Preset::Value(text) = directive.default {
                let read = Settings::default().store(directive, text);
                assert_eq!(read, Ok(None), "{}", directive.name);
            }
        }
        let settings = Settings::new();
        assert_eq!(settings.keepalive, Duration::from_secs(1));
        assert_eq!((settings.baud, settings.udpport), (19200, 694));
    }
}
