//! What the files name and only the machine can show: ports, interfaces, devices, programs.
//!
//! Nothing here looks. Whoever checks a configuration brings a function that does.

use std::path::Path;
use std::time::Duration;

use super::diagnostic::Diagnostic;
use super::source::Place;
use super::{AlertWay, Config, Medium, PingNode, ResourceWord, Watchdog};

/// Something that is named in the files and may be missing on this machine.
#[derive(Debug, Clone, Copy)]
pub enum Subject<'a> {
    /// A path to the peer: its serial port or interface.
    Medium(&'a Medium),
    /// The watchdog, which has to fire in time.
    Watchdog {
        /// Which one.
        watchdog: &'a Watchdog,
        /// Interval between heartbeats.
        keepalive: Duration,
        /// Silence after which the other node takes over.
        deadtime: Duration,
    },
    /// A ping node: its hosts must not be this machine.
    Ping(&'a PingNode),
    /// A resource: its program, or the interface of its address.
    Resource(&'a ResourceWord),
    /// Whoever a program of `respawn` or `failfast` is to run as.
    User(&'a str),
    /// That program.
    Program(&'a Path),
    /// The program that `auto_failback when` asks.
    FailbackCommand(&'a Path),
    /// The directory of the file that `metrics textfile` names.
    Textfile(&'a Path),
    /// The program that sends an alert.
    Alert(&'a AlertWay),
    /// The program of a fencing device of this type.
    FenceDevice(&'a str),
    /// The serial lines, and what the whole configuration has them carry.
    SerialLines(&'a Config),
    /// The same beside heartbeat 3.0.6.
    SerialLinesOfOld(&'a Config),
    /// All paths to the peer: whether they break together for sure.
    Links(&'a [&'a Medium]),
    /// All paths to the peer: whether they are of one kind.
    Kinds(&'a [&'a Medium]),
    /// A path to the peer: whether it leads there.
    Way {
        /// The path.
        medium: &'a Medium,
        /// All paths of its link, this one among them.
        link: &'a [&'a Medium],
    },
    /// A path over a network: whether its UDP port is free.
    Port(&'a Medium),
    /// A path over a network: whether messages on it are let in.
    Filter(&'a Medium),
    /// A resource: whether something else starts it.
    Start(&'a ResourceWord),
    /// A resource: whether its script can say how it is.
    Status(&'a ResourceWord),
    /// A resource: whether its script is out of the reach of others.
    Trust(&'a ResourceWord),
    /// An address: whether it fits the networks of this machine.
    Network(&'a ResourceWord),
    /// An address: whether this machine has it without heartbeat.
    Holder(&'a ResourceWord),
    /// An address: whether another program may take it away.
    Manager(&'a ResourceWord),
    /// A file of the configuration, or its directory: whether it is out of the reach of others.
    File(&'a Path),
}

/// What is missing, in the words of a [`Diagnostic`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Absence {
    /// What is wrong.
    pub message: String,
    /// What that means; may be empty.
    pub label: String,
    /// What to do; may be empty.
    pub help: String,
}

/// Looks for something on this machine; `None` when it is there.
pub type Look<'a> = &'a dyn Fn(Subject<'_>) -> Option<Absence>;

/// The warning about something that is missing. The other machine, or this one tomorrow, may have it: no error.
pub(super) fn warning(look: Look<'_>, subject: Subject<'_>, place: &Place) -> Option<Diagnostic> {
    missing(look, subject, |message| Diagnostic::warning(place, message))
}

/// The error about something that is missing and without which the daemon does not start.
pub(super) fn error(look: Look<'_>, subject: Subject<'_>, place: &Place) -> Option<Diagnostic> {
    missing(look, subject, |message| Diagnostic::error(place, message))
}

/// A word about something that is no fault as long as nothing else changes.
pub(super) fn info(look: Look<'_>, subject: Subject<'_>, place: &Place) -> Option<Diagnostic> {
    missing(look, subject, |message| Diagnostic::info(place, message))
}

fn missing(
    look: Look<'_>,
    subject: Subject<'_>,
    diagnostic: impl FnOnce(String) -> Diagnostic,
) -> Option<Diagnostic> {
    let absence = look(subject)?;
    let diagnostic = diagnostic(absence.message).label(absence.label);
    Some(if absence.help.is_empty() {
        diagnostic
    } else {
        diagnostic.help(absence.help)
    })
}
