//! The other end of the control socket: asks one daemon for its state or for something to do, for the commands.

pub mod cl_status;
pub mod confirm;
mod connection;
mod event_stream;
pub mod moves;
pub mod resource_manager;

use std::fmt;
use std::io;
use std::path::Path;
use std::time::Duration;

use connection::Connection;
pub use event_stream::EventStream;

use crate::control::{Answer, Files, Incident, Plan, Request, Status, Terms};

/// A daemon that takes longer is not well.
const PATIENCE: Duration = Duration::from_secs(5);
/// What is shown on a screen is not worth more: a role that may be an old one is none.
const GLANCE: Duration = Duration::from_secs(1);

/// Why there is no answer.
#[derive(Debug)]
pub enum Error {
    /// No daemon runs here, with the reason that the system gives.
    Stopped(io::Error),
    /// The socket can't be reached from here, as by a user who may not.
    Unreachable(io::Error),
    /// It runs but says nothing.
    Silent,
    /// It refuses to answer.
    Refused(String),
    /// What it says is no answer.
    Nonsense(String),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stopped(error) => write!(f, "no heartbeat runs here ({error})"),
            Self::Unreachable(error) => write!(
                f,
                "cannot reach heartbeat's control socket: {error}. Its users are root and the members of \
                 the group haclient"
            ),
            Self::Silent => f.write_str("heartbeat runs but does not answer"),
            Self::Refused(reason) => f.write_str(reason),
            Self::Nonsense(reason) => write!(f, "heartbeat's answer can't be understood: {reason}"),
        }
    }
}

/// Asks the daemon behind `socket` for everything it can tell.
///
/// # Errors
/// See [`Error`].
pub fn status(socket: &Path) -> Result<Status, Error> {
    match ask(socket, &Request::Status)? {
        Answer::Status(status) => Ok(*status),
        _ => Err(Error::Nonsense("it answers another question".into())),
    }
}

/// The same within a second.
///
/// # Errors
/// See [`Error`].
pub fn glance(socket: &Path) -> Result<Status, Error> {
    match ask_within(socket, &Request::Status, GLANCE)? {
        Answer::Status(status) => Ok(*status),
        _ => Err(Error::Nonsense("it answers another question".into())),
    }
}

/// Asks the daemon behind `socket` for its records of incidents, the oldest first.
///
/// # Errors
/// See [`Error`].
pub fn incidents(socket: &Path) -> Result<Vec<Incident>, Error> {
    match ask(socket, &Request::Incidents)? {
        Answer::Incidents(incidents) => Ok(incidents),
        _ => Err(Error::Nonsense("it answers another question".into())),
    }
}

/// The same within a second.
///
/// # Errors
/// See [`Error`].
pub fn latest_incidents(socket: &Path) -> Result<Vec<Incident>, Error> {
    match ask_within(socket, &Request::Incidents, GLANCE)? {
        Answer::Incidents(incidents) => Ok(incidents),
        _ => Err(Error::Nonsense("it answers another question".into())),
    }
}

/// Asks the daemon behind `socket` what both nodes must have equal.
///
/// # Errors
/// See [`Error`].
pub fn terms(socket: &Path) -> Result<Terms, Error> {
    match ask(socket, &Request::Terms)? {
        Answer::Terms(terms) => Ok(terms),
        _ => Err(Error::Nonsense("it answers another question".into())),
    }
}

/// Hands files to the daemon behind `socket`, which goes on with them or, for a dry run, only tells what would change.
/// `mistakes` in them, where there are any, are for its log.
///
/// # Errors
/// See [`Error`]; nothing was changed then.
pub fn reload(
    socket: &Path,
    files: Files,
    mistakes: Vec<String>,
    dry_run: bool,
) -> Result<Plan, Error> {
    let request = Request::Reload {
        dry_run,
        files,
        mistakes,
    };
    match ask(socket, &request)? {
        Answer::Reload(plan) => Ok(plan),
        _ => Err(Error::Nonsense("it answers another question".into())),
    }
}

fn ask(socket: &Path, request: &Request) -> Result<Answer, Error> {
    ask_within(socket, request, PATIENCE)
}

fn ask_within(socket: &Path, request: &Request, patience: Duration) -> Result<Answer, Error> {
    let mut connection = Connection::open(socket, patience)?;
    connection.send(request)?;
    read_answer(&connection.read_to_end()?)
}

/// What the daemon says with these bytes.
///
/// # Errors
/// That it refuses, or that it can't be understood.
pub fn read_answer(bytes: &[u8]) -> Result<Answer, Error> {
    match serde_json::from_slice(bytes) {
        Ok(Answer::Error(reason)) => Err(Error::Refused(reason)),
        Ok(answer) => Ok(answer),
        Err(error) => Err(Error::Nonsense(error.to_string())),
    }
}
