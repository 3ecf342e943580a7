//! `heartbeat confirm-dead`: tells the daemon that the other node is down.

use std::io::Write;

use super::Error;
use crate::control::{Answer, Places, Request};

/// It counts as reset.
const DONE: u8 = 0;
/// It can't be so now, or the daemon can't be understood.
const FAILED: u8 = 1;
/// No daemon runs.
const STOPPED: u8 = 3;
/// Not by this user.
const PERMISSION: u8 = 4;

/// Asks the daemon of these places; gives back the exit status.
pub fn run(places: &Places, node: &str) -> u8 {
    let node = node.to_owned();
    let answer = super::ask(&places.control_socket(), &Request::ConfirmDead { node });
    let (text, exit) = match answer {
        Ok(Answer::Confirmed(_)) => return DONE,
        Ok(_) => ("heartbeat answers another question".to_owned(), FAILED),
        Err(error) => {
            let exit = match &error {
                Error::Stopped(_) => STOPPED,
                Error::Unreachable(_) => PERMISSION,
                Error::Refused(_) | Error::Silent | Error::Nonsense(_) => FAILED,
            };
            let text = match error {
                Error::Refused(reason) => format!("refused: {reason}"),
                error => error.to_string(),
            };
            (text, exit)
        }
    };
    let _ = std::io::stderr().write_all(format!("heartbeat: confirm-dead {text}\n").as_bytes());
    exit
}
