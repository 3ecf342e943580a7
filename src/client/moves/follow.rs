//! Watching a planned move until it has ended.

use std::fmt;
use std::time::Duration;

use super::super::Error;
use super::words;
use crate::control::{Direction, MoveProgress, Movement, Selection, Status};

/// Between two looks.
pub(super) const PAUSE: Duration = Duration::from_millis(100);
/// Looks without a usable answer, one after the other, before they mean something: when many ask at once, the
/// daemon hangs up on some.
const LOST: u32 = 20;

/// A running daemon and the time that passes meanwhile.
pub(super) trait Daemon {
    /// Asks for a move.
    fn begin(&mut self, direction: Direction, selection: Selection) -> Result<Movement, Error>;
    fn status(&mut self) -> Result<Status, Error>;
    /// Since some fixed moment.
    fn now(&mut self) -> Duration;
    fn pause(&mut self, time: Duration);
}

/// How watching ended.
#[derive(Debug)]
pub(super) enum Ending {
    Done,
    /// With the reason.
    Failed(String),
    /// Watched no longer, with what is known last.
    TimedOut(String),
    /// The daemon was stopped.
    Gone,
    /// It is another one.
    Restarted,
    /// Another move has begun since.
    Superseded,
    /// The daemon does not answer.
    Lost(Error),
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
            Self::TimedOut(state) => write!(f, "timed out ({state}); the move goes on"),
            Self::Gone => f.write_str(
                "heartbeat was stopped on this node before the move had ended; cl_status rscstatus on the other node \
                 tells what it has",
            ),
            Self::Restarted => f.write_str(
                "heartbeat was started anew on this node before the move had ended; cl_status rscstatus tells what it \
                 has now",
            ),
            Self::Superseded => f.write_str(
                "another planned move began before this one was seen to end; heartbeat's log tells how it ended",
            ),
            Self::Lost(error) => write!(f, "how the move goes on is not known: {error}"),
        }
    }
}

/// Watches a move that has begun just now; tells of each state in a line of its own. Also gives back what the
/// daemon said last.
pub(super) fn follow(
    begun: &Movement,
    limit: Option<Duration>,
    daemon: &mut impl Daemon,
    tell: &mut impl FnMut(&str),
) -> (Ending, Option<Status>) {
    let since = daemon.now();
    let mut told = None;
    let mut last = None;
    let mut lost: u32 = 0;
    loop {
        match daemon.status() {
            Ok(status) => {
                lost = 0;
                let movement = match ours(begun, &status) {
                    Ok(movement) => movement,
                    Err(ending) => return (ending, Some(status)),
                };
                if told != Some(movement.progress) {
                    told = Some(movement.progress);
                    let elapsed = daemon.now().saturating_sub(since);
                    tell(&words::progress(movement, &status, elapsed));
                }
                match movement.progress {
                    MoveProgress::Done => return (Ending::Done, Some(status)),
                    MoveProgress::Failed => {
                        let reason = movement.reason.clone();
                        let reason = reason.unwrap_or_else(|| "heartbeat's log tells why".into());
                        return (Ending::Failed(reason), Some(status));
                    }
                    MoveProgress::Asked | MoveProgress::Releasing | MoveProgress::Acquiring => {}
                }
                last = Some(status);
            }
            Err(Error::Stopped(_)) => return (Ending::Gone, last),
            Err(error @ Error::Silent) => return (Ending::Lost(error), last),
            Err(error) => {
                lost = lost.saturating_add(1);
                if lost >= LOST {
                    return (Ending::Lost(error), last);
                }
            }
        }
        let left = limit.map(|limit| limit.saturating_sub(daemon.now().saturating_sub(since)));
        if left == Some(Duration::ZERO) {
            return (Ending::TimedOut(known(begun, last.as_ref())), last);
        }
        daemon.pause(left.map_or(PAUSE, |left| left.min(PAUSE)));
    }
}

/// The move that was begun, as the daemon tells of it now.
fn ours<'a>(begun: &Movement, status: &'a Status) -> Result<&'a Movement, Ending> {
    match &status.movement {
        Some(movement) if movement.generation != begun.generation => Err(Ending::Restarted),
        Some(movement) if movement.number != begun.number => Err(Ending::Superseded),
        Some(movement) => Ok(movement),
        None => Err(Ending::Restarted),
    }
}

fn known(begun: &Movement, status: Option<&Status>) -> String {
    let movement = |status: &Status| ours(begun, status).ok().cloned();
    let state = |status| Some(words::state(&movement(status)?, status));
    status
        .and_then(state)
        .unwrap_or_else(|| "heartbeat does not answer".into())
}
